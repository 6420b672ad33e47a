//! CPU time and wall time per request of experiment tracking, on SQLite or on the PostgreSQL at `LATHE_TEST_POSTGRES_URL`.
//!
//! `cargo run --profile bench --example measure -p lathe-tracking -- [sqlite|postgres] [runs]`. Linux only (reads `/proc`). On
//! PostgreSQL the CPU time is this process's alone, not the database server's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a tool for developers")]

use std::time::{Duration, Instant};

use lathe_core::{Clock, Ctx, RunId};
use lathe_objects::Objects;
use lathe_testkit::{TestDatabase, ctx};
use lathe_tracking::metrics::history::{self, GetHistory, SampleHistory};
use lathe_tracking::metrics::series::{self, ReadSeries};
use lathe_tracking::runs::{self, CreateRun, LogBatch};
use lathe_tracking::search::{self, Column, ListColumns, SearchRuns};
use lathe_tracking::{ExperimentId, NewMetric, Param, SCHEMA, Tag, Tracking};

/// CPU time of all threads of this process, living and ended.
fn cpu() -> Duration {
    let mut total = 0_u64;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path().join("schedstat");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        total += text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or_default();
    }
    Duration::from_nanos(total)
}

async fn measure<T>(name: &str, times: u32, mut work: impl AsyncFnMut(u32) -> T) {
    work(0).await;
    let (started, cpu_before) = (Instant::now(), cpu());
    for time in 1..=times {
        work(time).await;
    }
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1_000.0 / f64::from(times);
    println!(
        "{name:60} {:9.3} ms CPU {:9.3} ms wall",
        milliseconds(cpu() - cpu_before),
        milliseconds(started.elapsed())
    );
}

fn metrics(count: usize, keys: usize, first_step: i64) -> Vec<NewMetric> {
    (0..count)
        .map(|at| NewMetric {
            key: format!("metric_{}", at % keys),
            value: at as f64,
            timestamp_ms: 1_700_000_000_000 + at as i64,
            step: first_step + (at / keys) as i64,
            ..NewMetric::default()
        })
        .collect()
}

async fn new_run(ctx: &Ctx, tracking: &Tracking, at: u32) -> RunId {
    let tag = |key: &str, value: String| Tag { key: key.to_owned(), value };
    let request = CreateRun {
        experiment_id: 0,
        user_id: "me".to_owned(),
        start_time_ms: 1_700_000_000_000 + i64::from(at),
        name: None,
        tags: vec![
            tag("mlflow.user", format!("user-{}", at % 7)),
            tag("mlflow.source.name", "train.py".to_owned()),
            tag("mlflow.source.type", "LOCAL".to_owned()),
            tag("team", format!("team-{}", at % 100)),
        ],
    };
    runs::create_run(ctx, tracking, request).await.unwrap().info.run_id
}

/// A number that looks random, the same in every run of this tool.
fn scattered(at: u32) -> f64 {
    f64::from(at.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24)
}

async fn writes(ctx: &Ctx, tracking: &Tracking) {
    measure("create_run", 500, async |at| new_run(ctx, tracking, at).await).await;
    let run = new_run(ctx, tracking, 0).await;
    measure("log_metric, one key", 500, async |at| {
        let metric = NewMetric { key: "loss".to_owned(), step: i64::from(at), ..NewMetric::default() };
        runs::log_metric(ctx, tracking, &run, metric).await.unwrap();
    })
    .await;
    measure("log_param", 200, async |at| {
        let param = Param { key: format!("p{at}"), value: "1".to_owned() };
        runs::log_param(ctx, tracking, &run, param).await.unwrap();
    })
    .await;
    for keys in [10, 100, 1_000] {
        let run = new_run(ctx, tracking, 0).await;
        measure(&format!("log_batch, 1,000 points over {keys} keys"), 20, async |at| {
            let metrics = metrics(1_000, keys, i64::from(at) * 1_000);
            runs::log_batch(ctx, tracking, &run, LogBatch { metrics, ..LogBatch::default() }).await.unwrap();
        })
        .await;
    }
    measure("log_batch, 100 params and 10 metrics, new run", 50, async |at| {
        let run = new_run(ctx, tracking, at).await;
        let params = (0..100).map(|p| Param { key: format!("p{p}"), value: p.to_string() }).collect();
        let batch = LogBatch { params, metrics: metrics(10, 10, 0), ..LogBatch::default() };
        runs::log_batch(ctx, tracking, &run, batch).await.unwrap();
    })
    .await;
}

async fn long_histories(ctx: &Ctx, tracking: &Tracking) {
    let run = new_run(ctx, tracking, 0).await;
    for batch in 0..100 {
        let metrics = metrics(1_000, 1, batch * 1_000);
        runs::log_batch(ctx, tracking, &run, LogBatch { metrics, ..LogBatch::default() }).await.unwrap();
    }
    let key = "metric_0".to_owned();
    measure("get_history, 100,000 points", 10, async |_| {
        let request = GetHistory { key: key.clone(), ..GetHistory::default() };
        assert_eq!(history::get_history(ctx, tracking, &run, request).await.unwrap().items.len(), 100_000);
    })
    .await;
    measure("sample_history (bulk-interval), 320 of 100,000 points", 10, async |_| {
        let (run_ids, key) = (vec![run.clone()], key.clone());
        let request = SampleHistory { run_ids, key, max_results: 320, steps: None };
        history::sample_history(ctx, tracking, request).await.unwrap()
    })
    .await;
    measure("read_series, 300 buckets of 100,000 points", 10, async |_| {
        let request =
            ReadSeries { run_ids: vec![run.clone()], metric_keys: vec![key.clone()], ..ReadSeries::default() };
        series::read_series(ctx, tracking, request).await.unwrap()
    })
    .await;
}

async fn fill(ctx: &Ctx, tracking: &Tracking, from: u32, to: u32) {
    let (started, cpu_before) = (Instant::now(), cpu());
    let fill_one = async |at: u32| {
        let run = new_run(ctx, tracking, at).await;
        let mut metrics = metrics(10, 10, 0);
        metrics.push(NewMetric { key: "acc".to_owned(), value: scattered(at), ..NewMetric::default() });
        if at.is_multiple_of(1_000) {
            metrics.push(NewMetric { key: "rare".to_owned(), value: 1.0, ..NewMetric::default() });
        }
        let params = (0..10).map(|p| Param { key: format!("p{p}"), value: (at % 50).to_string() }).collect();
        runs::log_batch(ctx, tracking, &run, LogBatch { metrics, params, ..LogBatch::default() }).await.unwrap();
    };
    for first in (from..to).step_by(200) {
        futures::future::join_all((first..(first + 200).min(to)).map(&fill_one)).await;
    }
    let each = |duration: Duration| duration.as_secs_f64() * 1_000.0 / f64::from(to - from);
    println!(
        "{:60} {:9.3} ms CPU {:9.3} ms wall",
        format!("fill to {to} runs (create_run + log_batch, 200 at once)"),
        each(cpu() - cpu_before),
        each(started.elapsed())
    );
}

async fn searches(ctx: &Ctx, tracking: &Tracking) {
    let cases: [(&str, &str, &[&str]); 14] = [
        ("plain", "", &[]),
        ("start_time ASC", "", &["start_time ASC"]),
        ("metrics.acc > 0.5", "metrics.acc > 0.5", &[]),
        ("metrics.acc > 0.9999", "metrics.acc > 0.9999", &[]),
        ("metrics.acc > 2 (none)", "metrics.acc > 2", &[]),
        ("ORDER BY metrics.acc DESC", "", &["metrics.acc DESC"]),
        ("ORDER BY metrics.acc ASC", "", &["metrics.acc ASC"]),
        ("ORDER BY metrics.metric_0 DESC (all equal)", "", &["metrics.metric_0 DESC"]),
        ("ORDER BY metrics.rare DESC (most without)", "", &["metrics.rare DESC"]),
        ("metrics.acc > 0.5 ORDER BY metrics.acc", "metrics.acc > 0.5", &["metrics.acc DESC"]),
        ("tags.team = 'team-3'", "tags.team = 'team-3'", &[]),
        ("params.p1 = '7' AND metrics.acc < 0.5", "params.p1 = '7' AND metrics.acc < 0.5", &[]),
        ("tags.team LIKE '%none%' (none)", "tags.team LIKE '%none%'", &[]),
        ("ORDER BY params.p1", "", &["params.p1 ASC"]),
    ];
    for (name, filter, order_by) in cases {
        let request = SearchRuns {
            experiment_ids: vec![ExperimentId::DEFAULT],
            filter: Some(filter.to_owned()),
            max_results: 100,
            order_by: order_by.iter().map(|key| (*key).to_owned()).collect(),
            ..SearchRuns::default()
        };
        measure(&format!("search_runs, 100: {name}"), 10, async |_| {
            search::search_runs(ctx, tracking, request.clone()).await.unwrap()
        })
        .await;
    }
    let columns = ["acc", "metric_1"].map(|key| Column::Metric(key.to_owned()));
    let request = SearchRuns { experiment_ids: vec![ExperimentId::DEFAULT], max_results: 100, ..SearchRuns::default() };
    measure("search_runs_table, 100 rows, 2 columns, with total", 10, async |_| {
        search::search_runs_table(ctx, tracking, request.clone(), &columns).await.unwrap()
    })
    .await;
    let filtered = SearchRuns { filter: Some("metrics.acc > 0.5".to_owned()), ..request };
    measure("search_runs_table, metrics.acc > 0.5, with total", 5, async |_| {
        search::search_runs_table(ctx, tracking, filtered.clone(), &columns).await.unwrap()
    })
    .await;
    measure("list_columns", 5, async |_| {
        let experiment_ids = vec![ExperimentId::DEFAULT];
        search::list_columns(ctx, tracking, ListColumns { experiment_ids, search: None, max_results: 200 })
            .await
            .unwrap()
    })
    .await;
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let is_postgres = arguments.next().is_some_and(|kind| kind == "postgres");
    let runs: u32 = arguments.next().map_or(50_000, |runs| runs.parse().expect("a number of runs"));
    let database =
        if is_postgres { TestDatabase::postgres(&[SCHEMA]).await } else { TestDatabase::sqlite(&[SCHEMA]).await };
    let objects_folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", objects_folder.path().display());
    let objects = Objects::open(&url, objects_folder.path(), database.db.clone(), Clock::System).await.unwrap();
    let (ctx, tracking) = (ctx(), Tracking::new(database.db.clone(), objects));
    writes(&ctx, &tracking).await;
    long_histories(&ctx, &tracking).await;
    let mut filled = 0;
    for size in [10_000, 50_000].into_iter().filter(|size| *size <= runs) {
        fill(&ctx, &tracking, filled, size).await;
        filled = size;
        searches(&ctx, &tracking).await;
    }
}
