//! Reloads of members, and resumption of blocked topics.

use super::{Member, World};
use crate::pending_seeks::SeekTarget;
use crate::simulation::kafka::{Logged, Queue};
use crate::simulation::settings;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The same time as in the data thread.
const DRAIN_MAX: Duration = Duration::from_secs(5);

impl World {
    /// Resumes blocked topics like the data thread and librdkafka.
    pub fn resume_topics(&mut self, number: u64) {
        let Self { members, store, rng, logs, fetched, now, coverage, .. } = self;
        let member = members.get_mut(&number).unwrap();
        for resumable in member.dispatcher.resumable_topics(*now) {
            if member.pending_seeks.contains_any(resumable.partitions.iter().map(|(at, _)| at)) {
                continue;
            }
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
                store.reread.extend(again.iter().filter_map(Logged::points));
                *next = resume_at;
            }
            member.dispatcher.resume(&resumable, *now);
            coverage.resumed += 1;
        }
    }

    pub fn request_reload(&mut self) {
        let Some(number) = self.any_member() else { return };
        // With dead letters, a wrong mapping costs records: they are dead-lettered. Without, it is frequent, because it blocks its topic
        // only after many records.
        let is_wrong = !self.writes_letters && self.rng.bool();
        let configuration = if is_wrong { settings::WRONG } else { self.rng.usize(0..settings::COUNT) };
        self.members.get_mut(&number).unwrap().reload.get_or_insert((configuration, self.now + DRAIN_MAX));
    }

    /// Applies a reload like the data thread and librdkafka.
    pub fn reload_if_due(&mut self, number: u64) {
        let Self { members, store, rng, now, writes_letters, coverage, .. } = self;
        let member = members.get_mut(&number).unwrap();
        let is_due = |(_, until): &mut (usize, Instant)| *now >= *until || member.dispatcher.is_drained();
        if member.stopping {
            return;
        }
        let Some((configuration, _)) = member.reload.take_if(is_due) else { return };
        let settled = member.dispatcher.take_settled().offsets;
        // The old lanes end, and lines in flight may be stored or not.
        let old_lanes = std::mem::take(&mut member.lanes);
        store.is_writer_lost = member.has_lost_partitions();
        for lane in old_lanes.0.borrow_mut().iter_mut() {
            lane.half_write(store, rng);
        }
        if member.configuration == settings::WRONG && !member.dispatcher.blocked_partitions().is_empty() {
            coverage.corrected += 1;
        }
        member.configuration = configuration;
        let Member { dispatcher, assigned, lanes, pending_seeks, paused, .. } = member;
        paused.extend(assigned.keys().cloned());
        let mut again = Vec::new();
        dispatcher.renew(
            settings::dispatcher_settings(configuration, *writes_letters),
            lanes.clone(),
            Queue::default,
            *now,
            |at, queue, unsettled| {
                let (before, next) = assigned.get_mut(at).unwrap();
                // Fetched records that were not taken are fetched again.
                (*before, *next) = (queue.clone(), *next - before.count(at));
                again.extend(unsettled.map(|unsettled| (at.clone(), SeekTarget::Unsettled(unsettled.from))));
            },
        );
        pending_seeks.add(again, *now);
        member.resume_paused();
        coverage.reloads += 1;
        self.seek_back(number);
        self.commit_for(number, settled);
    }

    /// Seeks partitions back like the data thread and librdkafka.
    pub fn seek_back(&mut self, number: u64) {
        let Self { members, store, rng, logs, fetched, now, coverage, .. } = self;
        let member = members.get_mut(&number).unwrap();
        let due = member.pending_seeks.due(*now);
        let mut sought = BTreeSet::new();
        for (at, target) in &due {
            if rng.u32(0..4) == 0 {
                coverage.seeks_failed += 1;
                continue;
            }
            let SeekTarget::Unsettled(from) = target else { panic!("{target:?} is not simulated") };
            let (_, next) = member.assigned.get_mut(at).unwrap();
            let log = &logs[at];
            let resume_at = log.partition_point(|record| record.offset < from.get());
            assert!(resume_at <= *next, "{at:?} resumes at {resume_at}, behind {next}");
            if resume_at < *next {
                let again = &log[resume_at..fetched[at]];
                store.reread.extend(again.iter().filter_map(Logged::points));
                coverage.reloads_with_rest += 1;
            }
            *next = resume_at;
            sought.insert(at.clone());
        }
        if !due.is_empty() {
            member.pending_seeks.attempted(|at| sought.contains(at), *now);
            member.resume_paused();
        }
    }
}

impl Member {
    /// Resumes the partitions that wait for no seek.
    fn resume_paused(&mut self) {
        for at in self.pending_seeks.excluded_from(self.paused.iter().cloned().collect()) {
            self.paused.remove(&at);
        }
    }
}
