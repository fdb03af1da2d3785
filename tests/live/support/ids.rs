//! Records with an id each, which becomes a tag: every record creates a series.

use super::{Influx, Kafka, Produced};
use std::collections::BTreeSet;
use std::ops::Range;

/// The `[[mapping]]` of these records, without `topics`.
pub const MAPPING: &str = "measurement = 'm'\ntag_keys = ['id']";

/// The records of one topic that has no other producer. Number `n` goes to partition `n % partitions`.
pub struct Ids<'a> {
    pub topic: &'a str,
    pub partitions: u64,
}

impl Ids<'_> {
    pub fn produce(&self, kafka: &Kafka, numbers: Range<u64>) {
        let record =
            |n: u64| Produced::new(format!(r#"{{"id":"{n}","value":{n}}}"#)).to((n % self.partitions) as i32);
        kafka.produce(self.topic, numbers.map(record));
    }

    /// The numbers of the stored points. Asserts that none is stored twice.
    fn stored(influx: &Influx, database: &str) -> BTreeSet<u64> {
        let series = influx.query(database, "SELECT id, value FROM m");
        let rows = series.first().map_or(&[][..], |series| series["values"].as_array().unwrap());
        let number = |row: &serde_json::Value| {
            let number = row[2].as_u64().unwrap();
            assert_eq!(row[1], number.to_string(), "id and value of one point differ: {row}");
            number
        };
        let numbers: BTreeSet<u64> = rows.iter().map(number).collect();
        assert_eq!(rows.len(), numbers.len(), "a record has two points");
        numbers
    }

    /// Asserts that exactly these records are stored, each as one point.
    pub fn assert_stored(influx: &Influx, database: &str, numbers: Range<u64>) {
        let (want, got): (BTreeSet<u64>, _) = (numbers.collect(), Self::stored(influx, database));
        let lost: Vec<&u64> = want.difference(&got).take(20).collect();
        let strange: Vec<&u64> = got.difference(&want).take(20).collect();
        assert!(
            lost.is_empty() && strange.is_empty(),
            "{} points for {} records; lost: {lost:?}; not produced: {strange:?}",
            got.len(),
            want.len()
        );
    }

    /// Asserts that each committed record is stored. Returns the numbers of committed records and of points.
    pub fn assert_committed_are_stored(
        &self,
        kafka: &Kafka,
        group: &str,
        influx: &Influx,
        database: &str,
    ) -> (u64, u64) {
        // Commits are read before points, because records may be stored in between.
        let committed = kafka.group(group).committed(self.topic, self.partitions as i32);
        let stored = Self::stored(influx, database);
        let offsets = committed.iter().map(|offset| u64::try_from(*offset).unwrap_or(0));
        for (partition, end) in (0..).zip(offsets.clone()) {
            let lost = (0..end).map(|offset| offset * self.partitions + partition);
            let lost: Vec<u64> = lost.filter(|number| !stored.contains(number)).take(20).collect();
            assert!(lost.is_empty(), "partition {partition} is committed up to {end} without {lost:?}");
        }
        (offsets.sum(), stored.len() as u64)
    }
}
