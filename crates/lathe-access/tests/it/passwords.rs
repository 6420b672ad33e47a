//! HTTP Basic: right, wrong, too often, remembered and forgotten.

use lathe_access::{Access, Credentials, Mode, SCHEMA, ServerKey, users};
use lathe_core::{Code, Project};
use lathe_testkit::store_test;

use crate::world::{ADMIN_PASSWORD, PASSWORD, World, basic, code};

store_test!([SCHEMA] async fn unknown_users_get_the_same_answer_at_the_same_cost_as_wrong_passwords(db: Db) {
    let world = World::start(db).await;
    let before = world.access.password_hashes();
    let wrong = world.resolve(basic("admin", "not the password")).await.unwrap_err();
    assert_eq!(world.access.password_hashes(), before + 1);
    let unknown = world.resolve(basic("nobody", "not the password")).await.unwrap_err();
    assert_eq!(world.access.password_hashes(), before + 2);
    assert_eq!((wrong.code(), wrong.message(), wrong.hint()), (unknown.code(), unknown.message(), unknown.hint()));
    assert_eq!(wrong.code(), Code::Unauthenticated);
});

store_test!([SCHEMA] async fn nothing_and_malformed_credentials_are_refused_without_a_hash(db: Db) {
    let world = World::start(db).await;
    let before = world.access.password_hashes();
    let too_long = "x".repeat(2_000);
    let refused = [
        Credentials::None,
        basic("", PASSWORD),
        basic("no\0body", PASSWORD),
        basic("admin' OR 1=1", PASSWORD),
        basic("admin", &too_long),
        Credentials::Bearer(String::new()),
        Credentials::Bearer("lth_\0".to_owned()),
        Credentials::Session("\0".to_owned()),
    ];
    for credentials in refused {
        assert_eq!(code(world.resolve(credentials.clone()).await), Code::Unauthenticated, "{credentials:?}");
    }
    assert_eq!(world.access.password_hashes(), before);
});

store_test!([SCHEMA] async fn a_right_password_is_hashed_once_a_minute(db: Db) {
    let world = World::start(db).await;
    let before = world.access.password_hashes();
    for _ in 0..20 {
        world.clock.advance_ms(2_900);
        world.resolve(basic("admin", ADMIN_PASSWORD)).await.unwrap();
    }
    assert_eq!(world.access.password_hashes(), before, "remembered for a minute");
    world.clock.advance_ms(2_900);
    world.resolve(basic("admin", ADMIN_PASSWORD)).await.unwrap();
    assert_eq!(world.access.password_hashes(), before + 1);
});

store_test!([SCHEMA] async fn the_tenth_wrong_password_of_a_minute_is_too_many(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", None).await;
    let mut answers = Vec::new();
    for i in 0..12 {
        answers.push(code(world.resolve(basic("anna", &format!("wrong password {i}"))).await));
    }
    assert!(answers[..9].iter().all(|answer| *answer == Code::Unauthenticated), "{answers:?}");
    assert!(answers[9..].iter().all(|answer| *answer == Code::RateLimited), "{answers:?}");

    let hashes = world.access.password_hashes();
    assert_eq!(code(world.resolve(basic("anna", PASSWORD)).await), Code::RateLimited, "right, but not known to be");
    assert_eq!(world.access.password_hashes(), hashes, "refused before the password is tried");
    world.resolve(basic("admin", ADMIN_PASSWORD)).await.expect("other users are not limited");

    world.clock.advance_ms(60_000);
    world.resolve(basic("anna", PASSWORD)).await.expect("a minute later");
});

store_test!([SCHEMA] async fn a_remembered_password_is_not_limited_by_the_guesses_of_others(db: Db) {
    let world = World::start(db).await;
    for i in 0..12 {
        let _ = world.resolve(basic("admin", &format!("wrong password {i}"))).await;
    }
    world.clock.advance_ms(5_000);
    world.resolve(basic("admin", ADMIN_PASSWORD)).await.unwrap();
});

store_test!([SCHEMA] async fn guesses_at_names_that_do_not_exist_are_limited_too(db: Db) {
    let world = World::start(db).await;
    for i in 0..9 {
        assert_eq!(code(world.resolve(basic("ghost", &format!("wrong password {i}"))).await), Code::Unauthenticated);
    }
    assert_eq!(code(world.resolve(basic("ghost", "wrong password 9")).await), Code::RateLimited);
});

store_test!([SCHEMA] async fn many_first_requests_of_one_client_together_all_pass(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", None).await;
    let together = futures::future::join_all((0..30).map(|_| world.resolve(basic("anna", PASSWORD)))).await;
    assert!(together.iter().all(Result::is_ok), "{together:?}");
});

store_test!([SCHEMA] async fn a_changed_password_ends_the_old_one_at_once(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", None).await;
    let anna = world.resolve(basic("anna", PASSWORD)).await.unwrap();
    assert_eq!(code(users::change_password(&anna, &world.access, "not the old one", "a new password").await), Code::Unauthenticated);
    assert_eq!(code(users::change_password(&anna, &world.access, PASSWORD, "short").await), Code::InvalidArgument);
    users::change_password(&anna, &world.access, PASSWORD, "a new password").await.unwrap();
    assert_eq!(code(world.resolve(basic("anna", PASSWORD)).await), Code::Unauthenticated);
    world.resolve(basic("anna", "a new password")).await.unwrap();
    let last = world.events("default").await.pop().unwrap();
    assert_eq!((last.action.as_str(), last.subject.as_str()), ("user.password_changed", "default/user/anna"));
    assert!(!last.detail.contains("password"), "{}", last.detail);
});

store_test!([SCHEMA] async fn a_password_changed_on_another_server_ends_the_old_one_within_a_second(db: Db) {
    let world = World::start(db.clone()).await;
    world.make_user("anna", None).await;
    let anna = world.resolve(basic("anna", PASSWORD)).await.unwrap();
    let other = Access::new(db, Mode::Login, world.clock.clone(), ServerKey::from_bytes([7; 32]));
    users::change_password(&anna, &other, PASSWORD, "a new password").await.unwrap();
    world.clock.advance_ms(1_000);
    assert_eq!(code(world.resolve(basic("anna", PASSWORD)).await), Code::Unauthenticated);
});

store_test!([SCHEMA] async fn a_user_without_a_role_gets_a_context_that_may_do_nothing(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", None).await;
    let ctx = world.resolve(basic("anna", PASSWORD)).await.unwrap();
    assert_eq!(ctx.grant, lathe_core::Grant::NONE);
    let missing = world.resolve_in(basic("anna", PASSWORD), "nowhere").await.unwrap();
    assert_eq!(missing.grant, lathe_core::Grant::NONE, "who has no role does not learn which projects exist");
    let stranger = world.resolve_in(Credentials::None, "nowhere").await;
    assert_eq!(code(stranger), Code::Unauthenticated, "strangers do not learn which projects exist");
    assert_eq!(ctx.project, Project::default_project());
});
