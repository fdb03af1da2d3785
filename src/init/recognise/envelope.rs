//! Envelopes of well-known producers: the keys around the data, of which only some say what is measured.

use super::super::shape::Step;
use super::{Shape, View};

/// An envelope.
struct Envelope {
    /// The program that writes it.
    producer: &'static str,
    /// Flattened keys by which it is recognised.
    keys: &'static [&'static str],
    /// Prefixes of keys of which at least one must be there.
    prefixes: &'static [&'static str],
    /// The key of the object that becomes the point; none if it is the envelope.
    query: Option<&'static str>,
    /// Globs of strings that describe the message.
    ignored: &'static [&'static str],
    /// Globs of numbers that describe the message.
    excluded: &'static [&'static str],
}

const ENVELOPES: [Envelope; 5] = [
    Envelope {
        producer: "Kafka Connect with schemas",
        keys: &["schema_type", "schema_optional"],
        prefixes: &["payload_"],
        query: Some("payload"),
        ignored: &["schema_*"],
        excluded: &[],
    },
    Envelope {
        producer: "Debezium",
        keys: &["op", "source_connector"],
        prefixes: &["after_", "before_"],
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
        excluded: &[],
    },
    Envelope {
        producer: "CloudEvents",
        keys: &["specversion", "type", "source", "id"],
        prefixes: &["data"],
        query: None,
        ignored: &["specversion", "datacontenttype", "dataschema", "id"],
        excluded: &[],
    },
    Envelope {
        producer: "Azure IoT Hub",
        keys: &["EnqueuedTimeUtc", "SystemProperties_connectionDeviceId"],
        prefixes: &["Body_"],
        query: None,
        ignored: &[
            "SystemProperties_connectionAuthMethod",
            "SystemProperties_connectionDeviceGenerationId",
            "SystemProperties_content*",
            "SystemProperties_enqueuedTime",
        ],
        excluded: &[],
    },
    Envelope {
        producer: "AWS IoT device shadows",
        keys: &["version", "timestamp"],
        prefixes: &["state_reported_"],
        query: None,
        ignored: &["clientToken"],
        excluded: &["metadata_*"],
    },
];

/// Recognises an envelope by its keys.
pub fn recognise(view: &View<'_>) -> Option<Shape> {
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
        Some(key) => {
            let why = format!("{why}: the object {key:?} becomes the point.");
            view.shape.with_steps([Step::Key(key.to_owned())], why)?
        }
        None if view.shape.ignored.is_empty() => view.shape.clone(),
        // Recognised before.
        None => return None,
    };
    let parents: Vec<&str> = view.shape.steps.iter().filter_map(Step::key).collect();
    let path = |glob: &&str| [&parents[..], &[*glob]].concat().join("_");
    let from_root = |globs: &[&str]| globs.iter().map(path).collect::<Vec<_>>();
    shape.ignored.extend(from_root(envelope.ignored));
    shape.excluded.extend(from_root(envelope.excluded));
    Some(shape)
}
