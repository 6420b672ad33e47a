//! The output of a run's command: shown as it comes, and kept in a file.

use std::path::Path;

use lathe_core::{Code, Error, Result};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::super::output::Output;

/// The command's output in a file.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    /// How much of it is there.
    pub(super) bytes: u64,
    is_broken: bool,
}

impl Log {
    /// An empty file.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be made.
    pub(super) async fn create(path: &Path) -> Result<Self> {
        Ok(Self { file: File::create(path).await.map_err(log_failed)?, bytes: 0, is_broken: false })
    }

    /// Adds to it; answers its length. Once that failed, the rest is only shown: the command must not end for want of space.
    pub(super) async fn keep(&mut self, chunk: &[u8], output: &Output) -> u64 {
        if self.is_broken {
            return self.bytes;
        }
        let written = match self.file.write_all(chunk).await {
            Ok(()) => self.file.flush().await,
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => self.bytes += chunk.len() as u64,
            Err(error) => {
                self.is_broken = true;
                output.note(log_failed(error).message());
            }
        }
        self.bytes
    }
}

/// Shows what a pipe brings and passes it on, until it ends.
pub(super) async fn copy(
    mut pipe: impl AsyncRead + Unpin,
    mut shown: impl AsyncWrite + Unpin,
    kept: mpsc::Sender<Vec<u8>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        let chunk = buffer.get(..length).unwrap_or_default();
        // A terminal that has gone away must not end the run.
        let _ = shown.write_all(chunk).await;
        let _ = shown.flush().await;
        if kept.send(chunk.to_vec()).await.is_err() {
            return;
        }
    }
}

pub(super) fn log_failed(error: std::io::Error) -> Error {
    Error::new(Code::Unavailable, format!("the command's output cannot be kept: {error}"))
}
