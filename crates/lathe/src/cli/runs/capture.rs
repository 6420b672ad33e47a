//! What a run is made from besides its command: code and packages.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::start::Place;

/// Longer than any of the questions should take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The state of the code in the working folder.
#[derive(Debug, Default)]
pub struct Code {
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// Where the repository comes from.
    pub remote: Option<String>,
    /// The working folder, seen from the repository's own.
    pub folder: Option<String>,
    /// What differs from the commit, as `git apply` reads it; empty when nothing does.
    pub diff: Vec<u8>,
    /// Files that git does not know, and that are therefore not in the diff.
    pub untracked: Vec<String>,
}

/// Asks git about the working folder; everything is absent where there is no repository or no git.
pub async fn code(place: &Place) -> Code {
    let git = |arguments: &'static [&'static str]| said(place, "git", arguments);
    let Some(commit) = git(&["rev-parse", "HEAD"]).await else { return Code::default() };
    Code {
        commit: Some(commit),
        branch: git(&["symbolic-ref", "--short", "--quiet", "HEAD"]).await,
        remote: git(&["config", "--get", "remote.origin.url"]).await.map(|url| without_password(&url)),
        folder: git(&["rev-parse", "--show-prefix"]).await,
        diff: ask(place, "git", &["diff", "--binary", "HEAD"]).await.unwrap_or_default(),
        untracked: git(&["ls-files", "--others", "--exclude-standard", "--full-name", ":/"])
            .await
            .map(|names| names.lines().map(str::to_owned).collect())
            .unwrap_or_default(),
    }
}

/// A remote's address may carry a password, and what is captured is read by others.
fn without_password(address: &str) -> String {
    match url::Url::parse(address) {
        Ok(mut url) if url.password().is_some() => {
            // Fails only for addresses that can have no password.
            let _ = url.set_password(None);
            url.into()
        }
        _ => address.to_owned(),
    }
}

/// The packages of a Python, one `name==version` a line.
#[derive(Debug)]
pub struct Packages {
    /// The interpreter that was asked.
    pub python: PathBuf,
    /// What it says.
    pub list: Vec<u8>,
}

/// Lists the packages of the Python that the command runs, or of the first one in PATH.
pub async fn packages(place: &Place, program: &str) -> Option<Packages> {
    let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let named = name.starts_with("python").then(|| program.to_owned());
    for python in named.into_iter().chain(["python3".to_owned(), "python".to_owned()]) {
        if let Some(list) =
            ask(place, &python, &["-m", "pip", "list", "--format", "freeze", "--disable-pip-version-check"]).await
        {
            return Some(Packages { python: python.into(), list });
        }
    }
    None
}

async fn said(place: &Place, program: &str, arguments: &[&str]) -> Option<String> {
    let said = String::from_utf8(ask(place, program, arguments).await?).ok()?;
    Some(said.trim().to_owned()).filter(|said| !said.is_empty())
}

/// What a program says; `None` when it is not there, fails, or takes too long.
async fn ask(place: &Place, program: &str, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = place.command(program);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let done = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    done.status.success().then_some(done.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_remotes_are_left_out() {
        assert_eq!(without_password("https://me:secret@host/x.git"), "https://me@host/x.git");
        assert_eq!(without_password("git@host:x.git"), "git@host:x.git");
    }
}
