//! Projects: made, and seen by those who have a role in them.

use lathe_access::projects::{create_project, list_projects};
use lathe_access::tokens::revoke_token;
use lathe_access::{SCHEMA, members};
use lathe_core::{Code, Ctx, Role};
use lathe_db::ledger::{self, EventFilter};
use lathe_testkit::store_test;

use crate::world::{World, bearer, code, personal, project, service};

async fn seen(world: &World, ctx: &Ctx) -> Vec<(String, Option<Role>)> {
    let found = list_projects(ctx, &world.access).await.unwrap();
    found.into_iter().map(|info| (info.project.to_string(), info.role)).collect()
}

fn row(name: &str, role: Role) -> (String, Option<Role>) {
    (name.to_owned(), Some(role))
}

store_test!([SCHEMA] async fn projects_are_seen_by_those_with_a_role_in_them(db: Db) {
    let world = World::start(db).await;
    world.make_project("fraud").await;
    world.make_project("ads").await;
    world.make_user("anna", Some(Role::Viewer)).await;
    members::set_member(&world.admin_in("fraud"), &world.access, "anna".into(), Role::Admin).await.unwrap();
    assert_eq!(seen(&world, &world.admin).await, [
        row("ads", Role::Admin), row("default", Role::Admin), row("fraud", Role::Admin),
    ]);
    let anna = world.acting("anna", None);
    assert_eq!(seen(&world, &anna).await, [row("default", Role::Viewer), row("fraud", Role::Admin)]);
    assert!(seen(&world, &world.acting("ben", None)).await.is_empty());
});

store_test!([SCHEMA] async fn a_service_token_sees_its_own_project(db: Db) {
    let world = World::start(db).await;
    world.make_project("fraud").await;
    let (_, secret) = world.make_token(&world.admin_in("fraud"), service("admin", Role::Viewer)).await;
    let inside = world.resolve_in(bearer(&secret), "fraud").await.unwrap();
    let outside = world.resolve_in(bearer(&secret), "default").await.unwrap();
    assert_eq!(seen(&world, &inside).await, [row("fraud", Role::Viewer)]);
    assert!(seen(&world, &outside).await.is_empty(), "its name is a person's, its rights are not");
});

store_test!([SCHEMA] async fn projects_are_made_once_by_server_administrators(db: Db) {
    let world = World::start(db).await;
    let create = |ctx: Ctx, description: String| {
        let access = world.access.clone();
        async move { create_project(&ctx, &access, project("fraud"), description).await }
    };
    assert_eq!(code(create(world.acting("anna", Some(Role::Admin)), String::new()).await), Code::PermissionDenied);
    assert_eq!(code(create(world.admin.clone(), "x".repeat(1_001)).await), Code::TooLarge);
    assert_eq!(code(create(world.admin.clone(), "a\0b".into()).await), Code::InvalidArgument);
    create(world.admin.clone(), "finds fraud".into()).await.unwrap();
    assert_eq!(code(create(world.admin.clone(), String::new()).await), Code::AlreadyExists);
    let info = list_projects(&world.admin, &world.access).await.unwrap().remove(1);
    assert_eq!((info.description.as_str(), info.created_at_ms), ("finds fraud", world.clock.now_ms()));
    assert_eq!(world.actions("default").await.pop(), Some("project.created fraud/project/fraud".to_owned()));
});

store_test!([SCHEMA] async fn events_of_the_server_are_read_by_its_administrators_only(db: Db) {
    let world = World::start(db).await;
    world.make_project("fraud").await;
    world.make_user("anna", Some(Role::Admin)).await;
    let (personal_id, _) = world.make_token(&world.admin, personal("fraud laptop")).await;
    let (service_id, _) = world.make_token(&world.admin, service("ci", Role::Viewer)).await;
    revoke_token(&world.admin, &world.access, personal_id.clone()).await.unwrap();
    let all = world.actions("default").await;
    assert_eq!(all.iter().filter(|action| action.ends_with(personal_id.as_str())).count(), 2, "{all:?}");
    assert!(all.contains(&"project.created fraud/project/fraud".to_owned()), "{all:?}");

    let expected = ["member.set default/user/anna".to_owned(), format!("token.created default/token/{service_id}")];
    let anna = world.acting("anna", Some(Role::Admin));
    let mut listed = ledger::list(&anna, &world.db, &EventFilter::default(), None, 100).await.unwrap().items;
    listed.reverse();
    let followed = ledger::follow(&anna, &world.db, 0, 100).await.unwrap();
    for seen in [listed, followed] {
        let seen: Vec<String> = seen.iter().map(|event| format!("{} {}", event.action, event.subject)).collect();
        assert_eq!(seen, expected);
    }
});
