//! Tests of the model repository, on both databases, through its public functions.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod aliases;
mod permissions;
mod search;
mod versions;

use lathe_core::{Ctx, Grant, Project, Role};
use lathe_db::{Db, query};
use lathe_models::model_versions::{CreateModelVersion, ModelVersion, create_model_version};
use lathe_models::registered_models::{CreateRegisteredModel, create_registered_model};
use lathe_models::{Models, SCHEMA, Tag};
use lathe_testkit::ctx;

const SOURCE: &str = "s3://bucket/model";

fn as_role(role: Role) -> Ctx {
    Ctx { grant: Grant { role: Some(role), ..Grant::NONE }, ..ctx() }
}

fn elsewhere() -> Ctx {
    Ctx { project: Project::parse("elsewhere").unwrap(), ..ctx() }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.to_owned(), value: value.to_owned() }
}

async fn model(models: &Models, name: &str, tags: Vec<Tag>) {
    let request = CreateRegisteredModel { name: name.to_owned(), tags, ..CreateRegisteredModel::default() };
    create_registered_model(&ctx(), models, request).await.unwrap();
}

fn from_source(name: &str, source: &str) -> CreateModelVersion {
    CreateModelVersion { name: name.to_owned(), source: source.to_owned(), ..CreateModelVersion::default() }
}

async fn version(models: &Models, name: &str) -> ModelVersion {
    create_model_version(&ctx(), models, from_source(name, SOURCE)).await.unwrap()
}

/// The actions of all events, in the order they happened.
async fn actions(db: &Db) -> Vec<String> {
    let rows = db.fetch_all(query("SELECT action FROM events ORDER BY id")).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}
