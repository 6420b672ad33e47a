//! `lathe fsck` and `lathe gc`: on the stores themselves, whether a server runs or not.

use std::process::ExitCode;

use clap::Args;
use lathe_core::{Clock, Ctx, Error, Kind, Name, Project, Result};
use lathe_models::model_versions::{SearchModelVersions, search_model_versions};
use lathe_objects::FsckReport;

use super::output::{Cell, Output, Record, Table};
use super::serve::StoreArgs;
use crate::server::{self, Options, Rooms};

/// How many versions are named for one damaged file.
const MAX_VERSIONS: i64 = 100;

/// The stores to look after.
#[derive(Debug, Args)]
pub struct MaintenanceArgs {
    #[command(flatten)]
    store: StoreArgs,
}

async fn open(MaintenanceArgs { store }: MaintenanceArgs, clock: &Clock) -> Result<Rooms> {
    server::open_rooms(&existing(store)?, clock).await
}

/// Opens the stores without upgrading them.
///
/// # Errors
/// `NotFound` when there is no store, `Unavailable` when one does not answer.
pub(super) async fn open_unchanged(store: StoreArgs, clock: &Clock) -> Result<Rooms> {
    server::open_rooms_unchanged(&existing(store)?, clock).await
}

fn existing(store: StoreArgs) -> Result<Options> {
    let options = store.into_options();
    // A mistyped folder must not become a new, empty store that is in perfect order.
    let database = options.data_dir.join("lathe.db");
    if options.database_url.is_none() && !database.is_file() {
        return Err(Error::not_found(format!("there is no Lathe data in {}", options.data_dir.display()))
            .with_hint("name the folder with --data-dir, or the database with --database-url"));
    }
    Ok(options)
}

/// Runs `lathe fsck`: exits 1 when an object is damaged or missing.
///
/// # Errors
/// `NotFound` when there is no store, `Unavailable` when one cannot be read.
pub async fn fsck(arguments: MaintenanceArgs, output: &Output) -> Result<ExitCode> {
    let rooms = open(arguments, &Clock::System).await?;
    let waiting = output.spinner("reading every object and comparing it with its hash");
    let report = lathe_objects::fsck(&rooms.objects, &crate::references()).await;
    waiting.finish_and_clear();
    let report = match report {
        Ok(report) => name_versions(&rooms, report).await,
        Err(error) => Err(error),
    };
    rooms.db.close().await;
    let report = report?;

    let mut damages = Table::new([("object", "OBJECT"), ("dependents", "WHAT DEPENDS ON IT"), ("reason", "REASON")]);
    let count = report.damages.len();
    // What a person at a server would read instead of the cause.
    let neutral = Error::internal("").log_line();
    for damage in report.damages {
        damages.push(vec![
            Cell::Text(damage.hash.to_string()),
            Cell::Texts(damage.dependents),
            Cell::Text(damage.reason.replacen(&neutral, "", 1)),
        ]);
    }
    output.print_record(
        &Record::default()
            .with("objects", "objects", Cell::Integer(i64::try_from(report.objects).unwrap_or(i64::MAX)))
            .with("bytes", "read", Cell::Bytes(u64::try_from(report.bytes).unwrap_or_default()))
            .with("damaged", "damaged", Cell::Integer(i64::try_from(count).unwrap_or(i64::MAX)))
            .with("damages", "damages", Cell::Rows(damages)),
    )?;
    if count == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("error: {count} of {} objects are damaged or missing", report.objects);
    eprintln!("hint: copy them from a backup into the objects folder, then check again: lathe fsck");
    Ok(ExitCode::FAILURE)
}

/// Adds the model versions whose files are damaged: they are what people know.
async fn name_versions(rooms: &Rooms, mut report: FsckReport) -> Result<FsckReport> {
    for damage in &mut report.damages {
        let mut found = Vec::new();
        for dependent in &damage.dependents {
            let artifact = dependent.strip_prefix("artifacts ").and_then(|artifact| artifact.split_once('/'));
            if let Some((project, path)) = artifact {
                found.extend(versions_of(rooms, &Project::parse(project)?, path).await?);
            }
        }
        damage.dependents.extend(found);
    }
    Ok(report)
}

/// The versions that are made of a file of a run or a logged model.
async fn versions_of(rooms: &Rooms, project: &Project, path: &str) -> Result<Vec<String>> {
    let Some((id, _)) = path.split_once("/artifacts/").map(|(root, below)| (root.rsplit('/').next(), below)) else {
        return Ok(Vec::new());
    };
    // It goes into a filter.
    let Some(id) = id.filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')) else {
        return Ok(Vec::new());
    };
    let request = SearchModelVersions {
        filter: Some(format!("source_path LIKE '%{id}%'")),
        max_results: MAX_VERSIONS,
        ..SearchModelVersions::default()
    };
    let page = search_model_versions(&Ctx::system("fsck", project.clone()), &rooms.models, request).await?;
    let holds = |location: &str| {
        let folder = location.strip_prefix("mlflow-artifacts:/").unwrap_or_default().trim_matches('/');
        !folder.is_empty() && path.strip_prefix(folder).is_some_and(|below| below.starts_with('/'))
    };
    let versions = page.items.into_iter().filter(|version| holds(&version.storage_location));
    Ok(versions
        .map(|version| Name::new(project, Kind::Model, format_args!("{}/{}", version.name, version.version)))
        .map(|name| format!("model_versions {name}"))
        .collect())
}

/// Runs `lathe gc`.
///
/// # Errors
/// `Conflict` while another process collects, and as [`fsck`].
pub async fn gc(arguments: MaintenanceArgs, output: &Output) -> Result<()> {
    let clock = Clock::System;
    let options = existing(arguments.store)?;
    let rooms = server::open_rooms(&options, &clock).await?;
    let waiting = output.spinner("deleting objects that nothing names any more");
    let holder = format!("gc-{}-{}", std::process::id(), clock.now_ms());
    let report = rooms.collect_garbage(&holder, &clock).await;
    waiting.finish_and_clear();
    rooms.db.close().await;
    let Some(report) = report? else {
        return Err(Error::conflict("another process collects garbage in these stores now")
            .with_hint("a server does it by itself every six hours; try again later"));
    };
    let collecting = tokio::task::spawn_blocking(move || crate::caches::collect(&options.data_dir)).await;
    let folders = collecting.map_err(|error| Error::internal("removing folders ended badly").with_source(error))??;
    let deleted_bytes = u64::try_from(report.deleted_bytes).unwrap_or_default();
    output.print_record(
        &Record::default()
            .with(
                "deleted_objects",
                "deleted",
                Cell::Integer(i64::try_from(report.deleted_objects).unwrap_or(i64::MAX)),
            )
            .with("deleted_bytes", "freed", Cell::Bytes(deleted_bytes))
            .with("removed_folders", "folders removed", Cell::Integer(i64::try_from(folders).unwrap_or(i64::MAX))),
    )?;
    output.note("objects of the last day are left alone, and so are folders that were used within 30 days");
    Ok(())
}
