//! The bridge under test: in this process, where host names can be moved, or as its own process, which can be killed.

use crate::names;
use crate::program::Running as Process;
use crate::support::{Bridge, start_log};
use engine::consumer::ConsumerError;
use influx::{ConnectOptions, Delays, LogObserver};
use kafka::MemberError;
use kafka_influx_bridge::pipeline::{Pipeline, PipelineError, PipelineOptions};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Timeout for the bridge's pages.
const PAGE_MAX: Duration = Duration::from_secs(5);
/// Metrics that explain why records are not settled.
const TELLING: [&str; 12] = [
    "assigned_partitions",
    "batches_in_flight",
    "blocked",
    "fetch_errors",
    "lag_records",
    "oldest",
    "open",
    "rebalances",
    "records_total",
    "requests_in_flight",
    "retries",
    "unread_records",
];

/// The address in the log of a process.
fn admin_address(log: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|line| line.contains("the status page"))?;
    line.split_once("address=")?.1.split_whitespace().next()?.parse().ok()
}

pub enum Running {
    Here(Box<Bridge>),
    Process(Process),
}

impl Running {
    /// Starts the bridge in this process, with short delays and connections that live for half a second.
    pub fn here(text: &str, seed: u64) -> Self {
        start_log();
        let config = configuration::parse(Path::new("network.toml"), text, &|_| None);
        let config = config.map_err(|errors| errors.to_string()).unwrap().config;
        let ms = Duration::from_millis;
        let delays = Delays {
            retry_first: ms(5),
            retry_max: ms(200),
            blocked_first: ms(50),
            blocked_max: ms(500),
            ..Delays::default()
        };
        let connect_options = ConnectOptions { age_max: ms(500), resolver: Some(names::resolve) };
        let options = PipelineOptions { delays, connect_options, seed, ..PipelineOptions::default() };
        let pipeline = Pipeline::start_with(&config, Arc::new(LogObserver), options).unwrap();
        Self::Here(Box::new(Bridge(pipeline)))
    }

    /// Whether the bridge has ended by itself.
    pub fn ended(&mut self) -> bool {
        match self {
            Self::Here(bridge) => bridge.0.is_finished(),
            Self::Process(process) => process.has_ended(),
        }
    }

    /// Stops the bridge. Records that faults keep unsettled are read again by the next one.
    pub fn end(self) {
        match self {
            Self::Here(bridge) => {
                let _in_time = bridge.0.stop_and_wait(|| false);
                match bridge.0.join() {
                    Ok(())
                    | Err(PipelineError::Consumer(ConsumerError::Member(MemberError::CoordinatorMoved(_)))) =>
                        {}
                    Err(error) => panic!("{error}"),
                }
            }
            Self::Process(mut process) => process.kill(),
        }
    }

    /// The bridge's metrics and readiness.
    pub fn describe(&self) -> String {
        let (address, log) = match self {
            Self::Here(bridge) => {
                let alarms: String = bridge
                    .0
                    .writer()
                    .alarms()
                    .iter()
                    .fold(String::new(), |text, alarm| format!("{text}  {alarm:?}\n"));
                (bridge.0.admin_address(), format!("alarms:\n{alarms}"))
            }
            Self::Process(process) => (admin_address(&process.log()), format!("log:\n{}", process.log())),
        };
        let page = address.map_or_else(|| "no admin endpoint".to_owned(), |address| get(address, "/metrics"));
        let telling = |line: &&str| !line.starts_with('#') && TELLING.iter().any(|name| line.contains(name));
        let metrics = page.lines().filter(telling).fold(String::new(), |mut text, line| {
            writeln!(text, "  {line}").unwrap();
            text
        });
        let status = address.map_or_else(String::new, |address| get(address, "/readyz?strict"));
        format!("bridge\n{log}readiness: {}\n{metrics}", status.split("\r\n\r\n").last().unwrap_or_default())
    }
}

/// A response of the admin endpoint, or the error.
fn get(address: SocketAddr, path: &str) -> String {
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, PAGE_MAX)?;
        stream.set_read_timeout(Some(PAGE_MAX))?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    ask().unwrap_or_else(|error| format!("no answer to {path}: {error}"))
}
