//! CPU time and wall time of the data room by the size of a repository, on SQLite or on the PostgreSQL at
//! `LATHE_TEST_POSTGRES_URL`.
//!
//! `cargo run --profile bench --example measure -p lathe-data -- [sqlite|postgres] [paths]`. Linux only (reads `/proc`). On
//! PostgreSQL the CPU time is this process's alone, not the database server's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a tool for developers"
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream;
use lathe_core::{Clock, Ctx};
use lathe_data::changes::{Compared, ListChanges, list_changes};
use lathe_data::commits::{CreateCommit, commit};
use lathe_data::listing::{ListObjects, list_objects};
use lathe_data::merges::{FastForward, Merge, Strategy, merge};
use lathe_data::objects::{PutObject, get_object, put_object};
use lathe_data::refs::create_branch;
use lathe_data::repositories::{CreateRepository, create_repository};
use lathe_data::{Data, ObjectKey, RefName, RepositoryName, Revision, SCHEMA};
use lathe_db::{Db, FutureExt as _, Value, query};
use lathe_objects::Objects;
use lathe_testkit::{TestDatabase, ctx};

/// CPU time of all threads of this process, living and ended.
fn cpu() -> Duration {
    let mut total = 0_u64;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path().join("schedstat");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        total += text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or_default();
    }
    Duration::from_nanos(total)
}

async fn measure<T>(name: &str, times: u32, mut work: impl AsyncFnMut(u32) -> T) {
    let (mut walls, cpu_before) = (Vec::new(), cpu());
    for time in 0..times {
        let started = Instant::now();
        work(time).await;
        walls.push(started.elapsed());
    }
    walls.sort_unstable();
    let cpu = (cpu() - cpu_before).as_secs_f64() * 1_000.0 / f64::from(times);
    let median = walls.get(walls.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1_000.0;
    println!("  {name:58} {cpu:9.3} ms CPU {median:9.3} ms wall (median)");
}

/// The entry with the hashes of other bytes: behind two bytes of size, 32 of BLAKE3 and 16 of MD5.
fn with_other_hashes(entry: &[u8], seed: u32) -> Vec<u8> {
    let mut other = entry.to_vec();
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut other[2..50]);
    other
}

/// A repository as one sees it.
struct World {
    ctx: Ctx,
    data: Data,
    db: Db,
    repository: RepositoryName,
}

fn path(at: u32) -> String {
    format!("images/class-{:03}/{at:08}.jpg", at % 500)
}

impl World {
    async fn put(&self, branch: &RefName, at: &str, content: String) {
        let body = stream::iter([Ok(Bytes::from(content))]);
        let path = ObjectKey::parse(at).unwrap();
        put_object(&self.ctx, &self.data, &self.repository, branch, &path, PutObject::default(), body).await.unwrap();
    }

    async fn commit(&self, branch: &RefName) {
        let request = CreateCommit { message: "measured".to_owned(), ..CreateCommit::default() };
        commit(&self.ctx, &self.data, &self.repository, branch, request).await.unwrap();
    }

    /// Stages this many paths of 10,000 bytes each, past the room: that is not what is measured. Only their hashes differ, and
    /// there are no objects behind them.
    async fn fill(&self, branch: &RefName, paths: u32) {
        self.put(branch, "seed", "x".repeat(10_000)).await;
        let row = "SELECT repo_key, generation, entry FROM staged WHERE path = 'seed' ORDER BY at_ms DESC LIMIT 1";
        let row = self.db.fetch_one(query(row)).await.unwrap();
        let (key, generation, entry): (i64, i64, Vec<u8>) =
            (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
        for first in (0..paths).step_by(1_000) {
            let mut insert = query("INSERT INTO staged (repo_key, branch, path, generation, entry, at_ms) VALUES ");
            insert.push_rows((first..paths.min(first + 1_000)).map(|at| {
                [
                    Value::from(key),
                    Value::from(branch.as_str()),
                    Value::from(path(at)),
                    Value::from(generation),
                    Value::from(with_other_hashes(&entry, at)),
                    Value::from(0_i64),
                ]
            }));
            self.db.write(move |tx| async move { tx.execute(insert).await }.boxed()).await.unwrap();
        }
    }

    async fn nodes(&self) -> (i64, i64) {
        let row = "SELECT COUNT(*), CAST(COALESCE(SUM(LENGTH(bytes)), 0) AS BIGINT) FROM nodes";
        let row = self.db.fetch_one(query(row)).await.unwrap();
        (row.get(0).unwrap(), row.get(1).unwrap())
    }
}

async fn at_size(db: &Db, data: &Data, paths: u32) {
    println!("{paths} paths");
    let world = World {
        ctx: ctx(),
        data: data.clone(),
        db: db.clone(),
        repository: RepositoryName::parse(&format!("repository-{paths}")).unwrap(),
    };
    let World { ctx, data, repository, .. } = &world;
    create_repository(ctx, data, CreateRepository::named(repository.clone())).await.unwrap();
    let (main, side) = (RefName::main(), RefName::parse("side").unwrap());
    let head: Revision = main.clone().into();
    world.fill(&main, paths).await;
    measure("list_objects, 1,000 staged paths", 10, async |at| {
        let request = ListObjects { start_after: Some(path(at * 40)), max_keys: 1_000, ..ListObjects::default() };
        list_objects(ctx, data, repository, &head, request).await.unwrap()
    })
    .await;
    measure("list_objects, the folders of staged `images/`", 2, async |_| {
        let (prefix, delimiter) = ("images/".to_owned(), Some("/".to_owned()));
        let request = ListObjects { prefix, delimiter, max_keys: 1_000, ..ListObjects::default() };
        list_objects(ctx, data, repository, &head, request).await.unwrap()
    })
    .await;
    measure("first commit, of all paths", 1, async |_| world.commit(&main).await).await;
    let (nodes, bytes) = world.nodes().await;
    measure("create_branch", 50, async |at| {
        let name = RefName::parse(&format!("branch-{at}")).unwrap();
        create_branch(ctx, data, repository, name, &head).await.unwrap();
    })
    .await;
    let spread = paths / 50;
    measure("put_object, 1 KiB", 50, async |at| world.put(&main, &path(at * spread), "y".repeat(1_000)).await).await;
    world.commit(&main).await;
    measure("put_object, 10 KiB", 50, async |at| world.put(&main, &path(at * spread), "y".repeat(10_000)).await).await;
    world.commit(&main).await;
    let before = world.nodes().await;
    let mut times = Vec::new();
    measure("put_object and commit, one path", 50, async |at| {
        world.put(&main, &path(at * spread + 1), format!("new {at}")).await;
        let started = Instant::now();
        world.commit(&main).await;
        times.push(started.elapsed());
    })
    .await;
    times.sort_unstable();
    let after = world.nodes().await;
    println!(
        "    of it the commit: {:.3} ms wall (median), {:.1} nodes of {:.0} bytes together",
        times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1_000.0,
        (after.0 - before.0) as f64 / 50.0,
        (after.1 - before.1) as f64 / 50.0
    );
    measure("get_object, committed", 50, async |at| {
        let path = ObjectKey::parse(&path(at * spread + 1)).unwrap();
        get_object(ctx, data, repository, &head, &path, None).await.unwrap();
    })
    .await;
    for (name, prefix, delimiter) in
        [("list_objects, 1,000 paths", "", None), ("list_objects, the folders of `images/`", "images/", Some("/"))]
    {
        measure(name, 10, async |_| {
            let request = ListObjects {
                prefix: prefix.to_owned(),
                delimiter: delimiter.map(str::to_owned),
                max_keys: 1_000,
                ..ListObjects::default()
            };
            list_objects(ctx, data, repository, &head, request).await.unwrap()
        })
        .await;
    }
    let parent = Revision::parse("main~1").unwrap();
    measure("list_changes of the last commit", 10, async |_| {
        let compared = Compared::Refs { from: parent.clone(), to: head.clone() };
        let request = ListChanges { compared, prefix: String::new(), page_token: None, max_results: 100 };
        assert_eq!(list_changes(ctx, data, repository, request).await.unwrap().changes.len(), 1);
    })
    .await;
    create_branch(ctx, data, repository, side.clone(), &head).await.unwrap();
    world.put(&main, &path(2), "ours".to_owned()).await;
    world.commit(&main).await;
    measure("put, commit and three-way merge of one path", 10, async |at| {
        world.put(&side, &path(at * spread + 3), format!("theirs {at}")).await;
        world.commit(&side).await;
        let request = Merge {
            source: side.clone().into(),
            dest: main.clone(),
            message: None,
            strategy: Strategy::default(),
            fast_forward: FastForward::Never,
        };
        merge(ctx, data, repository, request).await.unwrap();
    })
    .await;
    println!(
        "  the tree of the first commit: at most {nodes} nodes, {:.1} bytes a path",
        bytes as f64 / f64::from(paths)
    );
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let is_postgres = arguments.next().is_some_and(|kind| kind == "postgres");
    let most: u32 = arguments.next().map_or(1_000_000, |paths| paths.parse().expect("a number of paths"));
    let schemas = [SCHEMA, lathe_objects::SCHEMA];
    let database =
        if is_postgres { TestDatabase::postgres(&schemas).await } else { TestDatabase::sqlite(&schemas).await };
    let objects_folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", objects_folder.path().display());
    let objects = Objects::open(&url, objects_folder.path(), database.db.clone(), Clock::System).await.unwrap();
    let data = Data::new(database.db.clone(), objects);
    for paths in [1_000, 100_000, 1_000_000].into_iter().filter(|paths| *paths <= most) {
        at_size(&database.db, &data, paths).await;
    }
}
