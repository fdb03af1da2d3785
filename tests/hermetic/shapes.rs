//! Every example of docs/shapes.md: the configuration is valid, and makes exactly these points of the record.

use base::record::{Record, RecordTime};
use line_protocol::LineBuffer;
use mapping::{Mapper, RecordLimits};
use std::path::Path;

const DOCUMENT: &str = "docs/shapes.md";

/// Record, keys of the mapping, and lines.
struct Example {
    record: String,
    mapping: String,
    lines: Vec<String>,
}

fn examples() -> Vec<Example> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let text = std::fs::read_to_string(path).unwrap();
    let block = |after: &str, language: &str| {
        let (_, rest) = after.split_once(&format!("```{language}\n")).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    let records = text.match_indices("```json\n").map(|(at, _)| text.split_at(at).1);
    let example = |text: &str| Example {
        record: block(text, "json"),
        mapping: block(text, "toml"),
        lines: block(text, "text").lines().map(str::to_owned).collect(),
    };
    records.map(example).collect()
}

#[test]
fn documented_shapes_become_the_documented_points() {
    let examples = examples();
    assert!(examples.len() >= 3, "{DOCUMENT} has {} examples", examples.len());
    for Example { record, mapping, lines } in examples {
        let text = format!(
            "[kafka]\nbrokers = 'b:1'\ntopics = 'testtopic'\n[[mapping]]\n{mapping}\n\
             [influx]\nurl = 'http://h'\norg = 'o'\nbucket = 'b'\ntoken = 't'\n"
        );
        let loaded = configuration::parse(Path::new("bridge.toml"), &text, &|_| None)
            .unwrap_or_else(|errors| panic!("{mapping}{errors}"));
        assert!(loaded.warnings.is_empty(), "{mapping}{:?}", loaded.warnings);
        let rules = loaded.config.mappings[0].rules.clone();
        let limits = RecordLimits { record_bytes_max: 1_000_000, lines_bytes_max: 1_000_000 };
        let mut mapper = Mapper::new(rules, "testtopic", limits);
        // The second and third time the shape is known.
        for offset in 0..3 {
            let (time, value) = (RecordTime::Omitted, Some(record.trim_end().as_bytes()));
            let record = Record { partition: 0, offset, time, key: None, value, headers: &[] };
            let mut buffer = LineBuffer::default();
            let outcome = mapper.map(&record, &mut buffer);
            let texts = (0..buffer.lines())
                .map(|line| String::from_utf8_lossy(buffer.line(line).unwrap()).into_owned());
            assert_eq!(texts.collect::<Vec<_>>(), lines, "{mapping}{:?}", outcome.rejected);
        }
    }
}
