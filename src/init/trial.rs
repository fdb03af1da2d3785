//! Maps a sample with the proposed configuration, and counts the results.

use super::{Proposal, Sample};
use base::record::{Record, RecordTime};
use base::text::{counted, grouped, printable};
use configuration::Config;
use configuration::draft::{Draft, Table};
use line_protocol::LineBuffer;
use mapping::{Format, Mapper, Rejection};
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

/// Bound for counted series; a sample has fewer.
const SERIES_MAX: usize = 1_000_000;

/// A shorter sample gives no daily rate.
const SPAN_MIN_MS: i64 = 10_000;

/// Rate of records.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub records_per_day: f64,
    /// Time between the first and the last record of the sample.
    pub span_ms: u64,
}

/// Results of mapping a sample.
#[derive(Debug, Default)]
pub struct Trial {
    pub records: u64,
    /// Records that produced points.
    pub mapped: u64,
    pub points: u64,
    /// Number of rejected records by reason, and the message of the first.
    pub rejected: BTreeMap<&'static str, (u64, String)>,
    /// Objects without a field, and tombstones.
    pub filtered: u64,
    series: HashSet<u64>,
    /// Points with the series and time of an earlier point.
    pub shared: u64,
    /// Points with the series of an earlier point of the same record, if their times are not their own.
    pub alike: u64,
    times: HashSet<u64>,
    /// Series that first appeared in the second half of the records.
    pub late_series: u64,
    /// Rate from the times and offsets of the records, if it is known.
    pub rate: Option<Rate>,
}

impl Trial {
    /// Maps a sample with a proposal alone. None if the proposal is no valid mapping.
    pub fn of_proposal(proposal: &Proposal, sample: &Sample) -> Option<Self> {
        Self::run(&config_of(proposal, sample)?, sample)
    }

    /// Maps the sample of a topic. None if no mapping matches the topic.
    pub fn run(config: &Config, sample: &Sample) -> Option<Self> {
        let mut trial = Self { rate: rate(sample), ..Self::default() };
        trial.map(config, sample, &mut |_| {})?;
        Some(trial)
    }

    /// Maps the sample of a topic, and hands out each line.
    #[cfg(test)]
    pub fn each_line(config: &Config, sample: &Sample, take: &mut dyn FnMut(&[u8])) {
        Self::default().map(config, sample, take).unwrap();
    }

    fn map(&mut self, config: &Config, sample: &Sample, take: &mut dyn FnMut(&[u8])) -> Option<()> {
        let routing = config.routing();
        let rules = routing.rules_of(&sample.topic)?;
        let mapper = Mapper::new(Arc::clone(rules), &sample.topic, config.record_limits());
        let mut mapper = mapper.with_schemas(sample.schemas.clone());
        let trial = self;
        // Without a time of their own, points of a record differ by their tags alone.
        let have_times = rules.time.is_some() || rules.format == Format::Influx;
        for record in &sample.records {
            let time = match record.time_ms {
                None if sample.is_file => RecordTime::Omitted,
                ms => RecordTime::from_known_ms(ms),
            };
            let (partition, offset, value) = (record.partition, record.offset, record.value.as_deref());
            let record = Record { partition, offset, time, key: None, value, headers: &[] };
            let mut lines = LineBuffer::default();
            let outcome = mapper.map(&record, &mut lines);
            trial.records += 1;
            trial.mapped += u64::from(outcome.lines > 0);
            trial.points += outcome.lines as u64;
            trial.filtered += outcome.filtered as u64;
            if let Some((_, why)) = outcome.rejected.first() {
                trial.reject(why);
            }
            let is_late = trial.records > sample.records.len() as u64 / 2;
            let mut of_record = HashSet::new();
            for line in (0..lines.lines()).filter_map(|line| lines.line(line)) {
                let is_new = trial.line(line, is_late, &mut of_record);
                trial.alike += u64::from(!have_times && !is_new);
                take(line);
            }
        }
        Some(())
    }

    pub fn series(&self) -> u64 {
        self.series.len() as u64
    }

    /// Number of points that overwrite another one, or cannot be distinguished from it.
    pub fn mistaken(&self) -> u64 {
        self.shared + self.alike
    }

    pub fn points_per_day(&self) -> Option<f64> {
        let per_record = self.points as f64 / self.records.max(1) as f64;
        self.rate.map(|rate| rate.records_per_day * per_record)
    }

    pub fn rejected(&self) -> u64 {
        self.rejected.values().map(|(count, _)| count).sum()
    }

    /// `of 1,000 sampled records, 998 become 2,994 points, 2 rejected: it is not JSON (2)`.
    pub fn summary(&self) -> String {
        let becomes = if self.mapped == 1 { "becomes" } else { "become" };
        let reasons: Vec<String> =
            self.rejected.values().map(|(count, why)| format!("{why} ({})", grouped(*count))).collect();
        let empty = match self.filtered {
            0 => String::new(),
            count => format!(", {} without a value to store", counted(count, "object")),
        };
        let rejected = match self.rejected() {
            0 => "none is rejected".to_owned(),
            count => format!("{} rejected: {}", grouped(count), reasons.join("; ")),
        };
        let (records, points) = (counted(self.records, "sampled record"), counted(self.points, "point"));
        format!("of {records}, {} {becomes} {points}{empty}, {rejected}", grouped(self.mapped))
    }

    fn reject(&mut self, why: &Rejection) {
        let reason = || (0, printable(&why.without_values(), 200));
        self.rejected.entry(why.reason().name()).or_insert_with(reason).0 += 1;
    }

    /// Counts a line. Returns whether its series is new among those of its record.
    fn line(&mut self, line: &[u8], is_late: bool, of_record: &mut HashSet<u64>) -> bool {
        let series = line.get(..series_end(line)).unwrap_or_default();
        if self.series.len() < SERIES_MAX && self.series.insert(hash(&[series])) {
            self.late_series += u64::from(is_late);
        }
        let time = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        let is_time = !time.is_empty() && time.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
        if is_time && self.times.len() < SERIES_MAX && !self.times.insert(hash(&[series, time])) {
            self.shared += 1;
        }
        of_record.insert(hash(&[series]))
    }
}

/// A configuration with a proposal alone. None if the proposal is no valid mapping.
pub fn config_of(proposal: &Proposal, sample: &Sample) -> Option<Config> {
    let mut kafka = Table::new("[kafka]");
    kafka.set("brokers", vec!["localhost:9092"]).set("topics", vec![sample.topic.clone()]);
    let mut influx = Table::new("[influx]");
    influx.set("url", "http://localhost:8086").set("api", "v1").set("database", "metrics");
    let tables = vec![kafka, proposal.table(None, &[]), influx];
    let text = Draft { comments: Vec::new(), tables }.to_string();
    let loaded = configuration::parse_without_secrets(Path::new("bridge.toml"), &text).ok()?;
    Some(loaded.config)
}

/// End of measurement and tags: the first unescaped space.
fn series_end(line: &[u8]) -> usize {
    let mut escaped = false;
    let is_end = |byte: &u8| {
        let is_end = *byte == b' ' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        is_end
    };
    line.iter().position(is_end).unwrap_or(line.len())
}

fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// Sum of the rates of all partitions, from their first and last records.
fn rate(sample: &Sample) -> Option<Rate> {
    const DAY_MS: f64 = 86_400_000.0;
    let mut ends: BTreeMap<i32, [(i64, i64); 2]> = BTreeMap::new();
    for record in &sample.records {
        let Some(time) = record.time_ms else { continue };
        let at = (record.offset, time);
        let [first, last] = ends.entry(record.partition).or_insert([at, at]);
        (*first, *last) = ((*first).min(at), (*last).max(at));
    }
    let span = |[first, last]: &[(i64, i64); 2]| last.1 - first.1;
    let longest = ends.values().map(span).max().filter(|span| *span >= SPAN_MIN_MS)?;
    // The records of a partition that arrived at once count for the span of the other partitions.
    let of = |ends: &[(i64, i64); 2]| {
        let [first, last] = ends;
        (last.0 - first.0) as f64 * DAY_MS
            / if span(ends) >= SPAN_MIN_MS { span(ends) } else { longest } as f64
    };
    Some(Rate { records_per_day: ends.values().map(of).sum(), span_ms: longest.unsigned_abs() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::SampledRecord;

    #[test]
    fn finds_the_series_of_a_line() {
        let f = |line: &str, want: &str| assert_eq!(&line[..series_end(line.as_bytes())], want);
        f("m v=1 5", "m");
        f(r#"m\ a,t=b\ c v="x y" 5"#, r"m\ a,t=b\ c");
        f("m", "m");
    }

    #[test]
    fn computes_the_daily_rate() {
        let record = |partition, offset, time_ms| SampledRecord {
            partition,
            offset,
            time_ms: Some(time_ms),
            value: None,
        };
        let f = |records: Vec<SampledRecord>, want: Option<(f64, u64)>| {
            let sample = Sample { topic: "t".to_owned(), records, ..Sample::default() };
            assert_eq!(rate(&sample).map(|rate| (rate.records_per_day, rate.span_ms)), want);
        };
        // One record per second in each of two partitions; one sample has only two records.
        let second = |partition: i32, n: i64| record(partition, n, n * 1_000);
        f(vec![second(0, 5), second(0, 15), second(1, 0), second(1, 20)], Some((172_800.0, 20_000)));
        f(vec![second(0, 0), second(0, 100), second(1, 0), record(1, 100, 5)], Some((172_800.0, 100_000)));
        f(vec![record(0, 5, 1_000), record(0, 500_000, 1_009), record(1, 7, 1_000)], None);
        f(vec![], None);
    }
}
