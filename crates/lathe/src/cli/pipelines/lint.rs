//! `lathe pipeline lint`: what is wrong with pipeline files, as a compiler says it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use lathe_core::Result;
use lathe_workflows::file::{self, Diagnostic};

use super::super::output::{Cell, Output, Table};
use super::super::text::clean;
use super::files;

#[derive(Debug, Args)]
pub struct LintArgs {
    /// The files [default: lathe.yaml and pipelines/*.yaml]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn run(LintArgs { files }: &LintArgs, output: &Output) -> Result<ExitCode> {
    let paths = if files.is_empty() { files::find()? } else { files.clone() };
    let mut found: Vec<Linted> = Vec::new();
    for path in &paths {
        let text = files::read(path)?;
        let (mistakes, warnings) = match file::read(&text) {
            Ok(pipeline) => (Vec::new(), file::warnings(&pipeline)),
            Err(mistakes) => (mistakes, Vec::new()),
        };
        found.push(Linted { name: path.display().to_string(), text, mistakes, warnings });
    }
    print(&found, output)?;
    let mistakes: usize = found.iter().map(|linted| linted.mistakes.len()).sum();
    let warnings: usize = found.iter().map(|linted| linted.warnings.len()).sum();
    let files = counted(paths.len(), "file");
    output.note(&match (mistakes, warnings) {
        (0, 0) => format!("no mistakes in {files}"),
        (0, warnings) => format!("no mistakes and {} in {files}", counted(warnings, "warning")),
        (mistakes, 0) => format!("{} in {files}", counted(mistakes, "mistake")),
        (mistakes, warnings) => {
            format!("{} and {} in {files}", counted(mistakes, "mistake"), counted(warnings, "warning"))
        }
    });
    Ok(if mistakes == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was found in a file; warnings only of one that has no mistakes.
struct Linted {
    name: String,
    text: String,
    mistakes: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

fn print(found: &[Linted], output: &Output) -> Result<()> {
    if output.is_for_people() {
        let mut shown: Vec<String> = Vec::new();
        for Linted { name, text, mistakes, warnings } in found {
            shown.extend(mistakes.iter().map(|mistake| mistake.render(name, text)));
            shown.extend(warnings.iter().map(|warning| warning.render_warning(name, text)));
        }
        let lines: Vec<_> = shown.iter().flat_map(|shown| shown.lines()).map(clean).collect();
        return output.print(&lines.join("\n"));
    }
    let titles = ["file", "line", "column", "length", "code", "message", "level"];
    let mut table = Table::new(titles.map(|title| (title, title)));
    for Linted { name, mistakes, warnings, .. } in found {
        let mistakes = mistakes.iter().map(|mistake| (mistake, "error"));
        for (Diagnostic { code, message, at, length }, level) in
            mistakes.chain(warnings.iter().map(|warning| (warning, "warning")))
        {
            let number = |count: usize| Cell::Integer(i64::try_from(count).unwrap_or(i64::MAX));
            let place = [number(at.line), number(at.column), number(*length)];
            let words = [(*code).to_owned(), message.clone(), level.to_owned()].map(Cell::Text);
            table.push([Cell::Text(name.clone())].into_iter().chain(place).chain(words).collect());
        }
    }
    output.print_table(&table)
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
