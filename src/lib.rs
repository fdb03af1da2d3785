//! Kafka topics of JSON metrics become points in InfluxDB.

pub mod config;
pub mod decode;
pub mod influx;
pub mod map;
pub mod secret;
