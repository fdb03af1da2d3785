//! Faults between the bridge and InfluxDB. The whole path runs in one process against a receiver with a random script of faults. During the
//! run and at its end a model checks that each record below the committed offset is stored, dead-lettered or filtered. At the end it
//! checks this for all records.
//!
//! `BRIDGE_FAULTS_SEEDS` sets the number of seeds for each fault (default: 1). A failure prints the command that repeats its seed.

mod cases;
pub mod model;
pub mod script;
