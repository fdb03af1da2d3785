//! The status page: one HTML file that loads only `status.json` from the same server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;

pub const HTML: &str = include_str!("index.html");

/// The content security policy: the page may run its own script and style, identified by their hashes, and query its own server.
pub fn policy() -> String {
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        sha256(inside("script")),
        sha256(inside("style"))
    )
}

/// The text of the only element with this name.
fn inside(name: &str) -> &'static str {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let inside = HTML.split_once(&begin).and_then(|(_, after)| after.split_once(&end));
    inside.map_or("", |(text, _)| text)
}

/// SHA-256 as Base64, from the TLS library that is linked anyway.
fn sha256(text: &str) -> String {
    let hash = match TLS13_AES_128_GCM_SHA256 {
        SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
        SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
    };
    BASE64.encode(hash.hash(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_has_the_hashes_that_browsers_compute() {
        assert_eq!(sha256("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        for name in ["script", "style"] {
            assert!(inside(name).len() > 1_000, "{name}");
            assert_eq!(HTML.matches(&format!("<{name}")).count(), 1, "{name}");
            assert!(policy().contains(&sha256(inside(name))), "{name}");
        }
    }

    #[test]
    fn the_page_is_small_loads_nothing_and_writes_no_text_as_html() {
        assert!(HTML.len() < 30_000, "{} bytes", HTML.len());
        let elsewhere: Vec<&str> = HTML.match_indices("//").map(|(at, _)| &HTML[at..]).collect();
        for text in elsewhere {
            let is_name = text.starts_with("//www.w3.org/2000/svg") || text.starts_with("// ");
            assert!(is_name, "{}", &text[..text.len().min(60)]);
        }
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "cookie",
            " style=",
            "onclick",
        ] {
            assert!(!HTML.contains(word), "{word}");
        }
    }
}
