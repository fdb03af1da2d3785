//! Reads `[schema_registry]`: the registry that has the schemas of framed records.

use super::keys;
use super::section::{Section, Text};
use super::urls;
use base::Credential;
use schema_registry::Settings;

/// None: the file has no such table, or it has errors.
pub fn read(top: Section<'_>) -> Option<Settings> {
    let section = top.table("schema_registry", &keys::SCHEMA_REGISTRY)?;
    let urls = urls::of_registry(section);
    let credential = credential(section);
    let unknown_id_max = section.duration_or_default("unknown_id_max");
    let files = super::security::client_files(section);
    let (urls, credential) = (urls?, credential?);
    let has_files = files.iter().any(Option::is_some);
    if has_files && urls.iter().all(|url| url.scheme() == "http") {
        let message = "no `url` begins with https://, so none of the certificate files is used";
        section.context.warning(&section.header_span(), message);
    }
    let sends_secret = credential != Credential::None;
    if sends_secret && urls.iter().any(|url| url.scheme() == "http" && !base::http::is_loopback(url)) {
        let message = "without https:// anybody on the way can read the login";
        section.context.warning(&section.header_span(), message);
    }
    let [ca_file, cert_file, key_file] = files;
    let settings = Settings::new(urls.first()?.clone());
    Some(Settings { urls, credential, ca_file, cert_file, key_file, unknown_id_max, ..settings })
}

fn credential(section: Section<'_>) -> Option<Credential> {
    let token = section.secret("token");
    let (username, password) = (section.text("username"), section.secret("password"));
    if section.has("token") && section.has("username") {
        section.error("username", "`token` and `username` are both set: remove one of them");
    }
    for (key, other) in [("username", "password"), ("password", "username")] {
        if section.has(key) && !section.has(other) {
            section.missing(other, &format!("`{key}` needs it"));
        }
    }
    if let Some(username) = username.as_ref().filter(|username| username.value.contains(':')) {
        section.refuse(username, "`username` can't contain a \":\": HTTP ends it there");
    }
    let is_header = |token: &Text| token.value.chars().all(|c| c.is_ascii_graphic());
    if token.as_ref().is_some_and(|token| !is_header(token)) {
        section.error("token", "`token` has a space, a line end or another character that no token has");
    }
    match (token, username, password) {
        (Some(token), ..) => Some(Credential::Token(token.secret())),
        (None, Some(username), Some(password)) => {
            Some(Credential::Basic { username: username.value, password: password.secret() })
        }
        (None, None, None) if !["token", "username", "password"].iter().any(|key| section.has(key)) => {
            Some(Credential::None)
        }
        _ => None,
    }
}
