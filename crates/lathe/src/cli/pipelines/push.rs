//! `lathe pipeline push`: a file and the code that its jobs run.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::Args;
use lathe_core::{Code, Error, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio_util::io::ReaderStream;

use super::super::client::Client;
use super::super::output::Output;
use super::super::runs::capture::{self, Code as Captured};
use super::super::runs::start::Place;
use super::super::text;

/// The file that is meant when none is named.
pub const DEFAULT_FILE: &str = "lathe.yaml";
/// How many files that are left out are named.
const NAMED: usize = 3;

/// Which file.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The pipeline's file
    #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
    file: PathBuf,
}

/// A pipeline as it was stored.
#[derive(Debug, Deserialize)]
pub struct Pushed {
    /// Its name.
    pub name: String,
    code_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct BundleState {
    is_pushed: bool,
}

/// Runs `lathe pipeline push`.
///
/// # Errors
/// `NotFound` for the file, `InvalidArgument` for what lint would say, and as [`Client::answer`].
pub async fn run(PushArgs { file }: PushArgs, client: &Client, output: &Output) -> Result<()> {
    let pushed = push(&file, client, output).await?;
    output.print(&pushed.name)
}

/// Stores a pipeline's file, with the commit that is checked out where it lies, and what differs from it.
///
/// # Errors
/// As [`run`].
pub async fn push(file: &Path, client: &Client, output: &Output) -> Result<Pushed> {
    let text = tokio::fs::read_to_string(file).await.map_err(|error| {
        Error::not_found(format!("{} cannot be read: {error}", file.display())).with_hint("lathe pipeline push FILE")
    })?;
    let name = file.display().to_string();
    match lathe_workflows::file::read(&text) {
        Ok(pipeline) => {
            for warning in lathe_workflows::file::warnings(&pipeline) {
                warning.render_warning(&name, &text).lines().for_each(|line| output.note(line));
            }
        }
        Err(mistakes) => {
            let shown: String = mistakes.iter().map(|one| one.render(&name, &text)).collect();
            return Err(Error::invalid(format!("the file is not valid:\n{}", shown.trim_end())));
        }
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let place = Place { folder: Some(folder.to_owned()), ..Place::default() };
    let captured = capture::code(&place).await;
    let code = match captured.commit.clone() {
        Some(commit) => Some(push_code(folder, commit, captured, client, output).await?),
        None => {
            output.note(&format!(
                "the folder of {name} is in no git repository with a commit: jobs start in an empty folder, and runs have no code"
            ));
            None
        }
    };
    let request = client.native(Method::POST, &["pipelines"]).json(&json!({ "file": text, "code": code }));
    let pushed: Pushed = client.answer(request).await?;
    let with = if pushed.code_id.is_some() { " with its code" } else { "" };
    output.note(&format!("pushed the pipeline {}{with}", pushed.name));
    Ok(pushed)
}

async fn push_code(
    folder: &Path,
    commit: String,
    captured: Captured,
    client: &Client,
    output: &Output,
) -> Result<Value> {
    if !captured.untracked.is_empty() {
        let more = if captured.untracked.len() > NAMED { ", …" } else { "" };
        output.note(&format!(
            "left out: {} that git does not know (git add them): {}{more}",
            text::count(captured.untracked.len(), "file"),
            captured.untracked.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ")
        ));
    }
    let diff = captured.diff.ok_or_else(|| {
        Error::new(Code::Unavailable, "git did not say what differs from the commit")
            .with_hint("commit it: git commit -a")
    })?;
    let diff =
        String::from_utf8(diff).map_err(|_| Error::invalid("what differs from the commit is not UTF-8; commit it"))?;
    let repository = captured.name.unwrap_or_else(|| "code".to_owned());
    let query = [("repository", repository.as_str()), ("commit", commit.as_str())];
    let state: BundleState = client.answer(client.native(Method::GET, &["code-bundles"]).query(&query)).await?;
    if !state.is_pushed {
        let bundle = bundle(folder).await?;
        let file = tokio::fs::File::open(bundle.path()).await.map_err(|error| unusable(&error))?;
        let length = file.metadata().await.map_err(|error| unusable(&error))?.len();
        let request = client.native(Method::POST, &["code-bundles"]).query(&query).header("content-length", length);
        client.answer::<Value>(request.body(reqwest::Body::wrap_stream(ReaderStream::new(file)))).await?;
    }
    let below = captured.folder.unwrap_or_default();
    Ok(json!({ "repository": repository, "commit": commit, "folder": below.trim_end_matches('/'), "diff": diff }))
}

async fn bundle(folder: &Path) -> Result<tempfile::NamedTempFile> {
    let file = tempfile::NamedTempFile::with_prefix("lathe-bundle-").map_err(|error| unusable(&error))?;
    git(folder, &["bundle", "create", "--quiet", &file.path().display().to_string(), "HEAD"]).await?;
    Ok(file)
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let done = command.output().await.map_err(|error| unusable(&error))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(Error::new(Code::Unavailable, format!("git {}: {said}", arguments.first().copied().unwrap_or_default())))
}

fn unusable(error: &std::io::Error) -> Error {
    Error::new(Code::Unavailable, format!("the code cannot be bundled: {error}"))
}
