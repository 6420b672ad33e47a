//! Code of jobs: a git commit and what differed from it, laid out once for each state.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures::StreamExt as _;
use lathe_core::{Code, Error, Project, Result};
use lathe_workflows::code::get_code;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::Work;
use crate::caches;

/// The folder with a state of the code, and the folder in it where the pipeline's file is.
pub(super) async fn prepare(work: &Work, project: &Project, code_id: &str) -> Result<(PathBuf, String)> {
    let code = get_code(&work.ctx(project), &work.rooms.workflows, code_id).await?;
    let root = work.folder.join("code");
    let place = root.join(code_id);
    if place.is_dir() {
        caches::mark(&place);
        return Ok((place, code.folder));
    }
    tokio::fs::create_dir_all(&root).await.map_err(|error| unusable(&error))?;
    // Laid out aside and moved into its place whole: two attempts at once make it twice, and one of them is kept.
    let aside = tempfile::tempdir_in(&root).map_err(|error| unusable(&error))?;
    let (bundle, tree) = (aside.path().join("bundle"), aside.path().join("tree"));
    fetch(work, &code.bundle, &bundle).await?;
    let shown = |path: &Path| path.display().to_string();
    git(aside.path(), &["clone", "--quiet", "--no-checkout", &shown(&bundle), &shown(&tree)]).await?;
    git(&tree, &["checkout", "--quiet", "--detach", &code.commit]).await?;
    if !code.diff.is_empty() {
        let diff = aside.path().join("diff");
        tokio::fs::write(&diff, &code.diff).await.map_err(|error| unusable(&error))?;
        git(&tree, &["apply", "--whitespace=nowarn", &shown(&diff)]).await?;
    }
    // What the code is, whatever commits led to it: the commit's tree, and what differed from it.
    let tree_id = git(&tree, &["rev-parse", "HEAD^{tree}"]).await?;
    let tree_id = format!("{} {}", tree_id.trim(), blake3::hash(code.diff.as_bytes()).to_hex());
    tokio::fs::write(tree_file(&place), tree_id).await.map_err(|error| unusable(&error))?;
    tokio::fs::remove_dir_all(tree.join(".git")).await.map_err(|error| unusable(&error))?;
    match tokio::fs::rename(&tree, &place).await {
        Ok(()) => {}
        Err(_) if place.is_dir() => {}
        Err(error) => return Err(unusable(&error)),
    }
    Ok((place, code.folder))
}

/// What the code in a folder is, for the cache; the folder in it from which a command starts is part of that.
pub(super) fn tree_of(place: &Path, folder: &str) -> Result<String> {
    let tree = std::fs::read_to_string(tree_file(place)).map_err(|error| unusable(&error))?;
    Ok(format!("{} {folder}", tree.trim()))
}

fn tree_file(place: &Path) -> PathBuf {
    place.with_extension("tree")
}

async fn fetch(work: &Work, hash: &lathe_objects::ObjectHash, file: &Path) -> Result<()> {
    let mut read = work.rooms.objects.get(hash, None).await?;
    let mut file = tokio::fs::File::create(file).await.map_err(|error| unusable(&error))?;
    while let Some(chunk) = read.stream.next().await {
        file.write_all(&chunk?).await.map_err(|error| unusable(&error))?;
    }
    file.flush().await.map_err(|error| unusable(&error))
}

/// Runs git on what a client sent: no settings of this machine, no questions, no hooks.
async fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command.args(["-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never", "-c", "protocol.file.allow=always"]);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
    let done = command.output().await.map_err(|error| {
        Error::new(Code::Unavailable, format!("git cannot be started: {error}"))
            .with_hint("install git where the server runs")
    })?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let what = arguments.first().copied().unwrap_or_default();
    Err(Error::invalid(format!("the pushed code cannot be laid out: git {what}: {}", said.trim())))
}

fn unusable(error: &std::io::Error) -> Error {
    Error::new(Code::Unavailable, format!("the folder for code cannot be used: {error}"))
}
