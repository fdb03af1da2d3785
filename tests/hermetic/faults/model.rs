//! The required outcome of each record, and its check.

use super::script::{Draw, Faulty};
use crate::folder::Folder;
use crate::support::{Cluster, bucket, wait_until};
use engine::dead_letter::DeadLetterError;
use influx::{Delays, LogObserver};
use kafka_influx_bridge::pipeline::{Pipeline, PipelineError, PipelineOptions};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::NewRecord;

const TOPIC: &str = "t";
const PARTITIONS: i32 = 3;
/// Duration of a fault, and the minimum number of requests that must get it.
const FAULTY: Duration = Duration::from_millis(1_500);
const FAULTS_MIN: u64 = 3;

/// The required outcome of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Good,
    Filtered,
    Rejected,
    /// Its field conflicts with the type in InfluxDB.
    Refused,
}

#[derive(Debug)]
struct Produced {
    partition: i32,
    offset: i64,
    id: u64,
    kind: Kind,
}

/// The effect that a fault may have on good records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// None: they are stored in the end.
    Nobody,
    /// The fault blames their lines, so they may be dead-lettered instead.
    Lines,
}

/// The bridge under one fault, with one seed.
pub struct Model {
    cluster: Cluster,
    faulty: Faulty,
    folder: Folder,
    produced: Vec<Produced>,
    next_offsets: [i64; PARTITIONS as usize],
    blame: Blame,
}

impl Model {
    pub fn new(draw: Draw, blame: Blame, seed: u64) -> Self {
        let cluster = Cluster::with_topic(TOPIC, PARTITIONS);
        let next_offsets = [0; PARTITIONS as usize];
        Self {
            cluster,
            faulty: Faulty::start(draw, seed),
            folder: Folder::new(),
            produced: Vec::new(),
            next_offsets,
            blame,
        }
    }

    /// Produces before, during and after the fault, restarts the bridge in the middle, and checks every record.
    pub fn run(mut self, rng: &mut fastrand::Rng) {
        // Sets the type of the field before any conflict.
        self.produce(1, &mut fastrand::Rng::with_seed(0));
        self.faulty.without_fault_while(|| {
            let pipeline = self.start(rng.u64(..));
            wait_until("the first record is stored", || !self.stored().is_empty());
            assert!(pipeline.stop_and_wait(|| false));
            pipeline.join().unwrap();
        });
        let begin = Instant::now();
        let mut pipeline = self.start(rng.u64(..));
        let restart = begin + FAULTY.mul_f64(rng.f64());
        let mut restarted = false;
        while begin.elapsed() < FAULTY || self.faulty.faults() < FAULTS_MIN {
            self.produce(rng.usize(1..200), rng);
            self.check();
            if !restarted && Instant::now() >= restart {
                restarted = true;
                pipeline.stop();
                // Ends hanging requests.
                pipeline.stop_and_wait(|| begin.elapsed() > FAULTY);
                drop(pipeline.join());
                pipeline = self.start(rng.u64(..));
            }
        }
        self.faulty.end_fault();
        self.produce(50, rng);
        wait_until("all is committed", || {
            self.check();
            self.committed() == self.next_offsets.map(Some)
        });
        assert!(pipeline.stop_and_wait(|| false), "the bridge does not end");
        pipeline.join().unwrap();
        self.check();
    }

    fn start(&self, seed: u64) -> Pipeline {
        let text = format!(
            "shutdown_max = '2s'\n\
             [kafka]\nbrokers = '{}'\ntopics = '{TOPIC}'\ngroup_id = 'test-group'\n\
             librdkafka.'session.timeout.ms' = 2000\nlibrdkafka.'heartbeat.interval.ms' = 200\n\
             [[mapping]]\nstring_fields = ['type']\nnumber_fields = ['type']\n\
             [influx]\nurl = '{}'\norg = 'test'\nbucket = 'main'\ntoken = 'any'\ntimeout = '1s'\n\
             [batch]\nage_max = '20ms'\nlines_max = 100\n[admin]\nlisten = ''\n\
             [reject]\nrate_max = 1.0\n[dead_letter]\nfile = '{}'\n",
            self.cluster.address(),
            self.faulty.receiver.url(),
            self.folder.file("letters.jsonl").display()
        );
        let config =
            configuration::parse(Path::new("faults.toml"), &text, &|_| None).map_err(|e| e.to_string());
        let ms = Duration::from_millis;
        let delays = Delays {
            retry_first: ms(5),
            retry_max: ms(50),
            blocked_first: ms(10),
            blocked_max: ms(50),
            ..Delays::default()
        };
        let options = PipelineOptions { delays, seed, ..PipelineOptions::default() };
        let config = config.unwrap().config;
        // Abandoned requests keep the file of dead letters open a little longer than their pipeline.
        let mut started = None;
        wait_until("the bridge starts", || {
            let result = Pipeline::start_with(&config, Arc::new(LogObserver), options);
            started = match result {
                Err(PipelineError::DeadLetter(DeadLetterError::FileLocked { .. })) => None,
                result => Some(result.unwrap()),
            };
            started.is_some()
        });
        started.unwrap()
    }

    fn produce(&mut self, count: usize, rng: &mut fastrand::Rng) {
        let first = self.produced.is_empty();
        for _ in 0..count {
            let kind = match rng.u32(0..30) {
                _ if first => Kind::Good,
                0 => Kind::Rejected,
                1 => Kind::Refused,
                2 => Kind::Filtered,
                _ => Kind::Good,
            };
            let (id, partition) = (self.produced.len() as u64, rng.i32(0..PARTITIONS));
            let value = match kind {
                Kind::Good => format!(r#"{{"id":{id},"type":1.5}}"#),
                Kind::Filtered => r#"{"dropped":"text"}"#.to_owned(),
                Kind::Rejected => format!("{{id {id}"),
                Kind::Refused => format!(r#"{{"id":{id},"type":"text"}}"#),
            };
            let value = Some(value.as_bytes());
            self.cluster.send(NewRecord { topic: TOPIC, partition: Some(partition), value, time_ms: None });
            let next = &mut self.next_offsets[partition as usize];
            self.produced.push(Produced { partition, offset: *next, id, kind });
            *next += 1;
        }
        self.cluster.flush();
    }

    fn committed(&self) -> [Option<i64>; PARTITIONS as usize] {
        self.cluster.committed(TOPIC, PARTITIONS).try_into().unwrap()
    }

    fn stored(&self) -> BTreeSet<u64> {
        self.faulty.stored(&bucket("main"))
    }

    /// The coordinates in the file of dead letters. The last line may be incomplete.
    fn letters(&self) -> BTreeSet<(i32, i64)> {
        let text = std::fs::read_to_string(self.folder.file("letters.jsonl")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let letters = whole.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let place = |letter: serde_json::Value| {
            (letter["partition"].as_i64().unwrap() as i32, letter["offset"].as_i64().unwrap())
        };
        letters.map(place).collect()
    }

    /// Asserts that every record below the committed offset is settled. The offset is read first, because settled records stay settled.
    fn check(&self) {
        let committed = self.committed();
        let (stored, letters) = (self.stored(), self.letters());
        for record in &self.produced {
            if record.offset >= committed[record.partition as usize].unwrap_or(0) {
                continue;
            }
            let is_stored = stored.contains(&record.id);
            let has_letter = letters.contains(&(record.partition, record.offset));
            let is_settled = match record.kind {
                Kind::Good => is_stored || (has_letter && self.blame == Blame::Lines),
                Kind::Filtered => true,
                Kind::Rejected | Kind::Refused => has_letter && !is_stored,
            };
            assert!(
                is_settled,
                "committed and not settled: {record:?}, stored {is_stored}, letter {has_letter}"
            );
        }
    }
}
