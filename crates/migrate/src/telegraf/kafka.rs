//! Migrates `inputs.kafka_consumer` to `[kafka]`, `[kafka.tls]` and `[kafka.sasl]`.

use super::super::Weight;
use super::amounts;
use super::avro;
use super::conf::{self, Options};
use super::csv;
use super::influx;
use super::json;
use super::report::Report;
use super::rules::NAMES_AND_FILTERS;
use super::value;
use super::variables::{has_variable, is_whole_variable};
use super::xpath;
use configuration::draft::Table;
use regex::Regex;

pub const DEFAULT_GROUP: &str = "telegraf_metrics_consumers";

/// One bridge can replace two inputs only if these options are the same.
const CONNECTION: [&str; 17] = [
    "brokers",
    "consumer_group",
    "client_id",
    "offset",
    "enable_tls",
    "tls_enable",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "tls_key_pwd",
    "insecure_skip_verify",
    "sasl_username",
    "sasl_password",
    "sasl_mechanism",
    "ssl_ca",
    "ssl_cert",
    "ssl_key",
];

/// Options without a counterpart, with the reason or the remedy.
const NOTES: [(&str, &str); 17] = [
    (
        "resolve_canonical_bootstrap_servers_only",
        "write \"client.dns.lookup\" = \"resolve_canonical_bootstrap_servers_only\" into [kafka.librdkafka]",
    ),
    ("keep_alive_period", "write \"socket.keepalive.enable\" = true into [kafka.librdkafka]"),
    ("sasl_extensions", "write them as `extensions` into [kafka.sasl], with mechanism = \"OAUTHBEARER\""),
    ("sasl_access_token", "a fixed token has no counterpart: see OAUTHBEARER in bridge.toml, or use SCRAM"),
    ("sasl_gssapi_service_name", "Kerberos is not built in: use SCRAM"),
    ("sasl_gssapi_auth_type", "Kerberos is not built in: use SCRAM"),
    ("sasl_gssapi_kerberos_config_path", "Kerberos is not built in: use SCRAM"),
    ("sasl_gssapi_key_tab_path", "Kerberos is not built in: use SCRAM"),
    ("sasl_gssapi_realm", "Kerberos is not built in: use SCRAM"),
    ("sasl_gssapi_disable_pafxfast", "Kerberos is not built in: use SCRAM"),
    ("socks5_enabled", "the bridge does not support SOCKS: use a tunnel or a TCP proxy"),
    ("socks5_address", "the bridge does not support SOCKS: use a tunnel or a TCP proxy"),
    ("tls_server_name", "each certificate must have the name by which the bridge connects to the broker"),
    ("tls_min_version", "the bridge uses TLS 1.2 and later"),
    ("tls_cipher_suites", "write \"ssl.cipher.suites\" into [kafka.librdkafka]"),
    ("sasl_aws_msk_iam_region", "IAM is not built in: use SCRAM with a secret of AWS Secrets Manager"),
    ("zookeeper_peers", "the bridge does not use ZooKeeper: name the brokers"),
];

/// Options that the bridge does not need, with the reason.
const NOT_NEEDED: [(&str, &str); 17] = [
    ("kafka_version", "the brokers report their version"),
    ("version", "the brokers report their version"),
    ("balance_strategy", "the bridge uses cooperative-sticky, which moves as few partitions as possible"),
    ("max_undelivered_messages", "Kafka is the buffer, and batch.memory_max bounds the memory"),
    ("max_processing_time", "it is not needed: a slow InfluxDB does not block the group"),
    ("consumer_fetch_default", "it is not needed: the bridge limits fetches by its memory"),
    ("compression_codec", "it is for producers: the bridge reads every codec"),
    ("idempotent_writes", "it is for producers"),
    ("connection_strategy", "the bridge starts without brokers and retries"),
    ("startup_error_behavior", "the bridge starts without brokers and retries"),
    ("metadata_full", "the bridge requests metadata of its own topics only"),
    ("metadata_retry_max", "the bridge retries until it succeeds"),
    ("metadata_retry_type", "the bridge retries until it succeeds"),
    ("metadata_retry_backoff", "the bridge retries until it succeeds"),
    ("metadata_retry_max_duration", "the bridge retries until it succeeds"),
    ("sasl_version", "the brokers report it"),
    ("tls_renegotiation_method", "the bridge does not renegotiate"),
];

/// Options without a counterpart that need no note.
const SILENT: [&str; 22] = [
    "alias",
    "interval",
    "collection_jitter",
    "collection_offset",
    "log_level",
    "labels",
    "lvm",
    "socks5_username",
    "socks5_password",
    "sasl_aws_msk_iam_profile",
    "sasl_aws_msk_iam_role",
    "sasl_aws_msk_iam_session",
    "always_include_local_tags",
    "always_include_global_tags",
    "buffer_strategy",
    "buffer_directory",
    "data_format",
    "data_type",
    "influx_parser_type",
    "precision",
    "time_source",
    "metricpass",
];

/// Formats with the options of their parsers.
const PARSERS: [(&str, &[&str]); 11] = [
    ("influx", &influx::OPTIONS),
    ("json", &json::OPTIONS),
    ("json_v2", &["json_v2"]),
    ("msgpack", &[]),
    ("avro", &avro::OPTIONS),
    ("csv", &csv::OPTIONS),
    ("value", &value::OPTIONS),
    ("xpath_json", &xpath::OPTIONS),
    ("xpath_msgpack", &xpath::OPTIONS),
    ("xpath_cbor", &xpath::OPTIONS),
    ("xpath_protobuf", &xpath::OPTIONS),
];

/// Options that other modules read, for suggestions.
const READ: [&str; 12] = [
    "brokers",
    "topics",
    "topic_regexps",
    "topic_tag",
    "consumer_group",
    "client_id",
    "offset",
    "max_message_len",
    "msg_headers_as_tags",
    "msg_header_as_metric_name",
    "timestamp_source",
    "tags",
];

/// Whether an option is about the connection to Kafka, and changes no point.
pub fn is_connection(option: &str) -> bool {
    const TOPICS: [&str; 3] = ["topics", "topic_regexps", "alias"];
    let without_counterpart = NOTES.iter().chain(&NOT_NEEDED).map(|(name, _)| name);
    let mut known = CONNECTION.iter().chain(without_counterpart).chain(&TOPICS);
    known.any(|name| conf::same(name, option)) || option.starts_with("sasl_") || option.starts_with("socks5_")
}

/// A text that is equal for inputs that one bridge can replace.
pub fn identity(input: &Options) -> String {
    input.identity(&CONNECTION)
}

/// Topic names, and regular expressions in the notation of bridge.toml.
pub fn topics(input: &Options, report: &mut Report) -> Vec<String> {
    let mut topics = input.texts("topics");
    if topics.is_empty() {
        topics = input.texts("topic");
    }
    for topic in &mut topics {
        if is_whole_variable(topic) {
            let note = input.note(
                "topics",
                format!("{topic} must have one name: the bridge does not split a list in a variable"),
            );
            report.notes.add(note);
        }
        *topic = report.value(input, "topics", "kafka.topics", topic).0;
    }
    for pattern in input.texts("topic_regexps") {
        let anchored = if pattern.starts_with('^') { pattern.clone() } else { format!("^.*(?:{pattern})") };
        if !has_variable(&anchored) && Regex::new(&anchored).is_err() {
            report.notes.add(input.note(
                "topic_regexps",
                format!("{pattern:?} is not a regular expression that the bridge supports: `check` shows the place"),
            ));
        }
        topics.push(anchored);
    }
    if topics.is_empty() {
        report.fill_in.push(format!("kafka.topics: {} names none", input.place("topics")));
        topics.push("${FILL_IN_KAFKA_TOPICS}".to_owned());
    }
    let mut distinct = Vec::new();
    for topic in topics {
        if !distinct.contains(&topic) {
            distinct.push(topic);
        }
    }
    distinct
}

/// The tables for inputs that share a connection.
pub fn tables(inputs: &[&Options], topics: &[String], group_suffix: &str, report: &mut Report) -> Vec<Table> {
    let Some(input) = inputs.first() else { return Vec::new() };
    let mut kafka = Table::new("[kafka]");
    for input in inputs {
        report.note_all(&mut kafka, input, &NOTES, Weight::Differs);
        report.note_all(&mut kafka, input, &NOT_NEEDED, Weight::NoEffect);
    }
    brokers(input, &mut kafka, report);
    kafka.set("topics", topics.to_vec());
    group(input, group_suffix, &mut kafka, report);
    if let Some(id) = input.text("client_id") {
        kafka.set("client_id", id);
    }
    match input.text("offset").map(|offset| offset.to_ascii_lowercase()).as_deref() {
        Some("newest") => {
            kafka.set("offset_reset", "latest");
        }
        None | Some("oldest") => {}
        Some(other) => report.note(
            &mut kafka,
            input,
            "offset",
            format!("{other:?} is neither oldest nor newest: the bridge starts with the earliest"),
        ),
    }
    record_bytes_max(inputs, &mut kafka, report);
    let mut tables = vec![kafka];
    tables.extend(tls(input, report));
    let sasl = sasl(input, &mut tables, report);
    tables.extend(sasl);
    for input in inputs {
        input.mark(SILENT);
    }
    tables
}

/// Reports unknown options, and those of the parser of another format.
pub fn report_unread(input: &Options, report: &mut Report) {
    let format = input.text("data_format");
    let format = format.as_deref().unwrap_or("influx");
    let Some((_, own)) = PARSERS.iter().find(|(name, _)| *name == format) else {
        // This input stays in Telegraf and may have options of another parser.
        return;
    };
    let common = READ.iter().chain(&CONNECTION).chain(&SILENT).chain(&NAMES_AND_FILTERS).copied();
    let mut known: Vec<&str> = common.chain(NOTES.iter().chain(&NOT_NEEDED).map(|(name, _)| *name)).collect();
    known.extend(*own);
    input.mark(known.iter().copied());
    for (name, options) in PARSERS {
        let unread = input.unread();
        for option in options.iter().filter(|option| unread.iter().any(|name| conf::same(name, option))) {
            let why = format!(
                "it belongs to data_format = {name:?}, and this input has {format:?}, which does not read it: it was left out"
            );
            report.notes.add(input.note(option, why));
        }
        input.mark(options.iter().copied());
    }
    report.unread("kafka_consumer", input, &known);
}

fn brokers(input: &Options, kafka: &mut Table, report: &mut Report) {
    let mut comments = Vec::new();
    let mut brokers: Vec<String> = Vec::new();
    for broker in input.texts("brokers") {
        let (broker, why) = report.value(input, "brokers", "kafka.brokers", &broker);
        comments.extend(why);
        brokers.push(broker);
    }
    if brokers.is_empty() {
        comments.push(format!("FILL IN: {} names none", input.place("brokers")));
        report.fill_in.push(format!("kafka.brokers: {} names none", input.place("brokers")));
        brokers.push("${FILL_IN_KAFKA_BROKERS}".to_owned());
    }
    kafka.set_because("brokers", brokers, &comments.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Whether a new group reads new records only.
fn is_newest(input: &Options) -> bool {
    input.text("offset").is_some_and(|offset| offset.eq_ignore_ascii_case("newest"))
}

const NEW_GROUP: &str = "a further bridge needs a group of its own, which has no offsets yet.";

const SECOND_POINTS: &str = "With `offset_reset` = \"earliest\", the default, it writes all retained records again, beside the points that \
     Telegraf has written; \"latest\" begins with new records.";

fn group(input: &Options, suffix: &str, kafka: &mut Table, report: &mut Report) {
    let group = input.text("consumer_group").unwrap_or_else(|| DEFAULT_GROUP.to_owned());
    if suffix.is_empty() {
        kafka.set_because(
            "group_id",
            group,
            &["Telegraf's group: the bridge continues after Telegraf's last commit. Stop Telegraf before you start the bridge."],
        );
    } else {
        kafka.set_because(
            "group_id",
            group + suffix,
            &["A new group: another bridge uses Telegraf's group, and each needs every record. It starts at `offset_reset`."],
        );
        if !is_newest(input) {
            kafka.suggest("offset_reset", "latest", &[SECOND_POINTS]);
            let why = format!("{NEW_GROUP} {SECOND_POINTS}");
            report.notes.add(input.note("consumer_group", why).weighing(Weight::PointsDiffer));
        }
    }
}

/// Sets `record_bytes_max` to the largest limit of the inputs.
fn record_bytes_max(inputs: &[&Options], kafka: &mut Table, report: &mut Report) {
    let mut largest = None;
    for input in inputs {
        let Some(text) = input.text("max_message_len") else { continue };
        match amounts::size(&text) {
            Some(0) => report.note(
                kafka,
                input,
                "max_message_len",
                "0 is no limit; here it is record_bytes_max = \"1MB\", or more if you write it",
            ),
            Some(bytes) => largest = largest.max(Some(bytes.min(1_000_000_000))),
            None if has_variable(&text) => {
                kafka.set("record_bytes_max", text);
            }
            None => report.note(kafka, input, "max_message_len", "it is not a number"),
        }
    }
    if let Some(bytes) = largest.filter(|_| kafka.get("record_bytes_max").is_none()) {
        kafka.set("record_bytes_max", amounts::shown_size(bytes));
    }
}

/// `[kafka.tls]`. Telegraf uses TLS if it is enabled or if any TLS option is set.
fn tls(input: &Options, report: &mut Report) -> Option<Table> {
    let mut table = Table::new("[kafka.tls]");
    let is_file = files(input, &mut table);
    let is_unverified = input.flag("insecure_skip_verify") == Some(true);
    let is_enabled = input.flag("enable_tls").or_else(|| input.flag("tls_enable"));
    if !is_enabled.unwrap_or(is_file || is_unverified) {
        if is_file {
            report.notes.add(input.note("enable_tls", "TLS is switched off, so its files were left out"));
        }
        return None;
    }
    if input.text("tls_key_pwd").is_some() {
        report.set_secret(&mut table, input, "tls_key_pwd", "key_password", "KAFKA_KEY_PASSWORD");
    }
    if is_unverified {
        table.set_because(
            "verify",
            false,
            &["From insecure_skip_verify: anybody on the network path can read and change everything."],
        );
    }
    Some(table)
}

/// Sets the certificate files of Kafka or InfluxDB, and returns whether there are any.
pub fn files(options: &Options, table: &mut Table) -> bool {
    let mut any = false;
    for (option, old, key) in [
        ("tls_ca", "ssl_ca", "ca_file"),
        ("tls_cert", "ssl_cert", "cert_file"),
        ("tls_key", "ssl_key", "key_file"),
    ] {
        let Some(file) = options.text(option).or_else(|| options.text(old)) else { continue };
        any = true;
        let comment = "A relative name starts in the folder of this file.";
        let comments: &[&str] = if file.starts_with(['/', '$']) { &[] } else { &[comment] };
        table.set_because(key, file, comments);
    }
    any
}

fn sasl(input: &Options, tables: &mut [Table], report: &mut Report) -> Option<Table> {
    let mechanism = input.text("sasl_mechanism");
    if mechanism.is_none() && input.text("sasl_username").is_none() {
        return None;
    }
    let mechanism = mechanism.unwrap_or_else(|| "PLAIN".to_owned());
    let mut table = Table::new("[kafka.sasl]");
    let why = match mechanism.as_str() {
        "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" => None,
        "OAUTHBEARER" => Some(
            "the bridge gets tokens itself: write \"sasl.oauthbearer.config\" and similar properties into [kafka.librdkafka]",
        ),
        "GSSAPI" => Some("Kerberos is not built in: use SCRAM"),
        "AWS-MSK-IAM" => Some("IAM is not built in: use SCRAM with a secret of AWS Secrets Manager"),
        text if has_variable(text) => None,
        _ => Some("this mechanism is unknown: use one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
    };
    if let Some(why) = why {
        match tables.first_mut() {
            Some(kafka) => report.note(kafka, input, "sasl_mechanism", why),
            None => report.notes.add(input.note("sasl_mechanism", why)),
        }
        report.fill_in.push(format!(
            "kafka.sasl: {} has {mechanism}, which has no counterpart: {why}",
            input.place("sasl_mechanism")
        ));
        if mechanism == "OAUTHBEARER" {
            table.set_because("mechanism", mechanism, &[&format!("FILL IN: {why}.")]);
            return Some(table);
        }
        table.set_because(
            "mechanism",
            "SCRAM-SHA-512",
            &[&format!("FILL IN: instead of {mechanism}: {why}.")],
        );
        report.require(&mut table, input, "sasl_username", "username");
        report.set_secret(&mut table, input, "sasl_password", "password", "KAFKA_PASSWORD");
        return Some(table);
    }
    table.set("mechanism", mechanism);
    report.require(&mut table, input, "sasl_username", "username");
    report.set_secret(&mut table, input, "sasl_password", "password", "KAFKA_PASSWORD");
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::PARSERS;
    use crate::golden::of_text;

    /// The notes on an input with this format; None: without the option.
    fn notes(format: Option<&str>, options: &str) -> Vec<String> {
        let format = format.map(|format| format!("data_format = '{format}'\n")).unwrap_or_default();
        let xpath = if format.contains("xpath_") {
            "[[inputs.kafka_consumer.xpath]]\n[inputs.kafka_consumer.xpath.fields]\nv = '/v'\n"
        } else {
            ""
        };
        // A second input that the bridge replaces in any case.
        let text = format!(
            "[[inputs.kafka_consumer]]\nbrokers = ['b:1']\ntopics = ['t']\n{format}{options}{xpath}\
             [[inputs.kafka_consumer]]\nbrokers = ['b:1']\ntopics = ['u']\ndata_format = 'json'\n\
             [[outputs.influxdb_v2]]\nurls = ['http://i:8086']\ntoken = 't'\norganization = 'o'\nbucket = 'b'\n"
        );
        of_text("telegraf.conf", &text).unwrap().notes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unknown_options_are_named_in_every_format() {
        let formats = PARSERS.iter().map(|(name, _)| Some(*name)).chain([None]);
        for format in formats {
            let notes = notes(format, "max_mesage_len = 5\nunheard_of = 1\n");
            for want in ["max_mesage_len", "did you mean \"max_message_len\"?", "unheard_of"] {
                assert!(notes.iter().any(|note| note.contains(want)), "{format:?}: {want}: {notes:#?}");
            }
        }
    }

    #[test]
    fn options_of_another_parser_are_named() {
        let another = [
            ("json_time_key", "json"),
            ("csv_delimiter", "csv"),
            ("value_field_name", "value"),
            ("influx_timestamp_precision", "influx"),
            ("avro_measurement", "avro"),
            ("xpath_native_types", "xpath_json"),
        ];
        let formats = PARSERS.iter().map(|(name, _)| Some(*name)).chain([None]);
        for format in formats {
            for (option, owner) in another {
                let own = PARSERS.iter().find(|(name, _)| *name == format.unwrap_or("influx"));
                let is_own = own.is_some_and(|(_, options)| options.contains(&option));
                let want = format!("it belongs to data_format = {owner:?}");
                let notes = notes(format, &format!("{option} = '1ms'\n"));
                let found = notes.iter().any(|note| note.contains(option) && note.contains(&want));
                assert_eq!(found, !is_own, "{format:?}: {option}: {notes:#?}");
            }
        }
    }

    #[test]
    fn avro_written_as_json_is_named_with_the_format_that_reads_it() {
        let notes = notes(Some("avro"), "avro_format = 'json'\n");
        let want = ["avro_format", "format = \"json\""];
        assert!(notes.iter().any(|note| want.iter().all(|want| note.contains(want))), "{notes:#?}");
        assert!(!notes.iter().any(|note| note.contains("does not read the format")), "{notes:#?}");
    }
}
