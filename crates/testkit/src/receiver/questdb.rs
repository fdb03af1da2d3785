//! `QuestDB`, with answers as measured on 9.3.4 at `/write` and `/api/v2/write`.
//!
//! Every line goes to the table of its measurement. An answer names the first bad line, and nothing of its request is stored. Points are
//! kept under their destination, with times in microseconds; unlike rows of a table without deduplication, equal points are kept once.

use super::Shared;
use super::reply::Reply;
use super::request::WriteRequest;
use base::locks::lock;
use hyper::http::request::Parts;
use line_protocol::reader::{Point, Reason, read_line};
use std::collections::BTreeMap;

/// Types of columns, by table and column.
#[derive(Debug, Default)]
pub(super) struct Tables(BTreeMap<(String, String), &'static str>);

/// The answer to everything but a write; `None` for a write.
pub(super) fn answer_other(parts: &Parts) -> Option<Reply> {
    match parts.uri.path() {
        "/write" | "/api/v2/write" => None,
        "/ping" => {
            Some(Reply::status(204).header("Server", "questDB/1.0").header("X-Influxdb-Version", "v2.7.4"))
        }
        _ => Some(Reply::status(404).body("Not Found\r\n")),
    }
}

/// Stores a request as the server does.
pub(super) fn store(request: &WriteRequest, shared: &Shared) -> Reply {
    let mut tables = lock(&shared.imitations.tables);
    // A line break ends the line, also within a string. Comments and blank lines have no number.
    let lines = request.text.split(|byte| *byte == b'\n');
    let lines: Vec<&[u8]> = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#")).collect();
    let mut points = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        match point(line).and_then(|point| tables.add(&point).map(|()| point)) {
            Ok(point) => points.push(point),
            Err(why) => return refused(index + 1, &why),
        }
    }
    drop(tables);
    shared.keep(&request.destination, points);
    shared.count_stored(lines.len());
    shared.publish(request, &lines);
    Reply::status(204)
}

fn refused(number: usize, why: &str) -> Reply {
    let message = format!(
        "failed to parse line protocol:errors encountered on line(s):\nerror in line {number}: {why}"
    );
    let body = serde_json::json!({ "code": "invalid", "message": message, "line": number, "errorId": "b-1" });
    Reply::status(400).body(body.to_string())
}

fn point(line: &[u8]) -> Result<Point, String> {
    let mut point = read_line(line).map_err(|error| match error.reason {
        Reason::BadTimestamp | Reason::TimeRange => {
            let text = String::from_utf8_lossy(line);
            format!("Could not parse timestamp: {}", text.rsplit(' ').next().unwrap_or_default())
        }
        _ => "Could not parse entire line, field value is invalid. Field: v; value: ".to_owned(),
    })?;
    if let Some(time) = point.time.filter(|time| *time < 0) {
        let table = &point.measurement;
        return Err(format!(
            "table: {table}, timestamp: {time}; designated timestamp before 1970-01-01 is not allowed"
        ));
    }
    point.time = point.time.map(|time| time - time % 1_000);
    Ok(point)
}

impl Tables {
    /// Adds the columns of a point.
    fn add(&mut self, point: &Point) -> Result<(), String> {
        let tags = point.tags.iter().map(|(name, _)| (name, "TAG", "SYMBOL"));
        let fields = point.fields.iter().map(|(name, value)| match value.type_name() {
            "integer" => (name, "INTEGER", "LONG"),
            "boolean" => (name, "BOOLEAN", "BOOLEAN"),
            "string" => (name, "STRING", "VARCHAR"),
            _ => (name, "FLOAT", "DOUBLE"),
        });
        for (column, protocol, own) in tags.chain(fields) {
            let table = &point.measurement;
            let known = self.0.entry((table.clone(), column.clone())).or_insert(own);
            let fits = own == *known
                || *known == "SYMBOL"
                || matches!((protocol, *known), ("INTEGER" | "BOOLEAN", "DOUBLE") | ("TAG", "VARCHAR"));
            if !fits {
                return Err(format!(
                    "table: {table}, column: {column}; cast error from protocol type: {protocol} to column type: {known}"
                ));
            }
        }
        Ok(())
    }
}
