//! How librdkafka does: of its hundreds of numbers those that tell trouble with brokers from trouble elsewhere.

use rdkafka::statistics::{Broker, Statistics};

/// Brokers that are told of; a client that reads speaks to those that lead its partitions.
const BROKERS_MAX: usize = 100;
/// Where an address of `kafka.brokers` is not known to be a broker's own.
const NO_BROKER: i32 = -1;

/// One consumer's client.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientState {
    /// Whether it has its share of the group.
    pub is_member: bool,
    pub rebalance_age_seconds: f64,
    /// Fetched and not taken yet.
    pub fetch_queue_records: i64,
    pub fetch_queue_bytes: u64,
    pub brokers: Vec<BrokerState>,
}

/// A client's view of one broker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrokerState {
    /// Host, port and number, as librdkafka names it.
    pub name: String,
    pub is_connected: bool,
    pub disconnects: u64,
    pub timeouts: u64,
    /// Requests that could not be sent, and answers with errors.
    pub errors: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// Of the last few seconds.
    pub round_trip_seconds: Option<f64>,
    pub round_trip_p99_seconds: Option<f64>,
    pub throttle_seconds: f64,
}

impl ClientState {
    pub fn of(statistics: &Statistics) -> Self {
        let assigned = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let assigned: Vec<_> =
            assigned.filter(|partition| partition.partition >= 0 && partition.desired).collect();
        let group = statistics.cgrp.as_ref();
        let mut brokers: Vec<&Broker> =
            statistics.brokers.values().filter(|broker| is_told(broker)).collect();
        if brokers.iter().any(|broker| broker.nodeid != NO_BROKER) {
            brokers.retain(|broker| broker.nodeid != NO_BROKER);
        }
        brokers.sort_by(|a, b| (a.nodeid, &a.name).cmp(&(b.nodeid, &b.name)));
        brokers.truncate(BROKERS_MAX);
        Self {
            is_member: group.is_some_and(|group| group.join_state == "steady"),
            rebalance_age_seconds: group.map_or(0.0, |group| group.rebalance_age.max(0) as f64 / 1e3),
            fetch_queue_records: assigned.iter().map(|partition| partition.fetchq_cnt.max(0)).sum(),
            fetch_queue_bytes: assigned.iter().map(|partition| partition.fetchq_size).sum(),
            brokers: brokers.into_iter().map(BrokerState::of).collect(),
        }
    }
}

/// The group's coordinator is listed a second time under a name of its own.
fn is_told(broker: &Broker) -> bool {
    broker.source == "learned" || broker.source == "configured"
}

impl BrokerState {
    fn of(broker: &Broker) -> Self {
        // librdkafka leaves out a count that is still zero.
        let positive = |number: Option<i64>| u64::try_from(number.unwrap_or(0)).unwrap_or(0);
        let round_trip = broker.rtt.as_ref().filter(|window| window.cnt > 0);
        // Microseconds, but for throttling.
        let seconds = |micros: i64| micros.max(0) as f64 / 1e6;
        Self {
            name: broker.name.clone(),
            is_connected: broker.state == "UP",
            disconnects: positive(broker.disconnects),
            timeouts: broker.req_timeouts,
            errors: broker.txerrs + broker.rxerrs,
            received_bytes: broker.rxbytes,
            sent_bytes: broker.txbytes,
            round_trip_seconds: round_trip.map(|window| seconds(window.avg)),
            round_trip_p99_seconds: round_trip.map(|window| seconds(window.p99)),
            throttle_seconds: broker.throttle.as_ref().map_or(0.0, |window| window.avg.max(0) as f64 / 1e3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::statistics::Window;

    fn broker(nodeid: i32, source: &str, state: &str) -> Broker {
        let name = format!("h:1/{nodeid}");
        Broker { name, nodeid, source: source.to_owned(), state: state.to_owned(), ..Broker::default() }
    }

    fn state(brokers: Vec<Broker>) -> ClientState {
        let brokers = brokers.into_iter().map(|broker| (broker.name.clone() + &broker.source, broker));
        ClientState::of(&Statistics { brokers: brokers.collect(), ..Statistics::default() })
    }

    #[test]
    fn tells_of_brokers_that_are_some() {
        let f = |brokers: Vec<Broker>, want: &[(&str, bool)]| {
            let state = state(brokers);
            let told: Vec<_> = state.brokers.iter().map(|b| (b.name.as_str(), b.is_connected)).collect();
            assert_eq!(told, want);
        };
        f(vec![], &[]);
        f(vec![broker(-1, "configured", "TRY_CONNECT")], &[("h:1/-1", false)]);
        f(
            vec![
                broker(-1, "configured", "INIT"),
                broker(2, "learned", "UP"),
                broker(1, "learned", "DOWN"),
                broker(2, "logical", "UP"),
                broker(-1, "internal", "UP"),
            ],
            &[("h:1/1", false), ("h:1/2", true)],
        );
    }

    #[test]
    fn is_bounded() {
        let told = state((0..150).map(|number| broker(number, "learned", "UP")).collect());
        assert_eq!(told.brokers.len(), BROKERS_MAX);
        assert_eq!(told.brokers[99].name, "h:1/99");
    }

    #[test]
    fn takes_seconds() {
        let window = |avg, p99| Some(Window { avg, p99, cnt: 5, ..Window::default() });
        let told = state(vec![Broker {
            rtt: window(1_500, 20_000),
            throttle: window(250, 0),
            disconnects: Some(-1),
            ..broker(1, "learned", "UP")
        }]);
        let broker = &told.brokers[0];
        assert_eq!(broker.round_trip_seconds, Some(0.0015));
        assert_eq!(broker.round_trip_p99_seconds, Some(0.02));
        assert_eq!((broker.throttle_seconds, broker.disconnects), (0.25, 0));
    }
}
