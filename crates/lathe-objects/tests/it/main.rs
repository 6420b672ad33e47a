//! Tests of the object store: both databases, local files and a real S3 server.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod copy;
mod damage;
mod gc;
mod put_get;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use lathe_core::{Clock, Error, Result};
use lathe_db::{Db, FutureExt as _, Migration, Schema, query};
use lathe_objects::{Object, ObjectHash, Objects, Reference};
use tempfile::TempDir;

/// A room's table that names objects.
const NOTES: Schema = Schema {
    room: "notes",
    migrations: &[Migration {
        version: 1,
        statements: &["CREATE TABLE notes (name {text} NOT NULL PRIMARY KEY, hash {text} NOT NULL) {clustered}"],
    }],
};
const REFERENCES: [Reference; 1] = [Reference { table: "notes", column: "hash", label: "name" }];

/// A store in a folder, and one in a bucket of the S3 server that the environment names.
async fn stores(db: &Db, clock: &Clock) -> (TempDir, [Objects; 2]) {
    assert!(
        std::env::var_os("LATHE_TEST_S3_URL").is_some(),
        "LATHE_TEST_S3_URL names no server; run `make test`, or export it from `scripts/s3-server.sh start`"
    );
    let folder = tempfile::tempdir().unwrap();
    let bucket = std::env::var("LATHE_TEST_S3_BUCKET").unwrap();
    let urls = [
        format!("file://{}", folder.path().join("objects").display()),
        format!("s3://{bucket}/{}", lathe_core::EventId::generate()),
    ];
    let open = async |url: &str| Objects::open(url, &folder.path().join("scratch"), db.clone(), clock.clone()).await;
    let stores = [open(&urls[0]).await.unwrap(), open(&urls[1]).await.unwrap()];
    (folder, stores)
}

fn chunks(bytes: &[u8], size: usize) -> impl Stream<Item = Result<Bytes>> + Unpin + use<> {
    let parts: Vec<_> = bytes.chunks(size).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
    stream::iter(parts)
}

async fn put(objects: &Objects, bytes: &[u8]) -> Object {
    objects.put(chunks(bytes, 64 * 1024)).await.unwrap()
}

async fn get(objects: &Objects, hash: &ObjectHash) -> Result<Vec<u8>> {
    read(objects, hash, None).await
}

async fn read(objects: &Objects, hash: &ObjectHash, range: Option<std::ops::Range<u64>>) -> Result<Vec<u8>> {
    let mut stream = objects.get(hash, range).await?.stream;
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

async fn name(db: &Db, name: &'static str, hash: &ObjectHash) {
    let hash = hash.to_string();
    db.write(move |tx| {
        async move {
            let insert = query("INSERT INTO notes (name, hash) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING");
            tx.execute(insert.bind(name).bind(hash)).await.map(|_| ())
        }
        .boxed()
    })
    .await
    .unwrap();
}

async fn listed(db: &Db) -> i64 {
    db.fetch_one(query("SELECT COUNT(*) FROM objects")).await.unwrap().get(0).unwrap()
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn broken() -> Error {
    Error::invalid("the client went away")
}
