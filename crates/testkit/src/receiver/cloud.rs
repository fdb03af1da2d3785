//! InfluxDB Cloud Serverless and Dedicated at `/api/v2/write`, with answers as their documentation and source show them.
//!
//! Good lines are stored although others are refused, and an answer names up to 100 refused lines. A column has one type for each table and
//! day.

use super::Shared;
use super::influx3::column_type;
use super::reply::Reply;
use super::request::WriteRequest;
use super::store::now_nanos;
use base::Destination;
use base::locks::lock;
use line_protocol::reader::{Point, Reason, read_line, split_lines};
use std::collections::BTreeMap;

/// Refused lines that one answer names.
const LISTED_MAX: usize = 100;
const DAY_NANOS: i64 = 86_400_000_000_000;

/// Types of columns, by destination, table, day and column.
#[derive(Debug, Default)]
pub(super) struct Partitions(BTreeMap<(Destination, String, i64, String), &'static str>);

/// Stores the good lines of a request as the server does.
pub(super) fn store(request: &WriteRequest, shared: &Shared) -> Reply {
    let mut partitions = lock(&shared.imitations.partitions);
    let (mut points, mut stored, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (index, line) in split_lines(&request.text).enumerate() {
        let point =
            point(line).and_then(|point| partitions.add(&request.destination, &point).map(|()| point));
        match point {
            Ok(point) => {
                points.push(point);
                stored.push(line);
            }
            Err(why) => refused.push((index + 1, why)),
        }
    }
    drop(partitions);
    shared.keep(&request.destination, points);
    shared.publish(request, &stored);
    let Some((first, _)) = refused.first() else {
        shared.count_stored(stored.len());
        return Reply::status(204);
    };
    let listed = refused.iter().take(LISTED_MAX);
    let entries = listed.map(|(number, why)| format!("\nerror parsing line {number} (1-based): {why}"));
    let message = format!(
        "failed to parse line protocol: errors encountered on line(s):{}",
        entries.collect::<String>()
    );
    let body = serde_json::json!({ "code": "invalid", "message": message, "line": first });
    Reply::status(400).body(body.to_string())
}

fn point(line: &[u8]) -> Result<Point, String> {
    read_line(line).map_err(|error| match error.reason {
        Reason::BadTimestamp | Reason::TimeRange => {
            let text = String::from_utf8_lossy(line);
            format!("Unable to parse timestamp value '{}'", text.rsplit(' ').next().unwrap_or_default())
        }
        _ => "No fields were provided".to_owned(),
    })
}

impl Partitions {
    /// Adds the columns of a point.
    fn add(&mut self, destination: &Destination, point: &Point) -> Result<(), String> {
        let day = point.time.unwrap_or_else(now_nanos).div_euclid(DAY_NANOS);
        let tags = point.tags.iter().map(|(name, _)| (name, "iox::column_type::tag"));
        let fields = point.fields.iter().map(|(name, value)| (name, column_type(value.type_name())));
        for (name, kind) in tags.chain(fields) {
            let column = (destination.clone(), point.measurement.clone(), day, name.clone());
            let known = *self.0.entry(column).or_insert(kind);
            if known != kind {
                return Err(format!("invalid column type for column '{name}', expected {known}, got {kind}"));
            }
        }
        Ok(())
    }
}
