//! Outputs, kept as artifacts of the attempt's run. They count once the server has ended the attempt by them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lathe_core::{Error, Result};
use lathe_workflows::jobs::{Made, Outcome};
use reqwest::Method;
use tokio_util::io::ReaderStream;

use super::super::client::Client;
use super::super::data::transfer;
use crate::work::order::Order;

/// The folder of a run's artifacts in which its outputs are.
pub(super) const FOLDER: &str = "outputs";

/// Keeps every output that the order names.
pub(super) async fn publish(
    client: &Client,
    order: &Order,
    at: &Path,
    values: BTreeMap<String, String>,
) -> Result<Outcome> {
    let mut outputs = BTreeMap::new();
    for output in &order.outputs {
        let path = at.join(&output.path);
        let files: Vec<(PathBuf, String)> = if path.is_dir() {
            transfer::files_below(&path)?.files
        } else if path.is_file() {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            vec![(path.clone(), name)]
        } else {
            return Err(Error::not_found(format!("the command made no output `{}` ({})", output.name, output.path)));
        };
        let mut made = Made { file: path.is_file().then(|| files[0].1.clone()), ..Made::default() };
        let mut hasher = blake3::Hasher::new();
        for (file, below) in &files {
            let hash = transfer::hash(file).await.map_err(|error| super::unusable(file, &error))?;
            hasher.update(&(below.len() as u64).to_le_bytes()).update(below.as_bytes()).update(hash.as_bytes());
            made.size_bytes += upload(client, order, &output.name, file, below).await?;
            made.files += 1;
        }
        made.hash = hasher.finalize().to_hex().to_string();
        outputs.insert(output.name.clone(), made);
    }
    Ok(Outcome { values, outputs })
}

async fn upload(client: &Client, order: &Order, output: &str, file: &Path, below: &str) -> Result<u64> {
    let opened = tokio::fs::File::open(file).await.map_err(|error| super::unusable(file, &error))?;
    let size = opened.metadata().await.map_err(|error| super::unusable(file, &error))?.len();
    let root = order.artifacts.iter().map(String::as_str);
    let segments: Vec<&str> = root.chain([FOLDER, output]).chain(below.split('/')).collect();
    let body = reqwest::Body::wrap_stream(ReaderStream::new(opened));
    let request = client.artifact(Method::PUT, &segments).header("content-length", size).body(body);
    client
        .answer::<serde_json::Value>(request)
        .await
        .map_err(|error| Error::new(error.code(), format!("output `{output}` cannot be kept: {}", error.message())))?;
    Ok(size)
}
