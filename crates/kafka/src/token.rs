//! OAUTHBEARER: tokens for the brokers, as they are in the configuration or as a token endpoint gives them.
//!
//! librdkafka asks for one when a client begins, and again when four fifths of a token's life are over.

use crate::{Oauth, TokenEndpoint};
use base::http::http_builder;
use base::secret::Secret;
use base::text::printable;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// Of a token that does not say until when it is good: so soon it is looked for again.
const LIFE_ASSUMED: Duration = Duration::from_mins(5);
/// One that is good for longer is looked for again each day.
const LIFE_MAX: Duration = Duration::from_hours(24);
/// How long an endpoint may take: the thread that asks serves the group, too.
const ASK_MAX: Duration = Duration::from_secs(5);
/// An answer is some kB.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// Where one client's tokens come from.
#[derive(Debug, Default)]
pub struct Tokens {
    oauth: Option<Oauth>,
    was_asked: AtomicBool,
}

#[derive(Debug, Error)]
enum TokenError {
    #[error("`kafka.sasl.mechanism` is not OAUTHBEARER")]
    NotWanted,
    #[error("the token of `kafka.sasl.token` ended {ago_s} s ago: put a new one there")]
    Expired { ago_s: u64 },
    #[error("`kafka.sasl.token_endpoint` {endpoint} does not answer: {why}")]
    Silent { endpoint: String, why: String },
    #[error(
        "`kafka.sasl.token_endpoint` {endpoint} gives no token ({why}): look at `client_id`, `client_secret` and `scope`"
    )]
    Refused { endpoint: String, why: String },
    #[error("`kafka.tls.ca_file` can't be used for `kafka.sasl.token_endpoint`: {0}")]
    Trust(String),
}

impl Tokens {
    pub fn new(oauth: Option<&Oauth>) -> Self {
        Self { oauth: oauth.cloned(), was_asked: AtomicBool::new(false) }
    }

    pub fn are_wanted(&self) -> bool {
        self.oauth.is_some()
    }

    /// Whether the client was given its first token, or needs none.
    pub fn is_served(&self) -> bool {
        self.oauth.is_none() || self.was_asked.load(Ordering::Relaxed)
    }

    /// The token of now. It may ask the endpoint, for at most a few seconds.
    pub fn next(&self) -> Result<OAuthToken, Box<dyn Error>> {
        self.was_asked.store(true, Ordering::Relaxed);
        let oauth = self.oauth.as_ref().ok_or(TokenError::NotWanted)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        match oauth {
            Oauth::Token(token) => Ok(configured(token, now)?),
            // Some callers are threads of a runtime, which must not wait for another one.
            Oauth::Endpoint(endpoint) => {
                let asked = thread::scope(|scope| scope.spawn(|| ask(endpoint)).join());
                let (token, life) = asked.map_err(|_| "the thread that asked for a token has ended")??;
                let life = life.unwrap_or(LIFE_ASSUMED).min(LIFE_MAX);
                Ok(token_until(&token, now, now + life))
            }
        }
    }
}

/// As the configuration has it; one from a file is read anew.
fn configured(token: &Secret, now: Duration) -> Result<OAuthToken, TokenError> {
    let token = token.reread().unwrap_or_else(|| token.clone());
    let token = token_until(token.expose().trim(), now, now + LIFE_ASSUMED);
    let end = Duration::from_millis(token.lifetime_ms.unsigned_abs());
    if end <= now {
        return Err(TokenError::Expired { ago_s: now.saturating_sub(end).as_secs() });
    }
    Ok(token)
}

/// `until`: where the token itself does not say it.
fn token_until(token: &str, now: Duration, until: Duration) -> OAuthToken {
    let claims = claims(token);
    let end = claims.as_ref().and_then(|claims| claims.get("exp")?.as_f64());
    let end = end.map_or(until, |end| Duration::from_secs(end as u64).min(now + LIFE_MAX));
    let name = claims.as_ref().and_then(|claims| claims.get("sub")?.as_str());
    OAuthToken {
        token: token.to_owned(),
        // For librdkafka's own messages only; the brokers read the token.
        principal_name: name.unwrap_or("bridge").replace('\0', ""),
        lifetime_ms: i64::try_from(end.as_millis()).unwrap_or(i64::MAX),
    }
}

/// What a JSON Web Token says; other tokens say nothing.
fn claims(token: &str) -> Option<serde_json::Value> {
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// One request; the token and how long it lives, where the endpoint says so.
fn ask(endpoint: &TokenEndpoint) -> Result<(String, Option<Duration>), TokenError> {
    let shown = || endpoint.url.to_string();
    let silent = |why: String| TokenError::Silent { endpoint: shown(), why: printable(&why, 300) };
    let mut builder = http_builder(&endpoint.url, ASK_MAX);
    if let Some(path) = &endpoint.ca_file {
        builder = trust(builder, path)?;
    }
    let client = builder.build().map_err(|error| silent(words(&error)))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (status, body) = runtime.map_err(|error| silent(error.to_string()))?.block_on(async {
        let request = client
            .post(endpoint.url.clone())
            .basic_auth(&endpoint.client_id, Some(endpoint.secret().expose()))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .body(form(endpoint.scope.as_deref()));
        let mut response = request.send().await.map_err(|error| silent(words(&error)))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| silent(words(&error)))? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok((response.status().as_u16(), body))
    })?;
    read(status, &body).map_err(|why| TokenError::Refused { endpoint: shown(), why })
}

/// An endpoint inside a company has a certificate of the same authority as the brokers, mostly.
fn trust(builder: reqwest::ClientBuilder, path: &PathBuf) -> Result<reqwest::ClientBuilder, TokenError> {
    let pem = std::fs::read(path).map_err(|error| TokenError::Trust(error.to_string()))?;
    let certificates =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| TokenError::Trust(error.to_string()))?;
    if certificates.is_empty() {
        return Err(TokenError::Trust("it holds no certificate in PEM".to_owned()));
    }
    Ok(builder.tls_certs_merge(certificates))
}

fn form(scope: Option<&str>) -> String {
    // An address encodes its query as a form is encoded.
    let mut form = reqwest::Url::parse("http://form").ok();
    if let Some(form) = &mut form {
        let mut pairs = form.query_pairs_mut();
        pairs.append_pair("grant_type", "client_credentials");
        if let Some(scope) = scope {
            pairs.append_pair("scope", scope);
        }
    }
    form.and_then(|form| form.query().map(str::to_owned)).unwrap_or_default()
}

/// What the endpoint gave, or its reason, of which only the words that are meant for people are fetched.
fn read(status: u16, body: &[u8]) -> Result<(String, Option<Duration>), String> {
    // An answer that is no JSON has neither a token nor a reason, so the status alone is reported.
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| json.get(key).and_then(|value| value.as_str());
    if let Some(token) = text("access_token").filter(|token| status == 200 && !token.is_empty()) {
        let life = json.get("expires_in").and_then(serde_json::Value::as_u64).filter(|life| *life > 0);
        return Ok((token.to_owned(), life.map(Duration::from_secs)));
    }
    let why = [text("error"), text("error_description")].into_iter().flatten().collect::<Vec<_>>().join(": ");
    Err(printable(&format!("status {status} {why}"), 200).trim_end().to_owned())
}

/// What went wrong, without the address.
fn words(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    if words.is_empty() { "no answer in time".to_owned() } else { words.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_says_until_when_it_is_good() {
        let f = |token: &str, want: Duration| {
            let token = token_until(token, NOW, NOW + LIFE_ASSUMED);
            assert_eq!(token.lifetime_ms, want.as_millis() as i64, "{}", token.token);
        };
        f(&jwt(r#"{"exp":1000060,"sub":"b"}"#), NOW + Duration::from_mins(1));
        f(&jwt(r#"{"exp":9e18}"#), NOW + Duration::from_hours(24));
        f(&jwt(r#"{"exp":-5}"#), Duration::ZERO);
        f(&jwt(r#"{"sub":"b"}"#), NOW + LIFE_ASSUMED);
        f("opaque", NOW + LIFE_ASSUMED);
        f("a.b.c", NOW + LIFE_ASSUMED);
        assert_eq!(token_until(&jwt(r#"{"sub":"b\u0000"}"#), NOW, NOW).principal_name, "b");
    }

    #[test]
    fn a_token_from_a_file_is_read_again_and_one_that_ended_is_named_without_itself() {
        let path = std::env::temp_dir().join(format!("token-{}-{:x}", std::process::id(), fastrand::u64(..)));
        let (ended, good) = (jwt(r#"{"exp":999990}"#), jwt(r#"{"exp":1000060}"#));
        std::fs::write(&path, &ended).unwrap();
        let token = Secret::from_file("first", path.clone());
        let error = configured(&token, NOW).err().unwrap().to_string();
        assert!(error.contains("ended 10 s ago") && !error.contains(&ended), "{error}");
        std::fs::write(&path, format!("{good}\n")).unwrap();
        assert_eq!(configured(&token, NOW).ok().unwrap().token, good);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_of_authorities_without_certificates_is_named() {
        let path = std::env::temp_dir().join(format!("ca-{}-{:x}", std::process::id(), fastrand::u64(..)));
        for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, text).unwrap();
            let error = trust(reqwest::Client::builder(), &path).err().unwrap().to_string();
            assert!(error.contains("`kafka.tls.ca_file` can't be used"), "{text}: {error}");
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn reads_answers_of_endpoints() {
        let f = |status: u16, body: &str, want: Result<(&str, Option<u64>), &str>| {
            let want = want
                .map(|(token, life)| (token.to_owned(), life.map(Duration::from_secs)))
                .map_err(str::to_owned);
            assert_eq!(read(status, body.as_bytes()), want, "{body}");
        };
        f(200, r#"{"access_token":"t","expires_in":300,"token_type":"Bearer"}"#, Ok(("t", Some(300))));
        f(200, r#"{"access_token":"t"}"#, Ok(("t", None)));
        f(200, r#"{"access_token":""}"#, Err("status 200"));
        f(
            401,
            r#"{"error":"invalid_client","error_description":"no\u001b"}"#,
            Err("status 401 invalid_client: no\\u{1b}"),
        );
        f(500, "<html>you sent Basic dTpw</html>", Err("status 500"));
        assert_eq!(form(Some("a b&c")), "grant_type=client_credentials&scope=a+b%26c");
    }
}
