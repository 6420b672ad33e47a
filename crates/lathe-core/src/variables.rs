//! Environment variables of jobs: which names are the server's.

/// How the names begin that the server sets.
const SET_BY_SERVER: [&str; 5] = ["MLFLOW_", "LATHE_", "AWS_", "IN_", "OUT_"];

/// The beginning of the name, when the server sets variables that begin so: what anybody else sets under it would not reach a job.
pub fn set_by_server(name: &str) -> Option<&'static str> {
    let name = name.to_uppercase();
    SET_BY_SERVER.into_iter().find(|prefix| name.starts_with(prefix))
}
