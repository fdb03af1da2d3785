//! Dead letters with the mock cluster: written to a topic, read back, originals read again.

use crate::letters::read_all;
use configuration::Config;
use engine::dead_letter::{
    DeadLetterError, DeadLetters, FailedStage, FoundLetter, Letter, LetterReader, Original, Originals,
    REFUSED, RecordPlace, RejectedElements,
};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const TIME_MS: i64 = 1_767_225_600_123;

struct Kafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
    runtime: Runtime,
}

impl Kafka {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { cluster: MockCluster::new(1).unwrap(), runtime }
    }

    fn config(&self) -> Config {
        self.config_with("")
    }

    fn config_with(&self, kafka: &str) -> Config {
        let brokers = self.cluster.bootstrap_servers();
        let text = format!(
            "[kafka]\nbrokers = '{brokers}'\ntopics = 't'\n{kafka}\n[dead_letter]\ntopic = 'dead'\n\
             [influx]\nurl = 'http://h'\napi = 'v1'\ndatabase = 'd'\n"
        );
        configuration::parse(Path::new("bridge.toml"), &text, &|_| None).unwrap().config
    }

    fn letters(&self) -> DeadLetters {
        let config = self.config();
        DeadLetters::open(config.dead_letter, &config.kafka).unwrap().unwrap()
    }

    fn send(&self, to: &DeadLetters, letters: &mut Vec<Letter>) -> Result<(), DeadLetterError> {
        self.runtime.block_on(to.send(letters))
    }

    /// Sends like the bridge; fails if that takes too long.
    fn send_until_taken(&self, to: &DeadLetters, mut letters: Vec<Letter>) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while let Err(error) = self.send(to, &mut letters) {
            assert!(Instant::now() < deadline, "{error}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// All letters of the topic, by the offsets of their originals.
    fn read_back(&self) -> Vec<FoundLetter> {
        let mut reading = LetterReader::topic(&self.config().kafka, "dead").unwrap();
        let mut found = read_all(&mut reading);
        let progress = reading.progress();
        assert_eq!(progress.done, progress.all);
        found.sort_by_key(|found| found.letter.offset);
        found
    }

    /// Produces records with a key and headers, one per batch, from offset 0 on.
    fn produce(&self, topic: &str, values: impl IntoIterator<Item = Vec<u8>>) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.cluster.bootstrap_servers())
            .set("message.max.bytes", "4000000")
            .set("batch.num.messages", "1")
            .create()
            .unwrap();
        for value in values {
            let headers = OwnedHeaders::new()
                .insert(Header { key: "site", value: Some("seoul") })
                .insert(Header { key: "none", value: None::<&str> })
                .insert(Header { key: "empty", value: Some("") });
            let record = BaseRecord::to(topic).partition(0).key("key").payload(&value).timestamp(TIME_MS);
            while producer.send(record.clone_with(&headers)).is_err() {
                producer.poll(Duration::from_millis(10));
            }
        }
        producer.flush(Duration::from_secs(20)).unwrap();
    }

    fn read(
        &self,
        from: &Originals,
        wanted: &[RecordPlace],
    ) -> Result<Vec<Option<Original>>, DeadLetterError> {
        self.runtime.block_on(from.read(wanted))
    }

    /// The next requests of this kind fail with these errors.
    fn fail(&self, requests: RDKafkaApiKey, error: RDKafkaRespErr, times: usize) {
        self.cluster.request_errors(requests, &vec![error; times]);
    }
}

/// `BaseRecord` takes itself and its headers by value, so every header is moved.
trait CloneWith<'a> {
    fn clone_with(&self, headers: &OwnedHeaders) -> BaseRecord<'a, str, [u8]>;
}

impl<'a> CloneWith<'a> for BaseRecord<'a, str, Vec<u8>> {
    fn clone_with(&self, headers: &OwnedHeaders) -> BaseRecord<'a, str, [u8]> {
        let mut record = BaseRecord::to(self.topic);
        (record.key, record.payload) = (self.key, self.payload.map(Vec::as_slice));
        (record.partition, record.timestamp) = (self.partition, self.timestamp);
        record.headers = Some(headers.clone());
        record
    }
}

fn letter(offset: i64, value: Option<Vec<u8>>) -> Letter {
    Letter {
        topic: "t".into(),
        partition: 0,
        offset,
        timestamp_ms: Some(TIME_MS),
        key: Some(b"key".to_vec()),
        value,
        headers: vec![
            ("site".to_owned(), Some(b"\xff".to_vec())),
            ("none".to_owned(), None),
            ("empty".to_owned(), Some(Vec::new())),
        ],
        stage: FailedStage::Map,
        reason: "time",
        why: "it has no time".to_owned(),
        elements: RejectedElements { listed: vec![1, 5], count: 2 },
        lines: None,
    }
}

fn whole(letters: Vec<Letter>) -> Vec<FoundLetter> {
    letters.into_iter().map(|letter| FoundLetter { letter, truncated: false }).collect()
}

fn wanted(topic: &str, partition: i32, offset: i64) -> RecordPlace {
    RecordPlace { topic: topic.into(), partition, offset }
}

#[test]
fn letters_are_read_back_as_they_were_written() {
    let kafka = Kafka::start();
    let mut letters: Vec<Letter> =
        (0..500).map(|offset| letter(offset, Some(vec![offset as u8; 200]))).collect();
    letters[0].value = None;
    letters[1].value = Some(Vec::new());
    (letters[2].key, letters[3].key) = (None, Some(Vec::new()));
    letters[4] = Letter {
        key: None,
        value: None,
        headers: Vec::new(),
        stage: FailedStage::Write,
        reason: REFUSED,
        lines: Some(b"t v=1 5\nt v=2 6\n".to_vec()),
        timestamp_ms: None,
        ..letters[4].clone()
    };
    let want = whole(letters.clone());
    let to = kafka.letters();
    assert_eq!(to.destination(), "topic dead");
    kafka.send(&to, &mut letters).unwrap();
    assert!(letters.is_empty());
    kafka.send(&to, &mut letters).unwrap();
    assert_eq!(kafka.read_back(), want);
}

/// The producer refuses more than 1,000,000 bytes including headers.
#[test]
fn a_letter_that_is_too_large_keeps_its_first_64_kb() {
    let kafka = Kafka::start();
    let value: Vec<u8> = (0..1_200_000_u32).map(|n| (n / 1_000) as u8).collect();
    let mut letters =
        vec![letter(0, Some(b"small".to_vec())), letter(1, Some(value.clone())), letter(2, None)];
    letters[2].headers.push(("long".to_owned(), Some(value.clone())));
    let want = letters.clone();
    kafka.send(&kafka.letters(), &mut letters).unwrap();
    assert!(letters.is_empty());
    let found = kafka.read_back();
    assert_eq!(found[0], FoundLetter { letter: want[0].clone(), truncated: false });
    let cut = Letter { value: Some(value[..64_000].to_vec()), ..want[1].clone() };
    assert_eq!(found[1], FoundLetter { letter: cut, truncated: true });
    let without_long = Letter { headers: want[0].headers.clone(), ..want[2].clone() };
    assert_eq!(found[2], FoundLetter { letter: without_long, truncated: true });
}

/// The bound of librdkafka's queue counts values, and neither keys nor headers.
#[test]
fn a_letter_fits_into_the_queue_whatever_its_key() {
    let kafka = Kafka::start();
    let config = kafka.config_with("librdkafka.'message.max.bytes' = 9000000");
    let to = DeadLetters::open(config.dead_letter, &config.kafka).unwrap().unwrap();
    let key = Some(vec![b'k'; 2 << 20]);
    let mut letters = vec![Letter { key, ..letter(0, Some(vec![b'x'; 4 << 20])) }];
    let want = whole(letters.clone());
    kafka.send(&to, &mut letters).unwrap();
    assert_eq!(letters.len(), 0);
    assert!(kafka.read_back() == want, "the letter is whole");
    // One byte more does not fit.
    let mut letters = vec![letter(1, Some(vec![b'x'; (4 << 20) + 1]))];
    kafka.send(&to, &mut letters).unwrap();
    assert!(letters.is_empty() && kafka.read_back()[1].truncated);
}

/// The broker refuses letters above the topic's max.message.bytes.
#[test]
fn a_letter_that_the_broker_refuses_as_too_large_is_cut_until_it_fits() {
    let kafka = Kafka::start();
    let to = kafka.letters();
    kafka.send(&to, &mut vec![letter(0, None)]).unwrap();
    let too_large = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    kafka.fail(RDKafkaApiKey::Produce, too_large, 3);
    let mut letters = vec![letter(1, Some(vec![b'x'; 200_000]))];
    kafka.send(&to, &mut letters).unwrap();
    let found = kafka.read_back();
    assert!(found[1].truncated);
    assert_eq!(found[1].letter.value.as_ref().unwrap().len(), 16_000);
    // A topic that accepts not even a cut letter is reported as an error, and no letter is lost.
    kafka.fail(RDKafkaApiKey::Produce, too_large, 7);
    let mut letters = vec![letter(2, Some(vec![b'x'; 200_000]))];
    let error = kafka.send(&to, &mut letters).unwrap_err();
    assert_eq!((error.cause_name(), letters.len()), ("dead_letter_topic_refuses", 1));
    assert!(error.to_string().contains("raise its max.message.bytes"), "{error}");
    kafka.send(&to, &mut letters).unwrap();
    assert_eq!(kafka.read_back()[2].letter.value.as_ref().unwrap().len(), 200_000);
}

#[test]
fn acknowledged_letters_are_not_sent_again() {
    let kafka = Kafka::start();
    let to = kafka.letters();
    kafka.send(&to, &mut vec![letter(0, None)]).unwrap();
    kafka.fail(RDKafkaApiKey::Produce, RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD, 1);
    // Letters so large that only a few fit into one request.
    let mut letters: Vec<Letter> = (1..50).map(|offset| letter(offset, Some(vec![b'x'; 30_000]))).collect();
    let error = kafka.send(&to, &mut letters).unwrap_err();
    assert_eq!(error.cause_name(), "dead_letter_topic_refuses");
    assert!(error.to_string().contains("cleanup.policy=delete"), "{error}");
    assert!(!letters.is_empty() && letters.len() < 49, "{} are left", letters.len());
    kafka.send(&to, &mut letters).unwrap();
    let offsets: Vec<i64> = kafka.read_back().iter().map(|found| found.letter.offset).collect();
    assert_eq!(offsets, (0..50).collect::<Vec<_>>());
}

#[test]
fn writing_resumes_once_the_topic_may_be_written() {
    let kafka = Kafka::start();
    let to = kafka.letters();
    kafka.send(&to, &mut vec![letter(0, None)]).unwrap();
    kafka.fail(RDKafkaApiKey::Produce, RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1);
    let mut letters = vec![letter(1, None)];
    let error = kafka.send(&to, &mut letters).unwrap_err();
    assert_eq!((error.cause_name(), letters.len()), ("dead_letter_topic_forbidden", 1));
    assert!(error.to_string().contains("grant WRITE and DESCRIBE"), "{error}");
    kafka.send_until_taken(&to, letters);
    assert_eq!(kafka.read_back().len(), 2);
}

#[test]
fn writing_resumes_once_the_topic_exists() {
    let kafka = Kafka::start();
    let to = kafka.letters();
    kafka.cluster.topic_error("dead", RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let mut letters = vec![letter(0, None), letter(1, None)];
    let error = kafka.send(&to, &mut letters).unwrap_err();
    assert_eq!((error.cause_name(), letters.len()), ("dead_letter_topic_missing", 2));
    assert!(error.to_string().contains("--create --topic dead"), "{error}");
    kafka.cluster.topic_error("dead", RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    kafka.send_until_taken(&to, letters);
    assert_eq!(kafka.read_back().len(), 2);
}

/// Within an attempt, the client retries temporary errors.
#[test]
fn a_short_broker_failure_is_retried_within_the_attempt() {
    let kafka = Kafka::start();
    let to = kafka.letters();
    kafka.send(&to, &mut vec![letter(0, None)]).unwrap();
    for error in [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
    ] {
        kafka.fail(RDKafkaApiKey::Produce, error, 2);
        kafka.send(&to, &mut vec![letter(1, None)]).unwrap();
    }
    assert_eq!(kafka.read_back().len(), 3);
}

#[test]
fn letters_wait_for_a_cluster_that_is_down_and_the_outage_is_reported() {
    let kafka = Kafka::start();
    let to = kafka.letters();
    kafka.send(&to, &mut vec![letter(0, None)]).unwrap();
    kafka.cluster.broker_down(1).unwrap();
    let mut letters = vec![letter(1, None), letter(2, None)];
    let error = kafka.send(&to, &mut letters).unwrap_err();
    assert_eq!((error.cause_name(), letters.len()), ("dead_letter_topic_unreachable", 2));
    assert!(error.to_string().contains("check `kafka.brokers`, "), "{error}");
    kafka.cluster.broker_up(1).unwrap();
    kafka.send_until_taken(&to, letters);
    assert_eq!(kafka.read_back().len(), 3);
}

#[test]
fn originals_are_returned_in_the_requested_order() {
    let kafka = Kafka::start();
    kafka.cluster.create_topic("t", 3, 1).unwrap();
    kafka.produce("t", (0..3_000).map(|n| format!("value {n}").into_bytes()));
    let originals = Originals::new(&kafka.config().kafka);
    let requested = [2_999, 5, 0, 5, 1_700, 6].map(|offset| wanted("t", 0, offset));
    for _ in 0..2 {
        let found = kafka.read(&originals, &requested).unwrap();
        let found: Vec<Original> = found.into_iter().map(Option::unwrap).collect();
        let values: Vec<_> =
            found.iter().map(|it| String::from_utf8_lossy(it.value.as_ref().unwrap()).into_owned()).collect();
        assert_eq!(values, ["value 2999", "value 5", "value 0", "value 5", "value 1700", "value 6"]);
        let want = Original {
            timestamp_ms: Some(TIME_MS),
            key: Some(b"key".to_vec()),
            value: Some(b"value 5".to_vec()),
            headers: vec![
                ("site".to_owned(), Some(b"seoul".to_vec())),
                ("none".to_owned(), None),
                ("empty".to_owned(), Some(Vec::new())),
            ],
        };
        assert_eq!(found[1], want);
    }
    assert!(kafka.read(&originals, &[]).unwrap().is_empty());
}

/// The mock cluster keeps 5 MB of each partition.
#[test]
fn deleted_originals_are_none() {
    let kafka = Kafka::start();
    kafka.cluster.create_topic("t", 2, 1).unwrap();
    kafka.produce("t", (0..20).map(|n| vec![n; 900_000]));
    let originals = Originals::new(&kafka.config().kafka);
    let requested = [
        wanted("t", 0, 0),
        wanted("t", 0, 19),
        wanted("t", 0, 20),
        wanted("t", 1, 0),
        wanted("t", 7, 0),
        wanted("never", 0, 5),
        wanted("t", 0, 18),
    ];
    let found = kafka.read(&originals, &requested).unwrap();
    let first = |original: &Option<Original>| original.as_ref().map(|it| it.value.as_ref().unwrap()[0]);
    let got: Vec<Option<u8>> = found.iter().map(first).collect();
    assert_eq!(got, [None, Some(19), None, None, None, None, Some(18)]);
}

/// Letters that are refused together may have originals that exceed memory together.
#[test]
fn large_originals_are_read_in_parts() {
    let kafka = Kafka::start();
    kafka.cluster.create_topic("t", 1, 1).unwrap();
    kafka.produce("t", (0..5).map(|n| vec![n; 900_000]));
    let originals = Originals::new(&kafka.config().kafka);
    let requested: Vec<RecordPlace> = (0..5).map(|offset| wanted("t", 0, offset)).collect();
    let (mut rest, mut parts) = (requested.as_slice(), Vec::new());
    while !rest.is_empty() {
        let found = kafka.read(&originals, rest).unwrap();
        assert!(found.iter().all(Option::is_some));
        rest = &rest[found.len()..];
        parts.push(found.len());
    }
    assert_eq!(parts, [3, 2]);
}

#[test]
fn originals_wait_for_a_cluster_that_is_down() {
    let kafka = Kafka::start();
    kafka.cluster.create_topic("t", 1, 1).unwrap();
    kafka.produce("t", [b"value".to_vec()]);
    kafka.cluster.broker_down(1).unwrap();
    let originals = Originals::new(&kafka.config().kafka);
    let error = kafka.read(&originals, &[wanted("t", 0, 0)]).unwrap_err();
    assert_eq!(error.cause_name(), "originals_unreadable");
    assert!(error.to_string().contains("check `kafka.brokers`, "), "{error}");
    kafka.cluster.broker_up(1).unwrap();
    let found = kafka.read(&originals, &[wanted("t", 0, 0)]).unwrap();
    assert_eq!(found[0].as_ref().unwrap().value.as_deref(), Some(&b"value"[..]));
}
