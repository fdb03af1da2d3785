//! Line protocol in any spelling, and the points that it means.

use fastrand::Rng;
use line_protocol::reader::{Point, Value};
use mapping::Precision;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A point as its program means it. Names have only text that line protocol can express.
#[derive(Clone, Debug)]
pub struct Meant {
    pub measurement: String,
    pub tags: BTreeMap<String, String>,
    pub fields: BTreeMap<String, Value>,
    /// In the unit of the record.
    pub time: Option<i64>,
}

pub fn points() -> impl Strategy<Value = Vec<Meant>> {
    vec(point(), 1..6)
}

fn point() -> impl Strategy<Value = Meant> {
    let name = || "([a-c ,=\"온]|\\\\[d-f]|time|_field){1,4}";
    let key = || name().prop_filter("InfluxDB reserves these keys", |key| key != "time" && key != "_field");
    let value = prop_oneof![
        3 => any::<f64>().prop_filter("no field is NaN or infinite", |value| value.is_finite()).prop_map(Value::Float),
        1 => (-9_999_i32..9_999).prop_map(|number| Value::Float(f64::from(number) / 4.0)),
        2 => any::<i64>().prop_map(Value::Integer),
        1 => any::<u64>().prop_map(Value::Unsigned),
        1 => any::<bool>().prop_map(Value::Boolean),
        2 => "[a-c ,=\"\\\\\n\r\t온#]{0,6}".prop_map(Value::String),
    ];
    let time = option::weighted(0.8, -9_000_000_000_i64..9_000_000_000);
    let keys = (btree_map(key(), name(), 0..4), btree_map(key(), value, 1..5));
    (name(), keys, time).prop_map(|(measurement, (tags, fields), time)| Meant {
        measurement,
        tags,
        fields,
        time,
    })
}

impl Meant {
    /// The point that is stored. None: no field is left, because a tag has its key.
    pub fn stored(&self, precision: Precision, kafka: impl FnOnce() -> Option<i64>) -> Option<Point> {
        let fields = self.fields.iter().filter(|(key, _)| !self.tags.contains_key(*key));
        let fields: Vec<_> = fields.map(|(key, value)| (key.clone(), value.clone())).collect();
        (!fields.is_empty()).then(|| Point {
            measurement: self.measurement.clone(),
            tags: self.tags.clone().into_iter().collect(),
            fields,
            time: self.time.map(|time| time * precision.unit_ns()).or_else(kafka),
        })
    }
}

/// A record of these points. A seed chooses between spellings that InfluxDB 2 reads alike, and adds comments and empty lines.
pub fn record(points: &[Meant], seed: u64) -> String {
    let (mut rng, mut out) = (Rng::with_seed(seed), String::new());
    let line_break = if rng.bool() { "\r\n" } else { "\n" };
    for point in points {
        if rng.u8(..4) == 0 {
            out += [" ", "# v=1", "\t# a \"comment", ""][rng.usize(..4)];
            out += line_break;
        }
        push_line(point, &mut rng, &mut out);
        out += line_break;
    }
    if rng.bool() { out.trim_end_matches(['\r', '\n']).to_owned() } else { out }
}

fn push_line(point: &Meant, rng: &mut Rng, out: &mut String) {
    // Most lines are spelled plainly, so that they are copied.
    let is_plain = rng.bool();
    let space = |rng: &mut Rng, least: usize| {
        let more = if is_plain { 0 } else { rng.usize(..3) };
        " ".repeat(least + more)
    };
    *out += &space(rng, 0);
    *out += &escaped(&point.measurement, ", ");
    let mut tags: Vec<_> =
        point.tags.iter().map(|(key, value)| (escaped(key, ",= "), escaped(value, ",= "))).collect();
    tags.sort();
    if !is_plain {
        rng.shuffle(&mut tags);
    }
    for (key, value) in tags {
        *out += &format!(",{key}={value}");
    }
    *out += &space(rng, 1);
    let mut fields: Vec<_> = point.fields.iter().collect();
    rng.shuffle(&mut fields);
    for (place, (key, value)) in fields.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        *out += &escaped(key, if is_plain { ",= " } else { ",= \"" });
        out.push('=');
        *out += &spelled(value, is_plain, rng);
    }
    if let Some(time) = point.time {
        *out += &space(rng, 1);
        *out += &time.to_string();
    }
    *out += &space(rng, 0);
}

fn escaped(text: &str, specials: &str) -> String {
    let escape = |c: char| if specials.contains(c) { format!("\\{c}") } else { c.to_string() };
    text.chars().map(escape).collect()
}

fn spelled(value: &Value, is_plain: bool, rng: &mut Rng) -> String {
    match value {
        Value::Float(number) if is_plain => format!("{number}"),
        Value::Float(number) => {
            let text = if rng.bool() { format!("{number}") } else { format!("{number:e}") };
            let (mantissa, exponent) =
                text.split_once('e').map_or((text.as_str(), None), |(m, e)| (m, Some(e)));
            let mut mantissa = match mantissa.split_once('.') {
                None => format!("{mantissa}{}", ["", ".", ".0"][rng.usize(..3)]),
                Some(("0", fraction)) => format!(".{fraction}"),
                Some(("-0", fraction)) => format!("-.{fraction}"),
                Some(_) => mantissa.to_owned(),
            };
            if let Some(exponent) = exponent {
                let letter = if rng.bool() { 'e' } else { 'E' };
                // Writing to a string does not fail.
                let _infallible = write!(mantissa, "{letter}{exponent}");
            }
            mantissa
        }
        Value::Integer(number) => format!("{number}i"),
        Value::Unsigned(number) => format!("{number}u"),
        Value::Boolean(flag) if is_plain => flag.to_string(),
        Value::Boolean(true) => (*rng.choice(&["t", "T", "true", "True", "TRUE"]).unwrap()).to_owned(),
        Value::Boolean(false) => (*rng.choice(&["f", "F", "false", "False", "FALSE"]).unwrap()).to_owned(),
        Value::String(text) => format!("\"{}\"", escaped(text, "\"\\")),
    }
}

/// The fields of a point in the order of their keys.
pub fn ordered(mut point: Point) -> Point {
    point.tags.sort();
    point.fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    point
}

/// Text that is nearly line protocol: any bytes among its marks, or a record with a few bytes changed.
pub fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let marks = select(&b"m,a=\"\\ \n\r\t\0#.1-eitTfu{\xEC\x98"[..]);
    let bytes = vec(prop_oneof![6 => marks, 1 => any::<u8>()], 0..60);
    let line =
        prop_oneof![Just("m,a=b "), Just("m v=\"a\" 1\n"), Just("v=1"), Just("\""), Just("\\ "), Just("\n")];
    let pieces = vec(prop_oneof![line.prop_map(|line| line.as_bytes().to_vec()), bytes], 0..8)
        .prop_map(|all| all.concat());
    let changed = (points(), any::<u64>(), vec((any::<prop::sample::Index>(), any::<u8>()), 0..4));
    let changed = changed.prop_map(|(points, seed, changes)| {
        let mut bytes = record(&points, seed).into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    });
    prop_oneof![pieces, changed]
}
