//! Reloads of members, and resumption of blocked topics.

use super::{Member, World};
use crate::simulation::kafka::{Logged, Queue};
use crate::simulation::settings;
use std::time::{Duration, Instant};

/// The same time as in the data thread.
const DRAIN_MAX: Duration = Duration::from_secs(5);

impl World {
    /// Resumes blocked topics like the data thread and librdkafka.
    pub fn resume_topics(&mut self, number: u64) {
        let Self { members, store, rng, logs, fetched, now, coverage, .. } = self;
        let member = members.get_mut(&number).unwrap();
        for resumable in member.dispatcher.resumable_topics(*now) {
            // A seek may fail.
            if rng.u32(0..10) == 0 {
                member.dispatcher.postpone(&resumable, *now);
                continue;
            }
            for (at, unsettled) in &resumable.partitions {
                let (queue, next) = member.assigned.get_mut(at).unwrap();
                // Pausing drops fetched records that were not taken.
                let taken = *next - queue.count(at);
                queue.forget(at);
                let log = &logs[at];
                let resume_at = unsettled.map_or(taken, |unsettled| {
                    log.partition_point(|record| record.offset < unsettled.from.get())
                });
                assert!(resume_at <= taken, "{at:?} resumes at {resume_at}, behind {taken}");
                let again = &log[resume_at..fetched[at].max(resume_at)];
                store.read_again.extend(again.iter().filter_map(Logged::points));
                *next = resume_at;
            }
            member.dispatcher.resume(&resumable, *now);
            coverage.resumed += 1;
        }
    }

    pub fn request_reload(&mut self) {
        let Some(number) = self.any_member() else { return };
        // With dead letters, a wrong mapping costs records: they are dead-lettered.
        let count = if self.writes_letters { settings::COUNT } else { settings::WRONG + 1 };
        let configuration = self.rng.usize(0..count);
        self.members.get_mut(&number).unwrap().reload.get_or_insert((configuration, self.now + DRAIN_MAX));
    }

    /// Applies a reload like the data thread and librdkafka.
    pub fn reload_if_due(&mut self, number: u64) {
        let Self { members, store, rng, logs, fetched, now, writes_letters, coverage, .. } = self;
        let member = members.get_mut(&number).unwrap();
        let is_due = |(_, until): &mut (usize, Instant)| *now >= *until || member.dispatcher.is_drained();
        if member.stopping {
            return;
        }
        let Some((configuration, _)) = member.reload.take_if(is_due) else { return };
        let settled = member.dispatcher.take_settled().offsets;
        // The old lanes end, and lines in flight may be stored or not.
        let old_lanes = std::mem::take(&mut member.lanes);
        for lane in old_lanes.0.borrow_mut().iter_mut() {
            lane.half_write(store, rng);
        }
        if member.configuration == settings::WRONG && !member.dispatcher.blocked_partitions().is_empty() {
            coverage.corrected += 1;
        }
        member.configuration = configuration;
        let Member { dispatcher, assigned, lanes, .. } = member;
        dispatcher.renew(
            settings::dispatcher_settings(configuration, *writes_letters),
            lanes.clone(),
            Queue::default,
            |at, queue, unsettled| {
                let (before, next) = assigned.get_mut(at).unwrap();
                // Fetched records that were not taken are fetched again.
                let taken = *next - before.count(at);
                let log = &logs[at];
                let resume_at = unsettled.map_or(taken, |unsettled| {
                    log.partition_point(|record| record.offset < unsettled.from.get())
                });
                assert!(resume_at <= taken, "{at:?} resumes at {resume_at}, behind {taken}");
                if resume_at < taken {
                    let again = &log[resume_at..fetched[at]];
                    store.read_again.extend(again.iter().filter_map(Logged::points));
                    coverage.reloads_with_rest += 1;
                }
                (*before, *next) = (queue.clone(), resume_at);
            },
        );
        coverage.reloads += 1;
        self.commit_for(number, settled);
    }
}
