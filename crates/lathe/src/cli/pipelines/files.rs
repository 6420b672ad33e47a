//! Pipeline files on this machine.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use lathe_core::{Code, Error, Result};

/// A file is read no further than this: more than any pipeline file may have.
const MAX_BYTES: u64 = 2 * 1024 * 1024;

/// `lathe.yaml` and `pipelines/*.yaml`, those that are there.
pub(super) fn find() -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = ["lathe.yaml"].iter().map(PathBuf::from).filter(|path| path.is_file()).collect();
    let mut below: Vec<PathBuf> = match fs::read_dir("pipelines") {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect(),
        Err(_) => Vec::new(),
    };
    below.retain(|path| path.is_file() && path.extension().is_some_and(|end| end == "yaml" || end == "yml"));
    below.sort();
    found.append(&mut below);
    if found.is_empty() {
        let error = Error::new(Code::NotFound, "there is neither lathe.yaml nor pipelines/*.yaml here");
        return Err(error.with_hint("go to the folder of your code, or name the file"));
    }
    Ok(found)
}

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String> {
    let shown = path.display();
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::new(Code::NotFound, format!("there is no file {shown}")),
        _ => Error::new(Code::InvalidArgument, format!("{shown} cannot be read: {error}")),
    };
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| Error::invalid(format!("{shown} is not UTF-8 text")))
}
