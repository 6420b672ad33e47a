//! Leases and fences: who attends an attempt, and that who lost it changes nothing.

use lathe_core::{RunId, TokenId};
use lathe_testkit::store_test;
use lathe_workflows::attempts::{Finish, Renewed, renew_attempt};
use lathe_workflows::jobs::Outcome;
use lathe_workflows::pipeline_runs::cancel_pipeline_run;

use crate::*;

fn succeeded() -> Finish {
    Finish::succeeded(Outcome::default())
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn an_attempt_is_its_holders_while_the_lease_is_renewed(db: Db) {
    let world = world(&db).await;
    let run = world.start("  a: { run: echo }\n").await;
    let claim = world.claim_one("first").await;
    let renew = async || renew_attempt(&world.ctx, &world.workflows, &claim.attempt, LEASE_MS).await.unwrap();
    for _ in 0..5 {
        world.ctx.clock.advance_ms(LEASE_MS - 1);
        assert!(world.adopt("second", |_| false).await.is_empty());
        assert_eq!(renew().await, Renewed::Held);
    }
    cancel_pipeline_run(&world.ctx, &world.workflows, &run).await.unwrap();
    assert_eq!(renew().await, Renewed::Canceled);
    world.finish(&claim, succeeded()).await;
    assert_eq!(renew().await, Renewed::Lost);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn who_lost_an_attempt_changes_nothing(db: Db) {
    let world = world(&db).await;
    let run = world.start("  a: { run: echo }\n").await;
    let old = world.claim_one("first").await;
    world.ctx.clock.advance_ms(LEASE_MS);
    let mut adopted = world.adopt("second", |_| false).await;
    let new = adopted.remove(0);
    assert_eq!((new.attempt.attempt, new.attempt.fence, new.attempt.holder.as_str()), (1, 2, "second"));
    assert!(world.adopt("third", |_| false).await.is_empty());
    let renew = async |claim: &Claim| renew_attempt(&world.ctx, &world.workflows, &claim.attempt, LEASE_MS).await.unwrap();
    assert_eq!(renew(&old).await, Renewed::Lost);
    let ids = (RunId::generate(), TokenId::generate());
    let attach = async |claim: &Claim| world.attach_as(&world.ctx, claim, &ids).await.unwrap();
    assert!(!attach(&old).await);
    assert!(!world.finish(&old, succeeded()).await);
    assert_eq!(world.status(&run, "a").await, JobStatus::Running);
    assert!(attach(&new).await);
    assert_eq!(renew(&new).await, Renewed::Held);
    assert!(world.finish(&new, succeeded()).await);
    assert_eq!(world.status(&run, "a").await, JobStatus::Succeeded);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn of_those_that_adopt_at_once_one_does(db: Db) {
    let world = world(&db).await;
    world.start("  a: { run: echo }\n").await;
    world.claim_one("first").await;
    world.ctx.clock.advance_ms(LEASE_MS);
    let holders: Vec<String> = (0..6).map(|n| format!("server-{n}")).collect();
    let adopted = futures::future::join_all(holders.iter().map(|holder| world.adopt(holder, |_| false))).await;
    let found: Vec<&Claim> = adopted.iter().flatten().collect();
    assert_eq!((found.len(), found[0].attempt.fence), (1, 2));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_holder_takes_up_again_what_it_does_not_attend_any_more(db: Db) {
    let world = world(&db).await;
    world.start("  a: { matrix: { n: [1, 2] }, run: echo }\n").await;
    let claims = world.claim("server", 10).await;
    world.ctx.clock.advance_ms(LEASE_MS);
    // Of one, the task that attended it has failed.
    let attended = claims[0].attempt.clone();
    let adopted = world.adopt("server", |attempt| attempt.job == attended.job).await;
    assert_eq!((keys(&adopted), adopted[0].attempt.fence), (vec!["a[1]".to_owned()], 2));
    // The other one is its holder's still: the lease ran out, and nobody else took it.
    assert!(world.finish(&claims[0], succeeded()).await);
    assert!(!world.finish(&claims[1], succeeded()).await);
    assert!(world.finish(&adopted[0], succeeded()).await);
});
