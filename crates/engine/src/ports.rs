//! The two edges of the data path: where records come from, and where batches go. Each has a twin in memory, so that
//! the simulation runs everything between them.

use crate::batch::Batch;
use crate::lane::FinishedBatch;
use base::Destination;
use kafka::{Delivery, FetchedRecords};
use rdkafka::consumer::ConsumerContext;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::sync::mpsc;

/// Records of a lane's partitions, in the order of delivery.
pub trait LaneQueue {
    /// Takes what there is, once everything fetched before was read. Returns whether there is something to read.
    fn fill(&mut self, records_max: usize) -> bool;

    /// Whether everything that was fetched was read.
    fn is_empty(&self) -> bool;

    /// Reads the next one, which may go from then on. Returns whether there was one.
    fn next(&mut self, headers_wanted: bool, read: impl FnOnce(Delivery<'_>)) -> bool;

    /// Lets go what was read: not one by one, because it costs less together.
    fn release_read(&mut self);

    /// Lets those go that were fetched and not read, where their topic and partition are told to.
    fn release(&mut self, goes: impl Fn(&str, i32) -> bool);
}

/// Settles batches: each handed in comes back as `FinishedBatch`, when all its lines are stored or refused, and all its dead
/// letters are written.
pub trait Outlet {
    /// Opens a lane: one batch at a time is sent.
    fn open(
        &mut self,
        lane: usize,
        destination: &Arc<Destination>,
        done: &Sender<FinishedBatch>,
    ) -> mpsc::Sender<Batch>;

    /// Whether the lane waits for somebody to mend something.
    fn holds(&self, lane: usize, destination: &Destination) -> bool;
}

impl<C: ConsumerContext> LaneQueue for FetchedRecords<C> {
    fn fill(&mut self, records_max: usize) -> bool {
        Self::fill(self, records_max)
    }

    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    fn next(&mut self, headers_wanted: bool, read: impl FnOnce(Delivery<'_>)) -> bool {
        Self::next(self, headers_wanted, read).is_some()
    }

    fn release_read(&mut self) {
        Self::release_read(self);
    }

    fn release(&mut self, goes: impl Fn(&str, i32) -> bool) {
        Self::release(self, goes);
    }
}
