//! The records of the benchmarks in Avro, with the schema that their values have. No integer is negative, so its zigzag code is its double.

use super::{Json, push_varint};

/// A type of the schema.
pub enum Type {
    Null,
    Text,
    Long,
    Double,
    Object(Vec<(String, Type)>),
    Array(Box<Type>),
}

fn elements(json: &Json) -> &[Json] {
    match json {
        Json::Array(elements) => elements,
        _ => unreachable!("records of a kind have one structure"),
    }
}

fn members(json: &Json) -> &[(String, Json)] {
    match json {
        Json::Object(members) => members,
        _ => unreachable!("records of a kind have one structure"),
    }
}

fn scalar(json: &Json) -> &str {
    match json {
        Json::Scalar(text) => text,
        _ => unreachable!("records of a kind have one structure"),
    }
}

impl Type {
    /// The type that all of these values have.
    pub fn of(values: &[&Json]) -> Self {
        match values.first() {
            None => Self::Null,
            Some(Json::Scalar(text)) if text.starts_with('"') => Self::Text,
            Some(Json::Scalar(_)) => {
                let is_integer = |value: &&Json| scalar(value).parse::<u64>().is_ok();
                if values.iter().all(is_integer) { Self::Long } else { Self::Double }
            }
            Some(Json::Object(first)) => {
                let at =
                    |place: usize| values.iter().map(|value| &members(value)[place].1).collect::<Vec<_>>();
                let keys = first.iter().map(|(key, _)| key.clone()).enumerate();
                Self::Object(keys.map(|(place, key)| (key, Self::of(&at(place)))).collect())
            }
            Some(Json::Array(_)) => {
                let all: Vec<&Json> = values.iter().flat_map(|value| elements(value)).collect();
                Self::Array(Box::new(Self::of(&all)))
            }
        }
    }

    /// The schema as JSON. Records get names from the number of earlier ones.
    pub fn schema(&self, records: &mut usize) -> String {
        match self {
            Self::Null => "\"null\"".to_owned(),
            Self::Text => "\"string\"".to_owned(),
            Self::Long => "\"long\"".to_owned(),
            Self::Double => "\"double\"".to_owned(),
            Self::Array(items) => format!(r#"{{"type":"array","items":{}}}"#, items.schema(records)),
            Self::Object(fields) => {
                *records += 1;
                let name = format!("R{records}");
                let field = |(key, of): &(String, Self)| {
                    format!(r#"{{"name":"{key}","type":{}}}"#, of.schema(records))
                };
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!(r#"{{"type":"record","name":"{name}","fields":[{}]}}"#, fields.join(","))
            }
        }
    }

    /// Appends a value in Avro's binary encoding.
    pub fn push(&self, json: &Json, out: &mut Vec<u8>) {
        match self {
            Self::Null => {}
            Self::Text => {
                let text = scalar(json).trim_matches('"');
                push_varint((text.len() as u64) << 1, out);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Long => push_varint(scalar(json).parse::<u64>().unwrap() << 1, out),
            Self::Double => out.extend_from_slice(&scalar(json).parse::<f64>().unwrap().to_le_bytes()),
            Self::Array(items) => {
                let elements = elements(json);
                if !elements.is_empty() {
                    push_varint((elements.len() as u64) << 1, out);
                }
                for element in elements {
                    items.push(element, out);
                }
                push_varint(0, out);
            }
            Self::Object(fields) => {
                fields.iter().zip(members(json)).for_each(|((_, of), (_, value))| of.push(value, out));
            }
        }
    }
}
