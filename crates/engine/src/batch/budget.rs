//! The memory bound of all batches together: open, in flight and compressed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `batch.memory_max`, shared by all lanes of all consumers.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Bytes>);

#[derive(Debug)]
struct Bytes {
    used: AtomicUsize,
    max: AtomicUsize,
}

/// Memory counted in a [`Budget`] until this is dropped.
#[derive(Debug)]
pub struct Reserved {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Bytes { used: AtomicUsize::new(0), max: AtomicUsize::new(bytes_max) }))
    }

    /// Changes the bound, at a reload.
    pub fn set_max(&self, bytes_max: usize) {
        self.0.max.store(bytes_max, Ordering::Relaxed);
    }

    /// Begins a reservation of zero bytes.
    pub fn reserve(&self) -> Reserved {
        Reserved { budget: self.clone(), bytes: 0 }
    }

    pub fn bytes_max(&self) -> usize {
        self.0.max.load(Ordering::Relaxed)
    }

    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Whether a batch may grow. An empty batch may always take one record, so that each destination makes progress.
    pub fn has_room(&self) -> bool {
        self.used() < self.bytes_max()
    }
}

impl Reserved {
    /// Replaces the reserved amount.
    pub fn set(&mut self, bytes: usize) {
        if bytes >= self.bytes {
            self.budget.0.used.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.budget.0.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_reserved() {
        let budget = Budget::new(100);
        let mut a = budget.reserve();
        let mut b = budget.reserve();
        a.set(60);
        assert!(budget.has_room());
        b.set(50);
        assert!(!budget.has_room());
        a.set(10);
        assert_eq!(budget.used(), 60);
        budget.set_max(70);
        assert!(budget.has_room());
        budget.set_max(60);
        assert!(!budget.has_room());
        drop(b);
        assert_eq!(budget.used(), 10);
    }
}
