//! Dead letters in a real Kafka: topics that refuse them, and originals that were deleted.

use crate::letters::read_all;
use crate::support::config::v2;
use crate::support::{Bridge, Kafka, Live, PATIENCE, Produced, block_on, measured, run_command, wait_for};
use configuration::Config;
use engine::dead_letter::{
    DeadLetters, FailedStage, FoundLetter, Letter, LetterReader, Originals, RecordPlace, RejectedElements,
};
use std::path::Path;
use std::time::{Duration, Instant};

/// The configuration of a bridge that writes its dead letters to this topic.
fn config(kafka: &Kafka, topic: &str) -> Config {
    let text = format!(
        "[kafka]\nbrokers = {}\ntopics = 'any'\n[dead_letter]\ntopic = '{topic}'\n\
         [influx]\nurl = 'http://h'\napi = 'v1'\ndatabase = 'd'\n",
        kafka.brokers_toml()
    );
    configuration::parse(Path::new("bridge.toml"), &text, &|_| None).unwrap().config
}

fn letter(offset: i64, value: Vec<u8>) -> Letter {
    Letter {
        topic: "any".into(),
        partition: 0,
        offset,
        timestamp_ms: Some(1_000),
        key: None,
        value: Some(value),
        headers: Vec::new(),
        stage: FailedStage::Map,
        reason: "undecodable",
        why: "it is not JSON".to_owned(),
        elements: RejectedElements::default(),
        lines: None,
    }
}

fn read_back(config: &Config, topic: &str) -> Vec<FoundLetter> {
    read_all(&mut LetterReader::topic(&config.kafka, topic).unwrap())
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_large_letter_is_cut_to_the_size_limit_of_the_topic() {
    let live = Live::take_turn();
    let kafka = live.kafka();
    let topic = kafka.create_topic_with(live.name("dead"), 1, 1, &[("max.message.bytes", "20000")]);
    let config = config(&kafka, &topic);
    let letters = DeadLetters::open(config.dead_letter.clone(), &config.kafka).unwrap().unwrap();
    // Each small letter fits into the topic's `max.message.bytes`; all of them together do not.
    let mut waiting: Vec<Letter> = (0..100).map(|offset| letter(offset, vec![b'x'; 900])).collect();
    waiting.push(letter(100, vec![b'y'; 990_000]));
    block_on(letters.send(&mut waiting)).unwrap();
    assert!(waiting.is_empty());
    let found = read_back(&config, &topic);
    let (cut, whole): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.truncated);
    assert_eq!((cut.len(), whole.len()), (1, 100));
    assert_eq!((cut[0].letter.offset, cut[0].letter.value.as_deref()), (100, Some(&[b'y'; 16_000][..])));
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_missing_dead_letter_topic_is_reported_and_used_once_created() {
    let live = Live::take_turn();
    let kafka = live.kafka();
    let topic = live.name("dead_missing");
    let config = config(&kafka, &topic);
    let letters = DeadLetters::open(config.dead_letter.clone(), &config.kafka).unwrap().unwrap();
    let mut waiting = vec![letter(0, b"x".to_vec())];
    let begin = Instant::now();
    let error = block_on(letters.send(&mut waiting)).unwrap_err();
    measured("missing topic reported after", format!("{:.1} s", begin.elapsed().as_secs_f64()));
    assert_eq!(error.cause_name(), "dead_letter_topic_missing", "{error}");
    assert!(error.to_string().contains("--create --topic"), "{error}");
    kafka.create_topic(topic.clone(), 1, 1);
    let begin = Instant::now();
    wait_for("the letter is taken", PATIENCE, || block_on(letters.send(&mut waiting)).ok());
    measured("taken after the topic was created", format!("{:.1} s", begin.elapsed().as_secs_f64()));
}

/// A compacted topic accepts no record without a key.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_dead_letter_topic_that_refuses_letters_is_reported() {
    let live = Live::take_turn();
    let kafka = live.kafka();
    let topic = kafka.create_topic_with(live.name("dead_compacted"), 1, 1, &[("cleanup.policy", "compact")]);
    let config = config(&kafka, &topic);
    let letters = DeadLetters::open(config.dead_letter.clone(), &config.kafka).unwrap().unwrap();
    let mut waiting = vec![letter(0, b"x".to_vec())];
    let error = block_on(letters.send(&mut waiting)).unwrap_err();
    assert_eq!((error.cause_name(), waiting.len()), ("dead_letter_topic_refuses", 1));
    assert!(error.to_string().contains("cleanup.policy=delete"), "{error}");
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn three_replicas_acknowledge_many_letters() {
    const LETTERS: usize = 20_000;
    let live = Live::take_turn();
    let kafka = live.kafka3();
    for partitions in [1, 3] {
        let topic = kafka.create_topic(live.name(&format!("dead_many{partitions}")), partitions, 3);
        let config = config(&kafka, &topic);
        let letters = DeadLetters::open(config.dead_letter.clone(), &config.kafka).unwrap().unwrap();
        let mut waiting: Vec<Letter> =
            (0..LETTERS as i64).map(|offset| letter(offset, vec![b'x'; 200])).collect();
        let begin = Instant::now();
        block_on(letters.send(&mut waiting)).unwrap();
        let rate = LETTERS as f64 / begin.elapsed().as_secs_f64();
        measured(&format!("letters a second, {partitions} partitions"), format!("{rate:.0}"));
        let mut offsets: Vec<i64> =
            read_back(&config, &topic).iter().map(|found| found.letter.offset).collect();
        offsets.sort_unstable();
        assert_eq!(offsets, (0..LETTERS as i64).collect::<Vec<_>>());
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn originals_are_read_again_until_kafka_deletes_them() {
    let live = Live::take_turn();
    let kafka = live.kafka();
    let topic = kafka.create_topic(live.name("originals"), 2, 1);
    kafka.produce(&topic, (0..10_000).map(|n| Produced::new(format!("value {n}")).to(n % 2)));
    kafka.delete_records_before(&topic, &[0, 3_000]);
    let originals = Originals::new(&config(&kafka, "none").kafka);
    let wanted = |partition, offset| RecordPlace { topic: topic.as_str().into(), partition, offset };
    let read = |wanted: &[RecordPlace]| {
        let begin = Instant::now();
        let found = block_on(originals.read(wanted)).unwrap();
        let value = |found: Option<_>| {
            found.map(|it: engine::dead_letter::Original| String::from_utf8(it.value.unwrap()).unwrap())
        };
        (found.into_iter().map(value).collect::<Vec<_>>(), begin.elapsed())
    };
    let some = |n: i32| Some(format!("value {n}"));
    let requested = [wanted(1, 3_000), wanted(0, 0), wanted(1, 2_999), wanted(0, 4_999), wanted(1, 4_999)];
    let (found, took) = read(&requested);
    assert_eq!(found, [some(6_001), some(0), None, some(9_998), some(9_999)]);
    measured("originals: the first five", format!("{} ms", took.as_millis()));
    let (found, took) = read(&(0..5_000).map(|offset| wanted(0, offset)).collect::<Vec<_>>());
    assert!(found.iter().enumerate().all(|(n, value)| *value == some(2 * n as i32)));
    measured("originals: 5,000 of one partition", format!("{} ms", took.as_millis()));
    let (_, took) = read(&(0..5).map(|n| wanted(0, n * 1_100)).collect::<Vec<_>>());
    measured("originals: five far apart", format!("{} ms", took.as_millis()));
    assert_eq!(read(&[wanted(0, 5_000), wanted(2, 0)]).0, [None, None]);
    kafka.delete_topic(&topic);
    // A broker that has not processed the deletion yet still returns the record.
    let gone = || (read(&[wanted(0, 1)]).0 == [None]).then_some(());
    wait_for("the deleted topic's record cannot be read", Duration::from_secs(30), gone);
}

/// The complete path. A rejected or refused record is in the dead-letter topic before its offset is committed. A pattern that matches
/// the dead-letter topic does not read it. A corrected mapping replays the letters.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn replayed_letters_become_points() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let topic = kafka.create_topic(live.name("letters"), 2, 1);
    let dead = kafka.create_topic_with(format!("{topic}_dead"), 2, 1, &[("max.message.bytes", "20000")]);
    let bucket = influx.create_bucket(live.name("letters"));
    let good = |n: i32| Produced::new(format!(r#"{{"id":"{n}","v":{n}}}"#)).to(n % 2);
    kafka.produce(&topic, [good(0)]);
    let mut large = br#"{"id":"large","v":"#.to_vec();
    large.resize(990_000, b'x');
    let conflict = |n: i32| Produced::new(format!(r#"{{"id":"{n}","v":"text {n}"}}"#)).to(n % 2);
    let pattern = format!("^{topic}");
    let letters = format!("strict = false\n[dead_letter]\ntopic = '{dead}'");
    let wrong = format!("measurement = 'm'\ntag_keys = ['id']\nstring_fields = ['v']\n{letters}");
    let config = bridge_config(&kafka, &pattern, &topic, v2(&influx, &bucket), &wrong);
    let bridge = Bridge::start(&config, &[]);
    influx.wait_for_count(1, PATIENCE, |influx| influx.count(&bucket, "m", "v"));
    kafka.produce(&topic, (1..1_000).map(good).chain((1_000..1_020).map(conflict)));
    kafka.produce(&topic, [Produced::new(large), Produced::new("[{\"id\":\"list\",\"w\":5},5]")]);
    kafka.group(&topic).wait_until_settled(&topic, 2, PATIENCE);
    assert_eq!(influx.count(&bucket, "m", "v"), 1_000);
    let logged = bridge.log_with(&["assigned", "_dead["]);
    assert!(logged.is_empty(), "the dead-letter topic is read: {logged:?}");
    bridge.stop();

    let found = read_back(&self::config(&kafka, &dead), &dead);
    let count = |stage: FailedStage, reason: &str| {
        found.iter().filter(|found| found.letter.stage == stage && found.letter.reason == reason).count()
    };
    let counts = [
        (FailedStage::Write, "refused"),
        (FailedStage::Map, "undecodable"),
        (FailedStage::Map, "not_an_object"),
    ];
    assert_eq!(counts.map(|(stage, reason)| count(stage, reason)), [20, 1, 1], "{found:?}");
    assert_eq!(found.len(), 22);
    let refused = found.iter().find(|found| found.letter.stage == FailedStage::Write).unwrap();
    assert!(
        refused.letter.value.as_ref().unwrap().ends_with(b"\"}") && refused.letter.why.contains("conflict")
    );

    // Strings under another measurement are no conflict.
    let right = wrong.replace("measurement = 'm'", "measurement = 'corrected'");
    let config = bridge_config(&kafka, &pattern, &topic, v2(&influx, &bucket), &right);
    let (status, _, err) = run_command(&config, &["replay-dead-letters", "--topic"]);
    assert_eq!(status, Some(1), "{err}");
    assert!(err.contains("22 dead letters") && err.contains("1 truncated"), "{err}");
    let count = |field| influx.count(&bucket, "corrected", field);
    assert_eq!((count("v"), count("w")), (20, 1));
}

fn bridge_config(kafka: &Kafka, pattern: &str, group: &str, influx: String, mapping: &str) -> String {
    crate::support::Config::new(kafka, pattern, influx).group(group).mapping(mapping).text()
}
