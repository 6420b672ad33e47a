//! A connection that wakes itself is polled again at once.
//!
//! hyper hands a request's body to its handler within the connection's own task: each body wakes the task that is at work just
//! then. The runtime would take that for new work, and call one more thread to it: two switches of threads for each request.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;

/// How often a future is polled again before others have their turn.
const MAX_POLLS: usize = 4;

/// Runs a future; what wakes it while it is polled does not reach the runtime.
pub(crate) struct SelfWakes<F> {
    future: Pin<Box<F>>,
    signal: Arc<Signal>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Signal {
    is_polled: AtomicBool,
    is_woken: AtomicBool,
    task: AtomicWaker,
}

impl<F> SelfWakes<F> {
    pub(crate) fn new(future: F) -> Self {
        let signal = Arc::<Signal>::default();
        Self { future: Box::pin(future), waker: Waker::from(Arc::clone(&signal)), signal }
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // In this order, and read in the opposite one: whichever thread comes later sees the other.
        self.is_woken.store(true, SeqCst);
        if !self.is_polled.load(SeqCst) {
            self.task.wake();
        }
    }
}

impl<F: Future> Future for SelfWakes<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { future, signal, waker } = &mut *self;
        signal.task.register(context.waker());
        for _ in 0..MAX_POLLS {
            signal.is_polled.store(true, SeqCst);
            signal.is_woken.store(false, SeqCst);
            let polled = future.as_mut().poll(&mut Context::from_waker(waker));
            signal.is_polled.store(false, SeqCst);
            if polled.is_ready() || !signal.is_woken.load(SeqCst) {
                return polled;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Counts what reaches the runtime.
    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn a_wake_from_within_is_served_at_once() {
        let counter = Arc::<Counter>::default();
        let waker = Waker::from(Arc::clone(&counter));
        let mut polls = 0;
        let mut twice = SelfWakes::new(poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls == 2 { Poll::Ready(polls) } else { Poll::Pending }
        }));
        assert_eq!(Pin::new(&mut twice).poll(&mut Context::from_waker(&waker)), Poll::Ready(2));
        assert_eq!(counter.0.load(SeqCst), 0);
    }

    #[test]
    fn one_that_never_rests_lets_others_have_their_turn() {
        let counter = Arc::<Counter>::default();
        let waker = Waker::from(Arc::clone(&counter));
        let mut restless = SelfWakes::new(poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        assert!(Pin::new(&mut restless).poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(counter.0.load(SeqCst), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_wake_from_another_thread_is_lost() {
        for _ in 0..2_000 {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let waiting = tokio::spawn(SelfWakes::new(receiver));
            tokio::task::spawn_blocking(move || sender.send(7)).await.unwrap().unwrap();
            assert_eq!(waiting.await.unwrap().unwrap(), 7);
        }
    }
}
