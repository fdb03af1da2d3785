//! The HTTP endpoint. Whatever is asked of it, it holds few connections, each for a short time, and reads no bodies.

use super::health::{Health, health, holds, readiness};
use super::history::{TICK, Totals};
use super::{Watched, exposition, metrics, page as status_page, status};
use bytes::Bytes;
use configuration::ShowRecords;
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

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// For whom is no browser.
const INDEX: &str = concat!(
    "kafka-influx-bridge ",
    env!("CARGO_PKG_VERSION"),
    "\n\n\
    /                the status page, in a browser\n\
    /status.json     what it shows\n\
    /metrics         what it counts, for Prometheus\n\
    /healthz         200 while the process works\n\
    /readyz          as /healthz, and says what keeps lines from being stored\n\
    /readyz?strict   503 while something does\n"
);

/// A server that runs until it is dropped or its runtime ends.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

/// What requests are answered from.
struct Site {
    watched: Arc<Watched>,
    /// The status page's, see [`status_page::policy`].
    policy: String,
}

impl Server {
    /// Listens on `address` from now on.
    pub fn start(address: SocketAddr, watched: Arc<Watched>, runtime: &Handle) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let _entered = runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        let ticks = runtime.spawn(look_every_second(Arc::clone(&watched)));
        let site = Site { watched, policy: status_page::policy() };
        Ok(Self { address, tasks: [runtime.spawn(serve(listener, Arc::new(site))), ticks] })
    }

    /// Where it listens; the port is known even if any was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// For the plot and the rates of the status page.
async fn look_every_second(watched: Arc<Watched>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let is_holding = || watched.writer.alarms().iter().any(holds);
        watched.history.tick(Totals::of(&watched), is_holding, Instant::now());
    }
}

async fn serve(listener: TcpListener, site: Arc<Site>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Nobody closes the semaphore.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            // A connection that breaks or takes too long is the client's business.
            let _ = timeout(CONNECTION_MAX, answer(stream, site)).await;
            drop(place);
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
    let (watched, query) = (&*site.watched, request.uri().query());
    let shows_records = shows_records(watched.about().show_records, header(request, &HOST));
    match request.uri().path() {
        "/" => with(root(request, site), VARY, "Accept"),
        "/status.json" => {
            let text = status::snapshot(watched, known_samples(query), shows_records, Instant::now());
            page(StatusCode::OK, JSON, text)
        }
        "/metrics" => page(StatusCode::OK, exposition::CONTENT_TYPE, metrics::page(watched)),
        "/healthz" => probe(health(watched, Instant::now())),
        "/readyz" => probe(readiness(watched, is_strict(query), shows_records, Instant::now())),
        _ => page(StatusCode::NOT_FOUND, TEXT, format!("not here. What there is:\n\n{INDEX}")),
    }
}

/// The status page, or text for whom does not ask for HTML, as curl.
fn root<B>(request: &Request<B>, site: &Site) -> Response<Full<Bytes>> {
    if !header(request, &ACCEPT).is_some_and(|accept| accept.contains("text/html")) {
        return page(StatusCode::OK, TEXT, INDEX.to_owned());
    }
    let response = page(StatusCode::OK, HTML, status_page::HTML.to_owned());
    with(with(response, CONTENT_SECURITY_POLICY, &site.policy), REFERRER_POLICY, "no-referrer")
}

fn header<'r, B>(request: &'r Request<B>, name: &HeaderName) -> Option<&'r str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Whether whoever asks may see what records hold.
fn shows_records(show: ShowRecords, host: Option<&str>) -> bool {
    match show {
        ShowRecords::Nobody => false,
        ShowRecords::Local => host.is_none_or(is_local),
        ShowRecords::Everybody => true,
    }
}

/// Whether a `Host` is this machine by its own name. A page from elsewhere can let its name lead to 127.0.0.1 and read what
/// is answered there, but then that name stands here.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
}

/// `?since=`, how many samples of the plot the page has.
fn known_samples(query: Option<&str>) -> u64 {
    let since = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("since="));
    // A page that has no samples yet, or says something else, gets all of them.
    since.and_then(|since| since.parse().ok()).unwrap_or_default()
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
    let response = with(response, CONTENT_TYPE, content_type);
    with(with(response, CACHE_CONTROL, "no-store"), X_CONTENT_TYPE_OPTIONS, "nosniff")
}

/// With one more header, whose value is harmless.
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
    fn knows_this_machine() {
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
    fn records_are_shown_to_whom_they_may_be() {
        let f = |show, host, want| assert_eq!(shows_records(show, host), want, "{show:?} {host:?}");
        f(ShowRecords::Nobody, Some("localhost"), false);
        f(ShowRecords::Nobody, None, false);
        f(ShowRecords::Local, Some("localhost:1"), true);
        f(ShowRecords::Local, Some("evil.example"), false);
        f(ShowRecords::Local, None, true);
        f(ShowRecords::Everybody, Some("bridge.example"), true);
    }

    #[test]
    fn reads_how_many_samples_are_known() {
        let f = |query, want| assert_eq!(known_samples(query), want, "{query:?}");
        f(None, 0);
        f(Some("since=12"), 12);
        f(Some("a&since=12&b"), 12);
        f(Some("since=-1"), 0);
        f(Some("since="), 0);
    }
}
