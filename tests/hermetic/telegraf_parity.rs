//! Compares the bridge's lines with Telegraf's: each row was observed on Telegraf 1.37.2 with the same record and options.

use base::record::{Record, RecordTime};
use line_protocol::LineBuffer;
use mapping::Format;
use mapping::decode::Query;
use mapping::{
    DistinctTimes, DropReason, Globs, Integers, KeySelector, Mapped, Mapper, Reason, RecordLimits, Rules,
    Template, TimeFormat, TimeRule, zone_by_name,
};
use std::sync::Arc;

const KAFKA_NS: i64 = 1_700_000_000_123_000_000;

struct Case {
    rules: Rules,
    time: RecordTime,
}

/// Result of mapping a record: lines (without timestamp unless there is a `time_key`), rejections and drops.
struct Got {
    lines: String,
    mapped: Mapped,
    drops: Vec<(DropReason, u64)>,
}

fn case() -> Case {
    let rules = Rules { measurement: Template::literal("kafka_consumer"), ..Rules::default() };
    Case { rules, time: RecordTime::Omitted }
}

fn globs(patterns: &[&str]) -> Globs {
    Globs::compile(patterns).unwrap()
}

impl Case {
    fn name_key(mut self, key: &str) -> Self {
        self.rules.name_key = Some(KeySelector::Flattened(key.to_owned()));
        self
    }

    fn tags(mut self, patterns: &[&str]) -> Self {
        self.rules.tag_keys = globs(patterns);
        self
    }

    fn strings(mut self, patterns: &[&str]) -> Self {
        self.rules.string_fields = globs(patterns);
        self
    }

    fn time(mut self, key: &str, format: &str) -> Self {
        self.rules.time = Some(TimeRule::new(
            KeySelector::Flattened(key.to_owned()),
            TimeFormat::parse(format).unwrap(),
            zone_by_name("UTC").unwrap(),
        ));
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(&mut self.rules);
        self
    }

    fn at(mut self, time: RecordTime) -> Self {
        self.time = time;
        self
    }

    fn map(self, record: impl AsRef<[u8]>) -> Got {
        let limits = RecordLimits { record_bytes_max: 1_000_000, lines_bytes_max: 8_000_000 };
        let mut mapper = Mapper::new(Arc::new(self.rules), "testtopic", limits);
        let record = Record {
            partition: 0,
            offset: 7,
            time: self.time,
            key: None,
            value: Some(record.as_ref()),
            headers: &[],
        };
        // Mapped twice, because learning from the first pass must not change the second.
        let mut first = LineBuffer::default();
        mapper.map(&record, &mut first);
        mapper.take_drops();
        let mut lines = LineBuffer::default();
        let became = mapper.map(&record, &mut lines);
        assert_eq!(first.text(), lines.text());
        let lines = String::from_utf8(lines.text().to_vec()).expect("lines are UTF-8");
        Got { lines, mapped: became, drops: mapper.take_drops().iter().collect() }
    }
}

impl Got {
    #[track_caller]
    fn is(self, want: &str) -> Self {
        assert_eq!(self.lines.trim_end_matches('\n'), want);
        self
    }

    #[track_caller]
    fn rejected(self, reasons: &[(Option<usize>, Reason)]) -> Self {
        let got: Vec<_> = self.mapped.rejected.iter().map(|(index, why)| (*index, why.reason())).collect();
        assert_eq!(got, reasons);
        self
    }

    #[track_caller]
    fn dropped(self, drops: &[(DropReason, u64)]) -> Self {
        assert_eq!(self.drops, drops);
        self
    }
}

#[test]
fn documented_example() {
    case()
        .name_key("name")
        .tags(&["my_tag_1"])
        .strings(&["b_my_field"])
        .map(r#"{"a":5,"b":{"c":6,"my_field":"description"},"my_tag_1":"foo","name":"my_json"}"#)
        .is(r#"my_json,my_tag_1=foo a=5,b_c=6,b_my_field="description""#)
        .dropped(&[]);
}

#[test]
fn row_01_flattening() {
    let record = r#"{"a":[1,"x",true,null,{"k":2}],"o":{},"e":[]}"#;
    case().strings(&["*"]).map(record).is(r#"kafka_consumer a_0=1,a_1="x",a_2=true,a_4_k=2"#).dropped(&[]);
}

#[test]
fn row_02_two_ways_to_one_flattened_key() {
    case().map(r#"{"a":{"b":1},"a_b":2}"#).is("kafka_consumer a_b=2").dropped(&[(DropReason::Duplicate, 1)]);
    case().map(r#"{"a_b":2,"a":{"b":1}}"#).is("kafka_consumer a_b=1").dropped(&[(DropReason::Duplicate, 1)]);
    // A dropped value replaces nothing.
    case().map(r#"{"a":{"b":1},"a_b":null}"#).is("kafka_consumer a_b=1").dropped(&[]);
    case().map(r#"{"a":{"b":1},"a_b":2,"a_b":null}"#).is("kafka_consumer a_b=1");
    let got = case().map(r#"{"a_b":2,"a":{"b":1},"a":{"b":3},"a":{}}"#);
    got.is("kafka_consumer a_b=2").dropped(&[(DropReason::Duplicate, 2)]);
    // Keys that are equal after escaping replace each other.
    let got = case().map(r#"{"a":1,"a\u0000":2}"#);
    got.is("kafka_consumer a=2").dropped(&[(DropReason::Duplicate, 1), (DropReason::Backslash, 1)]);
    case().tags(&["t*"]).map(r#"{"v":1,"t\n":1,"t\\n":2}"#).is(r"kafka_consumer,t\n=2 v=1");
}

#[test]
fn row_03_duplicate_keys_the_last_wins_whole() {
    case()
        .map(r#"{"a":{"x":1},"a":{"y":2}}"#)
        .is("kafka_consumer a_y=2")
        .dropped(&[(DropReason::Duplicate, 1)]);
    case().map(r#"{"a":1,"b":3,"a":2}"#).is("kafka_consumer b=3,a=2");
    case().map(r#"{"a":{"x":1,"y":2},"b":3,"a":null}"#).is("kafka_consumer b=3");
    case().map(r#"{"a":{"x":{"z":1}},"a":{"x":{"z":2}},"a":{"x":{"y":3}}}"#).is("kafka_consumer a_x_y=3");
    case().name_key("o_n").map(r#"{"o":{"n":"m","v":1},"o":{"v":2}}"#).is("kafka_consumer o_v=2");
    case().tags(&["t"]).map(r#"{"t":"a","v":1,"t":"b"}"#).is("kafka_consumer,t=b v=1");
    let fallback =
        case().tags(&["t"]).with(|rules| rules.tags = vec![("t".to_owned(), Template::literal("f"))]);
    fallback.map(r#"{"t":"a","v":1,"t":null}"#).is("kafka_consumer,t=f v=1");
}

#[test]
fn row_04_digits_as_written() {
    case().map(r#"{"a":9007199254740993}"#).is("kafka_consumer a=9007199254740993");
}

#[test]
fn row_05_exponents() {
    case().map(r#"{"a":1e21,"b":1e-7,"c":-0.0}"#).is("kafka_consumer a=1e21,b=1e-7,c=-0.0");
}

#[test]
fn row_06_beyond_floating_point() {
    case().map(r#"{"a":1,"b":1e400}"#).is("").rejected(&[(None, Reason::Undecodable)]);
}

#[test]
fn row_07_tags_of_all_types() {
    let record = r#"{"n":1.50,"h":1e3,"t":true,"v":1}"#;
    case().tags(&["n", "h", "t"]).map(record).is("kafka_consumer,h=1000,n=1.5,t=true v=1");
    // Integers keep their digits, also beyond 2^53.
    let record = r#"{"id":9007199254740993,"v":1}"#;
    case().tags(&["id"]).map(record).is("kafka_consumer,id=9007199254740993 v=1");
}

#[test]
fn row_08_the_name_key_is_not_removed() {
    case().name_key("name").strings(&["*"]).map(r#"{"v":1,"name":"m"}"#).is(r#"m v=1,name="m""#);
    case().name_key("name").map(r#"{"v":1,"name":"m"}"#).is("m v=1").dropped(&[]);
}

#[test]
fn row_09_a_name_that_is_no_string() {
    case().name_key("name").map(r#"{"v":1,"name":5}"#).is("kafka_consumer v=1,name=5");
}

#[test]
fn row_10_an_empty_name() {
    case().name_key("name").map(r#"{"v":1,"name":""}"#).is("kafka_consumer v=1");
}

#[test]
fn row_11_a_name_that_would_be_a_comment() {
    case()
        .name_key("name")
        .map(r##"{"v":1,"name":"#x"}"##)
        .is("")
        .rejected(&[(Some(0), Reason::Measurement)]);
}

#[test]
fn row_12_trailing_backslashes() {
    let record = r#"{"k\\":1,"name":"m\\","t":"x\\\\"}"#;
    let got = case().name_key("name").tags(&["t"]).map(record);
    got.is("m,t=x k=1").dropped(&[(DropReason::Backslash, 3)]);
}

#[test]
fn row_13_tag_values() {
    case().tags(&["t"]).map(r#"{"v":1,"t":"a b,c=d"}"#).is(r"kafka_consumer,t=a\ b\,c\=d v=1");
}

#[test]
fn row_14_newlines_in_strings() {
    case().strings(&["s"]).map(r#"{"s":"a\nb"}"#).is("kafka_consumer s=\"a\nb\"");
}

#[test]
fn row_15_line_breaks_in_names_tags_and_keys() {
    let record = r#"{"k\n":1,"name":"m\r","t":"x\ty\fz"}"#;
    case().name_key("name").tags(&["t"]).map(record).is(r"m\r,t=x\ty\fz k\n=1");
}

#[test]
fn row_16_integers() {
    let record = r#"{"a":5,"b":5.0,"c":-0,"d":9223372036854775808}"#;
    case().map(record).is("kafka_consumer a=5,b=5.0,c=-0,d=9223372036854775808");
    let int = case().with(|rules| rules.integers = Integers::Int);
    int.map(record).is("kafka_consumer a=5i,b=5.0,c=-0i").dropped(&[(DropReason::IntegerRange, 1)]);
}

#[test]
fn row_17_strings_and_booleans_are_dropped_and_counted() {
    case().map(r#"{"v":1,"s":"x","b":true}"#).is("kafka_consumer v=1").dropped(&[(DropReason::String, 2)]);
}

#[test]
fn row_18_nulls_and_empty_containers() {
    case()
        .strings(&["*"])
        .map(r#"{"v":1,"n":null,"o":{},"a":[],"p":[null]}"#)
        .is("kafka_consumer v=1")
        .dropped(&[]);
}

#[test]
fn row_19_a_point_without_fields() {
    let got = case().tags(&["t"]).map(r#"{"t":"x"}"#).is("").rejected(&[]);
    assert_eq!(got.mapped.filtered, 1);
}

#[test]
fn row_20_arrays_strict_and_not() {
    let record = r#"[{"a":1,"t":1},{"a":2}]"#;
    case().time("t", "unix").map(record).is("").rejected(&[(Some(1), Reason::Time)]);
    let lenient = case().time("t", "unix").with(|rules| rules.strict = false);
    lenient.map(record).is("kafka_consumer a=1 1000000000").rejected(&[(Some(1), Reason::Time)]);
}

#[test]
fn row_21_an_element_that_is_no_object() {
    case().map(r#"[{"v":1},2]"#).is("").rejected(&[(Some(1), Reason::NotAnObject)]);
    case().map("7").is("").rejected(&[(Some(0), Reason::NotAnObject)]);
    case().map("null").is("").rejected(&[(Some(0), Reason::NotAnObject)]);
}

#[test]
fn row_22_several_values_in_one_record() {
    let record = "{\"a\":1}\n{\"b\":2}";
    case().map(record).is("").rejected(&[(None, Reason::Undecodable)]);
    let lines = || case().with(|rules| rules.format = Format::JsonLines);
    lines().map(record).is("kafka_consumer a=1\nkafka_consumer b=2");
    lines().map("\n{\"a\":1}\r\n\n").is("kafka_consumer a=1");
    lines().map("{\"a\":1}\n{\"b\":").is("").rejected(&[(Some(1), Reason::Undecodable)]);
    let lenient = lines().with(|rules| rules.strict = false);
    lenient.map("{\"a\":1}\n{\"b\":\n{\"c\":3}").is("kafka_consumer a=1\nkafka_consumer c=3");
}

#[test]
fn row_23_the_elements_of_a_query_have_distinct_times() {
    let query = |case: Case| case.with(|rules| rules.query = Query::parse("$.obj").unwrap());
    let record = r#"{"obj":[{"v":1},{"v":2}]}"#;
    query(case())
        .at(RecordTime::At(KAFKA_NS))
        .map(record)
        .is("kafka_consumer v=1 1700000000123088059\nkafka_consumer v=2 1700000000123088060");
    let never = query(case()).with(|rules| rules.distinct_times = DistinctTimes::Never);
    never
        .at(RecordTime::At(KAFKA_NS))
        .map(record)
        .is("kafka_consumer v=1 1700000000123000000\nkafka_consumer v=2 1700000000123000000");
}

#[test]
fn row_24_text_that_is_not_utf8() {
    let strings = || case().strings(&["*"]);
    strings().map(b"\xEF\xBB\xBF{\"s\":\"x\"}").is("kafka_consumer s=\"x\"");
    let got = strings().map(br#"{"s":"\ud800"}"#);
    got.is("kafka_consumer s=\"\u{FFFD}\"").dropped(&[(DropReason::NotUtf8, 1)]);
    // Text in EUC-KR.
    let got = strings().map(b"{\"s\":\"\xB0\xA1\",\"v\":1}");
    got.is("kafka_consumer s=\"\u{FFFD}\u{FFFD}\",v=1").dropped(&[(DropReason::NotUtf8, 1)]);
}

#[test]
fn row_25_tags_are_sorted() {
    let record = r#"{"z":"1","a":"2","v":1,"M":"3","온도":"4"}"#;
    case().tags(&["z", "a", "M", "온도"]).map(record).is("kafka_consumer,M=3,a=2,z=1,온도=4 v=1");
}

#[test]
fn times() {
    let ns = || case().time("t", "unix_ns");
    ns().map(r#"{"v":1,"t":1536001411123456789}"#).is("kafka_consumer v=1 1536001411123456789");
    let unix = || case().time("t", "unix");
    unix().map(r#"{"v":1,"t":1720474028903000}"#).is("").rejected(&[(Some(0), Reason::Time)]);
    unix().map(r#"{"v":1,"t":"1536001411.5"}"#).is("kafka_consumer v=1 1536001411500000000");
    unix().map(r#"{"v":1,"t":null}"#).is("").rejected(&[(Some(0), Reason::Time)]);
    unix().map(r#"{"v":1}"#).is("").rejected(&[(Some(0), Reason::Time)]);
    unix().map(r#"{"v":1,"t":true}"#).is("").rejected(&[(Some(0), Reason::Time)]);
    case().at(RecordTime::At(KAFKA_NS)).map(r#"{"v":1}"#).is("kafka_consumer v=1 1700000000123088059");
    case().at(RecordTime::Missing).map(r#"{"v":1}"#).is("").rejected(&[(Some(0), Reason::Time)]);
    // The time key is neither a field nor a tag.
    unix().tags(&["*"]).map(r#"{"v":1,"t":1}"#).is("");
}

#[test]
fn queries_that_find_nothing_or_a_scalar() {
    let query = |path: &str| case().with(|rules| rules.query = Query::parse(path).unwrap());
    for record in [r#"{"a":1}"#, r#"{"obj":null}"#] {
        let got = query("$.obj").map(record).is("").rejected(&[]);
        assert_eq!(got.mapped.filtered, 1, "{record}");
    }
    // Better than Telegraf, which refuses a scalar.
    query("$.obj").map(r#"{"obj":5}"#).is("kafka_consumer obj=5").rejected(&[]);
}
