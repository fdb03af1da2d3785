//! Compares points that were read back with expected lines.

use line_protocol::reader::{Value as LineValue, read_line};
use serde_json::Value;
use std::collections::BTreeMap;

/// A point that was read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub measurement: String,
    pub tags: BTreeMap<String, String>,
    pub fields: BTreeMap<String, Value>,
    pub time: i64,
}

impl Stored {
    /// The points in the result of `SELECT * ... GROUP BY *`, by measurement, tags and time.
    pub fn of_all(series: &[Value]) -> Vec<Self> {
        let mut points: Vec<Self> = series.iter().flat_map(Self::of_series).collect();
        points.sort_by(|a, b| a.place().cmp(&b.place()));
        points
    }

    fn of_series(series: &Value) -> Vec<Self> {
        let columns: Vec<&str> =
            series["columns"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let no_tags = serde_json::Map::new();
        let tags = series["tags"].as_object().unwrap_or(&no_tags).iter();
        // InfluxDB shows a tag that a series does not have as an empty one.
        let tags = tags.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()));
        let tags: BTreeMap<_, _> = tags.filter(|(_, value)| !value.is_empty()).collect();
        let point = |row: &Value| {
            let cells = columns.iter().zip(row.as_array().unwrap());
            let fields = cells.clone().skip(1).filter(|(_, value)| !value.is_null());
            Self {
                measurement: series["name"].as_str().unwrap().to_owned(),
                tags: tags.clone(),
                fields: fields.map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
                time: row[0].as_i64().unwrap(),
            }
        };
        series["values"].as_array().unwrap().iter().map(point).collect()
    }

    fn place(&self) -> (&str, &BTreeMap<String, String>, i64) {
        (&self.measurement, &self.tags, self.time)
    }

    /// The point that a line should become.
    fn of_line(line: &str) -> (Self, BTreeMap<String, LineValue>) {
        let point = read_line(line.as_bytes()).unwrap();
        let stored = Self {
            measurement: point.measurement,
            tags: point.tags.into_iter().collect(),
            fields: BTreeMap::new(),
            time: point.time.expect("a time"),
        };
        (stored, point.fields.into_iter().collect())
    }
}

/// Number of fields of all lines together.
pub fn fields_of(lines: &str) -> usize {
    lines.lines().map(|line| Stored::of_line(line).1.len()).sum()
}

/// Asserts that exactly these lines were stored, in any order; `got` is sorted by place.
pub fn assert_points(got: &[Stored], lines: &str) {
    let mut want: Vec<_> = lines.lines().map(Stored::of_line).collect();
    want.sort_by(|(a, _), (b, _)| a.place().cmp(&b.place()));
    assert_eq!(got.len(), want.len(), "got {got:#?}, want {lines}");
    for (got, (point, fields)) in got.iter().zip(&want) {
        assert_eq!(got.place(), point.place());
        let keys = |have: &BTreeMap<String, _>| have.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&got.fields), fields.keys().cloned().collect::<Vec<_>>(), "{got:?}");
        for (key, want) in fields {
            assert!(is_same(&got.fields[key], want), "{key}: got {}, want {want:?}", got.fields[key]);
        }
    }
}

/// `InfluxQL` JSON writes integral floats without a decimal point.
fn is_same(got: &Value, want: &LineValue) -> bool {
    match want {
        LineValue::Float(want) => got.as_f64() == Some(*want),
        LineValue::Integer(want) => got.as_i64() == Some(*want),
        LineValue::String(want) => got.as_str() == Some(want),
        LineValue::Unsigned(want) => got.as_u64() == Some(*want),
        LineValue::Boolean(want) => got.as_bool() == Some(*want),
    }
}
