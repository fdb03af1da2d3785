//! Reads the token, or username and password, of `[influx]` and `[schema_registry]`.

use super::section::Section;
use base::Credential;

/// The credential that is sent with each request. `is_one_login`: without a token username and password are needed together. None: there
/// are errors.
pub fn http_credential(section: Section<'_>, is_one_login: bool) -> Option<Credential> {
    let token = section.secret("token");
    let (username, password) = (section.text("username"), section.secret("password"));
    if token.as_ref().is_some_and(|token| !token.value.chars().all(|c| c.is_ascii_graphic())) {
        section.error("token", "`token` has a space, a line end or another character that no token has");
    }
    if is_one_login && section.has("token") && section.has("username") {
        section.error("username", "`token` and `username` are both set: remove one of them");
    }
    for (key, other) in [("username", "password"), ("password", "username")] {
        if is_one_login && section.has(key) && !section.has(other) {
            section.missing(other, &format!("`{key}` needs it"));
        }
    }
    if let Some(username) = username.as_ref().filter(|username| username.value.contains(':')) {
        section.refuse(username, "`username` can't contain a \":\": HTTP ends it there");
    }
    match (token, username, password) {
        (Some(token), ..) => Some(Credential::Token(token.secret())),
        (None, Some(username), Some(password)) => {
            Some(Credential::Basic { username: username.value, password: password.secret() })
        }
        (None, None, None) if !section.has("token") => Some(Credential::None),
        _ => None,
    }
}
