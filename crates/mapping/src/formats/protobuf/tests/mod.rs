//! Messages by hand, and random messages of random schemas with `prost-reflect` as a second opinion.

use super::schema::{ProtobufSchema, ProtobufSchemaError, Resolver, pool};
use super::{delimited, messages_of_file};
use crate::drop_reason::DropReason;
use crate::formats::{Format, FormatReader, RecordText, Reference, Schema, SchemaUse};
use crate::rejection::Rejection;
use crate::test_support::{map, mapper, record};
use crate::{FirstDrop, KeySelector, Rules, TimeFormat, TimeRule};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

mod random;

const TYPES: &str = r#"
syntax = "proto3";
package t;
import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
message Numbers {
  double double = 1; float float = 2; int32 int32 = 3; int64 int64 = 4; uint32 uint32 = 5; uint64 uint64 = 6; sint32 sint32 = 7;
  sint64 sint64 = 8; fixed32 fixed32 = 9; fixed64 fixed64 = 10; sfixed32 sfixed32 = 11; sfixed64 sfixed64 = 12; bool bool = 13;
}
message Texts { string text = 1; bytes bytes = 2; State state = 3; repeated State states = 4; }
enum State { option allow_alias = true; OFF = 0; ON = 1; STARTED = 1; BAD = -1; }
message Presence { optional int64 set = 1; int64 always = 2; Presence inner = 3; repeated int64 list = 4; map<string, int64> map = 5; }
message Choice { oneof choice { int64 number = 1; string text = 2; Choice inner = 3; } }
message Lists { repeated int64 numbers = 1; repeated double doubles = 2; repeated string texts = 3; repeated Choice choices = 4; }
message Maps {
  map<string, double> a = 1; map<int32, string> b = 2; map<bool, Choice> c = 3; map<string, State> d = 4; map<string, bytes> e = 5;
}
message Known {
  google.protobuf.Timestamp at = 1; google.protobuf.Duration took = 2; google.protobuf.DoubleValue double = 3;
  google.protobuf.StringValue text = 4; google.protobuf.Struct object = 5; google.protobuf.Value value = 6;
  google.protobuf.ListValue list = 7; google.protobuf.NullValue null = 8; google.protobuf.BytesValue bytes = 9;
}
message Outer { message First {} message Second { message Inner { int64 v = 1; } } int64 v = 2; }
"#;

fn compile(text: &str, message: Option<&str>) -> Result<ProtobufSchema, ProtobufSchemaError> {
    of_files(&[("m.proto", text)], message)
}

fn of_files(files: &[(&str, &str)], message: Option<&str>) -> Result<ProtobufSchema, ProtobufSchemaError> {
    let main = files[0].0.to_owned();
    let files: HashMap<String, String> =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let read = move |name: &str| files.get(name).cloned().ok_or(io::ErrorKind::NotFound.into());
    ProtobufSchema::compile(&main, Box::new(read), message)
}

fn rules(schema: ProtobufSchema) -> Rules {
    Rules { format: Format::Protobuf, schema: Some(Schema::Protobuf(Arc::new(schema))), ..Rules::default() }
}

fn of_types(message: &str) -> Rules {
    rules(compile(TYPES, Some(&format!("t.{message}"))).unwrap())
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn text(rules: &Rules, bytes: &[u8]) -> Result<Vec<u8>, Rejection> {
    let mut reader = FormatReader::default();
    reader.read(rules, bytes, local(rules), 1_000_000)?;
    Ok(RecordText::from(reader.json).json.into_owned())
}

fn local(rules: &Rules) -> Option<SchemaUse<'_>> {
    rules.schema.as_ref().map(|schema| SchemaUse { id: None, schema })
}

fn json(message: &str, hex: &str) -> Result<String, String> {
    let text = text(&of_types(message), &bytes(hex)).map_err(|why| why.to_string())?;
    Ok(String::from_utf8(text).unwrap())
}

#[test]
fn writes_each_type_as_json() {
    let f = |hex: &str, want: &str| {
        let json = json("Numbers", hex).unwrap();
        assert!(json.contains(want), "{hex}: {json}");
    };
    let defaults = r#"{"double":0.0,"float":0.0,"int32":0,"int64":0,"uint32":0,"uint64":0,"sint32":0,"sint64":0,"fixed32":0,"fixed64":0,"sfixed32":0,"sfixed64":0,"bool":false}"#;
    f("", defaults);
    f("09 9a9999999999b93f", r#""double":0.1,"#);
    f("09 0000000000000080", r#""double":-0.0,"#);
    f("15 cdcccc3d", r#""float":0.1,"#);
    f("18 ffffffffffffffffff01", r#""int32":-1,"#);
    f("18 8080808010", r#""int32":0,"#);
    f("20 80808080808080808001", r#""int64":-9223372036854775808,"#);
    f("28 ffffffff0f", r#""uint32":4294967295,"#);
    f("30 ffffffffffffffffff01", r#""uint64":18446744073709551615,"#);
    f("38 ffffffff0f", r#""sint32":-2147483648,"#);
    f("38 02", r#""sint32":1,"#);
    f("40 ffffffffffffffffff01", r#""sint64":-9223372036854775808,"#);
    f("4d ffffffff", r#""fixed32":4294967295,"#);
    f("51 ffffffffffffffff", r#""fixed64":18446744073709551615,"#);
    f("5d ffffffff", r#""sfixed32":-1,"#);
    f("61 ffffffffffffffff", r#""sfixed64":-1,"#);
    f("68 02", r#""bool":true"#);
    // The last value counts, in any order, beside unknown fields.
    f("20 01 c03e 05 18 07 20 02", r#""int32":7,"int64":2,"#);
    f("a33f a83f 01 b33f b43f a43f 20 03", r#""int64":3,"#);
}

#[test]
fn writes_text_and_enums_by_name() {
    let f = |hex: &str, want: &str| assert_eq!(json("Texts", hex).as_deref(), Ok(want), "{hex}");
    f("", r#"{"text":"","state":"OFF","states":[]}"#);
    f("0a 03 22 0a 61 18 01", r#"{"text":"\"\u000aa","state":"ON","states":[]}"#);
    f("18 ffffffffffffffffff01", r#"{"text":"","state":"BAD","states":[]}"#);
    // Text, so that the type of the field stays.
    f("18 07", r#"{"text":"","state":"7","states":[]}"#);
    f("22 02 01 00 20 07", r#"{"text":"","state":"OFF","states":["ON","OFF","7"]}"#);
}

#[test]
fn fields_without_presence_are_written_with_their_default() {
    let f = |hex: &str, want: &str| assert_eq!(json("Presence", hex).as_deref(), Ok(want), "{hex}");
    f("", r#"{"always":0,"list":[],"map":{}}"#);
    f("08 00 10 00", r#"{"set":0,"always":0,"list":[],"map":{}}"#);
    f("1a 00", r#"{"always":0,"inner":{"always":0,"list":[],"map":{}},"list":[],"map":{}}"#);
}

#[test]
fn submessages_that_occur_several_times_are_merged() {
    let f = |hex: &str, want: &str| assert_eq!(json("Presence", hex).as_deref(), Ok(want), "{hex}");
    let merged =
        r#"{"always":0,"inner":{"set":1,"always":3,"list":[1,2,3],"map":{"a":2}},"list":[9],"map":{}}"#;
    f(
        "1a 0d 08 01 10 02 20 01 2a 05 0a 01 61 10 01 20 09 1a 0d 10 03 22 02 02 03 2a 05 0a 01 61 10 02",
        merged,
    );
}

#[test]
fn only_the_last_field_of_a_oneof_is_set() {
    let f = |hex: &str, want: &str| assert_eq!(json("Choice", hex).as_deref(), Ok(want), "{hex}");
    f("", "{}");
    f("08 00", r#"{"number":0}"#);
    f("08 01 12 01 61", r#"{"text":"a"}"#);
    f("12 01 61 08 01", r#"{"number":1}"#);
    f("1a 02 08 01 1a 02 08 02", r#"{"inner":{"number":2}}"#);
    // A message that another field replaced in between is not merged.
    f("1a 02 08 01 12 00 1a 00", r#"{"inner":{}}"#);
}

#[test]
fn reads_lists_packed_and_unpacked() {
    let f = |hex: &str, want: &str| assert_eq!(json("Lists", hex).as_deref(), Ok(want), "{hex}");
    f("", r#"{"numbers":[],"doubles":[],"texts":[],"choices":[]}"#);
    f("0a 03 01 ac 02 08 05 0a 00", r#"{"numbers":[1,300,5],"doubles":[],"texts":[],"choices":[]}"#);
    f(
        "1a 00 22 02 08 01 11 000000000000f03f 1a 01 61 22 00 12 08 0000000000000040",
        r#"{"numbers":[],"doubles":[1.0,2.0],"texts":["","a"],"choices":[{"number":1},{}]}"#,
    );
    let cut_off = "it does not fit its `schema`: the value is cut off at byte 4".to_owned();
    assert_eq!(json("Lists", "12 02 0000"), Err(cut_off.clone()));
    assert_eq!(json("Lists", "0a 02 01 80"), Err(cut_off));
}

#[test]
fn writes_maps_by_key_with_the_last_value() {
    let f = |hex: &str, want: &str| {
        let want = format!("{{{want}}}");
        assert_eq!(json("Maps", hex), Ok(want), "{hex}");
    };
    f("", r#""a":{},"b":{},"c":{},"d":{},"e":{}"#);
    f(
        "0a 0c 0a 01 62 11 0000000000000040 0a 0c 11 000000000000f03f 0a 01 61 0a 03 0a 01 62",
        r#""a":{"a":1.0,"b":0.0},"b":{},"c":{},"d":{},"e":{}"#,
    );
    f("12 05 08 07 12 01 78 12 00", r#""a":{},"b":{"0":"","7":"x"},"c":{},"d":{},"e":{}"#);
    f("1a 06 08 05 12 02 08 01 1a 02 08 01", r#""a":{},"b":{},"c":{"true":{}},"d":{},"e":{}"#);
    f("22 00", r#""a":{},"b":{},"c":{},"d":{"":"OFF"},"e":{}"#);
    f("2a 05 0a 01 61 12 00", r#""a":{},"b":{},"c":{},"d":{},"e":{"a":null}"#);
}

#[test]
fn writes_well_known_types_as_what_they_contain() {
    let f = |hex: &str, want: &str| assert_eq!(json("Known", hex).as_deref(), Ok(want), "{hex}");
    f("", r#"{"null":null}"#);
    f(
        "0a 00 12 00 1a 00 22 00 2a 00 32 00 3a 00",
        r#"{"at":0,"took":0,"double":0.0,"text":"","object":{},"value":null,"list":[],"null":null}"#,
    );
    f("0a 08 08 80e2cfaa06 10 05", r#"{"at":1700000000000000005,"null":null}"#);
    f("12 0d 08 feffffffffffffffff01 10 00", r#"{"took":-2000000000,"null":null}"#);
    f("1a 09 09 000000000000f03f 22 03 0a 01 61", r#"{"double":1.0,"text":"a","null":null}"#);
    f(
        "2a 27 0a 1c 0a 01 62 12 17 32 15 0a 02 20 01 0a 09 11 000000000000f03f 0a 02 08 00 0a 00 \
         0a 07 0a 01 61 12 02 2a 00",
        r#"{"object":{"a":{},"b":[true,1.0,null,null]},"null":null}"#,
    );
    let wrong = |hex: &str, want: &str| {
        assert_eq!(json("Known", hex), Err(format!("it does not fit its `schema`: {want}")), "{hex}");
    };
    wrong("0a 06 10 80 94eb dc03", "a Timestamp whose nanoseconds are not 0 to 999999999 at byte 2");
    wrong(
        "12 0d 08 01 10 ffffffffffffffffff01",
        "a Duration whose seconds and nanoseconds do not fit together at byte 2",
    );
}

#[test]
fn a_timestamp_is_the_time_without_a_time_format() {
    let key = KeySelector::Flattened("at".to_owned());
    let time = TimeRule::new(key, TimeFormat::Timestamp, jiff::tz::TimeZone::UTC);
    let rules = Rules { time: Some(time), ..of_types("Known") };
    let mut mapper = mapper(rules);
    for _ in 0..3 {
        let value = bytes("0a 08 08 80e2cfaa06 10 05 1a 09 09 000000000000f03f");
        assert_eq!(map(&mut mapper, &record(&value)).0, "t double=1.0 1700000000000000005\n");
    }
}

#[test]
fn an_empty_value_is_a_message() {
    let (lines, mapped) = map(&mut mapper(of_types("Presence")), &record(b""));
    assert_eq!((mapped.lines, lines.as_str()), (1, "t always=0\n"));
}

#[test]
fn values_that_json_cannot_hold_are_dropped_with_their_keys() {
    let f = |message: &str, hex: &str, drop: DropReason, key: &str| {
        let mut mapper = mapper(of_types(message));
        map(&mut mapper, &record(&bytes(hex)));
        let mut first = mapper.take_first_drops();
        first.retain(|first| first.drop != DropReason::String);
        assert_eq!(first, [FirstDrop { key: key.to_owned(), drop }], "{hex}");
    };
    f("Texts", "12 01 00", DropReason::Binary, "bytes");
    f("Maps", "2a 06 0a 01 61 12 01 00", DropReason::Binary, "e_a");
    f("Known", "4a 03 0a 01 00", DropReason::Binary, "bytes");
    f("Numbers", "09 000000000000f07f", DropReason::NotFinite, "double");
    f("Numbers", "15 0000c07f", DropReason::NotFinite, "float");
    f("Lists", "11 000000000000f87f", DropReason::NotFinite, "doubles_0");
    let mut mapper = mapper(of_types("Texts"));
    map(&mut mapper, &record(&bytes("12 00")));
    assert!(!mapper.take_drops().has(DropReason::Binary));
}

#[test]
fn a_rejection_names_the_position() {
    let f = |hex: &str, want: &str| {
        let got = json("Presence", hex);
        assert_eq!(got, Err(format!("it does not fit its `schema`: {want}")), "{hex}");
    };
    f("10", "the value is cut off at byte 1");
    f("10 80", "the value is cut off at byte 2");
    f("1a 05 10", "the value is cut off at byte 3");
    f("1a ffffffff0f 10", "the value is cut off at byte 7");
    f("1a ffffffffffffffffff01 10", "the value is cut off at byte 12");
    f("10 ffffffffffffffffff02", "a number of more than 64 bits at byte 1");
    f("10 80808080808080808080", "a number of more than 64 bits at byte 1");
    f("02 01", "a field number that Protobuf does not have at byte 0");
    f("8080808080 01", "a field number that Protobuf does not have at byte 0");
    f("10 01 16 01", "a wire type that Protobuf does not have at byte 2");
    f("ac3f", "the end of a group that does not begin at byte 2");
    f("a33f ac3f", "the end of a group that does not begin at byte 4");
    f("a33f", "the value is cut off at byte 2");
    let looks = |bytes: &[u8], want: &str| {
        let got = text(&of_types("Presence"), bytes).unwrap_err().to_string();
        assert!(got.contains(want), "{got}");
    };
    looks(br#"{"a":1}"#, "; it begins like JSON, which `format = \"json\"` reads");
    looks(b"\x03\0sixteen bytes...", "; it begins like a frame of AWS Glue");
    let of_type = |hex: &str, want: &str| {
        let got = json("Presence", hex).unwrap_err();
        assert!(got.contains(want) && got.contains("correct `message`"), "{hex}: {got}");
    };
    of_type("15 00000000", "its field 2 is 32 bits at byte 0, and the schema declares an int64");
    of_type("18 01", "its field 3 is a varint at byte 0, and the schema declares a message");
    of_type("12 00", "its field 2 is a length and bytes at byte 0, and the schema declares an int64");
    of_type("2a 02 10 01 2a 02 15 00", "its field 2 is 32 bits at byte 6, and the schema declares an int64");
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| {
        let mut message = Vec::new();
        for _ in 0..depth {
            let mut outer = vec![0x1A];
            prost::encoding::encode_varint(message.len() as u64, &mut outer);
            outer.extend(message);
            message = outer;
        }
        message
    };
    let rules = of_types("Choice");
    assert!(text(&rules, &nested(63)).is_ok());
    assert!(matches!(text(&rules, &nested(64)), Err(Rejection::TooDeep(_))));
    assert!(matches!(text(&rules, &nested(10_000)), Err(Rejection::TooDeep(_))));
    // Unknown groups, and lists of well-known types.
    let groups = [&[0x23; 10_000][..], &[0x24; 10_000]].concat();
    assert!(matches!(text(&rules, &groups), Err(Rejection::TooDeep(_))));
    let list = |depth: usize| {
        let mut list = Vec::new();
        for _ in 0..depth {
            for tag in [0x32, 0x0A] {
                let mut outer = vec![tag];
                prost::encoding::encode_varint(list.len() as u64, &mut outer);
                outer.extend(list);
                list = outer;
            }
        }
        list
    };
    let rules = rules_of_known("google.protobuf.ListValue");
    assert!(text(&rules, &list(63)).is_ok());
    assert!(matches!(text(&rules, &list(64)), Err(Rejection::TooDeep(_))));
}

fn rules_of_known(message: &str) -> Rules {
    rules(compile(TYPES, Some(message)).unwrap())
}

#[test]
fn the_text_of_many_defaults_is_bounded() {
    let names: Vec<String> = (1..=100).map(|number| format!("int64 field_{number} = {number};")).collect();
    let names = names.concat();
    let schema = format!(
        "syntax = 'proto3'; message Many {{ repeated Fields fields = 1; }} message Fields {{ {names} }}"
    );
    let rules = rules(compile(&schema, Some("Many")).unwrap());
    let mut reader = FormatReader::default();
    let rejection = reader.read(&rules, &[0x0A, 0].repeat(100_000), local(&rules), 500_000);
    assert_eq!(rejection, Err(Rejection::TextTooLarge { bytes_max: 500_000 }));
    assert!(reader.json.memory() < 2_000_000);
    let packed = [&[0x22, 0xA0, 0x8D, 0x06][..], &[1].repeat(100_000)].concat();
    let rules = of_types("Texts");
    assert_eq!(
        FormatReader::default().read(&rules, &packed, local(&rules), 300_000),
        Err(Rejection::TextTooLarge { bytes_max: 300_000 })
    );
}

#[test]
fn a_frame_selects_the_message_by_its_index_list() {
    let rules = rules(compile(TYPES, Some("t.Choice")).unwrap());
    let f = |hex: &str, want: Result<&str, &str>| {
        let got = text(&rules, &bytes(hex));
        match (got.map(|text| String::from_utf8(text).unwrap()), want) {
            (Ok(got), Ok(want)) => assert_eq!(got, want, "{hex}"),
            (Err(got), Err(want)) => assert!(got.to_string().starts_with(want), "{hex}: {got}"),
            (got, want) => panic!("{hex}: {got:?}, not {want:?}"),
        }
    };
    f("08 05", Ok(r#"{"number":5}"#));
    // The fourth message, the eighth one, and one inside the latter.
    f("00 00000007 02 06 08 05", Ok(r#"{"number":5}"#));
    f("00 00000007 06 0e 02 00 08 05", Ok(r#"{"v":5}"#));
    f("00 00000007 02 0e 10 05", Ok(r#"{"v":5}"#));
    // A single 0 is the first message.
    f("00 00000007 00 20 05", Ok(&json("Numbers", "20 05").unwrap()));
    f("00 00000007 02 04", Ok(&json("Presence", "").unwrap()));
    f(
        "00 00000007 02 12",
        Err("its frame selects the message with the index 9, which its `schema` does not have"),
    );
    f("00 00000007 04 0e 04", Err("its frame selects the message with the index 2"));
    f("00 00000007 02 01", Err("its frame selects the message with the index 18446744073709551615"));
    f("00 00000007", Err("it does not fit its `schema`: the value is cut off at byte 5"));
    f("00", Err("it does not fit its `schema`: the value is cut off at byte 1"));
    f("00 00000007 feffffff0f 00 00", Err("its frame selects the message with the index 0"));
}

#[test]
fn a_schema_of_a_registry_needs_a_frame() {
    let main =
        "syntax = 'proto3'; import 'b/part.proto'; message A { b.Part part = 1; } message B { int64 v = 1; }";
    let part = "syntax = 'proto3'; package b; message Part { int64 w = 1; }".to_owned();
    let references = [Reference { name: "b/part.proto".to_owned(), text: part }];
    let schema = ProtobufSchema::of_registry(main, &references).unwrap();
    assert_eq!(of_descriptors(main, &references), schema, "the same schemas as descriptors");
    let schema = Schema::Protobuf(Arc::new(schema));
    let rules = Rules { format: Format::Protobuf, ..Rules::default() };
    let read = |hex: &str| {
        let mut reader = FormatReader::default();
        let by_id = SchemaUse { id: Some(7), schema: &schema };
        let read = reader.read(&rules, &bytes(hex), Some(by_id), 1_000);
        read.map(|()| String::from_utf8(reader.json.bytes).unwrap()).map_err(|why| why.to_string())
    };
    assert_eq!(read("00 00000007 00 0a 02 08 05").as_deref(), Ok(r#"{"part":{"w":5}}"#));
    assert_eq!(read("00 00000007 02 02 08 05").as_deref(), Ok(r#"{"v":5}"#));
    let f = |hex: &str, want: &str| assert_eq!(read(hex).as_deref().unwrap_err(), want, "{hex}");
    f(
        "00 00000007 02 02 0a 00",
        "it does not fit its schema 7: its field 1 is a length and bytes at byte 7, and the schema declares an int64",
    );
    f(
        "00 00000007 02 04",
        "its frame selects the message with the index 2, which its schema 7 does not have",
    );
    f("00 00000007 02 02 08", "it does not fit its schema 7: the value is cut off at byte 8");
    assert!(read("08 05").unwrap_err().contains("does not begin with the frame of a schema registry"));
    let missing = ProtobufSchema::of_registry(main, &[]).unwrap_err().to_string();
    assert!(missing.contains("import 'b/part.proto' not found"), "{missing}");
}

/// The schema of a registry that gives the descriptors of these files in Base64, as Confluent's serializer for Python registers them.
fn of_descriptors(main: &str, references: &[Reference]) -> ProtobufSchema {
    let files = references.iter().map(|reference| (reference.name.clone(), reference.text.clone()));
    let files: HashMap<String, String> = files.chain([("main.proto".to_owned(), main.to_owned())]).collect();
    let read = move |name: &str| files.get(name).cloned().ok_or(io::ErrorKind::NotFound.into());
    let pool = pool("main.proto", Resolver(Box::new(read))).unwrap();
    let descriptor =
        |name: &str| BASE64_STANDARD.encode(pool.get_file_by_name(name).unwrap().encode_to_vec());
    let name = |of: &Reference| Reference { name: of.name.clone(), text: descriptor(&of.name) };
    let references: Vec<Reference> = references.iter().map(name).collect();
    ProtobufSchema::of_registry(&descriptor("main.proto"), &references).unwrap()
}

#[test]
fn a_file_holds_messages_behind_their_lengths_or_one() {
    let f = |hex: &str, want: &[&str]| {
        let file = bytes(hex);
        let want: Vec<Vec<u8>> = want.iter().map(|hex| bytes(hex)).collect();
        assert_eq!(messages_of_file(&file), want, "{hex}");
    };
    f("02 08 05 00 04 08 01 10 02", &["08 05", "", "08 01 10 02"]);
    f("09 00 00000007 02 06 08 05", &["00 00000007 02 06 08 05"]);
    f("08 05", &["08 05"]);
    f("00 00000007 02 06 08 05", &["00 00000007 02 06 08 05"]);
    f("02 08 05 03 08 05", &["02 08 05 03 08 05"]);
    assert_eq!(delimited(b""), None);
}

#[test]
fn the_message_can_be_left_out_if_there_is_one() {
    let one = "syntax = 'proto3'; package a; message Metric { message Inner {} int64 v = 1; }";
    assert_eq!(compile(one, None).unwrap().message(), "a.Metric");
    assert_eq!(compile(one, Some("a.Metric.Inner")).unwrap().message(), "a.Metric.Inner");
    assert_eq!(compile(one, Some(".a.Metric")).unwrap().message(), "a.Metric");
    let f = |text: &str, message: Option<&str>, want: &str| {
        assert_eq!(compile(text, message).unwrap_err().to_string(), want, "{message:?}");
    };
    f("syntax = 'proto3';", None, "it declares no message");
    f(
        "syntax = 'proto3'; message A {} message B {}",
        None,
        "it declares several messages (A, B): name the one of the records with `message`",
    );
    let unknown = |name: &str, near: &str| {
        f(one, Some(name), &format!("`message`: the schema has no message {name:?}{near}"));
    };
    unknown("Metric", "; did you mean \"a.Metric\"?");
    unknown("a.Metirc", "; did you mean \"a.Metric\"?");
    unknown("x.y.Other", "");
}

#[test]
fn errors_of_schemas_name_file_and_line() {
    let f = |files: &[(&str, &str)], want: &str| {
        let got = of_files(files, None).unwrap_err().to_string();
        assert!(got.starts_with(want), "{got}");
    };
    f(&[("a.proto", "syntax = 'proto3';\nmessage A {\n  int64 v 1;\n}")], "a.proto:3:11: expected");
    f(
        &[("a.proto", "syntax = 'proto3';\nmessage A {\n  Missing v = 1;\n}")],
        "a.proto:3:3: name 'Missing' is not defined",
    );
    let main = "syntax = 'proto3';\nimport 'b/b.proto';\nmessage A { b.B b = 1; }";
    f(
        &[("a.proto", main)],
        "a.proto:2:1: import 'b/b.proto' not found: imports are looked up beside the schema",
    );
    f(&[("a.proto", main), ("b/b.proto", "syntax = 'proto3';\npackage b;\nmessage B {\n")], "b/b.proto:");
    let imported =
        of_files(&[("a.proto", main), ("b/b.proto", "syntax = 'proto3'; package b; message B {}")], None);
    assert_eq!(imported.unwrap().message(), "A");
}

#[test]
fn reads_descriptor_sets() {
    let text = "syntax = 'proto3'; import 'google/protobuf/timestamp.proto'; message A { google.protobuf.Timestamp at = 1; }";
    let pool = pool("a.proto", Resolver(Box::new(move |_| Ok(text.to_owned())))).unwrap();
    let schema = ProtobufSchema::from_descriptor_set(&pool.encode_to_vec(), None).unwrap();
    assert_eq!(schema, compile(text, None).unwrap());
    let file = pool.get_file_by_name("a.proto").unwrap().encode_to_vec();
    let mut without_imports = vec![0x0A];
    prost::encoding::encode_varint(file.len() as u64, &mut without_imports);
    without_imports.extend(file);
    for bytes in [&without_imports[..], b"syntax = 'proto3';", b"\x0A\x05"] {
        let error = ProtobufSchema::from_descriptor_set(bytes, None).unwrap_err().to_string();
        assert!(error.contains("--include_imports"), "{error}");
    }
    assert!(matches!(ProtobufSchema::from_descriptor_set(b"", None), Err(ProtobufSchemaError::NoMessage)));
}

/// Descriptors of a file can declare what no compiler writes.
#[test]
fn well_known_names_with_other_fields_are_ordinary_messages() {
    let f = |text: &str, message: &str, hex: &str, want: &str| {
        let rules = rules(compile(text, Some(message)).unwrap());
        let json = super::tests::text(&rules, &bytes(hex)).unwrap();
        assert_eq!(String::from_utf8(json).unwrap(), want, "{text}");
    };
    let head = "syntax = 'proto3'; package google.protobuf;";
    f(
        &format!("{head} message Timestamp {{ int64 s = 1; }}"),
        "google.protobuf.Timestamp",
        "08 05",
        r#"{"s":5}"#,
    );
    let recursive = format!("{head} message Value {{ oneof kind {{ Value v = 1; string s = 2; }} }}");
    f(&recursive, "google.protobuf.Value", "0a 00", r#"{"v":{}}"#);
}
