//! Where partitions begin that nothing is committed of, if that is not at their earliest record.
//!
//! librdkafka has one property for this and for offsets that are not in Kafka any more, and those always resume at the
//! earliest. So that property says "earliest", and the other two choices are made here, before the partitions are fetched.

use super::MemberError;
use super::context::{GroupConsumer, summary};
use crate::OffsetReset;
use crate::context::partition_of;
use base::NextOffset;
use base::TopicPartition;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;
use tracing::{info, warn};

/// The coordinator may be moving. The group waits for this member meanwhile.
const COMMITTED_MAX: Duration = Duration::from_secs(30);
const ENDS_MAX: Duration = Duration::from_secs(10);

/// Sets the offsets of those in `assigned` that have none committed. Returns them, where they are to be committed:
/// otherwise a restart before their first record would pass over what came in between.
pub fn choose(
    consumer: &GroupConsumer,
    assigned: &mut TopicPartitionList,
    reset: OffsetReset,
) -> Result<Vec<(TopicPartition, NextOffset)>, MemberError> {
    if reset == OffsetReset::Earliest || assigned.count() == 0 {
        return Ok(Vec::new());
    }
    let fresh = without_offset(consumer, assigned).map_err(MemberError::Committed)?;
    if fresh.is_empty() {
        return Ok(Vec::new());
    }
    if reset == OffsetReset::Error {
        return Err(MemberError::NoOffset(summary(&fresh)));
    }
    let mut known = Vec::new();
    for (at, end) in ends(consumer, &fresh) {
        let offset = end.map_or(Offset::End, |end| Offset::Offset(end.get()));
        // It is in the list, and the offset is a position.
        let _infallible = assigned.set_partition_offset(&at.topic, at.partition, offset);
        known.extend(end.map(|end| (at, end)));
    }
    info!(partitions = %summary(&fresh), "nothing is committed: reading what comes from now on, as `kafka.offset_reset` says");
    Ok(known)
}

fn without_offset(
    consumer: &GroupConsumer,
    assigned: &TopicPartitionList,
) -> KafkaResult<Vec<TopicPartition>> {
    let mut asked = TopicPartitionList::with_capacity(assigned.count());
    for element in assigned.elements() {
        asked.add_partition(element.topic(), element.partition());
    }
    let committed = consumer.committed_offsets(asked, COMMITTED_MAX)?;
    let elements = committed.elements();
    // Of one with an error librdkafka asks again by itself.
    let fresh = elements.iter().filter(|e| e.error().is_ok() && e.offset() == Offset::Invalid);
    Ok(fresh.map(partition_of).collect())
}

/// Where the next record of each will be, if the brokers say so.
pub fn ends(consumer: &GroupConsumer, of: &[TopicPartition]) -> Vec<(TopicPartition, Option<NextOffset>)> {
    let mut asked = TopicPartitionList::with_capacity(of.len());
    for at in of {
        // In the place of a timestamp this asks for the end.
        let _infallible = asked.add_partition_offset(&at.topic, at.partition, Offset::End);
    }
    let answer = consumer.offsets_for_times(asked, ENDS_MAX);
    let answer = answer.inspect_err(|error| warn!(%error, "the ends of partitions are not known yet"));
    // Without an answer no end is known, which callers ask for again or leave to librdkafka.
    let answer = answer.unwrap_or_default();
    let end = |at: &TopicPartition| {
        let element = answer.find_partition(&at.topic, at.partition)?;
        match (element.error(), element.offset()) {
            (Ok(()), Offset::Offset(end)) => Some(NextOffset::at(end)),
            _ => None,
        }
    };
    of.iter().map(|at| (at.clone(), end(at))).collect()
}
