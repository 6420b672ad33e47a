//! One file that cannot be read any more keeps nothing else from going on.

use lathe_db::{FutureExt as _, query};
use lathe_testkit::store_test;
use lathe_workflows::approvals::expire;
use lathe_workflows::attempts::{Renewed, list_live, renew_attempt};
use lathe_workflows::pipeline_runs::{get_pipeline_run, move_on};
use lathe_workflows::triggers::list_automatic;
use lathe_workflows::{AttemptStatus, PipelineRunStatus};

use crate::*;

impl World {
    /// The same database as a server sees it that finds this text in the files that hold the word.
    async fn with_files(&self, word: &str, text: &'static str) -> World {
        let pattern = format!("%{word}%");
        let change = query("UPDATE pipeline_files SET content = $1 WHERE content LIKE $2").bind(text).bind(pattern);
        self.db.write(move |tx| async move { tx.execute(change).await }.boxed()).await.unwrap();
        world(&self.db).await
    }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn it_ends_its_run_and_no_other(db: Db) {
    let old = world(&db).await;
    let running = old.start("  running: { run: echo spoiled }\n").await;
    let claim = old.claim_one("first").await;
    let of_attempt = (RunId::generate(), TokenId::generate());
    assert!(old.attach_as(&old.ctx, &claim, &of_attempt).await.unwrap());
    let asking = old.start("  asking: { approval: { timeout: 1s } }\n  spoiled: { needs: [asking], run: echo }\n").await;
    let queued = old.start("  queued: { run: echo spoiled 2 }\n").await;
    let canceled = old.start("  canceled: { run: echo spoiled 3 }\n  after: { needs: [canceled], run: echo }\n").await;
    let good = old.start("  good: { run: echo }\n").await;
    let new = old.with_files("spoiled", "of another time").await;
    new.ctx.clock.advance_ms(LEASE_MS);
    let [adopted] = new.adopt("second", |_| false).await.try_into().unwrap();
    assert!(adopted.declared.is_none() && adopted.declaration().is_err());
    let renewed = renew_attempt(&new.ctx, &new.workflows, &adopted.attempt, LEASE_MS).await.unwrap();
    assert_eq!(renewed, Renewed::Canceled, "whoever attends it is told to end it");
    assert_eq!(new.status(&running, "running").await, JobStatus::Running);
    let (run_id, token_id) = (Some(of_attempt.0), Some(of_attempt.1));
    let told = Finish { status: AttemptStatus::Canceled, ..Finish::failed("canceled") };
    assert_eq!(new.finish_as(&new.ctx, &adopted, told).await.unwrap(), Ending::Ended { run_id, token_id });
    expire(&new.ctx, &new.workflows).await.unwrap();
    let mut run = get_pipeline_run(&new.ctx, &new.workflows, &canceled).await.unwrap();
    run.is_canceled = true;
    assert!(move_on(&new.ctx, &new.workflows, &run).await.unwrap());
    assert_eq!(keys(&new.claim("second", 10).await), ["good"]);
    let status = async |id: &PipelineRunId| get_pipeline_run(&new.ctx, &new.workflows, id).await.unwrap();
    for id in [&running, &asking, &queued, &canceled] {
        let run = status(id).await;
        assert_eq!(run.status, PipelineRunStatus::Failed);
        assert!(run.reason.starts_with("its file cannot be read: the pipeline file is not valid"), "{}", run.reason);
        assert!(run.ended_at_ms.is_some());
        assert!(new.statuses(id).await.iter().all(|(_, status)| *status == JobStatus::Canceled));
    }
    assert_eq!(status(&good).await.status, PipelineRunStatus::Running);
    let live = list_live(&new.ctx, &new.workflows).await.unwrap();
    assert_eq!(live.iter().map(|attempt| &attempt.pipeline_run).collect::<Vec<_>>(), [&good]);
    assert_eq!(new.events("pipeline_run.finished").await.0, 4);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn it_starts_nothing_says_so_and_keeps_no_other_from_starting(db: Db) {
    let old = world(&db).await;
    for (name, word) in [("bad", "spoiled"), ("good", "fine")] {
        let text = format!("name: {name}\non: {{ model_alias: {{ model: m, alias: a }} }}\njobs: {{ a: {{ run: echo {word} }} }}\n");
        push_pipeline(&old.ctx, &old.workflows, text, None).await.unwrap();
    }
    let new = old.with_files("spoiled", "of another time").await;
    for _ in 0..3 {
        let found = list_automatic(&new.ctx, &new.workflows).await.unwrap();
        assert_eq!(found.iter().map(|one| one.pipeline.name.as_str()).collect::<Vec<_>>(), ["good"]);
    }
    let (count, detail) = new.events("pipeline.not_started").await;
    assert_eq!(count, 1);
    assert!(detail.contains("the pipeline file is not valid"), "{detail}");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_lint_learns_to_refuse_goes_on(db: Db) {
    let old = world(&db).await;
    let run = old.start("  ask: { approval: { min: 1 } }\n").await;
    let refused = "name: p\njobs:\n  ask: { approval: { min: 1, team: risk } }\n";
    assert!(push_pipeline(&old.ctx, &old.workflows, refused.to_owned(), None).await.is_err());
    let new = old.with_files("ask", refused).await;
    expire(&new.ctx, &new.workflows).await.unwrap();
    assert_eq!(new.status(&run, "ask").await, JobStatus::AwaitingApproval);
});
