//! Where a program is.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The file that a program is, as it is looked for when it is started from `folder`: by its path, or by its name in `path`.
pub fn find(folder: &Path, path: Option<&OsStr>, program: &Path) -> Option<PathBuf> {
    let can_start = |file: &PathBuf| {
        std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if !is_name(program) {
        return Some(folder.join(program)).filter(can_start);
    }
    std::env::split_paths(path?).map(|entry| folder.join(entry).join(program)).find(can_start)
}

/// Whether a program is looked for by its name, and not by its path.
pub fn is_name(program: &Path) -> bool {
    !program.as_os_str().as_encoded_bytes().contains(&b'/')
}
