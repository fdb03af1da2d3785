//! Rate of one topic while lines of another topic are refused, through one process: the bridge's pipeline between an embedded Kafka and the
//! test kit's InfluxDB 3. Each topic has its own database.

use crate::refusals;
use clap::Args;
use influx::LogObserver;
use kafka_influx_bridge::pipeline::Pipeline;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use testkit::receiver::{Faults, Options as ReceiverOptions, Receiver};
use testkit::{EmbeddedKafka, NewRecord};
use tokio::runtime::Runtime;

const PARTITIONS: usize = 2;
const PRODUCE_MAX: Duration = Duration::from_mins(1);
/// Time without a request of the measured topic after which records are missing.
const SILENT_MAX: Duration = Duration::from_secs(30);

#[derive(Args)]
pub struct BesideOptions {
    #[command(flatten)]
    refusals: refusals::Options,
    /// Records of the measured topic, and of the other one
    #[arg(long)]
    records: usize,
}

/// The requests of the measured topic: their arrival and their lines.
type Arrived = Arc<Mutex<Vec<(Instant, usize)>>>;

/// Prints one line of JSON: the rate, and the lines that were refused until the last request of the measured topic.
pub fn beside(options: &BesideOptions) {
    let (refusals, arrived) = (&options.refusals, Arrived::default());
    let runtime = Runtime::new().unwrap();
    let receiver = ReceiverOptions {
        product: refusals.product(),
        keep_points: false,
        faults: Some(observe(refusals, &arrived)),
        ..ReceiverOptions::default()
    };
    let receiver = runtime.block_on(Receiver::start(receiver)).unwrap();
    let kafka = filled(options);
    let text = configuration(refusals, &kafka.address(), &receiver.url());
    let config = match configuration::parse(Path::new("beside.toml"), &text, &|_| None) {
        Ok(loaded) => loaded.config,
        Err(errors) => panic!("{errors}"),
    };
    let pipeline = Pipeline::start(&config, Arc::new(LogObserver)).unwrap();
    let rate = rate(options.records, &arrived);
    let refused = || pipeline.writer().counters().lines_refused.load(Relaxed);
    let refused_meanwhile = refused();
    if refusals.bad > 0 {
        // A short run may end before the first bad line is found.
        await_that("no line was refused", || refused() > 0);
    } else {
        assert_eq!(refused(), 0);
    }
    let alarms = pipeline.writer().alarms();
    assert!(alarms.is_empty(), "{alarms:?}");
    println!(r#"{{"rate":{rate},"refused":{refused_meanwhile}}}"#);
    // The other topic still has records, which nobody waits for.
    std::process::exit(0);
}

fn await_that(otherwise: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < SILENT_MAX, "{otherwise}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Observes the requests of the measured topic. Never answers.
fn observe(refusals: &refusals::Options, arrived: &Arrived) -> Faults {
    let (measured, arrived) = (refusals.destination("measured"), Arc::clone(arrived));
    Box::new(move |request| {
        if request.destination == measured && request.line_count() > 0 {
            arrived.lock().unwrap().push((Instant::now(), request.line_count()));
        }
        None
    })
}

/// A Kafka with both topics. The other topic has one partition, so that each of its batches has the same number of bad lines.
fn filled(options: &BesideOptions) -> EmbeddedKafka {
    let kafka = EmbeddedKafka::start().unwrap();
    for (topic, partitions) in [("measured", PARTITIONS), ("other", 1)] {
        kafka.create_topic(topic, partitions as i32).unwrap();
        for n in 0..options.records {
            let is_bad = topic == "other" && options.refusals.is_bad(n);
            let value = if is_bad { r#"{"v":"text"}"#.to_owned() } else { format!(r#"{{"v":{n}.5}}"#) };
            let (partition, value) = (Some((n % partitions) as i32), Some(value.as_bytes()));
            kafka.send(NewRecord { topic, partition, value, time_ms: None }).unwrap();
        }
    }
    kafka.flush(PRODUCE_MAX).unwrap();
    kafka
}

fn configuration(refusals: &refusals::Options, brokers: &str, url: &str) -> String {
    let (api, lines) = (&refusals.api, refusals.lines);
    let (org, place) = if api == "v2" { ("org = 'o'\n", "bucket") } else { ("", "database") };
    let mapping = |topic: &str| {
        format!(
            "[[mapping]]\ntopics = ['{topic}']\n{place} = '{topic}'\nmeasurement = 'm'\nstring_fields = ['v']\n"
        )
    };
    // A rebalance of the embedded Kafka takes as long as a session.
    format!(
        "[kafka]\nbrokers = '{brokers}'\ntopics = ['measured', 'other']\ngroup_id = 'g'\n\
         librdkafka.'session.timeout.ms' = 2000\nlibrdkafka.'heartbeat.interval.ms' = 200\n\
         {}{}[influx]\nurl = '{url}'\napi = '{api}'\n{org}{place} = 'measured'\ntoken = 'any'\n[batch]\nlines_max = {lines}\n",
        mapping("measured"),
        mapping("other"),
    )
}

/// Points/s between the arrivals of the first and the last request.
fn rate(records: usize, arrived: &Arrived) -> f64 {
    let begin = Instant::now();
    loop {
        thread::sleep(Duration::from_millis(10));
        let arrived = arrived.lock().unwrap();
        let lines: usize = arrived.iter().map(|(_, lines)| lines).sum();
        let last = arrived.last().map_or(begin, |(at, _)| *at);
        assert!(last.elapsed() < SILENT_MAX, "{lines} of {records} lines arrived");
        if lines >= records {
            let ((first, _), (last, last_lines)) = (arrived[0], arrived[arrived.len() - 1]);
            return (lines - last_lines) as f64 / (last - first).as_secs_f64();
        }
    }
}
