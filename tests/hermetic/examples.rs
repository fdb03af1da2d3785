//! Every folder of `examples/`: `check` accepts its configuration, and `map` makes exactly its points from its records.

use crate::example_records::ExampleRecords;
use configuration::load_without_secrets;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The Kafka timestamp of all records, as in examples/README.md.
const TIMESTAMP: &str = "1767225600123000000";

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(folders.len() >= 7, "examples are missing: {folders:?}");
    folders
}

/// Runs the binary in a folder, as examples/README.md tells users to.
fn bridge(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kafka-influx-bridge"))
        .current_dir(folder)
        .args(arguments)
        .env("INFLUX_TOKEN", "a-token")
        .env("INFLUX_PASSWORD", "a-password")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap()
}

/// The first topic of the configuration.
fn topic(folder: &Path) -> String {
    let config = load_without_secrets(&folder.join("bridge.toml")).unwrap();
    config.kafka.topics.names.into_iter().next().unwrap()
}

/// The line numbers in `rejected.txt`, or in `FILE:LINE: reason`.
fn line_numbers(reasons: &str, before: &str) -> Vec<usize> {
    let numbered = reasons.lines().filter_map(|line| line.strip_prefix(before));
    numbered.map(|line| line.split_once(": ").unwrap().0.parse().unwrap()).collect()
}

#[test]
fn check_accepts_every_example() {
    for folder in examples() {
        let output = bridge(&folder, &["check", "--config", "bridge.toml"]);
        let errors = text(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", folder.display());
        assert!(text(&output.stdout).ends_with("bridge.toml: no errors\n"), "{}: {errors}", folder.display());
    }
}

#[test]
fn records_become_exactly_the_expected_points() {
    for folder in examples() {
        let (topic, example) = (topic(&folder), ExampleRecords::read(&folder));
        // The example's own file, with the address of its registry.
        let name = folder.file_name().unwrap().to_str().unwrap();
        let config = std::env::temp_dir().join(format!("example-{name}-{}.toml", std::process::id()));
        fs::write(&config, example.with_registry(&read(&folder, "bridge.toml"))).unwrap();
        let (path, records) = (config.to_str().unwrap(), example.file);
        let output =
            bridge(&folder, &["map", "--config", path, "--topic", &topic, "--timestamp", TIMESTAMP, records]);
        fs::remove_file(&config).unwrap();
        let (lines, errors) = (text(&output.stdout), text(&output.stderr));
        assert_same_lines(lines, &read(&folder, "expected.lp"), &folder);
        let rejected = fs::read_to_string(folder.join("rejected.txt")).unwrap_or_default();
        let want = line_numbers(&rejected, "");
        assert_eq!(line_numbers(errors, &format!("{records}:")), want, "{}: {errors}", folder.display());
        assert_eq!(output.status.code(), Some(i32::from(!want.is_empty())), "{}", folder.display());
    }
}

/// Reports the first different line: whole files are hard to compare by eye.
fn assert_same_lines(got: &str, want: &str, folder: &Path) {
    for (number, (got, want)) in got.lines().zip(want.lines()).enumerate() {
        assert_eq!(got, want, "{}/expected.lp:{}", folder.display(), number + 1);
    }
    assert_eq!(got, want, "{}", folder.display());
}

/// The example of Telegraf's documentation, unchanged: without a timestamp.
#[test]
fn the_documented_record_becomes_the_documented_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/telegraf-json-doc");
    let output = bridge(&folder, &["map", "--config", "bridge.toml", "records.jsonl"]);
    let first = text(&output.stdout).lines().next();
    assert_eq!(first, Some(r#"my_json,my_tag_1=foo a=5,b_c=6,b_my_field="description""#));
}
