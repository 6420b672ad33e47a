//! The queue: what waits for what, and what never finds room.

use lathe_core::Code;
use lathe_testkit::store_test;
use lathe_workflows::PipelineRunStatus;
use lathe_workflows::attempts::Finish;
use lathe_workflows::jobs::Outcome;
use lathe_workflows::pipeline_runs::retry_pipeline_run;

use crate::*;

const ONE_CORE: Capacity = Capacity { cpu_millis: 1_000, ..CAPACITY };

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_takes_no_cores_waits_for_nothing_that_does(db: Db) {
    let world = world(&db).await;
    world.start("  training: { matrix: { n: [1, 2, 3, 4, 5, 6] }, resources: { cpu: 3 }, run: echo }\n").await;
    assert_eq!(keys(&world.claim("server", 2).await), ["training[0]"]);
    world.start("  alias: { set_alias: { model: m, alias: a, version: \"1\" } }\n").await;
    assert_eq!(keys(&world.claim("server", 2).await), ["alias"], "more cells wait before it than are looked at");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_is_tried_again_keeps_its_place(db: Db) {
    let world = world_of(&db, ONE_CORE).await;
    let retry = "retry: { max: 1, backoff: fixed, initial: 1s, on: [failed] }";
    let first = world.start(&format!("  first: {{ {retry}, run: echo }}\n")).await;
    let claim = world.claim_one("server").await;
    world.start("  second: { matrix: { n: [1, 2] }, run: echo }\n").await;
    assert!(world.finish(&claim, Finish::failed("no")).await);
    let [between] = world.claim("server", 10).await.try_into().unwrap();
    assert_eq!(between.job.name, "second", "the first one waits for its time");
    world.ctx.clock.advance_ms(1_000);
    assert!(world.finish(&between, Finish::succeeded(Outcome::default())).await);
    assert_eq!(keys(&world.claim("server", 10).await), ["first"]);
    assert_eq!(world.status(&first, "first").await, JobStatus::Running);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_a_smaller_server_cannot_run_fails_and_keeps_nothing_waiting(db: Db) {
    let large = world(&db).await;
    let run = large.start("  large: { resources: { cpu: 2 }, run: echo }\n  tidy: { needs: [large], if: failure(), run: echo }\n").await;
    let memory = large.start("  memory: { resources: { memory: 1GiB }, run: echo }\n").await;
    large.start("  small: { run: echo }\n").await;
    let small = world_of(&db, Capacity { memory_bytes: 1 << 20, ..ONE_CORE }).await;
    assert_eq!(keys(&small.claim("server", 10).await), ["small"]);
    let job = jobs::list_jobs(&small.ctx, &small.workflows, &run).await.unwrap().remove(0);
    assert_eq!(job.status, JobStatus::Failed);
    let why = "job `large` asks for 2 cores and 0 MiB of memory, and this server gives its jobs 1 cores and 1 MiB altogether";
    assert_eq!(job.reason, why);
    assert_eq!(small.run(&memory).await.status, PipelineRunStatus::Failed);
    assert_eq!(small.status(&run, "tidy").await, JobStatus::Queued, "what was there for that case goes on");
    // To try it again says so at once, and leaves the run as it is.
    let refused = retry_pipeline_run(&small.ctx, &small.workflows, &memory).await.unwrap_err();
    assert_eq!((refused.code(), refused.message().contains("asks for")), (Code::InvalidArgument, true), "{refused:?}");
    assert_eq!(small.run(&memory).await.status, PipelineRunStatus::Failed);
    assert_eq!(small.status(&memory, "memory").await, JobStatus::Failed);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_command_takes_something_however_little_it_asks_for(db: Db) {
    let world = world(&db).await;
    world.start("  a: { resources: { cpu: 0.0004 }, run: echo }\n").await;
    assert_eq!(world.claim_one("server").await.attempt.cpu_millis, 1);
});
