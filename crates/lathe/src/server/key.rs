//! The server's key: a file in the data folder that only its owner reads.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use lathe_access::ServerKey;
use lathe_core::{Code, Error, Result};

const FILE: &str = "secret.key";
/// Instead of the file: never a flag, because other users of the machine see those.
const VARIABLE: &str = "LATHE_SECRET_KEY";

/// Reads the key, or makes it at the first start; one that the environment names comes before the file. Servers that share a database must share this file: S3 secrets and
/// the keys of jobs' secrets come from it.
pub(super) fn load(data_dir: &Path) -> Result<ServerKey> {
    if let Some(text) = std::env::var_os(VARIABLE) {
        return parse(&text.to_string_lossy())
            .ok_or_else(|| Error::invalid(format!("{VARIABLE} is not a server key: 64 hex digits")));
    }
    let path = data_dir.join(FILE);
    let failed = |error: std::io::Error| {
        Error::new(Code::Unavailable, format!("the server's key {} cannot be used: {error}", path.display()))
            .with_hint("mend the permissions of the data folder, or choose another with --data-dir")
    };
    match fs::read_to_string(&path) {
        Ok(text) => parse(&text).ok_or_else(|| {
            Error::new(Code::Unavailable, format!("{} is not a server key: 64 hex digits", path.display())).with_hint(
                "put the file of your backup back; without it a new one is made, S3 keys change, and no secret opens",
            )
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = ServerKey::generate()?;
            // Written whole before it has its name: a crash must not leave half a key.
            let fresh = data_dir.join(format!("{FILE}.{}", std::process::id()));
            write(&fresh, &hex::encode(key.as_bytes())).and_then(|()| fs::rename(&fresh, &path)).map_err(failed)?;
            // Without the folder's own entry on disk, a power cut would lose the key that secrets are sealed with.
            File::open(data_dir).and_then(|folder| folder.sync_all()).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}

fn parse(text: &str) -> Option<ServerKey> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim(), &mut bytes).ok()?;
    Some(ServerKey::from_bytes(bytes))
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
