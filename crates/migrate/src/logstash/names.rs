//! Translates field references of Logstash into flattened keys.

/// The flattened key of `[a][b]` or `a`.
pub fn key(reference: &str) -> String {
    let reference = reference.trim();
    match reference.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => inside.replace("][", "_"),
        None => reference.to_owned(),
    }
}

/// The field of a text that is only `%{[a][b]}`.
pub fn reference(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix("%{")?.strip_suffix('}')?;
    // "%{+yyyy.MM}" is a time.
    (!inside.contains("%{") && !inside.starts_with('+')).then_some(inside)
}

/// Whether a text is the same for every event.
pub fn is_fixed(text: &str) -> bool {
    !text.contains("%{")
}

/// Metadata of a Kafka record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfKafka {
    Topic,
    Partition,
    Offset,
    Key,
    Timestamp,
    Other,
}

/// The metadata that a field refers to: `[@metadata][kafka][topic]`, or `[kafka][topic]` in old versions.
pub fn of_kafka(reference: &str) -> Option<OfKafka> {
    let inside = reference.strip_prefix("[@metadata]").unwrap_or(reference);
    let name = inside.strip_prefix("[kafka][")?.strip_suffix(']')?;
    Some(match name {
        "topic" => OfKafka::Topic,
        "partition" => OfKafka::Partition,
        "offset" => OfKafka::Offset,
        "key" => OfKafka::Key,
        "timestamp" => OfKafka::Timestamp,
        _ => OfKafka::Other,
    })
}

/// Whether Logstash adds the field, so that records do not have it.
pub fn is_of_logstash(key: &str) -> bool {
    matches!(key, "message" | "@version" | "event" | "event_original" | "tags" | "type" | "sequence")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_flattened() {
        let f = |text: &str, want: &str| assert_eq!(key(text), want);
        f("a", "a");
        f("[a]", "a");
        f("[a][b][0]", "a_b_0");
        f("[a", "[a");
        assert_eq!(reference("%{[a][b]}"), Some("[a][b]"));
        assert_eq!(reference("x%{a}"), None);
        assert_eq!(reference("%{a}-%{b}"), None);
        assert_eq!(reference("%{+yyyy}"), None);
        assert_eq!(of_kafka("[@metadata][kafka][topic]"), Some(OfKafka::Topic));
        assert_eq!(of_kafka("[kafka]"), None);
    }
}
