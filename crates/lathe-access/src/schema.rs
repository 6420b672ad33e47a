//! The room's tables.

use lathe_db::{Migration, Schema};

/// Tables of people, projects, members, tokens, sessions and secrets.
pub const SCHEMA: Schema = Schema { room: "access", migrations: &[FIRST, SECRETS, RUNS] };

const FIRST: Migration = Migration {
    version: 1,
        statements: &[
            "CREATE TABLE users (
                username {text} NOT NULL PRIMARY KEY, password_hash {text} NOT NULL, is_admin BOOLEAN NOT NULL,
                created_at_ms BIGINT NOT NULL, disabled_at_ms BIGINT
            ) {clustered}",
            "CREATE TABLE projects (
                name {text} NOT NULL PRIMARY KEY, description {text} NOT NULL, created_at_ms BIGINT NOT NULL
            ) {clustered}",
            "CREATE TABLE members (
                username {text} NOT NULL, project {text} NOT NULL, role {text} NOT NULL, PRIMARY KEY (username, project)
            ) {clustered}",
            "CREATE INDEX members_by_project ON members (project)",
            "CREATE TABLE tokens (
                secret_hash {bytes} NOT NULL PRIMARY KEY, token_id {text} NOT NULL, kind {text} NOT NULL, name {text} NOT NULL,
                owner {text} NOT NULL, scope {text} NOT NULL, project {text}, role {text}, created_at_ms BIGINT NOT NULL,
                expires_at_ms BIGINT, revoked_at_ms BIGINT, last_used_at_ms BIGINT
            )",
            "CREATE UNIQUE INDEX tokens_by_id ON tokens (token_id)",
            "CREATE INDEX tokens_by_owner ON tokens (owner)",
            // A service token acts under its name: two of one name would be one actor in the ledger.
            "CREATE UNIQUE INDEX tokens_by_service ON tokens (project, name)
                WHERE kind = 'service' AND revoked_at_ms IS NULL",
            "CREATE TABLE sessions (
                secret_hash {bytes} NOT NULL PRIMARY KEY, username {text} NOT NULL, created_at_ms BIGINT NOT NULL,
                expires_at_ms BIGINT NOT NULL
            )",
            "CREATE INDEX sessions_by_user ON sessions (username)",
            "CREATE INDEX sessions_by_expiry ON sessions (expires_at_ms)",
        ],
};

/// `data_key` is what opens `sealed`, itself sealed with the server's key: neither says anything without that.
const SECRETS: Migration = Migration {
    version: 2,
    statements: &["CREATE TABLE secrets (
        project {text} NOT NULL, name {text} NOT NULL, data_key {bytes} NOT NULL, sealed {bytes} NOT NULL,
        created_at_ms BIGINT NOT NULL, updated_at_ms BIGINT NOT NULL, PRIMARY KEY (project, name)
    ) {clustered}"],
};

/// Whose a run is, asked whenever it makes credentials of its own.
const RUNS: Migration =
    Migration { version: 3, statements: &["CREATE INDEX tokens_by_run ON tokens (name) WHERE kind = 'run'"] };
