//! Refusals of requests whose client still waits to send its body (`Expect: 100-continue`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, Version, header};
use http_body_util::BodyExt as _;

/// Closes the connection after an answer that was given without asking for the body (RFC 9110, 10.1.1).
///
/// Such a client may leave the body out, and its next request would be read as the body that was announced.
pub(crate) async fn close_unless_read(request: Request, next: Next) -> Response {
    if request.version() != Version::HTTP_11 || !request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let is_read = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&is_read);
    let request = request.map(|body| {
        Body::new(body.map_frame(move |frame| {
            mark.store(true, Ordering::Relaxed);
            frame
        }))
    });
    let mut response = next.run(request).await;
    if !is_read.load(Ordering::Relaxed) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
