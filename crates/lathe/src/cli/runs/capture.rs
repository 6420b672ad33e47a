//! What a run is made from besides its command: code and packages.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::start::Place;

/// Longer than any of the questions should take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A diff that `git apply` reads, whatever the user's settings say.
const DIFF: &[&str] = &[
    "diff",
    "--binary",
    "--no-ext-diff",
    "--no-color",
    "--no-textconv",
    "--no-relative",
    "--submodule=short",
    "--unified=3",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "HEAD",
];

/// The state of the code in the working folder.
#[derive(Debug, Default)]
pub struct Code {
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// Where the repository comes from.
    pub remote: Option<String>,
    /// What the repository is called: the remote's address without protocol and ending; without a remote, its folder's name.
    pub name: Option<String>,
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
    let remote = git(&["config", "--get", "remote.origin.url"]).await.map(|url| without_secrets(&url));
    let name = match &remote {
        Some(remote) => Some(name_of(remote)),
        None => git(&["rev-parse", "--show-toplevel"])
            .await
            .and_then(|top| Path::new(&top).file_name().map(|name| name.to_string_lossy().into_owned())),
    };
    Code {
        commit: Some(commit),
        branch: git(&["symbolic-ref", "--short", "--quiet", "HEAD"]).await,
        remote,
        name,
        folder: git(&["rev-parse", "--show-prefix"]).await,
        diff: ask(place, "git", DIFF).await.unwrap_or_default(),
        untracked: git(&["ls-files", "--others", "--exclude-standard", "--full-name", ":/"])
            .await
            .map(|names| names.lines().map(str::to_owned).collect())
            .unwrap_or_default(),
    }
}

/// A remote's address may carry a password or a token, also as its user or in its query, and what is captured is read by others.
fn without_secrets(address: &str) -> String {
    let Ok(mut url) = url::Url::parse(address) else { return address.to_owned() };
    let is_web = matches!(url.scheme(), "http" | "https");
    if url.password().is_none() && !(is_web && (!url.username().is_empty() || url.query().is_some())) {
        return address.to_owned();
    }
    // Fails only for addresses that can have neither.
    let _ = url.set_password(None);
    if is_web {
        let _ = url.set_username("");
        url.set_query(None);
    }
    url.into()
}

fn name_of(remote: &str) -> String {
    let bare = remote.split_once("://").map_or(remote, |(_, rest)| rest);
    let bare = bare.rsplit_once('@').map_or(bare, |(_, rest)| rest);
    bare.trim_end_matches('/').trim_end_matches(".git").to_owned()
}

/// The packages of a Python, one `name==version` a line.
#[derive(Debug)]
pub struct Packages {
    /// The interpreter that was asked.
    pub python: PathBuf,
    /// Its version, `3.12.4`.
    pub version: Option<String>,
    /// What it says.
    pub list: Vec<u8>,
}

/// The version of a Python, `3.12.4`; `None` when it is not there.
pub async fn python_version(place: &Place, python: &str) -> Option<String> {
    said(place, python, &["-c", "import platform; print(platform.python_version())"]).await
}

/// Lists the packages of the Python that the command runs, or of the first one in PATH.
pub async fn packages(place: &Place, program: &str) -> Option<Packages> {
    let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let named = name.starts_with("python").then(|| program.to_owned());
    for python in named.into_iter().chain(["python3".to_owned(), "python".to_owned()]) {
        if let Some(list) =
            ask(place, &python, &["-m", "pip", "list", "--format", "freeze", "--disable-pip-version-check"]).await
        {
            let version = python_version(place, &python).await;
            return Some(Packages { python: python.into(), version, list });
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
    fn secrets_of_remotes_are_left_out() {
        for (address, kept) in [
            ("https://me:secret@host/x.git", "https://host/x.git"),
            ("https://TOKEN@host/x.git", "https://host/x.git"),
            ("https://host/x.git?private_token=secret", "https://host/x.git"),
            ("ssh://git:secret@host/x.git", "ssh://git@host/x.git"),
            ("ssh://git@host/x.git", "ssh://git@host/x.git"),
            ("https://host/x.git", "https://host/x.git"),
            ("git@host:x.git", "git@host:x.git"),
        ] {
            assert_eq!(without_secrets(address), kept);
        }
    }

    #[test]
    fn a_repository_is_called_by_where_it_comes_from() {
        for address in ["https://host/team/x.git", "ssh://git@host/team/x", "https://host/team/x/"] {
            assert_eq!(name_of(address), "host/team/x");
        }
        assert_eq!(name_of("git@host:team/x.git"), "host:team/x");
    }
}
