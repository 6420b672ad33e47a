//! The code of a run as it was.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use lathe_core::{Code, Error, Result};
use tokio::process::Command;

/// The code as it was, in a temporary folder that git knows as a worktree of the repository.
pub(super) struct Checkout<'a> {
    pub(super) repository: Option<&'a Path>,
    pub(super) scratch: &'a Path,
}

impl Checkout<'_> {
    fn folder(&self) -> PathBuf {
        self.scratch.join("code")
    }

    /// The commit, and on it what was not committed.
    pub(super) async fn make(&self, commit: &str, diff: &[u8]) -> Result<PathBuf> {
        let code = self.folder();
        let Some(repository) = self.repository else { return Ok(code) };
        let shown = code.display().to_string();
        git(repository, &["worktree", "add", "--quiet", "--detach", &shown, commit]).await?;
        if diff.is_empty() {
            return Ok(code);
        }
        let patch = self.scratch.join("code.diff");
        std::fs::write(&patch, diff)
            .map_err(|error| Error::new(Code::OutOfSpace, format!("{} cannot be written: {error}", patch.display())))?;
        git(&code, &["apply", "--whitespace=nowarn", &patch.display().to_string()]).await?;
        Ok(code)
    }

    pub(super) async fn remove(&self) -> Result<()> {
        match self.repository {
            Some(repository) => {
                git(repository, &["worktree", "remove", "--force", &self.folder().display().to_string()]).await
            }
            None => Ok(()),
        }
    }
}

pub(super) async fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let done =
        command.output().await.map_err(|error| Error::new(Code::Unavailable, format!("git cannot be run: {error}")))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(Error::conflict(format!("git {}: {}", arguments.join(" "), said.trim())))
}
