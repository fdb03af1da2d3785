//! The receiver fails for a while: nothing is lost, and nothing is committed that is not stored.

use crate::program::Running;
use crate::support::{BY_ID, Cluster, GROUP, Setup, Sink, record, wait_until};
use std::time::{Duration, Instant};
use testkit::receiver::{Ending, Reply};

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:04}")).collect()
}

/// The committed offsets of the partitions before `partition`, after a commit that could have included them: that of a rejected
/// record, which settles whatever the receiver does.
fn after_a_commit(cluster: &Cluster, partition: i32) -> Vec<Option<i64>> {
    cluster.produce("t", partition, ["rejected"]);
    let mut committed = Vec::new();
    wait_until("the rejected record is committed", || {
        committed = cluster.committed("t", partition + 1);
        committed.pop() == Some(Some(1))
    });
    committed
}

/// Fails with `reply` until it got some requests, then works.
fn outage(reply: Reply) {
    const RECORDS: usize = 1_000;
    let (cluster, sink) = (Cluster::with_topic("t", 3), Sink::down(reply));
    for partition in 0..2 {
        cluster.produce("t", partition, ids(RECORDS).iter().map(|id| record(&format!("{partition}-{id}"))));
    }
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).influx("timeout = '500ms'").start();
    wait_until("all are read", || bridge.records() == 2 * RECORDS as u64);
    wait_until("some requests failed", || sink.requests() >= 4);
    let committed = after_a_commit(&cluster, 2);
    assert_eq!(committed, [None, None], "committed before it was stored");
    assert_eq!(sink.points("main").len(), 0);
    sink.answer(None);
    sink.wait_for_points("main", 2 * RECORDS);
    bridge.stop();
    assert_eq!(cluster.committed("t", 3), [Some(1_000), Some(1_000), Some(1)]);
}

#[test]
fn nothing_is_lost_while_the_receiver_answers_503() {
    outage(Reply::status(503));
}

#[test]
fn nothing_is_lost_while_the_receiver_hangs() {
    outage(Reply::status(204).ending(Ending::Hang));
}

#[test]
fn nothing_is_lost_while_the_receiver_closes_connections() {
    outage(Reply::status(204).ending(Ending::Reset));
}

/// The lines are stored, and the answer is lost. The lines are retried and become the same points.
#[test]
fn lines_that_are_written_again_become_the_same_points() {
    let (cluster, sink) = (Cluster::with_topic("t", 2), Sink::down(Reply::status(503).storing()));
    cluster.produce("t", 0, ids(100).iter().map(|id| record(id)));
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).start();
    wait_until("the lines came twice", || sink.lines_stored() >= 200);
    assert_eq!(after_a_commit(&cluster, 1), [None]);
    sink.answer(None);
    wait_until("all is committed", || cluster.committed("t", 1) == [Some(100)]);
    bridge.stop();
    assert_eq!(sink.ids("main"), ids(100));
}

#[test]
fn a_stop_while_the_receiver_is_down_leaves_in_time_and_a_start_replays() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    // The second start need not wait for the first session to expire.
    let setup = Setup::new(&cluster, &sink, "'t'")
        .kafka("instance_id = 'one'")
        .mapping(BY_ID)
        .top("shutdown_max = '2s'");
    let all = ids(300);
    cluster.produce("t", 0, all[..100].iter().map(|id| record(id)));
    let mut first = Running::start(&setup.text());
    wait_until("the first 100 are committed", || cluster.committed("t", 1) == [Some(100)]);
    sink.answer(Some(Reply::status(503).storing()));
    cluster.produce("t", 0, all[100..].iter().map(|id| record(id)));
    wait_until("writing has failed", || sink.lines_stored() > 100);
    let begin = Instant::now();
    assert_eq!(first.stop(), Some(0));
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    assert_eq!(cluster.committed("t", 1), [Some(100)], "group {GROUP}: unsettled records were committed");
    let before = sink.points("main");
    sink.answer(None);
    let mut second = Running::start(&setup.text());
    wait_until("all are committed", || cluster.committed("t", 1) == [Some(300)]);
    assert_eq!(second.stop(), Some(0));
    let after = sink.points("main");
    assert_eq!(sink.ids("main"), all);
    assert!(before.iter().all(|point| after.contains(point)), "a replay gave other points");
}
