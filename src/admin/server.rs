//! The HTTP endpoint. Whatever is asked of it, it holds few connections, each for a short time, and reads no bodies.

use super::health::{Health, health, readiness};
use super::{Watched, exposition, metrics};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Further ones wait in the system's queue.
const CONNECTIONS_MAX: usize = 32;
/// Probes and scrapers send their header at once.
const HEADER_READ_MAX: Duration = Duration::from_secs(5);
/// Of a connection, which serves one request: a reader that stops reading gives its place back.
const CONNECTION_MAX: Duration = Duration::from_secs(10);
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Out of file descriptors, say: not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const TEXT: &str = "text/plain; charset=utf-8";

const INDEX: &str = concat!(
    "kafka-influx-bridge ",
    env!("CARGO_PKG_VERSION"),
    "\n\n\
    /metrics         what it counts, for Prometheus\n\
    /healthz         200 while the process works\n\
    /readyz          as /healthz, and says what keeps lines from being stored\n\
    /readyz?strict   503 while something does\n"
);

/// A server that runs until it is dropped or its runtime ends.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Listens on `address` from now on.
    pub fn start(address: SocketAddr, watched: Arc<Watched>, runtime: &Handle) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let _entered = runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        Ok(Self { address, task: runtime.spawn(serve(listener, watched)) })
    }

    /// Where it listens; the port is known even if any was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, watched: Arc<Watched>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Nobody closes the semaphore.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let watched = Arc::clone(&watched);
        tokio::spawn(async move {
            // A connection that breaks or takes too long is the client's business.
            let _ = timeout(CONNECTION_MAX, answer(stream, watched)).await;
            drop(place);
        });
    }
}

async fn answer(stream: TcpStream, watched: Arc<Watched>) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let response = respond(request.method(), request.uri(), &watched);
        async { Ok::<_, Infallible>(response) }
    });
    http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn respond(method: &Method, uri: &hyper::Uri, watched: &Watched) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned());
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match uri.path() {
        "/" => page(StatusCode::OK, TEXT, INDEX.to_owned()),
        "/metrics" => page(StatusCode::OK, exposition::CONTENT_TYPE, metrics::page(watched)),
        "/healthz" => probe(health(watched, Instant::now())),
        "/readyz" => probe(readiness(watched, is_strict(uri.query()), Instant::now())),
        _ => page(StatusCode::NOT_FOUND, TEXT, format!("not here. What there is:\n\n{INDEX}")),
    }
}

/// `?strict`, also as `?strict=...`.
fn is_strict(query: Option<&str>) -> bool {
    query.unwrap_or_default().split('&').any(|pair| pair.split('=').next() == Some("strict"))
}

fn probe(health: Health) -> Response<Full<Bytes>> {
    let status = if health.is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    page(status, TEXT, health.text)
}

fn page(status: StatusCode, content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    response
}
