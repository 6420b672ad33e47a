use lathe_core::{Clock, Code};
use lathe_objects::{DEFAULT_GRACE_MS, SCHEMA, gc};
use lathe_testkit::store_test;

use crate::{NOTES, REFERENCES, get, listed, name, put, stores};

store_test!([SCHEMA, NOTES] async fn only_what_nothing_names_and_nobody_touched_goes(db: Db) {
    let clock = Clock::fixed(1_000);
    let (_folder, both) = stores(&db, &clock).await;
    for objects in &both {
        let named = put(objects, b"named").await;
        let old = put(objects, b"old").await;
        let touched = put(objects, b"touched").await;
        name(&db, "a note", &named.hash).await;
        clock.advance_ms(DEFAULT_GRACE_MS - 1);
        put(objects, b"touched").await;
        assert_eq!(gc(objects, &REFERENCES, DEFAULT_GRACE_MS).await.unwrap().deleted_objects, 0);
        clock.advance_ms(2);
        let report = gc(objects, &REFERENCES, DEFAULT_GRACE_MS).await.unwrap();
        assert_eq!((report.deleted_objects, report.deleted_bytes), (1, 3));
        assert_eq!(get(objects, &named.hash).await.unwrap(), b"named");
        assert_eq!(get(objects, &touched.hash).await.unwrap(), b"touched");
        assert_eq!(get(objects, &old.hash).await.unwrap_err().code(), Code::Internal);
        // What was collected can be stored anew.
        assert_eq!(put(objects, b"old").await, old);
        assert_eq!(get(objects, &old.hash).await.unwrap(), b"old");
        clock.advance_ms(DEFAULT_GRACE_MS + 1);
        assert_eq!(gc(objects, &REFERENCES, DEFAULT_GRACE_MS).await.unwrap().deleted_objects, 2);
        assert_eq!(listed(&db).await, 1);
    }
});

store_test!([SCHEMA] async fn puts_and_collections_at_once_never_lose_an_object(db: Db) {
    let (_folder, [local, _]) = stores(&db, &Clock::System).await;
    // No grace at all: every collection may take what the puts have just written, and they must notice.
    let putting = async {
        for _ in 0..50 {
            put(&local, b"contended").await;
        }
    };
    let collecting = async {
        for _ in 0..50 {
            gc(&local, &[], -1).await.unwrap();
        }
    };
    tokio::join!(putting, collecting);
    let object = put(&local, b"contended").await;
    assert_eq!(get(&local, &object.hash).await.unwrap(), b"contended");
});
