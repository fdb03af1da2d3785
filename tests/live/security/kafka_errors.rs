//! Errors of logins, certificates and permissions of Kafka, with the message that names the key to change.

use super::*;
use crate::support::Live;

const NOWHERE: &str = "url = 'http://127.0.0.1:9'\norg = 'o'\nbucket = 'b'\ntoken = 't'";

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn each_mistake_names_its_key() {
    let live = Live::take_turn();
    let secure = SecureKafka::shared(&live);
    let kafka = secure.kafka();
    let topic = kafka.create_topic(live.name("trouble"), 1, 1);
    let endpoint = TokenEndpoint::start(secure, Duration::from_mins(5));
    let with = |more: &str| tls(secure) + more;
    let stranger = format!("[kafka.tls]\nca_file = '{}'\n", secure.certificates.pem("stranger"));
    let token = |token: &str| format!("[kafka.sasl]\nmechanism = 'OAUTHBEARER'\ntoken = '{token}'\n");
    // Signed by an unknown key.
    let forged = secure.token(Duration::from_mins(5)).rsplit_once('.').unwrap().0.to_owned() + ".c2ln";
    let login_refused =
        ["ERROR", "cause=\"kafka_login\"", "kafka refuses the login", "`password` of [kafka.sasl]"];
    let untrusted = ["ERROR", "cause=\"kafka_tls\"", "certificate is not trusted", "kafka.tls.ca_file"];
    let no_certificate =
        ["ERROR", "cause=\"kafka_tls\"", "requires a certificate of this client", "kafka.tls.cert_file"];
    let cases: Vec<(&str, &str, String, &[&str])> = vec![
        (
            "wrong password, SCRAM",
            &secure.login,
            with(&login("SCRAM-SHA-512", USER, WRONG_PASSWORD)),
            &login_refused,
        ),
        ("wrong password, PLAIN", &secure.login, with(&login("PLAIN", USER, WRONG_PASSWORD)), &login_refused),
        (
            "unknown user",
            &secure.login,
            with(&login("SCRAM-SHA-256", "nobody", WRONG_PASSWORD)),
            &login_refused,
        ),
        (
            "wrong mechanism",
            &secure.clear,
            login("PLAIN", USER, PLAIN_PASSWORD),
            &["ERROR", "does not offer", "kafka.sasl.mechanism"],
        ),
        ("forged token", &secure.login, with(&token(&forged)), &["ERROR", "refuses the token", "kafka.sasl"]),
        (
            "token that ended",
            &secure.login,
            with(&token(&secure.token(Duration::ZERO))),
            &["ERROR", "no token for the login", "expired", "kafka.sasl.token"],
        ),
        (
            "wrong client secret",
            &secure.login,
            with(&endpoint.sasl(WRONG_PASSWORD)),
            &["ERROR", "invalid_client", "client_secret"],
        ),
        ("no TLS to a TLS listener", &secure.mutual, String::new(), &["ERROR", "[kafka.tls]"]),
        (
            "no TLS, with a login",
            &secure.login,
            login("PLAIN", USER, PLAIN_PASSWORD),
            &["ERROR", "[kafka.tls]"],
        ),
        (
            "TLS to a listener without",
            &secure.open,
            with(""),
            &["ERROR", "cause=\"kafka_tls\"", "no TLS at this port", "[kafka.tls]"],
        ),
        ("unknown authority", &secure.login, stranger + &login("PLAIN", USER, PLAIN_PASSWORD), &untrusted),
        ("authority of the system's", &secure.mutual, "[kafka.tls]\n".to_owned(), &untrusted),
        (
            "other name",
            &secure.elsewhere,
            with(""),
            &["ERROR", "is for other names", "kafka.brokers", "127.0.0.2"],
        ),
        ("expired", &secure.expired, with(""), &["ERROR", "has expired", "renew it"]),
        ("no client certificate", &secure.mutual, with(""), &no_certificate),
        (
            "client certificate of a stranger",
            &secure.mutual,
            with(&client_certificate(secure, "stranger", "stranger")),
            &no_certificate,
        ),
    ];
    let started: Vec<_> = cases
        .iter()
        .map(|(name, brokers, security, words)| {
            (name, words, Bridge::start(&config(brokers, &topic, security, NOWHERE), &[]))
        })
        .collect();
    for (name, words, bridge) in started {
        assert_logged(name, &bridge, words);
        assert_no_secrets(&log(&bridge), &[&forged]);
        bridge.kill();
    }
    thread::scope(|scope| {
        for (name, brokers, security, _) in &cases {
            let config = config(brokers, &topic, security, NOWHERE);
            scope.spawn(move || assert_check_fails(name, &config));
        }
    });
}

/// Permissions that are revoked while the bridge reads, and granted again.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn denied_topics_and_groups_are_alarms_until_they_are_allowed() {
    let live = Live::take_turn();
    let secure = SecureKafka::shared(&live);
    let topic = secure.kafka().create_topic(live.name("denied"), 1, 1);
    let bridge = Bridge::start(&config(&secure.login, &topic, &scram(secure), NOWHERE), &[]);
    bridge.wait_until_assigned(&topic);
    secure.deny(USER, "topic", &topic, true);
    assert_logged("topic denied", &bridge, &["ERROR", "cause=\"topic_denied\"", "grant READ"]);
    secure.deny(USER, "topic", &topic, false);
    assert_logged("topic allowed", &bridge, &["reading from Kafka goes on", "cause=\"topic_denied\""]);
    bridge.kill();
    secure.deny(USER, "group", &topic, true);
    let bridge = Bridge::start(&config(&secure.login, &topic, &scram(secure), NOWHERE), &[]);
    assert_logged("group denied", &bridge, &["ERROR", "cause=\"group_denied\"", "kafka.group_id"]);
    secure.deny(USER, "group", &topic, false);
    assert_logged("group allowed", &bridge, &["reading from Kafka goes on", "cause=\"group_denied\""]);
    bridge.kill();
}

/// `check` and `run` report this before they connect.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn files_that_cannot_be_used_are_named_at_once() {
    let live = Live::take_turn();
    let secure = SecureKafka::shared(&live);
    let certificates = &secure.certificates;
    let locked = client_certificate(secure, "client", "locked");
    let not_pem = secure.file("not.pem", "no PEM");
    let f = |name: &str, security: String, influx: &str, want: &str| {
        let config = config(&secure.mutual, "t", &security, influx);
        for arguments in [&["check"][..], &["run"]] {
            let (status, out, err) = run_command(&config, arguments);
            assert_eq!(
                status,
                Some(if arguments == ["run"] && !err.contains("can't be read") { 3 } else { 2 }),
                "{name}: {err}"
            );
            assert!(err.contains(want), "{name}: {err}");
            assert_no_secrets(&(out + &err), &[]);
        }
    };
    f(
        "wrong key password",
        format!("{}{locked}key_password = '{WRONG_PASSWORD}'\n", tls(secure)),
        NOWHERE,
        "key_password",
    );
    f("no key password", format!("{}{locked}", tls(secure)), NOWHERE, "key_password");
    f("a key of another", tls(secure) + &client_certificate(secure, "client", "server"), NOWHERE, "key_file");
    f("no PEM", format!("[kafka.tls]\nca_file = '{not_pem}'\n"), NOWHERE, "kafka.tls.ca_file");
    f("unreadable", "[kafka.tls]\nca_file = '/nowhere/ca.pem'\n".to_owned(), NOWHERE, "can't be read");
    let influx = |files: &str| format!("{}\n[influx.tls]\n{files}", NOWHERE.replace("http:", "https:"));
    f("InfluxDB: no PEM", String::new(), &influx(&format!("ca_file = '{not_pem}'")), "influx.tls.ca_file");
    let locked =
        format!("cert_file = '{}'\nkey_file = '{}'", certificates.pem("client"), certificates.key("locked"));
    f("InfluxDB: a locked key", String::new(), &influx(&locked), "the key unencrypted");
    f("InfluxDB: unreadable", String::new(), &influx("ca_file = '/nowhere/ca.pem'"), "can't be read");
}
