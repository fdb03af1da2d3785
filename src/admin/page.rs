//! The status page: one file, which may load nothing but `status.json` beside it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;

pub const HTML: &str = include_str!("page/index.html");

/// What a browser lets the page do: run its own script and style, which are known by their hashes, and ask its own server.
pub fn policy() -> String {
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        sha256(inside("script")),
        sha256(inside("style"))
    )
}

/// The text of the one element of this name.
fn inside(name: &str) -> &'static str {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let inside = HTML.split_once(&begin).and_then(|(_, after)| after.split_once(&end));
    inside.map_or("", |(text, _)| text)
}

/// By the TLS that is there anyway.
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
    fn hashes_as_browsers_do() {
        assert_eq!(sha256("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        for name in ["script", "style"] {
            assert!(inside(name).len() > 1_000, "{name}");
            assert_eq!(HTML.matches(&format!("<{name}")).count(), 1, "{name}");
            assert!(policy().contains(&sha256(inside(name))), "{name}");
        }
    }

    /// A page that loads nothing from elsewhere and writes no text as HTML.
    #[test]
    fn is_small_and_self_contained() {
        assert!(HTML.len() < 25_000, "{} bytes", HTML.len());
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
