//! Outputs, kept as artifacts of the attempt's run. They count once the server has ended the attempt by them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lathe_core::{Error, Result};
use lathe_workflows::jobs::{Made, Outcome};
use reqwest::Method;
use tokio_util::io::ReaderStream;

use super::super::client::Client;
use super::super::data::transfer;
use crate::work::order::{Order, OutputOrder};

/// The folder of a run's artifacts in which its outputs are.
pub(super) const FOLDER: &str = "outputs";

/// How many things that are left out of an output are named.
const NAMED: usize = 20;

/// An output that the command made.
pub(super) struct FoundOutput {
    name: String,
    /// Local files, with their paths below the output.
    files: Vec<(PathBuf, String)>,
    /// Its name, when it is one file and no folder.
    file: Option<String>,
}

/// Finds every output that the order names; `note` is told what is left out of one.
///
/// # Errors
/// `NotFound` for an output that the command did not make, and as [`transfer::files_below`].
pub(super) fn find(order: &Order, at: &Path, note: impl Fn(&str)) -> Result<Vec<FoundOutput>> {
    let mut found = Vec::new();
    for OutputOrder { name, path } in &order.outputs {
        let local = at.join(path);
        let (files, file) = if local.is_dir() {
            let transfer::Found { files, left_out } = transfer::files_below(&local)?;
            tell_left_out(name, &local, &left_out, &note);
            (files, None)
        } else if local.is_file() {
            let file = local.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            (vec![(local, file.clone())], Some(file))
        } else {
            return Err(Error::not_found(format!("the command made no output `{name}` ({path})")));
        };
        found.push(FoundOutput { name: name.clone(), files, file });
    }
    Ok(found)
}

fn tell_left_out(output: &str, folder: &Path, left_out: &[PathBuf], note: impl Fn(&str)) {
    for path in left_out.iter().take(NAMED) {
        let why = match path.is_symlink() {
            true => "a link to a folder, to nothing or out of the output",
            false => "neither a file nor a folder",
        };
        let below = path.strip_prefix(folder).unwrap_or(path);
        note(&format!("`{}` is left out of output `{output}`: it is {why}", below.display()));
    }
    if left_out.len() > NAMED {
        note(&format!("{} more are left out of output `{output}`", left_out.len() - NAMED));
    }
}

/// Keeps outputs.
pub(super) async fn publish(
    client: &Client,
    order: &Order,
    found: &[FoundOutput],
    values: BTreeMap<String, String>,
) -> Result<Outcome> {
    let mut outputs = BTreeMap::new();
    for FoundOutput { name, files, file } in found {
        let mut made = Made { file: file.clone(), ..Made::default() };
        let mut hasher = blake3::Hasher::new();
        for (file, below) in files {
            let hash = transfer::hash(file).await.map_err(|error| super::unusable(file, &error))?;
            hasher.update(&(below.len() as u64).to_le_bytes()).update(below.as_bytes()).update(hash.as_bytes());
            made.size_bytes += upload(client, order, name, file, below).await?;
            made.files += 1;
        }
        made.hash = hasher.finalize().to_hex().to_string();
        outputs.insert(name.clone(), made);
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
