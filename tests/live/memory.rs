//! Memory and CPU use stay within their bounds while nothing can be written, whatever the backlog in Kafka.

use crate::support::{Bridge, Http, Live, PATIENCE, measured, variable, wait_for};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Limit for the whole process with the default configuration.
const RESIDENT_MAX_KB: u64 = 64_000;
/// One fetch of 128 kB of data that compresses more than 100 to 1, unpacked: the formula of docs/memory.md adds it.
const UNPACKED_FETCH_KB: u64 = 16_000;
/// Limit for each further destination: the lane's queue, one producer batch in it, and the keys and shapes that the mapper learns.
const DESTINATION_KB: u64 = 150;
/// Reading counts as stopped when no record was read for this time.
const STILL: Duration = Duration::from_secs(3);
const CPU_OVER: Duration = Duration::from_secs(10);

/// A batch is compressed and unpacked as a whole.
fn producer(batch_bytes: usize) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", variable("KAFKA")).set("compression.type", "lz4");
    config
        .set("linger.ms", "50")
        .set("batch.size", batch_bytes.to_string())
        .set("message.max.bytes", "3000000");
    config.set("queue.buffering.max.messages", "500000").create().unwrap()
}

fn send(producer: &BaseProducer, topic: &str, partition: i32, value: &[u8]) {
    let mut record: BaseRecord<'_, str, [u8]> = BaseRecord::to(topic).partition(partition).payload(value);
    while let Err((error, back)) = producer.send(record) {
        let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
        assert_eq!(error, full, "cannot produce");
        record = back;
        producer.poll(Duration::from_millis(20));
    }
}

/// An address where nothing listens.
fn unused_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn config(topics: &str, mappings: &str) -> (String, String) {
    let (admin, brokers) = (unused_address(), variable("KAFKA"));
    let text = format!(
        "[kafka]\nbrokers = '{brokers}'\ntopics = {topics}\ngroup_id = '{admin}'\nrecord_bytes_max = '3MB'\n\
         {mappings}\n[influx]\nurl = 'http://{}'\norg = 'o'\nbucket = 'b'\ntoken = 't'\n\
         [admin]\nlisten = '{admin}'\n",
        unused_address()
    );
    (text, admin)
}

/// User and system time of a process, in ticks of 10 ms.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let behind_name = stat.rsplit_once(')').unwrap().1;
    behind_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

fn records_read(admin: &str) -> Option<u64> {
    let page = Http::new(&format!("http://{admin}"), None).get("/metrics").ok()?;
    let line = page.lines().find(|line| line.starts_with("kafka_influx_bridge_records_total "))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

/// Waits until the bridge stops reading, then checks its memory.
fn assert_bounded(what: &str, text: &str, admin: &str, resident_max_kb: u64) {
    let bridge = Bridge::start(text, &[]);
    let (mut last, mut since) = (0, Instant::now());
    wait_for("reading ends", PATIENCE * 2, || {
        let read = records_read(admin)?;
        if read != last {
            (last, since) = (read, Instant::now());
        }
        (last > 0 && since.elapsed() >= STILL).then_some(())
    });
    let before = ticks(bridge.pid());
    std::thread::sleep(CPU_OVER);
    let used = ticks(bridge.pid()) - before;
    let resident = bridge.resident_max_kb();
    measured(what, format!("{last} records read, resident at most {resident} kB"));
    measured("CPU while blocked", format!("{:.1} % of a core", used as f64 / CPU_OVER.as_secs_f64()));
    assert!(resident <= resident_max_kb, "{resident} kB");
    bridge.stop();
}

/// A record of a fleet of hosts: 42 numbers, which compress badly.
fn wide(rng: &mut fastrand::Rng) -> String {
    let mut text = r#"{"name":"node","host":"h1","region":"r1""#.to_owned();
    for field in 0..42 {
        write!(text, r#","m{field}":{}.{}"#, rng.u32(..1_000_000), rng.u32(100..1_000)).unwrap();
    }
    text + "}"
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn memory_is_bounded_with_a_long_backlog() {
    let live = Live::take_turn();
    let megabytes = std::env::var("BRIDGE_LIVE_BACKLOG_MB").map_or(2_000, |text| text.parse().unwrap());
    let topic = live.kafka().create_topic(live.name("backlog"), 6, 1);
    let (producer, mut rng) = (producer(1_000_000), fastrand::Rng::with_seed(1));
    let records: Vec<String> = (0..1_000).map(|_| wide(&mut rng)).collect();
    let mut bytes = 0;
    for n in 0.. {
        let record = &records[n % records.len()];
        send(&producer, &topic, n as i32 % 6, record.as_bytes());
        bytes += record.len();
        if bytes >= megabytes * 1_000_000 {
            break;
        }
    }
    producer.flush(PATIENCE).unwrap();
    let (text, admin) =
        config(&format!("'{topic}'"), "[[mapping]]\nname_key = 'name'\ntag_keys = ['host', 'region']");
    assert_bounded(&format!("a backlog of {megabytes} MB"), &text, &admin, RESIDENT_MAX_KB);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn memory_is_bounded_with_a_thousand_partitions_of_compressible_data() {
    let live = Live::take_turn();
    let partitions = std::env::var("BRIDGE_LIVE_PARTITIONS").map_or(1_000, |text| text.parse().unwrap());
    let topic = live.kafka().create_topic(live.name("partitions"), partitions, 1);
    let producer = producer(1_000_000);
    // The data compresses more than 100 to 1, so a fetch of 1 MB unpacks into more than 100 MB.
    let record = format!(r#"{{"name":"m","text":"{}","v":1}}"#, "0".repeat(1_000));
    for n in 0..partitions * 300 {
        send(&producer, &topic, n % partitions, record.as_bytes());
    }
    producer.flush(PATIENCE).unwrap();
    let (text, admin) =
        config(&format!("'{topic}'"), "[[mapping]]\nname_key = 'name'\nstring_fields = ['text']");
    let resident_max_kb = RESIDENT_MAX_KB + UNPACKED_FETCH_KB;
    assert_bounded(&format!("{partitions} partitions"), &text, &admin, resident_max_kb);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn memory_is_bounded_with_records_of_a_hundred_thousand_elements() {
    let live = Live::take_turn();
    let topic = live.kafka().create_topic(live.name("elements"), 1, 1);
    let producer = producer(1_000_000);
    let elements: Vec<String> = (0..100_000).map(|n| format!(r#"{{"id":"{n}","v":{n}}}"#)).collect();
    let record = format!("[{}]", elements.join(","));
    for _ in 0..5 {
        send(&producer, &topic, 0, record.as_bytes());
    }
    producer.flush(PATIENCE).unwrap();
    let (text, admin) = config(&format!("'{topic}'"), "[[mapping]]\ntag_keys = ['id']");
    assert_bounded("records of 100,000 elements", &text, &admin, RESIDENT_MAX_KB);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn memory_is_bounded_with_two_hundred_destinations() {
    let live = Live::take_turn();
    let kafka = live.kafka();
    let topics: Vec<String> = (0..200).map(|n| live.name(&format!("destination{n}"))).collect();
    kafka.create_topics(&topics, 1, 1, &[]);
    let (producer, mut rng, mut mappings) = (producer(16_384), fastrand::Rng::with_seed(1), String::new());
    for (n, topic) in topics.iter().enumerate() {
        writeln!(mappings, "[[mapping]]\ntopics = ['{topic}']\nbucket = 'b{n}'").unwrap();
        for _ in 0..1_000 {
            send(&producer, topic, 0, wide(&mut rng).as_bytes());
        }
    }
    let topics: Vec<String> = topics.iter().map(|topic| format!("'{topic}'")).collect();
    producer.flush(PATIENCE).unwrap();
    let (text, admin) = config(&format!("[{}]", topics.join(",")), &mappings);
    assert_bounded("200 destinations", &text, &admin, RESIDENT_MAX_KB + 200 * DESTINATION_KB);
}
