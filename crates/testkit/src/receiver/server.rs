//! Connections, endpoints, and what each request is answered.

use super::Shared;
use super::reply::{Reply, ReplyBody};
use super::request::{WriteRequest, is_authorized, parameters};
use super::store::now_nanos;
#[cfg(feature = "faults")]
use super::{Product, cloud, influx3, questdb};
use base::locks::lock;
use base::{Api, Destination};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use line_protocol::reader::{Point, read_line, read_v2_line, split_lines};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Largest body as sent: the limit of 1.x.
const BODY_BYTES_MAX: usize = 25_000_000;

/// Out of file descriptors, say: not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until the task is aborted; its connections end with it.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(|request| respond(request, &shared));
            // A connection that breaks is the client's business.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn respond(request: Request<Incoming>, shared: &Shared) -> io::Result<Response<ReplyBody>> {
    let (parts, body) = request.into_parts();
    // InfluxDB 3 and QuestDB have endpoints of their own instead of those below.
    #[cfg(feature = "faults")]
    if let Product::Influx3(_) | Product::QuestDb = &shared.options.product {
        let other = match &shared.options.product {
            Product::Influx3(server) => influx3::answer_other(&parts, server, shared),
            _ => questdb::answer_other(&parts),
        };
        let reply = match other {
            Some(reply) => reply,
            None => write(&parts, body, shared).await?,
        };
        return reply.send().await;
    }
    let reply = match (&parts.method, parts.uri.path()) {
        (_, "/ping") => Reply::status(204),
        (&Method::GET, "/health") => {
            Reply::status(200).body(r#"{"name":"receiver","status":"pass","version":"receiver"}"#)
        }
        (&Method::POST, "/write" | "/api/v2/write") => write(&parts, body, shared).await?,
        (&Method::POST, "/query") => query(&parts, shared),
        (_, "/write" | "/api/v2/write" | "/query") => Reply::v2(405, "method not allowed", ""),
        _ => Reply::status(404).body("404 page not found\n"),
    };
    reply.header("X-Influxdb-Version", "receiver").send().await
}

async fn write(parts: &Parts, body: Incoming, shared: &Shared) -> io::Result<Reply> {
    let number = shared.counts.requests.fetch_add(1, Relaxed) + 1;
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return Ok(Reply::v1(413, "Request Entity Too Large"));
        }
        Err(error) => return Err(io::Error::other(error)),
    };
    shared.counts.bytes_received.fetch_add(body.len() as u64, Relaxed);
    Ok(answer(number, parts, body, shared).unwrap_or_else(|refusal| refusal))
}

fn answer(number: u64, parts: &Parts, body: Bytes, shared: &Shared) -> Result<Reply, Reply> {
    authorize(parts, shared)?;
    let request = WriteRequest::new(number, parts, body, &shared.options.product)?;
    #[cfg(feature = "faults")]
    if let Some(reply) = shared.options.faults.as_ref().and_then(|faults| faults(&request)) {
        if reply.stores {
            match &shared.options.product {
                Product::Influx1And2 | Product::Cloud => store(&request, shared)?,
                Product::Influx3(server) => influx3::store(&request, server, shared),
                Product::QuestDb => questdb::store(&request, shared),
            };
        }
        return Ok(reply);
    }
    if let Some(observer) = &shared.options.observer {
        observer(&request);
        return Ok(Reply::status(204));
    }
    #[cfg(feature = "faults")]
    match &shared.options.product {
        Product::Influx3(server) => return Ok(influx3::store(&request, server, shared)),
        Product::QuestDb => return Ok(questdb::store(&request, shared)),
        Product::Influx1And2 | Product::Cloud => {}
    }
    if !shared.exists(&request.destination) {
        return Err(missing(&request.destination));
    }
    store(&request, shared)
}

fn authorize(parts: &Parts, shared: &Shared) -> Result<(), Reply> {
    #[cfg(feature = "faults")]
    if let Product::Influx3(_) = &shared.options.product {
        return influx3::authorize(parts, &shared.options.credential);
    }
    if is_authorized(parts, &shared.options.credential) {
        return Ok(());
    }
    Err(match parts.uri.path() {
        "/api/v2/write" => Reply::v2(401, "unauthorized", "unauthorized access"),
        _ => Reply::v1(401, "authorization failed"),
    })
}

fn missing(destination: &Destination) -> Reply {
    match destination {
        Destination::Bucket { bucket, .. } => {
            Reply::v2(404, "not found", &format!("bucket {bucket:?} not found"))
        }
        Destination::Database { database, .. } | Destination::Database3 { database } => {
            Reply::v1(404, &format!("database not found: {database:?}"))
        }
    }
}

/// Reads and stores as the server of the request's endpoint does.
fn store(request: &WriteRequest, shared: &Shared) -> Result<Reply, Reply> {
    #[cfg(feature = "faults")]
    if matches!(shared.options.product, Product::Cloud) {
        return Ok(cloud::store(request, shared));
    }
    let (mut points, mut lines, mut refused) = (Vec::<Point>::new(), Vec::new(), Vec::new());
    // InfluxDB 1 has no unsigned integers.
    let read = if request.api() == Api::V1 { read_line } else { read_v2_line };
    for line in split_lines(&request.text) {
        match read(line) {
            Ok(point) => {
                points.push(point);
                lines.push(line);
            }
            Err(error) => {
                let text = String::from_utf8_lossy(line);
                refused.push(format!("unable to parse '{text}': {error}"));
            }
        }
    }
    let refused = refused.join("\n");
    if !refused.is_empty() && (request.api() == Api::V2 || points.is_empty()) {
        return Err(match request.api() {
            Api::V2 => Reply::v2(400, "invalid", &refused),
            Api::V1 | Api::V3 => Reply::v1(400, &refused),
        });
    }
    keep(request, points, shared)?;
    if !refused.is_empty() {
        return Err(Reply::v1(400, &format!("partial write: {refused} dropped=0")));
    }
    shared.count_stored(lines.len());
    shared.publish(request, &lines);
    Ok(Reply::status(204))
}

fn keep(request: &WriteRequest, points: Vec<Point>, shared: &Shared) -> Result<(), Reply> {
    lock(&shared.store).write(&request.destination, points, now_nanos()).map_err(|conflict| {
        let partial = format!("partial write: {} dropped={}", conflict.reason, conflict.dropped);
        match request.api() {
            Api::V2 => {
                let message = format!("failure writing points to database: {partial}");
                Reply::v2(422, "unprocessable entity", &message)
            }
            Api::V1 | Api::V3 => Reply::v1(400, &partial),
        }
    })
}

/// Executes only the statement that creates a database.
fn query(parts: &Parts, shared: &Shared) -> Reply {
    if let Err(refusal) = authorize(parts, shared) {
        return refusal;
    }
    let parameters = parameters(parts);
    let statement = parameters.get("q").map(String::as_str).unwrap_or_default();
    // 1.6.7 answers 200 also where it fails to do a statement.
    #[cfg(feature = "faults")]
    if let Some(error) = &*lock(&shared.imitations.statement_error) {
        let failed = serde_json::json!({ "results": [{ "statement_id": 0, "error": error }] });
        return Reply::status(200).body(failed.to_string());
    }
    let result = match statement.strip_prefix("CREATE DATABASE ").and_then(read_identifier) {
        Some(database) => {
            shared.create(Destination::Database { database, retention_policy: None });
            serde_json::json!({ "statement_id": 0 })
        }
        None => serde_json::json!({ "statement_id": 0, "error": "not implemented" }),
    };
    Reply::status(200).body(serde_json::json!({ "results": [result] }).to_string())
}

fn read_identifier(quoted: &str) -> Option<String> {
    let raw = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let mut name = String::new();
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => name.push(match chars.next()? {
                'n' => '\n',
                escaped => escaped,
            }),
            _ => name.push(c),
        }
    }
    Some(name)
}
