//! Reads `[kafka.tls]` and `[kafka.sasl]`: librdkafka properties, and the source of tokens.

use super::certificates::{check_pair, verifies};
use super::keys::{self, MECHANISMS};
use super::pairs::pairs;
use super::section::{Section, Text, unknown_word};
use super::urls;
use base::secret::Secret;
use kafka::TLS_REMEDY;
use kafka::oauth_token::{Oauth, TokenEndpoint, TokenSource};
use reqwest::Url;
use std::path::PathBuf;

/// The refusal of Kerberos, for which librdkafka would need Cyrus SASL.
pub fn no_kerberos() -> String {
    let (last, others) = MECHANISMS.split_last().unwrap_or((&"", &[]));
    format!(
        "Kerberos (GSSAPI) is not built in: log in with {} or {last} in [kafka.sasl], or with a client certificate in [kafka.tls]",
        others.join(", ")
    )
}

type Properties = Vec<(String, Secret)>;

/// Reads both tables. Their presence, even if they are empty, decides the security protocol.
pub fn read(kafka: Section<'_>) -> (Properties, Option<Oauth>) {
    let tls = kafka.table("tls", &keys::KAFKA_TLS);
    let sasl = kafka.table("sasl", &keys::KAFKA_SASL);
    let protocol = match (kafka.has("tls"), kafka.has("sasl")) {
        (false, false) => return (Vec::new(), None),
        (true, false) => "ssl",
        (false, true) => "sasl_plaintext",
        (true, true) => "sasl_ssl",
    };
    if kafka.has("tls") && !kafka.context.has_kafka_tls {
        kafka.error("tls", not_built("[kafka.tls]"));
    }
    let mut properties = vec![("security.protocol".to_owned(), Secret::new(protocol))];
    properties.extend(tls.map(tls_properties).unwrap_or_default());
    let ca_file =
        properties.iter().find(|(name, _)| name == "ssl.ca.location").map(|(_, path)| path.expose().into());
    let login = sasl.map(|sasl| sasl_properties(sasl, ca_file));
    let (login, oauth) = login.unwrap_or_default();
    properties.extend(login);
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
    if !verifies(section) {
        properties.push(("enable.ssl.certificate.verification".to_owned(), Secret::new("false")));
    }
    properties
}

/// `ca_file`: authorities for the brokers' certificates, which a token endpoint may use too.
fn sasl_properties(section: Section<'_>, ca_file: Option<PathBuf>) -> (Properties, Option<Oauth>) {
    // Keys of managed services are names of users. Like a secret, a name may come from a variable that a dry run does not need.
    let username = section.secret("username").map(|text| ("sasl.username".to_owned(), text.secret()));
    let password = section.secret("password").map(|text| ("sasl.password".to_owned(), text.secret()));
    let tokens = TokenKeys::read(section);
    let known = format!("one of {}", MECHANISMS.join(", "));
    let Some(mechanism) = section.required_text("mechanism", &known) else {
        return (Vec::new(), None);
    };
    if !MECHANISMS.contains(&mechanism.value.as_str()) {
        let is_kerberos = mechanism.value == "GSSAPI";
        let unknown = || unknown_word("mechanism", mechanism.shown(), &MECHANISMS);
        section.refuse(&mechanism, if is_kerberos { no_kerberos() } else { unknown() });
        // The keys that it needs are unknown.
        return (Vec::new(), None);
    }
    if mechanism.value != "PLAIN" && !section.context.has_kafka_tls {
        section.refuse(&mechanism, not_built(mechanism.shown()));
    }
    let takes_login = mechanism.value != "OAUTHBEARER";
    for key in LOGIN_KEYS {
        if takes_login && !section.has(key) {
            section.missing(key, &format!("{} needs a username and a password", mechanism.shown()));
        }
        if !takes_login && section.has(key) {
            let other = "it logs in with a `token`, or with those of a `token_endpoint`";
            section.error(key, format!("OAUTHBEARER has no `{key}`: {other}"));
        }
    }
    for key in TOKEN_KEYS.into_iter().filter(|key| takes_login && section.has(key)) {
        let other = format!("{} logs in with a username and a password", mechanism.shown());
        section.error(key, format!("`{key}` is of mechanism = \"OAUTHBEARER\": {other}"));
    }
    let oauth = if takes_login { None } else { tokens.oauth(section, ca_file) };
    let mut properties = vec![("sasl.mechanisms".to_owned(), mechanism.secret())];
    properties.extend(username.into_iter().chain(password));
    (properties, oauth)
}

/// The refusal of a key for which librdkafka needs OpenSSL.
pub fn not_built(what: &str) -> String {
    format!("{what} needs the feature `kafka-tls`, which this build does not have: {TLS_REMEDY}")
}

const LOGIN_KEYS: [&str; 2] = ["username", "password"];
const TOKEN_KEYS: [&str; 6] =
    ["token", "token_endpoint", "client_id", "client_secret", "scope", "extensions"];

/// The keys of OAUTHBEARER.
struct TokenKeys {
    token: Option<Text>,
    endpoint: Option<Url>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    scope: Option<String>,
    extensions: Vec<(String, String)>,
}

impl TokenKeys {
    fn read(section: Section<'_>) -> Self {
        Self {
            token: section.secret("token"),
            endpoint: section.text("token_endpoint").and_then(|text| urls::endpoint(section, &text)),
            client_id: section.text("client_id").map(|text| text.value),
            client_secret: section.secret("client_secret").map(Text::secret),
            scope: section.text("scope").map(|text| text.value),
            extensions: extensions(section),
        }
    }

    fn oauth(self, section: Section<'_>, ca_file: Option<PathBuf>) -> Option<Oauth> {
        match (section.has("token"), section.has("token_endpoint")) {
            (true, true) => {
                section.error("token", "`token` and `token_endpoint` are both here: keep one of them");
                None
            }
            (_, true) => self.with_endpoint(section, ca_file),
            (has_token, false) => {
                for key in ["client_id", "client_secret", "scope"].into_iter().filter(|key| section.has(key))
                {
                    section.missing("token_endpoint", &format!("`{key}` needs it beside it"));
                }
                if !has_token {
                    let why = "OAUTHBEARER needs one, such as \"${file:kafka.token}\", or a `token_endpoint` that gives some";
                    section.missing("token", why);
                }
                let token = self.token?;
                if !token.value.trim().chars().all(|c| c.is_ascii_graphic()) {
                    let why = "has a space, a line end or another character that no token has";
                    section.error("token", format!("`token` {why}"));
                }
                Some(Oauth { source: TokenSource::Token(token.secret()), extensions: self.extensions })
            }
        }
    }

    fn with_endpoint(self, section: Section<'_>, ca_file: Option<PathBuf>) -> Option<Oauth> {
        for key in ["client_id", "client_secret"].into_iter().filter(|key| !section.has(key)) {
            section.missing(key, "`token_endpoint` needs a client_id and a client_secret");
        }
        let (url, client_id, client_secret) = (self.endpoint?, self.client_id?, self.client_secret?);
        if client_id.contains(':') {
            section.error("client_id", "`client_id` can't hold a \":\": HTTP ends it there");
        }
        let endpoint = TokenEndpoint { url, client_id, client_secret, scope: self.scope, ca_file };
        Some(Oauth { source: TokenSource::Endpoint(endpoint), extensions: self.extensions })
    }
}

/// SASL extensions. RFC 7628, section 3.1, has the rules for names and values, and librdkafka checks them when it gets a token.
fn extensions(section: Section<'_>) -> Vec<(String, String)> {
    let pairs = pairs(section, "extensions");
    for (name, value) in &pairs {
        if name.value == "auth" {
            section
                .refuse(name, "`extensions` can't have the name \"auth\": the token itself is sent under it");
        } else if name.value.is_empty() || !name.value.chars().all(|c| c.is_ascii_alphabetic()) {
            let message = format!(
                "`extensions` can't have the name {:?}: a name has letters from A to Z and a to z only, such as logicalCluster or identityPoolId",
                name.value
            );
            section.refuse(name, message);
        }
        if value.value.is_empty() || !value.value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
            let message = format!(
                "`extensions`: the value of {} is empty or has a character that is not printable ASCII: copy it from the Kafka service's page",
                name.value
            );
            section.refuse(value, message);
        }
    }
    pairs.into_iter().map(|(name, value)| (name.value, value.value)).collect()
}
