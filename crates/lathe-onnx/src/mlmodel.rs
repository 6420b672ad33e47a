//! The file `MLmodel`: what MLflow says of a model, as far as a worker needs it.

use std::path::{Component, Path, PathBuf};

use lathe_core::{Error, Result};
use lathe_serving::Signature;
use lathe_serving::signature::Schema;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// What ONNX Runtime knows: none, basic, extended, layout, all.
const OPTIMIZATION_LEVELS: [u64; 5] = [0, 1, 2, 3, 99];
/// The deepest nesting that is read.
const MAX_DEPTH: usize = 32;

/// What an MLmodel file says.
#[derive(Debug, Clone, PartialEq)]
pub struct MlModel {
    /// What the model takes and answers, in MLflow's form; null when it does not tell.
    pub signature: Value,
    /// How it is run by ONNX Runtime, when it is an ONNX model whose pyfunc is MLflow's own.
    pub onnx: Option<OnnxFlavor>,
    /// A body of MLflow's scoring protocol that asks the model its saved input example, below the model's folder.
    pub example: Option<PathBuf>,
}

/// The flavor `onnx`.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxFlavor {
    /// The graph, below the model's folder.
    pub data: PathBuf,
    /// Threads within an operator; `None` leaves it to the worker.
    pub intra_op_threads: Option<usize>,
    /// Threads between operators that run side by side.
    pub inter_op_threads: Option<usize>,
    /// Whether operators may run side by side.
    pub is_parallel: bool,
    /// How much the graph is rewritten before it is run, as ONNX Runtime counts it: 0, 1, 2, 3 or 99; `None` is all of it.
    pub optimization_level: Option<u64>,
    /// Further entries of the session's configuration.
    pub configuration: Vec<(String, String)>,
}

impl MlModel {
    /// Reads the file in a model's folder.
    ///
    /// # Errors
    /// `InvalidArgument` when it is missing; as [`MlModel::parse`].
    pub fn read(folder: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(folder.join("MLmodel"))
            .map_err(|error| Error::invalid("the model's file MLmodel cannot be read").with_source(error))?;
        Self::parse(&text)
    }

    /// Whether its signature names what it answers; else only the graph can say. A series of predictions has no name either.
    pub fn names_outputs(&self) -> bool {
        match Signature::parse(&self.signature).unwrap_or_default().outputs {
            Some(Schema::Columns(columns)) => columns.iter().any(|column| column.name.is_some()),
            Some(tensors) => !tensors.is_unnamed(),
            None => false,
        }
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// `InvalidArgument` when it is no YAML, or names a graph outside of the folder.
    pub fn parse(text: &str) -> Result<Self> {
        let mut events = Parser::new_from_str(text).map(|event| match event {
            Ok((event, _)) => Ok(event),
            Err(error) => Err(Error::invalid("the model's file MLmodel is no valid YAML").with_source(error)),
        });
        let root = loop {
            match events.next() {
                Some(Ok(Event::StreamStart | Event::DocumentStart(_))) => {}
                Some(event) => break read_value(event?, &mut events, MAX_DEPTH)?,
                None => break Value::Null,
            }
        };
        let flavors = root.get("flavors");
        let flavor = |name: &str| flavors.and_then(|flavors| flavors.get(name));
        let loader = flavor("python_function").and_then(|flavor| flavor.get("loader_module")).and_then(Value::as_str);
        // A pyfunc of its own does more than the graph beside it.
        let is_plain = loader.is_none_or(|loader| loader == "mlflow.onnx");
        let onnx = flavor("onnx").filter(|_| is_plain).map(read_flavor).transpose()?;
        let example = root.get("saved_input_example_info").and_then(|info| info.get("serving_input_path"));
        let example = example.and_then(Value::as_str).map(|path| below(path, "an input example")).transpose()?;
        Ok(Self { signature: root.get("signature").cloned().unwrap_or_default(), onnx, example })
    }
}

/// A path within the model's folder.
fn below(path: &str, what: &str) -> Result<PathBuf> {
    let path = PathBuf::from(path);
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(path);
    }
    Err(Error::invalid(format!("the model's file MLmodel names {what} outside of the model")))
}

fn read_flavor(flavor: &Value) -> Result<OnnxFlavor> {
    let data = below(flavor.get("data").and_then(Value::as_str).unwrap_or("model.onnx"), "a graph")?;
    let options = flavor.get("onnx_session_options");
    let option = |name: &str| options.and_then(|options| options.get(name));
    let threads = |name: &str| option(name).and_then(Value::as_u64).and_then(|threads| usize::try_from(threads).ok());
    let optimization_level = option("graph_optimization_level").and_then(Value::as_u64);
    if let Some(level) = optimization_level.filter(|level| !OPTIMIZATION_LEVELS.contains(level)) {
        return Err(Error::invalid(format!(
            "the model's file MLmodel asks for graph_optimization_level {level}; it may be 0, 1, 2, 3 or 99"
        )));
    }
    let configuration = option("extra_session_config").and_then(Value::as_object).into_iter().flatten();
    Ok(OnnxFlavor {
        data,
        intra_op_threads: threads("intra_op_num_threads").filter(|threads| *threads > 0),
        inter_op_threads: threads("inter_op_num_threads").filter(|threads| *threads > 0),
        is_parallel: option("execution_mode")
            .and_then(Value::as_str)
            .is_some_and(|mode| mode.eq_ignore_ascii_case("parallel")),
        optimization_level,
        configuration: configuration.map(|(key, value)| (key.clone(), text_of(value))).collect(),
    })
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

type Events<'e, 's> = dyn Iterator<Item = Result<Event<'s>>> + 'e;

fn read_value<'s>(event: Event<'s>, events: &mut Events<'_, 's>, depth: usize) -> Result<Value> {
    let cut = || Error::invalid("the model's file MLmodel ends within a value");
    let Some(below) = depth.checked_sub(1) else {
        return Err(Error::invalid("the model's file MLmodel nests too deep"));
    };
    match event {
        Event::Scalar(text, style, ..) => Ok(read_scalar(&text, style == ScalarStyle::Plain)),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match events.next().ok_or_else(cut)?? {
                    Event::SequenceEnd => return Ok(Value::Array(items)),
                    event => items.push(read_value(event, events, below)?),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut entries = Map::new();
            loop {
                let key = match events.next().ok_or_else(cut)?? {
                    Event::MappingEnd => return Ok(Value::Object(entries)),
                    event => text_of(&read_value(event, events, below)?),
                };
                let event = events.next().ok_or_else(cut)??;
                entries.insert(key, read_value(event, events, below)?);
            }
        }
        // An alias; MLflow writes none where a worker looks.
        _ => Ok(Value::Null),
    }
}

fn read_scalar(text: &str, is_plain: bool) -> Value {
    match text {
        "" | "~" | "null" if is_plain => Value::Null,
        "true" | "false" if is_plain => Value::Bool(text == "true"),
        _ if is_plain => match text.parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(text),
        },
        _ => Value::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"artifact_path: model
flavors:
  onnx:
    code: null
    data: model.onnx
    onnx_session_options:
      execution_mode: PARALLEL
      extra_session_config:
        session.intra_op.allow_spinning: '0'
      graph_optimization_level: 0
      intra_op_num_threads: 2
    providers:
    - CUDAExecutionProvider
    - CPUExecutionProvider
  python_function:
    data: model.onnx
    loader_module: mlflow.onnx
saved_input_example_info:
  artifact_path: input_example.json
  serving_input_path: serving_input_example.json
  type: ndarray
signature:
  inputs: '[{"type": "double", "name":
    "a", "required": true}]'
  outputs: null
  params: null
"#;

    #[test]
    fn the_graph_its_options_and_the_signature_are_read() {
        let model = MlModel::parse(FILE).unwrap();
        let expected = OnnxFlavor {
            data: "model.onnx".into(),
            intra_op_threads: Some(2),
            inter_op_threads: None,
            is_parallel: true,
            optimization_level: Some(0),
            configuration: vec![("session.intra_op.allow_spinning".into(), "0".into())],
        };
        assert_eq!(model.onnx, Some(expected));
        assert_eq!(model.example.as_deref(), Some(Path::new("serving_input_example.json")));
        let signature = lathe_serving::Signature::parse(&model.signature).unwrap();
        assert!(signature.inputs.is_some() && signature.outputs.is_none());
    }

    #[test]
    fn outputs_are_named_by_columns_or_tensors_that_have_a_name() {
        let names_outputs = |outputs: &str| {
            MlModel::parse(&FILE.replace("outputs: null", &format!("outputs: '{outputs}'"))).unwrap().names_outputs()
        };
        assert!(!MlModel::parse(FILE).unwrap().names_outputs());
        assert!(!names_outputs(r#"[{"type": "double", "required": true}]"#));
        assert!(names_outputs(r#"[{"type": "double", "name": "y", "required": true}]"#));
        let tensor = |name: &str| {
            format!(r#"[{{"type": "tensor",{name} "tensor-spec": {{"dtype": "float32", "shape": [-1]}}}}]"#)
        };
        assert!(!names_outputs(&tensor("")));
        assert!(names_outputs(&tensor(r#" "name": "y","#)));
    }

    #[test]
    fn a_pyfunc_of_its_own_is_no_plain_graph() {
        let model = MlModel::parse(&FILE.replace("loader_module: mlflow.onnx", "loader_module: mine")).unwrap();
        assert_eq!(model.onnx, None);
        let plain = MlModel { signature: Value::Null, onnx: None, example: None };
        assert_eq!(MlModel::parse("flavors: {sklearn: {}}").unwrap(), plain);
    }

    #[test]
    fn paths_outside_of_the_folder_and_broken_files_are_refused() {
        for data in ["/etc/passwd", "../model.onnx", "a/../../b"] {
            assert!(MlModel::parse(&FILE.replace("data: model.onnx", &format!("data: {data}"))).is_err(), "{data}");
        }
        let example = FILE.replace("path: serving_input_example.json", "path: ../example.json");
        assert!(MlModel::parse(&example).is_err());
        let level = FILE.replace("graph_optimization_level: 0", "graph_optimization_level: 7");
        assert!(MlModel::parse(&level).unwrap_err().message().contains("graph_optimization_level 7"));
        assert!(MlModel::parse("a: [").is_err());
        let nested = |depth: usize| MlModel::parse(&format!("a: {}{}", "[".repeat(depth), "]".repeat(depth)));
        assert!(nested(20).is_ok());
        assert!(nested(100).unwrap_err().message().contains("too deep"));
    }
}
