//! `on`: what starts the pipeline.

use std::time::Duration;

use super::super::diagnostic::Located;
use super::super::schedule::{Catchup, Schedule, ScheduleError};
use super::super::types::{ALERT_METRICS, DataCommit, DriftAlert, ModelAlias, Severity, Triggers};
use super::super::yaml::Node;
use super::Reader;

impl Reader<'_> {
    pub(super) fn triggers(&mut self, node: &Node) -> Triggers {
        let known = ["manual", "schedule", "data_commit", "model_alias", "drift_alert"];
        let Some(fields) = self.fields(node, "`on`", &known) else { return Triggers::default() };
        if let Some(node) = fields.get("manual") {
            self.fields(node, "`manual`", &[]);
        }
        let mut found = Triggers { manual: fields.has("manual"), ..Triggers::default() };
        for (name, _) in fields.entries {
            let Some(node) = fields.get(&name.name).filter(|_| name.name != "manual") else {
                if name.name != "manual" && known.contains(&name.name.as_str()) {
                    self.wrong_key(name, "missing_key", format!("`{}` says nothing", name.name));
                }
                continue;
            };
            for item in self.one_or_more(node) {
                match name.name.as_str() {
                    "schedule" => found.schedules.extend(self.schedule(item)),
                    "data_commit" => found.data_commits.extend(self.data_commit(item)),
                    "model_alias" => found.model_aliases.extend(self.model_alias(item)),
                    "drift_alert" => found.drift_alerts.extend(self.drift_alert(item)),
                    _ => {}
                }
            }
        }
        found
    }

    fn schedule(&mut self, node: &Node) -> Option<Schedule> {
        let fields = self.fields(node, "a schedule", &["cron", "tz", "catchup"])?;
        let cron_node = self.required(&fields, "cron")?;
        let cron = self.string(cron_node, "`cron`")?;
        let tz = match fields.get("tz") {
            Some(node) => self.string(node, "`tz`")?,
            None => "UTC".to_owned(),
        };
        let choices = [("none", Catchup::None), ("latest", Catchup::Latest), ("all", Catchup::All)];
        let catchup = match fields.get("catchup") {
            Some(node) => self.choice(node, "`catchup`", &choices)?,
            None => Catchup::None,
        };
        match Schedule::new(&cron, &tz, catchup, node.at) {
            Ok(schedule) => Some(schedule),
            Err(ScheduleError::Cron(why)) => {
                let message = format!("`{cron}` is no time: {why}; write five fields: minute hour day month weekday");
                self.wrong(cron_node, "invalid_value", message);
                None
            }
            Err(ScheduleError::Zone(tz)) => {
                let message = format!("there is no time zone `{tz}`; write an IANA name such as `Europe/Berlin`");
                self.wrong(fields.get("tz").unwrap_or(node), "invalid_value", message);
                None
            }
        }
    }

    fn data_commit(&mut self, node: &Node) -> Option<DataCommit> {
        let fields = self.fields(node, "`data_commit`", &["repo", "branch", "paths"])?;
        let repository = self.required(&fields, "repo").and_then(|node| self.located(node, "`repo`"));
        let branch = match fields.get("branch") {
            Some(node) => self.located(node, "`branch`"),
            None => Some(Located::new("main".to_owned(), node.at)),
        };
        let paths = fields.get("paths").map(|node| self.strings(node, "a pattern of `paths`")).unwrap_or_default();
        Some(DataCommit { repository: repository?, branch: branch?, paths, at: node.at })
    }

    fn model_alias(&mut self, node: &Node) -> Option<ModelAlias> {
        let fields = self.fields(node, "`model_alias`", &["model", "alias"])?;
        let model = self.required(&fields, "model").and_then(|node| self.located(node, "`model`"));
        let alias = self.required(&fields, "alias").and_then(|node| self.located(node, "`alias`"));
        Some(ModelAlias { model: model?, alias: alias?, at: node.at })
    }

    fn drift_alert(&mut self, node: &Node) -> Option<DriftAlert> {
        let known = ["deployment", "min_severity", "cooldown", "metrics", "rules"];
        let fields = self.fields(node, "`drift_alert`", &known)?;
        let choices = [("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];
        let deployment = self.required(&fields, "deployment").and_then(|node| self.slug(node, "the deployment"));
        let min_severity = match fields.get("min_severity") {
            Some(node) => self.choice(node, "`min_severity`", &choices),
            None => Some(Severity::Warning),
        };
        let cooldown = match fields.get("cooldown") {
            Some(node) => self.duration(node, "`cooldown`"),
            None => Some(Duration::from_secs(60 * 60)),
        };
        let metrics = fields.get("metrics").map(|node| self.alert_metrics(node)).unwrap_or_default();
        let rules = fields.get("rules").map(|node| self.strings(node, "a rule of `rules`")).unwrap_or_default();
        Some(DriftAlert {
            deployment: deployment?.value,
            metrics,
            rules: rules.into_iter().map(|rule| rule.value).collect(),
            min_severity: min_severity?,
            cooldown: cooldown?,
            at: node.at,
        })
    }

    fn alert_metrics(&mut self, node: &Node) -> Vec<&'static str> {
        let choices = ALERT_METRICS.map(|(metric, _)| (metric, metric));
        self.one_or_more(node).iter().filter_map(|item| self.choice(item, "a metric of `metrics`", &choices)).collect()
    }
}
