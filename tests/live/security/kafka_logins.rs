//! Kafka logins that work.

use super::*;
use crate::support::config::v2;
use crate::support::{Influx, Kafka, Live, Produced, measured, wait_for};
use std::fs;

fn records(from: u64, count: u64) -> impl Iterator<Item = Produced> {
    (from..from + count).map(|i| Produced::new(format!(r#"{{"value":{i}}}"#)))
}

fn wait_for_points(influx: &Influx, bucket: &str, count: u64) {
    influx.wait_for_count(count, PATIENCE, |influx| influx.count(bucket, "m", "value"));
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn every_login_reads_to_the_end() {
    let live = Live::take_turn();
    let secure = SecureKafka::shared(&live);
    let (kafka, influx) = (secure.kafka(), live.influx2());
    let endpoint = TokenEndpoint::start(secure, Duration::from_mins(5));
    let token = secure.token(Duration::from_mins(5));
    let token_file = secure.file("kafka.token", &format!("{token}\n"));
    let oauth = format!("[kafka.sasl]\nmechanism = 'OAUTHBEARER'\ntoken = '${{file:{token_file}}}'\n");
    let (tls, mutual) = (tls(secure), tls(secure) + &client_certificate(secure, "client", "client"));
    let locked = client_certificate(secure, "client", "locked");
    let ways = [
        ("plain", &secure.login, tls.clone() + &login("PLAIN", USER, PLAIN_PASSWORD)),
        ("scram256", &secure.login, tls.clone() + &login("SCRAM-SHA-256", USER, SCRAM_PASSWORD)),
        ("scram512", &secure.login, scram(secure)),
        ("without_tls", &secure.clear, login("SCRAM-SHA-512", USER, SCRAM_PASSWORD)),
        ("token", &secure.login, tls.clone() + &oauth),
        ("token_endpoint", &secure.login, tls.clone() + &endpoint.sasl(CLIENT_SECRET)),
        ("mutual", &secure.mutual, mutual),
        ("locked", &secure.mutual, format!("{tls}{locked}key_password = '{KEY_PASSWORD}'\n")),
        ("unverified", &secure.expired, "[kafka.tls]\nverify = false\n".to_owned()),
        ("unverified_name", &secure.elsewhere, "[kafka.tls]\nverify = false\n".to_owned()),
    ];
    let running: Vec<_> = ways
        .iter()
        .map(|(way, brokers, security)| {
            let topic = kafka.create_topic(live.name(way), 1, 1);
            let bucket = influx.create_bucket(live.name(way));
            kafka.produce(&topic, records(0, 100));
            let config = config(brokers, &topic, security, &v2(&influx, &bucket));
            (way, topic, bucket, Bridge::start(&config, &[]))
        })
        .collect();
    for (way, topic, bucket, bridge) in running {
        let (_, took) = bridge.wait_for_log(&["first lines stored"], PATIENCE);
        measured(way, format!("stored after {took:.1?}"));
        wait_for_points(&influx, &bucket, 100);
        kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
        assert_no_secrets(&log(&bridge), &[&token]);
        bridge.stop();
    }
    assert!(endpoint.given() > 0);
}

/// One record is not JSON, and one is refused for its type, so its original is read again. This uses a producer and another consumer.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn dead_letters_use_the_same_login() {
    let live = Live::take_turn();
    let secure = SecureKafka::shared(&live);
    let (kafka, influx) = (secure.kafka(), live.influx2());
    let endpoint = TokenEndpoint::start(secure, Duration::from_mins(5));
    let ways =
        [("letters_scram", scram(secure)), ("letters_token", tls(secure) + &endpoint.sasl(CLIENT_SECRET))];
    for (way, security) in ways {
        let topic = kafka.create_topic(live.name(way), 1, 1);
        let letters = kafka.create_topic(format!("{topic}_letters"), 1, 1);
        let bucket = influx.create_bucket(live.name(way));
        influx.write(&bucket, "m value=\"a string\"");
        kafka.produce(&topic, ["no JSON", r#"{"value":1,"other":2}"#, r#"{"more":3}"#].map(Produced::new));
        let config = config(&secure.login, &topic, &security, &v2(&influx, &bucket));
        let bridge = Bridge::start(&format!("{config}[dead_letter]\ntopic = '{letters}'\n"), &[]);
        kafka.group(&topic).wait_until_settled(&topic, 1, PATIENCE);
        assert_eq!(kafka.count(&letters), 2, "{way}");
        assert_eq!(influx.count(&bucket, "m", "more"), 1, "{way}");
        assert_no_secrets(&log(&bridge), &[]);
        bridge.stop();
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_token_is_renewed_before_it_expires() {
    let live = Live::take_turn();
    let secure = SecureKafka::shared(&live);
    let (kafka, influx) = (secure.kafka(), live.influx2());
    let endpoint = TokenEndpoint::start(secure, Duration::from_secs(4));
    // Another token replaces it while it is in use.
    let first = secure.token(Duration::from_secs(6));
    let file = secure.file("renewed.token", &first);
    let of_file = format!("[kafka.sasl]\nmechanism = 'OAUTHBEARER'\ntoken = '${{file:{file}}}'\n");
    let start = |way: &str, sasl: String| {
        let topic = kafka.create_topic(live.name(way), 1, 1);
        let bucket = influx.create_bucket(live.name(way));
        kafka.produce(&topic, records(0, 1));
        let config = config(&secure.login, &topic, &(tls(secure) + &sasl), &v2(&influx, &bucket));
        let bridge = Bridge::start(&config, &[]);
        wait_for_points(&influx, &bucket, 1);
        (topic, bucket, bridge)
    };
    let of_endpoint = start("renewed_endpoint", endpoint.sasl(CLIENT_SECRET));
    let of_file = start("renewed_file", of_file);
    fs::write(&file, secure.token(Duration::from_mins(5))).unwrap();
    wait_for("a third token", PATIENCE, || (endpoint.given() > 2).then_some(()));
    // The broker closes connections whose token has expired.
    let is_over = SecureKafka::ends(&first);
    wait_for("the first token's end", PATIENCE, || is_over().then_some(()));
    for (topic, bucket, bridge) in [of_endpoint, of_file] {
        kafka.produce(&topic, records(1, 1));
        influx.wait_for_count(2, PATIENCE, |influx| influx.count(&bucket, "m", "value"));
        assert_no_secrets(&log(&bridge), &[&first]);
        bridge.stop();
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn reading_starts_once_the_kafka_user_is_created() {
    let live = Live::take_turn();
    let secure = SecureKafka::shared(&live);
    let (kafka, influx): (Kafka, Influx) = (secure.kafka(), live.influx2());
    let topic = kafka.create_topic(live.name("later"), 1, 1);
    let bucket = influx.create_bucket(live.name("later"));
    kafka.produce(&topic, records(0, 10));
    let security = tls(secure) + &login("SCRAM-SHA-256", &topic, SCRAM_PASSWORD);
    let bridge = Bridge::start(&config(&secure.login, &topic, &security, &v2(&influx, &bucket)), &[]);
    assert_logged("a user that is not there", &bridge, &["ERROR", "kafka refuses the login"]);
    secure.set_password(&topic, SCRAM_PASSWORD);
    wait_for_points(&influx, &bucket, 10);
    bridge.stop();
}
