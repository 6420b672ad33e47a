//! The parameters of a run: what was asked for, and the defaults.

use std::collections::BTreeMap;

use super::diagnostic::did_you_mean;
use super::types::{ParamKind, Pipeline};
use super::value::Value;

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

fn checked(kind: &ParamKind, json: &serde_json::Value) -> Result<Value, String> {
    let value = Value::from_json(json).ok_or_else(|| "is no single value".to_owned())?;
    let value = match (kind, value) {
        (ParamKind::Int { .. } | ParamKind::Float { .. } | ParamKind::Bool, Value::Text(word)) => {
            Value::from_word(&word)
        }
        (_, value) => value,
    };
    kind.check(&value)
}
