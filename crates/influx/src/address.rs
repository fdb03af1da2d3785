//! The addresses of one database: how each is reached, and which is used now.

use super::breaker::{Breakers, Failed, News};
use super::cause::Cause;
use super::client::ClientError;
use super::connection::{Compression, Connection};
use super::http::{Dialing, HttpClient};
use super::writer::now;
use base::http::is_loopback;
use base::{Credential, Destination};
use reqwest::Url;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One of `influx.urls`.
pub struct Address {
    index: usize,
    base: Url,
    shown: String,
    http: HttpClient,
    gzip: bool,
    /// Set when a request was stored only without compression.
    is_uncompressed: AtomicBool,
}

impl Address {
    fn new(index: usize, url: &Url, connection: &Connection, dialing: Dialing) -> Result<Self, ClientError> {
        let shown = shown(url);
        let mut base = url.clone();
        // Without a credential of its own, a login in the URL counts; the HTTP client moves it to a header.
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
        let http = HttpClient::new(connection, url, dialing, now())?;
        Ok(Self { index, base, shown, http, gzip, is_uncompressed: AtomicBool::new(false) })
    }

    /// The client for one request to it.
    pub(super) fn http(&self) -> reqwest::Client {
        self.http.get(now())
    }

    /// For people: without a login.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// Its place in the configuration.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Whether request bodies to it are compressed.
    pub fn wants_gzip(&self) -> bool {
        self.gzip && !self.is_uncompressed.load(Relaxed)
    }

    /// Bodies are not compressed from now on. Says whether they were before.
    pub(super) fn keep_uncompressed(&self) -> bool {
        self.gzip && !self.is_uncompressed.swap(true, Relaxed)
    }

    /// The address with this path and these parameters behind it.
    pub(super) fn url(&self, path: &[&str], parameters: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        // Only a URL that can't be a base has no path, and such a one is no HTTP address.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        url
    }

    /// Where lines for this destination are posted. Nanoseconds always: what 2.x does not know of
    /// `precision`, its `/write` reads as nanoseconds.
    pub(super) fn write_url(&self, destination: &Destination) -> Url {
        match destination {
            Destination::Bucket { org, bucket } => {
                let parameters = [("org", org.as_str()), ("bucket", bucket), ("precision", "ns")];
                self.url(&["api", "v2", "write"], &parameters)
            }
            Destination::Database { database, retention_policy: Some(policy) } => {
                let parameters = [("db", database.as_str()), ("rp", policy), ("precision", "ns")];
                self.url(&["write"], &parameters)
            }
            Destination::Database { database, retention_policy: None } => {
                self.url(&["write"], &[("db", database), ("precision", "ns")])
            }
        }
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address").field("url", &self.shown).field("gzip", &self.gzip).finish_non_exhaustive()
    }
}

/// All of them, in the order of the configuration; every lane uses the first that works.
#[derive(Debug)]
pub struct Addresses {
    first: Address,
    others: Vec<Address>,
    breakers: Mutex<Breakers>,
}

impl Addresses {
    pub(super) fn new(connection: &Connection, dialing: Dialing) -> Result<Self, ClientError> {
        let new = |(index, url)| Address::new(index, url, connection, dialing);
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
        let current = self.breakers().current();
        self.at(current)
    }

    /// Whether it failed, and was not seen to work since.
    pub fn is_left_alone(&self, address: &Address) -> bool {
        self.breakers().is_left_alone(address.index)
    }

    /// The next to try after these failed; None when all did.
    pub(super) fn pick(&self, tried: &BTreeSet<usize>) -> Option<&Address> {
        let pick = self.breakers().pick(tried);
        pick.map(|index| self.at(index))
    }

    /// A request failed for the address's own sake.
    pub(super) fn fail(&self, address: &Address, cause: Cause) -> Failed {
        self.breakers().fail(address.index, cause)
    }

    /// How often it failed in a row, while it is left alone.
    pub(super) fn failures(&self, address: &Address) -> Option<u32> {
        self.breakers().failures(address.index)
    }

    /// It was asked for, and fails still.
    pub(super) fn fail_again(&self, address: &Address) {
        self.breakers().fail_again(address.index);
    }

    /// It answers, and stores lines or not.
    pub(super) fn work(&self, address: &Address, stores: bool) -> Option<News> {
        self.breakers().work(address.index, stores)
    }

    /// Indexes come from the addresses themselves; any other would be that of the first, which holds the same database.
    pub(super) fn at(&self, index: usize) -> &Address {
        index.checked_sub(1).and_then(|other| self.others.get(other)).unwrap_or(&self.first)
    }

    fn breakers(&self) -> MutexGuard<'_, Breakers> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The URL as it may be shown.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    strip_login(&mut url);
    url.set_query(None);
    url.set_fragment(None);
    url.as_str().trim_end_matches('/').to_owned()
}

fn strip_login(url: &mut Url) {
    // Fails only for URLs that can't have one.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::connection;

    #[test]
    fn builds_write_urls() {
        let bucket = |org: &str, bucket: &str| Destination::Bucket { org: org.into(), bucket: bucket.into() };
        let database = |database: &str, policy: Option<&str>| Destination::Database {
            database: database.into(),
            retention_policy: policy.map(Into::into),
        };
        let f = |base: &str, destination: Destination, want: &str| {
            let addresses = Addresses::new(&connection(base), Dialing::default()).unwrap();
            assert_eq!(addresses.current().write_url(&destination).as_str(), want);
        };
        f("http://h:1", bucket("o", "b"), "http://h:1/api/v2/write?org=o&bucket=b&precision=ns");
        f(
            "http://h:1/influx",
            bucket("o", "b"),
            "http://h:1/influx/api/v2/write?org=o&bucket=b&precision=ns",
        );
        f("http://h:1/influx/", database("d", None), "http://h:1/influx/write?db=d&precision=ns");
        f("http://h:1?x=y#z", database("d", Some("r")), "http://h:1/write?db=d&rp=r&precision=ns");
        f("http://h:1", database("a&b=c 한", None), "http://h:1/write?db=a%26b%3Dc+%ED%95%9C&precision=ns");
    }

    #[test]
    fn shows_no_login() {
        let f = |url: &str, want: &str| assert_eq!(shown(&url.parse().unwrap()), want);
        f("http://user:secret@h:1/p?token=secret#x", "http://h:1/p");
        f("https://h/", "https://h");
    }

    #[test]
    fn compresses_unless_loopback() {
        let f = |url: &str, compression: Compression, want: bool| {
            let connection = Connection { compression, ..connection(url) };
            assert_eq!(
                Addresses::new(&connection, Dialing::default()).unwrap().current().wants_gzip(),
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
