//! `[kafka.tls]` and `[kafka.sasl]` as properties of librdkafka, and where tokens come from.

use super::section::{Section, Text, unknown_word};
use super::{Oauth, TokenEndpoint, schema, urls};
use crate::secret::Secret;
use std::path::PathBuf;

type Properties = Vec<(String, Secret)>;

/// What this build of librdkafka can speak with a name and a password, or, for the last, with a token.
const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];

/// The presence of the tables, even when they are empty, says which protocol is spoken.
pub fn read(kafka: Section<'_>) -> (Properties, Option<Oauth>) {
    let tls = kafka.table("tls", &schema::KAFKA_TLS);
    let sasl = kafka.table("sasl", &schema::KAFKA_SASL);
    let protocol = match (kafka.has("tls"), kafka.has("sasl")) {
        (false, false) => return (Vec::new(), None),
        (true, false) => "ssl",
        (false, true) => "sasl_plaintext",
        (true, true) => "sasl_ssl",
    };
    let mut properties = vec![("security.protocol".to_owned(), Secret::new(protocol))];
    properties.extend(tls.map(tls_properties).unwrap_or_default());
    let oauth = sasl.and_then(|sasl| {
        let ca_file = tls.filter(|tls| tls.has("ca_file")).and_then(|tls| tls.file("ca_file"));
        oauth(sasl, ca_file)
    });
    properties.extend(sasl.map(sasl_properties).unwrap_or_default());
    (properties, oauth)
}

fn tls_properties(section: Section<'_>) -> Properties {
    let mut properties = Vec::new();
    for (key, property) in [
        ("ca_file", "ssl.ca.location"),
        ("cert_file", "ssl.certificate.location"),
        ("key_file", "ssl.key.location"),
    ] {
        let path = section.file(key).map(|path| Secret::new(path.to_string_lossy()));
        properties.extend(path.map(|path| (property.to_owned(), path)));
    }
    let password = section.secret("key_password").map(|text| ("ssl.key.password".to_owned(), text.secret()));
    properties.extend(password);
    check_pair(section);
    if section.flag("verify") == Some(false) {
        section.context.warning(&section.span("verify"), UNVERIFIED);
        properties.push(("enable.ssl.certificate.verification".to_owned(), Secret::new("false")));
    }
    properties
}

pub const UNVERIFIED: &str = "with verify = false anybody on the way can read and change everything; ca_file makes a private certificate trusted";

/// A certificate is nothing without its key.
pub fn check_pair(section: Section<'_>) {
    for (key, other) in [("cert_file", "key_file"), ("key_file", "cert_file")] {
        if section.has(key) && !section.has(other) {
            section.error(key, format!("`{key}` wants its `{other}` beside it"));
        }
    }
}

fn sasl_properties(section: Section<'_>) -> Properties {
    let username = section.text("username").map(|text| ("sasl.username".to_owned(), text.secret()));
    let password = section.secret("password").map(|text| ("sasl.password".to_owned(), text.secret()));
    let Some(mechanism) =
        section.required_text("mechanism", "one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER")
    else {
        return Vec::new();
    };
    if !MECHANISMS.contains(&mechanism.value.as_str()) {
        let kerberos = if mechanism.value == "GSSAPI" { " (Kerberos is not built in)" } else { "" };
        section.refuse(&mechanism, unknown_word("mechanism", mechanism.shown(), &MECHANISMS) + kerberos);
    }
    let takes_login = mechanism.value != "OAUTHBEARER";
    for key in ["username", "password"] {
        if takes_login && !section.has(key) {
            section.missing(key, &format!("{} wants a username and a password", mechanism.shown()));
        }
        if !takes_login && section.has(key) {
            section.error(
                key,
                format!(
                    "OAUTHBEARER has no `{key}`: it logs in with a `token`, or with one of a `token_endpoint`"
                ),
            );
        }
    }
    for key in TOKEN_KEYS.into_iter().filter(|key| takes_login && section.has(key)) {
        section.error(
            key,
            format!(
                "`{key}` is of mechanism = \"OAUTHBEARER\": {} logs in with a username and a password",
                mechanism.shown()
            ),
        );
    }
    let mut properties = vec![("sasl.mechanisms".to_owned(), mechanism.secret())];
    properties.extend(username.into_iter().chain(password));
    properties
}

const TOKEN_KEYS: [&str; 5] = ["token", "token_endpoint", "client_id", "client_secret", "scope"];

/// What only a `token_endpoint` wants.
const CLIENT_KEYS: [&str; 3] = ["client_id", "client_secret", "scope"];

/// Where OAUTHBEARER's tokens come from; `ca_file`: of the brokers.
fn oauth(section: Section<'_>, ca_file: Option<PathBuf>) -> Option<Oauth> {
    // Whatever is wrong with the mechanism is said elsewhere.
    let mechanism = section.value("mechanism")?.get_ref().as_str()?;
    if mechanism != "OAUTHBEARER" {
        return None;
    }
    if section.has("token") && section.has("token_endpoint") {
        section.error("token", "`token` and `token_endpoint` are both here: keep one of them");
        return None;
    }
    if section.has("token_endpoint") {
        return endpoint(section, ca_file);
    }
    for key in CLIENT_KEYS.into_iter().filter(|key| section.has(key)) {
        section.missing("token_endpoint", &format!("`{key}` wants it beside it"));
    }
    if !section.has("token") {
        section.missing(
            "token",
            "OAUTHBEARER wants one, such as \"${file:kafka.token}\", or a `token_endpoint` that gives one",
        );
    }
    let token = section.secret("token")?;
    if !token.value.trim().chars().all(|c| c.is_ascii_graphic()) {
        section.error("token", "`token` has a space, a line end or another character that no token has");
    }
    Some(Oauth::Token(token.secret()))
}

fn endpoint(section: Section<'_>, ca_file: Option<PathBuf>) -> Option<Oauth> {
    for key in ["client_id", "client_secret"].into_iter().filter(|key| !section.has(key)) {
        section.missing(key, "`token_endpoint` wants a client_id and a client_secret");
    }
    let url = section.text("token_endpoint").and_then(|text| urls::endpoint(section, &text));
    let client_id = section.text("client_id").map(|text| text.value);
    if client_id.as_ref().is_some_and(|id| id.contains(':')) {
        section.error("client_id", "`client_id` can't hold a \":\": HTTP ends it there");
    }
    let client_secret = section.secret("client_secret").map(Text::secret);
    let scope = section.text("scope").map(|text| text.value);
    let (client_id, client_secret) = (client_id?, client_secret?);
    Some(Oauth::Endpoint(TokenEndpoint { url: url?, client_id, client_secret, scope, ca_file }))
}

/// `[influx.tls]` has the same files, for another client.
pub struct TlsFiles {
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub verify: bool,
}

pub fn tls_files(section: Section<'_>) -> TlsFiles {
    check_pair(section);
    let verify = section.flag("verify").unwrap_or(true);
    if !verify {
        section.context.warning(&section.span("verify"), UNVERIFIED);
    }
    TlsFiles {
        ca_file: section.file("ca_file"),
        cert_file: section.file("cert_file"),
        key_file: section.file("key_file"),
        verify,
    }
}
