//! Checks whether a name resolves, and whether its addresses accept connections.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Addresses checked at once.
const AT_ONCE_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reachability {
    Open,
    /// The name does not resolve.
    Unresolved(String),
    /// No address accepts connections.
    Closed(String),
}

/// Checks `host:port`. `within` limits the resolution of the name, and then the connections to all its addresses.
pub fn reach(address: &str, within: Duration) -> Reachability {
    match resolve(address, within) {
        Ok(sockets) => connect(&sockets, within),
        Err(why) => Reachability::Unresolved(why),
    }
}

/// Checks many addresses, some at once, and returns the results in their order.
pub fn reach_all(addresses: &[String], within: Duration) -> Vec<Reachability> {
    let mut reached = Vec::new();
    for some in addresses.chunks(AT_ONCE_MAX) {
        thread::scope(|scope| {
            let tries: Vec<_> = some.iter().map(|one| scope.spawn(move || reach(one, within))).collect();
            // After a panic the result is unknown.
            let lost = || Reachability::Closed("the check of the address failed".to_owned());
            reached.extend(tries.into_iter().map(|one| one.join().unwrap_or_else(|_| lost())));
        });
    }
    reached
}

/// Resolves in a thread of its own, because the system's resolver has no time limit.
fn resolve(address: &str, within: Duration) -> Result<Vec<SocketAddr>, String> {
    let (sender, answer) = mpsc::channel();
    let address = address.to_owned();
    thread::spawn(move || {
        // The receiver is gone after the time limit.
        let _late = sender.send(address.to_socket_addrs().map(Vec::from_iter));
    });
    match answer.recv_timeout(within) {
        Ok(Ok(sockets)) if sockets.is_empty() => Err("the name has no address".to_owned()),
        Ok(Ok(sockets)) => Ok(sockets),
        Ok(Err(error)) => {
            let message = error.to_string();
            Err(message.trim_start_matches("failed to lookup address information: ").to_owned())
        }
        Err(_) => Err(format!("no response from the name service within {} s", within.as_secs())),
    }
}

fn connect(sockets: &[SocketAddr], within: Duration) -> Reachability {
    let until = Instant::now() + within;
    let mut why = "no time was left".to_owned();
    for (index, socket) in sockets.iter().enumerate() {
        let others = u32::try_from(sockets.len() - index).unwrap_or(u32::MAX);
        let left = until.saturating_duration_since(Instant::now()) / others;
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(socket, left) {
            Ok(_) => return Reachability::Open,
            Err(error) => why = without_number(&error.to_string()),
        }
    }
    Reachability::Closed(why)
}

/// `Connection refused (os error 111)` without its number.
fn without_number(message: &str) -> String {
    message.split(" (os error").next().unwrap_or(message).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn distinguishes_open_closed_and_unresolved() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap().to_string();
        let within = Duration::from_secs(5);
        let reached = reach_all(&[open, "127.0.0.1:1".into(), "n.invalid:9092".into()], within);
        assert_eq!(reached[0], Reachability::Open);
        assert_eq!(reached[1], Reachability::Closed("Connection refused".into()));
        assert!(matches!(reached[2], Reachability::Unresolved(_)), "{reached:?}");
    }
}
