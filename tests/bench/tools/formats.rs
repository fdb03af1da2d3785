//! Writes generated records in other formats than JSON, with the same values.

use crate::records::{Generator, Kind, Shape};
use crate::setup::LineMaker;
use crate::values::{CBOR, Json, MSGPACK, avro};
use clap::ValueEnum;
use std::path::Path;

/// First records whose values show the types of a schema.
const SAMPLE: usize = 1_000;
/// A schema registry's frame with the schema id 1.
const FRAME: [u8; 5] = [0, 0, 0, 0, 1];

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Json,
    /// The lines that the bridge makes from the JSON records
    Influx,
    Msgpack,
    Cbor,
    /// One row for each record, without a header
    Csv,
    Avro,
    /// Avro with the frame of a schema registry, and the schema id 1
    AvroRegistry,
    Protobuf,
    /// The value of a record that has one, as text
    Value,
}

/// Turns JSON records of one kind into records of a format.
pub struct Encoder {
    format: Format,
    schema: avro::Type,
    columns: Vec<String>,
    lines: Option<LineMaker>,
    out: Vec<u8>,
}

impl Encoder {
    /// `config`: the bridge's configuration for the JSON records, which lines need.
    pub fn new(format: Format, shape: Shape, config: Option<&Path>) -> Self {
        let is_given = match format {
            Format::Json => true,
            Format::Value => matches!(shape.kind, Kind::Number | Kind::Text),
            _ => matches!(shape.kind, Kind::Ec2 | Kind::Wide),
        };
        assert!(
            is_given,
            "only ec2 and wide records have formats with names, and only number and text records are values"
        );
        let mut generator = Generator::new(shape);
        let sampled = if matches!(format, Format::Json | Format::Value) { 0 } else { SAMPLE };
        let sample: Vec<Json> = (0..sampled).map(|_| Json::read(generator.next())).collect();
        let columns = sample.first().map(|first| first.columns().into_iter().map(|(key, _)| key).collect());
        let columns = columns.unwrap_or_default();
        let config = || config.unwrap_or_else(|| panic!("lines need --config FILE"));
        let lines = (format == Format::Influx).then(|| LineMaker::new(config()));
        let schema = avro::Type::of(&sample.iter().collect::<Vec<_>>());
        Self { format, schema, columns, lines, out: Vec::new() }
    }

    /// The schema of Avro, or the columns of CSV, as JSON.
    pub fn description(&self) -> String {
        match self.format {
            Format::Avro | Format::AvroRegistry => self.schema.schema(&mut 0),
            Format::Csv => serde_json::json!(self.columns).to_string(),
            _ => "null".to_owned(),
        }
    }

    /// The value of a JSON record in the format.
    pub fn encode<'a>(&'a mut self, json: &'a [u8]) -> &'a [u8] {
        if self.format == Format::Json {
            return json;
        }
        if let Some(lines) = &mut self.lines {
            return lines.line_of(json);
        }
        let (value, out) = (Json::read(json), &mut self.out);
        out.clear();
        match self.format {
            Format::Json | Format::Influx => {}
            Format::Msgpack => value.push_binary(&MSGPACK, out),
            Format::Cbor => value.push_binary(&CBOR, out),
            Format::Csv => {
                let cells: Vec<&str> = value.columns().into_iter().map(|(_, cell)| cell).collect();
                out.extend_from_slice(cells.join(",").as_bytes());
            }
            Format::Avro => self.schema.push(&value, out),
            Format::AvroRegistry => {
                out.extend_from_slice(&FRAME);
                self.schema.push(&value, out);
            }
            Format::Protobuf => out.extend_from_slice(&value.protobuf()),
            Format::Value => {
                let (_, text) = value.columns().into_iter().next().unwrap();
                out.extend_from_slice(text.as_bytes());
            }
        }
        out
    }
}
