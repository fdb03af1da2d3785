//! Reads `[kafka.librdkafka]`: client properties by their names in librdkafka.

use super::mask::is_secret_name;
use super::section::Section;
use super::security::{no_kerberos, not_built};
use super::source::Span;
use base::secret::Secret;
use base::suggest::nearest;
use kafka::GroupProtocol;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Properties that the bridge sets itself, with the key or the reason.
const OWNED: [(&str, &str); 14] = [
    ("bootstrap.servers", "write `brokers` in [kafka]"),
    ("metadata.broker.list", "write `brokers` in [kafka]"),
    ("group.id", "write `group_id` in [kafka]"),
    ("client.id", "write `client_id` in [kafka]"),
    ("group.instance.id", "write `instance_id` in [kafka]"),
    ("group.protocol", "write `group_protocol` in [kafka]"),
    ("auto.offset.reset", "write `offset_reset` in [kafka]"),
    ("enable.auto.offset.store", "offsets are stored only of settled records, or a crash would lose some"),
    ("enable.auto.commit", "offsets are committed only of settled records, or a crash would lose some"),
    ("auto.commit.enable", "offsets are committed only of settled records, or a crash would lose some"),
    ("offset.store.method", "offsets are kept in Kafka, where the other members of the group find them"),
    ("enable.partition.eof", "the bridge finds the end of a partition by itself"),
    ("rebalance_cb", "the bridge handles rebalances itself"),
    ("plugin.library.paths", "foreign code is not loaded into the bridge"),
];

/// Properties that have no effect with the other group protocol. librdkafka refuses those of the classic one.
const OF_PROTOCOL: [(&str, GroupProtocol, &str); 5] = [
    (
        "session.timeout.ms",
        GroupProtocol::Classic,
        "the brokers define it, as group.consumer.session.timeout.ms: take it out",
    ),
    (
        "heartbeat.interval.ms",
        GroupProtocol::Classic,
        "the brokers define it, as group.consumer.heartbeat.interval.ms: take it out",
    ),
    (
        "partition.assignment.strategy",
        GroupProtocol::Classic,
        "the brokers assign the partitions: take it out, or name one of their assignors with \"group.remote.assignor\"",
    ),
    ("group.protocol.type", GroupProtocol::Classic, "take it out"),
    ("group.remote.assignor", GroupProtocol::Consumer, "write \"partition.assignment.strategy\" instead"),
];

/// Properties of other clients, with their counterpart.
const FOREIGN: [(&str, &str); 14] = [
    ("max.poll.records", "it is not needed: records are taken in batches, see [batch]"),
    ("key.deserializer", "a mapping's `format` says how records are read"),
    ("value.deserializer", "a mapping's `format` says how records are read"),
    ("fetch.max.wait.ms", "librdkafka calls it \"fetch.wait.max.ms\""),
    ("receive.buffer.bytes", "librdkafka calls it \"socket.receive.buffer.bytes\""),
    ("send.buffer.bytes", "librdkafka calls it \"socket.send.buffer.bytes\""),
    ("default.api.timeout.ms", "librdkafka calls it \"socket.timeout.ms\""),
    ("ssl.truststore.location", "write the certificates as PEM into `ca_file` of [kafka.tls]"),
    ("ssl.truststore.password", "write the certificates as PEM into `ca_file` of [kafka.tls]"),
    ("ssl.truststore.type", "write the certificates as PEM into `ca_file` of [kafka.tls]"),
    ("ssl.protocol", "TLS 1.2 and 1.3 are spoken"),
    ("sasl.jaas.config", "write `username` and `password` in [kafka.sasl]"),
    ("sasl.login.callback.handler.class", "Java classes can't be loaded"),
    ("sasl.client.callback.handler.class", "Java classes can't be loaded"),
];

/// Common properties, to suggest one for a misspelt name. librdkafka offers no list of its properties.
const COMMON: [&str; 38] = [
    "allow.auto.create.topics",
    "broker.address.family",
    "broker.address.ttl",
    "check.crcs",
    "client.dns.lookup",
    "client.rack",
    "connections.max.idle.ms",
    "debug",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "group.remote.assignor",
    "heartbeat.interval.ms",
    "isolation.level",
    "log_level",
    "max.poll.interval.ms",
    "metadata.max.age.ms",
    "partition.assignment.strategy",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "receive.message.max.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "sasl.mechanisms",
    "security.protocol",
    "session.timeout.ms",
    "socket.keepalive.enable",
    "socket.receive.buffer.bytes",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "statistics.interval.ms",
    "topic.metadata.refresh.interval.ms",
];

/// Whether the property asks for Kerberos.
fn is_kerberos(name: &str, value: &DeValue<'_>) -> bool {
    let is_mechanism = matches!(name, "sasl.mechanism" | "sasl.mechanisms");
    name.starts_with("sasl.kerberos.")
        || (is_mechanism && value.as_str().is_some_and(|value| value.eq_ignore_ascii_case("GSSAPI")))
}

/// Reads every property of the table, and reports those that librdkafka refuses.
pub fn properties(kafka: Section<'_>, protocol: GroupProtocol) -> Vec<(String, Secret)> {
    let mut properties = Vec::new();
    if let Some(value) = kafka.value("librdkafka") {
        match value.get_ref() {
            DeValue::Table(table) => collect(kafka, protocol, "", table, &mut properties),
            _ => kafka.wrong_kind(value, "librdkafka", "a table"),
        }
    }
    properties
}

/// Joins dotted names again: TOML reads `fetch.min.bytes = 1` without quotes as tables in tables.
fn collect(
    kafka: Section<'_>,
    protocol: GroupProtocol,
    parent: &str,
    table: &DeTable<'_>,
    properties: &mut Vec<(String, Secret)>,
) {
    for (key, value) in table {
        let name =
            if parent.is_empty() { key.get_ref().to_string() } else { format!("{parent}.{}", key.get_ref()) };
        if let DeValue::Table(table) = value.get_ref() {
            collect(kafka, protocol, &name, table, properties);
        } else if let Some((_, why)) = OWNED.iter().find(|(owned, _)| *owned == name) {
            kafka.context.error(&key.span(), format!("{name:?} belongs to the bridge: {why}"));
        } else if let Some((_, advice)) = FOREIGN.iter().find(|(foreign, _)| *foreign == name) {
            kafka.context.error(&key.span(), format!("{name:?} belongs to another Kafka client: {advice}"));
        } else if is_kerberos(&name, value.get_ref()) {
            kafka.context.error(&key.span(), no_kerberos());
        } else if let Some((.., advice)) =
            OF_PROTOCOL.iter().find(|(property, its, _)| *property == name && *its != protocol)
        {
            let set = if protocol == GroupProtocol::Consumer { "consumer" } else { "classic" };
            let message = format!("{name:?} has no meaning with group_protocol = {set:?}: {advice}");
            kafka.context.error(&key.span(), message);
        } else if let Some(property) = property(kafka, &key.span(), &name, value) {
            properties.push((name, property));
        }
    }
}

fn property(kafka: Section<'_>, key: &Span, name: &str, value: &Spanned<DeValue<'_>>) -> Option<Secret> {
    let property = match value.get_ref() {
        DeValue::String(_) if is_secret_name(name) => kafka.secret_of(name, value)?.secret(),
        DeValue::String(_) => kafka.text_of(name, value)?.secret(),
        DeValue::Integer(number) => Secret::new(number.to_string()),
        DeValue::Float(number) => Secret::new(number.as_str()),
        DeValue::Boolean(flag) => Secret::new(flag.to_string()),
        _ => {
            kafka.wrong_kind(value, name, "a string, a number or true or false");
            return None;
        }
    };
    match refusal(name, property.expose()) {
        None => Some(property),
        Some(Refusal::UnknownName) => {
            kafka.context.error(key, format!("librdkafka has no property {name:?}{}", advise(name)));
            None
        }
        Some(Refusal::NotBuilt) if kafka.context.has_kafka_tls => Some(property),
        Some(Refusal::NotBuilt) => {
            kafka.context.error(&value.span(), not_built(name));
            None
        }
        Some(Refusal::BadValue(why)) => {
            let is_secret =
                is_secret_name(name) || value.get_ref().as_str().is_some_and(|v| v.contains("${"));
            let why = if is_secret { format!("librdkafka refuses the value of {name:?}") } else { why };
            kafka.context.error(&value.span(), why);
            None
        }
    }
}

enum Refusal {
    UnknownName,
    BadValue(String),
    /// The property or value needs OpenSSL, which this build does not have.
    NotBuilt,
}

/// librdkafka's verdict on one property. No client is created.
fn refusal(name: &str, value: &str) -> Option<Refusal> {
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => None,
        Err(KafkaError::ClientConfig(rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            Some(Refusal::UnknownName)
        }
        Err(KafkaError::ClientConfig(_, why, ..))
            if why.contains("OpenSSL") && why.contains("not available at build time") =>
        {
            Some(Refusal::NotBuilt)
        }
        Err(KafkaError::ClientConfig(_, why, ..)) => {
            Some(Refusal::BadValue(format!("librdkafka says: {why}")))
        }
        Err(error) => Some(Refusal::BadValue(format!("librdkafka says: {error}"))),
    }
}

fn advise(name: &str) -> String {
    match nearest(name, COMMON) {
        Some(known) => format!("; did you mean {known:?}?"),
        None => ": its CONFIGURATION.md lists them all".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_librdkafkas() {
        for name in COMMON {
            assert!(!matches!(refusal(name, ""), Some(Refusal::UnknownName)), "{name}");
        }
        for (name, _) in FOREIGN {
            assert!(refusal(name, "1").is_some(), "{name} means something to librdkafka");
        }
        for (name, _) in OWNED {
            assert!(!matches!(refusal(name, ""), Some(Refusal::UnknownName)), "{name}");
        }
    }
}
