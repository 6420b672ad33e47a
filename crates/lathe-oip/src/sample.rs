//! What the monitoring room hears of each request: the serving room's types as its own.

use std::time::Duration;

use lathe_core::{Code, Ctx, Error};
use lathe_monitoring as monitoring;
use lathe_serving::{Answer, DeploymentMetadata, DeploymentName, Inputs, Outputs, Table, Tensor, Values};

use crate::describe::UNNAMED_OUTPUT;

/// A tensor with more columns than this is no row of features, but a picture or the like.
const MAX_TENSOR_COLUMNS: usize = 256;

/// Which request.
pub(crate) struct Call<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) deployment: &'a DeploymentName,
    pub(crate) client_request_id: Option<String>,
    pub(crate) at_ms: i64,
}

/// Whether a failure says something of the model: a request that it could not take, or did not answer.
pub(crate) fn is_of_model(error: &Error) -> bool {
    matches!(error.code(), Code::InvalidArgument | Code::Unavailable | Code::TimedOut | Code::Internal)
}

/// The sample of an answer.
pub(crate) fn answered(call: Call<'_>, answer: &Answer) -> monitoring::Sample {
    let inputs = match &*answer.inputs {
        Inputs::Table(table) => columns(table),
        Inputs::Tensors(tensors) => tensors.iter().flat_map(|tensor| flatten(tensor, "input")).collect(),
    };
    let outputs = match &answer.outputs {
        Outputs::Table(table) => columns(table),
        Outputs::Tensors(tensors) => tensors.iter().flat_map(|tensor| flatten(tensor, UNNAMED_OUTPUT)).collect(),
        Outputs::Json(_) => Vec::new(),
    };
    let variant = match answer.variant {
        lathe_serving::Variant::Primary => monitoring::Variant::Primary,
        lathe_serving::Variant::Canary => monitoring::Variant::Canary,
        lathe_serving::Variant::Shadow => monitoring::Variant::Shadow,
    };
    let of = (answer.model.clone(), answer.version, variant);
    let latency_us = micros(answer.latency);
    sample(call, of, latency_us, monitoring::Outcome::Ok, (inputs, outputs))
}

/// The sample of a request that was not answered.
pub(crate) fn failed(call: Call<'_>, known: &DeploymentMetadata, error: &Error, took: Duration) -> monitoring::Sample {
    let outcome = monitoring::Outcome::Failed(error.code().as_str().to_owned());
    let of = (known.model.clone(), known.version, monitoring::Variant::Primary);
    sample(call, of, micros(took), outcome, (Vec::new(), Vec::new()))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

type Columns = Vec<monitoring::Column>;

fn sample(
    call: Call<'_>,
    (model, version, variant): (String, i64, monitoring::Variant),
    latency_us: i64,
    outcome: monitoring::Outcome,
    (inputs, outputs): (Columns, Columns),
) -> monitoring::Sample {
    // Columns of different lengths, as of a model that answers once for a whole request, are no rows.
    let table = |columns| monitoring::Table::new(columns).unwrap_or_default();
    monitoring::Sample {
        project: call.ctx.project.clone(),
        deployment: call.deployment.to_string(),
        model,
        version,
        variant,
        request_id: call.ctx.request_id.clone(),
        client_request_id: call.client_request_id,
        at_ms: call.at_ms,
        latency_us,
        outcome,
        inputs: table(inputs),
        outputs: table(outputs),
    }
}

fn columns(table: &Table) -> Columns {
    let one = |column: &lathe_serving::Column| {
        let values = values(&column.values)?;
        Some(monitoring::Column { name: column.name.clone(), values })
    };
    table.columns.iter().filter_map(one).collect()
}

/// What can be compared by value; bytes and nested values cannot.
#[expect(clippy::cast_precision_loss, reason = "distributions are of floats")]
fn values(values: &Values) -> Option<monitoring::Values> {
    let number = |value: &i64| *value as f64;
    Some(match values {
        Values::Float64(values) => monitoring::Values::Numbers(values.clone()),
        Values::Int64(values) => monitoring::Values::Numbers(values.iter().map(number).collect()),
        Values::Bool(values) => monitoring::Values::Booleans(values.iter().copied().map(Some).collect()),
        Values::Text(values) => monitoring::Values::Texts(values.clone()),
        Values::Datetime(values) => {
            let missing = |value: &Option<i64>| value.as_ref().map_or(f64::NAN, number);
            monitoring::Values::Numbers(values.iter().map(missing).collect())
        }
        Values::Binary(_) | Values::Json(_) => return None,
    })
}

/// A tensor of rows as a column for each element of a row: `name` of a flat one, else `name.0`, `name.1`, ….
fn flatten(tensor: &Tensor, unnamed: &str) -> Columns {
    let name = if tensor.name.is_empty() { unnamed } else { &tensor.name };
    let (Some(values), rows) = (tensor.floats(), tensor.rows()) else { return Vec::new() };
    let width = values.len().checked_div(rows).unwrap_or_default();
    if width == 0 || width > MAX_TENSOR_COLUMNS {
        return Vec::new();
    }
    let is_flat = tensor.shape.len() <= 1;
    let column = |at: usize| monitoring::Column {
        name: if is_flat { name.to_owned() } else { format!("{name}.{at}") },
        values: monitoring::Values::Numbers(values.iter().skip(at).step_by(width).copied().collect()),
    };
    (0..width).map(column).collect()
}
