use bytes::Bytes;
use lathe_monitoring::Profile;
use lathe_monitoring::references::{
    ColumnChoice, FileKind, add_file, get_reference, sampled_columns, set_reference, set_window_reference,
};
use lathe_monitoring::report::report_drift;
use lathe_monitoring::windows::Span;
use lathe_testkit::store_test;

use crate::*;

/// Rows of one window: temperatures around a centre, in turn of two carriers.
fn lot(prefix: &str, at_ms: i64, centre: f64, version: i64) -> Vec<Sample> {
    let one = |at: usize| {
        let carrier = if at.is_multiple_of(2) { "UA" } else { "AA" };
        let mut made = sample(&format!("{prefix}{at}"), at_ms, (centre + (at % 20) as f64, carrier), 0.2);
        made.version = version;
        made
    };
    (0..200).map(one).collect()
}

async fn shares(world: &World, version: Option<i64>) -> Vec<Option<f64>> {
    let report = report_drift(&world.ctx, &world.monitoring, DEPLOYMENT, version, Span::default()).await.unwrap();
    report.windows.iter().map(|window| window.drift_share).collect()
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn windows_are_compared_with_a_window_that_a_person_chose(db: Db) {
    let world = world(&db).await;
    world.record([lot("a", 0, 0.0, 1), lot("b", HOUR_MS, 0.0, 1), lot("c", 2 * HOUR_MS, 15.0, 1)].concat()).await;
    assert_eq!(shares(&world, None).await, [None, None, None], "there is nothing to compare with");
    let (ctx, monitoring) = (&world.ctx, &world.monitoring);
    assert_eq!(code(get_reference(ctx, monitoring, DEPLOYMENT, 0).await), Code::NotFound);
    assert_eq!(code(set_window_reference(ctx, monitoring, DEPLOYMENT, 0, 7).await), Code::NotFound);
    let set = set_window_reference(ctx, monitoring, DEPLOYMENT, 0, 0).await.unwrap();
    assert_eq!((set.rows, set.version), (200, 0));
    assert_eq!(shares(&world, None).await, [Some(0.0), Some(0.0), Some(0.5)]);
    let report = report_drift(ctx, monitoring, DEPLOYMENT, None, Span::default()).await.unwrap();
    let temperature = report.windows[2].columns.iter().find(|column| column.name == "temp").unwrap();
    assert_eq!(temperature.is_drifted, Some(true));
    assert!(temperature.problems[0].contains("leave the reference's range"), "{:?}", temperature.problems);
    assert_eq!(report.reference, Some(set));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn each_window_is_compared_with_what_its_version_learnt_from(db: Db) {
    let world = world(&db).await;
    world.record([lot("a", 0, 0.0, 1), lot("b", HOUR_MS, 30.0, 1), lot("c", 2 * HOUR_MS, 30.0, 2)].concat()).await;
    let choice = sampled_columns(&world.ctx, &world.monitoring, DEPLOYMENT).await.unwrap();
    for (version, centre) in [(1, 0), (2, 30)] {
        let rows = (0..400).map(|at| format!("{},{},x", centre + at % 20, if at % 2 == 0 { "UA" } else { "AA" }));
        let text = format!("temp,carrier,year\n{}\n", rows.collect::<Vec<_>>().join("\n"));
        let mut profile = Profile::default();
        add_file(&mut profile, FileKind::Csv, Bytes::from(text), &choice).unwrap();
        set_reference(&world.ctx, &world.monitoring, DEPLOYMENT, version, "a file", Vec::new(), profile).await.unwrap();
    }
    assert_eq!(shares(&world, None).await, [Some(0.0), Some(0.5), Some(0.0)]);
    assert_eq!(shares(&world, Some(2)).await, [None, None, Some(0.0)]);
    assert!(world.actions().await.contains(&"monitoring.reference_set".to_owned()));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_holds_no_rows_of_the_model_is_no_reference(db: Db) {
    let world = world(&db).await;
    let (ctx, monitoring) = (&world.ctx, &world.monitoring);
    let empty = set_reference(ctx, monitoring, DEPLOYMENT, 0, "nothing", Vec::new(), Profile::default()).await;
    assert_eq!(code(empty), Code::InvalidArgument);
    let mut profile = Profile::default();
    let torn = add_file(&mut profile, FileKind::Parquet, Bytes::from_static(b"PAR1"), &ColumnChoice::default());
    assert_eq!(code(torn), Code::InvalidArgument);
    assert_eq!(code(set_window_reference(&as_role(Role::Viewer), monitoring, DEPLOYMENT, 0, 0).await), Code::PermissionDenied);
});
