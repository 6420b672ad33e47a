//! SQL of people's decisions.

use lathe_core::{PipelineRunId, Result};
use lathe_db::{Db, Query, Row, Tx, query};

use crate::JobKey;
use crate::approvals::{Decision, Verdict};

fn of_job(run: &PipelineRunId, job: &JobKey) -> Query {
    query(
        "SELECT username, decision, comment, at_ms FROM decisions WHERE pipeline_run_id = $1 AND job = $2 ORDER BY at_ms, username",
    )
    .bind(run.as_str())
    .bind(job.as_str())
}

fn read(row: &Row) -> Result<Decision> {
    let verdict: String = row.get(1)?;
    Ok(Decision { username: row.get(0)?, verdict: Verdict::parse(&verdict)?, comment: row.get(2)?, at_ms: row.get(3)? })
}

pub(crate) async fn list(db: &Db, run: &PipelineRunId, job: &JobKey) -> Result<Vec<Decision>> {
    db.fetch_all(of_job(run, job)).await?.iter().map(read).collect()
}

pub(crate) async fn list_in(tx: &mut Tx, run: &PipelineRunId, job: &JobKey) -> Result<Vec<Decision>> {
    tx.fetch_all(of_job(run, job)).await?.iter().map(read).collect()
}

/// Stores a person's decision, in place of an earlier one.
pub(crate) async fn upsert(tx: &mut Tx, run: &PipelineRunId, job: &JobKey, decision: &Decision) -> Result<()> {
    let statement = query(
        "INSERT INTO decisions (pipeline_run_id, job, username, decision, comment, at_ms) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (pipeline_run_id, job, username) DO UPDATE SET decision = excluded.decision, \
           comment = excluded.comment, at_ms = excluded.at_ms",
    )
    .bind(run.as_str())
    .bind(job.as_str())
    .bind(&decision.username)
    .bind(decision.verdict.as_str())
    .bind(&decision.comment)
    .bind(decision.at_ms);
    tx.execute(statement).await.map(|_| ())
}

/// Forgets what was decided, when the job begins anew.
pub(crate) async fn delete(tx: &mut Tx, run: &PipelineRunId, job: &JobKey) -> Result<()> {
    let statement =
        query("DELETE FROM decisions WHERE pipeline_run_id = $1 AND job = $2").bind(run.as_str()).bind(job.as_str());
    tx.execute(statement).await.map(|_| ())
}
