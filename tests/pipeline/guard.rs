//! A topic whose records are nearly all rejected or refused holds; the others flow.

use crate::support::{BY_ID, Bridge, Cluster, Setup, Sink, record, wait_until};
use kafka_influx_bridge::alarm::Scope;
use std::sync::atomic::Ordering::Relaxed;

fn holds(bridge: &Bridge, topic: &str) -> bool {
    bridge.0.writer.alarms().iter().any(|alarm| {
        alarm.holds && alarm.cause == "reject_rate" && alarm.scope == Scope::Topic(topic.to_owned())
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
    wait_until("the topic holds", || holds(&bridge, "typo"));
    let alarm = bridge.0.writer.alarms().remove(0);
    assert!(alarm.why.contains("time_key") && alarm.remedy.contains("rate_max"), "{alarm:?}");
    // What it holds stays held while others flow, also what comes later.
    cluster.produce("typo", 0, (3_000..3_100).map(|n| record(&n.to_string())));
    cluster.produce("good", 0, (0..5_000).map(|n| record(&n.to_string())));
    sink.wait_for_points("main", 5_000);
    wait_until("the other topic is committed", || cluster.committed("good", 1) == [Some(5_000)]);
    assert!(holds(&bridge, "typo"));
    bridge.stop();
    // The guard lets a thousand pass, less the one that made it hold.
    assert_eq!(cluster.committed("typo", 1), [Some(999)]);
    // Corrected, the bridge goes on where the topic held.
    let bridge = setup("").start();
    sink.wait_for_points("main", 5_000 + 3_100 - 999);
    bridge.stop();
    assert_eq!(cluster.committed("typo", 1), [Some(3_100)]);
}

#[test]
fn a_topic_of_refused_lines_holds() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, [record("first")]);
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(&format!("{BY_ID}\nstring_fields = ['v']"));
    let bridge = setup.start();
    sink.wait_for_points("main", 1);
    // The field is a number already. What is in flight and open when the first batch comes back is refused too.
    cluster.produce("t", 0, (0..30_000).map(|n| format!(r#"{{"id":"{n}","v":"text"}}"#)));
    wait_until("the topic holds", || holds(&bridge, "t"));
    let refused = bridge.0.writer.counters().lines_refused.load(Relaxed);
    assert!((1_000..20_000).contains(&refused), "{refused}");
    bridge.stop();
    let committed = cluster.committed("t", 1)[0].unwrap();
    assert!((1_001..20_001).contains(&committed), "{committed}");
}

#[test]
fn the_guard_can_be_switched_off() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    cluster.produce("t", 0, (0..3_000).map(|n| record(&n.to_string())));
    let bridge = Setup::new(&cluster, &sink, "'t'")
        .mapping("time_key = 'tiem'\ntime_format = 'unix'")
        .top("[reject]\nrate_max = 1.0")
        .start();
    wait_until("all are skipped", || cluster.committed("t", 1) == [Some(3_000)]);
    assert!(bridge.0.writer.alarms().is_empty());
    bridge.stop();
}
