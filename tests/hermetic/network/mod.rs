//! Network faults. TCP proxies stand between the bridge and the embedded Kafka, and between the bridge and the embedded receiver.
//! They cut connections, silence them without a FIN, delay and trickle data, lose responses, and change their addresses.
//! A model checks continuously that every record below the committed offset is stored or dead-lettered, and at the end that every
//! record is, exactly once.
//!
//! Each run prints its seed and the command that repeats it. A failing test prints the state of the bridge and of every connection.

mod cases;
pub mod model;
pub mod running;
