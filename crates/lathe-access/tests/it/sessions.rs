//! Browser sessions: started, used, ended.

use lathe_access::sessions::{Session, sign_in, sign_out};
use lathe_access::{Access, Credentials, Mode, SCHEMA, ServerKey, users};
use lathe_core::{Clock, Code, Role};
use lathe_db::query;
use lathe_testkit::store_test;

use crate::world::{ADMIN_PASSWORD, PASSWORD, World, code};

fn cookie(session: &Session) -> Credentials {
    Credentials::Session(session.cookie.clone())
}

store_test!([SCHEMA] async fn a_session_is_its_user_until_it_is_ended(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", Some(Role::Contributor)).await;
    let session = sign_in(&world.access, "anna", PASSWORD).await.unwrap();
    assert!(!session.is_admin && !format!("{session:?}").contains(&session.cookie));
    let ctx = world.resolve(cookie(&session)).await.unwrap();
    assert_eq!((ctx.actor.name.as_str(), ctx.grant.role), ("anna", Some(Role::Contributor)));
    sign_out(&world.access, &session.cookie).await.unwrap();
    assert_eq!(code(world.resolve(cookie(&session)).await), Code::Unauthenticated);
    sign_out(&world.access, &session.cookie).await.expect("ended already");
    sign_out(&world.access, "nonsense\0").await.expect("never existed");
    assert!(sign_in(&world.access, "admin", ADMIN_PASSWORD).await.unwrap().is_admin);
});

store_test!([SCHEMA] async fn a_session_ends_by_itself(db: Db) {
    let world = World::start(db).await;
    let session = sign_in(&world.access, "admin", ADMIN_PASSWORD).await.unwrap();
    world.clock.advance_ms(session.max_age_seconds * 1000 - 1);
    world.resolve(cookie(&session)).await.unwrap();
    world.clock.advance_ms(1);
    assert_eq!(code(world.resolve(cookie(&session)).await), Code::Unauthenticated);
    sign_in(&world.access, "admin", ADMIN_PASSWORD).await.unwrap();
    let left: i64 = world.db.fetch_one(query("SELECT COUNT(*) FROM sessions")).await.unwrap().get(0).unwrap();
    assert_eq!(left, 1, "expired sessions are cleared away");
});

store_test!([SCHEMA] async fn only_a_hash_of_a_session_is_stored(db: Db) {
    let world = World::start(db).await;
    let session = sign_in(&world.access, "admin", ADMIN_PASSWORD).await.unwrap();
    let row = world.db.fetch_one(query("SELECT secret_hash FROM sessions")).await.unwrap();
    let stored: Vec<u8> = row.get(0).unwrap();
    assert_eq!(stored.len(), 32);
    assert_ne!(stored, session.cookie.as_bytes());
});

store_test!([SCHEMA] async fn signing_in_tells_nothing_about_which_users_exist(db: Db) {
    let world = World::start(db).await;
    let before = world.access.password_hashes();
    let wrong = sign_in(&world.access, "admin", "not the password").await.unwrap_err();
    let unknown = sign_in(&world.access, "nobody", "not the password").await.unwrap_err();
    assert_eq!((wrong.code(), wrong.message()), (unknown.code(), unknown.message()));
    assert_eq!(world.access.password_hashes(), before + 2);
    for i in 0..8 {
        assert_eq!(code(sign_in(&world.access, "nobody", &format!("wrong password {i}")).await), Code::Unauthenticated);
    }
    assert_eq!(code(sign_in(&world.access, "nobody", "wrong password 9").await), Code::RateLimited);
});

store_test!([SCHEMA] async fn a_changed_password_and_a_removed_user_end_all_sessions(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", None).await;
    world.make_user("ben", None).await;
    let first = sign_in(&world.access, "anna", PASSWORD).await.unwrap();
    let second = sign_in(&world.access, "anna", PASSWORD).await.unwrap();
    let other = sign_in(&world.access, "ben", PASSWORD).await.unwrap();
    let anna = world.resolve(cookie(&first)).await.unwrap();
    world.resolve(cookie(&other)).await.unwrap();
    users::change_password(&anna, &world.access, PASSWORD, "a new password").await.unwrap();
    for ended in [&first, &second] {
        assert_eq!(code(world.resolve(cookie(ended)).await), Code::Unauthenticated);
    }
    world.resolve(cookie(&other)).await.expect("another user's session goes on");
    users::delete_user(&world.admin, &world.access, "ben".into()).await.unwrap();
    assert_eq!(code(world.resolve(cookie(&other)).await), Code::Unauthenticated);
});

store_test!([SCHEMA] async fn nobody_signs_in_to_local_mode(db: Db) {
    let access = Access::new(db, Mode::Local, Clock::fixed(0), ServerKey::from_bytes([7; 32]));
    access.prepare(None).await.unwrap();
    assert_eq!(code(sign_in(&access, "admin", PASSWORD).await), Code::InvalidArgument);
});
