//! Requests for the ids of topics, by which a recreated topic is recognized.

use super::response_queue::ResponseQueue;
use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::Duration;

/// Kafka's id of a topic, which differs for a recreated topic of the same name. Zero for brokers before Kafka 2.8.
pub type TopicId = (i64, i64);

/// Requests for the ids of topics. Responses are fetched later, so that a caller need not wait. The owner must drop it before the client.
pub struct TopicIds(ResponseQueue);

impl TopicIds {
    pub fn new<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Self {
        Self(ResponseQueue::new(consumer))
    }

    pub fn request<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>, topics: &[&str]) {
        let names: Vec<CString> = topics.iter().filter_map(|topic| CString::new(*topic).ok()).collect();
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: client and queue are alive; names are copied, so they need not outlive the call.
        unsafe {
            let asked = c::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            c::rd_kafka_DescribeTopics(consumer.client().native_ptr(), asked, ptr::null(), self.0.as_ptr());
            c::rd_kafka_TopicCollection_destroy(asked);
        }
    }

    /// A response, if one comes within this time. It names the topics that exist.
    pub fn response(&self, within: Duration) -> Option<Vec<(String, TopicId)>> {
        let response = self.0.poll(within)?;
        let mut topics = Vec::new();
        // SAFETY: the response is alive; its result is null if it is of another kind, and has `count` descriptions, each with a C
        // string and an id.
        unsafe {
            let result = c::rd_kafka_event_DescribeTopics_result(response.as_ptr());
            if !result.is_null() {
                let mut count = 0;
                let list = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
                for index in 0..count {
                    topics.extend(described(*list.add(index)));
                }
            }
        }
        Some(topics)
    }
}

/// # Safety
/// The pointer must be a live description.
unsafe fn described(topic: *const c::rd_kafka_TopicDescription_t) -> Option<(String, TopicId)> {
    // SAFETY: as promised by the caller; name and id belong to the description, errors have a code.
    unsafe {
        let no_error = c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        if c::rd_kafka_error_code(c::rd_kafka_TopicDescription_error(topic)) != no_error {
            return None;
        }
        let name = CStr::from_ptr(c::rd_kafka_TopicDescription_name(topic)).to_str().ok()?;
        let id = c::rd_kafka_TopicDescription_topic_id(topic);
        let id = (c::rd_kafka_Uuid_most_significant_bits(id), c::rd_kafka_Uuid_least_significant_bits(id));
        Some((name.to_owned(), id))
    }
}
