//! Sends single requests to InfluxDB, without retry.

use crate::address::{Address, Addresses, shown};
use crate::answer::{Answer, BODY_BYTES_MAX, WORDS_CHARS_MAX};
use crate::cause::Cause;
use crate::dialects::{DatabaseList, Probe, Server, ServerInfo, Target, Version, authorize, is_sendable};
use crate::error::{ClientError, RequestFailure};
use crate::failed_attempt::FailedAttempt;
use crate::http::ConnectOptions;
use crate::outcome::{Outcome, classify, decide, retry_after};
use crate::parsed_answer::{AnswerSubject, BodyForm, ParsedAnswer, message, server_failure};
use crate::settings::ConnectionSettings;
use base::locks;
use base::text::printable;
use base::{Api, Credential, Destination};
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::header::{DATE, LOCATION, RETRY_AFTER, SERVER};
use reqwest::{Method, RequestBuilder, Response, Url};
use std::sync::RwLock;
use std::time::{Duration, SystemTime};

const VERSION_HEADER: HeaderName = HeaderName::from_static("x-influxdb-version");
const BUILD_HEADER: HeaderName = HeaderName::from_static("x-influxdb-build");

/// Longest wait for the answer that tells the server's family. Some proxies forward only writes, and drop other requests.
const IDENTIFY_MAX: Duration = Duration::from_secs(5);

/// How long a bucket or database keeps points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationRetention {
    Forever,
    For(Duration),
    /// The credential may not query it, or the server does not know the query.
    Unknown,
}

/// The connection that carries a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionUse {
    /// A connection of the pool.
    Pooled,
    /// A new one, closed afterwards. A load balancer may assign each connection to one server.
    New,
}

/// Reads the credential from its source again; `None` if it has no source that can change.
pub type CredentialSource = Box<dyn Fn() -> Option<Credential> + Send + Sync>;

/// The result of checking credential and destination, unless the server takes no write now. No point was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// The server takes writes.
    Writable,
    /// The server answers. No write was tried, because it would create a missing database.
    Answers,
    /// The server, which had not named itself, takes writes. It is InfluxDB 3, so it has created the database if it was missing.
    FoundEmpty,
    /// The server takes no write without lines, which means nothing for other writes.
    RefusesEmpty {
        why: String,
        /// The answer is not in the form of InfluxDB.
        is_foreign: bool,
    },
    /// 413, although the write had no lines.
    TooLarge { why: String },
}

/// Sends requests to the addresses of one database.
pub struct Client {
    addresses: Addresses,
    credential: RwLock<Credential>,
    credential_source: Option<CredentialSource>,
}

impl Client {
    pub fn new(connection: &ConnectionSettings) -> Result<Self, ClientError> {
        Self::with_connect_options(connection, ConnectOptions::default())
    }

    pub fn with_connect_options(
        connection: &ConnectionSettings,
        connect_options: ConnectOptions,
    ) -> Result<Self, ClientError> {
        if !is_sendable(&connection.credential) {
            return Err(ClientError::Token);
        }
        Ok(Self {
            addresses: Addresses::new(connection, connect_options)?,
            credential: RwLock::new(connection.credential.clone()),
            credential_source: None,
        })
    }

    /// Sets where the credential is read again after a 401.
    #[must_use]
    pub fn with_credential_source(mut self, source: CredentialSource) -> Self {
        self.credential_source = Some(source);
        self
    }

    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    pub fn credential(&self) -> Credential {
        locks::read(&self.credential).clone()
    }

    /// Reads the credential from its source again. Returns whether it changed.
    pub(crate) fn reread_credential(&self) -> bool {
        let Some(fresh) = self.credential_source.as_ref().and_then(|source| source()) else { return false };
        let mut credential = locks::write(&self.credential);
        let changed = is_sendable(&fresh) && *credential != fresh;
        if changed {
            *credential = fresh;
            self.addresses.all().for_each(Address::ask_with_another_credential);
        }
        changed
    }

    /// Posts lines, plain or compressed, once.
    pub async fn write(
        &self,
        address: &Address,
        destination: &Destination,
        body: Bytes,
        gzipped: bool,
    ) -> Result<Answer, RequestFailure> {
        self.post(address, destination, body.into(), gzipped, ConnectionUse::Pooled).await
    }

    /// Posts lines like [`Client::write`].
    pub(crate) async fn post(
        &self,
        address: &Address,
        destination: &Destination,
        body: reqwest::Body,
        gzipped: bool,
        connection: ConnectionUse,
    ) -> Result<Answer, RequestFailure> {
        // This may replace the connections, and then no feature of a server is certain.
        let http = match connection {
            ConnectionUse::Pooled => address.http(),
            ConnectionUse::New => address.http_without_connections(),
        };
        let url = address.url(&address.dialect(destination).write_target());
        let mut request = self
            .authorized(http.request(Method::POST, url))
            .header(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if gzipped {
            request = request.header(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        send(request.body(body)).await
    }

    /// Checks credential and destination without writing a point.
    pub async fn probe(
        &self,
        address: &Address,
        destination: &Destination,
    ) -> Result<ProbeResult, FailedAttempt> {
        self.identify(address).await;
        let dialect = address.dialect(destination);
        if let Probe::Databases(list) = dialect.probe() {
            return self.list_databases(address, destination, &list).await.map(|_| ProbeResult::Answers);
        }
        let answer = self.write(address, destination, Bytes::new(), false).await?;
        if dialect.accepts_empty_write(&answer) {
            return Ok(ProbeResult::Writable);
        }
        let parsed = ParsedAnswer::of(&answer);
        // InfluxDB 3 checks credential and destination before it finds the write empty.
        if answer.status == 400 && parsed.subject == AnswerSubject::EmptyWrite {
            address.set_server(Some(Server::Influx3(Version(3, 0, 0))), true);
            return Ok(ProbeResult::FoundEmpty);
        }
        judge_empty_write(decide(destination.api(), &answer, &parsed), parsed.form == BodyForm::Foreign)
    }

    /// Lists the databases of a server that creates a missing database at the first write. The destination's own name comes first.
    /// `None`: the server is another one, or does not tell.
    pub async fn databases(
        &self,
        address: &Address,
        destination: &Destination,
    ) -> Option<(String, Vec<String>)> {
        self.identify(address).await;
        let dialect = address.dialect(destination);
        let Probe::Databases(list) = dialect.probe() else { return None };
        let names = self.list_databases(address, destination, &list).await.ok()??;
        Some((list.name.into_owned(), names))
    }

    /// `None`: the server answers, but does not list its databases to this credential.
    async fn list_databases(
        &self,
        address: &Address,
        destination: &Destination,
        list: &DatabaseList<'_>,
    ) -> Result<Option<Vec<String>>, FailedAttempt> {
        let answer = send(self.request(address, Method::GET, address.url(&list.target))).await?;
        let json = || serde_json::from_slice(&answer.body).ok();
        match answer.status {
            200 if let Some(names) = json().and_then(|json| (list.read)(&json)) => Ok(Some(names)),
            // A token that may write one database need not list all, and not every server of this family has this endpoint.
            403..=405 => Ok(None),
            // Also a page with status 200, such as that of a login.
            _ => match classify(destination.api(), &answer) {
                Outcome::Uncompressed { .. } => Ok(None),
                outcome => judge_empty_write(outcome, false).map(|_| None),
            },
        }
    }

    /// Asks the server behind an address who it is, unless that is known or it has just not told. Without an answer its dialect is that
    /// of the configured API.
    pub(crate) async fn identify(&self, address: &Address) {
        if address.is_to_be_asked() {
            match tokio::time::timeout(IDENTIFY_MAX, self.ping(address)).await {
                // InfluxDB 3 names itself only with a valid token.
                Ok(Ok(ServerInfo { status: 401, .. })) => address.set_server(None, false),
                Ok(Ok(info)) => address.set_server(Some(Server::of(&info)), info.is_influx()),
                Ok(Err(_)) | Err(_) => address.keep_server(),
            }
        }
    }

    /// Creates the database of a destination; an existing one is left as it is. `None` if its dialect creates none.
    pub async fn create_database(
        &self,
        address: &Address,
        destination: &Destination,
    ) -> Option<Result<(), RequestFailure>> {
        self.identify(address).await;
        let url = address.url(&address.dialect(destination).creation_target()?);
        let result = match send(self.request(address, Method::POST, url)).await {
            Ok(answer) => statement_result(destination.api(), &answer),
            Err(failure) => Err(failure),
        };
        Some(result)
    }

    /// Queries how long the destination keeps points. Any failure counts as unknown.
    pub async fn retention(&self, address: &Address, destination: &Destination) -> DestinationRetention {
        self.identify(address).await;
        let dialect = address.dialect(destination);
        let Some(target) = dialect.retention_target() else { return DestinationRetention::Unknown };
        let url = address.url(&target);
        let Ok(answer) = send(self.request(address, Method::GET, url)).await else {
            return DestinationRetention::Unknown;
        };
        let json = serde_json::from_slice(&answer.body).ok();
        match json.and_then(|json| dialect.retention(&json)) {
            None => DestinationRetention::Unknown,
            Some(Duration::ZERO) => DestinationRetention::Forever,
            Some(retention) => DestinationRetention::For(retention),
        }
    }

    /// Queries version and clock of the server.
    pub async fn ping(&self, address: &Address) -> Result<ServerInfo, RequestFailure> {
        let get =
            |path| self.request(address, Method::GET, address.url(&Target { path, parameters: vec![] }));
        let response = get(&["ping"]).send().await.map_err(|error| RequestFailure::from(&error))?;
        let info = ServerInfo { status: response.status().as_u16(), ..server_info(response.headers()) };
        if info.version.is_some() {
            return Ok(info);
        }
        let health = send(get(&["health"])).await?;
        // An answer that is not JSON has no version.
        let json: Option<serde_json::Value> = serde_json::from_slice(&health.body).ok();
        let version = json.as_ref().and_then(|json| json.get("version")?.as_str()).map(word);
        Ok(ServerInfo { version, ..info })
    }

    fn request(&self, address: &Address, method: Method, url: Url) -> RequestBuilder {
        self.authorized(address.http().request(method, url))
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        authorize(request, &locks::read(&self.credential))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Sends a request. Reads the body to its end, so that the connection can be used again, or to the cap.
async fn send(request: RequestBuilder) -> Result<Answer, RequestFailure> {
    let (http, request) = request.build_split();
    let request = request.map_err(|error| RequestFailure::from(&error))?;
    let credential = request.headers().get(AUTHORIZATION).cloned();
    let mut response = http.execute(request).await.map_err(|error| RequestFailure::from(&error))?;
    let mut answer = Answer {
        status: response.status().as_u16(),
        retry_after: header_text(response.headers(), &RETRY_AFTER)
            .and_then(|header| retry_after(header, SystemTime::now())),
        location: location(&response),
        ..Answer::default()
    };
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            // A proxy that refuses a large request early may reset the connection before its page is read.
            Err(_) if is_decided_by_status(answer.status) => {
                answer.is_cut = true;
                break;
            }
            Err(error) => return Err(RequestFailure::from(&error)),
        };
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

/// Whether the status alone decides what an answer means, see the table in docs/faults.md.
fn is_decided_by_status(status: u16) -> bool {
    matches!(status, 400..=499) && !matches!(status, 400 | 404 | 410 | 421 | 422)
}

/// Judges the answer to a request without lines. `is_foreign`: the answer is not in the form of InfluxDB.
fn judge_empty_write(outcome: Outcome, is_foreign: bool) -> Result<ProbeResult, FailedAttempt> {
    let is_of_address = outcome.is_failure_of_address();
    match outcome {
        Outcome::Stored => Ok(ProbeResult::Writable),
        Outcome::Refused { why, is_foreign } => Ok(ProbeResult::RefusesEmpty { why, is_foreign }),
        Outcome::TooLarge { why, .. } => Ok(ProbeResult::TooLarge { why }),
        // The request is not compressed.
        Outcome::Uncompressed { why } => {
            let failed = FailedAttempt::new(Cause::RequestRefused, true, why);
            Err(FailedAttempt { is_of_address: is_foreign, ..failed })
        }
        Outcome::Blocked { cause, why, .. } => {
            Err(FailedAttempt { is_of_address, ..FailedAttempt::new(cause, true, why) })
        }
        Outcome::Retry { cause, why, .. } => Err(FailedAttempt::new(cause, false, why)),
    }
}

fn location(response: &Response) -> Option<String> {
    let target = header_text(response.headers(), &LOCATION)?;
    let url = response.url().join(target).ok()?;
    Some(printable(&shown(&url), WORDS_CHARS_MAX))
}

fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn server_info(headers: &HeaderMap) -> ServerInfo {
    let read = |name: HeaderName| header_text(headers, &name).map(word);
    let time = header_text(headers, &DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let (version, build) = (read(VERSION_HEADER), read(BUILD_HEADER));
    ServerInfo { version, build, software: read(SERVER), time, status: 0 }
}

fn word(text: &str) -> String {
    printable(text, 40)
}

fn statement_result(api: Api, answer: &Answer) -> Result<(), RequestFailure> {
    if answer.status != 200 {
        return Err(match classify(api, answer) {
            Outcome::Retry { cause, why, .. } | Outcome::Blocked { cause, why, .. } => {
                RequestFailure { cause, why }
            }
            _ => RequestFailure { cause: Cause::RequestRefused, why: answer.status.to_string() },
        });
    }
    let Some(why) = statement_error(&answer.body) else { return Ok(()) };
    // 1.6.7 answers 200 with the error of its operating system.
    let cause = server_failure(&why).unwrap_or(Cause::RequestRefused);
    Err(RequestFailure { cause, why: answer.shown(&why) })
}

/// The error of a statement, which `InfluxQL` reports in the results of a 200.
fn statement_error(body: &[u8]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let results = json.get("results")?.as_array()?;
    let error = results.iter().find_map(|result| result.get("error")?.as_str());
    error.map(str::to_owned).or_else(|| json.get("error").map(|_| message(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

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
