//! The room's tables.

use lathe_db::{Migration, Schema};
use lathe_objects::Reference;

/// The columns that name objects.
pub const LIVE_OBJECTS: &[Reference] = &[
    Reference { table: "code_bundles", column: "object_hash", label: "project || '/' || code_id" },
    Reference {
        table: "job_logs",
        column: "object_hash",
        label: "COALESCE((SELECT r.project || '/' || r.pipeline || '/' || CAST(r.number AS TEXT) || '/' FROM pipeline_runs r \
                WHERE r.pipeline_run_id = job_logs.pipeline_run_id), '') || job",
    },
];

/// The tables of pipelines and of their runs.
///
/// - `pipeline_files` holds each text that a pipeline ever had, `code_bundles` each state of a code repository that was pushed.
/// - `jobs` is the plan of a run and how far it is; a job of a matrix has a row for each cell. `attempt` is the newest one,
///   `attempts_before` those before the run was last tried again by hand (migration 2).
/// - `attempts` is one row for each try. `holder` and `lease_until_ms` say who attends it; whoever changes it compares `fence`, which grows
///   with each holder. Free slots are what the live attempts leave, never a counter.
/// - `cached_jobs` names, for a cache key, the run whose outputs stand for it.
/// - `pins` of a run says which commit each ref is to all its jobs.
/// - `fired` keeps a trigger from starting two runs for one cause; `positions` says how far a reader of the ledger is.
pub const SCHEMA: Schema = Schema { room: "workflows", migrations: &[FIRST, ATTEMPTS_BEFORE, IN_ORDER] };

const FIRST: Migration = Migration {
    version: 1,
    statements: &[
        "CREATE TABLE pipelines (
            project {text} NOT NULL, name {text} NOT NULL, file_hash {text} NOT NULL, code_id {text}, is_paused BOOLEAN NOT NULL,
            runs BIGINT NOT NULL, created_at_ms BIGINT NOT NULL, updated_at_ms BIGINT NOT NULL, PRIMARY KEY (project, name)
        ) {clustered}",
        "CREATE TABLE pipeline_files (
            project {text} NOT NULL, file_hash {text} NOT NULL, content {text} NOT NULL, PRIMARY KEY (project, file_hash)
        ) {clustered}",
        "CREATE TABLE code_bundles (
            project {text} NOT NULL, code_id {text} NOT NULL, object_hash {text} NOT NULL, repository {text} NOT NULL,
            commit_id {text} NOT NULL, folder {text} NOT NULL, diff {text} NOT NULL, created_at_ms BIGINT NOT NULL,
            PRIMARY KEY (project, code_id)
        ) {clustered}",
        "CREATE INDEX code_bundles_by_object ON code_bundles (object_hash)",
        "CREATE TABLE pipeline_runs (
            pipeline_run_id {text} NOT NULL PRIMARY KEY, project {text} NOT NULL, pipeline {text} NOT NULL, number BIGINT NOT NULL,
            file_hash {text} NOT NULL, code_id {text}, status {text} NOT NULL, trigger_kind {text} NOT NULL,
            trigger_detail {text} NOT NULL, params {text} NOT NULL, concurrency_group {text}, actor_kind {text} NOT NULL,
            actor {text} NOT NULL, reason {text} NOT NULL, is_canceled BOOLEAN NOT NULL, pins {text} NOT NULL,
            created_at_ms BIGINT NOT NULL, started_at_ms BIGINT, ended_at_ms BIGINT
        )",
        "CREATE UNIQUE INDEX pipeline_runs_by_number ON pipeline_runs (project, pipeline, number)",
        "CREATE INDEX pipeline_runs_by_time ON pipeline_runs (project, created_at_ms)",
        "CREATE INDEX pipeline_runs_live ON pipeline_runs (created_at_ms) WHERE status IN ('queued', 'running')",
        "CREATE TABLE jobs (
            pipeline_run_id {text} NOT NULL, job {text} NOT NULL, name {text} NOT NULL, cell BIGINT NOT NULL, matrix {text} NOT NULL,
            position BIGINT NOT NULL, status {text} NOT NULL, attempt BIGINT NOT NULL, not_before_ms BIGINT NOT NULL,
            run_id {text}, outcome {text} NOT NULL, cache_key {text}, cache_parts {text}, cached_from {text},
            reason {text} NOT NULL, queue {text} NOT NULL, cpu_millis BIGINT NOT NULL, memory_bytes BIGINT NOT NULL,
            queued_at_ms BIGINT, started_at_ms BIGINT, ended_at_ms BIGINT, PRIMARY KEY (pipeline_run_id, job)
        ) {clustered}",
        "CREATE INDEX jobs_waiting ON jobs (not_before_ms) WHERE status = 'queued'",
        "CREATE INDEX jobs_awaiting ON jobs (queued_at_ms) WHERE status = 'awaiting_approval'",
        "CREATE TABLE attempts (
            pipeline_run_id {text} NOT NULL, job {text} NOT NULL, attempt BIGINT NOT NULL, fence BIGINT NOT NULL, status {text} NOT NULL,
            holder {text} NOT NULL, lease_until_ms BIGINT NOT NULL, run_id {text}, token_id {text}, cpu_millis BIGINT NOT NULL,
            memory_bytes BIGINT NOT NULL, exit_code BIGINT, reason {text} NOT NULL, started_at_ms BIGINT NOT NULL, ended_at_ms BIGINT,
            PRIMARY KEY (pipeline_run_id, job, attempt)
        ) {clustered}",
        "CREATE INDEX attempts_live ON attempts (lease_until_ms) WHERE status = 'running'",
        "CREATE TABLE job_logs (
            pipeline_run_id {text} NOT NULL, job {text} NOT NULL, attempt BIGINT NOT NULL, object_hash {text} NOT NULL,
            size_bytes BIGINT NOT NULL, PRIMARY KEY (pipeline_run_id, job, attempt)
        ) {clustered}",
        "CREATE INDEX job_logs_by_object ON job_logs (object_hash)",
        "CREATE TABLE decisions (
            pipeline_run_id {text} NOT NULL, job {text} NOT NULL, username {text} NOT NULL, decision {text} NOT NULL,
            comment {text} NOT NULL, at_ms BIGINT NOT NULL, PRIMARY KEY (pipeline_run_id, job, username)
        ) {clustered}",
        "CREATE TABLE cached_jobs (
            project {text} NOT NULL, cache_key {text} NOT NULL, pipeline_run_id {text} NOT NULL, job {text} NOT NULL,
            at_ms BIGINT NOT NULL, PRIMARY KEY (project, cache_key)
        ) {clustered}",
        "CREATE TABLE schedules (
            project {text} NOT NULL, pipeline {text} NOT NULL, ordinal BIGINT NOT NULL, next_at_ms BIGINT NOT NULL,
            PRIMARY KEY (project, pipeline, ordinal)
        ) {clustered}",
        "CREATE TABLE fired (
            project {text} NOT NULL, pipeline {text} NOT NULL, cause {text} NOT NULL, at_ms BIGINT NOT NULL,
            PRIMARY KEY (project, pipeline, cause)
        ) {clustered}",
        "CREATE TABLE positions (reader {text} NOT NULL PRIMARY KEY, position BIGINT NOT NULL)",
    ],
};

const ATTEMPTS_BEFORE: Migration =
    Migration { version: 2, statements: &["ALTER TABLE jobs ADD COLUMN attempts_before BIGINT NOT NULL DEFAULT 0"] };

/// What is queued is looked for in its order, and an attempt by the run that it was.
const IN_ORDER: Migration = Migration {
    version: 3,
    statements: &[
        "DROP INDEX jobs_waiting",
        "CREATE INDEX jobs_queued ON jobs (pipeline_run_id, position) WHERE status = 'queued'",
        "CREATE INDEX attempts_by_run ON attempts (run_id) WHERE run_id IS NOT NULL",
    ],
};
