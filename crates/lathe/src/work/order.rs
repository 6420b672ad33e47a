//! What the server tells a runner to do, and what the runner says back: files of the attempt's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lathe_core::{Code, Error, Result};
use lathe_workflows::jobs::Outcome;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What the runner does; holds secrets, so the file is its owner's only, and the runner removes it when it has read it.
pub const ORDER: &str = "order.json";
/// Who the runner is.
pub const PROCESS: &str = "process.json";
/// How it ended; there once it has.
pub const RESULT: &str = "result.json";

/// What a runner does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// The server, as the runner reaches it.
    pub server: String,
    /// The project.
    pub project: String,
    /// The token that is the attempt's run.
    pub token: String,
    /// Where the run's artifacts are kept, as segments below the artifact store's root.
    pub artifacts: Vec<String>,
    /// What `sh` runs.
    pub command: String,
    /// The command's environment, besides what every command gets.
    pub variables: BTreeMap<String, String>,
    /// What is covered in the log and in values: secrets that the job names, and the run's own.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// A folder with the code; none when the pipeline has none.
    pub code: Option<PathBuf>,
    /// The folder of the code in which the command starts.
    pub folder: String,
    /// The Python environment; none for the server's own.
    pub python: Option<PythonOrder>,
    /// What is fetched first.
    pub inputs: Vec<InputOrder>,
    /// What is kept afterwards.
    pub outputs: Vec<OutputOrder>,
    /// How long the attempt may take, in milliseconds: from the runner's start until the outputs are kept.
    pub timeout_ms: u64,
}

/// A Python environment for a lock file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PythonOrder {
    /// Where environments are kept.
    pub environments: PathBuf,
    /// The version, such as `3.11`; none for the one that is there.
    pub version: Option<String>,
    /// The lock file, seen from the command's folder.
    pub requirements: String,
}

/// An input to fetch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InputOrder {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub from: Source,
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Files of a commit; one file when the path is one's.
    Data {
        /// The repository.
        repository: String,
        /// The commit.
        commit: String,
        /// A file or a folder.
        path: String,
    },
    /// Artifacts of a run or a logged model.
    Artifact {
        /// Where they are kept, as segments below the artifact store's root.
        root: Vec<String>,
    },
}

/// An output to keep.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutputOrder {
    /// Its name.
    pub name: String,
    /// A file or a folder, seen from the command's folder.
    pub path: String,
}

/// Who a runner is. A pid alone may be another process's by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its pid.
    pub pid: i32,
    /// When it started, as the kernel counts since the machine started.
    pub started: u64,
    /// Which start of the machine that was; `None` where nobody asked.
    #[serde(default)]
    pub boot: Option<u128>,
    /// The process group of its command, once that runs; what it starts besides is in a group of its own number.
    pub group: Option<i32>,
    /// When the process that leads that group started; 0 where it had ended before it was asked, `None` where nobody asked.
    #[serde(default)]
    pub group_started: Option<u64>,
}

/// The variable of an input or an output: `IN_TRAIN_DATA` for `train-data`.
pub fn variable(prefix: &str, name: &str) -> String {
    let upper: String = name.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_uppercase() }).collect();
    format!("{prefix}_{upper}")
}

/// How a runner ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub how: How,
    /// How the command ended; none when it did not run, or was ended by a signal.
    pub exit_code: Option<i64>,
    /// Why; empty when that is plain.
    pub reason: String,
    /// What was made.
    pub outcome: Outcome,
}

/// How a runner ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The command succeeded and its outputs are kept.
    Succeeded,
    /// Anything else.
    Failed,
    /// It was told to end.
    Canceled,
}

impl Process {
    /// Whether that very process is at work.
    pub fn is_alive(self) -> bool {
        self.is_of_this_boot() && start_of(self.pid) == Some(self.started)
    }

    /// Ends it, and what it started: a runner that was killed leaves its command behind, or what makes its Python environment.
    pub fn kill(self) {
        let groups: Vec<Pid> = self.groups().filter_map(Pid::from_raw).collect();
        // Each may end just now by itself.
        if let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.is_alive()) {
            let _ = kill_process(pid, Signal::KILL);
        }
        for group in groups {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// After another start of the machine its numbers are those of others.
    fn is_of_this_boot(self) -> bool {
        self.boot.is_none_or(|boot| Some(boot) == self::boot())
    }

    /// The process groups of what it started, that of its command and its own: those whose numbers no other process has by now. A number
    /// is not given away while its group has members, so one that nobody has may still be a group's.
    pub fn groups(self) -> impl Iterator<Item = i32> {
        let is_own = |pid, started| start_of(pid).is_none_or(|now| now == started);
        let group = self.group.filter(|group| self.group_started.is_none_or(|started| is_own(*group, started)));
        let all = group.into_iter().chain(is_own(self.pid, self.started).then_some(self.pid));
        all.filter(move |_| self.is_of_this_boot())
    }
}

/// Which start of the machine this is; `None` on a system that does not say.
pub fn boot() -> Option<u128> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    u128::from_str_radix(&id.trim().replace('-', ""), 16).ok()
}

/// When a process started, in ticks since the machine did; `None` when there is none, or it has ended and is only not reaped.
pub fn start_of(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in parentheses and may hold any; what follows the last one is plain.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let is_ended = matches!(fields.next()?, "Z" | "X");
    let started = fields.nth(18)?.parse().ok()?;
    (!is_ended).then_some(started)
}

/// Reads a file of the folder; `None` when it is not there (yet), or empty, as a crash of the machine may leave one.
///
/// # Errors
/// `Unavailable` when it cannot be read, or is not what it should be.
pub fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Option<T>> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(Code::Unavailable, format!("{name} of an attempt cannot be read: {error}"))
    };
    match std::fs::read(folder.join(name)) {
        Ok(bytes) if bytes.is_empty() => Ok(None),
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

/// What a file has to outlive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlives {
    /// Whoever writes it: it says what concerns processes, and a crash of the machine ends them, too.
    Process,
    /// The machine.
    Machine,
}

/// Writes a file of the folder, whole or not at all; only its owner may read it.
///
/// # Errors
/// `Unavailable` when it cannot be written.
pub fn write(folder: &Path, name: &str, value: &impl Serialize, outlives: Outlives) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(Code::Unavailable, format!("{name} of an attempt cannot be written: {error}"))
    };
    let bytes = serde_json::to_vec(value).map_err(|error| failed(&error))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    std::io::Write::write_all(&mut file, &bytes).map_err(|error| failed(&error))?;
    if outlives == Outlives::Machine {
        file.as_file().sync_data().map_err(|error| failed(&error))?;
    }
    file.persist(folder.join(name)).map_err(|error| failed(&error))?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_another_process_has_by_now_is_no_group() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let started = start_of(pid).unwrap();
        let groups = |process: Process| process.groups().collect::<Vec<_>>();
        let runner = Process { pid, started, boot: boot(), group: None, group_started: None };
        assert_eq!(groups(runner), [pid]);
        assert_eq!(groups(Process { started: started + 1, ..runner }), [0; 0]);
        let gone = Process { pid: i32::MAX, group: Some(pid), group_started: Some(started), ..runner };
        assert_eq!(groups(gone), [pid, i32::MAX], "what it started may still be there");
        assert_eq!(groups(Process { group_started: Some(started + 1), ..gone }), [i32::MAX]);
        assert_eq!(groups(Process { group_started: Some(0), ..gone }), [i32::MAX]);
        assert_eq!(groups(Process { group: Some(i32::MAX - 1), ..gone }), [i32::MAX - 1, i32::MAX]);
        assert_eq!(groups(Process { group_started: None, ..gone }), [pid, i32::MAX], "as a runner of before noted it");
        let rebooted = Process { boot: Some(1), ..gone };
        assert_eq!((groups(rebooted), rebooted.is_alive()), (vec![], false), "the numbers are those of others");
        assert!(!Process { boot: Some(1), ..runner }.is_alive());
    }
}
