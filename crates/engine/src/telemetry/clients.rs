//! The state of librdkafka's clients: the few of its hundreds of statistics that separate broker problems from others.

use rdkafka::statistics::{Broker, Statistics};

/// Brokers that are reported per client. A consumer talks to the leaders of its partitions.
const BROKERS_MAX: usize = 100;
/// Broker number of an address of `kafka.brokers` that was not matched with a broker yet.
const NO_BROKER: i32 = -1;

/// State of one consumer's client.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientState {
    /// Whether the consumer is a stable member of the group.
    pub is_member: bool,
    pub rebalance_age_seconds: f64,
    /// Records fetched by librdkafka that no lane has taken yet.
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
    /// Requests that could not be sent, and responses with errors.
    pub errors: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// Average of the last few seconds.
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
            statistics.brokers.values().filter(|broker| is_reported(broker)).collect();
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

/// Leaves out the second entry of the group's coordinator, which librdkafka lists under another name.
fn is_reported(broker: &Broker) -> bool {
    broker.source == "learned" || broker.source == "configured"
}

impl BrokerState {
    fn of(broker: &Broker) -> Self {
        // librdkafka omits a count that is still zero.
        let positive = |number: Option<i64>| u64::try_from(number.unwrap_or(0)).unwrap_or(0);
        let round_trip = broker.rtt.as_ref().filter(|window| window.cnt > 0);
        // Round trips are in microseconds, throttling in milliseconds.
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
    fn lists_real_brokers_only() {
        let f = |brokers: Vec<Broker>, want: &[(&str, bool)]| {
            let state = state(brokers);
            let reported: Vec<_> = state.brokers.iter().map(|b| (b.name.as_str(), b.is_connected)).collect();
            assert_eq!(reported, want);
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
    fn reports_a_bounded_number_of_brokers() {
        let reported = state((0..150).map(|number| broker(number, "learned", "UP")).collect());
        assert_eq!(reported.brokers.len(), BROKERS_MAX);
        assert_eq!(reported.brokers[99].name, "h:1/99");
    }

    #[test]
    fn converts_times_to_seconds() {
        let window = |avg, p99| Some(Window { avg, p99, cnt: 5, ..Window::default() });
        let reported = state(vec![Broker {
            rtt: window(1_500, 20_000),
            throttle: window(250, 0),
            disconnects: Some(-1),
            ..broker(1, "learned", "UP")
        }]);
        let broker = &reported.brokers[0];
        assert_eq!(broker.round_trip_seconds, Some(0.0015));
        assert_eq!(broker.round_trip_p99_seconds, Some(0.02));
        assert_eq!((broker.throttle_seconds, broker.disconnects), (0.25, 0));
    }
}
