//! `jobs` and `defaults`.

use std::time::Duration;

use lathe_core::variables::set_by_server;

use super::super::diagnostic::Located;
use super::super::types::{
    Backoff, Best, DEFAULT_QUEUE, Goal, Input, InputForm, Job, Output, Python, Resources, Retry, RetryOn, Variable,
};
use super::super::yaml::{Content, Key, Node};
use super::{Fields, Reader, shown};

/// The most jobs of a pipeline.
const MAX_JOBS: usize = 1_000;
/// The most inputs, outputs or variables of a job.
const MAX_NAMED: usize = 100;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const KEYS: &[&str] = &[
    "needs",
    "if",
    "inputs",
    "outputs",
    "env",
    "retry",
    "timeout",
    "resources",
    "queue",
    "matrix",
    "best",
    "cache",
    "secrets",
    "run",
    "register_model",
    "set_alias",
    "deploy",
    "watch",
    "approval",
    "sweep",
];

/// What jobs have that do not say otherwise.
pub(super) struct Defaults {
    python: Python,
    variables: Vec<Variable>,
    retry: Retry,
    timeout: Duration,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { python: Python::Current, variables: Vec::new(), retry: Retry::default(), timeout: DAY }
    }
}

impl Reader<'_> {
    pub(super) fn defaults(&mut self, node: &Node) -> Defaults {
        let base = Defaults::default();
        let Some(fields) = self.fields(node, "`defaults`", &["env", "retry", "timeout"]) else { return base };
        self.settings(&fields, &base)
    }

    /// `env`, `retry` and `timeout`, over what is the default.
    fn settings(&mut self, fields: &Fields<'_>, base: &Defaults) -> Defaults {
        let (python, variables) = match fields.get("env") {
            Some(node) => self.env(node, base),
            None => (base.python.clone(), base.variables.clone()),
        };
        let retry = fields.get("retry").and_then(|node| self.retry(node)).unwrap_or_else(|| base.retry.clone());
        let timeout = fields.get("timeout").and_then(|node| self.duration(node, "`timeout`")).unwrap_or(base.timeout);
        Defaults { python, variables, retry, timeout }
    }

    fn env(&mut self, node: &Node, base: &Defaults) -> (Python, Vec<Variable>) {
        let kept = (base.python.clone(), base.variables.clone());
        let Some(fields) = self.fields(node, "`env`", &["venv", "variables"]) else { return kept };
        let python = fields.get("venv").and_then(|node| self.venv(node)).unwrap_or(kept.0);
        let mut variables = kept.1;
        if let Some(node) = fields.get("variables") {
            let entries = self.bounded(node, "`variables`");
            let own: Vec<Variable> = entries.iter().filter_map(|(key, node)| self.variable(key, node)).collect();
            variables.retain(|old| !own.iter().any(|new| new.name.value == old.name.value));
            variables.extend(own);
        }
        (python, variables)
    }

    fn variable(&mut self, key: &Key, node: &Node) -> Option<Variable> {
        let name = self.word_key(key, "the variable")?;
        if let Some(prefix) = set_by_server(&name.value) {
            self.wrong_key(
                key,
                "invalid_name",
                format!("the variable `{}` is not valid: `{prefix}…` is set by the server", name.value),
            );
            return None;
        }
        Some(Variable { value: self.text(node, &format!("the variable `{}`", name.value))?, name })
    }

    fn venv(&mut self, node: &Node) -> Option<Python> {
        let fields = self.fields(node, "`venv`", &["python", "requirements"])?;
        let python = fields.get("python").and_then(|node| {
            let version = self.string(node, "`python`")?;
            let is_version = version.split('.').count() <= 3
                && version
                    .split('.')
                    .all(|part| !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit()));
            if !is_version {
                self.wrong(node, "invalid_value", format!("`python` is a version such as `3.11`, not {}", shown(node)));
            }
            is_version.then_some(version)
        });
        let node = self.required(&fields, "requirements")?;
        let requirements = self.path(node, "`requirements`")?;
        Some(Python::Venv { python, requirements })
    }

    /// A path below the working folder.
    fn path(&mut self, node: &Node, what: &str) -> Option<Located<String>> {
        let path = self.located(node, what)?;
        let escapes = path.value.starts_with(['/', '~', '\\'])
            || path.value.split(['/', '\\']).any(|part| part == "..")
            || path.value.split('/').all(|part| part.is_empty() || part == ".");
        if escapes || path.value.chars().any(char::is_control) {
            self.wrong(
                node,
                "path_escapes",
                format!("{what} is a path below the working folder, without `..`, not {}", shown(node)),
            );
            return None;
        }
        Some(path)
    }

    fn retry(&mut self, node: &Node) -> Option<Retry> {
        let fields = self.fields(node, "`retry`", &["max", "backoff", "initial", "on"])?;
        let mut retry = Retry::default();
        if let Some(max) = fields.get("max").and_then(|node| self.integer(node, "`max`", 0..=100)) {
            retry.max = u32::try_from(max).unwrap_or_default();
        }
        let choices = [("fixed", Backoff::Fixed), ("exponential", Backoff::Exponential)];
        if let Some(backoff) = fields.get("backoff").and_then(|node| self.choice(node, "`backoff`", &choices)) {
            retry.backoff = backoff;
        }
        if let Some(initial) = fields.get("initial").and_then(|node| self.duration(node, "`initial`")) {
            retry.initial = initial;
        }
        if let Some(node) = fields.get("on") {
            let items = self.one_or_more(node);
            retry.on = items.iter().filter_map(|item| self.retry_on(item)).collect();
        }
        Some(retry)
    }

    fn retry_on(&mut self, node: &Node) -> Option<RetryOn> {
        match self.scalar(node, "what is tried again")? {
            "lost" => Some(RetryOn::Lost),
            "failed" => Some(RetryOn::Failed),
            other => {
                let code = other
                    .strip_prefix("exit:")
                    .and_then(|code| code.trim().parse::<u8>().ok())
                    .filter(|code| *code > 0);
                if code.is_none() {
                    self.wrong(
                        node,
                        "invalid_value",
                        format!("what is tried again is `lost`, `failed` or `exit:<1-255>`, not {}", shown(node)),
                    );
                }
                code.map(RetryOn::Exit)
            }
        }
    }

    pub(super) fn jobs(&mut self, node: &Node, defaults: &Defaults) -> Vec<Job> {
        let Some(entries) = self.entries(node, "`jobs`") else { return Vec::new() };
        if entries.is_empty() {
            self.wrong(node, "missing_key", "`jobs` has no job");
        }
        if entries.len() > MAX_JOBS {
            self.wrong(
                node,
                "too_large",
                format!("the pipeline has {} jobs; at most {MAX_JOBS} are allowed", entries.len()),
            );
            return Vec::new();
        }
        entries.iter().filter_map(|(key, node)| self.job(key, node, defaults)).collect()
    }

    fn job(&mut self, key: &Key, node: &Node, defaults: &Defaults) -> Option<Job> {
        let name = self.slug_key(key, "the job");
        let what = format!("job `{}`", key.name);
        let fields = self.fields(node, &what, KEYS)?;
        if let Some(sweep) = fields.key("sweep") {
            self.wrong_key(sweep, "not_yet", format!("{what} has a `sweep`: sweeps come later; use `matrix` for now"));
        }
        let settings = self.settings(&fields, defaults);
        let actions = self.actions(key, &fields);
        let job = Job {
            name: name?,
            needs: fields.get("needs").map(|node| self.needs(node)).unwrap_or_default(),
            condition: fields.get("if").and_then(|node| self.condition(node, "`if`")),
            inputs: self.named(&fields, "inputs", Self::input),
            outputs: self.named(&fields, "outputs", Self::output),
            python: settings.python,
            variables: settings.variables,
            retry: settings.retry,
            timeout: settings.timeout,
            resources: fields.get("resources").map(|node| self.resources(node)).unwrap_or_default(),
            queue: fields
                .get("queue")
                .and_then(|node| self.slug(node, "the queue"))
                .map_or_else(|| DEFAULT_QUEUE.to_owned(), |queue| queue.value),
            matrix: fields.get("matrix").and_then(|node| self.matrix(node)),
            best: fields.get("best").and_then(|node| self.best(node)),
            cache: fields.get("cache").and_then(|node| self.boolean(node, "`cache`")).unwrap_or(false),
            secrets: fields.get("secrets").map(|node| self.secrets(node)).unwrap_or_default(),
            watch: fields.get("watch").and_then(|node| self.watch(node)),
            actions,
        };
        self.refuse_idle_keys(&fields, &job);
        Some(job)
    }

    /// Keys that mean something beside a command only.
    fn refuse_idle_keys(&mut self, fields: &Fields<'_>, job: &Job) {
        if job.actions.is_empty() || job.command().is_some() {
            return;
        }
        for name in ["inputs", "outputs", "env", "resources", "matrix", "best", "cache"] {
            if let Some(key) = fields.key(name) {
                self.wrong_key(
                    key,
                    "unsatisfiable",
                    format!("{} has no `run`, so `{name}` means nothing; remove it", fields.what),
                );
            }
        }
        if let (Some(key), Some(_)) = (fields.key("timeout"), job.approval()) {
            self.wrong_key(
                key,
                "unsatisfiable",
                format!("{} waits for people; write `timeout` below `approval`", fields.what),
            );
        }
    }

    fn needs(&mut self, node: &Node) -> Vec<Located<String>> {
        let items = self.one_or_more(node);
        let mut needs: Vec<Located<String>> = Vec::new();
        for item in items {
            let Some(job) = self.located(item, "a needed job") else { continue };
            if needs.iter().any(|other| other.value == job.value) {
                self.wrong(item, "duplicate", format!("`{}` is needed twice", job.value));
            } else {
                needs.push(job);
            }
        }
        needs
    }

    fn secrets(&mut self, node: &Node) -> Vec<Located<String>> {
        let secrets = self.strings(node, "a secret's name");
        for secret in secrets.iter().filter(|secret| !super::is_word(&secret.value)) {
            let message = format!("the secret `{}` is not valid: {}", secret.value, super::WORD_RULE);
            self.note(super::Diagnostic::new("invalid_name", message, secret.at));
        }
        secrets
    }

    /// A mapping of names whose environment variables must differ.
    fn named<T>(&mut self, fields: &Fields<'_>, what: &str, read: fn(&mut Self, &Key, &Node) -> Option<T>) -> Vec<T> {
        let Some(node) = fields.get(what) else { return Vec::new() };
        let entries = self.bounded(node, &format!("`{what}`"));
        for (at, (key, _)) in entries.iter().enumerate() {
            let earlier = entries
                .iter()
                .take(at)
                .find(|(other, _)| other.name != key.name && other.name.eq_ignore_ascii_case(&key.name));
            if let Some((other, _)) = earlier {
                let message =
                    format!("`{}` and `{}` would be the same environment variable; rename one", other.name, key.name);
                self.wrong_key(key, "duplicate", message);
            }
        }
        entries.iter().filter_map(|(key, node)| read(self, key, node)).collect()
    }

    fn bounded<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Key, Node)] {
        let entries = self.entries(node, what).unwrap_or_default();
        if entries.len() > MAX_NAMED {
            self.wrong(node, "too_large", format!("{what} has more than {MAX_NAMED} entries"));
            return &[];
        }
        entries
    }

    fn input(&mut self, key: &Key, node: &Node) -> Option<Input> {
        let name = self.word_key(key, "the input");
        let what = format!("input `{}`", key.name);
        if !matches!(node.content, Content::Map(_)) {
            let from = self.text(node, &what)?;
            return Some(Input { name: name?, from, form: InputForm::Path });
        }
        let fields = self.fields(node, &what, &["from", "as"])?;
        let from = self.required(&fields, "from").and_then(|node| self.text(node, "`from`"));
        let form = match fields.get("as") {
            Some(node) => self.choice(node, "`as`", &[("path", InputForm::Path), ("url", InputForm::Url)]),
            None => Some(InputForm::Path),
        };
        Some(Input { name: name?, from: from?, form: form? })
    }

    fn output(&mut self, key: &Key, node: &Node) -> Option<Output> {
        let name = self.word_key(key, "the output");
        let path = self.path(node, &format!("output `{}`", key.name));
        Some(Output { name: name?, path: path? })
    }

    fn resources(&mut self, node: &Node) -> Resources {
        let mut resources = Resources::default();
        let Some(fields) = self.fields(node, "`resources`", &["cpu", "memory", "gpu"]) else { return resources };
        if let Some(node) = fields.get("cpu") {
            match self.number(node, "`cpu`") {
                Some(cpu) if cpu > 0.0 && cpu <= 10_000.0 => resources.cpu = cpu,
                Some(_) => self.wrong(
                    node,
                    "invalid_value",
                    format!("`cpu` is above 0 and at most 10000, not {}", shown(node)),
                ),
                None => {}
            }
        }
        if let Some(node) = fields.get("memory") {
            let written = self.scalar(node, "`memory`").unwrap_or_default();
            // A number alone is rarely meant as bytes.
            let has_unit = written.ends_with(|c: char| c.is_ascii_alphabetic());
            match written.parse::<bytesize::ByteSize>() {
                Ok(size) if has_unit && size.as_u64() > 0 => resources.memory_bytes = Some(size.as_u64()),
                _ => self.wrong(
                    node,
                    "invalid_value",
                    format!("`memory` is a size such as `512MiB` or `8GiB`, not {}", shown(node)),
                ),
            }
        }
        if let Some(gpu) = fields.get("gpu").and_then(|node| self.integer(node, "`gpu`", 0..=1_000)) {
            resources.gpu = u32::try_from(gpu).unwrap_or_default();
        }
        resources
    }

    fn best(&mut self, node: &Node) -> Option<Best> {
        let fields = self.fields(node, "`best`", &["value", "goal"])?;
        let choices = [("maximize", Goal::Maximize), ("minimize", Goal::Minimize)];
        let value = self.required(&fields, "value").and_then(|node| self.string(node, "`value`"));
        let goal = self.required(&fields, "goal").and_then(|node| self.choice(node, "`goal`", &choices));
        Some(Best { value: value?, goal: goal? })
    }
}
