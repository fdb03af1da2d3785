//! A minimal HTTP client.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// A client for one server.
pub struct Http {
    url: String,
    authorization: Option<String>,
}

struct Shared {
    runtime: Runtime,
    client: reqwest::Client,
}

static SHARED: OnceLock<Shared> = OnceLock::new();

fn shared() -> &'static Shared {
    SHARED.get_or_init(|| {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30));
        // The tests check the bridge's certificates, and not those of this client.
        let client = client.tls_danger_accept_invalid_certs(true).build().unwrap();
        Shared { runtime, client }
    })
}

/// Waits for a future on the tests' runtime.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    shared().runtime.block_on(future)
}

impl Http {
    pub fn new(url: &str, authorization: Option<String>) -> Self {
        Self { url: url.to_owned(), authorization }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the body, or the status and the error's text. `path` includes the encoded query.
    pub fn get(&self, path: &str) -> Result<String, String> {
        self.send(shared().client.get(format!("{}{path}", self.url)))
    }

    /// Posts; returns like [`Http::get`].
    pub fn post(&self, path: &str, content_type: &str, body: &str) -> Result<String, String> {
        let request = shared().client.post(format!("{}{path}", self.url));
        self.send(request.header("content-type", content_type).body(body.to_owned()))
    }

    /// Sends a request; returns like [`Http::get`].
    pub fn delete(&self, path: &str) -> Result<String, String> {
        self.send(shared().client.delete(format!("{}{path}", self.url)))
    }

    fn send(&self, mut request: reqwest::RequestBuilder) -> Result<String, String> {
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        block_on(async {
            let response = request.send().await.map_err(|error| format!("{}: {error:?}", self.url))?;
            let status = response.status();
            let text = response.text().await.map_err(|error| error.to_string())?;
            if status.is_success() { Ok(text) } else { Err(format!("{}: {status}: {text}", self.url)) }
        })
    }
}

/// Encodes a text for the query of a URL.
pub fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => encoded.push(char::from(byte)),
            _ => write!(encoded, "%{byte:02X}").unwrap(),
        }
        encoded
    })
}

/// Encodes `Authorization: Basic`.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}
