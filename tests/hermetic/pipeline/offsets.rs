//! The start of reading without committed offsets, and with committed offsets that Kafka has deleted.

use crate::program::Running;
use crate::support::{BY_ID, Cluster, Setup, Sink, record, wait_until};
use engine::consumer::ConsumerError;
use engine::telemetry::Counters;
use kafka::MemberError;
use kafka_influx_bridge::pipeline::PipelineError;

fn records(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| record(&format!("{prefix}{n:03}"))).collect()
}

fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n:03}")).collect()
}

#[test]
fn records_deleted_by_retention_are_counted_and_reading_resumes_at_the_earliest() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID);
    cluster.produce("t", 0, records("a", 2));
    let bridge = setup.start();
    sink.wait_for_points("main", 2);
    bridge.stop();
    assert_eq!(cluster.committed("t", 1), [Some(2)]);
    // The mock cluster keeps the last 5 MB.
    let pad = "x".repeat(900_000);
    for n in 0..10 {
        cluster.produce("t", 0, [format!(r#"{{"id":"b{n:03}","v":1,"pad":"{pad}"}}"#)]);
    }
    let bridge = setup.start();
    wait_until("the last is stored", || sink.ids("main").contains(&"b009".to_owned()));
    let stored = sink.ids("main").len() as u64 - 2;
    let skipped = || Counters::get(&bridge.0.counters().skipped);
    wait_until("the skipped ones are counted", || skipped() > 0);
    assert!(stored < 10, "nothing was deleted");
    assert_eq!((skipped(), stored), (10 - stored, 10 - skipped()));
    bridge.stop();
    assert_eq!(cluster.committed("t", 1), [Some(12)]);
}

#[test]
fn an_offset_beyond_the_end_is_replaced() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, records("a", 5));
    cluster.commit("t", 0, 1_000);
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).start();
    sink.wait_for_points("main", 5);
    wait_until("it is committed", || cluster.committed("t", 1) == [Some(5)]);
    cluster.produce("t", 0, records("b", 5));
    wait_until("the next are committed as usual", || cluster.committed("t", 1) == [Some(10)]);
    assert_eq!(Counters::get(&bridge.0.counters().skipped), 0);
    bridge.stop();
}

#[test]
fn latest_starts_at_the_end_and_commits_it() {
    let (cluster, sink) = (Cluster::with_topic("t", 2), Sink::start());
    cluster.produce("t", 0, records("old", 5));
    cluster.produce("t", 1, records("seen", 5));
    cluster.commit("t", 1, 3);
    let setup = Setup::new(&cluster, &sink, "'t'").kafka("offset_reset = 'latest'").mapping(BY_ID);
    let bridge = setup.start();
    // One partition continues at its committed offset. The end of the other one is committed before any record arrives.
    wait_until("both are committed", || cluster.committed("t", 2) == [Some(5), Some(5)]);
    bridge.stop();
    cluster.produce("t", 0, records("between", 3));
    let bridge = setup.start();
    wait_until("what came in between is read", || sink.ids("main").len() >= 5);
    bridge.stop();
    let want: Vec<String> =
        ids("between", 3).into_iter().chain(["seen003".to_owned(), "seen004".to_owned()]).collect();
    assert_eq!(sink.ids("main"), want);
    assert_eq!(cluster.committed("t", 2), [Some(8), Some(5)]);
}

/// "latest" passes over what was there at the start. A topic that appears later is read from its beginning.
#[test]
fn latest_reads_topics_that_appear_later_from_their_beginning() {
    let (cluster, sink) = (Cluster::with_topic("t-old", 1), Sink::start());
    cluster.produce("t-old", 0, records("old", 5));
    let bridge = Setup::new(&cluster, &sink, "['named', '^t-.*']")
        .mapping(BY_ID)
        .kafka("offset_reset = 'latest'")
        .start();
    wait_until("the old topic begins at its end", || cluster.committed("t-old", 1) == [Some(5)]);
    for topic in ["t-new", "named"] {
        cluster.create_topic(topic, 2);
        cluster.produce(topic, 0, records(topic, 100));
    }
    wait_until("the new topics are read and committed", || {
        ["t-new", "named"].into_iter().all(|topic| cluster.committed(topic, 2) == [Some(100), Some(0)])
    });
    cluster.produce("t-old", 0, records("next", 1));
    sink.wait_for_points("main", 201);
    bridge.stop();
    assert!(!sink.ids("main").contains(&"old004".to_owned()));
}

/// The beginning of a new topic is committed before its first record, so that a restart skips nothing either.
#[test]
fn a_restart_before_the_first_record_of_a_new_topic_skips_nothing() {
    let (cluster, sink) = (Cluster::with_topic("t-old", 1), Sink::start());
    let setup = Setup::new(&cluster, &sink, "'^t-.*'").mapping(BY_ID).kafka("offset_reset = 'latest'");
    let bridge = setup.start();
    wait_until("the old topic is assigned", || cluster.committed("t-old", 1) == [Some(0)]);
    cluster.create_topic("t-new", 1);
    wait_until("the new topic is assigned", || cluster.committed("t-new", 1) == [Some(0)]);
    bridge.stop();
    cluster.produce("t-new", 0, records("new", 3));
    let bridge = setup.start();
    sink.wait_for_points("main", 3);
    bridge.stop();
}

#[test]
fn latest_goes_back_to_the_earliest_where_the_committed_offset_is_gone() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, records("a", 5));
    cluster.commit("t", 0, 1_000);
    let bridge = Setup::new(&cluster, &sink, "'t'").kafka("offset_reset = 'latest'").mapping(BY_ID).start();
    sink.wait_for_points("main", 5);
    // A stop before the reset is known to have gone back would commit the first offset, and the records would be written again.
    wait_until("the smaller offset is committed", || cluster.committed("t", 1) == [Some(5)]);
    bridge.stop();
    assert_eq!(cluster.committed("t", 1), [Some(5)]);
}

#[test]
fn error_stops_the_service_without_committed_offsets_and_names_the_partitions() {
    let (cluster, sink) = (Cluster::with_topic("t", 3), Sink::start());
    cluster.produce("t", 0, records("a", 5));
    cluster.produce("t", 1, records("b", 5));
    cluster.commit("t", 1, 2);
    let setup = Setup::new(&cluster, &sink, "'t'").kafka("offset_reset = 'error'").mapping(BY_ID);
    let bridge = setup.start();
    wait_until("the service ends", || bridge.0.is_finished());
    match bridge.0.join() {
        Err(PipelineError::Consumer(ConsumerError::Member(MemberError::NoOffset(named)))) => {
            assert_eq!(named, "t[0,2]");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(cluster.committed("t", 3), [None, Some(2), None]);
}

#[test]
fn error_continues_from_committed_offsets() {
    let (cluster, sink) = (Cluster::with_topic("t", 2), Sink::start());
    cluster.produce("t", 0, records("a", 5));
    cluster.produce("t", 1, records("b", 5));
    cluster.commit("t", 0, 0);
    cluster.commit("t", 1, 2);
    let bridge = Setup::new(&cluster, &sink, "'t'").kafka("offset_reset = 'error'").mapping(BY_ID).start();
    sink.wait_for_points("main", 8);
    bridge.stop();
    assert_eq!(cluster.committed("t", 2), [Some(5), Some(5)]);
}

/// "error" is about records that were there at the start. A partition that appears later has none.
#[test]
fn error_reads_topics_that_appear_later_from_their_beginning() {
    let (cluster, sink) = (Cluster::with_topic("t-old", 1), Sink::start());
    cluster.produce("t-old", 0, records("old", 5));
    cluster.commit("t-old", 0, 3);
    let setup = Setup::new(&cluster, &sink, "'^t-.*'").mapping(BY_ID).kafka("offset_reset = 'error'");
    let bridge = setup.start();
    sink.wait_for_points("main", 2);
    cluster.create_topic("t-new", 2);
    cluster.produce("t-new", 0, records("new", 10));
    wait_until("the new topic is read and committed, or the service ends", || {
        bridge.0.is_finished() || cluster.committed("t-new", 2) == [Some(10), Some(0)]
    });
    bridge.stop();
    assert_eq!(sink.ids("main").len(), 12);
    // The start of the new partitions is committed, so a restart ends no service.
    let bridge = setup.start();
    cluster.produce("t-new", 1, records("next", 1));
    sink.wait_for_points("main", 13);
    bridge.stop();
}

#[test]
fn a_missing_topic_is_warned_of_with_the_nearest_name() {
    let (cluster, sink) = (Cluster::with_topic("metrics", 1), Sink::start());
    cluster.create_topic("other", 1);
    cluster.produce("other", 0, records("a", 1));
    let mut service =
        Running::start(&Setup::new(&cluster, &sink, "['metrcis', 'other']").mapping(BY_ID).text());
    sink.wait_for_points("main", 1);
    wait_until("the topic is named", || service.has_logged(r#"metrcis (did you mean "metrics"?)"#));
    assert_eq!(service.count_logged("WARN topics of `kafka.topics` do not exist"), 1);
    assert_eq!(service.stop(), Some(0));
}
