//! `lathe commit`, `lathe log`, `lathe diff`, `lathe merge`, `lathe revert`

use clap::{Args, ValueEnum};
use lathe_core::{Code, Error, Result};
use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::address::Address;
use super::remote::{Object, Remote};
use crate::cli::client::Client;
use crate::cli::output::{Cell, Output, Table};
use crate::cli::text;

/// What is committed.
#[derive(Debug, Args)]
pub struct CommitArgs {
    /// REPO[@BRANCH]
    #[arg(value_name = "BRANCH")]
    branch: Address,
    /// Why
    #[arg(short, long, value_name = "TEXT")]
    message: String,
}

/// Whose history.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// REPO[@REF]
    #[arg(value_name = "PLACE")]
    place: Address,
    /// How many commits
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000), value_name = "COUNT")]
    limit: u64,
}

/// What is compared.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// REPO[@REF][/PATH]: the new state, or a branch whose uncommitted changes are shown
    #[arg(value_name = "PLACE")]
    place: Address,
    /// The old state, a ref of the same repository; without it, PLACE is a branch and what is not committed there is shown
    #[arg(long, value_name = "REF")]
    from: Option<String>,
}

/// What is merged into what.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// REPO@REF: what is merged
    #[arg(value_name = "SOURCE")]
    source: Address,
    /// The branch it is merged into [default: the repository's default branch]
    #[arg(long, value_name = "BRANCH")]
    into: Option<String>,
    /// Why [default: a message that says what was merged]
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Which side wins where both changed a path; without it, such paths are conflicts
    #[arg(long, value_enum, value_name = "SIDE")]
    prefer: Option<Side>,
}

/// What is taken back.
#[derive(Debug, Args)]
pub struct RevertArgs {
    /// REPO@BRANCH
    #[arg(value_name = "BRANCH")]
    branch: Address,
    /// The commit whose changes are taken back: a ref
    #[arg(value_name = "COMMIT")]
    commit: String,
    /// Why [default: a message that says what was taken back]
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    /// What is merged
    Source,
    /// What it is merged into
    Dest,
}

#[derive(Debug, Deserialize)]
struct Commit {
    id: String,
    author: String,
    at_ms: i64,
    message: String,
    paths: u64,
    size_bytes: u64,
}

#[derive(Debug, Deserialize)]
struct History {
    commits: Vec<Commit>,
}

#[derive(Debug, Deserialize)]
struct ChangePage {
    changes: Vec<Change>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Change {
    path: String,
    kind: String,
    before: Option<Object>,
    after: Option<Object>,
}

/// How a merge ended, or the conflicts that kept it from happening.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Merged {
    Made {
        outcome: String,
        commit: Commit,
    },
    /// The list may be cut; the count is not.
    Conflicts {
        count: usize,
        conflicts: Vec<Conflict>,
    },
}

#[derive(Debug, Deserialize)]
struct Conflict {
    path: String,
    source: Option<Object>,
    dest: Option<Object>,
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Runs `lathe commit`.
///
/// # Errors
/// `Conflict` when nothing changed, and as [`Client::answer`].
pub async fn commit(CommitArgs { branch, message }: CommitArgs, client: &Client, output: &Output) -> Result<()> {
    let remote = Remote::open(client, &branch).await?;
    let request = remote.request(Method::POST, &["branches", &remote.revision, "commits"]);
    let made: Commit = remote.answer(request.json(&json!({ "message": message }))).await?;
    output.print(&made.id)?;
    let files = text::count(usize::try_from(made.paths).unwrap_or(usize::MAX), "file");
    output.note(&format!("{} of {} holds {files} now", remote.revision, remote.repository));
    Ok(())
}

/// Runs `lathe log`.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn log(LogArgs { place, limit }: LogArgs, client: &Client, output: &Output) -> Result<()> {
    let remote = Remote::open(client, &place).await?;
    let request = remote.request(Method::GET, &["refs", &remote.revision, "log"]).query(&[("max_results", limit)]);
    let History { commits } = remote.answer(request).await?;
    let mut table = Table::new([
        ("id", "COMMIT"),
        ("at_ms", "MADE"),
        ("author", "AUTHOR"),
        ("paths", "FILES"),
        ("size_bytes", "SIZE"),
        ("message", "MESSAGE"),
    ]);
    for Commit { id, author, at_ms, message, paths, size_bytes } in commits {
        let id = if output.is_for_people() { short(&id).to_owned() } else { id };
        table.push(vec![
            Cell::Text(id),
            Cell::Time(at_ms),
            Cell::Text(author),
            Cell::Integer(i64::try_from(paths).unwrap_or(i64::MAX)),
            Cell::Bytes(size_bytes),
            Cell::Text(message),
        ]);
    }
    output.print_list(&table, "commits")
}

/// Runs `lathe diff`.
///
/// # Errors
/// `NotFound`, and as [`Client::answer`].
pub async fn diff(DiffArgs { place, from }: DiffArgs, client: &Client, output: &Output) -> Result<()> {
    let remote = Remote::open(client, &place).await?;
    let mut table =
        Table::new([("kind", "CHANGE"), ("path", "PATH"), ("before_bytes", "BEFORE"), ("after_bytes", "AFTER")]);
    let mut token: Option<String> = None;
    loop {
        let mut query = vec![("prefix", place.path.clone())];
        query.extend(token.take().map(|token| ("page_token", token)));
        let request = match &from {
            None => remote.request(Method::GET, &["branches", &remote.revision, "changes"]),
            Some(from) => {
                query.extend([("from", from.clone()), ("to", remote.revision.clone())]);
                remote.request(Method::GET, &["diff"])
            }
        };
        let page: ChangePage = match remote.answer(request.query(&query)).await {
            Ok(page) => page,
            Err(error) if from.is_none() && is_tag_or_commit(&remote).await => {
                return Err(error.with_hint(format!(
                    "without --from, a branch's uncommitted changes are shown; compare: lathe diff {place} --from REF"
                )));
            }
            Err(error) => return Err(error),
        };
        for Change { path, kind, before, after } in page.changes {
            let size =
                |object: Option<Object>| object.map_or(Cell::text(None), |object| Cell::Bytes(object.size_bytes));
            table.push(vec![Cell::Text(kind), Cell::Text(path), size(before), size(after)]);
        }
        match page.next_page_token {
            Some(next) => token = Some(next),
            None => return output.print_list(&table, "changes"),
        }
    }
}

/// Whether a ref is a tag or a commit: there, and no branch.
async fn is_tag_or_commit(remote: &Remote<'_>) -> bool {
    let as_branch = remote.request(Method::GET, &["branches", &remote.revision, "changes"]);
    let as_branch = remote.answer::<IgnoredAny>(as_branch.query(&[("max_results", 1)])).await;
    let as_ref = remote.request(Method::GET, &["refs", &remote.revision]);
    as_branch.is_err_and(|error| error.code() == Code::InvalidArgument)
        && remote.answer::<IgnoredAny>(as_ref).await.is_ok()
}

/// Runs `lathe merge`.
///
/// # Errors
/// `Conflict` for conflicts, which are printed, and as [`Client::answer`].
pub async fn merge(arguments: MergeArgs, client: &Client, output: &Output) -> Result<()> {
    let MergeArgs { source, into, message, prefer } = arguments;
    let from = Remote::open(client, &source).await?;
    let dest = Remote::open(client, &Address { revision: into, ..source }).await?;
    let strategy = prefer.map(|side| if side == Side::Source { "source" } else { "dest" });
    let body = json!({ "source": from.revision, "message": message, "strategy": strategy });
    let request = dest.request(Method::POST, &["branches", &dest.revision, "merge"]).json(&body);
    settle(client.answer_also(request, Code::Conflict).await?, "merge", output)
}

/// Runs `lathe revert`.
///
/// # Errors
/// As [`merge`].
pub async fn revert(arguments: RevertArgs, client: &Client, output: &Output) -> Result<()> {
    let RevertArgs { branch, commit, message } = arguments;
    let remote = Remote::open(client, &branch).await?;
    let body = json!({ "commit": commit, "message": message });
    let request = remote.request(Method::POST, &["branches", &remote.revision, "revert"]).json(&body);
    settle(client.answer_also(request, Code::Conflict).await?, "revert", output)
}

fn past(word: &str) -> &'static str {
    if word == "merge" { "merged" } else { "reverted" }
}

fn settle(answer: Value, word: &str, output: &Output) -> Result<()> {
    let read = |error| Error::internal(format!("the server's answer to a {word} cannot be read")).with_source(error);
    match serde_json::from_value(answer).map_err(read)? {
        Merged::Made { outcome, commit } => {
            output.print(&commit.id)?;
            // A revert that changed something is no merge to whoever asked for it.
            let done =
                if word == "revert" && outcome == "merged" { "reverted".to_owned() } else { outcome.replace('_', " ") };
            output.note(&format!("{done}: {}", commit.message.lines().next().unwrap_or_default()));
            Ok(())
        }
        Merged::Conflicts { count, conflicts } => {
            let count = text::count(count, "file");
            let mut table = Table::new([("path", "CONFLICT"), ("source", "SOURCE"), ("dest", "DEST")]);
            for Conflict { path, source, dest } in conflicts {
                let side = |object: Option<Object>| {
                    Cell::Text(object.map_or_else(|| "removed".to_owned(), |object| short(&object.hash).to_owned()))
                };
                table.push(vec![Cell::Text(path), side(source), side(dest)]);
            }
            output.print_table(&table)?;
            let error = Error::conflict(format!("both sides changed {count}; nothing was {}", past(word)));
            Err(match word {
                "merge" => error.with_hint("say which side wins: --prefer source or --prefer dest"),
                _ => error.with_hint("what came after changed the same files; change them in a commit of their own"),
            })
        }
    }
}
