use lathe_core::Code;
use lathe_testkit::{ctx, store_test};
use lathe_tracking::metrics::history::{GetHistory, get_history};
use lathe_tracking::runs::*;
use lathe_tracking::{Metric, NewMetric, Param};

use crate::{SCHEMAS, actions, error, log, message, metric, param, run, tag, tracking};

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_batch_is_stored_whole_and_read_back(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    let batch = LogBatch {
        metrics: vec![
            metric("loss", 0.5, 10, 1), metric("loss", 0.25, 20, 2), metric("acc", f64::NAN, 10, 1),
            metric("inf", f64::NEG_INFINITY, 10, 1),
        ],
        params: vec![param("lr", "0.1"), param("empty", ""), param("é:7", "5:x")],
        tags: vec![tag("x", "1"), tag("x", "2"), tag("long", &"é".repeat(8_001))],
    };
    log(&tracking, &id, batch).await;
    let found = get_run(&ctx(), &tracking, &id).await.unwrap();
    let latest: Vec<(&str, i64)> = found.metrics.iter().map(|m| (m.key.as_str(), m.step)).collect();
    assert_eq!(latest, [("acc", 1), ("inf", 1), ("loss", 2)]);
    assert!(found.metrics[0].value.is_nan());
    assert_eq!(found.metrics[1].value, f64::NEG_INFINITY);
    assert_eq!(found.metrics[2], Metric { key: "loss".to_owned(), value: 0.25, timestamp_ms: 20, step: 2 });
    assert_eq!(found.params, [param("empty", ""), param("lr", "0.1"), param("é:7", "5:x")]);
    assert_eq!(found.tags.iter().find(|t| t.key == "long").unwrap().value.chars().count(), 8_000);
    assert_eq!(found.tags.iter().find(|t| t.key == "x"), Some(&tag("x", "2")));
    assert_eq!(actions(&db).await, ["experiment.created", "run.created", "run.logged"]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_clashing_param_refuses_all_of_a_batch(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    log_param(&ctx(), &tracking, &id, param("p", "1")).await.unwrap();
    log_param(&ctx(), &tracking, &id, param("p", "1")).await.unwrap();
    let alone = error(log_param(&ctx(), &tracking, &id, param("p", "2")).await);
    assert_eq!((alone.code(), alone.message().to_owned()), (Code::InvalidArgument, format!(
        "Changing param values is not allowed. Param with key='p' was already logged with value='1' for run ID='{id}'. \
         Attempted logging new value '2'."
    )));
    let batch = LogBatch {
        metrics: vec![metric("m", 1.0, 1, 1)],
        params: vec![param("a", "1"), param("p", "9")],
        tags: vec![tag("t", "1")],
    };
    assert_eq!(message(log_batch(&ctx(), &tracking, &id, batch).await), format!(
        "Changing param values is not allowed. Params were already logged='[{{'key': 'p', 'old_value': '1', 'new_value': \
         '9'}}]' for run ID='{id}'."
    ));
    let found = get_run(&ctx(), &tracking, &id).await.unwrap();
    assert_eq!((found.params.as_slice(), found.metrics.len(), found.tags.len()), (&[param("p", "1")][..], 0, 1));
    // The name of the metric was rolled back with the rest: logging it again must not trust a memory of it.
    log(&tracking, &id, LogBatch { metrics: vec![metric("m", 1.0, 1, 1)], ..LogBatch::default() }).await;
    assert_eq!(get_run(&ctx(), &tracking, &id).await.unwrap().metrics.len(), 1);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn concurrent_batches_of_one_run_lose_nothing(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    let batches = (0..20_i64).map(|batch| {
        let (tracking, id) = (tracking.clone(), id.clone());
        async move {
            // Each names its metrics in another order.
            let metrics = (0..60).map(|i| {
                let i = if batch % 2 == 0 { i } else { 59 - i };
                metric(&format!("m{}", i % 3), 1.0, batch * 100 + i, i)
            }).collect();
            let tags = (0..4).map(|i| tag(&format!("t{}", (i + batch) % 4), "v")).collect();
            let params = (0..4).map(|i| param(&format!("p{}", (i + batch) % 4), "v")).collect();
            log_batch(&ctx(), &tracking, &id, LogBatch { metrics, params, tags }).await
        }
    });
    for result in futures::future::join_all(batches).await {
        result.unwrap();
    }
    for key in ["m0", "m1", "m2"] {
        let request = GetHistory { key: key.to_owned(), ..GetHistory::default() };
        assert_eq!(get_history(&ctx(), &tracking, &id, request).await.unwrap().items.len(), 400);
    }
    let found = get_run(&ctx(), &tracking, &id).await.unwrap();
    assert_eq!((found.params.len(), found.tags.len()), (4, 5));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn two_handles_agree_on_metric_names(db: Db) {
    let (_folder, first) = tracking(&db).await;
    let (_folder, second) = tracking(&db).await;
    let id = run(&first, 1).await.info.run_id;
    let keys: Vec<String> = (0..50).map(|i| format!("k{i}")).collect();
    let logs = keys.iter().flat_map(|key| {
        [&first, &second].map(|tracking| log_metric(&TEST, tracking, &id, metric(key, 1.0, 1, 0)))
    });
    for result in futures::future::join_all(logs).await {
        result.unwrap();
    }
    assert_eq!(get_run(&ctx(), &second, &id).await.unwrap().metrics.len(), 50);
});

static TEST: std::sync::LazyLock<lathe_core::Ctx> = std::sync::LazyLock::new(ctx);

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn tags_are_removed_and_models_recorded(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    set_tag(&ctx(), &tracking, &id, tag("a", "1")).await.unwrap();
    delete_tag(&ctx(), &tracking, &id, "a".to_owned()).await.unwrap();
    let missing = error(delete_tag(&ctx(), &tracking, &id, "a".to_owned()).await);
    assert_eq!((missing.code(), missing.message().to_owned()), (
        Code::NotFound, format!("No tag with name: a in run with id {id}")
    ));
    for path in ["m1", "m2"] {
        record_logged_model(&ctx(), &tracking, &id, serde_json::json!({ "artifact_path": path })).await.unwrap();
    }
    let found = get_run(&ctx(), &tracking, &id).await.unwrap();
    let history = found.tags.iter().find(|t| t.key == "mlflow.log-model.history").unwrap();
    assert_eq!(history.value, r#"[{"artifact_path":"m1"},{"artifact_path":"m2"}]"#);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn bad_requests_name_what_is_wrong_and_store_nothing(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    let nul = Param { key: "k".to_owned(), value: "a\0b".to_owned() };
    assert_eq!(error(log_param(&ctx(), &tracking, &id, nul).await).code(), Code::InvalidArgument);
    assert!(message(log_metric(&ctx(), &tracking, &id, metric("../x", 1.0, 1, 1)).await).contains("parameter 'name'"));
    assert!(message(set_tag(&ctx(), &tracking, &id, tag("", "1")).await).contains("parameter 'key'"));
    let unknown_model = NewMetric { model_id: Some("m-x".to_owned()), ..metric("m", 1.0, 1, 1) };
    assert_eq!(error(log_metric(&ctx(), &tracking, &id, unknown_model).await).code(), Code::NotFound);
    let found = get_run(&ctx(), &tracking, &id).await.unwrap();
    assert_eq!((found.metrics.len(), found.params.len(), found.tags.len()), (0, 0, 1));
});
