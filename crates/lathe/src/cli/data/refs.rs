//! `lathe repo …`, `lathe branch …`, `lathe tag …`

use clap::{Args, Subcommand};
use lathe_core::Result;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::address::Address;
use crate::cli::client::Client;
use crate::cli::output::{Cell, Output, Table};

/// Repositories of files
#[derive(Debug, Args)]
pub struct RepoArgs {
    #[command(subcommand)]
    command: RepoCommand,
}

#[derive(Debug, Subcommand)]
enum RepoCommand {
    /// List the project's repositories
    List,
    /// Make a repository with the branch main
    Create {
        /// 3 to 63 of a-z, 0-9 and -; unique in its project
        #[arg(value_name = "NAME")]
        name: String,
        /// What it is for
        #[arg(short, long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Delete a repository with all its history
    Delete {
        /// The repository
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// Branches or tags of a repository
#[derive(Debug, Args)]
pub struct RefArgs {
    #[command(subcommand)]
    command: RefCommand,
}

#[derive(Debug, Subcommand)]
enum RefCommand {
    /// List them, by name
    List {
        /// The repository
        #[arg(value_name = "REPO")]
        repository: String,
    },
    /// Make one; nothing is copied
    Create {
        /// The repository and where it begins: REPO[@REF]
        #[arg(value_name = "REPO[@REF]")]
        from: Address,
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Delete one; commits stay
    Delete {
        /// The repository
        #[arg(value_name = "REPO")]
        repository: String,
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Debug, Deserialize)]
struct RepositoryList {
    repositories: Vec<Repository>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Repository {
    name: String,
    layout: String,
    default_branch: String,
    description: String,
    created_at_ms: i64,
}

#[derive(Debug, Deserialize)]
struct RefList {
    refs: Vec<Ref>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Ref {
    name: String,
    commit_id: String,
    updated_at_ms: i64,
}

/// Runs `lathe repo …`.
///
/// # Errors
/// As [`Client::answer`].
pub async fn run_repo(RepoArgs { command }: RepoArgs, client: &Client, output: &Output) -> Result<()> {
    match command {
        RepoCommand::List => list_repositories(client, output).await,
        RepoCommand::Create { name, description } => {
            let body = json!({ "name": name, "description": description });
            client.answer::<Value>(client.native(Method::POST, &["repos"]).json(&body)).await?;
            output.note(&format!("made the repository {name}; put files into it: lathe cp FOLDER data://{name}/"));
            Ok(())
        }
        RepoCommand::Delete { name } => {
            output.confirm(&format!("Delete the repository {name} with all its branches, tags and commits?"))?;
            client.answer::<Value>(client.native(Method::DELETE, &["repos", &name])).await?;
            output.note(&format!("deleted the repository {name}"));
            Ok(())
        }
    }
}

async fn list_repositories(client: &Client, output: &Output) -> Result<()> {
    let mut table = Table::new([
        ("name", "NAME"),
        ("default_branch", "DEFAULT BRANCH"),
        ("layout", "S3 LAYOUT"),
        ("created_at_ms", "CREATED"),
        ("description", "DESCRIPTION"),
    ]);
    let mut token: Option<String> = None;
    loop {
        let request = client.native(Method::GET, &["repos"]).query(&[("page_token", token.unwrap_or_default())]);
        let page: RepositoryList = client.answer(request).await?;
        for Repository { name, layout, default_branch, description, created_at_ms } in page.repositories {
            let row = [Cell::Text(name), Cell::Text(default_branch), Cell::Text(layout), Cell::Time(created_at_ms)];
            table.push(row.into_iter().chain([Cell::Text(description)]).collect());
        }
        token = page.next_page_token;
        if token.is_none() {
            return output.print_list(&table, "repositories");
        }
    }
}

/// Runs `lathe branch …` (`kind` is `branches`) and `lathe tag …` (`tags`).
///
/// # Errors
/// As [`Client::answer`].
pub async fn run_refs(
    RefArgs { command }: RefArgs,
    kind: &'static str,
    client: &Client,
    output: &Output,
) -> Result<()> {
    let word = if kind == "tags" { "tag" } else { "branch" };
    match command {
        RefCommand::List { repository } => {
            let mut table = Table::new([("name", "NAME"), ("commit_id", "COMMIT"), ("updated_at_ms", "MOVED")]);
            let mut token: Option<String> = None;
            loop {
                let request = client.native(Method::GET, &["repos", &repository, kind]);
                let page: RefList = client.answer(request.query(&[("page_token", token.unwrap_or_default())])).await?;
                for Ref { name, commit_id, updated_at_ms } in page.refs {
                    table.push(vec![Cell::Text(name), Cell::Id(commit_id), Cell::Time(updated_at_ms)]);
                }
                token = page.next_page_token;
                if token.is_none() {
                    return output.print_list(&table, kind);
                }
            }
        }
        RefCommand::Create { from, name } => {
            let remote = super::remote::Remote::open(client, &from).await?;
            let body = json!({ "name": name, "from": remote.revision });
            let made: Ref = remote.answer(remote.request(Method::POST, &[kind]).json(&body)).await?;
            output.note(&format!("made the {word} {name} of {} at {}", remote.repository, made.commit_id));
            Ok(())
        }
        RefCommand::Delete { repository, name } => {
            let question = match word {
                "tag" => format!("Delete the tag {name} of {repository}?"),
                _ => format!("Delete the branch {name} of {repository} and its uncommitted changes?"),
            };
            output.confirm(&question)?;
            client.answer::<Value>(client.native(Method::DELETE, &["repos", &repository, kind, &name])).await?;
            output.note(&format!("deleted the {word} {name}"));
            Ok(())
        }
    }
}
