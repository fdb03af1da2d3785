//! `[dead_letter]` and `[reject]`: where records go that could not be stored, and how many of them are too many.

use super::kafka::KafkaRead;
use super::scalars::Bounds;
use super::section::Section;
use super::topics::{self, TopicList};
use super::{Reject, schema};
use engine::dead_letter::Store;
use std::path::PathBuf;

const FILE_BYTES: Bounds<u64> = Bounds::new(
    1_000_000..=100_000_000_000,
    "a record takes up to 1MB, and a file that nothing can open helps nobody",
);

const DEFAULT_FILE_BYTES_MAX: u64 = 100_000_000;

const RATE: Bounds<f64> = Bounds::new(0.0..=1.0, "it is a share of a topic's records; 1.0 switches it off");

const DEFAULT_REJECT: Reject = Reject { rate_max: 0.1 };

pub fn reject(top: Section<'_>) -> Reject {
    let section = top.table("reject", &schema::REJECT);
    let rate_max = section.and_then(|section| section.share("rate_max", &RATE));
    Reject { rate_max: rate_max.unwrap_or(DEFAULT_REJECT.rate_max) }
}

pub fn read(top: Section<'_>, kafka: Option<&KafkaRead>) -> Option<Store> {
    let section = top.table("dead_letter", &schema::DEAD_LETTER)?;
    let topic = topic(section, kafka.map(|kafka| &kafka.topics));
    let file = section.text("file").map(|text| PathBuf::from(text.value));
    let bytes_max = section.size("file_bytes_max", &FILE_BYTES);
    if section.has("topic") && section.has("file") {
        section.error(
            "file",
            "`topic` and `file` are both here: a dead letter goes to one of them, take the other out",
        );
        return None;
    }
    if section.has("topic") && section.has("file_bytes_max") {
        section.error("file_bytes_max", "`file_bytes_max` is of `file`: a topic's size is Kafka's matter");
    }
    if !section.has("topic") && !section.has("file") {
        section.missing("topic", "name a `topic`, or a `file`, or take the table out");
    }
    let bytes_max = bytes_max.map_or(DEFAULT_FILE_BYTES_MAX, |bytes| bytes as u64);
    topic.map(Store::Topic).or_else(|| file.map(|path| Store::File { path, bytes_max }))
}

/// A topic that is read must not be written to: each letter would come back as a record to be rejected again.
fn topic(section: Section<'_>, read: Option<&TopicList>) -> Option<String> {
    let text = section.text("topic")?;
    if let Err(why) = topics::check_name(&text) {
        section.refuse(&text, why);
        return None;
    }
    let is_read = |name: &&super::section::Text| name.value == text.value;
    if let Some(named) = read.and_then(|list| list.names.iter().find(is_read)) {
        let message = format!(
            "{:?} is the topic of [dead_letter]: reading it would reject each dead letter again; take it out, or name another there",
            named.shown()
        );
        section.context.error(&named.span, message);
    }
    Some(text.value)
}
