//! Following a run while it runs: the points that arrived after a cursor.
//!
//! Called by the native API's stream of a run, whenever [`crate::Tracking::subscribe`] says that the run changed.

use std::collections::BTreeMap;

use lathe_core::{Action, Ctx, Result, RunId};

use crate::{MetricPoint, Tracking, runs, store};

/// How far a reader has read: for each metric, how many points in the order of their arrival.
pub type Cursor = BTreeMap<String, i64>;

/// Points of one metric that a reader has not seen.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPoints {
    /// The metric.
    pub key: String,
    /// The points, in the order of their arrival; duplicates are as they came.
    pub points: Vec<MetricPoint>,
}

/// The cursor that stands after everything logged so far.
///
/// # Errors
/// `NotFound` for an unknown run.
pub async fn read_cursor(ctx: &Ctx, tracking: &Tracking, run_id: &RunId) -> Result<Cursor> {
    runs::get_run_info(ctx, tracking, run_id).await?;
    let counts = store::metrics::count_points(&tracking.db, store::run_key(run_id)).await?;
    Ok(counts.into_iter().map(|(_, key, count)| (key, count)).collect())
}

/// The points after a cursor (an empty one: all points), and the cursor after them.
///
/// # Errors
/// `NotFound` for an unknown run, `PermissionDenied` without the right to read.
pub async fn read_points_after(
    ctx: &Ctx,
    tracking: &Tracking,
    run_id: &RunId,
    cursor: &Cursor,
) -> Result<(Vec<NewPoints>, Cursor)> {
    ctx.authorize(Action::Read)?;
    runs::get_run_info(ctx, tracking, run_id).await?;
    let run_key = store::run_key(run_id);
    let read = |key: &String| cursor.get(key).copied().unwrap_or_default().max(0);
    let grown: Vec<(i64, String, i64)> = store::metrics::count_points(&tracking.db, run_key)
        .await?
        .into_iter()
        .filter(|(_, key, count)| *count > read(key))
        .map(|(key_id, key, _)| {
            let from = read(&key);
            (key_id, key, from)
        })
        .collect();
    let wanted: Vec<(i64, i64)> = grown.iter().map(|(key_id, _, from)| (*key_id, *from)).collect();
    let mut tails = store::metrics::read_tails(&tracking.db, run_key, &wanted).await?;
    let mut after = cursor.clone();
    let mut new = Vec::with_capacity(grown.len());
    for (key_id, key, from) in grown {
        let Some((first, mut points)) = tails.remove(&key_id) else { continue };
        // More may have arrived since the counts were read: what was read decides.
        let end = first + i64::try_from(points.len()).unwrap_or_default();
        let seen = usize::try_from(from - first).unwrap_or_default().min(points.len());
        points.drain(..seen);
        after.insert(key.clone(), end.max(from));
        new.push(NewPoints { key, points });
    }
    Ok((new, after))
}
