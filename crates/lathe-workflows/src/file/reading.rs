//! From the tree of a file to its types. Every mistake is noted and reading goes on, so that all are seen at once.
//!
//! A file here is one part of the pipeline file; this one holds what they share: mappings with known keys, and plain values.

mod actions;
mod jobs;
mod matrix;
mod pipeline;
mod texts;
mod triggers;

pub(crate) use texts::within;

use std::time::Duration;

use super::diagnostic::{Diagnostic, Located, did_you_mean, did_you_mean_or_known};
use super::source::Source;
use super::types::Pipeline;
use super::value::Value;
use super::yaml::{self, Content, Key, Node};

/// The largest file.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;
/// More mistakes than this are not read by anyone.
pub(crate) const MAX_MISTAKES: usize = 100;
/// The longest plain text, such as a path or pattern.
const MAX_TEXT: usize = 4_096;

/// Reads a file.
pub(crate) fn read(text: &str) -> Result<Pipeline, Vec<Diagnostic>> {
    match read_partly(text)? {
        (pipeline, mistakes) if mistakes.is_empty() => Ok(pipeline),
        (_, mistakes) => Err(mistakes),
    }
}

/// Reads what can be read of a file: without the parts that have mistakes, which are answered beside it.
///
/// # Errors
/// The mistakes of a file that has no parts.
pub(crate) fn read_partly(text: &str) -> Result<(Pipeline, Vec<Diagnostic>), Vec<Diagnostic>> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; a pipeline file has at most {MAX_BYTES}", text.len());
        return Err(vec![Diagnostic::new("too_large", message, super::Position { line: 1, column: 1 })]);
    }
    let source = Source::new(text);
    // YAML would count such a one as a line and editors would not.
    if let Some(at) = text.replace("\r\n", "\n\n").find('\r') {
        let message = "a line ends with a carriage return alone; save the file with line feeds";
        return Err(vec![Diagnostic::new("yaml", message, source.position(at))]);
    }
    let tree = yaml::parse(&source)?;
    let mut reader = Reader { source: &source, mistakes: Vec::new() };
    let pipeline = reader.pipeline(&tree);
    reader.mistakes.sort_by_key(|mistake| mistake.at);
    match pipeline {
        Some(pipeline) => Ok((pipeline, reader.mistakes)),
        None => Err(reader.mistakes),
    }
}

struct Reader<'s> {
    source: &'s Source<'s>,
    mistakes: Vec<Diagnostic>,
}

/// A mapping whose keys are known.
struct Fields<'n> {
    /// What the mapping is, for messages.
    what: String,
    node: &'n Node,
    entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// The value of a key; an empty one counts as absent.
    fn get(&self, name: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node).filter(|node| !node.is_null())
    }

    fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(key, _)| key.name == name)
    }

    fn key(&self, name: &str) -> Option<&'n Key> {
        self.entries.iter().find(|(key, _)| key.name == name).map(|(key, _)| key)
    }
}

impl<'s> Reader<'s> {
    fn note(&mut self, mistake: Diagnostic) {
        if self.mistakes.len() < MAX_MISTAKES {
            self.mistakes.push(mistake);
        }
    }

    fn wrong(&mut self, node: &Node, code: &'static str, message: impl Into<String>) {
        self.note(Diagnostic::new(code, message, node.at).over(node.length));
    }

    fn wrong_key(&mut self, key: &Key, code: &'static str, message: impl Into<String>) {
        self.note(Diagnostic::new(code, message, key.at).over(key.length));
    }

    /// A mapping; keys that are not known are refused.
    fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Fields<'n>> {
        let entries = self.entries(node, what)?;
        for (key, _) in entries {
            if known.contains(&key.name.as_str()) {
                continue;
            }
            let hint = did_you_mean_or_known(&key.name, known);
            self.wrong_key(key, "unknown_key", format!("{what} has no key `{}`{hint}", key.name));
        }
        Some(Fields { what: what.to_owned(), node, entries })
    }

    /// A mapping with any keys.
    fn entries<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [(Key, Node)]> {
        match &node.content {
            Content::Map(entries) => Some(entries),
            _ if node.is_null() => Some(&[]),
            _ => {
                self.wrong(node, "wrong_type", format!("{what} is a mapping (`key: value`), not {}", node.kind()));
                None
            }
        }
    }

    fn required<'n>(&mut self, fields: &Fields<'n>, name: &str) -> Option<&'n Node> {
        let found = fields.get(name);
        if found.is_none() {
            let message = format!("{} needs `{name}`", fields.what);
            match fields.key(name) {
                Some(key) => self.wrong_key(key, "missing_key", message),
                None => self.note(Diagnostic::new("missing_key", message, fields.node.at)),
            }
        }
        found
    }

    /// A list, or one thing that stands for a list of one.
    fn one_or_more<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.content {
            Content::List(items) => items,
            _ => std::slice::from_ref(node),
        }
    }

    fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.content {
            Content::List(items) => items,
            _ if node.is_null() => &[],
            _ => {
                self.wrong(node, "wrong_type", format!("{what} is a list, not {}", node.kind()));
                &[]
            }
        }
    }

    fn scalar<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.content {
            Content::Scalar { text, .. } if !node.is_null() => Some(text),
            _ => {
                self.wrong(node, "wrong_type", format!("{what} is a value, not {}", node.kind()));
                None
            }
        }
    }

    /// A text in which no expression may stand.
    fn string(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.scalar(node, what)?;
        if text.contains("${{") {
            self.wrong(
                node,
                "expression",
                format!("{what} is fixed when the file is read; `${{{{ }}}}` has no place here"),
            );
            return None;
        }
        if text.trim().is_empty() || text.len() > MAX_TEXT || text.contains('\0') {
            self.wrong(node, "invalid_value", format!("{what} has 1-{MAX_TEXT} bytes and no NUL"));
            return None;
        }
        Some(text.to_owned())
    }

    fn located(&mut self, node: &Node, what: &str) -> Option<Located<String>> {
        self.string(node, what).map(|text| Located::new(text, node.at))
    }

    /// A list of texts, or one text.
    fn strings(&mut self, node: &Node, what: &str) -> Vec<Located<String>> {
        let items = self.one_or_more(node);
        items.iter().filter_map(|item| self.located(item, what)).collect()
    }

    /// The name of a pipeline, job or deployment.
    fn slug(&mut self, node: &Node, what: &str) -> Option<Located<String>> {
        let text = self.scalar(node, what)?;
        if is_slug(text) {
            return Some(Located::new(text.to_owned(), node.at));
        }
        self.wrong(node, "invalid_name", format!("{what} `{}` is not valid: {SLUG_RULE}", shortened(text)));
        None
    }

    fn slug_key(&mut self, key: &Key, what: &str) -> Option<Located<String>> {
        if is_slug(&key.name) {
            return Some(Located::new(key.name.clone(), key.at));
        }
        self.wrong_key(key, "invalid_name", format!("{what} `{}` is not valid: {SLUG_RULE}", shortened(&key.name)));
        None
    }

    /// The name of a parameter, input, output, variable or secret.
    fn word_key(&mut self, key: &Key, what: &str) -> Option<Located<String>> {
        if is_word(&key.name) {
            return Some(Located::new(key.name.clone(), key.at));
        }
        self.wrong_key(key, "invalid_name", format!("{what} `{}` is not valid: {WORD_RULE}", shortened(&key.name)));
        None
    }

    fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match plain_value(node) {
            Some(Value::Bool(truth)) => Some(truth),
            _ => {
                self.wrong(node, "wrong_type", format!("{what} is `true` or `false`, not {}", shown(node)));
                None
            }
        }
    }

    fn integer(&mut self, node: &Node, what: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        match plain_value(node) {
            Some(Value::Int(whole)) if range.contains(&whole) => Some(whole),
            _ => {
                let message =
                    format!("{what} is a whole number from {} to {}, not {}", range.start(), range.end(), shown(node));
                self.wrong(node, "wrong_type", message);
                None
            }
        }
    }

    fn number(&mut self, node: &Node, what: &str) -> Option<f64> {
        let found = plain_value(node).and_then(|value| value.as_number());
        if found.is_none() {
            self.wrong(node, "wrong_type", format!("{what} is a number, not {}", shown(node)));
        }
        found
    }

    /// A duration such as `30m`, `2h` or `3d`: more than nothing and at most a year.
    fn duration(&mut self, node: &Node, what: &str) -> Option<Duration> {
        let text = self.scalar(node, what)?;
        let year = Duration::from_secs(366 * 24 * 60 * 60);
        match humantime::parse_duration(text) {
            Ok(duration) if duration >= Duration::from_millis(1) && duration <= year => Some(duration),
            Ok(_) => {
                self.wrong(node, "invalid_value", format!("{what} is from 1ms to 366d, not {}", shown(node)));
                None
            }
            Err(_) => {
                let message = format!("{what} is a duration such as `30s`, `10m`, `2h` or `3d`, not {}", shown(node));
                self.wrong(node, "invalid_value", message);
                None
            }
        }
    }

    /// One of some words.
    fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.scalar(node, what)?;
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let hint = did_you_mean(text, words.iter().copied());
            self.wrong(
                node,
                "invalid_value",
                format!("{what} is one of {}, not {}{hint}", words.join(", "), shown(node)),
            );
        }
        found
    }
}

const SLUG_RULE: &str = "use 1-63 of a-z, 0-9, _ and -, beginning with a letter";
const WORD_RULE: &str = "use 1-63 letters, digits and _, not beginning with a digit";

fn is_slug(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && text.starts_with(|c: char| c.is_ascii_lowercase())
}

fn is_word(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with(|c: char| c.is_ascii_digit())
}

/// What a scalar stands for; in quotes it is always text.
fn plain_value(node: &Node) -> Option<Value> {
    match &node.content {
        Content::Scalar { text, is_plain: true } => Some(Value::from_word(text)),
        Content::Scalar { text, is_plain: false } => Some(Value::Text(text.clone())),
        _ => None,
    }
}

/// A node as a message names it.
fn shown(node: &Node) -> String {
    match &node.content {
        Content::Scalar { text, .. } if !node.is_null() => format!("`{}`", shortened(text)),
        _ => node.kind().to_owned(),
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short
}
