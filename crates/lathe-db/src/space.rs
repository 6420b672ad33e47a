//! The gate that closes writes while the disk is nearly full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lathe_core::Result;

/// Shared by everything that writes; opened and closed by the loop that watches free space.
#[derive(Debug, Clone, Default)]
pub struct WriteGate {
    is_closed: Arc<AtomicBool>,
}

impl WriteGate {
    /// Closes or opens the gate; answers whether that changed anything.
    pub fn set_closed(&self, is_closed: bool) -> bool {
        self.is_closed.swap(is_closed, Ordering::Relaxed) != is_closed
    }

    /// Fails while the gate is closed.
    ///
    /// # Errors
    /// `OutOfSpace`.
    pub fn check(&self) -> Result<()> {
        if self.is_closed.load(Ordering::Relaxed) { Err(crate::convert::out_of_space()) } else { Ok(()) }
    }
}
