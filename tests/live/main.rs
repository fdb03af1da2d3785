//! The release binary against real servers: Kafka, InfluxDB 2 and 1, VictoriaMetrics, `QuestDB`.
//!
//! The tests are ignored unless `cargo test --test live -- --ignored` runs them with the variables that `tests/stack/env` prints
//! (tests/stack/README.md). A missing variable or server is then a failure. The tests run one at a time, because some of them
//! stop a server. Every test has its own topics, groups, buckets and databases, so the same servers can be used again.
//!
//! | variable | |
//! |---|---|
//! | `BRIDGE_LIVE_BIN` | the binary; default: `release/kafka-influx-bridge` in the target folder |
//! | `BRIDGE_LIVE_RECORDS` | records of the tests that count many; default: 1000000 |
//! | `BRIDGE_LIVE_KILLS` | rounds of the test that kills the process; default: 20 |
//! | `BRIDGE_LIVE_SOAK_SECONDS` | duration of the soak test; default: 120 |
//! | `BRIDGE_LIVE_SEED` | seed of random events; default: a random one, which is printed |
//!
//! Time limits are two to three times the promised time, because the machine may be busy. Measured times are printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bad_records;
mod blocked;
mod brokers;
mod connect;
mod counting;
mod dashboards;
mod dashboards_of_metrics;
mod dead_letters;
mod dialects;
#[path = "../support/examples.rs"]
mod example_records;
mod examples;
mod first_run;
#[path = "../support/folder.rs"]
mod folder;
mod full_disk;
mod groups;
mod guide;
mod init;
mod json_v2;
mod kills_of_bridge;
#[path = "../support/letters.rs"]
mod letters;
mod line_protocol;
mod memory;
mod metrics;
mod network;
mod offsets;
mod questdb;
mod refusals;
mod reload;
mod restarts;
mod salvage;
mod schema_registry;
#[path = "../support/schema_server.rs"]
mod schema_server;
mod security;
mod server_limits;
mod soak;
mod statuses;
mod store_faults;
mod support;
mod text;
mod topics;
mod until_end;

/// Without real servers, `cargo test` must report a live test as ignored, with the reason, and not as passed.
#[test]
fn every_live_test_is_ignored_with_its_reason() {
    const REASON: &str = "#[ignore = \"needs real servers: ";
    fn check(folder: &std::path::Path) -> usize {
        let mut tests = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                tests += check(&path);
            } else if path.file_name().unwrap() != "main.rs" {
                let text = std::fs::read_to_string(&path).unwrap();
                let mut lines = text.lines().map(str::trim);
                while lines.by_ref().any(|line| line == "#[test]") {
                    tests += 1;
                    let next = lines.next().unwrap_or_default();
                    assert!(
                        next.starts_with(REASON),
                        "{}: {REASON}...\"] must follow #[test]: {next}",
                        path.display()
                    );
                }
            }
        }
        tests
    }
    let tests = check(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live"));
    assert!(tests > 100, "only {tests} live tests were found");
}
