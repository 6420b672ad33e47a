//! The room's tables.

use lathe_db::{Migration, Schema};
use lathe_objects::Reference;

/// The columns that name objects.
pub const LIVE_OBJECTS: &[Reference] =
    &[Reference { table: "sample_files", column: "object_hash", label: "project || '/' || deployment" }];

/// The room's tables.
///
/// - `monitor_settings` holds what a person chose for a deployment, as versioned JSON.
/// - `monitor_windows` has a row for each span of a deployment's traffic. Whatever changes what is known of a window raises its
///   `revision`; `checked_revision` is the one that the alert rules have seen, `changed_at_ms` when the first change came that they
///   have not.
/// - `sample_files` names the Parquet files of samples, `predictions` says where the rows of a request are, and keeps of each row
///   what quality needs.
/// - `segments` are sketches and counts of some samples of a window; a window's are merged when they are read, and now and then
///   in place.
/// - `reference_profiles` are what windows are compared with; version 0 is for all versions.
/// - `alerts` has one row for each time a rule's condition began to hold.
pub const SCHEMA: Schema = Schema { room: "monitoring", migrations: &[FIRST, CHANGES_AND_PAGES] };

const FIRST: Migration = Migration {
    version: 1,
    statements: &[
        "CREATE TABLE monitor_settings (
            project {text} NOT NULL, deployment {text} NOT NULL, settings {text} NOT NULL, updated_at_ms BIGINT NOT NULL,
            PRIMARY KEY (project, deployment)
        ) {clustered}",
        "CREATE TABLE monitor_windows (
            project {text} NOT NULL, deployment {text} NOT NULL, start_ms BIGINT NOT NULL, length_ms BIGINT NOT NULL,
            revision BIGINT NOT NULL, checked_revision BIGINT NOT NULL, updated_at_ms BIGINT NOT NULL,
            PRIMARY KEY (project, deployment, start_ms)
        ) {clustered}",
        "CREATE INDEX monitor_windows_unchecked ON monitor_windows (project, deployment, start_ms) WHERE checked_revision < revision",
        "CREATE TABLE sample_files (
            file_id {text} NOT NULL PRIMARY KEY, project {text} NOT NULL, deployment {text} NOT NULL, window_start_ms BIGINT NOT NULL,
            from_ms BIGINT NOT NULL, to_ms BIGINT NOT NULL, row_count BIGINT NOT NULL, object_hash {text} NOT NULL,
            size_bytes BIGINT NOT NULL
        ) {clustered}",
        "CREATE INDEX sample_files_by_window ON sample_files (project, deployment, window_start_ms)",
        "CREATE INDEX sample_files_by_object ON sample_files (object_hash)",
        "CREATE TABLE predictions (
            project {text} NOT NULL, deployment {text} NOT NULL, request_id {text} NOT NULL, version BIGINT NOT NULL,
            variant {text} NOT NULL, model {text} NOT NULL, client_request_id {text}, at_ms BIGINT NOT NULL,
            window_start_ms BIGINT NOT NULL, file_id {text} NOT NULL, first_row BIGINT NOT NULL, row_count BIGINT NOT NULL,
            answers {text} NOT NULL, PRIMARY KEY (project, deployment, request_id, version, variant)
        ) {clustered}",
        "CREATE INDEX predictions_by_client ON predictions (project, deployment, client_request_id) WHERE client_request_id IS NOT NULL",
        "CREATE INDEX predictions_by_window ON predictions (project, deployment, window_start_ms)",
        "CREATE INDEX predictions_by_request ON predictions (project, request_id)",
        "CREATE TABLE labels (
            project {text} NOT NULL, deployment {text} NOT NULL, request_id {text} NOT NULL, row_number BIGINT NOT NULL,
            label {text} NOT NULL, at_ms BIGINT NOT NULL, PRIMARY KEY (project, deployment, request_id, row_number)
        ) {clustered}",
        "CREATE TABLE segments (
            segment_id {text} NOT NULL PRIMARY KEY, project {text} NOT NULL, deployment {text} NOT NULL,
            window_start_ms BIGINT NOT NULL, version BIGINT NOT NULL, variant {text} NOT NULL, traffic {text} NOT NULL,
            profile {text} NOT NULL
        ) {clustered}",
        "CREATE INDEX segments_by_window ON segments (project, deployment, window_start_ms, version, variant)",
        "CREATE TABLE reference_profiles (
            project {text} NOT NULL, deployment {text} NOT NULL, version BIGINT NOT NULL, source {text} NOT NULL,
            row_count BIGINT NOT NULL, profile {text} NOT NULL, created_at_ms BIGINT NOT NULL,
            PRIMARY KEY (project, deployment, version)
        ) {clustered}",
        "CREATE TABLE alert_rules (
            rule_id {text} NOT NULL PRIMARY KEY, project {text} NOT NULL, deployment {text} NOT NULL, rule {text} NOT NULL,
            created_at_ms BIGINT NOT NULL
        ) {clustered}",
        "CREATE INDEX alert_rules_by_deployment ON alert_rules (project, deployment, rule_id)",
        "CREATE TABLE alerts (
            alert_id {text} NOT NULL PRIMARY KEY, project {text} NOT NULL, deployment {text} NOT NULL, rule_id {text} NOT NULL,
            rule {text} NOT NULL, severity {text} NOT NULL, window_start_ms BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL,
            threshold DOUBLE PRECISION NOT NULL, raised_at_ms BIGINT NOT NULL, resolved_at_ms BIGINT, resolved_window_ms BIGINT
        ) {clustered}",
        "CREATE UNIQUE INDEX alerts_by_window ON alerts (rule_id, window_start_ms)",
        "CREATE INDEX alerts_by_deployment ON alerts (project, deployment, alert_id)",
    ],
};

/// Windows that are never quiet are judged all the same, and quality reads the predictions of a window page by page, in this order.
const CHANGES_AND_PAGES: Migration = Migration {
    version: 2,
    statements: &[
        "ALTER TABLE monitor_windows ADD COLUMN changed_at_ms BIGINT NOT NULL DEFAULT 0",
        "DROP INDEX predictions_by_window",
        "CREATE INDEX predictions_by_window ON predictions (project, deployment, window_start_ms, request_id, version, variant)",
    ],
};
