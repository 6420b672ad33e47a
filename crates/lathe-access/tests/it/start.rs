//! The first start, and local mode.

use lathe_access::tokens::{create_run_token, revoke_token};
use lathe_access::{Access, Credentials, Mode, SCHEMA, ServerKey, users};
use lathe_core::{ActorKind, Clock, Code, Grant, Project, RunId};
use lathe_db::Db;
use lathe_testkit::store_test;

use crate::world::{ADMIN_PASSWORD, World, basic, bearer, code, project};

fn login(db: &Db) -> Access {
    Access::new(db.clone(), Mode::Login, Clock::fixed(1_700_000_000_000), ServerKey::from_bytes([7; 32]))
}

store_test!([SCHEMA] async fn the_first_start_makes_admin_with_a_secret_that_is_shown_once(db: Db) {
    let access = login(&db);
    let first = access.prepare(None).await.unwrap();
    assert_eq!(format!("{first:?}"), "FirstStart", "the secret is not in debug output");
    let secret = first.admin_secret.unwrap();
    assert!(secret.len() >= 24, "{}", secret.len());
    let ctx = access.resolve(basic("admin", &secret), Project::default_project(), String::new()).await.unwrap();
    assert_eq!(ctx.grant, Grant { is_server_admin: true, ..Grant::NONE });
    assert_eq!((ctx.actor.kind, ctx.actor.name.as_str()), (ActorKind::User, "admin"));

    assert_eq!(access.prepare(None).await.unwrap().admin_secret, None);
    assert_eq!(login(&db).prepare(Some("some other password")).await.unwrap().admin_secret, None);
    let again = login(&db).resolve(basic("admin", &secret), Project::default_project(), String::new()).await;
    assert!(again.is_ok(), "a later start changes nothing");
});

store_test!([SCHEMA] async fn a_given_password_is_used_and_not_answered(db: Db) {
    let world = World::start(db).await;
    assert_eq!(world.access.prepare(Some(ADMIN_PASSWORD)).await.unwrap().admin_secret, None);
    assert!(world.admin.grant.is_server_admin);
    assert_eq!(world.actions("default").await, ["project.created default/project/default", "user.created default/user/admin"]);
});

store_test!([SCHEMA] async fn a_given_password_must_keep_the_rules(db: Db) {
    assert_eq!(code(login(&db).prepare(Some("short")).await), Code::InvalidArgument);
});

store_test!([SCHEMA] async fn of_two_servers_that_start_together_one_makes_the_administrator(db: Db) {
    let servers = [login(&db), login(&db), login(&db)];
    let starts = futures::future::join_all(servers.iter().map(|access| access.prepare(None))).await;
    let secrets: Vec<String> = starts.into_iter().filter_map(|start| start.unwrap().admin_secret).collect();
    let [secret] = secrets.as_slice() else { panic!("{} servers made it", secrets.len()) };
    assert!(servers[0].resolve(basic("admin", secret), Project::default_project(), String::new()).await.is_ok());
});

store_test!([SCHEMA] async fn a_server_with_users_and_no_administrator_gets_one(db: Db) {
    let local = Access::new(db.clone(), Mode::Local, Clock::fixed(0), ServerKey::from_bytes([7; 32]));
    local.prepare(None).await.unwrap();
    let ctx = local.resolve(Credentials::None, Project::default_project(), String::new()).await.unwrap();
    let request = users::CreateUser { username: "anna".into(), password: None, is_admin: false };
    assert!(users::create_user(&ctx, &local, request).await.unwrap().is_some());
    assert!(login(&db).prepare(None).await.unwrap().admin_secret.is_some());
});

store_test!([SCHEMA] async fn local_mode_is_one_administrator_whatever_is_sent(db: Db) {
    let access = Access::new(db, Mode::Local, Clock::fixed(0), ServerKey::from_bytes([7; 32]));
    assert_eq!(access.prepare(None).await.unwrap().admin_secret, None);
    for credentials in [Credentials::None, basic("x", "y"), bearer("nonsense"), Credentials::Session("z".into())] {
        let ctx = access.resolve(credentials, Project::default_project(), "r7".to_owned()).await.unwrap();
        assert_eq!((ctx.actor.name.as_str(), ctx.grant, ctx.request_id.as_str()), ("local", Grant::ALL, "r7"));
    }
    assert_eq!(access.password_hashes(), 0);
    let missing = access.resolve(Credentials::None, project("nowhere"), String::new()).await.unwrap_err();
    assert_eq!((missing.code(), missing.message()), (Code::NotFound, "project `nowhere` does not exist"));
});

store_test!([SCHEMA] async fn a_run_is_itself_in_local_mode_and_nobody_when_it_ended(db: Db) {
    let access = Access::new(db, Mode::Local, Clock::fixed(0), ServerKey::from_bytes([7; 32]));
    access.prepare(None).await.unwrap();
    let resolve = async |token: &str| access.resolve(bearer(token), Project::default_project(), String::new()).await;
    let local = access.resolve(Credentials::None, Project::default_project(), String::new()).await.unwrap();
    let run_id = RunId::generate();
    let made = create_run_token(&local, &access, &run_id, None).await.unwrap();
    let run = resolve(&made.token).await.unwrap();
    assert_eq!((run.actor.kind, run.actor.name.as_str(), run.grant.is_server_admin), (ActorKind::Run, run_id.as_str(), false));
    revoke_token(&local, &access, made.id).await.unwrap();
    assert_eq!(code(resolve(&made.token).await), Code::Unauthenticated);
});
