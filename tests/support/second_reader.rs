//! A second opinion about lines: another reader of line protocol, of InfluxDB 3.

use line_protocol::reader::{Point, Value, read_v2_line};

/// The point that a second reader finds in a line. Like InfluxDB 3, it reads two backslashes in names as one.
pub fn second_opinion(line: &[u8]) -> Point {
    let text = str::from_utf8(line).unwrap();
    let mut lines = influxdb_line_protocol::parse_lines(text);
    let read = lines.next().expect("a line").unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert!(lines.next().is_none(), "{text:?} is several lines");
    let value = |value: influxdb_line_protocol::FieldValue<'_>| match value {
        influxdb_line_protocol::FieldValue::I64(number) => Value::Integer(number),
        influxdb_line_protocol::FieldValue::U64(number) => Value::Unsigned(number),
        influxdb_line_protocol::FieldValue::F64(number) => Value::Float(number),
        influxdb_line_protocol::FieldValue::String(text) => Value::String(text.to_string()),
        influxdb_line_protocol::FieldValue::Boolean(flag) => Value::Boolean(flag),
    };
    let tags = read.series.tag_set.unwrap_or_default();
    Point {
        measurement: read.series.measurement.to_string(),
        tags: tags.into_iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        fields: read.field_set.into_iter().map(|(key, field)| (key.to_string(), value(field))).collect(),
        time: read.timestamp,
    }
}

/// The point of a line, with names as [`second_opinion`] reads them.
pub fn first_opinion(line: &[u8]) -> Point {
    let mut point = read_v2_line(line).unwrap_or_else(|error| panic!("{}: {error}", line.escape_ascii()));
    // Each pair of backslashes is one; a run of three is two.
    let single = |text: &mut String| *text = text.replace("\\\\", "\\");
    single(&mut point.measurement);
    point.tags.iter_mut().for_each(|(key, value)| {
        single(key);
        single(value);
    });
    point.fields.iter_mut().for_each(|(key, _)| single(key));
    point
}
