//! The consumer group: its members, and whether the bridge can join.

use super::report::{Line, some_of};
use base::text::counted;
use kafka::Settings;
use kafka::{Fault, GroupDescription, GroupMember};
use rdkafka::error::RDKafkaErrorCode as Code;

/// The line about the group, from the coordinator's responses to the requests for committed offsets and for the group's description.
pub fn line(
    kafka: &Settings,
    committed: Result<(), Option<Code>>,
    described: Result<GroupDescription, Code>,
) -> Line {
    const DENIED: Code = Code::GroupAuthorizationFailed;
    match (committed, described) {
        // A client without permission to find the coordinator waits for it, so one request may time out.
        (Err(Some(DENIED)), _) | (_, Err(DENIED)) => not_allowed(kafka),
        (_, Ok(group)) if group.may_read == Some(false) => not_allowed(kafka),
        (Err(code), _) => refused(&kafka.group_id, code),
        (Ok(()), Err(code)) => refused(&kafka.group_id, Some(code)),
        (Ok(()), Ok(group)) => judge(kafka, &group),
    }
}

/// The line for a failed request.
fn refused(group_id: &str, code: Option<Code>) -> Line {
    match code {
        Some(Code::InconsistentGroupProtocol) => Line::failed(
            format!(
                "group {group_id}: its members are not consumers, but for example workers of Kafka Connect"
            ),
            "set another `kafka.group_id`",
        ),
        Some(Code::UnsupportedFeature) => {
            Line::passed(format!("group {group_id}: the brokers do not list its members"))
        }
        code => {
            let why = code.map_or_else(|| "no error code".to_owned(), |code| code.to_string());
            Line::failed(
                format!("group {group_id}: its coordinator does not answer: {why}"),
                "are all brokers up and reachable from here, and does __consumer_offsets have all partitions?",
            )
        }
    }
}

/// The line with the ACL to grant. The name of the user is known only if the login has one.
fn not_allowed(kafka: &Settings) -> Line {
    let (group_id, user) = (&kafka.group_id, kafka.property("sasl.username").unwrap_or("NAME"));
    Line::failed(
        format!("group {group_id}: {}", Fault::GroupDenied.what()),
        format!(
            "{} (kafka-acls --add --allow-principal 'User:{user}' --operation Read --group '{group_id}')",
            Fault::GroupDenied.remedy()
        ),
    )
}

fn judge(kafka: &Settings, group: &GroupDescription) -> Line {
    judge_members(&format!("group {}", kafka.group_id), group, kafka.strategies(), &kafka.client_id)
}

fn judge_members(what: &str, group: &GroupDescription, ours: Option<&str>, client_id: &str) -> Line {
    if group.members.is_empty() {
        return Line::passed(format!("{what}: it has no members, and this user may join it"));
    }
    let members = describe_members(&group.members);
    let other_tool = group.members.iter().find_map(program);
    let is_rebalancing = group.strategy.is_empty();
    if !group.accepts(ours) && (!is_rebalancing || other_tool.is_some()) {
        let ours = ours.unwrap_or("the brokers' choice");
        let how = if is_rebalancing { "another strategy" } else { &group.strategy };
        let running = other_tool.unwrap_or("its members");
        return Line::failed(
            format!(
                "{what}: {members} in the group, with the assignment strategy {how}, while the bridge uses {ours}"
            ),
            format!("stop {running} first, or set another `kafka.group_id`"),
        );
    }
    let is_stranger = |member: &GroupMember| {
        !member.client_id.starts_with(client_id) && !member.client_id.contains("kafka-influx-bridge")
    };
    if group.members.iter().any(is_stranger) {
        return Line::warned(
            format!("{what}: {members} share the partitions with this bridge"),
            "each record goes to one member only: to read all records, stop the others, or set another `kafka.group_id`",
        );
    }
    Line::passed(format!("{what}: {members} in the group, and this bridge gets its share of partitions"))
}

fn describe_members(members: &[GroupMember]) -> String {
    let named: Vec<String> = members.iter().map(describe).collect();
    format!("{}, {},", counted(members.len(), "member"), some_of(&named))
}

fn describe(member: &GroupMember) -> String {
    let (client_id, host) = (&member.client_id, member.host.trim_start_matches('/'));
    match program(member) {
        Some(program) => format!("a running {program} ({client_id} at {host})"),
        None => format!("{client_id} at {host}"),
    }
}

/// Name of the program, recognized by its default client id.
fn program(member: &GroupMember) -> Option<&'static str> {
    let id = member.client_id.to_ascii_lowercase();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn group(strategy: &str, members: &[&str]) -> GroupDescription {
        let member = |id: &&str| GroupMember { client_id: (*id).into(), host: "/10.0.0.1".into() };
        GroupDescription {
            strategy: strategy.into(),
            members: members.iter().map(member).collect(),
            may_read: Some(true),
            has_consumer_protocol: false,
        }
    }

    #[test]
    fn names_members_that_keep_the_bridge_out() {
        let f = |group: &GroupDescription, want: &str| {
            let line = judge_members("group g", group, Some("cooperative-sticky"), "bridge").to_string();
            assert!(line.starts_with(want), "{line}");
        };
        f(&group("", &[]), "ok      group g: it has no members, and this user may join it");
        f(
            &group("cooperative-sticky", &["bridge-1"]),
            "ok      group g: 1 member, bridge-1 at 10.0.0.1, in the group, and this bridge gets its share of partitions",
        );
        f(&group("", &["bridge"]), "ok      group g: 1 member");
        f(
            &group("cooperative-sticky", &["bridge", "other"]),
            "warn    group g: 2 members, bridge at 10.0.0.1, other at 10.0.0.1, share the partitions with this bridge: each",
        );
        f(
            &group("range", &["Telegraf"]),
            "FAILED  group g: 1 member, a running Telegraf (Telegraf at 10.0.0.1), in the group, with the assignment strategy range, \
             while the bridge uses cooperative-sticky: stop Telegraf first, or set another `kafka.group_id`",
        );
        f(
            &group("", &["sarama"]),
            "FAILED  group g: 1 member, a running Telegraf (sarama at 10.0.0.1), in the group, with the assignment strategy another",
        );
        f(&group("range", &["logstash-0"]), "FAILED  group g: 1 member, a running Logstash (logstash-0");
        f(
            &group("roundrobin", &["x"]),
            "FAILED  group g: 1 member, x at 10.0.0.1, in the group, with the assignment strategy roundrobin",
        );
    }

    #[test]
    fn uses_the_configured_strategy() {
        let group = group("range", &["bridge"]);
        let passes = |group: &GroupDescription, ours: Option<&str>| {
            matches!(judge_members("g", group, ours, "bridge"), Line::Passed(_))
        };
        assert!(passes(&group, Some("range,roundrobin")));
        assert!(!passes(&group, Some("roundrobin")));
        assert!(passes(&group, None), "the brokers convert a classic group");
        let consumer = GroupDescription { strategy: "uniform".into(), has_consumer_protocol: true, ..group };
        assert!(passes(&consumer, None) && passes(&consumer, Some("roundrobin")));
    }

    /// Either request may time out, because a client without permission to find the coordinator waits for it.
    #[test]
    fn a_denied_group_is_reported_with_the_acl_to_grant() {
        let text = "[kafka]\nbrokers = 'b:1'\ntopics = 't'\ngroup_id = 'g'\n[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'tower'\n\
             password = 'hidden'\n[[mapping]]\n[influx]\nurl = 'http://h'\napi = 'v1'\ndatabase = 'd'";
        let kafka =
            configuration::parse(std::path::Path::new("b.toml"), text, &|_| None).unwrap().config.kafka;
        let denied = Code::GroupAuthorizationFailed;
        let allowed = || Ok(group("", &[]));
        let may_not_read = || Ok(GroupDescription { may_read: Some(false), ..group("", &[]) });
        let f =
            |committed: Result<(), Option<Code>>, described: Result<GroupDescription, Code>, want: &str| {
                let line = line(&kafka, committed, described).to_string();
                assert!(line.starts_with(want) && !line.contains("hidden"), "{line}");
            };
        let want = "FAILED  group g: this user may not use the group: grant READ on the group `kafka.group_id` (kafka-acls --add \
                    --allow-principal 'User:tower' --operation Read --group 'g')";
        f(Err(Some(denied)), allowed(), want);
        f(Err(Some(Code::OperationTimedOut)), Err(denied), want);
        f(Err(Some(denied)), Err(Code::OperationTimedOut), want);
        f(Ok(()), Err(denied), want);
        f(Ok(()), may_not_read(), want);
        f(Err(Some(Code::OperationTimedOut)), may_not_read(), want);
        f(
            Err(Some(Code::OperationTimedOut)),
            Err(Code::OperationTimedOut),
            "FAILED  group g: its coordinator does not answer",
        );
        f(Err(None), allowed(), "FAILED  group g: its coordinator does not answer: no error code");
        f(Ok(()), Err(Code::UnsupportedFeature), "ok      group g: the brokers do not list");
        f(Ok(()), allowed(), "ok      group g: it has no members");
    }
}
