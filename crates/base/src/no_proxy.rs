//! Forms of `NO_PROXY` that curl and Go support and reqwest does not: "*" for everything, `host:port` and `*.suffix`.
//!
//! reqwest supports names (with their subdomains), `.suffix`, IP addresses, networks such as `10.0.0.0/8`, and "*" for names only.

use reqwest::Url;
use std::net::IpAddr;

/// Whether `NO_PROXY` lists this address in one of these forms.
pub fn is_direct(url: &Url) -> bool {
    let list = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy"));
    list.is_ok_and(|list| is_listed(url, &list))
}

fn is_listed(url: &Url, list: &str) -> bool {
    let Some(host) = url.host_str() else { return false };
    let host = without_brackets(host).trim_end_matches('.');
    let is_named = |entry: &str| {
        let (name, port) = split_port(entry);
        let is_port = port.is_none_or(|port| url.port_or_known_default() == Some(port));
        let (name, has_star) = match name.strip_prefix('*') {
            Some(suffix) if suffix.starts_with('.') => (suffix, true),
            _ => (name, false),
        };
        // reqwest handles a plain name without a port.
        is_port && (has_star || port.is_some()) && is_host(host, name)
    };
    list.split(',').map(str::trim).any(|entry| entry == "*" || is_named(entry))
}

/// Whether an entry covers a host. `name` covers itself and its subdomains, `.name` only the subdomains.
fn is_host(host: &str, name: &str) -> bool {
    if let (Ok(host), Ok(name)) = (host.parse::<IpAddr>(), name.parse::<IpAddr>()) {
        return host == name;
    }
    let Some(before) = host.len().checked_sub(name.len()) else { return false };
    let is_end = host.get(before..).is_some_and(|end| end.eq_ignore_ascii_case(name));
    let is_whole_label =
        before == 0 || name.starts_with('.') || host.get(..before).is_some_and(|b| b.ends_with('.'));
    // An address has no subdomains.
    is_end && !name.is_empty() && is_whole_label && (before == 0 || host.parse::<IpAddr>().is_err())
}

/// Splits `host:port`, also `[::1]:8086`. An IPv6 address without brackets has no port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (without_brackets(name), Some(port)),
            Err(_) => (entry, None),
        },
        _ => (without_brackets(entry), None),
    }
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_forms_of_curl_and_go() {
        let f = |list: &str, url: &str, want: bool| {
            assert_eq!(is_listed(&url.parse().unwrap(), list), want, "{list} {url}");
        };
        f("*", "http://10.0.0.1:8086", true);
        f("other, * ", "https://influx.example", true);
        f("", "http://h", false);
        f("10.0.0.1:8086", "http://10.0.0.1:8086", true);
        f("10.0.0.1:8086", "http://10.0.0.1:8087", false);
        f("10.0.0.1:8086", "http://110.0.0.1:8086", false);
        f("0.0.1:8086", "http://10.0.0.1:8086", false);
        f("influx:8086", "http://influx:8086", true);
        f("INFLUX:8086", "http://influx:8086", true);
        f("influx:80", "http://influx", true);
        f("influx:443", "https://influx", true);
        f("example:8086", "http://influx.example:8086", true);
        f("example:8086", "http://notexample:8086", false);
        f("[::1]:8086", "http://[::1]:8086", true);
        f("[::1]:8086", "http://[::2]:8086", false);
        f("*.svc", "http://influx.monitoring.svc:8086", true);
        f("*.svc", "http://svc:8086", false);
        f("*.svc", "http://influx.notsvc:8086", false);
        f("*.svc:8086", "http://influx.monitoring.svc:8086", true);
        f("*.svc:8086", "http://influx.monitoring.svc:9999", false);
        f("*.svc.", "http://influx.svc", false);
        f("*.svc", "http://influx.svc.", true);
        f("*:8086", "http://h:8086", false);
        f("h:x", "http://h", false);
        f("::1", "http://[::1]", false);
        f(",,:,*.", "http://h", false);
    }
}
