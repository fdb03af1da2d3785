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

/// A name, the table where it has this meaning (empty: any table), and the meaning. Case, "_", "-" and "." do not count.
const WORDS: &[(&str, &str, Meaning)] = &[
    // Kafka clients, and Telegraf's kafka_consumer.
    ("bootstrap_servers", "", Key("kafka", "brokers")),
    ("bootstrap_server", "", Key("kafka", "brokers")),
    ("metadata.broker.list", "", Key("kafka", "brokers")),
    ("broker_list", "", Key("kafka", "brokers")),
    ("servers", "kafka", Key("kafka", "brokers")),
    ("hosts", "kafka", Key("kafka", "brokers")),
    ("url", "kafka", Key("kafka", "brokers")),
    ("urls", "kafka", Key("kafka", "brokers")),
    ("consumer_group", "", Key("kafka", "group_id")),
    ("group", "kafka", Key("kafka", "group_id")),
    ("group_instance_id", "", Key("kafka", "instance_id")),
    ("topic_regexps", "", Note("a topic pattern is an entry of `topics` that starts with \"^\"")),
    ("topics_pattern", "", Note("a topic pattern is an entry of `topics` that starts with \"^\"")),
    ("topics_regex", "", Note("a topic pattern is an entry of `topics` that starts with \"^\"")),
    ("offset", "kafka", Key("kafka", "offset_reset")),
    ("offset", "", Key("kafka", "offset_reset")),
    ("auto_offset_reset", "", Key("kafka", "offset_reset")),
    ("initial_offset", "", Key("kafka", "offset_reset")),
    ("start_offset", "", Key("kafka", "offset_reset")),
    ("influx_timestamp_precision", "", Key("mapping", "precision")),
    ("max_message_len", "", Key("kafka", "record_bytes_max")),
    ("max_message_bytes", "", Key("kafka", "record_bytes_max")),
    ("num_consumers", "", Key("kafka", "consumers")),
    ("workers", "", Key("kafka", "consumers")),
    ("threads", "", Key("kafka", "consumers")),
    ("balance_strategy", "", Note("write \"partition.assignment.strategy\" in [kafka.librdkafka]")),
    ("kafka_version", "", BROKERS_SAY_IT),
    ("version", "kafka", BROKERS_SAY_IT),
    ("security_protocol", "", Note("the presence of [kafka.tls] and [kafka.sasl] decides it")),
    ("sasl_username", "", Key("kafka.sasl", "username")),
    ("sasl_password", "", Key("kafka.sasl", "password")),
    ("sasl_mechanism", "", Key("kafka.sasl", "mechanism")),
    ("sasl_mechanisms", "", Key("kafka.sasl", "mechanism")),
    ("user", "kafka.sasl", Key("kafka.sasl", "username")),
    ("sasl_access_token", "", Key("kafka.sasl", "token")),
    ("sasl_oauthbearer_token_endpoint_url", "", Key("kafka.sasl", "token_endpoint")),
    ("sasl_oauthbearer_client_id", "", Key("kafka.sasl", "client_id")),
    ("sasl_oauthbearer_client_secret", "", Key("kafka.sasl", "client_secret")),
    ("sasl_oauthbearer_scope", "", Key("kafka.sasl", "scope")),
    ("token_url", "kafka.sasl", Key("kafka.sasl", "token_endpoint")),
    // TLS options of Telegraf and others.
    ("tls_ca", "kafka.tls", Key("kafka.tls", "ca_file")),
    ("ca", "kafka.tls", Key("kafka.tls", "ca_file")),
    ("ca", "influx.tls", Key("influx.tls", "ca_file")),
    ("ssl_ca_location", "", Key("kafka.tls", "ca_file")),
    ("ssl_certificate_location", "", Key("kafka.tls", "cert_file")),
    ("ssl_key_location", "", Key("kafka.tls", "key_file")),
    ("ssl_key_password", "", Key("kafka.tls", "key_password")),
    ("tls_key_pwd", "", Key("kafka.tls", "key_password")),
    ("tls_ca", "", TLS_KEY),
    ("tls_cert", "", TLS_KEY),
    ("tls_key", "", TLS_KEY),
    ("tls_enable", "", TLS_KEY),
    ("ssl", "", TLS_KEY),
    ("insecure_skip_verify", "", Note("write verify = false in [kafka.tls] or [influx.tls]")),
    // Telegraf's JSON parser and general options of its inputs.
    ("json_name_key", "", Key("mapping", "name_key")),
    ("json_time_key", "", Key("mapping", "time_key")),
    ("json_time_format", "", Key("mapping", "time_format")),
    ("json_timezone", "", Key("mapping", "timezone")),
    ("json_query", "", Key("mapping", "query")),
    ("json_strict", "", Key("mapping", "strict")),
    ("json_string_fields", "", Key("mapping", "string_fields")),
    ("json_tag_keys", "", Key("mapping", "tag_keys")),
    ("timestamp_key", "", Key("mapping", "time_key")),
    ("timestamp_field", "", Key("mapping", "time_key")),
    ("timestamp_format", "", Key("mapping", "time_format")),
    ("tz", "", Key("mapping", "timezone")),
    ("data_format", "", Key("mapping", "format")),
    ("tag_fields", "", Key("mapping", "tag_keys")),
    ("auto_tags", "", ALL_TAGS),
    ("taginclude", "", ALL_TAGS),
    ("tagexclude", "", ALL_TAGS),
    ("tagpass", "", ALL_TAGS),
    ("tagdrop", "", ALL_TAGS),
    ("measurement_name", "", Key("mapping", "measurement")),
    ("name_override", "", Key("mapping", "measurement")),
    ("default_measurement", "", Key("mapping", "measurement")),
    ("name_prefix", "", Note("write it into `measurement`, as in measurement = \"prefix_{topic}\"")),
    ("name_suffix", "", Note("write it into `measurement`, as in measurement = \"{topic}_suffix\"")),
    ("fieldinclude", "", Key("mapping", "include")),
    ("fieldpass", "", Key("mapping", "include")),
    ("fields", "mapping", Key("mapping", "include")),
    ("fieldexclude", "", Key("mapping", "exclude")),
    ("fielddrop", "", Key("mapping", "exclude")),
    ("global_tags", "", Key("mapping", "tags")),
    ("static_tags", "", Key("mapping", "tags")),
    ("hostname", "", Note("a fixed tag is written tags = { host = \"...\" } in [[mapping]]")),
    (
        "omit_hostname",
        "",
        Note("no host tag is added; a fixed one is written tags = { host = \"...\" } in [[mapping]]"),
    ),
    // Telegraf's agent and outputs; InfluxDB clients.
    ("organization", "", Key("influx", "org")),
    ("organisation", "", Key("influx", "org")),
    ("org_id", "", Key("influx", "org")),
    ("bucket_name", "", Key("influx", "bucket")),
    ("dbname", "", Key("influx", "database")),
    ("db", "", Key("influx", "database")),
    ("database_name", "", Key("influx", "database")),
    ("rp", "", Key("influx", "retention_policy")),
    ("user", "influx", Key("influx", "username")),
    ("host", "influx", Key("influx", "url")),
    ("address", "influx", Key("influx", "url")),
    ("endpoint", "influx", Key("influx", "url")),
    ("server", "influx", Key("influx", "url")),
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
    ("content_encoding", "", Key("influx", "compression")),
    ("gzip", "", Key("influx", "compression")),
    ("http_timeout", "", Key("influx", "timeout")),
    ("write_timeout", "", Key("influx", "timeout")),
    ("flush_interval", "", Key("batch", "age_max")),
    ("linger_ms", "", Key("batch", "age_max")),
    ("metric_batch_size", "", Key("batch", "lines_max")),
    ("batch_size", "", Key("batch", "lines_max")),
    ("max_batch_size", "", Key("batch", "lines_max")),
    ("batch_bytes_max", "", Key("batch", "bytes_max")),
    ("rate_limit", "", Key("batch", "points_per_second_max")),
    ("metric_buffer_limit", "", KAFKA_IS_THE_BUFFER),
    ("max_undelivered_messages", "", KAFKA_IS_THE_BUFFER),
    ("buffer_size", "", KAFKA_IS_THE_BUFFER),
    ("max_poll_records", "", KAFKA_IS_THE_BUFFER),
    ("listen_address", "", Key("admin", "listen")),
    ("metrics_listen", "", Key("admin", "listen")),
    ("service_address", "", Key("admin", "listen")),
    ("dead_letter_topic", "", Key("dead_letter", "topic")),
    ("dead_letter_queue", "", Key("dead_letter", "topic")),
    ("dlq", "", Key("dead_letter", "topic")),
    ("dlq_topic", "", Key("dead_letter", "topic")),
    ("errors.deadletterqueue.topic.name", "", Key("dead_letter", "topic")),
    ("dead_letter_file", "", Key("dead_letter", "file")),
    ("path", "dead_letter", Key("dead_letter", "file")),
    ("log_level", "", Key("log", "level")),
    ("loglevel", "", Key("log", "level")),
    ("log_format", "", Key("log", "format")),
    ("debug", "", Key("log", "level")),
    ("quiet", "", Key("log", "level")),
    ("file", "log", LOG_GOES_TO_STDERR),
    ("path", "log", LOG_GOES_TO_STDERR),
    ("logfile", "", LOG_GOES_TO_STDERR),
    ("logfile", "", Note("the log goes to standard error: redirect it there")),
    ("shutdown_timeout", "", Key("", "shutdown_max")),
    ("grace_period", "", Key("", "shutdown_max")),
    ("interval", "", Note("records are read as they arrive")),
];

/// The meaning of another tool's key in `table`.
pub fn meaning(word: &str, table: &str) -> Option<Meaning> {
    let plain = normalized(word);
    let same = |(known, _, _): &&(&str, &str, Meaning)| normalized(known) == plain;
    let here = WORDS.iter().filter(same).find(|(_, of, _)| *of == table);
    let anywhere = || WORDS.iter().filter(same).find(|(_, of, _)| of.is_empty());
    here.or_else(anywhere).map(|(_, _, meaning)| *meaning)
}

/// Tables of other tools by their full name, or by its beginning up to a ".": the table of bridge.toml that has their
/// content, and the remark for the message.
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
    ("tls", "", "TLS is set in [kafka.tls] and [influx.tls]"),
    ("ssl", "", "TLS is set in [kafka.tls] and [influx.tls]"),
    ("sasl", "", "here it is [kafka.sasl]"),
    ("librdkafka", "", "here it is [kafka.librdkafka]"),
    ("influxdb", "influx", "here it is [influx]"),
    ("influxdb2", "influx", "here it is [influx]"),
    ("influxdb_v2", "influx", "here it is [influx]"),
    ("output", "influx", "here it is [influx]"),
    ("sink", "influx", "here it is [influx]"),
    ("consumer", "kafka", "here it is [kafka]"),
    ("input", "kafka", "here it is [kafka]"),
    ("source", "kafka", "here it is [kafka]"),
    ("mappings", "mapping", "here it is [[mapping]], once for each"),
    ("topics", "", "topics are named in [kafka], and [[mapping]] says what their records become"),
    ("tags", "", "here it is `tags` of a [[mapping]]"),
    ("rename", "", "here it is `rename` of a [[mapping]]"),
    ("dlq", "dead_letter", "here it is [dead_letter]"),
    ("dead_letter_queue", "dead_letter", "here it is [dead_letter]"),
    ("logging", "log", "here it is [log]"),
    ("metrics", "admin", "here it is [admin]"),
    ("http", "admin", "here it is [admin]"),
];

/// The table that has the content of another tool's table (empty: none, or several), and the remark for the message.
pub fn table_meaning(name: &str) -> Option<(&'static str, &'static str)> {
    let same = |known: &str| {
        if known.ends_with('.') { name.starts_with(known) } else { name.eq_ignore_ascii_case(known) }
    };
    TABLES.iter().find(|(known, ..)| same(known)).map(|(_, table, note)| (*table, *note))
}

/// Values of other tools: (key, their value, the value in bridge.toml).
pub const VALUES: &[(&str, &str, &str)] = &[
    ("offset_reset", "oldest", "earliest"),
    ("offset_reset", "smallest", "earliest"),
    ("offset_reset", "beginning", "earliest"),
    ("offset_reset", "newest", "latest"),
    ("offset_reset", "largest", "latest"),
    ("offset_reset", "end", "latest"),
    ("offset_reset", "none", "error"),
    ("types", "integer", "int"),
    ("types", "unsigned", "uint"),
    ("types", "double", "float"),
    ("types", "number", "float"),
    ("types", "boolean", "bool"),
    ("types", "text", "string"),
    ("format", "json_v2", "json"),
    ("format", "ndjson", "json_lines"),
    ("format", "jsonl", "json_lines"),
    ("format", "line_protocol", "influx"),
    ("format", "messagepack", "msgpack"),
    ("format", "message_pack", "msgpack"),
    ("format", "logfmt", "text"),
    ("format", "plain", "text"),
    ("integers", "integer", "int"),
    ("integers", "double", "float"),
    ("compression", "identity", "none"),
    ("compression", "off", "none"),
    ("level", "warning", "warn"),
    ("level", "verbose", "debug"),
    ("level", "quiet", "error"),
    ("api", "2", "v2"),
    ("api", "1", "v1"),
    ("api", "3", "v3"),
    ("mechanism", "SCRAM-256", "SCRAM-SHA-256"),
    ("mechanism", "SCRAM-512", "SCRAM-SHA-512"),
    ("time_format", "epoch", "unix"),
    ("time_format", "seconds", "unix"),
    ("time_format", "s", "unix"),
    ("time_format", "unix_s", "unix"),
    ("time_format", "epoch_ms", "unix_ms"),
    ("time_format", "epoch_millis", "unix_ms"),
    ("time_format", "unix_millis", "unix_ms"),
    ("time_format", "millis", "unix_ms"),
    ("time_format", "ms", "unix_ms"),
    ("time_format", "us", "unix_us"),
    ("time_format", "micros", "unix_us"),
    ("time_format", "ns", "unix_ns"),
    ("time_format", "nanos", "unix_ns"),
    ("time_format", "iso8601", "rfc3339"),
    ("time_format", "iso", "rfc3339"),
];

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
