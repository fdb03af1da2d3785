//! Prints random values that the crate `apache-avro` writes. A test of `crates/mapping` reads them. This program is no member of the
//! workspace, because `apache-avro` and its dependencies would take a twentieth of the time to build the tests.
//!
//! A line is a schema as JSON text, or a value of the last schema: `=`, its bytes in hexadecimal digits, a space, and the JSON text that the
//! bridge is to make of it. The argument is the seed.

use apache_avro::types::Value as Avro;

const SCHEMAS: usize = 300;
const VALUES: usize = 8;
/// Bytes of the longest schema.
const SCHEMA_MAX: usize = 1200;

/// A random schema as JSON text. Named types get new names from `names`.
fn random_schema(random: &mut fastrand::Rng, depth: usize, names: &mut usize) -> serde_json::Value {
    use serde_json::json;
    let mut name = || {
        *names += 1;
        format!("N{names}")
    };
    let last = if depth < 4 { 21 } else { 16 };
    match random.usize(0..=last) {
        0 => json!("null"),
        1 => json!("boolean"),
        2 => json!("int"),
        3 => json!("long"),
        4 => json!("float"),
        5 => json!("double"),
        6 => json!("bytes"),
        7 => json!("string"),
        8 => json!({"type": "fixed", "name": name(), "size": random.usize(1..5)}),
        9 => json!({"type": "enum", "name": name(), "symbols": ["A", "B", "C"]}),
        10 => json!({"type": "long", "logicalType": "timestamp-millis"}),
        11 => json!({"type": "long", "logicalType": "local-timestamp-micros"}),
        12 => json!({"type": "int", "logicalType": "date"}),
        13 => json!({"type": "string", "logicalType": "uuid"}),
        14 => {
            json!({"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": random.usize(0..4)})
        }
        15 => json!({"type": "int", "logicalType": "time-millis"}),
        16 => json!({"type": "long", "logicalType": "timestamp-nanos"}),
        17 => json!({"type": "array", "items": random_schema(random, depth + 1, names)}),
        18 => json!({"type": "map", "values": random_schema(random, depth + 1, names)}),
        19 => {
            let branch = loop {
                let branch = random_schema(random, depth + 1, names);
                if branch != json!("null") && !branch.is_array() {
                    break branch;
                }
            };
            json!(["null", branch])
        }
        _ => {
            let record = name();
            let fields: Vec<_> = (0..random.usize(0..6))
                .map(|field| json!({"name": format!("f{field}"), "type": random_schema(random, depth + 1, names)}))
                .collect();
            json!({"type": "record", "name": record, "fields": fields})
        }
    }
}

/// A random value of a schema, and the JSON text that it is to become.
#[expect(clippy::too_many_lines, reason = "one arm for each type")]
fn random_value(random: &mut fastrand::Rng, schema: &apache_avro::Schema) -> (Avro, String) {
    use apache_avro::Schema as Of;
    let long = |random: &mut fastrand::Rng| random.i64(..) >> random.u32(0..64);
    match schema {
        Of::Null => (Avro::Null, "null".to_owned()),
        Of::Boolean => {
            let value = random.bool();
            (Avro::Boolean(value), value.to_string())
        }
        Of::Int => {
            let value = long(random) as i32;
            (Avro::Int(value), value.to_string())
        }
        Of::Long => {
            let value = long(random);
            (Avro::Long(value), value.to_string())
        }
        Of::Float => {
            let value = f32::from_bits(random.u32(..));
            let text = if value.is_finite() {
                zmij::Buffer::new().format(value).to_owned()
            } else {
                "null".to_owned()
            };
            (Avro::Float(value), text)
        }
        Of::Double => {
            let value = f64::from_bits(random.u64(..));
            let text = if value.is_finite() {
                zmij::Buffer::new().format(value).to_owned()
            } else {
                "null".to_owned()
            };
            (Avro::Double(value), text)
        }
        Of::Bytes => (Avro::Bytes(vec![0; random.usize(0..5)]), "null".to_owned()),
        Of::String => {
            let value: String = (0..random.usize(0..8))
                .map(|_| random.choice(['a', '"', '\\', '온', '\n']).unwrap())
                .collect();
            let text = serde_json::Value::from(value.as_str()).to_string().replace("\\n", "\\u000a");
            (Avro::String(value), text)
        }
        Of::Fixed(fixed) => (Avro::Fixed(fixed.size, vec![7; fixed.size]), "null".to_owned()),
        Of::Enum(symbols) => {
            let index = random.usize(0..symbols.symbols.len());
            (
                Avro::Enum(index as u32, symbols.symbols[index].clone()),
                format!("{:?}", symbols.symbols[index]),
            )
        }
        Of::TimestampMillis => {
            let value = long(random);
            (Avro::TimestampMillis(value), value.to_string())
        }
        Of::TimestampNanos => {
            let value = long(random);
            (Avro::TimestampNanos(value), value.to_string())
        }
        Of::LocalTimestampMicros => {
            let value = long(random);
            (Avro::LocalTimestampMicros(value), value.to_string())
        }
        Of::Date => {
            let value = long(random) as i32;
            (Avro::Date(value), value.to_string())
        }
        Of::TimeMillis => {
            let value = long(random) as i32;
            (Avro::TimeMillis(value), value.to_string())
        }
        Of::Uuid => {
            let text = "123e4567-e89b-12d3-a456-426614174000";
            (Avro::Uuid(text.parse().unwrap()), format!("{text:?}"))
        }
        Of::Decimal(decimal) => {
            let value = i128::from(long(random)) * i128::from(random.u32(1..1_000_000));
            let digits = format!("{:0>1$}", value.unsigned_abs(), decimal.scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - decimal.scale);
            let point = if decimal.scale > 0 { "." } else { "" };
            let sign = if value < 0 { "-" } else { "" };
            (Avro::Decimal(value.to_be_bytes().into()), format!("{sign}{whole}{point}{fraction}"))
        }
        Of::Array(array) => {
            let values: Vec<_> =
                (0..random.usize(0..4)).map(|_| random_value(random, &array.items)).collect();
            let (values, texts): (Vec<_>, Vec<_>) = values.into_iter().unzip();
            (Avro::Array(values), format!("[{}]", texts.join(",")))
        }
        Of::Map(map) => {
            // One entry, since the order is not defined.
            let (value, text) = random_value(random, &map.types);
            (Avro::Map([("k".to_owned(), value)].into()), format!("{{\"k\":{text}}}"))
        }
        Of::Union(union) => {
            let index = random.usize(0..union.variants().len());
            let (value, text) = random_value(random, &union.variants()[index]);
            (Avro::Union(index as u32, Box::new(value)), text)
        }
        Of::Record(record) => {
            let fields: Vec<_> = record
                .fields
                .iter()
                .map(|field| {
                    let (value, text) = random_value(random, &field.schema);
                    ((field.name.clone(), value), format!("{:?}:{text}", field.name))
                })
                .collect();
            let (values, texts): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
            (Avro::Record(values), format!("{{{}}}", texts.join(",")))
        }
        other => unreachable!("{other:?}"),
    }
}

fn main() {
    let seed = std::env::args().nth(1).map_or(1, |text| text.parse().expect("a seed is a number"));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut schemas = 0;
    while schemas < SCHEMAS {
        let text = random_schema(&mut random, 0, &mut 0).to_string();
        if text.len() > SCHEMA_MAX {
            continue;
        }
        schemas += 1;
        println!("{text}");
        let schema = apache_avro::Schema::parse_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for _ in 0..VALUES {
            let (value, want) = random_value(&mut random, &schema);
            let bytes =
                apache_avro::to_avro_datum(&schema, value).unwrap_or_else(|error| panic!("{text}: {error}"));
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("={digits} {want}");
        }
    }
}
