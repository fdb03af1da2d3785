//! Reads names of buckets, databases and retention policies, which may have placeholders.

use super::section::{Section, Text};
use super::selectors;
use mapping::{Part, Template};

/// The name of a bucket or database.
pub fn name(section: Section<'_>, key: &str) -> Option<Template> {
    read_name(section, key, &section.text(key)?)
}

/// A retention policy, which may be empty.
pub fn policy(section: Section<'_>) -> Option<Template> {
    read_name(section, "retention_policy", &section.text_or_empty("retention_policy")?)
}

/// Reads a name whose placeholders depend on the topic alone, so that a topic has one destination.
fn read_name(section: Section<'_>, key: &str, text: &Text) -> Option<Template> {
    let template = selectors::parse_template(section, key, text)?;
    let is_of_topic = |part: &Part| matches!(part, Part::Text(_) | Part::Topic | Part::TopicGroup(_));
    if !template.parts().iter().all(is_of_topic) {
        section.refuse(
            text,
            format!(
                "`{key}` takes the placeholders {{topic}} and {{topic:NAME}} only, so that a topic has one destination: use tags to \
                 distinguish records of a topic"
            ),
        );
        return None;
    }
    Some(template)
}
