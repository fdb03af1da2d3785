//! Tests of the Kafka clients that a configuration creates.

use kafka::{ClientKind, Settings, properties};
use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::BaseProducer;
use std::path::Path;

const MEMBER: ClientKind = ClientKind::Member { number: 0, lanes: 1 };

fn kafka(more: &str) -> Settings {
    let text = format!(
        "[kafka]\nbrokers = 'b:1'\ntopics = 't'\n{more}\n[[mapping]]\n[influx]\nurl = 'http://h'\napi = 'v1'\ndatabase = 'd'"
    );
    crate::parse(Path::new("bridge.toml"), &text, &|_| None).unwrap().config.kafka
}

#[test]
fn the_producer_takes_over_how_brokers_are_reached_and_nothing_else() {
    let kafka = kafka(
        "[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'u'\npassword = 'p'\n[kafka.librdkafka]\n\
         fetch.min.bytes = 5\nsession.timeout.ms = 7000\nsocket.timeout.ms = 3000\nacks = 0\nlinger.ms = 900000\n\
         transactional.id = 'x'\nmessage.max.bytes = 2000000\nisolation.level = 'read_uncommitted'",
    );
    let config = properties(&kafka, ClientKind::Producer);
    for (name, want) in [
        ("security.protocol", Some("sasl_plaintext")),
        ("sasl.username", Some("u")),
        ("sasl.password", Some("p")),
        ("socket.timeout.ms", Some("3000")),
        ("message.max.bytes", Some("2000000")),
        ("acks", Some("all")),
        ("linger.ms", Some("5")),
        ("metadata.recovery.rebootstrap.trigger.ms", Some("30000")),
        ("transactional.id", None),
        ("fetch.min.bytes", None),
        ("session.timeout.ms", None),
        ("isolation.level", None),
        ("group.id", None),
    ] {
        assert_eq!(config.get(name), want, "{name}");
    }
    // Without the feature `tls`, librdkafka creates no client with TLS.
    if ::kafka::HAS_TLS {
        config.create::<BaseProducer>().unwrap();
    }
    let consumer = properties(&kafka, MEMBER);
    assert_eq!(consumer.get("metadata.recovery.rebootstrap.trigger.ms"), Some("30000"));
    let config = properties(&kafka, ClientKind::Reader);
    assert_eq!(config.get("isolation.level"), Some("read_uncommitted"), "it reads what the members read");
    assert_eq!((config.get("enable.auto.commit"), config.get("group.instance.id")), (Some("false"), None));
    if ::kafka::HAS_TLS {
        config.create::<BaseConsumer>().unwrap();
    }
}

#[test]
fn a_lost_answer_to_a_join_is_waited_for_a_minute_and_a_long_session_may_be_set_alone() {
    let f = |more: &str, want: &str| {
        let config = properties(&kafka(&format!("[kafka.librdkafka]\n{more}")), MEMBER);
        assert_eq!(config.get("max.poll.interval.ms"), Some(want), "{more}");
        config.create::<BaseConsumer>().unwrap();
    };
    f("", "60000");
    f("session.timeout.ms = 45000", "60000");
    f("session.timeout.ms = 120000", "120000");
    f("session.timeout.ms = 120000\nmax.poll.interval.ms = 200000", "200000");
    f("max.poll.interval.ms = 300000", "300000");
}

/// librdkafka refuses a client of the consumer protocol with any of the three.
#[test]
fn the_consumer_protocol_leaves_its_timeouts_and_its_strategy_to_the_brokers() {
    let kafka = kafka(
        "group_protocol = 'consumer'\ninstance_id = 'one'\nlibrdkafka.'group.remote.assignor' = 'range'",
    );
    let member = properties(&kafka, MEMBER);
    for name in ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"] {
        assert_eq!(member.get(name), None, "{name}");
    }
    assert_eq!(
        (member.get("group.protocol"), member.get("group.remote.assignor")),
        (Some("consumer"), Some("range"))
    );
    member.create::<BaseConsumer>().unwrap();
    for kind in [ClientKind::Query, ClientKind::Reader] {
        let config = properties(&kafka, kind);
        assert_eq!((config.get("group.protocol"), config.get("group.remote.assignor")), (None, None));
        config.create::<BaseConsumer>().unwrap();
    }
}
