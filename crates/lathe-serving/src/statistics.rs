//! Counts and latencies of a version's answers, in memory, in constant space: what gates and pages read.

use std::time::{Duration, Instant};

/// Buckets of a histogram of latencies, eight to each doubling from one microsecond on: a quantile is off by at most 5 %.
const BUCKETS: usize = 8 * 28;
/// How many slots the recent window has, and how long each is.
const SLOTS: usize = 30;
const SLOT: Duration = Duration::from_secs(10);

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// Requests asked.
    pub requests: u64,
    /// Requests without an answer: the model raised an error, did not answer in time, or its worker ended. What was asked badly
    /// is not among the requests.
    pub errors: u64,
    /// Median time to an answer in milliseconds; `None` without answers.
    pub p50_ms: Option<f64>,
    /// 95 of 100 answers came within this.
    pub p95_ms: Option<f64>,
    /// 99 of 100 answers came within this.
    pub p99_ms: Option<f64>,
    /// For how many seconds was counted.
    pub seconds: f64,
}

#[derive(Debug, Clone)]
struct Counts {
    requests: u64,
    errors: u64,
    latencies: [u32; BUCKETS],
}

impl Counts {
    const EMPTY: Counts = Counts { requests: 0, errors: 0, latencies: [0; BUCKETS] };

    fn add(&mut self, bucket: Option<usize>) {
        self.requests += 1;
        match bucket.and_then(|bucket| self.latencies.get_mut(bucket)) {
            Some(count) => *count = count.saturating_add(1),
            None => self.errors += 1,
        }
    }

    fn join(&mut self, other: &Counts) {
        self.requests += other.requests;
        self.errors += other.errors;
        for (count, more) in self.latencies.iter_mut().zip(&other.latencies) {
            *count = count.saturating_add(*more);
        }
    }

    fn summarize(&self, elapsed: Duration) -> Statistics {
        let answers: u64 = self.latencies.iter().copied().map(u64::from).sum();
        let quantile = |percent: u64| {
            // The smallest latency that enough answers do not exceed.
            let needed = (answers * percent).div_ceil(100).max(1);
            let mut seen = 0;
            let bucket = self.latencies.iter().position(|count| {
                seen += u64::from(*count);
                seen >= needed
            });
            bucket.map(middle_ms)
        };
        Statistics {
            requests: self.requests,
            errors: self.errors,
            p50_ms: quantile(50),
            p95_ms: quantile(95),
            p99_ms: quantile(99),
            seconds: elapsed.as_secs_f64(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the buckets")]
fn bucket_of(latency: Duration) -> usize {
    let us = (latency.as_secs_f64() * 1e6).max(1.0);
    ((us.log2() * 8.0) as usize).min(BUCKETS - 1)
}

#[expect(clippy::cast_precision_loss, reason = "few buckets")]
fn middle_ms(bucket: usize) -> f64 {
    ((bucket as f64 + 0.5) / 8.0).exp2() / 1e3
}

/// Counts since a version began to answer, in the last five minutes, and since the comparison with a canary began.
#[derive(Debug)]
pub(crate) struct Recorder {
    started: Instant,
    total: Counts,
    slots: Vec<(u64, Counts)>,
    compared: Counts,
    compared_since: Instant,
}

impl Recorder {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            started: now,
            total: Counts::EMPTY,
            slots: vec![(u64::MAX, Counts::EMPTY); SLOTS],
            compared: Counts::EMPTY,
            compared_since: now,
        }
    }

    /// Counts a request: the time to its answer, or `None` for an error.
    pub(crate) fn add(&mut self, now: Instant, latency: Option<Duration>) {
        let bucket = latency.map(bucket_of);
        self.total.add(bucket);
        self.compared.add(bucket);
        let number = self.slot_number(now);
        if let Some((held, counts)) = slot_of(number).and_then(|at| self.slots.get_mut(at)) {
            if *held != number {
                *held = number;
                *counts = Counts::EMPTY;
            }
            counts.add(bucket);
        }
    }

    /// Begins the comparison anew: a canary has started.
    pub(crate) fn compare_from(&mut self, now: Instant) {
        self.compared = Counts::EMPTY;
        self.compared_since = now;
    }

    pub(crate) fn total(&self, now: Instant) -> Statistics {
        self.total.summarize(now.duration_since(self.started))
    }

    pub(crate) fn compared(&self, now: Instant) -> Statistics {
        self.compared.summarize(now.duration_since(self.compared_since))
    }

    /// The last five minutes.
    pub(crate) fn recent(&self, now: Instant) -> Statistics {
        let newest = self.slot_number(now);
        let mut counts = Counts::EMPTY;
        for (number, slot) in &self.slots {
            if *number <= newest && newest - number < SLOTS as u64 {
                counts.join(slot);
            }
        }
        let window = SLOT * u32::try_from(SLOTS).unwrap_or(u32::MAX);
        counts.summarize(window.min(now.duration_since(self.started)))
    }

    fn slot_number(&self, now: Instant) -> u64 {
        now.duration_since(self.started).as_secs() / SLOT.as_secs()
    }
}

fn slot_of(number: u64) -> Option<usize> {
    usize::try_from(number % SLOTS as u64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_off_by_five_percent_at_most() {
        let now = Instant::now();
        let mut recorder = Recorder::new(now);
        for ms in 1..=1000 {
            recorder.add(now, Some(Duration::from_millis(ms)));
        }
        recorder.add(now, None);
        let total = recorder.total(now);
        assert_eq!((total.requests, total.errors), (1001, 1));
        for (quantile, expected) in [(total.p50_ms, 500.0), (total.p95_ms, 950.0), (total.p99_ms, 990.0)] {
            let quantile = quantile.unwrap();
            assert!((quantile / expected - 1.0).abs() < 0.05, "{quantile} is not {expected}");
        }
        assert_eq!(Recorder::new(now).total(now).p50_ms, None);
    }

    #[test]
    fn the_recent_window_forgets_and_the_comparison_begins_anew() {
        let start = Instant::now();
        let mut recorder = Recorder::new(start);
        recorder.add(start, None);
        let later = start + Duration::from_secs(295);
        recorder.add(later, Some(Duration::from_millis(1)));
        assert_eq!(recorder.recent(later).requests, 2);
        let much_later = start + Duration::from_secs(305);
        assert_eq!((recorder.recent(much_later).requests, recorder.recent(much_later).errors), (1, 0));
        recorder.compare_from(much_later);
        assert_eq!((recorder.compared(much_later).requests, recorder.total(much_later).requests), (0, 2));
    }
}
