//! The table `members`.

use lathe_core::{Project, Result, Role};
use lathe_db::{Db, Tx, query};

use super::role_from_sql;
use crate::members::Member;

pub(crate) async fn find(tx: &mut Tx, project: &Project, username: &str) -> Result<Option<Role>> {
    let found = query("SELECT role FROM members WHERE project = $1 AND username = $2");
    let row = tx.fetch_optional(found.bind(project.as_str()).bind(username)).await?;
    role_from_sql(row.map(|row| row.get(0)).transpose()?)
}

pub(crate) async fn list(db: &Db, project: &Project) -> Result<Vec<Member>> {
    let all = query("SELECT username, role FROM members WHERE project = $1 ORDER BY username").bind(project.as_str());
    let mut members = Vec::new();
    for row in db.fetch_all(all).await? {
        if let Some(role) = role_from_sql(row.get(1)?)? {
            members.push(Member { username: row.get(0)?, role });
        }
    }
    Ok(members)
}

pub(crate) async fn set(tx: &mut Tx, project: &Project, username: &str, role: Role) -> Result<()> {
    let set = query(
        "INSERT INTO members (username, project, role) VALUES ($1, $2, $3) \
         ON CONFLICT (username, project) DO UPDATE SET role = excluded.role",
    );
    tx.execute(set.bind(username).bind(project.as_str()).bind(role.as_str())).await.map(|_| ())
}

/// Answers whether the user was a member.
pub(crate) async fn delete(tx: &mut Tx, project: &Project, username: &str) -> Result<bool> {
    let delete = query("DELETE FROM members WHERE project = $1 AND username = $2");
    Ok(tx.execute(delete.bind(project.as_str()).bind(username)).await? == 1)
}

pub(crate) async fn delete_of_user(tx: &mut Tx, username: &str) -> Result<()> {
    tx.execute(query("DELETE FROM members WHERE username = $1").bind(username)).await.map(|_| ())
}
