//! The two ports of the dispatcher: the queue that records come from, and the writer that batches go to. Each has an in-memory twin,
//! so that the simulation runs everything between them.

use crate::batch::Batch;
use crate::lane::ReturnedBatch;
use crate::offset_tracker::BatchId;
use base::Destination;
use kafka::{Delivery, FetchedRecords};
use rdkafka::consumer::ConsumerContext;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::sync::mpsc;

/// Records of a lane's partitions, in the order of delivery.
pub trait LaneQueue {
    /// Fetches records, if all records fetched before were read. Returns whether there are records to read.
    fn fill(&mut self, records_max: usize) -> bool;

    /// Whether all fetched records were read.
    fn is_empty(&self) -> bool;

    /// Reads the next record, which may be released afterwards. Returns whether there was one.
    fn next(&mut self, headers_wanted: bool, read: impl FnOnce(Delivery<'_>)) -> bool;

    /// Releases the records that were read, all together because that is cheaper.
    fn release_read(&mut self);

    /// Releases fetched records that were not read, for whose topic and partition `is_released` is true.
    fn release(&mut self, is_released: impl Fn(&str, i32) -> bool);
}

/// Writes batches. Each batch comes back as [`ReturnedBatch::Finished`] when all its lines are stored, refused or blocked, and its dead
/// letters are written.
pub trait BatchWriter {
    /// Opens a lane. At most one batch at a time is sent to it.
    fn open(
        &mut self,
        lane: usize,
        destination: &Arc<Destination>,
        returned: &Sender<ReturnedBatch>,
    ) -> mpsc::Sender<Batch>;

    /// Ends the writing of the batch in flight, which comes back at once as [`ReturnedBatch::Abandoned`]. Returns false if its lines are
    /// written already: then only its dead letters may follow.
    fn abandon(&mut self, lane: usize, batch: BatchId) -> bool;

    /// Whether the lane can't write until somebody fixes something.
    fn is_blocked(&self, lane: usize, destination: &Destination) -> bool;
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

    fn release(&mut self, is_released: impl Fn(&str, i32) -> bool) {
        Self::release(self, is_released);
    }
}
