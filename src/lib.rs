//! Kafka topics of JSON metrics become points in InfluxDB.
//!
//! ```text
//! kafka/ ──> feed/ ──> map/ ──> batch/ ──> influx/ ──> InfluxDB
//!  group      data     record    lines      requests
//!  records    thread   to lines  of a lane  and answers
//!    ^          |                              |
//!    └─ commit/ ┴───── settled <───────────────┘
//! ```
//!
//! [`pipeline`] puts it together, [`config`] says how, [`command`] is what people run.

pub mod admin;
pub mod alarm;
pub mod batch;
pub mod command;
pub mod commit;
pub mod config;
pub mod consumer;
pub mod dead_letter;
pub mod decode;
pub mod demo;
pub mod draft;
pub mod feed;
pub mod influx;
pub mod init;
pub mod kafka;
pub mod log;
pub mod map;
pub mod migrate;
pub mod pipeline;
pub mod receiver;
pub mod record;
pub mod secret;
#[cfg(test)]
#[path = "../tests/support/seed.rs"]
mod seed;
pub mod stop;
pub mod summary;
pub mod systemd;
pub mod text;
pub mod watchdog;
