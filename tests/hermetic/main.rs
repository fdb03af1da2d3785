//! Tests of the whole program that need no server: Kafka is librdkafka's mock cluster, InfluxDB is the receiver of the test kit.
//!
//! Two modules are ignored by plain `cargo test`: `page` needs a browser, `network` takes as long as its faults last.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    clippy::format_collect,
    clippy::format_push_string,
    reason = "a test fails by panicking"
)]

mod allocations;
mod check_connect;
mod circles;
mod commands;
mod cookbook;
mod dead_letters;
mod demo;
mod devtools;
mod documents;
mod examples;
mod faults;
mod hostile;
mod init;
mod init_terminal;
mod language;
mod migrate;
#[cfg(target_os = "linux")]
mod network;
mod packaging;
mod page;
mod pipeline;
mod properties;
mod replay;
mod shapes;
mod telegraf_parity;

#[path = "../support/compress.rs"]
mod compress;
#[path = "../support/digits.rs"]
mod digits;
#[path = "../support/examples.rs"]
mod example_records;
#[path = "../support/exposition.rs"]
mod exposition;
#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/grafana.rs"]
mod given;
#[path = "../support/letters.rs"]
mod letters;
#[cfg(target_os = "linux")]
#[path = "../support/names.rs"]
mod names;
#[path = "../support/pages.rs"]
mod pages;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/random_mapping.rs"]
mod random_mapping;
#[path = "../bench/micro/records.rs"]
mod records;
#[path = "../support/schema_server.rs"]
mod schema_server;
#[path = "../support/second_reader.rs"]
mod second_reader;
#[path = "../support/seed.rs"]
mod seed;
#[path = "../support/signals.rs"]
mod signals;
#[path = "../support/mod.rs"]
mod support;
#[cfg(target_os = "linux")]
#[path = "../support/tcp_proxy.rs"]
mod tcp_proxy;
