use super::*;

const DELAYS: ProbeDelays = ProbeDelays { first: Duration::from_secs(5), max: Duration::from_mins(1) };

fn gate(rate_max: f64) -> TopicGate {
    TopicGate::new(rate_max, false, DELAYS)
}

/// Handles a record that becomes a point.
fn give_point(gate: &mut TopicGate) {
    gate.note_point(Instant::now());
    gate.pass();
}

/// Handles a rejected record. Returns whether it blocks the topic.
fn blocks(gate: &mut TopicGate, now: Instant) -> bool {
    gate.reject(String::new, now) == RejectedFate::Blocks
}

/// Handles records of which each `one_in`-th is rejected, until the topic is blocked. Returns the number of records.
fn blocked_after(rate_max: f64, one_in: u64, records_per_second: u64, records: u64) -> Option<u64> {
    let (mut gate, start) = (gate(rate_max), Instant::now());
    give_point(&mut gate);
    (1..=records).find(|record| {
        let now = start + Duration::from_secs_f64(*record as f64 / records_per_second as f64);
        if record % one_in == 0 {
            return blocks(&mut gate, now);
        }
        gate.pass();
        !gate.is_open()
    })
}

#[test]
fn blocks_when_a_thousand_were_rejected_above_the_rate() {
    let f = |rate_max, one_in, per_second, want| {
        let blocked = blocked_after(rate_max, one_in, per_second, 100_000);
        assert_eq!(blocked, want, "{rate_max} {one_in} {per_second}");
    };
    // If all are rejected, the thousandth blocks, also at a low rate of records.
    f(0.1, 1, 100_000, Some(1_000));
    f(0.1, 1, 5, Some(1_000));
    f(0.1, 5, 100_000, Some(5_000));
    f(0.1, 5, 10, Some(5_000));
    f(0.1, 11, 100_000, None);
    f(0.05, 11, 100_000, Some(11_000));
    f(1.0, 1, 100_000, None);
    f(0.0, 1_000, 100_000, None);
    f(0.0, 50, 100_000, Some(50_000));
}

#[test]
fn forgets_a_past_burst() {
    let (mut gate, now) = (gate(0.1), Instant::now());
    give_point(&mut gate);
    for _ in 0..10 {
        for _ in 0..999 {
            assert!(!blocks(&mut gate, now));
        }
        for _ in 0..20_000 {
            gate.pass();
        }
        // One rejection among so many good records is within the rate.
        assert!(!blocks(&mut gate, now));
    }
}

#[test]
fn counts_refusals_of_passed_records() {
    let (mut gate, now) = (gate(0.1), Instant::now());
    for _ in 0..5_000 {
        gate.pass();
    }
    assert!(!gate.refuse(600, String::new, now));
    assert!(gate.refuse(600, || "422".to_owned(), now));
    assert!(gate.is_blocked());
}

#[test]
fn blocks_when_the_first_hundred_records_are_all_rejected() {
    // Before the rejected records come a point, a filtered record, or a record with good and bad elements.
    let f = |rate_max: f64, before: &dyn Fn(&mut TopicGate), want: Option<u64>| {
        let (mut gate, now) = (gate(rate_max), Instant::now());
        before(&mut gate);
        let blocked = (1..=2_000).find(|_| blocks(&mut gate, now));
        assert_eq!(blocked, want, "{rate_max}");
    };
    f(0.1, &|_| {}, Some(100));
    f(0.99, &|_| {}, Some(100));
    f(1.0, &|_| {}, None);
    f(0.1, &give_point, Some(1_000));
    let mixed = |gate: &mut TopicGate| {
        gate.note_point(Instant::now());
        assert!(!blocks(gate, Instant::now()));
    };
    f(0.1, &mixed, Some(999));
    // Tombstones and filtered records do not count.
    f(0.1, &|gate| assert!((0..500).any(|_| gate.filter())), Some(100));
}

#[test]
fn warns_once_when_the_first_hundred_records_are_all_filtered() {
    let mut gate = gate(0.1);
    let warned: Vec<u64> = (1..=1_000).filter(|_| gate.filter()).collect();
    assert_eq!(warned, [100]);
    let mut one_rejected = TopicGate::new(0.1, false, DELAYS);
    assert!(!blocks(&mut one_rejected, Instant::now()));
    assert!((0..1_000).all(|_| !one_rejected.filter()));
    let mut one_stored = TopicGate::new(0.1, false, DELAYS);
    give_point(&mut one_stored);
    assert!((0..1_000).all(|_| !one_stored.filter()));
}

/// Blocks the topic by refusals, then advances by seconds. Each due probe sends `sent` records, of which `refused` are refused.
/// Returns the seconds at which probes began.
fn probes(seconds: u64, sent: u64, refused: u64) -> (Vec<u64>, TopicGate) {
    let (mut gate, start) = (gate(0.1), Instant::now());
    (0..9_000).for_each(|_| gate.pass());
    assert!(gate.refuse(1_001, || "422".to_owned(), start));
    let mut began = Vec::new();
    for second in 1..=seconds {
        let now = start + Duration::from_secs(second);
        gate.end_failed_probe(now);
        let Some(how) = gate.resumption(now) else { continue };
        gate.resume(how, now);
        if how == Resumption::Probe {
            began.push(second);
            let admitted = (0..sent).filter(|_| gate.admit() == Admission::Admitted).count();
            assert_eq!(admitted as u64, sent.min(PROBE_RECORDS));
            (0..refused).for_each(|_| assert!(!gate.refuse(1, String::new, now)));
        }
    }
    (began, gate)
}

#[test]
fn probes_with_growing_delays_while_records_are_refused() {
    let (began, gate) = probes(300, 1_000, PROBE_RECORDS);
    assert_eq!(began, [5, 16, 37, 78, 139, 200, 261]);
    assert!(!gate.is_open());
}

#[test]
fn opens_when_a_probe_is_stored() {
    for (sent, refused, opens) in [(1_000, 0, true), (3, 0, true), (1_000, 1, true), (1_000, 2, false)] {
        let (began, gate) = probes(10, sent, refused);
        assert_eq!((began.len(), gate.is_open()), (1, opens), "{sent} {refused}");
    }
}

#[test]
fn a_probe_without_records_ends() {
    let (began, gate) = probes(5 + 59, 0, 0);
    assert_eq!((began.as_slice(), gate.is_open()), ([5].as_slice(), false));
    assert!(probes(5 + 60, 0, 0).1.is_open());
}

#[test]
fn blocks_a_reopened_topic_after_a_hundred_refusals() {
    let (_, mut gate) = probes(10, 1_000, 0);
    let now = Instant::now() + Duration::from_mins(1);
    assert_eq!((1..=2_000).find(|_| gate.refuse(1, String::new, now)), Some(100));
    // After many good records, the usual number of refusals applies again.
    let (_, mut gate) = probes(10, 1_000, 0);
    (0..5_000).for_each(|_| gate.pass());
    assert!(!gate.refuse(1, String::new, now));
    let again = (1..=9_000).find(|_| gate.refuse(1, String::new, now)).unwrap();
    assert!(again >= 1_000, "{again}");
}

#[test]
fn only_a_reload_lifts_a_block_by_the_mapping() {
    let (mut gate, now) = (gate(0.1), Instant::now());
    assert!((0..100).any(|_| blocks(&mut gate, now)));
    let later = now + Duration::from_hours(1);
    assert_eq!(gate.resumption(later), None);
    assert_eq!(gate.admit(), Admission::Unsettled);
    gate.lift();
    assert_eq!(
        gate.admit(),
        Admission::Unsettled,
        "the topic stays blocked until its records are read again"
    );
    assert_eq!(gate.resumption(now), Some(Resumption::Open));
    gate.resume(Resumption::Open, now);
    assert_eq!(gate.admit(), Admission::Admitted);
    assert_eq!((1..=2_000).find(|_| blocks(&mut gate, now)), Some(100));
}

#[test]
fn a_server_limit_blocks_at_once_at_any_rate() {
    let limit = ServerBlock { cause: "server_limit", at: "db", why: "max-series", remedy: "raise it." };
    let (mut gate, start) = (gate(1.0), Instant::now());
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    assert!(gate.block(&limit, start));
    assert!(!gate.block(&limit, start), "it is blocked already");
    assert_eq!((gate.resumption(at(4)), gate.resumption(at(5))), (None, Some(Resumption::Probe)));
    gate.resume(Resumption::Probe, at(5));
    assert_eq!(gate.admit(), Admission::Admitted);
    assert!(gate.block(&limit, at(6)), "the probe meets the limit too");
    assert_eq!((gate.resumption(at(15)), gate.resumption(at(16))), (None, Some(Resumption::Probe)));
    let State::Blocked { block, .. } = &gate.state else { panic!("{gate:?}") };
    assert!(block.remedy.starts_with("raise it. From the committed offset"), "{}", block.remedy);
}

#[test]
fn the_first_rejected_records_are_undecided_until_the_first_point() {
    let f = |rate_max: f64, want: RejectedFate| {
        let (mut gate, now) = (gate(rate_max), Instant::now());
        assert!((1..100).all(|_| gate.reject(String::new, now) == want), "{rate_max}");
        assert_eq!(gate.note_point(now), want == RejectedFate::Undecided, "{rate_max}");
        assert!(!gate.note_point(now), "only the first point settles them");
        assert_eq!(gate.reject(String::new, now), RejectedFate::Settles);
    };
    f(0.1, RejectedFate::Undecided);
    f(0.0, RejectedFate::Undecided);
    f(1.0, RejectedFate::Settles);
}

#[test]
fn no_record_is_undecided_where_dead_letters_keep_them() {
    let (mut gate, start) = (TopicGate::new(0.1, true, DELAYS), Instant::now());
    for _ in 1..FIRST_RECORDS {
        assert_eq!(gate.reject(String::new, start), RejectedFate::Settles);
    }
    assert_eq!((gate.undecided(), gate.undecided_to_log(start + UNDECIDED_MAX)), (0, None));
    assert_eq!(gate.reject(String::new, start), RejectedFate::Blocks);
}

/// Each rebalance reads undecided records again, so they must not count more than once.
#[test]
fn undecided_records_that_are_read_again_do_not_block_the_topic() {
    let (mut gate, now) = (gate(0.1).after_block(), Instant::now());
    for _ in 0..300 {
        assert!((0..5).all(|_| gate.reject(String::new, now) == RejectedFate::Undecided));
        gate.forget_undecided(5);
    }
    assert_eq!(gate.undecided(), 0);
}

#[test]
fn undecided_records_are_logged_once() {
    let (mut gate, start) = (gate(0.1), Instant::now());
    assert_eq!(gate.undecided_to_log(start), None);
    for _ in 0..3 {
        assert_eq!(gate.reject(String::new, start), RejectedFate::Undecided);
    }
    assert_eq!(gate.undecided_to_log(start + UNDECIDED_MAX / 2), None);
    assert_eq!(gate.undecided_to_log(start + UNDECIDED_MAX), Some(3));
    assert_eq!(gate.reject(String::new, start), RejectedFate::Undecided);
    assert_eq!(gate.undecided_to_log(start + UNDECIDED_MAX * 2), None);
    assert_eq!(gate.undecided(), 4);
}
