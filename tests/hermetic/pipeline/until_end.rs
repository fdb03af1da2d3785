//! `run --until-end`: all existing records are settled and committed, then the process ends.

use super::groups::{PARTITIONS, produce};
use crate::support::{BY_ID, Bridge, Cluster, Setup, Sink, record, wait_until};
use engine::consumer::ConsumerError;
use engine::telemetry::Counters;
use influx::LogObserver;
use kafka::MemberError;
use kafka_influx_bridge::pipeline::{Pipeline, PipelineError, PipelineOptions};
use std::sync::Arc;
use std::time::Duration;
use testkit::receiver::Reply;

fn stored(bridge: &Bridge) -> u64 {
    Counters::get(&bridge.0.writer().counters().lines_stored)
}

#[test]
fn reads_to_the_end_commits_and_ends() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let want = produce(&cluster, "a");
    cluster.produce("t", 0, ["no json"]);
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID);
    setup.start_until_end().wait_for_end();
    assert_eq!(sink.ids("main"), want);
    assert_eq!(cluster.committed_in_all("t", PARTITIONS), 601);
    // Again, without new records.
    setup.start_until_end().wait_for_end();
    assert_eq!(cluster.committed_in_all("t", PARTITIONS), 601);
    assert_eq!(sink.lines_stored(), 600);
}

#[test]
fn consumers_of_one_process_end_together() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let want = produce(&cluster, "a");
    let setup = Setup::new(&cluster, &sink, "'t'").kafka("consumers = 3").mapping(BY_ID);
    setup.start_until_end().wait_for_end();
    assert_eq!(sink.ids("main"), want);
    assert_eq!(cluster.committed("t", PARTITIONS), [Some(100); 6]);
}

#[test]
fn several_processes_each_read_their_share_to_its_end() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let want = produce(&cluster, "a");
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID);
    let bridges = [setup.start_until_end(), setup.start_until_end()];
    bridges.into_iter().for_each(Bridge::wait_for_end);
    assert_eq!(sink.ids("main"), want);
    assert_eq!(cluster.committed("t", PARTITIONS), [Some(100); 6]);
}

#[test]
fn later_records_do_not_delay_the_end() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, (0..100).map(|n| record(&format!("a{n:04}"))));
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).start_until_end();
    let mut n = 0;
    wait_until("it ends", || {
        cluster.produce("t", 0, [record(&format!("b{n:04}"))]);
        n += 1;
        bridge.0.is_finished()
    });
    let stored = stored(&bridge);
    bridge.wait_for_end();
    assert!(stored >= 100);
    // Stored records are committed, and no others.
    assert_eq!(cluster.committed("t", 1), [Some(stored as i64)]);
}

#[test]
fn waits_for_an_influxdb_that_is_down() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::down(Reply::status(503)));
    let want = produce(&cluster, "a");
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).start_until_end();
    wait_until("all is read", || bridge.records() == want.len() as u64);
    wait_until("it tries again and again", || sink.requests() >= 12);
    assert!(!bridge.0.is_finished());
    sink.answer(None);
    bridge.wait_for_end();
    assert_eq!(sink.ids("main"), want);
    assert_eq!(cluster.committed("t", PARTITIONS), [Some(100); 6]);
}

/// librdkafka counts the error of the last record's fetch as this record.
#[test]
fn a_last_record_that_can_not_be_fetched_is_waited_for() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [record("last")]);
    cluster.fail_fetches(true);
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).start_until_end();
    let fetch_errors = || Counters::get(&bridge.0.counters().fetch_errors);
    // Each fetch waits for half a second after an error.
    wait_until("fetches fail for 4 s", || bridge.0.is_finished() || fetch_errors() >= 8);
    assert!(!bridge.0.is_finished(), "the record is unread");
    cluster.fail_fetches(false);
    bridge.wait_for_end();
    assert_eq!((sink.ids("main"), cluster.committed("t", 1)), (vec!["last".to_owned()], vec![Some(1)]));
}

#[test]
fn topics_of_a_pattern_are_those_at_the_start() {
    let (cluster, sink) = (Cluster::with_topic("a1", 1), Sink::start());
    cluster.create_topic("b1", 1);
    for topic in ["a1", "b1"] {
        cluster.produce(topic, 0, [record(topic)]);
    }
    let setup = Setup::new(&cluster, &sink, "['b1', '^a[0-9]$']").mapping(BY_ID);
    setup.start_until_end().wait_for_end();
    assert_eq!(sink.ids("main"), ["a1", "b1"]);
}

#[test]
fn a_pattern_without_topics_ends_at_once() {
    let (cluster, sink) = (Cluster::with_topic("other", 1), Sink::start());
    Setup::new(&cluster, &sink, "'^a[0-9]$'").mapping(BY_ID).start_until_end().wait_for_end();
    assert_eq!(sink.lines_stored(), 0);
}

#[test]
fn a_missing_topic_is_an_error() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    let bridge = Setup::new(&cluster, &sink, "['t', 'missing']").mapping(BY_ID).start_until_end();
    wait_until("it ends", || bridge.0.is_finished());
    match bridge.0.join() {
        Err(PipelineError::Consumer(ConsumerError::Member(MemberError::MissingTopics(named)))) => {
            assert_eq!(named, "missing");
        }
        other => panic!("{other:?}"),
    }
}

/// The last batch is written after the end was seen, and a limit of the server blocks its topic only then.
#[test]
fn a_last_batch_that_a_limit_keeps_out_is_an_error() {
    let limit = r#"{"error":"partial write: max-series-per-database limit exceeded: (1) dropped=1"}"#;
    let sink = Sink::answering(Box::new(move |_| Some(Reply::status(400).body(limit))));
    let cluster = Cluster::with_topic("t", 1);
    cluster.produce("t", 0, [record("a")]);
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID);
    let mut config = setup.config();
    config.batch.age_max = Duration::from_mins(10);
    let options = PipelineOptions { until_end: true, ..PipelineOptions::default() };
    let bridge = Bridge(Pipeline::start_with(&config, Arc::new(LogObserver), options).unwrap());
    wait_until("it ends", || bridge.0.is_finished());
    match bridge.0.join() {
        Err(PipelineError::Consumer(ConsumerError::Blocked { topic, cause, why })) => {
            assert_eq!((topic.as_str(), cause), ("t", "server_limit"));
            assert!(why.contains("max-series-per-database"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(cluster.committed("t", 1), [None]);
}
