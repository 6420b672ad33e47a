//! What is known of the model that a deployment serves.

use std::sync::Arc;

use futures::StreamExt as _;
use lathe_core::Ctx;
use lathe_models::model_versions::get_model_version;
use lathe_monitoring::rules::Served;
use lathe_serving::Signature;
use lathe_tracking::ArtifactPath;
use lathe_tracking::artifacts::{get_artifact, path_of_uri};

use crate::deployments::parse_name;
use crate::state::ApiState;

/// More than a model says of itself.
const MAX_MLMODEL_BYTES: usize = 1024 * 1024;

/// What is known of the primary: what it says while it answers, and before that its model's file.
pub(super) async fn find_served(ctx: &Ctx, api: &ApiState, deployment: &str) -> lathe_core::Result<Served> {
    let name = parse_name(deployment)?;
    let found = lathe_serving::deployments::get_deployment(ctx, &api.serving, &name).await?;
    let Some(primary) = found.version(lathe_serving::Role::Primary) else { return Ok(Served::default()) };
    let version = primary.version;
    let answering = lathe_serving::metadata(ctx, &api.serving, &name).ok();
    let signature = match answering.filter(|known| known.version == version) {
        Some(known) => Some(known.signature),
        None => read_signature(ctx, api, &primary.model, version).await.ok().flatten().map(Arc::new),
    };
    Ok(match signature {
        Some(signature) => {
            Served { version, columns: signature.column_names().into(), outputs: signature.output_names().into() }
        }
        None => Served { version, ..Served::default() },
    })
}

/// The signature of a model version that does not answer yet.
async fn read_signature(ctx: &Ctx, api: &ApiState, model: &str, version: i64) -> lathe_core::Result<Option<Signature>> {
    let location = get_model_version(ctx, &api.models, model, version).await?.storage_location;
    let path = path_of_uri(&location)?.join(&ArtifactPath::parse("MLmodel")?)?;
    let mut content = get_artifact(ctx, &api.tracking, &path, None).await?.object.stream;
    let mut text = Vec::new();
    while let Some(chunk) = content.next().await {
        text.extend_from_slice(&chunk?);
        if text.len() > MAX_MLMODEL_BYTES {
            return Ok(None);
        }
    }
    (api.read_signature)(&String::from_utf8_lossy(&text))
}
