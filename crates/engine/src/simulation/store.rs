//! In-memory InfluxDB and dead letters, and lanes whose batches wait for a response.

use super::settings;
use crate::batch::Batch;
use crate::lane::FinishedBatch;
use crate::ports::Outlet;
use base::Destination;
use base::TopicPartition;
use influx::{Cause, Delivered, KeptOutLine, Lines, RefusedLine};
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
    /// Ids of the stored points, by destination, series and time.
    points: BTreeMap<String, u64>,
    /// The points of each id.
    ids: BTreeMap<u64, BTreeSet<String>>,
    /// Ids of records that were read again: other rules may have made other points of them.
    pub reread: BTreeSet<u64>,
    pub letters: BTreeSet<(TopicPartition, i64)>,
    /// Whether a limit keeps limited lines out now.
    pub is_full: bool,
    /// Number of lines that the limit kept out.
    pub blocked: usize,
    /// Number of batches larger than the smallest size, which slow answers lead to.
    pub grown: usize,
}

impl Store {
    pub fn has(&self, id: u64) -> bool {
        self.ids.contains_key(&id)
    }

    pub fn points(&self) -> usize {
        self.points.len()
    }

    /// Stores a line. A line that is written again must give the same point, and no two records may share one.
    fn store(&mut self, destination: &Destination, line: &str) {
        let [series, field, time] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let id: u64 = field.strip_prefix("id=").unwrap().parse().unwrap();
        let point = format!("{destination} {series} {time}");
        assert_eq!(*self.points.entry(point.clone()).or_insert(id), id, "two records became {point}");
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
    finished: Sender<FinishedBatch>,
    in_flight: Option<Batch>,
    pub is_blocked: bool,
}

impl Outlet for Lanes {
    fn open(
        &mut self,
        _: usize,
        destination: &Arc<Destination>,
        finished: &Sender<FinishedBatch>,
    ) -> mpsc::Sender<Batch> {
        let (closed, batches) = mpsc::channel(1);
        let (destination, finished) = (Arc::clone(destination), finished.clone());
        self.0.borrow_mut().push(OpenLane {
            destination,
            batches,
            finished,
            in_flight: None,
            is_blocked: false,
        });
        closed
    }

    fn is_blocked(&self, lane: usize, _: &Destination) -> bool {
        self.0.borrow()[lane].is_blocked
    }
}

impl OpenLane {
    /// Stores some lines of the batch in flight without a response, like a lost connection.
    pub fn half_write(&mut self, store: &mut Store, rng: &mut fastrand::Rng) {
        self.take();
        let Some(batch) = &self.in_flight else { return };
        for line in 0..batch.lines.lines() {
            let text = batch.lines.line(line).unwrap();
            if rng.bool() && !is_refused(text) && !(store.is_full && is_limited(text)) {
                store.store(&self.destination, std::str::from_utf8(text).unwrap());
            }
        }
    }

    /// Completes the batch in flight: stores its good lines and writes its letters. Returns whether there was one.
    pub fn answer(&mut self, lane: usize, store: &mut Store) -> bool {
        self.take();
        let Some(mut batch) = self.in_flight.take() else { return false };
        let collisions = batch.collisions();
        assert_eq!(collisions.count, 0, "distinct times keep records apart");
        let lines = Lines::from(std::mem::take(&mut batch.lines));
        // A record of two lines may exceed the size by one.
        store.grown += usize::from(lines.len() > settings::SMALLEST.lines + 1);
        let mut delivered = Delivered { answer_time: Duration::from_secs(1), ..Delivered::default() };
        delivered.requests.stored = 1;
        for line in 0..lines.len() {
            let text = lines.line(line).trim_ascii_end();
            if store.is_full && is_limited(text) {
                let (why, remedy) = ("max-series-per-database".into(), "raise it".into());
                delivered.kept_out.push(KeptOutLine { line, cause: Cause::ServerLimit, why, remedy });
                store.blocked += 1;
            } else if is_refused(text) {
                delivered.refused.push(RefusedLine { line, why: "422".into() });
            } else {
                delivered.lines_stored += 1;
                store.store(&self.destination, std::str::from_utf8(text).unwrap());
            }
        }
        delivered.requests.refused = u32::from(delivered.lines_stored < lines.len());
        let blocked = batch.kept_out_assignments(&delivered.kept_out);
        for (assignment, letter) in std::mem::take(&mut batch.letters) {
            if blocked.contains(&assignment) {
                continue;
            }
            let at = TopicPartition { topic: letter.topic.to_string(), partition: letter.partition };
            store.letters.insert((at, letter.offset));
        }
        for refused in &delivered.refused {
            let source = batch.source(refused.line);
            if blocked.contains(&source.assignment) {
                continue;
            }
            // The next owner of a revoked partition writes the letter.
            if let Some(at) = source.partition {
                store.letters.insert((TopicPartition::clone(at), source.offset));
            }
        }
        // The dispatcher may be gone.
        let _ = self.finished.send(FinishedBatch { lane, batch, lines, delivered, collisions });
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

fn is_limited(line: &[u8]) -> bool {
    line.starts_with(b"limited")
}

fn is_refused(line: &[u8]) -> bool {
    line.starts_with(b"refused")
}
