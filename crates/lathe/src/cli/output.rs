//! How results are printed: data on standard output, everything else on standard error.

mod cell;
mod table;

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use lathe_core::{Code, Error, Result};
use serde::Serialize;

use super::text;

pub use cell::{Cell, ID_CHARACTERS};
pub use table::{Column, Record, Table};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated, with a header
    Csv,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How results are printed: table, json, jsonl or csv
    #[arg(
        short,
        long,
        global = true,
        env = "LATHE_OUTPUT",
        value_enum,
        hide_possible_values = true,
        default_value_t = Format::Table,
        value_name = "FORMAT"
    )]
    output: Format,
    /// Print results and errors only
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Answer every question with yes
    #[arg(short, long, global = true)]
    yes: bool,
    /// Print without colors, as with NO_COLOR set
    #[arg(long, global = true)]
    no_color: bool,
}

/// Where and how a command prints. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Output {
    format: Format,
    is_quiet: bool,
    says_yes: bool,
    is_terminal: bool,
    is_styled: bool,
}

impl From<OutputArgs> for Output {
    fn from(OutputArgs { output, quiet, yes, no_color }: OutputArgs) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let wants_plain = no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { format: output, is_quiet: quiet, says_yes: yes, is_terminal, is_styled: is_terminal && !wants_plain }
    }
}

impl Output {
    /// Of a program that nobody watches.
    pub fn quiet() -> Self {
        Self { format: Format::Json, is_quiet: true, says_yes: false, is_terminal: false, is_styled: false }
    }

    /// The chosen format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether people read the results, not programs.
    pub fn is_for_people(&self) -> bool {
        self.format == Format::Table
    }

    /// Prints rows.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print_table(&self, table: &Table) -> Result<()> {
        match self.format {
            Format::Table => {
                let (text, left_out) = table.render(self);
                self.print(&text)?;
                match left_out {
                    0 => {}
                    1 => self.note("1 more column does not fit this terminal; choose columns with --columns"),
                    count => {
                        self.note(&format!("{count} more columns do not fit this terminal; choose with --columns"))
                    }
                }
                Ok(())
            }
            Format::Json => self.print_json(table),
            Format::Jsonl => self.print_lines(table.records()),
            Format::Csv => self.print_csv(&table.csv_header(), table.rows().map(Table::csv_row)),
        }
    }

    /// Prints rows; says `no <what>` when there are none.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print_list(&self, table: &Table, what: &str) -> Result<()> {
        self.print_table(table)?;
        if table.is_empty() {
            self.note(&format!("no {what}"));
        }
        Ok(())
    }

    /// Prints one thing with its fields.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print_record(&self, record: &Record) -> Result<()> {
        match self.format {
            Format::Table => self.print(&record.render(self)),
            Format::Json => self.print_json(record),
            Format::Jsonl => self.print_lines([record]),
            Format::Csv => {
                let (header, row): (Vec<_>, Vec<_>) = record.csv_fields().into_iter().unzip();
                self.print_csv(&header, [row])
            }
        }
    }

    /// Prints a value as a JSON document.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn print_json(&self, value: &impl Serialize) -> Result<()> {
        let json = serde_json::to_string_pretty(value).map_err(not_printable)?;
        self.print(&text::clean_json(json))
    }

    fn print_lines(&self, values: impl IntoIterator<Item = impl Serialize>) -> Result<()> {
        let lines = values.into_iter().map(|value| serde_json::to_string(&value).map(text::clean_json));
        self.print(&lines.collect::<Result<Vec<_>, _>>().map_err(not_printable)?.join("\n"))
    }

    fn print_csv(&self, header: &[String], rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(header).map_err(not_printable)?;
        for row in rows {
            // A file keeps every byte; a terminal is protected from them.
            let row = row.iter().map(|field| if self.is_terminal { text::clean(field) } else { field.into() });
            writer.write_record(row.map(|field| field.into_owned())).map_err(not_printable)?;
        }
        let bytes = writer.into_inner().map_err(not_printable)?;
        self.print(String::from_utf8_lossy(&bytes).trim_end_matches('\n'))
    }

    /// Prints text that is safe for a terminal, and a line break; nothing when it is empty.
    ///
    /// # Errors
    /// When standard output cannot be written. A reader that has gone (`| head`) is no error.
    pub fn print(&self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => {
                written.map_err(|error| Error::new(Code::OutOfSpace, "the result cannot be printed").with_source(error))
            }
        }
    }

    /// Tells the person something that is no result.
    pub fn note(&self, text: &str) {
        if !self.is_quiet {
            eprintln!("{}", text::clean(text));
        }
    }

    /// Text in bold, where that can be seen.
    pub fn bold(&self, text: &str) -> String {
        if self.is_styled { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Text that steps back, where that can be seen.
    pub fn dim(&self, text: &str) -> String {
        if self.is_styled && !text.is_empty() { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Asks before something that cannot be undone.
    ///
    /// # Errors
    /// `InvalidArgument` when nobody can be asked, `Conflict` when the answer is no.
    pub fn confirm(&self, question: &str) -> Result<()> {
        if self.says_yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(Error::invalid(format!("{question} Nobody can be asked here")).with_hint("say it with --yes"));
        }
        eprint!("{} [y/N] ", text::clean(question));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map_err(|error| Error::invalid("no answer").with_source(error))?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Error::conflict("nothing was changed")),
        }
    }

    /// A sign of life while something takes long; invisible unless a person watches.
    pub fn spinner(&self, message: &str) -> ProgressBar {
        if self.is_quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let spinner = ProgressBar::new_spinner().with_message(message.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(Duration::from_millis(100));
        spinner
    }

    /// How far something long is; invisible unless a person watches.
    pub fn progress(&self, message: &str) -> ProgressBar {
        if self.is_quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(0).with_message(message.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        bar
    }
}

fn not_printable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("a result could not be written in the chosen format").with_source(error)
}
