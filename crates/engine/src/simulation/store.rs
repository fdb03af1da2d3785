//! In-memory InfluxDB and dead letters, and lanes whose batches wait for a response.

use super::settings::{self, OVERWRITTEN};
use crate::batch::Batch;
use crate::lane::{FinishedBatch, ReturnedBatch};
use crate::offset_tracker::BatchId;
use crate::ports::BatchWriter;
use base::Destination;
use base::TopicPartition;
use influx::{BatchLines, Cause, Delivered, KeptOutLine, RefusedLine};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;
use tokio::sync::mpsc;

/// The stored points and the dead letters.
#[derive(Debug, Default)]
pub struct Store {
    /// The last written id of each point, by destination, series and time.
    points: BTreeMap<String, u64>,
    /// The points of each id.
    ids: BTreeMap<u64, BTreeSet<String>>,
    /// Ids of records that were read again: other rules may have made other points of them.
    pub reread: BTreeSet<u64>,
    pub letters: BTreeSet<(TopicPartition, i64)>,
    /// The largest committed id of each partition of the topic whose records overwrite each other.
    committed: BTreeMap<i32, u64>,
    /// Whether the member that writes now has lost its session. Nothing keeps its request in flight from overwriting the next owner's points.
    pub is_writer_lost: bool,
    /// Whether a limit keeps limited lines out now.
    pub is_full: bool,
    /// Number of lines that the limit kept out.
    pub kept_out: usize,
    /// Number of batches larger than the smallest size, which slow answers lead to.
    pub grown: usize,
    /// Number of batches that were packed while they were filled.
    pub packed: usize,
}

impl Store {
    pub fn has(&self, id: u64) -> bool {
        self.ids.contains_key(&id)
    }

    pub fn points(&self) -> usize {
        self.points.len()
    }

    /// Records that a record's offset was committed.
    pub fn commit(&mut self, at: &TopicPartition, id: u64) {
        if at.topic == OVERWRITTEN {
            let committed = self.committed.entry(at.partition).or_default();
            *committed = id.max(*committed);
        }
    }

    /// Checks that a record which was written gave the last value to each of its points.
    pub fn assert_last(&self, id: u64) {
        for point in &self.ids[&id] {
            assert_eq!(
                self.points[point], id,
                "{point} does not have the value of its partition's last record"
            );
        }
    }

    /// Stores a line. A line that is written again must give the same point. Two records may share one only in one topic, in which no line
    /// may follow the lines of records behind it once they are committed.
    fn store(&mut self, destination: &Destination, line: &str) {
        let [series, field, time] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let id: u64 = field.strip_prefix("id=").unwrap().parse().unwrap();
        let point = format!("{destination} {series} {time}");
        if is_overwritten(line) {
            let committed = self.committed.get(&partition(line)).copied().unwrap_or(0);
            assert!(
                id >= committed || self.is_writer_lost,
                "{id} overwrites the committed {committed} of {point}"
            );
            self.points.insert(point.clone(), id);
        } else {
            assert_eq!(*self.points.entry(point.clone()).or_insert(id), id, "two records became {point}");
        }
        let points = self.ids.entry(id).or_default();
        points.insert(point.clone());
        let by_the_same = points.iter().filter(|other| rules(other) == rules(&point));
        assert_eq!(by_the_same.count(), 1, "a record became two points: {points:?}");
        assert!(points.len() == 1 || self.reread.contains(&id), "a reload doubled a record: {points:?}");
    }
}

/// The lanes of one member.
#[derive(Clone, Debug, Default)]
pub struct Lanes(pub Rc<RefCell<Vec<OpenLane>>>);

#[derive(Debug)]
pub struct OpenLane {
    destination: Arc<Destination>,
    batches: mpsc::Receiver<Batch>,
    returned: Sender<ReturnedBatch>,
    in_flight: Option<Batch>,
    /// Whether the batch in flight is to come back.
    is_abandoned: bool,
    pub is_blocked: bool,
}

impl BatchWriter for Lanes {
    fn open(
        &mut self,
        _: usize,
        destination: &Arc<Destination>,
        returned: &Sender<ReturnedBatch>,
    ) -> mpsc::Sender<Batch> {
        let (closed, batches) = mpsc::channel(1);
        let (destination, returned) = (Arc::clone(destination), returned.clone());
        self.0.borrow_mut().push(OpenLane {
            destination,
            batches,
            returned,
            in_flight: None,
            is_abandoned: false,
            is_blocked: false,
        });
        closed
    }

    fn abandon(&mut self, lane: usize, batch: BatchId) -> bool {
        let lane = &mut self.0.borrow_mut()[lane];
        lane.take();
        lane.is_abandoned = lane.in_flight.as_ref().is_some_and(|in_flight| in_flight.batch_id == batch);
        lane.is_abandoned
    }

    fn is_blocked(&self, lane: usize, _: &Destination) -> bool {
        self.0.borrow()[lane].is_blocked
    }
}

impl OpenLane {
    /// Stores some lines of the batch in flight without a response, like a lost connection.
    pub fn half_write(&mut self, store: &mut Store, rng: &mut fastrand::Rng) {
        self.take();
        let Some(batch) = &mut self.in_flight else { return };
        let lines = batch.take_lines();
        let mut reader = lines.reader();
        for line in 0..lines.len() {
            let text = reader.line(line).trim_ascii_end();
            if rng.bool() && !is_refused(text) && !(store.is_full && is_limited(text)) {
                store.store(&self.destination, text_of(text));
            }
        }
        batch.put_back(lines);
    }

    /// Completes the batch in flight: stores its good lines and writes its letters. Returns whether there was one.
    pub fn answer(&mut self, lane: usize, store: &mut Store) -> bool {
        self.take();
        let Some(mut batch) = self.in_flight.take() else { return false };
        let collisions = batch.collisions();
        let lines = batch.take_lines();
        let mut reader = lines.reader();
        let has_overwritten = (0..lines.len()).any(|line| is_overwritten(text_of(reader.line(line))));
        assert!(collisions.count == 0 || has_overwritten, "distinct times keep records apart");
        // A record of two lines may exceed the size by one.
        store.grown += usize::from(lines.len() > settings::SMALLEST.lines + 1);
        store.packed += usize::from(matches!(lines, BatchLines::Packed(_)));
        let mut delivered = Delivered { answer_time: Duration::from_secs(1), ..Delivered::default() };
        delivered.requests.stored = 1;
        for line in 0..lines.len() {
            let text = reader.line(line).trim_ascii_end();
            if store.is_full && is_limited(text) {
                let (why, remedy) = ("max-series-per-database".into(), "raise it");
                delivered.kept_out.push(KeptOutLine { line, cause: Cause::ServerLimit, why, remedy });
                store.kept_out += 1;
            } else if is_refused(text) {
                delivered.refused.push(RefusedLine { line, why: "422".into() });
            } else {
                delivered.lines_stored += 1;
                store.store(&self.destination, text_of(text));
            }
        }
        delivered.requests.refused = u32::from(delivered.lines_stored < lines.len());
        let kept_out = batch.first_kept_out(&delivered.kept_out);
        for (assignment, letter) in std::mem::take(&mut batch.letters) {
            if kept_out.contains_key(&assignment) {
                continue;
            }
            let at = TopicPartition { topic: letter.topic.to_string(), partition: letter.partition };
            store.letters.insert((at, letter.offset));
        }
        for refused in &delivered.refused {
            let source = batch.source(refused.line);
            if kept_out.contains_key(&source.assignment) {
                continue;
            }
            // The next owner of a revoked partition writes the letter.
            if let Some(at) = source.partition {
                store.letters.insert((TopicPartition::clone(at), source.offset));
            }
        }
        // The dispatcher may be gone.
        let finished = FinishedBatch { lane, batch, lines, delivered, collisions };
        let _ = self.returned.send(ReturnedBatch::Finished(finished));
        self.is_abandoned = false;
        true
    }

    /// Gives the batch in flight back if it is abandoned, after some of its lines were stored. Returns whether it is.
    pub fn give_back(&mut self, lane: usize, store: &mut Store, rng: &mut fastrand::Rng) -> bool {
        if !std::mem::take(&mut self.is_abandoned) {
            return false;
        }
        self.half_write(store, rng);
        let Some(batch) = self.in_flight.take() else { return false };
        let _ = self.returned.send(ReturnedBatch::Abandoned { lane, batch });
        true
    }

    fn take(&mut self) {
        if self.in_flight.is_none() {
            self.in_flight = self.batches.try_recv().ok();
        }
    }
}

/// The value of the tag `g`: the configuration that made a point.
fn rules(point: &str) -> &str {
    point.split(",g=").nth(1).unwrap().split([',', ' ']).next().unwrap()
}

/// Whether the line is of the topic whose records overwrite each other.
fn is_overwritten(line: &str) -> bool {
    line.contains(",t=o")
}

/// The value of the tag `p`.
fn partition(line: &str) -> i32 {
    line.split(",p=").nth(1).unwrap().split([',', ' ']).next().unwrap().parse().unwrap()
}

fn text_of(line: &[u8]) -> &str {
    std::str::from_utf8(line).unwrap()
}

fn is_limited(line: &[u8]) -> bool {
    line.starts_with(b"limited")
}

fn is_refused(line: &[u8]) -> bool {
    line.starts_with(b"refused")
}
