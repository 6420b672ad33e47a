//! What the local executor gives its jobs altogether, and what never fits into it.

use lathe_core::{Error, Result};

use crate::jobs::Job;

/// What the local executor gives its jobs altogether.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Thousandths of a core.
    pub cpu_millis: i64,
    /// Bytes of memory.
    pub memory_bytes: i64,
}

impl Capacity {
    /// Whether so much can be given at once.
    pub(crate) fn fits(self, cpu_millis: i64, memory_bytes: i64) -> bool {
        cpu_millis <= self.cpu_millis && memory_bytes <= self.memory_bytes
    }

    /// Why a job never runs here; `None` when it can.
    pub(crate) fn refusal(self, job: &Job) -> Option<String> {
        (!self.fits(job.cpu_millis, job.memory_bytes)).then(|| {
            format!(
                "job `{}` asks for {} cores and {} MiB of memory, and this server gives its jobs {} cores and {} MiB altogether",
                job.key,
                cores(job.cpu_millis),
                job.memory_bytes >> 20,
                cores(self.cpu_millis),
                self.memory_bytes >> 20
            )
        })
    }

    /// What could never run is refused now, with the reason.
    pub(crate) fn check<'j>(self, jobs: impl IntoIterator<Item = &'j Job>) -> Result<()> {
        match jobs.into_iter().find_map(|job| self.refusal(job)) {
            None => Ok(()),
            Some(why) => Err(Error::invalid(why).with_hint(
                "ask for less under `resources`, or start the server with --job-cpus and --job-memory-bytes",
            )),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown to people")]
fn cores(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}
