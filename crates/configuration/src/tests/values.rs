//! Tests of valid files.

use super::*;
use ::engine::MappingDestination;
use ::influx::Compression;
use ::kafka::{GroupProtocol, OffsetReset};
use ::mapping::decode::Query;
use ::mapping::{
    AddedTime, Csv, DistinctTimes, FieldType, Format, Header, Integers, KeySelector, Precision, Replacement,
    Replacements, Template, TimeFormat, TimeRange, TimeSource,
};
use base::{Api, Credential, Destination, TimePrecision};
use engine::dead_letter::DeadLetterStore;

fn bucket(name: &str) -> Destination {
    Destination::Bucket { org: "test".to_owned(), bucket: name.to_owned() }
}

fn database(name: &str, policy: Option<&str>) -> Destination {
    Destination::Database { database: name.to_owned(), retention_policy: policy.map(str::to_owned) }
}

#[test]
fn a_small_file_has_the_defaults() {
    let config = config(SMALL);
    let kafka = &config.kafka;
    assert_eq!(
        (&kafka.brokers, &kafka.topics.names),
        (&vec!["localhost:9092".into()], &vec!["metrics".into()])
    );
    assert_eq!(
        (kafka.group_id.as_str(), kafka.client_id.as_str()),
        ("kafka-influx-bridge", "kafka-influx-bridge")
    );
    assert_eq!(
        (kafka.offset_reset, kafka.consumers, kafka.record_bytes_max),
        (OffsetReset::Earliest, 1, 1_000_000)
    );
    assert!(kafka.instance_id.is_none() && kafka.properties.is_empty());
    assert_eq!(config.mappings.len(), 1);
    assert!(
        config.mappings[0].is_match("anything")
            && config.mappings[0].destination == MappingDestination::Fixed(bucket("ec2"))
    );
    assert_eq!(config.influx.urls[0].as_str(), "http://localhost:8086/");
    assert_eq!((config.influx.api, config.influx.compression), (Api::V2, Compression::Auto));
    assert!(matches!(&config.influx.credential, Credential::Token(token) if token.expose() == "hush-hush"));
    assert_eq!(config.influx.timeout, Duration::from_secs(30));
    assert!(config.influx.tls.verify && !config.influx.create_database);
    let batch = config.batch;
    assert_eq!((batch.lines_max, batch.bytes_max, batch.memory_max), (None, None, 26_000_000));
    assert_eq!((batch.age_max, config.shutdown_max), (Duration::from_secs(1), Duration::from_secs(8)));
    assert_eq!(batch.points_per_second_max, None);
    assert_eq!(config.admin.listen, Some("127.0.0.1:9643".parse().unwrap()));
    assert_eq!((config.log.level, config.log.format), (tracing::Level::INFO, LogFormat::Text));
}

#[test]
fn byte_order_mark_and_windows_line_ends_change_nothing() {
    let text = format!("\u{feff}{}", with("mapping", "measurement = \"측정\"").replace('\n', "\r\n"));
    assert_eq!(config(&text).mappings[0].rules.measurement.text(), "측정");
}

#[test]
fn reads_kafka() {
    let f = |lines: &str| config(&with("kafka", lines)).kafka;
    assert_eq!(f("group_id = 'g'\nclient_id = 'c'").group_id, "g");
    assert_eq!(f("offset_reset = 'latest'").offset_reset, OffsetReset::Latest);
    assert_eq!(f("group_protocol = 'consumer'").group_protocol, GroupProtocol::Consumer);
    assert_eq!(f("instance_id = 'b-1'").instance_id.as_deref(), Some("b-1"));
    assert_eq!(f("consumers = 4\nrecord_bytes_max = '2MiB'").record_bytes_max, 2 << 20);
    let text = SMALL
        .replace("\"localhost:9092\"", "['a:1', 'b:2,c:3']")
        .replace("\"metrics\"", "['a', '^b\\d$', 'a']");
    let kafka = config(&text).kafka;
    assert_eq!(kafka.brokers, ["a:1", "b:2", "c:3"]);
    assert_eq!(kafka.topics.names, ["a"]);
    assert!(kafka.topics.is_match("b7") && !kafka.topics.is_match("b77"));
}

#[test]
fn kafka_security_becomes_properties() {
    let f = |lines: &str, want: &[(&str, &str)]| {
        let properties = config(&format!("{SMALL}\n{lines}")).kafka.properties;
        let got: Vec<(&str, &str)> =
            properties.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(got, want, "{lines}");
    };
    f("[kafka.tls]", &[("security.protocol", "ssl")]);
    let scram = "mechanism = 'SCRAM-SHA-512'\nusername = 'u'\npassword = '${INFLUX_TOKEN}'";
    let login =
        [("sasl.mechanisms", "SCRAM-SHA-512"), ("sasl.username", "u"), ("sasl.password", "hush-hush")];
    f(&format!("[kafka.sasl]\n{scram}"), &[&[("security.protocol", "sasl_plaintext")][..], &login].concat());
    f(
        &format!("[kafka.tls]\n[kafka.sasl]\n{scram}"),
        &[&[("security.protocol", "sasl_ssl")][..], &login].concat(),
    );
    f(
        "[kafka.tls]\nverify = false\nkey_password = 'p'",
        &[
            ("security.protocol", "ssl"),
            ("ssl.key.password", "p"),
            ("enable.ssl.certificate.verification", "false"),
        ],
    );
    f(
        "[kafka.librdkafka]\nfetch.min.bytes = 7\n\"fetch.wait.max.ms\" = 20\nsocket.keepalive.enable = true\ndebug = 'cgrp'",
        &[
            ("debug", "cgrp"),
            ("fetch.min.bytes", "7"),
            ("fetch.wait.max.ms", "20"),
            ("socket.keepalive.enable", "true"),
        ],
    );
}

#[test]
fn reads_mappings() {
    let text = with(
        "mapping",
        r#"
topics = ["metrics", "^edge\\."]
format = "json_lines"
query = "$.items[*]"
measurement = "{topic}_x"
name_key = "name"
tag_keys = ["my_tag_1", "host_*", "$.meta.site"]
string_fields = ["s"]
number_fields = ["n*"]
integers = "int"
include = ["a*"]
exclude = ["ab"]
rename = { free_ram = "memory", "fields_*" = "*" }
time_key = "$.meta.ts"
time_format = "unix_ms"
timezone = "Asia/Seoul"
distinct_times = "always"
topic_tag = "topic"
key_tag = "key"
partition_tag = "partition"
offset_field = "offset"
header_tags = ["trace"]
tags = { site = "seoul" }
strict = false
bucket = "other"
"#,
    );
    let mapping = config(&text).mappings.remove(0);
    let rules = &mapping.rules;
    assert!(mapping.is_match("metrics") && mapping.is_match("edge.1") && !mapping.is_match("x"));
    assert_eq!(mapping.destination, MappingDestination::Fixed(bucket("other")));
    assert_eq!((rules.format, rules.integers, rules.strict), (Format::JsonLines, Integers::Int, false));
    assert!(matches!(rules.query, Query::Tree(_)));
    assert_eq!(rules.measurement.text(), "{topic}_x");
    assert_eq!(rules.name_key, Some(KeySelector::Flattened("name".to_owned())));
    assert!(rules.tag_keys.is_match("host_1") && !rules.tag_keys.is_match("$.meta.site"));
    assert_eq!(rules.tag_selectors, [KeySelector::parse("$.meta.site").unwrap()]);
    assert!(rules.string_fields.is_match("s") && rules.number_fields.is_match("nn"));
    assert!(rules.include.is_match("ab") && !rules.include.is_match("b") && rules.exclude.is_match("ab"));
    assert_eq!(
        (rules.rename.apply("free_ram"), rules.rename.apply("fields_x")),
        ("memory".into(), "x".into())
    );
    let time = rules.time.as_ref().unwrap();
    assert_eq!(time.source, TimeSource::Keys(vec![KeySelector::parse("$.meta.ts").unwrap()]));
    assert_eq!(time.format, TimeFormat::Unix { unit_ns: 1_000_000 });
    assert_eq!(time.zone.iana_name(), Some("Asia/Seoul"));
    assert_eq!(rules.distinct_times, DistinctTimes::Always);
    assert_eq!((rules.topic_tag.as_deref(), rules.key_tag.as_deref()), (Some("topic"), Some("key")));
    assert_eq!(
        (rules.partition_tag.as_deref(), rules.offset_field.as_deref()),
        (Some("partition"), Some("offset"))
    );
    assert_eq!(rules.header_tags, ["trace"]);
    assert_eq!(rules.tags, [("site".to_owned(), Template::literal("seoul"))]);
}

#[test]
fn reads_selectors_and_placeholders() {
    let lines = "topics = ['^(?<site>m)etrics$', 'metrics.2']\nquery = '$.a[*]'\nname_key = '@.topic'\n\
                 tag_keys = ['host_*', '^.site', '@key', '@timestamp']\nmeasurement = '{topic:site}_{kind}{{'\n\
                 tags = { phase = '{@key}', plain = 'x' }\nfields = { total = '^^.total', code = 'key:$.code' }";
    let loaded = run(&with("mapping", lines)).unwrap();
    assert!(
        loaded.warnings.iter().all(|warning| warning.message.contains("metrics.2")),
        "{:?}",
        loaded.warnings
    );
    let rules = &loaded.config.mappings[0].rules;
    let selector = |text: &str| KeySelector::parse(text).unwrap();
    assert_eq!(rules.name_key, Some(selector("@.topic")));
    assert_eq!(rules.tag_selectors, [selector("^.site"), selector("@key")]);
    assert!(rules.tag_keys.is_match("host_1") && rules.tag_keys.is_match("@timestamp"));
    assert_eq!(rules.measurement, Template::parse("{topic:site}_{kind}{{").unwrap());
    assert_eq!(rules.topic_patterns.group("site", "metrics"), Some("m"));
    let fields = [("code".to_owned(), selector("key:$.code")), ("total".to_owned(), selector("^^.total"))];
    assert_eq!(rules.fields, fields);
    let summary = &loaded.summaries[0];
    for part in
        ["phase={@key}", "text in braces is a placeholder, earlier literal text", "total from ^^.total"]
    {
        assert!(summary.contains(part), "{summary}");
    }
    // Without topics of its own, a mapping takes the groups of those of [kafka].
    let text = with("mapping", "measurement = '{topic:site}'")
        .replace("topics = \"metrics\"", "topics = '^(?<site>m)etrics$'");
    assert_eq!(config(&text).mappings[0].rules.topic_patterns.group("site", "metrics"), Some("m"));
    assert!(!run(&with("mapping", "tags = { a = 'x' }")).unwrap().summaries[0].contains("earlier"));
}

#[test]
fn reads_types_and_values() {
    let text = with(
        "mapping",
        "types = { value = 'float', 'n*' = 'int', big = 'uint' }\n\
         values = { state = { ON = 1, OFF = 0x0, low = 0.5, yes = true, word = 'x\"', unavailable = '' }, 's*' = { true = 'on' } }",
    );
    let rules = &config(&text).mappings[0].rules;
    let types: Vec<_> = rules.types.entries().map(|(key, to)| (key, *to)).collect();
    let wanted = [("big", FieldType::Uint), ("n*", FieldType::Int), ("value", FieldType::Float)];
    assert_eq!(types, wanted);
    let table = |entries: &[(&str, Replacement)]| {
        entries.iter().map(|(from, to)| ((*from).to_owned(), to.clone())).collect::<Vec<_>>()
    };
    let state = table(&[
        ("ON", Replacement::Integer(1)),
        ("OFF", Replacement::Integer(0)),
        ("low", Replacement::Float(0.5)),
        ("yes", Replacement::Boolean(true)),
        ("word", Replacement::Text("x\"".to_owned())),
        ("unavailable", Replacement::Text(String::new())),
    ]);
    let other = table(&[("true", Replacement::Text("on".to_owned()))]);
    let same = Replacements::compile(vec![("s*".to_owned(), other), ("state".to_owned(), state)]).unwrap();
    assert_eq!(rules.values, same);
}

#[test]
fn warns_that_influxdb_1_has_no_unsigned_integers() {
    let text = "[kafka]\nbrokers = 'a:1'\ntopics = 'a'\n[[mapping]]\ntypes = { n = 'uint' }\n[influx]\nurl = 'http://h'\n";
    let warnings = |api: &str| run(&format!("{text}{api}")).unwrap().warnings;
    let of_v1 = warnings("api = 'v1'\ndatabase = 'd'");
    assert!(of_v1[0].message.contains("InfluxDB 1 has no unsigned integers"), "{of_v1:?}");
    assert!(warnings("org = 'o'\nbucket = 'b'\ntoken = 't'").is_empty());
}

#[test]
fn reads_where_the_time_stands() {
    let time = |keys: &str| config(&with("mapping", keys)).mappings[0].rules.time.clone().unwrap();
    let selector = |text: &str| KeySelector::parse(text).unwrap();
    let several = time("time_key = ['a', '$.b']\ntime_nanos_key = 'n'\ntime_format = 'unix'");
    assert_eq!(several.source, TimeSource::Keys(vec![selector("a"), selector("$.b")]));
    let added = |option, key, unit| AddedTime { option, key: selector(key), unit };
    assert_eq!(several.added, [added("time_nanos_key", "n", Precision::Nanoseconds)]);
    let sum = time("time_key = '$[0].bt'\ntime_add = { t = 's', '^.ms' = 'ms' }\ntime_format = 'unix'");
    assert_eq!(
        sum.added,
        [added("time_add", "^.ms", Precision::Milliseconds), added("time_add", "t", Precision::Seconds)]
    );
    let text = time("time = '{date} {clock}'\ntime_format = '%Y-%m-%d %H:%M'");
    assert_eq!(text.source, TimeSource::Text(Template::parse("{date} {clock}").unwrap()));
    let within = time("time_key = 't'\ntime_format = '/Date({unix_ms})/'").format;
    let (before, after) = ("/Date(".to_owned(), ")/".to_owned());
    assert_eq!(within, TimeFormat::UnixWithin { unit_ns: 1_000_000, before, after });
}

#[test]
fn reads_the_times_that_a_mapping_takes() {
    let f = |keys: &str, min: i64, max: i64| {
        let rules = &config(&with("mapping", keys)).mappings[0].rules;
        assert_eq!(rules.times, TimeRange { min, max }, "{keys}");
    };
    let all = TimeRange::default();
    f("", all.min, all.max);
    f("time_min = '1970-01-02'", 86_400_000_000_000, all.max);
    f("time_max = '1970-01-01T09:00:01.5+09:00'", all.min, 1_500_000_000);
    // TOML dates.
    f("time_min = 1970-01-01\ntime_max = 1970-01-01T00:00:01Z", 0, 1_000_000_000);
}

#[test]
fn the_precision_of_the_server_applies_to_all_mappings() {
    let precision = |text: &str| {
        let config = config(text);
        let of_mapping = config.mappings[0].rules.time_precision;
        assert_eq!(of_mapping, config.influx.time_precision);
        of_mapping
    };
    assert_eq!(precision(SMALL), TimePrecision::Nanoseconds);
    let coarse = with("influx", "time_precision = 'us'");
    assert_eq!(precision(&coarse), TimePrecision::Microseconds);
    assert_eq!(precision(&format!("{coarse}\n[[mapping]]\n")), TimePrecision::Microseconds);
}

#[test]
fn distinct_times_has_three_values() {
    let f = |value: &str, want: DistinctTimes| {
        let text = with("mapping", &format!("distinct_times = {value}"));
        assert_eq!(config(&text).mappings[0].rules.distinct_times, want);
    };
    f("true", DistinctTimes::Kafka);
    f("false", DistinctTimes::Never);
    f("\"always\"", DistinctTimes::Always);
}

#[test]
fn topics_have_their_own_destinations() {
    let kafka = "[kafka]\nbrokers = 'a:1'\ntopics = ['^site\\.(?<site>[^.]*)$', '^(?<site>lab)$']\n";
    let v1 = |name: &str| {
        format!(
            "{kafka}[influx]\nurl = 'http://h:1'\napi = 'v1'\ndatabase = '{name}'\ndestinations_max = 3\n"
        )
    };
    let loaded = run(&v1("x_{topic:site}{{")).unwrap();
    let destination = &loaded.config.mappings[0].destination;
    assert_eq!(destination.of("site.a"), Ok(database("x_a{", None)));
    assert_eq!(destination.of("lab"), Ok(database("x_lab{", None)));
    assert!(destination.of("site.").is_err() && destination.of("other").is_err());
    assert_eq!(
        loaded.config.routing().lanes_per_consumer(),
        6,
        "a lane is reserved for each destination that may come"
    );
    assert!(
        loaded.summaries[0].contains("one for each topic; text in braces was literal earlier"),
        "{:?}",
        loaded.summaries
    );
    let own = v1("d") + "[[mapping]]\ndatabase = '{topic}'\nretention_policy = '{topic:site}'\n";
    assert_eq!(config(&own).mappings[0].destination.of("site.a"), Ok(database("site.a", Some("a"))));
    let error = |text: &str| run(text).unwrap_err().to_string();
    for (name, want) in [
        ("{key}", "takes the placeholders {topic} and {topic:NAME} only"),
        ("{^.site}", "takes the placeholders {topic} and {topic:NAME} only"),
        ("{topic:sit}", "has no group for {topic:sit}: did you mean {topic:site}?"),
        ("{topic", "is never closed"),
    ] {
        assert!(error(&v1(name)).contains(want), "{}", error(&v1(name)));
    }
    let plain = v1("{topic:site}").replace("'^(?<site>lab)$'", "'lab'");
    assert!(error(&plain).contains("{topic:site} finds nothing in the topic \"lab\""), "{}", error(&plain));
}

#[test]
fn mappings_have_their_own_destinations() {
    let v1 = "[influx]\nurl = 'http://h:1'\napi = 'v1'\ndatabase = 'd'\nretention_policy = 'week'\n";
    let kafka = "[kafka]\nbrokers = 'a:1'\ntopics = ['a', 'b', 'c']\n";
    let mappings = "[[mapping]]\ntopics = 'a'\ndatabase = 'e'\n[[mapping]]\ntopics = 'b'\nretention_policy = ''\n[[mapping]]\n";
    let config = super::config(&format!("{kafka}{v1}{mappings}"));
    let got: Vec<Destination> =
        config.mappings.iter().map(|mapping| mapping.destination.of("").unwrap()).collect();
    assert_eq!(got, [database("e", Some("week")), database("d", None), database("d", Some("week"))]);
}

#[test]
fn reads_influx() {
    let f = |lines: &str| {
        super::config(&format!("[kafka]\nbrokers = 'a:1'\ntopics = 'a'\n[influx]\n{lines}")).influx
    };
    let v1 = f(
        "url = 'http://h:1'\napi = 'v1'\ndatabase = 'd'\nusername = 'u'\npassword = 'p'\ncreate_database = true",
    );
    assert!(
        matches!(&v1.credential, Credential::Basic { username, password } if username == "u" && password.expose() == "p")
    );
    assert!(v1.api == Api::V1 && v1.create_database);
    let open = f(
        "urls = ['http://h:1', 'https://i/influx/']\napi = 'v1'\ndatabase = 'd'\ncompression = 'gzip'\ntimeout = '5s'",
    );
    assert!(matches!(open.credential, Credential::None));
    assert_eq!(
        open.urls.iter().map(reqwest::Url::as_str).collect::<Vec<_>>(),
        ["http://h:1/", "https://i/influx"]
    );
    assert_eq!((open.compression, open.timeout), (Compression::Gzip, Duration::from_secs(5)));
    let token = f("url = 'http://h:1'\napi = 'v1'\ndatabase = 'd'\ntoken = 't'");
    assert!(matches!(token.credential, Credential::Token(_)));
}

#[test]
fn reads_batch_admin_and_log() {
    let text = with("", "shutdown_max = \"0s\"")
        + "[batch]\nlines_max = \"${LINES}\"\nbytes_max = 2000\nage_max = \"250ms\"\nmemory_max = \"1MB\"\n"
        + "points_per_second_max = 20000\n"
        + "[admin]\nlisten = \"\"\n[log]\nlevel = \"debug\"\nformat = \"json\"\n";
    let config = config(&text);
    assert_eq!(config.shutdown_max, Duration::ZERO);
    assert_eq!(
        (config.batch.lines_max, config.batch.bytes_max, config.batch.memory_max),
        (Some(77), Some(2_000), 1_000_000)
    );
    assert_eq!((config.batch.age_max, config.admin.listen), (Duration::from_millis(250), None));
    assert_eq!(config.batch.points_per_second_max, Some(20_000));
    assert_eq!((config.log.level, config.log.format), (tracing::Level::DEBUG, LogFormat::Json));
}

#[test]
fn records_are_shown_to_this_machine_unless_said_otherwise() {
    let f = |lines: &str, want: RecordsAudience| {
        assert_eq!(config(&with("admin", lines)).admin.records_audience(), want, "{lines}");
    };
    f("", RecordsAudience::Local);
    f("listen = 'localhost:1'", RecordsAudience::Local);
    f("listen = '[::1]:1'", RecordsAudience::Local);
    f("listen = '[::ffff:127.0.0.1]:1'", RecordsAudience::Local);
    f("show_records = true", RecordsAudience::Everybody);
    f("show_records = false", RecordsAudience::Nobody);
    f("listen = '0.0.0.0:1'", RecordsAudience::Nobody);
    f("listen = '[::]:1'", RecordsAudience::Nobody);
    f("listen = '10.1.2.3:1'", RecordsAudience::Nobody);
    f("listen = '0.0.0.0:1'\nshow_records = true", RecordsAudience::Everybody);
    f("listen = ''\nshow_records = true", RecordsAudience::Nobody);
    assert_eq!(config(SMALL).admin.records_audience(), RecordsAudience::Local);
}

#[test]
fn a_dry_run_needs_no_secrets() {
    let text = SMALL.replace("INFLUX_TOKEN", "BRIDGE_TEST_VARIABLE_THAT_IS_NOT_SET");
    let folder = Folder::with_config(&text);
    let path = folder.file("bridge.toml");
    assert!(load(&path).is_err());
    assert!(load_without_secrets(&path).is_ok());
}

#[test]
fn a_secret_remembers_its_file() {
    let folder = Folder::new();
    let path = folder.write("token", "old\n");
    let text = SMALL.replace("${INFLUX_TOKEN}", &format!("${{file:{}}}", path.display()));
    let Credential::Token(token) = config(&text).influx.credential else { panic!("no token") };
    folder.write("token", "new\n");
    assert_eq!((token.expose(), token.reread().unwrap().expose()), ("old", "new"));
}

#[test]
fn reads_where_dead_letters_go() {
    let f = |lines: &str, want: Option<DeadLetterStore>, summary: &str| {
        let loaded = run(&format!("{SMALL}\n{lines}")).unwrap();
        assert_eq!((loaded.config.dead_letter, loaded.summaries[1].as_str()), (want, summary), "{lines}");
    };
    let file = |path: &str, bytes_max| Some(DeadLetterStore::File { path: path.into(), bytes_max });
    f("", None, "rejected and refused records are counted, logged and skipped: there is no [dead_letter]");
    f(
        "[dead_letter]\ntopic = 'metrics-dead'",
        Some(DeadLetterStore::Topic("metrics-dead".to_owned())),
        "rejected and refused records -> topic metrics-dead",
    );
    f(
        "[dead_letter]\nfile = 'd.jsonl'",
        file("d.jsonl", 100_000_000),
        "rejected and refused records -> file d.jsonl",
    );
    let limited = "[dead_letter]\nfile = '/var/d.jsonl'\nfile_bytes_max = '2MB'";
    f(limited, file("/var/d.jsonl", 2_000_000), "rejected and refused records -> file /var/d.jsonl");
}

#[test]
fn no_pattern_matches_the_dead_letter_topic() {
    let text =
        SMALL.replace("\"metrics\"", "['metrics', '^metrics']") + "[dead_letter]\ntopic = 'metrics-dead'\n";
    let topics = config(&text).kafka.topics;
    for (topic, want) in [("metrics", true), ("metrics-deader", true), ("metrics-dead", false)] {
        assert_eq!(topics.is_match(topic), want, "{topic}");
    }
}

#[test]
fn reads_the_share_that_may_be_rejected() {
    let f = |lines: &str, want: f64| {
        let config = config(&format!("{SMALL}\n{lines}"));
        assert!((config.reject.rate_max - want).abs() < f64::EPSILON, "{lines}: {:?}", config.reject);
    };
    f("", 0.1);
    f("[reject]", 0.1);
    f("[reject]\nrate_max = 0.25", 0.25);
    f("[reject]\nrate_max = 1", 1.0);
    f("[reject]\nrate_max = 0", 0.0);
    f("[reject]\nrate_max = \"${LINES}e-2\"", 0.77);
}

#[test]
fn sums_up_each_mapping() {
    let f = |lines: &str, want: &str| {
        let text = if lines.is_empty() { SMALL.to_owned() } else { with("mapping", lines) };
        assert_eq!(run(&text).unwrap().summaries[0], want, "{lines}");
    };
    f(
        "",
        "metrics -> bucket \"ec2\" of organization \"test\": measurement is the topic's name; no tags; time of the Kafka record, made distinct",
    );
    f(
        "topics = ['metrics', '^m']\nname_key = 'n'\nmeasurement = 'm'\ntag_keys = ['h*']\ntopic_tag = 't'\ntags = { a = 'b' }\ntime_key = 'ts'\ntime_format = 'unix'\nstring_fields = ['s']\nrename = { a = 'b' }",
        "metrics, ^m -> bucket \"ec2\" of organization \"test\": measurement from \"n\", else \"m\"; tags h*, t=the topic, a=b; strings kept in s, keys renamed; time from \"ts\" as unix",
    );
    let two = run(&SMALL.replace("topics = \"metrics\"", "topics = ['a', 'b']")).unwrap().summaries;
    assert!(two[0].starts_with("every topic -> bucket"), "{two:?}");
    f(
        "query = '$.items[*]'\ndistinct_times = false",
        "metrics -> bucket \"ec2\" of organization \"test\": a point for each of $.items[*], measurement is the topic's name; no tags; time of the Kafka record",
    );
    f(
        "time_key = 'ts'\ntime_format = 'unix'\ntime_add = { x = 'us' }",
        "metrics -> bucket \"ec2\" of organization \"test\": measurement is the topic's name; no tags; time from \"ts\" as unix, plus \"x\" in us",
    );
}

#[test]
fn a_format_with_timestamps_needs_no_time_format() {
    let time = |lines: &str| {
        let rules = config(&with("mapping", lines)).mappings.remove(0).rules;
        (rules.format, rules.time.as_ref().map(|time| time.format.clone()))
    };
    let key = "format = 'msgpack'\ntime_key = 't'";
    assert_eq!(time(key), (Format::Msgpack, Some(TimeFormat::Timestamp)));
    assert_eq!(time("format = 'cbor'\ntime_key = 't'"), (Format::Cbor, Some(TimeFormat::Timestamp)));
    let seconds = Some(TimeFormat::Unix { unit_ns: 1_000_000_000 });
    assert_eq!(time(&format!("{key}\ntime_format = 'unix'")), (Format::Msgpack, seconds));
    let registry = "[schema_registry]\nurl = 'http://r'";
    let avro = time(&format!("format = 'avro'\ntime_key = 't'\n{registry}"));
    assert_eq!(avro, (Format::Avro, Some(TimeFormat::Timestamp)));
    let protobuf = time(&format!("format = 'protobuf'\ntime_key = 't'\n{registry}"));
    assert_eq!(protobuf, (Format::Protobuf, Some(TimeFormat::Timestamp)));
    for format in ["json", "json_lines", "csv"] {
        let lines = format!("format = '{format}'\ntime_key = 't'");
        let missing = run(&with("mapping", &lines)).unwrap_err().to_string();
        assert!(missing.contains("`time_key` needs a `time_format`"), "{format}: {missing}");
    }
}

#[test]
fn names_what_is_chosen_without_keys_of_batch() {
    let f = |batch: &str, want: &[&str]| {
        let text = with("", "") + "[batch]\n" + batch;
        let summaries = run(&text).unwrap().summaries;
        let line = summaries.iter().find_map(|line| line.strip_prefix("[batch]: "));
        let found: Vec<&str> = line.map(|line| line.split("; ").collect()).unwrap_or_default();
        assert_eq!(found.len(), want.len(), "{batch}: {summaries:?}");
        assert!(found.iter().zip(want).all(|(found, want)| found.contains(want)), "{batch}: {summaries:?}");
    };
    let memory = "26MB for all batches (no `memory_max`)";
    let lines = "5,000 lines a write, with a backlog up to 100,000 (no `lines_max`)";
    f("", &[lines, "4MB a write, with a backlog up to 32MB, or 9.5MB at InfluxDB 3 and QuestDB (no", memory]);
    f("lines_max = 5000\nbytes_max = '4MB'\nmemory_max = '16MB'", &[]);
    for memory_max in ["16MB", "26MB"] {
        f(&format!("memory_max = '{memory_max}'"), &["no `lines_max`", "no `bytes_max`"]);
    }
    f("lines_max = 5000\nbytes_max = '4MB'", &[memory]);
}

/// InfluxDB 1 refuses more than 25 MB by default, and InfluxDB 3 more than 10 MiB.
#[test]
fn names_the_largest_batch_of_the_api() {
    for (api, want) in [
        ("v1", "with a backlog up to 24MB, or 9.5MB at InfluxDB 3 and QuestDB (no `bytes_max`)"),
        ("v3", "with a backlog up to 9.5MB (no `bytes_max`)"),
    ] {
        let text = format!(
            "kafka = {{ brokers = 'b:1', topics = 't' }}\n[influx]\nurl = 'http://h'\napi = '{api}'\ndatabase = 'd'\n"
        );
        let summaries = run(&text).unwrap().summaries;
        assert!(summaries.iter().any(|line| line.contains(want)), "{api}: {summaries:?}");
    }
}

#[test]
fn names_what_the_formats_do_otherwise_than_earlier() {
    let f = |lines: &str, want: &[&str]| {
        let batch = "[batch]\nmemory_max = '26MB'\n";
        // A table of its own may follow the keys of the mapping.
        let lines = if lines.contains("distinct_times") {
            lines.to_owned()
        } else {
            format!("distinct_times = false\n{lines}")
        };
        let summaries = run(&(with("mapping", &lines) + batch)).unwrap().summaries;
        let line = summaries.iter().find_map(|line| line.strip_prefix("changed since earlier builds: "));
        let found: Vec<&str> = line.map(|line| line.split("; ").collect()).unwrap_or_default();
        assert_eq!(found.len(), want.len(), "{lines}: {summaries:?}");
        assert!(
            found.iter().zip(want).all(|(found, want)| found.starts_with(want)),
            "{lines}: {summaries:?}"
        );
    };
    let json = "json: NaN and Infinity leave out their field, and a schema registry's frame is skipped";
    f("", &[json, "json: compressed values are unpacked"]);
    f("value_compression = 'none'", &[json]);
    let zip = "value_compression = 'none'
zip = [{ names = 'n', values = 'v' }]";
    f(zip, &[json, "zip: one name with its value becomes a field"]);
    let lines = ["json_lines: NaN", "json_lines: a line may have several values", "json_lines: compressed"];
    f("format = 'json_lines'", &lines);
    let framed = "csv: values with a schema registry's frame are rejected as a whole";
    f("format = 'csv'", &["csv: compressed values are unpacked", framed]);
    f("format = 'msgpack'", &["msgpack: values with a schema registry's frame are rejected as a whole"]);
    f("format = 'avro'\n[schema_registry]\nurl = 'http://r'", &[]);
    let plain = "format = 'csv'\nvalue_compression = 'none'\n";
    let placeholder = "csv: a column in a placeholder keeps its text";
    f(&format!("{plain}tags = {{ t = '{{a}}' }}"), &[framed, placeholder]);
    f(&format!("{plain}measurement = '{{topic}}'\ntag_keys = ['a']"), &[framed]);
    let json_alone = "value_compression = 'none'\n";
    let scalars = "query: selected numbers, strings and booleans are fields";
    f(&format!("{json_alone}query = '$.a'"), &[json, scalars]);
    let paths = "paths: an index such as [0] selects items of arrays only";
    f(&format!("{json_alone}tag_keys = ['@.a[0]']"), &[json, paths]);
    f(&format!("{json_alone}fields = {{ f = \"$.a['0']\" }}"), &[json, paths]);
    f(&format!("{json_alone}tag_keys = [\"@.a['x y']\", 'b_0']"), &[json]);
    let digits = "distinct_times: digits differ between topics";
    let time = "time_key = 'at'\ntime_format = 'unix'\n";
    f(&format!("{json_alone}distinct_times = true"), &[json, digits]);
    f(&format!("{json_alone}{time}distinct_times = true"), &[json]);
    f(&format!("{json_alone}{time}distinct_times = 'always'"), &[json, digits]);
}

#[test]
fn values_are_unpacked_as_configured() {
    let compression = |lines: &str| config(&with("mapping", lines)).mappings.remove(0).rules.compression;
    assert_eq!(compression(""), ::mapping::Compression::Auto);
    assert_eq!(compression("value_compression = 'snappy'"), ::mapping::Compression::Snappy);
}

#[test]
fn csv_has_settings_of_its_own() {
    let csv = |lines: &str| {
        let text = format!("format = 'csv'\n{lines}");
        let rules = config(&with("mapping", &text)).mappings.remove(0).rules;
        (rules.csv.clone(), rules.strict)
    };
    assert_eq!(csv(""), (Csv::default(), false));
    assert_eq!(csv("strict = true\n[mapping.csv]\nheader = 'first line'"), (Csv::default(), true));
    let names = ["time", "", "cpu"].map(str::to_owned).to_vec();
    let want = Csv { delimiter: b'\t', comment: Some(b'#'), header: Header::Columns(names) };
    let lines = "csv = { delimiter = \"\\t\", comment = '#', header = ['time', '', 'cpu'] }";
    assert_eq!(csv(lines), (want, false));
    let loaded = run(&with("mapping", "csv = { delimiter = ';' }")).unwrap();
    let warned: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(warned.concat().contains("without `format = \"csv\"` this table has no effect"), "{warned:?}");
}

#[test]
fn line_protocol_has_names_types_and_times_of_its_own() {
    let rules = |lines: &str| {
        let text = format!("format = 'influx'\n{lines}");
        config(&with("mapping", &text)).mappings.remove(0).rules
    };
    let own = rules("");
    assert_eq!((own.measurement.text(), own.strict), ("", false));
    assert_eq!((own.precision, own.time.clone()), (Precision::Nanoseconds, None));
    let time = own.time_rule().unwrap();
    assert!(time.is_of_lines() && time.format == TimeFormat::Unix { unit_ns: 1 });
    let changed = rules(
        "strict = true\nmeasurement = 'm {topic}'\nprecision = 'ms'\ntags = { a = 'b' }\ntopic_tag = 't'\nkey_tag = 'k'\n\
         partition_tag = 'p'\noffset_field = 'o'\nheader_tags = ['h']\ninclude = ['a']\nexclude = ['b']\nrename = { a = 'c' }\n\
         time_min = '2000-01-01'\ntime_max = '2100-01-01'\ndistinct_times = 'always'\nvalue_compression = 'auto'\ntopics = ['metrics']",
    );
    assert_eq!((changed.measurement.text(), changed.strict), ("m {topic}", true));
    assert_eq!(changed.precision, Precision::Milliseconds);
    let summary = |lines: &str| run(&with("mapping", lines)).unwrap().summaries[0].clone();
    let said = summary("format = 'influx'");
    let want = "a point for each line, measurement is that of each line; no tags; time of each line in ns, else time of the Kafka record, made distinct";
    assert!(said.ends_with(want), "{said}");
    let loaded = run(&with("mapping", "precision = 'ms'")).unwrap();
    let warned: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(warned.concat().contains("without `format = \"influx\"` it has no effect"), "{warned:?}");
}

/// A file with this schema, in a folder of its own, and the configuration with these lines beside it.
fn with_schema(schema: &str, lines: &str) -> Result<Loaded, String> {
    let folder = Folder::new();
    folder.write("m.avsc", schema);
    let loaded =
        parse(&folder.file("bridge.toml"), &format!("{SMALL}\n{lines}\n"), &|_| Some("v".to_owned()));
    loaded.map_err(|errors| errors.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

#[test]
fn avro_has_one_source_of_schemas() {
    const REGISTRY: &str = "[schema_registry]\nurl = 'http://localhost:8081/'";
    let f = |lines: &str, want: Option<&str>| match (with_schema("\"int\"", lines), want) {
        (Ok(_), None) => {}
        (Err(errors), Some(want)) => assert!(errors.contains(want), "{lines}: {errors}"),
        (got, want) => panic!("{lines}: {got:?}, not {want:?}"),
    };
    f("[[mapping]]\nformat = 'avro'\nschema = 'm.avsc'", None);
    f(&format!("[[mapping]]\nformat = 'avro'\n{REGISTRY}"), None);
    f(
        "[[mapping]]\nformat = 'avro'",
        Some("values of format = \"avro\" need a schema: name its file with `schema`"),
    );
    f(
        &format!("[[mapping]]\nformat = 'avro'\nschema = 'm.avsc'\n{REGISTRY}"),
        Some("`schema` is for values without the frame of a schema registry"),
    );
    // Each mapping has its own source.
    let both = "[[mapping]]\ntopics = 'a'\nformat = 'avro'\nschema = 'm.avsc'\n[[mapping]]\nformat = 'avro'";
    f(&format!("{both}\n{REGISTRY}"), None);
    f("[[mapping]]\nschema = 'm.avsc'", Some("`schema` has no meaning with format = \"json\""));
    f("[[mapping]]\nformat = 'avro'\nschema = 'other.avsc'", Some("`schema`: other.avsc can't be read"));
    let no_schema = with_schema("{}", "[[mapping]]\nformat = 'avro'\nschema = 'm.avsc'").unwrap_err();
    assert!(
        no_schema
            .contains("m.avsc can't be used: it is not an Avro schema: a type \"object\" has no \"type\""),
        "{no_schema}"
    );
    let unused = with_schema("\"int\"", REGISTRY).unwrap().warnings;
    assert!(unused[0].to_string().contains("no [[mapping]] has `format = \"avro\"`"), "{unused:?}");
}

#[test]
fn the_schema_registry_has_addresses_and_a_login() {
    let read = |lines: &str| {
        let lines = format!("[[mapping]]\nformat = 'avro'\n[schema_registry]\n{lines}");
        let loaded = with_schema("\"int\"", &lines)?;
        Ok::<_, String>(loaded.config.schema_registry.unwrap())
    };
    let settings =
        read("urls = ['http://a:8081', 'https://b/apis/ccompat/v7/']\nunknown_id_max = '1h'").unwrap();
    assert_eq!(settings.shown(), "http://a:8081/, https://b/apis/ccompat/v7");
    assert_eq!((settings.unknown_id_max.as_secs(), &settings.credential), (3_600, &base::Credential::None));
    let basic = read("url = 'http://a'\nusername = 'u'\npassword = '${P}'").unwrap();
    assert!(matches!(&basic.credential, base::Credential::Basic { username, .. } if username == "u"));
    let f = |lines: &str, want: &str| {
        let errors = read(lines).unwrap_err();
        assert!(errors.contains(want), "{lines}: {errors}");
    };
    f("", "[schema_registry] has no `url`: where the schema registry listens");
    f("url = 'http://a/subjects'", "the bridge adds /subjects itself: write \"http://a\"");
    f("url = 'localhost:8081'", "is it \"http://localhost:8081\"?");
    f("url = 'http://a'\nusername = 'u'", "`username` needs it");
    f("url = 'http://a'\nusername = 'u'\npassword = 'p'\ntoken = 't'", "`token` and `username` are both set");
    f("url = 'http://a'\ncert_file = 'm.avsc'", "key_file");
}
