//! A TCP proxy that injects faults into the data it forwards, for the embedded Kafka, the embedded receiver and real servers. It listens on
//! two addresses of this machine and can move from one to the other. Linux serves all of 127.0.0.0/8.

#![allow(dead_code, reason = "no test uses all of this")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Kafka's API key of `JoinGroup`.
pub const JOIN_GROUP: i32 = 11;
/// No request has this API key.
const NO_REQUEST: i32 = -1;

/// The fault of a piece of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Both connections close, and the data is lost, or only its beginning is forwarded.
    Cut {
        passes: usize,
    },
    /// This data and all later data in this direction, or in both, is lost; the connections stay open.
    HalfOpen {
        both: bool,
    },
    Delay(Duration),
    /// One byte at a time.
    Trickle,
}

/// Counts of injected faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub cut: u64,
    pub half_opened: u64,
    pub slowed: u64,
    /// Answers that were dropped by [`TcpProxy::lose_answers`] or [`TcpProxy::silence_answer_to`].
    pub answers_lost: u64,
    pub moves: u64,
}

impl Counts {
    pub fn all(self) -> u64 {
        let Self { cut, half_opened, slowed, answers_lost, moves } = self;
        cut + half_opened + slowed + answers_lost + moves
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// A piece of data is the result of one read.
    Http,
    /// A piece of data is a request or an answer.
    Kafka,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

struct State {
    protocol: Protocol,
    server: SocketAddr,
    homes: [SocketAddr; 2],
    /// Index in `homes` of the active address. Connections to the other one are closed.
    home: AtomicUsize,
    faulty: AtomicBool,
    /// One of this many pieces of data gets a fault.
    one_in: u32,
    rng: Mutex<fastrand::Rng>,
    /// Number of responses still to be lost.
    answers_to_lose: AtomicU32,
    /// API key of the request whose next response is lost.
    silenced_request: AtomicI32,
    counts: Mutex<Counts>,
    connections: Mutex<BTreeMap<u64, Arc<Connection>>>,
    accepted: AtomicU64,
}

/// A client's connection, and the proxy's connection to the server.
struct Connection {
    client: TcpStream,
    server: TcpStream,
    home: usize,
    since: Instant,
    silent_to_server: AtomicBool,
    silent_to_client: AtomicBool,
    /// Requests without a response: for Kafka the correlation id and API key, for HTTP the last one.
    unanswered: Mutex<BTreeMap<i32, (i32, Instant)>>,
}

pub struct TcpProxy(Arc<State>);

impl TcpProxy {
    pub fn before_http(server: SocketAddr, seed: u64, one_in: u32) -> Self {
        Self::start(Protocol::Http, server, seed, one_in)
    }

    /// Kafka's responses contain the broker's address, by which the client would bypass the proxy. The proxy replaces it by its own.
    pub fn before_kafka(server: SocketAddr, seed: u64, one_in: u32) -> Self {
        assert_eq!(server.ip(), Ipv4Addr::LOCALHOST, "the address that is rewritten must keep its length");
        Self::start(Protocol::Kafka, server, seed, one_in)
    }

    fn start(protocol: Protocol, server: SocketAddr, seed: u64, one_in: u32) -> Self {
        let (listeners, homes) = listen();
        let state = Arc::new(State {
            protocol,
            server,
            homes,
            home: AtomicUsize::new(0),
            faulty: AtomicBool::new(false),
            one_in,
            rng: Mutex::new(fastrand::Rng::with_seed(seed)),
            answers_to_lose: AtomicU32::new(0),
            silenced_request: AtomicI32::new(NO_REQUEST),
            counts: Mutex::default(),
            connections: Mutex::default(),
            accepted: AtomicU64::new(0),
        });
        for (home, listener) in listeners.into_iter().enumerate() {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                for client in listener.incoming().map_while(Result::ok) {
                    state.accept(client, home);
                }
            });
        }
        Self(state)
    }

    /// The active address.
    pub fn address(&self) -> SocketAddr {
        self.0.homes[self.0.home.load(Relaxed)]
    }

    /// The active address and the other one.
    pub fn addresses(&self) -> [SocketAddr; 2] {
        self.0.homes
    }

    /// Turns faults on or off for data that arrives from now on. Silent connections stay silent.
    pub fn set_faulty(&self, faulty: bool) {
        self.0.faulty.store(faulty, Relaxed);
    }

    /// Loses the next responses: the server has executed the request, and the client's connection closes.
    pub fn lose_answers(&self, count: u32) {
        self.0.answers_to_lose.store(count, Relaxed);
    }

    /// Loses the next response to this Kafka request. The connection stays open and is silent from then on.
    pub fn silence_answer_to(&self, request: i32) {
        self.0.silenced_request.store(request, Relaxed);
    }

    /// Moves to the other address. Connections to the old one fall silent or, in part, are cut; new ones are closed.
    pub fn move_away(&self, cuts_some: bool) {
        let state = &self.0;
        state.home.fetch_xor(1, Relaxed);
        state.counts.lock().unwrap().moves += 1;
        for connection in state.connections.lock().unwrap().values() {
            if cuts_some && state.rng.lock().unwrap().bool() {
                connection.close();
            } else {
                connection.silence();
            }
        }
    }

    pub fn counts(&self) -> Counts {
        *self.0.counts.lock().unwrap()
    }

    /// The open connections with their age and their requests without a response, for the message of a failing test.
    pub fn describe(&self) -> String {
        let mut text = format!("proxy at {}, {:?}\n", self.address(), self.counts());
        for (number, connection) in &*self.0.connections.lock().unwrap() {
            let silent = [
                (&connection.silent_to_server, ", silent to the server"),
                (&connection.silent_to_client, ", silent to the client"),
            ];
            let silent = silent.iter().filter(|(is_silent, _)| is_silent.load(Relaxed));
            let silent: String = silent.map(|(_, words)| *words).collect();
            let old = if connection.home == self.0.home.load(Relaxed) { "" } else { ", to the old address" };
            write!(text, "  connection {number}, {:.1} s old{old}{silent}", seconds(connection.since))
                .unwrap();
            for (request, since) in connection.unanswered.lock().unwrap().values() {
                write!(text, "; {} unanswered for {:.1} s", name(*request), seconds(*since)).unwrap();
            }
            text.push('\n');
        }
        text
    }
}

/// Two listeners with the same port.
fn listen() -> ([TcpListener; 2], [SocketAddr; 2]) {
    let second = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let pair = || {
        let first = TcpListener::bind("127.0.0.1:0").ok()?;
        let second = TcpListener::bind((second, first.local_addr().ok()?.port())).ok()?;
        Some([first, second])
    };
    let listeners = (0..100).find_map(|_| pair()).expect("127.0.0.2 is an address of this machine");
    let homes = [0, 1].map(|home: usize| listeners[home].local_addr().unwrap());
    (listeners, homes)
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

fn name(request: i32) -> &'static str {
    match request {
        0 => "Produce",
        1 => "Fetch",
        2 => "ListOffsets",
        3 => "Metadata",
        8 => "OffsetCommit",
        9 => "OffsetFetch",
        10 => "FindCoordinator",
        JOIN_GROUP => "JoinGroup",
        12 => "Heartbeat",
        13 => "LeaveGroup",
        14 => "SyncGroup",
        18 => "ApiVersions",
        _ => "a request",
    }
}

impl Connection {
    fn close(&self) {
        let _closed_before = (self.client.shutdown(Shutdown::Both), self.server.shutdown(Shutdown::Both));
    }

    fn silence(&self) {
        self.silent_to_server.store(true, Relaxed);
        self.silent_to_client.store(true, Relaxed);
    }

    fn silent(&self, direction: Direction) -> &AtomicBool {
        match direction {
            Direction::ToServer => &self.silent_to_server,
            Direction::ToClient => &self.silent_to_client,
        }
    }
}

impl State {
    fn accept(self: &Arc<Self>, client: TcpStream, home: usize) {
        if home != self.home.load(Relaxed) {
            return;
        }
        let Ok(server) = TcpStream::connect(self.server) else { return };
        // A piece of a few bytes is not delayed.
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let connection = Arc::new(Connection {
            client,
            server,
            home,
            since: Instant::now(),
            silent_to_server: AtomicBool::new(false),
            silent_to_client: AtomicBool::new(false),
            unanswered: Mutex::default(),
        });
        let number = self.accepted.fetch_add(1, Relaxed);
        self.connections.lock().unwrap().insert(number, Arc::clone(&connection));
        for direction in [Direction::ToServer, Direction::ToClient] {
            let (state, connection) = (Arc::clone(self), Arc::clone(&connection));
            thread::spawn(move || {
                state.forward(&connection, direction);
                connection.close();
                state.connections.lock().unwrap().remove(&number);
            });
        }
    }

    /// Forwards data until a connection closes.
    fn forward(&self, connection: &Connection, direction: Direction) {
        let (mut from, mut to) = match direction {
            Direction::ToServer => (&connection.client, &connection.server),
            Direction::ToClient => (&connection.server, &connection.client),
        };
        let (mut buffer, mut kept) = ([0; 16_384], Vec::new());
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if connection.silent(direction).load(Relaxed) {
                continue;
            }
            kept.extend_from_slice(&buffer[..length]);
            while let Some(mut piece) = self.next_piece(&mut kept) {
                let request = self.note(connection, direction, &piece);
                if direction == Direction::ToClient && self.protocol == Protocol::Kafka {
                    self.rewrite(&mut piece);
                }
                match self.pass(connection, direction, request, &piece, &mut to) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(_) => return,
                }
            }
        }
    }

    /// Takes the next piece out of the buffer.
    fn next_piece(&self, kept: &mut Vec<u8>) -> Option<Vec<u8>> {
        let length = match self.protocol {
            Protocol::Http => kept.len(),
            Protocol::Kafka => 4 + u32::from_be_bytes(kept.get(..4)?.try_into().unwrap()) as usize,
        };
        (length > 0 && length <= kept.len()).then(|| kept.drain(..length).collect())
    }

    /// Records a request or its response. Returns the API key of the Kafka request concerned.
    fn note(&self, connection: &Connection, direction: Direction, piece: &[u8]) -> i32 {
        let mut unanswered = connection.unanswered.lock().unwrap();
        let (correlation, request) = match (self.protocol, direction) {
            (Protocol::Http, _) => (0, NO_REQUEST),
            (Protocol::Kafka, Direction::ToServer) => {
                (number(piece, 8), i32::from(i16::from_be_bytes([piece[4], piece[5]])))
            }
            (Protocol::Kafka, Direction::ToClient) => (number(piece, 4), NO_REQUEST),
        };
        match direction {
            Direction::ToServer => {
                unanswered.insert(correlation, (request, Instant::now()));
                request
            }
            // A lost response stays recorded as missing.
            Direction::ToClient => match unanswered.get(&correlation).copied() {
                Some((request, _)) if request == self.silenced_request.load(Relaxed) && request >= 0 => {
                    request
                }
                answered => {
                    unanswered.remove(&correlation);
                    answered.map_or(NO_REQUEST, |(request, _)| request)
                }
            },
        }
    }

    /// Replaces the server's address by the proxy's.
    fn rewrite(&self, piece: &mut [u8]) {
        let endpoint =
            |at: SocketAddr| [at.ip().to_string().as_bytes(), &u32::from(at.port()).to_be_bytes()].concat();
        let (old, new) = (endpoint(self.server), endpoint(self.homes[self.home.load(Relaxed)]));
        assert_eq!(old.len(), new.len());
        for start in 0..(piece.len() + 1).saturating_sub(old.len()) {
            let place = &mut piece[start..start + old.len()];
            if place == old {
                place.copy_from_slice(&new);
            }
        }
    }

    /// Forwards a piece, with or without a fault. Returns whether the direction continues; an error closes the connection.
    fn pass(
        &self,
        connection: &Connection,
        direction: Direction,
        request: i32,
        piece: &[u8],
        to: &mut &TcpStream,
    ) -> std::io::Result<bool> {
        if direction == Direction::ToClient {
            if request >= 0
                && self.silenced_request.compare_exchange(request, NO_REQUEST, Relaxed, Relaxed).is_ok()
            {
                self.counts.lock().unwrap().answers_lost += 1;
                connection.silence();
                return Ok(false);
            }
            let one_less = |count: u32| count.checked_sub(1);
            if self.answers_to_lose.fetch_update(Relaxed, Relaxed, one_less).is_ok() {
                self.counts.lock().unwrap().answers_lost += 1;
                return Err(std::io::ErrorKind::ConnectionAborted.into());
            }
        }
        match self.draw(piece.len()) {
            None => to.write_all(piece)?,
            Some(Fault::Cut { passes }) => {
                to.write_all(&piece[..passes])?;
                return Err(std::io::ErrorKind::ConnectionAborted.into());
            }
            Some(Fault::HalfOpen { both }) => {
                connection.silent(direction).store(true, Relaxed);
                if both {
                    connection.silence();
                }
                return Ok(false);
            }
            Some(Fault::Delay(delay)) => {
                thread::sleep(delay);
                to.write_all(piece)?;
            }
            // Delays only the first bytes: a fetch of megabytes would take the whole test.
            Some(Fault::Trickle) => {
                let (slow, rest) = piece.split_at(piece.len().min(50));
                for byte in slow {
                    thread::sleep(Duration::from_millis(2));
                    to.write_all(&[*byte])?;
                }
                to.write_all(rest)?;
            }
        }
        Ok(true)
    }

    fn draw(&self, length: usize) -> Option<Fault> {
        if !self.faulty.load(Relaxed) {
            return None;
        }
        let mut rng = self.rng.lock().unwrap();
        if rng.u32(0..self.one_in) > 0 {
            return None;
        }
        let mut counts = self.counts.lock().unwrap();
        Some(match rng.u32(0..8) {
            0..3 => {
                counts.cut += 1;
                Fault::Cut { passes: if rng.bool() { 0 } else { rng.usize(..length) } }
            }
            3 => {
                counts.half_opened += 1;
                Fault::HalfOpen { both: rng.bool() }
            }
            kind => {
                counts.slowed += 1;
                if kind < 7 { Fault::Delay(Duration::from_millis(rng.u64(1..300))) } else { Fault::Trickle }
            }
        })
    }
}

fn number(piece: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(piece[at..at + 4].try_into().unwrap())
}
