//! Any bytes read as Protobuf, with a schema of all types, are rejected, or become JSON text of bounded length that the scanner accepts.
//! Mapping them gives lines that read back, and the messages of a file are in the file.

#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;
use mapping::{Format, Globs, ProtobufSchema, Rules, Schema, messages_of_file};
use std::sync::{Arc, LazyLock};

const TYPES: &str = r#"
syntax = "proto2";
import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
message Types {
  optional double f1 = 1; optional float f2 = 2; optional int32 f3 = 3; optional int64 f4 = 4; optional uint32 f5 = 5; optional uint64 f6 = 6;
  optional sint32 f7 = 7; optional sint64 f8 = 8; optional fixed32 f9 = 9; optional sfixed64 f10 = 10; optional bool f11 = 11;
  optional string f12 = 12; optional bytes f13 = 13; optional State f14 = 14; optional Types f15 = 15; repeated Types f16 = 16;
  repeated double f17 = 17; repeated sint32 f18 = 18 [packed = true]; repeated string f19 = 19; repeated State f20 = 20;
  map<string, Types> f21 = 21; map<sint32, string> f22 = 22; map<bool, bytes> f23 = 23; optional group F24 = 24 { optional int64 v = 1; }
  repeated group F25 = 25 { optional Types v = 1; } optional google.protobuf.Timestamp f26 = 26; optional google.protobuf.Duration f27 = 27;
  optional google.protobuf.DoubleValue f28 = 28; optional google.protobuf.Struct f29 = 29; optional google.protobuf.Value f30 = 30;
  optional google.protobuf.ListValue f31 = 31; oneof choice { int64 f32 = 32; string f33 = 33; Types f34 = 34; }
}
enum State { OFF = 0; ON = 1; BAD = -1; }
"#;

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let schema = ProtobufSchema::compile("m.proto", Box::new(|_| Ok(TYPES.to_owned())), None).expect("a schema");
    Rules { format: Format::Protobuf, schema: Some(Schema::Protobuf(Arc::new(schema))), ..Rules::default() }
});

const BYTES_MAX: usize = 8_000_000;

fuzz_target!(|bytes: &[u8]| {
    let rules = RULES.clone();
    if let Ok(json) = rules.to_json(bytes) {
        support::check_json_lines(&json);
    }
    let messages = messages_of_file(bytes);
    assert!(messages.iter().map(|message| message.len()).sum::<usize>() <= bytes.len());
    let all = Globs::compile(&["*"]).expect("a glob");
    support::check_lines(Rules { string_fields: all, strict: false, ..rules }, bytes, BYTES_MAX);
});
