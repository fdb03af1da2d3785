//! Configurations that members run with and reload.

use crate::batch::{BatchLimits, BatchSize, Budget, SizeRange};
use crate::dispatcher::DispatcherSettings;
use crate::telemetry::Counters;
use crate::topic_destination::MappingDestination;
use crate::topic_gate::ProbeDelays;
use crate::topic_routing::{Mapping, Routing};
use base::Destination;
use base::alarm::{Alarm, AlarmListener, AlarmRegistry};
use jiff::tz::TimeZone;
use kafka::Topics;
use mapping::{DistinctTimes, KeySelector, RecordLimits, Rules, Template, TimeFormat, TimeRule};
use std::sync::Arc;
use std::time::Duration;

/// Number of configurations under which every record gives the expected points.
pub const COUNT: usize = 3;
/// A configuration whose mapping wrongly rejects all records of topic `b`.
pub const WRONG: usize = COUNT;

/// The range of batch sizes.
pub const SMALLEST: BatchSize = BatchSize { lines: 7, bytes: 400 };
const LARGEST: BatchSize = BatchSize { lines: 20, bytes: 1_000 };

/// The memory bound of each configuration: one under which batches grow, and two that the first record of a batch exceeds.
const MEMORY_MAX: [usize; COUNT + 1] = [1_000_000, 1_500, 1_500, 1_500];

/// A topic (None: all topics) and the bucket of its lines.
type TopicBucket = (Option<&'static str>, &'static str);

/// The mappings of each configuration. The tag `g` marks the points of a configuration, and some differ in their lanes.
const MAPPINGS: [&[TopicBucket]; COUNT + 1] = [
    &[(Some("a"), "a"), (Some(OVERWRITTEN), "b"), (None, "b")],
    &[(Some("a"), "c"), (Some(OVERWRITTEN), "a"), (Some("b"), "a")],
    &[(Some(OVERWRITTEN), "b"), (None, "b")],
    &[(Some("a"), "a"), (Some(OVERWRITTEN), "b"), (None, "b")],
];

/// The topic whose records of one partition all become the same point, so that the last one written is its value.
pub const OVERWRITTEN: &str = "o";

fn mappings(configuration: usize) -> Vec<Mapping> {
    let rules = Arc::new(Rules {
        name_key: Some(KeySelector::Flattened("name".to_owned())),
        topic_tag: Some("t".to_owned()),
        partition_tag: Some("p".to_owned()),
        strict: false,
        tags: vec![("g".to_owned(), Template::literal(&configuration.to_string()))],
        ..Rules::default()
    });
    let time = TimeRule::new(
        KeySelector::Flattened("mistyped".to_owned()),
        TimeFormat::Unix { unit_ns: 1_000_000 },
        TimeZone::UTC,
    );
    let wrong = Arc::new(Rules { time: Some(time), ..Rules::clone(&rules) });
    let overwrites = Arc::new(Rules { distinct_times: DistinctTimes::Never, ..Rules::clone(&rules) });
    let mapping = |(topic, bucket): &TopicBucket| Mapping {
        topics: topic.map(|topic| Topics { names: vec![topic.to_owned()], ..Topics::default() }),
        rules: Arc::clone(match topic {
            Some(OVERWRITTEN) => &overwrites,
            None if configuration == WRONG => &wrong,
            _ => &rules,
        }),
        destination: MappingDestination::Fixed(Destination::Bucket {
            org: "o".to_owned(),
            bucket: (*bucket).to_owned(),
        }),
    };
    MAPPINGS[configuration].iter().map(mapping).collect()
}

/// Settings of a dispatcher under one of the configurations. Without dead letters, records may be undecided.
pub fn dispatcher_settings(configuration: usize, writes_dead_letters: bool) -> DispatcherSettings {
    // Only the first records of a topic can block it.
    let rate_max = if writes_dead_letters { 1.0 } else { 0.99 };
    DispatcherSettings {
        routing: Arc::new(Routing::new(&mappings(configuration), rate_max)),
        limits: BatchLimits {
            sizes: SizeRange { min: SMALLEST, max: LARGEST, answer_max: Duration::from_secs(10) },
            lane_memory_max: 700,
            batch_memory_max: 600,
            packed_from: 200,
            age_max: Duration::from_secs(1),
        },
        budget: Budget::new(MEMORY_MAX[configuration]),
        record_limits: RecordLimits { record_bytes_max: 1_000, lines_bytes_max: 1_000 },
        counters: Arc::<Counters>::default(),
        alarms: AlarmRegistry::new(Arc::new(Nobody)),
        writes_dead_letters,
        probes: ProbeDelays { first: Duration::from_millis(500), max: Duration::from_secs(3) },
    }
}

struct Nobody;

impl AlarmListener for Nobody {
    fn raised(&self, _: &Alarm) {}
    fn resolved(&self, _: &Alarm, _: Duration) {}
}
