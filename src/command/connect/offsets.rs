//! The offsets at which reading would start, and the retention of unread records there.

use super::report::Line;
use base::text::counted;
use kafka::OffsetReset;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;

/// Unread records that Kafka may delete within this time cause a warning.
const SOON: Duration = Duration::from_hours(24);

/// Offsets of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    pub topic: String,
    pub partition: i32,
    /// First offset, and end offset; none if the brokers did not report them.
    pub bounds: Option<(i64, i64)>,
    /// Committed offset, if there is one.
    pub committed: Option<i64>,
}

impl PartitionOffsets {
    /// Offset at which reading would start.
    pub fn start(&self, reset: OffsetReset) -> Option<i64> {
        let (first, end) = self.bounds?;
        match (self.committed, reset) {
            (Some(committed), _) if (first..=end).contains(&committed) => Some(committed),
            (Some(_), _) | (None, OffsetReset::Earliest) => Some(first),
            (None, OffsetReset::Latest) => Some(end),
            (None, OffsetReset::Error) => None,
        }
    }

    fn unread(&self, reset: OffsetReset) -> u64 {
        let unread = self.start(reset).zip(self.bounds).map(|(start, (_, end))| end - start);
        // Zero if nothing will be read. `start_line` leaves out unknown bounds.
        u64::try_from(unread.unwrap_or(0)).unwrap_or(0)
    }

    /// Number of records after the committed offset that Kafka has deleted.
    fn lost(&self) -> u64 {
        let lost = self.committed.zip(self.bounds).map(|(committed, (first, _))| first - committed);
        // Negative if the committed offset still exists.
        u64::try_from(lost.unwrap_or(0)).unwrap_or(0)
    }

    fn is_beyond(&self) -> bool {
        self.committed.zip(self.bounds).is_some_and(|(committed, (_, end))| committed > end)
    }
}

/// Requests the bounds of these partitions. They stay unknown if the leader does not respond.
pub fn bounds<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    of: &[(String, i32)],
    within: Duration,
) -> Vec<PartitionOffsets> {
    let request = |place: Offset| {
        let mut list = TopicPartitionList::with_capacity(of.len());
        for (topic, partition) in of {
            // Instead of a timestamp, these request the first and the end offset.
            let _infallible = list.add_partition_offset(topic, *partition, place);
        }
        // Without a response the bounds of all partitions stay unknown, which `judge` reports as a failure.
        consumer.offsets_for_times(list, within).unwrap_or_default()
    };
    let (firsts, ends) = (request(Offset::Beginning), request(Offset::End));
    let offset = |of: &TopicPartitionList, topic: &str, partition: i32| {
        let element = of.find_partition(topic, partition)?;
        match (element.error(), element.offset()) {
            (Ok(()), Offset::Offset(offset)) => Some(offset),
            _ => None,
        }
    };
    let position = |(topic, partition): &(String, i32)| PartitionOffsets {
        topic: topic.clone(),
        partition: *partition,
        bounds: offset(&firsts, topic, *partition).zip(offset(&ends, topic, *partition)),
        committed: None,
    };
    of.iter().map(position).collect()
}

/// Requests the committed offsets of the group, without joining it. An error for one partition fails the whole request, because an
/// unknown committed offset differs from a missing one.
pub fn request_committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    positions: &mut [PartitionOffsets],
    within: Duration,
) -> KafkaResult<()> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for position in positions.iter() {
        list.add_partition(&position.topic, position.partition);
    }
    let answer = consumer.committed_offsets(list, within)?;
    for position in positions {
        let Some(element) = answer.find_partition(&position.topic, position.partition) else { continue };
        element.error()?;
        position.committed = match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
    }
    Ok(())
}

/// The lines about one topic.
pub fn judge(topic: &str, reset: OffsetReset, positions: &[PartitionOffsets]) -> Vec<Line> {
    let positions: Vec<&PartitionOffsets> =
        positions.iter().filter(|position| position.topic == topic).collect();
    let mut lines: Vec<Line> = start_line(topic, reset, &positions).into_iter().collect();
    let silent = positions.iter().filter(|position| position.bounds.is_none()).count();
    if silent > 0 {
        lines.push(Line::failed(
            format!(
                "topic {topic}: the leaders of {} do not report their first and end offsets",
                counted(silent, "partition")
            ),
            "are all brokers up and reachable from here?",
        ));
    }
    let lost: u64 = positions.iter().map(|position| position.lost()).sum();
    if lost > 0 {
        lines.push(Line::warned(
            format!("topic {topic}: kafka deleted {} before they were read", counted(lost, "record")),
            "reading resumes at the earliest one left; raise the topic's `retention.ms` (or `retention.bytes`) above the longest \
             outage",
        ));
    }
    if positions.iter().any(|position| position.is_beyond()) {
        lines.push(Line::warned(
            format!("topic {topic}: a committed offset is beyond the end of its partition"),
            "the topic was recreated, or kafka lost its last records: reading resumes at the earliest record",
        ));
    }
    lines
}

/// The line about the start of reading. None if no leader reports its offsets, because then the number of records is unknown.
fn start_line(topic: &str, reset: OffsetReset, positions: &[&PartitionOffsets]) -> Option<Line> {
    let is_known = |position: &&&PartitionOffsets| position.bounds.is_some() || reset == OffsetReset::Error;
    let (committed, fresh): (Vec<&&PartitionOffsets>, Vec<&&PartitionOffsets>) =
        positions.iter().filter(is_known).partition(|position| position.committed.is_some());
    if committed.is_empty() && fresh.is_empty() {
        return None;
    }
    let unread = |positions: &[&&PartitionOffsets]| {
        positions.iter().map(|position| position.unread(reset)).sum::<u64>()
    };
    let mut parts = Vec::new();
    if !committed.is_empty() {
        let partitions = if fresh.is_empty() {
            String::new()
        } else {
            format!(" of {}", counted(committed.len(), "partition"))
        };
        let behind = counted(unread(&committed), "record");
        parts.push(format!("reading starts at the committed offsets{partitions}, {behind} behind"));
    }
    if !fresh.is_empty() {
        let partitions = if committed.is_empty() {
            String::new()
        } else {
            format!(" for {}", counted(fresh.len(), "partition"))
        };
        let all: i64 =
            fresh.iter().filter_map(|position| position.bounds).map(|(first, end)| end - first).sum();
        let is_empty = all == 0;
        let all = counted(all, "record");
        parts.push(match reset {
            _ if is_empty && reset != OffsetReset::Error => {
                format!("no committed offset{partitions}, and no records")
            }
            OffsetReset::Earliest => {
                format!(
                    "no committed offset{partitions}: with `offset_reset` = \"earliest\" all {all} are read"
                )
            }
            OffsetReset::Latest => format!(
                "no committed offset{partitions}: with `offset_reset` = \"latest\" the {all} are skipped"
            ),
            OffsetReset::Error => {
                let what = format!(
                    "topic {topic}: no committed offset{partitions}, and `offset_reset` is \"error\""
                );
                return Some(Line::failed(what, "commit a start offset, or set \"earliest\" or \"latest\""));
            }
        });
    }
    Some(Line::passed(format!("topic {topic}: {}", parts.join("; "))))
}

/// The oldest unread record of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldestUnread {
    pub place: String,
    pub time_ms: i64,
}

/// A warning if Kafka may soon delete the oldest unread record.
pub fn judge_retention(topic: &str, oldest: &OldestUnread, retention: Duration, now_ms: i64) -> Option<Line> {
    let retention_ms = i64::try_from(retention.as_millis()).ok()?;
    let goes_ms = oldest.time_ms.checked_add(retention_ms)?;
    if goes_ms.saturating_sub(now_ms) > i64::try_from(SOON.as_millis()).unwrap_or(i64::MAX) {
        return None;
    }
    let when =
        if goes_ms <= now_ms { "at any moment".to_owned() } else { format!("from {} on", shown(goes_ms)) };
    Some(Line::warned(
        format!(
            "topic {topic}: unread records are deleted {when}: the oldest, {}, has the time {}, and the topic's retention.ms is {}",
            oldest.place,
            shown(oldest.time_ms),
            span(retention)
        ),
        "start the bridge before, or raise the topic's `retention.ms`",
    ))
}

/// Formats a time in milliseconds.
pub fn shown(ms: i64) -> String {
    let time = jiff::Timestamp::from_second(ms.div_euclid(1_000));
    time.map_or_else(|_| format!("{ms} ms"), |time| time.to_string())
}

/// `7 days`, `36 h`, `90 s`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        _ if seconds.is_multiple_of(86_400) => counted(seconds / 86_400, "day"),
        _ if seconds.is_multiple_of(3_600) => format!("{} h", seconds / 3_600),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32, bounds: (i64, i64), committed: Option<i64>) -> PartitionOffsets {
        PartitionOffsets { topic: "t".into(), partition, bounds: Some(bounds), committed }
    }

    #[test]
    fn says_where_reading_begins() {
        use OffsetReset::{Earliest, Error, Latest};
        const SILENT: &str = "FAILED  topic t: the leaders of 1 partition do not report";
        let f = |reset: OffsetReset, positions: &[PartitionOffsets], want: &[&str]| {
            let lines = judge("t", reset, positions);
            assert_eq!(lines.len(), want.len(), "{lines:?}");
            for (line, want) in lines.iter().zip(want) {
                assert!(line.to_string().starts_with(want), "{line}");
            }
        };
        let committed = [at(0, (0, 100), Some(90)), at(1, (5, 9), Some(9))];
        f(
            Earliest,
            &committed,
            &["ok      topic t: reading starts at the committed offsets, 10 records behind"],
        );
        let fresh = [at(0, (5, 9), None)];
        f(
            Earliest,
            &fresh,
            &[
                "ok      topic t: no committed offset: with `offset_reset` = \"earliest\" all 4 records are read",
            ],
        );
        f(
            Latest,
            &fresh,
            &[
                "ok      topic t: no committed offset: with `offset_reset` = \"latest\" the 4 records are skipped",
            ],
        );
        f(Earliest, &[at(0, (5, 5), None)], &["ok      topic t: no committed offset, and no records"]);
        f(Error, &fresh, &["FAILED  topic t: no committed offset, and `offset_reset` is \"error\": commit"]);
        let both = [at(0, (0, 100), Some(90)), at(1, (5, 9), None)];
        f(
            Earliest,
            &both,
            &[
                "ok      topic t: reading starts at the committed offsets of 1 partition, 10 records behind; no \
               committed offset for 1 partition: with",
            ],
        );
        f(
            Earliest,
            &[at(0, (50, 100), Some(20))],
            &[
                "ok      topic t: reading starts at the committed offsets, 50 records behind",
                "warn    topic t: kafka deleted 30 records before they were read: reading resumes at the earliest",
            ],
        );
        f(
            Earliest,
            &[at(0, (0, 10), Some(20))],
            &["ok      topic t: reading starts", "warn    topic t: a committed offset is beyond"],
        );
        let silent = PartitionOffsets { bounds: None, ..at(0, (0, 0), Some(1)) };
        f(Earliest, std::slice::from_ref(&silent), &[SILENT]);
        // An unknown number of records differs from no records.
        let silent_and_fresh = PartitionOffsets { committed: None, ..silent.clone() };
        f(Earliest, std::slice::from_ref(&silent_and_fresh), &[SILENT]);
        f(Error, &[silent_and_fresh], &["FAILED  topic t: no committed offset", SILENT]);
        let begins = "ok      topic t: reading starts at the committed offsets, 10 records behind";
        f(Earliest, &[at(0, (0, 100), Some(90)), silent], &[begins, SILENT]);
    }

    #[test]
    fn warns_of_records_that_are_soon_deleted_unread() {
        const HOUR: i64 = 3_600_000;
        let oldest = OldestUnread { place: "t[0]@5".into(), time_ms: 1_700_000_000_000 };
        let f = |age_h: i64, retention_h: u64, want: Option<&str>| {
            let now = oldest.time_ms + age_h * HOUR;
            let line = judge_retention("t", &oldest, Duration::from_hours(retention_h), now);
            assert_eq!(line.is_some(), want.is_some(), "{line:?}");
            let shown = line.map_or(String::new(), |line| line.to_string());
            assert!(shown.starts_with(want.unwrap_or_default()), "{shown}");
        };
        f(1, 168, None);
        f(143, 168, None);
        f(
            150,
            168,
            Some(
                "warn    topic t: unread records are deleted from 2023-11-21T22:13:20Z on: the oldest, t[0]@5, has the time \
                 2023-11-14T22:13:20Z, and the topic's retention.ms is 7 days: start the bridge",
            ),
        );
        f(169, 168, Some("warn    topic t: unread records are deleted at any moment: "));
    }

    #[test]
    fn formats_durations() {
        let f = |seconds: u64, want: &str| assert_eq!(span(Duration::from_secs(seconds)), want);
        f(86_400, "1 day");
        f(604_800, "7 days");
        f(129_600, "36 h");
        f(90, "90 s");
        f(120, "2 min");
        assert_eq!(span(Duration::from_millis(5)), "5 ms");
    }
}
