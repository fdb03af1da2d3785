//! Describes why the group refuses this member.

use super::context::GroupConsumer;
use base::text::printable;
use rdkafka::consumer::Consumer;
use std::time::Duration;

const REQUEST_MAX: Duration = Duration::from_secs(3);
/// Members that the message names.
const NAMED_MAX: usize = 5;

/// Why a member with these strategies can't join, and what to do.
pub fn why_incompatible(consumer: &GroupConsumer, group_id: &str, strategies: Option<&str>) -> String {
    let groups = consumer.fetch_group_list(Some(group_id), REQUEST_MAX);
    let group = groups.as_ref().ok().and_then(|list| list.groups().first());
    let theirs = group.map(rdkafka::groups::GroupInfo::protocol).filter(|protocol| !protocol.is_empty());
    let members = group.map_or(&[][..], |group| group.members());
    let named: Vec<(&str, &str)> =
        members.iter().map(|member| (member.client_id(), member.client_host())).collect();
    words(group_id, strategies.unwrap_or("the brokers' choice"), theirs, &named)
}

fn words(group_id: &str, ours: &str, theirs: Option<&str>, members: &[(&str, &str)]) -> String {
    let who = if members.is_empty() { String::new() } else { format!(" ({})", named(members)) };
    let theirs =
        theirs.map_or("another strategy".to_owned(), |theirs| format!("{:?}", printable(theirs, 100)));
    let as_they_do = if theirs.starts_with('"') {
        format!(", or use their strategy: \"partition.assignment.strategy\" = {theirs} in [kafka.librdkafka]")
    } else {
        String::new()
    };
    format!(
        "the group {group_id} can't be joined: its members{who} assign partitions by {theirs}, this one by {ours:?}. No records are read \
         until then. Stop them first if one is a Telegraf that this bridge replaces, take another `kafka.group_id`{as_they_do}"
    )
}

fn named(members: &[(&str, &str)]) -> String {
    let names = members.iter().take(NAMED_MAX).map(|(client_id, host)| {
        let (client_id, host) = (printable(client_id, 100), printable(host, 100));
        format!("{client_id} at {}", host.trim_start_matches('/'))
    });
    let names = names.collect::<Vec<_>>().join(", ");
    match members.len().saturating_sub(NAMED_MAX) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_members_that_use_another_strategy() {
        let f = |theirs: Option<&str>, members: &[(&str, &str)], want: &str| {
            assert_eq!(words("g", "cooperative-sticky", theirs, members), want);
        };
        f(
            Some("range"),
            &[("telegraf", "/10.0.0.1")],
            "the group g can't be joined: its members (telegraf at 10.0.0.1) assign partitions by \"range\", this one by \
             \"cooperative-sticky\". No records are read until then. Stop them first if one is a Telegraf that this bridge replaces, take another \
             `kafka.group_id`, or use their strategy: \"partition.assignment.strategy\" = \"range\" in [kafka.librdkafka]",
        );
        f(
            None,
            &[],
            "the group g can't be joined: its members assign partitions by another strategy, this one by \
             \"cooperative-sticky\". No records are read until then. Stop them first if one is a Telegraf that this bridge replaces, take another \
             `kafka.group_id`",
        );
        assert_eq!(named(&[("a", "/b"); 7]), "a at b, a at b, a at b, a at b, a at b and 2 more");
    }
}
