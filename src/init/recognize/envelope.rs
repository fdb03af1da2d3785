//! Envelopes of well-known producers: the keys around the data, of which only some say what is measured.

use super::super::shape::Step;
use super::{Shape, View};

/// An envelope.
struct Envelope {
    /// The program that writes it.
    producer: &'static str,
    /// Flattened keys by which it is recognized.
    keys: &'static [&'static str],
    /// Prefixes of keys of which at least one must be there.
    prefixes: &'static [&'static str],
    /// The path of the objects that become points, of keys, `*` and `[*]`; none if it is the envelope.
    query: Option<&'static str>,
    /// Globs of strings that describe the message.
    ignored: &'static [&'static str],
    /// Globs of numbers that describe the message.
    excluded: &'static [&'static str],
    /// The key of the measurement, if it has always one place.
    name: Option<&'static str>,
    /// Globs of the points' own keys, if all others are attributes.
    own: &'static [&'static str],
    /// Globs of keys that are always tags.
    tags: &'static [&'static str],
}

impl Envelope {
    /// An envelope with these keys and one of these prefixes.
    const fn new(
        producer: &'static str,
        keys: &'static [&'static str],
        prefixes: &'static [&'static str],
    ) -> Self {
        Self {
            producer,
            keys,
            prefixes,
            query: None,
            ignored: &[],
            excluded: &[],
            name: None,
            own: &[],
            tags: &[],
        }
    }
}

const ENVELOPES: [Envelope; 6] = [
    Envelope {
        query: Some("payload"),
        ignored: &["schema_*"],
        ..Envelope::new("Kafka Connect with schemas", &["schema_type", "schema_optional"], &["payload_"])
    },
    Envelope {
        query: Some("after"),
        ignored: &[
            "op",
            "source_connector",
            "source_version",
            "source_snapshot",
            "source_sequence",
            "transaction_*",
            "before_*",
        ],
        excluded: &["source_*", "ts_*"],
        ..Envelope::new("Debezium", &["op", "source_connector"], &["after_", "before_"])
    },
    Envelope {
        ignored: &["specversion", "datacontenttype", "dataschema", "id"],
        ..Envelope::new("CloudEvents", &["specversion", "type", "source", "id"], &["data"])
    },
    Envelope {
        ignored: &[
            "SystemProperties_connectionAuthMethod",
            "SystemProperties_connectionDeviceGenerationId",
            "SystemProperties_content*",
            "SystemProperties_enqueuedTime",
        ],
        ..Envelope::new(
            "Azure IoT Hub",
            &["EnqueuedTimeUtc", "SystemProperties_connectionDeviceId"],
            &["Body_"],
        )
    },
    Envelope {
        ignored: &["clientToken"],
        excluded: &["metadata_*"],
        ..Envelope::new("AWS IoT device shadows", &["version", "timestamp"], &["state_reported_"])
    },
    Envelope {
        query: Some("resourceMetrics[*].scopeMetrics[*].metrics[*].*.dataPoints[*]"),
        ignored: &["resourceMetrics_*_schemaUrl", "resourceMetrics_*_aggregationTemporality"],
        excluded: &[
            "resourceMetrics_*_aggregationTemporality",
            "resourceMetrics_*_isMonotonic",
            "resourceMetrics_*_droppedAttributesCount",
        ],
        name: Some("resourceMetrics_\0_scopeMetrics_\0_metrics_\0_name"),
        own: &[
            "as*",
            "*UnixNano",
            "flags",
            "count",
            "sum",
            "min",
            "max",
            "scale",
            "zero*",
            "bucketCounts*",
            "explicitBounds*",
            "positive*",
            "negative*",
            "quantileValues*",
            "exemplars*",
        ],
        tags: &["resourceMetrics_*_scope_name", "resourceMetrics_*_unit"],
        ..Envelope::new("OpenTelemetry", &["resourceMetrics_\0_scopeMetrics_\0_metrics_\0_name"], &[""])
    },
];

/// Recognizes an envelope by its keys.
pub fn recognize(view: &View<'_>) -> Option<Shape> {
    let is_within_envelopes = view.shape.steps.iter().all(|step| matches!(step, Step::Key(_)));
    if !is_within_envelopes || !view.is_not_rearranged() {
        return None;
    }
    let has = |key: &&str| view.seen.key(key).is_some();
    let has_prefix = |prefix: &&str| view.seen.keys.iter().any(|key| key.pattern.starts_with(*prefix));
    let is_there =
        |envelope: &&Envelope| envelope.keys.iter().all(has) && envelope.prefixes.iter().any(has_prefix);
    let envelope = ENVELOPES.iter().find(is_there)?;
    let why = format!("The records have the envelope of {}", envelope.producer);
    let mut shape = match envelope.query {
        Some(path) => {
            let why = format!("{why}: {path:?} becomes the point.");
            view.shape.with_steps(path.split('.').flat_map(steps_of_name), why)?
        }
        None if view.shape.ignored.is_empty() => view.shape.clone(),
        // Recognized before.
        None => return None,
    };
    let parents: Vec<&str> = view.shape.steps.iter().filter_map(Step::key).collect();
    let path = |glob: &&str| [&parents[..], &[*glob]].concat().join("_");
    let from_root = |globs: &[&str]| globs.iter().map(path).collect::<Vec<_>>();
    shape.ignored.extend(from_root(envelope.ignored));
    shape.excluded.extend(from_root(envelope.excluded));
    shape.name = envelope.name;
    shape.own = envelope.own;
    shape.known_tags = envelope.tags;
    Some(shape)
}

/// The steps of a part of a path.
fn steps_of_name(name: &'static str) -> impl Iterator<Item = Step> {
    let (name, items) = name.strip_suffix("[*]").map_or((name, None), |name| (name, Some(Step::Items)));
    let step = if name == "*" { Step::Either } else { Step::Key(name.to_owned()) };
    [Some(step), items].into_iter().flatten()
}
