use std::collections::BTreeSet;
use std::time::Duration;

use lathe_core::Code;
use lathe_db::{FutureExt as _, Value, query};
use lathe_testkit::{ctx, store_test};
use lathe_tracking::inputs::{Dataset, DatasetInput, log_inputs};
use lathe_tracking::runs::{self, CreateRun, LogBatch, UpdateRun, delete_run};
use lathe_tracking::search::*;
use lathe_tracking::{ExperimentId, RunStatus, Tracking, ViewType, experiments};

use crate::{SCHEMAS, elsewhere, error, log, message, metric, param, run, tag, tracking};

fn in_default(filter: &str, order_by: &[&str]) -> SearchRuns {
    SearchRuns {
        experiment_ids: vec![ExperimentId::DEFAULT],
        filter: Some(filter.to_owned()),
        order_by: order_by.iter().map(|key| (*key).to_owned()).collect(),
        max_results: 100,
        ..SearchRuns::default()
    }
}

/// The start times of the runs found: the tests make each run with one of its own.
async fn found(tracking: &Tracking, request: SearchRuns) -> Vec<i64> {
    let page = search_runs(&ctx(), tracking, request).await.unwrap();
    page.items.iter().map(|run| run.info.start_time_ms).collect()
}

/// Runs 1 to 5: acc 0.1, 0.2, NaN, none, 0.2; param p is the number as text, but run 5 has none; tag team is a, b, a, b, a.
async fn five_runs(tracking: &Tracking) {
    let values = [Some(0.1), Some(0.2), Some(f64::NAN), None, Some(0.2)];
    for (number, value) in (1..).zip(values) {
        let id = run(tracking, number).await.info.run_id;
        let batch = LogBatch {
            metrics: value.map(|value| metric("acc", value, 1, 1)).into_iter().collect(),
            params: (number < 5).then(|| param("p", &number.to_string())).into_iter().collect(),
            tags: vec![tag("team", if number % 2 == 1 { "a" } else { "b" })],
        };
        log(tracking, &id, batch).await;
    }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn filters_find_what_they_say(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    five_runs(&tracking).await;
    let third = search_runs(&ctx(), &tracking, in_default("start_time = 3", &[])).await.unwrap().items.remove(0).info;
    let update = UpdateRun { status: Some(RunStatus::Finished), end_time_ms: Some(30), name: Some("Nice One".to_owned()) };
    runs::update_run(&ctx(), &tracking, &third.run_id, update).await.unwrap();
    let by_id = format!("run_id IN ('{}', 'nope')", third.run_id);
    let by_id_again = format!("attributes.run_id = '{}'", third.run_id);
    let not_by_id = format!("run_id != '{}'", third.run_id);
    let cases: [(&str, &[i64]); 29] = [
        ("", &[5, 4, 3, 2, 1]),
        ("metrics.acc > 0.15", &[5, 2]),
        ("metrics.acc >= 0.1 AND metrics.acc < 0.2", &[1]),
        ("metrics.acc = 0.2", &[5, 2]),
        ("metrics.acc != 0.2", &[3, 1]),
        ("metrics.unknown > 0", &[]),
        ("params.p = '2'", &[2]),
        ("params.p != '2'", &[4, 3, 1]),
        ("params.p IS NULL", &[5]),
        ("params.p IS NOT NULL", &[4, 3, 2, 1]),
        ("params.p LIKE '%'", &[4, 3, 2, 1]),
        ("tags.team = 'a'", &[5, 3, 1]),
        ("tags.team = 'a' AND metrics.acc > 0", &[5, 1]),
        ("tags.team ILIKE 'B'", &[4, 2]),
        ("tags.team LIKE 'B'", &[]),
        ("tags.team LIKE '\\'", &[]),
        ("tags.nothing IS NULL", &[5, 4, 3, 2, 1]),
        ("status = 'FINISHED'", &[3]),
        ("status != 'FINISHED'", &[5, 4, 2, 1]),
        ("status IN ('FINISHED', 'FAILED')", &[3]),
        ("run_name ILIKE 'nice%'", &[3]),
        ("end_time > 29.5", &[3]),
        ("start_time > 1 AND start_time <= 3", &[3, 2]),
        ("artifact_uri LIKE 'mlflow-artifacts:%' AND start_time = 1", &[1]),
        (&by_id, &[3]),
        (&by_id_again, &[3]),
        (&not_by_id, &[5, 4, 2, 1]),
        ("user_id = ''", &[5, 4, 3, 2, 1]),
        ("datasets.name = 'x'", &[]),
    ];
    for (filter, expected) in cases {
        assert_eq!(found(&tracking, in_default(filter, &[])).await, expected, "{filter}");
        let mut turned = expected.to_vec();
        turned.reverse();
        assert_eq!(found(&tracking, in_default(filter, &["start_time"])).await, turned, "{filter}");
        // The way that sorts everything must find the same as the ways that walk an index.
        assert_eq!(found(&tracking, in_default(filter, &["run_name ASC"])).await.len(), expected.len(), "{filter}");
        let request = SearchRuns { max_results: 1, ..in_default(filter, &[]) };
        let table = search_runs_table(&ctx(), &tracking, request, &[]).await.unwrap();
        assert_eq!(table.total, expected.len() as i64, "{filter}");
    }
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn orders_put_nan_and_missing_last_in_both_directions(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    five_runs(&tracking).await;
    let cases: [(&[&str], &[i64]); 9] = [
        (&["metrics.acc DESC"], &[5, 2, 1, 3, 4]),
        (&["metrics.acc ASC"], &[1, 5, 2, 3, 4]),
        (&["metrics.acc"], &[1, 5, 2, 3, 4]),
        (&["metrics.acc DESC", "start_time ASC"], &[2, 5, 1, 3, 4]),
        (&["metrics.unknown DESC"], &[5, 4, 3, 2, 1]),
        (&["params.p DESC"], &[4, 3, 2, 1, 5]),
        (&["params.p ASC"], &[1, 2, 3, 4, 5]),
        (&["tags.team ASC", "metrics.acc DESC"], &[5, 1, 3, 2, 4]),
        (&["start_time ASC"], &[1, 2, 3, 4, 5]),
    ];
    for (order_by, expected) in cases {
        assert_eq!(found(&tracking, in_default("", order_by)).await, expected, "{order_by:?}");
        // The same runs by pages of every size.
        for max_results in 1..=4 {
            let mut request = SearchRuns { max_results, ..in_default("", order_by) };
            let mut paged = Vec::new();
            loop {
                let page = search_runs(&ctx(), &tracking, request.clone()).await.unwrap();
                paged.extend(page.items.iter().map(|run| run.info.start_time_ms));
                let Some(next) = page.next else { break };
                request.page_token = Some(next.encode());
            }
            assert_eq!(paged, expected, "{order_by:?} by {max_results}");
        }
    }
    // With a filter, too.
    assert_eq!(found(&tracking, in_default("tags.team != 'b'", &["metrics.acc ASC"])).await, [1, 5, 3]);
    assert_eq!(found(&tracking, in_default("tags.team = 'a'", &["metrics.acc DESC"])).await, [5, 1, 3]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn views_and_experiments_bound_a_search(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    five_runs(&tracking).await;
    let request = experiments::CreateExperiment { name: "two".to_owned(), ..Default::default() };
    let two = experiments::create_experiment(&ctx(), &tracking, request).await.unwrap();
    // Runs of one millisecond have no order.
    tokio::time::sleep(Duration::from_millis(2)).await;
    let request = CreateRun { experiment_id: two.number(), start_time_ms: 6, ..CreateRun::default() };
    let sixth = runs::create_run(&ctx(), &tracking, request).await.unwrap().info.run_id;
    log(&tracking, &sixth, LogBatch { metrics: vec![metric("acc", 0.15, 1, 1)], ..LogBatch::default() }).await;
    let second = search_runs(&ctx(), &tracking, in_default("start_time = 2", &[])).await.unwrap().items.remove(0).info;
    delete_run(&ctx(), &tracking, &second.run_id).await.unwrap();

    let both = |order_by: &[&str]| SearchRuns { experiment_ids: vec![two, ExperimentId::DEFAULT], ..in_default("", order_by) };
    assert_eq!(found(&tracking, both(&[])).await, [6, 5, 4, 3, 1]);
    assert_eq!(found(&tracking, both(&["metrics.acc DESC"])).await, [5, 6, 1, 3, 4]);
    assert_eq!(found(&tracking, SearchRuns { view: ViewType::DeletedOnly, ..both(&[]) }).await, [2]);
    assert_eq!(found(&tracking, SearchRuns { view: ViewType::All, ..both(&[]) }).await, [6, 5, 4, 3, 2, 1]);
    let all = SearchRuns { view: ViewType::All, ..both(&["metrics.acc ASC"]) };
    assert_eq!(found(&tracking, all).await, [1, 6, 5, 2, 3, 4]);
    // More experiments than one statement joins by UNION ALL.
    let many = (0..40).map(ExperimentId::from_number).collect::<Vec<_>>();
    assert_eq!(found(&tracking, SearchRuns { experiment_ids: many.clone(), ..both(&[]) }).await, [6, 5, 4, 3, 1]);
    let ordered = SearchRuns { experiment_ids: many, ..both(&["metrics.acc DESC"]) };
    assert_eq!(found(&tracking, ordered).await, [5, 6, 1, 3, 4]);
    assert!(found(&tracking, SearchRuns { experiment_ids: Vec::new(), ..both(&[]) }).await.is_empty());
    assert!(search_runs(&elsewhere(), &tracking, both(&[])).await.unwrap().items.is_empty());
    assert_eq!(count_project(&ctx(), &tracking).await.unwrap(), Counts { experiments: 2, runs: 5 });
    let newest = list_newest_runs(&ctx(), &tracking, 1, &[]).await.unwrap();
    assert_eq!(newest.iter().map(|row| (row.start_time_ms, row.experiment_name.as_str())).collect::<Vec<_>>(), [(6, "two")]);
    let active = list_newest_runs(&ctx(), &tracking, 100, &[]).await.unwrap();
    assert_eq!(active.iter().map(|row| row.start_time_ms).collect::<BTreeSet<_>>(), BTreeSet::from([1, 3, 4, 5, 6]));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn many_matches_and_few_find_the_same(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let example = run(&tracking, 0).await;
    log(&tracking, &example.info.run_id, LogBatch { metrics: vec![metric("m", 0.0, 1, 1)], ..LogBatch::default() }).await;
    // Enough runs that no condition below is worth starting from.
    db.write(|tx| async move {
        for first in (1..=2500_i64).step_by(100) {
            let mut insert = query(
                "INSERT INTO runs (run_key, run_id, project, experiment, name, user_id, status, start_time_ms, artifact_uri, \
                 lifecycle_stage) VALUES ",
            );
            insert.push_rows((first..first + 100).map(|number| {
                let run_id = format!("{:028x}{number:04x}", 0);
                let text = |value: &str| Value::from(value);
                [
                    Value::from(number), text(&run_id), text("default"), Value::from(0_i64), text("n"), text(""),
                    text("RUNNING"), Value::from(number), text(""), text("active"),
                ]
            }));
            tx.execute(insert).await?;
        }
        tx.execute(query(
            "INSERT INTO latest_metrics (run_key, key_id, experiment, sortable_value, step, timestamp_ms, point_count) \
             SELECT r.run_key, k.key_id, 0, r.run_key % 100, 0, 0, 1 FROM runs r CROSS JOIN metric_keys k WHERE r.run_key <= 2500",
        )).await
    }.boxed()).await.unwrap();
    let page = async |filter: &str, order_by: &[&str]| {
        let request = SearchRuns { max_results: 3, ..in_default(filter, order_by) };
        found(&tracking, request).await
    };
    assert_eq!(page("metrics.m >= 0", &[]).await, [2500, 2499, 2498]);
    assert_eq!(page("metrics.m >= 0", &["metrics.m DESC"]).await, [2499, 2399, 2299]);
    assert_eq!(page("metrics.m >= 0", &["metrics.m ASC"]).await, [2500, 2400, 2300]);
    assert_eq!(page("metrics.m >= 0", &["metrics.m ASC", "start_time DESC"]).await, [2500, 2400, 2300]);
    assert_eq!(page("metrics.m < 0", &[]).await, [0_i64; 0]);
    assert_eq!(page("metrics.m = 0 AND metrics.m >= 0", &["metrics.m DESC"]).await, [2500, 2400, 2300]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn datasets_are_searched(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    run(&tracking, 2).await;
    let dataset = Dataset { name: "wine".to_owned(), digest: "d1".to_owned(), ..Dataset::default() };
    let input = DatasetInput { dataset, tags: vec![tag("mlflow.data.context", "training")] };
    log_inputs(&ctx(), &tracking, &id, vec![input], Vec::new()).await.unwrap();
    let cases: [(&str, &[i64]); 5] = [
        ("datasets.name = 'wine'", &[1]),
        ("dataset.digest IN ('d1', 'd2')", &[1]),
        ("datasets.context LIKE 'train%'", &[1]),
        ("datasets.context = 'eval'", &[]),
        ("datasets.name != 'wine'", &[]),
    ];
    for (filter, expected) in cases {
        assert_eq!(found(&tracking, in_default(filter, &[])).await, expected, "{filter}");
    }
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn the_table_shows_the_asked_columns(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    five_runs(&tracking).await;
    let columns = [Column::Tag("team".to_owned()), Column::Metric("acc".to_owned()), Column::Param("p".to_owned())];
    let request = SearchRuns { max_results: 2, ..in_default("", &["start_time ASC"]) };
    let table = search_runs_table(&ctx(), &tracking, request.clone(), &columns).await.unwrap();
    assert_eq!(table.total, 5);
    let row = &table.page.items[0];
    assert_eq!((row.experiment_name.as_str(), row.user.as_str(), &row.source_type), ("Default", "", &None));
    assert_eq!(row.values, [
        (columns[0].clone(), Cell::Text("a".to_owned())),
        (columns[1].clone(), Cell::Number(0.1)),
        (columns[2].clone(), Cell::Text("1".to_owned())),
    ]);
    let last = SearchRuns { page_token: None, order_by: Vec::new(), max_results: 1, ..request };
    let last = search_runs_table(&ctx(), &tracking, last, &columns).await.unwrap();
    assert_eq!(last.page.items[0].values.len(), 2);

    let ask = |search: Option<&str>, max_results| ListColumns {
        experiment_ids: vec![ExperimentId::DEFAULT], search: search.map(str::to_owned), max_results,
    };
    let listed = list_columns(&ctx(), &tracking, ask(None, 10)).await.unwrap();
    assert_eq!((listed.metrics.as_slice(), listed.params.as_slice()), (&["acc".to_owned()][..], &["p".to_owned()][..]));
    assert_eq!((listed.tags, listed.is_truncated), (vec!["mlflow.runName".to_owned(), "team".to_owned()], false));
    let listed = list_columns(&ctx(), &tracking, ask(Some("TEA"), 10)).await.unwrap();
    assert_eq!((listed.metrics.len(), listed.tags), (0, vec!["team".to_owned()]));
    assert!(list_columns(&ctx(), &tracking, ask(None, 1)).await.unwrap().is_truncated);
    assert_eq!(list_columns(&elsewhere(), &tracking, ask(None, 10)).await.unwrap(), Columns::default());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn bad_searches_are_refused(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let refused = async |request: SearchRuns| {
        let failure = error(search_runs(&ctx(), &tracking, request).await);
        assert_eq!(failure.code(), Code::InvalidArgument);
        failure.message().to_owned()
    };
    assert_eq!(refused(in_default("foo.bar='1'", &[])).await, "Invalid entity type 'foo'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']");
    assert!(refused(in_default("params.p = 'a\0b'", &[])).await.contains("NUL"));
    assert!(refused(in_default("", &["params.p", "params.p DESC"])).await.contains("duplicate fields"));
    assert!(refused(SearchRuns { max_results: 50_001, ..in_default("", &[]) }).await.contains("at most 50000"));
    assert!(refused(SearchRuns { page_token: Some("!!!".to_owned()), ..in_default("", &[]) }).await.contains("page token"));
    for word in ["NaN", "inf", "-Infinity"] {
        assert_eq!(
            refused(in_default(&format!("metrics.acc > {word}"), &[])).await,
            format!("Expected numeric value type for metric. Found {word}")
        );
    }
    assert!(message(search_runs(&ctx(), &tracking, SearchRuns { max_results: 0, ..in_default("", &[]) }).await).contains("positive"));
});
