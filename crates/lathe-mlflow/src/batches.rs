//! `runs/log-batch`: the hot path of training.
//!
//! A batch is read straight into the room's types. Whatever that does not take (odd types, missing fields, bad JSON) is read
//! again by the slow way of all other routes, which knows MLflow's messages and takes what protobuf takes.

use axum::extract::{Request, State};
use lathe_core::{Result, RunId};
use lathe_http::Caller;
use lathe_http::scan::Scan;
use lathe_tracking::runs::{self, LogBatch, parse_run_id};
use lathe_tracking::{NewMetric, Param, Tag};
use serde::Deserialize;

use crate::MlflowState;
use crate::metrics::read_metric;
use crate::wire::{Double, Empty, Fields, Integer, LARGE_JSON_BYTES, Reply, empty, parse_object, read_json};

#[derive(Debug, Deserialize)]
struct BatchBody {
    run_id: String,
    #[serde(default)]
    metrics: Vec<MetricBody>,
    #[serde(default)]
    params: Vec<PairBody>,
    #[serde(default)]
    tags: Vec<PairBody>,
}

#[derive(Debug, Deserialize)]
struct MetricBody {
    key: String,
    value: Double,
    timestamp: Integer,
    step: Option<Integer>,
    model_id: Option<String>,
    dataset_name: Option<String>,
    dataset_digest: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PairBody {
    key: String,
    value: Option<String>,
}

pub(crate) async fn log_batch(State(state): State<MlflowState>, Caller(ctx): Caller, request: Request) -> Reply<Empty> {
    let (parts, body) = request.into_parts();
    let body = read_json(&parts, body, LARGE_JSON_BYTES).await?;
    let (run_id, batch) = read_batch(&body)?;
    runs::log_batch(&ctx, &state.tracking, &run_id, batch).await?;
    empty()
}

fn read_batch(body: &[u8]) -> Result<(RunId, LogBatch)> {
    let scan = Scan::of(body);
    let is_plain = !(scan.is_too_deep || scan.has_nul || scan.has_special_numbers);
    if let Some((run_id, batch)) = is_plain.then(|| read_plain_batch(body)).flatten() {
        return Ok((parse_run_id(&run_id)?, batch));
    }
    let fields = parse_object(body, scan);
    let run_id = fields.required_run_id()?;
    let batch = read_odd_batch(&fields)?;
    Ok((parse_run_id(&run_id)?, batch))
}

/// Reads a batch as MLflow's clients write it; `None` for any other.
fn read_plain_batch(body: &[u8]) -> Option<(String, LogBatch)> {
    let BatchBody { run_id, metrics, params, tags } = serde_json::from_slice(body).ok()?;
    let is_complete = !run_id.is_empty()
        && metrics.iter().all(|metric| !metric.key.is_empty())
        && params.iter().chain(&tags).all(|pair| !pair.key.is_empty());
    if !is_complete {
        return None;
    }
    let metric = |metric: MetricBody| {
        let MetricBody { key, value: Double(value), timestamp, step, model_id, dataset_name, dataset_digest } = metric;
        NewMetric {
            key,
            value,
            timestamp_ms: timestamp.0,
            step: step.map_or(0, |Integer(step)| step),
            model_id: model_id.filter(|text| !text.is_empty()),
            dataset_name: dataset_name.filter(|text| !text.is_empty()),
            dataset_digest: dataset_digest.filter(|text| !text.is_empty()),
        }
    };
    let batch = LogBatch {
        metrics: metrics.into_iter().map(metric).collect(),
        params: params
            .into_iter()
            .map(|PairBody { key, value }| Param { key, value: value.unwrap_or_default() })
            .collect(),
        tags: tags.into_iter().map(|PairBody { key, value }| Tag { key, value: value.unwrap_or_default() }).collect(),
    };
    Some((run_id, batch))
}

fn read_odd_batch(fields: &Fields) -> Result<LogBatch> {
    let pair = |pair: &Fields| Ok((pair.required_text("key")?, pair.text("value")?.unwrap_or_default()));
    let metrics = fields.objects("metrics")?.iter().map(read_metric).collect::<Result<_>>()?;
    let params = fields.objects("params")?.iter().map(pair).collect::<Result<Vec<_>>>()?;
    let tags = fields.objects("tags")?.iter().map(pair).collect::<Result<Vec<_>>>()?;
    Ok(LogBatch {
        metrics,
        params: params.into_iter().map(|(key, value)| Param { key, value }).collect(),
        tags: tags.into_iter().map(|(key, value)| Tag { key, value }).collect(),
    })
}

#[cfg(test)]
mod tests {
    use lathe_core::Code;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const RUN: &str = "0123456789abcdef0123456789abcdef";

    fn odd(body: &Value) -> Result<LogBatch> {
        let text = body.to_string();
        read_odd_batch(&parse_object(text.as_bytes(), Scan::of(text.as_bytes())))
    }

    fn message(body: Value) -> String {
        let error = read_batch(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        error.message().to_owned()
    }

    #[test]
    fn a_clients_batch_takes_the_short_way() {
        let body = json!({
            "run_id": RUN,
            "metrics": [
                {"key": "loss", "value": 0.5, "timestamp": 1, "step": 2},
                {"key": "nan", "value": "NaN", "timestamp": "7", "step": "4", "model_id": "m-1", "run_id": RUN},
            ],
            "params": [{"key": "p", "value": "1"}, {"key": "q"}],
            "tags": [{"key": "t", "value": "x"}],
            "unknown": {"deep": [1, {}]},
        });
        let (run_id, batch) = read_plain_batch(body.to_string().as_bytes()).unwrap();
        assert_eq!(run_id, RUN);
        assert_eq!((batch.metrics.len(), batch.params.len(), batch.tags.len()), (2, 2, 1));
        assert!(batch.metrics[1].value.is_nan());
        assert_eq!((batch.metrics[1].timestamp_ms, batch.metrics[1].step), (7, 4));
        assert_eq!(batch.metrics[1].model_id.as_deref(), Some("m-1"));
        assert_eq!(batch.params[1].value, "");
    }

    #[test]
    fn bare_nan_and_null_lists_are_taken() {
        let text = format!(
            r#"{{"run_id": "{RUN}", "metrics": [{{"key": "a", "value": NaN, "timestamp": 1}}], "tags": null}}"#
        );
        let (_, batch) = read_batch(text.as_bytes()).unwrap();
        assert!(batch.metrics[0].value.is_nan());
    }

    #[test]
    fn messages_name_the_place() {
        let metric = |metric: Value| {
            message(json!({"run_id": RUN, "metrics": [{"key": "ok", "value": 1, "timestamp": 1}, metric]}))
        };
        assert!(metric(json!({"value": 1, "timestamp": 1})).contains("'metrics[1].key'"));
        assert!(
            metric(json!({"key": "w", "value": null, "timestamp": 1}))
                .starts_with("Missing value for required parameter 'metrics[1].value'")
        );
        assert!(metric(json!({"key": "w", "value": 1})).contains("'metrics[1].timestamp'"));
        assert!(
            metric(json!({"key": "w", "value": "word", "timestamp": 1}))
                .starts_with("Invalid value \"word\" for parameter 'metrics[1].value'")
        );
        assert!(metric(json!("w")).contains("'metrics[1]'"));
        assert!(message(json!({"run_id": RUN, "params": [{"value": "1"}]})).contains("'params[0].key'"));
        assert!(message(json!({"run_id": RUN, "tags": [{"key": ""}]})).contains("'tags[0].key'"));
        assert!(message(json!({"run_id": RUN, "params": [{"key": "a", "value": "1\0"}]})).contains("NUL"));
        assert!(message(json!({"params": []})).contains("'run_id'"));
        assert!(message(json!([])).contains("JSON object"));
    }

    #[test]
    fn a_batch_nested_too_deep_is_refused_even_where_nobody_looks() {
        let text = format!(r#"{{"run_id": "{RUN}", "unknown": {}1{}}}"#, "[".repeat(200), "]".repeat(200));
        assert!(read_batch(text.as_bytes()).is_err());
    }

    fn number() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(|value: f64| Value::from(value)),
            "[0-9]{1,4}(\\.5)?".prop_map(Value::from),
            Just(json!("NaN")),
            Just(json!(null)),
            Just(json!([])),
            Just(json!(true)),
        ]
    }

    proptest! {
        #[test]
        fn both_ways_read_the_same(
            metrics in prop::collection::vec(("[ab]{0,2}", number(), number(), number()), 0..4),
            pairs in prop::collection::vec(("[ab]{0,2}", prop::option::of("[xy]{0,2}")), 0..4),
        ) {
            let metrics: Vec<Value> = metrics.into_iter()
                .map(|(key, value, timestamp, step)| json!({"key": key, "value": value, "timestamp": timestamp, "step": step}))
                .collect();
            let pairs: Vec<Value> = pairs.into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
            let body = json!({"run_id": RUN, "metrics": metrics, "params": pairs, "tags": pairs});
            let slow = odd(&body);
            if let Some((_, fast)) = read_plain_batch(body.to_string().as_bytes()) {
                prop_assert_eq!(format!("{:?}", slow.unwrap()), format!("{fast:?}"));
            } else {
                prop_assert!(slow.is_err());
            }
        }
    }
}
