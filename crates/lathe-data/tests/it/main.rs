//! Tests of the data room, on both databases, through its public functions.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod batches;
mod commits;
mod crashes;
mod garbage;
mod listing;
mod merges;
mod objects;
mod permissions;
mod refs;
mod repositories;
mod uploads;
mod uses;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use lathe_core::{Code, Ctx, Grant, Project, Result, Role};
use lathe_data::changes::{Compared, ListChanges, list_changes};
use lathe_data::commits::{CreateCommit, commit};
use lathe_data::listing::{ListObjects, Listed, list_objects};
use lathe_data::objects::{Conditions, PutObject, delete_object, get_object, put_object};
use lathe_data::refs::create_branch;
use lathe_data::repositories::{CreateRepository, create_repository};
use lathe_data::{Commit, Data, Entry, ObjectKey, RefName, RepositoryName, Revision};
use lathe_db::{Db, query};
use lathe_objects::Objects;
use lathe_testkit::ctx;

/// The schemas of this room and of the one it stores bytes in.
const SCHEMAS: [lathe_db::Schema; 2] = [lathe_data::SCHEMA, lathe_objects::SCHEMA];

/// Longer than what a tree keeps inline.
const LARGE: usize = 10_000;

fn name(text: &str) -> RefName {
    RefName::parse(text).unwrap()
}

fn at(text: &str) -> Revision {
    Revision::parse(text).unwrap()
}

fn path(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

fn repository(text: &str) -> RepositoryName {
    RepositoryName::parse(text).unwrap()
}

fn elsewhere() -> Ctx {
    Ctx { project: Project::parse("elsewhere").unwrap(), ..ctx() }
}

fn as_role(role: Role) -> Ctx {
    Ctx { grant: Grant { role: Some(role), ..Grant::NONE }, ..ctx() }
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
    result.unwrap_err().code()
}

fn bytes_of(content: &str) -> impl futures::Stream<Item = Result<Bytes>> + Send + use<> {
    let chunks: Vec<Result<Bytes>> =
        content.as_bytes().chunks(1_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks)
}

/// A repository `images` with branch `main`.
struct World {
    ctx: Ctx,
    data: Data,
    objects: Objects,
    db: Db,
    images: RepositoryName,
    main: RefName,
    folder: tempfile::TempDir,
}

async fn world(db: &Db) -> World {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().join("objects").display());
    let ctx = ctx();
    let objects = Objects::open(&url, folder.path(), db.clone(), ctx.clock.clone()).await.unwrap();
    let data = Data::new(db.clone(), objects.clone());
    let images = repository("images");
    create_repository(&ctx, &data, CreateRepository::named(images.clone())).await.unwrap();
    World { ctx, data, objects, db: db.clone(), images, main: name("main"), folder }
}

impl World {
    async fn try_put(&self, branch: &str, at: &str, content: &str, conditions: Conditions) -> Result<Entry> {
        let request = PutObject { conditions, ..PutObject::default() };
        put_object(&self.ctx, &self.data, &self.images, &name(branch), &path(at), request, bytes_of(content)).await
    }

    async fn put(&self, branch: &str, at: &str, content: &str) -> Entry {
        self.try_put(branch, at, content, Conditions::default()).await.unwrap()
    }

    async fn delete(&self, branch: &str, at: &str) {
        delete_object(&self.ctx, &self.data, &self.images, &name(branch), &path(at), Conditions::default())
            .await
            .unwrap();
    }

    async fn try_read(&self, from: &str, at_path: &str) -> Result<String> {
        let mut found = get_object(&self.ctx, &self.data, &self.images, &at(from), &path(at_path), None).await?;
        let mut content = Vec::new();
        while let Some(chunk) = found.stream.next().await {
            content.extend_from_slice(&chunk?);
        }
        Ok(String::from_utf8(content).unwrap())
    }

    async fn read(&self, from: &str, at_path: &str) -> Option<String> {
        match self.try_read(from, at_path).await {
            Err(error) if error.code() == Code::NotFound => None,
            read => Some(read.unwrap()),
        }
    }

    async fn try_commit(&self, branch: &str, message: &str) -> Result<Commit> {
        // Commits of one test differ in time, as those of people do.
        self.ctx.clock.advance_ms(1);
        let request = CreateCommit { message: message.to_owned(), ..CreateCommit::default() };
        commit(&self.ctx, &self.data, &self.images, &name(branch), request).await
    }

    async fn commit(&self, branch: &str, message: &str) -> Commit {
        self.try_commit(branch, message).await.unwrap()
    }

    async fn branch(&self, branch: &str, from: &str) {
        create_branch(&self.ctx, &self.data, &self.images, name(branch), &at(from)).await.unwrap();
    }

    /// The paths of a ref with the given prefix and delimiter, read in pages of `max_keys`; prefixes end with `*`.
    async fn list(&self, from: &str, prefix: &str, delimiter: Option<&str>, max_keys: usize) -> Vec<String> {
        let mut listed = Vec::new();
        let mut page_token = None;
        loop {
            let request = ListObjects {
                prefix: prefix.to_owned(),
                delimiter: delimiter.map(str::to_owned),
                page_token,
                max_keys,
                ..ListObjects::default()
            };
            let page = list_objects(&self.ctx, &self.data, &self.images, &at(from), request).await.unwrap();
            assert!(page.items.len() <= max_keys);
            listed.extend(page.items.into_iter().map(|item| match item {
                Listed::Object { path, .. } => path.to_string(),
                Listed::Prefix(common) => format!("{common}*"),
            }));
            page_token = page.next_page_token;
            if page_token.is_none() {
                return listed;
            }
        }
    }

    async fn all(&self, from: &str) -> Vec<String> {
        self.list(from, "", None, 1_000).await
    }

    /// `added a`, `changed b`, … of a comparison, read in pages of `max_results`.
    async fn changes(&self, compared: Compared, prefix: &str, max_results: usize) -> Vec<String> {
        let mut listed = Vec::new();
        let mut page_token = None;
        loop {
            let request =
                ListChanges { compared: compared.clone(), prefix: prefix.to_owned(), page_token, max_results };
            let page = list_changes(&self.ctx, &self.data, &self.images, request).await.unwrap();
            assert!(page.changes.len() <= max_results);
            listed.extend(page.changes.iter().map(|change| format!("{} {}", change.kind().as_str(), change.path)));
            page_token = page.next_page_token;
            if page_token.is_none() {
                return listed;
            }
        }
    }

    async fn count(&self, sql: &'static str) -> i64 {
        self.db.fetch_one(query(sql)).await.unwrap().get(0).unwrap()
    }

    /// The actions of all events, in the order they happened.
    async fn actions(&self) -> Vec<String> {
        let rows = self.db.fetch_all(query("SELECT action FROM events ORDER BY id")).await.unwrap();
        rows.iter().map(|row| row.get(0).unwrap()).collect()
    }

    /// The edges of all events, without the project and the repository.
    async fn edges(&self) -> Vec<(String, String, String)> {
        let statement = "SELECT d.from_name, d.to_name, d.kind FROM edges d ORDER BY d.event_id, d.ordinal";
        let short = |text: String| text.replace("default/data/images@", "");
        let rows = self.db.fetch_all(query(statement)).await.unwrap();
        rows.iter().map(|row| (short(row.get(0).unwrap()), short(row.get(1).unwrap()), row.get(2).unwrap())).collect()
    }
}

fn between(from: &str, to: &str) -> Compared {
    Compared::Refs { from: at(from), to: at(to) }
}

fn large(seed: &str) -> String {
    seed.repeat(LARGE / seed.len() + 1)
}
