//! Reads `[kafka]`.

use super::keys::{self, GROUP_PROTOCOLS, OFFSET_RESETS};
use super::section::{Section, Text};
use super::topics::{self, TopicList};
use super::{librdkafka, managed_kafka, security};
use kafka::Settings;

/// The checked table, and its topics with their places in the file.
pub struct KafkaRead {
    pub kafka: Settings,
    pub topics: TopicList,
}

pub fn read(top: Section<'_>) -> Option<KafkaRead> {
    if !top.has("kafka") {
        top.missing("kafka", "it has the brokers and topics to read");
    }
    let section = top.table("kafka", &keys::KAFKA)?;
    let brokers = brokers(section);
    if !section.has("topics") {
        section.missing("topics", "which topics to read, such as topics = [\"metrics\"]");
    }
    let topics = topics::read(section);
    let (mut properties, oauth) = security::read(section);
    let group_protocol = section.word_or_default("group_protocol", &GROUP_PROTOCOLS);
    properties.extend(librdkafka::properties(section, group_protocol));
    let kafka = Settings {
        group_id: section.text_or_default("group_id"),
        client_id: section.text_or_default("client_id"),
        offset_reset: section.word_or_default("offset_reset", &OFFSET_RESETS),
        group_protocol,
        instance_id: section.text("instance_id").map(|text| text.value),
        consumers: section.number_or_default("consumers") as usize,
        record_bytes_max: section.size_or_default("record_bytes_max") as usize,
        properties,
        oauth,
        brokers: brokers?,
        topics: topics.as_ref()?.topics.clone(),
    };
    managed_kafka::check(section, &kafka);
    Some(KafkaRead { kafka, topics: topics? })
}

/// Reads `brokers`. One string may have several, separated by commas, as in librdkafka's `bootstrap.servers`.
fn brokers(section: Section<'_>) -> Option<Vec<String>> {
    if !section.has("brokers") {
        section.missing("brokers", "where Kafka listens, such as brokers = [\"localhost:9092\"]");
    }
    let mut brokers = Vec::new();
    let mut all_read = true;
    for text in section.text_or_texts("brokers")? {
        for broker in text.value.split(',').map(str::trim).filter(|broker| !broker.is_empty()) {
            match check_broker(broker) {
                Ok(()) => brokers.push(with_port(broker)),
                Err(why) => {
                    section.refuse(&text, format!("{}: {why}", shown_broker(&text, broker)));
                    all_read = false;
                }
            }
        }
    }
    if brokers.is_empty() && all_read {
        section.error("brokers", "`brokers` names none: write at least one \"host:port\"");
    }
    Some(brokers)
}

fn shown_broker(text: &Text, broker: &str) -> String {
    if text.shown() == text.value { format!("{broker:?}") } else { format!("{:?}", text.shown()) }
}

/// The address with its port, so that messages about it name the port too.
fn with_port(broker: &str) -> String {
    let has_port = broker.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    if has_port { broker.to_owned() } else { format!("{broker}:{PORT}") }
}

/// The port that librdkafka takes for an address without one.
const PORT: u16 = 9092;

fn check_broker(broker: &str) -> Result<(), &'static str> {
    const FORM: &str = "a broker is written \"host:port\"";
    if broker.contains("://") {
        return Err("a broker is written \"host:port\", without a scheme; TLS is set in [kafka.tls]");
    }
    let (host, port) = match broker.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (broker, None),
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/') {
        return Err(FORM);
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err("an IPv6 address needs brackets, as in \"[::1]:9092\"");
    }
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => Ok(()),
        Some(_) => Err("the port is a number from 1 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_without_a_port_has_that_of_kafka() {
        let f = |broker: &str, want: &str| assert_eq!(with_port(broker), want);
        f("b-1.example.com", "b-1.example.com:9092");
        f("a:1", "a:1");
        f("[::1]", "[::1]:9092");
        f("[::1]:7", "[::1]:7");
    }

    #[test]
    fn knows_brokers() {
        for broker in
            ["localhost:9092", "b-1.example.com", "10.0.0.1:1", "[::1]:9092", "[::1]", "카프카:9092"]
        {
            assert_eq!(check_broker(broker), Ok(()), "{broker}");
        }
        for broker in [":9092", "a b:9092", "a:0", "a:99999", "a:b", "::1", "http://a:9092", "a/b"] {
            assert!(check_broker(broker).is_err(), "{broker}");
        }
    }
}
