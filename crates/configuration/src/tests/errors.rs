//! Tests of files with mistakes: all are reported at once, each with its place and a remedy.

use super::*;

/// Compares line, column and part of the message of each error of `text`.
pub fn check(text: &str, want: &[(usize, usize, &str)]) {
    let errors = run(text).map(|_| ()).unwrap_err();
    let got: Vec<(usize, usize, &str)> = errors
        .errors
        .iter()
        .map(|problem| {
            let place = problem.place.unwrap_or(Place { line: 0, column: 0 });
            (place.line, place.column, problem.message.as_str())
        })
        .collect();
    assert_eq!(got.len(), want.len(), "{text}\n{errors}");
    for (got, want) in got.iter().zip(want) {
        assert_eq!((got.0, got.1), (want.0, want.1), "{text}\n{errors}");
        assert!(got.2.contains(want.2), "wanted {:?}\n{text}\n{errors}", want.2);
    }
}

/// Expects one error for `SMALL` with these lines in one of its tables.
pub fn one(table: &str, lines: &str, want: &str) {
    only(&with(table, lines), want);
}

/// Expects one error for `SMALL` with `to` instead of `from`.
pub fn replaced(from: &str, to: &str, want: &str) {
    only(&SMALL.replace(from, to), want);
}

/// Expects one error.
fn only(text: &str, want: &str) {
    let errors = run(text).map(|_| ()).unwrap_err();
    assert_eq!(errors.errors.len(), 1, "{text}\n{errors}");
    assert!(errors.errors[0].message.contains(want), "wanted {want:?}\n{errors}");
}

fn warns(table: &str, lines: &str, want: &str) {
    let text = with(table, lines);
    let warnings = run(&text).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{text}\n{warnings:?}");
    assert!(
        warnings[0].message.starts_with("warning: ") && warnings[0].message.contains(want),
        "{}",
        warnings[0]
    );
}

#[test]
fn ten_mistakes_are_ten_errors() {
    let text = "\u{feff}shutdown_max = 8\r\n\
        # 설정\r\n\
        [kafka]\r\n\
        bootstrap_servers = [\"localhost:9092\"]\r\n\
        topics = [\"metrics\", \"온도\", \"^a(\"]\r\n\
        offset_reset = \"oldest\"\r\n\
        \r\n\
        [[mapping]]\r\n\
        tag_kes = [\"host\"]\r\n\
        tags = { \"위치\" = \"서울\", rack = 7 }\r\n\
        time_key = \"ts\"\r\n\
        [influx]\r\n\
        url = \"localhost:8086\"\r\n\
        org = \"test\"\r\n\
        bucket = \"$BUCKET\"\r\n\
        token = \"${TOKEN}\"\r\n\
        [batch]\r\n\
        bytes_max = \"4megs\"\r\n";
    let want = "\
bridge.toml:1:16: `shutdown_max` must be a duration with its unit in quotes, such as \"250ms\" or \"10s\", not a whole number
  |
1 | shutdown_max = 8
  |                ^
bridge.toml:4:1: unknown key \"bootstrap_servers\" in [kafka]; did you mean \"brokers\"?
  |
4 | bootstrap_servers = [\"localhost:9092\"]
  | ^^^^^^^^^^^^^^^^^
bridge.toml:5:22: topic names have only letters, digits, \".\", \"_\" and \"-\", unlike \"온도\"; a regular expression starts with \"^\"
  |
5 | topics = [\"metrics\", \"온도\", \"^a(\"]
  |                      ^^^^^^
bridge.toml:5:28: \"^a(\" is not a regular expression: unclosed group
  |
5 | topics = [\"metrics\", \"온도\", \"^a(\"]
  |                              ^^^^^
bridge.toml:6:16: `offset_reset` must be one of \"earliest\", \"latest\", \"error\", not \"oldest\"; did you mean \"earliest\"?
  |
6 | offset_reset = \"oldest\"
  |                ^^^^^^^^
bridge.toml:9:1: unknown key \"tag_kes\" in [[mapping]]; did you mean \"tag_keys\"?
  |
9 | tag_kes = [\"host\"]
  | ^^^^^^^
bridge.toml:10:30: `tags.rack` must be a string, not a whole number
   |
10 | tags = { \"위치\" = \"서울\", rack = 7 }
   |                                  ^
bridge.toml:11:12: `time_key` needs a `time_format`: one of unix, unix_ms, unix_us, unix_ns, rfc3339, or a strptime pattern such as \"%Y-%m-%d %H:%M:%S\"
   |
11 | time_key = \"ts\"
   |            ^^^^
bridge.toml:13:7: localhost:8086: an address begins with http:// or https://; is it \"http://localhost:8086\"?
   |
13 | url = \"localhost:8086\"
   |       ^^^^^^^^^^^^^^^^
bridge.toml:15:10: $BUCKET is not replaced: write ${BUCKET} for the variable, $$BUCKET for the text as it is
   |
15 | bucket = \"$BUCKET\"
   |          ^^^^^^^^^
bridge.toml:16:9: the environment variable TOKEN is not set: export it before the program starts, or read a file, as in ${file:PATH}
   |
16 | token = \"${TOKEN}\"
   |         ^^^^^^^^^^
bridge.toml:18:13: `bytes_max` has the unknown unit \"megs\": the units are B, kB, KB, MB, GB, KiB, MiB, GiB
   |
18 | bytes_max = \"4megs\"
   |             ^^^^^^^";
    assert_eq!(run(text).unwrap_err().to_string(), want);
}

#[test]
fn missing_tables_and_keys_are_reported() {
    check("", &[(0, 0, "[kafka] is missing"), (0, 0, "[influx] is missing")]);
    check(
        "[kafka]\n[influx]\n",
        &[
            (1, 1, "[kafka] has no `brokers`: where Kafka listens"),
            (1, 1, "[kafka] has no `topics`"),
            (2, 1, "[influx] has no `org`"),
            (2, 1, "[influx] has no `token`"),
            (2, 1, "[influx] has no `url`"),
            (2, 1, "[influx] has no `bucket`: add bucket = \"NAME\", the bucket that gets the points"),
        ],
    );
}

#[test]
fn unknown_keys() {
    let f = one;
    f("kafka", "groupId = 'g'", "unknown key \"groupId\" in [kafka]; did you mean \"group_id\"?");
    f("kafka", "group.id = 'g'", "unknown key \"group.id\" in [kafka]; did you mean \"group_id\"?");
    f("kafka", "consumer_group = 'g'", "did you mean \"group_id\"?");
    f("kafka", "offset = 'oldest'", "did you mean \"offset_reset\"?");
    f("kafka", "max_message_len = 5", "did you mean \"record_bytes_max\"?");
    f("kafka", "topic_regexps = ['a']", "starts with \"^\"");
    f("kafka", "sasl_username = 'u'", "here it is \"username\" in [kafka.sasl]");
    f("kafka", "\"fetch.min.bytes\" = 1", "[kafka.librdkafka]");
    f(
        "kafka",
        "fetch.min.bytes = 1",
        "unknown key \"fetch.min.bytes\" in [kafka]: properties of librdkafka belong in [kafka.librdkafka]",
    );
    f("kafka", "bucket = 'b'", "it belongs in [[mapping]] or [influx]");
    f("kafka", "zzz = 5", "it has brokers, topics, group_id");
    f("mapping", "json_name_key = 'n'", "did you mean \"name_key\"?");
    f("mapping", "json_string_fields = ['n']", "did you mean \"string_fields\"?");
    f("mapping", "auto_tags = true", "`tag_keys`");
    f("mapping", "name_override = 'x'", "did you mean \"measurement\"?");
    f("mapping", "group_id = 'g'", "it belongs in [kafka]");
    f("influx", "organization = 'o'", "did you mean \"org\"?");
    f("influx", "dbname = 'o'", "did you mean \"database\"?");
    f("influx", "precision = 'ms'", "nanoseconds");
    f("batch", "flush_interval = '1s'", "did you mean \"age_max\"?");
    f("batch", "metric_batch_size = 1", "did you mean \"lines_max\"?");
    f("batch", "metric_buffer_limit = 1", "Kafka is the buffer");
    f(
        "",
        "flush_interval = '1s'",
        "unknown key \"flush_interval\" in the top of the file; here it is \"age_max\" in [batch]",
    );
    f("", "bucket = 'b'", "it belongs in [[mapping]] or [influx]");
    f("log", "shutdown_max = '8s'", "it belongs in the top of the file");
    f("log", "levl = 'info'", "did you mean \"level\"?");
}

#[test]
fn a_misspelt_name_is_not_also_reported_as_missing() {
    let f = replaced;
    f("token =", "tokn =", "did you mean \"token\"?");
    f("org =", "organization =", "did you mean \"org\"?");
    f("brokers =", "bootstrap.servers =", "did you mean \"brokers\"?");
    f("[kafka]", "[kafak]", "unknown table [kafak]; did you mean [kafka]?");
    f(
        "[influx]",
        "[outputs.influxdb_v2]",
        "unknown table [outputs.influxdb_v2]: this belongs to a telegraf.conf; here it is [influx]",
    );
    f(
        "[influx]",
        "[[outputs.influxdb]]",
        "[[outputs.influxdb]]: this belongs to a telegraf.conf; here it is [influx] with api",
    );
}

#[test]
fn unknown_tables() {
    let f = |lines: &str, want: &str| only(&format!("{SMALL}\n{lines}\n"), want);
    f(
        "[[inputs.kafka_consumer]]\nbrokers = ['x']",
        "[[inputs.kafka_consumer]]: this belongs to a telegraf.conf; here it is [kafka] and [[mapping]]",
    );
    f("[agent]\ninterval = '1s'", "here it is [batch] and [log]");
    f("[global_tags]\na = 'b'", "`tags` of a [[mapping]]");
    f("[kafka.ssl]", "unknown table [kafka.ssl]; did you mean [kafka.sasl]?");
    f("[sasl]\nusername = 'u'", "here it is [kafka.sasl]");
    f("[bach]", "did you mean [batch]?");
    f(
        "[something]",
        "there are [kafka], [[mapping]], [schema_registry], [influx], [batch], [reject], [dead_letter], [admin], [log]",
    );
    f("[batch.more]", "unknown table [batch.more]: [batch] has no tables inside");
    f("[mapping]", "write [[mapping]] with double brackets");
    f("[[batch]]", "there is one [batch] only: write it with single brackets");
}

#[test]
fn a_repeated_table_hides_no_other_error() {
    let text = format!(
        "{SMALL}[batch]\nlines_max = 0\n[influx]\ntimout = '5s'\n[batch]\nage_max = '1x'\n[log]\nlevel = 'inf'\n[batch]\nlines_mx = 5\n"
    );
    check(
        &text,
        &[
            (11, 13, "`lines_max`"),
            (12, 2, "[influx] appears twice: put its keys under one header"),
            (13, 1, "unknown key \"timout\" in [influx]; did you mean \"timeout\"?"),
            (14, 2, "[batch] appears twice"),
            (15, 11, "`age_max` has the unknown unit \"x\""),
            (17, 9, "did you mean \"info\"?"),
            (18, 2, "[batch] appears twice"),
            (19, 1, "did you mean \"lines_max\"?"),
        ],
    );
    // Keys that are in the repeated table are not missing.
    let text = SMALL.replace("org = ", "[influx]\norg = ");
    check(&text, &[(7, 2, "[influx] appears twice")]);
    // No secret of a repeated table is shown.
    let text = format!("{SMALL}[influx]\ntoken = 'hush' 5\n");
    assert!(!run(&text).unwrap_err().to_string().contains("hush"));
}

#[test]
fn single_brackets_beside_double_ones_are_named() {
    let double = "write [[mapping]] with double brackets";
    let text = format!("{SMALL}[mapping]\ntag_kes = ['a']\n[[mapping]]\ntopics = 'metrics'\ntime_ky = 'x'\n");
    check(&text, &[(10, 1, double), (14, 1, "did you mean \"time_key\"?")]);
    let text =
        format!("{SMALL}[[mapping]]\ntopics = 'other'\n[mapping]\ntopics = 'metrics'\n[log]\nlevl = 'x'\n");
    check(&text, &[(12, 1, double), (15, 1, "did you mean \"level\"?")]);
}

#[test]
fn singular_and_plural_are_confused() {
    one(
        "mapping",
        "topic = 'metrics'",
        "unknown key \"topic\" in [[mapping]]; did you mean \"topics\", as in topics = [\"...\"]?",
    );
    one("dead_letter", "topics = 'd'", "did you mean \"topic\", as in topic = \"...\"?");
    one("kafka", "broker = 'b:1'", "did you mean \"brokers\", as in brokers = [\"...\"]?");
    // Topics under a wrong name do not make other mappings useless.
    let text = format!("{SMALL}[[mapping]]\ntopic = 'metrics'\n[[mapping]]\ntopics = 'metrics'\n");
    check(&text, &[(11, 1, "did you mean \"topics\"")]);
}

#[test]
fn topics_without_mapping_and_mappings_without_topic_are_reported() {
    let f = |topics: &str, mappings: &str, want: &[(usize, usize, &str)]| {
        let rest = "brokers = 'a:1'\n[influx]\nurl = 'http://h'\napi = 'v1'\ndatabase = 'd'\n";
        let text = format!("[kafka]\ntopics = {topics}\n{rest}{mappings}");
        if want.is_empty() {
            config(&text);
        } else {
            check(&text, want);
        }
    };
    f("['a', 'b']", "[[mapping]]\ntopics = 'a'\n", &[(2, 16, "no [[mapping]] takes the topic \"b\"")]);
    f("['a', '^b']", "[[mapping]]\ntopics = 'a'\n", &[]);
    f("['a', 'b']", "[[mapping]]\ntopics = 'a'\n[[mapping]]\ntopics = '^b'\n", &[]);
    f(
        "['a']",
        "[[mapping]]\n[[mapping]]\ntopics = 'a'\n",
        &[(9, 1, "this [[mapping]] is never used: one before it takes")],
    );
    f("['a']", "[[mapping]]\ntopics = '^.*'\n[[mapping]]\n", &[(10, 1, "never used")]);
    f("['a']", "[[mapping]]\ntopics = '^a'\n[[mapping]]\ntopics = ['a', '^a']\n", &[(10, 1, "never used")]);
    f("['a', 'b']", "[[mapping]]\ntopics = 'a'\n[[mapping]]\ntopics = ['a', 'b']\n", &[]);
    f("['a']", "[[mapping]]\nbucket = 'x'\n", &[(9, 10, "`bucket` belongs to api = \"v2\"")]);
    // Invalid topics of a mapping do not also report that no mapping takes the topic.
    f("['a']", "[[mapping]]\ntopics = 'a b'\n", &[(9, 10, "topic names")]);
}

#[test]
fn the_dead_letter_topic_is_not_read() {
    let text = SMALL.replace("\"metrics\"", "['metrics', 'dead']") + "[dead_letter]\ntopic = 'dead'\n";
    check(
        &text,
        &[(4, 22, "\"dead\" is the topic of [dead_letter]: reading it would reject each dead letter again")],
    );
}

#[test]
fn each_mapping_needs_a_destination() {
    let text = SMALL.replace("bucket = \"ec2\"", "")
        + "[[mapping]]\ntopics = 'metrics'\nbucket = 'b'\n[[mapping]]\n";
    check(&text, &[(13, 1, "neither this [[mapping]] nor [influx] has a `bucket`")]);
}

#[test]
fn warns_of_options_for_fields_that_name_a_tag() {
    warns(
        "mapping",
        "tag_keys = ['host', 'region', 'x*']\nrename = { host = 'region' }",
        "`rename` gives the tags \"host\" and \"region\" of `tag_keys` one name, \"region\"",
    );
    warns(
        "mapping",
        "tag_keys = ['host']\nexclude = ['host', 'v']",
        "\"host\" is a tag by `tag_keys`, and `exclude` is for fields only, so it changes nothing: to drop the tag",
    );
    warns(
        "mapping",
        "tag_keys = ['h*']\nstring_fields = ['host', '*']",
        "`string_fields` is for fields only",
    );
    warns("mapping", "tag_keys = ['host']\nnumber_fields = ['host']", "`number_fields` is for fields only");
    let swapped =
        "tag_keys = ['host', 'region']\nrename = { host = 'region', region = 'host' }\nexclude = ['h*']";
    assert!(run(&with("mapping", swapped)).unwrap().warnings.is_empty());
}

#[test]
fn warnings() {
    warns("kafka.tls", "verify = false", "anyone on the network path");
    warns("influx.tls", "verify = true", "no `url` begins with https://");
    warns("mapping", "timezone = 'Asia/Seoul'", "without `time_key`");
    warns("mapping", "tag_keys = ['^.x']", "^.x finds nothing without `query`");
    warns("mapping", "tags = { a = '{^@key}' }", "^@key finds nothing without `query`");
    warns("mapping", "tag_keys = ['@member']", "@member finds nothing without `query`");
    warns("mapping", "fields = { a = '^x' }", "for that of the enclosing object write \"^.x\"");
    warns(
        "mapping",
        "number_fields = ['@.a.b']",
        "`number_fields` takes flattened keys, and \"@.a.b\" is none: write \"a_b\"",
    );
    warns(
        "mapping",
        "rename = { '$.a' = 'b' }",
        "`rename` takes flattened keys, and \"$.a\" is none: write \"a\"",
    );
    warns("mapping", "query = '$.x'\nexplode = ['$.a']", "write the key of a value within the element");
    warns(
        "mapping",
        "pivot = [{ list = '^.a', name = 'n', value = 'v' }]",
        "`pivot.list` takes flattened keys",
    );
    let text = with("mapping", "topics = ['metrcs']") + "[[mapping]]\n";
    let warnings = run(&text).unwrap().warnings;
    assert!(warnings[0].message.contains("nothing comes from it; did you mean \"metrics\"?"), "{warnings:?}");
}

#[test]
fn broken_toml() {
    let small = format!("{SMALL}[log]\nlevel = debug\nformat = 'jsn'\n");
    check(&small, &[(11, 9, "text needs quotes, as in "), (12, 10, "did you mean \"json\"?")]);
    // Keys after a broken header are not reported, because they are in the wrong table.
    check(&SMALL.replace("[influx]", "[influx"), &[(5, 8, "no end bracket")]);
    check(&SMALL.replace("topics = \"metrics\"", "topics = [\"metrics\""), &[(4, 10, "not closed")]);
}

#[test]
fn files_that_are_not_utf8_are_refused() {
    let f = |bytes: &[u8], want: &str| {
        let folder = Folder::new();
        let error = load(&folder.write("bridge.toml", bytes)).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    };
    f(b"\xff\xfea\0", "UTF-16");
    f(b"", "bridge.toml: the file is empty: `kafka-influx-bridge init` or");
    f(b"<source>\n@type kafka_group\n</source>\n", "bridge.toml: this is a fluent.conf");
    f(b"a = 1\nb = '\xbf\xc2'", "line 2 is not UTF-8");
    let error = load(Path::new("/nowhere/bridge.toml")).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/bridge.toml: it can't be read: "), "{error}");
    let not_found = find(Some(Path::new("/nowhere/bridge.toml"))).unwrap_err().to_string();
    assert!(
        not_found.starts_with("no configuration file: looked for /nowhere/bridge.toml; name one"),
        "{not_found}"
    );
}

#[test]
fn every_known_key_is_read() {
    for table in keys::TABLES {
        for key in table.names() {
            // A time of day is wrong for every key.
            let line = format!("{key} = 07:32:00");
            let text = match table.name {
                "" => line,
                "mapping" => format!("[[mapping]]\n{line}"),
                name if name.starts_with("mapping.") => format!("[[mapping]]\n[{name}]\n{line}"),
                name => format!("[{name}]\n{line}"),
            };
            let errors = run(&text).unwrap_err();
            let wrong_kind = errors.errors.iter().any(|problem| {
                problem.message.contains(&format!("`{key}`")) && !problem.message.contains(" has no ")
            });
            assert!(wrong_kind, "{text}\n{errors}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "((\\[{1,2})?(kafka|influx|mapping|token|topics|x|tls)(\\]{1,2})?( = )?(\"|'|5|\\[|\\{|온|\\$\\{)?\r?\n?){0,12}") {
        let _ = run(&text);
    }
}

#[test]
fn a_file_of_json_is_named_as_such() {
    let text = "{\n  \"kafka\": {\"brokers\": [\"b:1\"]},\n  \"influx\": {}\n}\n";
    let errors = run(text).map(|_| ()).unwrap_err().errors;
    let message = "this is JSON, and a configuration is TOML: ";
    assert!(errors.iter().any(|error| error.message.starts_with(message)), "{errors:?}");
    assert!(errors.iter().all(|error| error.message.matches(message).count() == 1), "{errors:?}");
}

#[test]
fn a_build_without_tls_towards_kafka_refuses_what_needs_it_and_names_the_feature() {
    let text = "[kafka]\nbrokers = 'b:1'\ntopics = 't'\n[kafka.tls]\n[kafka.sasl]\nmechanism = 'SCRAM-SHA-512'\nusername = 'u'\n\
                password = 'p'\n[influx]\nurl = 'http://h'\napi = 'v1'\ndatabase = 'd'";
    let read = |text: &str, has_kafka_tls| {
        let read =
            load::parse_with(Path::new("b.toml"), text, &env, findings::Secrets::Needed, has_kafka_tls);
        let messages =
            |errors: ConfigErrors| errors.errors.into_iter().map(|e| e.message).collect::<Vec<_>>();
        read.map(drop).map_err(messages)
    };
    let remedy = "needs the feature `kafka-tls`, which this build does not have: use a released package or image, or build with \
                  `cargo build --release --features kafka-tls`";
    let want = ["[kafka.tls]", "SCRAM-SHA-512"].map(|what| format!("{what} {remedy}"));
    assert_eq!(read(text, false), Err(want.to_vec()));
    assert_eq!(read(text, true), Ok(()));
    // PLAIN needs no OpenSSL.
    let plain = text.replace("[kafka.tls]\n", "").replace("SCRAM-SHA-512", "PLAIN");
    assert_eq!(read(&plain, false), Ok(()));
}
