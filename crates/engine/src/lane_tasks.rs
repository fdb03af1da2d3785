//! The writing end of lanes: one task each, on the writer's threads.

use crate::batch::Batch;
use crate::lane::Done;
use crate::ports::Outlet;
use crate::refused_letters::{LaneLetters, LetterContext};
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
    letters: Option<Arc<LetterContext>>,
    runtime: Handle,
    /// For each lane, whether it waits until dead letters can be written.
    waits: Vec<Arc<AtomicBool>>,
    /// Of the lanes' jitter.
    seeds: fastrand::Rng,
    tasks: Vec<AbortHandle>,
}

/// Nobody would hear what becomes of the batches in flight, and whoever reads their records again must not wait behind them.
impl Drop for WritingLanes {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl WritingLanes {
    pub fn new(writer: Arc<Writer>, letters: Option<Arc<LetterContext>>, runtime: Handle, seed: u64) -> Self {
        let seeds = fastrand::Rng::with_seed(seed);
        Self { writer, letters, runtime, waits: Vec::new(), seeds, tasks: Vec::new() }
    }
}

impl Outlet for WritingLanes {
    fn open(
        &mut self,
        lane: usize,
        destination: &Arc<Destination>,
        done: &Sender<Done>,
    ) -> mpsc::Sender<Batch> {
        // One batch at a time is sent, so this never waits.
        let (closed, batches) = mpsc::channel(1);
        let waits = Arc::<AtomicBool>::default();
        self.waits.push(Arc::clone(&waits));
        let letters = self.letters.as_ref().map(|dispatcher| LaneLetters::new(Arc::clone(dispatcher), waits));
        let task = WriteTask {
            lane,
            letters,
            writer: self.writer.lane(self.seeds.u64(..)),
            destination: Arc::clone(destination),
            done: done.clone(),
            data_thread: thread::current(),
        };
        self.tasks.push(self.runtime.spawn(task.run(batches)).abort_handle());
        closed
    }

    fn holds(&self, lane: usize, destination: &Destination) -> bool {
        let waits = self.waits.get(lane).is_some_and(|waits| waits.load(Ordering::Relaxed));
        waits || self.writer.is_blocked(destination)
    }
}

/// One lane's task.
struct WriteTask {
    lane: usize,
    writer: LaneWriter,
    letters: Option<LaneLetters>,
    destination: Arc<Destination>,
    done: Sender<Done>,
    data_thread: Thread,
}

impl WriteTask {
    async fn run(mut self, mut batches: mpsc::Receiver<Batch>) {
        while let Some(mut batch) = batches.recv().await {
            let collisions = batch.collisions();
            let (text, ends) = std::mem::take(&mut batch.lines).into_parts();
            let lines = match Lines::new(text, ends) {
                Ok(lines) => lines,
                #[expect(
                    clippy::panic,
                    reason = "a fact of our own line buffer; a lane that only stopped would be noticed by nobody"
                )]
                Err(error) => panic!("a batch of lane {} can't be written: {error}", self.lane),
            };
            let delivered = self.writer.deliver(&self.destination, &lines).await;
            let Delivered { lines_stored, refused, blocked, .. } = &delivered;
            assert_eq!(
                lines_stored + refused.len() + blocked.len(),
                lines.len(),
                "each line of a batch is stored, refused or blocked when it comes back"
            );
            if let Some(letters) = &mut self.letters {
                letters.write(&mut batch, &lines, &delivered).await;
            }
            if self.done.send(Done { lane: self.lane, batch, lines, delivered, collisions }).is_err() {
                return;
            }
            self.data_thread.unpark();
        }
    }
}
