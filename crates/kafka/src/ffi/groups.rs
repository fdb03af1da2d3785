//! Requests the description of a group, with this user's permissions.

use super::response_queue::ResponseQueue;
use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{IsError, RDKafkaErrorCode};
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::Duration;

/// A group. One without members may not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupDescription {
    /// Assignment strategy; empty during a rebalance.
    pub strategy: String,
    pub members: Vec<GroupMember>,
    /// Whether this user may join. None: the coordinator does not return it.
    pub may_read: Option<bool>,
    /// Whether the brokers assign the partitions (KIP-848).
    pub has_consumer_protocol: bool,
}

impl GroupDescription {
    /// Whether the brokers accept a member with these [`Settings::strategies`](crate::Settings::strategies). Members of both protocols can
    /// share a group: the brokers convert a classic group when a member of the consumer protocol joins.
    pub fn accepts(&self, strategies: Option<&str>) -> bool {
        let is_shared = |ours: &str| ours.split(',').any(|own| own.trim() == self.strategy);
        self.has_consumer_protocol || strategies.is_none_or(is_shared)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub client_id: String,
    pub host: String,
}

/// Requests the description, and waits at most `time_max`.
pub fn describe_group<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    group_id: &str,
    time_max: Duration,
) -> Result<GroupDescription, RDKafkaErrorCode> {
    let group = CString::new(group_id).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
    let time_ms = i32::try_from(time_max.as_millis()).unwrap_or(i32::MAX);
    let mut groups = [group.as_ptr()];
    let client = consumer.client().native_ptr();
    let queue = ResponseQueue::new(consumer);
    // SAFETY: client and queue are alive; options are ours and destroyed once; the call copies group and options.
    unsafe {
        let operation = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
        let options = c::rd_kafka_AdminOptions_new(client, operation);
        let error = c::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
        if !error.is_null() {
            c::rd_kafka_error_destroy(error);
        }
        // The call fails only for a time out of range; then the default applies.
        c::rd_kafka_AdminOptions_set_request_timeout(options, time_ms, ptr::null_mut(), 0);
        c::rd_kafka_DescribeConsumerGroups(client, groups.as_mut_ptr(), 1, options, queue.as_ptr());
        c::rd_kafka_AdminOptions_destroy(options);
    }
    let response = queue.poll(time_max).ok_or(RDKafkaErrorCode::OperationTimedOut)?;
    // SAFETY: the response is alive.
    unsafe { read(response.as_ptr()) }
}

/// # Safety
/// The pointer must be a live event.
unsafe fn read(event: *mut c::rd_kafka_event_t) -> Result<GroupDescription, RDKafkaErrorCode> {
    // SAFETY: as promised by the caller; the result is null if the event is of another kind, and has `count` descriptions
    // that live as long as the event.
    unsafe {
        let code = c::rd_kafka_event_error(event);
        if code.is_error() {
            return Err(code.into());
        }
        let result = c::rd_kafka_event_DescribeConsumerGroups_result(event);
        let mut count = 0;
        if result.is_null() {
            return Err(RDKafkaErrorCode::Fail);
        }
        let list = c::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        if count == 0 { Err(RDKafkaErrorCode::Fail) } else { described(*list) }
    }
}

/// # Safety
/// The pointer must be a live description.
unsafe fn described(
    group: *const c::rd_kafka_ConsumerGroupDescription_t,
) -> Result<GroupDescription, RDKafkaErrorCode> {
    // SAFETY: as promised by the caller; members and texts belong to the description, texts are null or C strings, and
    // there are `count` operations unless their pointer is null.
    unsafe {
        let error = c::rd_kafka_ConsumerGroupDescription_error(group);
        if !error.is_null() {
            return Err(c::rd_kafka_error_code(error).into());
        }
        let members = 0..c::rd_kafka_ConsumerGroupDescription_member_count(group);
        let member = |index| {
            let member = c::rd_kafka_ConsumerGroupDescription_member(group, index);
            GroupMember {
                client_id: owned(c::rd_kafka_MemberDescription_client_id(member)),
                host: owned(c::rd_kafka_MemberDescription_host(member)),
            }
        };
        let mut count = 0;
        let operations = c::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &raw mut count);
        let read = c::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_READ;
        let may_read = (!operations.is_null() && count > 0)
            .then(|| std::slice::from_raw_parts(operations, count).contains(&read));
        Ok(GroupDescription {
            strategy: owned(c::rd_kafka_ConsumerGroupDescription_partition_assignor(group)),
            members: members.map(member).collect(),
            may_read,
            has_consumer_protocol: c::rd_kafka_ConsumerGroupDescription_type(group)
                == c::rd_kafka_consumer_group_type_t::RD_KAFKA_CONSUMER_GROUP_TYPE_CONSUMER,
        })
    }
}

/// # Safety
/// The pointer must be null or a C string.
unsafe fn owned(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
