//! A backup: a folder with the database as one portable text, the objects that it names, and a manifest that ties them.
//!
//! ```text
//! manifest.json     format, when, how much, the head of the ledger's chain, the hash of the database's text
//! database.jsonl    every row of every table, as of one moment
//! objects/          named by their hashes; a later backup into the same folder adds what is new
//! ```

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use lathe_core::{Clock, Code, Error, Result};
use lathe_db::backup::{Collect, dump, load};
use lathe_db::{Db, DbOptions, ledger, migrate};
use lathe_objects::{CopyReport, ObjectHash, export, import};
use serde::{Deserialize, Serialize};

use super::{Options, Rooms, join_rooms, lock};

const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const DATABASE: &str = "database.jsonl";
const OBJECTS: &str = "objects";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the folder's layout.
    pub format: u32,
    /// The Lathe that made it.
    pub lathe_version: String,
    /// When, in milliseconds since 1970.
    pub made_at_ms: i64,
    /// Rows of the database.
    pub rows: u64,
    /// Objects that they name.
    pub objects: u64,
    /// Sealed events of the ledger.
    pub events: u64,
    /// The head of the ledger's chain, hex. Noted elsewhere, it proves that nothing before it was rewritten.
    pub ledger_head: String,
    /// BLAKE3 of `database.jsonl`, hex.
    pub database_blake3: String,
}

/// Copies everything into a folder while servers go on working. An interrupted backup leaves the one before it whole.
///
/// # Errors
/// `Conflict` while garbage is collected, `InvalidArgument` for a folder that holds something else, and what stores answer.
pub async fn create(
    rooms: &Rooms,
    folder: &Path,
    clock: &Clock,
    progress: impl FnMut(u64, CopyReport),
) -> Result<(Manifest, CopyReport)> {
    make_folder(folder)?;
    let holder = format!("backup-{}-{}", std::process::id(), clock.now_ms());
    // What the snapshot names must not be deleted before it is copied.
    if !rooms.pause_garbage_collection(&holder, clock).await? {
        return Err(Error::conflict("another process collects garbage or makes a backup in these stores now")
            .with_hint("try again in a few minutes"));
    }
    let made = create_paused(rooms, folder, clock, progress).await;
    rooms.resume_garbage_collection(&holder, clock).await?;
    made
}

async fn create_paused(
    rooms: &Rooms,
    folder: &Path,
    clock: &Clock,
    mut progress: impl FnMut(u64, CopyReport),
) -> Result<(Manifest, CopyReport)> {
    let made_at_ms = clock.now_ms();
    let verified = ledger::verify(&rooms.db).await?;
    if let Some(broken) = verified.first_broken {
        return Err(Error::conflict(format!("event {} of the ledger is broken: {}", broken.position, broken.reason))
            .with_hint("look into it with: lathe audit verify"));
    }
    let (partial, database) = (folder.join("database.partial"), folder.join(DATABASE));
    let references = crate::references();
    let collect: Vec<Collect<'_>> =
        references.iter().map(|reference| Collect { table: reference.table, column: reference.column }).collect();
    let mut file = BufWriter::new(File::create(&partial).map_err(|error| cannot("write", &partial, error))?);
    let copied = dump(&rooms.db, &mut file, &collect).await?;
    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(|error| cannot("write", &partial, error))?;

    let hashes = copied.collected.iter().map(|hash| ObjectHash::parse(hash)).collect::<Result<Vec<_>>>()?;
    let total = u64::try_from(hashes.len()).unwrap_or(u64::MAX);
    let report = export(&rooms.objects, &hashes, &folder.join(OBJECTS), |report| progress(total, report)).await?;
    let manifest = Manifest {
        format: FORMAT,
        lathe_version: crate::VERSION.to_owned(),
        made_at_ms,
        rows: copied.rows,
        objects: total,
        events: verified.events,
        ledger_head: verified.head,
        database_blake3: hash_file(&partial)?,
    };
    // The old pair of database and manifest stays until both new ones are complete.
    let (new_manifest, manifest_path) = (folder.join("manifest.partial"), folder.join(MANIFEST));
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| Error::internal("the manifest cannot be written").with_source(error))?;
    let mut file = File::create(&new_manifest).map_err(|error| cannot("write", &new_manifest, error))?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(|error| cannot("write", &new_manifest, error))?;
    std::fs::rename(&partial, &database).map_err(|error| cannot("write", &database, error))?;
    std::fs::rename(&new_manifest, &manifest_path).map_err(|error| cannot("write", &manifest_path, error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| cannot("write", folder, error))?;
    Ok((manifest, report))
}

/// Fills new, empty stores from a backup. Nothing is overwritten: stores that hold anything are refused.
///
/// # Errors
/// `NotFound` when the folder is no backup, `InvalidArgument` when it was changed or cut, `Conflict` when the stores are not
/// empty or the backup is a newer Lathe's.
pub async fn restore(
    options: &Options,
    folder: &Path,
    clock: &Clock,
    mut progress: impl FnMut(u64, CopyReport),
) -> Result<Manifest> {
    let manifest = read_manifest(folder)?;
    let database = folder.join(DATABASE);
    if hash_file(&database)? != manifest.database_blake3 {
        return Err(Error::invalid(format!(
            "{} is not what the manifest says: it was changed, or the backup was interrupted",
            database.display()
        ))
        .with_hint("make the backup again, or use another one"));
    }
    let _lock = lock::take(&options.data_dir)?;
    let db = Db::open(&options.database_url(), &DbOptions::default()).await?;
    let file = File::open(&database).map_err(|error| cannot("read", &database, error))?;
    load(&db, crate::SCHEMAS, BufReader::new(file), clock.now_ms()).await?;
    migrate(&db, crate::SCHEMAS, clock.now_ms()).await?;

    let rooms = join_rooms(db, options, clock).await?;
    let hashes = lathe_objects::named(&rooms.objects, &crate::references()).await?;
    let total = u64::try_from(hashes.len()).unwrap_or(u64::MAX);
    import(&rooms.objects, &hashes, &folder.join(OBJECTS), |report| progress(total, report)).await?;

    // Events may have been sealed between the manifest's look at the chain and the snapshot: then the head is a later one.
    let verified = ledger::verify(&rooms.db).await?;
    rooms.db.close().await;
    let is_whole = verified.first_broken.is_none() && verified.events >= manifest.events;
    if !is_whole {
        return Err(Error::conflict("the ledger of this backup does not hold together")
            .with_hint("use another backup; `lathe audit verify` on the restored data names the first broken event"));
    }
    Ok(manifest)
}

fn read_manifest(folder: &Path) -> Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = std::fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::not_found(format!("{} is no backup: it has no manifest", folder.display()))
                .with_hint("make one with: lathe backup --to FOLDER")
        }
        _ => cannot("read", &path, error),
    })?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| Error::invalid(format!("{} is no manifest of a backup", path.display())).with_source(error))?;
    if manifest.format > FORMAT {
        return Err(Error::conflict(format!(
            "this backup was made by Lathe {}, which is newer",
            manifest.lathe_version
        ))
        .with_hint("restore it with that version"));
    }
    Ok(manifest)
}

fn make_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| cannot("make", folder, error))?;
    let mut entries = std::fs::read_dir(folder).map_err(|error| cannot("read", folder, error))?;
    let known = [MANIFEST, DATABASE, OBJECTS, "database.partial", "manifest.partial"];
    let stranger =
        entries.find_map(|entry| entry.ok().filter(|entry| known.iter().all(|name| entry.file_name() != *name)));
    match stranger {
        None => Ok(()),
        Some(stranger) => Err(Error::invalid(format!(
            "{} holds something that is no backup: {}",
            folder.display(),
            PathBuf::from(stranger.file_name()).display()
        ))
        .with_hint("name a new or empty folder, or one that holds an earlier backup")),
    }
}

fn hash_file(path: &Path) -> Result<String> {
    let file = File::open(path).map_err(|error| cannot("read", path, error))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).map_err(|error| cannot("read", path, error))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Files that the person named: what went wrong with them is theirs to know.
fn cannot(verb: &str, path: &Path, error: std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::OutOfSpace,
        std::io::ErrorKind::NotFound => Code::NotFound,
        _ => Code::InvalidArgument,
    };
    Error::new(code, format!("cannot {verb} {}: {error}", path.display()))
}
