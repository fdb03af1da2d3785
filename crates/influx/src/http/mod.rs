//! The HTTP client of one address: TLS, proxies, timeouts.

use crate::answer::WORDS_CHARS_MAX;
use crate::error::ClientError;
use crate::settings::ConnectionSettings;
use base::certificates::Certificates;
use base::http::{error_chain, http_builder};
use base::locks::lock;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Default of [`ConnectOptions::age_max`]. A connection in constant use never becomes idle, so it would stay with an address
/// that the server's name no longer has, or with one server of several behind a load balancer.
const CONNECTION_AGE_MAX: Duration = Duration::from_mins(5);

/// Looks up the addresses of a host name.
pub type Resolver = fn(&str) -> io::Result<Vec<IpAddr>>;

/// Settings for opening connections to InfluxDB. The bridge uses the default; tests shorten the age and change what names resolve to.
#[derive(Clone, Copy, Debug)]
pub struct ConnectOptions {
    /// Age at which connections are replaced.
    pub age_max: Duration,
    /// `None`: the system's resolver.
    pub resolver: Option<Resolver>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { age_max: CONNECTION_AGE_MAX, resolver: None }
    }
}

/// Adapts a [`Resolver`] to reqwest.
struct NameService(Resolver);

impl Resolve for NameService {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.0)(name.as_str());
        Box::pin(async move {
            // Port 0 stands for the port of the URL.
            let addresses = found?.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// The HTTP client of one address, with connections of bounded age.
///
/// reqwest has no maximum age of a connection, so the whole client, which is a pool of connections, is replaced. Requests in flight keep
/// the old client until they are answered; dropping its last reference closes its idle connections.
#[derive(Debug)]
pub(super) struct HttpClient {
    settings: ClientSettings,
    current: Mutex<CurrentClient>,
}

#[derive(Debug)]
struct CurrentClient {
    client: reqwest::Client,
    since: Instant,
}

/// Settings from which a client is built.
#[derive(Debug)]
struct ClientSettings {
    url: Url,
    timeout: Duration,
    /// `None`: plain HTTP.
    certificates: Option<Certificates>,
    verifies: bool,
    connect_options: ConnectOptions,
}

impl HttpClient {
    pub(super) fn new(
        connection: &ConnectionSettings,
        url: &Url,
        connect_options: ConnectOptions,
        now: Instant,
    ) -> Result<Self, ClientError> {
        let ConnectionSettings { tls, timeout, .. } = connection;
        let certificates = (url.scheme() == "https").then(|| tls.files.read("influx.tls")).transpose()?;
        let settings = ClientSettings {
            url: url.clone(),
            timeout: *timeout,
            certificates,
            verifies: tls.verify,
            connect_options,
        };
        let client = settings.build()?;
        Ok(Self { settings, current: Mutex::new(CurrentClient { client, since: now }) })
    }

    /// The client for one request, and whether its connections were replaced now.
    pub(super) fn get(&self, now: Instant) -> (reqwest::Client, bool) {
        let mut is_renewed = false;
        let mut current = lock(&self.current);
        if now.saturating_duration_since(current.since) >= self.settings.connect_options.age_max {
            current.since = now;
            match self.settings.build() {
                Ok(client) => {
                    current.client = client;
                    is_renewed = true;
                }
                Err(error) => tracing::warn!(
                    %error,
                    "connections to InfluxDB could not be replaced: the bridge keeps using the old ones, and tries again in 5 minutes"
                ),
            }
        }
        (current.client.clone(), is_renewed)
    }
}

impl HttpClient {
    /// A client without open connections. If none can be built, the pooled one.
    pub(super) fn without_connections(&self) -> reqwest::Client {
        self.settings.build().unwrap_or_else(|error| {
            tracing::debug!(%error, "no client for a new connection, using the open ones");
            lock(&self.current).client.clone()
        })
    }
}

impl ClientSettings {
    fn build(&self) -> Result<reqwest::Client, ClientError> {
        let builder = http_builder(&self.url, self.timeout);
        let builder = match &self.certificates {
            Some(certificates) => certificates.apply(builder).tls_danger_accept_invalid_certs(!self.verifies),
            // Without TLS the system's certificates are not loaded.
            None => builder.tls_certs_only([]),
        };
        let builder = match self.connect_options.resolver {
            Some(resolver) => builder.dns_resolver(Arc::new(NameService(resolver))),
            None => builder,
        };
        builder.build().map_err(|error| ClientError::Build(error_chain(&error, WORDS_CHARS_MAX)))
    }
}

#[cfg(test)]
mod tests;
