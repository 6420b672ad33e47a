//! Bodies that handlers stream into a room, read to their end even when they are refused.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use lathe_core::{Error, Result};
use tokio::sync::Mutex;

/// How much of a refused body is read all the same. A client that still sends when the connection closes often sees only
/// that, and not why; most bodies are refused by less than this.
pub const DRAIN_BYTES: usize = 16 * 1024 * 1024;

/// Reads on and forgets, up to a bound.
pub async fn drain(stream: &mut BodyDataStream) {
    let mut drained = 0;
    while let Some(Ok(chunk)) = stream.next().await {
        drained += chunk.len();
        if drained > DRAIN_BYTES {
            return;
        }
    }
}

/// The error of a body that ended before its end.
pub fn broken_off(error: axum::Error) -> Error {
    Error::invalid("the request's body broke off before its end").with_source(error)
}

/// A body on its way into a room. It is shared, so that it can be read to its end after the room has refused it.
#[derive(Debug, Clone)]
pub struct Upload(Arc<Mutex<BodyDataStream>>);

impl Upload {
    /// Takes a request's body.
    pub fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(body.into_data_stream())))
    }

    /// The body as a room wants it.
    pub fn stream(&self) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        stream::unfold(self.0.clone(), |body| async move {
            let chunk = body.lock().await.next().await?;
            Some((chunk.map_err(broken_off), body))
        })
    }

    /// What the room answered; the rest of a body that it refused is read first.
    ///
    /// # Errors
    /// The room's own.
    pub async fn settle<T>(self, answer: Result<T>) -> Result<T> {
        if answer.is_err() {
            drain(&mut *self.0.lock().await).await;
        }
        answer
    }
}
