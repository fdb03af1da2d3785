//! A topic whose records are nearly all rejected or refused is blocked; other topics flow.

use super::outage::Service;
use crate::support::{BY_ID, Bridge, Cluster, Setup, Sink, record, wait_until};
use base::alarm::Scope;
use engine::ProbeDelays;
use kafka_influx_bridge::pipeline::{PipelineOptions, ReloadOutcome};
use mapping::Reason;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use testkit::receiver::Reply;

const PROBES: ProbeDelays =
    ProbeDelays { first: Duration::from_millis(100), max: Duration::from_millis(400) };

fn blocks(bridge: &Bridge, topic: &str) -> bool {
    bridge.0.writer().alarms().iter().any(|alarm| {
        alarm.blocks && alarm.cause == "reject_rate" && alarm.scope == Scope::Topic(topic.to_owned())
    })
}

#[test]
fn a_mistyped_time_key_skips_no_topic() {
    let (cluster, sink) = (Cluster::with_topic("typo", 1), Sink::start());
    cluster.create_topic("good", 1);
    cluster.produce("typo", 0, (0..3_000).map(|n| record(&n.to_string())));
    let setup = |time_key: &str| {
        Setup::new(&cluster, &sink, "['typo', 'good']")
            .mapping(&format!("topics = ['typo']\n{BY_ID}\n{time_key}"))
            .mapping(BY_ID)
    };
    let bridge = setup("time_key = 'tiem'\ntime_format = 'unix'").start();
    wait_until("the topic is blocked", || blocks(&bridge, "typo"));
    let alarm = bridge.0.writer().alarms().remove(0);
    assert!(alarm.why.contains("time_key") && alarm.remedy.contains("rate_max"), "{alarm:?}");
    // Its records stay in Kafka while other topics flow; so do later ones.
    cluster.produce("typo", 0, (3_000..3_100).map(|n| record(&n.to_string())));
    cluster.produce("good", 0, (0..5_000).map(|n| record(&n.to_string())));
    sink.wait_for_points("main", 5_000);
    wait_until("the other topic is committed", || cluster.committed("good", 1) == [Some(5_000)]);
    assert!(blocks(&bridge, "typo"));
    bridge.stop();
    // None of the first hundred became a point, so none of them is settled.
    assert_eq!(cluster.committed("typo", 1), [None]);
    // With a corrected mapping, every record becomes a point.
    let bridge = setup("").start();
    sink.wait_for_points("main", 5_000 + 3_100);
    bridge.stop();
    assert_eq!(cluster.committed("typo", 1), [Some(3_100)]);
}

#[test]
fn a_topic_of_refused_lines_is_blocked() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [record("first")]);
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(&format!("{BY_ID}\nstring_fields = ['v']"));
    let bridge = setup.start();
    sink.wait_for_points("main", 1);
    // The field has numbers already. Lines that are in flight or open when the first batch is refused are refused, too.
    cluster.produce("t", 0, (0..30_000).map(|n| format!(r#"{{"id":"{n}","v":"text"}}"#)));
    wait_until("the topic is blocked", || blocks(&bridge, "t"));
    let refused = bridge.0.writer().counters().lines_refused.load(Relaxed);
    assert!((1_000..20_000).contains(&refused), "{refused}");
    bridge.stop();
    let committed = cluster.committed("t", 1)[0].unwrap();
    assert!((1_001..20_001).contains(&committed), "{committed}");
}

/// InfluxDB accepts the lines again, and the topic resumes without a reload or restart.
#[test]
fn a_topic_of_refused_lines_resumes_by_itself_and_loses_nothing() {
    const PARTITIONS: i32 = 4;
    const EACH: usize = 12_000;
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    cluster.create_topic("good", 1);
    cluster.produce("good", 0, [record("first")]);
    let setup = Setup::new(&cluster, &sink, "['t', 'good']")
        .mapping(&format!("{BY_ID}\nmeasurement = 'm'\nstring_fields = ['v']"));
    let bridge = setup.start_with(PipelineOptions { probes: PROBES, ..PipelineOptions::default() });
    sink.wait_for_points("main", 1);
    // The field has numbers already.
    for partition in 0..PARTITIONS {
        let text = (0..EACH).map(|n| format!(r#"{{"id":"{partition}-{n:06}","v":"text"}}"#));
        cluster.produce("t", partition, text);
    }
    wait_until("the topic is blocked", || blocks(&bridge, "t"));
    let writer = bridge.0.writer().counters();
    let at_first = writer.lines_refused.load(Relaxed);
    wait_until("probes are refused", || writer.lines_refused.load(Relaxed) > at_first + 20);
    assert!(blocks(&bridge, "t"));
    cluster.produce("good", 0, (0..100).map(|n| record(&format!("good-{n}"))));
    sink.wait_for_points("main", 101);
    // Simulates that the measurement was dropped.
    sink.receiver.clear();
    wait_until("the topic flows", || !blocks(&bridge, "t"));
    let all = EACH as i64;
    wait_until("all are committed", || cluster.committed("t", PARTITIONS) == [Some(all); 4]);
    let refused = writer.lines_refused.load(Relaxed) as usize;
    assert_eq!(sink.points("main").len() + refused, PARTITIONS as usize * EACH, "each is stored or refused");
    assert!(
        refused < PARTITIONS as usize * EACH / 2,
        "{refused} were let through while the topic was blocked"
    );
    bridge.stop();
}

#[test]
fn a_reload_without_changes_lifts_the_block_and_it_blocks_again_sooner() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [record("first")]);
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID);
    let mut bridge = setup.start();
    sink.wait_for_points("main", 1);
    assert_eq!(bridge.0.reload(&setup.config()).unwrap(), ReloadOutcome::NothingChanged);
    cluster.produce("t", 0, (0..5_000).map(|_| "no json"));
    wait_until("the topic is blocked", || blocks(&bridge, "t"));
    wait_until("what passed before is committed", || cluster.committed("t", 1) == [Some(1 + 999)]);
    for lifted in 1..=3 {
        let topics = ["t".to_owned()].into();
        assert_eq!(bridge.0.reload(&setup.config()).unwrap(), ReloadOutcome::BlocksLifted { topics });
        wait_until("99 records are read again", || bridge.records() == 1_000 + lifted * 99);
        wait_until("the alarm is raised again", || blocks(&bridge, "t"));
    }
    bridge.stop();
    assert_eq!(cluster.committed("t", 1), [Some(1_000)], "a lifted block gives no record away");
}

/// `run --until-end` does not end while a topic is blocked.
#[test]
fn until_end_waits_for_a_blocked_topic() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, (0..150).map(|_| "no json"));
    cluster.produce("t", 0, (0..50).map(|n| record(&n.to_string())));
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID);
    let mut bridge = setup.start_until_end();
    wait_until("the topic is blocked", || blocks(&bridge, "t"));
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(!bridge.0.is_finished(), "200 records are not settled");
    assert_eq!(cluster.committed("t", 1), [None]);
    // A lifted block gives no record away: the topic blocks again.
    bridge.0.reload(&setup.config()).unwrap();
    wait_until("99 records are read again", || bridge.records() == 2 * 99 && blocks(&bridge, "t"));
    bridge.stop();
    assert_eq!(cluster.committed("t", 1), [None]);
    setup.top("[reject]\nrate_max = 1.0").start_until_end().wait_for_end();
    assert_eq!(cluster.committed("t", 1), [Some(200)]);
    assert_eq!(sink.points("main").len(), 50);
}

/// A few rejected records of a topic without a point may be the fault of the mapping. They stay uncommitted, and disturb nothing else.
#[test]
fn the_first_rejected_records_stay_uncommitted_until_the_first_point() {
    let (cluster, sink) = (Cluster::with_topic("quiet", 2), Sink::start());
    cluster.create_topic("good", 1);
    cluster.produce("quiet", 0, (0..5).map(|_| "no json"));
    let setup = Setup::new(&cluster, &sink, "['quiet', 'good']").mapping(BY_ID);
    let undecided = |bridge: &Bridge| bridge.0.counters().unsettled_timestamps.undecided();
    for start in 0..2 {
        let bridge = setup.start();
        wait_until("the records are read", || undecided(&bridge) == 5);
        cluster.produce("good", 0, [record(&start.to_string())]);
        wait_until("the other topic is committed", || cluster.committed("good", 1) == [Some(start + 1)]);
        assert_eq!(bridge.0.writer().alarms(), []);
        bridge.stop();
        assert_eq!(cluster.committed("quiet", 2), [None, None]);
    }
    let bridge = setup.start();
    wait_until("the records are read again", || undecided(&bridge) == 5);
    // A point of another partition shows that the mapping fits the topic.
    cluster.produce("quiet", 1, [record("first")]);
    wait_until("both partitions are committed", || cluster.committed("quiet", 2) == [Some(5), Some(1)]);
    wait_until("no record is undecided", || undecided(&bridge) == 0);
    assert_eq!(bridge.rejected(Reason::Undecodable), 5);
    bridge.stop();
}

#[test]
fn a_reload_reads_undecided_records_again_by_the_corrected_mapping() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, (0..5).map(|n| record(&n.to_string())));
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID);
    let mut bridge = setup.clone().mapping_key("time_key = 'tiem'\ntime_format = 'unix'").start();
    wait_until("all are undecided", || bridge.0.counters().unsettled_timestamps.undecided() == 5);
    bridge.0.reload(&setup.config()).unwrap();
    sink.wait_for_points("main", 5);
    wait_until("all are committed", || cluster.committed("t", 1) == [Some(5)]);
    bridge.stop();
}

#[test]
fn with_dead_letters_the_first_rejected_records_settle_at_once() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.create_topic("letters", 1);
    cluster.produce("t", 0, (0..5).map(|_| "no json"));
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).top("[dead_letter]\ntopic = 'letters'");
    let bridge = setup.start();
    wait_until("all are committed", || cluster.committed("t", 1) == [Some(5)]);
    assert_eq!(bridge.0.counters().unsettled_timestamps.undecided(), 0);
    bridge.stop();
}

/// The records of a topic may all be bad, and a run until the end must end. The next run reads them again.
#[test]
fn until_end_leaves_undecided_records_uncommitted_and_warns() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.create_topic("good", 1);
    cluster.produce("t", 0, (0..5).map(|_| "no json"));
    cluster.produce("good", 0, [record("good")]);
    let setup = Setup::new(&cluster, &sink, "['t', 'good']").mapping(BY_ID);
    let mut service = Service::start_until_end(&setup);
    assert_eq!(service.wait(), Some(0));
    assert!(service.has_logged("none became a point: they stay uncommitted"));
    assert!(service.has_logged("read to the end, but 5 rejected records stay uncommitted"));
    assert!(!service.has_logged("everything up to the end is settled and committed"));
    assert_eq!((cluster.committed("t", 1), cluster.committed("good", 1)), (vec![None], vec![Some(1)]));
    setup.top("[reject]\nrate_max = 1.0").start_until_end().wait_for_end();
    assert_eq!(cluster.committed("t", 1), [Some(5)]);
}

/// One of many warnings of one kind is logged, with the number of the others, even if no other warning follows.
#[test]
fn all_refused_lines_are_logged() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(&format!("{BY_ID}\nstring_fields = ['v']"));
    let mut service = Service::start(&setup);
    cluster.produce("t", 0, [record("first")]);
    sink.wait_for_points("main", 1);
    cluster.produce("t", 0, (0..20).map(|n| format!(r#"{{"id":"{n}","v":"text"}}"#)));
    wait_until("they are logged", || service.has_logged("further lines refused by influxdb"));
    service.terminate();
    assert_eq!(service.wait(), Some(0));
    let more = service.sum_logged("refused by influxdb", "more=");
    assert_eq!(more + service.count_logged("line refused by influxdb"), 20);
}

#[test]
fn the_reject_limit_can_be_disabled() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, (0..3_000).map(|n| record(&n.to_string())));
    let bridge = Setup::new(&cluster, &sink, "'t'")
        .mapping("time_key = 'tiem'\ntime_format = 'unix'")
        .top("[reject]\nrate_max = 1.0")
        .start();
    wait_until("all are skipped", || cluster.committed("t", 1) == [Some(3_000)]);
    assert!(bridge.0.writer().alarms().is_empty());
    bridge.stop();
}

/// A limit of InfluxDB excludes new series. Their topic is blocked, another topic of the same bucket flows, and the topic resumes without a
/// reload when the limit is raised.
#[test]
fn a_limit_on_series_blocks_its_topic_until_it_is_raised() {
    const EACH: usize = 1_000;
    let is_raised = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&is_raised);
    let sink = Sink::answering(Box::new(move |request| {
        let dropped = String::from_utf8_lossy(&request.text).matches("id=new").count();
        let body = format!(
            r#"{{"error":"partial write: max-series-per-database limit exceeded: (1000000) dropped={dropped}"}}"#
        );
        (dropped > 0 && !raised.load(Relaxed)).then(|| Reply::status(400).body(body))
    }));
    let cluster = Cluster::with_topic("limited", 2);
    cluster.create_topic("good", 1);
    let mixed = |partition: usize| {
        let id = move |n: usize| {
            if n % 10 == 9 { format!("new-{partition}-{n}") } else { format!("old-{partition}-{n}") }
        };
        (0..EACH).map(move |n| record(&id(n)))
    };
    cluster.produce("limited", 0, mixed(0));
    // At first nothing of this partition meets the limit.
    cluster.produce("limited", 1, (0..EACH).map(|n| record(&format!("old-1-{n}"))));
    let setup = Setup::new(&cluster, &sink, "['limited', 'good']").mapping(BY_ID);
    let bridge = setup.start_with(PipelineOptions { probes: PROBES, ..PipelineOptions::default() });
    let alarm = || bridge.0.writer().alarms().into_iter().find(|alarm| alarm.cause == "server_limit");
    wait_until("the topic is blocked", || alarm().is_some());
    let alarm = alarm().unwrap();
    assert_eq!((alarm.blocks, &alarm.scope), (true, &Scope::Topic("limited".to_owned())));
    assert!(alarm.remedy.contains("max-series-per-database"), "{}", alarm.remedy);

    cluster.produce("good", 0, (0..EACH).map(|n| record(&format!("good-{n}"))));
    wait_until("the other topic flows", || cluster.committed("good", 1) == [Some(EACH as i64)]);
    let writer = bridge.0.writer().counters();
    let requests = sink.requests();
    wait_until("the topic is probed", || sink.requests() > requests + 10);
    assert_eq!(
        bridge.0.writer().alarms().len(),
        1,
        "only this topic is blocked: {:?}",
        bridge.0.writer().alarms()
    );
    let committed = cluster.committed("limited", 2);
    assert!(committed[0].is_none_or(|next| next <= 9), "the first new series is record 9: {committed:?}");

    is_raised.store(true, Relaxed);
    let all = Some(EACH as i64);
    wait_until("all are committed", || cluster.committed("limited", 2) == [all, all]);
    wait_until("the alarm ends", || bridge.0.writer().alarms().is_empty());
    assert_eq!(sink.points("main").len(), 3 * EACH);
    assert_eq!(writer.lines_refused.load(Relaxed), 0);
    bridge.stop();
}
