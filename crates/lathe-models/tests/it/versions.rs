use std::collections::BTreeSet;

use lathe_core::{Code, LoggedModelId, RunId};
use lathe_db::query;
use lathe_models::model_versions::*;
use lathe_models::registered_models::{
    delete_registered_model, get_registered_model, get_version_by_alias, rename_registered_model,
    set_registered_model_alias,
};
use lathe_testkit::store_test;

use crate::*;

store_test!([SCHEMA] async fn numbers_count_up_and_are_never_used_again(db: Db) {
    let models = Models::new(db.clone());
    model(&models, "net", vec![]).await;
    for number in 1..=3 {
        assert_eq!(version(&models, "net").await.version, number);
    }
    delete_model_version(&ctx(), &models, "net".to_owned(), 3).await.unwrap();
    assert_eq!(version(&models, "net").await.version, 4);
    let gone = get_model_version(&ctx(), &models, "net", 3).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    let unknown = create_model_version(&ctx(), &models, from_source("other", SOURCE)).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
});

store_test!([SCHEMA] async fn versions_made_at_once_get_different_numbers(db: Db) {
    let models = Models::new(db.clone());
    model(&models, "net", vec![]).await;
    let made = futures::future::join_all((0..20).map(|_| version(&models, "net"))).await;
    let numbers: BTreeSet<i64> = made.iter().map(|version| version.version).collect();
    assert_eq!(numbers, (1..=20).collect());
});

store_test!([SCHEMA] async fn where_a_version_came_from_is_in_the_lineage(db: Db) {
    let models = Models::new(db.clone());
    model(&models, "net", vec![]).await;
    let run_id = RunId::generate();
    let model_id = LoggedModelId::generate();
    let request = CreateModelVersion {
        run: Some(run_id.clone()),
        model_id: Some(model_id.clone()),
        ..from_source("net", SOURCE)
    };
    create_model_version(&ctx(), &models, request).await.unwrap();
    let copy = create_model_version(&ctx(), &models, from_source("net", "models:/net/1")).await.unwrap();
    assert_eq!((copy.storage_location.as_str(), copy.model_id.as_ref()), (SOURCE, Some(&model_id)));
    let rows = db.fetch_all(query("SELECT from_name, to_name, kind FROM edges ORDER BY event_id, ordinal")).await.unwrap();
    let edges: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {} {}", row.get::<String>(0).unwrap(), row.get::<String>(2).unwrap(), row.get::<String>(1).unwrap()))
        .collect();
    assert_eq!(edges, [
        format!("default/logged-model/{model_id} registered default/model/net/1"),
        format!("default/run/{run_id} registered default/model/net/1"),
        "default/model/net/1 registered default/model/net/2".to_owned(),
        format!("default/logged-model/{model_id} registered default/model/net/2"),
    ]);
});

store_test!([SCHEMA] async fn a_stage_may_be_held_by_many_or_by_one(db: Db) {
    let models = Models::new(db.clone());
    model(&models, "net", vec![]).await;
    for number in 1..=3 {
        version(&models, "net").await;
        transition_stage(&ctx(), &models, "net", number, "production", OthersInStage::Keep).await.unwrap();
    }
    transition_stage(&ctx(), &models, "net", 3, "Production", OthersInStage::Archive).await.unwrap();
    let mut stages = Vec::new();
    for number in 1..=3 {
        stages.push(get_model_version(&ctx(), &models, "net", number).await.unwrap().stage);
    }
    assert_eq!(stages, [Stage::Archived, Stage::Archived, Stage::Production]);
    let refused = transition_stage(&ctx(), &models, "net", 1, "None", OthersInStage::Archive).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let unknown = transition_stage(&ctx(), &models, "net", 1, "Live", OthersInStage::Keep).await.unwrap_err();
    assert!(unknown.message().contains("Staging"), "{}", unknown.message());
});

store_test!([SCHEMA] async fn a_renamed_model_keeps_everything_and_a_deleted_one_nothing(db: Db) {
    let models = Models::new(db.clone());
    model(&models, "old", vec![tag("team", "a")]).await;
    version(&models, "old").await;
    set_model_version_tag(&ctx(), &models, "old".to_owned(), 1, tag("k", "v")).await.unwrap();
    rename_registered_model(&ctx(), &models, "old", "new").await.unwrap();
    assert_eq!(get_model_version(&ctx(), &models, "new", 1).await.unwrap().tags, [tag("k", "v")]);
    assert_eq!(get_registered_model(&ctx(), &models, "new").await.unwrap().tags, [tag("team", "a")]);
    assert_eq!(get_registered_model(&ctx(), &models, "old").await.unwrap_err().code(), Code::NotFound);
    model(&models, "taken", vec![]).await;
    let taken = rename_registered_model(&ctx(), &models, "new", "taken").await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);

    delete_registered_model(&ctx(), &models, "new".to_owned()).await.unwrap();
    for table in ["model_versions", "version_tags", "model_tags", "model_aliases"] {
        let count = match table {
            "model_versions" => query("SELECT COUNT(*) FROM model_versions"),
            "version_tags" => query("SELECT COUNT(*) FROM version_tags"),
            "model_tags" => query("SELECT COUNT(*) FROM model_tags"),
            _ => query("SELECT COUNT(*) FROM model_aliases"),
        };
        assert_eq!(db.fetch_one(count).await.unwrap().get::<i64>(0).unwrap(), 0, "{table}");
    }
    assert_eq!(actions(&db).await, [
        "model.created", "version.created", "version.tagged", "model.renamed", "model.created", "model.deleted",
    ]);
});

store_test!([SCHEMA] async fn a_change_with_a_name_is_made_once(db: Db) {
    let models = Models::new(db.clone());
    model(&models, "net", vec![]).await;
    let named = ctx().once("run/job/0");
    let make = || create_model_version(&named, &models, from_source("net", SOURCE));
    let made = futures::future::join_all((0..8).map(|_| make())).await;
    let numbers: Vec<i64> = made.into_iter().map(|version| version.unwrap().version).collect();
    assert_eq!(numbers, [1; 8]);
    assert_eq!(version(&models, "net").await.version, 2);
    // The same name elsewhere, and other names, are other changes.
    let other = create_model_version(&ctx().once("run/job/1"), &models, from_source("net", SOURCE)).await.unwrap();
    assert_eq!(other.version, 3);
    let set = async |ctx: &lathe_core::Ctx, version| {
        set_registered_model_alias(ctx, &models, "net".to_owned(), "champion".to_owned(), version).await
    };
    let alias = ctx().once("run/job/alias");
    // What fails is not made, and can be asked for again.
    assert_eq!(set(&alias, 9).await.unwrap_err().code(), Code::NotFound);
    set(&alias, 1).await.unwrap();
    set(&ctx(), 2).await.unwrap();
    set(&alias, 1).await.unwrap();
    assert_eq!(get_version_by_alias(&ctx(), &models, "net", "champion").await.unwrap().version, 2);
    let count = |all: &[String], action: &str| all.iter().filter(|one| *one == action).count();
    let all = actions(&db).await;
    assert_eq!((count(&all, "version.created"), count(&all, "alias.set")), (3, 2));
});
