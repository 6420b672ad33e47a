//! What is wrong with a pipeline file, and where: positions, messages, and how they are shown.

use std::fmt::Write as _;

/// How much of a line is shown before the place of a mistake, and how much at all.
const MAX_BEFORE: usize = 120;
const MAX_SHOWN: usize = 240;

/// A place in the file. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A value and where it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it begins.
    pub at: Position,
}

impl<T> Located<T> {
    /// A value at a place.
    pub fn new(value: T, at: Position) -> Self {
        Self { value, at }
    }
}

impl Located<String> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.value
    }
}

/// One thing that is wrong with a pipeline file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of mistake it is; stable, for programs.
    pub code: &'static str,
    /// What is wrong, and what to do.
    pub message: String,
    /// Where.
    pub at: Position,
    /// How many characters of the line it concerns, at least 1.
    pub length: usize,
}

impl Diagnostic {
    /// A mistake at a place, one character long.
    pub fn new(code: &'static str, message: impl Into<String>, at: Position) -> Self {
        Self { code, message: message.into(), at, length: 1 }
    }

    /// The same mistake, marked along `length` characters.
    #[must_use]
    pub fn over(mut self, length: usize) -> Self {
        self.length = length.max(1);
        self
    }

    /// The mistake as a compiler prints it: `file:line:column: error: …`, the line, and marks below it.
    pub fn render(&self, file: &str, text: &str) -> String {
        self.render_as("error", file, text)
    }

    /// The same for what is no mistake.
    pub fn render_warning(&self, file: &str, text: &str) -> String {
        self.render_as("warning", file, text)
    }

    fn render_as(&self, level: &str, file: &str, text: &str) -> String {
        let Position { line, column } = self.at;
        let mut shown = format!("{file}:{line}:{column}: {level}: {} [{}]\n", self.message, self.code);
        let Some(source) = text.lines().nth(line.saturating_sub(1)) else { return shown };
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        // Of a very long line, what stands around the place is enough.
        let left_out = column.saturating_sub(1).saturating_sub(MAX_BEFORE);
        let source: String = source.chars().skip(left_out).take(MAX_SHOWN).collect();
        let before = column.saturating_sub(1).min(MAX_BEFORE);
        // Tabs stay tabs, so that the marks stand below what they mean.
        let indent: String = source.chars().take(before).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let rest = source.chars().count().saturating_sub(before).max(1);
        let _ = writeln!(shown, " {number} | {}", printable(&source));
        let _ = writeln!(shown, " {gutter} | {indent}{}", "^".repeat(self.length.min(rest)));
        shown
    }
}

/// A line without what a terminal would obey.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// The nearest of the known names, when one is near enough to be meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the longer one, as compilers do: more is another word.
    let reach = |other: &str| (name.chars().count().max(other.chars().count()) / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|other| (strsim::osa_distance(&name.to_lowercase(), &other.to_lowercase()), other))
        .filter(|(distance, other)| *distance <= reach(other) && *distance < other.chars().count())
        .min()
        .map(|(_, other)| other)
}

/// `; did you mean …?`, or what there is.
pub(crate) fn did_you_mean_or_known(name: &str, known: &[&str]) -> String {
    let hint = did_you_mean(name, known.iter().copied());
    if hint.is_empty() { format!("; it has {}", known.join(", ")) } else { hint }
}

/// `; did you mean …?`, or nothing.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map(|other| format!("; did you mean `{other}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_a_hint_and_another_word_is_none() {
        let known = ["name", "needs", "timeout", "environment"];
        for (written, meant) in
            [("nmae", "name"), ("need", "needs"), ("time_out", "timeout"), ("enviroment", "environment")]
        {
            assert_eq!(nearest(written, known), Some(meant));
        }
        for other in ["nope", "n", "deeds_of", "tool", ""] {
            assert_eq!(nearest(other, known), None, "{other}");
        }
    }
}
