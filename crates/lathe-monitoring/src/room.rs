//! The room's handle, and the queue that the inference path puts samples into.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lathe_db::Db;
use lathe_objects::Objects;
use tokio::sync::mpsc;

use crate::{Column, Sample, Values};

/// How many samples may wait.
const QUEUE_SAMPLES: usize = 8_192;

/// How much memory the samples may take that wait or are being stored.
const QUEUE_BYTES: i64 = 256 * 1024 * 1024;

/// The monitoring room. Cheap to clone; the queue of samples is shared by the clones.
#[derive(Debug, Clone)]
pub struct Monitoring {
    pub(crate) db: Db,
    pub(crate) objects: Objects,
    queue: Arc<Queue>,
}

#[derive(Debug)]
struct Queue {
    sender: mpsc::Sender<Sample>,
    /// Until the collector takes it.
    receiver: Mutex<Option<mpsc::Receiver<Sample>>>,
    bytes: AtomicI64,
    dropped: AtomicI64,
}

impl Monitoring {
    /// Makes the handle; the schema must have been migrated.
    pub fn new(db: Db, objects: Objects) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_SAMPLES);
        let queue = Queue {
            sender,
            receiver: Mutex::new(Some(receiver)),
            bytes: AtomicI64::new(0),
            dropped: AtomicI64::new(0),
        };
        Self { db, objects, queue: Arc::new(queue) }
    }

    /// Hands a sample over without waiting. When the queue is full the sample is dropped and counted.
    pub fn observe(&self, sample: Sample) {
        let bytes = size_of(&sample);
        let waiting = self.queue.bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting + bytes > QUEUE_BYTES || self.queue.sender.try_send(sample).is_err() {
            self.queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.queue.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many samples were dropped since the process started.
    pub fn dropped_samples(&self) -> i64 {
        self.queue.dropped.load(Ordering::Relaxed)
    }

    /// The reading end of the queue; `None` when a collector has it already.
    pub(crate) fn take_receiver(&self) -> Option<mpsc::Receiver<Sample>> {
        self.queue.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Counts samples that could not be stored.
    pub(crate) fn note_dropped(&self, samples: usize) {
        self.queue.dropped.fetch_add(i64::try_from(samples).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Notes that samples of so many bytes are stored, or given up.
    pub(crate) fn note_done(&self, bytes: i64) {
        self.queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// About how much memory a sample takes, in bytes.
pub(crate) fn size_of(sample: &Sample) -> i64 {
    let of_column = |column: &Column| match &column.values {
        Values::Numbers(values) => 8 * values.len(),
        Values::Booleans(values) => values.len(),
        Values::Texts(values) => values.iter().map(|text| 24 + text.as_ref().map_or(0, String::len)).sum(),
    };
    let columns = sample.inputs.columns().iter().chain(sample.outputs.columns());
    let bytes: usize = columns.map(|column| 64 + column.name.len() + of_column(column)).sum();
    i64::try_from(512 + bytes).unwrap_or(i64::MAX / 2)
}
