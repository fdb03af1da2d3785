//! What every HTTP client of the bridge has in common: time-outs, proxies, no redirects, one provider of cryptography.

use crate::no_proxy;
use reqwest::{Url, redirect};
use std::net::IpAddr;
use std::time::Duration;

const USER_AGENT: &str = concat!("kafka-influx-bridge/", env!("CARGO_PKG_VERSION"));

/// A packet to nowhere gets no answer: long enough for two lost ones, short enough to try the next address.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(5);

/// InfluxDB closes idle connections after 3 minutes, proxies often after one: leave first.
const IDLE_MAX: Duration = Duration::from_secs(50);

/// What every client here has: a time-out, no redirects, the system's proxies except for this machine itself.
pub fn http_builder(url: &Url, timeout: Duration) -> reqwest::ClientBuilder {
    install_crypto();
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .timeout(timeout)
        .connect_timeout(timeout.min(CONNECT_TIMEOUT_MAX))
        .pool_idle_timeout(IDLE_MAX)
        // A redirected POST would lose its body or its credential: the answer says so instead.
        .redirect(redirect::Policy::none())
        // 1.x repeats its error in a header, with control characters if a name has some: the status must be heard all the same,
        // or the line would be sent for ever.
        .http1_ignore_invalid_headers_in_responses(true)
        // Every attempt is the writer's own, which counts them.
        .retry(reqwest::retry::never());
    if takes_no_proxy(url) { builder.no_proxy() } else { builder }
}

/// Whether the address is reached directly even if a proxy is set: this machine itself, and the forms of `NO_PROXY` that reqwest
/// does not know.
pub fn takes_no_proxy(url: &Url) -> bool {
    is_loopback(url) || no_proxy::is_direct(url)
}

/// Whether the address is this machine's own: not worth compressing for, and no proxy's business.
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

/// The process has one provider of cryptography; whoever installed one before is as good.
pub fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_loopback_addresses() {
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
