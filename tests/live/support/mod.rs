//! Shared by all live tests: servers, the bridge as a process, waiting.

mod bridge;
mod certificates;
pub mod config;
#[path = "../../support/digits.rs"]
pub mod digits;
mod example;
#[path = "../../support/exposition.rs"]
mod exposition;
#[path = "../../support/failures.rs"]
mod failures;
mod generator;
#[path = "../../support/grafana.rs"]
pub mod grafana;
mod http;
pub mod ids;
mod influx;
mod kafka;
mod live;
pub mod numbers;
mod own_influx;
mod own_influx1;
mod own_server;
#[path = "../../support/pages.rs"]
pub mod pages;
mod points;
mod prometheus;
mod proxies;
mod scene;
mod secure_kafka;
#[path = "../../support/seed.rs"]
pub mod seed;
#[path = "../../support/signals.rs"]
mod signals;
#[path = "../../support/tcp_proxy.rs"]
pub mod tcp_proxy;
mod telegraf;
mod tmpfs;

pub use bridge::{Bridge, Paused, binary as bridge_binary, run_command};
pub use certificates::{HIDDEN_HOST, KEY_PASSWORD};
pub use config::Config;
pub use example::{Example, TIME_MS};
pub use exposition::Page;
pub use generator::Generated;
pub use http::{Http, basic, block_on, encode};
pub use ids::Ids;
pub use influx::Influx;
pub use kafka::{Kafka, Produced};
pub use live::{Live, measured, variable};
pub use numbers::Numbers;
pub use own_influx::OwnInflux;
pub use own_influx1::OwnInflux1;
pub use own_server::free_port;
pub use points::{Stored, assert_points, fields_of};
pub use prometheus::Prometheus;
pub use proxies::{Proxy, login_before, tls_before};
pub use scene::Scene;
pub use secure_kafka::{PLAIN_PASSWORD, SCRAM_PASSWORD, SecureKafka, USER};
pub use signals::signal;
pub use telegraf::{run_telegraf_once, telegraf_binary};
pub use tmpfs::Tmpfs;

use std::thread;
use std::time::{Duration, Instant};

/// Timeout for everything without its own limit. It is long, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Polls until there is a value, at most for `within`; returns it with the time that took.
pub fn wait_for<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> (T, Duration) {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return (answer, begin.elapsed());
        }
        assert!(begin.elapsed() < within, "not within {within:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
