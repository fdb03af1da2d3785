//! The group: who is in it, and whether the bridge can be.

use super::report::{Line, counted, some_of};
use crate::config::Kafka;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::time::Duration;

const GRANT: &str = "grant READ on the group `kafka.group_id` to this user (kafka-acls --add --allow-principal User:NAME --operation Read --group)";

/// The group as its coordinator describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    state: String,
    /// "consumer", unless something else than consumers is in it.
    kind: String,
    /// How its members share partitions.
    strategy: String,
    members: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    client_id: String,
    host: String,
}

/// None: no group of this name.
pub fn describe(
    consumer: &BaseConsumer,
    group_id: &str,
    within: Duration,
) -> Result<Option<Group>, KafkaError> {
    let list = consumer.fetch_group_list(Some(group_id), within)?;
    let found = list.groups().iter().find(|group| group.name() == group_id);
    Ok(found.map(|group| Group {
        state: group.state().to_owned(),
        kind: group.protocol_type().to_owned(),
        strategy: group.protocol().to_owned(),
        members: group
            .members()
            .iter()
            .map(|member| Member {
                client_id: member.client_id().to_owned(),
                host: member.client_host().trim_start_matches('/').to_owned(),
            })
            .collect(),
    }))
}

/// That the coordinator does not answer.
pub fn refused(group_id: &str, error: &KafkaError) -> Line {
    match error.rdkafka_error_code() {
        Some(Code::GroupAuthorizationFailed) => {
            Line::failed(format!("group {group_id}: this user may not use it"), GRANT)
        }
        Some(Code::UnsupportedFeature) => {
            Line::passed(format!("group {group_id}: these brokers do not tell who is in it"))
        }
        code => {
            let why = code.map_or_else(|| error.to_string(), |code| code.to_string());
            Line::failed(
                format!("group {group_id}: its coordinator does not answer: {why}"),
                "are all brokers up and reachable from here, and is __consumer_offsets whole?",
            )
        }
    }
}

pub fn judge(kafka: &Kafka, group: Option<&Group>) -> Line {
    let strategy = kafka.properties.iter().rev().find(|(name, _)| name == "partition.assignment.strategy");
    let strategy = strategy.map_or("cooperative-sticky", |(_, value)| value.expose());
    let what = format!("group {}", kafka.group_id);
    match group.filter(|group| !group.members.is_empty()) {
        None => Line::passed(format!("{what}: nobody is in it now")),
        Some(group) => group.judge(&what, strategy, &kafka.client_id),
    }
}

impl Group {
    fn judge(&self, what: &str, ours: &str, client_id: &str) -> Line {
        let shares = ours.split(',').any(|one| one.trim() == self.strategy);
        let is_rebalancing = self.strategy.is_empty() && (self.kind.is_empty() || self.kind == "consumer");
        let replaced = self.members.iter().find_map(Member::program);
        let who = self.who();
        if !self.kind.is_empty() && self.kind != "consumer" {
            return Line::failed(
                format!("{what}: it is no group of consumers, but of the kind {:?}: {who}", self.kind),
                "take another `kafka.group_id`",
            );
        }
        if shares || (is_rebalancing && replaced.is_none()) {
            let strangers = self.members.iter().any(|member| !member.is_bridge(client_id));
            if strangers {
                return Line::warned(
                    format!("{what}: {who} share the partitions with this bridge"),
                    "each record comes to one of them only: stop them, or take another `kafka.group_id`, to get all",
                );
            }
            return Line::passed(format!("{what}: {who}"));
        }
        let how = if is_rebalancing { "another strategy" } else { &self.strategy };
        let running = replaced.map_or("its members", |program| program);
        Line::failed(
            format!("{what}: {who}, sharing partitions by {how}, so that a bridge (by {ours}) can't join"),
            format!("stop {running} first, or take another `kafka.group_id`"),
        )
    }

    /// `2 members: a running Telegraf (Telegraf at 10.0.0.1) ...`
    fn who(&self) -> String {
        let named: Vec<String> = self.members.iter().map(Member::words).collect();
        format!("{}, {}", counted(self.members.len(), "member"), some_of(&named))
    }
}

impl Member {
    /// Of those that a bridge may replace, by what they call themselves unless told otherwise.
    fn program(&self) -> Option<&'static str> {
        let id = self.client_id.to_ascii_lowercase();
        let known = [
            ("telegraf", "Telegraf"),
            ("sarama", "Telegraf"),
            ("logstash", "Logstash"),
            ("fluent", "Fluentd"),
            ("ruby-kafka", "Fluentd"),
            ("vector", "Vector"),
            ("connector-consumer-", "Kafka Connect"),
        ];
        known.iter().find(|(part, _)| id.contains(part)).map(|(_, name)| *name)
    }

    fn is_bridge(&self, client_id: &str) -> bool {
        self.client_id.starts_with(client_id) || self.client_id.contains("kafka-influx-bridge")
    }

    fn words(&self) -> String {
        let Self { client_id, host } = self;
        match self.program() {
            Some(program) => format!("a running {program} ({client_id} at {host})"),
            None => format!("{client_id} at {host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(strategy: &str, members: &[&str]) -> Group {
        let member = |id: &&str| Member { client_id: (*id).into(), host: "10.0.0.1".into() };
        Group {
            state: "Stable".into(),
            kind: "consumer".into(),
            strategy: strategy.into(),
            members: members.iter().map(member).collect(),
        }
    }

    #[test]
    fn names_who_keeps_the_bridge_out() {
        let f = |group: &Group, want: &str| {
            let line = group.judge("group g", "cooperative-sticky", "bridge").to_string();
            assert!(line.starts_with(want), "{line}");
        };
        f(&group("cooperative-sticky", &["bridge-1"]), "ok      group g: 1 member, bridge-1 at 10.0.0.1");
        f(&group("", &["bridge"]), "ok      group g: 1 member");
        f(
            &group("cooperative-sticky", &["bridge", "other"]),
            "warn    group g: 2 members, bridge at 10.0.0.1, other at 10.0.0.1 share the partitions with this bridge: each",
        );
        let telegraf = "FAILED  group g: 1 member, a running Telegraf (Telegraf at 10.0.0.1), sharing partitions by range, so \
                        that a bridge (by cooperative-sticky) can't join: stop Telegraf first, or take another `kafka.group_id`";
        f(&group("range", &["Telegraf"]), telegraf);
        f(
            &group("", &["sarama"]),
            "FAILED  group g: 1 member, a running Telegraf (sarama at 10.0.0.1), sharing partitions by another",
        );
        f(&group("range", &["logstash-0"]), "FAILED  group g: 1 member, a running Logstash (logstash-0");
        f(
            &group("roundrobin", &["x"]),
            "FAILED  group g: 1 member, x at 10.0.0.1, sharing partitions by roundrobin",
        );
        let connect = Group { kind: "connect".into(), ..group("", &["c"]) };
        f(&connect, "FAILED  group g: it is no group of consumers, but of the kind \"connect\"");
    }

    #[test]
    fn shares_as_the_configuration_says() {
        let group = group("range", &["bridge"]);
        assert!(matches!(group.judge("g", "range,roundrobin", "bridge"), Line::Passed(_)));
    }

    #[test]
    fn names_what_to_grant() {
        let line = refused("g", &KafkaError::OffsetFetch(Code::GroupAuthorizationFailed)).to_string();
        assert!(
            line.starts_with("FAILED  group g: this user may not use it: grant READ on the group"),
            "{line}"
        );
    }
}
