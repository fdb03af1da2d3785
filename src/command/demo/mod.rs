//! `demo`: an embedded Kafka, generated records, the bridge and an InfluxDB-like receiver, in one process.

mod producer;
mod records;
mod screen;

use super::exit::FAILED;
use crate::pipeline::{Pipeline, PipelineError};
use crate::signals::Signals;
use crate::terminal::{Colour, report};
use base::record::{Record, RecordTime};
use base::secret::Secret;
use base::text::grouped;
use base::{Credential, Destination};
use configuration::{Config, ConfigErrors, Log, LogFormat};
use engine::telemetry::Counters;
use influx::LogObserver;
use line_protocol::LineBuffer;
use mapping::Mapper;
use producer::{Producer, now_ms, produce};
use rdkafka::error::KafkaError;
use records::{Generated, Generator, TOPICS};
use screen::Screen;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};
use testkit::EmbeddedKafka;
use testkit::receiver::{Line, Options, Receiver};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::broadcast;

const CONFIG: &str = include_str!("bridge.toml");
const TOKEN: &str = "a-token-for-the-demo";
/// Time limit for storing the first records, and for storing the last ones.
const WAIT_MAX: Duration = Duration::from_secs(10);
const PARTITIONS: i32 = 2;
/// Port of the status page. A real bridge may use its default, 9643.
const PORT: u16 = 9644;
/// Longest wait of a record in a batch: shorter than the default of a second, so that each second shows a steady rate.
const AGE_MAX: Duration = Duration::from_millis(200);
const SECOND: Duration = Duration::from_secs(1);

/// Reasons for a failed demo.
#[derive(Debug, Error)]
enum DemoError {
    #[error("the embedded Kafka failed: {0}")]
    Kafka(#[from] KafkaError),
    #[error("the configuration of the demo has errors: {0}")]
    Config(#[from] ConfigErrors),
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    #[error("the embedded receiver can't listen: {0}")]
    Receiver(#[source] io::Error),
    #[error("the output can't be written: {0}")]
    Screen(#[from] io::Error),
    #[error("the first records were not stored within {} s: see the log above", WAIT_MAX.as_secs())]
    TooSlow,
}

/// The running demo.
struct Demo {
    screen: Screen,
    kafka: Arc<EmbeddedKafka>,
    receiver: Receiver,
    /// Runs the receiver.
    _runtime: Runtime,
    config: Config,
    pipeline: Pipeline,
    signals: Signals,
    ends: Option<Instant>,
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    records: u64,
    /// Points that overwrote no other point.
    stored: u64,
    rejected: u64,
}

/// Runs until a signal, or for `seconds`.
pub fn demo(seconds: Option<u64>) -> ExitCode {
    match run(seconds.map(Duration::from_secs)) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the output has closed it.
        Err(DemoError::Screen(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            report!("{error}");
            ExitCode::from(FAILED)
        }
    }
}

fn run(duration_max: Option<Duration>) -> Result<(), DemoError> {
    let screen = Screen::new();
    start_log(&screen);
    let ends = duration_max.map(|duration| Instant::now() + duration);
    let (demo, mut arrived) = Demo::start(screen, ends)?;
    let mut generator = Generator::new(fastrand::u64(..));
    let first = demo.send_first_records(&mut generator)?;
    let shown = demo.show_first_records(&first, &mut arrived)?;
    // Later lines are not shown.
    drop(arrived);
    let mut records = first.len() as u64;
    if shown {
        let producer = Producer::start(Arc::clone(&demo.kafka), generator);
        // A closed output ends the demo.
        let _closed = demo.show_rates();
        records += producer.stop()?;
    }
    demo.end(records)
}

/// Logs warnings; each erases the running line first.
fn start_log(screen: &Screen) {
    let screen = screen.clone();
    crate::log::start_to(Log { level: tracing::Level::WARN, format: LogFormat::Text }, move || {
        // A closed output does not stop the log.
        let _closed = screen.erase();
        io::stderr()
    });
}

impl Demo {
    fn start(screen: Screen, ends: Option<Instant>) -> Result<(Self, broadcast::Receiver<Line>), DemoError> {
        let kafka = EmbeddedKafka::start()?;
        for (topic, _) in TOPICS {
            kafka.create_topic(topic, PARTITIONS)?;
        }
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("receiver").enable_all().build()?;
        let options = Options {
            credential: Credential::Token(Secret::new(TOKEN)),
            destinations: Some(TOPICS.iter().map(|(_, bucket)| destination(bucket)).collect()),
            keep_points: false,
            ..Options::default()
        };
        let receiver = runtime.block_on(Receiver::start(options)).map_err(DemoError::Receiver)?;
        let arrived = receiver.subscribe();
        let text = CONFIG.replace("{kafka}", &kafka.address()).replace("{influx}", &receiver.url());
        let config = parse(&text)?;
        introduce(&screen, &text)?;
        let pipeline = Pipeline::start(&config, Arc::new(LogObserver))?;
        let signals = Signals::listen(pipeline.runtime())?;
        let kafka = Arc::new(kafka);
        Ok((Self { screen, kafka, receiver, _runtime: runtime, config, pipeline, signals, ends }, arrived))
    }

    /// Produces one record for each topic, and an invalid one.
    fn send_first_records(&self, generator: &mut Generator) -> Result<Vec<Generated>, DemoError> {
        let mut records: Vec<Generated> = TOPICS.iter().map(|_| generator.next(now_ms())).collect();
        records.push(records::bad(0));
        for record in &records {
            produce(&self.kafka, record)?;
        }
        Ok(records)
    }

    /// Shows the first records with their lines or rejections. Returns false if the demo ends before.
    fn show_first_records(
        &self,
        records: &[Generated],
        arrived: &mut broadcast::Receiver<Line>,
    ) -> Result<bool, DemoError> {
        let mut lines = Vec::new();
        let are_settled = self.wait(|| {
            lines.extend(std::iter::from_fn(|| arrived.try_recv().ok()));
            lines.len() as u64 + self.counts().rejected == records.len() as u64
        });
        if !are_settled {
            return if self.is_over() { Ok(false) } else { Err(DemoError::TooSlow) };
        }
        for record in records {
            self.screen.labelled(Colour::Cyan, &format!("in  {}:", record.topic), &record.value)?;
            match self.why_rejected(record) {
                None => self.show_line_of(record, &lines)?,
                Some(why) => self.screen.labelled(Colour::Red, "rejected:", &why)?,
            }
        }
        self.screen.line("")?;
        Ok(true)
    }

    /// Each topic has its own bucket, so the only line in the bucket is the record's.
    fn show_line_of(&self, record: &Generated, lines: &[Line]) -> io::Result<()> {
        let bucket = TOPICS.iter().find(|(topic, _)| *topic == record.topic).map_or("", |(_, bucket)| bucket);
        let line = lines.iter().find(|line| *line.destination == destination(bucket));
        let text = line.map_or("(nothing)", |line| &line.text);
        self.screen.labelled(Colour::Green, &format!("out {bucket}:"), text)
    }

    /// The reason for which the bridge rejected the record, from mapping it again.
    fn why_rejected(&self, record: &Generated) -> Option<String> {
        let routing = self.config.routing();
        let rules = routing.rules_of(record.topic)?;
        let mut mapper = Mapper::new(Arc::clone(rules), record.topic, self.config.record_limits());
        let outcome = mapper.map(&as_read(record), &mut LineBuffer::default());
        outcome.rejected.first().map(|(_, why)| why.to_string())
    }

    /// Shows the throughput once a second, until the demo ends.
    fn show_rates(&self) -> io::Result<()> {
        if let Some(address) = self.pipeline.admin_address() {
            self.screen
                .line(&format!("Status page of the bridge, while the demo runs: http://{address}/"))?;
        }
        self.screen.line("Every second (Ctrl-C ends it):")?;
        let (start, mut before) = (Instant::now(), self.counts());
        let mut next = start + SECOND;
        while !self.is_over() {
            let left = next.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                thread::sleep(left.min(Duration::from_millis(20)));
                continue;
            }
            let now = self.counts();
            self.screen.running(&format!(
                "{:>4} s   {:>6} records/s in   {:>6} points/s stored   {} rejected in total",
                start.elapsed().as_secs(),
                grouped(now.records - before.records),
                grouped(now.stored - before.stored),
                grouped(now.rejected)
            ))?;
            (before, next) = (now, next + SECOND);
        }
        Ok(())
    }

    /// Waits for the last records, stops the bridge, and shows the totals.
    fn end(self, produced: u64) -> Result<(), DemoError> {
        let until = Instant::now() + WAIT_MAX;
        let hurried = || self.signals.again.load(Ordering::Relaxed);
        while self.counts().records < produced && Instant::now() < until && !hurried() {
            thread::sleep(Duration::from_millis(10));
        }
        let ended = self.pipeline.stop_and_wait(hurried);
        // The output may be closed.
        let _closed = self.screen.line(&totals(produced, self.counts()));
        if ended { Ok(self.pipeline.join()?) } else { std::process::exit(0) }
    }

    /// Waits for the condition. Returns false if the demo ends or the time is up before.
    fn wait(&self, mut condition: impl FnMut() -> bool) -> bool {
        let until = Instant::now() + WAIT_MAX;
        while !condition() {
            if self.is_over() || Instant::now() >= until {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    fn is_over(&self) -> bool {
        let ended = self.ends.is_some_and(|ends| Instant::now() >= ends);
        ended || self.signals.stop_requested() || self.pipeline.is_finished()
    }

    fn counts(&self) -> Counts {
        Counts {
            records: Counters::get(&self.pipeline.counters().records),
            // A point that overwrites another one is not counted.
            stored: Counters::get(&self.receiver.counts().lines_stored)
                .saturating_sub(self.receiver.overwrites()),
            rejected: self.pipeline.counters().rejected().map(|(_, count)| count).sum(),
        }
    }
}

/// The totals, and whether all records are accounted for.
fn totals(produced: u64, Counts { stored, rejected, .. }: Counts) -> String {
    let settled = stored + rejected;
    let (made, stored, rejected) = (grouped(produced), grouped(stored), grouped(rejected));
    match produced.checked_sub(settled) {
        Some(0) => format!(
            "{made} records produced = {stored} distinct points stored + {rejected} rejected: none was lost"
        ),
        Some(left) => {
            format!(
                "{made} records produced, {stored} distinct points stored, {rejected} rejected, {} not yet stored or overwritten by another",
                grouped(left)
            )
        }
        None => format!("{made} records produced, {stored} stored (some twice), {rejected} rejected"),
    }
}

/// Lines before the configuration.
const INTRODUCTION: [&str; 2] = [
    "An embedded Kafka, a producer of metrics, the bridge and an InfluxDB-like receiver, in one process.",
    "The bridge reads the records and writes points with this bridge.toml:",
];

fn introduce(screen: &Screen, text: &str) -> io::Result<()> {
    INTRODUCTION.iter().try_for_each(|line| screen.line(line))?;
    for line in text.lines() {
        let (keys, comment) = line.find('#').map_or((line, ""), |at| line.split_at(at));
        screen.line(&format!("    {keys}{}", screen.painted(Colour::Grey, comment)))?;
    }
    screen.line("")
}

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    let token = |name: &str| (name == "INFLUX_TOKEN").then(|| TOKEN.to_owned());
    let mut config = configuration::parse(Path::new("bridge.toml"), text, &token)?.config;
    config.admin.listen = Some(listen(PORT));
    config.batch.age_max = AGE_MAX;
    Ok(config)
}

/// The address of the status page: this port, so that a bookmark works, or any port while another process has it.
fn listen(port: u16) -> SocketAddr {
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let is_free = TcpListener::bind(address(port)).is_ok();
    address(if is_free { port } else { 0 })
}

fn destination(bucket: &str) -> Destination {
    Destination::Bucket { org: "demo".to_owned(), bucket: bucket.to_owned() }
}

fn as_read(record: &Generated) -> Record<'_> {
    let value = Some(record.value.as_bytes());
    Record { partition: 0, offset: 0, time: RecordTime::At(0), key: None, value, headers: &[] }
}

#[cfg(test)]
mod tests {
    use super::producer::record_time_ms;
    use super::*;

    fn config() -> Config {
        let text = CONFIG.replace("{kafka}", "127.0.0.1:1").replace("{influx}", "http://127.0.0.1:2");
        parse(&text).unwrap()
    }

    /// A terminal has 24 rows and 80 columns or more.
    #[test]
    fn the_configuration_fits_on_one_screen() {
        assert!(INTRODUCTION.len() + CONFIG.lines().count() < 24, "{CONFIG}");
        for line in CONFIG.lines() {
            // Hangul takes two columns.
            let columns: usize = line.chars().map(|c| if c < '\u{1100}' { 1 } else { 2 }).sum();
            assert!(columns <= 76, "{line}: {columns}");
        }
    }

    #[test]
    fn the_status_page_has_the_same_address_while_its_port_is_free() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_eq!(listen(port), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        drop(taken);
        assert_eq!(listen(port), SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }

    #[test]
    fn each_valid_record_becomes_one_point_and_invalid_ones_none() {
        let (config, mut generator) = (config(), Generator::new(7));
        let (routing, limits) = (config.routing(), config.record_limits());
        let mut mappers = TOPICS.map(|(topic, _)| {
            (topic, Mapper::new(Arc::clone(routing.rules_of(topic).unwrap()), topic, limits))
        });
        let mut lines_of = |record: &Generated| {
            let (_, mapper) = mappers.iter_mut().find(|(topic, _)| *topic == record.topic).unwrap();
            let outcome = mapper.map(&as_read(record), &mut LineBuffer::default());
            assert_eq!(mapper.take_drops(), mapping::Drops::default(), "{record:?}");
            assert_eq!(outcome.lines + outcome.rejected.len(), 1, "{record:?}: {outcome:?}");
            outcome.lines
        };
        for number in 0..1_000 {
            assert_eq!(lines_of(&generator.next(record_time_ms(0, number))), 1);
        }
        for number in 0..3 {
            assert_eq!(lines_of(&records::bad(number)), 0);
        }
    }

    /// Bursts of records are produced within one millisecond of the clock.
    #[test]
    fn no_generated_point_overwrites_another() {
        let (config, mut generator) = (config(), Generator::new(7));
        let routing = config.routing();
        let rules = routing.rules_of("brokers").unwrap();
        let mut mapper = Mapper::new(Arc::clone(rules), "brokers", config.record_limits());
        let mut sample = engine::batch::CollisionSample::default();
        for number in 0..6_000 {
            let record = generator.next(record_time_ms(1_767_225_600_123, number));
            if record.topic == "brokers" {
                let mut lines = LineBuffer::default();
                mapper.map(&as_read(&record), &mut lines);
                sample.add(&lines);
            }
        }
        assert_eq!(sample.warning(), None);
    }

    #[test]
    fn the_totals_account_for_all_records() {
        let f = |produced, stored, rejected, want| {
            assert_eq!(totals(produced, Counts { records: 0, stored, rejected }), want);
        };
        f(
            1_001,
            1_000,
            1,
            "1,001 records produced = 1,000 distinct points stored + 1 rejected: none was lost",
        );
        let left = "5 records produced, 3 distinct points stored, 1 rejected, 1 not yet stored or overwritten by another";
        f(5, 3, 1, left);
        f(5, 5, 1, "5 records produced, 5 stored (some twice), 1 rejected");
    }
}
