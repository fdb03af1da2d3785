//! `health`: queries the health of the bridge that runs with this configuration, for container health checks.

use super::exit::{UNHEALTHY, WRONG};
use crate::terminal::{print_line, report};
use base::text::printable;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Time limit for the whole request.
const TIME_MAX: Duration = Duration::from_secs(3);
/// Longer responses are not from the bridge.
const RESPONSE_BYTES_MAX: u64 = 16 * 1024;
/// Longer lines of a response are cut.
const LINE_CHARS_MAX: usize = 1_000;

/// Prints active alarms, or on standard error why the check fails. With `strict`, the check fails while the bridge is blocked.
#[must_use]
pub fn health(named: Option<&Path>, strict: bool) -> ExitCode {
    let (status, why) = match listen_address(named) {
        Err(why) => (WRONG, why),
        Ok(None) => (UNHEALTHY, "the health of the bridge is unknown: admin.listen is \"\", so it has no health endpoint; set an address there".to_owned()),
        Ok(Some(address)) if address.port() == 0 => (UNHEALTHY, format!("the health of the bridge is unknown: with admin.listen = \"{address}\", the bridge uses a free port that this command does not know; set a port there")),
        Ok(Some(address)) => match query(address, strict, TIME_MAX) {
            Ok(alarms) => {
                if !alarms.is_empty() {
                    print_line(&mut io::stdout().lock(), format_args!("{alarms}"));
                }
                return ExitCode::SUCCESS;
            }
            Err(why) => (UNHEALTHY, why),
        },
    };
    report!("{}", why.trim_end());
    ExitCode::from(status)
}

fn listen_address(named: Option<&Path>) -> Result<Option<SocketAddr>, String> {
    let path = configuration::find(named).map_err(|not_found| not_found.to_string())?;
    // The variables of the service are not set in the shell that runs this command.
    let config = configuration::load_without_secrets(&path).map_err(|errors| errors.to_string())?;
    Ok(config.admin.listen)
}

/// The alarms of a healthy bridge, empty without any.
fn query(listen: SocketAddr, strict: bool, time_max: Duration) -> Result<String, String> {
    let address = reachable(listen);
    // Without `strict`, /readyz has the status of /healthz, and lists the alarms.
    let path = if strict { "/readyz?strict" } else { "/readyz" };
    let answer = fetch(address, path, time_max).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!("no answer within {} s", time_max.as_secs_f32())
            }
            _ => error.to_string(),
        };
        format!("http://{address}{path}: {why}: is the bridge running, and with this admin.listen?")
    })?;
    judge(&answer).map_err(|why| format!("http://{address}{path}: {why}"))
}

/// The loopback address if the bridge listens on all interfaces.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn fetch(address: SocketAddr, path: &str, time_max: Duration) -> io::Result<String> {
    let deadline = Instant::now() + time_max;
    let mut stream = TcpStream::connect_timeout(&address, time_max)?;
    stream.set_write_timeout(Some(time_max))?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    while (answer.len() as u64) < RESPONSE_BYTES_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part)? {
            0 => break,
            // A read is never longer than its buffer.
            length => answer.extend_from_slice(part.get(..length).unwrap_or_default()),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn judge(answer: &str) -> Result<String, String> {
    let status = answer.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    let status = status.ok_or("the server at this address is not the bridge: correct admin.listen")?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).trim_end();
    // Each line is cut by itself, so that no alarm hides the next.
    let lines: Vec<String> = body.lines().map(|line| printable(line, LINE_CHARS_MAX)).collect();
    let text = lines.join("\n");
    match status {
        "200" if text == "ok" => Ok(String::new()),
        "200" => Ok(text),
        _ => Err(format!("{} {text}", printable(status, 20))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn queries_a_reachable_address() {
        let f = |listen: &str, want: &str| {
            assert_eq!(reachable(listen.parse().unwrap()), want.parse().unwrap());
        };
        f("0.0.0.0:9643", "127.0.0.1:9643");
        f("[::]:9643", "[::1]:9643");
        f("10.1.2.3:1", "10.1.2.3:1");
    }

    /// The result for a server with this response.
    fn against(response: &'static str, strict: bool) -> Result<String, String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            let path = if strict { "/readyz?strict" } else { "/readyz" };
            assert!(request[..length].starts_with(format!("GET {path} HTTP/1.0\r\n").as_bytes()));
            stream.write_all(response.as_bytes()).unwrap();
        });
        let result = query(address, strict, TIME_MAX).map_err(|why| why.replace(&address.to_string(), "A"));
        server.join().unwrap();
        result
    }

    #[test]
    fn accepts_only_status_200() {
        assert_eq!(against("HTTP/1.0 200 OK\r\n\r\nok\n", true), Ok(String::new()));
        let unwell = against("HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\nthread data-0 ...\n", false);
        assert_eq!(unwell, Err("http://A/readyz: 503 thread data-0 ...".to_owned()));
        let other = against("SSH-2.0\r\n", false);
        assert_eq!(
            other,
            Err("http://A/readyz: the server at this address is not the bridge: correct admin.listen"
                .to_owned())
        );
    }

    #[test]
    fn alarms_are_shown_and_fail_only_a_strict_check() {
        let alarms = "blocked: kafka_unreachable, all topics at h:1, for 12 s\n  why: no\n  remedy: look";
        let ready = "HTTP/1.0 200 OK\r\n\r\nblocked: kafka_unreachable, all topics at h:1, for 12 s\n  why: no\n  remedy: look\n";
        assert_eq!(against(ready, false), Ok(alarms.to_owned()));
        let unready = "HTTP/1.0 503 Service Unavailable\r\n\r\nblocked: kafka_unreachable, all topics at h:1, for 12 s\n";
        let why = against(unready, true).unwrap_err();
        assert!(why.starts_with("http://A/readyz?strict: 503 blocked: kafka_unreachable, "), "{why}");
    }

    #[test]
    fn reports_a_missing_response() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let hung = query(address, false, Duration::from_millis(50)).unwrap_err();
        assert!(hung.contains("no answer within 0.05 s: is the bridge running"), "{hung}");
        drop(listener);
        let refused = query(address, false, TIME_MAX).unwrap_err();
        assert!(refused.contains("Connection refused"), "{refused}");
    }
}
