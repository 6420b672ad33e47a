//! Tests of the workflows room, on both databases, through its public functions.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod attempts;
mod groups;
mod leases;
mod queue;
mod triggers;
mod unreadable;

use std::collections::BTreeMap;

use lathe_core::{Clock, Ctx, PipelineRunId, Result, RunId, TokenId};
use lathe_db::{Db, FutureExt as _};
use lathe_objects::Objects;
use lathe_testkit::ctx;
use lathe_workflows::attempts::{
    Attempt, Claim, Ending, Finish, adopt_attempts, attach_run_in, claim_jobs, finish_attempt_in,
};
use lathe_workflows::pipeline_runs::{
    PipelineRun, StartPipelineRun, Trigger, get_pipeline_run, move_on, start_pipeline_run,
};
use lathe_workflows::pipelines::push_pipeline;
use lathe_workflows::{Capacity, JobStatus, PipelineName, Workflows, jobs};

/// The schemas of this room and of the one it stores bytes in.
const SCHEMAS: [lathe_db::Schema; 2] = [lathe_workflows::SCHEMA, lathe_objects::SCHEMA];
const LEASE_MS: i64 = 10_000;

const CAPACITY: Capacity = Capacity { cpu_millis: 3_000, memory_bytes: 1 << 30 };

/// A room with three cores, and a clock that all contexts share.
struct World {
    ctx: Ctx,
    db: Db,
    workflows: Workflows,
    _folder: tempfile::TempDir,
}

async fn world(db: &Db) -> World {
    world_of(db, CAPACITY).await
}

async fn world_of(db: &Db, capacity: Capacity) -> World {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().join("objects").display());
    // Of its own: the shared one would stand for all tests.
    let ctx = Ctx { clock: Clock::fixed(1_700_000_000_000), ..ctx() };
    let objects = Objects::open(&url, folder.path(), db.clone(), ctx.clock.clone()).await.unwrap();
    let workflows = Workflows::new(db.clone(), objects, capacity);
    World { ctx, db: db.clone(), workflows, _folder: folder }
}

impl World {
    /// Pushes a pipeline called `p` with these jobs and starts it.
    async fn start(&self, jobs: &str) -> PipelineRunId {
        self.start_file(format!("name: p\njobs:\n{jobs}")).await.unwrap().id
    }

    /// Pushes a pipeline and starts it.
    async fn start_file(&self, text: String) -> Result<PipelineRun> {
        let pipeline = push_pipeline(&self.ctx, &self.workflows, text, None).await.unwrap().name;
        let (params, trigger) = (BTreeMap::new(), Trigger::manual());
        let request = StartPipelineRun { pipeline, params, trigger, from: Vec::new(), cause: None };
        start_pipeline_run(&self.ctx, &self.workflows, request).await.map(Option::unwrap)
    }

    async fn run(&self, run: &PipelineRunId) -> PipelineRun {
        get_pipeline_run(&self.ctx, &self.workflows, run).await.unwrap()
    }

    /// Looks after a run as the dispatcher does.
    async fn move_on(&self, run: &PipelineRunId) -> PipelineRun {
        move_on(&self.ctx, &self.workflows, &self.run(run).await).await.unwrap();
        self.run(run).await
    }

    async fn claim(&self, holder: &str, limit: usize) -> Vec<Claim> {
        claim_jobs(&self.ctx, &self.workflows, holder, LEASE_MS, limit).await.unwrap().claims
    }

    async fn claim_one(&self, holder: &str) -> Claim {
        let mut claims = self.claim(holder, 10).await;
        assert_eq!(claims.len(), 1);
        claims.remove(0)
    }

    async fn adopt(&self, holder: &str, is_attended: impl Fn(&Attempt) -> bool) -> Vec<Claim> {
        adopt_attempts(&self.ctx, &self.workflows, holder, LEASE_MS, is_attended).await.unwrap().claims
    }

    /// Ends an attempt as `ctx`, who may not be allowed to.
    async fn finish_as(&self, ctx: &Ctx, claim: &Claim, finish: Finish) -> Result<Ending> {
        let (ctx, claim) = (ctx.clone(), claim.clone());
        self.db.write(move |tx| async move { finish_attempt_in(&ctx, tx, &claim, &finish).await }.boxed()).await
    }

    /// Ends an attempt; answers whether this did it.
    async fn finish(&self, claim: &Claim, finish: Finish) -> bool {
        matches!(self.finish_as(&self.ctx, claim, finish).await.unwrap(), Ending::Ended { .. })
    }

    /// Gives an attempt a run and a token as `ctx`, who may not be allowed to.
    async fn attach_as(&self, ctx: &Ctx, claim: &Claim, (run, token): &(RunId, TokenId)) -> Result<bool> {
        let (ctx, claim, run, token) = (ctx.clone(), claim.clone(), run.clone(), token.clone());
        self.db
            .write(move |tx| async move { attach_run_in(&ctx, tx, &claim, (&run, &token), Vec::new()).await }.boxed())
            .await
    }

    async fn statuses(&self, run: &PipelineRunId) -> Vec<(String, JobStatus)> {
        let jobs = jobs::list_jobs(&self.ctx, &self.workflows, run).await.unwrap();
        jobs.into_iter().map(|job| (job.key.to_string(), job.status)).collect()
    }

    async fn status(&self, run: &PipelineRunId, job: &str) -> JobStatus {
        self.statuses(run).await.into_iter().find(|(key, _)| key == job).unwrap().1
    }
}

/// The jobs of claims, in their order.
fn keys(claims: &[Claim]) -> Vec<String> {
    claims.iter().map(|claim| claim.job.key.to_string()).collect()
}
