//! Members that go on by another configuration.

use super::{Member, World};
use crate::simulation::kafka::{Logged, Queue};
use crate::simulation::settings;
use std::time::{Duration, Instant};

/// As long as in the feed.
const DRAIN_MAX: Duration = Duration::from_secs(5);

impl World {
    /// Blocked topics go on, as the feed does it, and librdkafka.
    pub fn resume_topics(&mut self, number: u64) {
        let Self { members, store, rng, logs, fetched, now, seen, .. } = self;
        let member = members.get_mut(&number).unwrap();
        for resumable in member.dispatcher.resumable_topics(*now) {
            // A seek may fail.
            if rng.u32(0..10) == 0 {
                member.dispatcher.postpone(&resumable, *now);
                continue;
            }
            for (at, unsettled) in &resumable.partitions {
                let (queue, next) = member.assigned.get_mut(at).unwrap();
                // Pausing drops what was fetched and not taken.
                let taken = *next - queue.count(at);
                queue.forget(at);
                let log = &logs[at];
                let goes_on = unsettled.map_or(taken, |unsettled| {
                    log.partition_point(|record| record.offset < unsettled.from.get())
                });
                assert!(goes_on <= taken, "{at:?} goes on at {goes_on}, behind {taken}");
                let again = &log[goes_on..fetched[at].max(goes_on)];
                store.read_again.extend(again.iter().filter_map(Logged::points));
                *next = goes_on;
            }
            member.dispatcher.resume(&resumable, *now);
            seen.resumed += 1;
        }
    }

    pub fn request_reload(&mut self) {
        let Some(number) = self.any_member() else { return };
        let configuration = self.rng.usize(0..settings::COUNT);
        self.members.get_mut(&number).unwrap().reload.get_or_insert((configuration, self.now + DRAIN_MAX));
    }

    /// As the feed does it, and librdkafka.
    pub fn reload_if_due(&mut self, number: u64) {
        let Self { members, store, rng, logs, fetched, now, seen, .. } = self;
        let member = members.get_mut(&number).unwrap();
        let is_due = |(_, until): &mut (usize, Instant)| *now >= *until || member.dispatcher.is_drained();
        if member.stopping {
            return;
        }
        let Some((configuration, _)) = member.reload.take_if(is_due) else { return };
        let settled = member.dispatcher.take_settled().offsets;
        // The old lanes end, and what was in flight may have landed or not.
        let old_lanes = std::mem::take(&mut member.lanes);
        for lane in old_lanes.0.borrow_mut().iter_mut() {
            lane.half_write(store, rng);
        }
        let Member { dispatcher, assigned, lanes, .. } = member;
        dispatcher.renew(
            settings::dispatcher_settings(configuration),
            lanes.clone(),
            Queue::default,
            |at, queue, unsettled| {
                let (before, next) = assigned.get_mut(at).unwrap();
                // What was fetched and not taken is fetched again.
                let taken = *next - before.count(at);
                let log = &logs[at];
                let goes_on = unsettled.map_or(taken, |unsettled| {
                    log.partition_point(|record| record.offset < unsettled.from.get())
                });
                assert!(goes_on <= taken, "{at:?} goes on at {goes_on}, behind {taken}");
                if goes_on < taken {
                    let again = &log[goes_on..fetched[at]];
                    store.read_again.extend(again.iter().filter_map(Logged::points));
                    seen.reloads_with_rest += 1;
                }
                (*before, *next) = (queue.clone(), goes_on);
            },
        );
        seen.reloads += 1;
        self.commit_for(number, settled);
    }
}
