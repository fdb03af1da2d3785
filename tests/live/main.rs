//! The released binary against real servers: Kafka, InfluxDB 2 and 1, VictoriaMetrics.
//!
//! They run with `BRIDGE_LIVE=1` and the variables that `tests/stack/env` prints (tests/stack/README.md); without it each says
//! that it was skipped. With it, a missing variable or server is a failure. They run one at a time, because some of them stop
//! a server. Every test has topics, groups, buckets and databases of its own, so all can be repeated on the same servers.
//!
//! | variable | |
//! |---|---|
//! | `BRIDGE_LIVE_BIN` | the binary; default: `release/kafka-influx-bridge` in the target folder |
//! | `BRIDGE_LIVE_RECORDS` | of the tests that count many; default: 1000000 |
//! | `BRIDGE_LIVE_KILLS` | of the test that kills again and again; default: 20 |
//! | `BRIDGE_LIVE_SEED` | of what happens at random; default: another one each time, printed |
//!
//! Limits of time are two to three times what is promised, because the machine may be busy; what was measured is printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bad_records;
mod bounded;
mod connect;
mod counting;
mod dashboards;
mod dashboards_of_metrics;
mod dead_letters;
mod dialects;
mod examples;
mod first_run;
mod groups;
mod guide;
mod holds;
mod init;
mod kills;
mod metrics;
mod offsets;
mod refusals;
mod reload;
mod restarts;
mod salvage;
mod security;
mod store_faults;
mod support;
mod text;
mod topics;
mod until_end;
