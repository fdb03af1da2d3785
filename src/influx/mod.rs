//! Points to lines, lines to InfluxDB.

mod connection;
pub mod encode;
pub mod line_reader;

pub use connection::{Api, Compression, Connection, Credential, Destination, Tls};
