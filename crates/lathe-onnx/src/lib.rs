//! The worker of ONNX models: a child process of Lathe's binary that loads a graph with ONNX Runtime and answers over the same socket as
//! a Python worker. A crash of the native library ends this process and nothing else.
//!
//! `mlmodel` reads what MLflow wrote beside the graph; `graph` holds the session; `answers` gives answers the form that MLflow's own
//! scoring gives them; `worker` is the loop. Which library is loaded is the deployer's to say: nothing is searched for here.

mod answers;
mod graph;
mod mlmodel;
mod worker;

pub use mlmodel::{MlModel, OnnxFlavor};
pub use worker::{ParseExample, run};
