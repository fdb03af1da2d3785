//! Network faults: TCP proxies stand between the bridge and the embedded Kafka, and between the bridge and the embedded receiver.
//! The proxies cut connections, silence them without a FIN, delay and trickle data, lose answers, and change their addresses.
//! A model checks all the time that every record below the committed offset is stored or dead-lettered, and at the end that every
//! record is, once.
//!
//! Each run prints its seed and the command that repeats it. A test that fails prints the state of the bridge and of every connection.

mod cases;
pub mod model;
pub mod running;
