//! Names of other tools, and their counterparts in bridge.toml.

use base::suggest::normalized;

/// The meaning of another tool's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A key: its table and name.
    Key(&'static str, &'static str),
    /// It is not needed, or written differently.
    Note(&'static str),
}

use Meaning::{Key, Note};

const TLS_KEY: Meaning = Note("files and passwords of TLS belong in [kafka.tls] and [influx.tls]");
const ALL_TAGS: Meaning = Note("only the keys in `tag_keys` become tags, and `rename` changes their names");
const KAFKA_IS_THE_BUFFER: Meaning =
    Note("it is not needed: Kafka is the buffer, and batch.memory_max bounds the memory");
const LOG_GOES_TO_STDERR: Meaning =
    Note("the log goes to standard error: redirect it to a file, or let systemd or Docker keep it");
const BROKERS_SAY_IT: Meaning = Note("the brokers report their version: leave it out");

/// Names, the table where they have this meaning (empty: any table), and the meaning. Case, "_", "-" and "." do not count.
const WORDS: &[(&str, &str, Meaning)] = &[
    // Kafka clients, and Telegraf's kafka_consumer.
    ("bootstrap_servers bootstrap_server metadata.broker.list broker_list", "", Key("kafka", "brokers")),
    ("servers hosts url urls", "kafka", Key("kafka", "brokers")),
    ("consumer_group", "", Key("kafka", "group_id")),
    ("group", "kafka", Key("kafka", "group_id")),
    ("group_instance_id", "", Key("kafka", "instance_id")),
    (
        "topic_regexps topics_pattern topics_regex",
        "",
        Note("a topic pattern is an entry of `topics` that starts with \"^\""),
    ),
    ("offset", "kafka", Key("kafka", "offset_reset")),
    ("offset auto_offset_reset initial_offset start_offset", "", Key("kafka", "offset_reset")),
    ("influx_timestamp_precision", "", Key("mapping", "precision")),
    ("max_message_len max_message_bytes", "", Key("kafka", "record_bytes_max")),
    ("num_consumers workers threads", "", Key("kafka", "consumers")),
    ("balance_strategy", "", Note("write \"partition.assignment.strategy\" in [kafka.librdkafka]")),
    ("kafka_version", "", BROKERS_SAY_IT),
    ("version", "kafka", BROKERS_SAY_IT),
    ("security_protocol", "", Note("the presence of [kafka.tls] and [kafka.sasl] decides it")),
    ("sasl_username", "", Key("kafka.sasl", "username")),
    ("sasl_password", "", Key("kafka.sasl", "password")),
    ("sasl_mechanism sasl_mechanisms", "", Key("kafka.sasl", "mechanism")),
    ("user", "kafka.sasl", Key("kafka.sasl", "username")),
    ("sasl_access_token", "", Key("kafka.sasl", "token")),
    ("sasl_oauthbearer_token_endpoint_url", "", Key("kafka.sasl", "token_endpoint")),
    ("sasl_oauthbearer_client_id", "", Key("kafka.sasl", "client_id")),
    ("sasl_oauthbearer_client_secret", "", Key("kafka.sasl", "client_secret")),
    ("sasl_oauthbearer_scope", "", Key("kafka.sasl", "scope")),
    ("token_url", "kafka.sasl", Key("kafka.sasl", "token_endpoint")),
    // TLS options of Telegraf and others.
    ("tls_ca ca", "kafka.tls", Key("kafka.tls", "ca_file")),
    ("ca", "influx.tls", Key("influx.tls", "ca_file")),
    ("ssl_ca_location", "", Key("kafka.tls", "ca_file")),
    ("ssl_certificate_location", "", Key("kafka.tls", "cert_file")),
    ("ssl_key_location", "", Key("kafka.tls", "key_file")),
    ("ssl_key_password tls_key_pwd", "", Key("kafka.tls", "key_password")),
    ("tls_ca tls_cert tls_key tls_enable ssl", "", TLS_KEY),
    ("insecure_skip_verify", "", Note("write verify = false in [kafka.tls] or [influx.tls]")),
    // Telegraf's JSON parser and general options of its inputs.
    ("json_name_key", "", Key("mapping", "name_key")),
    ("json_time_key timestamp_key timestamp_field", "", Key("mapping", "time_key")),
    ("json_time_format timestamp_format", "", Key("mapping", "time_format")),
    ("json_timezone tz", "", Key("mapping", "timezone")),
    ("json_query", "", Key("mapping", "query")),
    ("json_strict", "", Key("mapping", "strict")),
    ("json_string_fields", "", Key("mapping", "string_fields")),
    ("json_tag_keys tag_fields", "", Key("mapping", "tag_keys")),
    ("data_format", "", Key("mapping", "format")),
    ("auto_tags taginclude tagexclude tagpass tagdrop", "", ALL_TAGS),
    ("measurement_name name_override default_measurement", "", Key("mapping", "measurement")),
    ("name_prefix", "", Note("write it into `measurement`, as in measurement = \"prefix_{topic}\"")),
    ("name_suffix", "", Note("write it into `measurement`, as in measurement = \"{topic}_suffix\"")),
    ("fieldinclude fieldpass", "", Key("mapping", "include")),
    ("fields", "mapping", Key("mapping", "include")),
    ("fieldexclude fielddrop", "", Key("mapping", "exclude")),
    ("global_tags static_tags", "", Key("mapping", "tags")),
    ("hostname", "", Note("a fixed tag is written tags = { host = \"...\" } in [[mapping]]")),
    (
        "omit_hostname",
        "",
        Note("no host tag is added; a fixed one is written tags = { host = \"...\" } in [[mapping]]"),
    ),
    // Telegraf's agent and outputs; InfluxDB clients.
    ("organization organisation org_id", "", Key("influx", "org")),
    ("bucket_name", "", Key("influx", "bucket")),
    ("dbname db database_name", "", Key("influx", "database")),
    ("rp", "", Key("influx", "retention_policy")),
    ("user", "influx", Key("influx", "username")),
    ("host address endpoint server", "influx", Key("influx", "url")),
    ("port", "influx", Note("the port is part of `url`")),
    ("version", "influx", Key("influx", "api")),
    (
        "precision",
        "influx",
        Note(
            "times are written in nanoseconds: leave it out, or set `time_precision` in [influx] for QuestDB",
        ),
    ),
    ("skip_database_creation", "", Key("influx", "create_database")),
    ("content_encoding gzip", "", Key("influx", "compression")),
    ("http_timeout write_timeout", "", Key("influx", "timeout")),
    ("flush_interval linger_ms", "", Key("batch", "age_max")),
    ("metric_batch_size batch_size max_batch_size", "", Key("batch", "lines_max")),
    ("batch_bytes_max", "", Key("batch", "bytes_max")),
    ("rate_limit", "", Key("batch", "points_per_second_max")),
    ("metric_buffer_limit max_undelivered_messages buffer_size max_poll_records", "", KAFKA_IS_THE_BUFFER),
    ("listen_address metrics_listen service_address", "", Key("admin", "listen")),
    (
        "dead_letter_topic dead_letter_queue dlq dlq_topic errors.deadletterqueue.topic.name",
        "",
        Key("dead_letter", "topic"),
    ),
    ("dead_letter_file", "", Key("dead_letter", "file")),
    ("path", "dead_letter", Key("dead_letter", "file")),
    ("log_level debug quiet", "", Key("log", "level")),
    ("log_format", "", Key("log", "format")),
    ("file path", "log", LOG_GOES_TO_STDERR),
    ("logfile", "", LOG_GOES_TO_STDERR),
    ("shutdown_timeout grace_period", "", Key("", "shutdown_max")),
    ("interval", "", Note("records are read as they arrive")),
];

/// The meaning of another tool's key in `table`.
pub fn meaning(word: &str, table: &str) -> Option<Meaning> {
    let plain = normalized(word);
    let same =
        |(known, _, _): &&(&str, &str, Meaning)| known.split(' ').any(|known| normalized(known) == plain);
    let here = WORDS.iter().filter(same).find(|(_, of, _)| *of == table);
    let anywhere = || WORDS.iter().filter(same).find(|(_, of, _)| of.is_empty());
    here.or_else(anywhere).map(|(_, _, meaning)| *meaning)
}

/// Tables of other tools by their full names, or by the beginning of a name up to a ".": the table of bridge.toml that has
/// their content, and the remark for the message.
const TABLES: &[(&str, &str, &str)] = &[
    ("outputs.influxdb_v2", "influx", "this belongs to a telegraf.conf; here it is [influx]"),
    ("outputs.influxdb", "influx", "this belongs to a telegraf.conf; here it is [influx] with api = \"v1\""),
    (
        "outputs.influxdb_v3",
        "influx",
        "this belongs to a telegraf.conf; here it is [influx] with api = \"v3\"",
    ),
    (
        "outputs.",
        "influx",
        "this belongs to a telegraf.conf; the bridge writes to InfluxDB only, as [influx] says",
    ),
    (
        "inputs.kafka_consumer",
        "kafka",
        "this belongs to a telegraf.conf; here it is [kafka] and [[mapping]], and `migrate` makes a bridge.toml of the file",
    ),
    ("inputs.", "kafka", "this belongs to a telegraf.conf; the bridge reads Kafka only, as [kafka] says"),
    (
        "processors.",
        "mapping",
        "this belongs to a telegraf.conf; here [[mapping]] says what a record becomes",
    ),
    ("aggregators.", "", "this belongs to a telegraf.conf; the bridge does not aggregate"),
    ("agent", "batch", "this belongs to a telegraf.conf; here it is [batch] and [log]"),
    ("global_tags", "mapping", "this belongs to a telegraf.conf; here it is `tags` of a [[mapping]]"),
    ("tls ssl", "", "TLS is set in [kafka.tls] and [influx.tls]"),
    ("sasl", "", "here it is [kafka.sasl]"),
    ("librdkafka", "", "here it is [kafka.librdkafka]"),
    ("influxdb influxdb2 influxdb_v2 output sink", "influx", "here it is [influx]"),
    ("consumer input source", "kafka", "here it is [kafka]"),
    ("mappings", "mapping", "here it is [[mapping]], once for each"),
    ("topics", "", "topics are named in [kafka], and [[mapping]] says what their records become"),
    ("tags", "", "here it is `tags` of a [[mapping]]"),
    ("rename", "", "here it is `rename` of a [[mapping]]"),
    ("dlq dead_letter_queue", "dead_letter", "here it is [dead_letter]"),
    ("logging", "log", "here it is [log]"),
    ("metrics http", "admin", "here it is [admin]"),
];

/// The table that has the content of another tool's table (empty: none, or several), and the remark for the message.
pub fn table_meaning(name: &str) -> Option<(&'static str, &'static str)> {
    let same = |known: &str| {
        if known.ends_with('.') { name.starts_with(known) } else { name.eq_ignore_ascii_case(known) }
    };
    TABLES.iter().find(|(known, ..)| known.split(' ').any(same)).map(|(_, table, note)| (*table, *note))
}

/// Values of other tools: (key, their values, the value in bridge.toml).
const VALUES: &[(&str, &str, &str)] = &[
    ("offset_reset", "oldest smallest beginning", "earliest"),
    ("offset_reset", "newest largest end", "latest"),
    ("offset_reset", "none", "error"),
    ("types", "integer", "int"),
    ("types", "unsigned", "uint"),
    ("types", "double number", "float"),
    ("types", "boolean", "bool"),
    ("types", "text", "string"),
    ("format", "json_v2", "json"),
    ("format", "ndjson jsonl", "json_lines"),
    ("format", "line_protocol", "influx"),
    ("format", "messagepack message_pack", "msgpack"),
    ("format", "logfmt plain", "text"),
    ("integers", "integer", "int"),
    ("integers", "double", "float"),
    ("compression", "identity off", "none"),
    ("level", "warning", "warn"),
    ("level", "verbose", "debug"),
    ("level", "quiet", "error"),
    ("api", "2", "v2"),
    ("api", "1", "v1"),
    ("api", "3", "v3"),
    ("mechanism", "SCRAM-256", "SCRAM-SHA-256"),
    ("mechanism", "SCRAM-512", "SCRAM-SHA-512"),
    ("time_format", "epoch seconds s unix_s", "unix"),
    ("time_format", "epoch_ms epoch_millis unix_millis millis ms", "unix_ms"),
    ("time_format", "us micros", "unix_us"),
    ("time_format", "ns nanos", "unix_ns"),
    ("time_format", "iso8601 iso", "rfc3339"),
];

/// The value in bridge.toml that another tool's value of this key has.
pub fn value_meaning(key: &str, value: &str) -> Option<&'static str> {
    let same = |(of, known, _): &&(&str, &str, &str)| {
        *of == key && known.split(' ').any(|known| known.eq_ignore_ascii_case(value))
    };
    VALUES.iter().find(same).map(|(_, _, meant)| *meant)
}

#[cfg(test)]
mod tests {
    use super::super::keys;
    use super::*;

    #[test]
    fn knows_other_tools_words() {
        let f =
            |word: &str, table: &str, want: Meaning| assert_eq!(meaning(word, table), Some(want), "{word}");
        f("bootstrap.servers", "kafka", Key("kafka", "brokers"));
        f("bootstrapServers", "", Key("kafka", "brokers"));
        f("json_name_key", "mapping", Key("mapping", "name_key"));
        f("user", "influx", Key("influx", "username"));
        f("user", "kafka.sasl", Key("kafka.sasl", "username"));
        f("metric_buffer_limit", "batch", KAFKA_IS_THE_BUFFER);
        assert_eq!(meaning("user", "log"), None);
        assert_eq!(meaning("brokers", "kafka"), None);
    }

    #[test]
    fn every_meaning_exists() {
        for (word, table, meaning) in WORDS {
            assert!(table.is_empty() || keys::TABLES.iter().any(|t| t.name == *table), "{word}: {table}");
            if let Key(table, key) = meaning {
                let table = keys::TABLES.iter().find(|t| t.name == *table).unwrap();
                assert!(table.key(key).is_some(), "{word}: {key}");
            }
        }
        for (name, table, _) in TABLES {
            assert!(table.is_empty() || keys::TOP.tables.contains(table), "{name}: {table}");
        }
        for (key, word, _) in VALUES {
            assert!(keys::TABLES.iter().any(|t| t.key(key).is_some()), "{key} {word}");
        }
    }

    #[test]
    fn no_word_hides_a_key() {
        for table in keys::TABLES {
            for key in table.keys {
                let meaning = meaning(key.name, table.name).filter(|meaning| matches!(meaning, Note(_)));
                assert_eq!(meaning, None, "{}", key.name);
            }
        }
    }

    #[test]
    fn knows_other_tools_tables() {
        let f = |name: &str, want: &str| {
            assert!(table_meaning(name).unwrap().1.contains(want), "{name}");
        };
        f("outputs.influxdb_v2", "[influx]");
        f("outputs.file", "InfluxDB only");
        f("inputs.kafka_consumer", "[kafka] and [[mapping]]");
        f("processors.rename", "[[mapping]]");
        f("sasl", "[kafka.sasl]");
        assert_eq!(table_meaning("kafka"), None);
    }
}
