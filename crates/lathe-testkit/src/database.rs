//! A database per test: a file in a temp folder, or a schema of its own in the test PostgreSQL.

use lathe_core::{Actor, Clock, Ctx, Grant, Project};
use lathe_db::{Db, DbOptions, Schema, ledger, migrate};
use tempfile::TempDir;

/// A migrated database that lives as long as this value.
#[derive(Debug)]
pub struct TestDatabase {
    /// The open database.
    pub db: Db,
    /// The URL a server process can open it by.
    pub url: String,
    _folder: TempDir,
}

impl TestDatabase {
    /// A SQLite file, with the ledger's schema and these.
    pub async fn sqlite(schemas: &[Schema]) -> Self {
        let folder = tempfile::tempdir().expect("a temp folder");
        let url = sqlite_url(&folder);
        Self::open(url, folder, schemas).await
    }

    /// A fresh PostgreSQL schema, with the ledger's tables and these.
    pub async fn postgres(schemas: &[Schema]) -> Self {
        let folder = tempfile::tempdir().expect("a temp folder");
        let url = postgres_url().await;
        Self::open(url, folder, schemas).await
    }

    /// Empty databases of both kinds, without any table; the file lives as long as the folder.
    pub async fn empty(folder: &TempDir) -> [Db; 2] {
        [open(&sqlite_url(folder)).await, open(&postgres_url().await).await]
    }

    async fn open(url: String, folder: TempDir, schemas: &[Schema]) -> Self {
        let db = open(&url).await;
        let mut all = vec![ledger::SCHEMA];
        all.extend_from_slice(schemas);
        migrate(&db, &all, 0).await.expect("the schemas migrate");
        Self { db, url, _folder: folder }
    }
}

async fn open(url: &str) -> Db {
    let options = DbOptions { max_connections: 3, ..DbOptions::default() };
    Db::open(url, &options).await.expect("the test database opens")
}

pub(crate) fn sqlite_url(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("lathe.db").display())
}

/// Makes a schema in the PostgreSQL named by `LATHE_TEST_POSTGRES_URL`; answers a URL that leads into it.
///
/// Tests never skip: without the server this panics and says how to start one.
pub(crate) async fn postgres_url() -> String {
    let base = std::env::var("LATHE_TEST_POSTGRES_URL").expect(
        "LATHE_TEST_POSTGRES_URL names no server; run `make test`, or export it from `scripts/postgres.sh start`",
    );
    let schema = format!("test_{}", uuid::Uuid::now_v7().simple());
    let admin =
        Db::open(&base, &DbOptions { max_connections: 2, ..DbOptions::default() }).await.expect("PostgreSQL answers");
    admin.create_postgres_schema(&schema).await.expect("a schema can be made");
    admin.close().await;
    let separator = if base.contains('?') { '&' } else { '?' };
    format!("{base}{separator}options[search_path]={schema}")
}

/// The context of an administrator in the default project, with a clock that stands.
pub fn ctx() -> Ctx {
    Ctx {
        actor: Actor::user("tester"),
        project: Project::default_project(),
        grant: Grant::ALL,
        request_id: "test".to_owned(),
        clock: Clock::fixed(1_700_000_000_000),
        once: None,
    }
}
