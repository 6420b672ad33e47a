//! What names, values and batches may be, in MLflow's words: its clients show these messages to people, and some match on them.
//!
//! Pure; called by the room's own functions, and by the door where it must refuse earlier.

use std::collections::{BTreeMap, HashSet};

use lathe_core::{Error, Result};

use crate::runs::LogBatch;
use crate::{Dataset, DatasetInput, NewMetric, Param, Tag};

/// The longest key of a metric, param or tag, in characters.
pub const MAX_KEY_LENGTH: usize = 250;
/// The longest param value of a run; a longer one is cut.
pub const MAX_PARAM_VALUE_LENGTH: usize = 6_000;
/// The longest tag value of a run; a longer one is cut.
pub const MAX_TAG_VALUE_LENGTH: usize = 8_000;
/// How many metric points one request may log.
pub const MAX_METRICS_PER_BATCH: usize = 1_000;
/// How many params, and how many tags, one request may log.
pub const MAX_PARAMS_TAGS_PER_BATCH: usize = 100;
/// How many of all three together.
pub const MAX_ENTITIES_PER_BATCH: usize = 1_000;
/// The largest page of a search.
pub const MAX_RESULTS: i64 = 50_000;

const MAX_EXPERIMENT_NAME_LENGTH: usize = 500;
const MAX_EXPERIMENT_TAG_VALUE_LENGTH: usize = 20_000;
const MAX_ARTIFACT_LOCATION_LENGTH: usize = 2_048;

/// The page size of a search.
pub(crate) fn max_results(max_results: i64) -> Result<usize> {
    if max_results < 1 {
        return Err(Error::invalid(format!(
            "Invalid value {max_results} for parameter 'max_results' supplied. It must be a positive integer"
        )));
    }
    if max_results > MAX_RESULTS {
        return Err(Error::invalid(format!(
            "Invalid value {max_results} for parameter 'max_results' supplied. It must be at most {MAX_RESULTS}"
        )));
    }
    Ok(usize::try_from(max_results).unwrap_or(usize::MAX))
}

pub(crate) fn experiment_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("Invalid experiment name: ''"));
    }
    no_nul("name", name)?;
    at_most("name", MAX_EXPERIMENT_NAME_LENGTH, name)
}

pub(crate) fn artifact_location(location: &str) -> Result<()> {
    if location.starts_with("runs:") {
        return Err(Error::invalid(format!("Artifact location cannot be a runs:/ URI. Given: '{location}'")));
    }
    no_nul("artifact_location", location)?;
    if length(location) > MAX_ARTIFACT_LOCATION_LENGTH {
        return Err(Error::invalid(format!(
            "Invalid artifact path length. The length of the artifact path cannot be greater than \
             {MAX_ARTIFACT_LOCATION_LENGTH} characters."
        )));
    }
    // A location here becomes the start of artifact paths; one of another scheme is an opaque text that nothing opens.
    let is_ours = location.starts_with("mlflow-artifacts:");
    // Clients decode percent signs on the way back, so an encoded path would be another one to them.
    let leads_elsewhere = is_ours && (location.contains('%') || crate::artifacts::path_of_uri(location).is_err());
    if location.contains('#') {
        return Err(Error::invalid("'artifact_location' URL can't include fragments or params."));
    }
    if leads_elsewhere || location.contains('?') || location.chars().any(char::is_control) {
        return Err(Error::invalid(format!("Invalid artifact location: {location:?}")));
    }
    Ok(())
}

/// Tags of an experiment; of a key given twice the last wins.
pub(crate) fn experiment_tags(tags: Vec<Tag>) -> Result<Vec<Tag>> {
    for tag in &tags {
        key_characters("key", &tag.key)?;
        at_most("key", MAX_KEY_LENGTH, &tag.key)?;
        no_nul("value", &tag.value)?;
        at_most("value", MAX_EXPERIMENT_TAG_VALUE_LENGTH, &tag.value)?;
    }
    Ok(last_of_each(tags))
}

/// Tags of a run or logged model, checked and cut; of a key given twice the last wins. `path` is `None` for a single tag.
pub(crate) fn tags(tags: Vec<Tag>, place: Place) -> Result<Vec<Tag>> {
    let mut checked = Vec::with_capacity(tags.len());
    for (index, Tag { key, value }) in tags.into_iter().enumerate() {
        let path = place.path("tags", index, "key");
        key_characters(&path, &key)?;
        at_most(&path, MAX_KEY_LENGTH, &key)?;
        no_nul(&place.path("tags", index, "value"), &value)?;
        checked.push(Tag { key, value: cut(value, MAX_TAG_VALUE_LENGTH) });
    }
    Ok(last_of_each(checked))
}

/// Params of a run, checked and cut.
pub(crate) fn params(params: Vec<Param>, place: Place) -> Result<Vec<Param>> {
    let mut checked = Vec::with_capacity(params.len());
    for (index, new_param) in params.into_iter().enumerate() {
        param(&new_param, place, index)?;
        let Param { key, value } = new_param;
        checked.push(Param { key, value: cut(value, MAX_PARAM_VALUE_LENGTH) });
    }
    Ok(checked)
}

/// Params of a logged model, checked, by key. They are as long as they are: none is cut.
pub(crate) fn logged_model_params(mut params: Vec<Param>) -> Result<Vec<Param>> {
    for (index, new_param) in params.iter().enumerate() {
        param(new_param, Place::InList, index)?;
    }
    unique_params(&params)?;
    params.sort_unstable_by(|left, right| left.key.cmp(&right.key));
    Ok(params)
}

fn param(param: &Param, place: Place, index: usize) -> Result<()> {
    key_characters(&place.path("params", index, "key"), &param.key)?;
    at_most("Param key", MAX_KEY_LENGTH, &param.key)?;
    no_nul(&place.path("params", index, "value"), &param.value)
}

/// Whether a thing came alone or in a list: messages name its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Alone,
    InList,
}

impl Place {
    fn path(self, list: &str, index: usize, field: &str) -> String {
        match self {
            Place::Alone => field.to_owned(),
            Place::InList => format!("{list}[{index}].{field}"),
        }
    }
}

pub(crate) fn metric(metric: &NewMetric, place: Place, index: usize) -> Result<()> {
    let NewMetric { key, value, timestamp_ms, step: _, model_id, dataset_name, dataset_digest } = metric;
    key_characters_with(|| place.path("metrics", index, "name"), key)?;
    if *timestamp_ms < 0 {
        let path = place.path("metrics", index, "timestamp");
        return Err(Error::invalid(format!(
            "Invalid value {timestamp_ms} for parameter '{path}' supplied: metric '{key}' (value={}). \
             Timestamp must be a nonnegative long (64-bit integer) ",
            number(*value)
        )));
    }
    for text in [model_id, dataset_name, dataset_digest].into_iter().flatten() {
        no_nul("metrics", text)?;
    }
    at_most("Metric name", MAX_KEY_LENGTH, key)
}

/// A whole log request, checked and cut.
pub(crate) fn log_batch(batch: LogBatch) -> Result<LogBatch> {
    let LogBatch { metrics, params: new_params, tags: new_tags } = batch;
    let counts = (metrics.len(), new_params.len(), new_tags.len());
    for (index, new_metric) in metrics.iter().enumerate() {
        metric(new_metric, Place::InList, index)?;
    }
    let params = params(new_params, Place::InList)?;
    let tags = tags(new_tags, Place::InList)?;
    limit("metrics", MAX_METRICS_PER_BATCH, counts.0)?;
    limit("params", MAX_PARAMS_TAGS_PER_BATCH, counts.1)?;
    limit("tags", MAX_PARAMS_TAGS_PER_BATCH, counts.2)?;
    limit("metrics, params, and tags", MAX_ENTITIES_PER_BATCH, counts.0 + counts.1 + counts.2)?;
    unique_params(&params)?;
    Ok(LogBatch { metrics, params, tags })
}

fn unique_params(params: &[Param]) -> Result<()> {
    let mut seen = HashSet::new();
    let twice: Vec<String> = params
        .iter()
        .filter(|param| !seen.insert(param.key.as_str()))
        .map(|param| format!("'{}'", param.key))
        .collect();
    if twice.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Duplicate parameter keys have been submitted: [{}]. Please ensure the request contains only one param value per \
         param key.",
        twice.join(", ")
    )))
}

fn limit(noun: &str, limit: usize, count: usize) -> Result<()> {
    if count <= limit {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "A batch logging request can contain at most {limit} {noun}. Got {count} {noun}. Please split up {noun} across \
         multiple requests and try again."
    )))
}

/// Dataset inputs; of a dataset given twice the first is kept.
pub(crate) fn dataset_inputs(inputs: Vec<DatasetInput>) -> Result<Vec<DatasetInput>> {
    let mut seen = HashSet::new();
    let mut kept = Vec::with_capacity(inputs.len());
    for input in inputs {
        let Dataset { name, digest, source_type, source, schema, profile } = &input.dataset;
        for (path, limit, text) in [
            ("name", 500, Some(name)),
            ("digest", 36, Some(digest)),
            ("source_type", 500, Some(source_type)),
            ("source", 65_535, Some(source)),
            ("schema", 1_048_575, schema.as_ref()),
            ("profile", 16_777_215, profile.as_ref()),
        ] {
            if let Some(text) = text {
                no_nul(path, text)?;
                at_most(path, limit, text)?;
            }
        }
        if name.is_empty() || digest.is_empty() {
            return Err(Error::invalid("Dataset name and digest cannot be empty"));
        }
        for tag in &input.tags {
            no_nul("key", &tag.key)?;
            no_nul("value", &tag.value)?;
            at_most("key", 255, &tag.key)?;
            at_most("value", 500, &tag.value)?;
        }
        if seen.insert((name.clone(), digest.clone())) {
            kept.push(input);
        }
    }
    Ok(kept)
}

pub(crate) fn logged_model_name(name: &str) -> Result<()> {
    no_nul("name", name)?;
    at_most("name", 500, name)?;
    if name.is_empty() || name.contains(['/', ':', '.', '%', '"', '\'']) {
        return Err(Error::invalid(format!(
            "Invalid model name ('{name}') provided. Model name must be a non-empty string and cannot contain the following \
             characters: ('/', ':', '.', '%', '\"', \"'\")"
        )));
    }
    Ok(())
}

/// PostgreSQL cannot store NUL in text, and nobody means it.
pub(crate) fn no_nul(path: &str, text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::invalid(format!(
            "Invalid value for parameter '{path}' supplied: it must not contain a NUL character"
        )));
    }
    Ok(())
}

fn key_characters(path: &str, key: &str) -> Result<()> {
    key_characters_with(|| path.to_owned(), key)
}

/// `path` is made only when there is something to complain about: this runs a thousand times per batch.
fn key_characters_with(path: impl FnOnce() -> String, key: &str) -> Result<()> {
    let is_allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | ':' | '/');
    let problem = if !key.chars().all(is_allowed) {
        "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
            .to_owned()
    } else if !is_normal_path(key) {
        format!(
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as such. \
             This name would resolve to '{}'",
            normal_path(key)
        )
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("Invalid value {} for parameter '{}' supplied: {problem}", json_text(key), path())))
}

/// Whether a key, read as a path, names itself: no empty, `.` or `..` segments.
fn is_normal_path(key: &str) -> bool {
    !key.is_empty() && key.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

/// What POSIX makes of a path: `a//b/../c` is `a/c`.
fn normal_path(path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." if segments.last().is_some_and(|last| *last != "..") => {
                segments.pop();
            }
            ".." if !root.is_empty() => {}
            other => segments.push(other),
        }
    }
    let joined = format!("{root}{}", segments.join("/"));
    if joined.is_empty() { ".".to_owned() } else { joined }
}

fn at_most(path: &str, limit: usize, text: &str) -> Result<()> {
    if length(text) > limit {
        return Err(Error::invalid(format!("'{path}' exceeds the maximum length of {limit} characters")));
    }
    Ok(())
}

/// Characters, as MLflow counts; most texts are decided by their byte length alone.
fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

fn cut(text: String, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text,
        Some((at, _)) => text.get(..at).unwrap_or_default().to_owned(),
    }
}

fn last_of_each(tags: Vec<Tag>) -> Vec<Tag> {
    let by_key: BTreeMap<String, String> = tags.into_iter().map(|Tag { key, value }| (key, value)).collect();
    by_key.into_iter().map(|(key, value)| Tag { key, value }).collect()
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A number as Python writes it.
fn number(value: f64) -> String {
    if value.is_nan() { "nan".to_owned() } else { format!("{value:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: Result<()>) -> String {
        result.unwrap_err().message().to_owned()
    }

    #[test]
    fn keys_are_judged_in_mlflows_words() {
        assert!(key_characters("key", "val/loss 1:a-b.c_d").is_ok());
        assert_eq!(
            message(key_characters("name", "../x")),
            "Invalid value \"../x\" for parameter 'name' supplied: Names may be treated as files in certain cases, and must \
             not resolve to other names when treated as such. This name would resolve to '../x'"
        );
        for (key, resolved) in [("a//b", "'a/b'"), ("/a", "'/a'"), ("a/../b", "'b'"), ("", "'.'"), ("a/", "'a'")] {
            assert!(message(key_characters("key", key)).ends_with(resolved), "{key}");
        }
        assert!(message(key_characters("name", "a*b")).contains("Names may only contain alphanumerics"));
        assert!(key_characters("key", "a\nb").is_err());
    }

    #[test]
    fn long_values_are_cut_and_long_keys_refused() {
        let long = "é".repeat(9_000);
        let kept = tags(vec![Tag { key: "k".into(), value: long.clone() }], Place::Alone).unwrap();
        assert_eq!(kept[0].value.chars().count(), MAX_TAG_VALUE_LENGTH);
        let kept = params(vec![Param { key: "k".into(), value: long }], Place::Alone).unwrap();
        assert_eq!(kept[0].value.chars().count(), MAX_PARAM_VALUE_LENGTH);
        let key = "k".repeat(251);
        let refused = metric(&NewMetric { key, ..NewMetric::default() }, Place::Alone, 0);
        assert_eq!(message(refused), "'Metric name' exceeds the maximum length of 250 characters");
    }

    #[test]
    fn batches_have_limits() {
        let batch = |metrics, params, tags| {
            let key = |i: usize| format!("k{i}");
            log_batch(LogBatch {
                metrics: (0..metrics).map(|i| NewMetric { key: key(i), ..NewMetric::default() }).collect(),
                params: (0..params).map(|i| Param { key: key(i), value: String::new() }).collect(),
                tags: (0..tags).map(|i| Tag { key: key(i), value: String::new() }).collect(),
            })
        };
        assert!(batch(1_000, 0, 0).is_ok());
        assert_eq!(
            batch(0, 101, 0).unwrap_err().message(),
            "A batch logging request can contain at most 100 params. Got 101 params. Please split up params across multiple \
             requests and try again."
        );
        assert!(batch(901, 50, 50).unwrap_err().message().contains("at most 1000 metrics, params, and tags. Got 1001"));
    }

    #[test]
    fn a_batch_names_the_place_of_what_is_wrong() {
        let metrics = vec![NewMetric { key: "neg".into(), value: 1.0, timestamp_ms: -1, ..NewMetric::default() }];
        assert_eq!(
            log_batch(LogBatch { metrics, ..LogBatch::default() }).unwrap_err().message(),
            "Invalid value -1 for parameter 'metrics[0].timestamp' supplied: metric 'neg' (value=1.0). Timestamp must be a \
             nonnegative long (64-bit integer) "
        );
        let twice = vec![Param { key: "d".into(), value: "1".into() }, Param { key: "d".into(), value: "2".into() }];
        assert_eq!(
            log_batch(LogBatch { params: twice, ..LogBatch::default() }).unwrap_err().message(),
            "Duplicate parameter keys have been submitted: ['d']. Please ensure the request contains only one param value \
             per param key."
        );
    }
}
