//! `lathe monitor labels`: what should have been answered, from a file.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use lathe_core::{Error, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::client::Client;
use super::super::output::Output;
use super::super::text::count;
use super::NameArgs;

#[derive(Debug, Args)]
pub(super) struct LabelsArgs {
    #[command(flatten)]
    name: NameArgs,
    /// A file with columns request_id or client_request_id, label, and row where requests have several (.csv, .json or .jsonl)
    #[arg(value_name = "@FILE")]
    file: String,
}

#[derive(Debug, Deserialize)]
struct LabelsAdded {
    added: usize,
    unchanged: usize,
    unknown_labels: usize,
    unknown: Vec<String>,
}

/// What a file of labels may say.
const COLUMNS: [&str; 4] = ["request_id", "client_request_id", "label", "row"];
/// So many labels go in one request.
const LABELS_AT_ONCE: usize = 5_000;

/// Sends the labels of a file.
///
/// # Errors
/// `NotFound` and `InvalidArgument` for the file, and as [`Client::answer`].
pub(super) async fn add(LabelsArgs { name, file }: LabelsArgs, client: &Client, output: &Output) -> Result<()> {
    let path = Path::new(file.strip_prefix('@').unwrap_or(&file));
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|error| Error::not_found(format!("{} cannot be read: {error}", path.display())))?;
    let labels = read_labels(path, &text)?;
    let mut all = LabelsAdded { added: 0, unchanged: 0, unknown_labels: 0, unknown: Vec::new() };
    for chunk in labels.chunks(LABELS_AT_ONCE) {
        let request = client.native(Method::POST, &["deployments", &name.name, "labels"]);
        let LabelsAdded { added, unchanged, unknown_labels, unknown } =
            client.answer(request.json(&json!({ "labels": chunk }))).await?;
        all.added += added;
        all.unchanged += unchanged;
        all.unknown_labels += unknown_labels;
        all.unknown.extend(unknown);
    }
    let were = if all.unchanged == 1 { "was" } else { "were" };
    output.note(&format!("{} added or changed, {} {were} there already", count(all.added, "label"), all.unchanged));
    if all.unknown_labels > 0 {
        let plural = if all.unknown_labels == 1 { "label is" } else { "labels are" };
        let named = all.unknown.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
        output.note(&format!("{} {plural} of requests that are not known: {named}, …", all.unknown_labels));
    }
    Ok(())
}

fn read_labels(path: &Path, text: &str) -> Result<Vec<Value>> {
    let refused = |error: String| Error::invalid(format!("{} holds no labels: {error}", path.display()));
    let labels: Vec<Value> = match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => serde_json::from_str(text).map_err(|error| refused(error.to_string()))?,
        Some("jsonl") => text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(serde_json::from_str)
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| refused(error.to_string()))?,
        _ => {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            check_header(reader.headers().map_err(|error| refused(error.to_string()))?).map_err(refused)?;
            let read = reader.deserialize::<BTreeMap<String, String>>();
            read.map(|row| row.map(label_of))
                .collect::<std::result::Result<_, _>>()
                .map_err(|error| refused(error.to_string()))?
        }
    };
    Ok(labels)
}

/// A server that is sent other columns would name a place in a body that nobody has written.
fn check_header(header: &csv::StringRecord) -> std::result::Result<(), String> {
    let has = |name: &str| header.iter().any(|column| column == name);
    let is_known = |column: &str| COLUMNS.contains(&column);
    if header.iter().all(is_known) && has("label") && (has("request_id") || has("client_request_id")) {
        return Ok(());
    }
    let columns: Vec<&str> = header.iter().collect();
    Err(format!(
        "its columns are {}; they must be request_id or client_request_id, label, and row where requests have several",
        columns.join(", ")
    ))
}

/// A row of a CSV file: a number or boolean where the text is one, also as Python writes it.
fn label_of(row: BTreeMap<String, String>) -> Value {
    let read = |key: &str, text: String| match key {
        "label" if matches!(text.as_str(), "True" | "TRUE") => Value::Bool(true),
        "label" if matches!(text.as_str(), "False" | "FALSE") => Value::Bool(false),
        "label" | "row" => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        _ => Value::String(text),
    };
    Value::Object(
        row.into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(key, text)| (key.clone(), read(&key, text)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_with_other_columns_is_refused_by_their_names() {
        for (header, is_taken) in [
            ("request_id,label", true),
            ("client_request_id,row,label", true),
            ("x,label", false),
            ("request_id,row", false),
        ] {
            let read = read_labels(Path::new("labels.csv"), &format!("{header}\n"));
            assert_eq!(read.is_ok(), is_taken, "{header}");
            if let Err(error) = read {
                let named = header.replace(',', ", ");
                assert!(
                    error.message().contains(&format!("its columns are {named}; they must be request_id")),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn labels_of_a_csv_are_numbers_booleans_and_texts() {
        let text = "request_id,label\na,1\nb,True\nc,false\nd,late\ne,0.5\n";
        let labels = read_labels(Path::new("labels.csv"), text).unwrap();
        let labels: Vec<&Value> = labels.iter().map(|label| &label["label"]).collect();
        assert_eq!(labels, [&json!(1), &json!(true), &json!(false), &json!("late"), &json!(0.5)]);
    }
}
