//! `lathe monitor reference`: what windows are compared with.

use clap::Args;
use lathe_core::{Error, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::client::Client;
use super::super::data::address::Address;
use super::super::output::Output;
use super::super::text::{count, read_time};
use super::NameArgs;

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct ReferenceArgs {
    #[command(flatten)]
    name: NameArgs,
    /// What the primary version's model learnt from, found by lineage
    #[arg(long)]
    training: bool,
    /// A window of the deployment, by its beginning: as tables print it, or in milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = read_time, conflicts_with = "training")]
    window: Option<i64>,
    /// CSV or Parquet files of a repository: REPO@REF/PATH
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["training", "window"])]
    data: Option<Address>,
}

/// What windows are compared with.
#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    pub(super) source: String,
    pub(super) rows: usize,
}

/// Sets the reference, or prints it where nothing is to be set.
///
/// # Errors
/// `InvalidArgument` for an address without a ref, and as [`Client::answer`].
pub(super) async fn reference(arguments: ReferenceArgs, client: &Client, output: &Output) -> Result<()> {
    let ReferenceArgs { name: NameArgs { name }, training, window, data } = arguments;
    let path = ["deployments", name.as_str(), "reference"];
    let body = match (training, window, data) {
        (true, _, _) => json!({ "from": "training" }),
        (_, Some(start_ms), _) => json!({ "from": "window", "window_start_ms": start_ms }),
        (_, _, Some(address)) => {
            let Address { repository, revision, path } = address;
            let Some(reference) = revision else {
                return Err(Error::invalid(format!("write a branch, tag or commit too: {repository}@main/{path}")));
            };
            json!({ "from": "data", "repository": repository, "ref": reference, "path": path })
        }
        _ => return output.print_json(&client.get::<Value>(&path).await?),
    };
    let Reference { source, rows } = client.answer(client.native(Method::PUT, &path).json(&body)).await?;
    output.note(&format!("{name} is compared with {source} ({})", count(rows, "row")));
    Ok(())
}
