//! `runs/log-inputs` and `runs/outputs`: what a run read and what it made.

use axum::extract::State;
use lathe_core::{LoggedModelId, Result};
use lathe_http::Caller;
use lathe_tracking::inputs;
use lathe_tracking::logged_models::parse_model_id;
use lathe_tracking::runs::parse_run_id;
use lathe_tracking::{Dataset, DatasetInput, ModelOutput};
use serde::Serialize;

use crate::MlflowState;
use crate::experiments::{Pair, read_tags};
use crate::wire::{Empty, Fields, Form, LARGE_JSON_BYTES, Reply, empty};

#[derive(Debug, Serialize)]
struct DatasetBody {
    name: String,
    digest: String,
    source_type: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
}

#[derive(Debug, Serialize)]
struct DatasetInputBody {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Pair>,
    dataset: DatasetBody,
}

impl From<DatasetInput> for DatasetInputBody {
    fn from(DatasetInput { dataset, tags }: DatasetInput) -> Self {
        let Dataset { name, digest, source_type, source, schema, profile } = dataset;
        Self {
            tags: tags.into_iter().map(Pair::from).collect(),
            dataset: DatasetBody { name, digest, source_type, source, schema, profile },
        }
    }
}

#[derive(Debug, Serialize)]
struct ModelInputBody {
    model_id: String,
}

/// What a run read.
#[derive(Debug, Serialize)]
pub(crate) struct InputsBody {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dataset_inputs: Vec<DatasetInputBody>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_inputs: Vec<ModelInputBody>,
}

impl InputsBody {
    pub(crate) fn new(datasets: Vec<DatasetInput>, models: Vec<LoggedModelId>) -> Self {
        Self {
            dataset_inputs: datasets.into_iter().map(DatasetInputBody::from).collect(),
            model_inputs: models.into_iter().map(|id| ModelInputBody { model_id: id.to_string() }).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct ModelOutputBody {
    model_id: String,
    step: i64,
}

/// What a run made.
#[derive(Debug, Serialize)]
pub(crate) struct OutputsBody {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_outputs: Vec<ModelOutputBody>,
}

impl From<Vec<ModelOutput>> for OutputsBody {
    fn from(outputs: Vec<ModelOutput>) -> Self {
        let body = |ModelOutput { model_id, step }| ModelOutputBody { model_id: model_id.to_string(), step };
        Self { model_outputs: outputs.into_iter().map(body).collect() }
    }
}

fn read_dataset_input(input: &Fields) -> Result<DatasetInput> {
    let tags = read_tags(input, "tags")?;
    let dataset = input.object("dataset")?;
    let text = |name| dataset.text(name).map(Option::unwrap_or_default);
    let dataset = Dataset {
        name: text("name")?,
        digest: text("digest")?,
        source_type: text("source_type")?,
        source: text("source")?,
        schema: dataset.text("schema")?.filter(|schema| !schema.is_empty()),
        profile: dataset.text("profile")?.filter(|profile| !profile.is_empty()),
    };
    Ok(DatasetInput { dataset, tags })
}

pub(crate) async fn log_inputs(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form<LARGE_JSON_BYTES>,
) -> Reply<Empty> {
    let run_id = fields.required_text("run_id")?;
    let datasets = fields.objects("datasets")?.iter().map(read_dataset_input).collect::<Result<Vec<_>>>()?;
    let models = fields.objects("models")?;
    let models = models.iter().map(|model| model.required_text("model_id")).collect::<Result<Vec<_>>>()?;
    let run_id = parse_run_id(&run_id)?;
    let models = models.iter().map(|id| parse_model_id(id)).collect::<Result<_>>()?;
    inputs::log_inputs(&ctx, &state.tracking, &run_id, datasets, models).await?;
    empty()
}

pub(crate) async fn log_outputs(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let run_id = fields.required_text("run_id")?;
    fields.require("models")?;
    let models = fields.objects("models")?;
    let read = |model: &Fields| Ok((model.required_text("model_id")?, model.integer("step")?.unwrap_or_default()));
    let models = models.iter().map(read).collect::<Result<Vec<_>>>()?;
    let run_id = parse_run_id(&run_id)?;
    let models = models
        .into_iter()
        .map(|(model_id, step)| Ok(ModelOutput { model_id: parse_model_id(&model_id)?, step }))
        .collect::<Result<_>>()?;
    inputs::log_outputs(&ctx, &state.tracking, &run_id, models).await?;
    empty()
}
