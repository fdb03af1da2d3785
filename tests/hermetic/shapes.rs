//! Every example of docs/shapes.md, docs/cookbook.md and docs/time-formats.md: the configuration is valid, and makes exactly these points
//! of the records.

use base::record::{Record, RecordTime};
use line_protocol::LineBuffer;
use mapping::decode::Scanner;
use mapping::{Mapper, RecordLimits};
use std::path::Path;

/// The topic of all examples.
pub const TOPIC: &str = "testtopic";

/// Records, keys of the mapping, and lines.
pub struct Example {
    /// The heading above the example.
    pub title: String,
    pub records: Vec<String>,
    pub mapping: String,
    pub lines: Vec<String>,
}

pub fn examples(document: &str) -> Vec<Example> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = std::fs::read_to_string(path).unwrap();
    let block = |after: &str, language: &str| {
        let (_, rest) = after.split_once(&format!("```{language}\n")).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    let example = |at: usize| {
        let (before, after) = text.split_at(at);
        let title = before.lines().rev().find_map(|line| line.strip_prefix("## ")).unwrap_or_default();
        Example {
            title: title.to_owned(),
            records: records(&block(after, "json")),
            mapping: block(after, "toml"),
            lines: block(after, "text").lines().map(str::to_owned).collect(),
        }
    };
    text.match_indices("```json\n").map(|(at, _)| example(at)).collect()
}

/// The JSON values of a block, which may span lines.
fn records(block: &str) -> Vec<String> {
    let (mut scanner, mut records) = (Scanner::new(block.as_bytes()), Vec::new());
    while !scanner.is_at_end() {
        let start = scanner.position();
        let token = scanner.value().unwrap();
        scanner.skip_rest(token, 0).unwrap();
        records.push(block[start..scanner.position()].to_owned());
    }
    records
}

/// Maps the records of an example several times with one mapper, and returns the lines of each time.
pub fn lines(config: &str, example: &Example, times: usize) -> Vec<Vec<String>> {
    let loaded = configuration::parse(Path::new("bridge.toml"), config, &|_| Some("t".to_owned()))
        .unwrap_or_else(|errors| panic!("{}: {config}{errors}", example.title));
    assert!(loaded.warnings.is_empty(), "{}: {config}{:?}", example.title, loaded.warnings);
    let rules = loaded.config.mappings[0].rules.clone();
    let limits = RecordLimits { record_bytes_max: 1_000_000, lines_bytes_max: 1_000_000 };
    let mut mapper = Mapper::new(rules, TOPIC, limits);
    let mut once = |time: usize| {
        let mut buffer = LineBuffer::default();
        for (number, record) in example.records.iter().enumerate() {
            let (offset, value) = ((time * example.records.len() + number) as i64, Some(record.as_bytes()));
            let time = RecordTime::Omitted;
            let record = Record { partition: 0, offset, time, key: None, value, headers: &[] };
            let outcome = mapper.map(&record, &mut buffer);
            assert!(!outcome.has_rejected(), "{}: {config}{:?}", example.title, outcome.rejected);
        }
        let text = |line| String::from_utf8_lossy(buffer.line(line).unwrap()).into_owned();
        (0..buffer.lines()).map(text).collect()
    };
    (0..times).map(&mut once).collect()
}

#[test]
fn documented_shapes_become_the_documented_points() {
    for (document, count) in [("docs/shapes.md", 12), ("docs/cookbook.md", 29), ("docs/time-formats.md", 1)] {
        let examples = examples(document);
        assert!(examples.len() >= count, "{document} has {} examples", examples.len());
        for example in examples {
            let config = format!(
                "[kafka]\nbrokers = 'b:1'\ntopics = '{TOPIC}'\n[[mapping]]\n{}\n\
                 [influx]\nurl = 'http://h'\norg = 'o'\nbucket = 'b'\ntoken = 't'\n",
                example.mapping
            );
            // The second and third time the shape is known.
            for lines in lines(&config, &example, 3) {
                assert_eq!(lines, example.lines, "{document}, {}: {}", example.title, example.mapping);
            }
        }
    }
}
