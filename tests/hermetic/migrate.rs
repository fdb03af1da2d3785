//! `migrate`, run as a process. `crates/migrate/src/golden.rs` compares what it writes with the files in `tests/migrate/`.

use crate::folder::Folder;
use crate::program::{Finished, assert_contains};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with the configuration of this case.
fn folder(case: &str) -> Folder {
    let folder = Folder::new();
    let path = root().join("tests/migrate/telegraf").join(case).join("telegraf.conf");
    folder.write("telegraf.conf", fs::read(path).unwrap());
    folder
}

#[test]
fn writes_the_first_bridge_to_standard_output() {
    let folder = folder("many");
    let output = folder.run_to(0, &["migrate", "telegraf.conf"]);
    let named = folder.run_to(0, &["migrate", "telegraf.conf", "-o", "-"]);
    assert_eq!((&named.out, &named.err), (&output.out, &output.err));
    assert!(!folder.file("-").exists(), "\"-\" is no file");
    let golden = fs::read_to_string(root().join("tests/migrate/telegraf/many/bridge.toml")).unwrap();
    assert_eq!(output.out, golden);
    let lines = [
        "telegraf.conf:29: data_format: the bridge does not read the format graphite",
        "this is the first of 4 bridges",
        "to fill in (bridge 2): influx.url: ",
        "stop Telegraf, then start the bridge",
    ];
    assert_contains(&output.err, &lines);
}

#[test]
fn writes_all_bridges_into_new_files_only() {
    let folder = folder("many");
    let output = folder.run_to(0, &["migrate", "telegraf.conf", "-o", "new.toml"]);
    assert_eq!(output.out, "");
    for name in ["new.toml", "new-2.toml", "new-3.toml", "new-4.toml"] {
        assert_contains(&output.err, &[&format!("written: {name}")]);
    }
    assert_contains(&output.err, &["for this file add `--config new.toml`"]);
    fs::remove_file(folder.file("new.toml")).unwrap();
    let again = folder.run_to(2, &["migrate", "telegraf.conf", "-o", "new.toml"]);
    assert_contains(&again.err, &["new-2.toml exists already"]);
    assert!(!folder.file("new.toml").exists());
    let found = folder.run_to(0, &["migrate", "telegraf.conf", "-o", ".", "--force"]);
    assert!(!found.err.contains("--config"), "{found}");
    assert!(folder.file("bridge-4.toml").exists());
}

#[test]
fn reads_a_folder_as_one_configuration() {
    let folder = folder("many");
    folder.write("telegraf.d/README", "no toml");
    let empty = folder.run(&["migrate", "telegraf.d"]);
    assert_contains(&empty.err, &["telegraf.d has no file that ends in .conf"]);
    let conf = folder.read("telegraf.conf");
    let (inputs, outputs) = conf.split_at(conf.find("# Points go").unwrap());
    folder.write("telegraf.conf", inputs);
    folder.write("telegraf.d/out.conf", outputs);
    let output = folder.run_to(0, &["migrate", "telegraf.conf", "telegraf.d"]);
    assert_contains(&output.out, &["bucket = \"ops\""]);
    assert_contains(&output.err, &["telegraf.d/out.conf:"]);
}

#[test]
fn refusals_have_a_reason() {
    let folder = Folder::new();
    let f = |content: &str, want: &[&str]| {
        folder.write("x.conf", content);
        let output = folder.run_to(2, &["migrate", "x.conf"]);
        assert_eq!(output.out, "", "{content}");
        assert_contains(&output.err, want);
    };
    f("[server]\nport = 1\n", &["x.conf is not a configuration that can be migrated"]);
    f(
        "[[inputs.cpu]]\n",
        &["x.conf:1: inputs.cpu: the bridge reads Kafka only", "no [[inputs.kafka_consumer]]"],
    );
    f(
        "[[inputs.kafka_consumer]]\ntopics = ['a']\ndata_format = 'graphite'\n",
        &["x.conf:3: data_format: the bridge does not read the format graphite: keep Telegraf for it"],
    );
    f("[agent]\ninterval = 10s\n", &["x.conf:2: this can't be read: "]);
    f(
        "[agent]\nhostname = 'a\n",
        &["x.conf:2: this can't be read: ", "2 | hostname = 'a", "  |              ^"],
    );
}

#[test]
fn files_that_are_no_utf8_are_named() {
    let folder = folder("ec2-telegraf");
    let conf = folder.read("telegraf.conf");
    folder.write("wide.conf", b"\xff\xfe[\0");
    folder.write("packed.conf", b"\x1f\x8b\x08");
    assert_contains(
        &folder.run_to(2, &["migrate", "wide.conf"]).err,
        &["wide.conf is UTF-16 text: save it as UTF-8"],
    );
    assert_contains(&folder.run_to(2, &["migrate", "packed.conf"]).err, &["packed.conf is gzip: unpack it"]);
    folder.write("latin.conf", [b"# Gr\xfc\xdfe\n", conf.as_bytes()].concat());
    assert_contains(
        &folder.run_to(0, &["migrate", "latin.conf"]).err,
        &["latin.conf:1: this is not UTF-8 text"],
    );
}

#[test]
fn a_missing_folder_and_an_unset_variable_are_named_once() {
    let folder = folder("ec2-telegraf");
    for output in ["d/", "d/new.toml"] {
        let missing = folder.run_to(2, &["migrate", "telegraf.conf", "-o", output]);
        assert_contains(&missing.err, &["the folder d", "does not exist: create it"]);
    }
    let conf = "[[inputs.kafka_consumer]]\nbrokers = ['b:1']\ntopics = ['t']\n[[outputs.influxdb_v2]]\nurls = ['http://h']\n\
                organization = 'o'\nbucket = 'b'\ntoken = '${SOME_TOKEN}'\n";
    folder.write("telegraf.conf", conf);
    let said = folder.run_to(0, &["migrate", "telegraf.conf"]).err;
    assert_contains(&said, &["to fill in: set the environment variable SOME_TOKEN"]);
    assert!(said.matches("SOME_TOKEN").count() == 1 && !said.contains("to correct"), "{said}");
}

#[test]
fn serious_notes_come_first() {
    let folder = folder("ec2-telegraf");
    let conf = folder
        .read("telegraf.conf")
        .replace("[[inputs.kafka_consumer]]", "[[inputs.kafka_consumer]]\n  kafka_version = '2.0'");
    folder.write("telegraf.conf", conf + "\n[[processors.starlark]]\n[[inputs.cpu]]\n");
    let said = folder.run_to(0, &["migrate", "telegraf.conf"]).err;
    let place = |text: &str| said.find(text).unwrap_or_else(|| panic!("{text}: {said}"));
    assert!(place("points differ: telegraf.conf:") < place("differs: telegraf.conf:"), "{said}");
    assert!(
        place("processors.starlark: it has no counterpart")
            < place("inputs.cpu: the bridge reads Kafka only"),
        "{said}"
    );
    assert!(place("inputs.cpu: ") < place("no effect: telegraf.conf:"), "{said}");
}

#[test]
fn diff_shows_the_points_of_records() {
    let records = root().join("examples/telegraf-json-doc/records.jsonl");
    let done = diff_without_telegraf(&folder("telegraf-json-doc"), records.to_str().unwrap());
    assert!(done.out.starts_with("my_json,my_tag_1=foo a=5,b_c=6,b_my_field=\"description\"\n"), "{done}");
    assert_contains(
        &done.err,
        &["not compared: Telegraf is not installed: install it, or name the program in TELEGRAF"],
    );
}

/// Runs `--diff` of the folder's telegraf.conf with these records, where no Telegraf is installed.
fn diff_without_telegraf(folder: &Folder, records: &str) -> Finished {
    let mut command = folder.command(&["migrate", "telegraf.conf", "--diff", records]);
    let done = Finished::from(command.env_remove("TELEGRAF").env("PATH", "").output().unwrap());
    // Nothing was compared, so a script must not take the result for equal points.
    assert_eq!(done.status, Some(1), "{done}");
    done
}

/// The standard output of `--diff` without Telegraf.
fn points(options: &str, records: &[u8]) -> String {
    let folder = Folder::new();
    let conf = format!(
        "[agent]\nomit_hostname = true\n[[inputs.kafka_consumer]]\nbrokers = ['b:1']\ntopics = ['t']\n{options}\n{OUTPUT}"
    );
    folder.write("telegraf.conf", conf);
    folder.write("records", records);
    diff_without_telegraf(&folder, "records").out
}

#[test]
fn diff_reads_records_in_the_format_of_the_mapping() {
    let csv = "data_format = 'csv'\ncsv_header_row_count = 1\ncsv_tag_columns = ['host']";
    assert_eq!(
        points(csv, b"host,v\na,1\nb,2.5\n\nhost,w\nc,3\n"),
        "kafka_consumer,host=a v=1i\nkafka_consumer,host=b v=2.5\nkafka_consumer,host=c w=3i\n"
    );
    let metric = |host: u8| {
        [
            b"\x84\xa4name\xa3cpu\xa4time\xd6\xff\x65\x53\xf1\x00\xa4tags\x81\xa4host\xa1".as_slice(),
            &[host],
            b"\xa6fields\x81\xa1n\x0a",
        ]
        .concat()
    };
    assert_eq!(
        points("data_format = 'msgpack'", &[metric(b'a'), metric(b'b')].concat()),
        "cpu,host=a n=10i 1700000000000000000\ncpu,host=b n=10i 1700000000000000000\n"
    );
}

/// Real Telegraf between the embedded Kafka and the embedded receiver.
#[test]
#[ignore = "needs Telegraf (tests/stack/telegraf/build): TELEGRAF=BINARY cargo test --test hermetic migrate -- --ignored"]
fn telegraf_itself_makes_the_same_points() {
    assert!(std::env::var_os("TELEGRAF").is_some(), "TELEGRAF is not set: it must name Telegraf's binary");
    let diff = |folder: &Folder, status: i32, records: PathBuf| {
        folder.run_to(status, &["migrate", "telegraf.conf", "--diff", records.to_str().unwrap()])
    };
    for case in ["ec2-telegraf", "telegraf-json-doc"] {
        let done = diff(&folder(case), 0, root().join("examples").join(case).join("records.jsonl"));
        assert!(done.out.ends_with("7 of 7 records give the same points\n"), "{done}");
    }
    for case in ["json_v2", "json_v2-object", "processors", "xpath"] {
        let folder = folder(case);
        let conf = folder.read("telegraf.conf");
        // Without the parts that are noted.
        let noted = [
            "    [[inputs.kafka_consumer.json_v2.object]]\n      path = \"magazines\"",
            "    [[inputs.kafka_consumer.json_v2.field]]\n      path = \"prices|@reverse\"",
        ];
        let end = noted.iter().find_map(|noted| conf.find(noted)).unwrap_or(conf.len());
        let conf = conf[..end].to_owned();
        let conf = if conf.contains("[[outputs") { conf } else { conf + OUTPUT };
        folder.write("telegraf.conf", conf);
        let done = diff(&folder, 0, root().join("tests/migrate/telegraf").join(case).join("records.jsonl"));
        let last = done.out.lines().last().unwrap_or_default();
        assert!(
            last.contains(" records give the same points") || last.contains("of the others"),
            "{case}: {done}"
        );
    }
    // What a plugin does to points that it takes the mark from is unknown.
    let folder = folder("xpath");
    let converter =
        "[[processors.converter]]\n[processors.converter.tags]\nstring = ['bridge_diff_record']\n";
    folder.write("telegraf.conf", folder.read("telegraf.conf") + converter);
    let done = diff(&folder, 1, root().join("tests/migrate/telegraf/xpath/records.jsonl"));
    assert_contains(&done.err, &["a plugin removes the tag bridge_diff_record from 2 points"]);
}

const OUTPUT: &str = "[[outputs.influxdb_v2]]\nurls = ['http://localhost:8086']\ntoken = 'x'\norganization = 'o'\nbucket = 'b'\n";
