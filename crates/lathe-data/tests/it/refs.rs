use lathe_core::Code;
use lathe_data::refs::*;
use lathe_data::repositories::PageRequest;
use lathe_testkit::store_test;

use crate::*;

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_branch_is_a_copy_that_costs_nothing(db: Db) {
    let world = world(&db).await;
    world.put("main", "a.txt", "one").await;
    world.commit("main", "one").await;
    let nodes = world.count("SELECT COUNT(*) FROM nodes").await;
    world.branch("try", "main").await;
    assert_eq!(world.count("SELECT COUNT(*) FROM nodes").await, nodes);
    world.put("try", "a.txt", "two").await;
    assert_eq!(world.read("main", "a.txt").await.as_deref(), Some("one"));
    assert_eq!(world.read("try", "a.txt").await.as_deref(), Some("two"));
    world.put("main", "later.txt", "later").await;
    assert_eq!(world.read("try", "later.txt").await, None);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_ref_is_a_branch_a_tag_an_id_its_beginning_or_an_ancestor(db: Db) {
    let world = world(&db).await;
    let mut made = Vec::new();
    for text in ["one", "two", "three"] {
        world.put("main", "a.txt", text).await;
        made.push(world.commit("main", text).await);
    }
    create_tag(&world.ctx, &world.data, &world.images, name("v1"), &at("main~1")).await.unwrap();
    let resolve = async |text: &str| resolve_ref(&world.ctx, &world.data, &world.images, &at(text)).await;
    assert_eq!(resolve("main").await.unwrap(), made[2]);
    assert_eq!(resolve("v1").await.unwrap(), made[1]);
    assert_eq!(resolve("main~2").await.unwrap(), made[0]);
    assert_eq!(resolve(made[0].id.as_str()).await.unwrap(), made[0]);
    assert_eq!(resolve(&made[0].id.as_str()[..8]).await.unwrap(), made[0]);
    assert_eq!(resolve(&format!("{}~", made[2].id.short())).await.unwrap(), made[1]);
    for missing in ["nope", "main~4", "main~4000000", "00000000", &"0".repeat(64)] {
        assert_eq!(code(resolve(missing).await), Code::NotFound, "{missing}");
    }
    assert_eq!(world.read("v1", "a.txt").await.as_deref(), Some("two"));
    assert_eq!(world.read("main~2", "a.txt").await.as_deref(), Some("one"));
    assert_eq!(world.list("main~3", "", None, 10).await, Vec::<String>::new());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn one_name_is_a_branch_or_a_tag(db: Db) {
    let world = world(&db).await;
    let taken = create_tag(&world.ctx, &world.data, &world.images, name("main"), &at("main")).await.unwrap_err();
    assert_eq!((taken.code(), taken.message()), (Code::AlreadyExists, "`images` already has a branch named `main`"));
    create_tag(&world.ctx, &world.data, &world.images, name("v1"), &at("main")).await.unwrap();
    let taken = create_branch(&world.ctx, &world.data, &world.images, name("v1"), &at("main")).await.unwrap_err();
    assert_eq!((taken.code(), taken.message()), (Code::AlreadyExists, "`images` already has a tag named `v1`"));
    let unknown = create_branch(&world.ctx, &world.data, &world.images, name("x"), &at("nope")).await;
    assert_eq!(code(unknown), Code::NotFound);
    assert_eq!(code(delete_branch(&world.ctx, &world.data, &world.images, &name("v1")).await), Code::NotFound);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn refs_are_listed_and_deleted(db: Db) {
    let world = world(&db).await;
    for text in ["b", "a"] {
        world.branch(text, "main").await;
        let tag = name(&format!("tag-{text}"));
        create_tag(&world.ctx, &world.data, &world.images, tag, &at("main")).await.unwrap();
    }
    let names = async |kind: RefKind| -> Vec<String> {
        let page = match kind {
            RefKind::Branch => list_branches(&world.ctx, &world.data, &world.images, PageRequest::default()).await,
            RefKind::Tag => list_tags(&world.ctx, &world.data, &world.images, PageRequest::default()).await,
        };
        page.unwrap().items.iter().map(|found| found.name.to_string()).collect()
    };
    assert_eq!(names(RefKind::Branch).await, ["a", "b", "main"]);
    assert_eq!(names(RefKind::Tag).await, ["tag-a", "tag-b"]);
    world.put("a", "x", "staged").await;
    delete_branch(&world.ctx, &world.data, &world.images, &name("a")).await.unwrap();
    delete_tag(&world.ctx, &world.data, &world.images, &name("tag-b")).await.unwrap();
    assert_eq!(names(RefKind::Branch).await, ["b", "main"]);
    assert_eq!(names(RefKind::Tag).await, ["tag-a"]);
    // A branch of the same name starts anew.
    world.branch("a", "main").await;
    assert_eq!(world.read("a", "x").await, None);
    let default = delete_branch(&world.ctx, &world.data, &world.images, &world.main).await;
    assert_eq!(code(default), Code::Conflict);
    assert_eq!(code(delete_tag(&world.ctx, &world.data, &world.images, &name("main")).await), Code::NotFound);
    let expected = ["branch_created", "tagged", "branch_created", "tagged", "branch_deleted", "tag_deleted", "branch_created"];
    let expected: Vec<String> = expected.iter().map(|action| format!("data.{action}")).collect();
    assert_eq!(world.actions().await[1..], expected);
});
