//! A TCP proxy that draws a fault for each piece of data that passes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to a piece of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Both connections close, and the data is lost. From the server, the data is the answer to a request that was carried out.
    Cut,
    /// The data is lost, and so is all that follows; the connections stay open.
    HalfOpen,
    Delay(Duration),
    /// One byte at a time.
    Trickle,
}

struct State {
    server: SocketAddr,
    faulty: AtomicBool,
    /// One of this many pieces of data meets a fault.
    one_in: u32,
    rng: Mutex<fastrand::Rng>,
    cuts: AtomicU64,
    half_opened: AtomicU64,
    slowed: AtomicU64,
    /// Bytes that the client must not see, and what it sees instead; both have the same length.
    rewrite: Option<(Vec<u8>, Vec<u8>)>,
}

pub struct TcpProxy {
    pub address: SocketAddr,
    state: Arc<State>,
}

impl TcpProxy {
    pub fn start(server: SocketAddr, seed: u64, one_in: u32) -> Self {
        Self::with(server, seed, one_in, |_| None)
    }

    /// Kafka's metadata names the broker's address: the client would pass by the proxy. The proxy puts its own port there.
    pub fn before_kafka(server: SocketAddr, seed: u64, one_in: u32) -> Self {
        let endpoint = |port: u16| [b"127.0.0.1".as_slice(), &u32::from(port).to_be_bytes()].concat();
        Self::with(server, seed, one_in, |own| Some((endpoint(server.port()), endpoint(own))))
    }

    fn with(
        server: SocketAddr,
        seed: u64,
        one_in: u32,
        rewrite: impl FnOnce(u16) -> Option<(Vec<u8>, Vec<u8>)>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            server,
            faulty: AtomicBool::new(false),
            one_in,
            rng: Mutex::new(fastrand::Rng::with_seed(seed)),
            cuts: AtomicU64::new(0),
            half_opened: AtomicU64::new(0),
            slowed: AtomicU64::new(0),
            rewrite: rewrite(address.port()),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(shared.server) else { continue };
                let (to_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let (forth, back) = (Arc::clone(&shared), Arc::clone(&shared));
                thread::spawn(move || forth.forward(client, to_server, None));
                thread::spawn(move || back.forward(server, to_client, back.rewrite.as_ref()));
            }
        });
        Self { address, state }
    }

    /// Turns faults on or off for data that arrives from now on. Connections that fell silent stay silent.
    pub fn set_faulty(&self, faulty: bool) {
        self.state.faulty.store(faulty, Relaxed);
    }

    /// Cut, half-opened and slowed pieces of data.
    pub fn counts(&self) -> [u64; 3] {
        [&self.state.cuts, &self.state.half_opened, &self.state.slowed].map(|count| count.load(Relaxed))
    }
}

impl State {
    fn draw(&self) -> Option<Fault> {
        if !self.faulty.load(Relaxed) {
            return None;
        }
        let mut rng = self.rng.lock().unwrap();
        if rng.u32(0..self.one_in) > 0 {
            return None;
        }
        let (fault, count) = match rng.u32(0..8) {
            0..3 => (Fault::Cut, &self.cuts),
            3 => (Fault::HalfOpen, &self.half_opened),
            4..7 => (Fault::Delay(Duration::from_millis(rng.u64(1..300))), &self.slowed),
            _ => (Fault::Trickle, &self.slowed),
        };
        count.fetch_add(1, Relaxed);
        Some(fault)
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream, rewrite: Option<&(Vec<u8>, Vec<u8>)>) {
        let (mut buffer, mut kept) = ([0; 16_384], Vec::new());
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            kept.extend_from_slice(&buffer[..length]);
            let ready = rewrite.map_or(kept.len(), |(old, new)| replace(&mut kept, old, new));
            let piece: Vec<u8> = kept.drain(..ready).collect();
            let written = match self.draw() {
                Some(Fault::Cut) => break,
                Some(Fault::HalfOpen) => {
                    // Reads on, so that the sender notices nothing; ends when the sender gives up.
                    while let Ok(1..) = from.read(&mut buffer) {}
                    break;
                }
                Some(Fault::Delay(delay)) => {
                    thread::sleep(delay);
                    to.write_all(&piece)
                }
                // The first bytes only: a fetch of megabytes would take the whole test.
                Some(Fault::Trickle) => {
                    let (slow, rest) = piece.split_at(piece.len().min(50));
                    let slowly = slow.iter().try_for_each(|byte| {
                        thread::sleep(Duration::from_millis(2));
                        to.write_all(&[*byte])
                    });
                    slowly.and_then(|()| to.write_all(rest))
                }
                None => to.write_all(&piece),
            };
            if written.is_err() {
                break;
            }
        }
        let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

/// Replaces `old` by `new` of the same length, and returns how many bytes may pass: the end may be the beginning of `old`.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) -> usize {
    assert_eq!(old.len(), new.len());
    let mut at = 0;
    while at + old.len() <= bytes.len() {
        if &bytes[at..at + old.len()] == old {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
        at += 1;
    }
    let partial = (1..old.len()).rev().find(|length| bytes.ends_with(&old[..*length]));
    bytes.len() - partial.unwrap_or(0)
}
