//! A lane: one queue of records, one open batch, one batch in flight.

use crate::batch::{AnsweredBatch, Batch, BatchLimits, BatchSize, Budget, Collisions, SizeController};
use crate::offset_tracker::{AssignmentId, BatchId};
use crate::topic_routing::LaneKey;
use base::Destination;
use influx::{BatchLines, Delivered};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The part of the time to an answer for which a batch that waited for it may be filled further.
const FILL_SHARE: u32 = 4;
/// Upper bound of this time.
const FILL_MAX: Duration = Duration::from_secs(1);

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
    in_flight_id: BatchId,
    /// Memory of the batch in flight.
    in_flight_memory: usize,
    /// Whether the server needs less CPU time for lines that are grouped by series, as the last answer showed.
    is_grouped: bool,
    sizes: SizeController,
    /// Whether reading stopped to wait for the batch in flight.
    has_waited: bool,
    /// Time until which a batch that waited for an answer is filled to its size, although it is old enough to be closed.
    fill_until: Option<Instant>,
    /// Whether the open batch is closed as soon as it can be.
    pub flush_early: bool,
    closed: mpsc::Sender<Batch>,
}

/// A batch that came back from its lane's writer.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a lane returns a few batches a second, nearly all of them finished"
)]
pub enum ReturnedBatch {
    Finished(FinishedBatch),
    /// The dispatcher asked for it by [`BatchWriter::abandon`]. Some of its lines may be stored, and no dead letter is written.
    ///
    /// [`BatchWriter::abandon`]: crate::ports::BatchWriter::abandon
    Abandoned {
        lane: usize,
        batch: Batch,
    },
}

/// A batch with its results: all its lines are stored, refused or kept out, and the dead letters of the records
/// that it settles are written.
#[derive(Debug)]
pub struct FinishedBatch {
    pub lane: usize,
    pub batch: Batch,
    pub lines: BatchLines,
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
        sizes: SizeController,
        closed: mpsc::Sender<Batch>,
    ) -> Self {
        Self {
            key,
            destination,
            queue,
            open,
            spare: Some(spare),
            in_flight: Vec::new(),
            in_flight_id: BatchId::first(),
            in_flight_memory: 0,
            is_grouped: false,
            sizes,
            has_waited: false,
            fill_until: None,
            flush_early: false,
            closed,
        }
    }

    /// The size at which the open batch is closed.
    pub fn size(&self) -> BatchSize {
        self.sizes.size()
    }

    /// Whether the next record may be read. An empty batch always takes one, so that each destination makes progress. Where the answer is
    /// no, call [`Lane::note_no_room`].
    pub fn may_read(&self, limits: &BatchLimits, budget: &Budget) -> bool {
        let is_within_share =
            !self.is_in_flight() || self.open.used_memory() + self.in_flight_memory < limits.lane_memory_max;
        self.open.is_empty() || (!self.is_full(limits) && is_within_share && budget.has_room())
    }

    /// Notes that records stay unread for want of room. While a batch is in flight, this shows that the lane has a backlog.
    pub fn note_no_room(&mut self) {
        self.has_waited |= self.is_in_flight();
    }

    fn is_in_flight(&self) -> bool {
        self.spare.is_none()
    }

    /// Whether the open batch is to be closed for its size.
    pub fn is_full(&self, limits: &BatchLimits) -> bool {
        self.open.is_full(self.size()) || self.open.used_memory() >= limits.batch_memory_max
    }

    /// Packs the lines of the open batch once they have the bytes of a request without a backlog. Call it where the batch may take
    /// another record.
    pub fn pack_if_large(&mut self, limits: &BatchLimits) {
        if self.open.lines.bytes() >= limits.packed_from {
            self.open.pack(self.is_grouped);
        }
    }

    /// The time at which the open batch has to be closed. None while it is empty.
    pub fn due(&self, limits: &BatchLimits) -> Option<Instant> {
        let due = self.open.due(limits.age_max)?;
        Some(self.fill_until.map_or(due, |until| due.max(until)))
    }

    /// Whether there are lines or dead letters, and no batch is in flight.
    pub fn can_flush(&self) -> bool {
        !self.is_in_flight() && !self.open.is_empty()
    }

    /// Closes the open batch and hands it over, unless it is empty or a batch is in flight. The next batch gets `batch_id`.
    pub fn flush(&mut self, batch_id: BatchId, limits: &BatchLimits) {
        if self.open.is_empty() {
            return;
        }
        let Some(mut next) = self.spare.take() else { return };
        next.batch_id = batch_id;
        let mut batch = std::mem::replace(&mut self.open, next);
        if let Some(emptied) = batch.pack_rest() {
            // One that a single record enlarged is freed. A buffer grows to twice its size.
            if emptied.capacity() <= 2 * limits.packed_from {
                self.open.lines = emptied;
            }
            batch.update_reserved();
            self.open.update_reserved();
        }
        (self.has_waited, self.fill_until, self.flush_early) = (false, None, false);
        self.send(batch);
    }

    fn send(&mut self, batch: Batch) {
        self.in_flight.clone_from(&batch.assignments);
        self.in_flight_id = batch.batch_id;
        self.in_flight_memory = batch.used_memory();
        match self.closed.try_send(batch) {
            Ok(()) => (),
            // Otherwise the batch would never settle, and the lane would stop silently.
            #[expect(
                clippy::panic,
                reason = "an invariant of the lanes; the process ends, and the next one reads again from the committed offset"
            )]
            Err(error) => panic!("a batch can't be handed to its lane's writer: {error}"),
        }
    }

    /// Takes the batch in flight back for reuse, and chooses the size of the next one.
    pub fn take_back(
        &mut self,
        finished: FinishedBatch,
        limits: &BatchLimits,
        budget: &Budget,
        now: Instant,
    ) {
        let size = finished.size();
        let (answer_time, request_bytes_max) =
            (finished.delivered.time_at_once(), finished.delivered.request_bytes_max.unwrap_or(usize::MAX));
        self.is_grouped = finished.delivered.is_grouped;
        self.keep_for_reuse(finished.into_batch(), limits, budget);
        if size.lines > 0 {
            let has_backlog = self.has_waited;
            self.sizes.answered(AnsweredBatch { size, answer_time, has_backlog, request_bytes_max });
        }
        if let Some(answer_time) = answer_time.filter(|_| self.has_waited) {
            self.fill_until = Some(now + (answer_time / FILL_SHARE).min(FILL_MAX));
        }
    }

    /// Sends an abandoned batch again, without the records of these assignments. It was closed before the open batch, so its lines have to
    /// be written before those.
    pub fn send_rest(
        &mut self,
        mut batch: Batch,
        is_removed: impl Fn(AssignmentId) -> bool,
        limits: &BatchLimits,
        budget: &Budget,
    ) {
        batch.remove(is_removed);
        if batch.is_empty() {
            self.keep_for_reuse(batch, limits, budget);
        } else {
            self.send(batch);
        }
    }

    fn keep_for_reuse(&mut self, mut batch: Batch, limits: &BatchLimits, budget: &Budget) {
        let batch_id = batch.batch_id;
        batch.reset(batch_id, self.bytes_kept(limits, budget));
        self.in_flight.clear();
        self.in_flight_memory = 0;
        self.spare = Some(batch);
    }

    /// The batch in flight, if it has records of these assignments.
    pub fn in_flight_of(&self, is_of: impl Fn(AssignmentId) -> bool) -> Option<BatchId> {
        self.in_flight.iter().any(|assignment| is_of(*assignment)).then_some(self.in_flight_id)
    }

    /// The largest buffer that is kept for the next batch, because it counts too. Where memory is scarce, it is left to the lanes that
    /// write. A large buffer is not kept: the next batch has to fit into the lane's share beside a batch in flight.
    fn bytes_kept(&self, limits: &BatchLimits, budget: &Budget) -> usize {
        let bytes = self.size().bytes.min(limits.packed_from);
        let rest = limits.lane_memory_max.saturating_sub(bytes);
        if budget.has_room() { (bytes + bytes / 8).min(rest) } else { 0 }
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
    fn size(&self) -> BatchSize {
        BatchSize { lines: self.lines.len(), bytes: self.lines.bytes() }
    }

    /// Returns the buffers of the lines to the batch.
    pub fn into_batch(self) -> Batch {
        let Self { mut batch, lines, .. } = self;
        batch.lines = lines.into_buffer();
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::SizeRange;
    use crate::offset_tracker::BatchId;

    const SMALL: BatchSize = BatchSize { lines: 100, bytes: 1_000 };
    const LARGE: BatchSize = BatchSize { lines: 1_000, bytes: 10_000 };
    const LIMITS: BatchLimits = BatchLimits {
        sizes: SizeRange { min: SMALL, max: LARGE, answer_max: Duration::from_secs(15) },
        lane_memory_max: 12_000,
        batch_memory_max: 11_000,
        packed_from: 1_000,
        age_max: Duration::from_secs(1),
    };

    /// A lane whose batches go to the receiver.
    fn lane(budget: &Budget) -> (Lane<()>, mpsc::Receiver<Batch>) {
        lane_of(LIMITS.sizes, budget)
    }

    fn lane_of(sizes: SizeRange, budget: &Budget) -> (Lane<()>, mpsc::Receiver<Batch>) {
        let (closed, batches) = mpsc::channel(1);
        let batch_id = BatchId::first();
        let key = LaneKey { destination: 0, slot: 0 };
        let destination = Destination::Database { database: "d".to_owned(), retention_policy: None };
        let both = (Batch::new(batch_id, budget), Batch::new(batch_id, budget));
        let sizes = SizeController::new(sizes);
        (Lane::new(key, Arc::new(destination), (), both, sizes, closed), batches)
    }

    /// Appends lines of 100 bytes while there is room. Returns the number of lines in the open batch.
    fn fill(lane: &mut Lane<()>, budget: &Budget, now: Instant) -> usize {
        while lane.may_read(&LIMITS, budget) {
            lane.open.lines.text_mut().extend_from_slice("x".repeat(99).as_bytes());
            lane.open.lines.end_line();
            lane.open.push(AssignmentId::for_test(0), lane.open.lines.lines() as i64, 1, now);
        }
        lane.note_no_room();
        lane.open.update_reserved();
        lane.open.lines.lines()
    }

    /// Stores the batch in flight by one request.
    fn answer(
        lane: &mut Lane<()>,
        batches: &mut mpsc::Receiver<Batch>,
        answer_time: Duration,
        budget: &Budget,
        now: Instant,
    ) {
        answer_batch(lane, batches.try_recv().unwrap(), answer_time, &LIMITS, budget, now);
    }

    fn answer_batch(
        lane: &mut Lane<()>,
        mut batch: Batch,
        answer_time: Duration,
        limits: &BatchLimits,
        budget: &Budget,
        now: Instant,
    ) {
        let lines = batch.take_lines();
        let mut delivered = Delivered { lines_stored: lines.len(), answer_time, ..Delivered::default() };
        delivered.requests.stored = 1;
        let collisions = Collisions::default();
        lane.take_back(FinishedBatch { lane: 0, batch, lines, delivered, collisions }, limits, budget, now);
    }

    #[test]
    fn a_lane_that_waits_fills_larger_batches_within_its_share_of_the_memory() {
        let (budget, now) = (Budget::new(1_000_000), Instant::now());
        let (mut lane, mut batches) = lane(&budget);
        let second = Duration::from_secs(1);
        let mut sent = Vec::new();
        for round in 0..6 {
            let now = now + second * round;
            let lines = fill(&mut lane, &budget, now);
            sent.push(lines);
            assert!(lane.open.is_full(lane.size()));
            lane.flush(BatchId::first(), &LIMITS);
            let begun = fill(&mut lane, &budget, now);
            assert!(lines * 100 + begun * 100 <= LIMITS.lane_memory_max, "{lines} lines and {begun}");
            answer(&mut lane, &mut batches, second, &budget, now + second);
            // The batch is old enough to be closed, and is filled nevertheless, for a part of the time that the answer took.
            assert_eq!(lane.due(&LIMITS), Some(now + second + second / FILL_SHARE));
        }
        assert_eq!(sent, [10, 100, 100, 100, 100, 100]);
        // Both buffers are counted.
        assert!(budget.used() >= lane.open.lines.capacity());
    }

    /// Lines of the same series compress to less than a third.
    #[test]
    fn a_large_batch_is_packed_and_takes_a_part_of_its_bytes() {
        let (budget, now) = (Budget::new(1_000_000), Instant::now());
        let limits = BatchLimits {
            sizes: SizeRange { min: SMALL, max: BatchSize { lines: 10_000, bytes: 300_000 }, ..LIMITS.sizes },
            lane_memory_max: 100_000,
            batch_memory_max: 80_000,
            packed_from: 10_000,
            ..LIMITS
        };
        let (mut lane, mut batches) = lane_of(limits.sizes, &budget);
        let (mut sent, mut memory_max) = (Vec::new(), 0);
        for _ in 0..6 {
            while lane.may_read(&limits, &budget) {
                lane.pack_if_large(&limits);
                lane.open.lines.push_line("x".repeat(99).as_bytes());
                lane.open.push(AssignmentId::for_test(0), lane.open.line_count() as i64, 1, now);
                memory_max = memory_max.max(lane.open.used_memory() + lane.in_flight_memory);
            }
            lane.flush(BatchId::first(), &limits);
            let batch = batches.try_recv().unwrap();
            sent.push((batch.line_count(), batch.bytes()));
            // The batch in flight has no buffer: the open batch uses it.
            assert!(sent.len() < 3 || (batch.lines.capacity() == 0 && lane.open.lines.capacity() > 0));
            lane.has_waited = true;
            answer_batch(&mut lane, batch, Duration::from_secs(1), &limits, &budget, now);
        }
        assert_eq!(sent.last(), Some(&(3_000, 300_000)), "{sent:?}");
        assert!(memory_max < limits.batch_memory_max / 2, "{memory_max}");
    }

    #[test]
    fn a_batch_whose_lines_do_not_compress_is_closed_at_its_share_of_the_memory() {
        let (budget, now) = (Budget::new(1_000_000), Instant::now());
        let sizes = SizeRange::fixed(BatchSize { lines: 10_000, bytes: 300_000 });
        let limits = BatchLimits { sizes, packed_from: 2_000, batch_memory_max: 20_000, ..LIMITS };
        let (mut lane, mut batches) = lane_of(sizes, &budget);
        let mut rng = fastrand::Rng::with_seed(1);
        while lane.may_read(&limits, &budget) {
            lane.pack_if_large(&limits);
            let noise: Vec<u8> = std::iter::repeat_with(|| rng.u8(b'!'..)).take(99).collect();
            lane.open.lines.push_line(&noise);
            lane.open.push(AssignmentId::for_test(0), lane.open.line_count() as i64, 1, now);
        }
        assert!(lane.is_full(&limits) && (20_000..24_000).contains(&lane.open.used_memory()));
        lane.flush(BatchId::first(), &limits);
        assert!(batches.try_recv().unwrap().bytes() < 30_000);
    }

    #[test]
    fn a_buffer_that_a_single_record_enlarged_is_not_kept() {
        let (budget, now) = (Budget::new(1_000_000), Instant::now());
        let sizes = SizeRange::fixed(BatchSize { lines: 10_000, bytes: 300_000 });
        let limits = BatchLimits { sizes, packed_from: 2_000, batch_memory_max: 100_000, ..LIMITS };
        for (line, is_kept) in [(99, true), (50_000, false)] {
            let (mut lane, _batches) = lane_of(sizes, &budget);
            for _ in 0..30 {
                lane.pack_if_large(&limits);
                lane.open.lines.push_line("x".repeat(line).as_bytes());
                lane.open.push(AssignmentId::for_test(0), lane.open.line_count() as i64, 1, now);
            }
            lane.flush(BatchId::first(), &limits);
            assert_eq!(lane.open.lines.capacity() > 0, is_kept, "{line}");
        }
    }

    #[test]
    fn a_lane_that_does_not_wait_closes_batches_as_before() {
        let (budget, now) = (Budget::new(1_000_000), Instant::now());
        let (mut lane, mut batches) = lane(&budget);
        for _ in 0..5 {
            assert_eq!(fill(&mut lane, &budget, now), 10);
            lane.flush(BatchId::first(), &LIMITS);
            // The answer comes before the next batch is full.
            answer(&mut lane, &mut batches, Duration::from_secs(1), &budget, now);
            lane.open.push(AssignmentId::for_test(0), 0, 0, now);
            assert_eq!(lane.due(&LIMITS), None);
        }
    }

    #[test]
    #[should_panic(expected = "can't be handed to its lane's writer")]
    fn a_lane_whose_writer_is_gone_does_not_stop_silently() {
        let (closed, batches) = mpsc::channel(1);
        let (batch_id, budget) = (BatchId::first(), Budget::new(1_000));
        let key = LaneKey { destination: 0, slot: 0 };
        let destination = Destination::Database { database: "d".to_owned(), retention_policy: None };
        let both = (Batch::new(batch_id, &budget), Batch::new(batch_id, &budget));
        let sizes = SizeController::new(SizeRange::fixed(BatchSize { lines: 1, bytes: 1 }));
        let mut lane = Lane::new(key, Arc::new(destination), (), both, sizes, closed);
        lane.open.lines.text_mut().extend_from_slice(b"m v=1");
        lane.open.lines.end_line();
        lane.open.push(AssignmentId::for_test(0), 0, 1, Instant::now());
        drop(batches);
        lane.flush(batch_id.next(), &LIMITS);
    }
}
