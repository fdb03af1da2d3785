//! `check --connect` on healthy servers, and its message for each fault.

use crate::support::config::{v1, v2, v2_with};
use crate::support::{Config, Live, Produced, run_command};
use std::time::{Duration, SystemTime};

/// Exit status and standard output.
fn check(config: &Config<'_>) -> (Option<i32>, String) {
    check_text(&config.text())
}

fn check_text(config: &str) -> (Option<i32>, String) {
    let (status, out, err) = run_command(config, &["check", "--connect"]);
    assert!(err.is_empty(), "{err}");
    assert!(!out.contains("wrong-secret"), "{out}");
    (status, out)
}

fn assert_lines(shown: &str, lines: &[&str]) {
    for line in lines {
        assert!(shown.contains(line), "{line}\nis not in\n{shown}");
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn check_connect_passes_on_healthy_servers() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka3(), live.influx2());
    let topic = kafka.create_topic(live.name("well"), 2, 3);
    let bucket = influx.create_bucket_keeping(live.name("well"), Duration::from_hours(48));
    kafka.produce(&topic, (0..150).map(|_| Produced::new(r#"[{"host":"a","v":1},{"host":"b","v":2}]"#)));
    let (status, shown) =
        check(&Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping("tag_keys = ['host']"));
    assert_eq!(status, Some(0), "{shown}");
    assert!(!shown.contains("warn ") && !shown.contains("FAILED"), "{shown}");
    assert_lines(
        &shown,
        &[
            "answers for 3 brokers",
            "which is reachable",
            &format!("ok      topic {topic}: 2 partitions"),
            &format!("ok      group {topic}: it has no members, and this user may join it"),
            &format!(
                "ok      topic {topic}: no committed offset: with `offset_reset` = \"earliest\" all 150 records"
            ),
            &format!("ok      topic {topic}: 50 sampled records become 100 points"),
            "the clock agrees",
            "may be written",
            "points are kept for 2 days, and all sampled points are newer",
        ],
    );
    assert_eq!(kafka.group(&topic).committed(&topic, 2), [-1, -1]);
    assert_eq!(influx.count(&bucket, &topic, "v"), 0);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn check_connect_reports_a_running_telegraf_and_accepts_another_bridge() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let topic = kafka.create_topic(live.name("group"), 1, 1);
    let config = Config::new(&kafka, &topic, v2(&influx, "ec2"));
    let telegraf = kafka.member(&topic, &topic, "Telegraf", "range");
    let (status, shown) = check(&config);
    assert_eq!(status, Some(1), "{shown}");
    assert_lines(
        &shown,
        &[
            &format!("FAILED  group {topic}: 1 member, a running Telegraf (Telegraf at "),
            "stop Telegraf first, or set another `kafka.group_id`",
        ],
    );
    drop(telegraf);
    let _bridge = kafka.member(&topic, &topic, "kafka-influx-bridge", "cooperative-sticky");
    let (status, shown) = check(&config);
    assert_eq!(status, Some(0), "{shown}");
    assert_lines(&shown, &[&format!("ok      group {topic}: 1 member, kafka-influx-bridge at ")]);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn check_connect_warns_about_sampled_records() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let keeps = [("retention.ms", "36000000")];
    let topic = kafka.create_topic_with(live.name("samples"), 1, 1, &keeps);
    let bucket = influx.create_bucket_keeping(live.name("samples"), Duration::from_hours(1));
    let record =
        |age_min: i64| Produced::new(r#"{"host":"a","v":1,"state":"on"}"#).at(now_ms() - age_min * 60_000);
    kafka.produce(&topic, [record(540), record(480), record(0), Produced::new("bad"), record(-30)]);
    kafka.group(&topic).commit(&topic, &[1]);
    let (status, shown) = check(
        &Config::new(&kafka, &topic, v2(&influx, &bucket)).mapping("tag_keys = ['hots']\nname_key = 'kind'"),
    );
    assert_eq!(status, Some(0), "{shown}");
    assert_lines(
        &shown,
        &[
            &format!("ok      topic {topic}: reading starts at the committed offsets, 4 records behind"),
            &format!(
                "warn    topic {topic}: 5 sampled records become 4 points; 1 is rejected, such as {topic}[0]@3: it is not JSON"
            ),
            &format!("warn    topic {topic}: 8 values under host, state: strings and booleans are dropped"),
            &format!("warn    {topic}: the timestamp of the newest sampled record is 29 min in the future"),
            &format!(
                "warn    {topic}: `hots` of `tag_keys` is in none of 4 sampled records: did you mean `host`?"
            ),
            &format!("warn    {topic}: `kind` of `name_key` is in none of 4 sampled records"),
            &format!("warn    topic {topic}: unread records are deleted from "),
            &format!("the oldest, {topic}[0]@1, has the time "),
            "points are kept for 1 h, and 2 of 4 sampled points are older: InfluxDB refuses them",
            &format!("the first records are older: {topic}[0]@1 becomes a point at "),
        ],
    );
    // Kafka has deleted committed records.
    kafka.delete_records_before(&topic, &[3]);
    let (_, shown) = check(&Config::new(&kafka, &topic, v2(&influx, &bucket)));
    assert_lines(&shown, &[&format!("warn    topic {topic}: kafka deleted 2 records before they were read")]);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn check_connect_names_missing_buckets_and_mappings() {
    let live = Live::take_turn();
    let (kafka, influx2, influx1) = (live.kafka(), live.influx2(), live.influx1());
    let topic = kafka.create_topic(live.name("missing"), 1, 1);
    let missing = live.name("missing");
    let f = |influx: String, lines: &[&str]| {
        let (status, shown) = check(&Config::new(&kafka, &topic, influx));
        assert_eq!(status, Some(1), "{shown}");
        let failed = shown.lines().filter(|line| line.starts_with("FAILED")).count();
        assert_eq!(failed, 1, "{shown}");
        assert_lines(&shown, lines);
    };
    f(v2_with(influx2.url(), "ec2", "wrong-secret"), &["FAILED", "401", "influx.token"]);
    f(
        v2(&influx2, &missing),
        &["FAILED", &format!("influx bucket create --org test --name {missing} --retention 0")],
    );
    let (user, password) = live.influx2_v1_login();
    let login = format!("username = '{user}'\npassword = '{password}'");
    f(
        v1(&influx2, &missing, &login),
        &[&format!("influx v1 dbrp create --db {missing} --rp autogen --default")],
    );
    f(v1(&influx1, &missing, ""), &["FAILED", "create_database = true", "CREATE DATABASE"]);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn check_connect_names_missing_topics_and_wrong_logins() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let topic = live.name("none");
    let config = Config::new(&kafka, &topic, v2(&influx, "ec2"));
    let (status, shown) = check(&config);
    assert_eq!(status, Some(1), "{shown}");
    assert_lines(&shown, &[&format!("FAILED  topic {topic}: it does not exist")]);
    assert!(shown.contains("may be written"), "the other checks still run: {shown}");
    // The check must not create the topic.
    assert_lines(&check(&config).1, &[&format!("FAILED  topic {topic}: it does not exist")]);
    // TLS and a login at a listener that has neither.
    let address = crate::support::variable("KAFKA");
    let tls = config.text().replace("[[mapping]]", "[kafka.tls]\n[[mapping]]");
    assert_lines(
        &check_text(&tls).1,
        &[&format!("FAILED  broker {address}: connected, but the broker speaks no TLS at this port: take")],
    );
    let sasl = "[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'u'\npassword = 'wrong-secret'\n[[mapping]]";
    let sasl = config.text().replace("[[mapping]]", sasl);
    assert_lines(
        &check_text(&sasl).1,
        &[&format!("FAILED  broker {address}: connected, but "), "[kafka.sasl]"],
    );
}
