//! `init`, run as a process: for the records of each example, and for topics of the embedded Kafka.

use crate::compress::gzip;
use crate::example_records::{ExampleRecords, REGISTRY};
use crate::folder::Folder;
use crate::program::{assert_contains, run};
use crate::schema_server::SchemaServer;
use crate::support::Cluster;
use configuration::load_without_secrets;
use std::fs;
use std::path::Path;

/// Whether a line is an object or an array of objects, which no mapping may reject.
fn is_good(line: &[u8]) -> bool {
    match serde_json::from_slice(line) {
        Ok(serde_json::Value::Object(_)) => true,
        Ok(serde_json::Value::Array(values)) => values.iter().all(serde_json::Value::is_object),
        _ => false,
    }
}

/// `UPDATE=1` rewrites the files.
#[test]
fn examples_give_these_files_and_no_valid_record_is_rejected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for entry in fs::read_dir(root.join("examples")).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        count += 1;
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let example = ExampleRecords::read(&folder);
        let file = example.file;
        let registry = example.with_registry(REGISTRY);
        let mut arguments = vec!["init", file, "-o", "-"];
        if example.registry.is_some() {
            arguments.extend(["--schema-registry", &registry]);
        }
        let made = run(&folder, &arguments);
        assert_eq!(made.status, Some(0), "{name}: {}", made.err);
        let out = made.out.replace(&registry, REGISTRY);
        let golden = root.join("tests/init").join(format!("{name}.toml"));
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&golden, &out).unwrap();
        }
        let want = fs::read_to_string(&golden).unwrap();
        assert_eq!(out, want, "{name}: UPDATE=1 rewrites the file");

        load_without_secrets(&golden).unwrap();
        let written = Folder::with_config(&example.with_registry(&want));
        let config = written.file("bridge.toml");
        let config = config.to_str().unwrap();
        let checked = run(&folder, &["check", "--config", config]);
        assert_eq!((checked.status, checked.err.as_str()), (Some(0), ""), "{name}");
        let mapped = run(&folder, &["map", "--config", config, file]);
        let is_listed = |line: &&str| line.starts_with(|c: char| c.is_ascii_digit());
        let bad = if file == "records.jsonl" {
            example.records.iter().filter(|record| !is_good(record)).count()
        } else {
            let rejected = fs::read_to_string(folder.join("rejected.txt")).unwrap();
            rejected.lines().filter(is_listed).count()
        };
        let rejected: Vec<&str> =
            mapped.err.lines().filter(|line| line.starts_with(&format!("{file}:"))).collect();
        assert_eq!(rejected.len(), bad, "{name}: {rejected:?}");
        assert!(mapped.out.lines().count() > 0, "{name}");
    }
    assert!(count >= 6);
}

#[test]
fn an_existing_file_is_overwritten_only_with_force() {
    let folder = Folder::new();
    folder.write("r.jsonl", "{\"v\":1}\n");
    folder.write("bridge.toml", "mine");
    let refused = folder.run_to(2, &["init", "--file", "r.jsonl"]);
    assert_contains(&refused.err, &["bridge.toml exists already: --force overwrites it"]);
    assert_eq!(folder.read("bridge.toml"), "mine");
    let written = folder.run_to(0, &["init", "--file", "r.jsonl", "--topic", "boxes", "--force"]);
    assert!(folder.read("bridge.toml").contains("\ntopics = [\"boxes\"]\n"));
    assert_contains(
        &written.err,
        &["of 1 sampled record, 1 becomes 1 point", "check --connect", "map --live 10", "INFLUX_TOKEN=... "],
    );
    assert!(!written.err.contains('\u{1b}'), "no colours without a terminal");
}

#[test]
fn several_files_are_one_sample() {
    let folder = Folder::new();
    folder.write("a.jsonl", "{\"host\":\"a\",\"v\":1}\n{\"host\":\"a\",\"v\":2}\n");
    folder.write("b.jsonl", "{\"host\":\"b\",\"w\":3}\n");
    let done = folder.run_to(0, &["init", "a.jsonl", "b.jsonl", "-o", "-"]);
    let first = "# Made by `kafka-influx-bridge init` from 3 records of a.jsonl, b.jsonl.\n";
    assert!(done.out.starts_with(first), "{}", done.out);
    // The option and plain arguments are the same.
    let same = folder.run(&["init", "--file", "a.jsonl", "b.jsonl", "-o", "-"]);
    assert_eq!(same.out, done.out, "{}", same.err);
    let few = folder.run(&["init", "a.jsonl", "b.jsonl", "-o", "-", "--records", "1"]);
    assert!(few.err.contains("of 1 sampled record"), "{}", few.err);
}

#[test]
fn reports_points_that_overwrite_others_and_objects_without_a_field() {
    let folder = Folder::new();
    let records = [
        r#"{"ts":1767225600,"v":1}"#,
        r#"{"ts":1767225600,"v":2}"#,
        r#"{"ts":1767225601,"state":"on","note":"x y z u v"}"#,
        r#"{"ts":1767225602}"#,
    ];
    folder.write("r.jsonl", records.join("\n"));
    let done = folder.run_to(0, &["init", "r.jsonl", "-o", "-"]);
    for text in [
        "of 4 sampled records, 3 become 3 points, 1 object without a value to store, none is rejected",
        "CAUTION: 1 point has the series and the time of another point, and overwrites its fields",
    ] {
        assert!(done.err.contains(text), "{text}: {}", done.err);
        assert!(done.out.replace("\n# ", " ").contains(text), "{text}: {}", done.out);
    }
}

#[test]
fn names_exactly_the_keys_to_fill_in() {
    let folder = Folder::new();
    folder.write("r.jsonl", "{\"v\":1}\n");
    let f = |arguments: &[&str], want: &str| {
        let done = folder.run_to(0, &[&["init", "--file", "r.jsonl", "--force"], arguments].concat());
        assert_contains(&done.err, &[&format!("bridge.toml is written. Read it{want}, then:\n")]);
    };
    f(&[], ", fill in kafka.brokers, kafka.topics, influx.url, influx.org, influx.bucket");
    let kafka = ["--topic", "t", "--brokers", "kafka:9092"];
    f(&kafka, ", fill in influx.url, influx.org, influx.bucket");
    let url = ["--influx-url", "http://h:8086"];
    f(&[&kafka[..], &url, &["--org", "o"]].concat(), ", fill in influx.bucket");
    f(&[&kafka[..], &url, &["--org", "o", "--bucket", "b"]].concat(), "");
    f(&[&kafka[..], &url, &["--database", "d"]].concat(), "");
}

#[test]
fn explains_errors_of_the_file() {
    let folder = Folder::new();
    folder.write("bad.jsonl", "5\nnot json\n\"a\"\n");
    let f = |arguments: &[&str], status: i32, want: &str| {
        let done = folder.run_to(status, &[&["init"], arguments].concat());
        assert!(done.err.contains(want), "{want}: {}", done.err);
        assert!(!folder.file("bridge.toml").exists());
    };
    f(&["--file", "none.jsonl"], 2, "none.jsonl can't be read: No such file");
    f(&["--file", "bad.jsonl"], 1, "the 3 records of bad.jsonl: no JSON object found");
    f(&["bad.jsonl"], 1, "(the first rejected record: a number is no object");
    folder.write("cut.jsonl", "{\"v\":");
    f(
        &["cut.jsonl"],
        1,
        "the 1 record of cut.jsonl: no JSON object found, and only objects become points (the first rejected record: it is not JSON: ",
    );
    folder.write("empty.jsonl", "\n");
    f(&["empty.jsonl"], 1, "empty.jsonl: no record found");
    f(&["--file", "bad.jsonl", "--records", "0"], 2, "--records");
    f(&["--file", "bad.jsonl", "--database", "d", "--org", "o"], 2, "cannot be used with");
    f(&["--file", "bad.jsonl", "--database", "d", "--api", "v4"], 2, "possible values: v1, v3");
    folder.write("good.jsonl", "{\"v\":1}");
    f(
        &["--file", "good.jsonl", "--influx-url", "ftp://h"],
        2,
        "nothing is written, because the resulting file would have errors",
    );
}

#[test]
fn the_influx_table_has_the_given_values() {
    let folder = Folder::new();
    folder.write("r.jsonl", "{\"v\":1}\n");
    let f = |arguments: &[&str], want: &str| {
        let done = folder.run_to(0, &[&["init", "--file", "r.jsonl", "-o", "-"], arguments].concat());
        assert!(done.out.contains(want), "{}", done.out);
    };
    f(
        &["--influx-url", "http://h:1", "--org", "o", "--bucket", "b"],
        "\n[influx]\nurl = \"http://h:1\"\norg = \"o\"\nbucket = \"b\"\n",
    );
    f(&["--database", "d"], "api = \"v1\"\ndatabase = \"d\"\n");
    f(
        &["--database", "d", "--api", "v3"],
        "api = \"v3\"\ndatabase = \"d\"\n# A token with write access to the database, from the environment",
    );
    let old = "[kafka]\nbrokers = 'b:1'\ntopics = 'old'\n[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'u'\npassword = 'hidden'\n\
        [influx]\nurl = 'http://other'\norg = 'o'\nbucket = 'b'\ntoken = 'hidden'\n";
    folder.write("old.toml", old);
    let done = folder.run(&["init", "--file", "r.jsonl", "-o", "-", "--config", "old.toml"]);
    let words = ["brokers = \"b:1\"", "[kafka.sasl]", "${KAFKA_PASSWORD}", "http://other", "${INFLUX_TOKEN}"];
    assert_contains(&done.out, &words);
    assert!(!done.out.contains("hidden") && !done.err.contains("hidden"), "{}", done.out);
}

#[test]
fn a_preset_gives_a_file_that_check_accepts() {
    let folder = Folder::new();
    folder.write("r.jsonl", "{\"v\":1}\n");
    for preset in &configuration::managed_kafka::PRESETS {
        let done = folder
            .run_to(0, &["init", "--file", "r.jsonl", "--force", "--topic", "t", "--preset", preset.name]);
        assert!(done.err.contains("Read it, fill in kafka.brokers, influx.url"), "{}", done.err);
        let text = folder.read("bridge.toml");
        let variable = |_: &str| Some("x".to_owned());
        let loaded = configuration::parse(&folder.file("bridge.toml"), &text, &variable)
            .unwrap_or_else(|errors| panic!("{}: {errors}", preset.name));
        assert!(loaded.warnings.is_empty(), "{}: {:?}\n{text}", preset.name, loaded.warnings);
        for property in preset.properties {
            let line = format!("# {}\n", property.reason);
            assert!(
                text.contains(&line) && text.contains(&format!("{:?} = ", property.name)),
                "{line}\n{text}"
            );
        }
        let names: Vec<&str> = preset.variables();
        assert!(names.iter().all(|name| text.contains(&format!("\"${{{name}}}\""))), "{names:?}\n{text}");
        let set =
            if names.is_empty() { String::new() } else { format!(", set {}, then:", names.join(" and ")) };
        assert!(done.err.contains(&set), "{}", done.err);
    }
    let refused = folder.run_to(2, &["init", "--preset", "msk", "-o", "-"]).err;
    assert_contains(&refused, &["--preset msk needs the addresses of the brokers, such as --brokers b-1."]);
    let unknown = folder.run_to(2, &["init", "--preset", "mks"]).err;
    assert_contains(&unknown, &["possible values: event-hubs"]);
}

#[test]
fn topics_are_listed_and_sampled() {
    let cluster = Cluster::with_topic("boxes", 3);
    for topic in ["more-boxes", "sensors", "texts", "boxes-dlq", "empty", "_schemas"] {
        cluster.create_topic(topic, 1);
    }
    let record = |n: usize| format!(r#"{{"host":"h{}","load":{n}.5}}"#, n % 4);
    for partition in 0..3 {
        cluster.produce("boxes", partition, (0..100).map(record));
    }
    cluster.produce("more-boxes", 0, (0..100).map(record));
    cluster.produce("sensors", 0, (0..50).map(|n| format!(r#"{{"name":"heat","value":{n}.25}}"#)));
    cluster.produce("texts", 0, ["a", "b"]);
    cluster.produce("boxes-dlq", 0, [record(1)]);
    let folder = Folder::new();
    let done = folder.run_to(0, &["init", "--brokers", &cluster.address(), "--records", "150"]);
    assert_contains(
        &done.err,
        &[
            "boxes: 3 partitions, about 300 records\n",
            "boxes-dlq (dead letters)",
            "_schemas (internal)",
            "empty (empty)",
            "texts (no JSON objects)",
            "boxes: of 150 sampled records, 150 become 150 points, none is rejected.\n4 series",
            "sensors: of 50 sampled records",
            "bridge.toml is written",
        ],
    );
    let text = folder.read("bridge.toml");
    let words = [
        "\ntopics = [\"boxes\", \"more-boxes\", \"sensors\"]\n",
        "[[mapping]]\ntopics = [\"boxes\", \"more-boxes\"]\n",
        "\ntag_keys = [\"host\"]\n",
        "[[mapping]]\ntopics = [\"sensors\"]\n",
        "\nname_key = \"name\"\n",
    ];
    assert_contains(&text, &words);
    assert_eq!(text.matches("[[mapping]]").count(), 2, "{text}");
    assert_eq!(folder.run_to(0, &["check"]).err, "");
    // Nothing is committed, and no group was joined.
    assert_eq!(cluster.committed("boxes", 3), [None, None, None]);
}

#[test]
fn only_named_topics_are_sampled() {
    let cluster = Cluster::with_topic("one", 2);
    cluster.create_topic("two", 1);
    cluster.create_topic("empty", 1);
    cluster.produce("one", 1, (0..10).map(|n| format!(r#"{{"v":{n}}}"#)));
    cluster.produce("two", 0, ["text"]);
    let folder = Folder::new();
    let address = cluster.address();
    let f = |arguments: &[&str], status: i32, want: &str| {
        let arguments = [&["init", "--brokers", &address, "-o", "-", "--seconds", "2"], arguments].concat();
        let done = folder.run_to(status, &arguments);
        assert!(done.err.contains(want) || done.out.contains(want), "{want}: {}{}", done.err, done.out);
    };
    f(&["--topic", "one"], 0, "topics = [\"one\"]");
    f(&["--topic", "^o.*"], 0, "topics = [\"^o.*\"]");
    f(&["--topic", "tow"], 2, "no topic is called tow (did you mean \"two\"?); Kafka has empty, one, two");
    f(&["--topic", "^("], 2, "--topic: \"^(\" is not a regular expression: unclosed group");
    f(&["--topic", "o*"], 2, "as a regular expression it is '^o.*'");
    f(&["--topic", "empty"], 1, "empty is empty, and no record arrived within 2 s");
    f(&["--topic", "two"], 1, "1 of the 1 sampled record of two: no JSON object found");
    f(&["--topic", "one", "--topic", "two"], 0, "left out: two (no JSON objects)");
    let ssl = ["--topic", "one", "--kafka-property", "security.protocol=plaintext"];
    f(&ssl, 0, "[kafka.librdkafka]\n\"security.protocol\" = \"plaintext\"");
    f(&["--kafka-property", "securty.protocol=ssl"], 2, "did you mean \"security.protocol\"?");
    f(&["--kafka-property", "x"], 2, "write --kafka-property NAME=VALUE");
}

#[test]
fn reports_unreachable_brokers() {
    // No machine that runs tests has a service on port 1.
    let folder = Folder::new();
    let done = folder.run_to(1, &["init", "--brokers", "127.0.0.1:1"]);
    assert_contains(&done.err, &["no broker answers at 127.0.0.1:1"]);
    let none = Cluster::start();
    let done = folder.run_to(1, &["init", "--brokers", &none.address()]);
    assert_contains(&done.err, &["no topic has records"]);
}

/// `init` recognizes the format of 20 records, and `map` maps them up to one that is cut off.
fn assert_mapped(format: &str, title: &str, record: impl Fn(u8) -> Vec<u8>) {
    let folder = Folder::new();
    let file: Vec<u8> = (0..20).flat_map(record).collect();
    folder.write("records.bin", &file);
    folder.run_to(0, &["init", "--file", "records.bin", "--topic", "t", "-o", "bridge.toml"]);
    let config = folder.read("bridge.toml");
    assert_contains(&config, &[&format!("\nformat = \"{format}\"\n"), "tag_keys = [\"host\"]"]);
    assert_eq!(folder.run_to(0, &["map", "records.bin"]).out.lines().count(), 20);
    folder.write("cut.bin", &file[..file.len() - 1]);
    let cut = folder.run_to(1, &["map", "cut.bin"]);
    assert_eq!(cut.out.lines().count(), 19);
    assert!(cut.out.starts_with("t,host=a "), "{cut}");
    assert_contains(&cut.err, &[&format!("cut.bin:20: it is not {title}: the value is cut off at byte ")]);
}

#[test]
fn a_file_of_messagepack_is_recognized_and_mapped() {
    // {"host": "a", "v": number, "at": a timestamp}
    assert_mapped("msgpack", "MessagePack", |number| {
        [b"\x83\xA4host\xA1a\xA1v", &[number][..], b"\xA2at\xD6\xFF\x65\x53\xF1", &[number]].concat()
    });
}

#[test]
fn a_file_of_cbor_is_recognized_and_mapped() {
    // {"host": "a", "v": number, "at": a time}
    assert_mapped("cbor", "CBOR", |number| {
        [b"\xA3\x64host\x61a\x61v", &[number][..], b"\x62at\xC1\x1A\x65\x53\xF1", &[number]].concat()
    });
}

#[test]
fn a_file_of_protobuf_is_mapped() {
    let config = "[kafka]\nbrokers = ['b:1']\ntopics = ['t']\n[[mapping]]\nformat = 'protobuf'\nschema = 'metric.proto'\n\
                  tag_keys = ['host']\n[influx]\nurl = 'http://h'\napi = 'v1'\ndatabase = 'd'\n";
    let schema = "syntax = 'proto3'; message Metric { string host = 1; int64 v = 2; }";
    let folder = Folder::with_config(config);
    folder.write("metric.proto", schema);
    // Behind their lengths: {host: "a", v: 5}, an empty message, one with the frame of a registry, and one of another type.
    let file = b"\x05\x0A\x01a\x10\x05\x00\x0B\0\0\0\0\x07\0\x0A\x01b\x10\x06\x02\x08\x01";
    folder.write("records.bin", file);
    let said = folder.run_to(1, &["map", "records.bin"]);
    assert_eq!(said.out, "t,host=a v=5\nt v=0\nt,host=b v=6\n");
    let want = "records.bin:4: it does not fit its `schema`: its field 1 is a varint at byte 0, and the schema declares a string";
    assert!(said.err.contains(want), "{}", said.err);
    folder.write("one.bin", b"\x0A\x01a\x10\x05");
    assert_eq!(folder.run_to(0, &["map", "one.bin"]).out, "t,host=a v=5\n");
}

#[test]
fn a_file_of_csv_is_recognized_and_mapped() {
    let folder = Folder::new();
    let rows: String = (0..30).map(|n| format!("{};h{};{n}.5;\r\n", 1_767_225_600 + n, n % 3)).collect();
    folder.write("records.csv", format!("time;host;temperature;note\r\n{rows}"));
    folder.run_to(0, &["init", "--file", "records.csv", "--topic", "t", "-o", "bridge.toml"]);
    let config = folder.read("bridge.toml");
    for line in
        ["format = \"csv\"", "csv = { delimiter = \";\" }", "tag_keys = [\"host\"]", "time_key = \"time\""]
    {
        assert!(config.contains(&format!("\n{line}\n")), "{line}: {config}");
    }
    let said = folder.run_to(0, &["map", "records.csv"]);
    assert_eq!(said.out.lines().count(), 30);
    assert!(said.out.starts_with("t,host=h0 temperature=0.5 1767225600000000000\n"), "{}", said.out);
    folder.write("two.csv", format!("time;host;temperature\n1;a;5\n2;b\n\n{rows}"));
    let said = folder.run_to(1, &["map", "two.csv"]);
    let want = "two.csv:1: element 1: its line 3 has 2 cells, and its header has 3: is `delimiter` right?";
    assert!(said.err.contains(want), "{}", said.err);
}

#[test]
fn a_file_of_line_protocol_is_recognized_and_mapped() {
    let folder = Folder::new();
    let line = |n: u32| {
        format!(
            "cpu,host=h{} usage={n}.5,n={n}i,state=\"a\nb\" {}\n",
            n % 3,
            1_767_225_600_000_u64 + u64::from(n)
        )
    };
    let lines: String = (0..30).map(line).collect();
    folder.write("records.lp", format!("# comment\n{lines}cpu,host=h1 usage=1\n"));
    folder.run_to(0, &["init", "--file", "records.lp", "--topic", "t", "-o", "bridge.toml"]);
    let config = folder.read("bridge.toml");
    assert_contains(
        &config,
        &["\nformat = \"influx\"\n", "\nprecision = \"ms\"\n", "# 1 of 31 lines have no time"],
    );
    let mapped = folder.run_to(0, &["map", "records.lp"]);
    assert_eq!(mapped.out.lines().count(), 61);
    let first = "cpu,host=h0 usage=0.5,n=0i,state=\"a\nb\" 1767225600000000000\n";
    assert!(
        mapped.out.starts_with(first) && mapped.out.ends_with("\ncpu,host=h1 usage=1\n"),
        "{}",
        mapped.out
    );
    folder.write("bad.lp", format!("{lines}cpu,host= usage=1\n"));
    let mapped = folder.run_to(1, &["map", "bad.lp"]);
    assert_eq!(mapped.out.lines().count(), 60);
    let want = "bad.lp:61: its line 1 is not line protocol: missing tag value (column 10)";
    assert!(mapped.err.contains(want), "{}", mapped.err);
}

#[test]
fn a_file_of_single_values_is_mapped() {
    let config = "[kafka]\nbrokers = ['b:1']\ntopics = ['t']\n[[mapping]]\nformat = 'value'\nstring_fields = ['value']\n\
                  rename = { value = 'state' }\n[influx]\nurl = 'http://h'\napi = 'v1'\ndatabase = 'd'\n";
    let folder = Folder::with_config(config);
    folder.write("values.txt", "21.5\n\n{on}\n");
    folder.write("numbers.txt", "21.5\n+007\n\n-3\n");
    let proposed = folder.run_to(0, &["init", "numbers.txt", "-o", "-"]);
    assert_contains(&proposed.out, &["\nformat = \"value\"\n"]);
    assert_contains(&proposed.err, &["of 3 sampled records, 3 become 3 points, none is rejected"]);
    assert_eq!(folder.run_to(0, &["map", "values.txt"]).out, "t state=21.5\nt state=\"{on}\"\n");
}

#[test]
fn a_compressed_file_is_one_record() {
    let folder = Folder::new();
    let records: String = (0..30).map(|n| format!("{{\"host\":\"h{}\",\"v\":{n}}}\n", n % 3)).collect();
    folder.write("records.gz", gzip(records.as_bytes()));
    folder.run_to(0, &["init", "--file", "records.gz", "--topic", "t", "-o", "bridge.toml"]);
    let config = folder.read("bridge.toml");
    assert_contains(&config, &["\nformat = \"json_lines\"\n"]);
    assert!(!config.contains("value_compression"), "{config}");
    let said = folder.run_to(0, &["map", "records.gz"]);
    assert_eq!(said.out.lines().count(), 30);
}

fn example(name: &str) -> ExampleRecords {
    ExampleRecords::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name))
}

#[test]
fn topics_of_a_schema_registry_get_a_full_mapping() {
    let cluster = Cluster::with_topic("machines", 1);
    for topic in ["positions", "json"] {
        cluster.create_topic(topic, 1);
    }
    let (avro, protobuf) = (example("avro-registry"), example("protobuf-registry"));
    cluster.produce("machines", 0, &avro.records[..6]);
    cluster.produce("positions", 0, &protobuf.records[..4]);
    // The serializer of JSON Schema writes a frame too.
    let framed = |n: usize| format!("\0\0\0\0\u{9}{{\"host\":\"a\",\"v\":{n}}}");
    cluster.produce("json", 0, (0..20).map(framed));
    let (folder, address) = (Folder::new(), cluster.address());
    let run = |registry: &str, topic: &str| {
        let arguments = ["init", "--brokers", &address, "--schema-registry", registry, "--topic", topic];
        folder.run_to(0, &[&arguments[..], &["--force"]].concat());
        let written = folder.read("bridge.toml");
        written.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
    };
    let registry = avro.with_registry(REGISTRY);
    let text = run(&registry, "machines");
    let words = [
        "format = \"avro\"\nname_key = \"kind\"\ntime_key = \"at\"\ntag_keys = [",
        "\"machine\"",
        "string_fields = [\"state\"]",
        &format!("[schema_registry]\nurl = \"{registry}\"\n"),
    ];
    assert_contains(&text, &words);
    assert!(!text.contains("time_format"), "{text}");
    let registry = protobuf.with_registry(REGISTRY);
    let text = run(&registry, "positions");
    assert_contains(&text, &["format = \"protobuf\"\ntime_key = \"at\"\n", "\"vehicle\"", &registry]);
    let text = run(&registry, "json");
    assert!(text.contains("tag_keys = [\"host\"]") && !text.contains("registry"), "{text}");
}

#[test]
fn records_without_their_schema_name_the_reason() {
    let folder = Folder::new();
    folder.write("records.avro", b"\0\0\0\0\x07\x02a");
    let f = |arguments: &[&str], want: &str| {
        let done = folder.run_to(1, &[&["init", "--file", "records.avro"], arguments].concat());
        assert!(done.err.contains(want), "{want}: {}", done.err);
    };
    let name = "have the frame of a schema registry (schema 7), and only its schemas show their keys: name the registry with --schema-registry URL";
    f(&[], name);
    let server = SchemaServer::start();
    f(&["--schema-registry", &server.address], "because the registry does not know schema 7");
    server.schema("/schemas/ids/7", "\"string\"", "[]");
    f(
        &["--schema-registry", &server.address],
        "because the values are no objects, or do not fit their schemas",
    );
    server.answer("/schemas/ids/7", 401, "");
    f(&["--schema-registry", &server.address], "refuses the login (401 Unauthorized)");
    f(&["--schema-registry", "http://127.0.0.1:1"], "does not answer");
    let done = folder.run_to(2, &["init", "--file", "records.avro", "--schema-registry", "nowhere"]);
    assert_contains(&done.err, &["nowhere: an address begins with http"]);
}

#[test]
fn the_login_of_a_registry_is_used_and_not_copied() {
    let (folder, example) = (Folder::new(), example("avro-registry"));
    folder.write("records.avro", example.records[..6].concat());
    let registry = format!("[schema_registry]\nurl = '{REGISTRY}'\nusername = 'u'\npassword = 'hidden'\n");
    folder.write("old.toml", example.with_registry(&registry));
    let done = folder.run_to(0, &["init", "--file", "records.avro", "-o", "-", "--config", "old.toml"]);
    assert!(done.out.contains("password = \"${SCHEMA_REGISTRY_PASSWORD}\"\n"), "{}", done.out);
    assert!(!done.out.contains("hidden") && !done.err.contains("hidden"), "{}{}", done.out, done.err);
    let request = example.registry.as_ref().unwrap().requests.try_iter().last().unwrap().to_lowercase();
    assert!(request.contains("authorization: basic dtpoawrkzw4="), "{request}");
}

#[test]
fn the_terminal_warns_of_points_whose_source_or_names_stay_open() {
    let folder = Folder::new();
    let series = |columns: &str, row: &str| {
        format!(r#"{{"series":[{{"name":"cpu","columns":[{columns}],"values":[[{row}]]}}]}}"#)
    };
    let rows = [
        series(r#""time","usage","idle""#, r#""2024-07-08T21:34:34Z",1.5,98.5"#),
        series(r#""time","idle","usage""#, r#""2024-07-08T21:34:44Z",98.5,1.5"#),
    ];
    folder.write("rows.jsonl", rows.join("\n"));
    let devices: Vec<String> =
        (0..60).map(|n| format!(r#"{{"device":"The pump in hall number {n}","v":{n}.5}}"#)).collect();
    folder.write("devices.jsonl", devices.join("\n"));
    for (file, want) in [
        ("rows.jsonl", "CAUTION: The names of the values in the rows of \"values\" stand in \"columns\""),
        ("devices.jsonl", "CAUTION: \"device\" may say which source a point is of, and is no tag"),
    ] {
        let done = folder.run(&["init", file, "-o", "-"]);
        assert_eq!(done.status, Some(0), "{}", done.err);
        assert!(done.err.contains(want), "{}", done.err);
        assert!(done.out.replace("\n# ", " ").contains(want), "{}", done.out);
    }
}
