//! A folder of examples/, with its names and addresses replaced by the test's own.

use std::fs;
use std::path::Path;

/// The Kafka timestamp that expected.lp was made with.
pub const TIME_MS: i64 = 1_767_225_600_123;

use super::Produced;
use super::digits::topic_digits;

pub struct Example {
    pub config: String,
    /// One record per line; none in an example without JSON. Each record's offset is part of its point's time.
    pub records: Vec<String>,
    pub expected: String,
}

impl Example {
    pub fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let read = |file: &str| {
            let path = folder.join(file);
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let records = fs::read_to_string(folder.join("records.jsonl")).unwrap_or_default();
        let records = records.lines().map(str::to_owned).collect();
        Self { config: read("bridge.toml"), records, expected: read("expected.lp") }
    }

    /// Replaces a part of bridge.toml, which must exist.
    pub fn set(mut self, from: &str, to: &str) -> Self {
        assert!(self.config.contains(from), "the example has no {from}");
        self.config = self.config.replace(from, to);
        self
    }

    /// Adds a line to a table.
    pub fn add(self, table: &str, line: &str) -> Self {
        self.set(&format!("[{table}]\n"), &format!("[{table}]\n{line}\n"))
    }

    /// Reads with this group, whether the example names another one or none.
    pub fn group(mut self, group: &str) -> Self {
        let others: Vec<&str> = self.config.lines().filter(|line| !line.starts_with("group_id = ")).collect();
        self.config = others.join("\n") + "\n";
        self.add("kafka", &format!("group_id = \"{group}\""))
    }

    /// The expected points of records in `topic`, which replaces the example's topic `own`. The digits below the millisecond of Kafka's
    /// timestamp depend on the topic.
    pub fn expected_in(&self, own: &str, topic: &str) -> String {
        let shift = topic_digits(topic) - topic_digits(own);
        let moved = |line: &str| {
            let (rest, time) = line.rsplit_once(' ').unwrap();
            let digits = time.strip_prefix(&TIME_MS.to_string());
            let digits = digits.map(|digits| (digits.parse::<i64>().unwrap() + shift).rem_euclid(1_000_000));
            digits.map_or_else(|| format!("{line}\n"), |digits| format!("{rest} {TIME_MS}{digits:06}\n"))
        };
        self.expected.lines().map(moved).collect()
    }

    /// The records with the timestamp of expected.lp. In one partition of the example's topic they give exactly its points.
    pub fn produced(&self) -> Vec<Produced> {
        self.records.iter().map(|record| Produced::new(record.as_str()).at(TIME_MS)).collect()
    }
}
