//! What a model takes and answers, as its MLmodel file says, and the check of a request against it.
//!
//! The wire form is MLflow's: `{"inputs": "[{\"type\": \"double\", …}]", "outputs": …, "params": …}`, each part a JSON text.

use lathe_core::{Error, Result};
use serde_json::{Map, Value};

use crate::payload::{Datatype, Inputs, Table, Tensor, Values};

mod convert;
mod given;

pub use given::{Encoding, Given};

/// The name of an input that has none, where one is needed.
pub const UNNAMED_INPUT: &str = "input";
/// The name of an output that has none, where one is needed.
pub const UNNAMED_OUTPUT: &str = "predictions";

/// What a model takes and answers. A part that the model does not tell is `None` and not checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Signature {
    /// What it takes.
    pub inputs: Option<Schema>,
    /// What the graph of a model takes that tells no inputs: said to clients, and checked by the graph, which is asked in more forms than
    /// a schema allows.
    pub graph: Option<Schema>,
    /// What the graph of a model answers whose outputs the signature does not name: so answers name them.
    pub graph_outputs: Option<Schema>,
    /// What it answers.
    pub outputs: Option<Schema>,
    /// Its parameters.
    pub params: Vec<ParamSpec>,
}

/// Columns or tensors.
#[derive(Debug, Clone, PartialEq)]
pub enum Schema {
    /// Named columns; one column without a name takes whatever a request names.
    Columns(Vec<ColumnSpec>),
    /// Tensors; one without a name takes whatever a request names, and is called [`UNNAMED_INPUT`] from then on.
    Tensors(Vec<TensorSpec>),
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSpec {
    /// Its name.
    pub name: Option<String>,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether a request must have it.
    pub is_required: bool,
}

/// What a column holds, in MLflow's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Truth values.
    Boolean,
    /// Whole numbers of 32 bit.
    Integer,
    /// Whole numbers of 64 bit.
    Long,
    /// Numbers of 32 bit.
    Float,
    /// Numbers of 64 bit.
    Double,
    /// Texts.
    String,
    /// Byte strings.
    Binary,
    /// Points in time.
    Datetime,
    /// Lists, objects, maps and what may be anything.
    Json,
}

/// A tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    /// Its name.
    pub name: Option<String>,
    /// What its elements are.
    pub datatype: Datatype,
    /// The length of each dimension; -1 is free.
    pub shape: Vec<i64>,
}

/// A parameter of inference.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSpec {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// What holds when a request does not give it.
    pub default: Value,
    /// Whether it is a list of such values.
    pub is_list: bool,
}

impl ColumnKind {
    /// The kind in MLflow's words.
    pub fn as_str(self) -> &'static str {
        match self {
            ColumnKind::Boolean => "boolean",
            ColumnKind::Integer => "integer",
            ColumnKind::Long => "long",
            ColumnKind::Float => "float",
            ColumnKind::Double => "double",
            ColumnKind::String => "string",
            ColumnKind::Binary => "binary",
            ColumnKind::Datetime => "datetime",
            ColumnKind::Json => "object",
        }
    }

    fn takes(self, value: &Value) -> bool {
        match self {
            ColumnKind::Boolean => value.is_boolean(),
            ColumnKind::Integer | ColumnKind::Long => value.is_i64(),
            ColumnKind::Float | ColumnKind::Double => value.is_number(),
            ColumnKind::String | ColumnKind::Binary | ColumnKind::Datetime => value.is_string(),
            ColumnKind::Json => true,
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "boolean" => ColumnKind::Boolean,
            "integer" => ColumnKind::Integer,
            "long" => ColumnKind::Long,
            "float" => ColumnKind::Float,
            "double" => ColumnKind::Double,
            "string" => ColumnKind::String,
            "binary" => ColumnKind::Binary,
            "datetime" => ColumnKind::Datetime,
            // array, object, map, any, and what newer versions add.
            _ => ColumnKind::Json,
        }
    }
}

impl Signature {
    /// Reads MLflow's form: an object whose parts are JSON texts (as in MLmodel files) or JSON itself.
    ///
    /// # Errors
    /// `InvalidArgument` when a part cannot be read.
    pub fn parse(signature: &Value) -> Result<Self> {
        let params = match part(signature, "params")? {
            Value::Array(params) => params.iter().map(read_param).collect::<Result<_>>()?,
            _ => Vec::new(),
        };
        let read = |name| read_schema(signature, name);
        let (graph, graph_outputs) = (read("graph")?, read("graph_outputs")?);
        Ok(Self { inputs: read("inputs")?, graph, graph_outputs, outputs: read("outputs")?, params })
    }

    /// What clients are told that it takes.
    pub fn told_inputs(&self) -> Option<&Schema> {
        self.inputs.as_ref().or(self.graph.as_ref())
    }

    /// What clients are told that it answers.
    pub fn told_outputs(&self) -> Option<&Schema> {
        self.graph_outputs.as_ref().or(self.outputs.as_ref())
    }
}

/// Tensors in MLflow's form, as [`Signature::parse`] reads them.
pub fn write_tensors(specs: &[TensorSpec]) -> Value {
    let one = |spec: &TensorSpec| {
        let about = serde_json::json!({ "dtype": numpy_name(spec.datatype), "shape": spec.shape });
        serde_json::json!({ "type": "tensor", "name": spec.name, "tensor-spec": about })
    };
    specs.iter().map(one).collect()
}

/// The names that NumPy has for types.
const NUMPY_NAMES: [(&str, Datatype); 14] = [
    ("bool", Datatype::Bool),
    ("uint8", Datatype::Uint8),
    ("uint16", Datatype::Uint16),
    ("uint32", Datatype::Uint32),
    ("uint64", Datatype::Uint64),
    ("int8", Datatype::Int8),
    ("int16", Datatype::Int16),
    ("int32", Datatype::Int32),
    ("int64", Datatype::Int64),
    ("float16", Datatype::Fp16),
    ("float32", Datatype::Fp32),
    ("float64", Datatype::Fp64),
    ("str", Datatype::Bytes),
    ("bytes", Datatype::Bytes),
];

fn numpy_name(datatype: Datatype) -> &'static str {
    NUMPY_NAMES.iter().find(|(_, one)| *one == datatype).map_or("object", |(name, _)| name)
}

impl Schema {
    /// Whether all are tensors without a name.
    pub fn is_unnamed(&self) -> bool {
        matches!(self, Schema::Tensors(specs) if specs.iter().all(|spec| spec.name.is_none()))
    }

    /// The names of its columns or tensors, those without one as `unnamed`; `None` where a request or an answer names them.
    fn names(&self, unnamed: &str) -> Option<Vec<String>> {
        match self {
            Schema::Columns(columns) => columns.iter().map(|column| column.name.clone()).collect(),
            Schema::Tensors(tensors) => {
                let name = |tensor: &TensorSpec| tensor.name.clone().unwrap_or_else(|| unnamed.to_owned());
                Some(tensors.iter().map(name).collect())
            }
        }
    }
}

impl Signature {
    /// The names of all columns and tensors that it takes and answers; `None` when it does not tell them all.
    pub fn column_names(&self) -> Option<Vec<String>> {
        let mut names = self.inputs.as_ref()?.names(UNNAMED_INPUT)?;
        names.extend(self.output_names()?);
        Some(names)
    }

    /// The names of all columns and tensors that it answers; `None` when it does not tell them all.
    pub fn output_names(&self) -> Option<Vec<String>> {
        self.told_outputs()?.names(UNNAMED_OUTPUT)
    }
}

fn unreadable(what: &str) -> Error {
    Error::invalid(format!("the model's signature cannot be read: {what}"))
}

fn part(signature: &Value, name: &str) -> Result<Value> {
    match signature.get(name) {
        None | Some(Value::Null) => Ok(Value::Null),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|error| unreadable(name).with_source(error)),
        Some(other) => Ok(other.clone()),
    }
}

fn read_schema(signature: &Value, name: &str) -> Result<Option<Schema>> {
    let specs = match part(signature, name)? {
        Value::Array(specs) if !specs.is_empty() => specs,
        Value::Null | Value::Array(_) => return Ok(None),
        _ => return Err(unreadable(&format!("its {name} are no list"))),
    };
    let is_tensor = |spec: &Value| spec.get("type").and_then(Value::as_str) == Some("tensor");
    if specs.iter().all(is_tensor) {
        // A tensor of objects (texts of any length) is what no tensor of the protocol holds: then nothing is checked.
        let tensors: Option<Vec<TensorSpec>> = specs.iter().map(read_tensor).collect();
        return Ok(tensors.map(Schema::Tensors));
    }
    let columns = specs.iter().map(|spec| ColumnSpec {
        name: spec.get("name").and_then(Value::as_str).map(str::to_owned),
        kind: ColumnKind::parse(spec.get("type").and_then(Value::as_str).unwrap_or_default()),
        is_required: spec.get("required").and_then(Value::as_bool).unwrap_or(true),
    });
    Ok(Some(Schema::Columns(columns.collect())))
}

fn read_tensor(spec: &Value) -> Option<TensorSpec> {
    let about = spec.get("tensor-spec")?;
    let dtype = about.get("dtype")?.as_str()?;
    let datatype = NUMPY_NAMES.iter().find(|(name, _)| *name == dtype).map(|(_, datatype)| *datatype)?;
    let shape = about.get("shape")?.as_array()?.iter().map(Value::as_i64).collect::<Option<_>>()?;
    Some(TensorSpec { name: spec.get("name").and_then(Value::as_str).map(str::to_owned), datatype, shape })
}

fn read_param(spec: &Value) -> Result<ParamSpec> {
    let name = spec.get("name").and_then(Value::as_str).ok_or_else(|| unreadable("a parameter has no name"))?;
    Ok(ParamSpec {
        name: name.to_owned(),
        kind: ColumnKind::parse(spec.get("type").and_then(Value::as_str).unwrap_or_default()),
        default: spec.get("default").cloned().unwrap_or_default(),
        is_list: spec.get("shape").is_some_and(Value::is_array),
    })
}

/// Checks a request against what the model takes, and makes it that where nothing is lost: whole numbers become numbers,
/// tensors named like columns become columns, columns of numbers become the one tensor. What has no name is the only column or tensor of
/// a model; what has no value is a missing one of the kind that the model takes. Columns the model does not know are left out, as MLflow
/// does.
///
/// # Errors
/// `InvalidArgument`, naming the column or tensor, what it is and what it should be.
pub fn validate(signature: &Signature, given: impl Into<Given>) -> Result<Inputs> {
    let Given { inputs, encoding } = given.into();
    match (&signature.inputs, inputs) {
        (None, Inputs::Table(table)) => convert::read_all(equally_long(table)?, encoding, |_| None).map(Inputs::Table),
        (None, Inputs::Tensors(mut tensors)) => {
            if let (Some(Schema::Tensors(specs)), [only]) = (&signature.graph, tensors.as_mut_slice())
                && let [TensorSpec { name: Some(name), .. }] = specs.as_slice()
                && only.name.is_empty()
            {
                only.name.clone_from(name);
            }
            Ok(Inputs::Tensors(tensors))
        }
        (Some(Schema::Columns(specs)), Inputs::Table(table)) => {
            validate_table(specs, equally_long(table)?, encoding).map(Inputs::Table)
        }
        (Some(Schema::Columns(specs)), Inputs::Tensors(tensors)) => {
            validate_table(specs, equally_long(convert::columns_of(specs, tensors)?)?, encoding).map(Inputs::Table)
        }
        (Some(Schema::Tensors(specs)), Inputs::Tensors(tensors)) => {
            validate_tensors(specs, tensors).map(Inputs::Tensors)
        }
        (Some(Schema::Tensors(specs)), Inputs::Table(table)) => {
            let table = convert::read_all(equally_long(table)?, encoding, |name| convert::kind_in(specs, name))?;
            validate_tensors(specs, convert::tensors_of(specs, &table)?).map(Inputs::Tensors)
        }
    }
}

/// The table, when its columns make rows.
fn equally_long(table: Table) -> Result<Table> {
    let rows = table.rows();
    match table.columns.iter().find(|column| column.values.len() != rows) {
        None => Ok(table),
        Some(other) => Err(Error::invalid(format!(
            "the columns of the request are not equally long: `{}` has {rows} rows, `{}` has {}",
            table.columns.first().map_or("", |first| &first.name),
            other.name,
            other.values.len()
        ))),
    }
}

fn validate_table(specs: &[ColumnSpec], mut table: Table, encoding: Encoding) -> Result<Table> {
    let is_unnamed = specs.iter().all(|spec| spec.name.is_none());
    if is_unnamed && table.columns.len() != specs.len() {
        return Err(Error::invalid(format!(
            "the model takes {} columns, the request has {}",
            specs.len(),
            table.columns.len()
        )));
    }
    // A request without names means the model's columns in their order.
    let is_positional = table.columns.len() == specs.len()
        && table.columns.iter().enumerate().all(|(index, column)| column.name == index.to_string());
    let missing: Vec<String> = specs
        .iter()
        .filter(|spec| spec.is_required && !is_positional)
        .filter_map(|spec| spec.name.as_deref())
        .filter(|name| table.column(name).is_none())
        .map(|name| format!("`{name}`"))
        .collect();
    if !missing.is_empty() {
        let given: Vec<&str> = table.columns.iter().take(50).map(|column| column.name.as_str()).collect();
        return Err(Error::invalid(format!("the model needs the columns {}", missing.join(", ")))
            .with_hint(format!("the request has: {}", given.join(", "))));
    }
    let mut columns = Vec::with_capacity(specs.len());
    for (index, spec) in specs.iter().enumerate() {
        let found = match &spec.name {
            Some(name) if !is_positional => table.columns.iter().position(|column| column.name == *name),
            _ => Some(index),
        };
        let Some(column) = found.and_then(|at| table.columns.get_mut(at)) else { continue };
        let name = spec.name.clone().unwrap_or_else(|| column.name.clone());
        let values = std::mem::replace(&mut column.values, Values::Bool(Vec::new()));
        let values = encoding.read(&name, Some(spec.kind), values)?;
        columns.push(crate::payload::Column { values: convert::to_kind(&name, spec, values)?, name });
    }
    Ok(Table { columns })
}

fn validate_tensors(specs: &[TensorSpec], mut tensors: Vec<Tensor>) -> Result<Vec<Tensor>> {
    if specs.len() != tensors.len() {
        return Err(Error::invalid(format!(
            "the model takes {} tensors, the request has {}",
            specs.len(),
            tensors.len()
        )));
    }
    let mut ordered = Vec::with_capacity(specs.len());
    for spec in specs {
        let at = match &spec.name {
            // The only one needs no name.
            Some(name) => {
                tensors.iter().position(|tensor| tensor.name == *name || (specs.len() == 1 && tensor.name.is_empty()))
            }
            None => Some(0),
        };
        let Some(at) = at else {
            let name = spec.name.as_deref().unwrap_or_default();
            return Err(Error::invalid(format!("the model needs the tensor `{name}`")));
        };
        ordered.push(convert::to_spec(spec, tensors.swap_remove(at))?);
    }
    // Whatever the caller called it: what is sampled of requests has one name.
    if let ([TensorSpec { name: None, .. }], [only]) = (specs, ordered.as_mut_slice()) {
        UNNAMED_INPUT.clone_into(&mut only.name);
    }
    Ok(ordered)
}

/// Checks the parameters of a request; those that are not given are left to the model.
///
/// # Errors
/// `InvalidArgument` for one that the model does not have, or of another type.
pub fn validate_params(signature: &Signature, params: Map<String, Value>) -> Result<Map<String, Value>> {
    for (name, value) in &params {
        let Some(spec) = signature.params.iter().find(|spec| spec.name == *name) else {
            let known: Vec<&str> = signature.params.iter().map(|spec| spec.name.as_str()).collect();
            let hint =
                if known.is_empty() { "it has none".to_owned() } else { format!("it has: {}", known.join(", ")) };
            return Err(Error::invalid(format!("the model has no parameter `{name}`")).with_hint(hint));
        };
        let fits = match (spec.is_list, value) {
            (_, Value::Null) => true,
            (true, Value::Array(values)) => values.iter().all(|value| spec.kind.takes(value)),
            (true, _) => false,
            (false, value) => spec.kind.takes(value),
        };
        if !fits {
            let list = if spec.is_list { "a list of " } else { "" };
            return Err(Error::invalid(format!("parameter `{name}` is {list}{}", spec.kind.as_str())));
        }
    }
    Ok(params)
}

#[cfg(test)]
mod tests;
