use lathe_monitoring::quality::list_prediction_origins;
use std::collections::BTreeSet;

use lathe_monitoring::report::report_drift;
use lathe_monitoring::settings::get_settings;
use lathe_monitoring::traffic::list_traffic;
use lathe_monitoring::windows::{Span, expire_windows, forget_unknown};
use lathe_testkit::store_test;

use crate::*;

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_request_counts_once_however_often_it_is_recorded(db: Db) {
    let world = world(&db).await;
    let lot = || (0..5).map(|at| sample(&format!("r{at}"), 10, (3.0, "UA"), 0.2)).collect::<Vec<_>>();
    world.record(lot()).await;
    let mut more = lot();
    more.push(sample("r5", 20, (4.0, "AA"), 0.4));
    assert_eq!(world.record(more).await, 0);
    let rows = list_traffic(&world.ctx, &world.monitoring, DEPLOYMENT, Span::default()).await.unwrap();
    assert_eq!((rows.len(), rows[0].requests, rows[0].rows, rows[0].error_rate), (1, 6, 6, 0.0));
    assert_eq!(rows[0].p50_ms, Some(2.0));
    assert_eq!((world.count("sample_files").await, world.count("predictions").await), (2, 6));
    let found = list_prediction_origins(&world.ctx, &world.monitoring, "r5").await.unwrap();
    assert_eq!((found[0].deployment.as_str(), found[0].version, found[0].at_ms), (DEPLOYMENT, 1, 20));
    assert!(list_prediction_origins(&elsewhere(), &world.monitoring, "r5").await.unwrap().is_empty());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn versions_failures_and_windows_are_counted_apart(db: Db) {
    let world = world(&db).await;
    let mut canary = sample("b", 0, (1.0, "UA"), 0.1);
    (canary.version, canary.variant) = (2, Variant::Canary);
    let mut failed = sample("c", 0, (1.0, "UA"), 0.1);
    (failed.outcome, failed.inputs, failed.outputs) =
        (Outcome::Failed("unavailable".into()), Table::default(), Table::default());
    let later = sample("d", HOUR_MS, (1.0, "UA"), 0.1);
    let failed_by = |request: &str, code: Code| Sample {
        request_id: request.to_owned(),
        outcome: Outcome::Failed(code.as_str().to_owned()),
        ..failed.clone()
    };
    let others = [failed_by("e", Code::ModelFailed), failed_by("f", Code::InvalidArgument)];
    let first = sample("a", 0, (1.0, "UA"), 0.1);
    world.record([first, canary, failed, later].into_iter().chain(others).collect()).await;
    let rows = list_traffic(&world.ctx, &world.monitoring, DEPLOYMENT, Span::default()).await.unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.start_ms, row.version, row.requests, row.error_rate)).collect();
    // What the model raised is its error; what was asked badly is neither its error nor a request that it could answer.
    assert_eq!(seen, [(0, 1, 4, 2.0 / 3.0), (0, 2, 1, 0.0), (HOUR_MS, 1, 1, 0.0)]);
    let errors = [("invalid_argument", 1), ("model_failed", 1), ("unavailable", 1)];
    assert_eq!(rows[0].errors, errors.map(|(code, count)| (code.to_owned(), count)).into());
    let span = Span { from_ms: HOUR_MS, ..Span::default() };
    assert_eq!(list_traffic(&world.ctx, &world.monitoring, DEPLOYMENT, span).await.unwrap().len(), 1);
    let bad = Span { windows: 0, ..Span::default() };
    assert_eq!(code(list_traffic(&world.ctx, &world.monitoring, DEPLOYMENT, bad).await), Code::InvalidArgument);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn many_lots_of_a_window_are_merged_and_none_is_lost(db: Db) {
    let world = world(&db).await;
    for at in 0..40 {
        world.record(vec![sample(&format!("r{at}"), at, (at as f64, "UA"), 0.2)]).await;
    }
    assert!(world.count("segments").await <= 17, "{}", world.count("segments").await);
    let rows = list_traffic(&world.ctx, &world.monitoring, DEPLOYMENT, Span::default()).await.unwrap();
    assert_eq!((rows.len(), rows[0].requests), (1, 40));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn numbers_beyond_all_bounds_break_no_window(db: Db) {
    let world = world(&db).await;
    for at in 0..40 {
        let temperature = if at % 2 == 0 { f64::MAX } else { -1e300 };
        assert_eq!(world.record(vec![sample(&format!("r{at}"), at, (temperature, "UA"), f64::NAN)]).await, 0);
    }
    let report = report_drift(&world.ctx, &world.monitoring, DEPLOYMENT, None, Span::default()).await.unwrap();
    assert_eq!((report.windows.len(), report.windows[0].rows), (1, 40));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn an_answer_without_rows_is_counted_and_keeps_no_other_from_being_kept(db: Db) {
    let world = world(&db).await;
    let mut empty = sample("empty", 0, (1.0, "UA"), 0.1);
    empty.outputs = Table::new(vec![column("late", Values::Numbers(Vec::new()))]).unwrap();
    assert_eq!(world.record(vec![empty, sample("full", 0, (1.0, "UA"), 0.1)]).await, 0);
    let rows = list_traffic(&world.ctx, &world.monitoring, DEPLOYMENT, Span::default()).await.unwrap();
    assert_eq!((rows[0].requests, world.count("predictions").await), (2, 2));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_was_on_its_way_when_its_deployment_was_deleted_is_forgotten(db: Db) {
    let world = world(&db).await;
    world.record(vec![sample("a", 0, (1.0, "UA"), 0.1)]).await;
    let known = BTreeSet::from([(Project::default_project(), DEPLOYMENT.to_owned())]);
    forget_unknown(&world.monitoring, &known).await.unwrap();
    assert_eq!(world.count("segments").await, 1);
    forget_unknown(&world.monitoring, &BTreeSet::new()).await.unwrap();
    assert_eq!((world.count("segments").await, world.count("monitor_windows").await), (0, 0));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn old_windows_go_with_all_that_is_theirs_and_gc_takes_their_files(db: Db) {
    let world = world(&db).await;
    world.set(Settings { retention_ms: 24 * HOUR_MS, ..Settings::default() }).await;
    world.record(vec![sample("a", 0, (1.0, "UA"), 0.1), sample("b", 30 * HOUR_MS, (1.0, "UA"), 0.1)]).await;
    let now_ms = Clock::System.now_ms();
    assert_eq!(expire_windows(&world.monitoring, now_ms).await.unwrap(), 0, "what is replayed today is new");
    assert_eq!(expire_windows(&world.monitoring, now_ms + 25 * HOUR_MS).await.unwrap(), 2);
    for table in ["monitor_windows", "predictions", "sample_files", "segments"] {
        assert_eq!(world.count(table).await, 0, "{table}");
    }
    let collected = lathe_objects::gc(&world.objects, lathe_monitoring::LIVE_OBJECTS, -1).await.unwrap();
    assert_eq!(world.count("objects").await, 0, "{collected:?}");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn bad_samples_and_settings_are_refused(db: Db) {
    let world = world(&db).await;
    let mut bad = sample("b", 0, (1.0, "UA"), 0.1);
    bad.version = 0;
    assert_eq!(world.record(vec![bad]).await, 1, "dropped, and counted");
    assert_eq!(world.count("segments").await, 0);
    let viewer = as_role(Role::Viewer);
    assert_eq!(code(set_settings(&viewer, &world.monitoring, DEPLOYMENT, Change::default()).await), Code::PermissionDenied);
    for settings in [
        Settings { window_ms: 1, ..Settings::default() },
        Settings { sample_share: 1.5, ..Settings::default() },
        Settings { sample_share: f64::NAN, ..Settings::default() },
        Settings { retention_ms: 5, ..Settings::default() },
        Settings { score_column: Some(String::new()), ..Settings::default() },
    ] {
        let done = set_settings(&world.ctx, &world.monitoring, DEPLOYMENT, all_of(settings)).await;
        assert_eq!(code(done), Code::InvalidArgument);
    }
    world.record(vec![sample("a", 0, (1.0, "UA"), 0.1)]).await;
    let other = Change { window_ms: Some(2 * HOUR_MS), ..Change::default() };
    assert_eq!(code(set_settings(&world.ctx, &world.monitoring, DEPLOYMENT, other).await), Code::Conflict);
    assert_eq!(get_settings(&viewer, &world.monitoring, DEPLOYMENT).await.unwrap(), Settings::default());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_a_change_leaves_out_stays_also_where_there_are_windows(db: Db) {
    let world = world(&db).await;
    let chosen = Settings { window_ms: 60_000, score_column: Some("p".to_owned()), allows_replay: true, ..Settings::default() };
    world.set(chosen.clone()).await;
    world.record(vec![sample("a", 0, (1.0, "UA"), 0.1)]).await;
    let change = Change { score_column: Some(None), ..Change::default() };
    let expected = Settings { score_column: None, ..chosen };
    assert_eq!(set_settings(&world.ctx, &world.monitoring, DEPLOYMENT, change).await.unwrap(), expected);
    assert_eq!(get_settings(&world.ctx, &world.monitoring, DEPLOYMENT).await.unwrap(), expected);
    let longer = Change { window_ms: Some(2 * 60_000), ..Change::default() };
    let refused = set_settings(&world.ctx, &world.monitoring, DEPLOYMENT, longer).await.unwrap_err();
    assert!(refused.message().contains("has windows of 1m already"), "{refused}");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn changes_of_two_people_at_once_both_stay(db: Db) {
    let world = world(&db).await;
    for round in 1..=10 {
        let share = f64::from(round) / 10.0;
        let (retention_ms, label) = (i64::from(round) * 24 * HOUR_MS, Some(format!("class {round}")));
        let set = |change| set_settings(&world.ctx, &world.monitoring, DEPLOYMENT, change);
        let done = futures::join!(
            set(Change { sample_share: Some(share), ..Change::default() }),
            set(Change { retention_ms: Some(retention_ms), ..Change::default() }),
            set(Change { positive_label: Some(label.clone()), ..Change::default() }),
        );
        done.0.and(done.1).and(done.2).unwrap();
        let found = get_settings(&world.ctx, &world.monitoring, DEPLOYMENT).await.unwrap();
        assert_eq!((found.sample_share, found.retention_ms, found.positive_label), (share, retention_ms, label));
    }
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_share_of_the_rows_is_kept_and_all_requests_are_counted(db: Db) {
    let world = world(&db).await;
    world.set(Settings { sample_share: 0.25, ..Settings::default() }).await;
    world.record((0..400).map(|at| sample(&format!("request-{at}"), 0, (1.0, "UA"), 0.1)).collect()).await;
    let rows = list_traffic(&world.ctx, &world.monitoring, DEPLOYMENT, Span::default()).await.unwrap();
    assert_eq!(rows[0].requests, 400);
    let kept = world.count("predictions").await;
    assert!((60..=140).contains(&kept), "{kept} of 400");
});
