//! A reload while a finished batch is on its way back to the dispatcher.

use super::kafka::{Kind, Logged, Queue};
use super::settings;
use super::store::{Lanes, Store};
use crate::dispatcher::{Dispatcher, ReadMode};
use base::TopicPartition;
use std::time::{Duration, Instant};

#[test]
fn a_batch_that_is_stored_before_a_reload_is_not_read_again() {
    let (lanes, mut store, now) = (Lanes::default(), Store::default(), Instant::now());
    let mut dispatcher = Dispatcher::new(settings::dispatcher_settings(0, true), lanes.clone());
    let at = TopicPartition { topic: "a".to_owned(), partition: 0 };
    let queue = dispatcher.assign(at.clone(), Queue::default).unwrap().clone();
    for (offset, kind) in [(0, Kind::Good), (1, Kind::Refused)] {
        queue.fetch(Logged { at: at.clone(), offset, incarnation: 0, kind, id: offset as u64 * 3 });
    }
    dispatcher.turn(now, ReadMode::Fetch);
    dispatcher.turn(now + Duration::from_secs(1), ReadMode::Fetch);
    assert!(lanes.0.borrow_mut()[0].answer(0, &mut store));
    let mut again = Vec::new();
    let settings = settings::dispatcher_settings(1, true);
    dispatcher
        .renew(settings, Lanes::default(), Queue::default, now, |_, _, unsettled| again.push(unsettled));
    assert_eq!(again, [None], "stored records would be stored again under the new rules");
    let settled: Vec<_> = dispatcher.take_settled().offsets.iter().map(|(_, next)| next.get()).collect();
    assert_eq!(settled, [2]);
}
