//! Kafka topics of JSON metrics become points in InfluxDB.

pub mod batch;
pub mod command;
pub mod commit;
pub mod config;
pub mod decode;
pub mod influx;
pub mod kafka;
pub mod map;
pub mod receiver;
pub mod record;
pub mod secret;
pub mod text;
