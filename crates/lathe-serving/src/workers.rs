//! Workers: child processes that hold a model and answer. A model's code never runs in the server.

pub mod answering;
mod batch;
mod frame;
mod pool;
mod process;

pub(crate) use pool::ANSWER_TIMEOUT;
pub use pool::{Launch, Limits, Pool};
pub use process::WORKER_SCRIPT;
