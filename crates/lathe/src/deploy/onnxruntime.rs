//! The library of ONNX Runtime: the one that was given, the one of the Python that runs models, or one that is fetched once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lathe_core::{Code, Error, Result};

use super::environment::{Environments, command};
use crate::server::OnnxRuntime;

/// The version that is fetched when a model asks for none.
const DEFAULT_VERSION: &str = "1.32.0";
/// The first minor version that the worker can load.
const OLDEST_MINOR: u32 = 17;
const ASK_TIMEOUT: Duration = Duration::from_secs(30);

/// Prints where the library of the package lies; importing the package would load it.
const QUESTION: &str = r#"
import importlib.util, pathlib
found = importlib.util.find_spec("onnxruntime")
if found is not None and found.origin:
    for file in sorted((pathlib.Path(found.origin).parent / "capi").glob("libonnxruntime.*"))[:1]:
        print(file)
"#;

/// The library for the model in a folder.
///
/// # Errors
/// `Unavailable` when the given file is none, or when there is none and none can be fetched.
pub(super) async fn library_for(setting: &OnnxRuntime, environments: &Environments, model: &Path) -> Result<PathBuf> {
    if let OnnxRuntime::File(file) = setting {
        if !tokio::fs::try_exists(file).await.unwrap_or(false) {
            return Err(missing(format!("{} does not exist", file.display())));
        }
        // The worker starts in another folder.
        return Ok(std::path::absolute(file).unwrap_or_else(|_| file.clone()));
    }
    let active = std::env::var_os("VIRTUAL_ENV").map(|folder| PathBuf::from(folder).join("bin").join("python"));
    for python in environments.given().into_iter().chain(active.as_deref()) {
        if let Some(library) = library_in(python).await {
            return Ok(library);
        }
    }
    let requirements = tokio::fs::read_to_string(model.join("requirements.txt")).await.unwrap_or_default();
    let wanted = format!("onnxruntime=={}", pinned(&requirements).unwrap_or(DEFAULT_VERSION));
    // The library alone: what the package needs besides it is for Python.
    let made = environments.make(wanted.as_bytes(), &["--no-deps", &wanted]).await;
    let python = made.map_err(|error| missing(error.message().to_owned()).with_source(error))?;
    library_in(&python).await.ok_or_else(|| missing(format!("{wanted} has no library for this machine")))
}

fn missing(what: String) -> Error {
    Error::new(Code::Unavailable, format!("ONNX Runtime is missing: {what}")).with_hint(
        "give the server its library: lathe serve --onnxruntime FILE (libonnxruntime.so of the Python package onnxruntime), \
         or run the model in Python: give its version the tag lathe.runtime = python (all of them: lathe serve --onnxruntime off)",
    )
}

async fn library_in(python: &Path) -> Option<PathBuf> {
    let python = python.display().to_string();
    let output =
        tokio::time::timeout(ASK_TIMEOUT, command(&[&python, "-I", "-c", QUESTION]).output()).await.ok()?.ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !path.trim().is_empty()).then(|| PathBuf::from(path.trim()))
}

/// The version that requirements pin, when the worker can load it.
fn pinned(requirements: &str) -> Option<&str> {
    let version = requirements.lines().find_map(|line| line.trim().strip_prefix("onnxruntime=="))?.trim();
    let is_version = version.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    let minor: u32 = version.split('.').nth(1)?.parse().ok()?;
    (is_version && minor >= OLDEST_MINOR).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_version_is_fetched_unless_it_is_too_old_or_no_plain_version() {
        assert_eq!(pinned("mlflow==3.1\nonnxruntime==1.20.1\n"), Some("1.20.1"));
        for text in
            ["", "onnxruntime==1.9.0", "onnxruntime>=1.20", "onnxruntime==1.20.1 ; --evil", "onnxruntime-gpu==1.20.1"]
        {
            assert_eq!(pinned(text), None, "{text}");
        }
    }
}
