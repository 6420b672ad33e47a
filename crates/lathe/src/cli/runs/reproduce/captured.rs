//! What is known of a run that was started by `lathe run`, and what of it can be as it was.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use lathe_core::{Error, Result};

use super::super::{Run, capture, start};
use super::checkout::git;
use super::environment::Python;
use crate::cli::client::Client;
use crate::cli::text;

/// What is known of a run that was started by `lathe run`.
pub(super) struct Captured {
    pub(super) command: Vec<String>,
    pub(super) commit: Option<String>,
    pub(super) folder: String,
    pub(super) working_folder: PathBuf,
    pub(super) python: Option<String>,
    /// The program that was asked for the packages.
    interpreter: Option<PathBuf>,
    pub(super) diff: Vec<u8>,
    pub(super) requirements: Option<Vec<u8>>,
    untracked: Vec<String>,
    /// Packages that cannot be installed again, with where they came from.
    left_out: Vec<String>,
    /// Whether nobody knows how the code differed from its commit.
    misses_changes: bool,
}

impl Captured {
    pub(super) async fn of(client: &Client, run: &Run) -> Result<Self> {
        let tag = |name: &str| run.data.tags.iter().find(|tag| tag.key == name).map(|tag| tag.value.clone());
        let command: Option<Vec<String>> = tag("lathe.command").and_then(|text| serde_json::from_str(&text).ok());
        let command = command.filter(|command| !command.is_empty()).ok_or_else(|| {
            Error::conflict(format!("nothing was captured of run {}", run.info.run_id))
                .with_hint("only runs that were started by `lathe run -- CMD` can be run again")
        })?;
        let kept = |name: &'static str| start::read_captured(client, &run.info.artifact_uri, name);
        Ok(Self {
            command,
            commit: tag("mlflow.source.git.commit"),
            folder: tag("lathe.folder").unwrap_or_default(),
            working_folder: tag("lathe.working_folder").unwrap_or_default().into(),
            python: tag("lathe.python.version"),
            interpreter: tag("lathe.python").map(PathBuf::from),
            diff: kept("code.diff").await?.unwrap_or_default(),
            requirements: kept("requirements.txt").await?,
            untracked: lines(kept("untracked.txt").await?),
            left_out: lines(kept(start::LEFT_OUT).await?),
            misses_changes: tag(start::DIRTY_TAG).is_some_and(|dirty| dirty == start::UNKNOWN),
        })
    }

    /// A clone here that has the run's commit; `None` when the run had none.
    pub(super) async fn repository(&self) -> Result<Option<PathBuf>> {
        let Some(commit) = &self.commit else { return Ok(None) };
        let object = format!("{commit}^{{commit}}");
        for folder in [PathBuf::from("."), self.working_folder.clone()] {
            if folder.is_dir() && git(&folder, &["cat-file", "-e", &object]).await.is_ok() {
                return Ok(Some(folder));
            }
        }
        Err(Error::conflict(format!("commit {commit} of the run's code is not here"))
            .with_hint("call this inside a clone of the run's repository that has it"))
    }

    /// The command, with the program that is started again.
    pub(super) fn command_in(&self, folder: &Path, environment: Option<&Path>) -> Vec<OsString> {
        let mut command: Vec<OsString> = self.command.iter().map(OsString::from).collect();
        if let Some(program) = command.first_mut() {
            *program = self.program_in(folder, environment);
        }
        command
    }

    /// A Python, and a script that was installed beside it, are the environment's own, or without one, this shell's of the same name: the
    /// run's may be another one by now. Another program that the code lacks is the one where the run was started.
    fn program_in(&self, folder: &Path, environment: Option<&Path>) -> OsString {
        let program = Path::new(&self.command[0]);
        let name = program.file_name().unwrap_or(program.as_os_str());
        let here = self.working_folder.join(program);
        if capture::is_python(&self.command[0]) {
            return environment.map_or_else(|| name.to_owned(), |environment| environment.join("bin/python").into());
        }
        if self.is_installed_script() {
            let Some(environment) = environment else { return name.to_owned() };
            let own = environment.join("bin").join(name);
            return if own.is_file() { own.into() } else { here.into() };
        }
        let is_lacking = self.command[0].contains('/') && !folder.join(program).exists();
        if is_lacking { here.into() } else { program.into() }
    }

    /// Whether the program is a script that its packages brought, named by its path: it lies beside its interpreter.
    fn is_installed_script(&self) -> bool {
        let place = self.working_folder.join(&self.command[0]);
        let beside = self.own_interpreter().and_then(Path::parent);
        self.command[0].contains('/') && beside.is_some() && place.parent() == beside
    }

    /// The interpreter that the program names itself, when it is a script that does.
    fn own_interpreter(&self) -> Option<&Path> {
        let interpreter = self.interpreter.as_deref().filter(|interpreter| interpreter.is_absolute())?;
        (!capture::is_python(&self.command[0])).then_some(interpreter)
    }

    /// Names the program, when another one is started or nothing keeps what it was.
    pub(super) async fn program(&self, repository: Option<&Path>, has_packages: bool) -> Option<String> {
        let program = &self.command[0];
        if !program.contains('/') {
            return None;
        }
        if capture::is_python(program) {
            let by = if has_packages { "one with the captured packages" } else { "that of this shell" };
            return Some(format!("the interpreter {program}: {by} is started"));
        }
        Some(match (self.is_installed_script(), has_packages) {
            (true, true) => format!(
                "the program {program}: the one of the captured packages is started, or if they have none, this one as it is now"
            ),
            (true, false) => format!("the program {program}: that of this shell is started"),
            (false, _) => {
                let own = self.own_interpreter().map(|_| "with the packages of its own interpreter");
                match (self.is_code(repository, program).await, own) {
                    (true, None) => return None,
                    (true, Some(own)) => format!("the program {program}: it is started {own}, as they are now"),
                    (false, None) => format!("the program {program}: it is started as it is here now"),
                    (false, Some(own)) => format!("the program {program}: it is started as it is here now, {own}"),
                }
            }
        })
    }

    /// Whether a file, named from the folder of the command, comes with the commit or with what was added to it.
    async fn is_code(&self, repository: Option<&Path>, file: &str) -> bool {
        let (Some(repository), Some(commit)) = (repository, &self.commit) else { return false };
        let Some(path) = path_in_code(&self.folder, file) else { return false };
        let is_added = String::from_utf8_lossy(&self.diff).contains(&format!("diff --git a/{path} b/{path}\n"));
        is_added || git(repository, &["cat-file", "-e", &format!("{commit}:{path}")]).await.is_ok()
    }

    /// Names the submodules of the code: a worktree has none.
    pub(super) async fn submodules(&self, repository: Option<&Path>) -> Option<String> {
        let (repository, commit) = (repository?, self.commit.as_ref()?);
        git(repository, &["cat-file", "-e", &format!("{commit}:.gitmodules")]).await.ok()?;
        Some("the submodules: their folders are empty".to_owned())
    }

    /// What cannot be as it was, named before anything starts.
    pub(super) fn missing(&self, has_packages: bool, is_by_choice: bool, python: &Python) -> Vec<String> {
        let mut missing = Vec::new();
        if self.commit.is_none() {
            let folder = self.working_folder.display();
            missing.push(format!("the code: it was in no git repository; {folder} is taken as it is now"));
        }
        if !self.untracked.is_empty() {
            let count = self.untracked.len();
            missing.push(format!(
                "{} that git did not know, among them {}",
                text::count(count, "file"),
                self.untracked[0]
            ));
        }
        if self.misses_changes {
            missing.push("what differed from the commit: git did not say it when the run was started".to_owned());
        }
        if has_packages && !self.left_out.is_empty() {
            let count = text::count(self.left_out.len(), "package");
            missing.push(format!("{count} that came from no registry: {}", self.left_out.join(", ")));
        }
        match (has_packages, is_by_choice) {
            (true, _) => missing.extend(python.difference()),
            (false, true) => missing.push("the packages: those of this shell are taken".to_owned()),
            (false, false) => {
                missing.push("the packages: none were captured; those of this shell are taken".to_owned())
            }
        }
        missing.push(
            "environment variables and standard input: those of this shell are taken, none were captured".to_owned(),
        );
        missing.push("what the command reads elsewhere than in repositories of Lathe, and the machine".to_owned());
        missing
    }
}

/// Where in the code a path leads from a folder of it; `None` when it leads out.
fn path_in_code(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let whole = Path::new(folder).join(path);
    for part in whole.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

fn lines(text: Option<Vec<u8>>) -> Vec<String> {
    let text = text.unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(program: &str, interpreter: Option<&str>) -> Captured {
        Captured {
            command: vec![program.to_owned()],
            commit: None,
            folder: String::new(),
            working_folder: "/code/sub".into(),
            python: None,
            interpreter: interpreter.map(PathBuf::from),
            diff: Vec::new(),
            requirements: None,
            untracked: Vec::new(),
            left_out: Vec::new(),
            misses_changes: false,
        }
    }

    #[test]
    fn a_program_is_started_again_from_the_packages_the_code_or_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (code, environment) = (folder.path().join("code"), folder.path().join("environment"));
        for file in [code.join("tool.sh"), environment.join("bin/pytest")] {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        let venv = "/code/sub/.venv/bin/python3";
        let own = |name: &str| environment.join("bin").join(name).display().to_string();
        for (program, interpreter, with, without) in [
            ("python3", "python3", own("python"), "python3"),
            (".venv/bin/python3", ".venv/bin/python3", own("python"), "python3"),
            ("pytest", venv, "pytest".to_owned(), "pytest"),
            (".venv/bin/pytest", venv, own("pytest"), "pytest"),
            ("./.venv/bin/pytest", venv, own("pytest"), "pytest"),
            ("/code/sub/.venv/bin/pytest", venv, own("pytest"), "pytest"),
            ("/elsewhere/bin/pytest", venv, "/elsewhere/bin/pytest".to_owned(), "/elsewhere/bin/pytest"),
            // Of a package that came from no registry.
            (".venv/bin/mine", venv, "/code/sub/.venv/bin/mine".to_owned(), "mine"),
            ("./tool.sh", "python3", "./tool.sh".to_owned(), "./tool.sh"),
            ("./tool.sh", venv, "./tool.sh".to_owned(), "./tool.sh"),
            ("./ignored.sh", "python3", "/code/sub/./ignored.sh".to_owned(), "/code/sub/./ignored.sh"),
        ] {
            let captured = captured(program, Some(interpreter));
            assert_eq!(captured.program_in(&code, Some(&environment)), OsString::from(&with), "{program}");
            assert_eq!(captured.program_in(&code, None), OsString::from(without), "{program}");
        }
        assert_eq!(captured("make", None).program_in(&code, Some(&environment)), OsString::from("make"));
    }

    #[test]
    fn a_path_is_followed_within_the_code() {
        for (folder, path, found) in [
            ("", "./run.sh", Some("run.sh")),
            ("sub/", "run.sh", Some("sub/run.sh")),
            ("sub/", "../tools/./run.sh", Some("tools/run.sh")),
            ("sub/", "../../run.sh", None),
            ("sub/", "/bin/sh", None),
        ] {
            assert_eq!(path_in_code(folder, path).as_deref(), found, "{folder}{path}");
        }
    }
}
