//! Warns before Kafka deletes records that are not settled.

use super::PartitionState;
use base::TopicPartition;
use kafka::partition_summary;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tracing::warn;

/// Interval of checks. Only records in danger at two checks in a row cause a warning: a batch of old records passes by.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Interval of warnings about one topic.
const REPEAT: Duration = Duration::from_mins(10);
/// Topics with a warning in one check.
const TOPICS_MAX: usize = 10;

/// Checks the age of unsettled records against the retention of their topics.
#[derive(Debug)]
pub struct ExpiryWatch {
    next_check: Instant,
    /// Partitions in danger at the last check.
    endangered: BTreeSet<(String, i32)>,
    /// When each topic was last warned of.
    warned: BTreeMap<String, Instant>,
}

impl ExpiryWatch {
    pub fn new(now: Instant) -> Self {
        Self { next_check: now, endangered: BTreeSet::new(), warned: BTreeMap::new() }
    }

    /// Checks once per interval, and logs the warnings.
    pub fn check(&mut self, now: Instant, partitions: impl FnOnce() -> Vec<PartitionState>) {
        if now < self.next_check {
            return;
        }
        self.next_check = now + CHECK_EVERY;
        for warning in self.warnings(now, &partitions()) {
            warn!("{warning}");
        }
    }

    /// The warnings of one check, one for each topic.
    fn warnings(&mut self, now: Instant, partitions: &[PartitionState]) -> Vec<String> {
        let endangered: Vec<_> =
            partitions.iter().filter_map(|state| Some((state, danger(state)?))).collect();
        let key = |state: &PartitionState| (state.topic.clone(), state.partition);
        let before = std::mem::take(&mut self.endangered);
        self.endangered = endangered.iter().map(|(state, _)| key(state)).collect();
        self.warned.retain(|_, warned| now.saturating_duration_since(*warned) < REPEAT);
        let lasting: Vec<_> =
            endangered.into_iter().filter(|(state, _)| before.contains(&key(state))).collect();
        let mut warnings = Vec::new();
        for of_topic in lasting.chunk_by(|(a, _), (b, _)| a.topic == b.topic) {
            let Some(left) = of_topic.iter().map(|(_, left)| *left).min() else { continue };
            let Some((PartitionState { topic, .. }, _)) = of_topic.first() else { continue };
            if self.warned.contains_key(topic) || warnings.len() >= TOPICS_MAX {
                continue;
            }
            self.warned.insert(topic.clone(), now);
            let at = |(state, _): &(&PartitionState, _)| TopicPartition {
                topic: state.topic.clone(),
                partition: state.partition,
            };
            warnings.push(warning(&of_topic.iter().map(at).collect::<Vec<_>>(), left));
        }
        warnings
    }
}

/// The retention time left, if that is less than a tenth of the topic's retention or less than an hour. For a retention of less than
/// four hours, a quarter replaces the hour.
fn danger(state: &PartitionState) -> Option<Duration> {
    const HOUR: Duration = Duration::from_hours(1);
    let (left, retention) = (state.retention_left()?, state.retention?);
    let little = (retention / 10).max((retention / 4).min(HOUR));
    (left < little).then_some(left)
}

fn warning(partitions: &[TopicPartition], left: Duration) -> String {
    let at = partition_summary(partitions);
    let when = match left.as_secs() {
        0 => "may be deleted by the topic's retention now".to_owned(),
        left @ 1..120 => format!("are deleted by the topic's retention in {left} s"),
        left @ 120..7_200 => format!("are deleted by the topic's retention in {} min", left / 60),
        left => format!("are deleted by the topic's retention in {} h", left / 3_600),
    };
    format!(
        "records of {at} that are not written yet {when}: fix what blocks them (/readyz names it), give the bridge time to catch up, \
         or let Kafka keep them longer: `kafka-configs.sh --alter --entity-type topics --entity-name TOPIC --add-config retention.ms=...`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::PartitionLag;

    const MIN: u64 = 60;

    fn state(topic: &str, partition: i32, retention_min: u64, left_min: u64) -> PartitionState {
        let retention = Duration::from_secs(retention_min * MIN);
        PartitionState {
            topic: topic.to_owned(),
            partition,
            lag: PartitionLag::default(),
            behind: Some(
                retention.saturating_sub(Duration::from_secs(left_min * MIN)).max(Duration::from_nanos(1)),
            ),
            retention: Some(retention),
        }
    }

    #[test]
    fn danger_begins_at_a_tenth_or_an_hour() {
        let f = |retention: u64, left: u64, want: bool| {
            assert_eq!(danger(&state("t", 0, retention, left)).is_some(), want, "{retention} {left}");
        };
        f(60, 16, false);
        f(60, 14, true);
        f(24 * 60, 150, false);
        f(24 * 60, 140, true);
        f(240, 61, false);
        f(240, 59, true);
        f(7 * 24 * 60, 16 * 60, true);
        f(7 * 24 * 60, 17 * 60, false);
        f(60, 0, true);
        let well = PartitionState { behind: Some(Duration::ZERO), ..state("t", 0, 60, 1) };
        assert_eq!(danger(&well), None);
    }

    #[test]
    fn repeats_warnings_of_lasting_danger_at_intervals() {
        let start = Instant::now();
        let mut watch = ExpiryWatch::new(start);
        let mut at = |minutes: u64, partitions: &[PartitionState]| {
            watch.warnings(start + Duration::from_secs(minutes * MIN), partitions)
        };
        let (a, b) =
            ([state("a", 0, 60, 10), state("a", 1, 60, 5), state("a", 2, 60, 50)], state("b", 0, 60, 0));
        assert_eq!(at(0, &a), [""; 0]);
        let warned = at(1, &a);
        assert_eq!(warned.len(), 1);
        let begin = "records of a[0-1] that are not written yet are deleted by the topic's retention in 5 min: fix what";
        assert!(warned[0].starts_with(begin), "{warned:?}");
        assert_eq!(at(2, &[a[0].clone(), b.clone()]), [""; 0]);
        let warned = at(3, &[a[0].clone(), b]);
        assert!(
            warned.len() == 1 && warned[0].contains("b[0] that are not written yet may be deleted"),
            "{warned:?}"
        );
        assert_eq!(at(10, &a), [""; 0]);
        assert_eq!(at(11, &a).len(), 1);
    }
}
