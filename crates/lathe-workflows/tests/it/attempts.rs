//! Claims: who gets which job, how many at once, and what follows from how they end.

use std::collections::BTreeMap;

use lathe_core::{Code, Grant, Role, RunId, TokenId};
use lathe_testkit::store_test;
use lathe_workflows::attempts::{Finish, list_live};
use lathe_workflows::code::{PushCode, get_code, push_code};
use lathe_workflows::jobs::{Outcome, list_attempts};
use lathe_workflows::pipeline_runs::{cancel_pipeline_run, retry_pipeline_run};
use lathe_workflows::pipelines::set_paused;
use lathe_workflows::{AttemptStatus, PipelineRunStatus};

use crate::*;

fn made(value: &str) -> Finish {
    let values = BTreeMap::from([("made".to_owned(), value.to_owned())]);
    Finish::succeeded(Outcome { values, ..Outcome::default() })
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_job_is_claimed_by_one(db: Db) {
    let world = world(&db).await;
    let run = world.start("  a: { matrix: { n: [1, 2, 3] }, run: echo }\n").await;
    let holders: Vec<String> = (0..6).map(|n| format!("server-{n}")).collect();
    let claims = futures::future::join_all(holders.iter().map(|holder| world.claim(holder, 10))).await;
    let mut claimed: Vec<String> = claims.iter().flat_map(|claims| keys(claims)).collect();
    claimed.sort();
    assert_eq!(claimed, ["a[0]", "a[1]", "a[2]"]);
    let live = list_live(&world.ctx, &world.workflows).await.unwrap();
    assert_eq!(live.len(), 3);
    assert!(live.iter().all(|attempt| (attempt.attempt, attempt.fence) == (1, 1) && attempt.pipeline_run == run));
    assert!(world.claim("late", 10).await.is_empty());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_is_free_is_what_live_attempts_leave(db: Db) {
    let world = world(&db).await;
    let large = "  large: { resources: { cpu: 3 }, run: echo }\n  small: { resources: { cpu: 0.5, memory: 100MiB }, run: echo }\n";
    world.start(large).await;
    let first = world.claim("server", 10).await;
    assert_eq!(keys(&first), ["large"]);
    assert!(world.claim("server", 10).await.is_empty());
    world.finish(&first[0], made("1")).await;
    let small = world.claim_one("server").await;
    // A job that finds no room keeps those behind it waiting: else it would never find any.
    world.ctx.clock.advance_ms(1);
    world.start("  large: { resources: { cpu: 3 }, run: echo }\n").await;
    world.ctx.clock.advance_ms(1);
    world.start("  late: { run: echo }\n").await;
    assert!(world.claim("server", 10).await.is_empty());
    world.finish(&small, made("1")).await;
    assert_eq!(keys(&world.claim("server", 10).await), ["large"]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn memory_has_its_bound_too(db: Db) {
    let world = world(&db).await;
    world.start("  a: { matrix: { n: [1, 2] }, resources: { memory: 600MiB }, run: echo }\n").await;
    assert_eq!(keys(&world.claim("server", 10).await), ["a[0]"]);
    assert!(world.claim("server", 10).await.is_empty());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn an_attempt_ends_once_with_what_follows(db: Db) {
    let world = world(&db).await;
    let run = world.start("  a: { run: echo }\n  b: { needs: [a], run: echo }\n").await;
    let claim = world.claim_one("server").await;
    assert_eq!(world.statuses(&run).await, [("a".to_owned(), JobStatus::Running), ("b".to_owned(), JobStatus::Waiting)]);
    let ends = futures::future::join_all((0..5).map(|n| {
        let (world, claim) = (&world, &claim);
        async move { world.finish(claim, made(&n.to_string())).await }
    }));
    let ended = ends.await;
    assert_eq!(ended.iter().filter(|ended| **ended).count(), 1);
    let winner = ended.iter().position(|ended| *ended).unwrap();
    let job = jobs::get_job(&world.ctx, &world.workflows, &run, &claim.job.key).await.unwrap();
    assert_eq!((job.status, job.outcome.values["made"].as_str()), (JobStatus::Succeeded, winner.to_string().as_str()));
    assert_eq!(world.status(&run, "b").await, JobStatus::Queued);
    assert_eq!(get_pipeline_run(&world.ctx, &world.workflows, &run).await.unwrap().status, PipelineRunStatus::Running);
    let last = world.claim_one("server").await;
    world.finish(&last, Finish::failed("no")).await;
    assert_eq!(get_pipeline_run(&world.ctx, &world.workflows, &run).await.unwrap().status, PipelineRunStatus::Failed);
    assert!(list_live(&world.ctx, &world.workflows).await.unwrap().is_empty());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_is_lost_waits_and_is_tried_again(db: Db) {
    let world = world(&db).await;
    let run = world.start("  a: { retry: { max: 1, backoff: fixed, initial: 5s, on: [lost] }, run: echo }\n").await;
    let lost = || Finish { status: AttemptStatus::Lost, ..Finish::failed("gone") };
    let first = world.claim_one("server").await;
    world.finish(&first, lost()).await;
    assert_eq!(world.status(&run, "a").await, JobStatus::Queued);
    world.ctx.clock.advance_ms(4_999);
    assert!(world.claim("server", 10).await.is_empty(), "it waits five seconds");
    world.ctx.clock.advance_ms(1);
    let second = world.claim_one("server").await;
    assert_eq!((second.attempt.attempt, second.attempt.fence), (2, 1));
    // What the first one made after all does not count.
    assert!(!world.finish(&first, made("late")).await);
    assert_eq!(world.status(&run, "a").await, JobStatus::Running);
    world.finish(&second, lost()).await;
    assert_eq!(world.status(&run, "a").await, JobStatus::Failed);
    let attempts = list_attempts(&world.ctx, &world.workflows, &run, &first.job.key).await.unwrap();
    let ends: Vec<AttemptStatus> = attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(ends, [AttemptStatus::Lost, AttemptStatus::Lost]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_retry_by_hand_begins_a_new_count(db: Db) {
    let world = world(&db).await;
    let run = world.start("  a: { retry: { max: 1, backoff: exponential, initial: 1s, on: [failed] }, run: echo }\n").await;
    for first in [1, 3] {
        for attempt in [first, first + 1] {
            let claim = world.claim_one("server").await;
            assert_eq!(claim.attempt.attempt, attempt);
            assert!(world.finish(&claim, Finish::failed("no")).await);
            world.ctx.clock.advance_ms(1_000);
        }
        assert_eq!(world.status(&run, "a").await, JobStatus::Failed, "one more try each time");
        retry_pipeline_run(&world.ctx, &world.workflows, &run).await.unwrap();
    }
    assert_eq!(world.claim_one("server").await.attempt.attempt, 5);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_retry_does_again_what_needs_a_job_that_failed(db: Db) {
    let world = world(&db).await;
    let jobs = "  first: { run: echo }\n  a: { needs: [first], run: echo }\n  tidy: { needs: [a], if: \"${{ failure() }}\", run: echo }\n";
    let run = world.start(jobs).await;
    for end in [made("1"), Finish::failed("no"), made("1")] {
        let claim = world.claim_one("server").await;
        world.finish(&claim, end).await;
    }
    assert_eq!(world.status(&run, "tidy").await, JobStatus::Succeeded);
    retry_pipeline_run(&world.ctx, &world.workflows, &run).await.unwrap();
    let expected = [("first", JobStatus::Succeeded), ("a", JobStatus::Queued), ("tidy", JobStatus::Waiting)];
    assert_eq!(world.statuses(&run).await, expected.map(|(job, status)| (job.to_owned(), status)));
    let claim = world.claim_one("server").await;
    world.finish(&claim, made("1")).await;
    assert_eq!(world.status(&run, "tidy").await, JobStatus::Skipped);
    assert_eq!(get_pipeline_run(&world.ctx, &world.workflows, &run).await.unwrap().status, PipelineRunStatus::Succeeded);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_retry_leaves_what_a_condition_left_out(db: Db) {
    let world = world(&db).await;
    let jobs = "  unwanted: { if: \"1 == 2\", run: echo }\n  told: { needs: [unwanted], if: \"${{ always() }}\", run: echo }\n  \
                a: { run: echo }\n  b: { needs: [a], run: echo }\n";
    let run = world.start(jobs).await;
    for claim in world.claim("server", 10).await {
        let end = if claim.job.name == "a" { Finish::failed("no") } else { made("1") };
        assert!(world.finish(&claim, end).await);
    }
    assert_eq!(world.status(&run, "b").await, JobStatus::Skipped);
    retry_pipeline_run(&world.ctx, &world.workflows, &run).await.unwrap();
    let expected = [
        ("unwanted", JobStatus::Skipped),
        ("told", JobStatus::Succeeded),
        ("a", JobStatus::Queued),
        ("b", JobStatus::Waiting),
    ];
    assert_eq!(world.statuses(&run).await, expected.map(|(job, status)| (job.to_owned(), status)));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn the_last_cell_of_a_job_lets_others_move(db: Db) {
    let world = world(&db).await;
    let jobs = "  a: { matrix: { n: [1, 2, 3] }, run: echo }\n  alone: { run: echo }\n  b: { needs: [a], run: echo }\n  \
                no: { needs: [b], if: \"${{ failure() }}\", run: echo }\n";
    let run = world.start(jobs).await;
    let cells = world.claim("server", 10).await;
    assert_eq!(keys(&cells), ["a[0]", "a[1]", "a[2]"]);
    for cell in &cells[..2] {
        assert!(world.finish(cell, made("1")).await);
        assert_eq!(world.status(&run, "b").await, JobStatus::Waiting);
    }
    assert!(world.finish(&cells[2], made("1")).await);
    assert_eq!(world.status(&run, "b").await, JobStatus::Queued);
    let mut both = world.claim("server", 10).await;
    assert_eq!(keys(&both), ["alone", "b"]);
    // Nothing needs the last one, and with it the run ends.
    assert!(world.finish(&both.remove(1), made("1")).await);
    assert_eq!(world.status(&run, "no").await, JobStatus::Skipped);
    assert_eq!(get_pipeline_run(&world.ctx, &world.workflows, &run).await.unwrap().status, PipelineRunStatus::Running);
    assert!(world.finish(&both.remove(0), made("1")).await);
    assert_eq!(get_pipeline_run(&world.ctx, &world.workflows, &run).await.unwrap().status, PipelineRunStatus::Succeeded);
});

// The end of an attempt looks at the whole run only when it may have to; a look at all of it must then find nothing left to do.
store_test!([SCHEMAS[0], SCHEMAS[1]] async fn nothing_is_left_to_do_after_the_end_of_an_attempt(db: Db) {
    let world = world(&db).await;
    let jobs = "  a: { matrix: { n: [1, 2, 3] }, run: echo }\n  \
                b: { needs: [a], retry: { max: 1, backoff: fixed, initial: 1s, on: [failed] }, run: echo }\n  \
                c: { run: echo }\n  \
                d: { needs: [b, c], matrix: { n: [1, 2] }, run: echo }\n  \
                tidy: { needs: [d], if: \"${{ failure() }}\", run: echo }\n  \
                last: { needs: [tidy, c], if: \"${{ always() }}\", run: echo }\n";
    for seed in 0..24_u32 {
        let id = world.start(jobs).await;
        for step in 0..40_u32 {
            world.ctx.clock.advance_ms(2_000);
            for claim in world.claim("server", 10).await {
                let fails = (seed >> (step % 5)) & 1 == 1;
                assert!(world.finish(&claim, if fails { Finish::failed("no") } else { made("1") }).await);
                let run = get_pipeline_run(&world.ctx, &world.workflows, &id).await.unwrap();
                assert!(!move_on(&world.ctx, &world.workflows, &run).await.unwrap(), "seed {seed} after {}", claim.job.key);
            }
        }
        assert!(get_pipeline_run(&world.ctx, &world.workflows, &id).await.unwrap().status.is_terminal(), "seed {seed}");
    }
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_canceled_run_gives_no_job_away(db: Db) {
    let world = world(&db).await;
    let run = world.start("  a: { run: echo }\n  b: { resources: { cpu: 3 }, run: echo }\n").await;
    let claim = world.claim_one("server").await;
    cancel_pipeline_run(&world.ctx, &world.workflows, &run).await.unwrap();
    assert_eq!(world.status(&run, "b").await, JobStatus::Canceled);
    assert!(world.claim("server", 10).await.is_empty());
    let canceled = Finish { status: AttemptStatus::Canceled, ..Finish::failed("canceled") };
    world.finish(&claim, canceled).await;
    assert_eq!(get_pipeline_run(&world.ctx, &world.workflows, &run).await.unwrap().status, PipelineRunStatus::Canceled);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn only_the_server_claims_and_ends(db: Db) {
    let world = world(&db).await;
    world.start("  a: { run: echo }\n").await;
    let admin = Ctx { grant: Grant { role: Some(Role::Admin), ..Grant::NONE }, ..world.ctx.clone() };
    let refused = claim_jobs(&admin, &world.workflows, "me", LEASE_MS, 1).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let claim = world.claim_one("server").await;
    let ids = (RunId::generate(), TokenId::generate());
    for refused in [
        world.finish_as(&admin, &claim, made("1")).await.unwrap_err(),
        world.attach_as(&admin, &claim, &ids).await.unwrap_err(),
        list_live(&admin, &world.workflows).await.map(|_| ()).unwrap_err(),
        adopt_attempts(&admin, &world.workflows, "me", LEASE_MS, |_| false).await.map(|_| ()).unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn who_may_not_move_an_alias_may_not_let_a_pipeline_do_it_again(db: Db) {
    let world = world(&db).await;
    let run = world.start("  a: { run: echo }\n  b: { needs: [a], set_alias: { model: m, alias: champion, version: \"1\" } }\n").await;
    let claim = world.claim_one("server").await;
    assert!(world.finish(&claim, Finish::failed("no")).await);
    let of = |role| lathe_core::Ctx { grant: Grant { role: Some(role), ..Grant::NONE }, ..world.ctx.clone() };
    let refused = retry_pipeline_run(&of(Role::Contributor), &world.workflows, &run).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(get_pipeline_run(&world.ctx, &world.workflows, &run).await.unwrap().status, PipelineRunStatus::Failed);
    let name = PipelineName::parse("p").unwrap();
    let pause = async |role, is_paused| set_paused(&of(role), &world.workflows, &name, is_paused).await.map(|one| one.is_paused);
    assert!(pause(Role::Contributor, true).await.unwrap(), "to stop it is no harm");
    assert_eq!(pause(Role::Contributor, false).await.unwrap_err().code(), Code::PermissionDenied);
    assert!(!pause(Role::Maintainer, false).await.unwrap());
    retry_pipeline_run(&of(Role::Maintainer), &world.workflows, &run).await.unwrap();
    assert_eq!(world.status(&run, "a").await, JobStatus::Queued);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_failed_job_keeps_the_run_that_it_was(db: Db) {
    let world = world(&db).await;
    let run = world.start("  a: { run: echo }\n").await;
    let claim = world.claim_one("server").await;
    let of_attempt = (RunId::generate(), TokenId::generate());
    assert!(world.attach_as(&world.ctx, &claim, &of_attempt).await.unwrap());
    assert!(world.finish(&claim, Finish::failed("no")).await);
    let job = jobs::get_job(&world.ctx, &world.workflows, &run, &claim.job.key).await.unwrap();
    assert_eq!((job.status, job.run_id), (JobStatus::Failed, Some(of_attempt.0)));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn new_code_is_recorded_also_with_the_same_file(db: Db) {
    let world = world(&db).await;
    let bundle = lathe_objects::ObjectHash::parse(&"ab".repeat(32)).unwrap();
    let code = async |diff: &str| {
        let push = PushCode { repository: "r".to_owned(), commit: "0".repeat(40), folder: String::new(), diff: diff.to_owned() };
        push_code(&world.ctx, &world.workflows, push, Some(bundle.clone())).await.unwrap().id
    };
    let push = async |code: &str| {
        let text = "name: p\non: { schedule: { cron: \"* * * * *\" } }\njobs: { a: { run: echo } }\n".to_owned();
        push_pipeline(&world.ctx, &world.workflows, text, Some(code.to_owned())).await.unwrap();
    };
    let (first, second) = (code("").await, code("changed").await);
    assert_eq!((code("changed").await, world.events("code.pushed").await.0), (second.clone(), 2));
    push(&first).await;
    push(&first).await;
    assert_eq!(world.events("pipeline.updated").await.0, 0, "nothing changed");
    push(&second).await;
    let (count, detail) = world.events("pipeline.updated").await;
    assert!(count == 1 && detail.contains(&second), "{detail}");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_later_bundle_of_a_commit_takes_the_place_of_an_earlier_one(db: Db) {
    let world = world(&db).await;
    let bundle = |byte: &str| lathe_objects::ObjectHash::parse(&byte.repeat(32)).unwrap();
    let push = async |commit: &str, diff: &str, bundle| {
        let push = PushCode { repository: "r".to_owned(), commit: commit.repeat(40), folder: String::new(), diff: diff.to_owned() };
        push_code(&world.ctx, &world.workflows, push, bundle).await.unwrap().id
    };
    let bundle_of = async |id: &str| get_code(&world.ctx, &world.workflows, id).await.unwrap().bundle;
    let plain = push("0", "", Some(bundle("ab"))).await;
    let changed = push("0", "changed", None).await;
    let other = push("1", "", Some(bundle("ab"))).await;
    assert_eq!(push("0", "", Some(bundle("cd"))).await, plain);
    let last = push("0", "changed again", None).await;
    for id in [&plain, &changed, &last] {
        assert_eq!(bundle_of(id).await, bundle("cd"));
    }
    assert_eq!(bundle_of(&other).await, bundle("ab"));
    assert_eq!(world.events("code.pushed").await.0, 5);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_reason_is_stored_whatever_it_repeats(db: Db) {
    let world = world(&db).await;
    let run = world.start("  a: { retry: { max: 1, initial: 1ms, on: [failed] }, run: echo }\n").await;
    for reason in ["attempt 1 failed: no\\u{0} \\u{1b}[31m\nmore", "no\\u{0} \\u{1b}[31m\nmore"] {
        let claim = world.claim_one("server").await;
        assert!(world.finish(&claim, Finish::failed("no\0 \u{1b}[31m\nmore")).await);
        let job = jobs::get_job(&world.ctx, &world.workflows, &run, &claim.job.key).await.unwrap();
        assert_eq!(job.reason, reason);
        world.ctx.clock.advance_ms(10);
    }
    let key = lathe_workflows::JobKey::parse("a").unwrap();
    let attempts = list_attempts(&world.ctx, &world.workflows, &run, &key).await.unwrap();
    assert!(attempts.iter().all(|attempt| attempt.reason == "no\\u{0} \\u{1b}[31m\nmore"), "{attempts:?}");
});
