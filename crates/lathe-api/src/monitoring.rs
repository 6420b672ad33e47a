//! Monitoring of deployments: how, what windows show, what they are compared with, rules and alerts, labels.

pub(crate) mod alerts;
pub(crate) mod labels;
pub(crate) mod references;
pub(crate) mod reports;
pub(crate) mod rules;
mod served;
pub(crate) mod settings;
pub mod training_data;

use lathe_core::Ctx;

use crate::deployments::parse_name;
use crate::state::ApiState;

/// The deployment exists: a name that is mistyped must not be monitored in silence.
async fn check_exists(ctx: &Ctx, api: &ApiState, deployment: &str) -> lathe_core::Result<()> {
    lathe_serving::deployments::get_deployment(ctx, &api.serving, &parse_name(deployment)?).await.map(|_| ())
}
