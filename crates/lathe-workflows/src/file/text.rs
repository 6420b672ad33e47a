//! Texts with expressions in them.

use super::diagnostic::Position;
use super::expression::{Context, EvaluationError, Expression};

/// A text of the file in which `${{ … }}` may stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// Its parts, in order.
    pub parts: Vec<Part>,
    /// Where it begins.
    pub at: Position,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Stands for itself.
    Literal(String),
    /// Stands for its value.
    Expression(Expression),
}

impl Text {
    /// A text without expressions.
    pub fn literal(text: impl Into<String>, at: Position) -> Self {
        Self { parts: vec![Part::Literal(text.into())], at }
    }

    /// The text, when no expression stands in it.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The literal text before the first expression.
    pub fn prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            _ => "",
        }
    }

    /// Its expressions.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.parts.iter().filter_map(|part| match part {
            Part::Expression(expression) => Some(expression),
            Part::Literal(_) => None,
        })
    }

    /// The text with the values of its expressions. Not for commands: they get values as variables, see `command`.
    ///
    /// # Errors
    /// When an expression has no value.
    pub fn evaluate(&self, context: &Context) -> Result<String, EvaluationError> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Expression(expression) => text.push_str(&expression.evaluate_text(context)?),
            }
        }
        Ok(text)
    }

    /// As it is written.
    pub fn source(&self) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text.clone(),
                Part::Expression(expression) => format!("${{{{ {} }}}}", expression.source),
            })
            .collect()
    }
}
