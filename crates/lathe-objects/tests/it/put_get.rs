use futures::{StreamExt as _, stream};
use lathe_core::{Clock, Code};
use lathe_objects::{ObjectHash, SCHEMA};
use lathe_testkit::store_test;

use crate::{broken, chunks, files, get, listed, put, read, stores};

/// BLAKE3 of nothing, from the test vectors of its specification.
const EMPTY: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

store_test!([SCHEMA] async fn what_was_put_comes_back(db: Db) {
    let (_folder, both) = stores(&db, &Clock::System).await;
    for objects in &both {
        // Larger than one part of a multipart upload.
        let bytes: Vec<u8> = (0..20 * 1024 * 1024_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let object = put(objects, &bytes).await;
        assert_eq!(object.size_bytes, 20 * 1024 * 1024);
        assert_eq!(object.hash.as_str(), blake3::hash(&bytes).to_hex().as_str());
        assert_eq!(get(objects, &object.hash).await.unwrap(), bytes);
        for range in [0..0, 0..1, 5..1_000_005, 20_971_519..20_971_520, 20_971_520..20_971_520] {
            let part = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            assert_eq!(read(objects, &object.hash, Some(range)).await.unwrap(), bytes[part]);
        }
        assert_eq!(read(objects, &object.hash, Some(20_971_510..u64::MAX)).await.unwrap(), bytes[20_971_510..]);
        let beyond = objects.get(&object.hash, Some(20_971_521..20_971_522)).await.unwrap_err();
        assert_eq!(beyond.code(), Code::InvalidArgument);
        assert_eq!(put(objects, &[]).await.hash.as_str(), EMPTY);
        assert!(get(objects, &ObjectHash::parse(EMPTY).unwrap()).await.unwrap().is_empty());
    }
});

store_test!([SCHEMA] async fn the_same_bytes_are_stored_once(db: Db) {
    let (folder, [local, _]) = stores(&db, &Clock::System).await;
    let puts = (0..16).map(|_| put(&local, b"the same"));
    let objects = futures::future::join_all(puts).await;
    assert!(objects.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(files(&folder.path().join("objects")).len(), 1);
    assert_eq!(listed(&db).await, 1);
});

store_test!([SCHEMA] async fn a_stream_that_breaks_stores_nothing(db: Db) {
    let (folder, both) = stores(&db, &Clock::System).await;
    for objects in &both {
        let body = chunks(&[1; 3_000_000], 100_000).chain(stream::iter([Err(broken())]));
        assert_eq!(objects.put(body).await.unwrap_err().code(), Code::InvalidArgument);
    }
    assert_eq!(listed(&db).await, 0);
    assert!(files(folder.path()).is_empty(), "no scratch file stays");
});

store_test!([SCHEMA] async fn a_full_disk_refuses_before_anything_is_read(db: Db) {
    let (folder, [local, _]) = stores(&db, &Clock::System).await;
    let kept = put(&local, b"kept").await;
    db.gate().set_closed(true);
    assert_eq!(local.put(chunks(b"refused", 4)).await.unwrap_err().code(), Code::OutOfSpace);
    assert_eq!(get(&local, &kept.hash).await.unwrap(), b"kept");
    assert_eq!(files(folder.path()).len(), 1);
});
