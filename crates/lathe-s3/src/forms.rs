//! Uploads by HTML forms (`POST` with `multipart/form-data`). They are not served, and are refused before the library sees them: it reads
//! a form, up to a whole file, into memory before it looks at the key.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, Method, StatusCode, header};
use s3s::s3_error;

const FORM: &[u8] = b"multipart/form-data";

/// Whether a request is a form.
pub(crate) fn is_form(request: &Request) -> bool {
    let types = request.headers().get_all(header::CONTENT_TYPE);
    let is_of_form = |value: &HeaderValue| {
        value.as_bytes().trim_ascii_start().get(..FORM.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORM))
    };
    *request.method() == Method::POST && types.into_iter().any(is_of_form)
}

/// The refusal. The body stays unread, so that the connection cannot be used again.
pub(crate) fn refuse() -> Response {
    let refusal = s3_error!(
        NotImplemented,
        "uploads by forms are not served here; put the file, or use a presigned URL for that"
    );
    let mut response = match refusal.to_http_response() {
        Ok(response) => response.map(Body::new),
        Err(_) => StatusCode::NOT_IMPLEMENTED.into_response(),
    };
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
