//! Tests of the serving room, on both databases, through its public functions.

#![allow(clippy::unwrap_used, reason = "tests")]

use lathe_core::{Clock, Code, Ctx, Result};
use lathe_db::Db;
use lathe_db::ledger::{self, EventFilter, sealer};
use lathe_serving::deployments::{
    create_deployment, follow, follow_alias, get_deployment, promote, rollback, set_state, start_canary, start_shadow,
};
use lathe_serving::{
    Deployment, DeploymentName, DeploymentVersion, ModelReference, Role, SCHEMA, Served, Serving, State,
};
use lathe_testkit::{ctx, store_test};
use serde_json::Value;

struct World {
    ctx: Ctx,
    serving: Serving,
    name: DeploymentName,
}

/// A version of `fraud` as the alias `champion` names it.
fn champion(version: i64) -> Served {
    Served { reference: ModelReference::parse("models:/fraud@champion").unwrap(), version }
}

impl World {
    /// With a deployment that follows `fraud@champion`, whose first version is ready.
    async fn new(db: Db) -> Self {
        let (ctx, serving, name) = (ctx(), Serving::new(db), DeploymentName::parse("scorer").unwrap());
        create_deployment(&ctx, &serving, name.clone(), champion(1), 1).await.unwrap();
        let world = Self { ctx, serving, name };
        world.find(Role::Primary, State::Ready).await;
        world
    }

    async fn get(&self) -> Deployment {
        get_deployment(&self.ctx, &self.serving, &self.name).await.unwrap()
    }

    async fn version(&self, role: Role) -> DeploymentVersion {
        self.get().await.version(role).unwrap().clone()
    }

    /// The version in a role is found in a state.
    async fn find(&self, role: Role, state: State) {
        let key = self.version(role).await.key;
        set_state(&self.ctx, &self.serving, &key, state, None).await.unwrap();
    }

    /// The alias moves.
    async fn follow(&self, version: i64) {
        let key = self.version(Role::Primary).await.key;
        follow_alias(&self.ctx, &self.serving, &self.name, &key, version).await.unwrap();
    }

    /// Roles and versions.
    async fn roles(&self) -> Vec<(&'static str, i64)> {
        let deployment = self.get().await;
        let mut roles: Vec<_> = deployment.versions.iter().map(|one| (one.role.as_str(), one.version)).collect();
        roles.sort_unstable();
        roles
    }

    /// What the newest event says: its action, and which version is the previous one.
    async fn newest_event(&self, db: &Db) -> (String, Option<i64>) {
        sealer::seal_all(db, "tester", &Clock::System).await.unwrap();
        let newest = ledger::list(&self.ctx, db, &EventFilter::default(), None, 1).await.unwrap().items.remove(0);
        let detail: Value = serde_json::from_str(&newest.detail).unwrap();
        (newest.action, detail.get("previous_version").and_then(Value::as_i64))
    }
}

store_test!([SCHEMA] async fn the_ledger_tells_which_version_became_the_previous_one(db: Db) {
    let world = World::new(db.clone()).await;
    let World { ctx, serving, name } = &world;
    let told = |action: &str, previous: Option<i64>| (action.to_owned(), previous);
    follow(ctx, serving, name, champion(2)).await.unwrap();
    assert_eq!(world.newest_event(&db).await, told("deployment.alias_followed", Some(1)));
    // The second never was ready: the first stays the previous one.
    follow(ctx, serving, name, champion(3)).await.unwrap();
    assert_eq!(world.newest_event(&db).await, told("deployment.alias_followed", Some(1)));
    start_canary(ctx, serving, name, champion(4), 10).await.unwrap();
    assert_eq!(world.newest_event(&db).await, told("deployment.canary_started", None));
    world.find(Role::Canary, State::Ready).await;
    promote(ctx, serving, name).await.unwrap();
    assert_eq!(world.newest_event(&db).await, told("deployment.promoted", Some(1)));
    rollback(ctx, serving, name).await.unwrap();
    assert_eq!(world.newest_event(&db).await, told("deployment.rolled_back", Some(4)));
    // The alias points at what answers already: nothing changes places.
    follow(ctx, serving, name, champion(1)).await.unwrap();
    assert_eq!(world.newest_event(&db).await, told("deployment.alias_followed", Some(4)));
    follow(ctx, serving, name, champion(5)).await.unwrap();
    assert_eq!(world.newest_event(&db).await, told("deployment.alias_followed", Some(1)));
    rollback(ctx, serving, name).await.unwrap();
    assert_eq!(world.newest_event(&db).await, told("deployment.rolled_back", None));
    // An alias that moves promotes as well; a canary that follows one has nothing before it.
    world.follow(6).await;
    assert_eq!(world.newest_event(&db).await, told("deployment.promoted", Some(1)));
    world.follow(7).await;
    assert_eq!(world.newest_event(&db).await, told("deployment.promoted", Some(1)));
    start_canary(ctx, serving, name, champion(8), 10).await.unwrap();
    let canary = world.version(Role::Canary).await.key;
    follow_alias(ctx, serving, name, &canary, 9).await.unwrap();
    assert_eq!(world.newest_event(&db).await, told("deployment.canary_started", None));
});

store_test!([SCHEMA] async fn a_version_that_never_was_ready_does_not_take_the_place_of_the_one_that_answers(db: Db) {
    let world = World::new(db).await;
    world.follow(2).await;
    assert_eq!(world.roles().await, [("previous", 1), ("primary", 2)]);
    world.find(Role::Primary, State::Failed).await;
    world.follow(3).await;
    assert_eq!(world.roles().await, [("previous", 1), ("primary", 3)]);
    // Nor does one that is told by name, or that a canary takes over from.
    follow(&world.ctx, &world.serving, &world.name, champion(4)).await.unwrap();
    assert_eq!(world.roles().await, [("previous", 1), ("primary", 4)]);
    start_canary(&world.ctx, &world.serving, &world.name, champion(5), 10).await.unwrap();
    world.find(Role::Canary, State::Ready).await;
    promote(&world.ctx, &world.serving, &world.name).await.unwrap();
    assert_eq!(world.roles().await, [("previous", 1), ("primary", 5)]);
    // One that was ready once does, whatever it is now, when the one before does not answer any more.
    world.find(Role::Previous, State::Stopped).await;
    world.find(Role::Primary, State::Starting).await;
    world.follow(6).await;
    assert_eq!(world.roles().await, [("previous", 5), ("primary", 6)]);
});

store_test!([SCHEMA] async fn a_version_that_does_not_start_again_does_not_take_the_place_of_the_one_that_answers(db: Db) {
    let world = World::new(db).await;
    world.follow(2).await;
    world.find(Role::Primary, State::Ready).await;
    world.find(Role::Previous, State::Stopped).await;
    // The server starts again: the second does not, and the first answers in its stead.
    world.find(Role::Primary, State::Failed).await;
    world.find(Role::Previous, State::Ready).await;
    world.follow(3).await;
    assert_eq!(world.roles().await, [("previous", 1), ("primary", 3)]);
    // Of two that answer, the newer one is what a rollback leads to.
    world.find(Role::Primary, State::Ready).await;
    world.follow(4).await;
    assert_eq!(world.roles().await, [("previous", 3), ("primary", 4)]);
    // One that is only about to answer in the stead of one that cannot start stays, too.
    world.find(Role::Primary, State::Ready).await;
    world.find(Role::Primary, State::Failed).await;
    world.find(Role::Previous, State::Starting).await;
    world.follow(5).await;
    assert_eq!(world.roles().await, [("previous", 3), ("primary", 5)]);
});

store_test!([SCHEMA] async fn a_canary_that_is_promoted_leaves_the_primary_that_a_rollback_chose_as_the_previous_one(db: Db) {
    let world = World::new(db).await;
    let World { ctx, serving, name } = &world;
    world.follow(2).await;
    world.find(Role::Primary, State::Ready).await;
    world.find(Role::Previous, State::Stopped).await;
    // The second is bad: it answers only until the first does again.
    rollback(ctx, serving, name).await.unwrap();
    assert_eq!(world.version(Role::Previous).await.state, State::Ready);
    assert_eq!(world.version(Role::Primary).await.state, State::Starting);
    start_canary(ctx, serving, name, champion(3), 10).await.unwrap();
    world.find(Role::Canary, State::Ready).await;
    promote(ctx, serving, name).await.unwrap();
    assert_eq!(world.roles().await, [("previous", 1), ("primary", 3)]);
    // One that cannot start is nothing to go back to.
    world.find(Role::Primary, State::Failed).await;
    world.find(Role::Previous, State::Ready).await;
    start_canary(ctx, serving, name, champion(4), 10).await.unwrap();
    world.find(Role::Canary, State::Ready).await;
    promote(ctx, serving, name).await.unwrap();
    assert_eq!(world.roles().await, [("previous", 1), ("primary", 4)]);
});

store_test!([SCHEMA] async fn a_rollback_keeps_a_version_that_was_ready_once(db: Db) {
    let world = World::new(db).await;
    world.follow(2).await;
    world.find(Role::Primary, State::Ready).await;
    world.find(Role::Primary, State::Failed).await;
    world.find(Role::Previous, State::Ready).await;
    rollback(&world.ctx, &world.serving, &world.name).await.unwrap();
    assert_eq!(world.roles().await, [("previous", 2), ("primary", 1)]);
});

store_test!([SCHEMA] async fn a_rollback_leaves_nothing_of_a_version_that_never_was_ready(db: Db) {
    let world = World::new(db).await;
    world.follow(2).await;
    world.find(Role::Primary, State::Failed).await;
    rollback(&world.ctx, &world.serving, &world.name).await.unwrap();
    assert_eq!(world.roles().await, [("primary", 1)]);
    assert_eq!(world.version(Role::Primary).await.state, State::Ready);
});

store_test!([SCHEMA] async fn a_deployment_answers_for_one_registered_model(db: Db) {
    let world = World::new(db).await;
    let World { ctx, serving, name } = &world;
    let other = || Served { reference: ModelReference::parse("models:/churn@champion").unwrap(), version: 1 };
    let refused: [Result<Deployment>; 3] = [
        start_canary(ctx, serving, name, other(), 10).await,
        start_shadow(ctx, serving, name, other()).await,
        follow(ctx, serving, name, other()).await,
    ];
    for refused in refused {
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::Conflict);
        assert!(refused.hint().unwrap().contains("lathe deploy create"), "{refused:?}");
    }
    assert_eq!(world.roles().await, [("primary", 1)]);
});
