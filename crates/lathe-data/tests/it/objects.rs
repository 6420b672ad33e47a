use std::collections::BTreeMap;

use lathe_core::{Code, Error};
use lathe_data::objects::*;
use lathe_data::{Blob, ContentHash, Etag, MAX_INLINE_BYTES};
use lathe_testkit::store_test;

use crate::*;

fn if_match(tags: Tags) -> Conditions {
    Conditions { if_match: Some(tags), ..Conditions::default() }
}

fn if_none_match(tags: Tags) -> Conditions {
    Conditions { if_none_match: Some(tags), ..Conditions::default() }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn files_of_every_size_come_back_with_their_hashes(db: Db) {
    let world = world(&db).await;
    for size in [0, 1, MAX_INLINE_BYTES, MAX_INLINE_BYTES + 1, 100_000] {
        let (at, content) = (format!("size/{size}"), "x".repeat(size));
        let entry = world.put("main", &at, &content).await;
        assert_eq!(matches!(entry.blob, Blob::Inline(_)), size <= MAX_INLINE_BYTES, "{size}");
        assert_eq!((entry.size_bytes, entry.hash), (size as u64, ContentHash::of(content.as_bytes())));
        assert_eq!(world.read("main", &at).await, Some(content));
    }
    let empty = head_object(&world.ctx, &world.data, &world.images, &at("main"), &path("size/0")).await.unwrap();
    assert_eq!(empty.etag.to_string(), "d41d8cd98f00b204e9800998ecf8427e");
    let large = head_object(&world.ctx, &world.data, &world.images, &at("main"), &path("size/100000")).await.unwrap();
    assert_eq!(large.etag.to_string(), "d5816f35916d1d9482fb0f1ec201101d");
    let committed = world.commit("main", "sizes").await;
    assert_eq!((committed.paths, committed.size_bytes), (5, 100_000 + 2 * MAX_INLINE_BYTES as u64 + 2));
    assert_eq!(world.read("main", "size/4097").await.unwrap().len(), 4_097);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_range_is_cut_to_the_file(db: Db) {
    let world = world(&db).await;
    world.put("main", "small", "hello world").await;
    world.put("main", "large", &large("0123456789")).await;
    let read = async |at_path: &str, range: std::ops::Range<u64>| {
        let found = get_object(&world.ctx, &world.data, &world.images, &at("main"), &path(at_path), Some(range)).await;
        let chunks: Vec<_> = found?.stream.collect().await;
        let bytes: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.unwrap().to_vec()).collect();
        Ok::<_, Error>(String::from_utf8(bytes).unwrap())
    };
    assert_eq!(read("small", 6..9).await.unwrap(), "wor");
    assert_eq!(read("small", 6..900).await.unwrap(), "world");
    assert_eq!(read("small", 11..12).await.unwrap(), "");
    assert_eq!(read("large", 9_998..10_004).await.unwrap(), "890123");
    assert_eq!(code(read("small", 12..13).await), Code::InvalidArgument);
    assert_eq!(code(read("large", 1_000_000..1_000_001).await), Code::InvalidArgument);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn type_and_metadata_are_kept(db: Db) {
    let world = world(&db).await;
    let metadata = BTreeMap::from([("owner".to_owned(), "Zoë".to_owned())]);
    let request = PutObject { content_type: "text/csv".to_owned(), metadata: metadata.clone(), ..PutObject::default() };
    put_object(&world.ctx, &world.data, &world.images, &world.main, &path("a.csv"), request, bytes_of("1,2")).await.unwrap();
    world.commit("main", "csv").await;
    let found = head_object(&world.ctx, &world.data, &world.images, &at("main"), &path("a.csv")).await.unwrap();
    assert_eq!((found.content_type.as_str(), found.metadata), ("text/csv", metadata));
    let too_much = PutObject {
        metadata: BTreeMap::from([("k".to_owned(), "v".repeat(2_048))]), ..PutObject::default()
    };
    let refused = put_object(&world.ctx, &world.data, &world.images, &world.main, &path("b"), too_much, bytes_of("")).await;
    assert_eq!(code(refused), Code::InvalidArgument);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn staged_changes_are_read_before_committed_ones(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.put("main", "b", "1").await;
    world.commit("main", "both").await;
    world.put("main", "a", "2").await;
    world.delete("main", "b").await;
    world.put("main", "c", "new").await;
    assert_eq!(world.read("main", "a").await.as_deref(), Some("2"));
    assert_eq!(world.read("main", "b").await, None);
    let committed = lathe_data::refs::resolve_ref(&world.ctx, &world.data, &world.images, &at("main")).await.unwrap();
    assert_eq!(world.read(committed.id.as_str(), "a").await.as_deref(), Some("1"));
    assert_eq!(world.read(committed.id.as_str(), "b").await.as_deref(), Some("1"));
    assert_eq!(world.read(committed.id.as_str(), "c").await, None);
    world.put("main", "b", "again").await;
    assert_eq!(world.read("main", "b").await.as_deref(), Some("again"));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn deleting_what_is_only_staged_leaves_nothing(db: Db) {
    let world = world(&db).await;
    world.put("main", "a", "1").await;
    world.delete("main", "a").await;
    world.delete("main", "never").await;
    assert_eq!(world.count("SELECT COUNT(*) FROM staged").await, 0);
    assert_eq!(code(world.try_commit("main", "nothing").await), Code::Conflict);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn only_branches_are_written_to(db: Db) {
    let world = world(&db).await;
    lathe_data::refs::create_tag(&world.ctx, &world.data, &world.images, name("v1"), &at("main")).await.unwrap();
    assert_eq!(code(world.try_put("v1", "a", "1", Conditions::default()).await), Code::InvalidArgument);
    assert_eq!(code(world.try_put("nope", "a", "1", Conditions::default()).await), Code::NotFound);
    let other = delete_object(&elsewhere(), &world.data, &world.images, &world.main, &path("a"), Conditions::default()).await;
    assert_eq!(code(other), Code::NotFound);
    assert_eq!(world.count("SELECT COUNT(*) FROM staged").await, 0);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn conditions_look_at_what_readers_see(db: Db) {
    let world = world(&db).await;
    let none = |entry: &Entry| if_none_match(Tags::OneOf(vec![entry.etag]));
    let matching = |entry: &Entry| if_match(Tags::OneOf(vec![entry.etag]));
    let failed = |result: Result<Entry>| result.is_err_and(|error| error.code() == Code::PreconditionFailed);
    assert!(failed(world.try_put("main", "a", "1", if_match(Tags::Any)).await));
    let one = world.try_put("main", "a", "1", if_none_match(Tags::Any)).await.unwrap();
    assert!(failed(world.try_put("main", "a", "2", if_none_match(Tags::Any)).await));
    world.commit("main", "one").await;
    assert!(failed(world.try_put("main", "a", "2", if_none_match(Tags::Any)).await));
    assert!(failed(world.try_put("main", "a", "2", none(&one)).await));
    let two = world.try_put("main", "a", "2", matching(&one)).await.unwrap();
    assert!(failed(world.try_put("main", "a", "3", matching(&one)).await));
    let either = if_match(Tags::OneOf(vec![one.etag, two.etag]));
    world.try_put("main", "a", "3", either).await.unwrap();
    assert_eq!(world.read("main", "a").await.as_deref(), Some("3"));
    let other = Etag { md5: [7; 16], parts: 0 };
    let delete = delete_object(&world.ctx, &world.data, &world.images, &world.main, &path("a"), if_match(Tags::OneOf(vec![other]))).await;
    assert_eq!(code(delete), Code::PreconditionFailed);
    world.delete("main", "a").await;
    world.try_put("main", "a", "4", if_none_match(Tags::Any)).await.unwrap();
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn of_many_who_create_one_path_exactly_one_does(db: Db) {
    let world = world(&db).await;
    let texts: Vec<String> = (0..8).map(|writer| writer.to_string()).collect();
    let puts = texts.iter().map(|text| world.try_put("main", "lock", text, if_none_match(Tags::Any)));
    let outcomes = futures::future::join_all(puts).await;
    let winners: Vec<usize> = (0..8).filter(|writer| outcomes[*writer].is_ok()).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(world.read("main", "lock").await, Some(texts[winners[0]].clone()));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_copy_shares_its_bytes(db: Db) {
    let world = world(&db).await;
    let content = large("copy");
    let original = world.put("main", "a", &content).await;
    world.commit("main", "a").await;
    let objects = world.count("SELECT COUNT(*) FROM objects").await;
    let source = CopySource { repository: world.images.clone(), revision: at("main"), path: path("a") };
    let copy = async |source: &CopySource, branch: &str, at: &str, request: CopyObject| {
        copy_object(&world.ctx, &world.data, source, &world.images, &name(branch), &path(at), request).await
    };
    let same = copy(&source, "main", "b", CopyObject::default()).await.unwrap();
    assert!(same.is_same(&original));
    let replace = CopyObject { replace: Some(("text/plain".to_owned(), Default::default())), ..CopyObject::default() };
    world.branch("other", "main").await;
    let other = copy(&source, "other", "c", replace).await.unwrap();
    assert_eq!((other.hash, other.content_type.as_str()), (original.hash, "text/plain"));
    assert_eq!(world.count("SELECT COUNT(*) FROM objects").await, objects);
    assert_eq!(world.read("main", "b").await, Some(content.clone()));
    assert_eq!(world.read("other", "c").await, Some(content));
    let missing = CopySource { path: path("nope"), ..source };
    assert_eq!(code(copy(&missing, "main", "d", CopyObject::default()).await), Code::NotFound);
    // What is where the copy goes is looked at, as for a file that is put.
    let source = CopySource { path: path("a"), ..missing };
    world.put("main", "taken", "before").await;
    let absent = CopyObject { conditions: if_none_match(Tags::Any), ..CopyObject::default() };
    assert_eq!(code(copy(&source, "main", "taken", absent.clone()).await), Code::PreconditionFailed);
    assert_eq!(world.read("main", "taken").await.as_deref(), Some("before"));
    copy(&source, "main", "free", absent).await.unwrap();
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_copy_is_of_the_entry_that_was_looked_at(db: Db) {
    let world = world(&db).await;
    let (first, second) = (large("first"), large("second"));
    world.put("main", "a", &first).await;
    let seen = head_object(&world.ctx, &world.data, &world.images, &at("main"), &path("a")).await.unwrap();
    world.put("main", "a", &second).await;
    copy_entry(&world.ctx, &world.data, seen, &world.images, &world.main, &path("b"), CopyObject::default()).await.unwrap();
    assert_eq!(world.read("main", "b").await, Some(first));
    assert_eq!(world.read("main", "a").await, Some(second));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn an_upload_that_breaks_off_stages_nothing(db: Db) {
    let world = world(&db).await;
    let chunks = vec![Ok(Bytes::from(large("x"))), Err(Error::invalid("the client went away"))];
    let request = PutObject::default();
    let broken = put_object(&world.ctx, &world.data, &world.images, &world.main, &path("a"), request, stream::iter(chunks)).await;
    assert_eq!(code(broken), Code::InvalidArgument);
    assert_eq!(world.read("main", "a").await, None);
});
