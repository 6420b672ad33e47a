//! What a run is asked for: its parameters with their defaults, and what it is told of its trigger.

use std::collections::BTreeMap;

use super::diagnostic::{did_you_mean, did_you_mean_or_known};
use super::types::{ParamKind, Pipeline};
use super::value::Value;

/// What `trigger.<name>` can be.
pub(super) const TRIGGER: &[&str] = &[
    "kind",
    "repository",
    "branch",
    "commit",
    "model",
    "alias",
    "version",
    "deployment",
    "severity",
    "rule",
    "metric",
    "window_start_ms",
    "scheduled_at_ms",
];

/// The value of every parameter, given what a run was asked for. Texts are read as the parameter's type, as a form sends them.
///
/// # Errors
/// Each that is unknown, missing, or breaks its rule.
pub fn resolve_params(
    pipeline: &Pipeline,
    given: &BTreeMap<String, serde_json::Value>,
) -> Result<BTreeMap<String, Value>, Vec<String>> {
    let mut mistakes = Vec::new();
    for name in given.keys().filter(|name| !pipeline.params.iter().any(|param| param.name.value == **name)) {
        let hint = did_you_mean(name, pipeline.params.iter().map(|param| param.name.as_str()));
        mistakes.push(format!("pipeline `{}` has no param `{name}`{hint}", pipeline.name.value));
    }
    let mut values = BTreeMap::new();
    for param in &pipeline.params {
        let name = param.name.value.clone();
        let asked = given.get(&name).filter(|json| !json.is_null());
        let value = match (asked, &param.default) {
            (Some(json), _) => checked(&param.kind, json).map_err(|why| format!("param `{name}`: {json} {why}")),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(format!("param `{name}` has no default; give it a value")),
        };
        match value {
            Ok(value) => drop(values.insert(name, value)),
            Err(why) => mistakes.push(why),
        }
    }
    if mistakes.is_empty() { Ok(values) } else { Err(mistakes) }
}

/// Checks what a person or a program says of the trigger of a run. Those that the server starts know theirs.
///
/// # Errors
/// Each that is unknown, or is no value of its kind.
pub fn check_trigger(given: &BTreeMap<String, serde_json::Value>) -> Result<(), Vec<String>> {
    // What started it is that it was asked for.
    let known: Vec<&str> = TRIGGER.iter().copied().filter(|name| *name != "kind").collect();
    let check = |name: &str, json: &serde_json::Value| {
        if !known.contains(&name) {
            return Err(format!("a run that is asked for has no `{name}`{}", did_you_mean_or_known(name, &known)));
        }
        let is_time = name.ends_with("_ms");
        let is_number = |text: &str| text.parse::<i64>().is_ok();
        match json {
            serde_json::Value::Number(number) if is_time && number.is_i64() => Ok(()),
            serde_json::Value::String(text) if is_time && is_number(text) => Ok(()),
            _ if is_time => Err(format!("`{name}` is a whole number of milliseconds since 1970")),
            serde_json::Value::String(text) if text.contains(char::is_control) => {
                Err(format!("`{name}` has control characters"))
            }
            serde_json::Value::String(_) => Ok(()),
            _ => Err(format!("`{name}` is a text")),
        }
    };
    let mistakes: Vec<String> = given.iter().filter_map(|(name, json)| check(name, json).err()).collect();
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}

fn checked(kind: &ParamKind, json: &serde_json::Value) -> Result<Value, String> {
    let value = Value::from_json(json).ok_or_else(|| "is no single value".to_owned())?;
    if let Value::Text(text) = &value
        && text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        return Err("has control characters besides line breaks and tabs".to_owned());
    }
    let value = match (kind, value) {
        (ParamKind::Int { .. } | ParamKind::Float { .. } | ParamKind::Bool, Value::Text(word)) => {
            Value::from_word(&word)
        }
        (_, value) => value,
    };
    kind.check(&value)
}
