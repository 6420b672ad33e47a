//! `/metrics/series` and `/runs/{run_id}/stream`: charts and their live continuation.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{self, KeepAlive, Sse};
use futures::Stream;
use lathe_core::{Ctx, Result, RunId};
use lathe_http::{Admission, Caller, Failure};
use lathe_tracking::metrics::live::{self, Cursor, NewPoints};
use lathe_tracking::metrics::series::{self, Axis, ReadSeries};
use lathe_tracking::{RunChange, runs};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use utoipa::ToSchema;

use crate::extract::{Body, Captured};
use crate::number::{ChartNumber, Number};
use crate::state::{ApiState, stopped};

/// How often a stream looks although nobody told of a change: another server may have written.
const STREAM_POLL: Duration = Duration::from_secs(2);
/// Changes that come faster than this are sent together.
const STREAM_GATHER: Duration = Duration::from_millis(200);

/// The horizontal axis of a chart.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AxisName {
    /// The training step.
    Step,
    /// Milliseconds since 1970.
    Time,
}

/// Which series, and how finely.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeriesQuery {
    /// Of these runs (at most 100).
    pub run_ids: Vec<String>,
    /// Of these metrics (at most 20).
    pub metric_keys: Vec<String>,
    /// `step` (if absent) or `time`.
    pub x: Option<AxisName>,
    /// At most this many buckets (300 if absent).
    pub max_points: Option<i64>,
    /// Only from here on the axis.
    pub from: Option<i64>,
    /// Only to here on the axis.
    pub to: Option<i64>,
}

/// One line of a chart, cut into buckets.
#[derive(Debug, Serialize, ToSchema)]
pub struct Series {
    /// The run.
    pub run_id: String,
    /// The metric.
    pub metric_key: String,
    /// How many points the range holds before buckets were made.
    pub points: i64,
    /// Where each bucket's last point lies.
    pub x: Vec<i64>,
    /// Each bucket's last value.
    pub last: Vec<ChartNumber>,
    /// Each bucket's smallest value; absent when nothing was downsampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub min: Option<Vec<ChartNumber>>,
    /// Each bucket's largest value; absent when nothing was downsampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max: Option<Vec<ChartNumber>>,
}

/// The lines of a chart.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesAnswer {
    /// One entry for each run and metric that has points.
    pub series: Vec<Series>,
}

/// Metrics of runs as chart buckets: last, smallest and largest value of each.
#[utoipa::path(post, path = "/api/v1/metrics/series", tag = "runs", request_body = SeriesQuery, responses((status = 200, body = SeriesAnswer)))]
pub(crate) async fn read_series(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Body(query): Body<SeriesQuery>,
) -> Result<Json<SeriesAnswer>, Failure> {
    let SeriesQuery { run_ids, metric_keys, x, max_points, from, to } = query;
    let axis = match x {
        None | Some(AxisName::Step) => Axis::Step,
        Some(AxisName::Time) => Axis::Time,
    };
    let run_ids = run_ids.iter().map(|id| RunId::parse(id)).collect::<Result<_>>()?;
    let request = ReadSeries { run_ids, metric_keys, axis, max_points, from, to };
    let found = series::read_series(&ctx, &api.tracking, request).await?;
    Ok(Json(SeriesAnswer { series: found.into_iter().map(line).collect() }))
}

fn line(found: series::Series) -> Series {
    let series::Series { run_id, metric_key, points, buckets } = found;
    let series::Buckets { x, min, max, last, is_downsampled } = buckets;
    let numbers = |values: Vec<f64>| values.into_iter().map(ChartNumber).collect::<Vec<_>>();
    Series {
        run_id: run_id.to_string(),
        metric_key,
        points,
        x,
        last: numbers(last),
        min: is_downsampled.then(|| numbers(min)),
        max: is_downsampled.then(|| numbers(max)),
    }
}

#[derive(Serialize)]
struct StreamedPoint<'a> {
    key: &'a str,
    step: i64,
    timestamp: i64,
    value: Number,
}

/// What a run logs from now on, as server-sent events: `points` with new metric points, `run` when its status changed.
#[utoipa::path(get, path = "/api/v1/runs/{run_id}/stream", tag = "runs", params(("run_id" = String, Path, description = "The run")),
    responses((status = 200, description = "server-sent events `points` and `run`", content_type = "text/event-stream", body = String)))]
pub(crate) async fn stream_run(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    admission: Admission,
    Captured(run_id): Captured<String>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Failure> {
    let run_id = RunId::parse(&run_id)?;
    // Subscribed before the first read, so that nothing falls between.
    let changes = api.tracking.subscribe();
    let status = run_state(&ctx, &api, &run_id).await?;
    let cursor = live::read_cursor(&ctx, &api.tracking, &run_id).await?;
    let watcher = Watcher { changes, api, admission, run_id, cursor, status, pending: None };
    let stream = futures::stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

async fn run_state(ctx: &Ctx, api: &ApiState, run_id: &RunId) -> Result<String> {
    let info = runs::get_run_info(ctx, &api.tracking, run_id).await?;
    Ok(serde_json::json!({
        "status": info.status.as_str(), "run_name": info.name, "end_time_ms": info.end_time_ms,
        "lifecycle_stage": info.lifecycle_stage.as_str(),
    })
    .to_string())
}

struct Watcher {
    changes: broadcast::Receiver<RunChange>,
    api: ApiState,
    admission: Admission,
    run_id: RunId,
    cursor: Cursor,
    status: String,
    pending: Option<sse::Event>,
}

impl Watcher {
    /// The next event; `None` ends the stream, and the client, if it may still read, reconnects.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.pending.take() {
                return Some(event);
            }
            if !self.wait().await {
                return None;
            }
            let ctx = self.admission.renew().await.ok()?;
            let (points, cursor) =
                live::read_points_after(&ctx, &self.api.tracking, &self.run_id, &self.cursor).await.ok()?;
            self.cursor = cursor;
            let status = run_state(&ctx, &self.api, &self.run_id).await.ok()?;
            if status != self.status {
                self.pending = Some(sse::Event::default().event("run").data(&status));
                self.status = status;
            }
            if !points.is_empty() {
                return sse::Event::default()
                    .event("points")
                    .json_data(serde_json::json!({ "points": streamed(&points) }))
                    .ok();
            }
        }
    }

    /// Waits until this run may have changed; answers whether to go on.
    async fn wait(&mut self) -> bool {
        let deadline = tokio::time::sleep(STREAM_POLL);
        let stopped = stopped(self.api.stop.clone());
        tokio::pin!(deadline, stopped);
        loop {
            tokio::select! {
                () = &mut deadline => return true,
                () = &mut stopped => return false,
                change = self.changes.recv() => match change {
                    Ok(change) if change.run_id != self.run_id => {}
                    Err(broadcast::error::RecvError::Closed) => return false,
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {
                        tokio::time::sleep(STREAM_GATHER).await;
                        return true;
                    }
                },
            }
        }
    }
}

fn streamed(points: &[NewPoints]) -> Vec<StreamedPoint<'_>> {
    points
        .iter()
        .flat_map(|metric| {
            metric.points.iter().map(|point| StreamedPoint {
                key: &metric.key,
                step: point.step,
                timestamp: point.timestamp_ms,
                value: Number(point.value),
            })
        })
        .collect()
}
