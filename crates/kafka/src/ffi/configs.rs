//! Requests for topic configurations through an existing client. rust-rdkafka's admin client would open connections of its own.

use super::response_queue::ResponseQueue;
use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use std::ffi::{CStr, CString};
use std::ptr;
use std::time::Duration;

/// A topic with the requested values.
#[derive(Debug)]
pub struct TopicConfig {
    pub topic: String,
    pub values: Vec<(String, String)>,
}

/// Requests for values of topics. Responses are fetched later, so that no call blocks. The owner must drop it before the client.
pub struct TopicConfigs(ResponseQueue);

impl TopicConfigs {
    pub fn new<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Self {
        Self(ResponseQueue::new(consumer))
    }

    pub fn request<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>, topics: &[&str], names: &[&CStr]) {
        let topics = topics.iter().filter_map(|topic| CString::new(*topic).ok());
        // SAFETY: all strings are C strings; a resource is null or ours until it is destroyed below, once. Everything is copied
        // by the call, so nothing has to outlive it; client and queue are alive.
        unsafe {
            let kind = c::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
            let mut asked: Vec<_> = topics
                .map(|topic| c::rd_kafka_ConfigResource_new(kind, topic.as_ptr()))
                .filter(|resource| !resource.is_null())
                .collect();
            for resource in &asked {
                for name in names {
                    // Without names, a broker returns all values. The call fails only for empty names.
                    c::rd_kafka_ConfigResource_set_config(*resource, name.as_ptr(), c"".as_ptr());
                }
            }
            let (list, count) = (asked.as_mut_ptr(), asked.len());
            c::rd_kafka_DescribeConfigs(
                consumer.client().native_ptr(),
                list,
                count,
                ptr::null(),
                self.0.as_ptr(),
            );
            c::rd_kafka_ConfigResource_destroy_array(list, count);
        }
    }

    /// A response, if one comes within this time. It has the topics that exist and whose values this user may see.
    pub fn response(&self, time_max: Duration) -> Option<Vec<TopicConfig>> {
        let response = self.0.poll(time_max)?;
        let mut topics = Vec::new();
        // SAFETY: the response is alive; its result is null if it is of another kind, and has `count` resources.
        unsafe {
            let result = c::rd_kafka_event_DescribeConfigs_result(response.as_ptr());
            if !result.is_null() {
                let mut count = 0;
                let list = c::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
                for index in 0..count {
                    topics.extend(described(*list.add(index)));
                }
            }
        }
        Some(topics)
    }
}

/// # Safety
/// The pointer must be a live resource.
unsafe fn described(resource: *const c::rd_kafka_ConfigResource_t) -> Option<TopicConfig> {
    // SAFETY: as promised by the caller; names, and values where they are not null, are C strings of the resource.
    unsafe {
        if c::rd_kafka_ConfigResource_error(resource) != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        let topic = CStr::from_ptr(c::rd_kafka_ConfigResource_name(resource)).to_str().ok()?.to_owned();
        let (mut count, mut values) = (0, Vec::new());
        let entries = c::rd_kafka_ConfigResource_configs(resource, &raw mut count);
        for index in 0..count {
            let entry = *entries.add(index);
            let (name, value) = (c::rd_kafka_ConfigEntry_name(entry), c::rd_kafka_ConfigEntry_value(entry));
            if !value.is_null() {
                let owned = |text| CStr::from_ptr(text).to_string_lossy().into_owned();
                values.push((owned(name), owned(value)));
            }
        }
        Some(TopicConfig { topic, values })
    }
}
