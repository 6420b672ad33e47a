//! Completing runs with the latest of everything logged to them: a few statements for any number of runs.

use std::collections::HashMap;

use lathe_core::{Ctx, Result};

use crate::store::runs::{RunRecord, Wanted};
use crate::{Metric, Run, Tracking, store};

/// The runs of these keys, in this order, with everything logged to them. Keys that are not of the project are left out.
pub(crate) async fn load_runs(ctx: &Ctx, tracking: &Tracking, run_keys: &[i64]) -> Result<Vec<Run>> {
    let db = &tracking.db;
    let mut records = store::runs::load(db, &ctx.project, run_keys, Wanted::ALL).await?;
    let having = |has: fn(&RunRecord) -> bool| -> Vec<i64> {
        records.iter().filter(|(_, record)| has(record)).map(|(run_key, _)| *run_key).collect()
    };
    let with_datasets = having(|record| record.has_datasets);
    let with_models = having(|record| record.has_models);
    let mut datasets = store::inputs::load_datasets(db, &ctx.project, &with_datasets).await?;
    let mut models = store::inputs::load_models(db, &with_models).await?;

    let mut key_ids: Vec<i64> =
        records.values().flat_map(|record| &record.metrics).map(|(key_id, _)| *key_id).collect();
    key_ids.sort_unstable();
    key_ids.dedup();
    let names = tracking.key_names(&ctx.project, &key_ids).await?;

    let mut runs = Vec::with_capacity(run_keys.len());
    for run_key in run_keys {
        let Some(RunRecord { info, params, tags, metrics, .. }) = records.remove(run_key) else { continue };
        let (model_inputs, model_outputs) = models.remove(run_key).unwrap_or_default();
        runs.push(Run {
            info,
            metrics: named(metrics, &names),
            params,
            tags,
            dataset_inputs: datasets.remove(run_key).unwrap_or_default(),
            model_inputs,
            model_outputs,
        });
    }
    Ok(runs)
}

/// Metrics with their names, by name.
fn named(metrics: Vec<(i64, Metric)>, names: &HashMap<i64, String>) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = metrics
        .into_iter()
        .filter_map(|(key_id, metric)| names.get(&key_id).map(|name| Metric { key: name.clone(), ..metric }))
        .collect();
    metrics.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    metrics
}
