//! Where a version's files lie: a URI that is checked and kept, and never opened.

use lathe_core::{Error, Result};

/// What a source names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// `models:/name/version`: another version of this repository.
    Version { model: String, version: i64 },
    /// Anything else that is allowed; the caller knows where it lies.
    Opaque,
}

/// Checks a source.
///
/// Local paths and relative references are refused in every spelling, since a client's tool would follow them.
pub(crate) fn parse(source: &str) -> Result<Source> {
    let Some((scheme, rest)) = source.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return Err(local(source));
    };
    if source.chars().any(char::is_control) || source.len() > 4096 {
        return Err(not_absolute(source));
    }
    match scheme.to_ascii_lowercase().as_str() {
        "file" => Err(local(source)),
        "models" => parse_model(source, rest),
        "runs" | "mlflow-artifacts" | "dbfs" => {
            let path = rest.trim_start_matches('/');
            if !rest.starts_with('/') || path.is_empty() || has_relative_part(rest) {
                Err(not_absolute(source))
            } else {
                Ok(Source::Opaque)
            }
        }
        _ => {
            // scheme://authority/path, with a path.
            let path = rest.strip_prefix("//").and_then(|rest| rest.split_once('/')).map(|(_, path)| path);
            let has_path = path.is_some_and(|path| !path.trim_matches('/').is_empty());
            if has_path && !has_relative_part(rest) { Ok(Source::Opaque) } else { Err(not_absolute(source)) }
        }
    }
}

/// What stands for the source of a prompt, which has none: its text is a tag.
const PROMPT_SOURCES: [&str; 2] = ["dummy-source", "prompt-template"];

/// Checks the source of a prompt.
pub(crate) fn parse_prompt(source: &str) -> Result<Source> {
    if PROMPT_SOURCES.contains(&source) {
        return Ok(Source::Opaque);
    }
    Err(Error::invalid(format!("Invalid prompt source: '{source}'. Prompt sources must use an MLflow placeholder.")))
}

fn parse_model(source: &str, rest: &str) -> Result<Source> {
    let path = rest.trim_start_matches('/');
    if !rest.starts_with('/') || has_relative_part(rest) {
        return Err(not_absolute(source));
    }
    match path.split('/').collect::<Vec<_>>().as_slice() {
        [id] if id.starts_with("m-") => Ok(Source::Opaque),
        [model, version] if !model.is_empty() => match version.parse() {
            Ok(version) => Ok(Source::Version { model: (*model).to_owned(), version }),
            Err(_) => Err(not_a_model(source)),
        },
        _ => Err(not_a_model(source)),
    }
}

fn is_scheme(text: &str) -> bool {
    // One letter is a drive of a local path.
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Whether `..` or a backslash shows up, however often the text is percent-decoded.
fn has_relative_part(text: &str) -> bool {
    let mut decoded = text.as_bytes().to_vec();
    loop {
        let has_dots = decoded.split(|b| b"/?#;&=".contains(b)).any(|part| part == b"..");
        if has_dots || decoded.contains(&b'\\') || decoded.contains(&0) {
            return true;
        }
        let next = decode_percent(&decoded);
        if next == decoded {
            return false;
        }
        decoded = next;
    }
}

fn decode_percent(text: &[u8]) -> Vec<u8> {
    let digit = |index: usize| text.get(index).and_then(|b| char::from(*b).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut index = 0;
    while let Some(byte) = text.get(index) {
        match (byte, digit(index + 1), digit(index + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                index += 3;
            }
            _ => {
                decoded.push(*byte);
                index += 1;
            }
        }
    }
    decoded
}

fn local(source: &str) -> Error {
    Error::invalid(format!(
        "Invalid model version source: '{source}'. To use a local path as a model version source, the run_id request parameter has to be \
         specified and the local path has to be contained within the artifact directory of the run specified by the run_id."
    ))
}

fn not_absolute(source: &str) -> Error {
    Error::invalid(format!(
        "Invalid model version source: '{source}'. If supplying a source as an http, https, local file path, ftp, objectstore, or \
         mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide an absolute path."
    ))
}

fn not_a_model(source: &str) -> Error {
    Error::invalid(format!(
        "Invalid model version source: '{source}'. Write models:/<name>/<version> or models:/<model id>."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_sources_are_taken() {
        for source in [
            "mlflow-artifacts:/1/abc/artifacts/model",
            "runs:/abc/model",
            "s3://a/b",
            "https://host/path/model",
            "models:/m-0123",
            "gs://bucket/a..b/c",
            "mlflow-artifacts://host:80/1/2",
        ] {
            assert_eq!(parse(source).unwrap(), Source::Opaque, "{source}");
        }
        assert_eq!(parse("models:/m/3").unwrap(), Source::Version { model: "m".into(), version: 3 });
    }

    #[test]
    fn prompts_have_no_source_but_a_placeholder() {
        assert_eq!(parse_prompt("dummy-source").unwrap(), Source::Opaque);
        assert!(parse("dummy-source").is_err());
        assert!(parse_prompt("s3://a/b").is_err());
    }

    #[test]
    fn local_and_relative_sources_are_refused_in_every_spelling() {
        for source in [
            "/etc/passwd",
            "file:///etc/passwd",
            "FILE:/etc/passwd",
            "relative/path",
            "C:\\x",
            "",
            "s3://a",
            "s3://b/../x",
            "s3://b/%2e%2e/x",
            "s3://b/%252e%252e/x",
            "s3://b/x?p=/../y",
            "s3://b/x#/../y",
            "s3://b/x;/../y",
            "runs:/a\\..\\b",
            "models:/../m",
            "models:/m/latest",
            "mlflow-artifacts:/",
            "runs:abc",
        ] {
            assert!(parse(source).is_err(), "{source}");
        }
    }
}
