//! OAUTHBEARER: tokens for the brokers, from the configuration, a file or a token endpoint.
//!
//! A thread per client sets the first token and replaces each token when four fifths of its life are over.

use base::certificates::{CertificateError, CertificateFiles};
use base::http::{error_chain, http_builder};
use base::locks::lock;
use base::secret::Secret;
use base::text::printable;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use std::error::Error;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// Assumed life of a token without an expiry time.
const LIFE_ASSUMED: Duration = Duration::from_mins(5);
/// A token with a longer life is replaced each day.
const LIFE_MAX: Duration = Duration::from_hours(24);
/// A shorter life does not shorten the pause between two tokens any further.
const LIFE_MIN: Duration = Duration::from_secs(1);
/// Pause after a failure; librdkafka's own.
const RETRY_PAUSE: Duration = Duration::from_secs(10);
/// Time limit of a request to the token endpoint. A new client waits for its first token.
const REQUEST_MAX: Duration = Duration::from_secs(5);
/// A response has a few kB.
const RESPONSE_BYTES_MAX: usize = 256 << 10;
/// Characters of an error in a message.
const SHOWN_MAX: usize = 300;

/// A login with OAUTHBEARER.
#[derive(Clone, Debug)]
pub struct Oauth {
    pub source: TokenSource,
    /// SASL extensions that go with each token (RFC 7628, section 3.1).
    pub extensions: Vec<(String, String)>,
}

/// Source of tokens.
#[derive(Clone, Debug)]
pub enum TokenSource {
    /// The token itself; one from a file is read again for each use.
    Token(Secret),
    Endpoint(TokenEndpoint),
}

/// A server that gives tokens in exchange for client credentials (RFC 6749, section 4.4).
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    pub url: reqwest::Url,
    pub client_id: String,
    pub client_secret: Secret,
    pub scope: Option<String>,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// A token with everything that librdkafka wants to know about it.
pub(crate) struct Token {
    pub value: String,
    /// Name in librdkafka's own messages; the brokers read the token.
    pub principal: String,
    /// Milliseconds since 1970.
    pub end_ms: i64,
    pub extensions: Vec<(String, String)>,
}

#[derive(Debug, Error)]
enum TokenError {
    #[error("the token of `kafka.sasl.token` expired {ago_s} s ago: put a new one there")]
    Expired { ago_s: u64 },
    #[error(
        "`kafka.sasl.token_endpoint` {endpoint} does not answer: {why}; check that it runs and that this machine reaches it. It is asked again"
    )]
    Silent { endpoint: String, why: String },
    #[error(
        "`kafka.sasl.token_endpoint` {endpoint} gives no token ({why}): check `client_id`, `client_secret` and `scope`"
    )]
    Refused { endpoint: String, why: String },
    #[error("`kafka.sasl.token_endpoint` can't be asked for a token: {0}")]
    Certificates(#[from] CertificateError),
}

/// A client that logs in with tokens.
pub(crate) trait TokenSink: Debug + Send {
    /// Makes the client use this token for all logins from now on.
    fn set(&self, token: &Token) -> Result<(), String>;

    /// Reports why there is no token.
    fn fail(&self, why: &str);
}

/// Keeps one client supplied with tokens until it is dropped.
#[derive(Debug)]
pub(crate) struct TokenRenewal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// None once the renewal has ended: the client may be gone.
    sink: Option<Box<dyn TokenSink>>,
    /// Whether the first attempt is over.
    is_served: bool,
}

impl TokenRenewal {
    pub fn start(oauth: Oauth, sink: Box<dyn TokenSink>) -> Self {
        let state = Mutex::new(State { sink: Some(sink), is_served: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        let renewed = Arc::clone(&shared);
        let spawned = thread::Builder::new().name("kafka-token".to_owned()).spawn(move || {
            while let Some(pause) = renewed.serve(oauth.token()) {
                renewed.wait(pause, |state| state.sink.is_some());
            }
        });
        if let Err(error) = spawned {
            shared.serve(Err(error.into()));
        }
        Self(shared)
    }

    /// Waits until the first token is set or could not be had.
    pub fn wait_for_first(&self) {
        self.0.wait(REQUEST_MAX * 2, |state| !state.is_served);
    }
}

impl Drop for TokenRenewal {
    fn drop(&mut self) {
        // The thread sets tokens under this lock only, so that none is set afterwards.
        lock(&self.0.state).sink = None;
        self.0.changed.notify_all();
    }
}

impl Shared {
    /// Hands the outcome of an attempt to the client. Returns the pause before the next attempt; None: the renewal has ended.
    fn serve(&self, token: Result<Token, Box<dyn Error>>) -> Option<Duration> {
        let mut state = lock(&self.state);
        let sink = state.sink.as_ref()?;
        let set = token
            .map_err(|error| error.to_string())
            .and_then(|token| sink.set(&token).map(|()| token.end_ms));
        let pause = match set {
            Ok(end_ms) => {
                let life = Duration::from_millis(end_ms.unsigned_abs()).saturating_sub(now());
                life.max(LIFE_MIN) * 4 / 5
            }
            Err(why) => {
                sink.fail(&why);
                RETRY_PAUSE
            }
        };
        state.is_served = true;
        self.changed.notify_all();
        Some(pause)
    }

    /// Waits while the condition holds, at most `time_max`.
    fn wait(&self, time_max: Duration, condition: impl Fn(&State) -> bool) {
        let waited = self.changed.wait_timeout_while(lock(&self.state), time_max, |state| condition(state));
        drop(waited);
    }
}

impl Oauth {
    /// A token that is valid now. A token endpoint may take up to `REQUEST_MAX`.
    fn token(&self) -> Result<Token, Box<dyn Error>> {
        let token = match &self.source {
            TokenSource::Token(token) => configured(token, now())?,
            TokenSource::Endpoint(endpoint) => {
                let (token, life) = request(endpoint)?;
                let now = now();
                token_until(&token, now, now + life.unwrap_or(LIFE_ASSUMED).min(LIFE_MAX))
            }
        };
        Ok(Token { extensions: self.extensions.clone(), ..token })
    }
}

impl Oauth {
    /// Whether `new`, which was read from the configuration later, is the same login. A secret whose file was rotated stays
    /// the same secret, because it is read again for each use.
    pub fn is_same(&self, new: &Self) -> bool {
        let is_same_secret =
            |old: &Secret, new: &Secret| old == new || old.reread().is_some_and(|reread| reread == *new);
        let is_same_source = match (&self.source, &new.source) {
            (TokenSource::Token(old), TokenSource::Token(new)) => is_same_secret(old, new),
            (TokenSource::Endpoint(old), TokenSource::Endpoint(new)) => {
                let plain = |endpoint: &TokenEndpoint| {
                    let TokenEndpoint { url, client_id, scope, ca_file, .. } = endpoint.clone();
                    (url, client_id, scope, ca_file)
                };
                plain(old) == plain(new) && is_same_secret(&old.client_secret, &new.client_secret)
            }
            _ => false,
        };
        is_same_source && self.extensions == new.extensions
    }
}

impl TokenEndpoint {
    /// The brokers' authority is trusted too: a company's token endpoint usually has a certificate of the same one.
    fn certificates(&self) -> CertificateFiles {
        CertificateFiles { ca_file: self.ca_file.clone(), ..CertificateFiles::default() }
    }

    /// The client secret; one from a file is read again.
    fn secret(&self) -> Secret {
        self.client_secret.reread().unwrap_or_else(|| self.client_secret.clone())
    }
}

/// Time since 1970; zero for a clock before that.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The token of the configuration; one from a file is read again.
fn configured(token: &Secret, now: Duration) -> Result<Token, TokenError> {
    let token = token.reread().unwrap_or_else(|| token.clone());
    let token = token_until(token.expose().trim(), now, now + LIFE_ASSUMED);
    let end = Duration::from_millis(token.end_ms.unsigned_abs());
    if end <= now {
        return Err(TokenError::Expired { ago_s: now.saturating_sub(end).as_secs() });
    }
    Ok(token)
}

/// `until` is the end of a token that does not name its own.
fn token_until(token: &str, now: Duration, until: Duration) -> Token {
    let claims = claims(token);
    let end = claims.as_ref().and_then(|claims| claims.get("exp")?.as_f64());
    let end = end.map_or(until, |end| Duration::from_secs(end as u64).min(now + LIFE_MAX));
    let name = claims.as_ref().and_then(|claims| claims.get("sub")?.as_str());
    Token {
        value: token.to_owned(),
        principal: name.unwrap_or("bridge").replace('\0', ""),
        end_ms: i64::try_from(end.as_millis()).unwrap_or(i64::MAX),
        extensions: Vec::new(),
    }
}

/// The claims of a JSON Web Token; other tokens have none.
fn claims(token: &str) -> Option<serde_json::Value> {
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// Requests a token. Returns its life too, where the endpoint gives it.
fn request(endpoint: &TokenEndpoint) -> Result<(String, Option<Duration>), TokenError> {
    let shown = || endpoint.url.to_string();
    let silent = |why: String| TokenError::Silent { endpoint: shown(), why: printable(&why, SHOWN_MAX) };
    let silent_after = |error: reqwest::Error| silent(error_chain(&error, SHOWN_MAX));
    let client = endpoint.certificates().read("kafka.tls")?.apply(http_builder(&endpoint.url, REQUEST_MAX));
    let client = client.build().map_err(silent_after)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (status, body) = runtime.map_err(|error| silent(error.to_string()))?.block_on(async {
        let request = client
            .post(endpoint.url.clone())
            .basic_auth(&endpoint.client_id, Some(endpoint.secret().expose()))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .body(form(endpoint.scope.as_deref()));
        let mut response = request.send().await.map_err(silent_after)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(silent_after)? {
            body.extend_from_slice(&chunk);
            if body.len() > RESPONSE_BYTES_MAX {
                break;
            }
        }
        Ok::<_, TokenError>((response.status().as_u16(), body))
    })?;
    read(status, &body).map_err(|why| TokenError::Refused { endpoint: shown(), why })
}

fn form(scope: Option<&str>) -> String {
    // The query of a URL has the encoding of a form.
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

/// The token of a response, or the reason for its absence. Only the fields meant for people are quoted.
fn read(status: u16, body: &[u8]) -> Result<(String, Option<Duration>), String> {
    // A response that is not JSON has neither a token nor a reason, so only the status is reported.
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| json.get(key).and_then(|value| value.as_str());
    if let Some(token) = text("access_token").filter(|token| status == 200 && !token.is_empty()) {
        let life = json.get("expires_in").and_then(serde_json::Value::as_u64).filter(|life| *life > 0);
        return Ok((token.to_owned(), life.map(Duration::from_secs)));
    }
    let why = [text("error"), text("error_description")].into_iter().flatten().collect::<Vec<_>>().join(": ");
    Err(printable(&format!("status {status} {why}"), 200).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_ends_at_its_own_expiry_time_within_a_day() {
        let f = |token: &str, want: Duration| {
            let token = token_until(token, NOW, NOW + LIFE_ASSUMED);
            assert_eq!(token.end_ms, want.as_millis() as i64, "{}", token.value);
        };
        f(&jwt(r#"{"exp":1000060,"sub":"b"}"#), NOW + Duration::from_mins(1));
        f(&jwt(r#"{"exp":9e18}"#), NOW + Duration::from_hours(24));
        f(&jwt(r#"{"exp":-5}"#), Duration::ZERO);
        f(&jwt(r#"{"sub":"b"}"#), NOW + LIFE_ASSUMED);
        f("opaque", NOW + LIFE_ASSUMED);
        f("a.b.c", NOW + LIFE_ASSUMED);
        assert_eq!(token_until(&jwt(r#"{"sub":"b\u0000"}"#), NOW, NOW).principal, "b");
    }

    #[test]
    fn a_token_file_is_read_again_and_an_expired_token_is_reported_without_its_text() {
        let path = std::env::temp_dir().join(format!("token-{}-{:x}", std::process::id(), fastrand::u64(..)));
        let (ended, good) = (jwt(r#"{"exp":999990}"#), jwt(r#"{"exp":1000060}"#));
        std::fs::write(&path, &ended).unwrap();
        let token = Secret::from_file("first", path.clone());
        let error = configured(&token, NOW).err().unwrap().to_string();
        assert!(error.contains("expired 10 s ago") && !error.contains(&ended), "{error}");
        std::fs::write(&path, format!("{good}\n")).unwrap();
        assert_eq!(configured(&token, NOW).ok().unwrap().value, good);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn reads_responses_of_token_endpoints() {
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
