//! The bridge.toml of a test that uses no example.

use super::live::variable;
use super::{Influx, Kafka};

/// Reads one topic, with a group of the same name, and writes to InfluxDB 2. Tests add keys to each table.
pub struct Config<'a> {
    pub kafka: &'a Kafka,
    pub topic: &'a str,
    pub group: &'a str,
    /// Lines for `[kafka]`, for `[[mapping]]`, and before all tables.
    pub kafka_more: &'a str,
    pub mapping: &'a str,
    pub top: &'a str,
    /// The table `[influx]` without its header.
    pub influx: String,
}

impl<'a> Config<'a> {
    /// The group has the topic's name.
    pub fn new(kafka: &'a Kafka, topic: &'a str, influx: String) -> Self {
        Self { kafka, topic, group: topic, kafka_more: "", mapping: "", top: "", influx }
    }

    pub fn kafka_more(self, kafka_more: &'a str) -> Self {
        Self { kafka_more, ..self }
    }

    pub fn mapping(self, mapping: &'a str) -> Self {
        Self { mapping, ..self }
    }

    pub fn group(self, group: &'a str) -> Self {
        Self { group, ..self }
    }

    pub fn top(self, top: &'a str) -> Self {
        Self { top, ..self }
    }

    pub fn text(&self) -> String {
        // A literal string keeps the backslashes of a regular expression.
        format!(
            "{}\n[kafka]\nbrokers = {}\ntopics = ['{}']\ngroup_id = '{}'\n{}\n[[mapping]]\n{}\n[influx]\n{}\n",
            self.top,
            self.kafka.brokers_toml(),
            self.topic,
            self.group,
            self.kafka_more,
            self.mapping,
            self.influx,
        )
    }
}

/// `[influx]` of InfluxDB 2 or of a compatible server.
pub fn v2(influx: &Influx, bucket: &str) -> String {
    v2_with(influx.url(), bucket, &variable("INFLUX2_TOKEN"))
}

pub fn v2_with(url: &str, bucket: &str, token: &str) -> String {
    let org = variable("INFLUX2_ORG");
    format!("url = '{url}'\norg = '{org}'\nbucket = '{bucket}'\ntoken = '{token}'")
}

/// `[influx]` of InfluxDB 1, with the further lines `more`.
pub fn v1(influx: &Influx, database: &str, more: &str) -> String {
    format!("url = '{}'\napi = 'v1'\ndatabase = '{database}'\n{more}", influx.url())
}
