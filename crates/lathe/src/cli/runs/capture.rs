//! What a run is made from besides its command: code and packages.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;

use super::start::Place;
use crate::programs;

/// Longer than any of the questions should take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a system reads of a script's first line is no longer.
const MAX_FIRST_LINE: u64 = 512;

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
    /// What differs from the commit, as `git apply` reads it; empty when nothing does, `None` when git failed or took too long.
    pub diff: Option<Vec<u8>>,
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
        diff: ask(place, "git", DIFF).await,
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

/// The packages of a Python.
#[derive(Debug)]
pub struct Packages {
    /// The interpreter that was asked.
    pub python: PathBuf,
    /// Its version, `3.12.4`.
    pub version: String,
    /// Those that a registry has, one `name==version` a line.
    pub list: String,
    /// Those of which no registry has the same, each with where it comes from.
    pub left_out: Vec<String>,
}

#[derive(Deserialize)]
struct Said {
    version: String,
    packages: Vec<(String, String)>,
    left_out: Vec<(String, String, String, Option<String>)>,
}

/// Asked without pip, which an environment need not have. Of a package that was not taken from a registry, its installer notes the origin in
/// `direct_url.json`; conda does so, too, of the place where it was built.
const QUESTION: &str = r#"
import importlib.metadata, json, os, platform, re, site, sys

# What lies in the working folder is not installed.
if sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]
places = {os.path.abspath(place) for place in [*site.getsitepackages(), site.getusersitepackages()]}
packages, left_out, seen = [], [], set()
for package in importlib.metadata.distributions():
    name, version = package.metadata["Name"], package.metadata["Version"]
    key = re.sub("[-_.]+", "-", name or "").lower()
    if not (name and version) or key in seen:
        continue
    seen.add(key)
    folder = os.path.abspath(str(package.locate_file("")))
    origin = json.loads(package.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        left_out.append((name, version, "editable", origin.get("url")))
    elif origin and (package.read_text("INSTALLER") or "").strip() != "conda":
        left_out.append((name, version, "from", origin.get("url")))
    elif str(getattr(package, "_path", "")).endswith(".egg-info") and folder not in places:
        left_out.append((name, version, "from", folder))
    else:
        packages.append((name, version))
print(json.dumps({"version": platform.python_version(), "packages": sorted(packages), "left_out": sorted(left_out)}))
"#;

/// The version of a Python, `3.12.4`; `None` when it is not there.
pub async fn python_version(place: &Place, python: &str) -> Option<String> {
    said(place, python, &["-c", "import platform; print(platform.python_version())"]).await
}

/// Whether a program is a Python, by its name: `python`, a version such as `3.11`, and the letters of its builds.
pub fn is_python(program: &str) -> bool {
    let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(version) = name.strip_prefix("python") else { return false };
    version.trim_end_matches(['d', 'm', 't']).chars().all(|letter| letter.is_ascii_digit() || letter == '.')
}

/// The Python that a program names in its first line: an installed script, which runs with the packages of that one.
fn interpreter_of(place: &Place, program: &str) -> Option<String> {
    let mut line = Vec::new();
    let file = BufReader::new(File::open(find(place, program)?).ok()?);
    file.take(MAX_FIRST_LINE).read_until(b'\n', &mut line).ok()?;
    let words = std::str::from_utf8(line.strip_prefix(b"#!")?).ok()?;
    let interpreter = words.split_ascii_whitespace().next()?;
    (interpreter.starts_with('/') && is_python(interpreter)).then(|| interpreter.to_owned())
}

/// The file that a program is, as it is looked for when it is started.
fn find(place: &Place, program: &str) -> Option<PathBuf> {
    let folder = place.folder.as_deref().unwrap_or(Path::new(""));
    let path = place.path.clone().or_else(|| std::env::var_os("PATH"));
    programs::find(folder, path.as_deref(), Path::new(program))
}

/// The packages of the Python that the command runs, also as a script that names it; of the first one in PATH when the command is none.
pub async fn packages(place: &Place, program: &str) -> Option<Packages> {
    let own = if is_python(program) { Some(program.to_owned()) } else { interpreter_of(place, program) };
    let asked = own.as_ref().map_or(vec!["python3", "python"], |own| vec![own.as_str()]);
    for python in asked {
        let answer = ask(place, python, &["-c", QUESTION]).await;
        let said = answer.and_then(|answer| serde_json::from_slice(&answer).ok());
        if let Some(Said { version, packages, left_out }) = said {
            let list = packages.into_iter().map(|(name, version)| format!("{name}=={version}\n")).collect();
            let left_out = left_out.into_iter().map(|(name, version, how, origin)| {
                let origin = origin.map(|origin| without_secrets(&origin)).unwrap_or_default();
                format!("{name}=={version} ({how} {origin})")
            });
            return Some(Packages { python: python.into(), version, list, left_out: left_out.collect() });
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
    use std::os::unix::fs::PermissionsExt as _;

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
    fn a_script_names_its_python() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8], mode: u32| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        write("tool", b"#!/venv/bin/python3.12 -I\nimport sys\n", 0o755);
        write("spaced", b"#! /venv/bin/python\n", 0o755);
        write("by_env", b"#!/usr/bin/env python3\n", 0o755);
        write("shell", b"#!/bin/sh\n", 0o755);
        write("binary", b"\x7fELF\xff\xfe", 0o755);
        write("empty", b"", 0o755);
        write("no_program", b"#!/venv/bin/python\n", 0o644);
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        let here = Place { folder: Some(folder.path().to_owned()), ..Place::default() };
        let in_path = Place { path: Some(format!("/nowhere:{}", folder.path().display()).into()), ..Place::default() };
        for (name, named) in [
            ("tool", Some("/venv/bin/python3.12")),
            ("spaced", Some("/venv/bin/python")),
            ("by_env", None),
            ("shell", None),
            ("binary", None),
            ("empty", None),
            ("no_program", None),
            ("folder", None),
            ("missing", None),
        ] {
            assert_eq!(interpreter_of(&here, &format!("./{name}")).as_deref(), named, "{name}");
            assert_eq!(interpreter_of(&in_path, name).as_deref(), named, "{name}");
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
