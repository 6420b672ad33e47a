//! The room's tables.

use lathe_db::{Migration, Schema};
use lathe_objects::Reference;

/// The columns that name objects.
pub const LIVE_OBJECTS: &[Reference] = &[
    Reference {
        table: "data_objects",
        column: "object_hash",
        label: "COALESCE((SELECT r.project || '/' || r.name || '/' FROM repositories r WHERE r.repo_key = data_objects.repo_key), '') \
                || path",
    },
    Reference {
        table: "staged",
        column: "object_hash",
        label: "COALESCE((SELECT r.project || '/' || r.name || '/' FROM repositories r WHERE r.repo_key = staged.repo_key), '') || path",
    },
    Reference {
        table: "upload_parts",
        column: "object_hash",
        label: "COALESCE((SELECT r.project || '/' || r.name || '/' || u.path FROM uploads u JOIN repositories r \
                ON r.repo_key = u.repo_key WHERE u.upload_id = upload_parts.upload_id), upload_id)",
    },
];

/// The tables of repositories.
///
/// - `refs` holds branches and tags: one table, because a name is one or the other. `generation` is the open staging area of
///   a branch; what is staged up to `taken_generation` is in a commit, and nobody reads its rows any more. A branch begins at
///   `first_generation`, above the `last_generation` that any deleted ref of its repository came to: whoever closed a staging area can
///   tell the branch from another one that got its name since.
/// - `staged` holds the changes of a branch that no commit has. Rows of generations before the branch's own are sealed: the
///   next commit takes them. An empty `entry` removes the path. `run_id` is the run that wrote the row, if a run did.
/// - `nodes` belong to all repositories: equal nodes are one.
/// - `data_objects` names every object that a committed entry of a repository ever named, with a path that did.
/// - `run_reads` and `run_read_paths` say what a run read, `run_pins` which commit a branch is to it (none: the branch as it is) and was at first.
/// - `uploads` and their `upload_parts` are files that arrive in parts; `checksum` is what the beginning of one announced.
pub const SCHEMA: Schema =
    Schema { room: "data", migrations: &[FIRST, UPLOADS, USES, TAKEN, CHECKSUMS, IDENTITY, NAMES] };

const FIRST: Migration = Migration {
        version: 1,
        statements: &[
            "CREATE TABLE repositories (
                repo_key BIGINT NOT NULL PRIMARY KEY, name {text} NOT NULL, project {text} NOT NULL, layout {text} NOT NULL,
                default_branch {text} NOT NULL, description {text} NOT NULL, created_at_ms BIGINT NOT NULL
            )",
            "CREATE UNIQUE INDEX repositories_by_name ON repositories (name)",
            "CREATE INDEX repositories_by_project ON repositories (project, name)",
            "CREATE TABLE refs (
                repo_key BIGINT NOT NULL, name {text} NOT NULL, kind {text} NOT NULL, commit_id {text} NOT NULL,
                generation BIGINT NOT NULL, updated_at_ms BIGINT NOT NULL, PRIMARY KEY (repo_key, name)
            ) {clustered}",
            "CREATE TABLE commits (
                repo_key BIGINT NOT NULL, commit_id {text} NOT NULL, root {bytes} NOT NULL, parent {text}, merged {text},
                height BIGINT NOT NULL, author_kind {text} NOT NULL, author {text} NOT NULL, at_ms BIGINT NOT NULL,
                message {text} NOT NULL, metadata {text} NOT NULL, paths BIGINT NOT NULL, size_bytes BIGINT NOT NULL,
                PRIMARY KEY (repo_key, commit_id)
            ) {clustered}",
            "CREATE TABLE nodes (
                hash {bytes} NOT NULL PRIMARY KEY, level BIGINT NOT NULL, size_bytes BIGINT NOT NULL, bytes {bytes} NOT NULL,
                touched_at_ms BIGINT NOT NULL
            )",
            "CREATE TABLE staged (
                repo_key BIGINT NOT NULL, branch {text} NOT NULL, path {text} NOT NULL, generation BIGINT NOT NULL,
                entry {bytes} NOT NULL, object_hash {text}, at_ms BIGINT NOT NULL,
                PRIMARY KEY (repo_key, branch, path, generation)
            ) {clustered}",
            "CREATE INDEX staged_by_object ON staged (object_hash) WHERE object_hash IS NOT NULL",
            "CREATE TABLE data_objects (
                object_hash {text} NOT NULL, repo_key BIGINT NOT NULL, path {text} NOT NULL, PRIMARY KEY (object_hash, repo_key)
            ) {clustered}",
            "CREATE INDEX data_objects_by_repository ON data_objects (repo_key)",
        ],
};

const UPLOADS: Migration = Migration {
    version: 2,
    statements: &[
        "CREATE TABLE uploads (
            upload_id {text} NOT NULL PRIMARY KEY, repo_key BIGINT NOT NULL, branch {text} NOT NULL, path {text} NOT NULL,
            content_type {text} NOT NULL, metadata {text} NOT NULL, created_at_ms BIGINT NOT NULL
        )",
        "CREATE INDEX uploads_by_path ON uploads (repo_key, branch, path)",
        "CREATE TABLE upload_parts (
            upload_id {text} NOT NULL, part_number BIGINT NOT NULL, object_hash {text} NOT NULL, size_bytes BIGINT NOT NULL,
            etag {text} NOT NULL, uploaded_at_ms BIGINT NOT NULL, PRIMARY KEY (upload_id, part_number)
        ) {clustered}",
        "CREATE INDEX upload_parts_by_object ON upload_parts (object_hash)",
    ],
};

const USES: Migration = Migration {
    version: 3,
    statements: &[
        "CREATE TABLE run_reads (
            run_id {text} NOT NULL, repo_key BIGINT NOT NULL, commit_id {text} NOT NULL, at_ms BIGINT NOT NULL,
            PRIMARY KEY (run_id, repo_key, commit_id)
        ) {clustered}",
        "CREATE TABLE run_read_paths (
            run_id {text} NOT NULL, repo_key BIGINT NOT NULL, commit_id {text} NOT NULL, path {text} NOT NULL,
            PRIMARY KEY (run_id, repo_key, commit_id, path)
        ) {clustered}",
        "CREATE TABLE run_pins (
            run_id {text} NOT NULL, repo_key BIGINT NOT NULL, branch {text} NOT NULL, commit_id {text}, first_commit_id {text},
            PRIMARY KEY (run_id, repo_key, branch)
        ) {clustered}",
        "CREATE TABLE run_writes (
            repo_key BIGINT NOT NULL, branch {text} NOT NULL, generation BIGINT NOT NULL, run_id {text} NOT NULL,
            PRIMARY KEY (repo_key, branch, generation, run_id)
        ) {clustered}",
    ],
};

const TAKEN: Migration =
    Migration { version: 4, statements: &["ALTER TABLE refs ADD COLUMN taken_generation BIGINT NOT NULL DEFAULT 0"] };

const CHECKSUMS: Migration = Migration { version: 5, statements: &["ALTER TABLE uploads ADD COLUMN checksum {text}"] };

const IDENTITY: Migration = Migration {
    version: 6,
    statements: &[
        "ALTER TABLE repositories ADD COLUMN last_generation BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE refs ADD COLUMN first_generation BIGINT NOT NULL DEFAULT 1",
        "ALTER TABLE staged ADD COLUMN run_id {text}",
        // Where several runs wrote, nobody knows any more which of them wrote what.
        "UPDATE staged SET run_id = (SELECT w.run_id FROM run_writes w WHERE w.repo_key = staged.repo_key \
           AND w.branch = staged.branch AND w.generation = staged.generation) \
         WHERE (SELECT COUNT(*) FROM run_writes w WHERE w.repo_key = staged.repo_key \
           AND w.branch = staged.branch AND w.generation = staged.generation) = 1",
        "CREATE INDEX staged_by_run ON staged (repo_key, branch, run_id, generation) WHERE run_id IS NOT NULL",
        "DROP TABLE run_writes",
    ],
};

const NAMES: Migration = Migration {
    version: 7,
    statements: &[
        "DROP INDEX repositories_by_name",
        "DROP INDEX repositories_by_project",
        "CREATE UNIQUE INDEX repositories_by_name ON repositories (project, name)",
    ],
};

#[cfg(test)]
mod tests {
    use lathe_db::{FutureExt as _, migrate, query};
    use lathe_testkit::store_test;

    use super::*;

    const BEFORE: Schema = Schema { room: "data", migrations: &[FIRST, UPLOADS, USES, TAKEN, CHECKSUMS] };

    store_test!([BEFORE] async fn what_one_run_staged_before_an_upgrade_is_still_its_own(db: Db) {
        let staged: [(&str, i64); 4] = [("one", 1), ("one", 2), ("several", 1), ("nobody", 1)];
        let written: [(&str, i64, &str); 4] = [("one", 1, "r1"), ("one", 2, "r2"), ("several", 1, "r1"), ("several", 1, "r2")];
        let filling = db.write(move |tx| {
            async move {
                for (branch, generation) in staged {
                    let insert = query(
                        "INSERT INTO staged (repo_key, branch, path, generation, entry, at_ms) VALUES (1, $1, 'a', $2, $3, 0)",
                    );
                    tx.execute(insert.bind(branch).bind(generation).bind(vec![1_u8])).await?;
                }
                for (branch, generation, run_id) in written {
                    let insert =
                        query("INSERT INTO run_writes (repo_key, branch, generation, run_id) VALUES (1, $1, $2, $3)");
                    tx.execute(insert.bind(branch).bind(generation).bind(run_id)).await?;
                }
                Ok(())
            }
            .boxed()
        });
        filling.await.unwrap();
        migrate(&db, &[SCHEMA], 0).await.unwrap();
        let select = "SELECT branch, generation, run_id FROM staged ORDER BY branch DESC, generation";
        let rows = db.fetch_all(query(select)).await.unwrap();
        let found: Vec<(String, i64, Option<String>)> =
            rows.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap())).collect();
        let of = |branch: &str, generation: i64, run_id: Option<&str>| (branch.to_owned(), generation, run_id.map(str::to_owned));
        let expected = [of("several", 1, None), of("one", 1, Some("r1")), of("one", 2, Some("r2")), of("nobody", 1, None)];
        assert_eq!(found, expected);
    });
}
