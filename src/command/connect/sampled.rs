//! Maps sampled records of each topic, and reports the results.

use super::clock;
use super::offsets::OldestUnread;
use super::report::{Line, some_of};
use crate::command::sampled_keys::SampledKeys;
use crate::routing;
use base::Destination;
use base::record::{OwnedHeaders, Record, RecordTime, borrowed};
use base::text::counted;
use configuration::Config;
use engine::batch::{LineOrigins, count_collisions};
use engine::offset_tracker::OffsetTracker;
use engine::{DoubtKind, NoDestination, Routing, SchemaSource, TimeDoubt, TimeUnitCheck, time_of};
use kafka::headers_of;
use line_protocol::LineBuffer;
use mapping::{DropReason, Mapper, Reason, SchemaId};
use rdkafka::message::{BorrowedMessage, Message};
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

/// Times that are kept for each destination.
const TIMES_MAX: usize = 100_000;
/// Bytes of lines that are compared for each destination. 2,000 records of common size produce less.
const COMPARED_BYTES_MAX: usize = 16 << 20;
/// Most schemas that are checked.
const SCHEMAS_MAX: usize = 100;

/// Results of mapping the sampled records.
pub struct Sampled<'c> {
    config: &'c Config,
    routing: Routing,
    topics: BTreeMap<String, TopicSample>,
    /// Indexed by mapping.
    keys: Vec<SampledKeys>,
    times: BTreeMap<Destination, Times>,
    lines: BTreeMap<Destination, Lines>,
    /// Schema ids of framed records, each with a topic that has it.
    schemas: BTreeMap<SchemaId, String>,
}

/// The sampled lines of one destination.
#[derive(Debug, Default)]
struct Lines {
    buffer: LineBuffer,
    /// First line and place of each record.
    places: Vec<(usize, String)>,
}

/// Times of points of one destination, in nanoseconds since 1970.
#[derive(Debug, Default)]
pub struct Times {
    pub sampled: Vec<i64>,
    /// The oldest point of the records that would be read first, and the place of its record.
    pub first: Option<(i64, String)>,
}

#[derive(Debug, Default)]
struct TopicSample {
    mapper: Option<Mapper>,
    mapping: Option<usize>,
    destination: Option<Result<Destination, NoDestination>>,
    results: Results,
    /// Times from `time_key`.
    times: TimeUnitCheck,
    /// The oldest of the records that would be read first.
    oldest: Option<OldestUnread>,
}

/// Results for the records of one topic.
#[derive(Debug, Default)]
struct Results {
    records: u64,
    /// Records without a value.
    tombstones: u64,
    points: u64,
    rejected: u64,
    /// Number of rejections by reason, and a description of the first.
    reasons: BTreeMap<Reason, (u64, String)>,
    /// Number and keys of dropped values, by kind.
    dropped: BTreeMap<DropReason, (u64, Vec<String>)>,
    newest_ms: Option<i64>,
}

impl<'c> Sampled<'c> {
    pub fn new(config: &'c Config) -> Self {
        let keys = config.mappings.iter().map(|_| SampledKeys::default()).collect();
        // A registry without a client is reported with the registry.
        let routing = routing::waiting_for_schemas(config).unwrap_or_else(|_| config.routing());
        let (topics, schemas) = (BTreeMap::new(), BTreeMap::new());
        Self { config, routing, topics, keys, times: BTreeMap::new(), lines: BTreeMap::new(), schemas }
    }

    /// Adds a topic, which stays in the report if no record arrives.
    pub fn add_topic(&mut self, topic: &str) {
        let mapping = self.config.mappings.iter().position(|mapping| mapping.is_match(topic));
        let mapper = self.routing.mapper_of(topic, self.config.record_limits());
        let destination = mapping.and_then(|mapping| self.config.mappings.get(mapping));
        let destination = destination.map(|mapping| mapping.destination.of(topic));
        let sample = TopicSample { mapper, mapping, destination, ..TopicSample::default() };
        self.topics.insert(topic.to_owned(), sample);
    }

    /// Removes a topic that may not be read, which is reported elsewhere.
    pub fn forget(&mut self, topic: &str) {
        self.topics.remove(topic);
    }

    /// Topics without a sampled record.
    pub fn without_records(&self) -> Vec<&str> {
        let without = self.topics.iter().filter(|(_, sample)| sample.results.records == 0);
        without.map(|(topic, _)| topic.as_str()).collect()
    }

    /// Adds one of the newest records.
    pub fn take(&mut self, message: &BorrowedMessage<'_>) {
        let headers = headers_of(message);
        self.map(message, &headers, false);
    }

    /// Adds a record that would be read first.
    pub fn take_first(&mut self, message: &BorrowedMessage<'_>) {
        let headers = headers_of(message);
        self.map(message, &headers, true);
        let time_ms = message.timestamp().to_millis().filter(|ms| *ms >= 0);
        let (Some(sample), Some(time_ms)) = (self.topics.get_mut(message.topic()), time_ms) else { return };
        if sample.oldest.as_ref().is_none_or(|oldest| time_ms < oldest.time_ms) {
            sample.oldest = Some(OldestUnread { place: place(message), time_ms });
        }
    }

    pub fn oldest(&self, topic: &str) -> Option<&OldestUnread> {
        self.topics.get(topic)?.oldest.as_ref()
    }

    /// The destinations of all mappings: fixed ones, and those of the topics that were added.
    pub fn destinations(&self) -> BTreeSet<Destination> {
        let fixed = self.config.mappings.iter().filter(|mapping| !mapping.destination.is_of_topic());
        let of_topics = self.topics.values().filter_map(|sample| sample.destination.clone()?.ok());
        fixed.map(|mapping| mapping.destination.unfilled()).chain(of_topics).collect()
    }

    /// The schema ids of framed records, each with a topic that has it.
    pub fn schemas(&self) -> impl Iterator<Item = (SchemaId, &str)> {
        self.schemas.iter().map(|(id, topic)| (*id, topic.as_str()))
    }

    pub fn times(&self, destination: &Destination) -> Option<&Times> {
        self.times.get(destination)
    }

    fn map(&mut self, message: &BorrowedMessage<'_>, headers: &OwnedHeaders, is_first: bool) {
        let Some(sample) = self.topics.get_mut(message.topic()) else { return };
        let (Some(mapper), Some(mapping)) = (&mut sample.mapper, sample.mapping) else {
            sample.results.records += u64::from(!is_first);
            return;
        };
        let Some(mapping_of) = self.config.mappings.get(mapping) else { return };
        let headers = borrowed(headers);
        let millis = message.timestamp().to_millis();
        let record = Record {
            partition: message.partition(),
            offset: message.offset(),
            time: RecordTime::from_known_ms(millis),
            key: message.key(),
            value: message.payload(),
            headers: &headers,
        };
        let schema = record.value.and_then(|value| mapper.schema_of(value));
        if let Some(id) = schema.filter(|_| self.schemas.len() < SCHEMAS_MAX) {
            self.schemas.entry(id).or_insert_with(|| message.topic().to_owned());
        }
        let mut lines = LineBuffer::default();
        let outcome = mapper.map(&record, &mut lines);
        // A topic without a destination is reported once, and writes no line.
        let Some(Ok(destination)) = &sample.destination else { return };
        let times = self.times.entry(destination.clone()).or_default();
        if is_first {
            times.add_first(&lines, || place(message));
            // Dropped values are counted for the newest records only.
            let _counted = (mapper.take_drops(), mapper.take_first_drops());
            return;
        }
        times.add(&lines);
        self.lines.entry(destination.clone()).or_default().add(&lines, || place(message));
        if let Some(rule) = mapping_of.rules.time_rule() {
            let points = (&lines, 0..lines.lines());
            sample.times.add_record(&rule, &record, points, &outcome, || place(message));
        }
        if let (Some(keys), Some(value)) = (self.keys.get_mut(mapping), record.value) {
            let schemas = self.routing.schemas().map(SchemaSource::schemas);
            keys.add(&mapping_of.rules, schemas.as_ref(), value, &headers);
        }
        let results = &mut sample.results;
        results.records += 1;
        results.tombstones += u64::from(record.value.is_none());
        results.points += outcome.lines as u64;
        results.newest_ms = results.newest_ms.max(millis);
        results.rejected += u64::from(outcome.has_rejected());
        if let Some((_, rejection)) = outcome.rejected.first() {
            let first = || format!("{}: {}", place(message), rejection.without_values());
            results.reasons.entry(rejection.reason()).or_insert_with(|| (0, first())).0 += 1;
        }
        for (drop, count) in mapper.take_drops().iter() {
            results.dropped.entry(drop).or_default().0 += count;
        }
        for notice in mapper.take_first_drops() {
            results.dropped.entry(notice.drop).or_default().1.push(notice.key);
        }
    }

    /// The lines about all topics. `has_records`: whether a topic has records.
    pub fn judge(&self, has_records: impl Fn(&str) -> bool, now: SystemTime) -> Vec<Line> {
        let mut lines = Vec::new();
        for (topic, sample) in &self.topics {
            lines.extend(sample.results.judge(topic, sample.mapper.is_some(), has_records(topic)));
            if let Some(Err(missing)) = &sample.destination {
                let what = format!("topic {topic}: {missing}, so the topic would be blocked");
                lines.push(Line::failed(what, missing.remedy()));
            }
            lines.extend(sample.times.doubt().map(|doubt| doubtful(topic, doubt)));
            lines.extend(sample.results.newest_ms.and_then(|newest| clock::of_topic(topic, newest, now)));
        }
        for (number, (mapping, keys)) in self.config.mappings.iter().zip(&self.keys).enumerate() {
            let is_sampled =
                |sample: &TopicSample| sample.mapping == Some(number) && sample.results.records > 0;
            let topics = self.topics.iter().filter(|(_, sample)| is_sampled(sample));
            let topics: Vec<&str> = topics.map(|(topic, _)| topic.as_str()).collect();
            let records = "sampled record";
            let headers = keys.unseen_headers(&mapping.rules, records);
            let unseen = keys.unseen(&mapping.rules, records).into_iter().chain(headers);
            lines.extend(
                unseen.map(|key| Line::warned(format!("{}: {}", some_of(&topics), key.what), key.remedy)),
            );
        }
        lines.extend(self.lines.iter().filter_map(|(destination, lines)| lines.judge(destination)));
        lines
    }
}

/// A failure if another format fits most times; otherwise a warning.
fn doubtful(topic: &str, doubt: TimeDoubt) -> Line {
    let TimeDoubt { kind, what, remedy, .. } = doubt;
    let what = format!("topic {topic}: {what}");
    match kind {
        DoubtKind::WrongFormat => Line::failed(what, remedy),
        DoubtKind::MixedFormats | DoubtKind::Old => Line::warned(what, remedy),
    }
}

impl Lines {
    fn add(&mut self, lines: &LineBuffer, place: impl Fn() -> String) {
        if lines.is_empty() || self.buffer.bytes() + lines.bytes() > COMPARED_BYTES_MAX {
            return;
        }
        self.places.push((self.buffer.lines(), place()));
        for line in (0..lines.lines()).filter_map(|line| lines.line(line)) {
            self.buffer.text_mut().extend_from_slice(line);
            self.buffer.end_line();
        }
    }

    /// A warning if points overwrite each other in InfluxDB.
    fn judge(&self, destination: &Destination) -> Option<Line> {
        // The number of the record is used as its offset.
        let (assignment, mut origins) = (OffsetTracker::default().assign(), LineOrigins::default());
        for line in 0..self.buffer.lines() {
            let record = self.places.partition_point(|(first, _)| *first <= line);
            origins.push(assignment, record as i64, line, 1);
        }
        let found = count_collisions(&self.buffer, &origins, 0);
        let example = found.example?;
        let at = self.places.partition_point(|(first, _)| *first <= example).checked_sub(1)?;
        let (_, place) = self.places.get(at)?;
        Some(Line::warned(
            format!(
                "{destination}: {} of {} overwrite another point of the same series and time, such as one of {place}",
                found.count,
                counted(self.buffer.lines(), "sampled point")
            ),
            "add a key that distinguishes them to `tag_keys`; for records of the same moment, set `distinct_times = \"always\"`",
        ))
    }
}

impl Times {
    fn add(&mut self, lines: &LineBuffer) {
        let free = TIMES_MAX.saturating_sub(self.sampled.len());
        self.sampled.extend(times_of(lines).take(free));
    }

    fn add_first(&mut self, lines: &LineBuffer, place: impl Fn() -> String) {
        let Some(oldest) = times_of(lines).min() else { return };
        if self.first.as_ref().is_none_or(|(known, _)| oldest < *known) {
            self.first = Some((oldest, place()));
        }
    }
}

/// The times at the ends of lines. Lines without a time are left out.
fn times_of(lines: &LineBuffer) -> impl Iterator<Item = i64> {
    (0..lines.lines()).filter_map(|line| time_of(lines.line(line)?))
}

fn place(message: &BorrowedMessage<'_>) -> String {
    format!("{}[{}]@{}", message.topic(), message.partition(), message.offset())
}

impl Results {
    fn judge(&self, topic: &str, has_mapping: bool, has_records: bool) -> Vec<Line> {
        let records = counted(self.records, "sampled record");
        if !has_mapping {
            let what =
                format!("topic {topic}: no [[mapping]] matches the topic, so all its records are rejected");
            let remedy = "add a mapping, or remove the topic from `kafka.topics`";
            let is_empty = self.records == 0;
            return vec![if is_empty { Line::warned(what, remedy) } else { Line::failed(what, remedy) }];
        }
        if self.records == 0 && has_records {
            let what = format!("topic {topic}: no record arrived in time to be sampled");
            return vec![Line::warned(what, "check its brokers, or sample for longer with `map --live`")];
        }
        if self.records == 0 {
            let what = format!("topic {topic}: it has no records");
            return vec![Line::warned(what, "check that its producer runs and writes to this topic")];
        }
        if self.records == self.tombstones {
            let what = format!("topic {topic}: {records}, all tombstones, which produce no points");
            return vec![Line::warned(
                what,
                "the result for other records is unknown: check again when there are newer ones",
            )];
        }
        let what = format!("topic {topic}: {records} become {}", counted(self.points, "point"));
        let commonest = self.reasons.values().max_by_key(|(count, _)| *count);
        let line = match commonest {
            Some((_, first)) => {
                let what = format!("{what}; {} rejected, such as {first}", are(self.rejected));
                let remedy = format!("`map --live 10 --topic {topic}` shows them all");
                // Without a point, `run` would store nothing.
                if self.points == 0 { Line::failed(what, remedy) } else { Line::warned(what, remedy) }
            }
            None if self.points == 0 => Line::failed(
                what,
                "the records have no fields: check `query`, `include` and `string_fields` with `map --live`",
            ),
            None => Line::passed(what),
        };
        let dropped = self.dropped.iter().map(|(drop, (count, keys))| {
            let under = if keys.is_empty() { String::new() } else { format!(" under {}", some_of(keys)) };
            Line::warned(format!("topic {topic}: {}{under}", counted(*count, "value")), drop.remedy())
        });
        std::iter::once(line).chain(dropped).collect()
    }
}

fn are(count: u64) -> String {
    if count == 1 { "1 is".to_owned() } else { format!("{count} are") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_the_results_of_a_topic() {
        let f = |results: Results, has_mapping: bool, has_records: bool, want: &[&str]| {
            let lines = results.judge("t", has_mapping, has_records);
            assert_eq!(lines.len(), want.len(), "{lines:?}");
            for (line, want) in lines.iter().zip(want) {
                assert!(line.to_string().starts_with(want), "{line}");
            }
        };
        let results = |records, points| Results { records, points, ..Results::default() };
        f(results(100, 300), true, true, &["ok      topic t: 100 sampled records become 300 points"]);
        f(
            results(1, 0),
            true,
            true,
            &["FAILED  topic t: 1 sampled record become 0 points: the records have no fields"],
        );
        f(results(0, 0), true, false, &["warn    topic t: it has no records: check that its producer runs"]);
        f(results(0, 0), true, true, &["warn    topic t: no record arrived in time"]);
        f(results(5, 0), false, true, &["FAILED  topic t: no [[mapping]] matches the topic"]);
        let tombstones = Results { tombstones: 3, ..results(3, 0) };
        f(tombstones, true, true, &["warn    topic t: 3 sampled records, all tombstones"]);
        f(results(0, 0), false, false, &["warn    topic t: no [[mapping]] matches the topic"]);
        let all_rejected = BTreeMap::from([(Reason::Time, (5, "t[0]@1: no time".to_owned()))]);
        let all_rejected_results = Results { rejected: 5, reasons: all_rejected, ..results(5, 0) };
        f(
            all_rejected_results,
            true,
            true,
            &["FAILED  topic t: 5 sampled records become 0 points; 5 are rejected, such as t[0]@1: no time"],
        );
        let reasons = BTreeMap::from([
            (Reason::Empty, (1, "t[0]@1: its value is empty".to_owned())),
            (Reason::Undecodable, (4, "t[0]@2: it is not JSON".to_owned())),
        ]);
        let dropped = BTreeMap::from([(DropReason::String, (7, vec!["state".to_owned()]))]);
        f(
            Results { rejected: 5, reasons, dropped, ..results(10, 5) },
            true,
            true,
            &[
                "warn    topic t: 10 sampled records become 5 points; 5 are rejected, such as t[0]@2: it is not JSON: `map --live",
                "warn    topic t: 7 values under state: strings and booleans are dropped: add the key to `string_fields`",
            ],
        );
    }

    #[test]
    fn counts_points_that_overwrite_each_other() {
        let f = |records: &[&[&str]], want: Option<&str>| {
            let mut lines = Lines::default();
            for (offset, record) in records.iter().enumerate() {
                let mut buffer = LineBuffer::default();
                for line in *record {
                    buffer.text_mut().extend_from_slice(line.as_bytes());
                    buffer.end_line();
                }
                lines.add(&buffer, || format!("t[0]@{offset}"));
            }
            let bucket = Destination::Bucket { org: "o".into(), bucket: "b".into() };
            let line = lines.judge(&bucket).map(|line| line.to_string());
            assert_eq!(line.is_some(), want.is_some(), "{line:?}");
            assert!(line.unwrap_or_default().contains(want.unwrap_or_default()));
        };
        f(&[&["m v=1 5"], &["m v=1 6"], &["m,a=b v=1 5"]], None);
        f(&[&["m v=1 5"], &["m v=2 5"]], Some("1 of 2 sampled points overwrite another point"));
        // Three meters in one record.
        f(
            &[&["m v=0 1"], &["m v=1 5", "m v=2 5", "m v=3 5"]],
            Some(
                "2 of 4 sampled points overwrite another point of the same series and time, such as one of t[0]@1",
            ),
        );
    }

    #[test]
    fn reads_the_times_of_lines() {
        let mut lines = LineBuffer::default();
        for line in ["a v=1 5", "a,b=x\\ y v=\"1 2\" -3"] {
            lines.text_mut().extend_from_slice(line.as_bytes());
            lines.end_line();
        }
        assert_eq!(times_of(&lines).collect::<Vec<_>>(), [5, -3]);
        let mut times = Times::default();
        times.add_first(&lines, || "t[0]@1".to_owned());
        assert_eq!(times.first, Some((-3, "t[0]@1".to_owned())));
    }
}
