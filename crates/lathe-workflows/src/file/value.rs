//! Values of parameters, matrices and expressions, and their types.

use std::cmp::Ordering;
use std::fmt;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// A word as it was written, by a job or without quotes in a matrix. It is text where text is wanted, and what it reads as where it is
    /// compared with a number, `true`, `false` or `null`: `1.10` is a version to one and a number to another.
    Word(String),
}

/// The type of a value, as far as it is known before a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Not known: it comes from a run.
    Any,
    /// True or false.
    Bool,
    /// A number.
    Number,
    /// A text.
    Text,
    /// Nothing.
    Null,
}

impl Value {
    /// What a plain word reads as: a number, `true`, `false`, `null`, or itself.
    pub fn from_word(word: &str) -> Self {
        match word {
            "" | "~" | "null" => Self::Null,
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            _ => Self::number(word).unwrap_or_else(|| Self::Text(word.to_owned())),
        }
    }

    /// A number as it is written, or none.
    fn number(word: &str) -> Option<Self> {
        let is_numeric = word.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        if !is_numeric || !word.bytes().any(|b| b.is_ascii_digit()) {
            return None;
        }
        if let Ok(whole) = word.parse::<i64>() {
            return Some(Self::Int(whole));
        }
        word.parse::<f64>().ok().filter(|number| number.is_finite()).map(Self::Float)
    }

    /// The value itself; of a word, what it reads as.
    pub(crate) fn meant(&self) -> Self {
        match self {
            Self::Word(word) => Self::from_word(word),
            other => other.clone(),
        }
    }

    /// Its type.
    pub fn value_type(&self) -> Type {
        match self.meant() {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) | Self::Float(_) => Type::Number,
            Self::Text(_) | Self::Word(_) => Type::Text,
        }
    }

    /// How it stands to another value: numbers to numbers, and texts to texts; `None` when they are neither.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(left), Self::Text(right) | Self::Word(right)) | (Self::Word(left), Self::Text(right)) => {
                Some(left.cmp(right))
            }
            _ => match (self.meant(), other.meant()) {
                (Self::Int(left), Self::Int(right)) => Some(left.cmp(&right)),
                (Self::Text(left), Self::Text(right)) => Some(left.cmp(&right)),
                (left, right) => left.as_number()?.partial_cmp(&right.as_number()?),
            },
        }
    }

    /// Whether it is the same as another value, as `==` compares them.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.order(other).map_or_else(|| self.meant() == other.meant(), Ordering::is_eq)
    }

    /// Whether it is true, if it is true or false.
    pub(crate) fn as_truth(&self) -> Option<bool> {
        match self.meant() {
            Self::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// The number it is, if it is one.
    #[expect(clippy::cast_precision_loss, reason = "numbers are compared as floats, as in JSON")]
    pub fn as_number(&self) -> Option<f64> {
        match self.meant() {
            Self::Int(whole) => Some(whole as f64),
            Self::Float(number) => Some(number),
            _ => None,
        }
    }

    /// As JSON. A word is a number, `true` or `false` there when nothing of how it is written gets lost.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Word(word) => match Self::from_word(word) {
                Self::Null => word.as_str().into(),
                meant if meant.to_string() == *word => meant.to_json(),
                _ => word.as_str().into(),
            },
            Self::Null => serde_json::Value::Null,
            Self::Bool(truth) => (*truth).into(),
            Self::Int(whole) => (*whole).into(),
            Self::Float(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
        }
    }

    /// From JSON; lists and objects are no values.
    pub fn from_json(json: &serde_json::Value) -> Option<Self> {
        match json {
            serde_json::Value::Null => Some(Self::Null),
            serde_json::Value::Bool(truth) => Some(Self::Bool(*truth)),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(whole) => Some(Self::Int(whole)),
                None => number.as_f64().map(Self::Float),
            },
            serde_json::Value::String(text) => Some(Self::Text(text.clone())),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    /// As a command gets it: nothing is the empty text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Int(whole) => write!(f, "{whole}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Text(text) | Self::Word(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any value",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Null => "nothing",
        })
    }
}
