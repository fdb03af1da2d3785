//! The HTTP client of one address: TLS, proxies, timeouts.

use crate::error::{ClientError, error_chain};
use crate::settings::{Connection, Tls};
use base::http::http_builder;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Identity, Url};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Default of [`Dialing::age_max`]. A connection in constant use never becomes idle, so it would stay with an address
/// that the server's name no longer has, or with one server of several behind a load balancer.
const CONNECTION_AGE_MAX: Duration = Duration::from_mins(5);

/// Looks up the addresses of a host name.
pub type Resolver = fn(&str) -> io::Result<Vec<IpAddr>>;

/// Settings for opening connections to InfluxDB. The bridge uses the default; tests shorten the age and change what names resolve to.
#[derive(Clone, Copy, Debug)]
pub struct Dialing {
    /// Age at which connections are replaced.
    pub age_max: Duration,
    /// `None`: the system's resolver.
    pub resolver: Option<Resolver>,
}

impl Default for Dialing {
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

/// Settings from which a client is built. Certificates are read once, so a file that is being replaced cannot stop writing.
#[derive(Debug)]
struct ClientSettings {
    url: Url,
    timeout: Duration,
    /// `None`: plain HTTP.
    tls: Option<TlsSettings>,
    dialing: Dialing,
}

struct TlsSettings {
    authorities: Vec<Certificate>,
    identity: Option<Identity>,
    verify: bool,
}

impl HttpClient {
    pub(super) fn new(
        connection: &Connection,
        url: &Url,
        dialing: Dialing,
        now: Instant,
    ) -> Result<Self, ClientError> {
        let tls = if url.scheme() == "https" { Some(TlsSettings::read(&connection.tls)?) } else { None };
        let settings = ClientSettings { url: url.clone(), timeout: connection.timeout, tls, dialing };
        let client = settings.build()?;
        Ok(Self { settings, current: Mutex::new(CurrentClient { client, since: now }) })
    }

    /// The client for one request, and whether its connections were replaced now.
    pub(super) fn get(&self, now: Instant) -> (reqwest::Client, bool) {
        let mut is_renewed = false;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(current.since) >= self.settings.dialing.age_max {
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
            self.current.lock().unwrap_or_else(PoisonError::into_inner).client.clone()
        })
    }
}

impl ClientSettings {
    fn build(&self) -> Result<reqwest::Client, ClientError> {
        let builder = http_builder(&self.url, self.timeout);
        let builder = match &self.tls {
            Some(tls) => tls.apply(builder),
            // Without TLS the system's certificates are not loaded.
            None => builder.tls_certs_only([]),
        };
        let builder = match self.dialing.resolver {
            Some(resolver) => builder.dns_resolver(Arc::new(NameService(resolver))),
            None => builder,
        };
        builder.build().map_err(|error| ClientError::Build(error_chain(&error)))
    }
}

impl TlsSettings {
    fn read(tls: &Tls) -> Result<Self, ClientError> {
        let mut authorities = Vec::new();
        if let Some(path) = &tls.ca_file {
            let pem = read("influx.tls.ca_file", path)?;
            authorities = Certificate::from_pem_bundle(&pem).unwrap_or_default();
            if authorities.is_empty() {
                return Err(ClientError::NoCertificate { path: path.clone() });
            }
        }
        Ok(Self { authorities, identity: identity(tls)?, verify: tls.verify })
    }

    fn apply(&self, mut builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        if !self.authorities.is_empty() {
            builder = builder.tls_certs_merge(self.authorities.iter().cloned());
        }
        if let Some(identity) = &self.identity {
            builder = builder.identity(identity.clone());
        }
        builder.tls_danger_accept_invalid_certs(!self.verify)
    }
}

impl std::fmt::Debug for TlsSettings {
    /// Leaves out the client's key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSettings")
            .field("authorities", &self.authorities.len())
            .field("has_identity", &self.identity.is_some())
            .field("verify", &self.verify)
            .finish()
    }
}

/// Reads certificate and key, which may be in one file that either setting names.
fn identity(tls: &Tls) -> Result<Option<Identity>, ClientError> {
    let mut pem = Vec::new();
    for (key, path) in [("influx.tls.cert_file", &tls.cert_file), ("influx.tls.key_file", &tls.key_file)] {
        if let Some(path) = path {
            pem.extend(read(key, path)?);
            pem.push(b'\n');
        }
    }
    if pem.is_empty() {
        return Ok(None);
    }
    Identity::from_pem(&pem).map(Some).map_err(|_| ClientError::Identity)
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, ClientError> {
    std::fs::read(path).map_err(|source| ClientError::Unreadable { key, path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
