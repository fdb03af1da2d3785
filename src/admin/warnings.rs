//! Warnings of the status page: records that the bridge handles as configured, although the configuration is likely to be wrong.

use super::PipelineState;
use base::text::grouped;
use engine::batch::COLLISION_REMEDY;
use engine::telemetry::{Counters, TopicCounts};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Fewer filtered records in a row are usual for a topic that `where` thins out. The log warns of the first 100 records of a topic.
const FILTERED_MIN: u64 = 100;

/// A warning: its name, what happens to records, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub name: &'static str,
    pub scope: String,
    pub why: String,
    pub remedy: String,
}

/// All warnings. `assigned`: the names of the assigned topics. `overwritten`: points of the last minute that overwrote earlier ones.
pub fn warnings(
    pipeline: &PipelineState,
    assigned: &BTreeSet<&str>,
    by_topic: &BTreeMap<Arc<str>, TopicCounts>,
    overwritten: u64,
) -> Vec<Warning> {
    let filtered = by_topic.iter().filter(|(topic, _)| assigned.contains(&***topic));
    let filtered = filtered.filter_map(|(topic, counts)| all_filtered(topic, counts.filtered_in_a_row));
    let collisions = Counters::get(&pipeline.counters.collisions);
    overwritten_points(collisions, overwritten).into_iter().chain(filtered).collect()
}

fn overwritten_points(since_start: u64, last_minute: u64) -> Option<Warning> {
    let [all, recent] = [since_start, last_minute].map(grouped);
    (since_start > 0).then(|| Warning {
        name: "overwritten",
        scope: "overwritten points".to_owned(),
        why: format!(
            "{all} points have overwritten an earlier point of the same series and time since the start, {recent} of them in the last minute"
        ),
        remedy: COLLISION_REMEDY.to_owned(),
    })
}

fn all_filtered(topic: &str, in_a_row: u64) -> Option<Warning> {
    (in_a_row >= FILTERED_MIN).then(|| Warning {
        name: "all_filtered",
        scope: format!("topic {topic}"),
        why: format!(
            "the last {} records gave no point, because the configuration filters them: they are committed and not stored",
            grouped(in_a_row)
        ),
        remedy: format!(
            "if they should become points, correct `query`, `where`, `include`, `exclude` or `string_fields` of the topic's [[mapping]]; \
             this command shows what records become: `kafka-influx-bridge map --live 10 --topic {topic}`"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warns_of_overwritten_points_until_the_next_start() {
        assert_eq!(overwritten_points(0, 0), None);
        let warning = overwritten_points(12_345, 0).unwrap();
        assert!(warning.why.starts_with("12,345 points have overwritten"), "{warning:?}");
        assert!(warning.why.ends_with("0 of them in the last minute"), "{warning:?}");
        assert!(warning.remedy.contains("`tag_keys`"), "{warning:?}");
    }

    #[test]
    fn warns_of_a_topic_whose_records_are_all_filtered() {
        assert_eq!(all_filtered("t", FILTERED_MIN - 1), None);
        let warning = all_filtered("site.power", FILTERED_MIN).unwrap();
        assert_eq!(warning.scope, "topic site.power");
        assert!(
            warning.remedy.ends_with("`kafka-influx-bridge map --live 10 --topic site.power`"),
            "{warning:?}"
        );
    }
}
