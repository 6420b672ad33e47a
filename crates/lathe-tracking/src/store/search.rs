//! SQL of searches over runs: conditions, orders, and three ways to walk.
//!
//! Which way is fast depends on the numbers, not on the words of a query:
//! - **by start**: walk the index of runs by start time and drop what does not match; stops after a page;
//! - **by metric**: walk the index of a metric's latest values, then its NaNs, then the runs without it; stops after a page;
//! - **gathered**: when one condition matches few runs (a probe that counts up to [`FEW`] finds out), start from those;
//! - **sorted**: everything else reads all runs of the experiments and sorts.

use lathe_core::{Project, Result, RunId};
use lathe_db::{Db, Query, query};
use lathe_search::{Comparator, Value, push_text_comparison};

use super::run_key;
use crate::metrics::sortable;
use crate::{ExperimentId, LifecycleStage};

/// Up to how many runs a condition may match to be worth starting from.
pub(crate) const FEW: i64 = 2_000;
/// How many `SELECT`s one statement may join by `UNION ALL`.
const MAX_BRANCHES: usize = 16;
/// How many newest runs tell which params and tags there are.
const SAMPLED_RUNS: i64 = 2_000;
/// Keys used by more runs than this count as equally used.
const COUNTED_USES: i64 = 1_000;

/// The runs a search looks at.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) project: Project,
    pub(crate) experiments: Vec<ExperimentId>,
    pub(crate) stages: &'static [LifecycleStage],
}

/// Where a run keeps texts by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Texts {
    Params,
    Tags,
}

impl Texts {
    pub(crate) fn table(self) -> &'static str {
        match self {
            Texts::Params => "run_params",
            Texts::Tags => "run_tags",
        }
    }
}

/// A text column of `runs r`, or of a run's datasets `f`: always a literal of this crate.
pub(crate) type ColumnSql = &'static str;

/// A comparison with a text or a list of texts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TextTest {
    pub(crate) comparator: Comparator,
    pub(crate) value: Value,
}

impl TextTest {
    /// The text that an equality asks for.
    fn equal_to(&self) -> Option<&str> {
        match (self.comparator, &self.value) {
            (Comparator::Equal, Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// One condition on a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// Its latest value of a metric; a metric that no run of the project has is `None`.
    Metric { key_id: Option<i64>, comparator: Comparator, value: f64 },
    /// The value of a param or tag.
    Text { texts: Texts, key: String, test: TextTest },
    /// Whether it has a param or tag.
    Has { texts: Texts, key: String, is_there: bool },
    /// A text of its own.
    Attribute { column: ColumnSql, test: TextTest },
    /// A number of its own.
    Number { column: ColumnSql, comparator: Comparator, value: f64 },
    /// One of these ids (text forms; those that are no ids match nothing).
    RunIdIn(Vec<String>),
    /// A dataset that it read.
    Dataset { column: ColumnSql, test: TextTest },
}

/// One key of an order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OrderKey {
    /// The latest value of a metric.
    Metric(Option<i64>),
    /// A param or tag.
    Text(Texts, String),
    /// A column of `runs r`.
    Attribute(ColumnSql),
}

/// An order: keys with their directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

impl Direction {
    pub(crate) fn as_sql(self) -> &'static str {
        match self {
            Direction::Ascending => " ASC",
            Direction::Descending => " DESC",
        }
    }
}

/// The start time's column, the last key but one of every order.
pub(crate) const START_TIME: ColumnSql = "r.start_time_ms";

/// A search, translated.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) scope: Scope,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) order: Vec<(OrderKey, Direction)>,
}

/// The keys of the runs of one page: up to `limit` of them after the first `offset`.
pub(crate) async fn find(db: &Db, plan: &Plan, limit: i64, offset: i64) -> Result<Vec<i64>> {
    if plan.scope.experiments.is_empty() {
        return Ok(Vec::new());
    }
    let start = probe(db, plan).await?;
    if let Start::Condition(_) | Start::RunIds = start {
        return read_keys(db, sorted(plan, start, limit, offset)).await;
    }
    match plan.order.as_slice() {
        [] => read_keys(db, by_start(plan, None, Direction::Descending, limit, offset)).await,
        [(OrderKey::Attribute(START_TIME), direction)] => {
            read_keys(db, by_start(plan, None, *direction, limit, offset)).await
        }
        [(OrderKey::Metric(Some(key_id)), direction)] => by_metric(db, plan, *key_id, *direction, limit, offset).await,
        [(OrderKey::Metric(None), _)] => {
            read_keys(db, by_start(plan, None, Direction::Descending, limit, offset)).await
        }
        _ => read_keys(db, sorted(plan, Start::Scope, limit, offset)).await,
    }
}

/// How many runs match.
pub(crate) async fn count(db: &Db, plan: &Plan) -> Result<i64> {
    if plan.scope.experiments.is_empty() {
        return Ok(0);
    }
    let start = if plan.conditions.is_empty() { Start::Scope } else { probe(db, plan).await? };
    let mut statement = query("SELECT COUNT(*) FROM ");
    push_start(&mut statement, plan, start);
    push_where(&mut statement, plan, start);
    db.fetch_one(statement).await?.get(0)
}

async fn read_keys(db: &Db, statement: Query) -> Result<Vec<i64>> {
    db.fetch_all(statement).await?.iter().map(|row| row.get(0)).collect()
}

/// Where a sorted search starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// At all runs of the scope.
    Scope,
    /// At the runs that match this condition: its place in the list.
    Condition(usize),
    /// At the runs named by a condition on run ids.
    RunIds,
}

/// Looks for a condition that matches few runs.
async fn probe(db: &Db, plan: &Plan) -> Result<Start> {
    if plan.conditions.iter().any(|condition| matches!(condition, Condition::RunIdIn(_))) {
        return Ok(Start::RunIds);
    }
    let mut statement = query("SELECT ");
    let mut probed = Vec::new();
    for (place, condition) in plan.conditions.iter().enumerate() {
        if !can_start(condition) {
            continue;
        }
        statement.push(if probed.is_empty() { "(SELECT COUNT(*) FROM (" } else { ", (SELECT COUNT(*) FROM (" });
        push_matching(&mut statement, &plan.scope, condition);
        statement.push(" LIMIT ").push_bind(FEW + 1).push(") AS probe)");
        probed.push(place);
    }
    if probed.is_empty() {
        return Ok(Start::Scope);
    }
    let row = db.fetch_one(statement).await?;
    let mut best: Option<(i64, usize)> = None;
    for (column, place) in probed.into_iter().enumerate() {
        let matching: i64 = row.get(column)?;
        if matching <= FEW && best.is_none_or(|(fewest, _)| matching < fewest) {
            best = Some((matching, place));
        }
    }
    Ok(best.map_or(Start::Scope, |(_, place)| Start::Condition(place)))
}

/// Whether an index leads from the condition to its runs.
fn can_start(condition: &Condition) -> bool {
    match condition {
        Condition::Metric { comparator, .. } => *comparator != Comparator::NotEqual,
        Condition::Text { test, .. } => test.equal_to().is_some(),
        _ => false,
    }
}

/// `SELECT run_key` of the runs that match a condition that an index leads from; runs of other projects may be among them.
fn push_matching(statement: &mut Query, scope: &Scope, condition: &Condition) {
    match condition {
        Condition::Metric { key_id, comparator, value } => {
            statement.push("SELECT run_key FROM latest_metrics WHERE key_id = ").push_bind(key_id.unwrap_or_default());
            statement.push(" AND experiment IN ").push_list(scope.experiments.iter().map(|id| id.number()));
            statement.push(" AND ");
            push_metric_test(statement, "sortable_value", *comparator, *value);
        }
        Condition::Text { texts, key, test } => {
            let value = test.equal_to().unwrap_or_default();
            let prefix: String = value.chars().take(100).collect();
            statement.push("SELECT run_key FROM ").push(texts.table()).push(" WHERE key = ").push_bind(key);
            statement.push(" AND substr(value, 1, 100) = ").push_bind(prefix);
            statement.push(" AND value = ").push_bind(value);
        }
        _ => {
            statement.push("SELECT run_key FROM runs");
        }
    }
}

/// A page of the runs by start time; `without` a metric, only those that do not have it.
fn by_start(plan: &Plan, without: Option<i64>, direction: Direction, limit: i64, offset: i64) -> Query {
    let mut statement = query("");
    push_by_start(&mut statement, plan, without, direction);
    statement.push(" LIMIT ").push_bind(limit).push(" OFFSET ").push_bind(offset);
    statement
}

fn push_by_start(statement: &mut Query, plan: &Plan, without: Option<i64>, direction: Direction) {
    let scope = &plan.scope;
    let branches = scope.experiments.len() * scope.stages.len();
    let push_branch = |statement: &mut Query, experiments: &[ExperimentId], stages: &[LifecycleStage]| {
        statement.push("SELECT r.run_key, r.start_time_ms, r.run_id FROM runs r WHERE r.project = ");
        statement.push_bind(scope.project.as_str());
        push_experiments(statement, experiments);
        push_stages(statement, stages);
        push_conditions(statement, &plan.conditions, None);
        if let Some(key_id) = without {
            statement
                .push(" AND NOT EXISTS (SELECT 1 FROM latest_metrics o WHERE o.run_key = r.run_key AND o.key_id = ");
            statement.push_bind(key_id).push(")");
        }
    };
    if branches <= MAX_BRANCHES {
        let mut is_first = true;
        for experiment in &scope.experiments {
            for stage in scope.stages {
                if !is_first {
                    statement.push(" UNION ALL ");
                }
                is_first = false;
                push_branch(statement, std::slice::from_ref(experiment), std::slice::from_ref(stage));
            }
        }
    } else {
        push_branch(statement, &scope.experiments, scope.stages);
    }
    statement.push(" ORDER BY 2").push(direction.as_sql()).push(", 3");
}

/// A page of the runs by a metric: those with a number, then those with NaN, then those without it.
async fn by_metric(
    db: &Db,
    plan: &Plan,
    key_id: i64,
    direction: Direction,
    limit: i64,
    offset: i64,
) -> Result<Vec<i64>> {
    let (mut limit, mut offset, mut found) = (limit, offset, Vec::new());
    for value in [" IS NOT NULL", " IS NULL"] {
        let keys = read_keys(db, with_metric(plan, key_id, value, direction, limit, offset)).await?;
        let length = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        found.extend(keys);
        limit -= length;
        if limit <= 0 {
            return Ok(found);
        }
        // The page goes on in the next part. Where it starts there follows from how long this part is.
        let is_counted = length > 0 || offset == 0;
        let part = if is_counted { offset + length } else { count_with_metric(db, plan, key_id, value).await? };
        offset = (offset - part).max(0);
    }
    found.extend(read_keys(db, by_start(plan, Some(key_id), Direction::Descending, limit, offset)).await?);
    Ok(found)
}

fn with_metric(plan: &Plan, key_id: i64, value: &'static str, direction: Direction, limit: i64, offset: i64) -> Query {
    let experiments = &plan.scope.experiments;
    let mut statement = query("");
    let push_branch = |statement: &mut Query, experiments: &[ExperimentId]| {
        statement.push("SELECT r.run_key, m.sortable_value, r.start_time_ms, r.run_id FROM ");
        push_with_metric(statement, plan, experiments, key_id, value);
    };
    if experiments.len() <= MAX_BRANCHES {
        for (index, experiment) in experiments.iter().enumerate() {
            if index > 0 {
                statement.push(" UNION ALL ");
            }
            push_branch(&mut statement, std::slice::from_ref(experiment));
        }
    } else {
        push_branch(&mut statement, experiments);
    }
    statement.push(" ORDER BY 2").push(direction.as_sql()).push(", 3 DESC, 4 LIMIT ").push_bind(limit);
    statement.push(" OFFSET ").push_bind(offset);
    statement
}

async fn count_with_metric(db: &Db, plan: &Plan, key_id: i64, value: &'static str) -> Result<i64> {
    let mut statement = query("SELECT COUNT(*) FROM ");
    push_with_metric(&mut statement, plan, &plan.scope.experiments, key_id, value);
    db.fetch_one(statement).await?.get(0)
}

/// `CROSS JOIN` keeps SQLite at this order of the two tables: the metric's index is what is in the asked order.
fn push_with_metric(
    statement: &mut Query,
    plan: &Plan,
    experiments: &[ExperimentId],
    key_id: i64,
    value: &'static str,
) {
    statement.push("latest_metrics m CROSS JOIN runs r WHERE m.key_id = ").push_bind(key_id).push(" AND m.experiment");
    push_one_of(statement, experiments.iter().map(|id| id.number()).collect());
    statement.push(" AND m.sortable_value").push(value).push(" AND r.run_key = m.run_key AND r.project = ");
    statement.push_bind(plan.scope.project.as_str());
    push_stages(statement, plan.scope.stages);
    push_conditions(statement, &plan.conditions, None);
}

/// A page of all matching runs in any order.
fn sorted(plan: &Plan, start: Start, limit: i64, offset: i64) -> Query {
    let mut statement = query("SELECT r.run_key FROM ");
    push_start(&mut statement, plan, start);
    for (place, (key, _)) in plan.order.iter().enumerate() {
        let alias = ORDER_ALIASES.get(place).copied().unwrap_or("o");
        let table = match key {
            OrderKey::Metric(_) => "latest_metrics",
            OrderKey::Text(texts, _) => texts.table(),
            OrderKey::Attribute(_) => continue,
        };
        statement.push(" LEFT JOIN ").push(table).push(" ").push(alias).push(" ON ").push(alias);
        statement.push(".run_key = r.run_key AND ").push(alias);
        match key {
            OrderKey::Metric(key_id) => statement.push(".key_id = ").push_bind(key_id.unwrap_or_default()),
            OrderKey::Text(_, name) => statement.push(".key = ").push_bind(name),
            OrderKey::Attribute(_) => &mut statement,
        };
    }
    push_where(&mut statement, plan, start);
    statement.push(" ORDER BY ");
    let mut has_start_time = false;
    for (place, (key, direction)) in plan.order.iter().enumerate() {
        let alias = ORDER_ALIASES.get(place).copied().unwrap_or("o");
        match key {
            OrderKey::Metric(_) => {
                statement.push("CASE WHEN ").push(alias).push(".run_key IS NULL THEN 2 WHEN ").push(alias);
                statement.push(".sortable_value IS NULL THEN 1 ELSE 0 END, ").push(alias).push(".sortable_value");
            }
            OrderKey::Text(..) => {
                statement
                    .push("CASE WHEN ")
                    .push(alias)
                    .push(".value IS NULL THEN 1 ELSE 0 END, ")
                    .push(alias)
                    .push(".value");
            }
            OrderKey::Attribute(column) => {
                has_start_time |= *column == START_TIME;
                statement.push("CASE WHEN ").push(column).push(" IS NULL THEN 1 ELSE 0 END, ").push(column);
            }
        }
        statement.push(direction.as_sql()).push(", ");
    }
    if !has_start_time {
        statement.push("r.start_time_ms DESC, ");
    }
    statement.push("r.run_id LIMIT ").push_bind(limit).push(" OFFSET ").push_bind(offset);
    statement
}

/// How many keys an order may have.
pub(crate) const MAX_ORDER_KEYS: usize = 8;
const ORDER_ALIASES: [&str; MAX_ORDER_KEYS] = ["o1", "o2", "o3", "o4", "o5", "o6", "o7", "o8"];

/// `CROSS JOIN` keeps SQLite at this order: few rows first.
fn push_start(statement: &mut Query, plan: &Plan, start: Start) {
    match start {
        Start::Condition(place) => {
            statement.push("(");
            if let Some(condition) = plan.conditions.get(place) {
                push_matching(statement, &plan.scope, condition);
            }
            statement.push(") d CROSS JOIN runs r");
        }
        Start::Scope | Start::RunIds => {
            statement.push("runs r");
        }
    }
}

fn push_where(statement: &mut Query, plan: &Plan, start: Start) {
    // As an expression beside a list of keys, so that SQLite starts from the list; see `store::runs`.
    statement.push(if start == Start::RunIds { " WHERE COALESCE(r.project, '') = " } else { " WHERE r.project = " });
    statement.push_bind(plan.scope.project.as_str());
    push_experiments(statement, &plan.scope.experiments);
    push_stages(statement, plan.scope.stages);
    let done = match start {
        Start::Condition(place) => {
            statement.push(" AND r.run_key = d.run_key");
            Some(place)
        }
        Start::Scope | Start::RunIds => None,
    };
    push_conditions(statement, &plan.conditions, done);
}

fn push_experiments(statement: &mut Query, experiments: &[ExperimentId]) {
    statement.push(" AND r.experiment");
    push_one_of(statement, experiments.iter().map(|id| id.number()).collect());
}

fn push_stages(statement: &mut Query, stages: &[LifecycleStage]) {
    match stages {
        [stage] => statement.push(" AND r.lifecycle_stage = ").push_bind(stage.as_str()),
        _ => statement.push(" AND r.lifecycle_stage IN ").push_list(stages.iter().map(|stage| stage.as_str())),
    };
}

/// `= x` for one value, `IN (…)` for several: an index keeps its order behind an equality only.
fn push_one_of(statement: &mut Query, numbers: Vec<i64>) {
    match numbers.as_slice() {
        [number] => statement.push(" = ").push_bind(*number),
        _ => statement.push(" IN ").push_list(numbers),
    };
}

/// ` AND …` for each condition but the one that the search starts from.
fn push_conditions(statement: &mut Query, conditions: &[Condition], done: Option<usize>) {
    for (place, condition) in conditions.iter().enumerate() {
        if Some(place) != done {
            statement.push(" AND ");
            push_condition(statement, condition);
        }
    }
}

fn push_condition(statement: &mut Query, condition: &Condition) {
    match condition {
        Condition::Metric { key_id: None, .. } => {
            statement.push("1 = 0");
        }
        Condition::Metric { key_id: Some(key_id), comparator, value } => {
            statement.push("EXISTS (SELECT 1 FROM latest_metrics f WHERE f.run_key = r.run_key AND f.key_id = ");
            statement.push_bind(*key_id).push(" AND ");
            push_metric_test(statement, "f.sortable_value", *comparator, *value);
            statement.push(")");
        }
        Condition::Text { texts, key, test } => {
            statement.push("EXISTS (SELECT 1 FROM ").push(texts.table());
            statement.push(" f WHERE f.run_key = r.run_key AND f.key = ").push_bind(key).push(" AND ");
            push_text_comparison(statement, "f.value", test.comparator, &test.value);
            statement.push(")");
        }
        Condition::Has { texts, key, is_there } => {
            statement.push(if *is_there { "EXISTS (SELECT 1 FROM " } else { "NOT EXISTS (SELECT 1 FROM " });
            statement.push(texts.table()).push(" f WHERE f.run_key = r.run_key AND f.key = ").push_bind(key).push(")");
        }
        Condition::Attribute { column, test } => push_text_comparison(statement, column, test.comparator, &test.value),
        Condition::Number { column, comparator, value } => {
            push_number_test(statement, column, *comparator, *value);
        }
        Condition::RunIdIn(ids) => {
            let known: Vec<RunId> = ids.iter().filter_map(|id| RunId::parse(id).ok()).collect();
            statement.push("r.run_key IN ").push_list(known.iter().map(run_key));
            statement.push(" AND r.run_id IN ").push_list(known.iter().map(RunId::as_str));
        }
        Condition::Dataset { column, test } => {
            statement.push("EXISTS (SELECT 1 FROM run_datasets f WHERE f.run_key = r.run_key AND ");
            push_text_comparison(statement, column, test.comparator, &test.value);
            statement.push(")");
        }
    }
}

/// A comparison of the metric value in an integer column of `metrics::sortable`, where NaN is NULL.
fn push_metric_test(statement: &mut Query, column: ColumnSql, comparator: Comparator, value: f64) {
    match (sortable::from_f64(value), comparator) {
        // A NaN differs from every number, and every value from NaN; any other comparison with it fails.
        (Some(value), Comparator::NotEqual) => {
            statement.push("(").push(column).push(" <> ").push_bind(value);
            statement.push(" OR ").push(column).push(" IS NULL)");
        }
        (Some(value), _) => {
            statement.push(column).push(number_operator(comparator)).push_bind(value);
        }
        (None, Comparator::NotEqual) => {
            statement.push("1 = 1");
        }
        (None, _) => {
            statement.push("1 = 0");
        }
    }
}

/// A comparison of a number column; nothing compares with NaN.
pub(crate) fn push_number_test(statement: &mut Query, column: ColumnSql, comparator: Comparator, value: f64) {
    if value.is_nan() {
        statement.push("1 = 0");
    } else {
        statement.push(column).push(number_operator(comparator)).push_bind(value);
    }
}

/// The parser lets no other comparators near numbers.
pub(crate) fn number_operator(comparator: Comparator) -> &'static str {
    match comparator {
        Comparator::NotEqual => " <> ",
        Comparator::Less => " < ",
        Comparator::LessOrEqual => " <= ",
        Comparator::Greater => " > ",
        Comparator::GreaterOrEqual => " >= ",
        _ => " = ",
    }
}

/// The newest runs made in a project, whatever their experiment.
pub(crate) async fn newest(db: &Db, project: &Project, limit: i64) -> Result<Vec<i64>> {
    let statement = query(
        "SELECT run_key FROM runs WHERE project = $1 AND lifecycle_stage = 'active' ORDER BY run_key DESC LIMIT $2",
    )
    .bind(project.as_str())
    .bind(limit);
    read_keys(db, statement).await
}

/// Metric names that runs of these experiments have, most used first. Counting stops at [`COUNTED_USES`].
pub(crate) async fn metric_columns(db: &Db, scope: &Scope, search: Option<&str>, limit: i64) -> Result<Vec<String>> {
    let mut statement = query(
        "SELECT u.name FROM (SELECT k.name AS name, (SELECT COUNT(*) FROM (SELECT 1 FROM latest_metrics l WHERE l.key_id = k.key_id AND l.experiment IN ",
    );
    statement.push_list(scope.experiments.iter().map(|id| id.number()));
    statement.push(" LIMIT ").push_bind(COUNTED_USES).push(") AS c) AS uses FROM metric_keys k WHERE k.project = ");
    statement.push_bind(scope.project.as_str());
    push_search(&mut statement, "k.name", search);
    statement.push(") u WHERE u.uses > 0 ORDER BY u.uses DESC, u.name LIMIT ").push_bind(limit);
    db.fetch_all(statement).await?.iter().map(|row| row.get(0)).collect()
}

/// Keys of params or tags that the newest [`SAMPLED_RUNS`] runs of these experiments have, most used first.
pub(crate) async fn text_columns(
    db: &Db,
    scope: &Scope,
    texts: Texts,
    search: Option<&str>,
    limit: i64,
) -> Result<Vec<String>> {
    let plan = Plan { scope: scope.clone(), conditions: Vec::new(), order: Vec::new() };
    let mut statement = query("SELECT f.key FROM ");
    statement.push(texts.table()).push(" f WHERE f.run_key IN (SELECT s.run_key FROM (");
    push_by_start(&mut statement, &plan, None, Direction::Descending);
    statement.push(" LIMIT ").push_bind(SAMPLED_RUNS).push(") s)");
    push_search(&mut statement, "f.key", search);
    statement.push(" GROUP BY f.key ORDER BY COUNT(*) DESC, f.key LIMIT ").push_bind(limit);
    db.fetch_all(statement).await?.iter().map(|row| row.get(0)).collect()
}

fn push_search(statement: &mut Query, column: ColumnSql, search: Option<&str>) {
    let Some(search) = search.filter(|search| !search.is_empty()) else { return };
    // What people type into a search box is no pattern, and the databases share no function that finds a text in a text.
    statement.push(" AND REPLACE(LOWER(").push(column).push("), ").push_bind(search.to_ascii_lowercase());
    statement.push(", '') <> LOWER(").push(column).push(")");
}
