//! Runs docker/generator.sh with a stand-in for Kafka's programs.

use super::signals::signal;
use super::{Live, PATIENCE, wait_for};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A stand-in that writes the records of `--topic T` into the file T.
const PRODUCER: &str =
    "#!/bin/sh\nwhile [ \"$1\" != --topic ]; do shift; done\nexec cat > \"$(dirname \"$0\")/$2\"\n";
/// One round of the three generators.
const TOPICS: [(&str, usize); 3] = [("testtopic", 3), ("resource", 1), ("kafka.metrics.processed", 3)];

/// The records of the round, by topic.
pub struct Generated(pub BTreeMap<String, Vec<String>>);

impl Generated {
    /// Generates two rounds of records.
    pub fn run(live: &Live) -> Self {
        let home = live.path("generator");
        let bin = home.join("bin");
        fs::create_dir_all(&bin).unwrap();
        script(&bin.join("kafka-topics.sh"), "#!/bin/sh\n");
        script(&bin.join("kafka-console-producer.sh"), PRODUCER);
        let generator = super::grafana::docker().join("generator.sh");
        let mut command = Command::new("bash");
        command.arg(generator).env("KAFKA_HOME", &home).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        let records = |topic: &str| -> Vec<String> {
            let text = fs::read_to_string(bin.join(topic)).unwrap_or_default();
            text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
        };
        let two_rounds =
            || TOPICS.iter().all(|(topic, round)| records(topic).len() >= 2 * round).then_some(());
        wait_for("two rounds of records", PATIENCE, two_rounds);
        let all = TOPICS.iter().map(|(topic, _)| ((*topic).to_owned(), records(topic))).collect();
        signal(child.id(), "TERM");
        child.wait().unwrap();
        fs::remove_dir_all(&home).unwrap();
        Self(all)
    }
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
