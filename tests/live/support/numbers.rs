//! Records that carry their number, and the exact points that they must become.

use super::digits::topic_digits;
use super::{Influx, Kafka, Produced};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The `[[mapping]]` of these records. Times are Kafka's, made distinct, so a record stored with two times would show as two points.
pub const MAPPING: &str = "measurement = 'm'\npartition_tag = 'partition'";

/// Number of records with the same millisecond.
const A_MILLISECOND: u64 = 1_000;
const LOAD_TICK: Duration = Duration::from_millis(50);

/// Records whose values are these numbers, for tests that count them with [`assert_numbers`].
pub fn numbers(range: std::ops::Range<u64>, partitions: u64) -> impl Iterator<Item = Produced> {
    range.map(move |i| Produced::new(format!(r#"{{"value":{i}}}"#)).to((i % partitions) as i32))
}

/// Asserts that exactly the numbers from 0 on are stored. Their sum shows a missing or wrong one.
pub fn assert_numbers(influx: &Influx, database: &str, count: u64) {
    let row =
        influx.query(database, "SELECT count(value), sum(value), max(value) FROM m")[0]["values"][0].clone();
    assert_eq!(row[1].as_u64(), Some(count), "{row}");
    assert_eq!(row[2].as_f64(), Some((count * (count - 1) / 2) as f64), "{row}");
    assert_eq!(row[3].as_f64(), Some((count - 1) as f64), "{row}");
}

/// The records of one topic that has no other producer, numbered from 0 in order.
#[derive(Clone)]
pub struct Numbers {
    topic: String,
    partitions: u64,
    begin_ms: i64,
}

/// Series and time of a point.
type Place = (String, i64);

impl Numbers {
    pub fn new(topic: &str, partitions: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self { topic: topic.to_owned(), partitions, begin_ms: now.as_millis() as i64 }
    }

    pub fn produce(&self, kafka: &Kafka, numbers: std::ops::Range<u64>) {
        kafka.produce(&self.topic, numbers.map(|number| self.record(number)));
    }

    fn record(&self, number: u64) -> Produced {
        let record = Produced::new(format!(r#"{{"value":{number}}}"#));
        record.to((number % self.partitions) as i32).at(self.time_ms(number))
    }

    fn time_ms(&self, number: u64) -> i64 {
        self.begin_ms + (number / A_MILLISECOND) as i64
    }

    /// The digits below the millisecond come from offset, partition and topic.
    fn place(&self, number: u64) -> Place {
        let (offset, partition) = (number / self.partitions, number % self.partitions);
        let digits = (offset * 1009 + partition * 499_979) as i64 + topic_digits(&self.topic);
        (partition.to_string(), self.time_ms(number) * 1_000_000 + digits % 1_000_000)
    }

    /// Asserts that exactly these points are stored, each in its database and in no other.
    pub fn assert_stored(&self, influx: &Influx, bucket: &str, numbers: std::ops::Range<u64>) {
        let mut missing: BTreeMap<Place, u64> = numbers.clone().map(|n| (self.place(n), n)).collect();
        let mut strange = Vec::new();
        let mut points = 0;
        for series in influx.query(bucket, "SELECT value FROM m GROUP BY partition") {
            let partition = series["tags"]["partition"].as_str().unwrap().to_owned();
            for row in series["values"].as_array().unwrap() {
                points += 1;
                let place = (partition.clone(), row[0].as_i64().unwrap());
                match missing.remove(&place) {
                    Some(number) if row[1].as_f64() == Some(number as f64) => {}
                    other => strange.push(format!("{place:?}: {}, not {other:?}", row[1])),
                }
            }
        }
        let lost: Vec<u64> = missing.into_values().collect();
        let some = |text: String| text.chars().take(300).collect::<String>();
        assert!(
            lost.is_empty() && strange.is_empty(),
            "{points} points for {} records; {} lost: {}; {} that should not be: {}",
            numbers.count(),
            lost.len(),
            some(format!("{lost:?}")),
            strange.len(),
            some(format!("{strange:?}")),
        );
    }

    /// Produces about this many records a second, from this number on, until [`Load::end`].
    pub fn load(&self, kafka: &Kafka, from: u64, per_second: u64) -> Load {
        let (numbers, kafka) = (self.clone(), kafka.another());
        let enough = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&enough);
        let produce = move || {
            let begin = Instant::now();
            let mut next = from;
            while !stop.load(Ordering::Relaxed) {
                let until = from + begin.elapsed().as_millis() as u64 * per_second / 1_000;
                numbers.produce(&kafka, next..until);
                next = next.max(until);
                thread::sleep(LOAD_TICK);
            }
            next
        };
        Load { enough, producing: Some(thread::spawn(produce)) }
    }
}

/// A producer that runs in the background.
pub struct Load {
    enough: Arc<AtomicBool>,
    producing: Option<JoinHandle<u64>>,
}

impl Load {
    /// Stops; returns the number that would follow.
    pub fn end(mut self) -> u64 {
        self.enough.store(true, Ordering::Relaxed);
        self.producing.take().unwrap().join().unwrap()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}
