//! What a deployment takes and answers, as tensors: for metadata of both forms of the protocol.

pub(crate) use lathe_serving::signature::UNNAMED_OUTPUT;
use lathe_serving::signature::{Schema, UNNAMED_INPUT};
use lathe_serving::{ColumnKind, ColumnSpec, Datatype, DeploymentMetadata, TensorSpec};
use serde::Serialize;

/// A tensor of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TensorDescription {
    pub(crate) name: String,
    pub(crate) datatype: &'static str,
    /// -1: any length.
    pub(crate) shape: Vec<i64>,
}

/// A model's tensors.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Description {
    pub(crate) versions: Vec<String>,
    pub(crate) platform: &'static str,
    pub(crate) inputs: Vec<TensorDescription>,
    pub(crate) outputs: Vec<TensorDescription>,
}

/// Describes a deployment; a model without a signature has no tensors to name.
pub(crate) fn describe(known: &DeploymentMetadata) -> Description {
    Description {
        versions: known.versions.iter().map(i64::to_string).collect(),
        platform: "mlflow",
        inputs: tensors(known.signature.told_inputs(), UNNAMED_INPUT),
        outputs: tensors(known.signature.told_outputs(), UNNAMED_OUTPUT),
    }
}

fn tensors(schema: Option<&Schema>, unnamed: &str) -> Vec<TensorDescription> {
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| unnamed.to_owned());
    match schema {
        None => Vec::new(),
        Some(Schema::Columns(columns)) => columns
            .iter()
            .map(|ColumnSpec { name: column, kind, is_required: _ }| TensorDescription {
                name: name(column),
                datatype: datatype(*kind).as_str(),
                shape: vec![-1],
            })
            .collect(),
        Some(Schema::Tensors(tensors)) => tensors
            .iter()
            .map(|TensorSpec { name: tensor, datatype, shape }| TensorDescription {
                name: name(tensor),
                datatype: datatype.as_str(),
                shape: shape.clone(),
            })
            .collect(),
    }
}

fn datatype(kind: ColumnKind) -> Datatype {
    match kind {
        ColumnKind::Boolean => Datatype::Bool,
        ColumnKind::Integer => Datatype::Int32,
        ColumnKind::Long => Datatype::Int64,
        ColumnKind::Float => Datatype::Fp32,
        ColumnKind::Double => Datatype::Fp64,
        ColumnKind::String | ColumnKind::Binary | ColumnKind::Datetime | ColumnKind::Json => Datatype::Bytes,
    }
}
