//! The room's tables.

use lathe_db::{Migration, Schema};
use lathe_objects::Reference;

/// The columns that name objects.
pub const LIVE_OBJECTS: &[Reference] = &[];

/// The tables of deployments.
///
/// `deployment_versions` holds which model versions a deployment serves, in which role (`primary`, `canary`, `shadow`, and `previous`: the last
/// primary, for a rollback); `alias` is the one that is followed. What they are wanted to be is `role`; what they are, as the server
/// found, is `state`; when that was `ready` for the first time is `ready_at_ms`. A version that is given a role again is a new row.
pub const SCHEMA: Schema = Schema { room: "serving", migrations: &[TABLES, READY_AT] };

const TABLES: Migration = Migration {
    version: 1,
    statements: &[
        "CREATE TABLE deployments (
            project {text} NOT NULL, name {text} NOT NULL, workers BIGINT NOT NULL, created_by {text} NOT NULL,
            created_at_ms BIGINT NOT NULL, updated_at_ms BIGINT NOT NULL, PRIMARY KEY (project, name)
        ) {clustered}",
        "CREATE TABLE deployment_versions (
            version_key {text} NOT NULL PRIMARY KEY, project {text} NOT NULL, deployment {text} NOT NULL, model {text} NOT NULL,
            version BIGINT NOT NULL, alias {text}, role {text} NOT NULL, weight BIGINT NOT NULL, state {text} NOT NULL,
            error {text}, created_at_ms BIGINT NOT NULL, updated_at_ms BIGINT NOT NULL
        )",
        "CREATE UNIQUE INDEX deployment_versions_by_role ON deployment_versions (project, deployment, role)",
    ],
};

/// Of those that are not ready now, only these are known to have been.
const READY_AT: Migration = Migration {
    version: 2,
    statements: &[
        "ALTER TABLE deployment_versions ADD COLUMN ready_at_ms BIGINT",
        "UPDATE deployment_versions SET ready_at_ms = updated_at_ms WHERE state IN ('ready', 'draining', 'stopped')",
    ],
};
