//! `[batch]`, `[admin]`, `[log]` and `shutdown_max`.

use super::scalars::Bounds;
use super::section::Section;
use super::{Admin, Batch, Log, LogFormat, schema};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tracing::Level;

const LINES: Bounds<u64> = Bounds::new(
    1..=1_000_000,
    "a write has at least a line, and one refused line makes the rest of its batch be written again",
);
const BYTES: Bounds<u64> = Bounds::new(
    1_000..=1_000_000_000,
    "a write should hold some lines, and servers refuse bodies far below 1GB",
);
const AGE: Bounds<Duration> = Bounds::new(
    Duration::from_millis(1)..=Duration::from_hours(1),
    "it is how long a record may wait for others",
);
const POINTS: Bounds<u64> =
    Bounds::new(1..=1_000_000_000, "without the key points are written as fast as InfluxDB takes them");
const SHUTDOWN: Bounds<Duration> = Bounds::new(
    Duration::ZERO..=Duration::from_hours(1),
    "what is not settled by then is read again at the next start",
);

const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

const DEFAULT_BATCH: Batch = Batch {
    lines_max: 5_000,
    bytes_max: 4_000_000,
    age_max: Duration::from_secs(1),
    memory_max: 16_000_000,
    points_per_second_max: None,
};

/// What a table that is not there means.
const DEFAULT_LOG: Log = Log { level: Level::INFO, format: LogFormat::Text };

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 9643))
}

pub fn batch(top: Section<'_>) -> Batch {
    let default = DEFAULT_BATCH;
    let Some(section) = top.table("batch", &schema::BATCH) else {
        return default;
    };
    let batch = Batch {
        lines_max: section.number("lines_max", &LINES).map_or(default.lines_max, |lines| lines as usize),
        // A refused value is an error of the file, which is not used then: the default only stands where the key is missing.
        bytes_max: section.size("bytes_max", &BYTES).unwrap_or(default.bytes_max),
        age_max: section.duration("age_max", &AGE).unwrap_or(default.age_max),
        memory_max: section.size("memory_max", &BYTES).unwrap_or(default.memory_max),
        points_per_second_max: section.number("points_per_second_max", &POINTS),
    };
    if batch.bytes_max > batch.memory_max {
        let key = if section.has("memory_max") { "memory_max" } else { "bytes_max" };
        let (one, all) = (
            super::sizes::show_size(batch.bytes_max as u64),
            super::sizes::show_size(batch.memory_max as u64),
        );
        section.error(
            key,
            format!(
                "`memory_max` ({all}) holds all batches, so it can't be less than `bytes_max` ({one}) of one"
            ),
        );
    }
    batch
}

pub fn admin(top: Section<'_>) -> Admin {
    let section = top.table("admin", &schema::ADMIN);
    Admin {
        listen: section.map_or(Some(default_listen()), listen),
        show_records: section.and_then(|section| section.flag("show_records")),
    }
}

fn listen(section: Section<'_>) -> Option<SocketAddr> {
    let Some(text) = section.text_or_empty("listen") else {
        return Some(default_listen());
    };
    if text.value.is_empty() {
        return None;
    }
    // A name would have to be looked up; this one is known.
    let address = text.value.replace("localhost:", "127.0.0.1:");
    let listen = address.parse().map_err(|_| {
        let remedy = match address.strip_prefix(':').and_then(|port| port.parse::<u16>().ok()) {
            Some(port) => {
                format!("\"0.0.0.0:{port}\" for all interfaces, \"127.0.0.1:{port}\" for this machine")
            }
            None => "an address and a port, such as \"127.0.0.1:9643\", or \"\" to switch it off".to_owned(),
        };
        section.refuse(&text, format!("`listen` is {:?}: write {remedy}", text.shown()));
    });
    listen.ok()
}

pub fn log(top: Section<'_>) -> Log {
    let Some(section) = top.table("log", &schema::LOG) else {
        return DEFAULT_LOG;
    };
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    Log {
        level: section.word("level", &LEVELS).unwrap_or(DEFAULT_LOG.level),
        format: section.word("format", &formats).unwrap_or(DEFAULT_LOG.format),
    }
}

pub fn shutdown_max(top: Section<'_>) -> Duration {
    top.duration("shutdown_max", &SHUTDOWN).unwrap_or(Duration::from_secs(8))
}
