//! The HTTP server of the endpoint. It limits the number of connections and their duration, and reads no request bodies.

use super::health::{Health, health, readiness};
use super::history::TICK;
use super::overview::{Overview, PATHS};
use super::{PipelineState, exposition, metrics, page as status_page, status_json};
use base::alarm::Alarm;
use bytes::Bytes;
use configuration::RecordsAudience;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, timeout};

/// Connections served at once. Further ones wait in the backlog of the listening socket.
const CONNECTIONS_MAX: usize = 32;
/// Time limit for the request header, which probes and scrapers send at once.
const HEADER_READ_MAX: Duration = Duration::from_secs(5);
/// Time limit for a connection, which serves one request. It frees the slot of a client that stops reading.
const CONNECTION_MAX: Duration = Duration::from_secs(10);
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Pause after a failed `accept`, for example without free file descriptors, to avoid a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const TEXT: &str = "text/plain; charset=utf-8";

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// A server that runs until the handle is dropped or the runtime ends.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

/// State for answering requests.
struct Site {
    pipeline: Arc<PipelineState>,
    /// Content security policy of the status page, see [`status_page::policy`].
    policy: String,
}

impl Server {
    /// Listens on `address` from now on.
    pub fn start(address: SocketAddr, pipeline: Arc<PipelineState>, runtime: &Handle) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let _entered = runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        let ticks = runtime.spawn(read_counters_every_second(Arc::clone(&pipeline)));
        let site = Site { pipeline, policy: status_page::policy() };
        Ok(Self { address, tasks: [runtime.spawn(serve(listener, Arc::new(site))), ticks] })
    }

    /// The bound address, with the actual port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Feeds the plot and the rates of the status page.
async fn read_counters_every_second(pipeline: Arc<PipelineState>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let is_blocked = || pipeline.writer.alarms().iter().any(Alarm::is_blocking);
        pipeline.history.tick(pipeline.totals(), is_blocked, Instant::now());
    }
}

async fn serve(listener: TcpListener, site: Arc<Site>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // The semaphore is never closed.
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            // Errors of a connection concern only its client.
            let _ = timeout(CONNECTION_MAX, answer(stream, site)).await;
            drop(slot);
        });
    }
}

async fn answer(stream: TcpStream, site: Arc<Site>) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let response = respond(&request, &site);
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

fn respond<B>(request: &Request<B>, site: &Site) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let response = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned());
        return with(response, ALLOW, "GET, HEAD");
    }
    let (pipeline, query) = (&*site.pipeline, request.uri().query());
    let shows_records = shows_records(pipeline.shown_config().show_records, header(request, &HOST));
    match request.uri().path() {
        "/" => with(root(request, site, shows_records), VARY, "Accept"),
        "/status.json" => {
            let text = status_json::snapshot(pipeline, known_samples(query), shows_records, Instant::now());
            page(StatusCode::OK, JSON, text)
        }
        "/metrics" => page(StatusCode::OK, exposition::CONTENT_TYPE, metrics::page(pipeline)),
        "/healthz" => probe(health(pipeline, Instant::now())),
        "/readyz" => probe(readiness(pipeline, is_strict(query), shows_records, Instant::now())),
        _ => page(StatusCode::NOT_FOUND, TEXT, format!("not found. Available paths:\n\n{PATHS}")),
    }
}

/// The status page, or the state as plain text for clients such as curl that do not ask for HTML.
fn root<B>(request: &Request<B>, site: &Site, shows_records: bool) -> Response<Full<Bytes>> {
    if !header(request, &ACCEPT).is_some_and(|accept| accept.contains("text/html")) {
        let now = Instant::now();
        let text = Overview::new(&site.pipeline, now).text(&site.pipeline, shows_records, now);
        return page(StatusCode::OK, TEXT, text);
    }
    let response = page(StatusCode::OK, HTML, status_page::HTML.to_owned());
    with(with(response, CONTENT_SECURITY_POLICY, &site.policy), REFERRER_POLICY, "no-referrer")
}

fn header<'r, B>(request: &'r Request<B>, name: &HeaderName) -> Option<&'r str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Whether the client may see the contents of records.
fn shows_records(show: RecordsAudience, host: Option<&str>) -> bool {
    match show {
        RecordsAudience::Nobody => false,
        RecordsAudience::Local => host.is_none_or(is_local),
        RecordsAudience::Everybody => true,
    }
}

/// Whether a `Host` header names this machine. A foreign web page can make its own name resolve to 127.0.0.1 (DNS rebinding) and
/// read the response, but the header then has that name.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
}

/// The number of samples that the page has already, from `?since=`.
fn known_samples(query: Option<&str>) -> u64 {
    let since = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("since="));
    // Without a valid number the page gets all samples.
    since.and_then(|since| since.parse().ok()).unwrap_or_default()
}

/// Accepts `?strict` and `?strict=...`.
fn is_strict(query: Option<&str>) -> bool {
    query.unwrap_or_default().split('&').any(|pair| pair.split('=').next() == Some("strict"))
}

fn probe(health: Health) -> Response<Full<Bytes>> {
    let status = if health.is_healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    page(status, TEXT, health.text)
}

fn page(status: StatusCode, content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let response = with(response, CONTENT_TYPE, content_type);
    with(with(response, CACHE_CONTROL, "no-store"), X_CONTENT_TYPE_OPTIONS, "nosniff")
}

/// Adds a header. An invalid value, which no caller has, is left out.
fn with(mut response: Response<Full<Bytes>>, name: HeaderName, value: &str) -> Response<Full<Bytes>> {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_the_names_of_this_machine() {
        let f = |host: &str, want: bool| assert_eq!(is_local(host), want, "{host}");
        f("localhost", true);
        f("LOCALHOST:9643", true);
        f("127.0.0.1:9643", true);
        f("127.1.2.3", true);
        f("[::1]:9643", true);
        f("[::1]", true);
        f("[::ffff:127.0.0.1]:1", true);
        f("", false);
        f("evil.example:9643", false);
        f("localhost.evil.example", false);
        f("127.0.0.1.evil.example:9643", false);
        f("10.0.0.1:9643", false);
        f("localhost:80:evil", false);
    }

    #[test]
    fn records_are_shown_to_the_configured_clients() {
        let f = |show, host, want| assert_eq!(shows_records(show, host), want, "{show:?} {host:?}");
        f(RecordsAudience::Nobody, Some("localhost"), false);
        f(RecordsAudience::Nobody, None, false);
        f(RecordsAudience::Local, Some("localhost:1"), true);
        f(RecordsAudience::Local, Some("evil.example"), false);
        f(RecordsAudience::Local, None, true);
        f(RecordsAudience::Everybody, Some("bridge.example"), true);
    }

    #[test]
    fn parses_the_number_of_known_samples() {
        let f = |query, want| assert_eq!(known_samples(query), want, "{query:?}");
        f(None, 0);
        f(Some("since=12"), 12);
        f(Some("a&since=12&b"), 12);
        f(Some("since=-1"), 0);
        f(Some("since="), 0);
    }
}
