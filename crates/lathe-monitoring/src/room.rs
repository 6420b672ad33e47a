//! The room's handle, and the queue that the inference path puts samples into.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lathe_db::Db;
use lathe_objects::Objects;
use tokio::sync::mpsc;

use crate::Sample;

/// How many samples may wait.
const QUEUE_SAMPLES: usize = 8_192;

/// How many values the waiting samples may hold: at 8 bytes and more each, what the queue costs at the most.
const QUEUE_CELLS: i64 = 4_000_000;

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
    cells: AtomicI64,
    dropped: AtomicI64,
}

impl Monitoring {
    /// Makes the handle; the schema must have been migrated.
    pub fn new(db: Db, objects: Objects) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_SAMPLES);
        let queue = Queue {
            sender,
            receiver: Mutex::new(Some(receiver)),
            cells: AtomicI64::new(0),
            dropped: AtomicI64::new(0),
        };
        Self { db, objects, queue: Arc::new(queue) }
    }

    /// Hands a sample over without waiting. When the queue is full the sample is dropped and counted.
    pub fn observe(&self, sample: Sample) {
        let cells = cells_of(&sample);
        let waiting = self.queue.cells.fetch_add(cells, Ordering::Relaxed);
        if waiting + cells > QUEUE_CELLS || self.queue.sender.try_send(sample).is_err() {
            self.queue.cells.fetch_sub(cells, Ordering::Relaxed);
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

    /// Notes that a sample has left the queue.
    pub(crate) fn note_taken(&self, sample: &Sample) {
        self.queue.cells.fetch_sub(cells_of(sample), Ordering::Relaxed);
    }
}

fn cells_of(sample: &Sample) -> i64 {
    i64::try_from(sample.inputs.cells() + sample.outputs.cells()).unwrap_or(i64::MAX / 2)
}
