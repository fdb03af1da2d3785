//! The addresses of one database: a client for each, and the one that is used now.

use crate::backoff::now;
use crate::breaker::{AddressChange, Breakers, FailureEffect};
use crate::cause::Cause;
use crate::dialects::{Dialect, Server, Target, Version, dialect};
use crate::error::ClientError;
use crate::http::{ConnectOptions, HttpClient};
use crate::settings::{Compression, ConnectionSettings};
use base::http::is_loopback;
use base::locks::lock;
use base::{Api, Credential, Destination};
use reqwest::Url;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Largest request for InfluxDB 3, `QuestDB`, and servers that have not answered `/ping` as InfluxDB does: InfluxDB 3 refuses more than
/// 10 MiB, as sent or unpacked.
pub const REQUEST_BYTES_MAX: usize = 9_500_000;
/// Largest request at the endpoint of InfluxDB 1, whose `max-body-size` is 25 MB by default.
const INFLUX1_REQUEST_BYTES_MAX: usize = 24_000_000;
/// Largest request for InfluxDB 2, which has no limit, and needs less CPU time for a point the larger requests are.
const INFLUX2_REQUEST_BYTES_MAX: usize = 32_000_000;

/// Largest request at the endpoint of an API, if the server answers `/ping` as InfluxDB 1 or 2 does.
pub const fn influx_request_bytes_max(api: Api) -> usize {
    match api {
        Api::V1 => INFLUX1_REQUEST_BYTES_MAX,
        Api::V2 => INFLUX2_REQUEST_BYTES_MAX,
        Api::V3 => REQUEST_BYTES_MAX,
    }
}

/// Facts about the server behind an address.
#[derive(Clone, Copy, Debug, Default)]
struct KnownServer {
    /// `None`: not asked, or it does not name itself without a login.
    server: Option<Server>,
    /// It has to be asked again. Until then it counts as the same server, of which no feature of a later version is used.
    is_stale: bool,
    /// The address failed since it was asked, so that another server may answer there next.
    is_replaceable: bool,
    /// It has answered `/ping` as InfluxDB does.
    is_influx: bool,
    /// When it last did not name itself without a login.
    unnamed_at: Option<Instant>,
}

/// Time before a server is asked again that does not name itself without a login. A gateway may never let it.
const ASK_AGAIN: Duration = Duration::from_mins(1);

/// One of `influx.urls`.
pub struct Address {
    index: usize,
    base: Url,
    shown: String,
    http: HttpClient,
    gzip: bool,
    /// Set when a request was stored only without compression.
    is_uncompressed: AtomicBool,
    server: Mutex<KnownServer>,
    no_sync: bool,
}

impl Address {
    fn new(
        index: usize,
        url: &Url,
        connection: &ConnectionSettings,
        connect_options: ConnectOptions,
    ) -> Result<Self, ClientError> {
        let shown = shown(url);
        let mut base = url.clone();
        // A login in the URL is used if no credential is configured; the HTTP client moves it to a header.
        if !matches!(connection.credential, Credential::None) {
            strip_login(&mut base);
        }
        base.set_query(None);
        base.set_fragment(None);
        let gzip = match connection.compression {
            Compression::Gzip => true,
            Compression::None => false,
            Compression::Auto => !is_loopback(url),
        };
        let http = HttpClient::new(connection, url, connect_options, now())?;
        let (is_uncompressed, server) = (AtomicBool::new(false), Mutex::default());
        Ok(Self { index, base, shown, http, gzip, is_uncompressed, server, no_sync: connection.no_sync })
    }

    /// The HTTP client for one request.
    pub(crate) fn http(&self) -> reqwest::Client {
        let (client, is_renewed) = self.http.get(now());
        if is_renewed {
            lock(&self.server).is_stale = true;
        }
        client
    }

    /// A client without open connections, for one request.
    pub(crate) fn http_without_connections(&self) -> reqwest::Client {
        self.http.without_connections()
    }

    /// The URL for display, without a login.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// Position in the configuration.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Whether request bodies are compressed.
    pub fn wants_gzip(&self) -> bool {
        self.gzip && !self.is_uncompressed.load(Relaxed)
    }

    /// Switches compression off. Returns whether it was on.
    pub(crate) fn stop_compressing(&self) -> bool {
        self.gzip && !self.is_uncompressed.swap(true, Relaxed)
    }

    /// The server behind the address, as far as it is known.
    pub fn server(&self) -> Server {
        lock(&self.server).server.unwrap_or_default()
    }

    /// The server behind the address; `None` if it has to be asked.
    pub(crate) fn known_server(&self) -> Option<Server> {
        let known = lock(&self.server);
        known.server.filter(|_| !known.is_stale)
    }

    /// Whether the server is to be asked who it is.
    pub(crate) fn is_to_be_asked(&self) -> bool {
        let known = lock(&self.server);
        let is_known = known.server.is_some() && !known.is_stale;
        let is_due = |at: Instant| now().saturating_duration_since(at) >= ASK_AGAIN;
        !is_known && known.unnamed_at.is_none_or(is_due)
    }

    /// Asks a server again that did not name itself: another credential is used now.
    pub(crate) fn ask_with_another_credential(&self) {
        lock(&self.server).unnamed_at = None;
    }

    /// Whether the server is InfluxDB 1 or 2, or one that behaves like these. New connections alone, as every few minutes, do not make that
    /// doubtful.
    fn is_influx_1_or_2(&self) -> bool {
        let known = lock(&self.server);
        let is_doubtful = known.is_stale && known.is_replaceable;
        known.is_influx && !is_doubtful && known.server == Some(Server::Unknown)
    }

    /// Whether large batches are grouped by series. In InfluxDB 3 and `QuestDB` a column has the type of its first value, which would then
    /// depend on the order of the series; in InfluxDB 1 and 2 a point needs less CPU time.
    pub(crate) fn groups_lines(&self, destination: &Destination) -> bool {
        destination.api() != Api::V3 && self.is_influx_1_or_2()
    }

    /// The largest request that should be sent, whatever the configuration allows.
    pub(crate) fn request_bytes_max(&self, destination: &Destination) -> usize {
        let of_api = influx_request_bytes_max(destination.api());
        if self.is_influx_1_or_2() { of_api } else { REQUEST_BYTES_MAX }
    }

    /// Records the server that answered; `None`: it does not name itself without a login. If it was asked again only because connections
    /// were replaced, the smallest version counts: there may be several servers.
    pub(crate) fn set_server(&self, server: Option<Server>, is_influx: bool) {
        let mut known = lock(&self.server);
        let server = match (known.server, server) {
            _ if known.is_replaceable => server,
            (Some(Server::Influx3(before)), Some(Server::Influx3(version))) => {
                Some(Server::Influx3(before.min(version)))
            }
            // Something before the server answered.
            (Some(before), Some(Server::Unknown)) => Some(before),
            (_, server) => server,
        };
        let unnamed_at = server.is_none().then(now);
        *known = KnownServer { server, is_influx, unnamed_at, ..KnownServer::default() };
    }

    /// Records that the server did not say who it is. It is asked again after the address has failed.
    pub(crate) fn keep_server(&self) {
        let mut known = lock(&self.server);
        (known.server, known.is_stale) = (Some(known.server.unwrap_or_default()), false);
    }

    /// Records that the address failed.
    pub(crate) fn expect_another_server(&self) {
        let mut known = lock(&self.server);
        (known.is_stale, known.is_replaceable, known.unnamed_at) = (true, true, None);
    }

    /// The dialect of a destination at this address.
    pub(crate) fn dialect<'a>(&self, destination: &'a Destination) -> Box<dyn Dialect + 'a> {
        let known = *lock(&self.server);
        let server = match known.server.unwrap_or_default() {
            // Until it is asked again, no feature of a later version is used.
            Server::Influx3(_) if known.is_stale => Server::Influx3(Version(3, 0, 0)),
            server => server,
        };
        dialect(destination, server, self.no_sync)
    }

    /// The URL of a request to this address.
    pub(crate) fn url(&self, target: &Target<'_>) -> Url {
        let mut url = self.base.clone();
        // A URL without a path is no HTTP address.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(target.path);
        }
        if !target.parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(&target.parameters);
        }
        url
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address").field("url", &self.shown).field("gzip", &self.gzip).finish_non_exhaustive()
    }
}

/// All addresses, in the order of the configuration. Every lane uses the first that works.
#[derive(Debug)]
pub struct Addresses {
    first: Address,
    others: Vec<Address>,
    breakers: Mutex<Breakers>,
}

impl Addresses {
    pub(super) fn new(
        connection: &ConnectionSettings,
        connect_options: ConnectOptions,
    ) -> Result<Self, ClientError> {
        let new = |(index, url)| Address::new(index, url, connection, connect_options);
        let mut all = connection.urls.iter().enumerate().map(new);
        let first = all.next().ok_or(ClientError::NoAddress)??;
        let others: Vec<Address> = all.collect::<Result<_, _>>()?;
        let breakers = Mutex::new(Breakers::new(1 + others.len()));
        Ok(Self { first, others, breakers })
    }

    pub fn all(&self) -> impl Iterator<Item = &Address> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub fn current(&self) -> &Address {
        let current = lock(&self.breakers).current();
        self.at(current)
    }

    /// Whether the address failed and has not worked since.
    pub fn is_down(&self, address: &Address) -> bool {
        lock(&self.breakers).is_down(address.index)
    }

    /// The next address to try after these failed; `None` if all failed.
    pub(super) fn pick(&self, tried: &BTreeSet<usize>) -> Option<&Address> {
        let pick = lock(&self.breakers).pick(tried);
        pick.map(|index| self.at(index))
    }

    /// Records a failure of the address itself.
    pub(super) fn fail(&self, address: &Address, cause: Cause) -> FailureEffect {
        lock(&self.breakers).fail(address.index, cause)
    }

    /// Failures in a row; `None` if the address is not down.
    pub(super) fn failures(&self, address: &Address) -> Option<u32> {
        lock(&self.breakers).failures(address.index)
    }

    /// Records that a check of the address failed again.
    pub(super) fn fail_again(&self, address: &Address) {
        lock(&self.breakers).fail_again(address.index);
    }

    /// Records an answer of the address. `stores`: it stored lines.
    pub(super) fn answered(&self, address: &Address, stores: bool) -> Option<AddressChange> {
        lock(&self.breakers).answered(address.index, stores)
    }

    /// The address with this index, which an address itself gave.
    pub(super) fn at(&self, index: usize) -> &Address {
        index.checked_sub(1).and_then(|other| self.others.get(other)).unwrap_or(&self.first)
    }
}

/// The URL without login and query, for display.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    strip_login(&mut url);
    url.set_query(None);
    url.set_fragment(None);
    url.as_str().trim_end_matches('/').to_owned()
}

fn strip_login(url: &mut Url) {
    // Fails only for URLs that cannot have a login.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::Version;
    use crate::test_support::connection;

    #[test]
    fn builds_write_urls() {
        let bucket = |org: &str, bucket: &str| Destination::Bucket { org: org.into(), bucket: bucket.into() };
        let database = |database: &str, policy: Option<&str>| Destination::Database {
            database: database.into(),
            retention_policy: policy.map(Into::into),
        };
        let f = |base: &str, destination: Destination, want: &str| {
            let addresses = Addresses::new(&connection(base), ConnectOptions::default()).unwrap();
            let address = addresses.current();
            assert_eq!(address.url(&address.dialect(&destination).write_target()).as_str(), want);
        };
        let own = |database: &str| Destination::Database3 { database: database.into() };
        f("http://h:1", bucket("o", "b"), "http://h:1/api/v2/write?org=o&bucket=b&precision=ns");
        f(
            "http://h:1/influx",
            bucket("o", "b"),
            "http://h:1/influx/api/v2/write?org=o&bucket=b&precision=ns",
        );
        f("http://h:1/influx/", database("d", None), "http://h:1/influx/write?db=d&precision=ns");
        f("http://h:1?x=y#z", database("d", Some("r")), "http://h:1/write?db=d&rp=r&precision=ns");
        f("http://h:1", database("a&b=c 한", None), "http://h:1/write?db=a%26b%3Dc+%ED%95%9C&precision=ns");
        f(
            "http://h:1/influx",
            own("d/week"),
            "http://h:1/influx/api/v3/write_lp?db=d%2Fweek&precision=nanosecond&accept_partial=false&no_sync=false",
        );
    }

    /// The endpoint stays as it is configured, because a proxy may pass no other one.
    #[test]
    fn the_server_decides_parameters_and_not_the_endpoint() {
        let connection = ConnectionSettings { no_sync: true, ..connection("http://h:1") };
        let addresses = Addresses::new(&connection, ConnectOptions::default()).unwrap();
        let address = addresses.current();
        address.set_server(Some(Server::Influx3(Version(3, 11, 2))), true);
        let f = |destination: Destination, want: &str| {
            assert_eq!(address.url(&address.dialect(&destination).write_target()).as_str(), want);
        };
        f(
            Destination::Database3 { database: "d".into() },
            "http://h:1/api/v3/write_lp?db=d&precision=nanosecond&accept_partial=true&no_sync=true",
        );
        f(
            Destination::Database { database: "d".into(), retention_policy: None },
            "http://h:1/write?db=d&precision=ns",
        );
        f(
            Destination::Bucket { org: "o".into(), bucket: "b".into() },
            "http://h:1/api/v2/write?org=o&bucket=b&precision=ns",
        );
    }

    /// A load balancer may lead new connections to a server of another version.
    #[test]
    fn the_server_is_asked_again_when_connections_are_replaced_and_the_smallest_version_counts() {
        let connect_options =
            ConnectOptions { age_max: std::time::Duration::ZERO, ..ConnectOptions::default() };
        let addresses = Addresses::new(&connection("http://h:1"), connect_options).unwrap();
        let address = addresses.current();
        let server = |minor: u32, patch: u32| Some(Server::Influx3(Version(3, minor, patch)));
        let destination = Destination::Database3 { database: "d".into() };
        let accepts_partial = || {
            let url = address.url(&address.dialect(&destination).write_target());
            url.as_str().contains("accept_partial=true")
        };
        address.set_server(server(11, 2), true);
        assert!(accepts_partial());
        address.http();
        assert_eq!((address.known_server(), address.server()), (None, server(11, 2).unwrap()));
        assert!(!accepts_partial());
        for (answer, want) in [
            (server(11, 1), server(11, 1)),
            (server(12, 0), server(11, 1)),
            (Some(Server::Unknown), server(11, 1)),
        ] {
            address.set_server(answer, true);
            assert_eq!(address.known_server(), want);
            address.http();
        }
        // The address failed, maybe for an upgrade.
        address.expect_another_server();
        address.set_server(server(12, 0), true);
        assert!(accepts_partial());
    }

    /// A lane that replaces the connections must not make the batches of all lanes smaller.
    #[test]
    fn new_connections_do_not_lower_the_bound_of_requests() {
        let connect_options =
            ConnectOptions { age_max: std::time::Duration::ZERO, ..ConnectOptions::default() };
        let addresses = Addresses::new(&connection("http://h:1"), connect_options).unwrap();
        let address = addresses.current();
        let destination = Destination::Bucket { org: "o".into(), bucket: "b".into() };
        let f = |want: usize, groups: bool| {
            assert_eq!(address.request_bytes_max(&destination), want);
            assert_eq!(address.groups_lines(&destination), groups);
        };
        f(REQUEST_BYTES_MAX, false);
        address.set_server(Some(Server::Unknown), true);
        f(INFLUX2_REQUEST_BYTES_MAX, true);
        address.http();
        assert!(address.is_to_be_asked());
        f(INFLUX2_REQUEST_BYTES_MAX, true);
        // The address failed, maybe for an upgrade.
        address.expect_another_server();
        f(REQUEST_BYTES_MAX, false);
        address.set_server(Some(Server::Influx3(Version(3, 11, 2))), true);
        f(REQUEST_BYTES_MAX, false);
    }

    /// A gateway may answer 401 to `/ping` for ever, while it forwards writes.
    #[test]
    fn a_server_that_does_not_name_itself_is_asked_again_after_a_failure_or_with_another_credential() {
        let addresses = Addresses::new(&connection("http://h:1"), ConnectOptions::default()).unwrap();
        let address = addresses.current();
        assert!(address.is_to_be_asked());
        for _ in 0..2 {
            address.set_server(None, false);
            assert!(address.known_server().is_none() && !address.is_to_be_asked());
            address.expect_another_server();
            assert!(address.is_to_be_asked());
            address.set_server(None, false);
            address.ask_with_another_credential();
            assert!(address.is_to_be_asked());
        }
        address.set_server(Some(Server::Unknown), true);
        assert!(!address.is_to_be_asked());
    }

    #[test]
    fn shown_urls_have_no_login() {
        let f = |url: &str, want: &str| assert_eq!(shown(&url.parse().unwrap()), want);
        f("http://user:secret@h:1/p?token=secret#x", "http://h:1/p");
        f("https://h/", "https://h");
    }

    #[test]
    fn compresses_except_to_loopback_addresses() {
        let f = |url: &str, compression: Compression, want: bool| {
            let connection = ConnectionSettings { compression, ..connection(url) };
            assert_eq!(
                Addresses::new(&connection, ConnectOptions::default()).unwrap().current().wants_gzip(),
                want,
                "{url}"
            );
        };
        f("http://localhost:1", Compression::Auto, false);
        f("http://10.0.0.1:1", Compression::Auto, true);
        f("http://localhost:1", Compression::Gzip, true);
        f("http://10.0.0.1:1", Compression::None, false);
    }
}
