//! The data thread allocates nothing for a record, once the topic's keys are known and the batch has its size.

use crate::example_records::ExampleRecords;
use crate::records::{Kind, RECORDS, Shape, mapper, record};
use base::record::Record;
use engine::batch::{Batch, Budget};
use engine::offset_tracker::{AssignmentId, BatchId, OffsetTracker};
use line_protocol::LineBuffer;
use mapping::{
    Format, Globs, KeySelector, Lookup, Mapper, RecordLimits, Rules, Schema, SchemaId, SchemaLanguage,
    SchemaText, Schemas, TimeFormat, TimeRule, zone_by_name,
};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const HEAD: &str = "[kafka]\nbrokers = [\"localhost:9092\"]\ntopics = [\"testtopic\"]\n[[mapping]]";
const TAIL: &str =
    "[influx]\nurl = \"http://localhost:8086\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"${TOKEN}\"";

/// Number of records after which shapes that never repeat are hardly learned any more.
const LEARNED_AFTER: usize = 5_000;

/// The work of the data thread for a record, without Kafka, logs and dead letters.
struct DataPath {
    mapper: Mapper,
    batch: Batch,
    tracker: OffsetTracker,
    assignment: AssignmentId,
    offset: usize,
    rejected: u64,
}

impl DataPath {
    fn new(mapper: Mapper) -> Self {
        let mut tracker = OffsetTracker::default();
        let (batch, assignment) = (Batch::new(BatchId::first(), &Budget::new(usize::MAX)), tracker.assign());
        Self { mapper, batch, tracker, assignment, offset: 0, rejected: 0 }
    }

    fn take(&mut self, value: &[u8]) {
        let offset = self.offset as i64;
        self.offset += 1;
        let record = Record {
            key: Some(b"key \x01"),
            headers: &[("unit", b"\xC2\xB0C")],
            ..record(self.offset, value)
        };
        let first = self.batch.lines.lines();
        let became = self.mapper.map(&record, &mut self.batch.lines);
        self.rejected += u64::from(became.has_rejected());
        self.batch.push(self.assignment, offset, first, Instant::now());
        if became.lines > 0 {
            self.tracker.delivered(self.assignment, offset, record.time.kafka_ns(), self.batch.batch_id);
        } else {
            self.tracker.delivered_settled(self.assignment, offset, record.time.kafka_ns());
        }
        self.mapper.take_drops();
    }

    fn settle(&mut self) {
        self.batch.update_reserved();
        self.tracker.settle(self.assignment, self.batch.batch_id);
        let mut settled = 0;
        self.tracker.take_changed(|_, next, _| settled = next.get());
        assert_eq!(settled as usize, self.offset);
        self.batch.reset(self.batch.batch_id.next(), usize::MAX);
    }

    /// Allocations for `records`, after `others` came often enough to learn everything.
    fn allocations(&mut self, others: &[impl AsRef<[u8]>], records: &[impl AsRef<[u8]>]) -> u64 {
        let often = LEARNED_AFTER.max(others.len() * 2);
        others.iter().cycle().take(often).for_each(|value| self.take(value.as_ref()));
        self.settle();
        self.mapper.take_first_drops();
        self.rejected = 0;
        let counted = allocation_counter::measure(|| {
            for value in records {
                self.take(value.as_ref());
            }
            self.settle();
        });
        counted.count_total
    }
}

/// Asserts that the second half of the records allocates nothing, and that none of them is rejected.
fn assert_none((mapper, records): (Mapper, Vec<Vec<u8>>), of: &str) {
    let (others, records) = records.split_at(records.len() / 2);
    let mut path = DataPath::new(mapper);
    assert_eq!((path.allocations(others, records), path.rejected), (0, 0), "{of}");
}

fn assert_none_of_each_kind(make: impl Fn(Kind) -> (Mapper, Vec<Vec<u8>>)) {
    for kind in Kind::ALL {
        assert_none(make(kind), &kind.to_string());
    }
}

#[test]
fn records_of_any_shape_allocate_nothing() {
    for kind in Kind::ALL {
        for shape in Shape::ALL {
            let records = kind.records(shape);
            let (others, records) = records.split_at(RECORDS / 2);
            let mut path = DataPath::new(kind.mapper());
            let allocations = path.allocations(others, records);
            // One shape in a thousand is learned.
            let most = if matches!(shape, Shape::Known) { 0 } else { records.len() as u64 / 5 };
            assert!(allocations <= most, "{kind}, {shape}: {allocations}");
            assert_eq!(path.rejected, 0, "{kind}, {shape}");
        }
    }
}

#[test]
fn values_from_outside_of_an_element_allocate_nothing() {
    assert_none_of_each_kind(|kind| kind.in_lists(true));
    let options = "query = \"$.site.meters\"\nmeasurement = \"{kind}\"\ntag_keys = [\"^.name\", \"^^.region\", \"key:$.k\"]\n\
                   tags = { i = \"{@key}-{header:unit}\", list = \"{@member}\", up = \"{^@key}\" }\n\
                   time_key = \"$.at\"\ntime_format = \"unix\"\ntime_add = { ms = \"ms\" }\nfields = { total = \"^.total\", copy = \"v\" }";
    let mut path = DataPath::new(mapper(&format!("{HEAD}\n{options}\n{TAIL}")));
    let records = [r#"{"site":{"meters":[{"v":1,"kind":"a b"},{"v":2,"kind":"c","ms":5}],"name":"n","total":5},"region":"r","at":1700000000}"#;
        1];
    assert_eq!((path.allocations(&records, &records), path.rejected), (0, 0));
    let record = Record { key: Some(br#"{"k":"x"}"#), ..record(0, records[0].as_bytes()) };
    let mut lines = LineBuffer::default();
    path.mapper.map(&record, &mut lines);
    let line = String::from_utf8_lossy(lines.line(1).unwrap()).into_owned();
    assert_eq!(line, "c,k=x,list=meters,name=n,region=r,up=site v=2,copy=2,total=5 1700000000005000000");
}

#[test]
fn messagepack_of_known_shape_allocates_nothing() {
    assert_none_of_each_kind(Kind::msgpack);
    let config = format!("{HEAD}\nformat = \"msgpack\"\ntime_key = \"t\"\nstring_fields = [\"s\"]\n{TAIL}");
    // Two values: a timestamp, text with an escape, binary data, NaN and a 32-bit float.
    let value =
        b"\x85\xA1t\xD6\xFF\x65\x53\xF1\0\xA1s\xA1\"\xA1b\xC4\x01x\xA1n\xCA\x7F\xC0\0\0\xA1f\xCA\x3F\xC0\0\0";
    let records = [[&value[..], value].concat(); 1];
    let mut path = DataPath::new(mapper(&config));
    assert_eq!((path.allocations(&records, &records), path.rejected), (0, 0));
}

#[test]
fn cbor_of_known_shape_allocates_nothing() {
    assert_none_of_each_kind(Kind::cbor);
}

/// Schemas of a registry, which knows one.
#[derive(Debug)]
struct OneSchema(Schema);

impl Schemas for OneSchema {
    fn find(&self, _: SchemaId) -> Lookup {
        Lookup::Ready(self.0.clone())
    }

    fn has_answered(&self, _: SchemaId, _: Instant) -> bool {
        true
    }
}

#[test]
fn avro_of_known_shape_allocates_nothing() {
    assert_none_of_each_kind(Kind::avro);
    let fields = r#"{"name":"h","type":"string"},{"name":"t","type":{"type":"long","logicalType":"timestamp-millis"}},
        {"name":"v","type":["null","double"]},{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
        {"name":"a","type":{"type":"array","items":"int"}},{"name":"b","type":"bytes"}"#;
    let text = format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
    let schema =
        SchemaText { language: SchemaLanguage::Avro, text, references: Vec::new() }.compile().unwrap();
    let rules = Rules {
        format: Format::Avro,
        tag_keys: Globs::compile(&["h"]).unwrap(),
        time: Some(TimeRule::new(
            KeySelector::Flattened("t".to_owned()),
            TimeFormat::Timestamp,
            zone_by_name("UTC").unwrap(),
        )),
        ..Rules::default()
    };
    let limits = RecordLimits { record_bytes_max: 1_000_000, lines_bytes_max: 1_000_000 };
    // Two schemas with the same fields, one after the other, as while a schema evolves.
    let record = |id: u8| {
        let value =
            [&b"\0\0\0\0"[..], &[id], b"\x02x\x80\xC8\xAF\x02\x02", &0.5_f64.to_le_bytes(), b"\x04\x04\xd2"];
        [&value.concat()[..], b"\x04\x02\x04\x00", b"\x02y"].concat()
    };
    let records = (0..50).map(|number| record(number % 2)).collect();
    let mapper = Mapper::new(Arc::new(rules), "t", limits).with_schemas(Some(Arc::new(OneSchema(schema))));
    assert_none((mapper, records), "two schemas");
}

#[test]
fn line_protocol_of_known_keys_allocates_nothing() {
    for kind in Kind::ALL {
        for keys in
            ["", "tags = { zone = \"z\" }", "precision = \"us\"\nexclude = [\"none\"]\nkey_tag = \"key\""]
        {
            let (mapper, records) = kind.influx(keys);
            let records = records
                .into_iter()
                .map(|line| [&line[..line.len() - 3], b"\n# x\n m  v=T\n"].concat())
                .collect();
            assert_none((mapper, records), &format!("{kind}, {keys}"));
        }
    }
}

#[test]
fn protobuf_of_known_shape_allocates_nothing() {
    assert_none_of_each_kind(Kind::protobuf);
}

#[test]
fn csv_of_known_columns_allocates_nothing() {
    let config = format!(
        "{HEAD}\nformat = \"csv\"\ntime_key = \"t\"\ntime_format = \"unix\"\ntag_keys = [\"h\"]\nstring_fields = [\"s\"]\n{TAIL}"
    );
    let record = |n: u32| format!("t,h,v,s\n{n},a,{n}.5,\"x\"\"y\"\n{n},b,,NaN\n{n},c,-.5,z\n").into_bytes();
    assert_none((mapper(&config), (100..150).map(record).collect()), "CSV");
}

#[test]
fn examples_allocate_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut examples = 0;
    for example in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(config) = fs::read_to_string(example.join("bridge.toml")) else { continue };
        examples += 1;
        let of = ExampleRecords::read(&example);
        let mut path = DataPath::new(mapper(&config).with_schemas(of.schemas()));
        for record in &of.records {
            // Each record alone, after all of them, so that drops of one do not count for another.
            let others: Vec<_> = of.records.iter().chain([record; 10]).collect();
            let allocations = path.allocations(&others, &[record; 10]);
            assert!(
                path.rejected > 0 || allocations == 0,
                "{allocations}: {} {}",
                example.display(),
                record.escape_ascii()
            );
        }
    }
    assert!(examples >= 6, "examples are missing");
}

/// Allocations while these records are mapped by this mapping.
fn allocations(mapping: &str, records: &[&str]) -> u64 {
    let config = format!("{HEAD}\n{mapping}\n{TAIL}");
    DataPath::new(mapper(&config)).allocations(records, records)
}

#[test]
fn texts_and_gaps_allocate_nothing() {
    let f = |mapping: &str, records: &[&str]| {
        assert_eq!(allocations(mapping, records), 0, "{mapping}\n{records:?}");
    };
    let escaped = [
        r#"{"n":"a\u0020b\n","t":"x\\ty, z=\u00e9","s":"\"q\" \ud83d\ude00\\","v":1}"#,
        r#"{"n":"온도, 실내","t":"C:\\dir\\","s":"plain","v":2.5e3}"#,
        r#"{"\u006e":"short","\u0074":"","s":"","v":3}"#,
    ];
    f("name_key = \"n\"\ntag_keys = [\"t\"]\nstring_fields = [\"s\"]", &escaped);
    let changing = [
        r#"{"a":1,"b":{"c":[1,2,3],"d":null},"t":"x"}"#,
        r#"{"b":{"d":5},"t":"","a":null}"#,
        r#"{"b":{"c":[1,[2,{"e":1}]]},"a":-0.5}"#,
        r#"{"t":7.50,"a":1}"#,
        r#"{"b":{},"a":1,"a":2}"#,
        r#"[{"a":1},{"a":2,"t":"x"}]"#,
    ];
    f("tag_keys = [\"t\"]", &changing);
    let kafka = "key_tag = \"key\"\nheader_tags = [\"unit\"]\ntopic_tag = \"topic\"\npartition_tag = \"p\"";
    f(
        &format!("{kafka}\ntag_keys = [\"t\"]\noffset_field = \"o\"\ntags = {{ z = \"1\", key = \"2\" }}"),
        &changing,
    );
}

#[test]
fn mappings_allocate_nothing() {
    let f = |mapping: &str, records: &[&str]| {
        assert_eq!(allocations(mapping, records), 0, "{mapping}\n{records:?}");
    };
    let numbers = [r#"{"n":" 5.5 ","a":{"b":123}}"#, r#"{"n":"7","a":{"b":-1}}"#];
    f("integers = \"int\"\nnumber_fields = [\"n\"]\nrename = { \"a_*\" = \"*\" }", &numbers);
    let time = |format: &str| format!("time_key = \"t\"\ntime_format = \"{format}\"");
    f(&time("rfc3339"), &[r#"{"t":"2026-01-01T09:00:00.123+09:00","v":1}"#]);
    f(&time("unix"), &[r#"{"t":1767225600.5,"v":1}"#, r#"{"t":"1767225601","v":1}"#]);
    f(&format!("{}\ndistinct_times = \"always\"", time("unix_ms")), &[r#"{"t":1767225600123,"v":1}"#]);
    let seoul = format!("{}\ntimezone = \"Asia/Seoul\"", time("%Y-%m-%d %H:%M:%S"));
    f(&seoul, &[r#"{"t":"2026-01-01 09:00:00","v":1}"#]);
    f("format = \"json_lines\"", &["{\"v\":1}\n\n{\"v\":2}\n"]);
    f("", &[r#"{"a":"dropped","b":1}"#]);
    f("integers = \"int\"", &[r#"{"a":12345678901234567890123,"b":1}"#]);
    let sites = [r#"{"site":"a","items":[{"v":1},{"v":2}]}"#, r#"{"items":[{"v":1}]}"#, r#"{"site":"b"}"#];
    f("query = \"$.items\"\nname_key = \"$.site\"", &sites);
    let roots = [r#"{"site":"a","at":{"floor":2},"v":1}"#, r#"{"at": {"floor":3},"v":2,"site":"b"}"#];
    f("name_key = \"$.site\"\ntag_keys = [\"$.at.floor\"]", &roots);
    f("query = \"$.items\"\ntag_keys = [\"$.site\", \"$.time\"]\nrename = { site = \"place\" }", &sites);
}

/// Known exceptions, with their limits.
#[test]
fn known_exceptions_allocate_little() {
    let f = |mapping: &str, record: &str, most: u64| {
        let got = allocations(mapping, &[record; 10]);
        assert!(got <= most * 10, "{got} for 10 records: {mapping}\n{record}");
    };
    // A rejected record: the list of its rejections, and the texts of the reason.
    f("", r#"{"a":tru}"#, 1);
    f("", "5", 1);
    f("", "", 1);
    f("strict = false", r#"[{"v":1},5]"#, 1);
    let time = "time_key = \"t\"\ntime_format = \"unix_ms\"";
    f(time, r#"{"v":1}"#, 2);
    f(time, r#"{"t":"x","v":1}"#, 4);
    f("name_key = \"n\"", r##"{"n":"#x","v":1}"##, 2);
    // A JSONPath that needs a tree of the record.
    f("query = \"$.items[*]\"", r#"{"site":"a","items":[{"v":1},{"v":2}]}"#, 30);
}
