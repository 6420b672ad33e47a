//! Roles in a project.

use lathe_access::SCHEMA;
use lathe_access::members::{Member, list_members, remove_member, set_member};
use lathe_core::{Code, Role};
use lathe_testkit::store_test;

use crate::world::{PASSWORD, World, basic, code};

store_test!([SCHEMA] async fn a_role_counts_from_the_next_request_and_in_its_project_only(db: Db) {
    let world = World::start(db).await;
    world.make_project("fraud").await;
    world.make_user("anna", None).await;
    assert_eq!(world.resolve_in(basic("anna", PASSWORD), "fraud").await.unwrap().grant.role, None);
    let admin = world.admin_in("fraud");
    set_member(&admin, &world.access, "anna".into(), Role::Viewer).await.unwrap();
    assert_eq!(world.resolve_in(basic("anna", PASSWORD), "fraud").await.unwrap().grant.role, Some(Role::Viewer));
    set_member(&admin, &world.access, "anna".into(), Role::Maintainer).await.unwrap();
    assert_eq!(world.resolve_in(basic("anna", PASSWORD), "fraud").await.unwrap().grant.role, Some(Role::Maintainer));
    assert_eq!(world.resolve_in(basic("anna", PASSWORD), "default").await.unwrap().grant.role, None);
    remove_member(&admin, &world.access, "anna".into()).await.unwrap();
    assert_eq!(world.resolve_in(basic("anna", PASSWORD), "fraud").await.unwrap().grant.role, None);
    assert_eq!(world.actions("fraud").await, [
        "member.set fraud/user/anna", "member.set fraud/user/anna", "member.removed fraud/user/anna",
    ]);
});

store_test!([SCHEMA] async fn members_are_listed_by_name(db: Db) {
    let world = World::start(db).await;
    world.make_user("ben", Some(Role::Viewer)).await;
    world.make_user("anna", Some(Role::Admin)).await;
    world.make_user("zoe", None).await;
    assert_eq!(list_members(&world.admin, &world.access).await.unwrap(), [
        Member { username: "anna".into(), role: Role::Admin },
        Member { username: "ben".into(), role: Role::Viewer },
    ]);
});

store_test!([SCHEMA] async fn setting_the_same_role_again_is_no_event(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", Some(Role::Viewer)).await;
    let before = world.actions("default").await.len();
    set_member(&world.admin, &world.access, "anna".into(), Role::Viewer).await.unwrap();
    assert_eq!(world.actions("default").await.len(), before);
});

store_test!([SCHEMA] async fn only_the_projects_administrators_manage_its_members(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", None).await;
    for role in [None, Some(Role::Viewer), Some(Role::Contributor), Some(Role::Maintainer)] {
        let ctx = world.acting("ben", role);
        assert_eq!(code(list_members(&ctx, &world.access).await), Code::PermissionDenied, "{role:?}");
        assert_eq!(code(set_member(&ctx, &world.access, "anna".into(), Role::Viewer).await), Code::PermissionDenied);
        assert_eq!(code(remove_member(&ctx, &world.access, "anna".into()).await), Code::PermissionDenied);
    }
    let admin = world.acting("ben", Some(Role::Admin));
    set_member(&admin, &world.access, "anna".into(), Role::Viewer).await.unwrap();
});

store_test!([SCHEMA] async fn unknown_removed_and_malformed_users_get_no_role(db: Db) {
    let world = World::start(db).await;
    world.make_user("gone", None).await;
    lathe_access::users::delete_user(&world.admin, &world.access, "gone".into()).await.unwrap();
    for name in ["nobody", "gone"] {
        assert_eq!(code(set_member(&world.admin, &world.access, name.into(), Role::Viewer).await), Code::NotFound);
        assert_eq!(code(remove_member(&world.admin, &world.access, name.into()).await), Code::NotFound);
    }
    assert_eq!(code(set_member(&world.admin, &world.access, "a\0".into(), Role::Viewer).await), Code::InvalidArgument);
});
