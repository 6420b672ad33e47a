//! Background work: sealing the ledger, watching free space, collecting garbage. Named, and awaited at the end.

use std::path::PathBuf;
use std::time::Duration;

use lathe_core::Clock;
use lathe_data::Data;
use lathe_db::WriteGate;
use lathe_db::ledger::sealer;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Options, Rooms};
use crate::work::{Endpoints, Work};

const SPACE_INTERVAL: Duration = Duration::from_secs(1);
const READS_INTERVAL: Duration = Duration::from_secs(1);
const GC_INTERVAL: Duration = Duration::from_secs(6 * 3600);

/// The running loops.
#[derive(Debug)]
pub(super) struct Loops {
    tasks: Vec<(&'static str, JoinHandle<()>)>,
}

impl Loops {
    /// Waits for all loops to end, which they do once the stop signal is set.
    pub(super) async fn finish(self) {
        for (name, task) in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, task = name, "a background task ended badly");
            }
        }
    }
}

/// Starts all loops. All end when the server is `stopping`, but for the one that keeps what requests leave behind: it ends once
/// there are `no_more_requests`.
pub(super) fn start(
    rooms: &Rooms,
    options: &Options,
    endpoints: Endpoints,
    clock: &Clock,
    stopping: &watch::Receiver<bool>,
    no_more_requests: watch::Receiver<bool>,
) -> Loops {
    let holder = format!("{}-{}", std::process::id(), clock.now_ms());
    let sealing = sealer::run(rooms.db.clone(), holder.clone(), clock.clone(), stopping.clone());
    let space =
        watch_space(rooms.db.gate().clone(), options.data_dir.clone(), options.min_free_bytes, stopping.clone());
    let work = Work::new(rooms.clone(), endpoints, options.work_folder(), &holder, clock.clone());
    let collecting = collect_garbage(rooms.clone(), options.data_dir.clone(), holder, clock.clone(), stopping.clone());
    Loops {
        tasks: vec![
            ("sealer", tokio::spawn(sealing)),
            ("space", tokio::spawn(space)),
            ("gc", tokio::spawn(collecting)),
            ("deployments", tokio::spawn(crate::deploy::run(rooms.clone(), options.into(), stopping.clone()))),
            ("work", tokio::spawn(crate::work::run(work, stopping.clone()))),
            ("monitoring", tokio::spawn(crate::monitor::run(rooms.clone(), clock.clone(), stopping.clone()))),
            ("samples", tokio::spawn(lathe_monitoring::collect::run(rooms.monitoring.clone(), no_more_requests))),
            ("reads", tokio::spawn(note_reads(rooms.data.clone(), stopping.clone()))),
        ],
    }
}

/// Sleeps; answers whether the loop should go on.
async fn pause(length: Duration, stopping: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(length) => true,
        _ = stopping.wait_for(|is_stopping| *is_stopping) => false,
    }
}

/// Stores which paths runs have read, and once more at the end.
async fn note_reads(data: Data, mut stopping: watch::Receiver<bool>) {
    loop {
        let goes_on = pause(READS_INTERVAL, &mut stopping).await;
        if let Err(error) = lathe_data::uses::flush(&data).await {
            tracing::warn!(error = %error.log_line(), "some paths that runs read are not recorded");
        }
        if !goes_on {
            return;
        }
    }
}

async fn watch_space(gate: WriteGate, data_dir: PathBuf, min_free_bytes: u64, mut stopping: watch::Receiver<bool>) {
    loop {
        match rustix::fs::statvfs(&data_dir) {
            Ok(stat) => {
                let free_bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
                if gate.set_closed(free_bytes < min_free_bytes) {
                    tracing::warn!(
                        free_bytes,
                        min_free_bytes,
                        "free space crossed the low-water mark: writes are refused below it"
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "free space cannot be read"),
        }
        if !pause(SPACE_INTERVAL, &mut stopping).await {
            return;
        }
    }
}

async fn collect_garbage(
    rooms: Rooms,
    data_dir: PathBuf,
    holder: String,
    clock: Clock,
    mut stopping: watch::Receiver<bool>,
) {
    while pause(GC_INTERVAL, &mut stopping).await {
        // Each server's own.
        let folder = data_dir.clone();
        match tokio::task::spawn_blocking(move || crate::caches::collect(&folder)).await {
            Ok(Ok(folders)) => tracing::info!(folders, "folders that were not used for long are removed"),
            Ok(Err(error)) => {
                tracing::warn!(error = %error.log_line(), "folders that were not used for long are not removed")
            }
            Err(error) => tracing::error!(%error, "removing folders ended badly"),
        }
        match rooms.collect_garbage(&holder, &clock).await {
            Ok(Some(report)) => tracing::info!(?report, "garbage collected"),
            // Another server is at it.
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(error = %error.log_line(), "garbage was not collected; trying again later");
            }
        }
    }
}
