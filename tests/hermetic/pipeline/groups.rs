//! Members come and go while records flow: nothing is lost, and everything is committed in the end.

use crate::support::{BY_ID, Cluster, Setup, Sink, record, wait_until};
use engine::telemetry::Counters;
use std::time::Duration;
use testkit::receiver::Reply;

pub const PARTITIONS: i32 = 6;

/// Produces 100 records into each partition; returns their identifiers.
pub fn produce(cluster: &Cluster, round: &str) -> Vec<String> {
    let mut all = Vec::new();
    for partition in 0..PARTITIONS {
        let ids: Vec<String> = (0..100).map(|n| format!("{round}-{partition}-{n:02}")).collect();
        cluster.produce("t", partition, ids.iter().map(|id| record(id)));
        all.extend(ids);
    }
    all
}

#[test]
fn two_consumers_of_one_bridge_share_the_partitions() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let mut want = produce(&cluster, "a");
    let bridge = Setup::new(&cluster, &sink, "'t'").kafka("consumers = 2").mapping(BY_ID).start();
    wait_until("both were assigned some", || Counters::get(&bridge.0.counters().rebalances) >= 2);
    let assigned = || Counters::get(&bridge.0.counters().assigned_partitions);
    want.extend(produce(&cluster, "b"));
    wait_until("all are stored", || sink.ids("main").len() == want.len());
    wait_until("every partition is assigned", || assigned() == PARTITIONS as u64);
    bridge.stop();
    assert_eq!(sink.ids("main"), want);
    assert_eq!(cluster.committed("t", PARTITIONS), [Some(200); 6]);
}

#[test]
fn nothing_is_lost_when_bridges_come_and_go() {
    come_and_go(|setup| setup);
}

/// The brokers assign the partitions (KIP-848).
#[test]
fn nothing_is_lost_when_bridges_of_the_consumer_protocol_come_and_go() {
    come_and_go(Setup::consumer_protocol);
}

fn come_and_go(change: impl FnOnce(Setup) -> Setup) {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let setup = change(Setup::new(&cluster, &sink, "'t'").mapping(BY_ID));
    let mut want = produce(&cluster, "a");
    let first = setup.start();
    wait_until("the first reads", || first.records() > 0);
    let second = setup.start();
    want.extend(produce(&cluster, "b"));
    wait_until("the second has a share", || Counters::get(&second.0.counters().assigned_partitions) > 0);
    want.extend(produce(&cluster, "c"));
    wait_until("all are stored", || sink.ids("main").len() == want.len());
    first.stop();
    want.extend(produce(&cluster, "d"));
    wait_until("the second reads all", || sink.ids("main").len() == want.len());
    second.stop();
    assert_eq!(sink.ids("main"), want);
    assert_eq!(cluster.committed("t", PARTITIONS), [Some(400); 6]);
}

#[test]
fn a_rebalance_while_fetches_fail_skips_no_record() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID);
    let mut want = produce(&cluster, "a");
    let first = setup.start();
    wait_until("all are stored", || sink.ids("main").len() == want.len());
    cluster.fail_fetches(true);
    wait_until("the errors are counted", || {
        Counters::get(&first.0.counters().fetch_errors) >= PARTITIONS as u64
    });
    want.extend(produce(&cluster, "b"));
    let second = setup.start();
    wait_until("the second has a share", || Counters::get(&second.0.counters().assigned_partitions) > 0);
    cluster.fail_fetches(false);
    wait_until("all are committed", || cluster.committed_in_all("t", PARTITIONS) == want.len() as i64);
    let stored = sink.ids("main");
    let lost: Vec<_> = want.iter().filter(|id| !stored.contains(id)).collect();
    assert!(lost.is_empty(), "lost {lost:?}");
    first.stop();
    second.stop();
}

#[test]
fn a_blocked_bridge_stays_in_the_group_beyond_the_poll_interval() {
    const RECORDS: i64 = 5_000;
    let interval = Duration::from_secs(3);
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::down(Reply::status(401)));
    // More records than fit into all batches, so that the bridge stops reading.
    for partition in 0..PARTITIONS {
        cluster.produce("t", partition, (0..RECORDS).map(|n| record(&format!("{partition}-{n}"))));
    }
    let bridge = Setup::new(&cluster, &sink, "'t'")
        .kafka(&format!("librdkafka.'max.poll.interval.ms' = {}", interval.as_millis()))
        .mapping(BY_ID)
        .start();
    let rebalances = || Counters::get(&bridge.0.counters().rebalances);
    let blocked_for =
        || bridge.0.writer().alarms().iter().map(|alarm| alarm.lasting).max().unwrap_or_default();
    wait_until("the bridge is blocked for longer than the interval, twice", || {
        blocked_for() > interval * 2 + interval / 2
    });
    assert_eq!((rebalances(), sink.lines_stored()), (1, 0), "it was thrown out");
    assert!(bridge.records() < (RECORDS * i64::from(PARTITIONS)) as u64, "everything was taken");
    sink.answer(None);
    wait_until("all are committed", || cluster.committed("t", PARTITIONS) == [Some(RECORDS); 6]);
    assert_eq!(rebalances(), 1);
    assert_eq!(sink.lines_stored(), (RECORDS * i64::from(PARTITIONS)) as u64);
    bridge.stop();
}
