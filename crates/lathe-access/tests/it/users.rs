//! People: made, listed and removed.

use lathe_access::SCHEMA;
use lathe_access::tokens::{create_run_token, revoke_token};
use lathe_access::users::{CreateUser, create_user, delete_user, list_users};
use lathe_core::{Actor, ActorKind, Code, Ctx, Role, RunId};
use lathe_testkit::store_test;

use crate::world::{PASSWORD, World, basic, bearer, code};

fn user(username: &str) -> CreateUser {
    CreateUser { username: username.to_owned(), password: Some(PASSWORD.to_owned()), is_admin: false }
}

store_test!([SCHEMA] async fn a_user_without_a_password_gets_a_random_one(db: Db) {
    let world = World::start(db).await;
    let request = CreateUser { password: None, is_admin: true, ..user("anna") };
    let secret = create_user(&world.admin, &world.access, request).await.unwrap().unwrap();
    assert!(world.resolve(basic("anna", &secret)).await.unwrap().grant.is_server_admin);
    assert_eq!(create_user(&world.admin, &world.access, user("ben")).await.unwrap(), None);
    assert_eq!(world.resolve(basic("ben", PASSWORD)).await.unwrap().grant, lathe_core::Grant::NONE);
    let events = world.events("default").await;
    assert!(events.iter().all(|event| !event.detail.contains(&secret) && !event.detail.contains(PASSWORD)));
});

store_test!([SCHEMA] async fn only_server_administrators_manage_users(db: Db) {
    let world = World::start(db).await;
    for role in [None, Some(Role::Viewer), Some(Role::Admin)] {
        let ctx = world.acting("anna", role);
        assert_eq!(code(create_user(&ctx, &world.access, user("ben")).await), Code::PermissionDenied);
        assert_eq!(code(list_users(&ctx, &world.access).await), Code::PermissionDenied);
        assert_eq!(code(delete_user(&ctx, &world.access, "admin".into()).await), Code::PermissionDenied);
    }
});

store_test!([SCHEMA] async fn bad_names_and_passwords_are_refused_and_leave_nothing(db: Db) {
    let world = World::start(db).await;
    for name in ["", "Anna", "a b", "a/b", "a\0"] {
        assert_eq!(code(create_user(&world.admin, &world.access, user(name)).await), Code::InvalidArgument, "{name:?}");
        assert_eq!(code(delete_user(&world.admin, &world.access, name.into()).await), Code::InvalidArgument, "{name:?}");
    }
    let too_long = "x".repeat(1_025);
    for password in ["", "1234567", too_long.as_str()] {
        let request = CreateUser { password: Some(password.to_owned()), ..user("anna") };
        assert_eq!(code(create_user(&world.admin, &world.access, request).await), Code::InvalidArgument);
    }
    assert_eq!(list_users(&world.admin, &world.access).await.unwrap().len(), 1);
});

store_test!([SCHEMA] async fn a_name_is_used_once_even_after_its_user_was_removed(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", None).await;
    let taken = create_user(&world.admin, &world.access, user("anna")).await.unwrap_err();
    assert_eq!((taken.code(), taken.message()), (Code::AlreadyExists, "user `anna` already exists"));
    delete_user(&world.admin, &world.access, "anna".into()).await.unwrap();
    let removed = create_user(&world.admin, &world.access, user("anna")).await.unwrap_err();
    assert_eq!(removed.code(), Code::AlreadyExists);
    assert!(removed.message().contains("audit"), "{removed}");
});

store_test!([SCHEMA] async fn a_removed_user_is_gone_at_once(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", Some(Role::Admin)).await;
    world.resolve(basic("anna", PASSWORD)).await.unwrap();
    delete_user(&world.admin, &world.access, "anna".into()).await.unwrap();
    assert_eq!(code(world.resolve(basic("anna", PASSWORD)).await), Code::Unauthenticated);
    assert_eq!(code(delete_user(&world.admin, &world.access, "anna".into()).await), Code::NotFound);
    assert_eq!(code(delete_user(&world.admin, &world.access, "nobody".into()).await), Code::NotFound);
    let names: Vec<String> =
        list_users(&world.admin, &world.access).await.unwrap().into_iter().map(|user| user.username).collect();
    assert_eq!(names, ["admin"]);
    assert_eq!(world.actions("default").await.pop(), Some("user.deleted default/user/anna".to_owned()));
});

store_test!([SCHEMA] async fn the_credentials_of_a_removed_users_runs_end_at_once(db: Db) {
    let world = World::start(db).await;
    for name in ["anna", "ben", "workflows", "ci"] {
        world.make_user(name, Some(Role::Contributor)).await;
    }
    let contributor = |actor| Ctx { actor, ..world.acting("anna", Some(Role::Contributor)) };
    let make = async |actor, run: &RunId| create_run_token(&contributor(actor), &world.access, run, None).await.unwrap();
    let run = RunId::generate;
    let (first, second, third) = (run(), run(), run());
    let mut of_anna = vec![make(Actor::user("anna"), &first).await, make(Actor::run(first.as_str()), &second).await];
    of_anna.push(make(Actor::run(second.as_str()), &run()).await);
    // What was revoked before has made something that was not.
    let gone = make(Actor::user("anna"), &third).await;
    of_anna.push(make(Actor::run(third.as_str()), &run()).await);
    revoke_token(&world.admin, &world.access, gone.id).await.unwrap();
    let others = [
        make(Actor::user("ben"), &run()).await,
        make(Actor::system("workflows"), &run()).await,
        make(Actor::service("ci"), &run()).await,
    ];
    for made in of_anna.iter().chain(&others) {
        assert_eq!(world.resolve(bearer(&made.token)).await.unwrap().actor.kind, ActorKind::Run);
    }
    for name in ["anna", "workflows", "ci"] {
        delete_user(&world.admin, &world.access, name.into()).await.unwrap();
    }
    for made in &of_anna {
        assert_eq!(code(world.resolve(bearer(&made.token)).await), Code::Unauthenticated);
    }
    for made in &others {
        assert!(world.resolve(bearer(&made.token)).await.is_ok(), "a user of the same name is somebody else");
    }
});

store_test!([SCHEMA] async fn the_last_administrator_stays(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", Some(Role::Admin)).await;
    assert_eq!(code(delete_user(&world.admin, &world.access, "admin".into()).await), Code::Conflict);
    let second = CreateUser { is_admin: true, ..user("ben") };
    create_user(&world.admin, &world.access, second).await.unwrap();
    delete_user(&world.admin, &world.access, "admin".into()).await.unwrap();
    assert_eq!(code(delete_user(&world.admin, &world.access, "ben".into()).await), Code::Conflict);
});

store_test!([SCHEMA] async fn two_administrators_cannot_remove_each_other(db: Db) {
    let world = World::start(db).await;
    create_user(&world.admin, &world.access, CreateUser { is_admin: true, ..user("ben") }).await.unwrap();
    let (first, second) = tokio::join!(
        delete_user(&world.admin, &world.access, "admin".into()),
        delete_user(&world.admin, &world.access, "ben".into()),
    );
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let left = list_users(&world.admin, &world.access).await.unwrap();
    assert_eq!(left.iter().filter(|user| user.is_admin).count(), 1);
});
