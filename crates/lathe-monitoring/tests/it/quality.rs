use lathe_monitoring::quality::{NewLabel, RequestRef, add_labels, list_quality};
use lathe_monitoring::windows::Span;
use lathe_testkit::store_test;
use serde_json::{Value, json};

use crate::*;

fn label(id: &str, label: impl Into<Value>) -> NewLabel {
    NewLabel { id: RequestRef::Server(id.to_owned()), row: 0, label: label.into() }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn labels_come_late_and_again_and_count_once(db: Db) {
    let world = world(&db).await;
    world.set(Settings { score_column: Some("late".into()), ..Settings::default() }).await;
    let mut named = sample("c", HOUR_MS, (1.0, "UA"), 0.9);
    named.client_request_id = Some("mine".to_owned());
    world.record(vec![sample("a", 0, (1.0, "UA"), 0.9), sample("b", 0, (1.0, "UA"), 0.4), named]).await;
    let (ctx, monitoring) = (&world.ctx, &world.monitoring);
    let labels = vec![label("a", 1), label("b", 1), label("nobody", 1)];
    let done = add_labels(ctx, monitoring, DEPLOYMENT, labels.clone()).await.unwrap();
    assert_eq!((done.added, done.unchanged, done.unknown), (2, 0, vec!["nobody".to_owned()]));
    let done = add_labels(ctx, monitoring, DEPLOYMENT, labels).await.unwrap();
    assert_eq!((done.added, done.unchanged), (0, 2));
    let own = NewLabel { id: RequestRef::Client("mine".into()), row: 0, label: json!(0) };
    assert_eq!(add_labels(ctx, monitoring, DEPLOYMENT, vec![own, label("b", 0)]).await.unwrap().added, 2);
    let rows = list_quality(ctx, monitoring, DEPLOYMENT, Span::default()).await.unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.start_ms, row.rows, row.labelled)).collect();
    assert_eq!(seen, [(0, 2, 2), (HOUR_MS, 1, 1)]);
    assert!((rows[0].measures["brier"] - (0.01 + 0.16) / 2.0).abs() < 1e-12, "{:?}", rows[0].measures);
    assert_eq!((rows[0].measures["auc"], rows[0].measures["accuracy"]), (1.0, 1.0), "half and more is the positive class");
    let actions = world.actions().await;
    assert_eq!(actions.iter().filter(|action| *action == "monitoring.labels_added").count(), 2);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_score_column_that_holds_no_numbers_is_told_and_takes_no_label_away(db: Db) {
    let world = world(&db).await;
    let score = |name: &str| Settings {
        prediction_column: Some("late".into()),
        score_column: Some(name.into()),
        ..Settings::default()
    };
    let classified = |id: &str, at_ms: i64| {
        let outputs =
            vec![column("late", Values::Numbers(vec![1.0])), column("class", Values::Texts(vec![Some("late".to_owned())]))];
        Sample { outputs: Table::new(outputs).unwrap(), ..sample(id, at_ms, (1.0, "UA"), 0.9) }
    };
    let (ctx, monitoring) = (&world.ctx, &world.monitoring);
    world.set(score("class")).await;
    world.record(vec![classified("a", 0)]).await;
    world.set(Settings { prediction_column: None, ..score("class") }).await;
    world.record(vec![classified("b", HOUR_MS)]).await;
    world.set(score("late")).await;
    world.record(vec![classified("c", 2 * HOUR_MS)]).await;
    add_labels(ctx, monitoring, DEPLOYMENT, ["a", "b", "c"].map(|id| label(id, 1)).into()).await.unwrap();
    world.set(score("class")).await;
    let rows = list_quality(ctx, monitoring, DEPLOYMENT, Span::default()).await.unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.labelled, row.problem.is_some())).collect();
    assert_eq!(seen, [(1, true), (1, true), (1, false)]);
    assert!(rows[0].problem.as_ref().unwrap().contains("`class` holds texts"), "{:?}", rows[0].problem);
    assert_eq!((rows[0].measures["accuracy"], rows[1].measures.len()), (1.0, 0));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn labels_that_cannot_be_are_refused_and_none_is_stored(db: Db) {
    let world = world(&db).await;
    world.record(vec![sample("a", 0, (1.0, "UA"), 0.9)]).await;
    let (ctx, monitoring) = (&world.ctx, &world.monitoring);
    for bad in [
        NewLabel { row: 1, ..label("a", 1) },
        NewLabel { row: -1, ..label("a", 1) },
        label("a", json!([1])),
        label("a", Value::Null),
        label("a\0", 1),
    ] {
        let done = add_labels(ctx, monitoring, DEPLOYMENT, vec![label("a", 1), bad]).await;
        assert_eq!(code(done), Code::InvalidArgument);
    }
    assert_eq!(world.count("labels").await, 0);
    let viewer = add_labels(&as_role(Role::Viewer), monitoring, DEPLOYMENT, vec![label("a", 1)]).await;
    assert_eq!(code(viewer), Code::PermissionDenied);
    let other = add_labels(&elsewhere(), monitoring, DEPLOYMENT, vec![label("a", 1)]).await.unwrap();
    assert_eq!((other.added, other.unknown_labels), (0, 1));
});

/// A request of many rows: the odd ones are answered with a high score.
fn long_sample(id: &str, variant: Variant, rows: usize) -> Sample {
    let scores = (0..rows).map(|row| if row % 2 == 1 { 0.9 } else { 0.1 }).collect();
    let inputs = Table::new(vec![column("temp", Values::Numbers(vec![1.0; rows]))]).unwrap();
    let outputs = Table::new(vec![column("late", Values::Numbers(scores))]).unwrap();
    Sample { variant, inputs, outputs, ..sample(id, 0, (1.0, "UA"), 0.1) }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_window_of_more_labels_than_a_page_is_judged_whole(db: Db) {
    const ROWS: usize = 3_500;
    let world = world(&db).await;
    world.set(Settings { score_column: Some("late".into()), ..Settings::default() }).await;
    let mut samples: Vec<Sample> = ["a", "b"].map(|id| long_sample(id, Variant::Primary, ROWS)).into();
    samples.push(long_sample("b", Variant::Shadow, ROWS));
    samples.extend((0..120).map(|at| sample(&format!("c{at:03}"), 0, (1.0, "UA"), 0.9)));
    world.record(samples).await;
    let (ctx, monitoring) = (&world.ctx, &world.monitoring);
    for id in ["a", "b"] {
        // A tenth of the rows of `a` turned out otherwise.
        let is_turned = |row: usize| id == "a" && row >= ROWS - ROWS / 10;
        let labels = (0..ROWS).map(|row| NewLabel {
            row: i64::try_from(row).unwrap(),
            ..label(id, (row % 2 == 1) != is_turned(row))
        });
        let done = add_labels(ctx, monitoring, DEPLOYMENT, labels.collect()).await.unwrap();
        assert_eq!(done.added, ROWS as u64);
    }
    let labels = (0..120).map(|at| label(&format!("c{at:03}"), true)).collect();
    assert_eq!(add_labels(ctx, monitoring, DEPLOYMENT, labels).await.unwrap().added, 120);

    let rows = list_quality(ctx, monitoring, DEPLOYMENT, Span::default()).await.unwrap();
    let seen: Vec<_> = rows.iter().map(|row| (row.variant.as_str(), row.rows, row.labelled)).collect();
    assert_eq!(seen, [("primary", 7_120, 7_120), ("shadow", 3_500, 3_500)]);
    assert!((rows[0].measures["accuracy"] - (7_120.0 - 350.0) / 7_120.0).abs() < 1e-12, "{:?}", rows[0].measures);
    assert_eq!(rows[1].measures["accuracy"], 1.0);
});
