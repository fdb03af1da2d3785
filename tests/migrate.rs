//! Configurations of other tools, and what `migrate` makes of them: `tests/migrate/TOOL/CASE/`. With the variable UPDATE the
//! expected files are written anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use kafka_influx_bridge::config;
use kafka_influx_bridge::migrate::diff::Mapping;
use kafka_influx_bridge::migrate::{Input, Machine, Migration, migrate};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn cases(tool: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("tests/migrate").join(tool)).unwrap();
    let mut folders: Vec<_> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(folders.len() >= 10, "{folders:?}");
    folders
}

fn machine() -> Machine {
    Machine { hostname: Some("this-machine".to_owned()) }
}

/// The files of a case that are to be migrated.
fn inputs(folder: &Path) -> Vec<Input> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "conf")).collect();
    files.sort();
    let input = |path: &PathBuf| Input {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        text: fs::read_to_string(path).unwrap(),
    };
    files.iter().map(input).collect()
}

fn migrated(folder: &Path) -> Migration {
    migrate(&inputs(folder), &machine()).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

fn assert_golden(path: &Path, got: &str) {
    if std::env::var_os("UPDATE").is_some() {
        return fs::write(path, got).unwrap();
    }
    let want = fs::read_to_string(path).unwrap_or_default();
    for (number, (got, want)) in got.lines().zip(want.lines()).enumerate() {
        assert_eq!(got, want, "{}:{}", path.display(), number + 1);
    }
    assert_eq!(got, want, "{}", path.display());
}

fn name(number: usize) -> String {
    if number == 0 { "bridge.toml".to_owned() } else { format!("bridge-{}.toml", number + 1) }
}

/// What goes to standard error.
fn told(migration: &Migration) -> String {
    let notes = migration.notes.iter().map(|note| format!("{note}\n"));
    let fill_in = migration.bridges.iter().enumerate().flat_map(|(number, bridge)| {
        bridge.fill_in.iter().map(move |told| format!("to fill in: {}: {told}\n", name(number)))
    });
    notes.chain(fill_in).collect()
}

#[test]
fn telegraf_becomes_what_is_expected() {
    for folder in cases("telegraf") {
        let migration = migrated(&folder);
        for (number, bridge) in migration.bridges.iter().enumerate() {
            assert_golden(&folder.join(name(number)), &bridge.draft.to_string());
        }
        assert_golden(&folder.join("notes.txt"), &told(&migration));
        assert!(!folder.join(name(migration.bridges.len())).exists(), "{}", folder.display());
    }
}

/// A variable's value that fits where it stands.
fn variable(name: &str) -> Option<String> {
    let value = match name {
        _ if name.contains("URL") => "http://localhost:8086",
        _ if name.contains("TIME_FORMAT") => "unix",
        _ if name.contains("TIMEZONE") => "UTC",
        _ if name.contains("MECHANISM") => "PLAIN",
        _ if name.contains("QUERY") => "$.items",
        "BATCH" => "100",
        "FLUSH" => "5s",
        "MAX" => "2MB",
        _ => "x",
    };
    Some(value.to_owned())
}

#[test]
fn the_new_files_are_right() {
    let files = std::env::temp_dir().join(format!("migrated-{}", std::process::id()));
    fs::create_dir_all(&files).unwrap();
    for file in ["ca.pem", "client.pem", "client.key"] {
        fs::write(files.join(file), "").unwrap();
    }
    for folder in cases("telegraf") {
        for bridge in migrated(&folder).bridges {
            let text = bridge.draft.to_string();
            let read = config::parse(&files.join("bridge.toml"), &text, &variable);
            read.unwrap_or_else(|errors| panic!("{}\n{text}\n{errors}", folder.display()));
            // What has to be filled in is refused until it is.
            let unfilled = config::parse(&files.join("bridge.toml"), &text, &|_| None);
            assert_eq!(unfilled.is_err(), text.contains("${"), "{}", folder.display());
        }
    }
    fs::remove_dir_all(&files).unwrap();
}

#[test]
fn secrets_are_left_behind() {
    for folder in cases("telegraf") {
        let migration = migrated(&folder);
        let texts: String = migration.bridges.iter().map(|bridge| bridge.draft.to_string()).collect();
        for secret in ["hush", "not-a-real-token"] {
            assert!(!texts.contains(secret) && !told(&migration).contains(secret), "{}", folder.display());
        }
    }
}

fn lines(folder: &Path, records: &str, topic: &str) -> Vec<String> {
    let migration = migrated(folder);
    let mut mapping = Mapping::new(&migration.bridges[0], topic).unwrap();
    records.lines().flat_map(|record| mapping.map(record.as_bytes()).unwrap_or_default()).collect()
}

#[test]
fn the_new_mappings_give_the_expected_lines() {
    let mut compared = 0;
    for folder in cases("telegraf") {
        let Ok(records) = fs::read_to_string(folder.join("records.jsonl")) else { continue };
        let topic = config::parse(Path::new("b"), &migrated(&folder).bridges[0].draft.to_string(), &variable);
        let topic = topic.unwrap().config.kafka.topics.names[0].clone();
        assert_golden(&folder.join("expected.lp"), &(lines(&folder, &records, &topic).join("\n") + "\n"));
        compared += 1;
    }
    assert!(compared >= 3);
}

/// The files that users of Telegraf have, and the examples that stand for them here.
#[test]
fn the_examples_are_met() {
    for (case, topic) in [("ec2-telegraf", "testtopic"), ("telegraf-json-doc", "telegraf")] {
        let example = root().join("examples").join(case);
        let read = |file: &str| fs::read_to_string(example.join(file)).unwrap();
        let got = lines(&root().join("tests/migrate/telegraf").join(case), &read("records.jsonl"), topic);
        let has_time = read("bridge.toml").contains("\ntime_key");
        let expected = read("expected.lp");
        let want =
            expected.lines().map(|line| if has_time { line } else { line.rsplit_once(' ').unwrap().0 });
        // Without a name Telegraf says kafka_consumer, the example's own bridge.toml the topic.
        let named = |line: &str| {
            line.replacen(&format!("{topic},"), "kafka_consumer,", usize::from(line.starts_with(topic)))
        };
        assert_eq!(got, want.map(named).collect::<Vec<_>>(), "{case}");
    }
}
