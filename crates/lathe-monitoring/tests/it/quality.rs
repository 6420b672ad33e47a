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
