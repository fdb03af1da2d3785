//! A lane: one queue of records, one open batch, one batch in flight.

use crate::batch::{Batch, Budget, Collisions, Limits};
use crate::commit::{AssignmentId, BatchId};
use crate::routing::LaneKey;
use base::Destination;
use influx::{Delivered, Lines};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The data thread's end of a lane.
pub struct Lane<Q> {
    pub key: LaneKey,
    pub destination: Arc<Destination>,
    pub queue: Q,
    pub open: Batch,
    /// The batch to fill next. None while it is in flight.
    spare: Option<Batch>,
    /// Assignments of the batch in flight.
    in_flight: Vec<AssignmentId>,
    closed: mpsc::Sender<Batch>,
}

/// A batch that came back from its lane's writer: all its lines are stored, refused or blocked, and the dead letters of the records
/// that it settles are written.
#[derive(Debug)]
pub struct FinishedBatch {
    pub lane: usize,
    pub batch: Batch,
    pub lines: Lines,
    pub delivered: Delivered,
    pub collisions: Collisions,
}

impl<Q> Lane<Q> {
    /// `closed` takes closed batches to the lane's writer.
    pub fn new(
        key: LaneKey,
        destination: Arc<Destination>,
        queue: Q,
        (open, spare): (Batch, Batch),
        closed: mpsc::Sender<Batch>,
    ) -> Self {
        Self { key, destination, queue, open, spare: Some(spare), in_flight: Vec::new(), closed }
    }

    /// Whether the next record may be read. An empty batch always has room, so that each destination makes progress.
    pub fn has_room(&self, limits: &Limits, budget: &Budget) -> bool {
        !self.open.is_full(limits) && (budget.has_room() || self.open.is_empty())
    }

    /// Whether there are lines or dead letters, and no batch is in flight.
    pub fn can_flush(&self) -> bool {
        self.spare.is_some() && !self.open.is_empty()
    }

    /// Closes the open batch and hands it over, unless it is empty or a batch is in flight. Returns whether it did. The next batch gets
    /// `batch_id`.
    pub fn flush(&mut self, batch_id: BatchId) -> bool {
        if self.open.is_empty() {
            return false;
        }
        let Some(mut next) = self.spare.take() else { return false };
        next.batch_id = batch_id;
        let batch = std::mem::replace(&mut self.open, next);
        self.in_flight.clone_from(&batch.assignments);
        match self.closed.try_send(batch) {
            Ok(()) => true,
            // Otherwise the batch would never settle, and the lane would stop silently.
            #[expect(
                clippy::panic,
                reason = "an invariant of the lanes; the process ends, and the next one reads again from the committed offset"
            )]
            Err(error) => panic!("a batch can't be handed to its lane's writer: {error}"),
        }
    }

    /// Takes the batch in flight back for reuse.
    pub fn take_back(&mut self, mut batch: Batch, bytes_kept: usize) {
        let batch_id = batch.batch_id;
        batch.reset(batch_id, bytes_kept);
        self.in_flight.clear();
        self.spare = Some(batch);
    }

    /// Whether nothing is open or in flight.
    pub fn is_idle(&self) -> bool {
        self.spare.is_some() && self.open.is_empty()
    }

    /// Whether records of this assignment are open or in flight in this lane.
    pub fn carries(&self, assignment: AssignmentId) -> bool {
        self.in_flight.contains(&assignment) || self.open.assignments.contains(&assignment)
    }
}

impl FinishedBatch {
    /// Returns the buffers of the lines to the batch.
    pub fn into_batch(self) -> Batch {
        let Self { mut batch, lines, .. } = self;
        let (text, ends) = lines.into_buffers();
        batch.lines = line_protocol::LineBuffer::reuse(text, ends);
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::BatchId;
    use std::time::Instant;

    #[test]
    #[should_panic(expected = "can't be handed to its lane's writer")]
    fn a_lane_whose_writer_is_gone_does_not_stop_silently() {
        let (closed, batches) = mpsc::channel(1);
        let (batch_id, budget) = (BatchId::first(), Budget::new(1_000));
        let key = LaneKey { destination: 0, slot: 0 };
        let destination = Destination::Database { database: "d".to_owned(), retention_policy: None };
        let both = (Batch::new(batch_id, &budget), Batch::new(batch_id, &budget));
        let mut lane = Lane::new(key, Arc::new(destination), (), both, closed);
        lane.open.lines.text_mut().extend_from_slice(b"m v=1");
        lane.open.lines.end_line();
        lane.open.push(AssignmentId::for_test(0), 0, 1, Instant::now());
        drop(batches);
        lane.flush(batch_id.next());
    }
}
