use lathe_core::Code;
use lathe_data::repositories::*;
use lathe_testkit::store_test;

use crate::*;

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_repository_begins_with_a_branch_and_an_empty_commit(db: Db) {
    let world = world(&db).await;
    let found = get_repository(&world.ctx, &world.data, &world.images).await.unwrap();
    assert_eq!((found.default_branch, found.layout), (name("main"), Layout::Ref));
    assert!(world.all("main").await.is_empty());
    let first = lathe_data::refs::resolve_ref(&world.ctx, &world.data, &world.images, &at("main")).await.unwrap();
    assert_eq!((first.height, first.paths, first.parents.len()), (0, 0, 0));
    assert_eq!(world.actions().await, ["data.repository_created"]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn names_are_unique_and_seen_in_their_project_alone(db: Db) {
    let world = world(&db).await;
    let again = || CreateRepository::named(world.images.clone());
    assert_eq!(code(create_repository(&world.ctx, &world.data, again()).await), Code::AlreadyExists);
    assert_eq!(code(get_repository(&elsewhere(), &world.data, &world.images).await), Code::NotFound);
    assert!(list_repositories(&elsewhere(), &world.data, PageRequest::default()).await.unwrap().items.is_empty());
    assert_eq!(code(delete_repository(&elsewhere(), &world.data, &world.images).await), Code::NotFound);
    // Elsewhere it is another repository.
    create_repository(&elsewhere(), &world.data, again()).await.unwrap();
    delete_repository(&elsewhere(), &world.data, &world.images).await.unwrap();
    assert_eq!(get_repository(&world.ctx, &world.data, &world.images).await.unwrap().name, world.images);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn repositories_are_listed_by_name_in_pages(db: Db) {
    let world = world(&db).await;
    for text in ["zebra", "audio", "texts"] {
        create_repository(&world.ctx, &world.data, CreateRepository::named(repository(text))).await.unwrap();
    }
    let (mut names, mut page_token) = (Vec::new(), None);
    loop {
        let page = PageRequest { max_results: 3, page_token };
        let page = list_repositories(&world.ctx, &world.data, page).await.unwrap();
        names.extend(page.items.iter().map(|found| found.name.to_string()));
        page_token = page.next.map(|token| token.encode());
        if page_token.is_none() {
            break;
        }
    }
    assert_eq!(names, ["audio", "images", "texts", "zebra"]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn deleting_a_repository_frees_its_name_and_its_objects(db: Db) {
    let world = world(&db).await;
    world.put("main", "a.bin", &large("a")).await;
    world.commit("main", "one").await;
    world.put("main", "b.bin", &large("b")).await;
    // A staged row that names no object.
    world.put("main", "small", "s").await;
    let day_ms = 25 * 3_600 * 1_000;
    world.ctx.clock.advance_ms(day_ms);
    let collect = async || {
        lathe_objects::gc(&world.objects, lathe_data::LIVE_OBJECTS, lathe_objects::DEFAULT_GRACE_MS).await.unwrap()
    };
    assert_eq!(collect().await.deleted_objects, 0);
    assert_eq!(lathe_objects::named(&world.objects, lathe_data::LIVE_OBJECTS).await.unwrap().len(), 2);
    delete_repository(&world.ctx, &world.data, &world.images).await.unwrap();
    assert_eq!(collect().await.deleted_objects, 2);
    assert_eq!(code(get_repository(&world.ctx, &world.data, &world.images).await), Code::NotFound);
    create_repository(&world.ctx, &world.data, CreateRepository::named(world.images.clone())).await.unwrap();
    assert!(world.all("main").await.is_empty());
    assert!(world.actions().await.contains(&"data.repository_deleted".to_owned()));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn only_a_repository_in_which_nothing_ever_was_is_deleted_as_empty(db: Db) {
    let world = world(&db).await;
    let delete = async || delete_empty_repository(&world.ctx, &world.data, &world.images).await;
    world.put("main", "a", "staged").await;
    assert_eq!(code(delete().await), Code::Conflict);
    assert_eq!(world.read("main", "a").await.as_deref(), Some("staged"), "a refusal changes nothing");
    world.delete("main", "a").await;
    let new = lathe_data::uploads::CreateUpload::default();
    let upload_id =
        lathe_data::uploads::create_upload(&world.ctx, &world.data, &world.images, &world.main, &path("u"), new).await.unwrap();
    assert_eq!(code(delete().await), Code::Conflict);
    let at_u = path("u");
    let upload = lathe_data::uploads::UploadName {
        repository: &world.images, branch: &world.main, path: &at_u, upload_id: &upload_id,
    };
    lathe_data::uploads::abort_upload(&world.ctx, &world.data, upload).await.unwrap();
    // History that only a tag names.
    world.branch("side", "main").await;
    world.put("side", "a", "1").await;
    world.commit("side", "one").await;
    lathe_data::refs::create_tag(&world.ctx, &world.data, &world.images, name("v1"), &at("side")).await.unwrap();
    lathe_data::refs::delete_branch(&world.ctx, &world.data, &world.images, &name("side")).await.unwrap();
    assert_eq!(code(delete().await), Code::Conflict);
    assert_eq!(world.read("v1", "a").await.as_deref(), Some("1"));
    let empty = repository("empty");
    create_repository(&world.ctx, &world.data, CreateRepository::named(empty.clone())).await.unwrap();
    delete_empty_repository(&world.ctx, &world.data, &empty).await.unwrap();
    assert_eq!(code(get_repository(&world.ctx, &world.data, &empty).await), Code::NotFound);
});
