//! Random messages of random schemas: the JSON text is what `prost-reflect` reads in the same bytes.

use super::{compile, rules, text};
use crate::Rules;
use crate::formats::Beginning;
use crate::rejection::Rejection;
use crate::seed;
use fastrand::Rng;
use prost::encoding::encode_varint;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};
use std::fmt::Write as _;

const SCALARS: [&str; 15] = [
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64",
    "sfixed32", "sfixed64", "bool", "string", "bytes",
];

const KNOWN: [&str; 8] =
    ["Timestamp", "Duration", "DoubleValue", "Int64Value", "StringValue", "Struct", "Value", "ListValue"];

const MESSAGES: usize = 3;

/// A file with three messages that refer to each other, to enums and to well-known types.
fn proto(rng: &mut Rng) -> String {
    let is_proto3 = rng.bool();
    let mut out = format!("syntax = '{}'; package r;\n", if is_proto3 { "proto3" } else { "proto2" });
    for file in ["duration", "struct", "timestamp", "wrappers"] {
        writeln!(out, "import 'google/protobuf/{file}.proto';").unwrap();
    }
    // In proto2 the first value is the default, whatever its number is.
    out.push_str(if is_proto3 {
        "enum E { A = 0; B = 1; C = -5; }\n"
    } else {
        "enum E { B = 1; A = 0; C = -5; }\n"
    });
    for message in 0..MESSAGES {
        writeln!(out, "message M{message} {{").unwrap();
        let mut number = 0;
        for _ in 0..rng.usize(0..8) {
            number += if rng.u8(..) < 32 { rng.u32(1..2_000) } else { rng.u32(1..3) };
            declare(rng, is_proto3, number, &mut out);
        }
        if rng.bool() {
            out.push_str("  oneof choice {\n");
            for _ in 0..rng.u32(1..4) {
                number += rng.u32(1..3);
                let of = kind(rng);
                writeln!(out, "    {of} f{number} = {number};").unwrap();
            }
            out.push_str("  }\n");
        }
        out.push_str("}\n");
    }
    out
}

fn declare(rng: &mut Rng, is_proto3: bool, number: u32, out: &mut String) {
    let of = kind(rng);
    let line = match rng.u8(0..10) {
        0 | 1 => {
            let keys =
                ["int32", "int64", "uint32", "sint64", "fixed32", "sfixed64", "bool", "string", "string"];
            format!("map<{}, {of}> f{number} = {number};", keys[rng.usize(..keys.len())])
        }
        2..5 => format!("repeated {of} f{number} = {number};"),
        5 if !is_proto3 => format!("repeated group G{number} = {number} {{ optional {of} inner = 1; }}"),
        6 if !is_proto3 => format!("optional group G{number} = {number} {{ repeated {of} inner = 1; }}"),
        5..7 => format!("optional {of} f{number} = {number};"),
        _ if is_proto3 => format!("{of} f{number} = {number};"),
        _ => format!("optional {of} f{number} = {number};"),
    };
    writeln!(out, "  {line}").unwrap();
}

fn kind(rng: &mut Rng) -> String {
    match rng.u8(0..10) {
        0 => "E".to_owned(),
        1 | 2 => format!("M{}", rng.usize(..MESSAGES)),
        3 => format!("google.protobuf.{}", KNOWN[rng.usize(..KNOWN.len())]),
        _ => SCALARS[rng.usize(..SCALARS.len())].to_owned(),
    }
}

/// Wire types (<https://protobuf.dev/programming-guides/encoding/#structure>).
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const GROUP: u64 = 3;
const GROUP_END: u64 = 4;
const FIXED32: u64 = 5;

/// Fields in any order, some several times, some unknown.
fn fields(rng: &mut Rng, message: &MessageDescriptor, depth: usize) -> Vec<u8> {
    let (mut out, known): (_, Vec<_>) = (Vec::new(), message.fields().collect());
    let is_timestamp =
        matches!(message.full_name(), "google.protobuf.Timestamp" | "google.protobuf.Duration");
    for _ in 0..rng.usize(0..10) {
        if rng.u8(..) < 16 || known.is_empty() {
            unknown(rng, message, &mut out);
            continue;
        }
        let field = &known[rng.usize(..known.len())];
        if is_timestamp {
            tag(field.number(), VARINT, &mut out);
            encode_varint(rng.u64(0..1_000_000_000), &mut out);
        } else {
            write(rng, field, depth, &mut out);
        }
    }
    out
}

fn unknown(rng: &mut Rng, message: &MessageDescriptor, out: &mut Vec<u8>) {
    let number = rng.u32(1..5_000);
    if message.get_field(number).is_some() {
        return;
    }
    match rng.u8(0..5) {
        0 => varint(rng, number, out),
        1 => {
            tag(number, FIXED64, out);
            out.extend(rng.u64(..).to_le_bytes());
        }
        2 => {
            tag(number, FIXED32, out);
            out.extend(rng.u32(..).to_le_bytes());
        }
        3 => {
            tag(number, GROUP, out);
            varint(rng, 7, out);
            tag(number, GROUP_END, out);
        }
        _ => delimited(number, b"unknown", out),
    }
}

fn varint(rng: &mut Rng, number: u32, out: &mut Vec<u8>) {
    tag(number, VARINT, out);
    encode_varint(rng.u64(..) >> rng.u32(0..64), out);
}

fn tag(number: u32, written: u64, out: &mut Vec<u8>) {
    encode_varint(u64::from(number) << 3 | written, out);
}

fn delimited(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    tag(number, BYTES, out);
    encode_varint(bytes.len() as u64, out);
    out.extend(bytes);
}

fn write(rng: &mut Rng, field: &FieldDescriptor, depth: usize, out: &mut Vec<u8>) {
    let number = field.number();
    match field.kind() {
        Kind::Message(_) if depth == 0 => {}
        Kind::Message(of) if field.is_group() => {
            tag(number, GROUP, out);
            out.extend(fields(rng, &of, depth - 1));
            tag(number, GROUP_END, out);
        }
        Kind::Message(of) => delimited(number, &fields(rng, &of, depth - 1), out),
        Kind::String => {
            let texts = ["", "a", "b", "\"q\"", "온도", "\n"];
            delimited(number, texts[rng.usize(..texts.len())].as_bytes(), out);
        }
        Kind::Bytes => delimited(number, &[0xFF][..rng.usize(0..2)], out),
        kind if field.is_list() && rng.bool() => {
            let mut packed = Vec::new();
            (0..rng.usize(0..5)).for_each(|_| scalar(rng, &kind, &mut packed));
            delimited(number, &packed, out);
        }
        kind => {
            let written = match kind {
                Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => FIXED64,
                Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => FIXED32,
                _ => VARINT,
            };
            tag(number, written, out);
            scalar(rng, &kind, out);
        }
    }
}

fn scalar(rng: &mut Rng, kind: &Kind, out: &mut Vec<u8>) {
    match kind {
        Kind::Double => {
            out.extend([0.0, -0.0, 0.1, f64::NAN, 1e300, rng.f64()][rng.usize(0..6)].to_le_bytes());
        }
        Kind::Float => out.extend([0.0, 0.1, f32::INFINITY, rng.f32()][rng.usize(0..4)].to_le_bytes()),
        Kind::Fixed64 | Kind::Sfixed64 => out.extend(rng.u64(..).to_le_bytes()),
        Kind::Fixed32 | Kind::Sfixed32 => out.extend(rng.u32(..).to_le_bytes()),
        Kind::Enum(_) => encode_varint([0, 1, 7, -5_i64 as u64][rng.usize(0..4)], out),
        _ => encode_varint(rng.u64(..) >> rng.u32(0..64), out),
    }
}

/// The JSON text that the decoder should write.
fn expected(message: &DynamicMessage) -> String {
    let descriptor = message.descriptor();
    let get = |name: &str| message.get_field_by_name(name).unwrap().into_owned();
    let seconds = || {
        i128::from(get("seconds").as_i64().unwrap()) * 1_000_000_000
            + i128::from(get("nanos").as_i32().unwrap())
    };
    match descriptor.full_name().strip_prefix("google.protobuf.") {
        Some("Timestamp" | "Duration") => return seconds().to_string(),
        Some("Struct") => return of_field(message, &descriptor.get_field_by_name("fields").unwrap()),
        Some("ListValue") => return of_field(message, &descriptor.get_field_by_name("values").unwrap()),
        Some("Value") => {
            let set = descriptor.fields().find(|field| message.has_field(field));
            return set.map_or("null".to_owned(), |field| of_field(message, &field));
        }
        Some(_) => return of_field(message, &descriptor.get_field_by_name("value").unwrap()),
        None => {}
    }
    let is_written = |field: &FieldDescriptor| match field.kind() {
        Kind::Bytes if !field.is_list() && !field.is_map() => message.has_field(field),
        _ => !field.supports_presence() || message.has_field(field),
    };
    let members: Vec<String> = descriptor
        .fields()
        .filter(is_written)
        .map(|field| format!("\"{}\":{}", field.name(), of_field(message, &field)))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn of_field(message: &DynamicMessage, field: &FieldDescriptor) -> String {
    of_value(&message.get_field(field), &field.kind())
}

fn of_value(value: &Value, kind: &Kind) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U32(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        // The same digits, since the comparison reads them without exact rounding.
        Value::F32(value) if value.is_finite() => zmij::Buffer::new().format_finite(*value).to_owned(),
        Value::F64(value) if value.is_finite() => zmij::Buffer::new().format_finite(*value).to_owned(),
        Value::F32(_) | Value::F64(_) | Value::Bytes(_) => "null".to_owned(),
        Value::String(text) => serde_json::to_string(text).unwrap(),
        Value::EnumNumber(number) => {
            let of = kind.as_enum().unwrap();
            match of.get_value(*number) {
                _ if of.name() == "NullValue" => "null".to_owned(),
                Some(value) => format!("\"{}\"", value.name()),
                None => format!("\"{number}\""),
            }
        }
        Value::Message(message) => expected(message),
        Value::List(values) => {
            let values: Vec<String> = values.iter().map(|value| of_value(value, kind)).collect();
            format!("[{}]", values.join(","))
        }
        Value::Map(entries) => {
            let of = kind.as_message().unwrap().map_entry_value_field().kind();
            let member =
                |(key, value): (&MapKey, &Value)| format!("{}:{}", of_key(key), of_value(value, &of));
            format!("{{{}}}", entries.iter().map(member).collect::<Vec<_>>().join(","))
        }
    }
}

fn of_key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => format!("\"{key}\""),
        MapKey::I32(key) => format!("\"{key}\""),
        MapKey::I64(key) => format!("\"{key}\""),
        MapKey::U32(key) => format!("\"{key}\""),
        MapKey::U64(key) => format!("\"{key}\""),
        MapKey::String(key) => serde_json::to_string(key).unwrap(),
    }
}

fn parsed(json: &[u8]) -> serde_json::Value {
    serde_json::from_slice(json).unwrap_or_else(|error| panic!("{error}: {}", json.escape_ascii()))
}

fn read(rules: &Rules, bytes: &[u8]) -> Result<serde_json::Value, Rejection> {
    text(rules, bytes).map(|text| parsed(&text))
}

#[test]
fn random_messages_are_what_a_second_decoder_reads() {
    let seed = seed::given_or_random(
        "BRIDGE_PROTOBUF_SEED",
        "cargo test -p kafka-influx-bridge-mapping random_messages_are_what_a_second_decoder_reads",
    );
    let mut rng = Rng::with_seed(seed);
    for _ in 0..40 {
        let proto = proto(&mut rng);
        let file = proto.clone();
        let pool = super::super::schema::pool(
            "m.proto",
            super::super::schema::Resolver(Box::new(move |_| Ok(file.clone()))),
        )
        .unwrap();
        let message = pool.get_message_by_name("r.M0").unwrap();
        let rules = rules(compile(&proto, Some("r.M0")).unwrap());
        for _ in 0..30 {
            let mut bytes = fields(&mut rng, &message, 4);
            let second = DynamicMessage::decode(message.clone(), bytes.as_slice()).unwrap();
            let want = parsed(expected(&second).as_bytes());
            assert_eq!(read(&rules, &bytes), Ok(want), "{proto}{bytes:x?}");
            // Any other bytes are rejected, or read the same. Text that is not UTF-8 is kept, unlike by the second decoder.
            if let Some(byte) = rng.choice(&mut bytes) {
                *byte = rng.u8(..);
                let got = read_lossy(&rules, &bytes);
                if let Ok(second) = DynamicMessage::decode(message.clone(), bytes.as_slice()) {
                    match got {
                        Ok(got) => assert_eq!(got, parsed(expected(&second).as_bytes()), "{proto}{bytes:x?}"),
                        Err(Rejection::Unfit { why, looks, .. }) => {
                            // A changed first byte can look like another format.
                            let is_known = looks != Beginning::Other
                                || why.contains("a Timestamp")
                                || why.contains("a Duration");
                            assert!(is_known, "{why}: {proto}{bytes:x?}");
                        }
                        // The second decoder does not check the wire type of maps.
                        Err(Rejection::FieldType { declared: "a message", .. }) => {}
                        Err(why) => panic!("{why}: {proto}{bytes:x?}"),
                    }
                }
            }
        }
    }
}

/// Like [`read`]; text that is not UTF-8 is null.
fn read_lossy(rules: &Rules, bytes: &[u8]) -> Result<serde_json::Value, Rejection> {
    text(rules, bytes).map(|text| serde_json::from_slice(&text).unwrap_or_default())
}
