//! Access tokens: what they may do, and when they end.

use lathe_access::tokens::{
    CreateToken, Holder, Scope, Whose, create_run_token, create_token, list_tokens, renew_run_token, revoke_token,
    revoke_token_in,
};
use lathe_access::{Access, Credentials, Mode, SCHEMA, ServerKey, members, users};
use lathe_core::{Action, Actor, ActorKind, Clock, Code, Ctx, Grant, Project, Role, RunId, TokenId};
use lathe_db::{FutureExt as _, query};
use lathe_testkit::store_test;
use tokio::sync::oneshot;

use crate::world::{World, basic, bearer, code, personal, project, service};

const ACTIONS: [Action; 5] = [Action::Read, Action::Write, Action::Manage, Action::Administer, Action::Server];

store_test!([SCHEMA] async fn a_personal_token_is_its_owner_as_bearer_and_as_password(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", Some(Role::Maintainer)).await;
    let (_, secret) = world.make_token(&world.acting("anna", None), personal("laptop")).await;
    assert!(secret.starts_with("lth_") && secret.len() == 47, "{}", secret.len());
    let hashes = world.access.password_hashes();
    for credentials in [bearer(&secret), basic("anna", &secret), basic("token", &secret), basic("", &secret)] {
        let ctx = world.resolve(credentials).await.unwrap();
        assert_eq!((ctx.actor.kind, ctx.actor.name.as_str(), ctx.grant.role), (ActorKind::User, "anna", Some(Role::Maintainer)));
    }
    assert_eq!(world.access.password_hashes(), hashes, "tokens cost no argon2");
});

store_test!([SCHEMA] async fn only_a_hash_of_a_token_is_stored_and_nothing_of_it_recorded(db: Db) {
    let world = World::start(db).await;
    let (id, secret) = world.make_token(&world.admin, personal("laptop")).await;
    let row = world.db.fetch_one(query("SELECT secret_hash FROM tokens")).await.unwrap();
    let stored: Vec<u8> = row.get(0).unwrap();
    assert_eq!(stored.len(), 32);
    let event = world.events("default").await.pop().unwrap();
    assert_eq!(format!("{} {}", event.action, event.subject), format!("token.created default/token/{id}"));
    assert!(!event.detail.contains(&secret[4..]) && event.detail.contains("laptop"), "{}", event.detail);
});

store_test!([SCHEMA] async fn a_revoked_token_ends_at_once(db: Db) {
    let world = World::start(db).await;
    let (id, secret) = world.make_token(&world.admin, personal("laptop")).await;
    world.resolve(bearer(&secret)).await.unwrap();
    revoke_token(&world.admin, &world.access, id.clone()).await.unwrap();
    let refused = world.resolve(bearer(&secret)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("revoked"), "{refused}");
    assert_eq!(code(revoke_token(&world.admin, &world.access, id.clone()).await), Code::NotFound);
    assert!(list_tokens(&world.admin, &world.access, Whose::Own).await.unwrap().is_empty());
    assert_eq!(world.actions("default").await.pop(), Some(format!("token.revoked default/token/{id}")));
});

store_test!([SCHEMA] async fn a_token_revoked_on_another_server_ends_within_a_second(db: Db) {
    let world = World::start(db.clone()).await;
    let (id, secret) = world.make_token(&world.admin, personal("laptop")).await;
    world.resolve(bearer(&secret)).await.unwrap();
    let other = Access::new(db, Mode::Login, world.clock.clone(), ServerKey::from_bytes([7; 32]));
    revoke_token(&world.admin, &other, id).await.unwrap();
    world.clock.advance_ms(1_000);
    assert_eq!(code(world.resolve(bearer(&secret)).await), Code::Unauthenticated);
});

store_test!([SCHEMA] async fn an_expired_token_ends_to_the_millisecond(db: Db) {
    let world = World::start(db).await;
    let request = CreateToken { expires_in_days: Some(2), ..personal("laptop") };
    let (_, secret) = world.make_token(&world.admin, request).await;
    world.clock.advance_ms(2 * 86_400_000 - 1);
    world.resolve(bearer(&secret)).await.unwrap();
    world.clock.advance_ms(1);
    let refused = world.resolve(bearer(&secret)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("expired"), "{refused}");
    let listed = list_tokens(&world.admin, &world.access, Whose::Own).await.unwrap();
    assert_eq!(listed.len(), 1, "an expired token is listed until it is revoked");
});

store_test!([SCHEMA] async fn a_personal_token_gives_what_its_owner_has_now(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", Some(Role::Admin)).await;
    let (_, secret) = world.make_token(&world.acting("anna", None), personal("laptop")).await;
    for role in Role::ALL {
        members::set_member(&world.admin, &world.access, "anna".into(), role).await.unwrap();
        let ctx = world.resolve(bearer(&secret)).await.unwrap();
        let granted = ACTIONS.iter().filter(|action| ctx.grant.allows(**action)).count();
        let expected = Grant { role: Some(role), ..Grant::NONE };
        assert_eq!((ctx.grant, granted), (expected, role as usize + 1), "{role:?}");
    }
    members::remove_member(&world.admin, &world.access, "anna".into()).await.unwrap();
    assert_eq!(world.resolve(bearer(&secret)).await.unwrap().grant, Grant::NONE);
    users::delete_user(&world.admin, &world.access, "anna".into()).await.unwrap();
    assert_eq!(code(world.resolve(bearer(&secret)).await), Code::Unauthenticated);
});

store_test!([SCHEMA] async fn a_read_only_token_only_reads_and_cannot_make_a_better_one(db: Db) {
    let world = World::start(db).await;
    let request = CreateToken { scope: Scope::Read, ..personal("dashboard") };
    let (id, secret) = world.make_token(&world.admin, request).await;
    let ctx = world.resolve(bearer(&secret)).await.unwrap();
    assert!(ctx.grant.allows(Action::Read));
    assert!(ACTIONS[1..].iter().all(|action| !ctx.grant.allows(*action)));
    assert_eq!(code(create_token(&ctx, &world.access, personal("better")).await), Code::PermissionDenied);
    assert_eq!(code(revoke_token(&ctx, &world.access, id).await), Code::PermissionDenied);
    assert_eq!(code(users::change_password(&ctx, &world.access, "x", "long enough too").await), Code::PermissionDenied);
    assert_eq!(list_tokens(&ctx, &world.access, Whose::Own).await.unwrap().len(), 1);
    assert_eq!(code(list_tokens(&ctx, &world.access, Whose::Everybody).await), Code::PermissionDenied);
});

store_test!([SCHEMA] async fn a_token_of_scope_infer_only_asks_models(db: Db) {
    let world = World::start(db).await;
    let request = CreateToken { scope: Scope::Infer, ..personal("application") };
    let (id, secret) = world.make_token(&world.admin, request).await;
    let ctx = world.resolve(bearer(&secret)).await.unwrap();
    assert!(ctx.grant.allows(Action::Infer));
    assert!(ACTIONS.iter().all(|action| !ctx.grant.allows(*action)), "{ACTIONS:?}");
    assert_eq!(code(create_token(&ctx, &world.access, personal("better")).await), Code::PermissionDenied);
    assert_eq!(code(revoke_token(&ctx, &world.access, id).await), Code::PermissionDenied);
});

store_test!([SCHEMA] async fn a_service_token_is_an_actor_of_its_own_in_its_project_only(db: Db) {
    let world = World::start(db).await;
    world.make_project("fraud").await;
    let (_, secret) = world.make_token(&world.admin_in("fraud"), service("nightly", Role::Contributor)).await;
    let inside = world.resolve_in(bearer(&secret), "fraud").await.unwrap();
    assert_eq!((inside.actor.kind, inside.actor.name.as_str()), (ActorKind::Service, "nightly"));
    assert_eq!(inside.grant, Grant { role: Some(Role::Contributor), ..Grant::NONE });
    let outside = world.resolve_in(bearer(&secret), "default").await.unwrap();
    assert_eq!(outside.grant, Grant::NONE, "its maker administers the server, it does not");
    assert_eq!(world.resolve_in(bearer(&secret), "nowhere").await.unwrap().grant, Grant::NONE);
    for ctx in [&inside, &outside] {
        assert_eq!(code(create_token(ctx, &world.access, personal("more")).await), Code::PermissionDenied);
        assert_eq!(code(list_tokens(ctx, &world.access, Whose::Own).await), Code::PermissionDenied);
    }
    let last = world.actions("fraud").await.pop().unwrap();
    assert!(last.starts_with("token.created fraud/token/"), "{last}");
});

store_test!([SCHEMA] async fn a_service_token_outlives_its_maker(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", Some(Role::Admin)).await;
    let (_, secret) = world.make_token(&world.acting("anna", Some(Role::Admin)), service("nightly", Role::Viewer)).await;
    users::delete_user(&world.admin, &world.access, "anna".into()).await.unwrap();
    assert_eq!(world.resolve(bearer(&secret)).await.unwrap().grant.role, Some(Role::Viewer));
});

store_test!([SCHEMA] async fn service_tokens_are_made_by_administrators_and_have_names_of_their_own(db: Db) {
    let world = World::start(db).await;
    for role in [None, Some(Role::Viewer), Some(Role::Contributor), Some(Role::Maintainer)] {
        let refused = create_token(&world.acting("anna", role), &world.access, service("ci", Role::Viewer)).await;
        assert_eq!(code(refused), Code::PermissionDenied, "{role:?}");
    }
    world.make_project("fraud").await;
    let (id, _) = world.make_token(&world.acting("anna", Some(Role::Admin)), service("ci", Role::Viewer)).await;
    let twice = create_token(&world.admin, &world.access, service("ci", Role::Admin)).await;
    assert_eq!(code(twice), Code::AlreadyExists);
    world.make_token(&world.admin_in("fraud"), service("ci", Role::Viewer)).await;
    world.make_token(&world.admin, personal("ci")).await;
    world.make_token(&world.admin, personal("ci")).await;
    revoke_token(&world.admin, &world.access, id).await.unwrap();
    world.make_token(&world.admin, service("ci", Role::Viewer)).await;
});

store_test!([SCHEMA] async fn tokens_are_listed_and_revoked_by_their_owner_and_by_administrators(db: Db) {
    let world = World::start(db).await;
    let (anna, ben) = (world.acting("anna", Some(Role::Admin)), world.acting("ben", Some(Role::Admin)));
    let (first, _) = world.make_token(&anna, personal("first")).await;
    let (second, _) = world.make_token(&anna, personal("second")).await;
    world.make_token(&ben, personal("of ben")).await;
    let own = list_tokens(&anna, &world.access, Whose::Own).await.unwrap();
    let names: Vec<&str> = own.iter().map(|token| token.name.as_str()).collect();
    assert_eq!(names, ["second", "first"]);
    assert_eq!(code(list_tokens(&anna, &world.access, Whose::Everybody).await), Code::PermissionDenied);
    assert_eq!(list_tokens(&world.admin, &world.access, Whose::Everybody).await.unwrap().len(), 3);

    assert_eq!(code(revoke_token(&ben, &world.access, first.clone()).await), Code::NotFound);
    assert_eq!(code(revoke_token(&ben, &world.access, TokenId::generate()).await), Code::NotFound);
    revoke_token(&anna, &world.access, first).await.unwrap();
    revoke_token(&world.admin, &world.access, second).await.unwrap();
    assert!(list_tokens(&anna, &world.access, Whose::Own).await.unwrap().is_empty());
});

store_test!([SCHEMA] async fn bad_token_requests_are_refused(db: Db) {
    let world = World::start(db).await;
    let too_long = "x".repeat(101);
    for name in ["", "  ", "a\nb", "a\0", too_long.as_str()] {
        assert_eq!(code(create_token(&world.admin, &world.access, personal(name)).await), Code::InvalidArgument, "{name:?}");
    }
    for days in [i64::MIN, -1, 0, 3_651, i64::MAX] {
        let request = CreateToken { expires_in_days: Some(days), ..personal("x") };
        assert_eq!(code(create_token(&world.admin, &world.access, request).await), Code::InvalidArgument, "{days}");
    }
    assert_eq!(Holder::Personal, personal("x").holder);
});

store_test!([SCHEMA] async fn last_use_is_noted_at_most_once_a_minute(db: Db) {
    let world = World::start(db).await;
    let (_, secret) = world.make_token(&world.admin, personal("laptop")).await;
    let made_at_ms = world.clock.now_ms();
    let last_used = async || {
        world.access.finish().await;
        list_tokens(&world.admin, &world.access, Whose::Own).await.unwrap()[0].last_used_at_ms
    };
    assert_eq!(last_used().await, None);
    world.resolve(bearer(&secret)).await.unwrap();
    assert_eq!(last_used().await, Some(made_at_ms));
    world.clock.advance_ms(59_999);
    world.resolve(bearer(&secret)).await.unwrap();
    assert_eq!(last_used().await, Some(made_at_ms));
    world.clock.advance_ms(1_000);
    world.resolve(bearer(&secret)).await.unwrap();
    assert_eq!(last_used().await, Some(made_at_ms + 60_999));
});

store_test!([SCHEMA] async fn tokens_are_used_while_the_disk_is_full(db: Db) {
    let world = World::start(db).await;
    let (_, secret) = world.make_token(&world.admin, personal("laptop")).await;
    world.db.gate().set_closed(true);
    world.resolve(bearer(&secret)).await.unwrap();
    assert_eq!(code(create_token(&world.admin, &world.access, personal("more")).await), Code::OutOfSpace);
    world.db.gate().set_closed(false);
});

store_test!([SCHEMA] async fn local_mode_makes_no_tokens(db: Db) {
    let access = Access::new(db, Mode::Local, Clock::fixed(0), ServerKey::from_bytes([7; 32]));
    access.prepare(None).await.unwrap();
    let ctx: Ctx = access.resolve(Credentials::None, Project::default_project(), String::new()).await.unwrap();
    assert_eq!(code(create_token(&ctx, &access, personal("x")).await), Code::Conflict);
});

store_test!([SCHEMA] async fn whoever_made_the_credentials_of_a_run_renews_them(db: Db) {
    let world = World::start(db).await;
    for name in ["anna", "ben"] {
        world.make_user(name, Some(Role::Contributor)).await;
    }
    let run = RunId::generate();
    let of = |actor| Ctx { actor, ..world.acting("anna", Some(Role::Contributor)) };
    let (anna, itself) = (of(Actor::user("anna")), of(Actor::run(run.as_str())));
    let made = create_run_token(&anna, &world.access, &run, Some(60)).await.unwrap();
    let its_own = create_run_token(&itself, &world.access, &run, Some(60)).await.unwrap();
    let renew = async |ctx: &Ctx, id: &TokenId, seconds| renew_run_token(ctx, &world.access, id.clone(), Some(seconds)).await;
    world.clock.advance_ms(61_000);
    assert_eq!(code(world.resolve(bearer(&made.token)).await), Code::Unauthenticated);
    assert_eq!(renew(&anna, &made.id, 60).await.unwrap(), world.clock.now_ms() + 60_000);
    assert_eq!(world.resolve(bearer(&made.token)).await.unwrap().actor.name, run.as_str());
    let elsewhere = Ctx { project: project("fraud"), ..anna.clone() };
    for ctx in [&of(Actor::user("ben")), &itself, &elsewhere] {
        assert_eq!(code(renew(ctx, &made.id, 60).await), Code::NotFound);
    }
    assert_eq!(code(renew(&itself, &its_own.id, 60).await), Code::NotFound, "nobody keeps itself alive");
    assert_eq!(code(renew(&world.acting("anna", Some(Role::Viewer)), &made.id, 60).await), Code::PermissionDenied);
    assert_eq!(code(renew(&anna, &made.id, 0).await), Code::InvalidArgument);
    assert_eq!(code(renew(&anna, &TokenId::generate(), 60).await), Code::NotFound);
    let (laptop, _) = world.make_token(&anna, personal("laptop")).await;
    assert_eq!(code(renew(&anna, &laptop, 60).await), Code::NotFound);
    assert!(world.actions("default").await.contains(&format!("token.renewed default/token/{}", made.id)));
    revoke_token(&anna, &world.access, made.id.clone()).await.unwrap();
    assert_eq!(code(renew(&anna, &made.id, 60).await), Code::NotFound);
});

store_test!([SCHEMA] async fn what_a_run_makes_ends_with_the_runs_own_credentials(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", Some(Role::Contributor)).await;
    let of = |actor| Ctx { actor, ..world.acting("anna", Some(Role::Contributor)) };
    let anna = of(Actor::user("anna"));
    let (one, other) = (RunId::generate(), RunId::generate());
    let make = async |ctx: &Ctx, run: &RunId, seconds| create_run_token(ctx, &world.access, run, Some(seconds)).await;
    let end_ms = make(&anna, &one, 60).await.unwrap().expires_at_ms;
    let of_one = make(&of(Actor::run(one.as_str())), &other, 3_600).await.unwrap();
    assert_eq!(of_one.expires_at_ms, end_ms);
    let of_other = make(&of(Actor::run(other.as_str())), &one, 3_600).await.unwrap();
    assert_eq!(of_other.expires_at_ms, end_ms);
    // Each renews what it made, and neither becomes older by it.
    let renew = async |actor, id: &TokenId| renew_run_token(&of(actor), &world.access, id.clone(), Some(3_600)).await;
    for _ in 0..3 {
        world.clock.advance_ms(10_000);
        assert_eq!(renew(Actor::run(one.as_str()), &of_one.id).await.unwrap(), end_ms);
        assert_eq!(renew(Actor::run(other.as_str()), &of_other.id).await.unwrap(), end_ms);
    }
    world.clock.advance_ms(30_000);
    assert_eq!(code(renew(Actor::run(one.as_str()), &of_one.id).await), Code::Unauthenticated);
    assert_eq!(code(make(&of(Actor::run(other.as_str())), &one, 60).await), Code::Unauthenticated);
});

store_test!([SCHEMA] async fn a_request_from_before_its_actor_was_removed_makes_no_credentials(db: Db) {
    let world = World::start(db).await;
    world.make_user("anna", Some(Role::Contributor)).await;
    let of = |actor| Ctx { actor, ..world.acting("anna", Some(Role::Contributor)) };
    let (anna, run) = (of(Actor::user("anna")), RunId::generate());
    let made = create_run_token(&anna, &world.access, &run, None).await.unwrap();
    let itself = of(Actor::run(run.as_str()));
    let nested = create_run_token(&itself, &world.access, &RunId::generate(), None).await.unwrap();
    users::delete_user(&world.admin, &world.access, "anna".into()).await.unwrap();
    for (ctx, made) in [(&anna, &made), (&itself, &nested)] {
        let created = create_run_token(ctx, &world.access, &RunId::generate(), None).await;
        assert_eq!(code(created), Code::Unauthenticated);
        assert_eq!(code(renew_run_token(ctx, &world.access, made.id.clone(), None).await), Code::Unauthenticated);
    }
});

store_test!([SCHEMA] async fn credentials_that_are_revoked_while_they_are_renewed_stay_revoked(db: Db) {
    let world = World::start(db.clone()).await;
    let run = RunId::generate();
    let made = create_run_token(&world.admin, &world.access, &run, None).await.unwrap();
    let ((started, is_started), (go, may_go)) = (oneshot::channel(), oneshot::channel::<()>());
    let (admin, id) = (world.admin.clone(), made.id.clone());
    let revoking = tokio::spawn(async move {
        let revoked = db.write(move |tx| {
            async move {
                revoke_token_in(&admin, tx, &id).await?;
                started.send(()).unwrap();
                may_go.await.unwrap();
                Ok(())
            }
            .boxed()
        });
        revoked.await
    });
    is_started.await.unwrap();
    let (admin, access, id) = (world.admin.clone(), world.access.clone(), made.id.clone());
    let renewing = tokio::spawn(async move { renew_run_token(&admin, &access, id, None).await });
    tokio::task::yield_now().await;
    go.send(()).unwrap();
    revoking.await.unwrap().unwrap();
    assert_eq!(code(renewing.await.unwrap()), Code::NotFound);
    let actions = world.actions("default").await;
    assert!(!actions.contains(&format!("token.renewed default/token/{}", made.id)), "{actions:?}");
});
