//! The whole path in one process: an embedded Kafka, the pipeline, an embedded receiver that reads strictly.

mod addresses;
mod admin;
mod answers;
mod bad_input;
mod delivery;
mod destinations;
mod front;
mod groups;
mod guard;
mod kafka_alarms;
mod letters;
mod offsets;
mod outage;
mod reload;
mod until_end;
