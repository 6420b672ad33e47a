//! The top of the file: name, parameters, concurrency, defaults, notifications.

use super::super::diagnostic::Located;
use super::super::types::{Concurrency, Notify, NotifyOn, OnConflict, Param, ParamKind, Pipeline, Triggers};
use super::super::value::Value;
use super::super::yaml::{Key, Node};
use super::jobs::Defaults;
use super::{Reader, plain_value, shown};

const MAX_PARAMS: usize = 100;

impl Reader<'_> {
    pub(super) fn pipeline(&mut self, node: &Node) -> Option<Pipeline> {
        let known = ["name", "on", "params", "concurrency", "defaults", "jobs", "notify"];
        let fields = self.fields(node, "a pipeline", &known)?;
        let name = self.required(&fields, "name").and_then(|node| self.slug(node, "the pipeline's name"));
        let triggers = match fields.get("on") {
            Some(node) => self.triggers(node),
            None => Triggers { manual: true, ..Triggers::default() },
        };
        let params = fields.get("params").map(|node| self.params(node)).unwrap_or_default();
        let concurrency = fields.get("concurrency").and_then(|node| self.concurrency(node));
        let defaults = fields.get("defaults").map_or_else(Defaults::default, |node| self.defaults(node));
        let jobs = self.required(&fields, "jobs").map(|node| self.jobs(node, &defaults)).unwrap_or_default();
        let notify = match fields.get("notify") {
            Some(node) => self.list(node, "`notify`").iter().filter_map(|item| self.notify(item)).collect(),
            None => Vec::new(),
        };
        // One without a name has a mistake, and the rest of it is looked at all the same.
        let name = name.unwrap_or_else(|| Located::new(String::new(), node.at));
        Some(Pipeline { name, triggers, params, concurrency, jobs, notify })
    }

    fn params(&mut self, node: &Node) -> Vec<Param> {
        let Some(entries) = self.entries(node, "`params`") else { return Vec::new() };
        if entries.len() > MAX_PARAMS {
            self.wrong(node, "too_large", format!("a pipeline has at most {MAX_PARAMS} params"));
            return Vec::new();
        }
        entries.iter().filter_map(|(key, node)| self.param(key, node)).collect()
    }

    fn param(&mut self, key: &Key, node: &Node) -> Option<Param> {
        let name = self.word_key(key, "the param");
        let what = format!("param `{}`", key.name);
        let fields = self.fields(node, &what, &["type", "default", "min", "max", "choices"])?;
        let kinds = [("str", 's'), ("int", 'i'), ("float", 'f'), ("bool", 'b'), ("choice", 'c')];
        let node = self.required(&fields, "type")?;
        let kind = self.choice(node, &format!("the type of {what}"), &kinds)?;
        for (bound, kinds) in [("min", "if"), ("max", "if"), ("choices", "c")] {
            if let Some(key) = fields.key(bound).filter(|_| !kinds.contains(kind)) {
                self.wrong_key(key, "unknown_key", format!("{what} has a type without `{bound}`"));
            }
        }
        let any = i64::MIN..=i64::MAX;
        let kind = match kind {
            's' => ParamKind::Str,
            'b' => ParamKind::Bool,
            'i' => ParamKind::Int {
                min: fields.get("min").and_then(|node| self.integer(node, "`min`", any.clone())),
                max: fields.get("max").and_then(|node| self.integer(node, "`max`", any)),
            },
            'f' => ParamKind::Float {
                min: fields.get("min").and_then(|node| self.number(node, "`min`")),
                max: fields.get("max").and_then(|node| self.number(node, "`max`")),
            },
            _ => {
                let node = self.required(&fields, "choices")?;
                let choices = self.strings(node, "a choice").into_iter().map(|choice| choice.value).collect();
                ParamKind::Choice(choices)
            }
        };
        let is_empty = match &kind {
            ParamKind::Int { min: Some(min), max: Some(max) } => min > max,
            ParamKind::Float { min: Some(min), max: Some(max) } => min > max,
            ParamKind::Choice(choices) => choices.is_empty(),
            _ => false,
        };
        if is_empty {
            self.wrong_key(
                key,
                "unsatisfiable",
                format!("no value satisfies {what}: its `min` is above its `max`, or it has no choices"),
            );
            return None;
        }
        let default = fields.get("default").and_then(|node| self.default_of(&what, &kind, node));
        Some(Param { name: name?, kind, default })
    }

    fn default_of(&mut self, what: &str, kind: &ParamKind, node: &Node) -> Option<Value> {
        let written = plain_value(node);
        // `type: str` takes `default: 3` as text, as it is written.
        let written = match (kind, written) {
            (ParamKind::Str | ParamKind::Choice(_), Some(_)) => Some(Value::Text(self.string(node, "`default`")?)),
            (_, written) => written,
        };
        let checked = written
            .ok_or_else(|| shown(node))
            .and_then(|value| kind.check(&value).map_err(|rule| format!("{} {rule}", shown(node))));
        match checked {
            Ok(value) => Some(value),
            Err(why) => {
                self.wrong(node, "invalid_value", format!("the default of {what}: {why}"));
                None
            }
        }
    }

    fn concurrency(&mut self, node: &Node) -> Option<Concurrency> {
        let fields = self.fields(node, "`concurrency`", &["group", "on_conflict"])?;
        let choices =
            [("queue", OnConflict::Queue), ("cancel_running", OnConflict::CancelRunning), ("skip", OnConflict::Skip)];
        let group = self.required(&fields, "group").and_then(|node| self.text(node, "`group`"));
        let on_conflict = match fields.get("on_conflict") {
            Some(node) => self.choice(node, "`on_conflict`", &choices),
            None => Some(OnConflict::Queue),
        };
        Some(Concurrency { group: group?, on_conflict: on_conflict? })
    }

    fn notify(&mut self, node: &Node) -> Option<Notify> {
        let fields = self.fields(node, "a notification", &["on", "webhook"])?;
        let choices = [
            ("failure", NotifyOn::Failure),
            ("success", NotifyOn::Success),
            ("approval_needed", NotifyOn::ApprovalNeeded),
        ];
        let on = self.required(&fields, "on").map(|node| {
            let items = self.one_or_more(node);
            items.iter().filter_map(|item| self.choice(item, "what one is told of", &choices)).collect()
        });
        let webhook = self.required(&fields, "webhook").and_then(|node| self.text(node, "`webhook`"));
        Some(Notify { on: on?, webhook: webhook? })
    }
}

impl ParamKind {
    /// A value of this kind, or the rule that it breaks. A whole number is a float too.
    ///
    /// # Errors
    /// The rule, as the end of a sentence that begins with the value.
    pub fn check(&self, value: &Value) -> Result<Value, String> {
        match (self, value) {
            (Self::Str, Value::Text(_)) | (Self::Bool, Value::Bool(_)) => Ok(value.clone()),
            (Self::Int { min, max }, Value::Int(whole)) => {
                if min.is_some_and(|min| *whole < min) || max.is_some_and(|max| *whole > max) {
                    return Err(format!("is not {}", bounds(min.as_ref(), max.as_ref())));
                }
                Ok(value.clone())
            }
            (Self::Float { min, max }, Value::Int(_) | Value::Float(_)) => {
                let number = value.as_number().unwrap_or(f64::NAN);
                if !number.is_finite() || min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
                    return Err(format!("is not {}", bounds(min.as_ref(), max.as_ref())));
                }
                Ok(Value::Float(number))
            }
            (Self::Choice(choices), Value::Text(text)) if choices.contains(text) => Ok(value.clone()),
            (Self::Choice(choices), _) => Err(format!("is not one of {}", choices.join(", "))),
            (Self::Str, _) => Err("is not text".to_owned()),
            (Self::Bool, _) => Err("is not `true` or `false`".to_owned()),
            (Self::Int { .. }, _) => Err("is not a whole number".to_owned()),
            (Self::Float { .. }, _) => Err("is not a number".to_owned()),
        }
    }
}

fn bounds<T: std::fmt::Display>(min: Option<&T>, max: Option<&T>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("from {min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "finite".to_owned(),
    }
}
