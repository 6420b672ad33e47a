//! Reading bodies: bounded, and to their end even when they are refused.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use lathe_core::{Code, Error, Result};
use lathe_http::upload::{DRAIN_BYTES, broken_off, drain};

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// `TooLarge` for a longer one, `InvalidArgument` for one that breaks off.
pub(crate) async fn read_body(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes> {
    let too_large = || Error::new(Code::TooLarge, format!("the request's body is larger than {limit} bytes"));
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit.saturating_add(DRAIN_BYTES)) {
        return Err(too_large());
    }
    let mut stream = body.into_data_stream();
    let Some(first) = stream.next().await.transpose().map_err(broken_off)? else { return Ok(Bytes::new()) };
    if first.len() <= limit && Some(first.len()) == announced {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(announced.unwrap_or(first.len()).min(limit));
    let mut chunk = first;
    loop {
        if whole.len() + chunk.len() > limit {
            drop(whole);
            drain(&mut stream).await;
            return Err(too_large());
        }
        whole.extend_from_slice(&chunk);
        match stream.next().await.transpose().map_err(broken_off)? {
            Some(next) => chunk = next,
            None => return Ok(whole.freeze()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn chunked(chunks: usize, bytes: usize) -> Body {
        let chunk = Bytes::from(vec![b'x'; bytes]);
        Body::from_stream(stream::iter((0..chunks).map(move |_| Ok::<_, std::io::Error>(chunk.clone()))))
    }

    #[tokio::test]
    async fn bodies_up_to_the_limit_are_read_whole() {
        let read = |body: Body| async move { read_body(&HeaderMap::new(), body, 100).await };
        assert_eq!(read(Body::empty()).await.unwrap().len(), 0);
        assert_eq!(read(chunked(1, 100)).await.unwrap().len(), 100);
        assert_eq!(read(chunked(10, 10)).await.unwrap().len(), 100);
        for body in [chunked(1, 101), chunked(11, 10), chunked(1000, 100)] {
            assert_eq!(read(body).await.unwrap_err().code(), Code::TooLarge);
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_the_clients_fault() {
        let parts = [Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))];
        let body = Body::from_stream(stream::iter(parts));
        let error = read_body(&HeaderMap::new(), body, 100).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    }
}
