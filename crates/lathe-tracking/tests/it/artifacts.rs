use bytes::Bytes;
use futures::{StreamExt as _, stream};
use lathe_core::{Code, Error, Result, RunId};
use lathe_db::{FutureExt as _, query};
use lathe_testkit::{ctx, store_test};
use lathe_tracking::artifacts::*;
use lathe_tracking::logged_models::{CreateLoggedModel, create_logged_model};
use lathe_tracking::{ArtifactPath, Tracking, runs};

use crate::{SCHEMAS, actions, elsewhere, error, run, tracking};

fn path(text: &str) -> ArtifactPath {
    ArtifactPath::parse(text).unwrap()
}

async fn put(tracking: &Tracking, at: &str, content: &str) -> Result<Artifact> {
    let chunks: Vec<Result<Bytes>> =
        content.as_bytes().chunks(3).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    put_artifact(&ctx(), tracking, path(at), stream::iter(chunks)).await
}

async fn read(tracking: &Tracking, at: &str, range: Option<std::ops::Range<u64>>) -> Result<String> {
    let mut found = get_artifact(&ctx(), tracking, &path(at), range).await?;
    let mut content = Vec::new();
    while let Some(chunk) = found.object.stream.next().await {
        content.extend_from_slice(&chunk?);
    }
    Ok(String::from_utf8(content).unwrap())
}

async fn listed(tracking: &Tracking, at: Option<&str>) -> Vec<(String, Option<i64>)> {
    let folder = at.map(path);
    let entries = list_artifacts(&ctx(), tracking, folder.as_ref()).await.unwrap();
    entries.into_iter().map(|entry| (entry.name, entry.size_bytes)).collect()
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn files_are_stored_read_listed_and_deleted(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    let at = |below: &str| format!("0/{id}/artifacts/{below}");
    for (below, content) in [("a.txt", "hello world"), ("d/b.txt", "b"), ("d/e/c.txt", "c"), ("d.txt", ""), ("d-x/y", "1")] {
        put(&tracking, &at(below), content).await.unwrap();
    }
    assert_eq!(read(&tracking, &at("a.txt"), None).await.unwrap(), "hello world");
    assert_eq!(read(&tracking, &at("a.txt"), Some(6..9)).await.unwrap(), "wor");
    assert_eq!(read(&tracking, &at("d.txt"), None).await.unwrap(), "");
    put(&tracking, &at("a.txt"), "new").await.unwrap();
    assert_eq!(read(&tracking, &at("a.txt"), None).await.unwrap(), "new");
    let missing = error(read(&tracking, &at("nope"), None).await);
    assert_eq!((missing.code(), missing.message().to_owned()), (Code::NotFound, format!("No such artifact: '{}'", at("nope"))));

    let list = list_run_artifacts(&ctx(), &tracking, &id, None).await.unwrap();
    let shown: Vec<(String, Option<i64>)> = list.entries.iter().map(|e| (list.path_of(e), e.size_bytes)).collect();
    let expected = [("a.txt", Some(3)), ("d", None), ("d-x", None), ("d.txt", Some(0))];
    assert_eq!(shown, expected.map(|(name, size)| (name.to_owned(), size)));
    let list = list_run_artifacts(&ctx(), &tracking, &id, Some(path("d"))).await.unwrap();
    assert_eq!(list.entries.iter().map(|e| list.path_of(e)).collect::<Vec<_>>(), ["d/b.txt", "d/e"]);
    assert_eq!(list.root_uri, format!("mlflow-artifacts:/0/{id}/artifacts"));
    assert!(listed(&tracking, Some(&at("unknown"))).await.is_empty());
    assert!(listed(&tracking, Some(&at("a.txt"))).await.is_empty());
    assert_eq!(listed(&tracking, None).await, [("0".to_owned(), None)]);

    delete_artifact(&ctx(), &tracking, path(&at("d"))).await.unwrap();
    let list = list_run_artifacts(&ctx(), &tracking, &id, None).await.unwrap();
    assert_eq!(list.entries.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["a.txt", "d-x", "d.txt"]);
    assert_eq!(error(delete_artifact(&ctx(), &tracking, path(&at("d"))).await).code(), Code::NotFound);
    let happened = actions(&db).await;
    assert_eq!(happened.iter().filter(|action| *action == "artifact.uploaded").count(), 6);
    assert_eq!(happened.last().map(String::as_str), Some("artifact.deleted"));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_path_is_a_file_or_a_folder(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    put(&tracking, "shared/a/b", "1").await.unwrap();
    for (at, blocked) in [("shared/a", "is a folder"), ("shared/a/b/c", "is an artifact file"), ("shared/a/b/c/d", "`shared/a/b`")] {
        let conflict = error(put(&tracking, at, "2").await);
        assert_eq!(conflict.code(), Code::Conflict, "{at}");
        assert!(conflict.message().contains(blocked), "{}", conflict.message());
    }
    put(&tracking, "shared/a/b", "2").await.unwrap();
    assert_eq!(read(&tracking, "shared/a/b", None).await.unwrap(), "2");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn folders_of_unknown_or_deleted_runs_are_closed(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let id = run(&tracking, 1).await.info.run_id;
    let at = format!("0/{id}/artifacts/a");
    put(&tracking, &at, "1").await.unwrap();
    let stray = error(put(&tracking, &format!("7/{id}/artifacts/a"), "1").await);
    assert_eq!(stray.code(), Code::InvalidArgument);
    assert_eq!(error(put(&tracking, &format!("0/{}/artifacts/a", RunId::generate()), "1").await).code(), Code::NotFound);
    assert_eq!(error(put_artifact(&elsewhere(), &tracking, path(&at), stream::empty()).await).code(), Code::NotFound);
    assert_eq!(error(find_artifact(&elsewhere(), &tracking, &path(&at)).await).code(), Code::NotFound);
    for stray in ["7", "7/models", "7/models/x", "0/nosuch/artifacts/x", "0/a.txt"] {
        assert_eq!(error(put(&tracking, stray, "1").await).code(), Code::InvalidArgument, "{stray}");
    }
    assert_eq!(listed(&tracking, None).await, [("0".to_owned(), None)]);
    runs::delete_run(&ctx(), &tracking, &id).await.unwrap();
    assert_eq!(error(put(&tracking, &at, "2").await).code(), Code::InvalidArgument);
    assert_eq!(error(delete_artifact(&ctx(), &tracking, path(&at)).await).code(), Code::InvalidArgument);
    assert_eq!(read(&tracking, &at, None).await.unwrap(), "1");
    let unknown = error(list_run_artifacts(&ctx(), &tracking, &RunId::generate(), None).await);
    assert_eq!(unknown.code(), Code::NotFound);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn logged_models_have_folders_too(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let model = create_logged_model(&ctx(), &tracking, CreateLoggedModel::default()).await.unwrap();
    put(&tracking, &format!("0/models/{}/artifacts/MLmodel", model.model_id), "x").await.unwrap();
    let list = list_logged_model_artifacts(&ctx(), &tracking, &model.model_id, None).await.unwrap();
    assert_eq!(list.entries, [ArtifactEntry { name: "MLmodel".to_owned(), size_bytes: Some(1) }]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_broken_upload_leaves_no_file(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    let broken = stream::iter([Ok(Bytes::from_static(b"half")), Err(Error::invalid("the client went away"))]);
    assert_eq!(error(put_artifact(&ctx(), &tracking, path("shared/a"), broken).await).message(), "the client went away");
    assert!(listed(&tracking, None).await.is_empty());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_listing_skips_what_is_deeper(db: Db) {
    let (_folder, tracking) = tracking(&db).await;
    put(&tracking, "x/a", "1").await.unwrap();
    db.write(|tx| async move {
        tx.execute(query(
            "INSERT INTO artifacts (project, path, object_hash, size_bytes, updated_at_ms) \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) \
             SELECT 'default', 'x/' || CASE WHEN i % 2 = 0 THEN 'deep/' ELSE 'file-' END || i, 'h', i, 0 FROM n",
        )).await
    }.boxed()).await.unwrap();
    put(&tracking, "x/z/deepest/a", "1").await.unwrap();
    let entries = listed(&tracking, Some("x")).await;
    assert_eq!(entries.len(), 1_500 + 3);
    assert_eq!((entries[0].0.as_str(), entries[1].0.as_str(), entries[1_502].0.as_str()), ("a", "deep", "z"));
});
