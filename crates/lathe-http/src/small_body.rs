//! Small bodies are read before anything is decided about their request.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use futures::stream;
use http::header;

/// What most requests send. With as many connections as are served at once it bounds the memory that is taken so.
const SMALL_BYTES: usize = 16 * 1024;

/// Reads a small body whole, whatever becomes of the request.
///
/// A connection whose request was refused with its body unread has to be closed, and a client that sends its next request just then
/// loses it. Clients in Python send head and body apart, so a quick refusal would often come between them.
pub(crate) async fn read_first(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    // Who waits to be asked for the body may be refused without it.
    let waits = headers.contains_key(header::EXPECT);
    if waits || length.is_none_or(|length| length == 0 || length > SMALL_BYTES) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let body = match to_bytes(body, SMALL_BYTES).await {
        Ok(bytes) => Body::from(bytes),
        // Whoever reads it hears of it, as if it had broken off just then.
        Err(error) => Body::from_stream(stream::iter([Err::<bytes::Bytes, _>(error)])),
    };
    next.run(Request::from_parts(parts, body)).await
}
