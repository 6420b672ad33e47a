//! Reading requests: JSON bodies and query strings, with errors in the API's own form.

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use lathe_core::{Code, Error};
use lathe_http::Failure;
use serde::de::DeserializeOwned;

/// A JSON body. An absent body is an empty object; unknown fields are refused by the types themselves.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let value = serde_json::from_slice(text)
            .map_err(|error| Error::invalid(format!("the body is not what this path takes: {error}")))?;
        Ok(Body(value))
    }
}

/// A body that is no JSON, whole.
#[derive(Debug)]
pub struct RawBody(pub bytes::Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = bytes::Bytes::from_request(request, state).await.map_err(|rejection| {
            Error::new(
                if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
                    Code::TooLarge
                } else {
                    Code::InvalidArgument
                },
                format!("the body could not be read: {rejection}"),
            )
        })?;
        Ok(RawBody(bytes))
    }
}

/// The query string.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        axum::extract::Query::try_from_uri(&parts.uri).map(|axum::extract::Query(value)| Query(value)).map_err(
            |rejection| {
                Failure(Error::invalid(format!(
                    "the query string is not what this path takes: {}",
                    rejection.body_text()
                )))
            },
        )
    }
}

/// One captured part of the path.
#[derive(Debug)]
pub struct Captured<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Captured<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Captured(value))
            .map_err(|rejection| Failure(Error::invalid(format!("the path is not valid: {}", rejection.body_text()))))
    }
}
