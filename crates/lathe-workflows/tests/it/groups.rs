//! Concurrency groups: one run at a time, also when runs come at once, are tried again, or end because of their file.

use lathe_core::Code;
use lathe_db::{FutureExt as _, query};
use lathe_testkit::store_test;
use lathe_workflows::PipelineRunStatus;
use lathe_workflows::attempts::Finish;
use lathe_workflows::jobs::Outcome;
use lathe_workflows::pipeline_runs::retry_pipeline_run;

use crate::*;

impl World {
    /// Starts a pipeline of the one group, whose only job has the pipeline's name.
    async fn start_in_group(&self, name: &str, on_conflict: &str) -> Result<PipelineRun> {
        let group = format!("concurrency: {{ group: g, on_conflict: {on_conflict} }}");
        self.start_file(format!("name: {name}\n{group}\njobs: {{ {name}: {{ run: echo }} }}\n")).await
    }

    async fn finish_next(&self, finish: Finish) -> String {
        let claim = self.claim_one("server").await;
        assert!(self.finish(&claim, finish).await);
        claim.job.name
    }

    /// Two runs of the group: one that failed, and one that is at work.
    async fn failed_and_running(&self, on_conflict: &str) -> (PipelineRunId, PipelineRunId) {
        let failed = self.start_in_group("a", on_conflict).await.unwrap().id;
        self.finish_next(Finish::failed("no")).await;
        let running = self.start_in_group("b", "queue").await.unwrap();
        assert_eq!(running.status, PipelineRunStatus::Running);
        (failed, running.id)
    }
}

fn succeeded() -> Finish {
    Finish::succeeded(Outcome::default())
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_run_that_is_tried_again_waits_for_its_group(db: Db) {
    let world = world(&db).await;
    let (failed, running) = world.failed_and_running("queue").await;
    let begun = world.run(&failed).await.started_at_ms;
    world.ctx.clock.advance_ms(1);
    let retried = retry_pipeline_run(&world.ctx, &world.workflows, &failed).await.unwrap();
    assert_eq!(retried.status, PipelineRunStatus::Queued);
    assert_eq!(world.move_on(&failed).await.status, PipelineRunStatus::Queued);
    assert_eq!(world.finish_next(succeeded()).await, "b");
    let moved = world.move_on(&failed).await;
    assert_eq!((moved.status, moved.started_at_ms), (PipelineRunStatus::Running, begun));
    assert_eq!(world.finish_next(succeeded()).await, "a");
    for run in [failed, running] {
        assert_eq!(world.run(&run).await.status, PipelineRunStatus::Succeeded);
    }
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_run_that_is_tried_again_does_as_its_file_says(db: Db) {
    let world = world(&db).await;
    let (failed, running) = world.failed_and_running("skip").await;
    let refused = retry_pipeline_run(&world.ctx, &world.workflows, &failed).await.unwrap_err();
    assert_eq!(refused.code(), Code::Conflict);
    assert_eq!(world.run(&failed).await.status, PipelineRunStatus::Failed);
    assert_eq!(world.status(&failed, "a").await, JobStatus::Failed);
    world.finish_next(succeeded()).await;
    assert_eq!(world.run(&running).await.status, PipelineRunStatus::Succeeded);
    let (failed, running) = world.failed_and_running("cancel_running").await;
    assert_eq!(retry_pipeline_run(&world.ctx, &world.workflows, &failed).await.unwrap().status, PipelineRunStatus::Queued);
    assert!(world.run(&running).await.is_canceled);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn of_runs_that_come_at_once_one_is_at_work(db: Db) {
    let world = world(&db).await;
    for round in 0..5 {
        let names: Vec<String> = (0..6).map(|number| format!("p{round}{number}")).collect();
        let starts = names.iter().map(|name| world.start_in_group(name, "queue"));
        let mut runs: Vec<PipelineRunId> =
            futures::future::join_all(starts).await.into_iter().map(|run| run.unwrap().id).collect();
        let running = async |runs: &[PipelineRunId]| {
            let mut running = Vec::new();
            for run in runs {
                running.extend((world.run(run).await.status == PipelineRunStatus::Running).then(|| run.clone()));
            }
            running
        };
        assert_eq!(running(&runs).await.len(), 1, "round {round}");
        while !runs.is_empty() {
            let claim = world.claim_one("server").await;
            assert!(world.finish(&claim, succeeded()).await);
            runs.retain(|run| *run != claim.run.id);
            futures::future::join_all(runs.iter().map(|run| world.move_on(run))).await;
            assert_eq!(running(&runs).await.len(), usize::from(!runs.is_empty()), "round {round}");
        }
    }
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_run_that_ended_meanwhile_is_not_taken_back(db: Db) {
    let world = world(&db).await;
    for round in 0..10 {
        let first = world.start_in_group("a", "queue").await.unwrap().id;
        let claim = world.claim_one("server").await;
        let (ended, second) =
            futures::future::join(world.finish(&claim, succeeded()), world.start_in_group("b", "cancel_running")).await;
        assert!(ended);
        let first = world.move_on(&first).await;
        assert_eq!(first.status, PipelineRunStatus::Succeeded, "round {round}: its only job succeeded");
        assert_eq!(world.move_on(&second.unwrap().id).await.status, PipelineRunStatus::Running);
        assert_eq!(world.finish_next(succeeded()).await, "b");
    }
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_is_at_work_in_a_run_that_ended_keeps_its_place(db: Db) {
    let old = world(&db).await;
    let first = old.start_in_group("a", "queue").await.unwrap().id;
    let claim = old.claim_one("server").await;
    let second = old.start_in_group("b", "queue").await.unwrap().id;
    let spoil = query("UPDATE pipeline_files SET content = 'spoiled' WHERE content LIKE '%name: a%'");
    db.write(move |tx| async move { tx.execute(spoil).await }.boxed()).await.unwrap();
    // Another server, which has not read the file yet.
    let new = world(&db).await;
    assert_eq!(new.move_on(&first).await.status, PipelineRunStatus::Failed);
    assert_eq!(new.status(&first, "a").await, JobStatus::Running);
    assert_eq!(new.move_on(&second).await.status, PipelineRunStatus::Queued, "a job of the first is being ended");
    assert!(new.finish(&claim, Finish::failed("canceled")).await);
    assert_eq!(new.move_on(&second).await.status, PipelineRunStatus::Running);
});
