use lathe_core::{Code, Grant, Role};
use lathe_testkit::{ctx, store_test};
use lathe_tracking::experiments::*;
use lathe_tracking::{ExperimentId, LifecycleStage, ViewType, runs};

use crate::{SCHEMAS, actions, elsewhere, error, message, run, tag, tracking};

fn named(name: &str) -> CreateExperiment {
    CreateExperiment { name: name.to_owned(), ..CreateExperiment::default() }
}

fn all(max_results: i64) -> SearchExperiments {
    SearchExperiments { filter: None, order_by: Vec::new(), view: ViewType::ActiveOnly, max_results, page_token: None }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn every_project_has_its_default_and_counts_for_itself(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let default = get_experiment(&ctx(), &tracking, ExperimentId::DEFAULT).await.unwrap();
    assert_eq!((default.name.as_str(), default.artifact_location.as_str()), ("Default", "mlflow-artifacts:/0"));
    let tags = vec![tag("a", "1"), tag("a", "2")];
    let id = create_experiment(&ctx(), &tracking, CreateExperiment { tags, ..named("e1") }).await.unwrap();
    assert_eq!(id.to_string(), "1");
    assert_eq!(create_experiment(&elsewhere(), &tracking, named("e1")).await.unwrap().number(), 1);
    let found = get_experiment_by_name(&ctx(), &tracking, "e1").await.unwrap();
    assert_eq!((found.id, found.artifact_location.as_str(), found.tags), (id, "mlflow-artifacts:/1", vec![tag("a", "2")]));
    assert_eq!(actions(&db).await, ["experiment.created"; 4]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn names_are_taken_once_also_by_deleted_experiments(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = create_experiment(&ctx(), &tracking, named("e1")).await.unwrap();
    delete_experiment(&ctx(), &tracking, id).await.unwrap();
    let taken = error(create_experiment(&ctx(), &tracking, named("e1")).await);
    assert_eq!((taken.code(), taken.message()), (Code::AlreadyExists, "Experiment(name=e1) already exists."));
    let other = create_experiment(&ctx(), &tracking, named("e2")).await.unwrap();
    let taken = error(rename_experiment(&ctx(), &tracking, other, "Default".to_owned()).await);
    assert_eq!(taken.code(), Code::AlreadyExists);
    let refused = error(rename_experiment(&ctx(), &tracking, id, "q".to_owned()).await);
    assert_eq!((refused.code(), refused.message()), (Code::Conflict, "Cannot rename a non-active experiment."));
    rename_experiment(&ctx(), &tracking, other, "e3".to_owned()).await.unwrap();
    assert_eq!(get_experiment(&ctx(), &tracking, other).await.unwrap().name, "e3");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_deleted_experiment_hides_its_runs_and_refuses_writes(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let first = run(&tracking, 1).await;
    delete_experiment(&ctx(), &tracking, ExperimentId::DEFAULT).await.unwrap();
    let info = runs::get_run_info(&ctx(), &tracking, &first.info.run_id).await.unwrap();
    assert_eq!(info.lifecycle_stage, LifecycleStage::Deleted);
    let state = "must be in the 'active' state. Current state is deleted.";
    assert_eq!(
        message(runs::create_run(&ctx(), &tracking, runs::CreateRun::default()).await),
        format!("The experiment 0 {state}")
    );
    assert_eq!(
        message(set_experiment_tag(&ctx(), &tracking, ExperimentId::DEFAULT, tag("a", "1")).await),
        format!("The experiment 0 {state}")
    );
    let twice = error(delete_experiment(&ctx(), &tracking, ExperimentId::DEFAULT).await);
    assert_eq!((twice.code(), twice.message()), (Code::NotFound, "No Experiment with id=0 exists"));
    restore_experiment(&ctx(), &tracking, ExperimentId::DEFAULT).await.unwrap();
    let info = runs::get_run_info(&ctx(), &tracking, &first.info.run_id).await.unwrap();
    assert_eq!(info.lifecycle_stage, LifecycleStage::Active);
    assert_eq!(error(restore_experiment(&ctx(), &tracking, ExperimentId::DEFAULT).await).code(), Code::NotFound);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn tags_are_set_replaced_and_removed(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = ExperimentId::DEFAULT;
    for value in ["1", "2"] {
        set_experiment_tag(&ctx(), &tracking, id, tag("team", value)).await.unwrap();
    }
    assert_eq!(get_experiment(&ctx(), &tracking, id).await.unwrap().tags, [tag("team", "2")]);
    delete_experiment_tag(&ctx(), &tracking, id, "team".to_owned()).await.unwrap();
    let missing = error(delete_experiment_tag(&ctx(), &tracking, id, "team".to_owned()).await);
    assert_eq!((missing.code(), missing.message()), (Code::NotFound, "No tag with name: team in experiment with id 0"));
    let nul = error(set_experiment_tag(&ctx(), &tracking, id, tag("team", "a\0b")).await);
    assert_eq!(nul.code(), Code::InvalidArgument);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn searches_filter_order_and_page(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    for name in ["b", "a", "B-large", "c"] {
        let tags = vec![tag("kind", name)];
        create_experiment(&ctx(), &tracking, CreateExperiment { tags, ..named(name) }).await.unwrap();
    }
    delete_experiment(&ctx(), &tracking, ExperimentId::from_number(4)).await.unwrap();
    let names = async |request: SearchExperiments| -> Vec<String> {
        search_experiments(&ctx(), &tracking, request).await.unwrap().items.into_iter().map(|e| e.name).collect()
    };
    let filtered = |filter: &str| SearchExperiments {
        filter: Some(filter.to_owned()), order_by: vec!["name ASC".to_owned()], ..all(10)
    };
    assert_eq!(names(filtered("name LIKE 'b%'")).await, ["b"]);
    assert_eq!(names(filtered("name ILIKE 'b%'")).await, ["B-large", "b"]);
    assert_eq!(names(filtered("tags.kind = 'a'")).await, ["a"]);
    assert_eq!(names(filtered("tags.kind IS NULL")).await, ["Default"]);
    assert_eq!(names(filtered("experiment_id IN ('1', '2')")).await, ["a", "b"]);
    assert_eq!(names(filtered("creation_time > 1 AND name != 'a'")).await, ["B-large", "Default", "b"]);
    assert_eq!(names(SearchExperiments { view: ViewType::DeletedOnly, ..all(10) }).await, ["c"]);
    assert_eq!(names(SearchExperiments { view: ViewType::All, ..all(10) }).await.len(), 5);

    let mut seen = Vec::new();
    let mut request = SearchExperiments { order_by: vec!["name DESC".to_owned()], ..all(3) };
    loop {
        let page = search_experiments(&ctx(), &tracking, request.clone()).await.unwrap();
        seen.extend(page.items.into_iter().map(|e| e.name));
        let Some(next) = page.next else { break };
        request.page_token = Some(next.encode());
    }
    assert_eq!(seen, ["b", "a", "Default", "B-large"]);
    let strayed = SearchExperiments { page_token: request.page_token, ..all(3) };
    assert_eq!(error(search_experiments(&ctx(), &tracking, strayed).await).code(), Code::InvalidArgument);
    assert_eq!(
        message(search_experiments(&ctx(), &tracking, all(0)).await),
        "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer"
    );
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn each_right_is_asked_for(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let with = |role| lathe_core::Ctx { grant: Grant { role, is_server_admin: false, scope: lathe_core::Scope::All }, ..ctx() };
    let denied = |code| assert_eq!(code, Code::PermissionDenied);
    denied(error(get_experiment(&with(None), &tracking, ExperimentId::DEFAULT).await).code());
    denied(error(search_experiments(&with(None), &tracking, all(1)).await).code());
    denied(error(create_experiment(&with(Some(Role::Viewer)), &tracking, named("x")).await).code());
    denied(error(delete_experiment(&with(Some(Role::Contributor)), &tracking, ExperimentId::DEFAULT).await).code());
    // A viewer's first look at a project makes its default experiment all the same.
    assert!(get_experiment(&with(Some(Role::Viewer)), &tracking, ExperimentId::DEFAULT).await.is_ok());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn another_project_sees_nothing(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = create_experiment(&ctx(), &tracking, named("mine")).await.unwrap();
    assert_eq!(error(get_experiment(&elsewhere(), &tracking, id).await).code(), Code::NotFound);
    assert_eq!(
        message(get_experiment_by_name(&elsewhere(), &tracking, "mine").await),
        "Could not find experiment with name 'mine'"
    );
    assert_eq!(error(delete_experiment(&elsewhere(), &tracking, id).await).code(), Code::NotFound);
    assert_eq!(search_experiments(&elsewhere(), &tracking, all(10)).await.unwrap().items.len(), 1);
});
