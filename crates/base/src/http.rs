//! Settings shared by all HTTP clients of the bridge: timeouts, proxies, no redirects, one provider of cryptography.

use crate::no_proxy;
use crate::text::printable;
use reqwest::{Url, redirect};
use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

const USER_AGENT: &str = concat!("kafka-influx-bridge/", env!("CARGO_PKG_VERSION"));

/// Longest time to connect: two lost packets do not fail it, and the next address is tried soon enough.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(5);

/// Time after which the client closes an idle connection, before InfluxDB (3 minutes) or a proxy (often 1 minute) does.
const IDLE_MAX: Duration = Duration::from_secs(50);

/// A client builder with these settings. Addresses of this machine bypass the system's proxies.
pub fn http_builder(url: &Url, timeout: Duration) -> reqwest::ClientBuilder {
    install_crypto();
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .timeout(timeout)
        .connect_timeout(timeout.min(CONNECT_TIMEOUT_MAX))
        .pool_idle_timeout(IDLE_MAX)
        // A redirected POST would lose its body or its credential, so the redirect is reported instead.
        .redirect(redirect::Policy::none())
        // 1.x repeats its error in a header, with the control characters of a name. The status must be read nevertheless, or the line
        // would be sent for ever.
        .http1_ignore_invalid_headers_in_responses(true)
        // The writer retries itself, and counts its attempts.
        .retry(reqwest::retry::never());
    if bypasses_proxy(url) { builder.no_proxy() } else { builder }
}

/// Whether the address bypasses a proxy: addresses of this machine, and forms of `NO_PROXY` that reqwest does not support.
pub fn bypasses_proxy(url: &Url) -> bool {
    is_loopback(url) || no_proxy::is_direct(url)
}

/// Whether the address belongs to this machine, so that neither compression nor a proxy is useful.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
        Err(_) => false,
    }
}

/// The messages of the errors that caused `error`, in at most `chars_max` characters. The message of `error` itself is left out, because
/// it may contain the URL.
pub fn error_chain(error: &reqwest::Error, chars_max: usize) -> String {
    let mut messages: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !messages.iter().any(|before| before.contains(&message)) {
            messages.push(message);
        }
        cause = error.source();
    }
    if messages.is_empty() {
        messages.push(if error.is_timeout() { "timed out" } else { "the request failed" }.to_owned());
    }
    printable(&messages.join(": "), chars_max)
}

/// Installs the provider of cryptography of the process, unless one is installed.
pub fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn international_names_of_servers_are_sent_as_ascii() {
        let url: Url = "http://Mu\u{308}nchen.example:8086".parse().unwrap();
        assert_eq!(url.host_str(), Some("xn--mnchen-3ya.example"));
    }

    #[test]
    fn recognizes_loopback_addresses() {
        let f = |url: &str, want: bool| assert_eq!(is_loopback(&url.parse().unwrap()), want, "{url}");
        f("http://localhost:8086", true);
        f("http://LOCALHOST.:8086", true);
        f("http://influx.localhost", true);
        f("http://127.0.0.1", true);
        f("http://127.9.9.9", true);
        f("http://[::1]:8086", true);
        f("http://[::ffff:127.0.0.1]", true);
        f("http://10.0.0.1", false);
        f("http://[2001:db8::1]", false);
        f("http://localhost.example", false);
        f("http://influx", false);
    }
}
