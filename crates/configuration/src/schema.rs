//! The tables of bridge.toml and their keys: the one list that the reader, its suggestions and the test of the
//! reference file share.

/// A table and what may stand in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Dotted; empty at the top of the file.
    pub name: &'static str,
    pub keys: &'static [&'static str],
    /// The tables inside it, by the last part of their names.
    pub tables: &'static [&'static str],
}

pub static TOP: Table = Table {
    name: "",
    keys: &["shutdown_max"],
    tables: &["kafka", "mapping", "influx", "batch", "reject", "dead_letter", "admin", "log"],
};

pub static KAFKA: Table = Table {
    name: "kafka",
    keys: &[
        "brokers",
        "topics",
        "group_id",
        "client_id",
        "offset_reset",
        "instance_id",
        "consumers",
        "record_bytes_max",
    ],
    tables: &["tls", "sasl", "librdkafka"],
};

pub static KAFKA_TLS: Table = Table {
    name: "kafka.tls",
    keys: &["ca_file", "cert_file", "key_file", "key_password", "verify"],
    tables: &[],
};

pub static KAFKA_SASL: Table = Table {
    name: "kafka.sasl",
    keys: &[
        "mechanism",
        "username",
        "password",
        "token",
        "token_endpoint",
        "client_id",
        "client_secret",
        "scope",
        "extensions",
    ],
    tables: &[],
};

pub static MAPPING: Table = Table {
    name: "mapping",
    keys: &[
        "topics",
        "format",
        "query",
        "measurement",
        "name_key",
        "tag_keys",
        "string_fields",
        "number_fields",
        "integers",
        "include",
        "exclude",
        "rename",
        "time_key",
        "time_format",
        "timezone",
        "time_min",
        "time_max",
        "distinct_times",
        "topic_tag",
        "key_tag",
        "partition_tag",
        "offset_field",
        "header_tags",
        "tags",
        "strict",
        "bucket",
        "database",
        "retention_policy",
    ],
    tables: &[],
};

pub static INFLUX: Table = Table {
    name: "influx",
    keys: &[
        "url",
        "urls",
        "api",
        "org",
        "bucket",
        "token",
        "database",
        "retention_policy",
        "username",
        "password",
        "create_database",
        "compression",
        "timeout",
    ],
    tables: &["tls"],
};

pub static INFLUX_TLS: Table =
    Table { name: "influx.tls", keys: &["ca_file", "cert_file", "key_file", "verify"], tables: &[] };

pub static BATCH: Table = Table {
    name: "batch",
    keys: &["lines_max", "bytes_max", "age_max", "memory_max", "points_per_second_max"],
    tables: &[],
};

pub static REJECT: Table = Table { name: "reject", keys: &["rate_max"], tables: &[] };

pub static DEAD_LETTER: Table =
    Table { name: "dead_letter", keys: &["topic", "file", "file_bytes_max"], tables: &[] };

pub static ADMIN: Table = Table { name: "admin", keys: &["listen", "show_records"], tables: &[] };

pub static LOG: Table = Table { name: "log", keys: &["level", "format"], tables: &[] };

pub static TABLES: [&Table; 12] = [
    &TOP,
    &KAFKA,
    &KAFKA_TLS,
    &KAFKA_SASL,
    &MAPPING,
    &INFLUX,
    &INFLUX_TLS,
    &BATCH,
    &REJECT,
    &DEAD_LETTER,
    &ADMIN,
    &LOG,
];

/// How a table is written in the file.
pub fn title(name: &str) -> String {
    match name {
        "" => "the top of the file".to_owned(),
        "mapping" => "[[mapping]]".to_owned(),
        name => format!("[{name}]"),
    }
}

/// The tables that hold `key`, and its spelling there.
pub fn holders(key: &str) -> Vec<(&'static Table, &'static str)> {
    let plain = base::suggest::normalized(key);
    let same = |known: &&&'static str| base::suggest::normalized(known) == plain;
    TABLES.iter().filter_map(|table| Some((*table, *table.keys.iter().find(same)?))).collect()
}
