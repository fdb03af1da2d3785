//! Every folder of `examples/`: `check` accepts its configuration, and `map` makes exactly its points from its records.

use crate::example_records::ExampleRecords;
use crate::folder::Folder;
use crate::program::run;
use configuration::load_without_secrets;
use std::fs;
use std::path::{Path, PathBuf};

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
        let done = run(&folder, &["check", "--config", "bridge.toml"]);
        assert_eq!(done.status, Some(0), "{}: {done}", folder.display());
        assert!(done.out.ends_with("bridge.toml: no errors\n"), "{}: {done}", folder.display());
    }
}

#[test]
fn records_become_exactly_the_expected_points() {
    for folder in examples() {
        let (topic, example) = (topic(&folder), ExampleRecords::read(&folder));
        // The example's own file, with the address of its registry.
        let config = Folder::with_config(&example.with_registry(&read(&folder, "bridge.toml")));
        let (path, records) = (config.file("bridge.toml"), example.file);
        let done = run(
            &folder,
            &[
                "map",
                "--config",
                path.to_str().unwrap(),
                "--topic",
                &topic,
                "--timestamp",
                TIMESTAMP,
                records,
            ],
        );
        assert_same_lines(&done.out, &read(&folder, "expected.lp"), &folder);
        let rejected = fs::read_to_string(folder.join("rejected.txt")).unwrap_or_default();
        let want = line_numbers(&rejected, "");
        assert_eq!(line_numbers(&done.err, &format!("{records}:")), want, "{}: {done}", folder.display());
        assert_eq!(done.status, Some(i32::from(!want.is_empty())), "{}", folder.display());
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
    let done = run(&folder, &["map", "--config", "bridge.toml", "records.jsonl"]);
    assert_eq!(done.out.lines().next(), Some(r#"my_json,my_tag_1=foo a=5,b_c=6,b_my_field="description""#));
}
