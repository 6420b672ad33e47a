//! Both databases must have the same tables, columns and indexes.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use lathe_db::{Db, DbOptions, introspect, migrate};

/// Migrates an empty database of each kind and compares them.
pub async fn check(postgres_url: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sqlite =
        Db::open(&format!("sqlite://{}", folder.path().join("schema.db").display()), &DbOptions::default()).await?;
    let schema = format!("schema_{}", uuid::Uuid::now_v7().simple());
    let admin = Db::open(postgres_url, &DbOptions::default()).await?;
    admin.create_postgres_schema(&schema).await?;
    let separator = if postgres_url.contains('?') { '&' } else { '?' };
    let postgres =
        Db::open(&format!("{postgres_url}{separator}options[search_path]={schema}"), &DbOptions::default()).await?;
    for db in [&sqlite, &postgres] {
        migrate(db, lathe::SCHEMAS, 0).await?;
    }
    let (left, right) = (introspect(&sqlite).await?, introspect(&postgres).await?);
    if left != right {
        let tables: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
        let differing = tables.into_iter().filter(|table| left.get(*table) != right.get(*table));
        let lines = differing
            .map(|table| format!("{table}\n  SQLite:     {:?}\n  PostgreSQL: {:?}", left.get(table), right.get(table)));
        bail!("the schemas differ in\n{}", lines.collect::<Vec<_>>().join("\n"));
    }
    println!("schema: {} tables are the same on SQLite and PostgreSQL", left.len());
    Ok(())
}
