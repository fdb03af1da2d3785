//! A lane: one queue of records, one open batch, one batch in flight.

use super::Shared;
use super::routes::LanePlace;
use crate::batch::{Batch, Budget, Limits, LineBuffer};
use crate::commit::{Tenure, Ticket};
use crate::influx::{Delivered, Destination, LaneWriter as WriterLane, Lines, Writer};
use crate::kafka::{GroupContext, Queue, Taken};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::{self, Thread};
use tokio::sync::mpsc;

/// The data thread's end of a lane.
pub struct Lane {
    pub place: LanePlace,
    pub destination: Arc<Destination>,
    /// Declared before the queue it belongs to is let go.
    pub taken: Taken<GroupContext>,
    pub open: Batch,
    /// None while it is in flight; then its tenures are kept here.
    spare: Option<Batch>,
    in_flight: Vec<Tenure>,
    closed: mpsc::Sender<Batch>,
}

/// A batch that came back: all its lines are stored or refused.
#[derive(Debug)]
pub struct Done {
    pub lane: usize,
    pub batch: Batch,
    pub lines: Lines,
    pub delivered: Delivered,
}

impl Lane {
    /// Opens a lane, and starts the task that writes its batches.
    pub fn open(
        number: usize,
        place: LanePlace,
        destination: Arc<Destination>,
        queue: Arc<Queue>,
        shared: &Shared,
        ticket: Ticket,
        done: &Sender<Done>,
    ) -> Self {
        // One batch at a time is sent, so this never waits.
        let (closed, batches) = mpsc::channel(1);
        let task = WriteTask {
            lane: number,
            writer: shared.writer.lane(fastrand::u64(..)),
            destination: Arc::clone(&destination),
            done: done.clone(),
            data_thread: thread::current(),
        };
        shared.runtime.spawn(task.run(batches));
        Self {
            place,
            destination,
            taken: Taken::new(queue),
            open: Batch::new(ticket, &shared.budget),
            spare: Some(Batch::new(ticket, &shared.budget)),
            in_flight: Vec::new(),
            closed,
        }
    }

    /// Whether the next record may be read. An empty batch always has room, so that each destination keeps moving.
    pub fn has_room(&self, limits: &Limits, budget: &Budget) -> bool {
        !self.open.is_full(limits) && (budget.has_room() || self.open.lines.is_empty())
    }

    /// Whether a closed batch could be handed over now.
    pub fn can_flush(&self) -> bool {
        self.spare.is_some() && !self.open.lines.is_empty()
    }

    /// Closes the open batch and hands it to the writer, unless one is in flight. Returns whether it did; then the
    /// ticket was used.
    pub fn flush(&mut self, ticket: Ticket) -> bool {
        if self.open.lines.is_empty() {
            return false;
        }
        let Some(mut next) = self.spare.take() else { return false };
        next.ticket = ticket;
        let batch = std::mem::replace(&mut self.open, next);
        self.in_flight.clone_from(&batch.tenures);
        // The task ends only with the runtime, and then nothing is written any more.
        self.closed.try_send(batch).is_ok()
    }

    /// The batch in flight came back.
    pub fn take_back(&mut self, mut batch: Batch, bytes_kept: usize) {
        let ticket = batch.ticket;
        batch.reset(ticket, bytes_kept);
        self.in_flight.clear();
        self.spare = Some(batch);
    }

    /// Whether nothing is open or in flight.
    pub fn is_idle(&self) -> bool {
        self.spare.is_some() && self.open.lines.is_empty()
    }

    /// Whether some records of this tenure are open or in flight here.
    pub fn carries(&self, tenure: Tenure) -> bool {
        self.in_flight.contains(&tenure) || self.open.tenures.contains(&tenure)
    }

    /// Whether its destination keeps everything and waits.
    pub fn holds(&self, writer: &Writer) -> bool {
        writer.holds(&self.destination)
    }
}

/// The writer's end of a lane.
struct WriteTask {
    lane: usize,
    writer: WriterLane,
    destination: Arc<Destination>,
    done: Sender<Done>,
    data_thread: Thread,
}

impl WriteTask {
    async fn run(mut self, mut batches: mpsc::Receiver<Batch>) {
        while let Some(mut batch) = batches.recv().await {
            let (text, ends) = std::mem::take(&mut batch.lines).into_parts();
            let lines = match Lines::new(text, ends) {
                Ok(lines) => lines,
                Err(error) => {
                    // A bug in the line buffer. Nothing of the batch is settled, so nothing of it is committed.
                    tracing::error!(%error, lane = self.lane, "a batch can't be written; its lane stops");
                    return;
                }
            };
            let delivered = self.writer.deliver(&self.destination, &lines).await;
            if self.done.send(Done { lane: self.lane, batch, lines, delivered }).is_err() {
                return;
            }
            self.data_thread.unpark();
        }
    }
}

impl Done {
    /// Gives the buffers back to the batch.
    pub fn into_batch(self) -> Batch {
        let Self { mut batch, lines, .. } = self;
        let (text, ends) = lines.into_buffers();
        batch.lines = LineBuffer::reuse(text, ends);
        batch
    }
}
