//! Tests of experiment tracking, on both databases, through its public functions.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod artifacts;
mod experiments;
mod inputs;
mod logged_models;
mod logging;
mod metrics;
mod runs;
mod search;

use lathe_core::{Clock, Ctx, Error, Project, Result, RunId};
use lathe_db::{Db, query};
use lathe_objects::Objects;
use lathe_testkit::ctx;
use lathe_tracking::runs::{CreateRun, LogBatch, create_run, log_batch};
use lathe_tracking::{NewMetric, Param, Run, Tag, Tracking};

/// The schemas of this room and of the one it stores bytes in.
const SCHEMAS: [lathe_db::Schema; 2] = [lathe_tracking::SCHEMA, lathe_objects::SCHEMA];

/// The room with a store of objects in a folder that lives as long as the first value.
async fn tracking(db: &Db) -> (tempfile::TempDir, Tracking) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().join("objects").display());
    let objects = Objects::open(&url, folder.path(), db.clone(), Clock::System).await.unwrap();
    (folder, Tracking::new(db.clone(), objects))
}

fn elsewhere() -> Ctx {
    Ctx { project: Project::parse("elsewhere").unwrap(), ..ctx() }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.to_owned(), value: value.to_owned() }
}

fn param(key: &str, value: &str) -> Param {
    Param { key: key.to_owned(), value: value.to_owned() }
}

fn metric(key: &str, value: f64, timestamp_ms: i64, step: i64) -> NewMetric {
    NewMetric { key: key.to_owned(), value, timestamp_ms, step, ..NewMetric::default() }
}

async fn run(tracking: &Tracking, start_time_ms: i64) -> Run {
    create_run(&ctx(), tracking, CreateRun { start_time_ms, ..CreateRun::default() }).await.unwrap()
}

async fn log(tracking: &Tracking, run_id: &RunId, batch: LogBatch) {
    log_batch(&ctx(), tracking, run_id, batch).await.unwrap();
}

fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().message().to_owned()
}

fn error<T: std::fmt::Debug>(result: Result<T>) -> Error {
    result.unwrap_err()
}

/// The actions of all events, in the order they happened.
async fn actions(db: &Db) -> Vec<String> {
    let rows = db.fetch_all(query("SELECT action FROM events ORDER BY id")).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

/// All edges as `from -kind-> to`, without the project.
async fn edges(db: &Db) -> Vec<String> {
    let rows =
        db.fetch_all(query("SELECT from_name, kind, to_name FROM edges ORDER BY event_id, ordinal")).await.unwrap();
    let short = |name: String| name.strip_prefix("default/").unwrap().to_owned();
    rows.iter()
        .map(|row| {
            format!(
                "{} -{}-> {}",
                short(row.get(0).unwrap()),
                row.get::<String>(1).unwrap(),
                short(row.get(2).unwrap())
            )
        })
        .collect()
}
