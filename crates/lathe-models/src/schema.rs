//! The room's tables.

use lathe_db::{Migration, Schema};

/// Tables of models, versions, aliases and tags.
pub const SCHEMA: Schema = Schema {
    room: "models",
    migrations: &[Migration {
        version: 1,
        statements: &[
            // `last_version` only grows, so that the number of a deleted version is never given again.
            "CREATE TABLE registered_models (
                project {text} NOT NULL, name {text} NOT NULL, description {text}, created_at_ms BIGINT NOT NULL,
                updated_at_ms BIGINT NOT NULL, last_version BIGINT NOT NULL, PRIMARY KEY (project, name)
            ) {clustered}",
            "CREATE TABLE model_tags (
                project {text} NOT NULL, model {text} NOT NULL, key {text} NOT NULL, value {text} NOT NULL,
                PRIMARY KEY (project, model, key)
            ) {clustered}",
            "CREATE TABLE model_versions (
                project {text} NOT NULL, model {text} NOT NULL, version BIGINT NOT NULL, source {text} NOT NULL,
                storage_location {text} NOT NULL, run_id {text}, run_link {text} NOT NULL, model_id {text}, user_id {text} NOT NULL,
                description {text}, stage {text} NOT NULL, created_at_ms BIGINT NOT NULL, updated_at_ms BIGINT NOT NULL,
                PRIMARY KEY (project, model, version)
            ) {clustered}",
            "CREATE INDEX model_versions_by_run ON model_versions (project, run_id)",
            "CREATE INDEX model_versions_by_update ON model_versions (project, updated_at_ms)",
            "CREATE TABLE version_tags (
                project {text} NOT NULL, model {text} NOT NULL, version BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL,
                PRIMARY KEY (project, model, version, key)
            ) {clustered}",
            "CREATE TABLE model_aliases (
                project {text} NOT NULL, model {text} NOT NULL, alias {text} NOT NULL, version BIGINT NOT NULL,
                PRIMARY KEY (project, model, alias)
            ) {clustered}",
        ],
    }],
};
