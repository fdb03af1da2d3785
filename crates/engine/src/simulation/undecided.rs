//! Rejected records before the first point of their topic, without dead letters.

use super::kafka::{Kind, Logged, Queue};
use super::settings;
use super::store::Lanes;
use crate::dispatcher::{Dispatcher, ReadMode};
use base::TopicPartition;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

struct Bench {
    dispatcher: Dispatcher<Queue, Lanes>,
    now: Instant,
    next_id: u64,
}

impl Bench {
    fn new(configuration: usize) -> Self {
        let settings = settings::dispatcher_settings(configuration, false);
        Self { dispatcher: Dispatcher::new(settings, Lanes::default()), now: Instant::now(), next_id: 0 }
    }

    fn assign(&mut self, at: &TopicPartition) -> Queue {
        self.dispatcher.assign(at.clone(), Queue::default).unwrap().clone()
    }

    /// Delivers records with offsets from 0 on.
    fn deliver(&mut self, queue: &Queue, at: &TopicPartition, kinds: impl IntoIterator<Item = Kind>) {
        for (offset, kind) in kinds.into_iter().enumerate() {
            queue.fetch(Logged {
                at: at.clone(),
                offset: offset as i64,
                incarnation: 0,
                kind,
                id: self.next_id,
            });
            self.next_id += 3;
        }
        while self.dispatcher.turn(self.now, ReadMode::Fetch) {}
    }

    fn settled(&mut self) -> Vec<(String, i32, i64)> {
        let settled = self.dispatcher.take_settled().offsets;
        let mut settled: Vec<_> =
            settled.into_iter().map(|(at, next)| (at.topic, at.partition, next.get())).collect();
        settled.sort();
        settled
    }

    fn undecided(&self) -> u64 {
        self.dispatcher.times().iter().map(|(_, times)| times.undecided).sum()
    }

    fn is_blocked(&self) -> bool {
        !self.dispatcher.blocked_partitions().is_empty()
    }
}

fn at(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.to_owned(), partition }
}

#[test]
fn the_first_point_settles_the_rejected_records_of_all_partitions_of_its_topic() {
    let (mut bench, one, two, other) = (Bench::new(0), at("a", 0), at("a", 1), at("b", 0));
    let queues = [&one, &two, &other].map(|at| bench.assign(at));
    bench.deliver(&queues[0], &one, [Kind::Rejected, Kind::Filtered, Kind::Rejected]);
    bench.deliver(&queues[2], &other, [Kind::Rejected]);
    assert_eq!((bench.undecided(), bench.settled()), (3, Vec::new()));
    bench.deliver(&queues[1], &two, [Kind::Rejected, Kind::Good]);
    // The good record waits for its batch.
    assert_eq!(bench.settled(), [("a".to_owned(), 0, 3), ("a".to_owned(), 1, 1)]);
    assert_eq!(bench.undecided(), 1, "the other topic has no point");
    assert!(!bench.is_blocked());
}

#[test]
fn a_revocation_waits_for_no_undecided_record_and_reading_them_again_does_not_count_twice() {
    let (mut bench, one) = (Bench::new(0), at("a", 0));
    for _ in 0..5 {
        let queue = bench.assign(&one);
        bench.deliver(&queue, &one, [Kind::Rejected; 60]);
        assert_eq!((bench.undecided(), bench.is_blocked()), (60, false));
        let settled = Arc::new(Mutex::new(None));
        let acknowledged = Arc::clone(&settled);
        let until = bench.now + Duration::from_secs(5);
        let acknowledge = Box::new(move |offsets| *acknowledged.lock().unwrap() = Some(offsets));
        bench.dispatcher.revoke(vec![one.clone()], until, acknowledge);
        bench.dispatcher.turn(bench.now, ReadMode::Fetch);
        assert_eq!(settled.lock().unwrap().take(), Some(Vec::new()), "nothing is committed");
    }
}

#[test]
fn a_reload_reads_from_the_first_undecided_record() {
    let (mut bench, wrong) = (Bench::new(settings::WRONG), at("b", 0));
    let queue = bench.assign(&wrong);
    bench.deliver(&queue, &wrong, [Kind::Good; 150]);
    assert!(bench.is_blocked());
    let mut again = Vec::new();
    bench.dispatcher.renew(
        settings::dispatcher_settings(0, false),
        Lanes::default(),
        Queue::default,
        bench.now,
        |_, _, from| {
            again.extend(from);
        },
    );
    let ranges: Vec<_> = again.iter().map(|range| (range.from.get(), range.to.get())).collect();
    assert_eq!((ranges, bench.undecided()), (vec![(0, 150)], 0));
    assert_eq!(bench.settled(), Vec::new());
}

#[test]
fn undecided_and_blocked_records_are_left_over() {
    let (mut bench, one) = (Bench::new(0), at("a", 0));
    let queue = bench.assign(&one);
    bench.deliver(&queue, &one, [Kind::Rejected; 60]);
    let left = bench.dispatcher.uncommitted_at_end();
    assert_eq!((left.undecided, left.blocked), (60, None));
    let (mut bench, wrong) = (Bench::new(settings::WRONG), at("b", 0));
    let queue = bench.assign(&wrong);
    bench.deliver(&queue, &wrong, [Kind::Good; 150]);
    let blocked = bench.dispatcher.uncommitted_at_end().blocked.unwrap();
    assert_eq!((blocked.topic.as_str(), blocked.cause), ("b", "reject_rate"));
}
