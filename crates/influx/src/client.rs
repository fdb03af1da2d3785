//! Requests to InfluxDB: one at a time, without retry.

use super::address::{Address, Addresses, shown};
use super::answer::{Outcome, classify, decide, retry_after};
use super::cause::Cause;
use super::connection::Connection;
use super::http::Dialing;
use super::reading::{About, Reading, message, server_failure};
use super::response::{Answer, BODY_BYTES_MAX, WORDS_CHARS_MAX};
use base::text::printable;
use base::{Credential, Destination};
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::header::{DATE, LOCATION, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response};
use std::error::Error;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

const VERSION_HEADER: HeaderName = HeaderName::from_static("x-influxdb-version");
const BUILD_HEADER: HeaderName = HeaderName::from_static("x-influxdb-build");

/// Why `[influx]` gives no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no address to write to: set influx.url")]
    NoAddress,
    #[error("cannot read {key} {}: {source}; it must be a PEM file that the bridge may read", path.display())]
    Unreadable { key: &'static str, path: PathBuf, source: std::io::Error },
    #[error("influx.tls.ca_file {} holds no certificate: it must be a PEM file, not DER or PKCS#12", path.display())]
    NoCertificate { path: PathBuf },
    #[error(
        "influx.tls.cert_file and key_file give no client certificate: both are needed, as PEM, the key unencrypted"
    )]
    Identity,
    #[error(
        "influx.token holds a character that no header may carry: look for a line break or a space at its end"
    )]
    Token,
    #[error("cannot prepare connections to InfluxDB: {0}; check [influx.tls] and the system's certificates")]
    Build(String),
}

/// No answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Failure {
    pub cause: Cause,
    pub why: String,
}

/// What `/ping` says of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// `X-Influxdb-Version`, such as `v2.7.12` or `1.6.7~rc0`. VictoriaMetrics gives none.
    pub version: Option<String>,
    /// `X-Influxdb-Build`, such as `OSS`.
    pub build: Option<String>,
    /// Its clock, in whole seconds.
    pub time: Option<SystemTime>,
    /// What `/ping` was answered.
    pub status: u16,
}

impl Server {
    /// Whether this is how InfluxDB, or a server that speaks its protocol, answers `/ping`: with a version, or with 204.
    pub fn is_influx(&self) -> bool {
        self.version.is_some() || self.status == 204
    }
}

/// Where a credential comes from anew, when it may change while the bridge runs.
pub type Reread = Box<dyn Fn() -> Option<Credential> + Send + Sync>;

/// Speaks to all addresses of one database.
pub struct Client {
    addresses: Addresses,
    credential: RwLock<Credential>,
    reread: Option<Reread>,
}

impl Client {
    pub fn new(connection: &Connection) -> Result<Self, ClientError> {
        Self::with_dialing(connection, Dialing::default())
    }

    pub fn with_dialing(connection: &Connection, dialing: Dialing) -> Result<Self, ClientError> {
        if let Credential::Token(token) = &connection.credential {
            token_header(token.expose()).ok_or(ClientError::Token)?;
        }
        Ok(Self {
            addresses: Addresses::new(connection, dialing)?,
            credential: RwLock::new(connection.credential.clone()),
            reread: None,
        })
    }

    /// Asked after a 401.
    #[must_use]
    pub fn with_reread(mut self, reread: Reread) -> Self {
        self.reread = Some(reread);
        self
    }

    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    pub fn credential(&self) -> Credential {
        self.credential.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fetches the credential from where it came. Says whether it is another one now.
    pub fn reread_credential(&self) -> bool {
        let Some(fresh) = self.reread.as_ref().and_then(|reread| reread()) else { return false };
        let sendable = !matches!(&fresh, Credential::Token(token) if token_header(token.expose()).is_none());
        let mut credential = self.credential.write().unwrap_or_else(PoisonError::into_inner);
        let changed = sendable && *credential != fresh;
        if changed {
            *credential = fresh;
        }
        changed
    }

    /// Posts lines, or what gzip made of them, once.
    pub async fn write(
        &self,
        address: &Address,
        destination: &Destination,
        body: Bytes,
        gzipped: bool,
    ) -> Result<Answer, Failure> {
        let mut request = self
            .request(address, Method::POST, address.write_url(destination))
            .header(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if gzipped {
            request = request.header(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        answer(request.body(body)).await
    }

    /// Writes nothing, to see whether credential and destination are right. `Stored`: the server takes writes. `Refused` and
    /// `Split`: it does not take an empty write, which says nothing of others. `Hold` and `Retry`: it takes no write now.
    pub async fn probe(&self, address: &Address, destination: &Destination) -> Result<Outcome, Failure> {
        let answer = self.write(address, destination, Bytes::new(), false).await?;
        // 1.x has 200 for an empty body.
        if answer.status == 200
            && matches!(destination, Destination::Database { .. })
            && answer.body.is_empty()
        {
            return Ok(Outcome::Stored);
        }
        let reading = Reading::of(&answer);
        // 3.x: credential and destination were checked before.
        if answer.status == 400 && reading.about == About::EmptyWrite {
            return Ok(Outcome::Stored);
        }
        Ok(match decide(destination.api(), &answer, &reading) {
            // The probe is not compressed.
            Outcome::Uncompressed { why } => Outcome::Hold { cause: Cause::RequestRefused, why },
            outcome => outcome,
        })
    }

    /// Creates a database of 1.x; one that exists is left as it is.
    pub async fn create_database(&self, address: &Address, database: &str) -> Result<(), Failure> {
        let statement = format!("CREATE DATABASE {}", identifier(database));
        let url = address.url(&["query"], &[("q", &statement)]);
        let answer = answer(self.request(address, Method::POST, url)).await?;
        if answer.status != 200 {
            return Err(match classify(base::Api::V1, &answer) {
                Outcome::Retry { cause, why, .. } | Outcome::Hold { cause, why } => Failure { cause, why },
                _ => Failure { cause: Cause::RequestRefused, why: answer.status.to_string() },
            });
        }
        match statement_error(&answer.body) {
            None => Ok(()),
            Some(why) => {
                // 1.6.7: 200 with the error of its operating system.
                let cause = server_failure(&why).unwrap_or(Cause::RequestRefused);
                Err(Failure { cause, why: answer.shown(&why) })
            }
        }
    }

    /// Which server answers.
    pub async fn ping(&self, address: &Address) -> Result<Server, Failure> {
        let request = self.request(address, Method::GET, address.url(&["ping"], &[]));
        let response = request.send().await.map_err(|error| failure(&error))?;
        let ping = Server { status: response.status().as_u16(), ..server(response.headers()) };
        if ping.version.is_some() {
            return Ok(ping);
        }
        let health = answer(self.request(address, Method::GET, address.url(&["health"], &[]))).await?;
        // What is no JSON does not tell its version.
        let json: Option<serde_json::Value> = serde_json::from_slice(&health.body).ok();
        let version = json.as_ref().and_then(|json| json.get("version")?.as_str()).map(word);
        Ok(Server { version, ..ping })
    }

    pub(super) fn request(&self, address: &Address, method: Method, url: reqwest::Url) -> RequestBuilder {
        let request = address.http().request(method, url);
        match &*self.credential.read().unwrap_or_else(PoisonError::into_inner) {
            Credential::None => request,
            Credential::Token(token) => match token_header(token.expose()) {
                Some(header) => request.header(AUTHORIZATION, header),
                None => request,
            },
            Credential::Basic { username, password } => request.basic_auth(username, Some(password.expose())),
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

fn token_header(token: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::try_from(format!("Token {token}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// Sends, and reads the body to its end so that the connection can be used again, or to the cap.
pub(super) async fn answer(request: RequestBuilder) -> Result<Answer, Failure> {
    let (http, request) = request.build_split();
    let request = request.map_err(|error| failure(&error))?;
    let credential = request.headers().get(AUTHORIZATION).cloned();
    let mut response = http.execute(request).await.map_err(|error| failure(&error))?;
    let mut answer = Answer {
        status: response.status().as_u16(),
        retry_after: text_of(response.headers(), &RETRY_AFTER)
            .and_then(|h| retry_after(h, SystemTime::now())),
        location: location(&response),
        ..Answer::default()
    };
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        let room = BODY_BYTES_MAX - answer.body.len();
        // A chunk that is smaller than the room is kept whole.
        answer.body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if chunk.len() > room {
            answer.is_cut = true;
            break;
        }
    }
    answer.credential = credential;
    Ok(answer)
}

fn location(response: &Response) -> Option<String> {
    let target = text_of(response.headers(), &LOCATION)?;
    let url = response.url().join(target).ok()?;
    Some(printable(&shown(&url), WORDS_CHARS_MAX))
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn server(headers: &HeaderMap) -> Server {
    let read = |name| text_of(headers, name).map(word);
    let time = text_of(headers, &DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    Server { version: read(&VERSION_HEADER), build: read(&BUILD_HEADER), time, status: 0 }
}

fn word(text: &str) -> String {
    printable(text, 40)
}

/// An error of a statement stands in the results of a 200.
fn statement_error(body: &[u8]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let results = json.get("results")?.as_array()?;
    let error = results.iter().find_map(|result| result.get("error")?.as_str());
    let error = error.map(str::to_owned).or_else(|| json.get("error").map(|_| message(body)))?;
    Some(error)
}

/// A quoted identifier, as statements take it.
pub(super) fn identifier(name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

fn failure(error: &reqwest::Error) -> Failure {
    let cause = if wants_proxy_login(error) {
        Cause::ProxyLogin
    } else if is_of_tls(error) {
        Cause::TlsFailed
    } else if error.is_connect() {
        Cause::Unreachable
    } else if error.is_timeout() {
        Cause::TimedOut
    } else {
        Cause::Disconnected
    };
    Failure { cause, why: causes(error) }
}

/// What an error says and what caused it, without the URL that it may hold.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !said.iter().any(|before| before.contains(&words)) {
            said.push(words);
        }
        cause = error.source();
    }
    if said.is_empty() {
        said.push(if error.is_timeout() { "timed out".to_owned() } else { "the request failed".to_owned() });
    }
    printable(&said.join(": "), WORDS_CHARS_MAX)
}

/// What a proxy answers to CONNECT is no answer but an error, whose type is not public.
fn wants_proxy_login(error: &reqwest::Error) -> bool {
    error.is_connect() && causes(error).contains("proxy authorization required")
}

fn is_of_tls(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if holds_tls_error(error) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Errors of I/O hold others inside without naming them as their source, and more than one deep.
fn holds_tls_error(error: &(dyn Error + 'static)) -> bool {
    let mut inner = error;
    loop {
        if inner.is::<rustls::Error>() {
            return true;
        }
        match inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(deeper) => inner = deeper,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_identifiers() {
        let f = |name: &str, want: &str| assert_eq!(identifier(name), want);
        f("plain", r#""plain""#);
        f(r#"a"; DROP DATABASE b; ""#, r#""a\"; DROP DATABASE b; \"""#);
        f("back\\slash\nbreak", r#""back\\slash\nbreak""#);
    }

    #[test]
    fn finds_the_error_of_a_statement() {
        let f = |body: &str, want: Option<&str>| {
            assert_eq!(statement_error(body.as_bytes()).as_deref(), want, "{body}");
        };
        f(r#"{"results":[{"statement_id":0}]}"#, None);
        f(r#"{"results":[{"statement_id":0,"error":"invalid\u001b name"}]}"#, Some("invalid\u{1b} name"));
        f(r#"{"results":[],"error":"unable to parse"}"#, Some("unable to parse"));
        f("", None);
    }
}
