//! The room's tables.

use lathe_db::{Migration, Schema};
use lathe_objects::Reference;

/// The objects that artifacts name; `gc` keeps them.
pub const LIVE_OBJECTS: &[Reference] =
    &[Reference { table: "artifacts", column: "object_hash", label: "project || '/' || path" }];

/// The tables of experiment tracking.
///
/// - `runs.run_key` is computed from the run's id (see `store::run_key`), so that the big tables are keyed by an integer and
///   a lookup by id needs no index of its own.
/// - `latest_metrics.sortable_value` is the value as an integer of the same order (see `metrics::sortable`), NULL for NaN. In
///   `logged_model_metrics.value`, too, NaN is NULL: SQLite cannot store it.
/// - `metric_blocks.points` holds the points of one metric in arrival order, in the format of `metrics::blocks`; every block
///   but the last is full, so the block of a point follows from its number.
pub const SCHEMA: Schema = Schema {
    room: "tracking",
    migrations: &[Migration {
        version: 1,
        statements: &[
            "CREATE TABLE tracking_counters (
                project {text} NOT NULL, name {text} NOT NULL, last_value BIGINT NOT NULL, PRIMARY KEY (project, name)
            ) {clustered}",
            "CREATE TABLE experiments (
                project {text} NOT NULL, number BIGINT NOT NULL, name {text} NOT NULL, artifact_location {text} NOT NULL,
                lifecycle_stage {text} NOT NULL, created_at_ms BIGINT NOT NULL, updated_at_ms BIGINT NOT NULL,
                PRIMARY KEY (project, number)
            ) {clustered}",
            "CREATE UNIQUE INDEX experiments_by_name ON experiments (project, name)",
            "CREATE TABLE experiment_tags (
                project {text} NOT NULL, number BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL,
                PRIMARY KEY (project, number, key)
            ) {clustered}",
            "CREATE TABLE runs (
                run_key BIGINT NOT NULL PRIMARY KEY, run_id {text} NOT NULL, project {text} NOT NULL, experiment BIGINT NOT NULL,
                name {text} NOT NULL, user_id {text} NOT NULL, status {text} NOT NULL,
                start_time_ms BIGINT NOT NULL, end_time_ms BIGINT, artifact_uri {text} NOT NULL,
                lifecycle_stage {text} NOT NULL, deleted_at_ms BIGINT
            ) {clustered}",
            "CREATE INDEX runs_by_start ON runs (project, experiment, lifecycle_stage, start_time_ms DESC, run_id)",
            "CREATE TABLE run_params (
                run_key BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (run_key, key)
            ) {clustered}",
            "CREATE INDEX run_params_by_value ON run_params (key, (substr(value, 1, 100)))",
            "CREATE TABLE run_tags (
                run_key BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (run_key, key)
            ) {clustered}",
            "CREATE INDEX run_tags_by_value ON run_tags (key, (substr(value, 1, 100)))",
            "CREATE TABLE metric_keys (key_id BIGINT NOT NULL PRIMARY KEY, project {text} NOT NULL, name {text} NOT NULL)",
            "CREATE UNIQUE INDEX metric_keys_by_name ON metric_keys (project, name)",
            "CREATE TABLE metric_blocks (
                run_key BIGINT NOT NULL, key_id BIGINT NOT NULL, block_number BIGINT NOT NULL, points {bytes} NOT NULL,
                PRIMARY KEY (run_key, key_id, block_number)
            ) {clustered}",
            "CREATE TABLE latest_metrics (
                run_key BIGINT NOT NULL, key_id BIGINT NOT NULL, experiment BIGINT NOT NULL, sortable_value BIGINT,
                step BIGINT NOT NULL, timestamp_ms BIGINT NOT NULL, point_count BIGINT NOT NULL,
                PRIMARY KEY (run_key, key_id)
            ) {clustered}",
            "CREATE INDEX latest_metrics_by_value ON latest_metrics (key_id, experiment, sortable_value)",
            "CREATE TABLE datasets (
                project {text} NOT NULL, name {text} NOT NULL, digest {text} NOT NULL, source_type {text} NOT NULL,
                source {text} NOT NULL, schema {text}, profile {text}, PRIMARY KEY (project, name, digest)
            ) {clustered}",
            "CREATE TABLE run_datasets (
                run_key BIGINT NOT NULL, name {text} NOT NULL, digest {text} NOT NULL, ordinal BIGINT NOT NULL,
                context {text}, tags {text} NOT NULL, PRIMARY KEY (run_key, name, digest)
            ) {clustered}",
            "CREATE TABLE run_models (
                run_key BIGINT NOT NULL, direction {text} NOT NULL, model_id {text} NOT NULL, step BIGINT NOT NULL,
                ordinal BIGINT NOT NULL, PRIMARY KEY (run_key, direction, model_id)
            ) {clustered}",
            "CREATE TABLE logged_models (
                model_id {text} NOT NULL PRIMARY KEY, project {text} NOT NULL, experiment BIGINT NOT NULL, name {text} NOT NULL,
                artifact_uri {text} NOT NULL, created_at_ms BIGINT NOT NULL, updated_at_ms BIGINT NOT NULL,
                status {text} NOT NULL, lifecycle_stage {text} NOT NULL, model_type {text} NOT NULL, source_run_id {text}
            ) {clustered}",
            "CREATE INDEX logged_models_by_creation
                ON logged_models (project, experiment, lifecycle_stage, created_at_ms DESC, model_id)",
            "CREATE TABLE logged_model_params (
                model_id {text} NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (model_id, key)
            ) {clustered}",
            "CREATE TABLE logged_model_tags (
                model_id {text} NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (model_id, key)
            ) {clustered}",
            "CREATE TABLE logged_model_metrics (
                model_id {text} NOT NULL, run_id {text} NOT NULL, key {text} NOT NULL, timestamp_ms BIGINT NOT NULL,
                step BIGINT NOT NULL, value DOUBLE PRECISION, dataset_name {text}, dataset_digest {text},
                PRIMARY KEY (model_id, run_id, key, timestamp_ms, step)
            ) {clustered}",
            "CREATE INDEX logged_model_metrics_by_key ON logged_model_metrics (key, model_id)",
            "CREATE TABLE artifacts (
                project {text} NOT NULL, path {text} NOT NULL, object_hash {text} NOT NULL, size_bytes BIGINT NOT NULL,
                updated_at_ms BIGINT NOT NULL, PRIMARY KEY (project, path)
            ) {clustered}",
        ],
    }],
};
