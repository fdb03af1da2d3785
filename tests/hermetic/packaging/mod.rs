//! Packages: completions match the arguments, configurations are valid, and systemd can run the unit.

mod containers;
mod grafana;
mod release;
mod systemd;

use clap::CommandFactory;
use clap_complete::{Shell, generate};
use kafka_influx_bridge::command::Arguments;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `UPDATE=1 cargo test --test hermetic packaging` writes the completions again.
#[test]
fn completions_match_the_arguments() {
    for (shell, file) in [
        (Shell::Bash, "kafka-influx-bridge.bash"),
        (Shell::Zsh, "_kafka-influx-bridge"),
        (Shell::Fish, "kafka-influx-bridge.fish"),
    ] {
        let mut want = Vec::new();
        generate(shell, &mut Arguments::command(), "kafka-influx-bridge", &mut want);
        let path = root().join("docker/debian/completions").join(file);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &want).unwrap();
        }
        let is = std::fs::read(&path).unwrap_or_default();
        assert!(
            is == want,
            "{} is of other arguments: UPDATE=1 cargo test --test hermetic packaging",
            path.display()
        );
    }
}

/// Scripted failures of the test kit are no part of the released program. `.ci/run` looks into the program itself: the program that tests
/// run has the features of tests.
#[test]
fn only_tests_enable_the_faults_of_the_test_kit() {
    let kit: toml::Table = read(&root().join("crates/testkit/Cargo.toml")).parse().unwrap();
    let features = kit["features"].as_table().unwrap();
    assert!(features.contains_key("faults") && !features.contains_key("default"), "{features:?}");
    let mut manifests = vec![root().join("Cargo.toml")];
    let crates = std::fs::read_dir(root().join("crates")).unwrap();
    manifests.extend(crates.map(|entry| entry.unwrap().path().join("Cargo.toml")));
    let mut manifests_with_faults = 0;
    for path in manifests {
        let table: toml::Table = read(&path).parse().unwrap();
        let enables = |of: Option<&toml::Value>| {
            let kit = of
                .and_then(|table| table.get("dependencies").or(Some(table)))
                .and_then(|of| of.get("testkit"));
            kit.is_some_and(|kit| kit.to_string().contains("faults"))
        };
        let shown = path.display();
        assert!(!enables(table.get("dependencies")) && !enables(table.get("workspace")), "{shown}");
        manifests_with_faults += usize::from(enables(table.get("dev-dependencies")));
    }
    assert_eq!(manifests_with_faults, 4, "the program, influx, kafka and the test kit itself");
}

/// The text of `bridge.toml: |` in each manifest.
#[test]
fn configurations_in_manifests_are_valid() {
    let folder = root().join("docker/kubernetes");
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut found = 0;
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "yaml")) {
        let text = read(file);
        for block in text.split("  bridge.toml: |\n").skip(1) {
            let lines = block.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
            let toml = lines.fold(String::new(), |toml, line| toml + line.trim_start_matches("    ") + "\n");
            // The mounted secret does not exist here.
            let toml = toml.replace("${file:/var/run/secrets/influxdb/token}", "${INFLUX_TOKEN}");
            let loaded = configuration::parse(file, &toml, &|name| Some(format!("of-{name}")));
            let loaded = loaded.unwrap_or_else(|errors| panic!("{}:\n{errors}", file.display()));
            assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
            found += 1;
        }
    }
    assert_eq!(found, 2);
}
