//! Completing runs with the latest of everything logged to them: a fixed number of statements for any number of runs.

use lathe_core::{Ctx, Result};

use crate::store::runs::Keys;
use crate::{Metric, Run, RunInfo, Tracking, store};

/// Completes runs, in the order given.
pub(crate) async fn complete(ctx: &Ctx, tracking: &Tracking, infos: Vec<RunInfo>) -> Result<Vec<Run>> {
    let run_keys: Vec<i64> = infos.iter().map(|info| store::run_key(&info.run_id)).collect();
    let db = &tracking.db;
    let mut metrics = store::runs::load_metrics(db, &run_keys, None).await?;
    let mut params = store::runs::load_params(db, &run_keys, Keys::All).await?;
    let mut tags = store::runs::load_tags(db, &run_keys, Keys::All).await?;
    let mut datasets = store::inputs::load_datasets(db, &ctx.project, &run_keys).await?;
    let mut models = store::inputs::load_models(db, &run_keys).await?;

    let mut key_ids: Vec<i64> = metrics.values().flatten().map(|(key_id, _)| *key_id).collect();
    key_ids.sort_unstable();
    key_ids.dedup();
    let names = tracking.key_names(&ctx.project, &key_ids).await?;

    let mut runs = Vec::with_capacity(infos.len());
    for (info, run_key) in infos.into_iter().zip(run_keys) {
        let mut run_metrics: Vec<Metric> = metrics
            .remove(&run_key)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(key_id, metric)| names.get(&key_id).map(|name| Metric { key: name.clone(), ..metric }))
            .collect();
        run_metrics.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let (model_inputs, model_outputs) = models.remove(&run_key).unwrap_or_default();
        runs.push(Run {
            info,
            metrics: run_metrics,
            params: params.remove(&run_key).unwrap_or_default(),
            tags: tags.remove(&run_key).unwrap_or_default(),
            dataset_inputs: datasets.remove(&run_key).unwrap_or_default(),
            model_inputs,
            model_outputs,
        });
    }
    Ok(runs)
}
