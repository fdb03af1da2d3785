//! What the documents say is true: paths exist, commands and configurations work.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use kafka_influx_bridge::config;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 4] = ["README.md", "ARCHITECTURE.md", "docs/faults.md", "docs/benchmarks.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The contents of fenced blocks of this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

#[test]
fn paths_in_documents_exist() {
    for document in DOCUMENTS {
        let text = read(document);
        let quoted = text.split('`').skip(1).step_by(2);
        let linked = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let of_project =
            |path: &&str| ["src/", "tests/", "docker/", "examples/"].iter().any(|top| path.starts_with(top));
        // Links begin at the document, as browsers take them.
        let folder = root().join(document).parent().unwrap().to_owned();
        let links = linked.filter(|link| !link.contains("://")).map(|link| folder.join(link));
        let paths: Vec<PathBuf> = quoted
            .filter(of_project)
            .map(|path| root().join(path.split(' ').next().unwrap()))
            .chain(links)
            .collect();
        assert!(!paths.is_empty(), "{document}");
        for path in paths {
            assert!(path.exists(), "{document} names {}", path.display());
        }
    }
}

/// `FILE NAME` is a test in that file, `tests/loss/run NAME` a scenario.
#[test]
fn tests_in_the_table_of_faults_exist() {
    let text = read("docs/faults.md");
    let named = text.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.split_once(' '));
    let named: Vec<_> =
        named.filter(|(file, _)| file.starts_with("tests/") || file.starts_with("src/")).collect();
    assert!(named.len() > 20, "{named:?}");
    for (file, name) in named {
        let (file, head) =
            if file == "tests/loss/run" { ("tests/loss/scenarios.py", "def") } else { (file, "fn") };
        assert!(read(file).contains(&format!("{head} {name}(")), "docs/faults.md names {file} {name}");
    }
}

#[test]
fn the_first_configuration_is_one() {
    let text = read("README.md");
    let [configuration] = &blocks(&text, "toml")[..] else { panic!("one configuration") };
    let env = |name: &str| (name == "INFLUX_TOKEN").then(|| "token".to_owned());
    let loaded = config::parse(Path::new("bridge.toml"), configuration, &env);
    assert!(loaded.is_ok(), "{:?}", loaded.err());
    let lines = configuration.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 12, "a first configuration in ten lines, or about: {lines}");
}

#[test]
fn readme_gives_the_two_commands() {
    let commands = blocks(&read("README.md"), "sh").concat();
    for command in ["cargo run --release -- demo\n", "cargo test\n"] {
        assert!(commands.contains(command), "{command}");
    }
}

#[test]
fn architecture_is_read_in_one_sitting() {
    assert!(read("ARCHITECTURE.md").lines().count() <= 200);
}
