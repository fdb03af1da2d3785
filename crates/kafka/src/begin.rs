//! Chooses the first offset of partitions without a committed offset, by `kafka.offset_reset`.
//!
//! librdkafka's `auto.offset.reset` also applies to offsets that Kafka has deleted, where reading always resumes at the
//! earliest record. The bridge therefore sets it to "earliest" and implements "latest" and "error" here, before the first fetch.

use super::MemberError;
use super::partition_lists::{partition_of, summary};
use crate::OffsetReset;
use base::NextOffset;
use base::TopicPartition;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;
use tracing::{info, warn};

/// Time limit of the request for committed offsets. The coordinator may be moving, and the group waits meanwhile.
const COMMITTED_MAX: Duration = Duration::from_secs(30);
const ENDS_MAX: Duration = Duration::from_secs(10);

/// Sets the offsets of partitions in `assigned` that have none committed. Returns the offsets that the caller must commit:
/// otherwise a restart before the first record would skip the records produced in between.
pub fn choose<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
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
        // Infallible: the partition is in the list, and the offset is valid.
        let _infallible = assigned.set_partition_offset(&at.topic, at.partition, offset);
        known.extend(end.map(|end| (at, end)));
    }
    info!(partitions = %summary(&fresh), "no offset is committed: reading only new records, because `kafka.offset_reset` is \"latest\"");
    Ok(known)
}

fn without_offset<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    assigned: &TopicPartitionList,
) -> KafkaResult<Vec<TopicPartition>> {
    let mut wanted = TopicPartitionList::with_capacity(assigned.count());
    for element in assigned.elements() {
        wanted.add_partition(element.topic(), element.partition());
    }
    let committed = consumer.committed_offsets(wanted, COMMITTED_MAX)?;
    let elements = committed.elements();
    // librdkafka repeats the request for a partition with an error.
    let fresh = elements.iter().filter(|e| e.error().is_ok() && e.offset() == Offset::Invalid);
    Ok(fresh.map(partition_of).collect())
}

/// The end offset of each partition; None where the brokers do not answer.
pub fn ends<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &[TopicPartition],
) -> Vec<(TopicPartition, Option<NextOffset>)> {
    let mut wanted = TopicPartitionList::with_capacity(partitions.len());
    for at in partitions {
        // Instead of a timestamp, this requests the end.
        let _infallible = wanted.add_partition_offset(&at.topic, at.partition, Offset::End);
    }
    let answer = consumer.offsets_for_times(wanted, ENDS_MAX);
    let answer = answer.inspect_err(
        |error| warn!(%error, "the ends of partitions are not known yet; requesting them again"),
    );
    // Callers repeat the request for an unknown end, or leave the partition to librdkafka.
    let answer = answer.unwrap_or_default();
    let end = |at: &TopicPartition| {
        let element = answer.find_partition(&at.topic, at.partition)?;
        match (element.error(), element.offset()) {
            (Ok(()), Offset::Offset(end)) => Some(NextOffset::at(end)),
            _ => None,
        }
    };
    partitions.iter().map(|at| (at.clone(), end(at))).collect()
}
