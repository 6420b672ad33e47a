//! What the monitoring room hears of each request: the serving room's types as its own.

use std::time::Duration;

use lathe_core::{Code, Ctx, Error, Result};
use lathe_monitoring as monitoring;
use lathe_serving::signature::{Schema, UNNAMED_INPUT};
use lathe_serving::{Answer, ColumnKind, ColumnSpec, Datatype, DeploymentName, Inputs, Outputs, Table, Tensor, Values};

use crate::describe::UNNAMED_OUTPUT;

/// A tensor with more columns than this is no row of features, but a picture or the like.
const MAX_TENSOR_COLUMNS: usize = 256;
/// A client's id that is longer is not kept.
const MAX_ID_BYTES: usize = 128;
/// The last millisecond of the year 9999.
const MAX_TIME_MS: i64 = 253_402_300_799_999;

/// What a client may say of a request, to find it again or to replay it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tags {
    /// Its own id: header `x-request-id`.
    client_request_id: Option<String>,
    /// When the request was made first, in milliseconds since 1970: header `x-lathe-time`.
    replayed_at_ms: Option<i64>,
}

impl Tags {
    /// Reads them of headers, or of gRPC's metadata.
    ///
    /// # Errors
    /// `InvalidArgument` for a time that is none.
    pub(crate) fn read<'a>(header: impl Fn(&'static str) -> Option<&'a str>) -> Result<Self> {
        let is_name = |id: &&str| (1..=MAX_ID_BYTES).contains(&id.len());
        let client_request_id = header("x-request-id").filter(is_name).map(str::to_owned);
        let read_time = |text: &str| {
            let at_ms: Option<i64> = text.parse().ok().filter(|at_ms| (0..=MAX_TIME_MS).contains(at_ms));
            at_ms.ok_or_else(|| {
                Error::invalid(format!("header x-lathe-time is {text:?}; it is a time in milliseconds since 1970"))
            })
        };
        let replayed_at_ms = header("x-lathe-time").map(read_time).transpose()?;
        Ok(Self { client_request_id, replayed_at_ms })
    }
}

/// Which request.
pub(crate) struct Call<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) deployment: &'a DeploymentName,
    pub(crate) tags: Tags,
    pub(crate) at_ms: i64,
}

/// Whether a failure is counted: a request that the model did not answer, or that did not fit it.
pub(crate) fn is_counted(error: &Error) -> bool {
    error.code() == Code::InvalidArgument || !error.code().is_of_caller()
}

/// The sample of an answer.
pub(crate) fn answered(call: Call<'_>, answer: &Answer) -> monitoring::Sample {
    let inputs = match &*answer.inputs {
        Inputs::Table(table) => columns(table, answer.signature.inputs.as_ref()),
        Inputs::Tensors(tensors) => tensors.iter().flat_map(|tensor| flatten(tensor, UNNAMED_INPUT)).collect(),
    };
    let outputs = match &answer.outputs {
        Outputs::Table(table) => columns(table, answer.signature.outputs.as_ref()),
        Outputs::Tensors(tensors) => tensors.iter().flat_map(|tensor| flatten(tensor, UNNAMED_OUTPUT)).collect(),
        Outputs::Json(_) => Vec::new(),
    };
    let of = (answer.model.clone(), answer.version, part(answer.variant));
    let latency_us = micros(answer.latency);
    sample(call, of, latency_us, monitoring::Outcome::Ok, (inputs, outputs))
}

/// The sample of a request that was not answered, by whom.
pub(crate) fn failed(
    call: Call<'_>,
    (model, version, variant): (String, i64, lathe_serving::Variant),
    error: &Error,
    took: Duration,
) -> monitoring::Sample {
    let outcome = monitoring::Outcome::Failed(error.code().as_str().to_owned());
    sample(call, (model, version, part(variant)), micros(took), outcome, (Vec::new(), Vec::new()))
}

fn part(variant: lathe_serving::Variant) -> monitoring::Variant {
    match variant {
        lathe_serving::Variant::Primary => monitoring::Variant::Primary,
        lathe_serving::Variant::Canary => monitoring::Variant::Canary,
        lathe_serving::Variant::Shadow => monitoring::Variant::Shadow,
    }
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
    // Columns of different lengths are no rows; neither are answers of another number than the questions, as of a model that
    // answers once for a whole request.
    let table = |columns| monitoring::Table::new(columns).unwrap_or_default();
    let (inputs, mut outputs) = (table(inputs), table(outputs));
    if inputs.rows() != 0 && outputs.rows() != inputs.rows() {
        outputs = monitoring::Table::default();
    }
    monitoring::Sample {
        project: call.ctx.project.clone(),
        deployment: call.deployment.to_string(),
        model,
        version,
        variant,
        request_id: call.ctx.request_id.clone(),
        client_request_id: call.tags.client_request_id,
        at_ms: call.at_ms,
        replayed_at_ms: call.tags.replayed_at_ms,
        latency_us,
        outcome,
        inputs,
        outputs,
    }
}

/// The columns that are compared, each as the kind that the schema gives it.
fn columns(table: &Table, schema: Option<&Schema>) -> Columns {
    let specs: &[ColumnSpec] = match schema {
        Some(Schema::Columns(specs)) => specs,
        _ => &[],
    };
    // Most tables have their columns in the order of the schema. Inputs may lack some; nobody checks what a model answers.
    let mut next = 0;
    let one = |column: &lathe_serving::Column| {
        let is_next = specs.get(next).is_some_and(|spec| spec.name.as_ref().is_none_or(|name| *name == column.name));
        let is_named = |spec: &ColumnSpec| spec.name.as_ref() == Some(&column.name);
        let at = if is_next { Some(next) } else { specs.iter().position(is_named) };
        next = at.map_or(next, |at| at + 1);
        let spec = at.and_then(|at| specs.get(at));
        let values = values(&column.values, spec.map(|spec| spec.kind))?;
        Some(monitoring::Column { name: column.name.clone(), values })
    };
    table.columns.iter().filter_map(one).collect()
}

/// What can be compared by value, by the kind that the model gives it, if it does. Bytes and nested values cannot, nor what is missing
/// everywhere and of no known kind.
#[expect(clippy::cast_precision_loss, reason = "distributions are of floats")]
fn values(values: &Values, kind: Option<ColumnKind>) -> Option<monitoring::Values> {
    let number = |value: &i64| *value as f64;
    Some(match values {
        Values::Float64(values) => monitoring::Values::Numbers(values.clone()),
        Values::Int64(values) => monitoring::Values::Numbers(values.iter().map(number).collect()),
        Values::Bool(values) => monitoring::Values::Booleans(values.iter().copied().map(Some).collect()),
        // Times come as texts or as times, by the dialect; they are sampled as one.
        Values::Text(texts) if kind == Some(ColumnKind::Datetime) => {
            let time = |text: &Option<String>| text.as_deref().and_then(monitoring::parse_time).unwrap_or(f64::NAN);
            monitoring::Values::Numbers(texts.iter().map(time).collect())
        }
        Values::Text(values) => monitoring::Values::Texts(values.clone()),
        Values::Datetime(values) => {
            let missing = |value: &Option<i64>| value.as_ref().map_or(f64::NAN, number);
            monitoring::Values::Numbers(values.iter().map(missing).collect())
        }
        Values::Json(values) if values.iter().all(Option::is_none) => missing(kind?, values.len())?,
        Values::Json(values) => booleans(values)?,
        Values::Binary(_) => return None,
    })
}

/// Missing values of a kind that is compared.
fn missing(kind: ColumnKind, count: usize) -> Option<monitoring::Values> {
    match kind {
        ColumnKind::Boolean => Some(monitoring::Values::Booleans(vec![None; count])),
        ColumnKind::String => Some(monitoring::Values::Texts(vec![None; count])),
        ColumnKind::Integer | ColumnKind::Long | ColumnKind::Float | ColumnKind::Double | ColumnKind::Datetime => {
            Some(monitoring::Values::Numbers(vec![f64::NAN; count]))
        }
        ColumnKind::Binary | ColumnKind::Json => None,
    }
}

/// Booleans with missing ones among them, which are held as JSON; `None` of any other JSON.
fn booleans(values: &[Option<String>]) -> Option<monitoring::Values> {
    let boolean = |value: &Option<String>| match value.as_deref() {
        None => Some(None),
        Some("true") => Some(Some(true)),
        Some("false") => Some(Some(false)),
        Some(_) => None,
    };
    let booleans: Option<Vec<Option<bool>>> = values.iter().map(boolean).collect();
    booleans.map(monitoring::Values::Booleans)
}

/// A tensor of rows as a column for each element of a row: `name` of a flat one, else `name.0`, `name.1`, ….
fn flatten(tensor: &Tensor, unnamed: &str) -> Columns {
    let name = if tensor.name.is_empty() { unnamed } else { &tensor.name };
    let (rows, count) = (tensor.rows(), tensor.count().unwrap_or_default());
    let width = count.checked_div(rows).unwrap_or_default();
    if width == 0 || width > MAX_TENSOR_COLUMNS {
        return Vec::new();
    }
    let Some(values) = elements(tensor) else { return Vec::new() };
    let is_flat = tensor.shape.len() <= 1;
    let column = |at: usize| monitoring::Column {
        name: if is_flat { name.to_owned() } else { format!("{name}.{at}") },
        values: every(&values, at, width),
    };
    (0..width).map(column).collect()
}

/// All elements of a tensor; none of a type that is not compared.
fn elements(tensor: &Tensor) -> Option<monitoring::Values> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(match tensor.datatype {
        Datatype::Bytes => monitoring::Values::Texts(tensor.byte_strings().map(|bytes| bytes.map(text)).collect()),
        Datatype::Bool => monitoring::Values::Booleans(tensor.data.iter().map(|byte| Some(*byte != 0)).collect()),
        _ => monitoring::Values::Numbers(tensor.numbers()?),
    })
}

fn every(values: &monitoring::Values, at: usize, width: usize) -> monitoring::Values {
    fn pick<T: Clone>(values: &[T], at: usize, width: usize) -> Vec<T> {
        values.iter().skip(at).step_by(width).cloned().collect()
    }
    match values {
        monitoring::Values::Numbers(values) => monitoring::Values::Numbers(pick(values, at, width)),
        monitoring::Values::Texts(values) => monitoring::Values::Texts(pick(values, at, width)),
        monitoring::Values::Booleans(values) => monitoring::Values::Booleans(pick(values, at, width)),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_tensor_is_a_column_for_each_element_of_a_row() {
        let data: Vec<u8> = [1_i64, 2, 3, 4, 5, 6].into_iter().flat_map(i64::to_le_bytes).collect();
        let tensor =
            |shape: Vec<i64>| Tensor::new("x".into(), Datatype::Int64, shape, Bytes::from(data.clone())).unwrap();
        let column = |name: &str, values: &[f64]| monitoring::Column {
            name: name.to_owned(),
            values: monitoring::Values::Numbers(values.to_vec()),
        };
        assert_eq!(
            flatten(&tensor(vec![3, 2]), "input"),
            [column("x.0", &[1.0, 3.0, 5.0]), column("x.1", &[2.0, 4.0, 6.0])]
        );
        assert_eq!(flatten(&tensor(vec![6]), "input"), [column("x", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])]);
        let texts =
            Tensor::new("".into(), Datatype::Bytes, vec![2], Bytes::from_static(b"\x01\0\0\0a\x01\0\0\0b")).unwrap();
        let expected = monitoring::Values::Texts(vec![Some("a".into()), Some("b".into())]);
        assert_eq!(flatten(&texts, "input"), [monitoring::Column { name: "input".into(), values: expected }]);
        let picture = Tensor::new("".into(), Datatype::Uint8, vec![1, 300], Bytes::from(vec![0; 300])).unwrap();
        assert!(flatten(&picture, "input").is_empty());
    }

    fn schema(specs: &[(&str, ColumnKind)]) -> Schema {
        let spec = |(name, kind): &(&str, ColumnKind)| ColumnSpec {
            name: Some((*name).to_owned()),
            kind: *kind,
            is_required: false,
        };
        Schema::Columns(specs.iter().map(spec).collect())
    }

    fn table(columns: &[(&str, Values)]) -> Table {
        let column = |(name, values): &(&str, Values)| lathe_serving::Column {
            name: (*name).to_owned(),
            values: values.clone(),
        };
        Table { columns: columns.iter().map(column).collect() }
    }

    #[test]
    fn a_time_is_sampled_alike_as_a_text_and_as_a_time() {
        // One that a request may lack stands between them.
        let specs = [("at", ColumnKind::Datetime), ("lacking", ColumnKind::Datetime), ("text", ColumnKind::String)];
        let sampled = |at: Values| {
            let text = Values::Text(vec![Some("1970-01-01".into()), None]);
            columns(&table(&[("at", at), ("text", text)]), Some(&schema(&specs)))
        };
        let texts = sampled(Values::Text(vec![Some("1970-01-01T00:00:01Z".into()), Some("1970-01-02".into())]));
        assert_eq!(texts, sampled(Values::Datetime(vec![Some(1_000), Some(86_400_000)])));
        assert!(matches!(&texts[1].values, monitoring::Values::Texts(texts) if texts.len() == 2));
    }

    #[test]
    fn a_column_has_the_kind_of_its_name_wherever_it_stands() {
        let specs = schema(&[("a", ColumnKind::String), ("b", ColumnKind::Double), ("c", ColumnKind::Boolean)]);
        let sampled = |names: &[&str]| {
            let all: Vec<_> = names.iter().map(|name| (*name, Values::Json(vec![None]))).collect();
            let kind = |column: monitoring::Column| match column.values {
                monitoring::Values::Numbers(_) => (column.name, "number"),
                monitoring::Values::Texts(_) => (column.name, "text"),
                monitoring::Values::Booleans(_) => (column.name, "boolean"),
            };
            columns(&table(&all), Some(&specs)).into_iter().map(kind).collect::<Vec<_>>()
        };
        let [a, b, c] = [("a", "text"), ("b", "number"), ("c", "boolean")].map(|(name, kind)| (name.to_owned(), kind));
        assert_eq!(sampled(&["extra", "a", "b", "c"]), [a.clone(), b.clone(), c.clone()]);
        assert_eq!(sampled(&["a", "extra", "c"]), [a.clone(), c.clone()]);
        assert_eq!(sampled(&["c", "b", "a"]), [c.clone(), b.clone(), a.clone()]);
        assert_eq!(sampled(&["b", "a", "c"]), [b, a, c]);
    }

    #[test]
    fn a_boolean_stays_one_when_values_are_missing() {
        let boolean = schema(&[("flag", ColumnKind::Boolean)]);
        let sampled = |values: &[Option<&str>], schema: Option<&Schema>| {
            let values = Values::Json(values.iter().map(|value| value.map(str::to_owned)).collect());
            columns(&table(&[("flag", values)]), schema)
        };
        let expected = |values: Vec<Option<bool>>| {
            [monitoring::Column { name: "flag".into(), values: monitoring::Values::Booleans(values) }]
        };
        let gaps = expected(vec![Some(true), None, Some(false)]);
        assert_eq!(sampled(&[Some("true"), None, Some("false")], Some(&boolean)), gaps);
        assert_eq!(sampled(&[Some("true"), None, Some("false")], None), gaps);
        assert_eq!(sampled(&[None, None], Some(&boolean)), expected(vec![None, None]));
        assert!(sampled(&[Some("true"), Some("[1]")], None).is_empty());
    }

    #[test]
    fn what_is_missing_everywhere_has_the_kind_that_the_model_gives_it_or_none() {
        let sampled = |kind| {
            let of_kind = schema(&[("x", kind)]);
            columns(&table(&[("x", Values::Json(vec![None, None]))]), Some(&of_kind)).pop().map(|column| column.values)
        };
        let is_missing = |values: &[f64]| values.len() == 2 && values.iter().all(|value| value.is_nan());
        assert!(
            matches!(sampled(ColumnKind::Double), Some(monitoring::Values::Numbers(values)) if is_missing(&values))
        );
        assert_eq!(sampled(ColumnKind::String), Some(monitoring::Values::Texts(vec![None, None])));
        assert_eq!(sampled(ColumnKind::Json), None);
        assert!(columns(&table(&[("x", Values::Json(vec![None]))]), None).is_empty());
    }

    #[test]
    fn tags_are_read_of_headers_and_a_bad_time_is_refused() {
        let tags = Tags::read(|name| match name {
            "x-request-id" => Some("mine"),
            "x-lathe-time" => Some("1372636800000"),
            _ => None,
        });
        let tags = tags.unwrap();
        assert_eq!((tags.client_request_id.as_deref(), tags.replayed_at_ms), (Some("mine"), Some(1_372_636_800_000)));
        for bad in ["", "soon", "-1", "99999999999999999"] {
            let refused = Tags::read(|name| (name == "x-lathe-time").then_some(bad)).unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
        }
    }
}
