//! Lists topics and reads the last records of some.

use super::compose::SampledTopics;
use super::connection::Connection;
use super::{InitError, InitOptions, without_objects};
use crate::init::{Observation, Sample, SampledRecord, Shape, propose, why_no_metrics};
use crate::terminal::{ProgressBar, report};
use base::suggest::with_nearest;
use base::text::{counted, grouped, printable};
use engine::dead_letter::Progress;
use engine::telemetry::now_ns;
use kafka::{ClusterReader, Diagnosis, ListedTopic, Polled, RetainedOffsets};
use mapping::Schemas;
use rdkafka::message::Message;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Topics that are sampled if none is named. A file with more mappings is hard to read.
const TOPICS_MAX: usize = 20;
/// Partitions whose size is requested if no topic is named. Each costs two requests.
const PARTITIONS_MAX: usize = 2_000;
/// Memory for all samples.
const BYTES_MAX: usize = 64 << 20;
/// Longer lists of topics are cut in messages.
const NAMED_MAX: usize = 40;
/// Interval at which the progress bar is updated.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A topic and the offsets of its partitions.
struct Candidate {
    topic: ListedTopic,
    kept: Vec<RetainedOffsets>,
}

impl Candidate {
    fn records(&self) -> u64 {
        self.kept.iter().map(|kept| kept.records()).sum()
    }

    /// `metrics: 3 partitions, about 1,000 records`.
    fn describe(&self) -> String {
        let count = self.topic.partitions.len();
        let plural = if count == 1 { "" } else { "s" };
        format!("{}: {count} partition{plural}, about {} records", self.topic.name, grouped(self.records()))
    }
}

pub fn sample(
    connection: &Connection,
    options: &InitOptions,
    bar: &mut ProgressBar,
) -> Result<SampledTopics, InitError> {
    let Some(kafka) = &connection.checked else { return Ok(SampledTopics::default()) };
    let failed = |why: Diagnosis| InitError::Brokers { brokers: kafka.brokers.join(", "), why };
    let reader = ClusterReader::open(kafka).map_err(failed)?;
    let topics = reader.topics().map_err(failed)?;
    let mut left_out = Vec::new();
    let wanted = wanted(&topics, &options.topics, &mut left_out)?;
    let mut candidates = request_offsets(&reader, wanted, bar, &mut left_out);
    let is_named = !options.topics.is_empty();
    if !is_named {
        candidates = largest(candidates, &mut left_out);
    }
    if candidates.is_empty() {
        return Err(InitError::NoTopics { left_out: left_out_text(&left_out) });
    }
    for candidate in &candidates {
        bar.print(&candidate.describe());
    }
    let mut found = SampledTopics::default();
    let mut last = None;
    for (number, candidate) in candidates.iter().enumerate() {
        let reading = Reading {
            reader: &reader,
            schemas: connection.schemas.as_ref(),
            options,
            bytes_max: BYTES_MAX / candidates.len(),
            place: (number, candidates.len()),
        };
        match reading.take(candidate, is_named, &mut found, bar) {
            Ok(()) => {}
            Err(error) => {
                left_out.push((candidate.topic.name.clone(), short(&error)));
                last = Some(error);
            }
        }
    }
    bar.erase();
    if !left_out.is_empty() {
        report!("{}", left_out_text(&left_out).trim_start_matches("; "));
    }
    match last {
        Some(error) if found.groups.is_empty() => Err(error),
        _ => {
            let topics: Vec<&str> = found.all().map(|(sample, _)| sample.topic.as_str()).collect();
            found.place = match &topics[..] {
                [topic] => format!("the topic {topic}"),
                many => format!("{} topics", many.len()),
            };
            Ok(found)
        }
    }
}

/// The requested topics, or all that may have metrics.
fn wanted(
    topics: &[ListedTopic],
    requested: &[String],
    left_out: &mut Vec<(String, String)>,
) -> Result<Vec<ListedTopic>, InitError> {
    if requested.is_empty() {
        let why = |topic: &ListedTopic| why_no_metrics(&topic.name);
        let (none, wanted): (Vec<_>, Vec<_>) = topics.iter().cloned().partition(|topic| why(topic).is_some());
        left_out
            .extend(none.iter().map(|topic| (topic.name.clone(), why(topic).unwrap_or_default().to_owned())));
        return Ok(wanted);
    }
    let mut wanted: Vec<ListedTopic> = Vec::new();
    for name in requested {
        let pattern = name.starts_with('^').then(|| Regex::new(name)).transpose();
        let pattern = pattern.map_err(|error| InitError::TopicName(error.to_string()))?;
        let is_match = |topic: &&ListedTopic| match &pattern {
            Some(pattern) => pattern.is_match(&topic.name) && why_no_metrics(&topic.name).is_none(),
            None => topic.name == *name,
        };
        let matching: Vec<&ListedTopic> = topics.iter().filter(is_match).collect();
        if matching.is_empty() {
            return Err(no_such_topic(name, topics));
        }
        for topic in matching {
            if !wanted.contains(topic) {
                wanted.push(topic.clone());
            }
        }
    }
    Ok(wanted)
}

fn no_such_topic(name: &str, topics: &[ListedTopic]) -> InitError {
    let existing: Vec<String> = topics
        .iter()
        .filter(|topic| why_no_metrics(&topic.name).is_none())
        .map(|topic| topic.name.clone())
        .collect();
    let wanted = printable(&with_nearest(name, existing.iter().map(String::as_str)), 300);
    let there = match &existing[..] {
        [] => "; Kafka has only internal topics".to_owned(),
        names => format!("; Kafka has {}", limited(names).join(", ")),
    };
    InitError::NoSuchTopic { wanted, there }
}

/// Requests the offsets of each topic.
fn request_offsets(
    reader: &ClusterReader,
    topics: Vec<ListedTopic>,
    bar: &mut ProgressBar,
    left_out: &mut Vec<(String, String)>,
) -> Vec<Candidate> {
    let all: usize = topics.iter().map(|topic| topic.partitions.len()).sum();
    let mut done = 0;
    let mut candidates = Vec::new();
    for topic in topics {
        if done > PARTITIONS_MAX {
            left_out.push((topic.name, "too many partitions: name it with --topic".to_owned()));
            continue;
        }
        let mut request = |partition: &i32| {
            done += 1;
            let progress = Progress { done: done as u64, all: all as u64 };
            bar.show(progress, || "of the partitions queried".to_owned());
            reader.kept(&topic.name, *partition)
        };
        match topic.partitions.iter().map(&mut request).collect() {
            Ok(kept) => candidates.push(Candidate { topic, kept }),
            Err(error) => left_out.push((topic.name, format!("its offsets are unknown: {error}"))),
        }
    }
    candidates
}

/// The topics with the most records, ordered by name, without empty ones.
fn largest(candidates: Vec<Candidate>, left_out: &mut Vec<(String, String)>) -> Vec<Candidate> {
    let (mut full, empty): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| candidate.records() > 0);
    left_out.extend(empty.into_iter().map(|candidate| (candidate.topic.name, "empty".to_owned())));
    full.sort_by_key(|candidate| std::cmp::Reverse(candidate.records()));
    let more = full.split_off(full.len().min(TOPICS_MAX));
    let why = format!("{TOPICS_MAX} others have more records: name it with --topic");
    left_out.extend(more.into_iter().map(|candidate| (candidate.topic.name, why.clone())));
    full.sort_by(|a, b| a.topic.name.cmp(&b.topic.name));
    full
}

/// The sampling of one topic.
struct Reading<'r> {
    reader: &'r ClusterReader,
    schemas: Option<&'r Arc<dyn Schemas>>,
    options: &'r InitOptions,
    bytes_max: usize,
    /// Number of this topic, and of all topics.
    place: (usize, usize),
}

impl Reading<'_> {
    fn take(
        &self,
        candidate: &Candidate,
        is_named: bool,
        found: &mut SampledTopics,
        bar: &mut ProgressBar,
    ) -> Result<(), InitError> {
        let sample = self.read(candidate, bar)?;
        let topic = || sample.topic.clone();
        if sample.records.is_empty() {
            return Err(InitError::Empty { topic: topic(), seconds: self.options.seconds });
        }
        let seen = Observation::of(&sample.records, &Shape::whole(&sample), now_ns());
        let sampled = sample.records.len() as u64;
        let is_mostly = is_named || seen.records * 2 >= sampled;
        let proposal = if is_mostly { propose(&sample, now_ns()) } else { None };
        let Some(proposal) = proposal else {
            let without = grouped(sampled - seen.records);
            let place = format!("{without} of the {} of {}", counted(sampled, "sampled record"), topic());
            return Err(without_objects(&sample, place));
        };
        found.kept += candidate.records();
        found.add(sample, proposal);
        Ok(())
    }

    /// Reads the wanted number of last records from all partitions.
    fn read(&self, candidate: &Candidate, bar: &mut ProgressBar) -> Result<Sample, InitError> {
        let topic = &candidate.topic.name;
        let records_max = self.options.records as usize;
        let full = candidate.kept.iter().filter(|kept| kept.records() > 0).count().max(1);
        let share = records_max.div_ceil(full) as i64;
        let offsets: Vec<(i32, i64)> =
            candidate.kept.iter().map(|kept| (kept.partition, kept.first.max(kept.next - share))).collect();
        let expected = candidate.records().min(records_max as u64);
        let failed = |why: String| InitError::Topic { topic: topic.clone(), why };
        self.reader.read_from(topic, &offsets).map_err(|error| failed(error.to_string()))?;
        let until = Instant::now() + Duration::from_secs(self.options.seconds);
        let schemas = self.schemas.cloned();
        let mut sample = Sample { topic: topic.clone(), schemas, ..Sample::default() };
        let (mut ended, mut bytes, mut error) = (BTreeSet::new(), 0, None);
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            match self.reader.poll(left.min(POLL_INTERVAL)) {
                Polled::Record(record) if record.topic() == topic => {
                    bytes += record.payload_len();
                    sample.records.push(SampledRecord {
                        partition: record.partition(),
                        offset: record.offset(),
                        time_ms: record.timestamp().to_millis().filter(|ms| *ms >= 0),
                        value: record.payload().map(<[u8]>::to_vec),
                    });
                }
                Polled::End(partition) => {
                    ended.insert(partition);
                }
                Polled::Failed(why) => error = Some(why),
                Polled::Record(_) | Polled::Nothing => {}
            }
            let read = sample.records.len();
            let (number, topics) = self.place;
            // Each topic has an equal part of the progress bar.
            let part =
                |count: u64| (count.min(expected.max(1)) * 1_000).checked_div(expected.max(1)).unwrap_or(0);
            let progress =
                Progress { done: number as u64 * 1_000 + part(read as u64), all: topics as u64 * 1_000 };
            bar.show(progress, || format!("{topic}: {} records read", grouped(read as u64)));
            let all_ended =
                read > 0 && candidate.topic.partitions.iter().all(|partition| ended.contains(partition));
            if read >= records_max || bytes > self.bytes_max || all_ended {
                break;
            }
        }
        match error {
            Some(error) if sample.records.is_empty() => Err(failed(error.to_string())),
            _ => {
                sample.records.sort_by_key(|record| (record.time_ms, record.partition, record.offset));
                Ok(sample)
            }
        }
    }
}

/// A short reason for leaving out a topic.
fn short(error: &InitError) -> String {
    match error {
        InitError::Empty { .. } => "empty".to_owned(),
        InitError::NoObjects { .. } => "no JSON objects".to_owned(),
        InitError::EncodedTwice { .. } => "JSON strings that hold JSON".to_owned(),
        InitError::Framed { schemas, .. } => format!("records of a schema registry: {schemas}"),
        InitError::Schemas { why, .. } => format!("records of a schema registry: {why}"),
        other => other.to_string(),
    }
}

/// `; left out: a (internal), b (empty)`, grouped by reason.
fn left_out_text(left_out: &[(String, String)]) -> String {
    if left_out.is_empty() {
        return String::new();
    }
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for (topic, why) in left_out {
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, topics)) => topics.push(topic.clone()),
            None => reasons.push((why, vec![topic.clone()])),
        }
    }
    let describe = |(why, topics): &(&str, Vec<String>)| {
        format!("{} ({})", limited(topics).join(", "), printable(why, 200))
    };
    let groups: Vec<String> = reasons.iter().map(describe).collect();
    format!("; left out: {}", groups.join(", "))
}

fn limited(names: &[String]) -> Vec<String> {
    let mut limited: Vec<String> = names.iter().take(NAMED_MAX).cloned().collect();
    if names.len() > NAMED_MAX {
        limited.push(format!("{} more", names.len() - NAMED_MAX));
    }
    limited
}
