//! Golden files in `tests/migrate/TOOL/CASE`: the configuration of a tool, and the expected result.
//!
//! With the variable `UPDATE` the tests write the result first.

use super::{Bridge, Input, Machine, MigrateError, Migration, Note, migrate};
use crate::DryRun;
use crate::folder::Folder;
use crate::plugin::SyntaxError;
use crate::seed;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

pub fn folder(tool: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/migrate").join(tool)
}

/// Folders of the cases, which are at least this many.
fn cases(tool: &str, at_least: usize) -> Vec<PathBuf> {
    let mut cases: Vec<_> = fs::read_dir(folder(tool)).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= at_least, "{cases:?}");
    cases
}

/// The file of a case to migrate.
fn input(case: &Path) -> Input {
    let mut files = fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    let file = files.find(|path| path.extension().is_some_and(|end| end == "conf")).unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    Input { name, text: fs::read_to_string(file).unwrap() }
}

fn migrated(input: Input) -> Result<Migration, MigrateError> {
    migrate(&[input], &Machine { hostname: Some("machine".to_owned()) })
}

pub fn of_text(file: &str, text: &str) -> Result<Migration, MigrateError> {
    migrated(Input { name: file.to_owned(), text: text.to_owned() })
}

pub fn of_case(tool: &str, case: &str) -> Migration {
    migrated(input(&folder(tool).join(case))).unwrap()
}

/// Parses a result, which is valid once its variables are set, and only then.
pub fn parse(text: &str) -> configuration::Config {
    let folder = Folder::new();
    for file in ["ca.pem", "client.pem", "client.key"] {
        folder.write(file, "");
    }
    let path = folder.file("bridge.toml");
    let unfilled = configuration::parse(&path, text, &|_| None);
    assert_eq!(unfilled.is_err(), text.contains("${"), "{text}");
    let loaded = configuration::parse(&path, text, &|name| Some(variable(name).to_owned()));
    loaded.unwrap_or_else(|errors| panic!("{text}\n{errors}")).config
}

/// A valid value for a variable.
fn variable(name: &str) -> &'static str {
    match name {
        _ if name.contains("URL") => "http://localhost:8086",
        _ if name.contains("TIME_FORMAT") => "unix",
        _ if name.contains("TIMEZONE") => "UTC",
        _ if name.contains("MECHANISM") => "PLAIN",
        _ if name.contains("QUERY") => "$.items",
        "BATCH" => "100",
        "FLUSH" => "5s",
        "MAX" => "2MB",
        _ => "x",
    }
}

/// Asserts that a text is refused, with the line and a part of the reason.
pub fn refuses<T: Debug>(result: Result<T, SyntaxError>, text: &str, line: usize, why: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.line, line, "{text}: {error:?}");
    assert!(error.why.contains(why), "{text}: {error:?}");
}

/// The points of records, one per line, without Kafka's times.
pub fn lines(bridge: &Bridge, topic: &str, records: &str) -> String {
    let mut mapping = DryRun::new(bridge, topic).unwrap();
    let lines = records.lines().flat_map(|record| mapping.map(record.as_bytes()).unwrap_or_default());
    lines.map(|line| line + "\n").collect()
}

/// The notes and the values to fill in.
fn printed(migration: &Migration) -> String {
    let notes = migration.notes.iter().map(Note::labelled);
    let fill_in = migration.bridges.iter().enumerate().flat_map(|(number, bridge)| {
        bridge.fill_in.iter().map(move |remark| format!("to fill in: {}: {remark}", name(number)))
    });
    notes.chain(fill_in).map(|line| line + "\n").collect()
}

fn name(number: usize) -> String {
    if number == 0 { "bridge.toml".to_owned() } else { format!("bridge-{}.toml", number + 1) }
}

/// Compares every case with its expected files: each `bridge.toml` (the second is `bridge-2.toml`), `notes.txt`, and `expected.lp` if it
/// has `records.jsonl`. Results are valid, and show no secret.
pub fn check(tool: &str, at_least: usize) {
    for case in cases(tool, at_least) {
        let migration = migrated(input(&case)).unwrap();
        let mut outputs = vec![("notes.txt".to_owned(), printed(&migration))];
        for (number, bridge) in migration.bridges.iter().enumerate() {
            let text = bridge.draft.to_string();
            let config = parse(&text);
            if let (0, Ok(records)) = (number, fs::read_to_string(case.join("records.jsonl"))) {
                let topic = &config.kafka.topics.names[0];
                outputs.push(("expected.lp".to_owned(), lines(bridge, topic, &records)));
            }
            outputs.push((name(number), text));
        }
        assert!(!case.join(name(migration.bridges.len())).exists(), "{}", case.display());
        for (name, got) in outputs {
            let is_secret = got.contains("hush") || got.contains("not-a-real-token");
            assert!(!is_secret, "{} shows a secret", case.display());
            let path = case.join(name);
            if std::env::var_os("UPDATE").is_some() {
                fs::write(&path, &got).unwrap();
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), got, "{}", path.display());
        }
    }
}

/// Damages the cases in random ways: nothing panics, and the result is TOML. Returns how many of 500 damaged files still give one.
pub fn damage(tool: &str, pieces: &[&str]) -> usize {
    let seed = seed::given_or_random(
        "BRIDGE_MIGRATE_SEED",
        "cargo test -p kafka-influx-bridge-migrate damaged_files_never_panic",
    );
    let mut random = fastrand::Rng::with_seed(seed);
    let files: Vec<Input> = cases(tool, 1).iter().map(|case| input(case)).collect();
    let words: Vec<&str> =
        files.iter().flat_map(|file| file.text.split_inclusive(char::is_whitespace)).collect();
    let mut migrations = 0;
    for _ in 0..500 {
        let Input { name, mut text } = files[random.usize(..files.len())].clone();
        for _ in 0..random.usize(1..4) {
            let at = text.floor_char_boundary(random.usize(..=text.len()));
            let end = text.floor_char_boundary((at + random.usize(..40)).min(text.len()));
            match random.u8(..5) {
                0 => text.replace_range(at..end, ""),
                1 => text.insert_str(at, pieces[random.usize(..pieces.len())]),
                2 => text.insert_str(at, words[random.usize(..words.len())]),
                3 => {
                    let copy = text[at..end].to_owned();
                    text.insert_str(text.floor_char_boundary(random.usize(..=text.len())), &copy);
                }
                _ => {
                    // A value of another type.
                    let value = ["5", "'x'", "[1, 'a', {}]", "{ a = 1 }", "1979-05-27", "false", "''"]
                        [random.usize(..7)];
                    let start = text[..at].rfind(" = ").map_or(at, |start| start + 3);
                    let end = text[start..].find('\n').map_or(text.len(), |end| start + end);
                    text.replace_range(start..end, value);
                }
            }
        }
        let Ok(migration) = of_text(&name, &text) else { continue };
        migrations += 1;
        for bridge in &migration.bridges {
            let written = bridge.draft.to_string();
            assert!(written.parse::<toml::Table>().is_ok(), "{text}\n{written}");
        }
    }
    migrations
}
