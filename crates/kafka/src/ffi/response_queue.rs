//! The queue that librdkafka puts the responses to a client's requests into.

use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use std::time::Duration;

/// A queue for responses. The owner must drop it before the client.
pub struct ResponseQueue(*mut c::rd_kafka_queue_t);

// SAFETY: librdkafka's queues are locked inside; there is no other state.
unsafe impl Send for ResponseQueue {}

impl ResponseQueue {
    pub fn new<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Self {
        // SAFETY: the client is alive.
        Self(unsafe { c::rd_kafka_queue_new(consumer.client().native_ptr()) })
    }

    pub fn as_ptr(&self) -> *mut c::rd_kafka_queue_t {
        self.0
    }

    /// A response, if one comes within this time.
    pub fn poll(&self, time_max: Duration) -> Option<Response> {
        let wait_ms = i32::try_from(time_max.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive.
        let event = unsafe { c::rd_kafka_queue_poll(self.0, wait_ms) };
        (!event.is_null()).then_some(Response(event))
    }
}

impl Drop for ResponseQueue {
    fn drop(&mut self) {
        // SAFETY: the queue is ours, and the client is still alive.
        unsafe { c::rd_kafka_queue_destroy(self.0) };
    }
}

/// A response, which owns everything in it.
pub struct Response(*mut c::rd_kafka_event_t);

impl Response {
    pub fn as_ptr(&self) -> *mut c::rd_kafka_event_t {
        self.0
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        // SAFETY: the event is ours and destroyed once.
        unsafe { c::rd_kafka_event_destroy(self.0) };
    }
}
