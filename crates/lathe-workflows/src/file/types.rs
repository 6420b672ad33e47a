//! What a pipeline file says, as types. Defaults of the file are already applied to each job.

use std::time::Duration;

use super::diagnostic::{Located, Position};
use super::expression::Expression;
use super::gate::Gate;
use super::matrix::Matrix;
use super::schedule::Schedule;
use super::text::Text;
use super::value::Value;

/// A pipeline: what starts it, what it can be asked for, and its jobs.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name: 1-63 of `a-z`, `0-9`, `_`, `-`, beginning with a letter.
    pub name: Located<String>,
    /// What starts it.
    pub triggers: Triggers,
    /// What a run can be asked for.
    pub params: Vec<Param>,
    /// Which runs may not be at work at the same time.
    pub concurrency: Option<Concurrency>,
    /// The jobs, in the order of the file.
    pub jobs: Vec<Job>,
    /// Whom to tell.
    pub notify: Vec<Notify>,
}

impl Pipeline {
    /// The job of a name.
    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.name.value == name)
    }

    /// The first job that changes a deployment or moves an alias. By hand that takes a maintainer, so with one the pipeline takes one, too.
    pub fn managing_job(&self) -> Option<&Job> {
        let manages = |action: &Action| match action {
            Action::SetAlias(_) | Action::Deploy(_) => true,
            Action::RegisterModel(register) => register.alias.is_some(),
            Action::Run(_) | Action::Approval(_) => false,
        };
        self.jobs.iter().find(|job| job.actions.iter().any(manages))
    }
}

/// What starts a pipeline. A file without `on` is started by hand.
#[derive(Debug, Clone, Default)]
pub struct Triggers {
    /// A person or a program asks for it.
    pub manual: bool,
    /// At times.
    pub schedules: Vec<Schedule>,
    /// When data is committed.
    pub data_commits: Vec<DataCommit>,
    /// When an alias of a model moves.
    pub model_aliases: Vec<ModelAlias>,
    /// When a deployment's data drifts.
    pub drift_alerts: Vec<DriftAlert>,
}

impl Triggers {
    /// Whether something other than a person or a program starts the pipeline.
    pub fn is_automatic(&self) -> bool {
        let Self { manual: _, schedules, data_commits, model_aliases, drift_alerts } = self;
        !(schedules.is_empty() && data_commits.is_empty() && model_aliases.is_empty() && drift_alerts.is_empty())
    }
}

/// Starts the pipeline when data is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataCommit {
    /// The repository.
    pub repository: Located<String>,
    /// The branch.
    pub branch: Located<String>,
    /// Patterns of paths (`train/**`); none means any change.
    pub paths: Vec<Located<String>>,
    /// Where it stands in the file.
    pub at: Position,
}

/// Starts the pipeline when an alias of a model moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelAlias {
    /// The registered model.
    pub model: Located<String>,
    /// The alias.
    pub alias: Located<String>,
    /// Where it stands in the file.
    pub at: Position,
}

/// What alert rules look at, and whether it is drift. The monitoring room has the metrics; a test compares the words.
pub const ALERT_METRICS: [(&str, bool); 14] = [
    ("drift_share", true),
    ("prediction_drift_share", true),
    ("psi", true),
    ("ks_p_value", true),
    ("chi_squared_p_value", true),
    ("jensen_shannon", true),
    ("normed_wasserstein", true),
    ("new_category_share", true),
    ("missing_share", false),
    ("schema_changes", false),
    ("error_rate", false),
    ("p95_latency_ms", false),
    ("quality", false),
    ("rows", false),
];

/// Starts the pipeline when an alert is raised: of drift, or of what `metrics` and `rules` name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftAlert {
    /// The deployment.
    pub deployment: String,
    /// Metrics of rules that count. With neither these nor `rules`, those about drift; none beside `rules` means any.
    pub metrics: Vec<&'static str>,
    /// Names of rules that count; none means any.
    pub rules: Vec<String>,
    /// The mildest alert that counts.
    pub min_severity: Severity,
    /// How long after a start no other alert starts it again.
    pub cooldown: Duration,
    /// Where it stands in the file.
    pub at: Position,
}

impl DriftAlert {
    /// Whether an alert of this rule counts. Servers of before did not say what metric an alert was about: then all count.
    pub fn is_about(&self, metric: Option<&str>, rule: Option<&str>) -> bool {
        let is_metric = metric.is_none_or(|metric| match (self.metrics.as_slice(), self.rules.as_slice()) {
            ([], []) => ALERT_METRICS.iter().any(|(drift, is_drift)| *is_drift && *drift == metric),
            ([], _) => true,
            (metrics, _) => metrics.contains(&metric),
        });
        let is_rule = self.rules.is_empty() || rule.is_some_and(|rule| self.rules.iter().any(|one| one == rule));
        is_metric && is_rule
    }
}

/// How bad an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a look.
    Info,
    /// Needs a look.
    Warning,
    /// Needs a hand, now.
    Critical,
}

/// What a run of the pipeline can be asked for.
#[derive(Debug, Clone)]
pub struct Param {
    /// Its name.
    pub name: Located<String>,
    /// What values it takes.
    pub kind: ParamKind,
    /// Its value when the run does not say; without one, the run must say.
    pub default: Option<Value>,
}

/// What values a parameter takes.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamKind {
    /// Any text.
    Str,
    /// A whole number.
    Int {
        /// The smallest.
        min: Option<i64>,
        /// The largest.
        max: Option<i64>,
    },
    /// A number.
    Float {
        /// The smallest.
        min: Option<f64>,
        /// The largest.
        max: Option<f64>,
    },
    /// True or false.
    Bool,
    /// One of some texts.
    Choice(Vec<String>),
}

/// Runs of one group are at work one after the other.
#[derive(Debug, Clone)]
pub struct Concurrency {
    /// The group; pipelines may share one.
    pub group: Text,
    /// What a new run does while another is at work.
    pub on_conflict: OnConflict,
}

/// What a new run does while another of its group is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// It waits.
    Queue,
    /// It cancels the other.
    CancelRunning,
    /// It does not start.
    Skip,
}

/// The queue of jobs that name none.
pub(crate) const DEFAULT_QUEUE: &str = "default";

/// A step of a pipeline.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name; the rule is that of the pipeline's.
    pub name: Located<String>,
    /// The jobs that end before it begins.
    pub needs: Vec<Located<String>>,
    /// Whether it runs, once the jobs it needs ended; without one, when they all succeeded.
    pub condition: Option<Expression>,
    /// What it reads.
    pub inputs: Vec<Input>,
    /// What it makes.
    pub outputs: Vec<Output>,
    /// The Python its command runs in.
    pub python: Python,
    /// Environment variables.
    pub variables: Vec<Variable>,
    /// How often it is tried again.
    pub retry: Retry,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// What it needs of a machine.
    pub resources: Resources,
    /// The queue it waits in.
    pub queue: String,
    /// Runs it once for each combination.
    pub matrix: Option<Matrix>,
    /// Which cell of the matrix is the best.
    pub best: Option<Best>,
    /// Whether an earlier result of the same key is taken instead.
    pub cache: bool,
    /// The secrets it may read.
    pub secrets: Vec<Located<String>>,
    /// What it does, in the order of the file. A command or an approval stands alone.
    pub actions: Vec<Action>,
    /// What is watched after its canary began.
    pub watch: Option<Watch>,
}

impl Job {
    /// Its command, when it runs one.
    pub fn command(&self) -> Option<&Text> {
        self.actions.iter().find_map(|action| match action {
            Action::Run(command) => Some(command),
            _ => None,
        })
    }

    /// The values that it has when it runs no command: what the server did for it.
    pub fn action_values(&self) -> &'static [&'static str] {
        let has_deploy = self.actions.iter().any(|action| matches!(action, Action::Deploy(_)));
        let has_model =
            self.actions.iter().any(|action| matches!(action, Action::RegisterModel(_) | Action::SetAlias(_)));
        match (has_deploy, has_model) {
            (true, _) => &["model", "version", "deployment"],
            (false, true) => &["model", "version"],
            (false, false) => &[],
        }
    }

    /// The approval it waits for, when it does.
    pub fn approval(&self) -> Option<&Approval> {
        self.actions.iter().find_map(|action| match action {
            Action::Approval(approval) => Some(approval),
            _ => None,
        })
    }
}

/// What a job does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Runs a command in `sh`.
    Run(Text),
    /// Makes a version of a registered model.
    RegisterModel(RegisterModel),
    /// Moves an alias.
    SetAlias(SetAlias),
    /// Changes a deployment.
    Deploy(Deploy),
    /// Waits for people.
    Approval(Approval),
}

/// Makes a version of a registered model.
#[derive(Debug, Clone)]
pub struct RegisterModel {
    /// The registered model.
    pub name: Text,
    /// The run that logged it.
    pub from: Text,
    /// An alias that moves to the new version.
    pub alias: Option<Text>,
}

/// Moves an alias of a model.
#[derive(Debug, Clone)]
pub struct SetAlias {
    /// The registered model.
    pub model: Text,
    /// The alias.
    pub alias: Text,
    /// The version; without one, that of the deployment which the same job promotes.
    pub version: Option<Text>,
}

/// Changes a deployment.
#[derive(Debug, Clone)]
pub struct Deploy {
    /// The deployment.
    pub deployment: Text,
    /// How.
    pub step: DeployStep,
    /// Where it stands in the file.
    pub at: Position,
}

/// How a deployment changes.
#[derive(Debug, Clone)]
pub enum DeployStep {
    /// The model (`models:/name@alias` or `models:/name/version`) takes all traffic.
    Replace {
        /// The model.
        model: Text,
    },
    /// The model takes a share of the traffic.
    Canary {
        /// The model.
        model: Text,
        /// The share, above 0 and at most 100.
        percent: f64,
    },
    /// The model gets a copy of the traffic, and its answers are discarded.
    Shadow {
        /// The model.
        model: Text,
    },
    /// The canary takes all traffic.
    Promote,
    /// The canary is taken back.
    Rollback,
}

/// Waits for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who may approve; without one, whoever may write.
    pub team: Option<String>,
    /// How many must.
    pub min: u32,
    /// How long it waits.
    pub timeout: Duration,
    /// What happens then.
    pub on_timeout: OnTimeout,
}

/// What happens when nobody approved in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTimeout {
    /// The job failed.
    Reject,
    /// The job succeeded.
    Approve,
}

/// What is watched after a canary began.
#[derive(Debug, Clone)]
pub struct Watch {
    /// How long.
    pub duration: Duration,
    /// How many requests the canary must have answered before it is judged.
    pub min_requests: u64,
    /// Any of these fails the job.
    pub abort_if: Vec<Gate>,
    /// Where it stands in the file.
    pub at: Position,
}

/// What a job reads: `IN_<NAME>` in its command.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name.
    pub name: Located<String>,
    /// `data://<repository>@<ref>/<path>`, or an output or artifact of an earlier job.
    pub from: Text,
    /// What the command gets.
    pub form: InputForm,
}

/// What the command gets for an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputForm {
    /// A local path; the files are fetched.
    Path,
    /// An address.
    Url,
}

/// What a job makes: `OUT_<NAME>` in its command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: Located<String>,
    /// A file or folder below the working folder.
    pub path: Located<String>,
}

/// The Python a command runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Python {
    /// The environment of the worker.
    Current,
    /// An environment of its own, made once for its lock file.
    Venv {
        /// The version, such as `3.11`.
        python: Option<String>,
        /// The lock file, below the working folder.
        requirements: Located<String>,
    },
}

/// An environment variable.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: Located<String>,
    /// Its value.
    pub value: Text,
}

/// How often a job is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How many times, after the first.
    pub max: u32,
    /// How the wait grows.
    pub backoff: Backoff,
    /// The first wait.
    pub initial: Duration,
    /// After what.
    pub on: Vec<RetryOn>,
}

impl Default for Retry {
    /// Lost attempts are tried twice again.
    fn default() -> Self {
        Self { max: 2, backoff: Backoff::Exponential, initial: Duration::from_secs(10), on: vec![RetryOn::Lost] }
    }
}

impl Retry {
    /// The wait before the attempt that follows `failed` failed ones, at most a day.
    pub fn wait(&self, failed: u32) -> Duration {
        let day = Duration::from_secs(24 * 60 * 60);
        let times = match self.backoff {
            Backoff::Fixed => 1,
            Backoff::Exponential => 1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX),
        };
        self.initial.saturating_mul(times.max(1)).min(day)
    }
}

/// How the wait between attempts grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// It stays.
    Fixed,
    /// It doubles.
    Exponential,
}

/// What an attempt is tried again after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryOn {
    /// The attempt was lost: its worker died or could not be reached.
    Lost,
    /// It failed in any way.
    Failed,
    /// Its command ended with this code.
    Exit(u8),
}

/// What a job needs of a machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resources {
    /// Cores.
    pub cpu: f64,
    /// Memory in bytes; none means no claim.
    pub memory_bytes: Option<u64>,
    /// Graphics cards.
    pub gpu: u32,
}

impl Default for Resources {
    fn default() -> Self {
        Self { cpu: 1.0, memory_bytes: None, gpu: 0 }
    }
}

/// Which cell of a matrix is the best.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Best {
    /// The value (a `key=value` line of `$LATHE_VALUES`) that decides.
    pub value: String,
    /// Which way.
    pub goal: Goal,
}

/// Which way a value is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Larger.
    Maximize,
    /// Smaller.
    Minimize,
}

/// Whom to tell, and of what.
#[derive(Debug, Clone)]
pub struct Notify {
    /// Of what.
    pub on: Vec<NotifyOn>,
    /// The address that is called.
    pub webhook: Text,
}

/// What one is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifyOn {
    /// The run failed.
    Failure,
    /// The run succeeded.
    Success,
    /// A job waits for people.
    ApprovalNeeded,
}
