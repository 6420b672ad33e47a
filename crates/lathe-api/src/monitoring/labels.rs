//! Labels: what requests should have been answered.

use axum::Json;
use axum::extract::State;
use lathe_http::{Caller, Failure};
use lathe_monitoring::quality::{self, NewLabel, RequestRef};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::check_exists;
use crate::extract::{Body, Captured};
use crate::state::ApiState;

/// What a row of a request should have been answered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The request's id: `x-request-id` of the answer.
    request_id: Option<String>,
    /// The client's own id: `x-request-id` of the request.
    client_request_id: Option<String>,
    /// Which row of the request, from 0.
    #[serde(default)]
    row: i64,
    /// A number, a text or a boolean.
    #[schema(value_type = Object)]
    label: Value,
}

/// Labels to add, up to 10,000.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLabels {
    /// Sent again they change nothing; another label of a row replaces it.
    labels: Vec<Label>,
}

/// What became of labels.
#[derive(Debug, Serialize, ToSchema)]
pub struct LabelsAdded {
    /// Labels that are new or changed.
    added: u64,
    /// Labels that were there already.
    unchanged: u64,
    /// Labels of requests whose rows are not known (yet: they come about a second after the answer).
    unknown_labels: u64,
    /// Ids of such requests, up to 100.
    unknown: Vec<String>,
}

/// Adds labels: what should have been answered, known later.
#[utoipa::path(post, path = "/api/v1/deployments/{deployment}/labels", tag = "monitoring",
    params(("deployment" = String, Path, description = "The deployment")), request_body = NewLabels,
    responses((status = 200, body = LabelsAdded)))]
pub(crate) async fn add_labels(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(deployment): Captured<String>,
    Body(NewLabels { labels }): Body<NewLabels>,
) -> Result<Json<LabelsAdded>, Failure> {
    check_exists(&ctx, &api, &deployment).await?;
    let labels = labels.into_iter().map(new_label).collect::<lathe_core::Result<Vec<_>>>()?;
    let quality::LabelsAdded { added, unchanged, unknown, unknown_labels } =
        quality::add_labels(&ctx, &api.monitoring, &deployment, labels).await?;
    Ok(Json(LabelsAdded { added, unchanged, unknown_labels, unknown }))
}

fn new_label(Label { request_id, client_request_id, row, label }: Label) -> lathe_core::Result<NewLabel> {
    let id = match (request_id, client_request_id) {
        (Some(id), None) => RequestRef::Server(id),
        (None, Some(id)) => RequestRef::Client(id),
        _ => {
            return Err(lathe_core::Error::invalid("a label needs `request_id` or `client_request_id`, and not both"));
        }
    };
    Ok(NewLabel { id, row, label })
}
