//! What a run changed in repositories and among the models, and so will change again.

use lathe_core::{Kind, Name, Result};
use reqwest::Method;
use serde::Deserialize;

use crate::cli::client::Client;

/// How many events the server answers at once, at the most.
const PAGE: usize = 1_000;
/// So many files of those that are not committed are named.
const MAX_NAMED: usize = 5;

/// Where what is written again goes to.
const AS_IT_IS_NOW: &str = "; the branch as it is now is written to";

/// What a run changed in repositories and among the models.
pub(super) struct Changes {
    /// The commits that it wrote and those that it moved a branch to, what it left uncommitted, and the versions that it registered.
    pub(super) again: Vec<String>,
    /// Whether it did something with a commit that it may have named by a branch.
    takes_names: bool,
}

impl Changes {
    pub(super) async fn of(client: &Client, run_id: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Graph {
            edges: Vec<Edge>,
        }
        #[derive(Deserialize)]
        struct Edge {
            kind: String,
            to: String,
        }
        let name = Name::new(client.project(), Kind::Run, run_id);
        let query = [("name", name.as_str()), ("direction", "down"), ("depth", "1")];
        let Graph { edges } = client.answer(client.native(Method::GET, &["lineage"]).query(&query)).await?;
        let written = edges.into_iter().filter(|edge| edge.kind == "wrote");
        let mut again: Vec<String> =
            written.map(|edge| format!("wrote {}{AS_IT_IS_NOW}", without_project(&edge.to))).collect();

        let merges = events(client, run_id, "data.merged").await?;
        // No commit came of these, and so no edge.
        let moves = merges.iter().filter(|merge| merge.detail.fast_forward);
        again.extend(moves.rev().map(|merge| {
            let branch = merge.detail.branch.as_deref().unwrap_or_default();
            format!("moved the branch `{branch}` to {}{AS_IT_IS_NOW}", without_project(&merge.subject))
        }));
        let Uses { writes } = client.get(&["runs", run_id, "uses"]).await?;
        again.extend(writes.iter().filter_map(Write::uncommitted));
        let versions = events(client, run_id, "version.created").await?;
        again.extend(versions.iter().rev().map(|made| {
            format!("registered {}; another version of the model is made", without_project(&made.subject))
        }));
        let mut takes_names = !merges.is_empty();
        for action in ["data.reverted", "data.branch_created", "data.tagged"] {
            takes_names = takes_names || !page(client, run_id, action, 1, None).await?.events.is_empty();
        }
        Ok(Self { again, takes_names })
    }

    /// What nothing keeps: only what a run reads stays what it was.
    pub(super) fn missing(&self) -> Option<String> {
        self.takes_names.then(|| {
            "what the command merges, reverts, branches from or tags by a name that it has not read: that is taken as it is now"
                .to_owned()
        })
    }
}

/// What a run used of repositories: here, where it wrote to.
#[derive(Deserialize)]
struct Uses {
    writes: Vec<Write>,
}

#[derive(Deserialize)]
struct Write {
    repository: String,
    branch: String,
    staged: Vec<String>,
}

impl Write {
    /// What no commit has taken; nothing when all of it was.
    fn uncommitted(&self) -> Option<String> {
        let Self { repository, branch, staged } = self;
        let mut named: Vec<&str> = staged.iter().take(MAX_NAMED).map(String::as_str).collect();
        if named.is_empty() {
            return None;
        }
        if staged.len() > named.len() {
            named.push("…");
        }
        Some(format!("wrote {} on {repository}@{branch} and did not commit it{AS_IT_IS_NOW}", named.join(", ")))
    }
}

/// Something that a run did.
#[derive(Deserialize)]
struct Happened {
    subject: String,
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    branch: Option<String>,
    #[serde(default)]
    fast_forward: bool,
}

/// Events, newest first.
#[derive(Deserialize)]
struct Page {
    events: Vec<Happened>,
    next_page_token: Option<String>,
}

/// The events of a run with this action.
async fn events(client: &Client, run_id: &str, action: &str) -> Result<Vec<Happened>> {
    let Page { mut events, mut next_page_token } = page(client, run_id, action, PAGE, None).await?;
    while let Some(token) = next_page_token {
        let next = page(client, run_id, action, PAGE, Some(&token)).await?;
        events.extend(next.events);
        next_page_token = next.next_page_token;
    }
    Ok(events)
}

async fn page(client: &Client, run_id: &str, action: &str, count: usize, token: Option<&str>) -> Result<Page> {
    let request = client.native(Method::GET, &["activity"]).query(&[("actor", run_id), ("action", action)]);
    let request = request.query(&[("max_results", count)]);
    client.answer(request.query(token.map(|token| ("page_token", token)).as_slice())).await
}

/// A canonical name as it is shown within its project.
fn without_project(name: &str) -> &str {
    name.split_once('/').map_or("", |(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_committed_is_named_in_part() {
        let write = |staged: &[&str]| Write {
            repository: "churn".to_owned(),
            branch: "main".to_owned(),
            staged: staged.iter().map(|path| (*path).to_owned()).collect(),
        };
        assert_eq!(write(&[]).uncommitted(), None);
        let one = write(&["pred/p.csv"]).uncommitted().unwrap();
        assert!(one.starts_with("wrote pred/p.csv on churn@main and did not commit it"), "{one}");
        let many = write(&["1", "2", "3", "4", "5", "6"]).uncommitted().unwrap();
        assert!(many.starts_with("wrote 1, 2, 3, 4, 5, … on churn@main"), "{many}");
    }
}
