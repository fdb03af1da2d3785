//! Maps records, and reports rejections and warnings.

use super::field_types::FieldTypes;
use crate::command::sampled_keys::SampledKeys;
use crate::records::Records;
use crate::routing;
use crate::terminal::report;
use base::record::{Record, RecordTime};
use base::suggest::with_nearest;
use base::text::{counted, printable};
use configuration::Config;
use engine::batch::CollisionSample;
use engine::telemetry::now_ns;
use engine::{DoubtKind, SchemaSource, TimeUnitCheck, remedy_without_fields};
use line_protocol::LineBuffer;
use mapping::{Mapper, Reason, Rules, Schemas};
use schema_registry::RegistryError;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

#[derive(Debug, Error)]
pub(super) enum MapError {
    #[error("{0}")]
    Config(String),
    #[error(
        "the mapping cannot be chosen: `kafka.topics` names no topic; name the topic of the records with --topic"
    )]
    NoTopic,
    #[error("no [[mapping]] matches the topic {0}: add one, or name another topic with --topic")]
    NoMapping(String),
    #[error("{path} can't be read: {source}")]
    Input { path: String, source: io::Error },
    #[error("0 records: {place} {why}: name a file with records, one a line")]
    NoRecords { place: String, why: &'static str },
    #[error(
        "{0} is a configuration and holds no records: name it with --config {0}, and name a file of records as the plain argument"
    )]
    IsConfiguration(String),
    #[error("the topic {topic} can't be read: {why} (`check --connect` shows details)")]
    Topic { topic: String, why: String },
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("the lines can't be written: {0}")]
    Output(#[from] io::Error),
}

/// Maps records, prints their lines, and counts the results.
pub(super) struct DryRun {
    mapper: Mapper,
    /// The mapping's `query`, as text.
    query: String,
    rules: Arc<Rules>,
    /// None without a schema registry.
    schemas: Option<Arc<dyn Schemas>>,
    time: RecordTime,
    /// Offset of the next record: its number in the input.
    offset: i64,
    rejected: usize,
    /// Rejected records, or elements of records, by reason.
    reasons: BTreeMap<Reason, u64>,
    /// Rejections that were printed, by reason.
    listed: BTreeMap<Reason, u64>,
    /// Rejections by the hint at what their values seem to be.
    hints: BTreeMap<&'static str, u64>,
    /// Elements without a field by remedy: their number, and the place of the first.
    without_fields: BTreeMap<&'static str, (u64, String)>,
    /// Records without a value.
    tombstones: u64,
    lines: usize,
    collisions: CollisionSample,
    /// Number and keys of dropped values, by remedy.
    dropped: BTreeMap<&'static str, (u64, Vec<String>)>,
    /// Records in which `query` selected nothing, or nothing in one of their lines.
    without_selection: u64,
    /// Elements that `where` left out.
    left_out: usize,
    records: u64,
    keys: SampledKeys,
    types: FieldTypes,
    units: TimeUnitCheck,
    /// The time with which the times of records without Kafka's timestamp are compared.
    now: RecordTime,
    has_headers: bool,
}

impl DryRun {
    pub(super) fn new(config: &Config, topic: &str, timestamp: Option<i64>) -> Result<Self, MapError> {
        let routing = routing::waiting_for_schemas(config)?;
        let rules = routing.rules_of(topic).ok_or_else(|| {
            MapError::NoMapping(with_nearest(topic, config.topic_names().map(String::as_str)))
        })?;
        Ok(Self {
            query: rules.query.to_string(),
            rules: Arc::clone(rules),
            schemas: routing.schemas().map(SchemaSource::schemas),
            mapper: routing.mapper_of(topic, config.record_limits()).ok_or(MapError::NoTopic)?,
            time: timestamp.map_or(RecordTime::Omitted, RecordTime::At),
            offset: 0,
            rejected: 0,
            reasons: BTreeMap::new(),
            listed: BTreeMap::new(),
            hints: BTreeMap::new(),
            without_fields: BTreeMap::new(),
            tombstones: 0,
            lines: 0,
            collisions: CollisionSample::default(),
            dropped: BTreeMap::new(),
            without_selection: 0,
            left_out: 0,
            records: 0,
            keys: SampledKeys::default(),
            types: FieldTypes::default(),
            units: TimeUnitCheck::beside(timestamp.map_or("now", |_| "--timestamp")),
            now: RecordTime::At(now_ns()),
            has_headers: false,
        })
    }

    /// Returns the run for records of a topic, which have headers, and Kafka's timestamps to compare times with.
    pub(super) fn of_topic(self) -> Self {
        Self { has_headers: true, units: TimeUnitCheck::default(), ..self }
    }

    pub(super) fn files(mut self, files: &[PathBuf]) -> Result<usize, MapError> {
        if self.rules.wants_headers() || self.rules.wants_key() {
            report!(
                "records of files have no Kafka key and no headers, so the lines lack what `run` makes of them"
            );
        }
        let standard_input = [PathBuf::from("-")];
        let mut without_records = Vec::new();
        for path in if files.is_empty() { &standard_input } else { files } {
            let (name, bytes) = read(path)?;
            let before = self.records;
            self.input(&name, &bytes)?;
            if self.records == before {
                let why = if bytes.is_empty() { "is empty" } else { "has empty lines or comments only" };
                without_records
                    .push((if name == STANDARD_INPUT { "standard input".to_owned() } else { name }, why));
            }
        }
        if self.records == 0
            && let Some((place, why)) = without_records.first()
        {
            return Err(MapError::NoRecords { place: place.clone(), why });
        }
        for (place, why) in without_records {
            report!("0 records: {place} {why}");
        }
        // Lines alone need no summary.
        if self.has_left_out() {
            self.report_summary("");
        }
        Ok(self.finish())
    }

    fn input(&mut self, name: &str, bytes: &[u8]) -> Result<(), MapError> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let (rules, schemas) = (Arc::clone(&self.rules), self.schemas.clone());
        for input in Records::by_rules(bytes, &rules, schemas.as_ref()) {
            let (value, headers) = (Some(input.bytes), [].as_slice());
            let record =
                Record { partition: 0, offset: self.offset, time: self.time, key: None, value, headers };
            self.offset += 1;
            self.record(&record, &mut out, || format!("{name}:{}", input.line))?;
        }
        Ok(out.flush()?)
    }

    /// Writes the lines of a record, and reports its rejections with their place on standard error.
    pub(super) fn record(
        &mut self,
        record: &Record<'_>,
        out: &mut impl Write,
        place: impl Fn() -> String,
    ) -> Result<(), MapError> {
        let mut lines = LineBuffer::default();
        let outcome = self.mapper.map(record, &mut lines);
        out.write_all(lines.text())?;
        self.lines += lines.lines();
        self.collisions.add(&lines);
        for line in (0..lines.lines()).filter_map(|line| lines.line(line)) {
            self.types.add(line, &place);
        }
        if let Some(rule) = self.rules.time_rule() {
            let time = if record.time.kafka_ns().is_some() { record.time } else { self.now };
            self.units.add_record(
                &rule,
                &Record { time, ..*record },
                (&lines, 0..lines.lines()),
                &outcome,
                &place,
            );
        }
        if let Some(value) = record.value {
            self.keys.add(&self.rules, self.schemas.as_ref(), value, record.headers);
        }
        self.records += 1;
        self.without_selection += u64::from(outcome.selected_nothing);
        self.left_out += outcome.left_out;
        let without_field = outcome.filtered - outcome.left_out - outcome.without_items;
        if outcome.has_rejected() {
            self.rejected += 1;
            // Keeps standard output in step with standard error.
            out.flush()?;
        }
        for (element, why) in &outcome.rejected {
            let hint = why.hint();
            if !hint.is_empty() {
                *self.hints.entry(hint).or_default() += 1;
            }
            let listed = self.listed.entry(why.reason()).or_default();
            if *listed == LISTED_MAX {
                continue;
            }
            *listed += 1;
            let element = outcome.named_element(*element);
            let element = element.map_or(String::new(), |index| format!("element {index}: "));
            let why = why.to_string();
            // The summary has the hint once.
            let why = why.strip_suffix(hint).unwrap_or(&why);
            report!("{}: {element}{}", place(), printable(why, 500));
        }
        for (reason, count) in outcome.rejected_by_reason() {
            *self.reasons.entry(reason).or_default() += count;
        }
        let drops = self.mapper.take_drops();
        if record.value.is_none() {
            self.tombstones += 1;
        } else if without_field > 0 && !outcome.selected_nothing {
            let new = || (0, place());
            let left_out = self.without_fields.entry(remedy_without_fields(&drops)).or_insert_with(new);
            left_out.0 += without_field as u64;
        }
        if outcome.without_items > 0 {
            let count = self.without_fields.entry(EMPTY_ARRAYS).or_insert_with(|| (0, place()));
            count.0 += outcome.without_items as u64;
        }
        for (drop, count) in drops.iter() {
            self.dropped.entry(drop.remedy()).or_default().0 += count;
        }
        for notice in self.mapper.take_first_drops() {
            self.dropped.entry(notice.drop.remedy()).or_default().1.push(notice.key);
        }
        Ok(())
    }

    /// The numbers of records and lines, and of rejections by reason. None: no record was read.
    pub(super) fn summary(&self) -> Option<String> {
        if self.records == 0 {
            return None;
        }
        let mut summary =
            format!("{} became {}", counted(self.records, "record"), counted(self.lines as u64, "line"));
        let reasons: Vec<String> =
            self.reasons.iter().map(|(reason, count)| format!("{} {count}", reason.name())).collect();
        if !reasons.is_empty() {
            summary = format!("{summary}; rejected: {}", reasons.join(", "));
        }
        if self.tombstones > 0 {
            summary =
                format!("{summary}; {} (records without a value)", counted(self.tombstones, "tombstone"));
        }
        Some(summary)
    }

    /// Prints the numbers of rejections that are not listed, the summary behind `before`, and each hint once.
    pub(super) fn report_summary(&self, before: &str) {
        for line in self.unlisted() {
            report!("{line}");
        }
        report!("{before}{}", self.summary().unwrap_or_default());
        for line in self.hints() {
            report!("{line}");
        }
    }

    /// One line for each reason with more rejections than are listed.
    fn unlisted(&self) -> impl Iterator<Item = String> {
        self.reasons.iter().filter_map(|(reason, count)| {
            let more = count - self.listed.get(reason).copied().unwrap_or_default().min(*count);
            (more > 0).then(|| format!("rejected as {}: {more} more", reason.name()))
        })
    }

    /// What the rejected values seem to be, with the remedy.
    fn hints(&self) -> impl Iterator<Item = String> {
        self.hints.iter().map(|(hint, count)| {
            format!("{}: {}", counted(*count, "rejection"), hint.trim_start_matches([';', ' ']))
        })
    }

    /// Whether a record, or a part of one, became no line.
    fn has_left_out(&self) -> bool {
        self.rejected > 0
            || self.without_selection > 0
            || self.left_out > 0
            || !self.without_fields.is_empty()
    }

    /// Reports with remedies what is probably not intended: elements without fields, dropped values, records in which `query` selected
    /// nothing, keys that no record has, times in a wrong unit, fields of two types, and points that overwrite others. Returns the number of rejected records.
    pub(super) fn finish(self) -> usize {
        for line in self.elements_without_fields() {
            report!("{line}");
        }
        self.report_dropped();
        for warning in self.empty_selections().into_iter().chain(self.nothing_left()) {
            report!("{warning}");
        }
        let headers =
            if self.has_headers { self.keys.unseen_headers(&self.rules, "record") } else { Vec::new() };
        for key in self.keys.unseen(&self.rules, "record").into_iter().chain(headers) {
            report!("{}: {}", key.what, key.remedy);
        }
        // Old data is legitimate. A unit that fits is not a coincidence.
        if let Some(doubt) = self.units.doubt().filter(|doubt| doubt.kind != DoubtKind::Old) {
            report!("{}: {}", doubt.what, doubt.remedy);
        }
        for conflict in self.types.conflicts() {
            report!("{conflict}");
        }
        if let Some(warning) = self.collisions.warning() {
            report!("{warning}");
        }
        self.rejected
    }

    /// A warning if `query` selected nothing, because `run` commits such records without a point.
    fn empty_selections(&self) -> Option<String> {
        if self.without_selection == 0 {
            return None;
        }
        let records = match (self.without_selection, self.records) {
            (1, 1) => "the only record".to_owned(),
            (without, all) if without == all => format!("all {all} records"),
            (without, all) => format!("{without} of {all} records"),
        };
        Some(format!(
            "selected nothing: `query` = {:?} found no object in {records}. `run` would commit such records without a point: \
             correct `query` in [[mapping]], or remove it to map whole records",
            self.query
        ))
    }

    /// A warning if `where` left out all elements, because `run` commits such records without a point.
    fn nothing_left(&self) -> Option<String> {
        let filter = self.rules.reshape.filter.as_ref().filter(|_| self.lines == 0 && self.left_out > 0)?;
        let objects = counted(self.left_out as u64, "object");
        Some(format!(
            "nothing left: `where` = {:?} does not hold for {objects}, and no line is left. `run` would commit such records without \
             a point: correct `where` in [[mapping]], or remove it to map all objects",
            filter.text()
        ))
    }

    /// One line for each remedy, because `run` commits such elements without a point.
    fn elements_without_fields(&self) -> impl Iterator<Item = String> {
        self.without_fields.iter().map(|(remedy, (count, first))| {
            let (objects, have) = (counted(*count, "object"), if *count == 1 { "has" } else { "have" });
            format!(
                "no point: {objects} {have} no field, such as {first}. `run` would commit such records without a point. If they should \
                 become points, {remedy}"
            )
        })
    }

    fn report_dropped(&self) {
        for (remedy, (count, keys)) in &self.dropped {
            report!(
                "dropped or changed: {count} values under {}: {remedy}",
                printable(&keys.join(", "), 500)
            );
        }
    }
}

/// Rejections that are printed for each reason: the records after them mostly have the same cause.
const LISTED_MAX: u64 = 5;

/// The name of standard input before the number of a line.
const STANDARD_INPUT: &str = "(standard input)";

/// The remedy for elements that `explode` leaves without a point.
const EMPTY_ARRAYS: &str = "let the producer fill their arrays under `explode`, which are empty";

fn read(path: &Path) -> Result<(String, Vec<u8>), MapError> {
    let mut bytes = Vec::new();
    let (name, result) = if path == Path::new("-") {
        if io::stdin().is_terminal() {
            report!(
                "reading records from standard input, to its end (Ctrl-D): files are plain arguments, and --live 10 reads the topic"
            );
        }
        (STANDARD_INPUT.to_owned(), io::stdin().lock().read_to_end(&mut bytes))
    } else {
        let read = std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
        (path.display().to_string(), read)
    };
    result.map_err(|source| MapError::Input { path: name.clone(), source })?;
    Ok((name, bytes))
}

/// Refuses a configuration that is named as a file of records.
pub(super) fn refuse_configuration(files: &[PathBuf]) -> Result<(), MapError> {
    /// A configuration has its tables near its beginning.
    const READ_MAX: u64 = 64 << 10;
    for path in files.iter().filter(|path| *path != Path::new("-")) {
        let mut bytes = Vec::new();
        // A file that can't be read is reported when its records are read.
        let read = std::fs::File::open(path).and_then(|file| file.take(READ_MAX).read_to_end(&mut bytes));
        if read.is_ok() && is_configuration(&bytes) {
            return Err(MapError::IsConfiguration(path.display().to_string()));
        }
    }
    Ok(())
}

/// Whether a text has the tables that each configuration needs.
fn is_configuration(text: &[u8]) -> bool {
    let has = |header: &[u8]| text.split(|byte| *byte == b'\n').any(|line| line.trim_ascii() == header);
    has(b"[kafka]") && has(b"[influx]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(mapping: &str, records: &[&str]) -> Option<String> {
        run(mapping, records).empty_selections()
    }

    fn run(mapping: &str, records: &[&str]) -> DryRun {
        let text = format!(
            "[kafka]\nbrokers = 'a:1'\ntopics = 't'\n[influx]\nurl = 'http://h'\napi = 'v1'\ndatabase = 'd'\n[[mapping]]\n{mapping}"
        );
        let config = configuration::parse(Path::new("b.toml"), &text, &|_| None).unwrap().config;
        let mut run = DryRun::new(&config, "t", Some(1)).unwrap();
        for (value, offset) in records.iter().zip(0..) {
            let value = Some(value.as_bytes());
            let record =
                Record { partition: 0, offset, time: RecordTime::At(1), key: None, value, headers: &[] };
            run.record(&record, &mut io::sink(), || format!("f:{}", offset + 1)).unwrap();
        }
        run
    }

    #[test]
    fn records_without_a_point_are_counted_by_reason_with_the_first_and_a_remedy() {
        const POINT: &str = r#"{"v":1}"#;
        const TEXT: &str = r#"{"state":"on"}"#;
        let f = |mapping: &str, records: &[&str], summary: &str, lines: &[&str]| {
            let run = run(mapping, records);
            assert_eq!(run.summary().unwrap(), summary);
            let got: Vec<String> = run.elements_without_fields().collect();
            assert_eq!(got.len(), lines.len(), "{got:?}");
            for line in lines {
                assert!(got.iter().any(|got| got.contains(line)), "{line}: {got:?}");
            }
            assert_eq!(run.has_left_out(), !lines.is_empty() || summary.contains("rejected"));
        };
        f("", &[POINT, POINT], "2 records became 2 lines", &[]);
        let strings = "no point: 2 objects have no field, such as f:2. `run` would commit such records without a point. If they should \
                       become points, add their keys to `string_fields`";
        f("", &[POINT, TEXT, TEXT], "3 records became 1 line", &[strings]);
        f("string_fields = ['state']", &[TEXT], "1 record became 1 line", &[]);
        let empty = "no point: 1 object has no field, such as f:1.";
        f("", &["{}", TEXT], "2 records became 0 lines", &[empty, "such as f:2"]);
        f(
            "exclude = ['v']",
            &[POINT],
            "1 record became 0 lines",
            &["look at `query`, `where`, `include` and `exclude`"],
        );
        f("number_fields = ['state']", &[TEXT], "1 record became 0 lines", &["instead of `number_fields`"]);
        // A part of a record.
        f(
            "",
            &[r#"[{"v":1},{"state":"on"}]"#],
            "1 record became 1 line",
            &["1 object has no field, such as f:1."],
        );
        f("", &["no", "5", "no"], "3 records became 0 lines; rejected: undecodable 2, not_an_object 1", &[]);
    }

    #[test]
    fn rejections_are_listed_up_to_five_of_each_reason_and_hints_once() {
        let lines = ["m v=1"; 8];
        let both = run("", &[&lines[..], &["5"; 6], &[r#"{"v":1}"#]].concat());
        let unlisted: Vec<String> = both.unlisted().collect();
        assert_eq!(unlisted, ["rejected as undecodable: 3 more", "rejected as not_an_object: 1 more"]);
        let hints: Vec<String> = both.hints().collect();
        let want = "8 rejections: the value seems to be line protocol: set `format = \"influx\"` in [[mapping]], or correct the producer";
        assert_eq!(hints, [want]);
        let few = run("", &["no"; 5]);
        assert_eq!((few.unlisted().count(), few.hints().count()), (0, 0));
    }

    #[test]
    fn recognizes_a_configuration() {
        assert!(is_configuration(b"# x\n[kafka]\r\nbrokers = 'a'\n\n [influx]\nurl = ''"));
        assert!(!is_configuration(b"[kafka]\n{\"v\":1}") && !is_configuration(b"{\"kafka\":1,\"influx\":2}"));
    }

    #[test]
    fn a_filter_that_leaves_nothing_is_named_with_the_number_of_objects() {
        const OUT: &str = r#"{"i":[{"q":0,"v":1},{"q":1,"v":1}]}"#;
        let f = |records: &[&str], want: Option<&str>| {
            let run = run("query = '$.i'\nwhere = '@.q > 1'", records);
            let got = run.nothing_left();
            assert_eq!(got.is_some(), want.is_some(), "{got:?}");
            assert!(got.unwrap_or_default().contains(want.unwrap_or_default()));
            assert_eq!(
                run.elements_without_fields().count(),
                0,
                "an object that is left out may have fields"
            );
        };
        f(&[OUT], Some("`where` = \"@.q > 1\" does not hold for 2 objects"));
        f(&[OUT, r#"{"i":[{"q":2,"v":1}]}"#], None);
    }

    #[test]
    fn a_query_that_selects_nothing_is_named_with_the_number_of_records() {
        const FOUND: &str = r#"{"items":[{"v":1}]}"#;
        const WILD: &str = "query = '$.items[*]'";
        const NOT_FOUND: &str = r#"{"item":[{"v":1}]}"#;
        let f = |mapping: &str, records: &[&str], want: Option<&str>| {
            let got = warning(mapping, records);
            assert_eq!(got.is_some(), want.is_some(), "{got:?}");
            let got = got.unwrap_or_default();
            assert!(got.contains(want.unwrap_or_default()), "{got}");
            assert!(want.is_none() || got.contains("correct `query` in [[mapping]]"), "{got}");
        };
        f(WILD, &[FOUND], None);
        f(
            WILD,
            &[NOT_FOUND, FOUND, NOT_FOUND],
            Some("`query` = \"$.items[*]\" found no object in 2 of 3 records"),
        );
        f(WILD, &[NOT_FOUND; 2], Some("found no object in all 2 records"));
        f(
            "query = '$.items'",
            &[NOT_FOUND],
            Some("`query` = \"$.items\" found no object in the only record"),
        );
        f("query = '$.items'", &[r#"{"items":null}"#, FOUND], Some("in 1 of 2 records"));
        f("", &[NOT_FOUND, "{}"], None);
    }
}
