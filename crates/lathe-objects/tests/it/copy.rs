use lathe_core::{Clock, Code};
use lathe_objects::{SCHEMA, export, import, named};
use lathe_testkit::store_test;

use crate::{NOTES, REFERENCES, files, get, name, put, stores};

store_test!([SCHEMA, NOTES] async fn named_objects_go_out_once_and_come_in_anywhere(db: Db) {
    let (_first, from) = stores(&db, &Clock::System).await;
    let (_second, to) = stores(&db, &Clock::System).await;
    let folder = tempfile::tempdir().unwrap();
    for objects in &from {
        put(objects, b"unnamed").await;
        let object = put(objects, b"named").await;
        name(&db, "a note", &object.hash).await;
        let hashes = named(objects, &REFERENCES).await.unwrap();
        assert_eq!(hashes, std::slice::from_ref(&object.hash));
        let mut seen = 0;
        export(objects, &hashes, folder.path(), |report| seen = report.copied + report.already_there).await.unwrap();
        assert_eq!(seen, 1);
    }
    let out = files(folder.path());
    assert_eq!(out.len(), 1, "the second store found it there: {out:?}");

    let hashes = named(&to[0], &REFERENCES).await.unwrap();
    for objects in &to {
        assert_eq!(import(objects, &hashes, folder.path(), |_| {}).await.unwrap().bytes, 5);
        assert_eq!(get(objects, &hashes[0]).await.unwrap(), b"named");
    }
    std::fs::write(&out[0], b"named by another hash").unwrap();
    let refused = import(&to[0], &hashes, folder.path(), |_| {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
});
