//! The Python environment of the worker, as far as a job without one of its own depends on it: which packages lie beside the `python` of its PATH.
//!
//! Read from names of folders, without starting Python. A change within a package that keeps its version is not seen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const NAMES: [&str; 2] = ["python3", "python"];

/// A text that changes when a package is added, removed or gets another version, and when another Python is first in PATH.
pub(super) fn describe() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    describe_in(&std::env::split_paths(&path).collect::<Vec<_>>())
}

fn describe_in(folders: &[PathBuf]) -> String {
    let mut hasher = blake3::Hasher::new();
    for name in NAMES {
        let found = folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file());
        for part in found.iter().flat_map(|program| parts(program)) {
            // No two lists make the same text.
            hasher.update(part.as_bytes()).update(b"\0");
        }
        hasher.update(b"\n");
    }
    format!("the worker's {}", hasher.finalize().to_hex())
}

/// The packages of a Python: of its own environment, and of the installation that it leads to.
fn parts(program: &Path) -> BTreeSet<String> {
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let mut parts = BTreeSet::from([real.display().to_string()]);
    for prefix in [program, real.as_path()].into_iter().filter_map(|one| one.parent()?.parent()) {
        for library in entries(&prefix.join("lib")).into_iter().filter(|name| name.starts_with("python")) {
            for packages in ["site-packages", "dist-packages"] {
                let found = entries(&prefix.join("lib").join(&library).join(packages));
                let is_package = |name: &String| name.ends_with(".dist-info") || name.ends_with(".egg-info");
                parts.extend(found.into_iter().filter(is_package).map(|name| format!("{library}/{name}")));
            }
        }
    }
    parts
}

fn entries(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn another_package_is_another_environment() {
        let folder = tempfile::tempdir().unwrap();
        let packages = folder.path().join("lib/python3.11/site-packages");
        let bin = folder.path().join("bin");
        fs::create_dir_all(packages.join("numpy-1.0.dist-info")).unwrap();
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("python3"), "").unwrap();
        let describe = || describe_in(&[folder.path().join("none"), bin.clone()]);
        let first = describe();
        assert_eq!(describe(), first);
        fs::rename(packages.join("numpy-1.0.dist-info"), packages.join("numpy-1.1.dist-info")).unwrap();
        let second = describe();
        fs::create_dir(packages.join("numpy")).unwrap();
        assert_eq!(describe(), second);
        assert_ne!(first, second);
        assert_ne!(describe_in(&[]), second);
    }
}
