//! Points to lines, lines to InfluxDB.

mod connection;
pub mod encode;

pub use connection::{Api, Compression, Connection, Credential, Destination, Tls};
