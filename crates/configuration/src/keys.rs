//! Every table and key of bridge.toml, each declared once. The reader checks values by these declarations; suggestions,
//! the reload, the reference bridge.toml, docs/configuration.md and the JSON Schema follow from them.
//!
//! To add a key, declare it here, read it in the file of its table, and run
//! `UPDATE=1 cargo test -p kafka-influx-bridge-configuration generated`.

use super::LogFormat;
use super::declaration::{Bounds, Differs, Key, Kind, Reload, Table, Value, fill, words};
use super::reload_comparisons::{
    client_differs, destinations_differ, excluded_topic_differs, file_size_differs, influx_differs,
    mappings_differ, schema_registry_differs, topics_differ,
};
use Kind::{
    File, Flag, FlagOrWord, Number, Pairs, Replacements, Secret, Share, Size, Text, TextOrTexts, Texts, Word,
};
use Value::{Default, Example, Required};
use base::{Api, TimePrecision};
use influx::Compression;
use kafka::{GroupProtocol, OffsetReset};
use mapping::{Compression as ValueCompression, FieldType, Format, Integers, Precision};
use std::time::Duration;
use tracing::Level;

pub const OFFSET_RESETS: [(&str, OffsetReset); 3] =
    [("earliest", OffsetReset::Earliest), ("latest", OffsetReset::Latest), ("error", OffsetReset::Error)];
pub const GROUP_PROTOCOLS: [(&str, GroupProtocol); 2] =
    [("classic", GroupProtocol::Classic), ("consumer", GroupProtocol::Consumer)];
/// The logins that this build of librdkafka supports. The last one uses a token.
pub const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];
#[allow(clippy::indexing_slicing, reason = "the compiler runs it")]
pub const FORMATS: [(&str, Format); Format::ALL.len()] =
    fill!([("", Format::Json); Format::ALL.len()], Format::ALL, |format| (format.name(), format));
#[allow(clippy::indexing_slicing, reason = "the compiler runs it")]
pub const VALUE_COMPRESSIONS: [(&str, ValueCompression); ValueCompression::ALL.len()] = fill!(
    [("", ValueCompression::Auto); ValueCompression::ALL.len()],
    ValueCompression::ALL,
    |compression| (compression.name(), compression)
);
#[allow(clippy::indexing_slicing, reason = "the compiler runs it")]
pub const PRECISIONS: [(&str, Precision); Precision::ALL.len()] = fill!(
    [("", Precision::Nanoseconds); Precision::ALL.len()],
    Precision::ALL,
    |precision| (precision.name(), precision)
);
pub const INTEGERS: [(&str, Integers); 2] = [("float", Integers::Float), ("int", Integers::Int)];
#[allow(clippy::indexing_slicing, reason = "the compiler runs it")]
pub const TYPES: [(&str, FieldType); FieldType::ALL.len()] =
    fill!([("", FieldType::Int); FieldType::ALL.len()], FieldType::ALL, |to| (to.name(), to));
pub const APIS: [(&str, Api); 3] = [("v2", Api::V2), ("v1", Api::V1), ("v3", Api::V3)];
pub const COMPRESSIONS: [(&str, Compression); 3] =
    [("auto", Compression::Auto), ("gzip", Compression::Gzip), ("none", Compression::None)];
pub const TIME_PRECISIONS: [(&str, TimePrecision); 2] =
    [("ns", TimePrecision::Nanoseconds), ("us", TimePrecision::Microseconds)];
pub const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

pub const LOG_FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];

pub static TABLES: [&Table; 14] = [
    &TOP,
    &KAFKA,
    &KAFKA_TLS,
    &KAFKA_SASL,
    &MAPPING,
    &MAPPING_CSV,
    &SCHEMA_REGISTRY,
    &INFLUX,
    &INFLUX_TLS,
    &BATCH,
    &DEAD_LETTER,
    &REJECT,
    &ADMIN,
    &LOG,
];

pub static TOP: Table = Table {
    name: "",
    text: "",
    keys: &[Key::new(
        "shutdown_max",
        Kind::Duration(Bounds::new(
            Duration::ZERO..=Duration::from_hours(1),
            "what is not settled by then is read again at the next start",
        )),
        Default("\"8s\""),
        "How long a stop may take to settle what was read. Keep it below the time after which the process is killed (Docker: 10 s).",
    )],
    tables: &[
        "kafka",
        "mapping",
        "schema_registry",
        "influx",
        "batch",
        "reject",
        "dead_letter",
        "admin",
        "log",
    ],
    reload: &[live("shutdown_max", |old, new| old.shutdown_max != new.shutdown_max)],
};

pub static KAFKA: Table = Table {
    name: "kafka",
    text: "",
    keys: &[
        Key::new(
            "brokers",
            TextOrTexts,
            Required("[\"localhost:9092\"]"),
            "Addresses as \"host:port\"; without a port it is 9092. A few are enough: the bridge learns the others from them.",
        )
        .restart(|old, new| old.kafka.brokers != new.kafka.brokers),
        Key::new(
            "topics",
            TextOrTexts,
            Required("[\"testtopic\"]"),
            "Names, or regular expressions that begin with \"^\"; new matches are found within 10 s.",
        )
        .restart(topics_differ),
        Key::new(
            "group_id",
            Text,
            Default("\"kafka-influx-bridge\""),
            "Consumer group. Bridges of one group share the partitions; a new group reads all again.",
        )
        .restart(|old, new| old.kafka.group_id != new.kafka.group_id),
        Key::new(
            "client_id",
            Text,
            Default("\"kafka-influx-bridge\""),
            "Name of this client in the brokers' logs and quotas.",
        )
        .restart(|old, new| old.kafka.client_id != new.kafka.client_id),
        Key::new(
            "offset_reset",
            Word(&words(&OFFSET_RESETS)),
            Default("\"earliest\""),
            "Start without a committed offset: \"earliest\", \"latest\", or \"error\" to end the service. With \"latest\" and \"error\", partitions that appear after the start begin at their first record.",
        )
        .restart(|old, new| old.kafka.offset_reset != new.kafka.offset_reset),
        Key::new(
            "instance_id",
            Text,
            Example("\"bridge-1\""),
            "Static membership: a different name for each bridge of the group, so that a restart moves no partitions.",
        )
        .restart(|old, new| old.kafka.instance_id != new.kafka.instance_id),
        Key::new(
            "group_protocol",
            Word(&words(&GROUP_PROTOCOLS)),
            Default("\"classic\""),
            "\"consumer\" is the protocol of Kafka 4.0 (KIP-848): the brokers assign the partitions and define the session timeout.",
        )
        .restart(|old, new| old.kafka.group_protocol != new.kafka.group_protocol),
        Key::new(
            "consumers",
            Number(Bounds::new(
                1..=64,
                "each is a member of the group with threads and buffers of its own, and one outruns an InfluxDB",
            )),
            Default("1"),
            "Members of the group in this process. Raise it only if one core is not enough.",
        )
        .restart(|old, new| old.kafka.consumers != new.kafka.consumers),
        Key::new(
            "record_bytes_max",
            // librdkafka's own limit of what one fetch may bring.
            Size(Bounds::new(1..=1_000_000_000, "librdkafka fetches no more than 1GB at once")),
            Default("\"1MB\""),
            "Larger records are rejected. Set it as high as max.message.bytes of the topics.",
        )
        .restart(|old, new| old.kafka.record_bytes_max != new.kafka.record_bytes_max),
    ],
    tables: &["tls", "sasl", "librdkafka"],
    reload: &[Reload {
        name: "kafka.tls, kafka.sasl or kafka.librdkafka",
        needs_restart: true,
        differs: client_differs,
    }],
};

/// Changes of this table are noticed with [`KAFKA`].
pub static KAFKA_TLS: Table = Table {
    name: "kafka.tls",
    text: "This table switches TLS on, even if it is empty. Renewed files are read at the next start.",
    keys: &[
        Key::new("ca_file", File, Example("\"ca.pem\""), "Certificates to trust instead of the system's."),
        Key::new(
            "cert_file",
            File,
            Example("\"client.pem\""),
            "Client certificate, for brokers that ask for one.",
        ),
        Key::new("key_file", File, Example("\"client.key\""), "Private key of cert_file."),
        Key::new("key_password", Secret, Example("\"${KEY_PASSWORD}\""), "Password of key_file."),
        Key::new("verify", Flag, Default("true"), "false trusts any server: only for a test."),
    ],
    tables: &[],
    reload: &[],
};

/// Changes of this table are noticed with [`KAFKA`].
pub static KAFKA_SASL: Table = Table {
    name: "kafka.sasl",
    text: "This table switches the login on.",
    keys: &[
        Key::new(
            "mechanism",
            Word(&MECHANISMS),
            Example("\"SCRAM-SHA-512\""),
            "\"PLAIN\", \"SCRAM-SHA-256\", \"SCRAM-SHA-512\" or \"OAUTHBEARER\".",
        ),
        Key::new("username", Text, Example("\"bridge\""), "For PLAIN and SCRAM."),
        Key::new("password", Secret, Example("\"${KAFKA_PASSWORD}\""), "For PLAIN and SCRAM."),
        Key::new(
            "token",
            Secret,
            Example("\"${file:kafka.token}\""),
            "For OAUTHBEARER: a token. A token of a file is read again before it expires.",
        ),
        Key::new(
            "token_endpoint",
            Text,
            Example("\"https://id.example.com/oauth2/token\""),
            "For OAUTHBEARER, instead of token: the URL that issues tokens. Certificates of the system and of ca_file in [kafka.tls] are trusted.",
        ),
        Key::new("client_id", Text, Example("\"bridge\""), "For token_endpoint."),
        Key::new("client_secret", Secret, Example("\"${CLIENT_SECRET}\""), "For token_endpoint."),
        Key::new("scope", Text, Example("\"kafka\""), "For token_endpoint."),
        Key::new(
            "extensions",
            Pairs,
            Example("{ logicalCluster = \"lkc-abc123\", identityPoolId = \"pool-x1y2\" }"),
            "For OAUTHBEARER: SASL extensions that brokers expect beside the token. Confluent Cloud expects these two.",
        ),
    ],
    tables: &[],
    reload: &[],
};

pub static MAPPING: Table = Table {
    name: "mapping",
    text: "",
    keys: &[
        Key::new(
            "topics",
            TextOrTexts,
            Example("[\"testtopic\"]"),
            "Names or \"^regex\", as in [kafka]. Without it the mapping takes all topics.",
        ),
        Key::new(
            "format",
            Word(&words(&FORMATS)),
            Default("\"json\""),
            "\"json\": an object or an array of objects. \"json_lines\": several values, in lines or one after another. \"influx\": line protocol, as Telegraf's Kafka output writes it by default. \"msgpack\", \"cbor\": one value or several in succession. \"avro\": one value, see schema. \"protobuf\": one message, see schema. \"csv\": rows, see [mapping.csv]. \"value\": one number or text, which becomes the field \"value\".",
        ),
        Key::new(
            "schema",
            File,
            Example("\"metric.avsc\""),
            "For format = \"avro\": file with the schema of values that have no frame. For format = \"protobuf\": .proto file, with its imports beside it or in a folder above, or a descriptor set. Without it values have the frame of a schema registry.",
        ),
        Key::new(
            "message",
            Text,
            Example("\"acme.Metric\""),
            "For format = \"protobuf\": full name of the message of values that have no frame. It can be left out if the file of schema declares one message.",
        ),
        Key::new(
            "value_compression",
            Word(&words(&VALUE_COMPRESSIONS)),
            Default("\"auto\""),
            "Compression that the producer applies to each value, beside Kafka's own. \"auto\" recognizes \"gzip\", \"zstd\", \"lz4\" and framed \"snappy\" in text formats, and \"zlib\" in JSON; binary formats have \"none\" by default, and name theirs. \"none\" reads values as they are.",
        ),
        Key::new(
            "parse_json",
            Texts,
            Example("[\"payload\"]"),
            "Strings under these keys or globs, flattened from the root of the record, hold JSON and are read in place before query.",
        ),
        Key::new(
            "query",
            Text,
            Example("\"$.items[*]\""),
            "JSONPath of the objects that become points. Without it the whole record is one.",
        ),
        Key::new(
            "columns",
            Texts,
            Example("[\"time\", \"value\"]"),
            "Keys of the values of a row: an element that is an array of scalars.",
        ),
        Key::new(
            "explode",
            Texts,
            Example("[\"times\", \"readings\"]"),
            "Keys of parallel arrays: one point an index, each with all other keys.",
        ),
        Key::new(
            "where",
            Text,
            Example("\"@.ok == true && @.q >= 192\""),
            "Filter of RFC 9535 on the element (@) after explode; $ is the record. Other elements are filtered.",
        ),
        Key::new(
            "pivot",
            Kind::Tables { texts: &["list", "name"], lists: &["value"] },
            Example("[{ list = \"params\", name = \"n\", value = [\"v\", \"vs\"] }]"),
            "Each item of the list becomes a field or tag named by its name; the first value key that is there counts. list = \"@\": the selected value itself is the list.",
        ),
        Key::new(
            "zip",
            Kind::Tables { texts: &["names", "values"], lists: &[] },
            Example("[{ names = \"dsnames\", values = \"values\" }]"),
            "Parallel arrays of names and values become fields or tags, and so does one name with its value.",
        ),
        Key::new(
            "strict",
            Flag,
            Default("true"),
            "true: one bad element rejects the whole record. false: only the element is rejected. With format = \"csv\" and \"influx\" it is false by default.",
        ),
        Key::new(
            "measurement",
            Text,
            Default("\"{topic}\""),
            "Measurement. Placeholders: {topic}, {topic:NAME} (a named group of the topic pattern), {partition}, {key}, {header:NAME} and selectors such as {kind} or {^.kind}; {{ and }} are braces. If one finds nothing, the topic's name is used and counted. With format = \"influx\" each line has its own measurement by default.",
        ),
        Key::new(
            "name_key",
            Text,
            Example("\"name\""),
            "Key whose string is the measurement, in records that have it. Like all selectors of this table it is a flattened key, \"$.a\" from the root of the record, \"@.a\" from the element, \"^.a\" from the object around it (\"^^.a\" from the next), \"@key\" (the name or index under which the element stands), \"@member\" (the last name on its path) or \"key:$.a\" (from the Kafka record's key).",
        ),
        Key::new(
            "tag_keys",
            Texts,
            Example("[\"host\", \"^.site\"]"),
            "Keys that become tags: what you filter and group by, with few values each. Globs or selectors.",
        ),
        Key::new(
            "tags",
            Pairs,
            Example("{ region = \"seoul\", phase = \"{@key}\" }"),
            "Tags added where the record has no tag of that name. Placeholders as in measurement; a tag whose placeholder finds nothing is left out.",
        ),
        Key::new(
            "fields",
            Pairs,
            Example("{ total = \"^.total\" }"),
            "Fields from anywhere in the record: names and selectors. Strings and booleans are kept; include, exclude and rename do not apply.",
        ),
        Key::new("topic_tag", Text, Example("\"topic\""), "Tag for the topic."),
        Key::new("key_tag", Text, Example("\"key\""), "Tag for the record's key."),
        Key::new("partition_tag", Text, Example("\"partition\""), "Tag for the partition."),
        Key::new("offset_field", Text, Example("\"offset\""), "Field for the offset."),
        Key::new("header_tags", Texts, Example("[\"site\"]"), "Record headers that become tags."),
        Key::new(
            "string_fields",
            Texts,
            Example("[\"status\"]"),
            "Strings and booleans to keep as fields. All others are dropped and counted.",
        ),
        Key::new(
            "number_fields",
            Texts,
            Example("[\"reading\"]"),
            "Strings that contain numbers, without JSON escapes, and are stored as numbers.",
        ),
        Key::new(
            "integers",
            Word(&words(&INTEGERS)),
            Default("\"float\""),
            "\"int\" keeps whole numbers as exact integers; a field must then never have a fraction.",
        ),
        Key::new(
            "values",
            Replacements,
            Example("{ state = { ON = 1, OFF = 0, unavailable = \"\" } }"),
            "Texts and booleans under a key or glob that become other values, before tags and `types`. \"\" leaves the field out.",
        ),
        Key::new(
            "types",
            Pairs,
            Example("{ value = \"float\", \"n*\" = \"int\" }"),
            "Types of fields, whatever the record has: \"int\", \"uint\", \"float\", \"bool\" or \"string\". Other values are converted, and dropped and counted where they cannot be. An exact name comes first, then the longest glob. Stronger than string_fields, number_fields and integers. InfluxDB 1 has no \"uint\".",
        ),
        Key::new("include", Texts, Default("[\"*\"]"), "Fields to keep."),
        Key::new("exclude", Texts, Example("[\"debug_*\"]"), "Fields to drop from those."),
        Key::new(
            "rename",
            Pairs,
            Example("{ free_ram = \"memory\", \"fields_*\" = \"*\" }"),
            "New names, applied last. \"fields_*\" = \"*\" strips a prefix.",
        ),
        Key::new(
            "time_key",
            TextOrTexts,
            Example("\"timestamp\""),
            "Key that has the time; of a list, the first that is there. Without it the time is that of the Kafka record.",
        ),
        Key::new(
            "time",
            Text,
            Example("\"{date} {clock}\""),
            "Instead of time_key: a text of placeholders for time_format.",
        ),
        Key::new(
            "time_nanos_key",
            Text,
            Example("\"ts_nanos\""),
            "Nanoseconds to add to the time; none where the record has no such key.",
        ),
        Key::new(
            "time_add",
            Pairs,
            Example("{ offset_ms = \"ms\" }"),
            "Numbers to add to the time, each with its unit: \"ns\", \"us\", \"ms\" or \"s\". None is added where the record has no such key.",
        ),
        Key::new(
            "time_format",
            Text,
            Example("\"unix_ms\""),
            "\"unix\" (seconds), \"unix_ms\", \"unix_us\", \"unix_ns\", \"rfc3339\" or a strptime pattern such as \"%Y-%m-%d %H:%M:%S\"; or text around one of the numbers, as in \"/Date({unix_ms})/\". Not needed where time_key has a timestamp of MessagePack, CBOR or Protobuf, or a time of a logical type of Avro.",
        ),
        Key::new(
            "timezone",
            Text,
            Default("\"UTC\""),
            "Time zone of times that name none, such as \"Asia/Seoul\". All zones are built in.",
        ),
        Key::new(
            "precision",
            Word(&words(&PRECISIONS)),
            Default("\"ns\""),
            "With format = \"influx\": unit of the times in the records, \"ns\", \"us\", \"ms\" or \"s\".",
        ),
        Key::new(
            "time_min",
            Text,
            Example("\"2000-01-01\""),
            "Records with an earlier time, also Kafka's, are rejected. RFC 3339 or a date.",
        ),
        Key::new(
            "time_max",
            Text,
            Example("\"2100-01-01T00:00:00Z\""),
            "Records with a later time are rejected.",
        ),
        Key::new(
            "distinct_times",
            FlagOrWord(&["always"]),
            Default("true"),
            "Kafka's times are milliseconds. true fills the digits below from topic, partition and offset, the same on every replay, so that points of one series do not overwrite each other. \"always\" does so for time_key too.",
        ),
        Key::new(
            "bucket",
            Text,
            Example("\"other\""),
            "Bucket of this mapping, on the same server, instead of that of [influx].",
        ),
        Key::new(
            "database",
            Text,
            Example("\"other\""),
            "Database of this mapping, instead of that of [influx]; with api = \"v1\" or \"v3\".",
        ),
        Key::new(
            "retention_policy",
            Text,
            Example("\"autogen\""),
            "Retention policy of this mapping, instead of that of [influx]; with api = \"v1\".",
        ),
    ],
    tables: &["csv"],
    reload: &[live("mapping", mappings_differ), live("destination", destinations_differ)],
};

/// Changes of this table are noticed with [`MAPPING`].
pub static MAPPING_CSV: Table = Table {
    name: "mapping.csv",
    text: "For format = \"csv\". Numbers become numbers by themselves; empty cells are no values.",
    keys: &[
        Key::new("delimiter", Text, Default("\",\""), "Character between cells, such as \";\" or \"\\t\"."),
        Key::new(
            "header",
            TextOrTexts,
            Default("\"first line\""),
            "Names of the columns: \"first line\" of each record, or a list such as [\"time\", \"host\", \"cpu\"]. A column named \"\" is left out.",
        ),
        Key::new("comment", Text, Example("\"#\""), "First character of lines that are no rows."),
    ],
    tables: &[],
    reload: &[],
};

pub static SCHEMA_REGISTRY: Table = Table {
    name: "schema_registry",
    text: "For framed records. A registry with Confluent's API: Confluent, Karapace, Redpanda, or Apicurio below /apis/ccompat/v7.",
    keys: &[
        Key::new("url", TextOrTexts, Example("\"http://localhost:8081\""), "Address of the registry."),
        Key::new(
            "urls",
            TextOrTexts,
            Example("[\"http://a:8081\", \"http://b:8081\"]"),
            "Several addresses of one registry, instead of url. The first that works is used.",
        ),
        Key::new("username", Text, Example("\"bridge\""), "User, where a login is needed."),
        Key::new("password", Secret, Example("\"${REGISTRY_PASSWORD}\""), "Password of the user."),
        Key::new(
            "token",
            Secret,
            Example("\"${file:registry.token}\""),
            "Bearer token, instead of username. A token of a file is read again when the registry refuses it.",
        ),
        Key::new("ca_file", File, Example("\"ca.pem\""), "Certificates to trust besides the system's."),
        Key::new(
            "cert_file",
            File,
            Example("\"client.pem\""),
            "Client certificate, for registries that ask for one.",
        ),
        Key::new("key_file", File, Example("\"client.key\""), "Private key of cert_file."),
        Key::new(
            "unknown_id_max",
            Kind::Duration(Bounds::new(
                Duration::from_secs(1)..=Duration::from_hours(24 * 7),
                "a topic with an unknown schema id waits this long",
            )),
            Default("\"10m\""),
            "How long a topic waits for a schema id that the registry does not know. Then its records are rejected, if the registry knows other ids of the topic.",
        ),
    ],
    tables: &[],
    reload: &[live("schema_registry", schema_registry_differs)],
};

pub static INFLUX: Table = Table {
    name: "influx",
    text: "",
    keys: &[
        Key::new(
            "url",
            TextOrTexts,
            Required("\"http://localhost:8086\""),
            "Address of the server, http:// or https://.",
        ),
        Key::new(
            "urls",
            TextOrTexts,
            Example("[\"http://a:8086\", \"http://b:8086\"]"),
            "Several addresses of one database, instead of url. The first that works is used.",
        ),
        Key::new(
            "api",
            Word(&words(&APIS)),
            Default("\"v2\""),
            "\"v2\": InfluxDB 2 and Cloud. \"v1\": InfluxDB 1, VictoriaMetrics, InfluxDB 2 with DBRP mapping. \"v3\": InfluxDB 3.",
        ),
        Key::new("org", Text, Required("\"test\""), "v2: name of the organization."),
        Key::new(
            "bucket",
            Text,
            Required("\"ec2\""),
            "v2: name of the bucket. Placeholders {topic} and {topic:NAME}, here and in [[mapping]], give each topic its own.",
        ),
        Key::new(
            "token",
            Secret,
            Required("\"${INFLUX_TOKEN}\""),
            "v2 and v3: token with write access. A token of a file is read again when the server refuses it.",
        ),
        Key::new(
            "database",
            Text,
            Example("\"metrics\""),
            "v1 and v3: name of the database. Placeholders as in bucket.",
        ),
        Key::new(
            "retention_policy",
            Text,
            Example("\"autogen\""),
            "v1: retention policy. Without it the database's default is used.",
        ),
        Key::new(
            "destinations_max",
            Number(Bounds::new(1..=1_000, "each destination has batches and a request of its own")),
            Default("64"),
            "Most destinations where bucket, database or retention_policy have placeholders. Topics beyond are blocked.",
        )
        .restart(|old, new| old.destinations_max != new.destinations_max),
        Key::new(
            "username",
            Text,
            Example("\"bridge\""),
            "v1: user, where a login is needed. A token works too.",
        ),
        Key::new("password", Secret, Example("\"${INFLUX_PASSWORD}\""), "v1: password of the user."),
        Key::new("create_database", Flag, Default("false"), "v1: true creates a missing database."),
        Key::new(
            "no_sync",
            Flag,
            Default("false"),
            "v3: true lets the server answer before lines are on its disk. Faster, but a crash of the server loses lines that count as stored.",
        ),
        Key::new(
            "time_precision",
            Word(&words(&TIME_PRECISIONS)),
            Default("\"ns\""),
            "Precision with which the server stores times: \"us\" for QuestDB. Times are rounded down to it, and distinct_times fills digits down to it.",
        ),
        Key::new(
            "compression",
            Word(&words(&COMPRESSIONS)),
            Default("\"auto\""),
            "\"gzip\", \"none\", or \"auto\": gzip over a network, none to a server on this machine.",
        ),
        Key::new(
            "timeout",
            Kind::Duration(Bounds::new(
                Duration::from_millis(1)..=Duration::from_hours(1),
                "a write that takes longer is tried again",
            )),
            Default("\"30s\""),
            "Timeout of one write, which is then retried. Raise it for a server that stalls.",
        ),
    ],
    tables: &["tls"],
    reload: &[live("influx", influx_differs)],
};

/// Changes of this table are noticed with [`INFLUX`].
pub static INFLUX_TLS: Table = Table {
    name: "influx.tls",
    text: "",
    keys: &[
        Key::new("ca_file", File, Example("\"ca.pem\""), "Certificates to trust besides the system's."),
        Key::new(
            "cert_file",
            File,
            Example("\"client.pem\""),
            "Client certificate, for servers that ask for one.",
        ),
        Key::new("key_file", File, Example("\"client.key\""), "Private key of cert_file."),
        Key::new("verify", Flag, Default("true"), "false trusts any server: only for a test."),
    ],
    tables: &[],
    reload: &[],
};

const BATCH_BYTES: Bounds<u64> = Bounds::new(
    1_000..=1_000_000_000,
    "a write needs room for some lines, and servers refuse bodies far below 1GB",
);

pub static BATCH: Table = Table {
    name: "batch",
    text: "",
    keys: &[
        Key::new(
            "lines_max",
            Number(Bounds::new(
                1..=1_000_000,
                "a write has at least a line, and one refused line makes the rest of its batch be written again",
            )),
            Example("50000"),
            "Most lines of one write; a refused line makes larger writes costlier. Without the key: 5000, and with a backlog up to 100000.",
        ),
        Key::new(
            "bytes_max",
            Size(BATCH_BYTES),
            Example("\"8MB\""),
            "Most bytes of one write, uncompressed. Lower it if a proxy refuses large bodies. Without the key: 4MB, and with a backlog up to 32MB (api v2), 24MB (v1) or 9.5MB (v3 and QuestDB); less with more than three lanes.",
        ),
        Key::new(
            "age_max",
            Kind::Duration(Bounds::new(
                Duration::from_millis(1)..=Duration::from_hours(1),
                "every record waits for up to this time",
            )),
            Default("\"1s\""),
            "How long a record may wait for others. Lower is fresher, higher is cheaper.",
        ),
        Key::new(
            "memory_max",
            Size(BATCH_BYTES),
            Default("\"26MB\""),
            "All open batches and those being written, together; at least bytes_max. Raise it for many destinations; 16MB saves memory.",
        ),
        Key::new(
            "points_per_second_max",
            Number(Bounds::new(
                1..=1_000_000_000,
                "without the key points are written as fast as InfluxDB takes them",
            )),
            Example("50000"),
            "Write rate of this process, so that catching up leaves InfluxDB room for others.",
        ),
    ],
    tables: &[],
    reload: &[live("batch", |old, new| old.batch != new.batch)],
};

pub static DEAD_LETTER: Table = Table {
    name: "dead_letter",
    text: "",
    keys: &[
        Key::new(
            "topic",
            Text,
            Example("\"metrics-dead-letter\""),
            "A topic of the same Kafka, which the bridge never reads.",
        ),
        Key::new(
            "file",
            Text,
            Example("\"dead-letter.jsonl\""),
            "A file instead of a topic, relative to the working directory.",
        ),
        Key::new(
            "file_bytes_max",
            Size(Bounds::new(
                1_000_000..=100_000_000_000,
                "a record takes up to 1MB, and larger files are hard to open",
            )),
            Default("\"100MB\""),
            "A full file is renamed to file.1, file.2, ...; none is ever deleted.",
        )
        .restart(file_size_differs),
    ],
    tables: &[],
    reload: &[
        Reload {
            name: "dead_letter.topic (beside a regular expression in kafka.topics)",
            needs_restart: true,
            differs: excluded_topic_differs,
        },
        live("dead_letter", |old, new| old.dead_letter != new.dead_letter),
    ],
};

pub static REJECT: Table = Table {
    name: "reject",
    text: "",
    keys: &[Key::new(
        "rate_max",
        Share(Bounds::new(0.0..=1.0, "it is a share of a topic's records; 1.0 switches it off")),
        Default("0.1"),
        "Share of a topic's records that may be rejected or refused. Above it, or if the first 100 are rejected, the topic is blocked. Without [dead_letter], the first rejected records stay uncommitted until the topic's first point. 1.0 never blocks, and commits them at once.",
    )],
    tables: &[],
    reload: &[live("reject", |old, new| old.reject != new.reject)],
};

pub static ADMIN: Table = Table {
    name: "admin",
    text: "",
    keys: &[
        Key::new(
            "listen",
            Text,
            Default("\"127.0.0.1:9643\""),
            "Address of /metrics, /healthz, /readyz and the status page. \"0.0.0.0:9643\" listens on all interfaces, \"\" on none.",
        )
        .restart(|old, new| old.admin.listen != new.admin.listen),
        Key::new(
            "show_records",
            Flag,
            Example("true"),
            "Record values on the status page. Without it they are shown only where listen is a loopback address.",
        )
        .restart(|old, new| old.admin.show_records != new.admin.show_records),
    ],
    tables: &[],
    reload: &[],
};

pub static LOG: Table = Table {
    name: "log",
    text: "",
    keys: &[
        Key::new(
            "level",
            Word(&words(&LEVELS)),
            Default("\"info\""),
            "\"error\", \"warn\", \"info\", \"debug\" or \"trace\". The log goes to standard error.",
        ),
        Key::new("format", Word(&words(&LOG_FORMATS)), Default("\"text\""), "\"json\" is for machines.")
            .restart(|old, new| old.log.format != new.log.format),
    ],
    tables: &[],
    reload: &[live("log", |old, new| old.log != new.log)],
};

/// A difference that a running process applies.
const fn live(name: &'static str, differs: Differs) -> Reload {
    Reload { name, needs_restart: false, differs }
}

/// The tables that have `key`, and its spelling there.
pub fn holders(key: &str) -> Vec<(&'static Table, &'static str)> {
    let plain = base::suggest::normalized(key);
    let same = |known: &&Key| base::suggest::normalized(known.name) == plain;
    TABLES.iter().filter_map(|table| Some((*table, table.keys.iter().find(same)?.name))).collect()
}
