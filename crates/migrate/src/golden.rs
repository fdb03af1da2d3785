//! Golden files in `tests/migrate/TOOL/CASE`: the configuration of a tool, and the expected result.
//!
//! With the variable `UPDATE` the tests write the result first.

use super::{Bridge, Input, Machine, MigrateError, Migration, migrate};
use crate::DryRun;
use crate::plugin::SyntaxError;
use crate::seed;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

pub fn folder(tool: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/migrate").join(tool)
}

pub fn cases(tool: &str) -> Vec<PathBuf> {
    let mut cases: Vec<_> = fs::read_dir(folder(tool)).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

pub fn of_text(file: &str, text: &str) -> Result<Migration, MigrateError> {
    let machine = Machine { hostname: Some("machine".to_owned()) };
    migrate(&[Input { name: file.to_owned(), text: text.to_owned() }], &machine)
}

/// Parses a result, which is valid once its variables are set.
pub fn parse(text: &str) -> configuration::Config {
    let loaded = configuration::parse(Path::new("bridge.toml"), text, &|_| Some("x".to_owned()));
    loaded.unwrap_or_else(|errors| panic!("{text}\n{errors}")).config
}

/// Asserts that a result is valid, except for the files that it names.
fn assert_right(text: &str) {
    let loaded = configuration::parse(Path::new("bridge.toml"), text, &|_| Some("x".to_owned()));
    for problem in loaded.err().into_iter().flat_map(|errors| errors.errors) {
        assert!(problem.message.contains("can't be read"), "{text}\n{}", problem.message);
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
    let notes = migration.notes.iter().map(ToString::to_string);
    let fill_in = migration.bridges.iter().enumerate().flat_map(|(number, bridge)| {
        bridge.fill_in.iter().map(move |remark| format!("to fill in: {}: {remark}", name(number)))
    });
    notes.chain(fill_in).map(|line| line + "\n").collect()
}

fn name(number: usize) -> String {
    if number == 0 { "bridge.toml".to_owned() } else { format!("bridge-{}.toml", number + 1) }
}

/// Compares each `bridge.toml` (the second is `bridge-2.toml`) and `notes.txt` of every case.
pub fn check(tool: &str, file: &str) {
    let bless = std::env::var_os("UPDATE").is_some();
    for case in cases(tool) {
        let text = fs::read_to_string(case.join(file)).unwrap();
        let migration = of_text(file, &text).unwrap();
        let mut outputs = vec![("notes.txt".to_owned(), printed(&migration))];
        for (number, bridge) in migration.bridges.iter().enumerate() {
            outputs.push((name(number), bridge.draft.to_string()));
        }
        for (name, got) in outputs {
            assert!(!got.contains("hush"), "{} shows a secret", case.display());
            let path = case.join(name);
            if bless {
                fs::write(&path, &got).unwrap();
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), got, "{}", path.display());
            if path.extension().is_some_and(|extension| extension == "toml") {
                assert_right(&got);
            }
        }
    }
}

/// Damages the cases in random ways: nothing panics, and the result is TOML.
pub fn damage(tool: &str, file: &str, pieces: &[&str]) {
    let seed = seed::given_or_random("BRIDGE_MIGRATE_SEED", "cargo test --lib migrate::");
    let mut random = fastrand::Rng::with_seed(seed);
    let texts: Vec<String> =
        cases(tool).iter().map(|case| fs::read_to_string(case.join(file)).unwrap()).collect();
    for _ in 0..500 {
        let mut text = texts[random.usize(..texts.len())].clone();
        for _ in 0..random.usize(1..6) {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let mut place = || places.get(random.usize(..places.len().max(1))).copied().unwrap_or(0);
            let (a, b) = (place(), place());
            let (from, to) = (a.min(b), a.max(b).min(a.min(b) + 40));
            let to = (to..=text.len()).find(|&to| text.is_char_boundary(to)).unwrap();
            match random.u8(..3) {
                0 => text.replace_range(from..to, ""),
                1 => text.insert_str(from, pieces[random.usize(..pieces.len())]),
                _ => {
                    let copy = text[from..to].to_owned();
                    text.insert_str(a, &copy);
                }
            }
        }
        if let Ok(migration) = of_text(file, &text) {
            for bridge in &migration.bridges {
                let written = bridge.draft.to_string();
                assert!(written.parse::<toml::Table>().is_ok(), "{text}\n{written}");
            }
        }
    }
}
