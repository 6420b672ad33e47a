use lathe_core::Code;
use lathe_db::query;
use lathe_testkit::{ctx, store_test};
use lathe_tracking::logged_models::*;
use lathe_tracking::runs::{LogBatch, log_batch};
use lathe_tracking::{ExperimentId, LoggedModelStatus, NewMetric, Tracking};

use crate::{SCHEMAS, actions, elsewhere, error, message, metric, param, run, tag, tracking};

fn named(name: &str) -> CreateLoggedModel {
    CreateLoggedModel { name: Some(name.to_owned()), ..CreateLoggedModel::default() }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_logged_model_lives_from_pending_to_deleted(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let request = CreateLoggedModel {
        params: vec![param("b", "1"), param("a", "2")], tags: vec![tag("t", "1")], model_type: "agent".to_owned(), ..named("m")
    };
    let made = create_logged_model(&ctx(), &tracking, request).await.unwrap();
    let id = made.model_id.clone();
    assert_eq!(made.status, LoggedModelStatus::Pending);
    assert_eq!(made.artifact_uri, format!("mlflow-artifacts:/0/models/{id}/artifacts"));
    assert_eq!(get_logged_model(&ctx(), &tracking, &id).await.unwrap(), made);
    let ready = finalize_logged_model(&ctx(), &tracking, &id, LoggedModelStatus::Ready).await.unwrap();
    assert_eq!(ready.status, LoggedModelStatus::Ready);
    set_logged_model_tags(&ctx(), &tracking, &id, vec![tag("t", "2"), tag("u", "1")]).await.unwrap();
    delete_logged_model_tag(&ctx(), &tracking, &id, "u".to_owned()).await.unwrap();
    assert_eq!(
        message(delete_logged_model_tag(&ctx(), &tracking, &id, "u".to_owned()).await),
        format!("No tag with key 'u' found for model with ID '{id}'.")
    );
    log_logged_model_params(&ctx(), &tracking, &id, vec![param("c", "3"), param("a", "2")]).await.unwrap();
    let clash = log_logged_model_params(&ctx(), &tracking, &id, vec![param("d", "4"), param("a", "9")]).await;
    assert_eq!(error(clash).code(), Code::InvalidArgument);
    let found = get_logged_model(&ctx(), &tracking, &id).await.unwrap();
    assert_eq!(found.params, [param("a", "2"), param("b", "1"), param("c", "3")]);
    assert_eq!(found.tags, [tag("t", "2")]);
    assert_eq!(error(get_logged_model(&elsewhere(), &tracking, &id).await).code(), Code::NotFound);
    delete_logged_model(&ctx(), &tracking, &id).await.unwrap();
    let gone = error(get_logged_model(&ctx(), &tracking, &id).await);
    assert_eq!((gone.code(), gone.message()), (Code::NotFound, format!("Logged model with ID '{id}' not found.").as_str()));
    assert_eq!(actions(&db).await[1..], [
        "logged_model.created", "logged_model.updated", "logged_model.tagged", "logged_model.tagged",
        "logged_model.updated", "logged_model.deleted",
    ]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn bad_models_are_refused(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    assert!(message(create_logged_model(&ctx(), &tracking, named("a/b")).await).starts_with("Invalid model name ('a/b')"));
    let nowhere = CreateLoggedModel { experiment_id: 9, ..named("m") };
    assert_eq!(message(create_logged_model(&ctx(), &tracking, nowhere).await), "No Experiment with id=9 exists");
    let twice = CreateLoggedModel { params: vec![param("p", "1"), param("p", "2")], ..named("m") };
    assert!(message(create_logged_model(&ctx(), &tracking, twice).await).starts_with("Duplicate parameter keys"));
    assert_eq!(message(parse_model_id("m-1")), "Logged model with ID 'm-1' not found.");
    let unnamed = create_logged_model(&ctx(), &tracking, CreateLoggedModel::default()).await.unwrap();
    assert_eq!(unnamed.name.split('-').count(), 3);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_run_of_another_server_stays_a_name(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let by_another = CreateLoggedModel { source_run_id: Some("nope".to_owned()), ..named("m") };
    let model = create_logged_model(&ctx(), &tracking, by_another).await.unwrap();
    assert_eq!(model.source_run_id.as_deref(), Some("nope"));
    let row = db.fetch_one(query("SELECT COUNT(*) FROM edges")).await.unwrap();
    let edges: i64 = row.get(0).unwrap();
    assert_eq!(edges, 0);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn params_of_any_length_are_kept_and_deleting_twice_is_fine(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let long = "v".repeat(20_000);
    let request = CreateLoggedModel { params: vec![param("p", &long)], ..named("m") };
    let id = create_logged_model(&ctx(), &tracking, request).await.unwrap().model_id;
    assert_eq!(get_logged_model(&ctx(), &tracking, &id).await.unwrap().params, [param("p", &long)]);
    delete_logged_model(&ctx(), &tracking, &id).await.unwrap();
    delete_logged_model(&ctx(), &tracking, &id).await.unwrap();
});

async fn found(tracking: &Tracking, request: SearchLoggedModels) -> Vec<String> {
    let page = search_logged_models(&ctx(), tracking, request).await.unwrap();
    page.items.into_iter().map(|model| model.name).collect()
}

fn order(field_name: &str, direction: Direction, dataset_name: Option<&str>) -> LoggedModelOrder {
    LoggedModelOrder {
        field_name: field_name.to_owned(),
        direction,
        dataset_name: dataset_name.map(str::to_owned),
        dataset_digest: None,
    }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn searches_look_at_attributes_params_tags_metrics_and_datasets(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let run_id = run(&tracking, 1).await.info.run_id;
    let mut ids = Vec::new();
    for (name, acc, dataset) in [("a", 0.1, Some("train")), ("b", 0.3, Some("eval")), ("c", f64::NAN, None)] {
        let request = CreateLoggedModel { params: vec![param("p", name)], tags: vec![tag("t", name)], ..named(name) };
        let id = create_logged_model(&ctx(), &tracking, request).await.unwrap().model_id;
        let on_model = |value, step| NewMetric {
            model_id: Some(id.to_string()),
            dataset_name: dataset.map(str::to_owned),
            dataset_digest: dataset.map(|_| "d".to_owned()),
            ..metric("acc", value, step, step)
        };
        let metrics = vec![on_model(9.0, 1), on_model(acc, 2)];
        log_batch(&ctx(), &tracking, &run_id, LogBatch { metrics, ..LogBatch::default() }).await.unwrap();
        ids.push(id);
    }
    let first = get_logged_model(&ctx(), &tracking, &ids[0]).await.unwrap();
    let shown: Vec<_> = first.metrics.iter().map(|m| (m.key.as_str(), m.value, m.dataset_name.as_deref())).collect();
    assert_eq!(shown, [("acc", 9.0, Some("train")), ("acc", 0.1, Some("train"))]);

    let all = || SearchLoggedModels { experiment_ids: vec![ExperimentId::DEFAULT], ..SearchLoggedModels::default() };
    let filtered = |filter: &str| SearchLoggedModels {
        filter: Some(filter.to_owned()), order_by: vec![order("name", Direction::Ascending, None)], ..all()
    };
    for (filter, expected) in [
        ("name = 'a'", &["a"][..]),
        ("name ILIKE 'A' AND status = 'PENDING'", &["a"]),
        ("params.p = 'b'", &["b"]),
        ("tags.t IN ('a', 'c')", &["a", "c"]),
        ("metrics.acc < 0.2", &["a"]),
        ("metrics.acc != 9.0", &["a", "b", "c"]),
        ("creation_timestamp > 5 AND name != 'b'", &["a", "c"]),
        ("metrics.unknown > 0", &[]),
    ] {
        // What the language does not allow must be refused, not fail.
        match search_logged_models(&ctx(), &tracking, filtered(filter)).await {
            Ok(page) => assert_eq!(page.items.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), expected, "{filter}"),
            Err(refused) => assert_eq!((refused.code(), filter), (Code::InvalidArgument, "tags.t IN ('a', 'c')")),
        }
    }
    let on = |name: &str| vec![DatasetFilter { name: name.to_owned(), digest: None }];
    assert_eq!(found(&tracking, SearchLoggedModels { datasets: on("train"), ..all() }).await, ["a"]);
    let both = SearchLoggedModels { datasets: on("eval"), ..filtered("metrics.acc > 0") };
    assert_eq!(found(&tracking, both).await, ["b"]);

    let by_metric = |direction, dataset| SearchLoggedModels { order_by: vec![order("metrics.acc", direction, dataset)], ..all() };
    assert_eq!(found(&tracking, by_metric(Direction::Descending, None)).await, ["b", "a", "c"]);
    assert_eq!(found(&tracking, by_metric(Direction::Ascending, None)).await, ["a", "b", "c"]);
    assert_eq!(found(&tracking, by_metric(Direction::Ascending, Some("eval"))).await[0], "b");
    let by_params = SearchLoggedModels { order_by: vec![order("params.p", Direction::Ascending, None)], ..all() };
    assert_eq!(error(search_logged_models(&ctx(), &tracking, by_params).await).code(), Code::InvalidArgument);

    let mut page = SearchLoggedModels { max_results: 2, order_by: vec![order("name", Direction::Ascending, None)], ..all() };
    let answer = search_logged_models(&ctx(), &tracking, page.clone()).await.unwrap();
    page.page_token = Some(answer.next.unwrap().encode());
    assert_eq!(found(&tracking, page).await, ["c"]);
    delete_logged_model(&ctx(), &tracking, &ids[1]).await.unwrap();
    assert_eq!(found(&tracking, all()).await.len(), 2);
    assert!(search_logged_models(&elsewhere(), &tracking, all()).await.unwrap().items.is_empty());
});
