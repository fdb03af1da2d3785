//! What must hold for the proposal of any sample: its points keep everything, and its text says what they do not keep.

use super::{NOW, sample, table};
use crate::init::{Sample, Trial, estimate, propose, trial};
use crate::seed;
use line_protocol::reader::read_line;
use std::collections::{BTreeMap, BTreeSet};

/// Samples of a run without a given seed.
const SAMPLES: u64 = 60;

/// A structure, which all records of a sample share.
enum Node {
    /// A number that no other leaf has.
    Number,
    /// The number of a source, of which there are this many.
    Source(u32),
    /// A text of which there are this many.
    Text(u32),
    Boolean,
    Time,
    Object(Vec<(String, Node)>),
    /// A list of up to this many equal objects, with a number of its own in the first key if it is there.
    List(u32, Box<Node>),
    /// Members under identifiers.
    Members(u32, Box<Node>),
    Scalars(u32),
    /// A number in quotes.
    Quoted,
    /// A list of this many names and values; some lists have a name twice, some items a time.
    Named(u32),
    /// Parallel lists of names and values.
    Parallel(u32),
    Null,
}

impl Node {
    /// A random object.
    fn object(random: &mut fastrand::Rng, depth: u32) -> Self {
        const NAMES: [(&str, u32); 38] = [
            ("uptime", 0),
            ("battery", 0),
            ("v", 0),
            ("power", 0),
            ("status", 0),
            ("version", 0),
            ("seq", 0),
            ("load", 0),
            ("it's", 0),
            ("a b", 0),
            ("id", 1),
            ("deviceId", 1),
            ("port", 1),
            ("line", 1),
            ("serial", 1),
            ("index", 1),
            ("name", 2),
            ("site", 2),
            ("sensor", 2),
            ("type", 2),
            ("id_", 2),
            ("unit", 2),
            ("on", 3),
            ("ok", 3),
            ("ts", 4),
            ("time", 4),
            ("readings", 5),
            ("items", 5),
            ("lines", 5),
            ("sensors", 6),
            ("meters", 6),
            ("data", 7),
            ("values", 8),
            ("quoted", 9),
            ("params", 10),
            ("attributes", 10),
            ("parallel", 11),
            ("none", 12),
        ];
        let mut members: Vec<(String, Self)> = Vec::new();
        for _ in 0..random.usize(2..7) {
            let (name, kind) = NAMES[random.usize(..NAMES.len())];
            if members.iter().any(|(known, _)| known.starts_with(name))
                || ((5..=7).contains(&kind) && depth > 2)
            {
                continue;
            }
            let count = random.u32(1..4);
            let node = match kind {
                0 => Self::Number,
                1 => Self::Source(count),
                2 => Self::Text(count),
                3 => Self::Boolean,
                4 => Self::Time,
                5 => Self::List(count, Box::new(Self::object(random, depth + 1))),
                6 => Self::Members(count, Box::new(Self::object(random, depth + 1))),
                7 => Self::object(random, depth + 1),
                8 => Self::Scalars(count),
                9 => Self::Quoted,
                10 => Self::Named(count),
                11 => Self::Parallel(count),
                _ => Self::Null,
            };
            // A number names each key of the structure once.
            let name = if matches!(
                node,
                Self::Number
                    | Self::Quoted
                    | Self::Source(_)
                    | Self::Scalars(_)
                    | Self::Named(_)
                    | Self::Parallel(_)
            ) {
                format!("{name}_{}", random.u32(1_000..10_000))
            } else {
                name.to_owned()
            };
            members.push((name, node));
        }
        members.push((format!("x_{}", random.u32(1_000..10_000)), Self::Number));
        Self::Object(members)
    }
}

/// Writes records, and notes which key each number has.
struct Writer {
    record: u32,
    random: fastrand::Rng,
    number: u64,
    /// The numbers, with their keys.
    numbers: BTreeMap<u64, String>,
    /// The keys of the numbers of sources.
    sources: BTreeSet<String>,
}

impl Writer {
    fn text(&mut self, node: &Node, key: &str, place: u32) -> String {
        match node {
            Node::Number => {
                self.number += 1;
                self.numbers.insert(self.number, key.to_owned());
                format!("{}.5", self.number)
            }
            Node::Source(count) => {
                self.sources.insert(key.to_owned());
                (1 + (self.record + place) % count).to_string()
            }
            Node::Text(count) => format!("\"{key}-{}\"", (self.record + place) % count),
            Node::Boolean => self.random.bool().to_string(),
            Node::Time => (1_767_225_600 + u64::from(self.record / 2)).to_string(),
            Node::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, node)| format!("\"{name}\":{}", self.text(node, name, place)))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
            Node::List(count, item) => {
                let items: Vec<String> = (0..*count).map(|place| self.text(item, key, place)).collect();
                format!("[{}]", items.join(","))
            }
            Node::Members(count, item) => {
                let members: Vec<String> = (0..*count)
                    .map(|place| format!("\"m{place}\":{}", self.text(item, key, place)))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
            Node::Scalars(count) => {
                let items: Vec<String> = (0..*count).map(|_| self.text(&Node::Number, key, 0)).collect();
                format!("[{}]", items.join(","))
            }
            Node::Quoted => format!("\"{}\"", self.text(&Node::Number, key, 0)),
            Node::Named(count) => {
                let has_times = key.ends_with(['1', '3']);
                let mut item = |place: u32| {
                    let name = if key.ends_with('2') && self.record == 4 { 0 } else { place };
                    let time = if has_times {
                        format!(",\"ts\":{}", self.text(&Node::Time, key, 0))
                    } else {
                        String::new()
                    };
                    let value = self.text(&Node::Number, key, 0);
                    format!(r#"{{"name":"n{name}","value":{value}{time}}}"#)
                };
                let items: Vec<String> = (0..*count).map(&mut item).collect();
                format!("[{}]", items.join(","))
            }
            Node::Parallel(count) => {
                let names: Vec<String> = (0..*count).map(|place| format!("\"n{place}\"")).collect();
                let values = self.text(&Node::Scalars(*count), key, 0);
                format!(r#"{{"dsnames":[{}],"values":{values}}}"#, names.join(","))
            }
            Node::Null => "null".to_owned(),
        }
    }
}

/// The lines of a sample, with the number of their record.
fn lines(sample: &Sample) -> Vec<(usize, String)> {
    let proposal = propose(sample, NOW).unwrap();
    let config = trial::config_of(&proposal, sample).unwrap();
    let mut all = Vec::new();
    for (number, record) in sample.records.iter().enumerate() {
        let one = Sample { records: vec![record.clone()], ..sample.clone() };
        let mut add = |line: &[u8]| all.push((number, String::from_utf8_lossy(line).into_owned()));
        Trial::each_line(&config, &one, &mut add);
    }
    all
}

#[test]
fn proposals_keep_each_number_or_name_it_and_report_points_that_collide() {
    let given = seed::given("BRIDGE_INIT_SEED");
    let first = given.unwrap_or_else(|| fastrand::u64(..1 << 60));
    for seed in first..first + given.map_or(SAMPLES, |_| 1) {
        let _repeated = seed::Repeated::by("BRIDGE_INIT_SEED", seed, "cargo test --lib random_documents");
        let mut random = fastrand::Rng::with_seed(seed);
        let structure = Node::object(&mut random, 0);
        let structure = if random.u8(..5) == 0 { Node::List(2, Box::new(structure)) } else { structure };
        let (numbers, sources) = (BTreeMap::new(), BTreeSet::new());
        let mut writer = Writer { record: 0, random, number: 7_000_000, numbers, sources };
        let records: Vec<String> = (0..6)
            .map(|record| {
                writer.record = record;
                writer.text(&structure, "", 0)
            })
            .collect();
        let sample = sample(records.clone());
        let proposal = propose(&sample, NOW).unwrap();
        let trial = Trial::of_proposal(&proposal, &sample).unwrap_or_else(|| panic!("{}", table(&sample)));
        let (table, lines) = (table(&sample), lines(&sample));
        let shown = || format!("{table}\n{}\n{lines:#?}", records[0]);
        assert_eq!(trial.rejected(), 0, "{}", shown());
        assert!(!lines.is_empty(), "{}", shown());
        // Each number is in a line, or the text of the mapping says that its key is not stored.
        let comments: Vec<&str> =
            table.lines().filter_map(|line| line.strip_prefix('#')).map(str::trim).collect();
        let comments = comments.join(" ");
        let left: Vec<&str> =
            comments.split("Not stored").skip(1).filter_map(|text| text.split(". ").next()).collect();
        let all: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
        let all = all.join("\n");
        for (number, key) in &writer.numbers {
            let is_there =
                all.contains(&format!("={number}.5")) || left.iter().any(|text| text.contains(key.as_str()));
            assert!(is_there, "{key} = {number}.5 is lost: {}", shown());
        }
        for key in &writer.sources {
            assert!(all.contains(key) || table.contains(key), "{key} is lost: {}", shown());
        }
        // Points that overwrite another one, or cannot be distinguished from it, are reported.
        let (mut known, mut collisions) = (BTreeSet::new(), 0);
        for (record, line) in &lines {
            let point = read_line(line.as_bytes()).unwrap();
            // Without a time, points of different records differ by the time of Kafka.
            let record = if point.time.is_some() { 0 } else { *record };
            collisions += u64::from(!known.insert((point.measurement, point.tags, point.time, record)));
        }
        let estimate = estimate("t", &proposal, &trial).join("\n");
        assert_eq!(collisions, trial.shared + trial.alike, "{}", shown());
        assert_eq!(collisions > 0, estimate.contains("another point"), "{estimate}\n{}", shown());
    }
}
