//! How large a request may be.

use std::time::Duration;

use lathe_core::{Code, Error, Result};

/// The largest JSON, CSV or Parquet body.
pub(crate) const TEXT_BYTES: usize = 16 * 1024 * 1024;
/// The largest body with binary tensors, the largest gRPC message, and the most bytes of tensors in an answer.
pub(crate) const BINARY_BYTES: usize = 64 * 1024 * 1024;
/// Rows of one request; more are work for a batch.
pub(crate) const MAX_ROWS: usize = 100_000;
/// Columns of a table, or tensors of a request.
pub(crate) const MAX_COLUMNS: usize = 10_000;
/// How long a request may take when its client names no deadline, and at the most.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);
/// Bodies larger than this are read on a thread of their own, so that other requests do not wait for them.
pub(crate) const INLINE_BYTES: usize = 128 * 1024;

/// Fails for more rows than one request may have.
///
/// # Errors
/// `TooLarge`.
pub(crate) fn check_rows(rows: usize) -> Result<()> {
    if rows <= MAX_ROWS {
        return Ok(());
    }
    Err(Error::new(
        Code::TooLarge,
        format!("a request may have {MAX_ROWS} rows; this one has {rows}: send it in parts"),
    ))
}

/// Fails for more columns than one request may have.
///
/// # Errors
/// `TooLarge`.
pub(crate) fn check_columns(columns: usize) -> Result<()> {
    if columns <= MAX_COLUMNS {
        return Ok(());
    }
    Err(Error::new(
        Code::TooLarge,
        format!("a request may have {MAX_COLUMNS} columns or tensors; this one has {columns}"),
    ))
}

/// Fails for an answer of more bytes than a request may have.
///
/// # Errors
/// `TooLarge`.
pub(crate) fn check_answer(bytes: usize) -> Result<()> {
    if bytes <= BINARY_BYTES {
        return Ok(());
    }
    Err(Error::new(
        Code::TooLarge,
        format!(
            "an answer may have {BINARY_BYTES} bytes of tensors; this one has {bytes}: ask for fewer rows or outputs"
        ),
    ))
}

/// Does the reading of a body, off the reactor when it is large.
///
/// # Errors
/// What the work answers.
pub(crate) async fn off_reactor<T: Send + 'static>(
    body_bytes: usize,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if body_bytes <= INLINE_BYTES {
        return work();
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("reading a body did not end").with_source(error))?
}
