//! Requests to a schema registry, and what its answers mean.

use crate::settings::{RegistryError, Settings};
use base::Credential;
use base::http::{error_chain, http_builder};
use base::locks::lock;
use base::text::{printable, printable_bytes};
use mapping::{Reference, SchemaFailure, SchemaId, SchemaLanguage, SchemaText};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Longest response. Schemas have some kB; one of 4 MB becomes some 10 MB of memory.
const RESPONSE_BYTES_MAX: usize = 4 << 20;
/// Most schemas that one uses.
const REFERENCES_MAX: usize = 200;
/// Characters of a response in a message.
const SHOWN_MAX: usize = 200;
/// The registry's code for an unknown schema id.
const UNKNOWN_ID: u64 = 40403;
const ACCEPT: &str = "application/vnd.schemaregistry.v1+json, application/json";

/// The answer for an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Schema(SchemaText),
    /// The registry does not know the id.
    Unknown,
}

/// The client of one registry.
#[derive(Debug)]
pub struct Client {
    addresses: Vec<(Url, reqwest::Client)>,
    /// The address that answered last.
    preferred: AtomicUsize,
    credential: Mutex<Credential>,
}

/// A request without a usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No address can be reached, or none answers in time.
    Unreachable,
    /// The login is refused.
    Refused,
    /// The server answers, but not like a schema registry.
    NoRegistry,
    /// The registry reports an error of its own.
    Server,
}

/// A failure with its texts.
type Failed = (Failure, SchemaFailure);

/// A response that was read.
struct Body {
    status: StatusCode,
    bytes: Vec<u8>,
}

impl Client {
    /// A client that connects to nothing yet.
    pub fn new(settings: &Settings) -> Result<Self, RegistryError> {
        let mut addresses = Vec::new();
        for url in &settings.urls {
            let builder = http_builder(url, settings.timeout);
            let builder = match url.scheme() {
                "https" => settings.certificates.read("schema_registry")?.apply(builder),
                // Without TLS the system's certificates are not loaded.
                _ => builder.tls_certs_only([]),
            };
            let client =
                builder.build().map_err(|error| RegistryError::Build(error_chain(&error, SHOWN_MAX)))?;
            addresses.push((url.clone(), client));
        }
        let credential = Mutex::new(settings.credential.clone());
        Ok(Self { addresses, preferred: AtomicUsize::new(0), credential })
    }

    /// The schema of an id, with all schemas that it uses.
    pub async fn schema(&self, id: SchemaId) -> Result<Answer, Failed> {
        let id = id.to_string();
        let (url, body) = self.get(&["schemas", "ids", &id]).await?;
        if body.status == StatusCode::NOT_FOUND && error_code(&body.bytes) == Some(UNKNOWN_ID) {
            return Ok(Answer::Unknown);
        }
        let schema = read_schema(&url, &body)?;
        let references = self.references(schema.references).await?;
        Ok(Answer::Schema(SchemaText { language: schema.language, text: schema.text, references }))
    }

    /// The schemas that a schema uses, each behind those that it uses itself.
    async fn references(&self, direct: Vec<Referenced>) -> Result<Vec<Reference>, Failed> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        // Each entry is a schema to read, or one that was read, whose own references are found by then.
        let mut open: Vec<Result<Referenced, Reference>> = direct.into_iter().rev().map(Ok).collect();
        while let Some(next) = open.pop() {
            let wanted = match next {
                Ok(wanted) => wanted,
                Err(read) => {
                    found.push(read);
                    continue;
                }
            };
            if !seen.insert((wanted.subject.clone(), wanted.version)) {
                continue;
            }
            let version = wanted.version.to_string();
            let (url, body) = self.get(&["subjects", &wanted.subject, "versions", &version]).await?;
            if seen.len() > REFERENCES_MAX {
                return Err(no_registry(
                    &url,
                    &format!("a schema uses more than {REFERENCES_MAX} other schemas"),
                ));
            }
            let schema = read_schema(&url, &body)?;
            open.push(Err(Reference { name: wanted.name, text: schema.text }));
            open.extend(schema.references.into_iter().rev().map(Ok));
        }
        Ok(found)
    }

    /// Asks the addresses one after another. Returns the first response that does not only say that its server has a problem.
    async fn get(&self, path: &[&str]) -> Result<(Url, Body), Failed> {
        let (mut first, preferred) = (None, self.preferred.load(Ordering::Relaxed));
        for offset in 0..self.addresses.len() {
            let index = (preferred + offset) % self.addresses.len();
            let Some((address, client)) = self.addresses.get(index) else { continue };
            let mut url = address.clone();
            if let Ok(mut segments) = url.path_segments_mut() {
                segments.pop_if_empty().extend(path);
            }
            match self.ask(client, address, &url).await {
                Ok(body) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok((address.clone(), body));
                }
                Err(failure) => {
                    first.get_or_insert(failure);
                }
            }
        }
        // Settings have at least one address.
        Err(first.unwrap_or_else(|| {
            (Failure::Unreachable, failure("it has no address", "set `url` of [schema_registry]"))
        }))
    }

    async fn ask(&self, client: &reqwest::Client, address: &Url, url: &Url) -> Result<Body, Failed> {
        let mut body = self.send(client, address, url).await?;
        let is_refused =
            |body: &Body| matches!(body.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if is_refused(&body) && self.reread_credential() {
            body = self.send(client, address, url).await?;
        }
        match body.status {
            _ if is_refused(&body) => {
                let why = format!("the schema registry at {address} refuses the login ({})", shown(&body));
                let remedy = "correct `username` and `password`, or `token`, of [schema_registry], and the permissions there";
                Err((Failure::Refused, failure(&why, remedy)))
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                let why = format!("the schema registry at {address} has a problem ({})", shown(&body));
                Err((
                    Failure::Server,
                    failure(&why, "the bridge tries again by itself; see the registry's log"),
                ))
            }
            status if status != StatusCode::OK && error_code(&body.bytes).is_none() => {
                Err(no_registry(address, &shown(&body)))
            }
            _ => Ok(body),
        }
    }

    async fn send(&self, client: &reqwest::Client, address: &Url, url: &Url) -> Result<Body, Failed> {
        let unreachable = |error: &reqwest::Error| {
            let why = format!(
                "the schema registry at {address} does not answer ({})",
                error_chain(error, SHOWN_MAX)
            );
            let remedy = "the bridge tries again by itself; check that the registry runs, and `url` of [schema_registry]";
            (Failure::Unreachable, failure(&why, remedy))
        };
        let request = self.with_credential(client.get(url.clone()).header(reqwest::header::ACCEPT, ACCEPT));
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        match limited(response).await.map_err(|error| unreachable(&error))? {
            Some(bytes) => Ok(Body { status, bytes }),
            None => Err(no_registry(address, "a response has more than 4 MiB")),
        }
    }

    fn with_credential(&self, request: RequestBuilder) -> RequestBuilder {
        match &*lock(&self.credential) {
            Credential::None => request,
            Credential::Token(token) => request.bearer_auth(token.expose()),
            Credential::Basic { username, password } => request.basic_auth(username, Some(password.expose())),
        }
    }

    /// Reads the secret's file again. Returns whether it has another secret now.
    fn reread_credential(&self) -> bool {
        let mut credential = lock(&self.credential);
        let new = credential.reread().filter(|new| new != &*credential);
        let is_new = new.is_some();
        if let Some(new) = new {
            *credential = new;
        }
        is_new
    }
}

/// A schema in a response.
struct ReadSchema {
    language: SchemaLanguage,
    text: String,
    references: Vec<Referenced>,
}

/// A schema that is to be read because another one uses it.
struct Referenced {
    name: String,
    subject: String,
    version: i64,
}

fn read_schema(address: &Url, body: &Body) -> Result<ReadSchema, Failed> {
    if body.status != StatusCode::OK {
        return Err(no_registry(address, &shown(body)));
    }
    let read = serde_json::from_slice::<Value>(&body.bytes).ok();
    let read = read.and_then(|value| schema_of(&value));
    read.ok_or_else(|| no_registry(address, &format!("a response without a schema: {}", shown(body))))
}

fn schema_of(value: &Value) -> Option<ReadSchema> {
    let text = value.get("schema")?.as_str()?.to_owned();
    let language = match value.get("schemaType").and_then(Value::as_str) {
        // Registries leave the first language out.
        None | Some("AVRO") => SchemaLanguage::Avro,
        Some("JSON") => SchemaLanguage::Json,
        Some("PROTOBUF") => SchemaLanguage::Protobuf,
        Some(_) => return None,
    };
    let references = match value.get("references") {
        None | Some(Value::Null) => Vec::new(),
        Some(references) => references.as_array()?.iter().map(referenced).collect::<Option<_>>()?,
    };
    Some(ReadSchema { language, text, references })
}

fn referenced(value: &Value) -> Option<Referenced> {
    let text = |key: &str| Some(value.get(key)?.as_str()?.to_owned());
    Some(Referenced {
        name: text("name")?,
        subject: text("subject")?,
        version: value.get("version")?.as_i64()?,
    })
}

fn error_code(bytes: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Value>(bytes).ok()?.get("error_code")?.as_u64()
}

fn failure(why: &str, remedy: &str) -> SchemaFailure {
    SchemaFailure { why: why.to_owned(), remedy: remedy.to_owned() }
}

fn no_registry(address: &Url, why: &str) -> Failed {
    let why = format!("the server at {address} does not answer like a schema registry ({why})");
    let remedy = "correct `url` of [schema_registry]: it ends where \"/schemas/ids\" begins, for Apicurio in \"/apis/ccompat/v7\"";
    (Failure::NoRegistry, failure(&why, remedy))
}

/// Status and beginning of a response. A registry's own text is in `message`.
fn shown(body: &Body) -> String {
    let message = serde_json::from_slice::<Value>(&body.bytes).ok();
    let message = message.and_then(|value| Some(value.get("message")?.as_str()?.to_owned()));
    let text = match message {
        Some(message) => printable(&message, SHOWN_MAX),
        None => printable_bytes(body.bytes.trim_ascii(), SHOWN_MAX),
    };
    if text.is_empty() { body.status.to_string() } else { format!("{}: {text}", body.status) }
}

/// The body of a response; none if it is too long.
async fn limited(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > RESPONSE_BYTES_MAX {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}
