//! The accept loop: bounded connections, bounded headers, graceful stop.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::self_wakes::SelfWakes;

/// How long a client may take to send its request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How large a request's head may be.
const HEADER_BYTES: usize = 32 * 1024;
/// How many connections are open at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 4096;
/// How long open requests may go on after a stop was asked for.
const GRACE: Duration = Duration::from_secs(10);

/// Refuses a head that is too large. HTTP/2 counts by itself; the buffer of HTTP/1, which also bodies are read with, holds more.
async fn refuse_large_heads(request: Request, next: Next) -> Response {
    let line = request.uri().path_and_query().map_or(0, |text| text.as_str().len());
    let bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if line + bytes <= HEADER_BYTES {
        return next.run(request).await;
    }
    let text = format!("the head of a request may have {} KiB\n", HEADER_BYTES / 1024);
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, [(header::CONNECTION, "close")], text).into_response()
}

/// Serves until `stop` becomes true, then lets open requests end.
pub async fn run(listener: TcpListener, app: Router, mut stop: watch::Receiver<bool>) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADER_BYTES * 4);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEADER_BYTES as u32)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    let app = app.layer(from_fn(refuse_large_heads));
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|is_stopping| *is_stopping) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file handles, or a client that went away: neither may spin this loop.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Small answers must not wait for Nagle's algorithm.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(app.clone());
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(SelfWakes::new(async move {
            if let Err(error) = watched.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
            drop(slot);
        }));
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!(grace_seconds = GRACE.as_secs(), "some requests were still open at the end of the grace period");
    }
}
