//! Reads `[dead_letter]`.

use super::kafka::KafkaRead;
use super::keys;
use super::section::Section;
use super::topics::{self, TopicList};
use engine::dead_letter::DeadLetterStore;
use std::path::PathBuf;

pub fn read(top: Section<'_>, kafka: Option<&KafkaRead>) -> Option<DeadLetterStore> {
    let section = top.table("dead_letter", &keys::DEAD_LETTER)?;
    let topic = topic(section, kafka.map(|kafka| &kafka.topics));
    let file = section.text("file").map(|text| PathBuf::from(text.value));
    let bytes_max = section.size_or_default("file_bytes_max");
    if section.has("topic") && section.has("file") {
        section.error(
            "file",
            "`topic` and `file` are both set: a dead letter goes to one of them, remove the other",
        );
        return None;
    }
    if section.has("topic") && section.has("file_bytes_max") {
        section.error("file_bytes_max", "`file_bytes_max` limits `file`: Kafka limits the size of a topic");
    }
    if !section.has("topic") && !section.has("file") {
        section.missing("topic", "name a `topic` or a `file`, or remove the table");
    }
    topic.map(DeadLetterStore::Topic).or_else(|| file.map(|path| DeadLetterStore::File { path, bytes_max }))
}

/// Refuses a dead-letter topic that the bridge reads: each dead letter would come back as a record and be rejected again.
fn topic(section: Section<'_>, read: Option<&TopicList>) -> Option<String> {
    let text = section.text("topic")?;
    if let Err(why) = topics::check_name(&text) {
        section.refuse(&text, why);
        return None;
    }
    let is_read = |name: &&super::section::Text| name.value == text.value;
    if let Some(named) = read.and_then(|list| list.names.iter().find(is_read)) {
        let message = format!(
            "{:?} is the topic of [dead_letter]: reading it would reject each dead letter again; remove it here, or name another topic there",
            named.shown()
        );
        section.context.error(&named.span, message);
    }
    Some(text.value)
}
