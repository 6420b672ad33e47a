//! Environment variables of jobs: which names are the server's.

/// How the names begin that the server sets.
const SET_BY_SERVER: [&str; 5] = ["MLFLOW_", "LATHE_", "AWS_", "IN_", "OUT_"];

/// The beginning of the name, when the server sets variables that begin so: what anybody else sets under it would not reach a job.
pub fn set_by_server(name: &str) -> Option<&'static str> {
    let name = name.to_uppercase();
    SET_BY_SERVER.into_iter().find(|prefix| name.starts_with(prefix))
}

/// Why no job could get a secret of the name, and what to do instead; `None` when one could.
pub fn reserved_secret(name: &str) -> Option<(String, String)> {
    let prefix = set_by_server(name)?;
    let why = format!("the secret `{name}` would not reach a job: `{prefix}…` is set by the server");
    let instead = format!(
        "set it under another name (`lathe secret set MY_{name}`), and write `{name}=\"$MY_{name}\"` before the command that needs it"
    );
    Some((why, instead))
}
