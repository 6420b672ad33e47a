//! How a handler fails: it hands the error up, and its door renders it once, in its dialect.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use lathe_core::{Code, Error};

/// A handler's error. The door that holds the route replaces it by its dialect's answer and writes the log line.
#[derive(Debug)]
pub struct Failure(pub Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure(error)
    }
}

/// The error on its way from the handler to the door.
#[derive(Clone)]
pub(crate) struct Carried(pub(crate) Arc<Error>);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Carried(Arc::new(self.0)));
        response
    }
}

/// Renders an error as `application/problem+json` (RFC 9457), with Lathe's stable code.
pub fn problem(error: &Error, request_id: &str) -> Response {
    let status = StatusCode::from_u16(error.code().http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut body = serde_json::json!({
        "code": error.code().as_str(),
        "status": status.as_u16(),
        "message": error.message(),
        "request_id": request_id,
    });
    if let (Some(hint), Some(object)) = (error.hint(), body.as_object_mut()) {
        object.insert("hint".to_owned(), hint.into());
    }
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if matches!(error.code(), Code::Unavailable | Code::RateLimited) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
