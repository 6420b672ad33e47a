//! Answers: JSON in protobuf's habits, with Lathe's own version in a header.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, header};
use lathe_core::Error;
use lathe_http::Failure;
use serde::Serialize;

/// The header that says which Lathe answered; `/version` says which MLflow it speaks.
pub(crate) const LATHE_VERSION: HeaderName = HeaderName::from_static("lathe-version");
/// Lathe's version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a handler answers.
pub(crate) type Reply<T> = Result<Answer<T>, Failure>;

/// A JSON answer.
#[derive(Debug)]
pub(crate) struct Answer<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(text) => {
                let headers = [
                    (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
                    (LATHE_VERSION, HeaderValue::from_static(VERSION)),
                ];
                (headers, text).into_response()
            }
            Err(error) => {
                Failure(Error::internal("an answer could not be written as JSON").with_source(error)).into_response()
            }
        }
    }
}

/// The answer `{}`.
#[derive(Debug, Serialize)]
pub(crate) struct Empty {}

/// The answer of most writes.
pub(crate) fn empty() -> Reply<Empty> {
    Ok(Answer(Empty {}))
}

/// For fields that protobuf leaves out: empty lists.
pub(crate) fn is_empty<T>(list: &[T]) -> bool {
    list.is_empty()
}
