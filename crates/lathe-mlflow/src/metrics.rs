//! `runs/log-metric` and `metrics/*`: points in, histories out.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, header};
use lathe_core::{Code, Error, Page, Result};
use lathe_http::{Caller, Failure};
use lathe_tracking::metrics::history::{self, GetHistory, RunPoint, SampleHistory};
use lathe_tracking::runs::{self, parse_run_id};
use lathe_tracking::{MetricPoint, NewMetric};
use serde::Serialize;

use crate::MlflowState;
use crate::wire::{Answer, Double, Empty, Fields, Form, LATHE_VERSION, Reply, VERSION, empty};

/// How many runs one request may ask for.
const MAX_RUNS: usize = 100;
/// How many points the bulk history answers at the most.
const MAX_BULK_POINTS: usize = 25_000;
/// How many points of one run the sampled history answers at the most.
const MAX_SAMPLED_POINTS: i64 = 2_500;
/// How many points of a history are written into one piece of the answer.
const POINTS_PER_CHUNK: usize = 2_000;

/// A point of one of several runs.
#[derive(Debug, Serialize)]
pub(crate) struct RunPointBody {
    key: String,
    value: Double,
    timestamp: i64,
    step: i64,
    run_id: String,
}

impl RunPointBody {
    fn new(key: &str, RunPoint { run_id, point }: RunPoint) -> Self {
        let MetricPoint { step, timestamp_ms, value } = point;
        Self { key: key.to_owned(), value: Double(value), timestamp: timestamp_ms, step, run_id: run_id.to_string() }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct BulkAnswer {
    metrics: Vec<RunPointBody>,
}

#[derive(Debug, Serialize)]
pub(crate) struct SampleAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<RunPointBody>,
}

/// Reads a point, of a request or of a batch.
pub(crate) fn read_metric(fields: &Fields) -> Result<NewMetric> {
    let text = |name| Ok::<_, Error>(fields.text(name)?.filter(|text| !text.is_empty()));
    Ok(NewMetric {
        key: fields.required_text("key")?,
        value: fields.required_double("value")?,
        timestamp_ms: fields.required_integer("timestamp")?,
        step: fields.integer("step")?.unwrap_or_default(),
        model_id: text("model_id")?,
        dataset_name: text("dataset_name")?,
        dataset_digest: text("dataset_digest")?,
    })
}

pub(crate) async fn log_metric(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<Empty> {
    let run_id = fields.required_run_id()?;
    let metric = read_metric(&fields)?;
    runs::log_metric(&ctx, &state.tracking, &parse_run_id(&run_id)?, metric).await?;
    empty()
}

/// `metrics/get-history`. The answer is written while it is sent: a history may hold a million points.
pub(crate) async fn get_history(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Result<Response, Failure> {
    let run_id = fields.required_run_id()?;
    let request = GetHistory {
        key: fields.required_text("metric_key")?,
        max_results: fields.integer("max_results")?,
        page_token: fields.text("page_token")?,
    };
    let key = request.key.clone();
    let page = match parse_run_id(&run_id) {
        Ok(run_id) => history::get_history(&ctx, &state.tracking, &run_id, request).await,
        Err(error) => Err(error),
    };
    // MLflow's clients read the history of a run that is not there as one without points.
    let page = match page {
        Err(error) if error.code() == Code::NotFound => Page { items: Vec::new(), next: None },
        page => page?,
    };
    let mut response = Response::new(Body::from_stream(stream::iter(history_chunks(&key, page).map(Ok::<_, Error>))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(LATHE_VERSION, HeaderValue::from_static(VERSION));
    Ok(response)
}

/// The JSON of a history, piece by piece.
fn history_chunks(key: &str, page: Page<MetricPoint>) -> impl Iterator<Item = Bytes> + Send + use<> {
    let Page { items: points, next } = page;
    // The same for every point: written once.
    let prefix = format!("{{\"key\":{},\"value\":", serde_json::Value::from(key));
    let mut written = 0;
    let mut is_done = false;
    std::iter::from_fn(move || {
        if is_done {
            return None;
        }
        let mut chunk = Vec::with_capacity(POINTS_PER_CHUNK.min(points.len()) * (prefix.len() + 64) + 64);
        if written == 0 {
            chunk.extend_from_slice(if points.is_empty() { b"{" } else { b"{\"metrics\":[" });
        }
        for point in points.iter().skip(written).take(POINTS_PER_CHUNK) {
            if written > 0 {
                chunk.push(b',');
            }
            write_point(&mut chunk, &prefix, point);
            written += 1;
        }
        if written == points.len() {
            is_done = true;
            let is_empty = points.is_empty();
            if !is_empty {
                chunk.push(b']');
            }
            if let Some(token) = &next {
                let comma = if is_empty { "" } else { "," };
                chunk.extend_from_slice(format!("{comma}\"next_page_token\":\"{}\"", token.encode()).as_bytes());
            }
            chunk.push(b'}');
        }
        Some(Bytes::from(chunk))
    })
}

fn write_point(chunk: &mut Vec<u8>, prefix: &str, point: &MetricPoint) {
    let MetricPoint { step, timestamp_ms, value } = point;
    chunk.extend_from_slice(prefix.as_bytes());
    // Numbers into memory: none of these can fail.
    let _ = serde_json::to_writer(&mut *chunk, &Double(*value));
    chunk.extend_from_slice(b",\"timestamp\":");
    let _ = serde_json::to_writer(&mut *chunk, timestamp_ms);
    chunk.extend_from_slice(b",\"step\":");
    let _ = serde_json::to_writer(&mut *chunk, step);
    chunk.push(b'}');
}

/// `metrics/get-history-bulk`, which MLflow's own UI sends.
pub(crate) async fn get_history_bulk(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<BulkAnswer> {
    let run_ids = fields.texts("run_id")?;
    if run_ids.is_empty() {
        return Err(Error::invalid("GetMetricHistoryBulk request must specify at least one run_id.").into());
    }
    if run_ids.len() > MAX_RUNS {
        return Err(Error::invalid(format!(
            "GetMetricHistoryBulk request cannot specify more than {MAX_RUNS} run_ids. Received {} run_ids.",
            run_ids.len()
        ))
        .into());
    }
    let Some(key) = fields.text("metric_key")? else {
        return Err(Error::invalid("GetMetricHistoryBulk request must specify a metric_key.").into());
    };
    let asked = fields.integer("max_results")?.map_or(MAX_BULK_POINTS, |asked| usize::try_from(asked).unwrap_or(0));
    // Runs that cannot exist have no points, like runs that do not.
    let run_ids: Vec<_> = run_ids.iter().filter_map(|id| parse_run_id(id).ok()).collect();
    let limit = asked.min(MAX_BULK_POINTS);
    let found = history::get_history_bulk(&ctx, &state.tracking, &run_ids, &key, limit).await?;
    Ok(Answer(BulkAnswer { metrics: found.into_iter().map(|point| RunPointBody::new(&key, point)).collect() }))
}

/// `metrics/get-history-bulk-interval`: an even sample of each run's history.
pub(crate) async fn sample_history(
    State(state): State<MlflowState>,
    Caller(ctx): Caller,
    Form(fields): Form,
) -> Reply<SampleAnswer> {
    let (run_ids, request) = read_sample(&fields)?;
    let run_ids = run_ids.iter().map(|id| parse_run_id(id)).collect::<Result<_>>()?;
    let key = request.key.clone();
    let found = history::sample_history(&ctx, &state.tracking, SampleHistory { run_ids, ..request }).await?;
    Ok(Answer(SampleAnswer { metrics: found.into_iter().map(|point| RunPointBody::new(&key, point)).collect() }))
}

fn read_sample(fields: &Fields) -> Result<(Vec<String>, SampleHistory)> {
    const SEE_DOCS: &str = "See the API docs for more information about request parameters.";
    fields.require("run_ids")?;
    let run_ids = fields.texts("run_ids")?;
    if run_ids.len() > MAX_RUNS {
        return Err(Error::invalid(format!(
            "GetMetricHistoryBulkInterval request must specify at most {MAX_RUNS} run_ids. Received {} run_ids. {SEE_DOCS}",
            run_ids.len()
        )));
    }
    let key = fields.required_text("metric_key")?;
    let (start, end) = (fields.integer("start_step")?, fields.integer("end_step")?);
    let max_results = fields.integer("max_results")?.unwrap_or(MAX_SAMPLED_POINTS);
    if !(1..=MAX_SAMPLED_POINTS).contains(&max_results) {
        return Err(Error::invalid(format!("max_results must be between 1 and {MAX_SAMPLED_POINTS}. {SEE_DOCS}")));
    }
    let steps = match (start, end) {
        (None, None) => None,
        (Some(start), Some(end)) if start <= end => Some((start, end)),
        (Some(start), Some(end)) => {
            return Err(Error::invalid(format!(
                "end_step must be greater than start_step. Found start_step={start} and end_step={end}."
            )));
        }
        _ => {
            return Err(Error::invalid("If either start step or end step are specified, both must be specified."));
        }
    };
    Ok((run_ids, SampleHistory { run_ids: Vec::new(), key, max_results, steps }))
}

#[cfg(test)]
mod tests {
    use lathe_core::PageToken;
    use serde_json::{Value, json};

    use super::*;

    fn write(key: &str, points: Vec<MetricPoint>, next: Option<PageToken>) -> (usize, Value) {
        let chunks: Vec<Bytes> = history_chunks(key, Page { items: points, next }).collect();
        (chunks.len(), serde_json::from_slice(&chunks.concat()).unwrap())
    }

    fn line(count: i64) -> Vec<MetricPoint> {
        (0..count).map(|step| MetricPoint { step, timestamp_ms: step * 10, value: 1.0 }).collect()
    }

    #[test]
    fn histories_are_the_json_that_clients_read() {
        let points = vec![
            MetricPoint { step: -1, timestamp_ms: 5, value: 0.5 },
            MetricPoint { step: 2, timestamp_ms: 6, value: f64::NAN },
        ];
        assert_eq!(
            write("a\"b", points, None).1,
            json!({"metrics": [
                {"key": "a\"b", "value": 0.5, "timestamp": 5, "step": -1},
                {"key": "a\"b", "value": "NaN", "timestamp": 6, "step": 2},
            ]})
        );
        assert_eq!(write("a", Vec::new(), None), (1, json!({})));
        let token = PageToken::start("x").at(7);
        assert_eq!(write("a", line(1), Some(token.clone())).1["next_page_token"], token.encode());
    }

    #[test]
    fn long_histories_come_in_pieces_without_gaps() {
        for count in [1_999, 2_000, 2_001, 10_000] {
            let (chunks, body) = write("a", line(count), None);
            assert_eq!(chunks, usize::try_from(count).unwrap().div_ceil(POINTS_PER_CHUNK), "{count}");
            let steps: Vec<i64> =
                body["metrics"].as_array().unwrap().iter().map(|point| point["step"].as_i64().unwrap()).collect();
            assert!(steps.iter().copied().eq(0..count));
        }
    }

    #[test]
    fn samples_want_both_ends_or_none() {
        let read = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            read_sample(&Fields::of_query(
                pairs
                    .chain([("run_ids".to_owned(), "r".to_owned()), ("metric_key".to_owned(), "m".to_owned())])
                    .collect(),
            ))
        };
        assert_eq!(read(&[]).unwrap().1.max_results, MAX_SAMPLED_POINTS);
        assert_eq!(read(&[("start_step", "1"), ("end_step", "1")]).unwrap().1.steps, Some((1, 1)));
        for wrong in [
            &[("start_step", "1")][..],
            &[("start_step", "6"), ("end_step", "4")],
            &[("max_results", "0")],
            &[("max_results", "2501")],
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
