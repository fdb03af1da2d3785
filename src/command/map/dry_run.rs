//! Maps records, and reports rejections and warnings.

use crate::records::Records;
use base::record::{Record, RecordTime};
use base::text::printable;
use configuration::Config;
use engine::batch::CollisionSample;
use line_protocol::LineBuffer;
use mapping::{Format, Mapper};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
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
    #[error("no [[mapping]] matches the topic {0:?}: add one, or name another topic with --topic")]
    NoMapping(String),
    #[error("{path} can't be read: {source}")]
    Input { path: String, source: io::Error },
    #[error("the topic {topic} can't be read: {why} (`check --connect` shows details)")]
    Topic { topic: String, why: String },
    #[error("the lines can't be written: {0}")]
    Output(#[from] io::Error),
}

/// Maps records, prints their lines, and counts the results.
pub(super) struct DryRun {
    mapper: Mapper,
    /// The mapping's `query`, as text.
    query: String,
    format: Format,
    time: RecordTime,
    /// Offset of the next record: its number in the input.
    offset: i64,
    rejected: usize,
    lines: usize,
    collisions: CollisionSample,
    /// Number and keys of dropped values, by remedy.
    dropped: BTreeMap<&'static str, (u64, Vec<String>)>,
    /// Records in which `query` selected nothing, or nothing in one of their lines.
    without_selection: u64,
    records: u64,
}

impl DryRun {
    pub(super) fn new(config: &Config, topic: &str, timestamp: Option<i64>) -> Result<Self, MapError> {
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

    pub(super) fn files(mut self, files: &[PathBuf]) -> Result<usize, MapError> {
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
        self.records += 1;
        self.without_selection += u64::from(outcome.selected_nothing);
        if outcome.has_rejected() {
            self.rejected += 1;
            // Keeps standard output in step with standard error.
            out.flush()?;
        }
        for (element, why) in &outcome.rejected {
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

    /// Number of lines so far.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Reports dropped values, records in which `query` selected nothing, and points that overwrite others, with remedies.
    /// Returns the number of rejected records.
    pub(super) fn finish(self) -> usize {
        self.report_dropped();
        if let Some(warning) = self.empty_selections() {
            eprintln!("{warning}");
        }
        if let Some(warning) = self.collisions.warning() {
            eprintln!("{warning}");
        }
        self.rejected
    }

    /// A warning if `query` selected nothing, because `run` commits such records without a point.
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

    fn report_dropped(&self) {
        for (remedy, (count, keys)) in &self.dropped {
            eprintln!(
                "dropped or changed: {count} values under {}: {remedy}",
                printable(&keys.join(", "), 500)
            );
        }
    }
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
