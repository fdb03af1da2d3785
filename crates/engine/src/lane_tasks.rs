//! The writing side of lanes: one task per lane, on the writer's threads.

use crate::batch::Batch;
use crate::lane::{FinishedBatch, ReturnedBatch};
use crate::lane_dead_letters::{DeadLetterContext, LaneDeadLetters};
use crate::offset_tracker::BatchId;
use crate::ports::BatchWriter;
use base::Destination;
use base::locks::lock;
use influx::{LaneWriter, Writer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

/// Lanes that write to InfluxDB.
pub struct WritingLanes {
    writer: Arc<Writer>,
    /// None: no dead letter is configured.
    letters: Option<Arc<DeadLetterContext>>,
    runtime: Handle,
    /// For each lane, whether it waits until dead letters can be written.
    awaits_dead_letters: Vec<Arc<AtomicBool>>,
    /// For each lane, the request to abandon its batch.
    abandonments: Vec<Arc<AbandonRequest>>,
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
        let (awaits_dead_letters, abandonments, tasks) = (Vec::new(), Vec::new(), Vec::new());
        Self { writer, letters, runtime, awaits_dead_letters, abandonments, seeds, tasks }
    }
}

impl BatchWriter for WritingLanes {
    fn open(
        &mut self,
        lane: usize,
        destination: &Arc<Destination>,
        returned: &Sender<ReturnedBatch>,
    ) -> mpsc::Sender<Batch> {
        // At most one batch at a time is sent, so sending never waits.
        let (closed, batches) = mpsc::channel(1);
        let awaits = Arc::<AtomicBool>::default();
        self.awaits_dead_letters.push(Arc::clone(&awaits));
        let abandonment = Arc::<AbandonRequest>::default();
        self.abandonments.push(Arc::clone(&abandonment));
        let letters = self.letters.as_ref().map(|context| LaneDeadLetters::new(Arc::clone(context), awaits));
        let task = WriteTask {
            lane,
            letters,
            writer: self.writer.lane(self.seeds.u64(..)),
            destination: Arc::clone(destination),
            abandonment,
            returned: returned.clone(),
            data_thread: thread::current(),
        };
        self.tasks.push(self.runtime.spawn(task.run(batches)).abort_handle());
        closed
    }

    fn abandon(&mut self, lane: usize, batch: BatchId) -> bool {
        self.abandonments.get(lane).is_some_and(|abandonment| abandonment.request(batch))
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
    abandonment: Arc<AbandonRequest>,
    returned: Sender<ReturnedBatch>,
    data_thread: Thread,
}

/// The request of the data thread to abandon the batch of a lane.
#[derive(Debug, Default)]
struct AbandonRequest {
    state: Mutex<AbandonmentState>,
    requested: Notify,
}

#[derive(Debug, Default)]
struct AbandonmentState {
    requested: Option<BatchId>,
    /// The last batch whose lines were delivered: it is too late to abandon it.
    delivered: Option<BatchId>,
}

impl AbandonRequest {
    /// Requests that the batch is abandoned. Returns false if its lines are delivered.
    fn request(&self, batch: BatchId) -> bool {
        let mut state = lock(&self.state);
        if state.delivered == Some(batch) {
            return false;
        }
        state.requested = Some(batch);
        self.requested.notify_one();
        true
    }

    /// Returns when the batch is to be abandoned.
    async fn requested(&self, batch: BatchId) {
        while lock(&self.state).requested != Some(batch) {
            self.requested.notified().await;
        }
    }

    /// Ends the delivery of a batch. Returns whether it counts: the batch was not abandoned meanwhile.
    fn end_delivery(&self, batch: BatchId) -> bool {
        let mut state = lock(&self.state);
        let is_abandoned = state.requested.take_if(|requested| *requested == batch).is_some();
        state.delivered = (!is_abandoned).then_some(batch);
        !is_abandoned
    }
}

impl WriteTask {
    async fn run(mut self, mut batches: mpsc::Receiver<Batch>) {
        while let Some(mut batch) = batches.recv().await {
            let collisions = batch.collisions();
            let lines = batch.take_lines();
            // Dropping the delivery closes the connection of its request.
            let delivered = tokio::select! {
                delivered = self.writer.deliver(&self.destination, &lines) => Some(delivered),
                () = self.abandonment.requested(batch.batch_id) => None,
            };
            let is_delivered = self.abandonment.end_delivery(batch.batch_id);
            let Some(delivered) = delivered.filter(|_| is_delivered) else {
                batch.put_back(lines);
                if !self.give_back(ReturnedBatch::Abandoned { lane: self.lane, batch }) {
                    return;
                }
                continue;
            };
            assert_eq!(
                delivered.lines_settled(),
                lines.len(),
                "each line of a batch is stored, refused or kept out when it comes back"
            );
            if let Some(letters) = &mut self.letters {
                letters.write(&mut batch, &lines, &delivered).await;
            }
            let finished = FinishedBatch { lane: self.lane, batch, lines, delivered, collisions };
            if !self.give_back(ReturnedBatch::Finished(finished)) {
                return;
            }
        }
    }

    /// Returns whether the data thread still takes batches back.
    fn give_back(&self, batch: ReturnedBatch) -> bool {
        let is_taken = self.returned.send(batch).is_ok();
        self.data_thread.unpark();
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Budget;
    use crate::offset_tracker::AssignmentId;
    use influx::{Client, ConnectionSettings, Delays, Event, Observer, WriterOptions};
    use std::io::Read;
    use std::net::TcpListener;
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    struct Nobody;

    impl Observer for Nobody {
        fn observe(&self, _: &Event) {}
    }

    #[test]
    fn an_abandoned_batch_comes_back_with_its_lines_and_its_request_ends() {
        // A server that reads requests and answers none.
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection =
            ConnectionSettings::new(format!("http://{}", server.local_addr().unwrap()).parse().unwrap());
        let delays = Delays::default();
        let options = WriterOptions {
            lines_max: 10,
            bytes_max: Some(1_000),
            points_per_second_max: None,
            delays,
            accepts_unproven: false,
        };
        let client = Client::new(&connection).unwrap();
        let writer = Writer::new(client, &connection, options, Arc::new(Nobody));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let mut lanes = WritingLanes::new(writer, None, runtime.handle().clone(), 0);
        let (returned, batches) = channel();
        let destination = Destination::Database { database: "d".to_owned(), retention_policy: None };
        let closed = lanes.open(0, &Arc::new(destination), &returned);
        let first = BatchId::first();
        let mut batch = Batch::new(first, &Budget::new(1_000));
        for line in ["a v=1", "b v=\"x\ny\""] {
            batch.lines.push_line(line.as_bytes());
            batch.push(AssignmentId::for_test(1), batch.lines.lines() as i64, 1, Instant::now());
        }
        batch.partitions = vec![None];
        closed.try_send(batch).unwrap();
        let (mut request, _) = server.accept().unwrap();
        assert!(lanes.abandon(0, first));
        let ReturnedBatch::Abandoned { lane: 0, batch } = batches.recv().unwrap() else { panic!("finished") };
        assert_eq!(batch.lines.text(), b"a v=1\nb v=\"x\ny\"\n");
        assert_eq!(batch.source(1).offset, 2);
        request.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        // It reads to the end of the connection.
        let mut text = Vec::new();
        let _reset = request.read_to_end(&mut text);
    }

    #[test]
    fn only_a_batch_whose_lines_are_not_delivered_can_be_abandoned() {
        let (abandonment, first) = (AbandonRequest::default(), BatchId::first());
        assert!(abandonment.request(first) && !abandonment.end_delivery(first));
        // The rest of the batch is sent again.
        assert!(abandonment.end_delivery(first));
        assert!(!abandonment.request(first));
        let second = first.next();
        assert!(abandonment.request(second) && !abandonment.end_delivery(second));
    }
}
