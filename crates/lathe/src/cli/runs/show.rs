//! `lathe run show`

use clap::Args;
use lathe_core::Result;
use serde::Deserialize;

use super::start::EXIT_CODE_TAG;
use super::{Run, RunInfo};
use crate::cli::client::Client;
use crate::cli::names::{self, Pair};
use crate::cli::output::{Cell, Format, Output, Record};

/// Tags that MLflow sets for itself.
const SYSTEM_TAGS: &str = "mlflow.";

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The run's id, or the beginning or the end of it
    #[arg(value_name = "RUN")]
    run: String,
}

/// What a run used of repositories: here, what it read.
#[derive(Debug, Deserialize)]
struct Uses {
    reads: Vec<Read>,
}

#[derive(Debug, Deserialize)]
struct Read {
    repository: String,
    commit: String,
}

async fn reads(client: &Client, run_id: &str) -> Result<Vec<Read>> {
    Ok(client.get::<Uses>(&["runs", run_id, "uses"]).await?.reads)
}

pub(super) async fn run(ShowArgs { run }: ShowArgs, client: &Client, output: &Output) -> Result<()> {
    let Run { info, data, inputs, outputs } = super::fetch(client, &run).await?;
    let experiment = names::find_experiments(client, std::slice::from_ref(&info.experiment_id)).await?;
    let RunInfo {
        run_id,
        run_name,
        experiment_id,
        user_id,
        status,
        start_time,
        end_time,
        artifact_uri,
        lifecycle_stage,
    } = info;
    let texts = |pairs: Vec<Pair>| pairs.into_iter().map(|pair| (pair.key, Cell::Text(pair.value))).collect();
    let is_for_people = output.format() == Format::Table;
    let exit_code = data.tags.iter().find(|tag| tag.key == EXIT_CODE_TAG).and_then(|tag| tag.value.parse().ok());
    let tags = data.tags.into_iter().filter(|tag| !is_for_people || !tag.key.starts_with(SYSTEM_TAGS)).collect();
    let reads = reads(client, &run_id).await?.into_iter().map(|Read { repository, commit }| {
        let shown = if is_for_people { commit.get(..12).unwrap_or(&commit) } else { commit.as_str() };
        format!("data/{repository}@{shown}")
    });
    let datasets =
        inputs.dataset_inputs.into_iter().map(|input| format!("{}@{}", input.dataset.name, input.dataset.digest));
    let models = outputs.model_outputs.into_iter().map(|output| output.model_id);
    let record = Record::default()
        .with("run_id", "run", Cell::Id(run_id))
        .with("run_name", "name", Cell::Text(run_name))
        .with("experiment_id", "experiment id", Cell::Text(experiment_id))
        .with("experiment", "experiment", Cell::text(experiment.into_iter().next().map(|found| found.name)))
        .with("status", "status", Cell::Text(status))
        .with("exit_code", "exit code", exit_code.map_or(Cell::Missing, Cell::Integer))
        .with("lifecycle_stage", "stage", Cell::Text(lifecycle_stage))
        .with("user", "user", Cell::text(user_id))
        .with("started_at_ms", "started", Cell::Time(start_time))
        .with("ended_at_ms", "ended", Cell::time(end_time))
        .with("duration_ms", "took", end_time.map_or(Cell::Missing, |end| Cell::Duration(end - start_time)))
        .with("artifact_uri", "artifacts", Cell::Text(artifact_uri))
        .with("reads", "read", Cell::Texts(reads.collect()))
        .with("datasets", "datasets", Cell::Texts(datasets.collect()))
        .with("models", "logged models", Cell::Texts(models.collect()))
        .with(
            "metrics",
            "metrics",
            Cell::Pairs(data.metrics.into_iter().map(|metric| (metric.key, Cell::value(metric.value))).collect()),
        )
        .with("params", "params", Cell::Pairs(texts(data.params)))
        .with("tags", "tags", Cell::Pairs(texts(tags)));
    output.print_record(&record)
}
