//! The proposed topics and the file that is written.

use super::InitOptions;
use super::connection::Connection;
use crate::init::{Proposal, Sample, framed};
use base::text::{counted, grouped};
use configuration::draft::{Draft, Table};

/// Samples with their proposals.
#[derive(Debug, Default)]
pub struct SampledTopics {
    /// Description of the source of the samples.
    pub place: String,
    /// The records are from a file, and the user did not name their topic.
    pub topic_is_unknown: bool,
    pub groups: Vec<Group>,
    /// Approximate number of records in all topics.
    pub kept: u64,
}

/// Topics with the same proposal, which share a mapping.
#[derive(Debug)]
pub struct Group {
    pub proposal: Proposal,
    pub samples: Vec<Sample>,
}

impl SampledTopics {
    pub fn add(&mut self, sample: Sample, proposal: Proposal) {
        match self.groups.iter_mut().find(|group| group.proposal.is_same(&proposal)) {
            Some(group) => group.samples.push(sample),
            None => self.groups.push(Group { proposal, samples: vec![sample] }),
        }
    }

    pub fn all(&self) -> impl Iterator<Item = (&Sample, &Proposal)> {
        self.groups.iter().flat_map(|group| group.samples.iter().map(|sample| (sample, &group.proposal)))
    }

    pub fn records(&self) -> u64 {
        self.all().map(|(sample, _)| sample.records.len() as u64).sum()
    }
}

impl Group {
    pub fn topics(&self) -> Vec<String> {
        self.samples.iter().map(|sample| sample.topic.clone()).collect()
    }
}

/// Inputs of the file.
pub struct Source<'s> {
    pub connection: &'s Connection,
    pub found: &'s SampledTopics,
    pub options: &'s InitOptions,
}

/// Comments about the points of a topic.
pub struct Composed<'s> {
    pub topic: &'s str,
    pub lines: Vec<String>,
}

pub fn draft(source: &Source<'_>, estimates: &[Composed<'_>]) -> Draft {
    let comments = vec![
        format!(
            "Made by `kafka-influx-bridge init` from {} of {}.",
            counted(source.found.records(), "record"),
            source.found.place
        ),
        "Each choice has its reason above it. Read the reasons: you know more than the sample shows."
            .to_owned(),
    ];
    let mut tables = kafka(source);
    let groups = &source.found.groups;
    for group in groups {
        let topics = (groups.len() > 1).then(|| group.topics());
        tables.push(mapping(group, topics.as_deref(), estimates));
    }
    if source.found.all().any(|(sample, _)| framed(sample).is_some()) {
        tables.extend(source.connection.registry_tables());
    }
    tables.extend(influx(source));
    let mut letters = Table::new("# [dead_letter]");
    letters.comment("Without this table, records that cannot be stored are counted, logged and skipped. With it they are kept.");
    letters.suggest("file", "dead-letter.jsonl", &[]);
    tables.push(letters);
    Draft { comments, tables }
}

/// Keys with placeholder values that the user must fill in.
pub fn fill_in(source: &Source<'_>) -> Vec<String> {
    let Source { connection, found, options } = source;
    let mut keys = Vec::new();
    // Records were sampled from the default address, so it is right.
    keys.extend((!connection.is_named && options.is_of_files()).then(|| "kafka.brokers".to_owned()));
    keys.extend(found.topic_is_unknown.then(|| "kafka.topics".to_owned()));
    if connection.influx.is_none() || options.influx.is_given() {
        keys.extend(options.influx.missing().iter().map(|key| format!("influx.{key}")));
    }
    keys
}

fn kafka(source: &Source<'_>) -> Vec<Table> {
    let mut tables = source.connection.kafka_tables();
    let Some(first) = tables.first_mut() else { return tables };
    if !source.connection.is_named {
        first.comment("Fill in the addresses of Kafka.");
    }
    if let Some(from) = &source.options.config {
        first.comment(format!(
            "Copied from {}; relative file names are relative to the folder of this file.",
            from.display()
        ));
    }
    let requested = &source.options.topics;
    let of_one_mapping =
        source.found.groups.len() == 1 && !requested.is_empty() && !source.options.is_of_files();
    let topics = if of_one_mapping {
        requested.clone()
    } else {
        source.found.groups.iter().flat_map(Group::topics).collect()
    };
    if source.found.topic_is_unknown {
        let why = "Fill in the topic of these records.";
        first.set_because("topics", topics, &[why]);
    } else {
        first.set("topics", topics);
    }
    if source.found.kept > 0 {
        let why = format!(
            "The first run reads all records of the topics, about {}. With this line it reads only new ones:",
            grouped(source.found.kept)
        );
        first.suggest("offset_reset", "latest", &[&why]);
    }
    tables
}

fn mapping(group: &Group, topics: Option<&[String]>, estimates: &[Composed<'_>]) -> Table {
    let is_of_group =
        |estimate: &&Composed<'_>| group.samples.iter().any(|sample| sample.topic == estimate.topic);
    let mut comments: Vec<String> =
        estimates.iter().filter(is_of_group).flat_map(|estimate| estimate.lines.clone()).collect();
    if let [first, _, ..] = &group.samples[..] {
        comments.push(format!(
            "The records of these topics have the same structure; the reasons below are for {}.",
            first.topic
        ));
    }
    group.proposal.table(topics, &comments)
}

fn influx(source: &Source<'_>) -> Vec<Table> {
    let given = &source.options.influx;
    if let Some(tables) = source.connection.influx_tables().filter(|_| !given.is_given()) {
        return tables;
    }
    let or = |given: &Option<String>, default: &str| given.clone().unwrap_or_else(|| default.to_owned());
    let mut table = Table::new("[influx]");
    let missing = given.missing();
    if !missing.is_empty() {
        table.comment(format!("Fill in the destination: {}.", missing.join(", ")));
    }
    table.set(
        "url",
        or(&given.url, if given.is_v3() { "http://localhost:8181" } else { "http://localhost:8086" }),
    );
    let token = |table: &mut Table, what: &str| {
        let why = format!(
            "A token with write access to the {what}, from the environment variable INFLUX_TOKEN, so that it is not in this file."
        );
        table.set_because("token", "${INFLUX_TOKEN}", &[&why]);
    };
    if let Some(database) = given.database.as_ref().filter(|_| given.is_v3()) {
        table.set_because("api", "v3", &["InfluxDB 3, which creates the database at the first write."]);
        table.set("database", database.as_str());
        token(&mut table, "database");
    } else if let Some(database) = &given.database {
        table.set_because(
            "api",
            "v1",
            &["InfluxDB 1, VictoriaMetrics, or InfluxDB 2 through a DBRP mapping."],
        );
        table.set("database", database.as_str());
        table.suggest(
            "username",
            "bridge",
            &["If the server needs a login; the password stays out of this file:"],
        );
        table.suggest("password", "${INFLUX_PASSWORD}", &[]);
    } else {
        table.set("org", or(&given.org, "my-org"));
        table.set("bucket", or(&given.bucket, "metrics"));
        token(&mut table, "bucket");
    }
    vec![table]
}
