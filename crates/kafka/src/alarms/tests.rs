//! Feeds errors, statistics and times to the alarms of a consumer, and checks the active ones.

use super::*;
use base::alarm::{Alarm, AlarmListener};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::statistics::{ConsumerGroup, Window};

struct Nobody;

impl AlarmListener for Nobody {
    fn raised(&self, _: &Alarm) {}
    fn resolved(&self, _: &Alarm, _: Duration) {}
}

/// The alarms of one consumer, at times given in seconds.
struct Scene {
    start: Instant,
    registry: Arc<AlarmRegistry>,
    kafka: KafkaAlarms,
}

impl Scene {
    fn new() -> Self {
        let (start, registry) = (Instant::now(), AlarmRegistry::new(Arc::new(Nobody)));
        let settings =
            Settings { brokers: vec!["h:1".to_owned()], group_id: "g".to_owned(), ..Settings::default() };
        let kafka = KafkaAlarms::new(Arc::clone(&registry), &settings, start);
        Self { start, registry, kafka }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn error(&mut self, seconds: u64, code: Code, text: &str) {
        let now = self.at(seconds);
        self.kafka.error(Some(code), text, false, now);
    }

    fn statistics(&mut self, seconds: u64, brokers: &[(i32, &str, u64)]) {
        let now = self.at(seconds);
        self.kafka.statistics(&statistics(brokers), now);
    }

    /// The causes of the active alarms.
    fn causes(&mut self, seconds: u64) -> Vec<&'static str> {
        let now = self.at(seconds);
        self.kafka.tick(now);
        self.registry.current(now).iter().map(|alarm| alarm.cause).collect()
    }

    fn remedy(&self, seconds: u64) -> String {
        self.registry.current(self.at(seconds))[0].remedy.clone()
    }
}

/// Statistics of brokers: id, state, received bytes.
fn statistics(brokers: &[(i32, &str, u64)]) -> Statistics {
    let broker = |&(nodeid, state, rxbytes): &(i32, &str, u64)| {
        let source = "learned".to_owned();
        let broker = Broker { nodeid, state: state.to_owned(), rxbytes, source, ..Broker::default() };
        (format!("h:{nodeid}"), broker)
    };
    Statistics { brokers: brokers.iter().map(broker).collect(), ..Statistics::default() }
}

const NONE: [&str; 0] = [];

#[test]
fn kafka_is_unreachable_10_s_after_a_start_until_a_broker_answers() {
    let mut scene = Scene::new();
    scene.error(
        0,
        Code::BrokerTransportFailure,
        "h:1/bootstrap: Connect to ipv4#h:1 failed: Connection refused",
    );
    scene.error(0, Code::AllBrokersDown, "1/1 brokers are down");
    scene.statistics(5, &[(-1, "TRY_CONNECT", 0)]);
    assert_eq!(scene.causes(9), NONE);
    assert_eq!(scene.causes(10), ["kafka_unreachable"]);
    let alarm = scene.registry.current(scene.at(10)).remove(0);
    assert!(alarm.blocks && alarm.why.contains("Connection refused"), "{alarm:?}");
    assert!(alarm.at == "h:1" && alarm.remedy.contains("kafka.brokers"), "{alarm:?}");
    assert_eq!(scene.causes(500), ["kafka_unreachable"]);
    scene.statistics(501, &[(1, "UP", 10)]);
    assert_eq!(scene.causes(501), NONE);
}

/// A broker that is stopped keeps its connections open, and librdkafka's requests time out only after a minute.
#[test]
fn a_broker_that_answers_nothing_is_unreachable_since_its_last_answer() {
    let mut scene = Scene::new();
    let silent = |scene: &mut Scene, seconds: u64, received: u64| {
        let mut statistics = statistics(&[(1, "UP", received)]);
        statistics.brokers.get_mut("h:1").unwrap().waitresp_cnt = 1;
        let now = scene.at(seconds);
        scene.kafka.statistics(&statistics, now);
    };
    for seconds in (5..=100).step_by(5) {
        silent(&mut scene, seconds, seconds);
        assert_eq!(scene.causes(seconds), NONE);
    }
    for seconds in [105, 110] {
        silent(&mut scene, seconds, 100);
        assert_eq!(scene.causes(seconds), NONE);
    }
    silent(&mut scene, 115, 100);
    assert_eq!(scene.causes(115), ["kafka_unreachable"]);
    let alarm = scene.registry.current(scene.at(115)).remove(0);
    assert_eq!(alarm.lasting, Duration::from_secs(15));
    assert!(alarm.why.contains("no request is answered") && alarm.remedy.contains("firewall"), "{alarm:?}");
    // librdkafka gives the connection up, and a new one is not answered either.
    scene.statistics(160, &[(1, "APIVERSION_QUERY", 100)]);
    assert_eq!(scene.causes(160), ["kafka_unreachable"]);
    silent(&mut scene, 165, 300);
    assert_eq!(scene.causes(165), NONE);
}

#[test]
fn an_http_server_at_the_address_is_named() {
    let mut scene = Scene::new();
    scene.statistics(5, &[(-1, "APIVERSION_QUERY", 0)]);
    let now = scene.at(6);
    assert!(scene.kafka.link.wants_http_probe(now));
    scene.kafka.link.found_http("h:1", now);
    assert_eq!(scene.causes(9), NONE);
    assert_eq!(scene.causes(10), ["kafka_unreachable"]);
    assert!(scene.remedy(10).starts_with("something that speaks HTTP answers"));
}

#[test]
fn one_of_three_brokers_down_raises_no_alarm() {
    let mut scene = Scene::new();
    for seconds in (5..300).step_by(5) {
        scene.error(seconds, Code::BrokerTransportFailure, "h:3/3: Connection refused");
        scene.statistics(seconds, &[(1, "UP", 9), (2, "INIT", 0), (3, "TRY_CONNECT", 0)]);
        assert_eq!(scene.causes(seconds + 4), NONE);
    }
}

/// The broker is connected in between, but never at the moment of the statistics.
#[test]
fn short_connections_count_as_reachable() {
    let mut scene = Scene::new();
    scene.statistics(5, &[(1, "UP", 1)]);
    for seconds in (10..300).step_by(5) {
        scene.error(seconds - 1, Code::BrokerTransportFailure, "h:1/1: Disconnected");
        scene.statistics(seconds, &[(1, "TRY_CONNECT", seconds)]);
        assert_eq!(scene.causes(seconds + 4), NONE);
    }
    scene.statistics(300, &[(1, "TRY_CONNECT", 295)]);
    scene.statistics(305, &[(1, "TRY_CONNECT", 295)]);
    assert_eq!(scene.causes(306), ["kafka_unreachable"]);
}

#[test]
fn a_refused_login_is_raised_at_once_and_stays_one_when_all_brokers_are_down() {
    let mut scene = Scene::new();
    scene.error(
        1,
        Code::Authentication,
        "h:1/bootstrap: SASL authentication error: Invalid username or password",
    );
    assert_eq!(scene.causes(1), ["kafka_login"]);
    scene.error(1, Code::AllBrokersDown, "1/1 brokers are down");
    scene.error(1, Code::BrokerTransportFailure, "Message consumption error: BrokerTransportFailure");
    // The broker responds: it sends bytes.
    for seconds in (5..60).step_by(5) {
        scene.statistics(seconds, &[(1, "AUTH_REQ", seconds)]);
    }
    assert_eq!(scene.causes(60), ["kafka_login"]);
    let remedy = scene.remedy(60);
    assert!(remedy.contains("[kafka.sasl]") && remedy.contains("restart"), "{remedy}");
    scene.statistics(65, &[(1, "UP", 100)]);
    assert_eq!(scene.causes(65), NONE);
}

#[test]
fn a_login_that_one_broker_refuses_raises_nothing_while_another_serves() {
    let mut scene = Scene::new();
    scene.statistics(5, &[(1, "UP", 1), (2, "INIT", 0)]);
    scene.error(6, Code::Authentication, "h:2/2: SASL authentication error: no");
    assert_eq!(scene.causes(7), NONE);
    scene.statistics(10, &[(1, "UP", 2), (2, "AUTH_REQ", 5)]);
    assert_eq!(scene.causes(40), NONE);
}

#[test]
fn a_tls_alarm_keeps_its_most_detailed_text() {
    let mut scene = Scene::new();
    let now = scene.at(1);
    let said = "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed";
    let why = format!("invalid peer certificate: certificate expired: {said}");
    scene.kafka.error(Some(Code::SSL), &why, true, now);
    scene.error(31, Code::SSL, said);
    assert_eq!(scene.causes(31), ["kafka_tls"]);
    assert!(scene.remedy(31).contains("has expired"));
}

/// The end of a connection is no proof: a restarting broker ends connections in the same way.
#[test]
fn a_suspected_tls_fault_is_raised_as_late_as_an_unreachable_broker() {
    let mut scene = Scene::new();
    scene.error(0, Code::BrokerTransportFailure, "Disconnected: connecting to a PLAINTEXT broker listener?");
    assert_eq!(scene.causes(9), NONE);
    assert_eq!(scene.causes(10), ["kafka_tls"]);
}

#[test]
fn the_port_of_a_controller_is_named() {
    let mut scene = Scene::new();
    let now = scene.at(1);
    let text = "[thrd:main]: h:1/bootstrap: Metadata request failed: connected: Local: Required feature not supported by broker (0ms): Permanent";
    scene.kafka.log("METADATA", text, now);
    scene.statistics(5, &[(-1, "UP", 500)]);
    scene.statistics(10, &[(-1, "UP", 900)]);
    assert_eq!(scene.causes(11), ["kafka_unreachable"]);
    assert!(scene.remedy(11).contains("KRaft controller"));
}

#[test]
fn the_alarm_of_a_denied_group_ends_with_an_assignment_or_a_commit() {
    let mut scene = Scene::new();
    scene.statistics(5, &[(1, "UP", 1)]);
    scene.error(
        6,
        Code::GroupAuthorizationFailed,
        "FindCoordinator response error: Group authorization failed",
    );
    assert_eq!(scene.causes(6), ["group_denied"]);
    assert_eq!(scene.causes(600), ["group_denied"]);
    let now = scene.at(601);
    scene.kafka.group_works(now);
    assert_eq!(scene.causes(601), NONE);
    // A member that loses its permission stays in the group, and only its commits are refused.
    scene.kafka.committed(Some(Code::GroupAuthorizationFailed), now);
    let mut steady = statistics(&[(1, "UP", 2)]);
    steady.cgrp = Some(ConsumerGroup { join_state: "steady".to_owned(), ..ConsumerGroup::default() });
    let later = scene.at(700);
    scene.kafka.statistics(&steady, later);
    assert_eq!(scene.causes(700), ["group_denied"]);
    scene.kafka.committed(None, later);
    assert_eq!(scene.causes(700), NONE);
}

#[test]
fn each_denied_topic_has_an_alarm_until_it_is_readable() {
    let mut scene = Scene::new();
    scene.statistics(5, &[(1, "UP", 1)]);
    scene.error(6, Code::TopicAuthorizationFailed, "Message consumption error: TopicAuthorizationFailed");
    let now = scene.at(6);
    assert_eq!(scene.kafka.topics_to_check(now), Some(Vec::new()));
    scene.kafka.topics_checked(Some(&["a".to_owned(), "b".to_owned()]), now);
    assert_eq!(scene.causes(6), ["topic_denied"; 2]);
    assert_eq!(scene.kafka.topics_to_check(now), None);
    let now = scene.at(16);
    assert_eq!(scene.kafka.topics_to_check(now), Some(vec!["a".to_owned(), "b".to_owned()]));
    scene.kafka.topics_checked(None, now);
    assert_eq!(scene.causes(16), ["topic_denied"; 2], "no answer is no recovery");
    scene.kafka.topics_checked(Some(&["b".to_owned()]), now);
    assert_eq!(scene.causes(16), ["topic_denied"]);
    // The topic is visible, but fetches are denied: the alarm ends after a while without a denied fetch.
    scene.kafka.fetch_denied("c", "Fetch from broker 1 failed", now);
    scene.kafka.topics_checked(Some(&[]), scene.at(40));
    assert_eq!(scene.causes(40), ["topic_denied"]);
    scene.kafka.topics_checked(Some(&[]), scene.at(46));
    assert_eq!(scene.causes(46), NONE);
}

#[test]
fn the_number_of_topic_alarms_is_bounded() {
    let mut scene = Scene::new();
    scene.statistics(5, &[(1, "UP", 1)]);
    let topics: Vec<String> = (0..1_000).map(|number| format!("t{number}")).collect();
    scene.kafka.topics_checked(Some(&topics), scene.at(6));
    assert_eq!(scene.causes(6).len(), TOPICS_MAX);
}

#[test]
fn a_timeout_of_a_throttled_client_is_reported_as_throttling() {
    let mut scene = Scene::new();
    let text = "h:1/1: 1 request(s) timed out: disconnect (average rtt 1000.000ms)";
    assert!(diagnose(Code::OperationTimedOut, text, false).unwrap().to_string().contains("that Kafka runs"));
    let mut throttled = statistics(&[(1, "UP", 1)]);
    let window = Window { avg: 900, ..Window::default() };
    throttled.brokers.get_mut("h:1").unwrap().throttle = Some(window);
    let now = scene.at(5);
    scene.kafka.statistics(&throttled, now);
    assert!(scene.kafka.is_throttled(scene.at(60)) && !scene.kafka.is_throttled(scene.at(66)));
    let advice = diagnose(Code::OperationTimedOut, text, scene.kafka.is_throttled(now)).unwrap();
    assert!(advice.to_string().contains("consumer_byte_rate") && advice.cause().is_none(), "{advice:?}");
}
