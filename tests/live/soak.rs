//! Faults of all kinds for a long time: nothing is lost or doubled, and memory, file descriptors and threads of the bridge stay flat.
//!
//! `BRIDGE_LIVE_SOAK_SECONDS` sets the duration (default: 120); `tests/long` runs an hour.

use crate::support::config::v2;
use crate::support::numbers::MAPPING;
use crate::support::{
    Bridge, Config, Kafka, Live, Numbers, OwnInflux, PATIENCE, Paused, Produced, measured, signal,
};
use std::fmt::{self, Display};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 3;
/// 1.4 million records in an hour, which one query can read back.
const RECORDS_A_SECOND: u64 = 400;
const SAMPLE_EVERY: Duration = Duration::from_secs(2);
/// Maximum number of topics of the churn; a new one replaces the oldest.
const CHURN_MAX: usize = 3;
/// Permitted growth of the median from the second to the last quarter of the run. Outages fill and empty librdkafka's buffers.
const GROWTH_KB_MAX: u64 = 6_000;
const GROWTH_DESCRIPTORS_MAX: u64 = 8;
const GROWTH_THREADS_MAX: u64 = 2;

/// A process's resources at one moment.
#[derive(Clone, Copy, Debug)]
struct Held {
    memory_kb: u64,
    descriptors: u64,
    threads: u64,
}

impl Held {
    /// None if the process has ended.
    fn by(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse().ok()
        };
        // Anonymous memory. Executable pages that the kernel drops and reads again would blur the curve.
        let (memory_kb, threads) = (number("RssAnon:")?, number("Threads:")?);
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
        Some(Self { memory_kb, descriptors, threads })
    }
}

/// Samples a process until [`Sampler::end`].
struct Sampler {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Held>>,
}

impl Sampler {
    fn start(pid: u32) -> Self {
        let ends = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&ends);
        let sample = move || {
            let mut samples = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                samples.extend(Held::by(pid));
                thread::sleep(SAMPLE_EVERY);
            }
            samples
        };
        Self { ends, thread: thread::spawn(sample) }
    }

    fn end(self) -> Vec<Held> {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Prints the curve of one figure, and fails if it rises.
fn assert_flat(what: &str, samples: &[Held], figure: fn(&Held) -> u64, growth_max: u64) {
    let quarter = samples.len() / 4;
    assert!(quarter >= 4, "too few samples for a curve: {}", samples.len());
    let medians: Vec<u64> = samples
        .chunks(quarter)
        .take(4)
        .map(|samples| {
            let mut figures: Vec<u64> = samples.iter().map(figure).collect();
            figures.sort_unstable();
            figures[figures.len() / 2]
        })
        .collect();
    let most = samples.iter().map(figure).max().unwrap();
    measured(what, format!("medians of the four quarters {medians:?}, most {most}"));
    // The first quarter is warm-up.
    let grown = medians[3].saturating_sub(medians[1]);
    assert!(grown <= growth_max, "{what} grew by {grown}: {medians:?}");
}

/// A fault or a change from outside.
#[derive(Clone, Copy, Debug)]
enum Event {
    Member,
    RestartInflux,
    PauseInflux,
    RestartKafka,
    Churn,
    Reload,
}

const EVENTS: [Event; 6] = [
    Event::Member,
    Event::RestartInflux,
    Event::PauseInflux,
    Event::RestartKafka,
    Event::Churn,
    Event::Reload,
];

/// Number of occurrences of each event.
#[derive(Default)]
struct Counts {
    started: u32,
    stopped: u32,
    killed: u32,
    influx_restarts: u32,
    influx_pauses: u32,
    kafka_restarts: u32,
    topics: u32,
    reloads: u32,
}

impl Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "second member started {}, stopped {}, killed {}; InfluxDB restarted {}, paused {}; Kafka killed {}; topics created {}; \
             reloads {}",
            self.started,
            self.stopped,
            self.killed,
            self.influx_restarts,
            self.influx_pauses,
            self.kafka_restarts,
            self.topics,
            self.reloads
        )
    }
}

struct Soak<'l> {
    live: &'l Live,
    kafka: Kafka,
    own: OwnInflux,
    random: fastrand::Rng,
    topic: String,
    bucket: String,
    /// The bridge whose curves are checked; it runs all the time.
    bridge: Option<Bridge>,
    second: Option<Bridge>,
    churn: Vec<String>,
    counts: Counts,
}

impl Soak<'_> {
    fn config(&self) -> String {
        // A different `exclude` for each reload; no record has such a key.
        let mapping = format!(
            "topics = ['{}']\n{MAPPING}\nexclude = ['nothing_{}']\n[[mapping]]\nmeasurement = 'churn'",
            self.topic, self.counts.reloads
        );
        let topics = format!("^{}(_churn_.*)?$", self.topic);
        let influx = v2(&self.own.influx, &self.bucket) + "\ntimeout = '2s'";
        Config::new(&self.kafka, &topics, influx).group(&self.topic).mapping(&mapping).text()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Member => match self.second.take() {
                None => {
                    self.second = Some(Bridge::start(&self.config(), &[]));
                    self.counts.started += 1;
                }
                Some(second) if self.random.bool() => {
                    let _took = second.stop();
                    self.counts.stopped += 1;
                }
                Some(second) => {
                    second.kill();
                    self.counts.killed += 1;
                }
            },
            Event::RestartInflux => {
                self.own.restart(if self.random.bool() { "TERM" } else { "KILL" });
                self.counts.influx_restarts += 1;
            }
            Event::PauseInflux => {
                let paused = Paused::pause(self.own.pid());
                thread::sleep(Duration::from_millis(self.random.u64(500..6_000)));
                drop(paused);
                self.counts.influx_pauses += 1;
            }
            Event::RestartKafka => {
                signal(self.live.server_pid("kafka"), "KILL");
                thread::sleep(Duration::from_millis(self.random.u64(..3_000)));
                self.live.bring_up("kafka");
                self.counts.kafka_restarts += 1;
            }
            Event::Churn => {
                let name = format!("{}_churn_{}", self.topic, self.counts.topics);
                let topic = self.kafka.create_topic(name, 1, 1);
                self.kafka.produce(&topic, (0..50).map(|n| Produced::new(format!(r#"{{"value":{n}}}"#))));
                self.churn.push(topic);
                if self.churn.len() > CHURN_MAX {
                    self.kafka.delete_topic(&self.churn.remove(0));
                }
                self.counts.topics += 1;
            }
            Event::Reload => {
                self.counts.reloads += 1;
                self.bridge.as_ref().unwrap().ask_for_reload(&self.config());
            }
        }
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn faults_for_a_long_time_lose_nothing_and_leak_nothing() {
    let duration = std::env::var("BRIDGE_LIVE_SOAK_SECONDS").map_or(120, |text| text.parse::<u64>().unwrap());
    let duration = Duration::from_secs(duration);
    let live = Live::take_turn();
    let random = live.random();
    let (kafka, own) = (live.kafka(), OwnInflux::start(&live, &[]));
    let topic = kafka.create_topic(live.name("soak"), PARTITIONS, 1);
    let bucket = own.influx.create_bucket(live.name("soak"));
    let numbers = Numbers::new(&topic, PARTITIONS as u64);
    let mut soak = Soak {
        live: &live,
        kafka,
        own,
        random,
        topic,
        bucket,
        bridge: None,
        second: None,
        churn: Vec::new(),
        counts: Counts::default(),
    };
    let bridge = Bridge::start_watched(&soak.config(), &[]);
    let watched = Sampler::start(bridge.pid());
    soak.bridge = Some(bridge);
    let load = numbers.load(&soak.kafka, 0, RECORDS_A_SECOND);

    let begin = Instant::now();
    while begin.elapsed() < duration {
        let mut events = EVENTS;
        soak.random.shuffle(&mut events);
        for event in events {
            thread::sleep(Duration::from_millis(soak.random.u64(500..4_000)));
            soak.happen(event);
        }
    }
    let records = load.end();
    measured("events", format!("{} in {:?}", soak.counts, begin.elapsed()));
    let took = soak.kafka.group(&soak.topic).wait_until_settled(&soak.topic, PARTITIONS, PATIENCE * 3);
    measured("records", format!("{records}, all settled {took:?} after the last one"));
    let samples = watched.end();
    numbers.assert_stored(&soak.own.influx, &soak.bucket, 0..records);
    assert!(
        soak.own.influx.count(&soak.bucket, "churn", "value") > 0,
        "no record of a topic that came later was stored"
    );
    assert_flat("anonymous memory, kB", &samples, |sample| sample.memory_kb, GROWTH_KB_MAX);
    assert_flat("file descriptors", &samples, |sample| sample.descriptors, GROWTH_DESCRIPTORS_MAX);
    assert_flat("threads", &samples, |sample| sample.threads, GROWTH_THREADS_MAX);
    for bridge in [soak.bridge.take(), soak.second.take()].into_iter().flatten() {
        let _took = bridge.stop();
    }
    for topic in &soak.churn {
        soak.kafka.delete_topic(topic);
    }
}
