//! Texts with expressions in them, with the place of each expression in the file.

use super::super::diagnostic::{Diagnostic, Position};
use super::super::expression::{Expression, SyntaxError};
use super::super::text::{Part, Text};
use super::super::yaml::Node;
use super::Reader;

/// The most expressions of one text.
const MAX_EXPRESSIONS: usize = 100;
/// The longest text, such as a command.
const MAX_BYTES: usize = 64 * 1024;

impl Reader<'_> {
    /// A text in which `${{ … }}` may stand.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<Text> {
        let text = self.scalar(node, what)?;
        if text.trim().is_empty() || text.len() > MAX_BYTES || text.contains('\0') {
            self.wrong(node, "invalid_value", format!("{what} has 1-{MAX_BYTES} bytes and no NUL"));
            return None;
        }
        let places = self.places(node, text);
        let mut parts = Vec::new();
        let mut rest = text;
        let mut count = 0;
        while let Some(begin) = rest.find("${{") {
            let (before, after) = rest.split_at(begin);
            if !before.is_empty() {
                parts.push(Part::Literal(before.to_owned()));
            }
            let place = places.get(count).copied();
            count += 1;
            let inner = after.get(3..).unwrap_or_default();
            let Some(end) = end_of(inner) else {
                let at = place.map_or(node.at, |place| self.source.position(place));
                self.note(Diagnostic::new("expression", "`${{` has no `}}`", at).over(3));
                return None;
            };
            parts.push(Part::Expression(self.expression(node, inner.get(..end)?, place.map(|place| place + 3))?));
            rest = inner.get(end + 2..).unwrap_or_default();
        }
        if count > MAX_EXPRESSIONS {
            self.wrong(node, "too_large", format!("{what} has more than {MAX_EXPRESSIONS} expressions"));
            return None;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Some(Text { parts, at: node.at })
    }

    /// A condition: an expression, with or without `${{ }}` around it.
    pub(super) fn condition(&mut self, node: &Node, what: &str) -> Option<Expression> {
        let text = self.scalar(node, what)?;
        if !text.contains("${{") {
            let raw = self.source.text.get(node.bytes.clone()).unwrap_or_default();
            let place = raw.find(text).map(|at| node.bytes.start + at);
            return self.expression(node, text, place);
        }
        match self.text(node, what)?.parts.as_slice() {
            [Part::Expression(expression)] => Some(expression.clone()),
            _ => {
                self.wrong(
                    node,
                    "expression",
                    format!("{what} is one expression: put all of it inside of one `${{{{ }}}}`"),
                );
                None
            }
        }
    }

    /// An expression, given its byte in the file when that is known.
    fn expression(&mut self, node: &Node, written: &str, place: Option<usize>) -> Option<Expression> {
        let source = written.trim_start();
        let place = place.map(|place| place + written.len() - source.len());
        let at = place.map_or(node.at, |place| self.source.position(place));
        match Expression::parse(source.trim_end(), at) {
            Ok(expression) => Some(expression),
            Err(SyntaxError { message, offset }) => {
                self.note(Diagnostic::new("expression", message, within(at, source, offset)));
                None
            }
        }
    }

    /// Where in the file each `${{` of a text begins; nothing when escapes make that unclear.
    fn places(&self, node: &Node, text: &str) -> Vec<usize> {
        let raw = self.source.text.get(node.bytes.clone()).unwrap_or_default();
        let places: Vec<usize> = raw.match_indices("${{").map(|(at, _)| node.bytes.start + at).collect();
        if places.len() == text.matches("${{").count() { places } else { Vec::new() }
    }
}

/// The place of a byte of an expression that begins at a place.
pub(crate) fn within(at: Position, source: &str, offset: usize) -> Position {
    let before = source.get(..offset).unwrap_or_default();
    // Where lines are folded, the first one is named.
    if before.contains('\n') { at } else { Position { column: at.column + before.chars().count(), ..at } }
}

/// The byte of the `}}` that ends an expression; one inside of quotes does not.
fn end_of(inner: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in inner.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '}') if inner.get(at..).is_some_and(|rest| rest.starts_with("}}")) => return Some(at),
            _ => {}
        }
    }
    None
}
