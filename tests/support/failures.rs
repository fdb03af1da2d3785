//! Delivery failures of a producer that fills topics for a test or a measurement.

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts records that did not reach Kafka.
#[derive(Default)]
pub struct Failures(AtomicU64);

impl Failures {
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl ClientContext for Failures {
    /// A failed test shows what its producer met.
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        eprintln!("the test's producer: {facility} {message}");
    }
}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}
