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
        let mistakes = file::read(&text).err().unwrap_or_default();
        found.push((path.display().to_string(), text, mistakes));
    }
    print(&found, output)?;
    let mistakes: usize = found.iter().map(|(_, _, mistakes)| mistakes.len()).sum();
    output.note(&match (mistakes, paths.len()) {
        (0, files) => format!("no mistakes in {}", counted(files, "file")),
        (mistakes, files) => format!("{} in {}", counted(mistakes, "mistake"), counted(files, "file")),
    });
    Ok(if mistakes == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A file's name, its text, and what is wrong with it.
type Linted = (String, String, Vec<Diagnostic>);

fn print(found: &[Linted], output: &Output) -> Result<()> {
    if output.is_for_people() {
        let shown = found.iter().flat_map(|(name, text, mistakes)| mistakes.iter().map(|m| m.render(name, text)));
        let shown: Vec<String> = shown.collect();
        let lines: Vec<_> = shown.iter().flat_map(|shown| shown.lines()).map(clean).collect();
        return output.print(&lines.join("\n"));
    }
    let titles = ["file", "line", "column", "length", "code", "message"];
    let mut table = Table::new(titles.map(|title| (title, title)));
    for (name, _, mistakes) in found {
        for Diagnostic { code, message, at, length } in mistakes {
            let number = |count: usize| Cell::Integer(i64::try_from(count).unwrap_or(i64::MAX));
            let place = [number(at.line), number(at.column), number(*length)];
            let words = [Cell::Text((*code).to_owned()), Cell::Text(message.clone())];
            table.push([Cell::Text(name.clone())].into_iter().chain(place).chain(words).collect());
        }
    }
    output.print_table(&table)
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
