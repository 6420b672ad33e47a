//! When an earlier result of a job may be taken: the key of all that its result depends on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The characters of a hash that are told.
const SHORT: usize = 12;

/// All that a job's result depends on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CacheParts {
    /// The command as it is written, before values.
    pub command: String,
    /// The hash of the Python environment's lock file, or of what the worker's own environment holds; none when neither is known.
    pub environment: Option<String>,
    /// The content hash of each input.
    pub inputs: BTreeMap<String, String>,
    /// The values that the command and its variables read: parameters, the cell of the matrix, values of jobs. Not secrets.
    pub params: BTreeMap<String, serde_json::Value>,
    /// The hash of the code's tree.
    pub code_tree: Option<String>,
    /// The commit of the code. It is told, and no part of the key: two commits of one tree are the same code.
    pub code_commit: Option<String>,
    /// The path of each output.
    pub outputs: BTreeMap<String, String>,
}

/// A part that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Which part, such as ``input `data` ``.
    pub part: String,
    /// What it was; none when it was not there.
    pub old: Option<String>,
    /// What it is; none when it is gone.
    pub new: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = &self.part;
        match (self.old.as_deref().map(short), self.new.as_deref().map(short)) {
            (Some(old), Some(new)) => write!(f, "{part} changed from {old} to {new}"),
            (None, Some(new)) => write!(f, "{part} is new: {new}"),
            (Some(old), None) => write!(f, "{part} is gone: it was {old}"),
            (None, None) => f.write_str(part),
        }
    }
}

/// A value as it is told: of a hash, enough to know it again.
fn short(value: &str) -> Cow<'_, str> {
    let is_hash = |word: &str| word.len() >= 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
    if !value.split_whitespace().any(is_hash) {
        return Cow::Borrowed(value);
    }
    let words =
        value.split_whitespace().map(|word| if is_hash(word) { word.get(..SHORT).unwrap_or(word) } else { word });
    Cow::Owned(words.collect::<Vec<_>>().join(" "))
}

/// The key: hexadecimal BLAKE3 of a canonical text. Equal parts have equal keys on every machine.
pub fn cache_key(parts: &CacheParts) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("lathe 2026 pipeline job cache key 1");
    for (part, value) in lines(parts) {
        // Each line is a JSON list, so that no value can look like two.
        hasher.update(serde_json::json!([part, value]).to_string().as_bytes());
        hasher.update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

/// Why two keys differ; nothing when they are the same.
pub fn explain(old: &CacheParts, new: &CacheParts) -> Vec<Difference> {
    let (old, new) = (lines(old), lines(new));
    let parts: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    parts
        .into_iter()
        .filter(|part| old.get(*part) != new.get(*part))
        .map(|part| Difference { part: part.clone(), old: old.get(part).cloned(), new: new.get(part).cloned() })
        .collect()
}

/// The parts of the key by name, in order.
fn lines(parts: &CacheParts) -> BTreeMap<String, String> {
    let CacheParts { command, environment, inputs, params, code_tree, code_commit: _, outputs } = parts;
    let mut lines = BTreeMap::from([("command".to_owned(), command.clone())]);
    lines.extend(environment.iter().map(|hash| ("environment".to_owned(), hash.clone())));
    lines.extend(code_tree.iter().map(|hash| ("code".to_owned(), hash.clone())));
    lines.extend(inputs.iter().map(|(name, hash)| (format!("input `{name}`"), hash.clone())));
    lines.extend(params.iter().map(|(name, value)| (format!("param `{name}`"), value.to_string())));
    lines.extend(outputs.iter().map(|(name, path)| (format!("output `{name}`"), path.clone())));
    lines
}
