//! Recognizes kinds of keys by their names, which are more reliable than a sample of values.

pub use super::time_names::{
    TIME_RANK_SURE, TimeKind, is_time, may_be_time, may_begin_with_time, part_of_second, time_kind, time_rank,
};

/// Normalizes the spelling of a name: `eventTime`, `event_time` and `@event-time` become `eventtime`.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The words of a name in lower case: `deviceId` and `device_id` give `device`, `id`.
pub fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase() || c.is_numeric();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

pub(super) fn has_word(name: &str, of: &[&str]) -> bool {
    words(name).iter().any(|word| of.contains(&word.as_str()))
}

/// Rank of a name for a measurement; a lower rank is likelier. None for other names.
pub fn measurement_rank(name: &str) -> Option<usize> {
    const KNOWN: [&str; 9] =
        ["measurement", "metric", "metricname", "name", "ec2number", "eventtype", "type", "event", "kind"];
    let plain = plain(name);
    KNOWN.iter().position(|known| *known == plain)
}

/// Names of values for filtering and grouping.
pub fn is_tag(name: &str) -> bool {
    const WORDS: [&str; 46] = [
        "host",
        "hostname",
        "server",
        "node",
        "pod",
        "container",
        "instance",
        "cluster",
        "region",
        "zone",
        "az",
        "site",
        "dc",
        "datacenter",
        "rack",
        "room",
        "building",
        "floor",
        "line",
        "plant",
        "factory",
        "device",
        "sensor",
        "machine",
        "robot",
        "vehicle",
        "station",
        "interface",
        "iface",
        "cpu",
        "disk",
        "path",
        "mode",
        "service",
        "app",
        "application",
        "env",
        "environment",
        "namespace",
        "tenant",
        "customer",
        "broker",
        "topic",
        "location",
        "unit",
        "lang",
    ];
    has_word(name, &WORDS)
}

/// Names of the name in the items of a list of names and values.
pub fn is_item_name(name: &str) -> bool {
    const KNOWN: [&str; 13] = [
        "n",
        "name",
        "key",
        "k",
        "metric",
        "metricname",
        "parameter",
        "param",
        "field",
        "signal",
        "variable",
        "attribute",
        "property",
    ];
    KNOWN.contains(&plain(name).as_str())
}

/// Names of the value in the items of a list of names and values: `value`, `vs`, `stringValue`.
pub fn is_item_value(name: &str) -> bool {
    const KNOWN: [&str; 9] = ["v", "val", "vs", "vb", "vd", "sv", "bv", "fv", "iv"];
    let plain = plain(name);
    KNOWN.contains(&plain.as_str()) || plain.ends_with("value")
}

/// Names of what describes a value in such an item, and is the same for a name.
pub fn is_item_description(name: &str) -> bool {
    has_word(name, &["type", "unit", "units", "u", "uom", "kind", "datatype", "alias"])
}

/// Names of numbers that tell equal things apart: `port`, `channel`, `slotIndex`.
pub fn is_number_of_entity(name: &str) -> bool {
    has_word(
        name,
        &[
            "index",
            "idx",
            "port",
            "slot",
            "channel",
            "number",
            "no",
            "nr",
            "address",
            "register",
            "slave",
            "partition",
        ],
    )
}

/// Whether a name is a plural, as that of several things: `sensors`, `queues`.
pub fn is_plural(name: &str) -> bool {
    /// Words that end like a plural and name one thing, or what was measured of it.
    const NOT: [&str; 10] = [
        "status",
        "stats",
        "statistics",
        "metrics",
        "values",
        "counters",
        "totals",
        "limits",
        "settings",
        "properties",
    ];
    words(name).last().is_some_and(|last| {
        last.ends_with('s') && !last.ends_with("ss") && last.len() > 3 && !NOT.contains(&last.as_str())
    })
}

/// Whether two names are of one thing, as `writerId` and `writerName` are.
pub fn are_of_one_thing(one: &str, other: &str) -> bool {
    let (one, other) = (words(one), words(other));
    let stem = |words: &[String]| words.split_last().map(|(_, stem)| stem.to_vec()).unwrap_or_default();
    !stem(&one).is_empty() && stem(&one) == stem(&other)
}

/// Names of values that may tell sources apart.
pub fn may_identify(name: &str) -> bool {
    identifies(name) || (is_tag(name) && !is_record_identifier(name) && !counts_messages(name))
}

/// Names of values that tell sources apart, and are never measured.
pub fn identifies(name: &str) -> bool {
    const WORDS: [&str; 4] = ["probe", "meter", "gateway", "module"];
    !is_record_identifier(name)
        && !counts_messages(name)
        && (is_identifier(name) || is_number_of_entity(name) || is_serial(name) || has_word(name, &WORDS))
}

/// Names of numbers that a manufacturer or an operator gives to a thing.
pub fn is_serial(name: &str) -> bool {
    has_word(name, &["imei", "imsi", "iccid", "vin", "mac", "eui", "sn"])
}

/// Names of lists of names.
pub fn is_list_of_names(name: &str) -> bool {
    let plain = plain(name);
    ["names", "keys", "labels", "columns", "fields", "headers", "header"]
        .iter()
        .any(|end| plain.ends_with(end))
}

/// Names of numbers about a message, instead of what it measures: sequence numbers, versions, identifiers, times.
pub fn is_bookkeeping(name: &str) -> bool {
    counts_messages(name) || is_identifier(name) || is_time(name)
}

/// Names of numbers that a producer counts or sets, such as sequence numbers and versions.
fn counts_messages(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "seq",
        "seqno",
        "sequence",
        "version",
        "major",
        "minor",
        "revision",
        "temporality",
        "interval",
        "generation",
        "offset",
        "epoch",
    ];
    has_word(name, &WORDS)
}

/// Texts instead of a number that was not measured.
pub fn is_no_value(text: &str) -> bool {
    const KNOWN: [&str; 14] = [
        "unavailable",
        "unknown",
        "none",
        "null",
        "nan",
        "n/a",
        "na",
        "-",
        "--",
        "inf",
        "-inf",
        "+inf",
        "undefined",
        "missing",
    ];
    KNOWN.contains(&text.trim().to_lowercase().as_str())
}

/// Names of objects whose members are tags.
pub fn is_tags(name: &str) -> bool {
    matches!(plain(name).as_str(), "tags" | "labels" | "dimensions")
}

/// Names of values that change for the same entity. As a tag, each change would start a new series.
pub fn is_state(name: &str) -> bool {
    const WORDS: [&str; 17] = [
        "firmware", "fw", "state", "status", "version", "message", "msg", "error", "reason", "result",
        "alarm", "alert", "warning", "level", "severity", "health", "상태",
    ];
    const KINDS: [&str; 5] = ["class", "kind", "type", "name", "unit"];
    // A "state_class" is no state. In a path such as "state/counters/octets", the end says what the value is.
    let words = words(name);
    let is_kind = words.last().is_some_and(|last| KINDS.contains(&last.as_str()));
    words.iter().rev().take(2).any(|word| WORDS.contains(&word.as_str())) && !is_kind
}

/// Names of values that differ for each record, such as the identifier of a message or a session.
pub fn is_record_identifier(name: &str) -> bool {
    const WORDS: [&str; 16] = [
        "collection",
        "batch",
        "frame",
        "session",
        "trace",
        "span",
        "request",
        "correlation",
        "msg",
        "message",
        "event",
        "deduplication",
        "context",
        "payload",
        "transaction",
        "uplink",
    ];
    const ALONE: [&str; 9] =
        ["uuid", "hash", "token", "checksum", "md5", "password", "secret", "cookie", "msgid"];
    let words = words(name);
    let Some(last) = words.last() else { return false };
    // A "request_id" differs, and a "request_method" does not.
    let is_identifier = ["id", "ids", "key"].contains(&last.as_str()) || words.len() == 1;
    ALONE.contains(&last.as_str()) || (is_identifier && has_word(name, &WORDS))
}

/// Names of values that differ for each entity or record.
pub fn is_identifier(name: &str) -> bool {
    const WORDS: [&str; 14] = [
        "id", "ids", "uuid", "guid", "uid", "key", "hash", "token", "checksum", "md5", "serial", "password",
        "secret", "cookie",
    ];
    has_word(name, &WORDS) || is_record_identifier(name) || plain(name).ends_with("uuid")
}

/// Why a topic has no metrics: topics of Kafka and its tools, and dead letters.
pub fn why_no_metrics(topic: &str) -> Option<&'static str> {
    const TOOLS: [&str; 3] = ["connect-configs", "connect-offsets", "connect-status"];
    let lower = topic.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let is_of_streams = ["-changelog", "-repartition"].iter().any(|end| lower.ends_with(end));
    if lower.starts_with('_') || is_of_streams || TOOLS.contains(&lower.as_str()) {
        Some("internal")
    } else if has(&["dead-letter", "dead_letter", "dead.letter", "deadletter"])
        || words(topic).iter().any(|word| matches!(word.as_str(), "dlq" | "dlt"))
    {
        Some("dead letters")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_kinds_of_names() {
        let f = |name: &str, want: &str| {
            let kinds = [
                ("time", is_time(name)),
                ("measurement", measurement_rank(name).is_some()),
                ("tag", is_tag(name)),
                ("state", is_state(name)),
                ("identifier", is_identifier(name)),
            ];
            let got: Vec<&str> = kinds.iter().filter(|(_, is)| *is).map(|(kind, _)| *kind).collect();
            assert_eq!(got.join(" "), want, "{name}");
        };
        f("@timestamp", "time");
        f("eventTime", "time");
        f("created_at", "time");
        f("uptime", "");
        f("response-time", "");
        f("timezone", "");
        f("data", "");
        f("ec2Number", "measurement");
        f("metric_name", "measurement");
        f("hostName", "tag");
        f("deviceId", "tag identifier");
        f("id_str", "identifier");
        f("sessionId", "identifier");
        f("http.request.method", "");
        f("state_class", "");
        f("interface/state/in-octets", "tag");
        f("event_ts", "time");
        f("lastSeen", "");
        f("width", "");
        f("state", "state");
        f("brokerState", "tag state");
        f("측정값", "");
    }

    #[test]
    fn recognizes_topics_without_metrics() {
        let f = |topic: &str, want: Option<&str>| assert_eq!(why_no_metrics(topic), want, "{topic}");
        f("metrics", None);
        f("__consumer_offsets", Some("internal"));
        f("_schemas", Some("internal"));
        f("app-store-changelog", Some("internal"));
        f("metrics-dead-letter", Some("dead letters"));
        f("metrics.DLQ", Some("dead letters"));
        f("orders-dlt", Some("dead letters"));
        f("addltest", None);
    }
}
