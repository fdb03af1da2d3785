//! Lists of partitions: to and from those of librdkafka, and as text.

use base::{NextOffset, TopicPartition};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

/// The partition that an element of a list names.
pub fn partition_of(element: &TopicPartitionListElem<'_>) -> TopicPartition {
    TopicPartition { topic: element.topic().to_owned(), partition: element.partition() }
}

/// The partitions of a list.
pub fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements().iter().map(partition_of).collect()
}

/// These partitions as librdkafka's list.
pub fn list_of<'a>(partitions: impl Iterator<Item = &'a TopicPartition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for at in partitions {
        list.add_partition(&at.topic, at.partition);
    }
    list
}

/// Returns the first error that librdkafka reports for one of the partitions.
pub fn check_partitions(partitions: &TopicPartitionList) -> KafkaResult<()> {
    partitions.elements().iter().try_for_each(TopicPartitionListElem::error)
}

/// These offsets as librdkafka's list.
pub fn offsets_of(settled: &[(TopicPartition, NextOffset)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(settled.len());
    for (at, next) in settled {
        // Infallible: tracked offsets are valid.
        let _infallible = list.add_partition_offset(&at.topic, at.partition, Offset::Offset(next.get()));
    }
    list
}

/// A short text for logs, such as `topic[0-2,5]`.
pub fn summary(partitions: &[TopicPartition]) -> String {
    const TOPICS_MAX: usize = 10;
    let mut sorted = partitions.to_vec();
    sorted.sort();
    let mut topics: Vec<String> = sorted
        .chunk_by(|a, b| a.topic == b.topic)
        .map(|of_topic| {
            let numbers: Vec<i32> = of_topic.iter().map(|p| p.partition).collect();
            let ranges = numbers.chunk_by(|a, b| a + 1 == *b).map(|range| match range {
                [first, .., last] => format!("{first}-{last}"),
                _ => range.iter().map(i32::to_string).collect(),
            });
            let topic = of_topic.first().map_or("", |p| p.topic.as_str());
            format!("{topic}[{}]", ranges.collect::<Vec<_>>().join(","))
        })
        .collect();
    if topics.is_empty() {
        return "none".to_owned();
    }
    let further = topics.len().saturating_sub(TOPICS_MAX);
    topics.truncate(TOPICS_MAX);
    let more = if further > 0 { format!(" and {further} more topics") } else { String::new() };
    format!("{}{more}", topics.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summarizes_partitions_by_topic_and_range() {
        let f = |list: &[(&str, i32)], want: &str| {
            let partitions: Vec<_> = list
                .iter()
                .map(|&(t, partition)| TopicPartition { topic: t.to_owned(), partition })
                .collect();
            assert_eq!(summary(&partitions), want);
        };
        f(&[], "none");
        f(&[("a", 0)], "a[0]");
        f(&[("b", 5), ("a", 2), ("a", 0), ("a", 1), ("a", 7)], "a[0-2,7] b[5]");
    }
}
