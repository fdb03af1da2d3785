//! A fault of one line or destination affects no other.

use crate::support::{BY_ID, Cluster, Setup, Sink, bucket, record, wait_until};
use base::alarm::Scope;
use line_protocol::reader::Value;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use testkit::receiver::{Ending, Faults, Reply};

#[test]
fn a_refused_line_is_skipped_alone() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    // InfluxDB keeps the first type of a field.
    cluster.produce("t", 0, [record("first")]);
    let bridge =
        Setup::new(&cluster, &sink, "'t'").mapping(&format!("{BY_ID}\nstring_fields = ['v']")).start();
    sink.wait_for_points("main", 1);
    let ids: Vec<String> = (0..500).map(|n| format!("{n:03}")).collect();
    let conflict = r#"{"id":"conflict","v":"text"}"#.to_owned();
    let values = ids.iter().enumerate().map(|(n, id)| if n == 123 { conflict.clone() } else { record(id) });
    cluster.produce("t", 0, values);
    sink.wait_for_points("main", 500);
    let refused = &bridge.0.writer().counters().lines_refused;
    wait_until("the line is refused", || refused.load(Relaxed) == 1);
    wait_until("it is settled too", || cluster.committed("t", 1) == [Some(501)]);
    bridge.stop();
    let points = sink.points("main");
    assert!(points.iter().all(|point| point.fields["v"] == Value::Float(1.5)), "the conflict was stored");
}

#[test]
fn a_missing_bucket_blocks_only_its_own_records() {
    let (cluster, sink) = (Cluster::with_topic("good", 2), Sink::with_buckets(&["main"]));
    cluster.create_topic("bad", 2);
    let ids: Vec<String> = (0..200).map(|n| format!("{n:03}")).collect();
    let produce = |from: usize, to: usize| {
        for topic in ["bad", "good"] {
            cluster.produce(topic, 0, ids[from..to].iter().map(|id| record(id)));
        }
    };
    produce(0, 100);
    let bridge = Setup::new(&cluster, &sink, "['good', 'bad']")
        .mapping(&format!("{BY_ID}\ntopics = ['bad']\nbucket = 'missing'"))
        .mapping(&format!("{BY_ID}\ntopics = ['good']"))
        .start();
    wait_until("the missing bucket raises an alarm", || bridge.0.writer().is_blocked(&bucket("missing")));
    produce(100, 200);
    sink.wait_for_points("main", 200);
    wait_until("the good topic is committed", || cluster.committed_in_all("good", 2) == 200);
    assert_eq!(cluster.committed("bad", 2), [None, None]);
    sink.receiver.create(bucket("missing"));
    sink.wait_for_points("missing", 200);
    bridge.stop();
    assert_eq!(cluster.committed_in_all("bad", 2), 200);
    assert_eq!(sink.ids("missing"), ids);
}

/// Each topic of a pattern has a bucket of its own. A topic without one, and one beyond the bound, is blocked alone.
#[test]
fn topics_of_a_pattern_have_their_own_buckets() {
    let (cluster, sink) = (Cluster::with_topic("site.a", 1), Sink::start());
    for topic in ["site.b", "site."] {
        cluster.create_topic(topic, 1);
    }
    let ids: Vec<String> = (0..50).map(|n| format!("{n:03}")).collect();
    let produce = |topic: &str| cluster.produce(topic, 0, ids.iter().map(|id| record(id)));
    produce("site.");
    let setup = |pattern: &str| {
        Setup::new(&cluster, &sink, &format!("'{pattern}'"))
            .mapping(&format!("{BY_ID}\nbucket = '{{topic:site}}'\ntags = {{ site = '{{topic:site}}' }}"))
            .influx("destinations_max = 2")
    };
    let bridge = setup(r"^site\.(?<site>[^.]*)$").start();
    let blocked = |topic: &str| {
        let of_topic = Scope::Topic(topic.to_owned());
        let mut alarms = bridge.0.writer().alarms().into_iter();
        alarms.find(|alarm| alarm.blocks && alarm.cause == "no_destination" && alarm.scope == of_topic)
    };
    wait_until("the topic without a bucket is blocked", || blocked("site.").is_some());
    let alarm = blocked("site.").unwrap();
    assert!(alarm.why.contains("no bucket") && alarm.remedy.contains("topic pattern"), "{alarm:?}");
    for topic in ["site.a", "site.b"] {
        produce(topic);
    }
    sink.wait_for_points("a", 50);
    sink.wait_for_points("b", 50);
    cluster.create_topic("site.c", 1);
    produce("site.c");
    wait_until("the topic beyond the bound is blocked", || blocked("site.c").is_some());
    let alarm = blocked("site.c").unwrap();
    assert!(alarm.remedy.contains("`destinations_max`"), "{alarm:?}");
    wait_until("the others are committed", || {
        ["site.a", "site.b"].iter().all(|topic| cluster.committed(topic, 1) == [Some(50)])
    });
    bridge.stop();
    assert_eq!((sink.ids("a"), sink.ids("b")), (ids.clone(), ids.clone()));
    assert!(sink.points("a")[0].tags.contains(&("site".to_owned(), "a".to_owned())));
    assert_eq!((cluster.committed("site.", 1), cluster.committed("site.c", 1)), (vec![None], vec![None]));
    // With a pattern that fits, the blocked topic is read from its beginning.
    let bridge = setup(r"^(?<site>site)\.$").start();
    sink.wait_for_points("site", 50);
    bridge.stop();
    assert_eq!(sink.ids("site"), ids);
}

/// A destination that refuses lines without end does not delay the other one.
/// The receiver answers the first request with bad lines, and holds all answers to the search for these lines back.
#[test]
fn endless_salvage_stops_no_other_destination() {
    const HELD: usize = 100;
    let (searches, is_held) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
    let faults: Faults = {
        let (searches, is_held) = (Arc::clone(&searches), Arc::clone(&is_held));
        Box::new(move |request| {
            if request.destination != bucket("refusing") || request.line_count() == 0 {
                return None;
            }
            // The first record fixes the type, and comes alone.
            let is_of_search = searches.load(Relaxed) > 0 || request.line_count() > 1;
            (is_of_search && searches.fetch_add(1, Relaxed) > 0 && is_held.load(Relaxed))
                .then(|| Reply::default().ending(Ending::Hang))
        })
    };
    let (cluster, sink) = (Cluster::with_topic("good", 2), Sink::answering(faults));
    cluster.create_topic("bad", 1);
    cluster.produce("bad", 0, [record("first")]);
    let bridge = Setup::new(&cluster, &sink, "['good', 'bad']")
        .mapping(&format!("{BY_ID}\nstring_fields = ['v']\ntopics = ['bad']\nbucket = 'refusing'"))
        .mapping(&format!("{BY_ID}\ntopics = ['good']"))
        .influx("timeout = '5s'")
        .top("[reject]\nrate_max = 1.0")
        .start();
    sink.wait_for_points("refusing", 1);
    // Every second line is refused, so that no batch needs few requests.
    let mixed = |n: usize| {
        if n.is_multiple_of(2) { record(&n.to_string()) } else { format!(r#"{{"id":"{n}","v":"text"}}"#) }
    };
    cluster.produce("bad", 0, (0..HELD).map(mixed));
    wait_until("the search waits for an answer", || searches.load(Relaxed) >= 2);
    for from in [0, 1_000] {
        cluster.produce("good", 0, (from..from + 500).map(|n| record(&n.to_string())));
        cluster.produce("good", 1, (from + 500..from + 1_000).map(|n| record(&n.to_string())));
        wait_until("the good topic is committed", || {
            cluster.committed_in_all("good", 2) == i64::from(from) + 1_000
        });
    }
    assert_eq!(cluster.committed("bad", 1), [Some(1)], "the search still waits");
    sink.wait_for_points("main", 2_000);
    is_held.store(false, Relaxed);
    wait_until("the bad one is settled", || cluster.committed("bad", 1) == [Some(1 + HELD as i64)]);
    bridge.stop();
    assert_eq!(sink.points("refusing").len(), 1 + HELD / 2);
}
