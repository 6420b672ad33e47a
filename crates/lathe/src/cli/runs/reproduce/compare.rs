//! How a reproduction compares with its original: how it ended, params, metrics, artifacts, and the files of the models it logged.

use std::collections::{BTreeMap, BTreeSet};

use lathe_core::Result;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::super::{Run, start};
use super::comparable::comparable;
use crate::cli::client::Client;
use crate::cli::output::{Cell, Output, Table};

const ABSENT: &str = "absent";

#[derive(Debug, Deserialize)]
struct Listing {
    #[serde(default)]
    files: Vec<File>,
}

/// A file or folder, by its name in its folder.
#[derive(Debug, Deserialize)]
struct File {
    path: String,
    is_dir: bool,
}

#[derive(Debug, Deserialize)]
struct Models {
    #[serde(default)]
    models: Vec<Model>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Model {
    info: ModelInfo,
}

#[derive(Debug, Deserialize)]
struct ModelInfo {
    name: String,
    artifact_uri: String,
}

/// Prints how the runs compare; answers whether they are the same.
pub(super) async fn compare(client: &Client, before: &Run, after: &Run, output: &Output) -> Result<bool> {
    let (found_before, found_after) = tokio::try_join!(everything(client, before), everything(client, after))?;
    let mut lines = vec![("status".to_owned(), before.info.status.clone(), after.info.status.clone())];
    for key in found_before.keys().chain(found_after.keys()).cloned().collect::<BTreeSet<_>>() {
        let value = |found: &BTreeMap<String, String>| found.get(&key).cloned().unwrap_or_else(|| ABSENT.to_owned());
        lines.push((key.clone(), value(&found_before), value(&found_after)));
    }
    let mut table = Table::new([("what", "WHAT"), ("before", "BEFORE"), ("now", "NOW"), ("same", "SAME")]);
    let is_same = lines.iter().all(|(_, one, other)| one == other);
    for (what, one, other) in lines {
        let same = Cell::Flag(one == other);
        table.push(vec![Cell::Text(what), Cell::Text(one), Cell::Text(other), same]);
    }
    output.print_table(&table)?;
    Ok(is_same)
}

/// All that a run left behind, by what it is called in both runs.
async fn everything(client: &Client, run: &Run) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for param in &run.data.params {
        found.insert(format!("params.{}", param.key), param.value.clone());
    }
    // How busy the machine was is no result.
    for metric in run.data.metrics.iter().filter(|metric| !metric.key.starts_with("system/")) {
        found.insert(format!("metrics.{}", metric.key), metric.value.to_string());
    }
    add_files(client, &run.info.artifact_uri, "artifacts", &mut found).await?;
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for ModelInfo { name, artifact_uri } in logged_models(client, run).await? {
        let count = taken.entry(name.clone()).or_default();
        *count += 1;
        // Several models of one name are told apart by their order.
        let title = if *count == 1 { format!("models.{name}") } else { format!("models.{name}#{count}") };
        add_files(client, &artifact_uri, &title, &mut found).await?;
    }
    Ok(found)
}

/// The models that a run logged, oldest first.
async fn logged_models(client: &Client, run: &Run) -> Result<Vec<ModelInfo>> {
    let mut found = Vec::new();
    let mut page_token: Option<String> = None;
    loop {
        let body = json!({
            "experiment_ids": [run.info.experiment_id],
            "filter": format!("source_run_id = '{}'", run.info.run_id),
            "order_by": [{ "field_name": "creation_timestamp", "ascending": true }],
            "page_token": page_token,
        });
        let request = client.mlflow(Method::POST, "logged-models/search").json(&body);
        let Models { models, next_page_token } = client.answer(request).await?;
        found.extend(models.into_iter().map(|model| model.info));
        page_token = next_page_token.filter(|token| !token.is_empty());
        if page_token.is_none() {
            return Ok(found);
        }
    }
}

/// The files below an artifact address with their BLAKE3, without those that `lathe run` itself keeps.
async fn add_files(client: &Client, uri: &str, title: &str, found: &mut BTreeMap<String, String>) -> Result<()> {
    let mut open = vec![String::new()];
    while let Some(folder) = open.pop() {
        let Listing { files } = client.answer(start::list_artifacts(client, uri, &folder)?).await?;
        for File { path: name, is_dir } in files {
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if path == start::FOLDER {
                continue;
            }
            if is_dir {
                open.push(path);
                continue;
            }
            if let Some(bytes) = start::read_artifact(client, uri, &path).await? {
                let hash: String = blake3::hash(&comparable(&path, bytes)).to_hex().chars().take(16).collect();
                found.insert(format!("{title}.{path}"), hash);
            }
        }
    }
    Ok(())
}
