//! Folders of this machine that hold what can be fetched or made again: code of jobs, Python environments, files of models.
//!
//! Each is named by what it holds. Who uses one marks it ([`mark`]), and marks it again while the use goes on. What nobody marked for
//! [`KEPT`] is removed, by the server and by `lathe gc`; whoever wants it again fetches or makes it.

use std::ffi::OsStr;
use std::fs::{File, FileTimes};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lathe_core::{Code, Error, Result};

/// How long a folder is kept after its last use.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often what is in use is marked.
pub const MARKING: Duration = Duration::from_secs(3600);

/// The caches below the data folder.
const CODE: &str = "work/code";
const ENVIRONMENTS: &str = "work/environments";
const MODELS: &str = "serving/models";
const MODEL_ENVIRONMENTS: &str = "serving/environments";

/// Beginning of the name of a folder that is being removed: nobody looks for it there.
const GOING: &str = "going-";
/// Ending of a file that belongs to the folder of the same name.
const COMPANION: &str = "tree";

/// Notes that a folder is used now.
pub fn mark(folder: &Path) {
    let marked = File::open(folder).and_then(|file| file.set_times(FileTimes::new().set_modified(SystemTime::now())));
    // It is used all the same; at the worst it is made again in a month.
    if let Err(error) = marked {
        tracing::debug!(%error, folder = %folder.display(), "a folder is not marked as used");
    }
}

/// The folders of the caches of deployments in which these paths are.
pub fn of_paths<'p>(serving: &Path, paths: impl IntoIterator<Item = &'p Path>) -> Vec<PathBuf> {
    let roots = [serving.join("models"), serving.join("environments")];
    let place = |path: &Path| {
        let root = roots.iter().find(|root| path.starts_with(root))?;
        Some(root.join(path.strip_prefix(root).ok()?.components().next()?))
    };
    paths.into_iter().filter_map(place).collect()
}

/// Removes what was not used for long from the caches below the data folder; answers how many folders.
///
/// # Errors
/// `Unavailable` when a folder cannot be read or removed.
pub fn collect(data_dir: &Path) -> Result<usize> {
    let before = SystemTime::now() - KEPT;
    let mut removed = 0;
    for cache in [CODE, ENVIRONMENTS, MODELS, MODEL_ENVIRONMENTS] {
        let root = data_dir.join(cache);
        let unusable = |error: std::io::Error| {
            Error::new(Code::Unavailable, format!("{} cannot be cleared: {error}", root.display()))
        };
        removed += collect_in(&root, before).map_err(unusable)?;
    }
    Ok(removed)
}

fn collect_in(root: &Path, before: SystemTime) -> std::io::Result<usize> {
    let entries = match std::fs::read_dir(root) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        let found = match entry.metadata() {
            // Removed meanwhile: a companion, or by another process.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            found => found?,
        };
        // Files are locks, and companions of folders.
        if !found.is_dir() || found.modified()? >= before {
            continue;
        }
        removed += usize::from(remove(root, &name, &path)?);
    }
    Ok(removed)
}

/// Moved away first: whoever looks for it finds it whole or not at all. Answers `false` when another process was faster.
fn remove(root: &Path, name: &OsStr, path: &Path) -> std::io::Result<bool> {
    let mut away = path.to_owned();
    if !name.as_encoded_bytes().starts_with(GOING.as_bytes()) {
        let mut going = std::ffi::OsString::from(GOING);
        going.push(name);
        away = root.join(going);
        remove_all(&away)?;
        match std::fs::rename(path, &away) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
                return Ok(false);
            }
            moved => moved?,
        }
    }
    match std::fs::remove_file(path.with_extension(COMPANION)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    remove_all(&away)?;
    Ok(true)
}

fn remove_all(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(root: &Path, name: &str, days: u64) -> PathBuf {
        let folder = root.join(name);
        std::fs::create_dir_all(folder.join("below")).unwrap();
        let at = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
        File::open(&folder).unwrap().set_times(FileTimes::new().set_modified(at)).unwrap();
        folder
    }

    #[test]
    fn what_was_not_used_for_a_month_goes_with_its_companion() {
        let data = tempfile::tempdir().unwrap();
        let code = data.path().join(CODE);
        let (old, new, marked) = (make(&code, "old", 31), make(&code, "new", 29), make(&code, "marked", 31));
        let half = make(&data.path().join(MODELS), "going-half", 31);
        for name in ["old.tree", "new.tree", "some.lock"] {
            std::fs::write(code.join(name), "").unwrap();
        }
        mark(&marked);
        assert_eq!(collect(data.path()).unwrap(), 2);
        assert_eq!([&old, &half, &new, &marked].map(|folder| folder.exists()), [false, false, true, true]);
        assert_eq!(["old.tree", "new.tree", "some.lock"].map(|name| code.join(name).exists()), [false, true, true]);
        assert_eq!(collect(data.path()).unwrap(), 0);
        assert_eq!(std::fs::read_dir(&code).unwrap().count(), 4, "nothing is left of it");
    }

    #[test]
    fn several_may_collect_at_once() {
        let data = tempfile::tempdir().unwrap();
        let code = data.path().join(CODE);
        for number in 0..200 {
            make(&code, &format!("old-{number}"), 31);
        }
        let removed: usize = std::thread::scope(|scope| {
            let collecting: Vec<_> = (0..4).map(|_| scope.spawn(|| collect(data.path()))).collect();
            collecting.into_iter().map(|one| one.join().unwrap().unwrap()).sum()
        });
        assert!(removed >= 200, "{removed}");
        assert_eq!(std::fs::read_dir(&code).unwrap().count(), 0);
    }

    #[test]
    fn a_path_leads_to_its_cache() {
        let serving = Path::new("/data/serving");
        let paths = [
            "/usr/bin/python3",
            "-I",
            "/data/serving/lathe_worker.py",
            "/data/serving/models/abc",
            "/data/serving/environments/de/bin/python",
        ];
        let found = of_paths(serving, paths.map(Path::new));
        assert_eq!(found, [Path::new("/data/serving/models/abc"), Path::new("/data/serving/environments/de")]);
    }
}
