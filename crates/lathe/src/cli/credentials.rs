//! The tokens that `lathe login` keeps: one for each server, in a file that only its owner may read.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use lathe_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use super::config;

const VERSION: u32 = 1;

/// A stored token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredToken {
    /// Who signed in.
    pub username: String,
    /// The id to revoke it by.
    pub id: String,
    /// The secret.
    pub token: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct CredentialsFile {
    version: u32,
    servers: BTreeMap<String, StoredToken>,
}

fn path() -> Result<PathBuf> {
    config::user_folder().map(|folder| folder.join("credentials.json")).ok_or_else(|| {
        Error::new(Code::Unavailable, "there is no folder for settings: neither HOME nor XDG_CONFIG_HOME is set")
            .with_hint("pass the token in LATHE_TOKEN")
    })
}

fn unusable(path: &std::path::Path, error: impl std::fmt::Display) -> Error {
    Error::new(Code::Unavailable, format!("the stored tokens in {} cannot be used: {error}", path.display()))
        .with_hint(format!("mend or remove that file, then sign in again: rm {} && lathe login", path.display()))
}

fn read() -> Result<CredentialsFile> {
    let path = path()?;
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(CredentialsFile { version: VERSION, servers: BTreeMap::new() });
        }
        Err(error) => return Err(unusable(&path, error)),
    };
    let file: CredentialsFile = serde_json::from_slice(&text).map_err(|error| unusable(&path, error))?;
    if file.version != VERSION {
        return Err(unusable(&path, format!("it has version {}, this Lathe knows {VERSION}", file.version)));
    }
    Ok(file)
}

/// Replaces the file at once, so that a crash leaves the old one or the new one.
fn write(file: &CredentialsFile) -> Result<()> {
    let path = path()?;
    let failed = |error: std::io::Error| unusable(&path, error);
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let fresh = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut written =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh).map_err(failed)?;
    let text = serde_json::to_vec_pretty(file).map_err(|error| unusable(&path, error))?;
    written.write_all(&text).and_then(|()| written.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, &path).map_err(failed)
}

/// The token stored for a server.
///
/// # Errors
/// `Unavailable` when the file cannot be read.
pub fn find(url: &str) -> Result<Option<StoredToken>> {
    Ok(read()?.servers.remove(url))
}

/// Stores a token for a server; answers the one it replaces.
///
/// # Errors
/// `Unavailable` when the file cannot be written.
pub fn store(url: &str, token: StoredToken) -> Result<Option<StoredToken>> {
    let mut file = read()?;
    let replaced = file.servers.insert(url.to_owned(), token);
    write(&file)?;
    Ok(replaced)
}

/// Forgets the token stored for a server.
///
/// # Errors
/// `Unavailable` when the file cannot be written.
pub fn forget(url: &str) -> Result<()> {
    let mut file = read()?;
    file.servers.remove(url);
    write(&file)
}
