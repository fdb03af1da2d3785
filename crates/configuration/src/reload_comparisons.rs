//! The comparisons of two configurations that the declarations in `keys.rs` refer to.

use super::Config;
use engine::Mapping;
use engine::dead_letter::DeadLetterStore;
use kafka::oauth_token::Oauth;
use schema_registry::Settings;

pub fn mappings_differ(old: &Config, new: &Config) -> bool {
    let part = |mapping: &Mapping| (mapping.topics.clone(), mapping.rules.clone());
    !old.mappings.iter().map(part).eq(new.mappings.iter().map(part))
}

pub fn destinations_differ(old: &Config, new: &Config) -> bool {
    let part = |mapping: &Mapping| mapping.destination.clone();
    !old.mappings.iter().map(part).eq(new.mappings.iter().map(part))
}

/// Whether the writer must be replaced. Certificate files may have new content under the same name, so a configuration with any of them
/// always differs.
pub fn influx_differs(old: &Config, new: &Config) -> bool {
    old.influx != new.influx || !new.influx.tls.files.is_empty()
}

/// Whether the registry must be asked anew. Certificate files may have new content, as those of InfluxDB may.
pub fn schema_registry_differs(old: &Config, new: &Config) -> bool {
    let has_files = |settings: &Settings| !settings.certificates.is_empty();
    old.schema_registry != new.schema_registry || new.schema_registry.as_ref().is_some_and(has_files)
}

/// Whether the dead letters stay in one file with another size. The file stays open, with the size it was opened for.
pub fn file_size_differs(old: &Config, new: &Config) -> bool {
    match (&old.dead_letter, &new.dead_letter) {
        (
            Some(DeadLetterStore::File { path, bytes_max }),
            Some(DeadLetterStore::File { path: new_path, bytes_max: new_bytes_max }),
        ) => path == new_path && bytes_max != new_bytes_max,
        (None | Some(DeadLetterStore::Topic(_)), _)
        | (Some(DeadLetterStore::File { .. }), None | Some(DeadLetterStore::Topic(_))) => false,
    }
}

/// Compares names and patterns; [`excluded_topic_differs`] compares the excluded topic.
pub fn topics_differ(old: &Config, new: &Config) -> bool {
    let (mut topics, mut new_topics) = (old.kafka.topics.clone(), new.kafka.topics.clone());
    (topics.excluded, new_topics.excluded) = (None, None);
    topics != new_topics
}

/// Patterns exclude the dead-letter topic. Where all topics are named it makes no difference.
pub fn excluded_topic_differs(old: &Config, new: &Config) -> bool {
    let (topics, new_topics) = (&old.kafka.topics, &new.kafka.topics);
    let has_patterns = !topics.patterns.is_empty() && !new_topics.patterns.is_empty();
    has_patterns && topics.excluded != new_topics.excluded
}

/// The Kafka clients keep their properties and their login until the process ends.
pub fn client_differs(old: &Config, new: &Config) -> bool {
    old.kafka.properties != new.kafka.properties
        || oauth_differs(old.kafka.oauth.as_ref(), new.kafka.oauth.as_ref())
}

fn oauth_differs(old: Option<&Oauth>, new: Option<&Oauth>) -> bool {
    match (old, new) {
        (None, None) => false,
        (Some(old), Some(new)) => !old.is_same(new),
        _ => true,
    }
}
