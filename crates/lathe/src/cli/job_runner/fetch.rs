//! Inputs, fetched beside the command with the run's own credentials: what it reads is its lineage.

use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use lathe_core::{Code, Error, Result};
use reqwest::Method;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;

use super::super::client::Client;
use super::super::data::address::Address;
use super::super::data::copy::download;
use super::super::output::Output;
use crate::work::order::{InputOrder, Source};

/// Fetches an input into a folder of its own; answers the file's or folder's place.
pub(super) async fn fetch(client: &Client, input: &InputOrder, inputs: &Path, output: &Output) -> Result<PathBuf> {
    let place = inputs.join(&input.name);
    super::make_folder(&place)?;
    match &input.from {
        Source::Data { repository, commit, path } => {
            let (repository, revision, path_at) = (repository.clone(), Some(commit.clone()), path.clone());
            let address = Address { repository, revision, path: path_at };
            download(&address, &place, true, client, output).await?;
            // One file is the input itself; a folder is given by its own place.
            Ok(only_file(&place, path).unwrap_or(place))
        }
        Source::Artifact { root } => {
            let file = place.join(root.last().map(String::as_str).unwrap_or_default());
            let found = list(client, root).await?;
            if found.is_empty() {
                download_file(client, root, &file).await?;
                return Ok(file);
            }
            folder(client, root, found, &place).await?;
            Ok(place)
        }
    }
}

fn only_file(place: &Path, path: &str) -> Option<PathBuf> {
    let file = place.join(path.rsplit('/').next().filter(|name| !name.is_empty())?);
    file.is_file().then_some(file)
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    files: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    path: String,
    #[serde(default)]
    is_dir: bool,
}

/// What a folder of the artifact store holds directly; nothing for a file.
async fn list(client: &Client, root: &[String]) -> Result<Vec<Entry>> {
    let request = client.artifact(Method::GET, &[]).query(&[("path", root.join("/"))]);
    Ok(client.answer::<Listing>(request).await?.files)
}

async fn folder(client: &Client, root: &[String], found: Vec<Entry>, place: &Path) -> Result<()> {
    super::make_folder(place)?;
    for entry in found {
        let Some(name) = entry.path.rsplit('/').next().filter(|name| !matches!(*name, "" | "." | "..")) else {
            continue;
        };
        let below = [root, &[name.to_owned()]].concat();
        let target = place.join(name);
        if entry.is_dir {
            let inner = list(client, &below).await?;
            Box::pin(folder(client, &below, inner, &target)).await?;
        } else {
            download_file(client, &below, &target).await?;
        }
    }
    Ok(())
}

async fn download_file(client: &Client, path: &[String], target: &Path) -> Result<()> {
    let segments: Vec<&str> = path.iter().map(String::as_str).collect();
    let response = client.stream(client.artifact(Method::GET, &segments)).await?;
    let broken = |error: &dyn std::fmt::Display| {
        Error::new(Code::Unavailable, format!("{} cannot be fetched: {error}", path.join("/")))
    };
    let mut file = tokio::fs::File::create(target).await.map_err(|error| broken(&error))?;
    let mut bytes = response.bytes_stream();
    while let Some(chunk) = bytes.next().await {
        file.write_all(&chunk.map_err(|error| broken(&error))?).await.map_err(|error| broken(&error))?;
    }
    file.flush().await.map_err(|error| broken(&error))
}
