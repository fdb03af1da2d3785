//! A receiver that stores nothing, or forwards to InfluxDB. It answers at once, or after a configured delay, and counts lines only on
//! request, so that counting delays no writer.
//!
//! Commands are lines on standard input; each is answered with one line of JSON.
//! `status`: number of bodies, and time since the last one. `count`: lines since the start or since `forget`.
//! `answer CODE`: status of later writes; bodies are kept only with 204. `latencies`: from the field `sent`.
//! `delay MS`: time before each later answer. `flush MS`: later answers come at multiples of this time, like those of InfluxDB 3, which
//! acknowledges writes when it flushes its write-ahead log.

use crate::http::{Client, Request, read_request};
use clap::Args;
use libdeflater::Decompressor;
use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Maximum size of compressed bodies that wait to be counted.
const WAITING_BYTES_MAX: usize = 4_000_000_000;
const READ_BYTES: usize = 256 << 10;

#[derive(Args)]
pub struct Options {
    /// Also keeps uncompressed bodies, which `latencies` reads
    #[arg(long)]
    keep: bool,
    /// Host and port of an InfluxDB, which gets all requests and whose answers are passed on
    #[arg(long)]
    forward: Option<String>,
}

/// The content of one request.
struct Body {
    /// Time at which the request was read, in nanoseconds since 1970.
    read_ns: u64,
    /// Time of the response in nanoseconds since 1970.
    at_ns: u64,
    gzip: bool,
    bytes: usize,
    /// Empty once counted.
    content: Vec<u8>,
    lines: u64,
}

#[derive(Default)]
struct State {
    bodies: Mutex<Vec<Body>>,
    status: AtomicU16,
    delay_ms: AtomicU64,
    flush_ms: AtomicU64,
    keep: bool,
    forward: Option<String>,
}

pub fn receive(options: &Options) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!(r#"{{"port":{}}}"#, listener.local_addr().unwrap().port());
    let forward = options.forward.clone();
    let state =
        Arc::new(State { keep: options.keep, forward, status: AtomicU16::new(204), ..State::default() });
    let serving = Arc::clone(&state);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let state = Arc::clone(&serving);
            // A broken connection is an error of the client.
            thread::spawn(move || serve(&stream.unwrap(), &state));
        }
    });
    for command in io::stdin().lines() {
        println!("{}", obey(&command.unwrap(), &state));
        io::stdout().flush().unwrap();
    }
}

fn serve(stream: &TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut answers) = (io::BufReader::with_capacity(READ_BYTES, stream), stream);
    let mut upstream = state.forward.as_deref().map(Client::new).transpose()?;
    while let Some(request) = read_request(&mut reader, &mut answers)? {
        if let Some(upstream) = &mut upstream {
            let (status, answer) = upstream.ask(&request.head, &request.body)?;
            answers.write_all(&answer)?;
            if status == 204 && is_write(request.head.path()) {
                state.bodies.lock().unwrap().push(kept(request, state.keep));
            }
            continue;
        }
        match request.head.path() {
            path if is_write(path) => {
                let status = state.status.load(Ordering::Relaxed);
                if status == 204 {
                    let mut body = kept(request, state.keep);
                    thread::sleep(state.wait(now_ns()));
                    body.at_ns = now_ns();
                    state.bodies.lock().unwrap().push(body);
                }
                let length = if status == 204 { "" } else { "Content-Length: 0\r\n" };
                answers.write_all(format!("HTTP/1.1 {status} .\r\n{length}\r\n").as_bytes())?;
            }
            "/ping" => answers.write_all(b"HTTP/1.1 204 .\r\n\r\n")?,
            "/health" => {
                answers.write_all(b"HTTP/1.1 200 .\r\nContent-Length: 17\r\n\r\n{\"status\":\"pass\"}")?;
            }
            _ => answers.write_all(b"HTTP/1.1 404 .\r\nContent-Length: 0\r\n\r\n")?,
        }
    }
    Ok(())
}

fn is_write(path: &str) -> bool {
    ["/api/v2/write", "/write"].contains(&path)
}

impl State {
    /// Time until an answer is due.
    fn wait(&self, now_ns: u64) -> Duration {
        let delay_ms = self.delay_ms.load(Ordering::Relaxed);
        let flush_ns = self.flush_ms.load(Ordering::Relaxed) * 1_000_000;
        let until_flush_ns = if flush_ns == 0 { 0 } else { flush_ns - now_ns % flush_ns };
        Duration::from_millis(delay_ms) + Duration::from_nanos(until_flush_ns)
    }
}

/// Counts uncompressed lines at once, which costs a hundredth of counting compressed ones.
fn kept(request: Request, keep: bool) -> Body {
    let (gzip, bytes) = (request.head.gzip, request.body.len());
    let lines = if gzip { 0 } else { lines_of(&request.body) };
    let content = if gzip || keep { request.body } else { Vec::new() };
    let read_ns = now_ns();
    Body { read_ns, at_ns: read_ns, gzip, bytes, content, lines }
}

fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// The last line may have no line break.
fn lines_of(text: &[u8]) -> u64 {
    let ends = memchr::memchr_iter(b'\n', text).count();
    (ends + usize::from(text.last().is_some_and(|last| *last != b'\n'))) as u64
}

fn obey(command: &str, state: &State) -> String {
    let mut bodies = state.bodies.lock().unwrap();
    match command.split_once(' ').unwrap_or((command, "")) {
        ("status", _) => {
            let waiting: usize = bodies.iter().map(|body| body.content.len()).sum();
            assert!(waiting < WAITING_BYTES_MAX, "too much to keep: take fewer records");
            let idle_ms = bodies.last().map_or(0, |last| now_ns().saturating_sub(last.at_ns) / 1_000_000);
            format!(r#"{{"bodies":{},"idle_ms":{idle_ms}}}"#, bodies.len())
        }
        ("count", _) => {
            count(&mut bodies);
            // The bridge sends an empty write to check its permission.
            bodies.retain(|body| body.lines > 0);
            counted(&bodies)
        }
        ("forget", _) => {
            bodies.clear();
            "{}".to_owned()
        }
        ("answer", code) => {
            state.status.store(code.parse().unwrap(), Ordering::Relaxed);
            "{}".to_owned()
        }
        ("delay", ms) => {
            state.delay_ms.store(ms.parse().unwrap(), Ordering::Relaxed);
            "{}".to_owned()
        }
        ("flush", ms) => {
            state.flush_ms.store(ms.parse().unwrap(), Ordering::Relaxed);
            "{}".to_owned()
        }
        ("latencies", _) => latencies(&bodies),
        _ => panic!("no such command: {command}"),
    }
}

/// `most`: the body with which 99 of 100 lines had arrived. The rest may have waited for a timer.
fn counted(bodies: &[Body]) -> String {
    let lines: u64 = bodies.iter().map(|body| body.lines).sum();
    let bytes: usize = bodies.iter().map(|body| body.bytes).sum();
    let mut come = 0;
    let most = bodies.iter().position(|body| {
        come += body.lines;
        come * 100 >= lines * 99
    });
    let at = |place: Option<usize>| place.and_then(|place| bodies.get(place)).map_or(0, |body| body.at_ns);
    let first_lines = bodies.first().map_or(0, |body| body.lines);
    let (first_ns, most_ns, count) = (at(Some(0)), at(most), bodies.len());
    let begin_ns = bodies.iter().map(|body| body.read_ns).min().unwrap_or(0);
    let largest_lines = bodies.iter().map(|body| body.lines).max().unwrap_or(0);
    let largest_bytes = bodies.iter().map(|body| body.bytes).max().unwrap_or(0);
    format!(
        r#"{{"lines":{lines},"bytes":{bytes},"bodies":{count},"begin_ns":{begin_ns},"first_ns":{first_ns},"first_lines":{first_lines},"most_ns":{most_ns},"most_lines":{come},"largest_lines":{largest_lines},"largest_bytes":{largest_bytes}}}"#
    )
}

/// Unpacks compressed bodies, and discards their content.
fn count(bodies: &mut [Body]) {
    let (mut decompressor, mut plain) = (Decompressor::new(), Vec::new());
    for body in bodies.iter_mut().filter(|body| body.gzip && !body.content.is_empty()) {
        // gzip ends with the length of the content.
        let tail = body.content.last_chunk::<4>().unwrap();
        plain.resize(u32::from_le_bytes(*tail) as usize, 0);
        let length = decompressor.gzip_decompress(&body.content, &mut plain).unwrap();
        body.lines = lines_of(&plain[..length]);
        body.content = Vec::new();
    }
}

/// Milliseconds from the time in the field `sent` (microseconds) to the response, for all lines with this field.
fn latencies(bodies: &[Body]) -> String {
    let mut all: Vec<f64> = Vec::new();
    for body in bodies {
        for line in body.content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line = std::str::from_utf8(line).unwrap();
            // Points of another topic have no such field.
            let Some((_, behind)) = line.split_once("sent=") else { continue };
            let end = behind.find([',', ' ', 'i']).unwrap();
            let sent_us: f64 = behind[..end].parse().unwrap();
            all.push(body.at_ns as f64 / 1e6 - sent_us / 1e3);
        }
    }
    all.sort_by(f64::total_cmp);
    let at =
        |share: f64| all.get((all.len().saturating_sub(1) as f64 * share).round() as usize).unwrap_or(&0.0);
    format!(
        r#"{{"records":{},"p50_ms":{:.2},"p99_ms":{:.2},"p999_ms":{:.2},"max_ms":{:.2}}}"#,
        all.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    )
}
