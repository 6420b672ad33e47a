//! The text of a file with its characters and lines, for turning positions into bytes and back.

use std::ops::Range;

use saphyr_parser::Marker;

use super::diagnostic::Position;

/// The text of a file. A line may be as long as the file, so nothing here walks along one.
pub(crate) struct Source<'t> {
    pub text: &'t str,
    /// The byte at which each character begins.
    characters: Vec<usize>,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

impl<'t> Source<'t> {
    pub fn new(text: &'t str) -> Self {
        let characters = text.char_indices().map(|(at, _)| at).collect();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, characters, lines }
    }

    /// The byte of a place that the YAML library names.
    pub fn byte(&self, marker: &Marker) -> usize {
        self.characters.get(marker.index()).copied().unwrap_or(self.text.len())
    }

    /// The place of a byte.
    pub fn position(&self, byte: usize) -> Position {
        let line = self.lines.partition_point(|begin| *begin <= byte).max(1);
        let begin = self.lines.get(line - 1).copied().unwrap_or_default();
        Position { line, column: self.character(byte).saturating_sub(self.character(begin)) + 1 }
    }

    /// The number of the character at a byte.
    fn character(&self, byte: usize) -> usize {
        self.characters.partition_point(|begin| *begin < byte)
    }

    /// What stands in the first line of a range.
    pub fn first_line(&self, bytes: &Range<usize>) -> &'t str {
        self.text.get(bytes.clone()).unwrap_or_default().lines().next().unwrap_or_default()
    }
}
