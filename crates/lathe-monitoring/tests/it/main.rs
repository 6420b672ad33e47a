//! Tests of the monitoring room, on both databases, through its public functions.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::float_cmp, reason = "tests")]

mod alerts;
mod drift;
mod quality;
mod samples;

use lathe_core::{Clock, Code, Ctx, Grant, Project, Result, Role};
use lathe_db::{Db, query};
use lathe_monitoring::collect;
use lathe_monitoring::settings::{Change, Settings, set_settings};
use lathe_monitoring::{Column, Monitoring, Outcome, Sample, Table, Values, Variant};
use lathe_objects::Objects;
use lathe_testkit::ctx;

/// The schemas of this room and of the one it stores bytes in.
const SCHEMAS: [lathe_db::Schema; 2] = [lathe_monitoring::SCHEMA, lathe_objects::SCHEMA];

const HOUR_MS: i64 = 3_600_000;
const DEPLOYMENT: &str = "flights";

fn as_role(role: Role) -> Ctx {
    Ctx { grant: Grant { role: Some(role), ..Grant::NONE }, ..ctx() }
}

fn elsewhere() -> Ctx {
    Ctx { project: Project::parse("elsewhere").unwrap(), ..ctx() }
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
    result.unwrap_err().code()
}

struct World {
    ctx: Ctx,
    monitoring: Monitoring,
    objects: Objects,
    db: Db,
    _folder: tempfile::TempDir,
}

async fn world(db: &Db) -> World {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().join("objects").display());
    let objects = Objects::open(&url, folder.path(), db.clone(), Clock::System).await.unwrap();
    let monitoring = Monitoring::new(db.clone(), objects.clone());
    World { ctx: ctx(), monitoring, objects, db: db.clone(), _folder: folder }
}

/// The change that leaves nothing out.
fn all_of(settings: Settings) -> Change {
    let Settings { window_ms, sample_share, retention_ms, allows_replay, .. } = settings;
    Change {
        window_ms: Some(window_ms),
        sample_share: Some(sample_share),
        retention_ms: Some(retention_ms),
        allows_replay: Some(allows_replay),
        prediction_column: Some(settings.prediction_column),
        score_column: Some(settings.score_column),
        positive_label: Some(settings.positive_label),
        task: Some(settings.task),
    }
}

impl World {
    async fn set(&self, settings: Settings) {
        set_settings(&self.ctx, &self.monitoring, DEPLOYMENT, all_of(settings)).await.unwrap();
    }

    /// Hands samples over and lets the collector store them; answers how many were dropped.
    async fn record(&self, samples: Vec<Sample>) -> i64 {
        let monitoring = Monitoring::new(self.db.clone(), self.objects.clone());
        for sample in samples {
            monitoring.observe(sample);
        }
        let (_stop, stopping) = tokio::sync::watch::channel(true);
        collect::run(monitoring.clone(), stopping).await;
        monitoring.dropped_samples()
    }

    async fn count(&self, table: &'static str) -> i64 {
        let mut select = query("SELECT COUNT(*) FROM ");
        select.push(table);
        self.db.fetch_one(select).await.unwrap().get(0).unwrap()
    }

    async fn actions(&self) -> Vec<String> {
        let rows = self.db.fetch_all(query("SELECT action FROM events ORDER BY id")).await.unwrap();
        rows.iter().map(|row| row.get(0).unwrap()).collect()
    }
}

fn column(name: &str, values: Values) -> Column {
    Column { name: name.to_owned(), values }
}

/// A request with one row: a temperature and a carrier, answered by a probability.
fn sample(id: &str, at_ms: i64, (temperature, carrier): (f64, &str), late: f64) -> Sample {
    let inputs = vec![
        column("temp", Values::Numbers(vec![temperature])),
        column("carrier", Values::Texts(vec![Some(carrier.to_owned())])),
    ];
    let outputs = vec![column("late", Values::Numbers(vec![late]))];
    Sample {
        project: Project::default_project(),
        deployment: DEPLOYMENT.to_owned(),
        model: "flights".to_owned(),
        version: 1,
        variant: Variant::Primary,
        request_id: id.to_owned(),
        client_request_id: None,
        at_ms,
        replayed_at_ms: None,
        latency_us: 2_000,
        outcome: Outcome::Ok,
        inputs: Table::new(inputs).unwrap(),
        outputs: Table::new(outputs).unwrap(),
    }
}
