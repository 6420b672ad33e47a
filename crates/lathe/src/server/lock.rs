//! One server per data folder: a lock that the operating system drops with the process, however it ends.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use lathe_core::{Code, Error, Result};

/// Held for the life of the server.
#[derive(Debug)]
pub(super) struct DataDirLock {
    _file: File,
}

/// Makes the data folder (readable by its owner only) and locks it.
pub(super) fn take(data_dir: &Path) -> Result<DataDirLock> {
    let shown = data_dir.display();
    let failed = |error: std::io::Error| {
        Error::new(Code::Unavailable, format!("the data folder {shown} cannot be used: {error}"))
            .with_hint("choose another with --data-dir, or mend its permissions")
    };
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(failed)?;
    let file =
        File::options().create(true).truncate(false).write(true).open(data_dir.join("lathe.lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(DataDirLock { _file: file }),
        Err(TryLockError::WouldBlock) => {
            Err(Error::conflict(format!("another Lathe server already uses the data folder {shown}"))
                .with_hint("use that server, or give this one another --data-dir"))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
