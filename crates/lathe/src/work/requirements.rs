//! What a Python environment is made from: a lock file, and the files that it includes.
//!
//! An environment is kept under the hash of these, so what could change without them is refused. They are other people's input: each is a
//! regular file of the code, and of bounded length.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use lathe_core::{Error, Result};

/// The longest file, and the most of them.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
const MAX_FILES: usize = 100;
/// How the name of a package's own file ends.
const ARCHIVES: &[&str] = &[".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"];

/// The hash of a lock file, seen from a folder of the code, with all that it includes.
///
/// # Errors
/// `NotFound` for a file that is not there, `InvalidArgument` for one that is none of the code's, or that names what is not in it.
pub fn hash(code: &Path, folder: &str, lock: &str) -> Result<String> {
    let code = code.canonicalize().map_err(|error| unreadable(lock, &error))?;
    let start = code.join(folder);
    let mut hasher = blake3::Hasher::new();
    let mut add = |path: &str, bytes: &[u8]| {
        hasher.update(&(path.len() as u64).to_le_bytes()).update(path.as_bytes());
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    let (mut open, mut seen) = (vec![start.join(lock)], BTreeSet::new());
    while let Some(path) = open.pop() {
        let name = path.strip_prefix(&start).unwrap_or(&path).display().to_string();
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml")) {
            return Err(Error::invalid(format!(
                "the lock file {name} is TOML, and an environment is made from a list of requirements; write one, for instance with `uv pip \
                 compile pyproject.toml -o requirements.lock` or `uv export --no-emit-project -o requirements.lock`"
            )));
        }
        let place = path.canonicalize().map_err(|error| unreadable(&name, &error))?;
        if !seen.insert(place.clone()) {
            continue;
        }
        if seen.len() > MAX_FILES {
            return Err(Error::invalid(format!("{lock} includes more than {MAX_FILES} files")));
        }
        let bytes = read(&code, &place, &name)?;
        add(&name, &bytes);
        let beside = path.parent().unwrap_or(&start);
        open.extend(included(&name, &String::from_utf8_lossy(&bytes))?.into_iter().map(|include| beside.join(include)));
    }
    // What uv reads of its own accord: where packages come from, and which are taken.
    for above in start.ancestors().take_while(|above| above.starts_with(&code)) {
        for name in ["uv.toml", "pyproject.toml"] {
            if let Ok(place) = above.join(name).canonicalize() {
                let settings = read(&code, &place, name)?;
                // A project that says nothing to uv changes often, and no environment by that.
                if name == "uv.toml" || String::from_utf8_lossy(&settings).contains("tool.uv") {
                    add(name, &settings);
                }
            }
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn unreadable(name: &str, error: &std::io::Error) -> Error {
    Error::not_found(format!("the lock file {name} cannot be read: {error}"))
}

/// A file of the code, links resolved.
fn read(code: &Path, place: &Path, name: &str) -> Result<Vec<u8>> {
    if !place.starts_with(code) || !place.is_file() {
        return Err(Error::invalid(format!(
            "the lock file {name} leads out of the code, or is no file; put the file itself into the repository"
        )));
    }
    let mut bytes = Vec::new();
    let file = File::open(place).map_err(|error| unreadable(name, &error))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::invalid(format!("the lock file {name} has more than {MAX_BYTES} bytes")));
    }
    Ok(bytes)
}

/// The files that a file of requirements includes.
fn included(name: &str, text: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for (number, line) in lines(text) {
        let refuse = |why: &str| {
            Err(Error::invalid(format!(
                "line {number} of {name}: `{line}` {why}, so an environment that was made once would not follow when that changes; write \
                 versions, or addresses with a commit. Code of the repository is found without being installed: \
                 `env: {{ variables: {{ PYTHONPATH: src }} }}`"
            )))
        };
        match option(&line) {
            Some(("r" | "requirement" | "c" | "constraint", file)) if file.contains("://") => {
                return refuse("includes a file from elsewhere");
            }
            Some(("r" | "requirement" | "c" | "constraint", file)) => files.push(file.into()),
            Some(("e" | "editable", place)) => {
                let instead = is_remote(place).then(|| format!(" (write `{}`)", without_editable(place)));
                return refuse(&format!("installs code where it lies{}", instead.unwrap_or_default()));
            }
            Some(("i" | "index-url" | "extra-index-url", place)) if is_variable(place) => {}
            Some(("f" | "find-links" | "i" | "index-url" | "extra-index-url", place)) if !is_remote(place) => {
                return refuse("takes packages from the disk");
            }
            Some(_) => {}
            None if is_local(&line) => return refuse("is installed from the disk"),
            None => {}
        }
    }
    Ok(files)
}

/// The lines as pip reads them, with their numbers: continued ones joined, comments left out.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut joined: Vec<(usize, String)> = Vec::new();
    let mut is_continued = false;
    for (line, number) in text.lines().zip(1..) {
        let bare = match line.find('#') {
            Some(0) => "",
            Some(_) => line.split_once(" #").or_else(|| line.split_once("\t#")).map_or(line, |(bare, _)| bare),
            None => line,
        };
        let (bare, continues) = bare.strip_suffix('\\').map_or((bare, false), |bare| (bare, true));
        match joined.last_mut() {
            Some((_, before)) if is_continued => before.push_str(bare),
            _ => joined.push((number, bare.to_owned())),
        }
        is_continued = continues;
    }
    let trimmed = joined.into_iter().map(|(number, line)| (number, line.trim().to_owned()));
    trimmed.filter(|(_, line)| !line.is_empty()).collect()
}

/// An option and its value; a long one may be shortened, as pip takes it.
fn option(line: &str) -> Option<(&str, &str)> {
    const LONG: &[&str] = &["requirement", "constraint", "editable", "find-links", "index-url", "extra-index-url"];
    let (name, value) = if let Some(long) = line.strip_prefix("--") {
        let (name, value) = long.split_once(['=', ' ', '\t']).unwrap_or((long, ""));
        (LONG.iter().find(|known| known.starts_with(name)).copied().unwrap_or(name), value)
    } else {
        let short = line.strip_prefix('-')?;
        short.split_at_checked(1)?
    };
    Some((name, value.trim_start_matches('=').trim().trim_matches(['"', '\''])))
}

/// Whether a variable holds all of an address; one that only begins with a variable may as well be a path.
fn is_variable(place: &str) -> bool {
    place
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// The requirement that means the same code as an editable one: `x @ git+https://host/x@abc` for `git+https://host/x@abc#egg=x`.
fn without_editable(place: &str) -> String {
    let (address, fragment) = place.split_once('#').unwrap_or((place, ""));
    let (names, others): (Vec<&str>, Vec<&str>) = fragment.split('&').partition(|part| part.starts_with("egg="));
    let name = names.first().and_then(|part| part.strip_prefix("egg=")).unwrap_or("NAME");
    let others = others.join("&");
    let rest = if others.is_empty() { String::new() } else { format!("#{others}") };
    format!("{name} @ {address}{rest}")
}

fn is_remote(address: &str) -> bool {
    address.split_once("://").is_some_and(|(scheme, _)| !scheme.ends_with("file"))
}

/// Whether a requirement is a file or a folder.
fn is_local(line: &str) -> bool {
    let requirement = line.split([';', '\t', ' ']).next().unwrap_or_default();
    let behind_name = line.split_once('@').map(|(_, address)| address.trim());
    match behind_name {
        _ if is_remote(line) => false,
        Some(_) => true,
        None => {
            requirement.starts_with(['.', '/', '~'])
                || requirement.contains(['/', '\\'])
                || requirement.starts_with("file:")
                || ARCHIVES.iter().any(|ending| requirement.to_lowercase().ends_with(ending))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;

    fn code(files: &[(&str, &str)]) -> tempfile::TempDir {
        let code = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = code.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        code
    }

    #[test]
    fn what_is_included_counts() {
        let lock = "-r base/all.txt  # both\n--constraint=limits.txt\nnumpy==1.0 \\\n  --hash=sha256:ab\n";
        let files = [
            ("sub/lock.txt", lock),
            ("sub/base/all.txt", "-r ../../more.txt\n"),
            ("more.txt", "-c sub/limits.txt\nscipy==1\n"),
            ("sub/limits.txt", "a<2\n"),
        ];
        let first = code(&files);
        let of = |code: &tempfile::TempDir| hash(code.path(), "sub", "lock.txt");
        let known = of(&first).unwrap();
        assert_eq!(of(&code(&files)).unwrap(), known, "whatever place the code has");
        for (path, _) in files {
            let before = fs::read(first.path().join(path)).unwrap();
            fs::write(first.path().join(path), [before.as_slice(), b"b==1\n"].concat()).unwrap();
            assert_ne!(of(&first).unwrap(), known, "{path}");
            fs::write(first.path().join(path), before).unwrap();
        }
        assert_eq!(of(&first).unwrap(), known);
        fs::write(first.path().join("pyproject.toml"), "[tool.uv]\nindex-url = 'https://x'\n").unwrap();
        assert_ne!(of(&first).unwrap(), known);
    }

    #[test]
    fn what_lies_elsewhere_is_refused_with_its_line() {
        for line in [
            "-e .",
            "-e git+https://host/x",
            "--editable=./x",
            "--edit ./x",
            "./pkg",
            "../pkg[extra]",
            "/abs",
            "pkg/sub",
            ".",
            "x.whl",
            "x-1.0.tar.gz",
            "file:///x",
            "file:x",
            "x @ file:///x",
            "x @ ./x",
            "git+file:///x",
            "-f wheels",
            "--find-links=./wheels",
            "--extra-index-url file:///x",
            "--index-url ${HOME}/simple",
            "--find-links ${WHEELS}",
            "-r https://host/x.txt",
        ] {
            let refused = hash(code(&[("l", &format!("a==1\n{line}\n"))]).path(), "", "l").unwrap_err();
            assert!(refused.message().starts_with(&format!("line 2 of l: `{line}`")), "{line}: {}", refused.message());
        }
        for line in [
            "a==1",
            "a[x,y]==1; python_version > '3'",
            "x @ git+https://host/x@abc",
            "git+ssh://git@host/x@abc",
            "# ./x",
            "a  # -e .",
            "--index-url https://host/simple",
            "-i https://user@host/x",
            "--index-url ${PIP_INDEX_URL}",
            "--extra-index-url=https://${USER}@host/x",
            "-f https://host/x",
            "--no-binary :all:",
            "--hash=sha256:a/b",
            "https://host/x.whl",
            "--require-hashes",
            "-r l",
            "",
        ] {
            hash(code(&[("l", line)]).path(), "", "l").unwrap();
        }
    }

    #[test]
    fn what_is_refused_is_told_what_to_write_instead() {
        let refused = |name: &str, text: &str| {
            let code = code(&[(name, text)]);
            hash(code.path(), "", name).unwrap_err().message().to_owned()
        };
        for (line, instead) in [
            ("-e git+https://host/x@abc#egg=x", "(write `x @ git+https://host/x@abc`)"),
            ("-e git+https://host/x@abc#egg=x&subdirectory=a", "(write `x @ git+https://host/x@abc#subdirectory=a`)"),
            ("-e git+https://host/x@abc", "(write `NAME @ git+https://host/x@abc`)"),
        ] {
            let said = refused("l", line);
            assert!(said.contains(instead), "{said}");
        }
        assert!(!refused("l", "-e .").contains("(write"));
        for (name, text) in [("pyproject.toml", "[project]\nname = 'x'\n"), ("pylock.TOML", "")] {
            let said = refused(name, text);
            assert!(said.starts_with(&format!("the lock file {name} is TOML")), "{said}");
        }
    }

    #[test]
    fn only_files_of_the_code_are_read() {
        let code = code(&[("real.txt", "a==1\n"), ("sub/x", "")]);
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, code.path().join(name)).unwrap();
        link("real.txt", "inside");
        link("/dev/zero", "endless");
        link("/etc/passwd", "outside");
        link("nowhere", "broken");
        let of = |lock: &str| hash(code.path(), "", lock);
        of("inside").unwrap();
        for (name, said) in
            [("endless", "leads out"), ("outside", "leads out"), ("sub", "no file"), ("broken", "cannot be read")]
        {
            let refused = of(name).unwrap_err();
            assert!(refused.message().contains(said), "{name}: {}", refused.message());
        }
        fs::write(code.path().join("long"), vec![b'#'; usize::try_from(MAX_BYTES).unwrap() + 1]).unwrap();
        assert!(of("long").unwrap_err().message().contains("more than"));
        fs::write(code.path().join("includes"), "-r endless").unwrap();
        assert!(of("includes").unwrap_err().message().contains("leads out"));
    }
}
