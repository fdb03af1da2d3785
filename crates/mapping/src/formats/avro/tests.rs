use crate::formats::{AvroSchema, Format, FormatReader, Schema};
use crate::test_support::{self, lines_of, mapper};
use crate::{
    DropReason, FirstDrop, KeySelector, Lookup, Mapper, MissingSchema, Rejection, Rules, Schemas, TimeFormat,
    TimeRule,
};
use base::record::{Record, RecordTime};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

fn schema(text: &str) -> Schema {
    Schema::Avro(Arc::new(AvroSchema::compile(text, []).unwrap_or_else(|error| panic!("{text}: {error}"))))
}

fn rules(text: &str) -> Rules {
    Rules { format: Format::Avro, schema: Some(schema(text)), ..Rules::default() }
}

fn json(text: &str, bytes: &[u8]) -> Result<String, String> {
    let json = rules(text).to_json(bytes).map_err(|why| why.to_string())?.into_owned();
    Ok(String::from_utf8(json).unwrap())
}

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)
}

#[test]
fn writes_each_type_as_json() {
    let f = |text: &str, bytes: &[u8], want: &str| {
        assert_eq!(json(text, bytes).as_deref(), Ok(want), "{text} {bytes:x?}");
    };
    f(r#""null""#, b"", "null");
    f(r#""boolean""#, b"\x01", "true");
    f(r#""boolean""#, b"\x00", "false");
    f(r#""int""#, b"\x01", "-1");
    f(r#""int""#, b"\x80\x01", "64");
    f(r#""long""#, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "-9223372036854775808");
    f(r#""long""#, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "9223372036854775807");
    f(r#""float""#, &0.1_f32.to_le_bytes(), "0.1");
    f(r#""double""#, &3.0_f64.to_le_bytes(), "3.0");
    f(r#""bytes""#, b"\x02x", "null");
    f(r#""string""#, b"\x06a\"\n", r#""a\"\u000a""#);
    f(r#"{"type":"fixed","name":"F","size":2}"#, b"xy", "null");
    f(r#"{"type":"enum","name":"E","symbols":["ON","OFF"]}"#, b"\x02", r#""OFF""#);
    f(r#"{"type":"array","items":"int"}"#, b"\x04\x02\x04\x02\x06\x00", "[1,2,3]");
    // A block with its size in bytes.
    f(r#"{"type":"array","items":"int"}"#, b"\x03\x04\x02\x04\x00", "[1,2]");
    f(r#"{"type":"array","items":"int"}"#, b"\x00", "[]");
    f(r#"{"type":"map","values":"int"}"#, b"\x04\x02a\x02\x02b\x04\x00", r#"{"a":1,"b":2}"#);
    f(r#"{"type":"map","values":"int"}"#, b"\x00", "{}");
    f(r#"["null","int"]"#, b"\x00", "null");
    f(r#"["null","int"]"#, b"\x02\x0e", "7");
    f(&record(""), b"", "{}");
    let nested = record(
        r#"{"name":"a","type":"int"},{"name":"in","type":{"type":"record","name":"I","fields":[{"name":"b","type":["null","string"]}]}}"#,
    );
    f(&nested, b"\x02\x02\x02x", r#"{"a":1,"in":{"b":"x"}}"#);
}

#[test]
fn floats_have_a_fraction_or_an_exponent() {
    for number in [0.0, -0.0, 1.0, 1e15, 1e16, 1e17, 1e21, 1e300, 5e-324, f64::MAX, 9_007_199_254_740_992.0] {
        let text = json(r#""double""#, &number.to_le_bytes()).unwrap();
        assert!(text.contains(['.', 'e']), "{text}");
        assert_eq!(text.parse().map(f64::to_bits), Ok(number.to_bits()), "{text}");
    }
    for number in [0.0, 1.0, 1e10, 16_777_216.0, f32::MIN_POSITIVE, f32::MAX] {
        let text = json(r#""float""#, &number.to_le_bytes()).unwrap();
        assert!(text.contains(['.', 'e']), "{text}");
        assert_eq!(text.parse().map(f32::to_bits), Ok(number.to_bits()), "{text}");
    }
}

#[test]
fn logical_types_are_numbers_and_text() {
    let f = |kind: &str, logical: &str, bytes: &[u8], want: &str| {
        let text = format!(r#"{{{kind},"logicalType":{logical}}}"#);
        assert_eq!(json(&text, bytes).as_deref(), Ok(want), "{text}");
    };
    let (long, int, bytes) = (r#""type":"long""#, r#""type":"int""#, r#""type":"bytes""#);
    f(long, r#""timestamp-millis""#, b"\x02", "1");
    f(long, r#""time-micros""#, b"\x02", "1");
    f(int, r#""date""#, b"\x02", "1");
    f(int, r#""time-millis""#, b"\x02", "1");
    f(bytes, r#""decimal","precision":4,"scale":2"#, b"\x04\x04\xd2", "12.34");
    f(bytes, r#""decimal","precision":4,"scale":2"#, b"\x02\xff", "-0.01");
    f(bytes, r#""decimal","precision":4,"scale":2"#, b"\x00", "0.00");
    f(bytes, r#""decimal","precision":4"#, b"\x04\xfb\x2e", "-1234");
    f(bytes, r#""big-decimal""#, b"\x08\x04\x04\xd2\x04", "12.34");
    let fixed = |size: usize| format!(r#""type":"fixed","name":"F","size":{size}"#);
    f(
        &fixed(20),
        r#""decimal","precision":40,"scale":1"#,
        &[[0xFF; 19].as_slice(), &[0xFE]].concat(),
        "-0.2",
    );
    let uuid = [0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0];
    f(&fixed(16), r#""uuid""#, &uuid, r#""123e4567-e89b-12d3-a456-426614174000""#);
    f(r#""type":"string""#, r#""uuid""#, b"\x02x", r#""x""#);
    f(&fixed(12), r#""duration""#, &[0; 12], "null");
    // Logical types that are unknown, or that the type cannot have, are ignored.
    f(long, r#""date""#, b"\x02", "1");
    f(r#""type":"string""#, r#""timestamp-millis""#, b"\x02x", r#""x""#);
    f(bytes, r#""decimal","precision":4,"scale":-1"#, b"\x02\xff", "null");
    // More than 16 bytes.
    f(bytes, r#""decimal","precision":99"#, &[[34].as_slice(), &[1; 17]].concat(), "null");
}

#[test]
fn names_refer_to_types_within_their_namespaces() {
    let f =
        |text: &str, bytes: &[u8], want: &str| assert_eq!(json(text, bytes).as_deref(), Ok(want), "{text}");
    // A list, and a tree by the full name.
    let list = r#"{"type":"record","name":"L","namespace":"a.b","fields":[{"name":"v","type":"int"},{"name":"n","type":["null","L"]}]}"#;
    f(list, b"\x02\x02\x04\x00", r#"{"v":1,"n":{"v":2,"n":null}}"#);
    f(&list.replace("\"L\"]", "\"a.b.L\"]"), b"\x02\x00", r#"{"v":1,"n":null}"#);
    let twice = record(
        r#"{"name":"x","type":{"type":"fixed","name":"p.D","size":1,"logicalType":"decimal","precision":2,"scale":1}},
           {"name":"y","type":"p.D"},{"name":"z","type":{"type":"p.D"}}"#,
    );
    f(&twice, b"\x01\x02\x03", r#"{"x":0.1,"y":0.2,"z":0.3}"#);
    // Names that Java's generated classes have, and others that the specification forbids.
    f(
        r#"{"type":"record","name":"a.B$C","fields":[{"name":"x-y \"z\"","type":"int"}]}"#,
        b"\x02",
        r#"{"x-y \"z\"":1}"#,
    );
    let host =
        r#"{"type":"record","name":"Host","namespace":"a","fields":[{"name":"name","type":"string"}]}"#;
    let cpu = r#"{"type":"record","name":"Cpu","namespace":"a","fields":[{"name":"host","type":"Host"},{"name":"v","type":"int"}]}"#;
    let all = r#"["a.Cpu","a.Host"]"#;
    let compiled = Schema::Avro(Arc::new(AvroSchema::compile(all, [host, cpu]).unwrap()));
    let rules = Rules { schema: Some(compiled), ..rules(r#""null""#) };
    assert_eq!(*rules.to_json(b"\x00\x02h\x02").unwrap(), *br#"{"host":{"name":"h"},"v":1}"#);
}

#[test]
fn a_text_that_is_no_schema_is_refused_with_the_reason() {
    let f = |text: &str, want: &str| {
        let error = AvroSchema::compile(text, []).unwrap_err().to_string();
        assert_eq!(error, want, "{text}");
    };
    f("", "it is not JSON: EOF while parsing a value at line 1 column 0");
    f("1", "1 is no type");
    f("{}", "a type \"object\" has no \"type\"");
    f(r#""long int""#, "the type long int is not defined");
    f(r#"{"type":"record","name":"R"}"#, "a type \"record\" has no \"fields\"");
    f(r#"{"type":"record","fields":[]}"#, "a type \"record\" has no \"name\"");
    f(r#"{"type":"enum","name":"E"}"#, "a type \"enum\" has no \"symbols\"");
    f(r#"{"type":"enum","name":"E","symbols":[1]}"#, "1 is no type");
    f(r#"{"type":"fixed","name":"E","size":-1}"#, "a type \"fixed\" has no \"size\"");
    f(r#"{"type":"array"}"#, "a type \"array\" has no \"items\"");
    f(
        r#"[{"type":"fixed","name":"E","size":1},{"type":"fixed","name":"E","size":1}]"#,
        "the type E is defined twice",
    );
    let deep = format!("{}\"int\"{}", "[".repeat(1_000), "]".repeat(1_000));
    assert!(AvroSchema::compile(&deep, []).unwrap_err().to_string().contains("recursion limit"));
    let many = format!("[{}\"int\"]", "\"int\",".repeat(100_000));
    f(&many, "it has more than 100000 types");
}

#[test]
fn a_value_that_does_not_fit_is_rejected_with_its_position() {
    let f = |text: &str, bytes: &[u8], want: &str| {
        assert_eq!(
            json(text, bytes),
            Err(format!("it does not fit its `schema`: {want}")),
            "{text} {bytes:x?}"
        );
    };
    f(r#""boolean""#, b"\x02", "a boolean that is neither 0 nor 1 at byte 0");
    f(r#""int""#, b"\x80\x80\x80\x80\x10", "an int of more than 32 bits at byte 0");
    f(r#""long""#, &[0xFF; 11], "an integer of more than 64 bits at byte 0");
    f(r#""long""#, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "an integer of more than 64 bits at byte 0");
    f(r#""long""#, b"\xff", "the value is cut off at byte 1");
    f(r#""long""#, b"\x02\x02", "bytes behind the value at byte 1");
    f(r#""string""#, b"\x01", "a negative length at byte 0");
    f(r#""string""#, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01x", "the value is cut off at byte 11");
    f(r#"{"type":"fixed","name":"F","size":18446744073709551615}"#, b"x", "the value is cut off at byte 1");
    f(
        r#"{"type":"enum","name":"E","symbols":["A"]}"#,
        b"\x02",
        "a symbol that the enum does not have at byte 0",
    );
    f(
        r#"{"type":"enum","name":"E","symbols":["A"]}"#,
        b"\x01",
        "a symbol that the enum does not have at byte 0",
    );
    f(r#"["null"]"#, b"\x02", "a branch that the union does not have at byte 0");
    f(r#"["null"]"#, b"\x01", "a branch that the union does not have at byte 0");
    f(
        r#"{"type":"bytes","logicalType":"big-decimal"}"#,
        b"\x08\x02\x01\x00\x00",
        "a decimal that is shorter than its bytes at byte 0",
    );
    let container = json(r#""boolean""#, b"Obj\x01").unwrap_err();
    assert!(container.contains("at byte 0; it begins like an Avro container file"), "{container}");
    let frame = json(&record(r#"{"name":"a","type":"int"}"#), b"\0\0\0\0\x07\x02").unwrap_err();
    assert!(frame.contains("; it begins like the frame of a schema registry: leave `schema` out"), "{frame}");
}

#[test]
fn claimed_lengths_and_depths_are_bounded() {
    let huge = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    let nulls = rules(r#"{"type":"array","items":"null"}"#);
    let mut reader = FormatReader::default();
    let mut read = |rules: &Rules, bytes: &[u8]| {
        let schema = rules.schema.as_ref().map(|schema| crate::formats::SchemaUse { id: None, schema });
        reader.read(rules, bytes, schema, 1_000).unwrap_err()
    };
    assert_eq!(read(&nulls, huge), Rejection::TextTooLarge { bytes_max: 1_000 });
    // The count of a block may be the smallest number.
    let smallest = [&[0xFF; 9][..], &[1, 0]].concat();
    assert_eq!(read(&nulls, &smallest), Rejection::TextTooLarge { bytes_max: 1_000 });
    let wide = record(r#"{"name":"a_long_name_of_a_field","type":"null"},{"name":"b","type":"null"}"#);
    let empty = rules(&format!(r#"{{"type":"array","items":{wide}}}"#));
    assert_eq!(read(&empty, huge), Rejection::TextTooLarge { bytes_max: 1_000 });
    let within = rules(&record(r#"{"name":"r","type":"R"}"#));
    assert!(matches!(read(&within, b""), Rejection::TooDeep(_)));
    let list = rules(&record(r#"{"name":"n","type":["null","R"]}"#));
    assert!(matches!(read(&list, &vec![2; 1_000_000]), Rejection::TooDeep(_)));
    let arrays = rules(&record(r#"{"name":"n","type":{"type":"array","items":"R"}}"#));
    assert!(matches!(read(&arrays, &vec![2; 1_000_000]), Rejection::TooDeep(_)));
}

#[test]
fn dropped_values_are_named_by_their_flattened_keys() {
    let text = record(
        r#"{"name":"a","type":"bytes"},{"name":"m","type":{"type":"map","values":{"type":"array","items":["null","double"]}}}"#,
    );
    let rules = rules(&text);
    let bytes = [&b"\x02x\x02\x04k\"\x04\x00\x02"[..], &f64::NAN.to_le_bytes(), b"\0\0"].concat();
    let json = rules.to_json(&bytes).unwrap();
    assert_eq!(*json, *br#"{"a":null,"m":{"k\"":[null,null]}}"#);
    let mut mapper = mapper(rules);
    assert_eq!(mapped(&mut mapper, &bytes).as_deref(), Ok(""));
    let want = [("a", DropReason::Binary), ("m_k\"_1", DropReason::NotFinite)];
    assert_eq!(mapper.take_first_drops(), want.map(|(key, drop)| FirstDrop { key: key.to_owned(), drop }));
}

fn line(rules: Rules, value: &[u8]) -> Result<String, String> {
    mapped(&mut mapper(rules), value)
}

fn mapped(mapper: &mut Mapper, value: &[u8]) -> Result<String, String> {
    lines_of(mapper, &Record { time: RecordTime::At(7), ..test_support::record(value) })
}

#[test]
fn times_of_logical_types_need_no_time_format() {
    let f = |kind: &str, zone: &str, bytes: &[u8], want: &str| {
        let text = record(&format!(r#"{{"name":"v","type":"int"}},{{"name":"t","type":["null",{kind}]}}"#));
        let key = KeySelector::Flattened("t".to_owned());
        for format in [TimeFormat::Timestamp, TimeFormat::Rfc3339] {
            let time = Some(TimeRule::new(key.clone(), format, crate::zone_by_name(zone).unwrap()));
            let value = [b"\x02\x02", bytes].concat();
            assert_eq!(
                line(Rules { time, ..rules(&text) }, &value),
                Ok(format!("t v=1 {want}\n")),
                "{kind} {zone}"
            );
        }
    };
    let long = |logical: &str| format!(r#"{{"type":"long","logicalType":"{logical}"}}"#);
    f(&long("timestamp-millis"), "Asia/Seoul", b"\x04", "2000000");
    f(&long("timestamp-micros"), "Asia/Seoul", b"\x04", "2000");
    f(&long("timestamp-nanos"), "Asia/Seoul", b"\x04", "2");
    f(&long("timestamp-millis"), "UTC", b"\x03", "-2000000");
    // Nine hours before, by the clocks of Seoul.
    f(&long("local-timestamp-millis"), "Asia/Seoul", b"\x04", "-32399998000000");
    f(&long("local-timestamp-micros"), "UTC", b"\x04", "2000");
    f(&long("local-timestamp-nanos"), "UTC", b"\x04", "2");
    f(r#"{"type":"int","logicalType":"date"}"#, "UTC", b"\x04", "172800000000000");
    f(r#"{"type":"int","logicalType":"date"}"#, "Asia/Seoul", b"\x04", "140400000000000");
}

#[test]
fn a_time_elsewhere_is_an_integer_in_its_unit() {
    for (kind, logical) in [
        ("long", "timestamp-millis"),
        ("long", "timestamp-micros"),
        ("long", "timestamp-nanos"),
        ("long", "local-timestamp-millis"),
        ("long", "local-timestamp-micros"),
        ("long", "local-timestamp-nanos"),
        ("int", "date"),
    ] {
        let text = record(&format!(r#"{{"name":"t","type":{{"type":"{kind}","logicalType":"{logical}"}}}}"#));
        let rules = Rules { integers: crate::Integers::Int, ..rules(&text) };
        let got = line(rules, b"\x04").unwrap();
        assert!(got.starts_with("t t=2i "), "{logical}: {got}");
    }
}

#[test]
fn a_time_out_of_range_and_a_plain_number_are_rejected() {
    let time = |text: &str, bytes: &[u8]| {
        let rule = TimeRule::new(
            KeySelector::Flattened("t".to_owned()),
            TimeFormat::Timestamp,
            jiff::tz::TimeZone::UTC,
        );
        line(Rules { time: Some(rule), ..rules(text) }, bytes).unwrap_err()
    };
    let fields = |kind: &str| record(&format!(r#"{{"name":"v","type":"int"}},{{"name":"t","type":{kind}}}"#));
    let largest = b"\x02\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    let out = time(&fields(r#"{"type":"long","logicalType":"timestamp-millis"}"#), largest);
    assert!(out.contains("it lies outside what InfluxDB can store"), "{out}");
    let plain = time(&fields("\"long\""), b"\x02\x04");
    assert!(plain.contains("other times need a `time_format`"), "{plain}");
}

/// Schemas by id, and how often they were asked for.
#[derive(Debug, Default)]
struct Known(HashMap<u32, Lookup>, std::sync::atomic::AtomicU64);

impl Schemas for Known {
    fn find(&self, id: u32) -> Lookup {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.0.get(&id).cloned().unwrap_or(Lookup::Missing(MissingSchema::Unknown))
    }

    fn has_answered(&self, _: u32, _: Instant) -> bool {
        false
    }
}

#[test]
fn framed_values_are_read_by_the_schema_of_their_id() {
    let one = schema(&record(r#"{"name":"a","type":"int"}"#));
    let two = schema(&record(r#"{"name":"a","type":"int"},{"name":"b","type":"double"}"#));
    let known = [
        (1, Lookup::Ready(one)),
        (2, Lookup::Ready(two)),
        (3, Lookup::Unusable("it is a JSON schema".into())),
        (4, Lookup::Missing(MissingSchema::Awaited)),
    ];
    let source = Arc::new(Known(known.into(), 0.into()));
    let rules =
        Rules { format: Format::Avro, distinct_times: crate::DistinctTimes::Never, ..Rules::default() };
    let mut without_schemas = mapper(rules.clone());
    let mut mapper = mapper(rules).with_schemas(Some(source.clone()));
    let framed = |id: u32, value: &[u8]| [&[0][..], &id.to_be_bytes(), value].concat();
    let mut f = |value: &[u8], want: Result<&str, &str>| {
        let got = mapped(&mut mapper, value);
        assert_eq!(got.as_deref().map_err(String::as_str), want, "{value:x?}");
    };
    f(&framed(1, b"\x02"), Ok("t a=1 7\n"));
    f(&framed(1, b"\x04"), Ok("t a=2 7\n"));
    // A new version of the schema, and records of the old one behind it.
    let second = framed(2, &[&b"\x04"[..], &0.5_f64.to_le_bytes()].concat());
    f(&second, Ok("t a=2,b=0.5 7\n"));
    f(&framed(1, b"\x06"), Ok("t a=3 7\n"));
    f(&framed(1, b"\x02\x02"), Err("it does not fit its schema 1: bytes behind the value at byte 6"));
    f(
        &framed(3, b"\x02"),
        Err(
            "its schema 3 can't be used: it is a JSON schema: register a new version of the schema, or give the topic the right `format`",
        ),
    );
    f(&framed(4, b"\x02"), Err("the schema registry has not answered yet what its schema 4 is"));
    f(
        &framed(5, b"\x02"),
        Err(
            "the schema registry has no schema 5: correct `url` of [schema_registry], or register the schema again under its id",
        ),
    );
    f(
        b"{\"a\":1}",
        Err(
            "it does not begin with the frame of a schema registry (0x00 and a schema id of four bytes): it begins like JSON, which `format = \"json\"` reads",
        ),
    );
    assert_eq!(source.1.load(std::sync::atomic::Ordering::Relaxed), 6, "a run of one schema asks once");
    let without = mapped(&mut without_schemas, &framed(9, b"")).unwrap_err();
    assert!(without.contains("no registry is configured: add [schema_registry]"), "{without}");
}

#[test]
fn layouts_that_are_not_read_are_rejected_by_name() {
    let text = record(r#"{"name":"a","type":"long"}"#);
    for (value, want) in [
        (&b"Obj\x01\x04\x16avro.schema"[..], "it begins like an Avro container file"),
        (b"\xC3\x01eightbyt\x02", "it begins like Avro's single-object encoding"),
        (b"\x03\x00sixteen bytes...\x02", "it begins like a frame of AWS Glue"),
        (b"\x01sixteen bytes...\x02", "it begins with a GUID instead of an id"),
    ] {
        let framed = line(Rules { format: Format::Avro, ..Rules::default() }, value).unwrap_err();
        let no_frame = "it does not begin with the frame of a schema registry";
        assert!(framed.starts_with(no_frame) && framed.contains(want), "{framed}");
        let unframed = line(rules(&text), value).unwrap_err();
        assert!(
            unframed.starts_with("it does not fit its `schema`") && unframed.contains(want),
            "{unframed}"
        );
    }
    let other = line(Rules { format: Format::Avro, ..Rules::default() }, b"\x02").unwrap_err();
    assert!(
        other.contains("write the id into the record's headers, which the bridge does not read"),
        "{other}"
    );
}

#[test]
fn json_behind_a_frame_is_read_and_other_formats_name_the_frame() {
    for format in [Format::Json, Format::JsonLines] {
        let rules = Rules { format, distinct_times: crate::DistinctTimes::Never, ..Rules::default() };
        assert_eq!(line(rules.clone(), b"\0\0\0\0\x07{\"a\":1}").as_deref(), Ok("t a=1 7\n"));
        assert_eq!(*rules.to_json(b"\0\0\0\0\x07{\"a\":1}").unwrap(), *b"{\"a\":1}");
    }
    for format in [Format::Influx, Format::Msgpack, Format::Cbor, Format::Csv, Format::Value] {
        let why = line(Rules { format, strict: false, ..Rules::default() }, b"\0\0\0\0\x07\x81\xa1a\x01")
            .unwrap_err();
        let want = format!(
            "it begins with the frame of a schema registry (schema 7), which values of format = {:?}",
            format.name()
        );
        assert!(why.starts_with(&want), "{why}");
    }
}

/// Values that the crate `apache-avro` wrote are read as the same values. `tests/avro` prints them; `AVRO_VALUES` names a file with others.
#[test]
fn reads_what_another_implementation_writes() {
    let values = match std::env::var("AVRO_VALUES") {
        Ok(path) => std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")),
        Err(_) => include_str!("apache_avro.txt").to_owned(),
    };
    let mut read = 0;
    let mut schema = None;
    for line in values.lines() {
        let Some(value) = line.strip_prefix('=') else {
            schema = Some((line, rules(line)));
            continue;
        };
        let (text, rules) = schema.as_ref().expect("a schema before its values");
        let (digits, want) = value.split_once(' ').expect("bytes and text");
        let bytes: Vec<u8> = digits
            .as_bytes()
            .chunks_exact(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let got = rules.to_json(&bytes).unwrap_or_else(|why| panic!("{text} {bytes:x?}: {why}"));
        assert_eq!(String::from_utf8_lossy(&got), want, "{text} {bytes:x?}");
        // Cut off anywhere, it is rejected or another value, and never a panic.
        for end in 0..bytes.len() {
            let _any = rules.to_json(&bytes[..end]);
        }
        read += 1;
    }
    assert!(read >= 2000, "only {read} values");
}
