//! Git bundles: whether one holds the commit that it is said to.

use std::path::Path;
use std::process::Stdio;

use futures::StreamExt as _;
use lathe_core::{Code, Error, Result};
use lathe_objects::{ObjectHash, Objects};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Checks a bundle by making a repository of it, below `root`.
///
/// # Errors
/// `InvalidArgument` when it cannot be read, needs commits that it does not hold, or lacks the commit; `OutOfSpace`; `Unavailable`.
pub(crate) async fn check(objects: &Objects, bundle: &ObjectHash, commit: &str, root: &Path) -> Result<()> {
    tokio::fs::create_dir_all(root).await.map_err(|error| unusable(&error))?;
    let folder = tempfile::tempdir_in(root).map_err(|error| unusable(&error))?;
    let (file, repository) = (folder.path().join("bundle"), folder.path().join("repository"));
    fetch(objects, bundle, &file).await?;
    let refused = |error: Error| match error.code() {
        Code::InvalidArgument => Error::invalid(
            "the git bundle cannot be used: it is none, it is cut off, or it needs commits that it does not hold",
        )
        .with_hint("git bundle create FILE HEAD"),
        _ => error,
    };
    let shown = |path: &Path| path.display().to_string();
    git(folder.path(), &["clone", "--quiet", "--bare", &shown(&file), &shown(&repository)]).await.map_err(refused)?;
    match git(&repository, &["cat-file", "-e", &format!("{commit}^{{tree}}")]).await {
        Err(error) if error.code() == Code::InvalidArgument => {
            Err(Error::invalid(format!("the git bundle does not hold commit {commit}"))
                .with_hint("git bundle create FILE HEAD"))
        }
        found => found.map(|_| ()),
    }
}

/// Writes a bundle to a file.
///
/// # Errors
/// `Unavailable` when it cannot be read or written.
pub async fn fetch(objects: &Objects, bundle: &ObjectHash, file: &Path) -> Result<()> {
    let mut read = objects.get(bundle, None).await?;
    let mut file = tokio::fs::File::create(file).await.map_err(|error| unusable(&error))?;
    while let Some(chunk) = read.stream.next().await {
        file.write_all(&chunk?).await.map_err(|error| unusable(&error))?;
    }
    file.flush().await.map_err(|error| unusable(&error))
}

/// Runs git on what a client sent: no settings of this machine, no questions, no hooks.
///
/// # Errors
/// `InvalidArgument` with what git said, `OutOfSpace` on a full disk, `Unavailable` when there is no git, or it was ended.
pub async fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command.args(["-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never", "-c", "protocol.file.allow=always"]);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
    // What it says is read below.
    command.env("LC_ALL", "C");
    let done = command.output().await.map_err(|error| {
        Error::new(Code::Unavailable, format!("git cannot be started: {error}"))
            .with_hint("install git where the server runs")
    })?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let what = arguments.first().copied().unwrap_or_default();
    if ["No space left on device", "Disk quota exceeded"].iter().any(|full| said.contains(full)) {
        return Err(Error::new(Code::OutOfSpace, format!("git {what}: the server's disk is full")));
    }
    if done.status.code().is_none() {
        return Err(Error::new(Code::Unavailable, format!("git {what} was ended by a signal")));
    }
    Err(Error::invalid(format!("git {what}: {}", without_folders(&said, arguments).trim())))
}

/// What git said, with files by their names alone: where the server keeps them is nobody else's business.
fn without_folders(said: &str, arguments: &[&str]) -> String {
    let files = arguments.iter().filter_map(|argument| Some((*argument, Path::new(argument).file_name()?.to_str()?)));
    let files = files.filter(|(argument, _)| Path::new(argument).is_absolute());
    files.fold(said.to_owned(), |said, (path, name)| said.replace(path, name))
}

fn unusable(error: &std::io::Error) -> Error {
    Error::new(Code::Unavailable, format!("the folder for code cannot be used: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_git_says_names_no_folder_of_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let (file, made) = (folder.path().join("bundle"), folder.path().join("made"));
        std::fs::write(&file, "no bundle").unwrap();
        let arguments = ["clone", "--quiet", "--bare", file.to_str().unwrap(), made.to_str().unwrap()];
        let refused = git(folder.path(), &arguments).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(!refused.message().contains(folder.path().to_str().unwrap()), "{}", refused.message());
        let said = without_folders(&format!("fatal: '{}' is broken", file.display()), &arguments);
        assert_eq!(said, "fatal: 'bundle' is broken");
    }
}
