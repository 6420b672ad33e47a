//! SQL of attempts.

use lathe_core::{PipelineRunId, Result, RunId, TokenId};
use lathe_db::{Db, Query, Row, Tx, query};

use super::reason;
use crate::JobKey;
use crate::attempts::Attempt;
use crate::status::AttemptStatus;

fn select() -> Query {
    query(
        "SELECT pipeline_run_id, job, attempt, fence, status, holder, lease_until_ms, run_id, token_id, cpu_millis, \
         memory_bytes, exit_code, reason, started_at_ms, ended_at_ms FROM attempts ",
    )
}

fn read(row: &Row) -> Result<Attempt> {
    let status: String = row.get(4)?;
    Ok(Attempt {
        pipeline_run: PipelineRunId::from_trusted(row.get(0)?),
        job: JobKey::from_trusted(row.get(1)?),
        attempt: row.get(2)?,
        fence: row.get(3)?,
        status: AttemptStatus::parse(&status)?,
        holder: row.get(5)?,
        lease_until_ms: row.get(6)?,
        run_id: row.get::<Option<String>>(7)?.map(RunId::from_trusted),
        token_id: row.get::<Option<String>>(8)?.map(TokenId::from_trusted),
        cpu_millis: row.get(9)?,
        memory_bytes: row.get(10)?,
        exit_code: row.get(11)?,
        reason: row.get(12)?,
        started_at_ms: row.get(13)?,
        ended_at_ms: row.get(14)?,
    })
}

pub(crate) async fn insert(tx: &mut Tx, attempt: &Attempt) -> Result<()> {
    let statement = query(
        "INSERT INTO attempts (pipeline_run_id, job, attempt, fence, status, holder, lease_until_ms, cpu_millis, \
         memory_bytes, reason, started_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(attempt.pipeline_run.as_str())
    .bind(attempt.job.as_str())
    .bind(attempt.attempt)
    .bind(attempt.fence)
    .bind(attempt.status.as_str())
    .bind(&attempt.holder)
    .bind(attempt.lease_until_ms)
    .bind(attempt.cpu_millis)
    .bind(attempt.memory_bytes)
    .bind(reason(&attempt.reason))
    .bind(attempt.started_at_ms);
    tx.execute(statement).await.map(|_| ())
}

/// Every attempt that is at work, of whatever holder.
pub(crate) async fn list_live(db: &Db) -> Result<Vec<Attempt>> {
    let mut statement = select();
    statement.push("WHERE status = 'running' ORDER BY started_at_ms");
    db.fetch_all(statement).await?.iter().map(read).collect()
}

/// All attempts of a job, oldest first.
pub(crate) async fn list_of_job(db: &Db, run: &PipelineRunId, job: &JobKey) -> Result<Vec<Attempt>> {
    let mut statement = select();
    statement.push("WHERE pipeline_run_id = ").push_bind(run.as_str()).push(" AND job = ").push_bind(job.as_str());
    statement.push(" ORDER BY attempt");
    db.fetch_all(statement).await?.iter().map(read).collect()
}

/// The run and the token of an attempt, once they are made; answers whether it is the holder's still.
pub(crate) async fn set_run(tx: &mut Tx, attempt: &Attempt, run: &RunId, token: &TokenId) -> Result<bool> {
    let mut statement = query("UPDATE attempts SET run_id = ");
    statement.push_bind(run.as_str()).push(", token_id = ").push_bind(token.as_str());
    Ok(tx.execute(guarded(statement, attempt)).await? == 1)
}

/// Renews the lease; answers whether it is the holder's still.
pub(crate) async fn renew(tx: &mut Tx, attempt: &Attempt, until_ms: i64) -> Result<bool> {
    let mut statement = query("UPDATE attempts SET lease_until_ms = ");
    statement.push_bind(until_ms);
    Ok(tx.execute(guarded(statement, attempt)).await? == 1)
}

/// Takes an attempt over; answers its new fence, or `None` when somebody else was faster.
pub(crate) async fn adopt(tx: &mut Tx, attempt: &Attempt, holder: &str, until_ms: i64) -> Result<Option<i64>> {
    let mut statement = query("UPDATE attempts SET fence = fence + 1, holder = ");
    statement.push_bind(holder).push(", lease_until_ms = ").push_bind(until_ms);
    let mut statement = guarded(statement, attempt);
    // A holder that renewed it meanwhile keeps it.
    statement.push(" AND lease_until_ms = ").push_bind(attempt.lease_until_ms);
    statement.push(" RETURNING fence");
    tx.fetch_optional(statement).await?.map(|row| row.get(0)).transpose()
}

/// Ends an attempt; answers its run and that run's token, or `None` when it was not the holder's to end.
pub(crate) async fn finish(
    tx: &mut Tx,
    attempt: &Attempt,
    ended: &Ended<'_>,
) -> Result<Option<(Option<RunId>, Option<TokenId>)>> {
    let mut statement = query("UPDATE attempts SET status = ");
    statement.push_bind(ended.status.as_str()).push(", exit_code = ").push_bind(ended.exit_code);
    statement.push(", reason = ").push_bind(reason(ended.reason)).push(", ended_at_ms = ").push_bind(ended.at_ms);
    let mut statement = guarded(statement, attempt);
    statement.push(" RETURNING run_id, token_id");
    let read = |row: Row| {
        let (run_id, token_id): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
        Ok((run_id.map(RunId::from_trusted), token_id.map(TokenId::from_trusted)))
    };
    tx.fetch_optional(statement).await?.map(read).transpose()
}

/// The pipeline run whose job a run is an attempt of.
pub(crate) async fn find_pipeline_run(db: &Db, run_id: &str) -> Result<Option<PipelineRunId>> {
    let statement = query("SELECT pipeline_run_id FROM attempts WHERE run_id = $1").bind(run_id);
    let row = db.fetch_optional(statement).await?;
    row.map(|row| Ok(PipelineRunId::from_trusted(row.get(0)?))).transpose()
}

/// How far an attempt is, whoever attends it.
pub(crate) async fn find_status(tx: &mut Tx, attempt: &Attempt) -> Result<Option<AttemptStatus>> {
    let statement = query("SELECT status FROM attempts WHERE pipeline_run_id = $1 AND job = $2 AND attempt = $3")
        .bind(attempt.pipeline_run.as_str())
        .bind(attempt.job.as_str())
        .bind(attempt.attempt);
    let row = tx.fetch_optional(statement).await?;
    row.map(|row| AttemptStatus::parse(&row.get::<String>(0)?)).transpose()
}

/// How an attempt ended.
pub(crate) struct Ended<'a> {
    pub(crate) status: AttemptStatus,
    pub(crate) exit_code: Option<i64>,
    pub(crate) reason: &'a str,
    pub(crate) at_ms: i64,
}

fn guarded(mut statement: Query, attempt: &Attempt) -> Query {
    statement.push(" WHERE pipeline_run_id = ").push_bind(attempt.pipeline_run.as_str());
    statement.push(" AND job = ").push_bind(attempt.job.as_str());
    statement.push(" AND attempt = ").push_bind(attempt.attempt);
    statement.push(" AND fence = ").push_bind(attempt.fence).push(" AND status = 'running'");
    statement
}

/// Names the object that holds an attempt's output.
pub(crate) async fn insert_log(tx: &mut Tx, attempt: &Attempt, hash: &str, size_bytes: i64) -> Result<()> {
    let statement = query(
        "INSERT INTO job_logs (pipeline_run_id, job, attempt, object_hash, size_bytes) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT DO NOTHING",
    )
    .bind(attempt.pipeline_run.as_str())
    .bind(attempt.job.as_str())
    .bind(attempt.attempt)
    .bind(hash)
    .bind(size_bytes);
    tx.execute(statement).await.map(|_| ())
}

/// The object of an attempt's output, and its size in bytes.
pub(crate) async fn find_log(
    db: &Db,
    run: &PipelineRunId,
    job: &JobKey,
    attempt: i64,
) -> Result<Option<(String, i64)>> {
    let statement =
        query("SELECT object_hash, size_bytes FROM job_logs WHERE pipeline_run_id = $1 AND job = $2 AND attempt = $3")
            .bind(run.as_str())
            .bind(job.as_str())
            .bind(attempt);
    db.fetch_optional(statement).await?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}
