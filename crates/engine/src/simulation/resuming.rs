//! Resumption of a blocked topic while some of its records are fetched and not read. Only this order of events could lose a record or
//! settle one too early, and random schedules rarely meet it.

use super::kafka::{Kind, Logged, Queue};
use super::settings;
use super::store::{Lanes, Store};
use crate::dispatcher::{Dispatcher, ReadMode};
use base::TopicPartition;
use std::time::{Duration, Instant};

/// One configuration for all topics, so that they share lanes.
const ONE_MAPPING: usize = 2;

struct Bench {
    dispatcher: Dispatcher<Queue, Lanes>,
    lanes: Lanes,
    store: Store,
    now: Instant,
    next_id: u64,
}

fn at(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.to_owned(), partition }
}

impl Bench {
    fn fetch(&mut self, queue: &Queue, at: &TopicPartition, offset: i64, kind: Kind) {
        queue.fetch(Logged { at: at.clone(), offset, incarnation: 0, kind, id: self.next_id });
        self.next_id += 3;
    }

    fn turn(&mut self) {
        self.dispatcher.turn(self.now, ReadMode::Fetch);
    }

    fn answer(&mut self) {
        for (number, lane) in self.lanes.0.borrow_mut().iter_mut().enumerate() {
            lane.answer(number, &mut self.store);
        }
    }

    fn settled(&mut self, at: &TopicPartition) -> Option<i64> {
        let settled = self.dispatcher.take_settled().offsets;
        settled.into_iter().find(|(settled, _)| settled == at).map(|(_, next)| next.get())
    }
}

#[test]
fn records_fetched_and_not_read_are_neither_lost_nor_settled_early() {
    let lanes = Lanes::default();
    let dispatcher = Dispatcher::new(settings::dispatcher_settings(ONE_MAPPING, true), lanes.clone());
    let mut bench = Bench { dispatcher, lanes, store: Store::default(), now: Instant::now(), next_id: 0 };
    // One lane has three partitions: two of the blocked topic, with and without unsettled records, and one of another topic.
    let (with, without, other) = (at("a", 0), at("a", 2), at("b", 1));
    let queue = bench.dispatcher.assign(with.clone(), Queue::default).unwrap().clone();
    bench.dispatcher.assign(without.clone(), || panic!("another lane"));
    bench.dispatcher.assign(other.clone(), || panic!("another lane"));
    bench.store.is_full = true;
    bench.fetch(&queue, &with, 0, Kind::Limited);
    bench.turn();
    bench.now += Duration::from_secs(1);
    bench.turn();
    bench.answer();
    bench.turn();
    assert_eq!(bench.dispatcher.blocked_partitions().len(), 2, "the topic is blocked");
    for offset in 1..3 {
        bench.fetch(&queue, &with, offset, Kind::Good);
    }
    bench.turn();
    // The other topic has a record in flight and one open, which fills the memory. Two records of the blocked topic wait behind them.
    bench.fetch(&queue, &other, 0, Kind::Good);
    bench.turn();
    bench.fetch(&queue, &other, 1, Kind::Good);
    bench.fetch(&queue, &with, 3, Kind::Good);
    bench.fetch(&queue, &without, 0, Kind::Good);
    bench.turn();
    assert!(bench.dispatcher.has_fetched());

    bench.now += Duration::from_secs(1);
    let resumable = bench.dispatcher.resumable_topics(bench.now);
    let from = |number: usize| resumable[0].partitions[number].1.map(|unsettled| unsettled.from.get());
    assert_eq!((resumable.len(), from(0), from(1)), (1, Some(0), None));
    bench.dispatcher.resume(&resumable[0], bench.now);
    bench.store.is_full = false;
    for _ in 0..5 {
        bench.now += Duration::from_secs(1);
        bench.turn();
        bench.answer();
    }
    assert_eq!(bench.settled(&with), None, "settled before the records in front were read again");
    assert_eq!(
        bench.store.points(),
        2 + 1,
        "the fetched record of the partition without unsettled records is written"
    );
    // Kafka delivers again from the first unsettled record.
    for (offset, kind) in [(0, Kind::Limited), (1, Kind::Good), (2, Kind::Good), (3, Kind::Good)] {
        bench.fetch(&queue, &with, offset, kind);
    }
    for _ in 0..5 {
        bench.now += Duration::from_secs(1);
        bench.turn();
        bench.answer();
    }
    bench.turn();
    assert_eq!(bench.settled(&with), Some(4));
    assert_eq!(bench.store.points(), 2 + 5);
}
