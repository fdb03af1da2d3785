//! A reload while records flow. Each record is stored once: by the old rules or, later in its partition, by the new ones.

use crate::folder::Folder;
use crate::program::Running;
use crate::support::{BY_ID, Bridge, Cluster, Setup, Sink, record, tag, wait_until};
use base::alarm::Scope;
use engine::telemetry::Counters;
use kafka_influx_bridge::pipeline::{ReloadOutcome, Reloaded};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use testkit::receiver::Reply;

const PARTITIONS: i32 = 4;

pub fn reload(bridge: &mut Bridge, to: &Setup) -> Reloaded {
    assert_eq!(bridge.0.reload(&to.config()).unwrap(), ReloadOutcome::Begun);
    let mut reloaded = None;
    wait_until("the reload is done", || {
        reloaded = bridge.0.take_reloaded();
        reloaded.is_some()
    });
    reloaded.unwrap()
}

/// A mapping with a tag that names these rules.
fn setup(cluster: &Cluster, sink: &Sink, rules: usize) -> Setup {
    Setup::new(cluster, sink, "'t'").mapping(&format!("{BY_ID}\ntags.rules = '{rules:02}'"))
}

fn refusal(bridge: &mut Bridge, to: &Setup) -> String {
    bridge.0.reload(&to.config()).unwrap_err().to_string()
}

/// Produces into all partitions until `meanwhile` returns; returns the number of records of each partition.
fn under_load(cluster: &Cluster, meanwhile: impl FnOnce()) -> usize {
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut next = 0;
            while !enough.load(Ordering::Relaxed) {
                for partition in 0..PARTITIONS {
                    let records = (next..next + 25).map(|n| record(&format!("{partition}-{n:06}")));
                    cluster.produce("t", partition, records);
                }
                next += 25;
            }
            next
        });
        meanwhile();
        enough.store(true, Ordering::Relaxed);
        load.join().unwrap()
    })
}

/// The rules that stored each record, by partition in order. Asserts that each record was stored once, and in each partition none by older
/// rules than the record before.
fn assert_switched_once(
    sink: &Sink,
    buckets: &[&str],
    records_of_each: usize,
) -> BTreeMap<String, Vec<String>> {
    let points = buckets.iter().flat_map(|bucket| sink.points(bucket));
    let mut by_id: Vec<_> =
        points.map(|point| (tag(&point, "id").unwrap(), tag(&point, "rules").unwrap())).collect();
    by_id.sort();
    let mut partitions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (id, rules) in by_id {
        let (partition, number) = id.split_once('-').unwrap();
        let of_one = partitions.entry(partition.to_owned()).or_default();
        assert_eq!(number, format!("{:06}", of_one.len()), "lost or doubled in partition {partition}");
        of_one.push(rules);
    }
    assert_eq!(partitions.len(), PARTITIONS as usize);
    for (partition, rules) in &partitions {
        assert_eq!(rules.len(), records_of_each, "partition {partition}");
        assert!(rules.is_sorted(), "partition {partition} went back to older rules");
    }
    partitions
}

#[test]
fn a_reload_changes_the_mapping_without_a_rebalance() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let mut bridge = setup(&cluster, &sink, 0).kafka("consumers = 2").start();
    wait_until("both have stored some", || {
        Counters::get(&bridge.0.counters().assigned_partitions) == PARTITIONS as u64
    });
    wait_until("the group is at rest", || Counters::get(&bridge.0.counters().rebalances) >= 2);
    let mut rebalances = 0;
    let count = under_load(&cluster, || {
        wait_until("records flow", || sink.lines_stored() > 500);
        rebalances = Counters::get(&bridge.0.counters().rebalances);
        let reloaded = reload(&mut bridge, &setup(&cluster, &sink, 1).kafka("consumers = 2"));
        assert_eq!((reloaded.changes.to_string().as_str(), reloaded.reread), ("mapping", 0));
        let stored = sink.lines_stored();
        wait_until("records flow again", || sink.lines_stored() > stored + 500);
    });
    let all = count * PARTITIONS as usize;
    sink.wait_for_points("main", all);
    assert_eq!(Counters::get(&bridge.0.counters().rebalances), rebalances);
    bridge.stop();
    let partitions = assert_switched_once(&sink, &["main"], count);
    assert!(partitions.values().all(|rules| rules[0] == "00" && rules[rules.len() - 1] == "01"));
    assert_eq!(sink.lines_stored(), all as u64, "some were written twice");
    assert_eq!(cluster.committed("t", PARTITIONS), [Some(count as i64); 4]);
}

#[test]
fn twenty_reloads_under_load_lose_and_double_nothing() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let mut bridge = setup(&cluster, &sink, 0).start();
    let count = under_load(&cluster, || {
        wait_until("records flow", || sink.lines_stored() > 500);
        for rules in 1..=20 {
            // The number of lanes and the bounds of batches change, too.
            let to = if rules % 2 == 0 {
                setup(&cluster, &sink, rules)
            } else {
                beside_another(&cluster, &sink, rules)
            };
            reload(&mut bridge, &to.batch(&format!("lines_max = {}", 20 + rules % 3)));
            let stored = sink.lines_stored();
            wait_until("records flow again", || sink.lines_stored() > stored + 50);
        }
    });
    let all = count * PARTITIONS as usize;
    sink.wait_for_points("main", all);
    bridge.stop();
    assert_switched_once(&sink, &["main"], count);
    assert_eq!(sink.lines_stored(), all as u64, "some were written twice");
    assert_eq!(cluster.committed("t", PARTITIONS), [Some(count as i64); 4]);
}

/// Adds a destination before the topic's own.
fn beside_another(cluster: &Cluster, sink: &Sink, rules: usize) -> Setup {
    Setup::new(cluster, sink, "'t'")
        .mapping("topics = ['^other$']\nbucket = 'other'")
        .mapping(&format!("{BY_ID}\ntags.rules = '{rules:02}'"))
}

#[test]
fn a_reload_switches_the_destination_after_the_last_settled_record() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let mut bridge = setup(&cluster, &sink, 0).start();
    let to_other = |rules: usize| {
        Setup::new(&cluster, &sink, "'t'")
            .mapping(&format!("{BY_ID}\ntags.rules = '{rules:02}'\nbucket = 'other'"))
    };
    let count = under_load(&cluster, || {
        wait_until("records flow", || sink.lines_stored() > 500);
        let reloaded = reload(&mut bridge, &to_other(1));
        assert_eq!(reloaded.changes.to_string(), "mapping, destination");
        let before = sink.points("main").len();
        wait_until("records flow again", || sink.points("other").len() > 500);
        assert_eq!(sink.points("main").len(), before, "the old lanes were not done");
    });
    wait_until("all are stored", || sink.lines_stored() == (count * PARTITIONS as usize) as u64);
    bridge.stop();
    assert_switched_once(&sink, &["main", "other"], count);
}

/// The most common reason for a reload.
#[test]
fn a_corrected_token_ends_a_block() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::with_token("right"));
    let with = |token: &str, rules| {
        setup(&cluster, &sink, rules).token(token).batch("memory_max = '300kB'\nbytes_max = '10kB'")
    };
    for partition in 0..PARTITIONS {
        cluster.produce("t", partition, (0..2_000).map(|n| record(&format!("{partition}-{n:06}"))));
    }
    let mut bridge = with("wrong", 0).start();
    wait_until("the bridge is blocked, with its memory full", || {
        !bridge.0.writer().alarms().is_empty() && bridge.records() > 100
    });
    // The first correction is wrong, too.
    reload(&mut bridge, &with("wrong-too", 1));
    wait_until("the bridge is blocked again", || !bridge.0.writer().alarms().is_empty());
    let reloaded = reload(&mut bridge, &with("right", 2));
    assert_eq!(reloaded.changes.to_string(), "mapping, influx");
    sink.wait_for_points("main", 8_000);
    wait_until("the alarm ends", || bridge.0.writer().alarms().is_empty());
    bridge.stop();
    let partitions = assert_switched_once(&sink, &["main"], 2_000);
    assert!(partitions.values().flatten().all(|rules| rules == "02"), "stored by rules that had not got in");
    assert_eq!(cluster.committed("t", PARTITIONS), [Some(2_000); 4]);
}

#[test]
fn an_outage_delays_a_reload_within_bounds() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let mut bridge = setup(&cluster, &sink, 0).start();
    for partition in 0..PARTITIONS {
        cluster.produce("t", partition, (0..100).map(|n| record(&format!("{partition}-{n:06}"))));
    }
    wait_until("they are committed", || cluster.committed_in_all("t", PARTITIONS) == 400);
    sink.answer(Some(Reply::status(503)));
    for partition in 0..PARTITIONS {
        cluster.produce("t", partition, (100..1_000).map(|n| record(&format!("{partition}-{n:06}"))));
    }
    wait_until("all are read", || bridge.records() == 4_000);
    let reloaded = reload(&mut bridge, &setup(&cluster, &sink, 1));
    assert_eq!(reloaded.reread, 3_600);
    sink.answer(None);
    sink.wait_for_points("main", 4_000);
    bridge.stop();
    let partitions = assert_switched_once(&sink, &["main"], 1_000);
    assert!(partitions.values().all(|rules| rules[99] == "00" && rules[100] == "01"));
    assert_eq!(cluster.committed("t", PARTITIONS), [Some(1_000); 4]);
}

#[test]
fn a_blocked_topic_resumes_with_a_corrected_mapping() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let wrong = setup(&cluster, &sink, 0).mapping_key("time_key = 'tiem'\ntime_format = 'unix'");
    for partition in 0..PARTITIONS {
        cluster.produce("t", partition, (0..1_500).map(|n| record(&format!("{partition}-{n:06}"))));
    }
    let mut bridge = wrong.start();
    let is_blocked = |bridge: &Bridge| {
        bridge.0.writer().alarms().iter().any(|alarm| alarm.scope == Scope::Topic("t".to_owned()))
    };
    wait_until("the topic is blocked", || is_blocked(&bridge));
    // Now the topic is paused, and some of its records were left unsettled.
    assert_eq!((bridge.records(), cluster.committed_in_all("t", PARTITIONS)), (99, 0));
    reload(&mut bridge, &setup(&cluster, &sink, 1));
    sink.wait_for_points("main", 6_000);
    assert!(!is_blocked(&bridge));
    bridge.stop();
    assert_eq!(cluster.committed("t", PARTITIONS), [Some(1_500); 4]);
}

#[test]
fn a_reload_that_needs_a_restart_or_fails_keeps_the_old_configuration() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let mut bridge = setup(&cluster, &sink, 0).start();
    assert_eq!(bridge.0.reload(&setup(&cluster, &sink, 0).config()).unwrap(), ReloadOutcome::NothingChanged);
    let why = refusal(&mut bridge, &setup(&cluster, &sink, 1).kafka("record_bytes_max = '2MB'"));
    assert!(why.contains("kafka.record_bytes_max changed: restart"), "{why}");
    let why =
        refusal(&mut bridge, &setup(&cluster, &sink, 1).batch("[dead_letter]\nfile = '/proc/none/such'"));
    assert!(why.contains("/proc/none/such"), "{why}");
    let many = (0..5).fold(setup(&cluster, &sink, 1).clear_mappings(), |setup, n| {
        setup.mapping(&format!("topics = ['^x{n}$']\nbucket = '{n}'"))
    });
    let why = refusal(&mut bridge, &many.mapping(BY_ID));
    assert!(why.contains("6 destinations") && why.contains("restart"), "{why}");
    cluster.produce("t", 0, [record("a")]);
    sink.wait_for_points("main", 1);
    assert_eq!(tag(&sink.points("main")[0], "rules").as_deref(), Some("00"));
    bridge.stop();
}

#[test]
fn dead_letters_continue_in_the_same_file_or_another() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    let folder = Folder::new();
    let with = |rules: usize, file: &str| {
        let file = folder.file(file);
        setup(&cluster, &sink, rules).batch(&format!("[dead_letter]\nfile = '{}'", file.display()))
    };
    let mut bridge = with(0, "a").start();
    cluster.produce("t", 0, ["no json"]);
    wait_until("a letter is written", || folder.count_lines("a") == 1);
    reload(&mut bridge, &with(1, "a"));
    cluster.produce("t", 0, ["no json"]);
    wait_until("the next one too", || folder.count_lines("a") == 2);
    reload(&mut bridge, &with(1, "b"));
    cluster.produce("t", 0, ["no json"]);
    wait_until("the last one is in the other file", || folder.count_lines("b") == 1);
    // Without any dead letters.
    reload(&mut bridge, &setup(&cluster, &sink, 2));
    cluster.produce("t", 0, ["no json", &record("good")]);
    wait_until("both are settled", || cluster.committed("t", 1) == [Some(5)]);
    assert_eq!((folder.count_lines("a"), folder.count_lines("b")), (2, 1));
    bridge.stop();
}

#[test]
fn the_service_reloads_at_sighup_and_survives_a_wrong_file() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    let mut service = Running::start(&setup(&cluster, &sink, 0).text());
    cluster.produce("t", 0, [record("a")]);
    sink.wait_for_points("main", 1);
    service.folder.write("bridge.toml", "[kafka]\nnothing = 'of use'\n");
    service.signal("HUP");
    wait_until("the error is logged", || service.has_logged("the bridge keeps the old one"));
    assert!(service.has_logged("unknown key \"nothing\""));
    cluster.produce("t", 0, [record("b")]);
    sink.wait_for_points("main", 2);
    service.folder.write("bridge.toml", setup(&cluster, &sink, 1).text());
    service.signal("HUP");
    wait_until("it is reloaded", || service.has_logged("configuration reloaded: mapping"));
    cluster.produce("t", 0, [record("c")]);
    sink.wait_for_points("main", 3);
    service.signal("HUP");
    wait_until("nothing has to be done", || service.has_logged("the configuration is unchanged"));
    assert_eq!(service.stop(), Some(0));
    let mut rules: Vec<_> =
        sink.points("main").iter().map(|point| (tag(point, "id"), tag(point, "rules"))).collect();
    rules.sort();
    let rules: Vec<_> = rules.into_iter().map(|(_, rules)| rules.unwrap()).collect();
    assert_eq!(rules, ["00", "00", "01"]);
}

/// A reload may meet any step of an assignment or a revocation. Records that a revocation leaves unsettled may be stored by both rules, so
/// only missing records count.
#[test]
fn reloads_while_members_come_and_go_lose_nothing() {
    let (cluster, sink) = (Cluster::with_topic("t", PARTITIONS), Sink::start());
    let mut first = setup(&cluster, &sink, 0).start();
    let count = under_load(&cluster, || {
        wait_until("records flow", || sink.lines_stored() > 500);
        let mut rules = 0;
        for _ in 0..3 {
            let second = setup(&cluster, &sink, rules).start();
            let has_share = || Counters::get(&second.0.counters().assigned_partitions) > 0;
            wait_until("the second has a share", || {
                rules += 1;
                reload(&mut first, &setup(&cluster, &sink, rules));
                has_share()
            });
            second.stop();
        }
        let stored = sink.lines_stored();
        wait_until("records flow", || sink.lines_stored() > stored + 500);
    });
    wait_until("all are committed", || cluster.committed("t", PARTITIONS) == [Some(count as i64); 4]);
    first.stop();
    let mut stored = sink.ids("main");
    stored.dedup();
    let all = (0..PARTITIONS).flat_map(|partition| (0..count).map(move |n| format!("{partition}-{n:06}")));
    assert_eq!(stored, all.collect::<Vec<_>>());
}
