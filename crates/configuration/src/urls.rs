//! Reads `url` and `urls` of `[influx]`, and the address of a token endpoint.

use super::section::{Section, Text};
use reqwest::Url;

/// The addresses of the database: one or several.
pub fn read(section: Section<'_>) -> Option<Vec<Url>> {
    read_addresses(section, "where InfluxDB listens, such as url = \"http://localhost:8086\"", address)
}

/// The addresses of a schema registry: one or several.
pub fn of_registry(section: Section<'_>) -> Option<Vec<Url>> {
    let why = "where the schema registry listens, such as url = \"http://localhost:8081\"";
    read_addresses(section, why, registry_address)
}

type Check = fn(&str) -> Result<Url, String>;

fn read_addresses(section: Section<'_>, why: &str, check: Check) -> Option<Vec<Url>> {
    let key = match (section.has("url"), section.has("urls")) {
        (true, true) => {
            section.error("urls", "`url` and `urls` are both set: keep one of them");
            return None;
        }
        (false, true) => "urls",
        (true, false) => "url",
        (false, false) => {
            section.missing("url", why);
            return None;
        }
    };
    let texts = section.text_or_texts(key)?;
    if texts.is_empty() {
        section.error(key, format!("`{key}` is an empty list: name at least one address"));
    }
    let checked: Vec<Option<Url>> = texts.iter().map(|text| checked(section, text, check)).collect();
    checked.into_iter().collect::<Option<Vec<_>>>().filter(|urls| !urls.is_empty())
}

fn checked(section: Section<'_>, text: &Text, check: Check) -> Option<Url> {
    check(&text.value)
        .map_err(|why| {
            let shown = if text.value.contains('@') { "the address" } else { text.shown() };
            section.refuse(text, format!("{shown}: {why}"));
        })
        .ok()
}

/// The address that issues tokens.
pub fn endpoint(section: Section<'_>, text: &Text) -> Option<Url> {
    let url = Url::parse(&text.value).ok().filter(Url::has_host);
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
    let is_plain = |url: &Url| url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if let Some(url) = url.filter(is_plain) {
        if url.scheme() == "http" && !base::http::is_loopback(&url) {
            section
                .context
                .warning(&text.span, "`client_secret` is sent unencrypted, because `token_endpoint` begins with http://: use https://");
        }
        return Some(url);
    }
    let shown = if text.value.contains('@') { "the address" } else { text.shown() };
    section.refuse(
        text,
        format!("{shown}: this is not an address such as \"https://id.example.com/oauth2/token\", without a login and a \"?\""),
    );
    None
}

fn registry_address(text: &str) -> Result<Url, String> {
    let url = plain_address(text, "http://localhost:8081")?;
    let without_slash = text.trim().trim_end_matches('/');
    for path in ["/schemas/ids", "/schemas", "/subjects"] {
        if let Some(base) = without_slash.strip_suffix(path) {
            return Err(format!("the bridge adds {path} itself: write {base:?}"));
        }
    }
    Ok(url)
}

fn address(text: &str) -> Result<Url, String> {
    let url = plain_address(text, "http://localhost:8086")?;
    let without_slash = text.trim().trim_end_matches('/');
    for path in ["/api/v2/write", "/write", "/api/v2", "/query"] {
        if let Some(base) = without_slash.strip_suffix(path) {
            return Err(format!("the bridge adds {path} itself: write {base:?}"));
        }
    }
    Ok(url)
}

/// An address with neither login nor query. `example`: an address in messages.
fn plain_address(text: &str, example: &str) -> Result<Url, String> {
    let without_slash = text.trim().trim_end_matches('/');
    let url = Url::parse(without_slash).ok().filter(Url::has_host);
    let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
    let Some(url) = url.filter(is_http) else {
        let bare = without_slash.split_once("://").map_or(without_slash, |(_, rest)| rest);
        return Err(match Url::parse(&format!("http://{bare}")) {
            Ok(_) if !text.contains('@') && !text.starts_with("http") => {
                format!("an address begins with http:// or https://; is it \"http://{bare}\"?")
            }
            _ => format!("this is not an address such as {example:?}"),
        });
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "a login in the address would be logged: write `token`, or `username` and `password`".to_owned()
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the address ends before \"?\" and \"#\": other keys say the rest".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_addresses() {
        let f = |text: &str, want: &str| assert_eq!(address(text).unwrap().as_str(), want, "{text}");
        f("http://localhost:8086", "http://localhost:8086/");
        f("http://localhost:8086/", "http://localhost:8086/");
        f("https://influx.example.com/db/", "https://influx.example.com/db");
        f("http://[::1]:8086", "http://[::1]:8086/");
    }

    #[test]
    fn refuses_others_with_a_remedy() {
        let f = |text: &str, want: &str| {
            let error = address(text).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
        };
        f("localhost:8086", "is it \"http://localhost:8086\"?");
        f("udp://localhost:8089", "begins with http");
        f("http://", "not an address");
        f("http://a b", "not an address");
        f("http://u:p@localhost:8086", "a login in the address");
        f("http://localhost:8086/api/v2/write", "write \"http://localhost:8086\"");
        f("http://localhost:8086/write?db=x", "before \"?\"");
        f("http://localhost:8086/write", "adds /write itself");
        assert!(!address("u:p@localhost:8086").unwrap_err().contains(":p"));
    }
}
