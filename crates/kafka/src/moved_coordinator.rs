//! Finds a group coordinator whose address librdkafka does not follow.
//!
//! librdkafka (2.12.1) copies the coordinator's address when the coordinator's broker id changes (`rd_kafka_cgrp_coord_update`). A broker
//! that keeps its id and advertises another address leaves the group's connection at the old address for good: no partition is assigned
//! again until the client is created anew.

use rdkafka::statistics::{Broker, Statistics};

/// Statistics in a row that must agree: 30 s with the bridge's own interval of statistics. A coordinator that is only down, or was
/// moved a moment ago, is no reason to end.
const AGREEING: u32 = 6;

/// Watches the group's coordinator.
#[derive(Debug, Default)]
pub struct CoordinatorWatch {
    agreeing: u32,
}

impl CoordinatorWatch {
    /// Evaluates new statistics. Returns the old address once the group's connection is stuck there.
    pub fn update(&mut self, statistics: &Statistics) -> Option<String> {
        let Some(old) = outdated(statistics.brokers.values()) else {
            self.agreeing = 0;
            return None;
        };
        self.agreeing = self.agreeing.saturating_add(1);
        (self.agreeing >= AGREEING).then(|| old.to_owned())
    }
}

/// The coordinator's address, where its connection is down, no broker of the cluster has this address, and a broker answers, so that
/// the addresses are fresh.
fn outdated<'a>(brokers: impl Iterator<Item = &'a Broker> + Clone) -> Option<&'a str> {
    let coordinator = brokers.clone().find(|broker| broker.name.starts_with("GroupCoordinator"))?;
    let mut learned = brokers.filter(|broker| broker.source == "learned");
    let is_known = learned.clone().any(|broker| broker.nodename == coordinator.nodename);
    let is_stuck = coordinator.state != "UP" && !coordinator.nodename.is_empty() && !is_known;
    (is_stuck && learned.any(|broker| broker.state == "UP")).then_some(coordinator.nodename.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(name: &str, source: &str, nodename: &str, state: &str) -> (String, Broker) {
        let text = |text: &str| text.to_owned();
        let broker = Broker {
            name: text(name),
            source: text(source),
            nodename: text(nodename),
            state: text(state),
            ..Broker::default()
        };
        (text(name), broker)
    }

    fn statistics(coordinator: (&str, &str), learned: &[(&str, &str)]) -> Statistics {
        let (nodename, state) = coordinator;
        let mut statistics = Statistics::default();
        statistics.brokers.extend([broker("GroupCoordinator", "logical", nodename, state)]);
        let learned = learned.iter().map(|(at, state)| broker(&format!("{at}/1"), "learned", at, state));
        statistics.brokers.extend(learned);
        statistics
    }

    #[test]
    fn reports_only_a_coordinator_that_is_stuck_at_an_old_address() {
        let f = |statistics: &Statistics, want: Option<&str>| {
            let mut moved = CoordinatorWatch::default();
            for _ in 1..AGREEING {
                assert_eq!(moved.update(statistics), None);
            }
            assert_eq!(moved.update(statistics).as_deref(), want);
        };
        f(&statistics(("old:1", "TRY_CONNECT"), &[("new:1", "UP")]), Some("old:1"));
        f(&statistics(("old:1", "TRY_CONNECT"), &[("new:1", "UP"), ("other:1", "DOWN")]), Some("old:1"));
        // The coordinator is only down, no broker returns new addresses, the connection works, or there was none yet.
        f(&statistics(("old:1", "TRY_CONNECT"), &[("old:1", "DOWN"), ("other:1", "UP")]), None);
        f(&statistics(("old:1", "TRY_CONNECT"), &[("new:1", "CONNECT")]), None);
        f(&statistics(("old:1", "UP"), &[("new:1", "UP")]), None);
        f(&statistics(("", "INIT"), &[("new:1", "UP")]), None);
        f(&Statistics::default(), None);
    }

    #[test]
    fn a_client_that_reaches_the_new_address_in_time_is_not_reported() {
        let stuck = statistics(("old:1", "TRY_CONNECT"), &[("new:1", "UP")]);
        let mut moved = CoordinatorWatch::default();
        for _ in 1..AGREEING {
            assert_eq!(moved.update(&stuck), None);
        }
        assert_eq!(moved.update(&statistics(("new:1", "UP"), &[("new:1", "UP")])), None);
        assert_eq!(moved.update(&stuck), None);
    }
}
