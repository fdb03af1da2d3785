//! Fills topics at full speed or at an even rate.

use crate::failures::Failures;
use crate::formats::{Encoder, Format};
use crate::records::{Generator, Shape};
use crate::topics;
use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

const FLUSH_MAX: Duration = Duration::from_mins(2);

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    brokers: String,
    /// Name of the topic; several topics get a number as suffix
    #[arg(long)]
    topic: String,
    #[arg(long, default_value_t = 1)]
    topics: usize,
    #[arg(long, default_value_t = 6)]
    partitions: i32,
    #[arg(long)]
    records: u64,
    /// Records per second; default: as fast as possible
    #[arg(long)]
    per_second: Option<u64>,
    /// Maximum size of a batch
    #[arg(long, default_value_t = 1_000_000)]
    batch_bytes: u32,
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
    /// The bridge's configuration for the JSON records, which lines need
    #[arg(long)]
    config: Option<PathBuf>,
    #[command(flatten)]
    shape: Shape,
}

/// Prints the numbers of records and bytes, the begin of the schedule, and what a reader must know of the format, once all are in Kafka.
pub fn produce(options: &Options) {
    let names: Vec<String> = match options.topics {
        1 => vec![options.topic.clone()],
        many => (0..many).map(|n| format!("{}-{n}", options.topic)).collect(),
    };
    topics::create(&options.brokers, &names, options.partitions);
    let producer = producer(options);
    let mut encoder = Encoder::new(options.format, options.shape, options.config.as_deref());
    let (mut generator, mut bytes, begin) = (Generator::new(options.shape), 0, SystemTime::now());
    for n in 0..options.records {
        let mut due = SystemTime::now();
        if let Some(rate) = options.per_second {
            due = begin + Duration::from_nanos(n * 1_000_000_000 / rate);
            // The schedule does not wait: a record that is late keeps the time for which it was due.
            if let Ok(early) = due.duration_since(SystemTime::now()) {
                producer.poll(Duration::ZERO);
                thread::sleep(early);
            }
        }
        let value = encoder.encode(generator.next_due(due));
        bytes += value.len();
        let place = n as usize % (names.len() * options.partitions as usize);
        let (topic, partition) = (&names[place % names.len()], (place / names.len()) as i32);
        send(&producer, BaseRecord::to(topic).partition(partition).payload(value));
    }
    producer.flush(FLUSH_MAX).unwrap();
    assert_eq!(producer.context().count(), 0, "records that did not reach Kafka");
    let description = encoder.description();
    let (records, begin_us) =
        (options.records, begin.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros());
    println!(r#"{{"records":{records},"bytes":{bytes},"begin_us":{begin_us},"description":{description}}}"#);
}

fn producer(options: &Options) -> BaseProducer<Failures> {
    let linger = if options.per_second.is_some() { "1" } else { "200" };
    ClientConfig::new()
        .set("bootstrap.servers", &options.brokers)
        .set("compression.type", "lz4")
        .set("linger.ms", linger)
        .set("batch.size", options.batch_bytes.to_string())
        .set("message.max.bytes", "3000000")
        .set("queue.buffering.max.messages", "500000")
        .set("queue.buffering.max.kbytes", "200000")
        .create_with_context(Failures::default())
        .unwrap()
}

fn send(producer: &BaseProducer<Failures>, mut record: BaseRecord<'_, (), [u8]>) {
    while let Err((error, back)) = producer.send(record) {
        let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
        assert_eq!(error, full, "cannot produce");
        record = back;
        producer.poll(Duration::from_millis(10));
    }
}
