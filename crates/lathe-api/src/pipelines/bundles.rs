//! Git bundles: whether one holds the commit that it is said to.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
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
    tokio::fs::create_dir_all(root).await.map_err(unusable)?;
    let folder = tempfile::tempdir_in(root).map_err(unusable)?;
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
/// `OutOfSpace` on a full disk, `Unavailable` when it cannot be read or written otherwise.
pub async fn fetch(objects: &Objects, bundle: &ObjectHash, file: &Path) -> Result<()> {
    let mut read = objects.get(bundle, None).await?;
    let mut file = tokio::fs::File::create(file).await.map_err(unusable)?;
    while let Some(chunk) = read.stream.next().await {
        file.write_all(&chunk?).await.map_err(unusable)?;
    }
    file.flush().await.map_err(unusable)
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
    Err(Error::invalid(format!("git {what}: {}", without_folders(&said, folder, arguments).trim())))
}

/// What git said, with files and the folder that it works in by their names alone: where the server keeps them is nobody else's business.
fn without_folders(said: &str, folder: &Path, arguments: &[&str]) -> String {
    let arguments = arguments.iter().map(Path::new).filter(|argument| argument.is_absolute());
    let given: Vec<&Path> = arguments.chain([folder]).collect();
    // Git names the folder that it works in without links.
    let resolved = given.iter().filter_map(|path| path.canonicalize().ok());
    let mut paths: Vec<PathBuf> = resolved.chain(given.iter().map(|path| path.to_path_buf())).collect();
    // What lies in another one of them first.
    paths.sort_by_key(|path| std::cmp::Reverse(path.as_os_str().len()));
    let named = paths.iter().filter_map(|path| Some((path.to_str()?, path.file_name()?.to_str()?)));
    named.fold(said.to_owned(), |said, (path, name)| said.replace(path, name))
}

/// The folder for code cannot be used: `OutOfSpace` or `Unavailable`. A cause may name where the server keeps its files, and so is for the log.
pub fn unusable(error: std::io::Error) -> Error {
    let failure = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Error::new(Code::OutOfSpace, "the code cannot be kept: the server's disk is full")
        }
        kind => Error::new(Code::Unavailable, format!("the folder for code cannot be used: {kind}")),
    };
    failure.with_source(error)
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
        let said = without_folders(&format!("fatal: '{}' is broken", file.display()), folder.path(), &arguments);
        assert_eq!(said, "fatal: 'bundle' is broken");
    }

    #[tokio::test]
    async fn what_git_says_of_the_folder_it_works_in_does_not_tell_where_that_is() {
        let root = tempfile::tempdir().unwrap();
        let (tree, link) = (root.path().join("tree"), root.path().join("link"));
        std::fs::create_dir(&tree).unwrap();
        std::os::unix::fs::symlink(&tree, &link).unwrap();
        git(&tree, &["init", "--quiet"]).await.unwrap();
        let author = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"];
        let commit = ["commit", "--quiet", "--allow-empty", "--message", "one"];
        git(&tree, &[author.as_slice(), &commit].concat()).await.unwrap();
        std::fs::write(tree.join(".git/index.lock"), "").unwrap();
        for folder in [&tree, &link] {
            let refused = git(folder, &["checkout", "--quiet", "--detach", "HEAD"]).await.unwrap_err();
            let message = refused.message();
            assert!(message.contains("'tree/.git/index.lock'"), "{message}");
            assert!(!message.contains(root.path().to_str().unwrap()), "{message}");
        }
    }

    #[test]
    fn a_full_disk_is_told_from_a_folder_that_cannot_be_used() {
        for (kind, code) in [
            (ErrorKind::StorageFull, Code::OutOfSpace),
            (ErrorKind::QuotaExceeded, Code::OutOfSpace),
            (ErrorKind::PermissionDenied, Code::Unavailable),
        ] {
            assert_eq!(unusable(kind.into()).code(), code, "{kind}");
        }
    }
}
