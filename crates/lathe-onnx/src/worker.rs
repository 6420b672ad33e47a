//! The process: it takes its socket from standard input, loads the graph, and answers one question after the other until the server ends it.

use std::io::{self, BufReader};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use lathe_serving::signature::{self, Schema};
use lathe_serving::{Given, Signature, answering, validate};
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::Value;

use crate::MlModel;
use crate::graph::{Graph, Result, Unanswered};

/// The longest message that is sent; what a native library says may have any length.
const MAX_MESSAGE_CHARS: usize = 2_000;

/// Reads a body of MLflow's scoring protocol, the form in which MLflow keeps an example of a model's inputs.
pub type ParseExample = fn(&[u8]) -> lathe_core::Result<Given>;

/// Serves the model in a folder with the ONNX Runtime of a library file, on the socket that is standard input.
pub fn run(library: &Path, folder: &Path, parse_example: ParseExample) -> ExitCode {
    match serve(library, folder, parse_example) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: the socket failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(library: &Path, folder: &Path, parse_example: ParseExample) -> io::Result<ExitCode> {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    end_with(socket.try_clone()?);
    let (mut graph, is_unnamed, model) = match load(library, folder, parse_example) {
        Ok(loaded) => loaded,
        Err(message) => {
            eprintln!("error: {message}");
            answering::write_failed(&mut socket, &clean(&message, folder))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    answering::write_ready(&mut socket, &ready_signature(&model, &graph))?;
    let mut questions = BufReader::new(socket.try_clone()?);
    while let Some(inputs) = answering::read_question(&mut questions)? {
        match graph.answer(inputs, is_unnamed) {
            Ok(outputs) => answering::write_answer(&mut socket, &outputs)?,
            Err(Unanswered::Refused(message)) => answering::write_refused(&mut socket, &clean(&message, folder))?,
            Err(Unanswered::Failed(message)) => answering::write_error(&mut socket, &clean(&message, folder))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What MLflow says of the model, and the graph of itself where MLflow does not.
fn ready_signature(model: &MlModel, graph: &Graph) -> Value {
    let mut told = model.signature.as_object().cloned().unwrap_or_default();
    if told.get("inputs").is_none_or(Value::is_null) {
        told.insert("graph".to_owned(), signature::write_tensors(graph.specs()));
    }
    if !model.names_outputs() {
        told.remove("outputs");
        told.insert("graph_outputs".to_owned(), signature::write_tensors(graph.output_specs()));
    }
    told.into()
}

/// The graph, whether the model's signature is tensors without names, and what MLflow says of the model.
fn load(library: &Path, folder: &Path, parse_example: ParseExample) -> Result<(Graph, bool, MlModel)> {
    let model = MlModel::read(folder).map_err(words)?;
    let signature = Signature::parse(&model.signature).map_err(words)?;
    let is_unnamed = signature.inputs.as_ref().is_some_and(Schema::is_unnamed);
    let flavor = model.onnx.clone().ok_or_else(|| "the model has no plain flavor `onnx`".to_owned())?;
    let mut graph = Graph::load(library, folder, &flavor)?;
    match &model.example {
        // As a request would be asked, so that the first is no slower than the next.
        Some(example) => match read_example(&folder.join(example), parse_example) {
            Ok(example) => {
                let answered = validate(&signature, example).map_err(words).and_then(|inputs| {
                    graph.answer(inputs, is_unnamed).map_err(|(Unanswered::Refused(it) | Unanswered::Failed(it))| it)
                });
                answered.map_err(|error| format!("the model fails on its own input example: {error}"))?;
            }
            Err(error) => eprintln!("the input example cannot be read: {error}"),
        },
        // A graph that takes no zeros may take what it was made for.
        None => {
            if let Err(error) = graph.ask_zeros() {
                eprintln!("the graph does not answer zeros: {error}");
            }
        }
    }
    Ok((graph, is_unnamed, model))
}

fn read_example(file: &Path, parse_example: ParseExample) -> Result<Given> {
    let body = std::fs::read(file).map_err(|error| error.to_string())?;
    parse_example(&body).map_err(words)
}

fn words(error: lathe_core::Error) -> String {
    error.said()
}

/// Takes the folder's place on this machine out of a message, and shortens it.
fn clean(message: &str, folder: &Path) -> String {
    let text = message.replace(&folder.display().to_string(), "<model>");
    if text.chars().count() <= MAX_MESSAGE_CHARS {
        return text;
    }
    text.chars().take(MAX_MESSAGE_CHARS).chain(" …".chars()).collect()
}

/// Ends the process when the server is gone, even while the graph computes.
fn end_with(socket: UnixStream) {
    std::thread::spawn(move || {
        let mut watched = [PollFd::new(&socket, PollFlags::HUP | PollFlags::RDHUP)];
        loop {
            match poll(&mut watched, None) {
                Err(rustix::io::Errno::INTR) => {}
                _ => std::process::exit(0),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_do_not_tell_where_the_model_lies() {
        assert_eq!(clean("no /data/m/model.onnx", Path::new("/data/m")), "no <model>/model.onnx");
        assert_eq!(clean(&"x".repeat(5_000), Path::new("/m")).chars().count(), MAX_MESSAGE_CHARS + 2);
    }
}
