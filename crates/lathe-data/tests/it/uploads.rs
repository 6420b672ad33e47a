use futures::TryStreamExt as _;
use lathe_core::Code;
use lathe_data::objects::{Tags, head_object};
use lathe_data::uploads::*;
use lathe_testkit::store_test;

use crate::*;

const FIVE_MIB: usize = 5 * 1024 * 1024;

fn unchecked(parts: PartStream) -> stream::BoxStream<'static, Result<Bytes>> {
    parts.map_ok(|(_, chunk)| chunk).boxed()
}

impl World {
    async fn begin(&self, at: &str) -> String {
        let object = PutObject { content_type: "text/plain".to_owned(), ..PutObject::default() };
        let request = CreateUpload { object, checksum: Some("of a kind".to_owned()) };
        create_upload(&self.ctx, &self.data, &self.images, &self.main, &path(at), request).await.unwrap()
    }

    async fn try_part(&self, at: &str, upload_id: &str, number: u32, content: &str) -> Result<Part> {
        let path = path(at);
        let body = stream::iter([Ok(Bytes::copy_from_slice(content.as_bytes()))]);
        put_part(&self.ctx, &self.data, self.upload(&path, upload_id), number, body).await
    }

    async fn try_complete(
        &self,
        at: &str,
        upload_id: &str,
        parts: &[u32],
        conditions: Conditions,
    ) -> Result<std::result::Result<Entry, PartFault>> {
        let path = path(at);
        let parts = parts.iter().map(|number| NamedPart { number: *number, etag: None }).collect();
        let request = CompleteUpload { parts, conditions, ..CompleteUpload::default() };
        match choose_parts(&self.ctx, &self.data, self.upload(&path, upload_id), request).await? {
            Chosen::Parts(completion) => complete_upload(&self.ctx, &self.data, *completion, unchecked).await.map(Ok),
            Chosen::Refused(fault, _) => Ok(Err(fault)),
        }
    }

    fn upload<'a>(&'a self, path: &'a ObjectKey, upload_id: &'a str) -> UploadName<'a> {
        UploadName { repository: &self.images, branch: &self.main, path, upload_id }
    }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn parts_in_any_order_make_one_file(db: Db) {
    let world = world(&db).await;
    let id = world.begin("big").await;
    let (first, last) = ("a".repeat(FIVE_MIB), "end");
    let end = world.try_part("big", &id, 7, last).await.unwrap();
    world.try_part("big", &id, 2, "is replaced").await.unwrap();
    world.try_part("big", &id, 2, &first).await.unwrap();
    assert_eq!((end.number, end.size_bytes), (7, 3));
    assert_eq!(world.read("main", "big").await, None, "nothing is there before the upload is complete");
    let big = path("big");
    let begun = get_upload(&world.ctx, &world.data, world.upload(&big, &id)).await.unwrap();
    assert_eq!((&begun.path, begun.checksum.as_deref()), (&big, Some("of a kind")));
    let elsewhere = path("elsewhere");
    assert_eq!(code(get_upload(&world.ctx, &world.data, world.upload(&elsewhere, &id)).await), Code::NotFound);
    let (listed, has_more) = list_parts(&world.ctx, &world.data, world.upload(&big, &id), 0, 1).await.unwrap();
    assert_eq!((listed.len(), listed[0].number, has_more), (1, 2, true));
    let (rest, has_more) = list_parts(&world.ctx, &world.data, world.upload(&big, &id), 2, 10).await.unwrap();
    assert_eq!((rest, has_more), (vec![end], false));
    let none = list_parts(&world.ctx, &world.data, world.upload(&big, &id), 0, 0).await.unwrap();
    assert_eq!(none, (vec![], false));
    let entry = world.try_complete("big", &id, &[2, 7], Conditions::default()).await.unwrap().unwrap();
    assert_eq!((entry.size_bytes, entry.etag.parts, entry.content_type.as_str()), (FIVE_MIB as u64 + 3, 2, "text/plain"));
    assert_eq!(world.read("main", "big").await, Some(first + last));
    assert_eq!(world.count("SELECT COUNT(*) FROM upload_parts").await, 0);
    assert_eq!(code(world.try_complete("big", &id, &[2, 7], Conditions::default()).await), Code::NotFound);
    assert_eq!(code(world.try_part("big", &id, 1, "late").await), Code::NotFound);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_refused_completion_changes_nothing(db: Db) {
    let world = world(&db).await;
    world.put("main", "taken", "before").await;
    let id = world.begin("taken").await;
    world.try_part("taken", &id, 1, "one").await.unwrap();
    world.try_part("taken", &id, 2, "two").await.unwrap();
    for (parts, fault) in
        [(&[1, 2][..], PartFault::TooSmall), (&[2, 1], PartFault::Order), (&[3], PartFault::Unknown), (&[], PartFault::Unknown)]
    {
        let refused = world.try_complete("taken", &id, parts, Conditions::default()).await.unwrap();
        assert_eq!(refused, Err(fault), "{parts:?}");
    }
    let absent = Conditions { if_none_match: Some(Tags::Any), ..Conditions::default() };
    assert_eq!(code(world.try_complete("taken", &id, &[1], absent).await), Code::PreconditionFailed);
    assert_eq!(world.read("main", "taken").await.as_deref(), Some("before"));
    assert_eq!(code(world.try_part("taken", &id, 0, "x").await), Code::InvalidArgument);
    assert_eq!(code(world.try_part("taken", &id, 10_001, "x").await), Code::InvalidArgument);
    assert_eq!(code(world.try_part("elsewhere", &id, 1, "x").await), Code::NotFound);
    assert_eq!(code(world.try_part("taken", "no-such-upload", 1, "x").await), Code::NotFound);
    let broken = stream::iter([Ok(Bytes::from_static(b"x")), Err(lathe_core::Error::invalid("it broke off"))]);
    let taken = path("taken");
    let put = put_part(&world.ctx, &world.data, world.upload(&taken, &id), 3, broken).await;
    assert_eq!(code(put), Code::InvalidArgument);
    assert_eq!(world.count("SELECT COUNT(*) FROM upload_parts").await, 2);
    // Bytes that are not what somebody expects them to be.
    let request = |size_bytes| CompleteUpload { parts: vec![NamedPart { number: 2, etag: None }], size_bytes, ..Default::default() };
    let other_size = choose_parts(&world.ctx, &world.data, world.upload(&taken, &id), request(Some(4))).await.unwrap();
    assert!(matches!(other_size, Chosen::Refused(PartFault::Size, _)), "{other_size:?}");
    let fail = |parts: PartStream| {
        let end = stream::iter([Err(lathe_core::Error::invalid("these are others"))]);
        parts.map_ok(|(_, chunk)| chunk).chain(end).boxed()
    };
    let chosen = choose_parts(&world.ctx, &world.data, world.upload(&taken, &id), request(Some(3))).await.unwrap();
    let Chosen::Parts(completion) = chosen else { panic!("they make a file") };
    assert_eq!(completion.size_bytes(), 3);
    let refused = complete_upload(&world.ctx, &world.data, *completion, fail).await;
    assert_eq!(code(refused), Code::InvalidArgument);
    assert_eq!(world.read("main", "taken").await.as_deref(), Some("before"));
    world.try_complete("taken", &id, &[2], Conditions::default()).await.unwrap().unwrap();
    assert_eq!(world.read("main", "taken").await.as_deref(), Some("two"));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn parts_are_kept_until_their_upload_is_given_up(db: Db) {
    let world = world(&db).await;
    let collect = async || {
        lathe_objects::gc(&world.objects, lathe_data::LIVE_OBJECTS, lathe_objects::DEFAULT_GRACE_MS).await.unwrap()
    };
    let (one, two) = (world.begin("one").await, world.begin("two").await);
    world.try_part("one", &one, 1, "part of one").await.unwrap();
    world.try_part("two", &two, 1, "part of two").await.unwrap();
    let listed = list_uploads(&world.ctx, &world.data, &world.images, Some(&world.main)).await.unwrap();
    assert_eq!(listed.iter().map(|upload| upload.path.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    world.ctx.clock.advance_ms(lathe_objects::DEFAULT_GRACE_MS + 1);
    assert_eq!(collect().await.deleted_objects, 0);
    let path_of_one = path("one");
    abort_upload(&world.ctx, &world.data, world.upload(&path_of_one, &one)).await.unwrap();
    assert_eq!(code(abort_upload(&world.ctx, &world.data, world.upload(&path_of_one, &one)).await), Code::NotFound);
    assert_eq!(collect().await.deleted_objects, 1);
    let before_ms = world.ctx.clock.now_ms() - MAX_UPLOAD_AGE_MS;
    assert_eq!(expire_uploads(&world.data, before_ms).await.unwrap(), 0);
    world.ctx.clock.advance_ms(MAX_UPLOAD_AGE_MS);
    let young = world.begin("young").await;
    assert_eq!(expire_uploads(&world.data, world.ctx.clock.now_ms() - MAX_UPLOAD_AGE_MS).await.unwrap(), 1);
    assert_eq!(collect().await.deleted_objects, 1);
    assert_eq!(code(world.try_part("two", &two, 2, "x").await), Code::NotFound);
    world.try_part("young", &young, 1, "x").await.unwrap();
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn two_completions_of_one_upload_are_one(db: Db) {
    let world = world(&db).await;
    let id = world.begin("one").await;
    world.try_part("one", &id, 1, "content").await.unwrap();
    let completions = (0..4).map(|_| world.try_complete("one", &id, &[1], Conditions::default()));
    let outcomes = futures::future::join_all(completions).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(error.code(), Code::NotFound, "{error:?}");
    }
    let head = head_object(&world.ctx, &world.data, &world.images, &at("main"), &path("one")).await.unwrap();
    let read = lathe_data::objects::read_object(&world.ctx, &world.data, head, None).await.unwrap();
    assert_eq!(read.stream.try_collect::<Vec<_>>().await.unwrap().concat(), b"content");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn uploads_are_for_writers_of_branches(db: Db) {
    let world = world(&db).await;
    let begin = async |ctx: &Ctx, branch: &str| {
        create_upload(ctx, &world.data, &world.images, &name(branch), &path("x"), CreateUpload::default()).await
    };
    assert_eq!(code(begin(&as_role(Role::Viewer), "main").await), Code::PermissionDenied);
    assert_eq!(code(begin(&elsewhere(), "main").await), Code::NotFound);
    assert_eq!(code(begin(&world.ctx, "nowhere").await), Code::NotFound);
    lathe_data::refs::create_tag(&world.ctx, &world.data, &world.images, name("v1"), &at("main")).await.unwrap();
    assert_eq!(code(begin(&world.ctx, "v1").await), Code::InvalidArgument);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn uploads_go_with_their_branch(db: Db) {
    let world = world(&db).await;
    world.branch("side", "main").await;
    let (side, at) = (name("side"), path("one"));
    let kept = world.begin("kept").await;
    let new = CreateUpload::default();
    let id = create_upload(&world.ctx, &world.data, &world.images, &side, &at, new).await.unwrap();
    let upload = UploadName { repository: &world.images, branch: &side, path: &at, upload_id: &id };
    put_part(&world.ctx, &world.data, upload.clone(), 1, bytes_of("part")).await.unwrap();
    lathe_data::refs::delete_branch(&world.ctx, &world.data, &world.images, &side).await.unwrap();
    world.branch("side", "main").await;
    assert_eq!(code(put_part(&world.ctx, &world.data, upload, 2, bytes_of("late")).await), Code::NotFound);
    assert_eq!(world.count("SELECT COUNT(*) FROM upload_parts").await, 0);
    let left = list_uploads(&world.ctx, &world.data, &world.images, None).await.unwrap();
    assert_eq!(left.iter().map(|upload| &upload.upload_id).collect::<Vec<_>>(), [&kept]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn no_upload_begins_on_a_branch_that_goes_meanwhile(db: Db) {
    let world = world(&db).await;
    let (side, at) = (name("side"), path("one"));
    for _ in 0..20 {
        world.branch("side", "main").await;
        let begin = create_upload(&world.ctx, &world.data, &world.images, &side, &at, CreateUpload::default());
        let delete = lathe_data::refs::delete_branch(&world.ctx, &world.data, &world.images, &side);
        let (begun, deleted) = futures::future::join(begin, delete).await;
        deleted.unwrap();
        assert!(begun.is_ok() || code(begun) == Code::NotFound);
        assert_eq!(world.count("SELECT COUNT(*) FROM uploads").await, 0);
    }
});
