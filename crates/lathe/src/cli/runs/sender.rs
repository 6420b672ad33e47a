//! What is sent of a run while its command goes on: the machine's load, the output so far, and that its credentials are needed still.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lathe_core::{Clock, Result};
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use super::super::client::Client;
use super::super::output::Output;
use super::log::log_failed;
use super::machine::Machine;
use super::start::{FOLDER, TTL_SECONDS, artifact};

/// How often the load is sent, and a short log that grew.
const INTERVAL: Duration = Duration::from_secs(10);
/// A log is replaced as a whole: for each so many bytes, the next one is sent an interval later.
const BYTES_PER_INTERVAL: u64 = 1024 * 1024;
const LOG: &str = "output.log";
/// How often the run's credentials are renewed: two times may fail before they end.
const RENEWAL_MS: i64 = TTL_SECONDS * 1000 / 3;

/// Sends for one run. Nothing waits for it: a server that hangs holds up neither the command's output nor its signals.
#[derive(Debug)]
pub(super) struct Sender<'r> {
    client: &'r Client,
    run_id: &'r str,
    token_id: &'r str,
    artifact_uri: &'r str,
    log: &'r Path,
    kept_bytes: AtomicU64,
}

impl<'r> Sender<'r> {
    pub(super) fn new(
        client: &'r Client,
        (run_id, token_id): (&'r str, &'r str),
        artifact_uri: &'r str,
        log: &'r Path,
    ) -> Self {
        Self { client, run_id, token_id, artifact_uri, log, kept_bytes: AtomicU64::new(0) }
    }

    /// Takes note of how long the log is by now.
    pub(super) fn set_kept(&self, bytes: u64) {
        self.kept_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Sends until it is stopped and what was on its way has arrived; answers how many bytes of the log the server has.
    /// What cannot be sent is told once, until something arrives again.
    pub(super) async fn run(&self, stop: &CancellationToken, output: &Output) -> u64 {
        let mut machine = Machine::new();
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut sent_bytes, mut next_log, mut is_reachable) = (0, Instant::now(), true);
        // By the wall clock: what sleeps with its machine must find its credentials renewed when it goes on.
        let mut renewed_at_ms = Clock::System.now_ms();
        // The first one is due at once, and not waited for together with the stop: also of a short command the load is known.
        ticks.tick().await;
        loop {
            let mut sent = self.send_load(&mut machine).await;
            let now_ms = Clock::System.now_ms();
            // Whatever became of the load: the command needs its credentials.
            let is_due = now_ms - renewed_at_ms >= RENEWAL_MS;
            let renewed = if is_due { self.renew().await } else { Ok(()) };
            if is_due && renewed.is_ok() {
                renewed_at_ms = now_ms;
            }
            let length = self.kept_bytes.load(Ordering::Relaxed);
            if sent.is_ok() && length > sent_bytes && Instant::now() >= next_log {
                sent = self.send_log(length).await;
                if sent.is_ok() {
                    (sent_bytes, next_log) = (length, Instant::now() + pause_after(length));
                }
            }
            let sent = sent.and(renewed);
            if let Err(error) = &sent
                && is_reachable
            {
                output.note(&format!("{}; the command goes on", error.message()));
            }
            is_reachable = sent.is_ok();
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return sent_bytes,
            }
        }
    }

    async fn send_load(&self, machine: &mut Machine) -> Result<()> {
        let metrics = machine.read(Clock::System.now_ms()).await;
        let body = json!({ "run_id": self.run_id, "metrics": metrics });
        let request = self.client.mlflow(Method::POST, "runs/log-batch").json(&body);
        self.client.answer::<Value>(request).await.map(|_| ())
    }

    async fn renew(&self) -> Result<()> {
        let request = self.client.native(Method::POST, &["run-credentials", self.token_id, "renew"]);
        self.client.answer::<Value>(request.json(&json!({ "ttl_seconds": TTL_SECONDS }))).await.map(|_| ())
    }

    /// Replaces the log that the server has by the first `length` bytes of the file.
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be read, and as [`Client::answer`].
    pub(super) async fn send_log(&self, length: u64) -> Result<()> {
        // It may grow meanwhile.
        let file = File::open(self.log).await.map_err(log_failed)?.take(length);
        let request = artifact(self.client, Method::PUT, self.artifact_uri, &format!("{FOLDER}/{LOG}"))?
            .header(CONTENT_LENGTH, length)
            .body(Body::wrap_stream(ReaderStream::new(file)));
        self.client.answer::<Value>(request).await.map(|_| ())
    }
}

/// How long a log of this length stays as it was sent.
fn pause_after(length: u64) -> Duration {
    INTERVAL.saturating_mul(u32::try_from(length / BYTES_PER_INTERVAL).unwrap_or(u32::MAX).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_log_is_sent_less_often() {
        let seconds = |bytes| pause_after(bytes).as_secs();
        assert_eq!([0, 1000, 5 * BYTES_PER_INTERVAL, 100 * BYTES_PER_INTERVAL].map(seconds), [10, 10, 60, 1010]);
        assert!(pause_after(u64::MAX) > pause_after(1 << 40));
    }
}
