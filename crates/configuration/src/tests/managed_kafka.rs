//! Tests of the presets for managed Kafka services, and of what `check` says about these services.

use super::*;
use crate::managed_kafka::{PRESETS, Preset, Purpose};
use ::kafka::{ClientKind, properties};

/// The warnings for a file with these brokers and further lines of `[kafka]`.
fn warnings(broker: &str, lines: &str) -> Vec<String> {
    let text = with("kafka", lines).replace("localhost:9092", broker);
    let loaded = run(&text).unwrap_or_else(|errors| panic!("{text}\n{errors}"));
    loaded.warnings.into_iter().map(|warning| warning.message).collect()
}

/// A complete file's lines for the service: TLS, the login and the properties of the preset.
fn complete(preset: &Preset) -> String {
    let login = preset.login.as_ref().map_or(String::new(), |login| {
        format!(
            "tls = {{}}\nsasl = {{ mechanism = '{}', username = '{}', password = 'p' }}\n",
            login.mechanism,
            username(login.username)
        )
    });
    let written = preset.properties.iter().filter(|property| property.purpose != Purpose::Optional);
    written.fold(login, |lines, property| {
        lines + &format!("librdkafka.'{}' = '{}'\n", property.name, property.value)
    })
}

/// Variables are not set here.
fn username(text: &str) -> String {
    text.replace("${KAFKA_USERNAME}", "u")
}

#[test]
fn a_file_with_everything_of_a_preset_has_no_warnings_and_gives_a_client() {
    for preset in &PRESETS {
        let lines = complete(preset);
        assert_eq!(warnings(preset.broker, &lines), [""; 0], "{}", preset.name);
        let kafka = config(&with("kafka", &lines)).kafka;
        if ::kafka::HAS_TLS || preset.login.is_none() {
            for kind in [ClientKind::Member { number: 0, lanes: 1 }, ClientKind::Query, ClientKind::Reader] {
                properties(&kafka, kind).create::<rdkafka::consumer::BaseConsumer>().unwrap();
            }
        }
    }
}

#[test]
fn each_value_below_a_minimum_is_a_warning() {
    let mut count = 0;
    for preset in &PRESETS {
        for property in preset.properties {
            let Purpose::Minimum(minimum) = property.purpose else { continue };
            let line = |value: u64| format!("librdkafka.'{}' = '{}'\n", property.name, value);
            let written = line(property.value.parse().unwrap());
            let lines = complete(preset);
            // librdkafka wants fetch.max.bytes to be at least message.max.bytes.
            let found = warnings(preset.broker, &lines.replace(&written, &line(minimum - 1)));
            assert_eq!(found.len(), 1, "{found:?}");
            let want = format!(
                "{:?} is {}, too small for {}: set it to {}",
                property.name,
                minimum - 1,
                preset.service,
                property.value
            );
            assert!(found[0].contains(&want), "{want}: {found:?}");
            // The bridge's own value counts where the file has none.
            let own = warnings(preset.broker, &lines.replace(&written, ""));
            assert!(own.len() == 1 && own[0].contains(property.name), "{own:?}");
            count += 1;
        }
    }
    assert_eq!(count, 3);
}

#[test]
fn what_a_service_does_not_accept_is_a_warning() {
    let f = |broker: &str, lines: &str, want: &[&str]| {
        let found = warnings(broker, lines);
        assert!(
            found.len() == want.len() && found.iter().zip(want).all(|(found, want)| found.contains(want)),
            "{broker}: {found:?}"
        );
    };
    let sasl = |mechanism: &str, username: &str| {
        format!(
            "tls = {{}}\nsasl = {{ mechanism = '{mechanism}', username = '{username}', password = 'p' }}\n"
        )
    };
    f(
        "pkc-1.eu.aws.confluent.cloud:9092",
        "",
        &[
            "accepts only TLS: add [kafka.tls]",
            "requires a login: add [kafka.sasl] with mechanism = \"PLAIN\"",
        ],
    );
    f(
        "pkc-1.eu.aws.confluent.cloud:9092",
        &sasl("SCRAM-SHA-256", "u"),
        &["does not offer this `mechanism` of [kafka.sasl]: set \"PLAIN\" or \"OAUTHBEARER\""],
    );
    f("SEED.x.fmc.prd.CLOUD.redpanda.com:9092", &sasl("SCRAM-SHA-512", "u"), &[]);
    let session = "librdkafka.'session.timeout.ms' = 30000\n";
    let hub = "n.servicebus.windows.net:9093";
    f(
        hub,
        &(sasl("PLAIN", "n") + session),
        &[
            "the user of Azure Event Hubs is the text $ConnectionString: write username = \"$$ConnectionString\"",
        ],
    );
    f(hub, &(sasl("PLAIN", "$$ConnectionString") + session), &[]);
    f(
        hub,
        &(sasl("PLAIN", "$$ConnectionString") + "group_protocol = 'consumer'\n"),
        &["is not known to offer group_protocol = \"consumer\""],
    );
    f("b-1.c.x.c2.kafka.eu-west-1.amazonaws.com:9094", "tls = {}\n", &[]);
    f("b-1.c.x.c2.kafka.eu-west-1.amazonaws.com:9092", "", &[]);
    f(
        "boot-x.c1.kafka-serverless.eu-west-1.amazonaws.com:9098",
        "tls = {}\n",
        &["port 9098 of Amazon MSK takes only IAM"],
    );
    f("ec2-1.compute.amazonaws.com:9098", "", &[]);
    f("kafka.example.com:9092", "", &[]);
}
