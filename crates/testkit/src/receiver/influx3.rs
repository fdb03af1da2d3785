//! InfluxDB 3 Core: its endpoints, and answers as measured on 3.10.
//!
//! `/api/v3/write_lp`, `/write` and `/api/v2/write` write to one database. A refusal is answered at once; a request that stores lines is
//! answered when the write-ahead log is flushed. A line with 1e400, which only this server accepts, is refused as unparsable.

use super::Shared;
use super::reply::Reply;
use super::request::WriteRequest;
use base::locks::lock;
use base::{Api, Credential, Destination};
use hyper::http::request::Parts;
use hyper::{Method, header};
use line_protocol::reader::{Point, Reason, read_v2_line, split_lines};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Bytes of a line that an answer repeats.
const ORIGINAL_LINE_BYTES: usize = 20;

/// The behaviour of one server.
#[derive(Clone, Debug)]
pub struct Influx3 {
    pub version: String,
    /// Time between two flushes of the write-ahead log. A real server's default is 1 s.
    pub flush: Duration,
    pub databases_max: usize,
    /// Tables of all databases together.
    pub tables_max: usize,
    /// Columns of one table, with its time.
    pub columns_max: usize,
    /// Largest body, as sent and unpacked.
    pub body_bytes_max: usize,
}

impl Default for Influx3 {
    fn default() -> Self {
        Self {
            version: "3.10.0".to_owned(),
            flush: Duration::ZERO,
            databases_max: 5,
            tables_max: 2_000,
            columns_max: 500,
            body_bytes_max: 10 << 20,
        }
    }
}

/// Type of each column, by database and table.
#[derive(Debug)]
pub(super) struct Schema {
    databases: BTreeMap<String, BTreeMap<String, BTreeMap<String, &'static str>>>,
    started: Instant,
    /// A table got two columns with one name: a real server never recovers from that.
    is_destroyed: bool,
}

impl Schema {
    pub fn new(databases: impl IntoIterator<Item = String>) -> Self {
        Self {
            databases: databases.into_iter().map(|name| (name, BTreeMap::new())).collect(),
            started: Instant::now(),
            is_destroyed: false,
        }
    }

    /// Time until the next flush.
    fn until_flush(&self, flush: Duration) -> Duration {
        if flush.is_zero() {
            return Duration::ZERO;
        }
        let since = self.started.elapsed().as_nanos() % flush.as_nanos();
        flush.saturating_sub(Duration::from_nanos(u64::try_from(since).unwrap_or(0)))
    }

    fn create(&mut self, database: &str, server: &Influx3) -> Result<(), String> {
        if !self.databases.contains_key(database) {
            if self.databases.len() >= server.databases_max {
                let max = server.databases_max;
                return Err(format!("Adding a new database would exceed limit of {max} databases"));
            }
            self.databases.insert(database.to_owned(), BTreeMap::new());
        }
        Ok(())
    }

    /// Adds the columns of a point. Columns that fit stay although another one is refused.
    fn add(&mut self, database: &str, point: &Point, server: &Influx3) -> Result<(), Refusal> {
        let all_tables: usize = self.databases.values().map(BTreeMap::len).sum();
        let tables = self.databases.entry(database.to_owned()).or_default();
        if !tables.contains_key(&point.measurement) && all_tables >= server.tables_max {
            return Err(Refusal::limit(format!(
                "Update to schema would exceed number of tables limit: {}",
                server.tables_max
            )));
        }
        let table = tables.entry(point.measurement.clone()).or_default();
        let tags = point.tags.iter().map(|(name, _)| (name, "iox::column_type::tag"));
        let fields = point.fields.iter().map(|(name, value)| (name, column_type(value.type_name())));
        let mut refusal = None;
        for (name, kind) in tags.chain(fields) {
            let known = match table.get(name) {
                Some(known) => *known,
                None if table.len() + 1 >= server.columns_max => {
                    let max = server.columns_max;
                    let why = format!(
                        "Update to schema would exceed number of columns per table limit of {max} columns"
                    );
                    refusal.get_or_insert(Refusal::limit(why));
                    continue;
                }
                None => table.entry(name.clone()).or_insert(kind),
            };
            if known != kind {
                let why = format!("invalid column type for column '{name}', expected {known}, got {kind}");
                refusal.get_or_insert(Refusal::line(why));
            }
        }
        refusal.map_or(Ok(()), Err)
    }
}

pub(super) fn column_type(kind: &str) -> &'static str {
    match kind {
        "integer" => "iox::column_type::field::integer",
        "unsigned" => "iox::column_type::field::uinteger",
        "boolean" => "iox::column_type::field::boolean",
        "string" => "iox::column_type::field::string",
        _ => "iox::column_type::field::float",
    }
}

/// Why a line is refused.
#[derive(Clone, Debug)]
struct Refusal {
    why: String,
    is_limit: bool,
}

impl Refusal {
    fn line(why: String) -> Self {
        Self { why, is_limit: false }
    }

    fn limit(why: String) -> Self {
        Self { why, is_limit: true }
    }
}

/// The answer to everything but a write; `None` for a write.
pub(super) fn answer_other(parts: &Parts, server: &Influx3, shared: &Shared) -> Option<Reply> {
    let path = parts.uri.path();
    if matches!(path, "/api/v3/write_lp" | "/write" | "/api/v2/write") && parts.method == Method::POST {
        return None;
    }
    if let Err(refusal) = authorize(parts, &shared.options.credential) {
        return Some(refusal);
    }
    Some(match (&parts.method, path) {
        (&Method::GET | &Method::POST, "/ping") => {
            let body = json!({ "product_name": "InfluxDB 3 Core", "version": server.version });
            Reply::status(200)
                .header("x-influxdb-version", &server.version)
                .header("x-influxdb-build", "Core")
                .body(body.to_string())
        }
        (&Method::GET, "/health") => Reply::status(200).body("OK"),
        (&Method::GET, "/api/v3/configure/database") => {
            let names: Vec<Value> = lock(&shared.imitations.schema)
                .databases
                .keys()
                .map(|name| json!({ "iox::database": name }))
                .collect();
            Reply::status(200).body(Value::from(names).to_string())
        }
        _ => Reply::status(404).body("not found"),
    })
}

/// Checks the login. 3.10 has one answer for every endpoint.
pub(super) fn authorize(parts: &Parts, credential: &Credential) -> Result<(), Reply> {
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|header| header.to_str().ok());
    let is_bearer = match (credential, header.and_then(|header| header.split_once(' '))) {
        (Credential::Token(token), Some(("Bearer", sent))) => sent == token.expose(),
        (Credential::Token(_), Some(("token", _))) => {
            return Err(Reply::status(400).body(r#"{"error": "the authentication scheme is malformed"}"#));
        }
        _ => false,
    };
    if is_bearer || super::request::is_authorized(parts, credential) {
        return Ok(());
    }
    Err(Reply::status(401).body(r#"{"error": "the request was not authenticated"}"#))
}

/// Stores a request as the server does.
pub(super) fn store(request: &WriteRequest, server: &Influx3, shared: &Shared) -> Reply {
    let mut schema = lock(&shared.imitations.schema);
    if schema.is_destroyed {
        return internal(request.api(), "snapshot panicked");
    }
    if let Some(why) = &*lock(&shared.imitations.write_error) {
        return internal(request.api(), why);
    }
    let database = database(&request.destination);
    if let Err(why) = schema.create(&database, server) {
        return match request.api() {
            Api::V2 => v2(&format!("catalog update error: {why}")),
            Api::V1 | Api::V3 => Reply::v1(422, &why),
        };
    }
    if std::str::from_utf8(&request.text).is_err() {
        return whole(request.api(), "invalid UTF-8 in line protocol");
    }
    let lines: Vec<&[u8]> = split_lines(&request.text).filter(|line| is_counted(line)).collect();
    if lines.is_empty() {
        return whole(request.api(), "incoming write was empty");
    }
    let accepts_partial = request.accept_partial == Some(true);
    let (mut points, mut stored, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
    for (index, &line) in lines.iter().enumerate() {
        match point(line).and_then(|point| {
            schema.is_destroyed |= has_repeated_tag(&point);
            schema.add(&database, &point, server).map(|()| point)
        }) {
            Ok(point) => {
                points.push(point);
                stored.push(line);
            }
            Err(refusal) => {
                refusals.push((index + 1, refusal));
                if !accepts_partial {
                    break;
                }
            }
        }
    }
    let flush = schema.until_flush(server.flush);
    drop(schema);
    if refusals.is_empty() || (accepts_partial && !points.is_empty()) {
        shared.keep(&Destination::Database3 { database }, points);
    }
    match refusals.first() {
        None => {
            shared.count_stored(lines.len());
            shared.publish(request, &stored);
            Reply::status(204).after(flush)
        }
        Some(_) if accepts_partial => {
            let after = if stored.is_empty() { Duration::ZERO } else { flush };
            partial(&refusals, &request.text).after(after)
        }
        Some((number, refusal)) => refused(request, *number, refusal),
    }
}

/// The database of a destination: a retention policy of 1.x becomes part of its name.
fn database(destination: &Destination) -> String {
    match destination {
        Destination::Bucket { bucket, .. } => bucket.clone(),
        Destination::Database { database, retention_policy: Some(policy) } => format!("{database}/{policy}"),
        Destination::Database { database, retention_policy: None } | Destination::Database3 { database } => {
            database.clone()
        }
    }
}

/// Whether the server counts the line: comments and blank lines have no number.
fn is_counted(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    !line.is_empty() && !line.starts_with(b"#")
}

fn point(line: &[u8]) -> Result<Point, Refusal> {
    let point = match read_v2_line(line) {
        Ok(point) => point,
        Err(error) => {
            let why = match error.reason {
                Reason::BadTimestamp | Reason::TimeRange => {
                    let text = String::from_utf8_lossy(line);
                    format!(
                        "Unable to parse timestamp value `{}`",
                        text.rsplit(' ').next().unwrap_or_default()
                    )
                }
                Reason::StringTooLong(_) => "String is greater than 1MB".to_owned(),
                // 3.10 stores such a line and cannot read its table any more.
                Reason::DuplicateTag => return Ok(repeated_tag()),
                _ => "No fields were provided".to_owned(),
            };
            return Err(Refusal::line(why));
        }
    };
    let mut names = BTreeSet::new();
    match point.fields.iter().find(|(name, _)| !names.insert(name)) {
        Some((name, _)) => Err(Refusal::line(format!("multiple instances of '{name}' field found"))),
        None => Ok(point),
    }
}

/// Stands for a line whose tags the strict reader refuses to read.
fn repeated_tag() -> Point {
    let tags = vec![("t".to_owned(), String::new()); 2];
    Point { measurement: "repeated tags".to_owned(), tags, fields: Vec::new(), time: None }
}

fn has_repeated_tag(point: &Point) -> bool {
    let mut names = BTreeSet::new();
    !point.tags.iter().all(|(name, _)| names.insert(name))
}

/// An error of the write-ahead log: 2.x's endpoint calls it invalid.
fn internal(api: Api, why: &str) -> Reply {
    match api {
        Api::V2 => v2(why),
        Api::V1 | Api::V3 => Reply::v1(500, &format!("write buffer error: {why}")),
    }
}

/// A refusal of the whole body.
fn whole(api: Api, why: &str) -> Reply {
    match api {
        Api::V2 => v2(why),
        Api::V1 | Api::V3 => Reply::v1(400, why),
    }
}

fn v2(why: &str) -> Reply {
    let body = json!({ "code": "invalid", "message": format!("write buffer error: {why}") });
    Reply::status(400).body(body.to_string())
}

/// The refusal of a whole request for its first bad line.
fn refused(request: &WriteRequest, number: usize, refusal: &Refusal) -> Reply {
    match request.api() {
        Api::V2 => v2(&format!("line protocol parse failed: {}", refusal.why)),
        Api::V1 | Api::V3 => {
            let data = detail(number, refusal, &request.text);
            with_data(400, "line protocol parsing error", &data)
        }
    }
}

/// The list of refused lines, which has no bound.
fn partial(refusals: &[(usize, Refusal)], text: &[u8]) -> Reply {
    let status = if refusals.iter().any(|(_, refusal)| refusal.is_limit) { 422 } else { 400 };
    let data: Vec<Value> = refusals.iter().map(|(number, refusal)| detail(*number, refusal, text)).collect();
    with_data(status, "partial write of line protocol occurred", &Value::from(data))
}

/// The server's order of keys, which matters where a long body is cut.
fn with_data(status: u16, error: &str, data: &Value) -> Reply {
    Reply::status(status).body(format!("{{\"error\":{},\"data\":{data}}}", json!(error)))
}

fn detail(number: usize, refusal: &Refusal, text: &[u8]) -> Value {
    // 3.10 quotes by line breaks, which is another line behind a comment, a blank line or a string of several lines.
    let quoted = text.split(|byte| *byte == b'\n').nth(number - 1).unwrap_or_default();
    let quoted = quoted.get(..ORIGINAL_LINE_BYTES).unwrap_or(quoted);
    json!({
        "error_message": refusal.why,
        "line_number": number,
        "original_line": String::from_utf8_lossy(quoted),
    })
}
