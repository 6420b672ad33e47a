//! `lathe backup` and `lathe restore`: on the stores themselves; a server may go on working during a backup.

use std::path::PathBuf;

use clap::Args;
use lathe_core::{Clock, Result};

use super::maintenance;
use super::output::{Cell, Output, Record};
use super::serve::StoreArgs;
use crate::server::backup::{self, Manifest};

pub(super) const BACKUP_EXAMPLES: &str = "Examples:
  lathe backup --to /backups/lathe                      what is new since the last backup there is copied
  lathe backup --to /backups/lathe --data-dir /srv/lathe
  lathe backup --to ./copy --database-url postgres://lathe@db/lathe --objects s3://bucket/lathe";

pub(super) const RESTORE_EXAMPLES: &str = "Examples:
  lathe restore --from /backups/lathe --data-dir ./restored
  lathe restore --from /backups/lathe --database-url postgres://lathe@db/lathe    from SQLite to PostgreSQL, or back
  lathe fsck --data-dir ./restored                      read every object of it";

/// What to back up, and where to.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The folder of the backup: new, or one with an earlier backup of the same stores
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
}

/// Which backup to restore, and where to.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The folder of the backup
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs `lathe backup`.
///
/// # Errors
/// As [`backup::create`].
pub async fn create(BackupArgs { to, store }: BackupArgs, output: &Output) -> Result<()> {
    let clock = Clock::System;
    let rooms = maintenance::open_unchanged(store, &clock).await?;
    let bar = output.progress("copying");
    let made = backup::create(&rooms, &to, &clock, |total, report| {
        bar.set_length(total);
        bar.set_position(report.copied + report.already_there);
    })
    .await;
    bar.finish_and_clear();
    rooms.db.close().await;
    let (manifest, report) = made?;
    output.print_record(&record(&manifest).with("copied_objects", "copied", count(report.copied)).with(
        "copied_bytes",
        "copied bytes",
        Cell::Bytes(report.bytes),
    ))?;
    output.note("keep the head of the chain somewhere else: it proves that nothing before it was rewritten");
    Ok(())
}

/// Runs `lathe restore`.
///
/// # Errors
/// As [`backup::restore`].
pub async fn restore(RestoreArgs { from, store }: RestoreArgs, output: &Output) -> Result<()> {
    let flags = store.flags();
    let bar = output.progress("restoring");
    let restored = backup::restore(&store.into_options(), &from, &Clock::System, |total, report| {
        bar.set_length(total);
        bar.set_position(report.copied);
    })
    .await;
    bar.finish_and_clear();
    output.print_record(&record(&restored?))?;
    output.note(&format!("every object and the ledger were verified; start a server on it with: lathe serve{flags}"));
    Ok(())
}

fn record(manifest: &Manifest) -> Record {
    Record::default()
        .with("made_at_ms", "made", Cell::Time(manifest.made_at_ms))
        .with("rows", "rows", count(manifest.rows))
        .with("objects", "objects", count(manifest.objects))
        .with("events", "events", count(manifest.events))
        .with("ledger_head", "head of the chain", Cell::Text(manifest.ledger_head.clone()))
}

fn count(number: u64) -> Cell {
    Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
