//! The folders of attempts, which hold tokens and secrets: none may outlive its attempt for long.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use lathe_core::{Code, Error, Result};
use lathe_workflows::attempts::{folder, list_live};

use super::Work;
use super::order::{self, PROCESS, Process};

/// Removes the folder of an ended attempt.
pub(super) async fn remove(folder: &Path) {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, "an attempt's folder is left behind; the next start of the server removes it");
        }
        _ => {}
    }
}

/// Removes what earlier servers left behind: folders of attempts that ended, with what still runs in them, which can publish nothing.
/// Called before this server begins an attempt.
pub(super) async fn sweep(work: &Work) -> Result<()> {
    let root = work.folder.join("attempts");
    let unreadable = |error: std::io::Error| {
        Error::new(Code::Unavailable, format!("the folders of attempts cannot be read: {error}"))
    };
    // Listed before the attempts are: an attempt's row is older than its folder.
    let runs = list(&root).map_err(unreadable)?;
    let mut found = Vec::new();
    for run in &runs {
        found.extend(list(run).map_err(unreadable)?);
    }
    if runs.is_empty() {
        return Ok(());
    }
    let live = list_live(&work.server_ctx(), &work.rooms.workflows).await?;
    let live: HashSet<PathBuf> =
        live.iter().map(|attempt| folder(&work.folder, &attempt.pipeline_run, &attempt.job, attempt.attempt)).collect();
    for ended in found.iter().filter(|folder| !live.contains(*folder)) {
        end(ended);
        remove(ended).await;
    }
    for run in &runs {
        // Stays when it holds one that is at work.
        let _ = tokio::fs::remove_dir(run).await;
    }
    Ok(())
}

fn list(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Ends the runner of an attempt that has ended elsewhere, and its command.
fn end(folder: &Path) {
    if let Ok(Some(process)) = order::read::<Process>(folder, PROCESS) {
        process.kill();
    }
}
