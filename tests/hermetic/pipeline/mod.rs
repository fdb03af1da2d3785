//! The whole path in one process: an embedded Kafka, the pipeline, an embedded receiver that reads strictly.

mod addresses;
pub mod admin;
mod answers;
mod bad_input;
mod broken_server;
mod delivery;
mod destinations;
mod formats;
mod groups;
mod influx3;
mod kafka_alarms;
mod letters;
mod offsets;
mod outage;
mod protobuf;
mod reject_limit;
mod reload;
mod schemas;
mod slow_answers;
mod until_end;
