use lathe_core::{Code, RunId};
use lathe_testkit::{ctx, store_test};
use lathe_tracking::metrics::history::*;
use lathe_tracking::metrics::live::{Cursor, read_cursor, read_points_after};
use lathe_tracking::metrics::series::{Axis, ReadSeries, read_series};
use lathe_tracking::runs::{self, LogBatch};
use lathe_tracking::{MetricPoint, Tracking};

use crate::{SCHEMAS, elsewhere, error, log, message, metric, run, tracking};

async fn log_points(tracking: &Tracking, run_id: &RunId, key: &str, points: &[(f64, i64, i64)]) {
    let metrics = points.iter().map(|(value, timestamp_ms, step)| metric(key, *value, *timestamp_ms, *step)).collect();
    log(tracking, run_id, LogBatch { metrics, ..LogBatch::default() }).await;
}

fn all_of(key: &str) -> GetHistory {
    GetHistory { key: key.to_owned(), ..GetHistory::default() }
}

fn shown(points: &[MetricPoint]) -> Vec<(f64, i64, i64)> {
    points.iter().map(|point| (point.value, point.timestamp_ms, point.step)).collect()
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn history_and_latest_follow_mlflow(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    // As in the recorded session: an older step, a lower value at the same step and time, an exact duplicate.
    for point in [(1.0, 1, 5), (2.0, 9, 3), (0.5, 1, 5), (1.0, 1, 5)] {
        log_points(&tracking, &id, "s", &[point]).await;
    }
    let history = get_history(&ctx(), &tracking, &id, all_of("s")).await.unwrap();
    assert_eq!(shown(&history.items), [(0.5, 1, 5), (1.0, 1, 5), (2.0, 9, 3)]);
    let latest = &runs::get_run(&ctx(), &tracking, &id).await.unwrap().metrics[0];
    assert_eq!((latest.value, latest.timestamp_ms, latest.step), (1.0, 1, 5));
    assert!(get_history(&ctx(), &tracking, &id, all_of("zz")).await.unwrap().items.is_empty());

    log_points(&tracking, &id, "s", &[(f64::NAN, 1, 5)]).await;
    assert_eq!(runs::get_run(&ctx(), &tracking, &id).await.unwrap().metrics[0].value, 1.0);
    log_points(&tracking, &id, "s", &[(f64::NAN, 2, 5)]).await;
    assert!(runs::get_run(&ctx(), &tracking, &id).await.unwrap().metrics[0].value.is_nan());
    log_points(&tracking, &id, "s", &[(-7.0, 2, 5)]).await;
    assert_eq!(runs::get_run(&ctx(), &tracking, &id).await.unwrap().metrics[0].value, -7.0);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn history_is_paged(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    let points: Vec<(f64, i64, i64)> = (0..105).map(|i| (i as f64, i, i)).collect();
    for request in points.chunks(7) {
        log_points(&tracking, &id, "m", request).await;
    }
    let (mut request, mut seen) = (GetHistory { max_results: Some(25), ..all_of("m") }, Vec::new());
    loop {
        let page = get_history(&ctx(), &tracking, &id, request.clone()).await.unwrap();
        assert!(page.items.len() <= 25);
        seen.extend(shown(&page.items));
        let Some(next) = page.next else { break };
        request.page_token = Some(next.encode());
    }
    assert_eq!(seen, points);
    let stray = GetHistory { key: "other".to_owned(), ..request };
    assert_eq!(error(get_history(&ctx(), &tracking, &id, stray).await).code(), Code::InvalidArgument);
    let zero = GetHistory { max_results: Some(0), ..all_of("m") };
    assert!(message(get_history(&ctx(), &tracking, &id, zero).await).contains("It must be a positive integer."));
    assert_eq!(error(get_history(&elsewhere(), &tracking, &id, all_of("m")).await).code(), Code::NotFound);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn bulk_answers_runs_in_order_and_up_to_a_limit(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let first = run(&tracking, 1).await.info.run_id;
    let second = run(&tracking, 2).await.info.run_id;
    for id in [&first, &second] {
        log_points(&tracking, id, "m", &[(1.0, 2, 0), (2.0, 1, 0)]).await;
    }
    let ids = [second.clone(), first.clone(), RunId::generate()];
    let found = get_history_bulk(&ctx(), &tracking, &ids, "m", 3).await.unwrap();
    let shown: Vec<(&RunId, f64)> = found.iter().map(|p| (&p.run_id, p.point.value)).collect();
    let mut ordered = [&first, &second];
    ordered.sort();
    assert_eq!(shown, [(ordered[0], 2.0), (ordered[0], 1.0), (ordered[1], 2.0)]);
    assert!(get_history_bulk(&elsewhere(), &tracking, &ids, "m", 3).await.unwrap().is_empty());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn samples_keep_both_ends(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    let points: Vec<(f64, i64, i64)> = (0..100).map(|i| (i as f64, i, i)).collect();
    log_points(&tracking, &id, "m", &points).await;
    let sample = async |max_results, steps| -> Vec<i64> {
        let request = SampleHistory { run_ids: vec![id.clone()], key: "m".to_owned(), max_results, steps };
        let found = sample_history(&ctx(), &tracking, request).await.unwrap();
        found.iter().map(|p| p.point.step).collect()
    };
    assert_eq!(sample(5, None).await, [0, 20, 40, 60, 99]);
    assert_eq!(sample(3, Some((10, 12))).await, [10, 11, 12]);
    assert_eq!(sample(1, None).await, [99]);
    let unknown = SampleHistory { run_ids: vec![RunId::generate()], key: "m".to_owned(), max_results: 1, steps: None };
    assert_eq!(error(sample_history(&ctx(), &tracking, unknown).await).code(), Code::NotFound);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn series_come_in_buckets(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    let points: Vec<(f64, i64, i64)> = (0..100).map(|i| (if i == 42 { 1e9 } else { i as f64 }, 1_000 + i, i)).collect();
    log_points(&tracking, &id, "m", &points).await;
    let request = ReadSeries {
        run_ids: vec![id.clone(), RunId::generate()],
        metric_keys: vec!["m".to_owned(), "unknown".to_owned()],
        max_points: Some(10),
        ..ReadSeries::default()
    };
    let series = read_series(&ctx(), &tracking, request.clone()).await.unwrap();
    assert_eq!((series.len(), series[0].points), (1, 100));
    let buckets = &series[0].buckets;
    assert!(buckets.is_downsampled);
    assert_eq!(buckets.x, [9, 19, 29, 39, 49, 59, 69, 79, 89, 99]);
    assert_eq!((buckets.min[4], buckets.max[4], buckets.last[4]), (40.0, 1e9, 49.0));

    let by_time = ReadSeries { axis: Axis::Time, from: Some(1_010), to: Some(1_012), ..request.clone() };
    let series = read_series(&ctx(), &tracking, by_time).await.unwrap();
    assert_eq!((series[0].buckets.x.as_slice(), series[0].buckets.is_downsampled), (&[1_010, 1_011, 1_012][..], false));
    assert!(read_series(&elsewhere(), &tracking, request.clone()).await.unwrap().is_empty());
    let too_many = ReadSeries { max_points: Some(1_000_000), ..request };
    assert_eq!(error(read_series(&ctx(), &tracking, too_many).await).code(), Code::InvalidArgument);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_cursor_sees_each_point_once(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    log_points(&tracking, &id, "old", &[(1.0, 1, 1)]).await;
    let mut cursor: Cursor = read_cursor(&ctx(), &tracking, &id).await.unwrap();
    let mut seen = Vec::new();
    let mut next = 0_i64;
    for count in [1, 39, 1, 80, 3, 41] {
        let points: Vec<(f64, i64, i64)> = (next..next + count).map(|i| (i as f64, i, i)).collect();
        log_points(&tracking, &id, "m", &points).await;
        next += count;
        let (new, after) = read_points_after(&ctx(), &tracking, &id, &cursor).await.unwrap();
        assert_eq!(new.len(), 1);
        seen.extend(new[0].points.iter().map(|point| point.step));
        cursor = after;
    }
    assert_eq!(seen, (0..next).collect::<Vec<_>>());
    assert!(read_points_after(&ctx(), &tracking, &id, &cursor).await.unwrap().0.is_empty());
    let (all, _) = read_points_after(&ctx(), &tracking, &id, &Cursor::new()).await.unwrap();
    assert_eq!(all.iter().map(|new| new.points.len() as i64).sum::<i64>(), next + 1);
});
