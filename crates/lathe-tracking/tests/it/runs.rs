use std::collections::HashSet;

use lathe_core::{Code, RunId};
use lathe_testkit::{ctx, store_test};
use lathe_tracking::runs::*;
use lathe_tracking::{ExperimentId, LifecycleStage, RunStatus, experiments};

use crate::{SCHEMAS, actions, elsewhere, error, message, run, tag, tracking};

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_new_run_is_running_and_has_a_name(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let request = CreateRun {
        user_id: "u".to_owned(), start_time_ms: 7, name: Some("r1".to_owned()), tags: vec![tag("z", "1")], experiment_id: 0,
    };
    let made = create_run(&ctx(), &tracking, request).await.unwrap();
    assert_eq!(made.tags, [tag("mlflow.runName", "r1"), tag("z", "1")]);
    assert_eq!(made.info.artifact_uri, format!("mlflow-artifacts:/0/{}/artifacts", made.info.run_id));
    assert_eq!((made.info.status, made.info.start_time_ms, made.info.end_time_ms), (RunStatus::Running, 7, None));
    assert_eq!(get_run(&ctx(), &tracking, &made.info.run_id).await.unwrap(), made);

    let unnamed = run(&tracking, 1).await;
    assert_eq!(unnamed.info.name.split('-').count(), 3, "{}", unnamed.info.name);
    assert_eq!(unnamed.tags, [tag("mlflow.runName", &unnamed.info.name)]);
    let tagged = CreateRun { tags: vec![tag("mlflow.runName", "by tag")], ..CreateRun::default() };
    assert_eq!(create_run(&ctx(), &tracking, tagged.clone()).await.unwrap().info.name, "by tag");
    let contradiction = CreateRun { name: Some("other".to_owned()), ..tagged };
    assert_eq!(
        message(create_run(&ctx(), &tracking, contradiction).await),
        "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='other', \
         mlflow.runName='by tag')."
    );
    let nowhere = error(create_run(&ctx(), &tracking, CreateRun { experiment_id: 777, ..CreateRun::default() }).await);
    assert_eq!((nowhere.code(), nowhere.message()), (Code::NotFound, "No Experiment with id=777 exists"));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_run_with_a_name_for_its_making_is_made_once(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let named = ctx().once("run/job/1/run");
    let made = create_run(&named, &tracking, CreateRun::default()).await.unwrap();
    assert_eq!(create_run(&named, &tracking, CreateRun::default()).await.unwrap(), made);
    assert_ne!(create_run(&ctx(), &tracking, CreateRun::default()).await.unwrap().info.run_id, made.info.run_id);
    assert_eq!(lathe_db::once::look_up(&db, &named).await.unwrap().as_deref(), Some(made.info.run_id.as_str()));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn many_runs_of_one_moment_get_ids_of_their_own(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let made = futures::future::join_all((0..300).map(|_| run(&tracking, 1))).await;
    let ids: HashSet<RunId> = made.into_iter().map(|run| run.info.run_id).collect();
    assert_eq!(ids.len(), 300);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn status_end_and_name_change(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    let update = UpdateRun { status: Some(RunStatus::Finished), end_time_ms: Some(9), name: Some("renamed".to_owned()) };
    let info = update_run(&ctx(), &tracking, &id, update.clone()).await.unwrap();
    assert_eq!((info.status, info.end_time_ms, info.name.as_str()), (RunStatus::Finished, Some(9), "renamed"));
    let found = get_run(&ctx(), &tracking, &id).await.unwrap();
    assert_eq!((&found.info, found.tags.as_slice()), (&info, &[tag("mlflow.runName", "renamed")][..]));
    // The same again changes nothing and is no event.
    update_run(&ctx(), &tracking, &id, update).await.unwrap();
    set_tag(&ctx(), &tracking, &id, tag("mlflow.runName", "by tag")).await.unwrap();
    assert_eq!(get_run_info(&ctx(), &tracking, &id).await.unwrap().name, "by tag");
    let back = UpdateRun { status: Some(RunStatus::Running), ..UpdateRun::default() };
    assert_eq!(update_run(&ctx(), &tracking, &id, back).await.unwrap().end_time_ms, Some(9));
    assert_eq!(actions(&db).await, ["experiment.created", "run.created", "run.finished", "run.tagged", "run.updated"]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_deleted_run_can_be_read_and_restored_but_not_written(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    for _ in 0..2 {
        delete_run(&ctx(), &tracking, &id).await.unwrap();
    }
    assert_eq!(get_run(&ctx(), &tracking, &id).await.unwrap().info.lifecycle_stage, LifecycleStage::Deleted);
    let refused = format!("The run {id} must be in the 'active' state. Current state is deleted.");
    let failed = error(set_tag(&ctx(), &tracking, &id, tag("a", "1")).await);
    assert_eq!((failed.code(), failed.message()), (Code::InvalidArgument, refused.as_str()));
    assert_eq!(message(log_batch(&ctx(), &tracking, &id, LogBatch::default()).await), refused);
    assert_eq!(message(update_run(&ctx(), &tracking, &id, UpdateRun::default()).await), refused);
    for _ in 0..2 {
        restore_run(&ctx(), &tracking, &id).await.unwrap();
    }
    set_tag(&ctx(), &tracking, &id, tag("a", "1")).await.unwrap();
    assert_eq!(
        actions(&db).await,
        ["experiment.created", "run.created", "run.deleted", "run.restored", "run.tagged"]
    );
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn unknown_runs_are_not_found_and_other_projects_are_closed(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    let unknown = RunId::generate();
    let not_found = |id: &RunId| (Code::NotFound, format!("Run with id={id} not found"));
    for (ctx, id) in [(ctx(), &unknown), (elsewhere(), &id)] {
        let failures = [
            error(get_run(&ctx, &tracking, id).await),
            error(set_tag(&ctx, &tracking, id, tag("a", "1")).await),
            error(delete_run(&ctx, &tracking, id).await),
            error(update_run(&ctx, &tracking, id, UpdateRun::default()).await),
        ];
        for failure in failures {
            assert_eq!((failure.code(), failure.message().to_owned()), not_found(id));
        }
    }
    assert_eq!(message(parse_run_id("nope")), "Run with id=nope not found");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn changes_are_told_after_they_are_stored(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let mut changes = tracking.subscribe();
    let id = run(&tracking, 1).await.info.run_id;
    let change = changes.try_recv().unwrap();
    assert_eq!((change.project.as_str(), &change.run_id), ("default", &id));
    assert!(log_param(&ctx(), &tracking, &id, crate::param("a*b", "1")).await.is_err());
    assert!(changes.try_recv().is_err());
    set_tag(&ctx(), &tracking, &id, tag("a", "1")).await.unwrap();
    assert_eq!(changes.try_recv().unwrap().run_id, id);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn artifacts_of_a_run_go_below_its_experiments_own_place(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let request = experiments::CreateExperiment {
        name: "e".to_owned(), artifact_location: Some("s3://bucket/place/".to_owned()), tags: Vec::new(),
    };
    let experiment: ExperimentId = experiments::create_experiment(&ctx(), &tracking, request).await.unwrap();
    let request = CreateRun { experiment_id: experiment.number(), ..CreateRun::default() };
    let made = create_run(&ctx(), &tracking, request).await.unwrap();
    assert_eq!(made.info.artifact_uri, format!("s3://bucket/place/{}/artifacts", made.info.run_id));
});
