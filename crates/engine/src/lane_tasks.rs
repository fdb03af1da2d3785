//! The writing side of lanes: one task per lane, on the writer's threads.

use crate::batch::Batch;
use crate::lane::FinishedBatch;
use crate::lane_dead_letters::{DeadLetterContext, LaneDeadLetters};
use crate::ports::Outlet;
use base::Destination;
use influx::{Delivered, LaneWriter, Lines, Writer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{self, Thread};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Lanes that write to InfluxDB.
pub struct WritingLanes {
    writer: Arc<Writer>,
    /// None: no dead letter is configured.
    letters: Option<Arc<DeadLetterContext>>,
    runtime: Handle,
    /// For each lane, whether it waits until dead letters can be written.
    awaits_dead_letters: Vec<Arc<AtomicBool>>,
    /// Generates the seeds of the lanes' retry jitter.
    seeds: fastrand::Rng,
    tasks: Vec<AbortHandle>,
}

/// Aborts the tasks: nobody receives their results any more, and the lanes that read the records again must not wait behind them.
impl Drop for WritingLanes {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl WritingLanes {
    pub fn new(
        writer: Arc<Writer>,
        letters: Option<Arc<DeadLetterContext>>,
        runtime: Handle,
        seed: u64,
    ) -> Self {
        let seeds = fastrand::Rng::with_seed(seed);
        Self { writer, letters, runtime, awaits_dead_letters: Vec::new(), seeds, tasks: Vec::new() }
    }
}

impl Outlet for WritingLanes {
    fn open(
        &mut self,
        lane: usize,
        destination: &Arc<Destination>,
        finished: &Sender<FinishedBatch>,
    ) -> mpsc::Sender<Batch> {
        // At most one batch at a time is sent, so sending never waits.
        let (closed, batches) = mpsc::channel(1);
        let awaits = Arc::<AtomicBool>::default();
        self.awaits_dead_letters.push(Arc::clone(&awaits));
        let letters = self.letters.as_ref().map(|context| LaneDeadLetters::new(Arc::clone(context), awaits));
        let task = WriteTask {
            lane,
            letters,
            writer: self.writer.lane(self.seeds.u64(..)),
            destination: Arc::clone(destination),
            finished: finished.clone(),
            data_thread: thread::current(),
        };
        self.tasks.push(self.runtime.spawn(task.run(batches)).abort_handle());
        closed
    }

    fn is_blocked(&self, lane: usize, destination: &Destination) -> bool {
        let awaits = self.awaits_dead_letters.get(lane);
        awaits.is_some_and(|awaits| awaits.load(Ordering::Relaxed)) || self.writer.is_blocked(destination)
    }
}

/// Writes the batches of one lane, one after another.
struct WriteTask {
    lane: usize,
    writer: LaneWriter,
    letters: Option<LaneDeadLetters>,
    destination: Arc<Destination>,
    finished: Sender<FinishedBatch>,
    data_thread: Thread,
}

impl WriteTask {
    async fn run(mut self, mut batches: mpsc::Receiver<Batch>) {
        while let Some(mut batch) = batches.recv().await {
            let collisions = batch.collisions();
            let lines = Lines::from(std::mem::take(&mut batch.lines));
            let delivered = self.writer.deliver(&self.destination, &lines).await;
            let Delivered { lines_stored, refused, kept_out, .. } = &delivered;
            assert_eq!(
                lines_stored + refused.len() + kept_out.len(),
                lines.len(),
                "each line of a batch is stored, refused or kept out when it comes back"
            );
            if let Some(letters) = &mut self.letters {
                letters.write(&mut batch, &lines, &delivered).await;
            }
            if self
                .finished
                .send(FinishedBatch { lane: self.lane, batch, lines, delivered, collisions })
                .is_err()
            {
                return;
            }
            self.data_thread.unpark();
        }
    }
}
