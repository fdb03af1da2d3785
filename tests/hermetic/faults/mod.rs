//! Faults between the bridge and InfluxDB: the whole path in one process against a receiver with a script of faults, drawn at
//! random. While it goes on and at its end a model says whether each record below the committed offset is stored, dead-lettered
//! or filtered; at the end all of them are.
//!
//! `BRIDGE_FAULTS_SEEDS` sets the number of seeds that each fault is run with (default: 1). A failure prints the command that repeats
//! its seed alone.

mod cases;
pub mod model;
pub mod script;
