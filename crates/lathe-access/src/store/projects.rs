//! The table `projects`.

use lathe_core::{Project, Result, Role};
use lathe_db::{Db, Row, Tx, query};

use super::role_from_sql;
use crate::projects::ProjectInfo;

pub(crate) async fn exists(db: &Db, project: &Project) -> Result<bool> {
    let found = query("SELECT name FROM projects WHERE name = $1").bind(project.as_str());
    Ok(db.fetch_optional(found).await?.is_some())
}

/// Answers whether the name was free.
pub(crate) async fn insert(tx: &mut Tx, project: &Project, description: &str, created_at_ms: i64) -> Result<bool> {
    let insert = query(
        "INSERT INTO projects (name, description, created_at_ms) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
    );
    Ok(tx.execute(insert.bind(project.as_str()).bind(description).bind(created_at_ms)).await? == 1)
}

/// All projects, for those who administer them all.
pub(crate) async fn list_all(db: &Db) -> Result<Vec<ProjectInfo>> {
    let all = query("SELECT name, description, created_at_ms FROM projects ORDER BY name");
    db.fetch_all(all).await?.iter().map(|row| info(row, Some(Role::Admin))).collect()
}

/// The projects that a user has a role in.
pub(crate) async fn list_of_user(db: &Db, username: &str) -> Result<Vec<ProjectInfo>> {
    let own = query(
        "SELECT p.name, p.description, p.created_at_ms, m.role FROM members m JOIN projects p ON p.name = m.project \
         WHERE m.username = $1 ORDER BY p.name",
    );
    let rows = db.fetch_all(own.bind(username)).await?;
    rows.iter().map(|row| info(row, role_from_sql(row.get(3)?)?)).collect()
}

/// One project, as somebody with this role sees it.
pub(crate) async fn find(db: &Db, project: &Project, role: Role) -> Result<Vec<ProjectInfo>> {
    let one = query("SELECT name, description, created_at_ms FROM projects WHERE name = $1").bind(project.as_str());
    db.fetch_all(one).await?.iter().map(|row| info(row, Some(role))).collect()
}

fn info(row: &Row, role: Option<Role>) -> Result<ProjectInfo> {
    Ok(ProjectInfo {
        project: Project::from_trusted(row.get(0)?),
        description: row.get(1)?,
        created_at_ms: row.get(2)?,
        role,
    })
}
