//! Secrets of a project: named, set and deleted; never answered.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use lathe_access::secrets::{self, SecretName, SecretValue};
use lathe_http::{Caller, Failure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::extract::{Captured, RawBody};
use crate::state::ApiState;

/// A secret, without its value.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecretEntry {
    /// Its name.
    pub name: String,
    /// When it was first set, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it was last set.
    pub updated_at_ms: i64,
}

/// The secrets of a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecretList {
    /// By name.
    pub secrets: Vec<SecretEntry>,
}

/// A value to keep. It has no `Debug`, so that nothing prints it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// 4 bytes to 64 KiB.
    value: String,
}

/// The project's secrets, by name; never their values.
#[utoipa::path(get, path = "/api/v1/secrets", tag = "pipelines", responses((status = 200, body = SecretList)))]
pub(crate) async fn list_secrets(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
) -> Result<Json<SecretList>, Failure> {
    let found = secrets::list_secrets(&ctx, &api.access).await?;
    let entry = |secret: secrets::Secret| {
        let secrets::Secret { name, created_at_ms, updated_at_ms } = secret;
        SecretEntry { name: name.to_string(), created_at_ms, updated_at_ms }
    };
    Ok(Json(SecretList { secrets: found.into_iter().map(entry).collect() }))
}

/// Sets a secret, in place of an earlier value. Jobs that name it and start from now on get it.
#[utoipa::path(put, path = "/api/v1/secrets/{name}", tag = "pipelines",
    params(("name" = String, Path, description = "1-63 letters, digits and _, the first no digit")),
    request_body = NewSecret, responses((status = 204)))]
pub(crate) async fn set_secret(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(name): Captured<String>,
    RawBody(body): RawBody,
) -> Result<StatusCode, Failure> {
    // What was sent may be the secret itself: no error may repeat it.
    let NewSecret { value } = serde_json::from_slice(&body)
        .map_err(|_| lathe_core::Error::invalid("the body is not what this path takes: {\"value\": \"…\"}"))?;
    let (name, value) = (SecretName::parse(&name)?, SecretValue::new(value)?);
    secrets::set_secret(&ctx, &api.access, name, value).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a secret. Jobs at work keep what they got.
#[utoipa::path(delete, path = "/api/v1/secrets/{name}", tag = "pipelines",
    params(("name" = String, Path, description = "The secret")), responses((status = 204)))]
pub(crate) async fn delete_secret(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Captured(name): Captured<String>,
) -> Result<StatusCode, Failure> {
    secrets::delete_secret(&ctx, &api.access, SecretName::parse(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
