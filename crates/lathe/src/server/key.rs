//! The server's key: a file in the data folder that only its owner reads.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use lathe_access::ServerKey;
use lathe_core::{Code, Error, Result};

const FILE: &str = "secret.key";

/// Reads the key, or makes it at the first start. Servers that share a database must share this file: S3 secrets come from it.
pub(super) fn load(data_dir: &Path) -> Result<ServerKey> {
    let path = data_dir.join(FILE);
    let failed = |error: std::io::Error| {
        Error::new(Code::Unavailable, format!("the server's key {} cannot be used: {error}", path.display()))
            .with_hint("mend the permissions of the data folder, or choose another with --data-dir")
    };
    match fs::read_to_string(&path) {
        Ok(text) => {
            let mut bytes = [0; 32];
            hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| {
                Error::new(Code::Unavailable, format!("{} is not a server key: 64 hex digits", path.display()))
                    .with_hint("put the file of your backup back; without it a new one is made, and S3 keys change")
            })?;
            Ok(ServerKey::from_bytes(bytes))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = ServerKey::generate()?;
            // Written whole before it has its name: a crash must not leave half a key.
            let fresh = data_dir.join(format!("{FILE}.{}", std::process::id()));
            write(&fresh, &hex::encode(key.as_bytes())).and_then(|()| fs::rename(&fresh, &path)).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
