//! What a job does: `run`, `register_model`, `set_alias`, `deploy` with `watch`, `approval`.

use std::time::Duration;

use super::super::gate::Gate;
use super::super::types::{Action, Approval, Deploy, DeployStep, OnTimeout, RegisterModel, SetAlias, Watch};
use super::super::yaml::{Key, Node};
use super::{Fields, Reader, shown};

const ACTIONS: &[&str] = &["run", "register_model", "set_alias", "deploy", "approval"];

impl Reader<'_> {
    pub(super) fn actions(&mut self, job: &Key, fields: &Fields<'_>) -> Vec<Action> {
        let named: Vec<&Key> =
            fields.entries.iter().map(|(key, _)| key).filter(|key| ACTIONS.contains(&key.name.as_str())).collect();
        if named.is_empty() && !fields.has("sweep") {
            let message = format!(
                "{} does nothing; give it `run`, `register_model`, `set_alias`, `deploy` or `approval`",
                fields.what
            );
            self.wrong_key(job, "missing_key", message);
        }
        let alone = named.iter().find(|key| matches!(key.name.as_str(), "run" | "approval"));
        if let (Some(alone), true) = (alone, named.len() > 1) {
            let message = format!(
                "`{}` stands alone; put the other actions of {} into a job that needs it",
                alone.name, fields.what
            );
            self.wrong_key(alone, "unsatisfiable", message);
        }
        let mut actions = Vec::new();
        for key in named {
            match fields.get(&key.name) {
                Some(node) => actions.extend(self.action(&key.name, node)),
                None => self.wrong_key(key, "missing_key", format!("`{}` says nothing", key.name)),
            }
        }
        actions
    }

    fn action(&mut self, name: &str, node: &Node) -> Option<Action> {
        match name {
            "run" => self.text(node, "`run`").map(Action::Run),
            "register_model" => self.register_model(node).map(Action::RegisterModel),
            "set_alias" => self.set_alias(node).map(Action::SetAlias),
            "deploy" => self.deploy(node).map(Action::Deploy),
            _ => self.approval(node).map(Action::Approval),
        }
    }

    fn register_model(&mut self, node: &Node) -> Option<RegisterModel> {
        let fields = self.fields(node, "`register_model`", &["name", "from", "alias"])?;
        let name = self.required(&fields, "name").and_then(|node| self.text(node, "`name`"));
        let from = self.required(&fields, "from").and_then(|node| self.text(node, "`from`"));
        let alias = fields.get("alias").map(|node| self.text(node, "`alias`"));
        Some(RegisterModel { name: name?, from: from?, alias: optional(alias)? })
    }

    fn set_alias(&mut self, node: &Node) -> Option<SetAlias> {
        let fields = self.fields(node, "`set_alias`", &["model", "alias", "version"])?;
        let model = self.required(&fields, "model").and_then(|node| self.text(node, "`model`"));
        let alias = self.required(&fields, "alias").and_then(|node| self.text(node, "`alias`"));
        let version = fields.get("version").map(|node| self.text(node, "`version`"));
        Some(SetAlias { model: model?, alias: alias?, version: optional(version)? })
    }

    fn deploy(&mut self, node: &Node) -> Option<Deploy> {
        let known = ["deployment", "model", "canary", "shadow", "promote", "rollback"];
        let fields = self.fields(node, "`deploy`", &known)?;
        let deployment = self.required(&fields, "deployment").and_then(|node| self.text(node, "`deployment`"));
        let mut steps = Vec::new();
        for step in ["canary", "shadow", "promote", "rollback"] {
            let Some(node) = fields.get(step) else { continue };
            // `promote: false` says nothing, but `canary` is a share.
            if step == "canary" || self.boolean(node, &format!("`{step}`"))? {
                steps.push((step, node));
            }
        }
        if let [_, (_, second), ..] = steps.as_slice() {
            self.wrong(second, "unsatisfiable", "`deploy` does one of `canary`, `shadow`, `promote` and `rollback`");
            return None;
        }
        let step = match steps.first() {
            None => DeployStep::Replace { model: self.model(&fields)? },
            Some(("canary", node)) => {
                let percent = self.percent(node);
                DeployStep::Canary { model: self.model(&fields)?, percent: percent? }
            }
            Some(("shadow", _)) => DeployStep::Shadow { model: self.model(&fields)? },
            Some((step, _)) => {
                if let Some(key) = fields.key("model") {
                    self.wrong_key(
                        key,
                        "unsatisfiable",
                        format!("`{step}` takes the canary that is there; remove `model`"),
                    );
                    return None;
                }
                if *step == "promote" { DeployStep::Promote } else { DeployStep::Rollback }
            }
        };
        Some(Deploy { deployment: deployment?, step, at: node.at })
    }

    fn model(&mut self, fields: &Fields<'_>) -> Option<super::super::text::Text> {
        let node = self.required(fields, "model")?;
        let model = self.text(node, "`model`")?;
        let is_address =
            model.prefix().starts_with("models:/") || (model.prefix().is_empty() && !model.parts.is_empty());
        if !is_address {
            let message =
                format!("`model` is `models:/<name>@<alias>` or `models:/<name>/<version>`, not {}", shown(node));
            self.wrong(node, "invalid_value", message);
            return None;
        }
        Some(model)
    }

    fn percent(&mut self, node: &Node) -> Option<f64> {
        let text = self.scalar(node, "`canary`")?;
        let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        let percent = percent.filter(|percent| *percent > 0.0 && *percent <= 100.0);
        if percent.is_none() {
            self.wrong(
                node,
                "invalid_value",
                format!("`canary` is a share of the traffic such as `10%`, not {}", shown(node)),
            );
        }
        percent
    }

    pub(super) fn watch(&mut self, node: &Node) -> Option<Watch> {
        let fields = self.fields(node, "`watch`", &["for", "min_requests", "abort_if"])?;
        let duration = self.required(&fields, "for").and_then(|node| self.duration(node, "`for`"));
        let min_requests = match fields.get("min_requests") {
            Some(node) => self.integer(node, "`min_requests`", 0..=1_000_000_000),
            None => Some(1),
        };
        let mut abort_if = Vec::new();
        if let Some(node) = self.required(&fields, "abort_if") {
            for item in self.one_or_more(node) {
                let Some(text) = self.string(item, "a gate of `abort_if`") else { continue };
                match Gate::parse(&text) {
                    Ok(gate) => abort_if.push(gate),
                    Err(why) => self.wrong(item, "invalid_value", why),
                }
            }
        }
        let min_requests = u64::try_from(min_requests?).unwrap_or_default();
        Some(Watch { duration: duration?, min_requests, abort_if, at: node.at })
    }

    fn approval(&mut self, node: &Node) -> Option<Approval> {
        let fields = self.fields(node, "`approval`", &["team", "min", "timeout", "on_timeout"])?;
        let team = fields.get("team").map(|node| self.string(node, "`team`"));
        let min = match fields.get("min") {
            Some(node) => self.integer(node, "`min`", 1..=100),
            None => Some(1),
        };
        let timeout = match fields.get("timeout") {
            Some(node) => self.duration(node, "`timeout`"),
            None => Some(Duration::from_secs(7 * 24 * 60 * 60)),
        };
        let on_timeout = match fields.get("on_timeout") {
            Some(node) => {
                self.choice(node, "`on_timeout`", &[("reject", OnTimeout::Reject), ("approve", OnTimeout::Approve)])
            }
            None => Some(OnTimeout::Reject),
        };
        let min = u32::try_from(min?).unwrap_or(1);
        Some(Approval { team: optional(team)?, min, timeout: timeout?, on_timeout: on_timeout? })
    }
}

/// What is absent is fine; what was given and is wrong is not.
#[expect(clippy::option_option, reason = "absent, wrong and right are three things")]
fn optional<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(value) => value.map(Some),
    }
}
