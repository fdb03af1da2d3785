//! `map`: a dry run, records from files to lines on standard output.

use super::records::Records;
use super::{REJECTED, WRONG, live};
use base::record::{Record, RecordTime};
use base::text::printable;
use configuration::Config;
use engine::batch::CollisionSample;
use line_protocol::LineBuffer;
use mapping::{Format, Mapper};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// What the command line says.
#[derive(Debug, Default)]
pub struct Options {
    pub config: Option<PathBuf>,
    pub topic: Option<String>,
    /// Kafka's timestamp of all records, in nanoseconds.
    pub timestamp: Option<i64>,
    /// Read the topic for this long instead of files.
    pub live: Option<Duration>,
    /// None or "-": standard input.
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Error)]
pub(super) enum MapError {
    #[error("{0}")]
    Config(String),
    #[error("no topic is named in `kafka.topics`: say which one the records come from with --topic")]
    NoTopic,
    #[error("no [[mapping]] matches the topic {0:?}: add one, or name another with --topic")]
    NoMapping(String),
    #[error("{path} can't be read: {source}")]
    Input { path: String, source: io::Error },
    #[error("the topic {topic} can't be read: {why} (`check --connect` tells more)")]
    Topic { topic: String, why: String },
    #[error("the lines can't be written: {0}")]
    Output(#[from] io::Error),
}

/// Maps the files' records in order. Rejections go to standard error as `FILE:LINE: reason`.
pub fn map(options: &Options) -> ExitCode {
    match dry_run(options) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(REJECTED),
        // Whoever reads the lines has seen enough.
        Err(MapError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(WRONG)
        }
    }
}

fn dry_run(options: &Options) -> Result<usize, MapError> {
    let path = configuration::find(options.config.as_deref()).map_err(|e| MapError::Config(e.to_string()))?;
    // Lines go nowhere, so no token is needed.
    let config = configuration::load_without_secrets(&path).map_err(|e| MapError::Config(e.to_string()))?;
    let topic = options.topic.clone().or_else(|| first_topic(&config)).ok_or(MapError::NoTopic)?;
    let run = DryRun::new(&config, &topic, options.timestamp)?;
    match options.live {
        Some(duration) => live::read(run, &config.kafka, &topic, duration),
        None => run.files(&options.files),
    }
}

/// Maps records and remembers what became of them.
pub(super) struct DryRun {
    mapper: Mapper,
    /// The mapping's `query`, as text.
    query: String,
    format: Format,
    time: RecordTime,
    /// The next record's: its place in the input stands for it.
    offset: i64,
    rejected: usize,
    lines: usize,
    collisions: CollisionSample,
    /// Counts of what was dropped, by remedy and key.
    dropped: BTreeMap<&'static str, (u64, Vec<String>)>,
    /// Records of which `query` selected nothing, or nothing in one of their lines.
    without_selection: u64,
    records: u64,
}

impl DryRun {
    fn new(config: &Config, topic: &str, timestamp: Option<i64>) -> Result<Self, MapError> {
        let routing = config.routing();
        let (rules, _) = routing.mapping_of(topic).ok_or_else(|| MapError::NoMapping(topic.to_owned()))?;
        Ok(Self {
            query: rules.query.to_string(),
            format: rules.format,
            mapper: Mapper::new(Arc::clone(rules), topic, config.record_limits()),
            time: timestamp.map_or(RecordTime::Omitted, RecordTime::At),
            offset: 0,
            rejected: 0,
            lines: 0,
            collisions: CollisionSample::default(),
            dropped: BTreeMap::new(),
            without_selection: 0,
            records: 0,
        })
    }

    fn files(mut self, files: &[PathBuf]) -> Result<usize, MapError> {
        let standard_input = [PathBuf::from("-")];
        for path in if files.is_empty() { &standard_input } else { files } {
            let (name, bytes) = read(path)?;
            self.input(&name, &bytes)?;
        }
        Ok(self.finish())
    }

    fn input(&mut self, name: &str, bytes: &[u8]) -> Result<(), MapError> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        for input in Records::new(bytes, self.format) {
            let (value, headers) = (Some(input.bytes), [].as_slice());
            let record =
                Record { partition: 0, offset: self.offset, time: self.time, key: None, value, headers };
            self.offset += 1;
            self.record(&record, &mut out, || format!("{name}:{}", input.line))?;
        }
        Ok(out.flush()?)
    }

    /// Writes a record's lines; says on standard error why it is rejected, and where it is.
    pub(super) fn record(
        &mut self,
        record: &Record<'_>,
        out: &mut impl Write,
        place: impl Fn() -> String,
    ) -> Result<(), MapError> {
        let mut lines = LineBuffer::default();
        let became = self.mapper.map(record, &mut lines);
        out.write_all(lines.text())?;
        self.lines += lines.lines();
        self.collisions.add(&lines);
        self.records += 1;
        self.without_selection += u64::from(became.selected_nothing);
        if became.has_rejected() {
            self.rejected += 1;
            // In step with what follows on standard error.
            out.flush()?;
        }
        for (element, why) in &became.rejected {
            let element = element.map_or(String::new(), |index| format!("element {index}: "));
            eprintln!("{}: {element}{}", place(), printable(&why.to_string(), 500));
        }
        for (drop, count) in self.mapper.take_drops().iter() {
            self.dropped.entry(drop.remedy()).or_default().0 += count;
        }
        for notice in self.mapper.take_first_drops() {
            self.dropped.entry(notice.drop.remedy()).or_default().1.push(notice.key);
        }
        Ok(())
    }

    /// How many lines came of the records.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Reports dropped values, records without a selection and points that overwrite others, with the options that change that.
    /// Returns how many records were rejected.
    pub(super) fn finish(self) -> usize {
        self.tell_dropped();
        if let Some(warning) = self.empty_selections() {
            eprintln!("{warning}");
        }
        if let Some(warning) = self.collisions.warning() {
            eprintln!("{warning}");
        }
        self.rejected
    }

    /// A warning where `query` selected nothing: `run` commits such records without a point.
    fn empty_selections(&self) -> Option<String> {
        if self.without_selection == 0 {
            return None;
        }
        let of = match (self.without_selection, self.records) {
            (1, 1) => "the only record".to_owned(),
            (without, all) if without == all => format!("all {all} records"),
            (without, all) => format!("{without} of {all} records"),
        };
        Some(format!(
            "selected nothing: `query` = {:?} found no object in {of}. `run` would commit such records without a point: \
             correct `query` in [[mapping]], or remove it to map whole records",
            self.query
        ))
    }

    fn tell_dropped(&self) {
        for (remedy, (count, keys)) in &self.dropped {
            eprintln!(
                "dropped or changed: {count} values under {}: {remedy}",
                printable(&keys.join(", "), 500)
            );
        }
    }
}

fn first_topic(config: &Config) -> Option<String> {
    let of_mapping =
        config.mappings.iter().filter_map(|mapping| mapping.topics.as_ref()).flat_map(|t| &t.names);
    config.kafka.topics.names.iter().chain(of_mapping).next().cloned()
}

fn read(path: &Path) -> Result<(String, Vec<u8>), MapError> {
    let mut bytes = Vec::new();
    let (name, result) = if path == Path::new("-") {
        ("(standard input)".to_owned(), io::stdin().lock().read_to_end(&mut bytes))
    } else {
        let read = std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
        (path.display().to_string(), read)
    };
    result.map_err(|source| MapError::Input { path: name.clone(), source })?;
    Ok((name, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(mapping: &str, records: &[&str]) -> Option<String> {
        let text = format!(
            "[kafka]\nbrokers = 'a:1'\ntopics = 't'\n[influx]\nurl = 'http://h'\napi = 'v1'\ndatabase = 'd'\n[[mapping]]\n{mapping}"
        );
        let config = configuration::parse(Path::new("b.toml"), &text, &|_| None).unwrap().config;
        let mut run = DryRun::new(&config, "t", Some(1)).unwrap();
        for (value, offset) in records.iter().zip(0..) {
            let value = Some(value.as_bytes());
            let record =
                Record { partition: 0, offset, time: RecordTime::At(1), key: None, value, headers: &[] };
            run.record(&record, &mut io::sink(), || "f:1".to_owned()).unwrap();
        }
        run.empty_selections()
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
