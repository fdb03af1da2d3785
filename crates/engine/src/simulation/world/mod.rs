//! A consumer group whose members join, leave, crash, lose their sessions and reload their configurations.

mod recreate;
mod reload;

use super::coverage::Coverage;
use super::kafka::{Kind, Logged, Queue};
use super::settings::{self, OVERWRITTEN};
use super::store::{Lanes, Store};
use crate::dispatcher::{Dispatcher, ReadMode};
use crate::pending_seeks::PendingSeeks;
use base::NextOffset;
use base::TopicPartition;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const MEMBERS_MAX: usize = 3;
const PARTITIONS: i32 = 3;
const STEPS: usize = 400;
/// After the random steps, everything has to be settled within this many steps.
const STEPS_TO_END: usize = 20_000;

/// The settled offsets of a revocation, once it is acknowledged.
type Acknowledged = Arc<Mutex<Option<Vec<(TopicPartition, NextOffset)>>>>;

struct Revoke {
    partitions: Vec<TopicPartition>,
    acknowledged: Acknowledged,
    /// The session was lost, so nothing is committed.
    is_lost: bool,
    /// The queues of the partitions, and the indexes of the next records. librdkafka fetches until the revocation is acknowledged.
    fetching: BTreeMap<TopicPartition, (Queue, usize)>,
    /// Partitions whose topic was recreated since: the topics' ids are compared before the commit.
    recreated: BTreeSet<TopicPartition>,
}

struct Member {
    dispatcher: Dispatcher<Queue, Lanes>,
    lanes: Lanes,
    /// Partitions that this member believes to be assigned: the queue, and the index of the next record to fetch.
    assigned: BTreeMap<TopicPartition, (Queue, usize)>,
    /// Open revocations. The control thread waits for them, so nothing is assigned meanwhile.
    revokes: Vec<Revoke>,
    stopping: bool,
    /// The session is over and the member does not know yet. It gets no partition until it does.
    is_lost: bool,
    /// A reload that waits for open batches: the configuration and the deadline.
    reload: Option<(usize, Instant)>,
    configuration: usize,
    pending_seeks: PendingSeeks,
    /// Partitions that are not fetched, because a reload paused them and has not resumed them.
    paused: BTreeSet<TopicPartition>,
}

pub struct World {
    rng: fastrand::Rng,
    now: Instant,
    logs: BTreeMap<TopicPartition, Vec<Logged>>,
    committed: BTreeMap<TopicPartition, i64>,
    /// Number of records of each partition that any member fetched.
    fetched: BTreeMap<TopicPartition, usize>,
    /// The owner of each partition by the coordinator.
    owners: BTreeMap<TopicPartition, u64>,
    members: BTreeMap<u64, Member>,
    next_member: u64,
    next_id: u64,
    /// How often each topic was recreated.
    incarnations: BTreeMap<String, i64>,
    store: Store,
    /// Whether dead letters are configured. Without, some reloads have a wrong mapping.
    writes_letters: bool,
    coverage: Coverage,
}

impl World {
    pub fn new(seed: u64) -> Self {
        // One partition that overwrites its point is enough, and leaves most records to the topics that may block.
        let partitions = [("a", PARTITIONS), ("b", PARTITIONS), (OVERWRITTEN, 1)].into_iter();
        let all = partitions.flat_map(|(topic, count)| {
            (0..count).map(move |partition| TopicPartition { topic: topic.to_owned(), partition })
        });
        Self {
            writes_letters: seed.is_multiple_of(2),
            rng: fastrand::Rng::with_seed(seed),
            now: Instant::now(),
            logs: all.map(|at| (at, Vec::new())).collect(),
            committed: BTreeMap::new(),
            fetched: BTreeMap::new(),
            owners: BTreeMap::new(),
            members: BTreeMap::new(),
            next_member: 0,
            next_id: 0,
            incarnations: BTreeMap::new(),
            store: Store::default(),
            coverage: Coverage::default(),
        }
    }

    pub fn run(mut self) -> Coverage {
        for _ in 0..STEPS {
            self.step();
            self.now += Duration::from_millis(self.rng.u64(0..300));
        }
        self.end();
        self.coverage.points = self.store.points();
        self.coverage.letters = self.store.letters.len();
        self.coverage.kept_out = self.store.kept_out;
        self.coverage.grown = self.store.grown;
        self.coverage.packed = self.store.packed;
        self.coverage
    }

    fn step(&mut self) {
        match self.rng.u32(0..100) {
            0..25 => self.produce(),
            25..45 => self.fetch(),
            45..70 => self.turn(),
            70..80 => self.answer(),
            80..86 => self.commit(),
            86..88 => self.rebalance(),
            88..90 => self.request_reload(),
            90 => self.change_blocked_lanes(),
            91 => self.change_limit(),
            92..94 => self.join(),
            94..96 => self.crash(),
            96..98 => self.lose_session(),
            98 if self.rng.u32(0..3) == 0 => self.recreate_topic(),
            _ => self.stop(),
        }
        self.finish_revokes();
        self.finish_stops();
    }

    /// Runs without faults until everything is settled and committed.
    fn end(&mut self) {
        self.give_points();
        for steps in 0.. {
            assert!(steps < STEPS_TO_END, "not everything is committed: {:?}", self.committed);
            if self.members.values().all(|member| member.stopping) {
                self.join();
            }
            for member in self.members.values_mut() {
                member.lanes.0.borrow_mut().iter_mut().for_each(|lane| lane.is_blocked = false);
            }
            self.store.is_full = false;
            self.rebalance();
            self.fetch();
            self.turn();
            self.answer();
            self.commit();
            self.finish_revokes();
            self.finish_stops();
            self.now += Duration::from_millis(100);
            let ends = self.logs.iter().filter_map(|(at, log)| Some((at, log.last()?.offset + 1)));
            let mut is_committed = ends.map(|(at, end)| self.committed.get(at) == Some(&end));
            if is_committed.all(|committed| committed) {
                break;
            }
        }
        self.assert_last_values();
    }

    /// Lets all members write what they still have, and checks the values of the points that the last records overwrote.
    fn assert_last_values(&mut self) {
        while self.members.values().any(|member| !member.dispatcher.is_idle()) {
            self.turn();
            self.answer();
            self.now += Duration::from_millis(100);
        }
        for log in self.logs.iter().filter(|(at, _)| at.topic == OVERWRITTEN).map(|(_, log)| log) {
            self.store.assert_last(log.last().unwrap().id);
        }
    }

    /// Corrects wrong mappings, and ends each partition with a record that becomes a point: undecided records wait for both.
    fn give_points(&mut self) {
        for member in self.members.values_mut() {
            let is_wrong = |configuration| configuration == settings::WRONG;
            if is_wrong(member.reload.map_or(member.configuration, |(configuration, _)| configuration)) {
                member.reload = Some((0, self.now));
            }
        }
        for (at, log) in &mut self.logs {
            let offset = log.last().map_or(0, |last| last.offset + 1);
            let incarnation = self.incarnations.get(&at.topic).copied().unwrap_or(0);
            log.push(Logged { at: at.clone(), offset, incarnation, kind: Kind::Good, id: self.next_id });
            self.next_id += 3;
        }
    }

    fn produce(&mut self) {
        let partition = self.rng.usize(0..self.logs.len());
        let Some((at, log)) = self.logs.iter_mut().nth(partition) else { return };
        let incarnation = self.incarnations.get(&at.topic).copied().unwrap_or(0);
        for _ in 0..self.rng.usize(1..8) {
            let kind = match self.rng.u32(0..20) {
                0 => Kind::Rejected,
                1 => Kind::Refused,
                2 => Kind::Mixed,
                3 => Kind::Filtered,
                4 => Kind::Limited,
                5 => Kind::Tombstone,
                _ => Kind::Good,
            };
            // Compaction and transactions leave gaps.
            let gap = if self.rng.u32(0..5) == 0 { self.rng.i64(1..4) } else { 0 };
            let offset = log.last().map_or(0, |last| last.offset + 1) + gap;
            log.push(Logged { at: at.clone(), offset, incarnation, kind, id: self.next_id });
            self.next_id += 3;
            self.coverage.records += 1;
        }
    }

    fn any_member(&mut self) -> Option<u64> {
        let count = self.members.len();
        (count > 0).then(|| *self.members.keys().nth(self.rng.usize(0..count)).unwrap())
    }

    /// Every member fetches some records of its partitions, also a member that lost its session and does not know.
    fn fetch(&mut self) {
        for member in self.members.values_mut() {
            let paused = &member.paused;
            for (at, (queue, next)) in member.assigned.iter_mut().filter(|(at, _)| !paused.contains(*at)) {
                let log = &self.logs[at];
                let end = (*next + self.rng.usize(0..6)).min(log.len());
                log[*next..end].iter().for_each(|record| queue.fetch(record.clone()));
                if member.is_lost {
                    // Its next owner reads them too.
                    self.store.reread.extend(log[*next..end].iter().filter_map(Logged::points));
                }
                *next = end;
                let fetched = self.fetched.entry(at.clone()).or_default();
                *fetched = end.max(*fetched);
            }
            // The records of revoked partitions are never read: the next owner fetches them again.
            for (at, (queue, next)) in member.revokes.iter_mut().flat_map(|revoke| &mut revoke.fetching) {
                let log = &self.logs[at];
                let end = (*next + self.rng.usize(0..6)).min(log.len());
                log[*next..end].iter().for_each(|record| queue.fetch(record.clone()));
                *next = end;
            }
        }
    }

    fn turn(&mut self) {
        let numbers: Vec<u64> = self.members.keys().copied().collect();
        for number in numbers {
            self.seek_back(number);
            self.reload_if_due(number);
            let member = self.members.get_mut(&number).unwrap();
            let read_mode = match member.reload {
                _ if member.stopping => ReadMode::Nothing,
                Some(_) => ReadMode::FetchedOnly,
                None => ReadMode::Fetch,
            };
            member.dispatcher.turn(self.now, read_mode);
            let has_undecided = member.dispatcher.times().iter().any(|(_, times)| times.undecided > 0);
            self.coverage.undecided += usize::from(has_undecided);
            if read_mode == ReadMode::Fetch {
                self.resume_topics(number);
            }
        }
    }

    fn answer(&mut self) {
        let Self { members, store, rng, coverage, .. } = self;
        for member in members.values_mut() {
            store.is_writer_lost = member.has_lost_partitions();
            for (number, lane) in member.lanes.0.borrow_mut().iter_mut().enumerate() {
                if rng.bool() && lane.give_back(number, store, rng) {
                    coverage.abandoned.count(lane.is_blocked);
                } else if !lane.is_blocked && rng.bool() {
                    lane.answer(number, store);
                }
            }
        }
    }

    fn change_blocked_lanes(&mut self) {
        for member in self.members.values_mut() {
            for lane in member.lanes.0.borrow_mut().iter_mut() {
                lane.is_blocked = self.rng.u32(0..3) == 0;
            }
        }
    }

    fn change_limit(&mut self) {
        self.store.is_full = self.rng.bool();
        // Somebody who raises a limit may also send a SIGHUP.
        if let Some(number) = self.any_member().filter(|_| self.rng.bool()) {
            self.members.get_mut(&number).unwrap().dispatcher.lift_blocks();
        }
    }

    fn commit(&mut self) {
        let Some(number) = self.any_member() else { return };
        let settled = self.members.get_mut(&number).unwrap().dispatcher.take_settled().offsets;
        self.commit_for(number, settled);
    }

    /// Commits like the coordinator, which accepts commits of a partition's owner only.
    fn commit_for(&mut self, member: u64, settled: Vec<(TopicPartition, NextOffset)>) {
        for (at, next) in settled {
            // The end of a revocation corrects offsets of a topic that was recreated since its beginning.
            let is_corrected = |member: &Member| member.revokes.iter().any(|one| one.recreated.contains(&at));
            if self.owners.get(&at) != Some(&member) || self.members.get(&member).is_some_and(is_corrected) {
                continue;
            }
            let next = next.get();
            let before = self.committed.insert(at.clone(), next).unwrap_or(0);
            assert!(before <= next, "{at:?} went back from {before} to {next}");
            self.coverage.commits += 1;
            let passed = self.logs[&at].iter().filter(|record| (before..next).contains(&record.offset));
            for record in passed {
                self.assert_settled(record);
                self.store.commit(&at, record.id);
            }
        }
    }

    fn assert_settled(&self, record: &Logged) {
        if let Some(id) = record.points() {
            assert!(self.store.has(id), "committed and not stored: {record:?}");
        }
        if record.wants_letter() && self.writes_letters {
            let place = (record.at.clone(), record.offset);
            assert!(self.store.letters.contains(&place), "committed without a dead letter: {record:?}");
        }
    }

    fn join(&mut self) {
        if self.members.len() == MEMBERS_MAX {
            return;
        }
        let lanes = Lanes::default();
        let settings = settings::dispatcher_settings(0, self.writes_letters);
        let member = Member {
            dispatcher: Dispatcher::new(settings, lanes.clone()),
            lanes,
            assigned: BTreeMap::new(),
            revokes: Vec::new(),
            stopping: false,
            is_lost: false,
            reload: None,
            configuration: 0,
            pending_seeks: PendingSeeks::default(),
            paused: BTreeSet::new(),
        };
        self.members.insert(self.next_member, member);
        self.next_member += 1;
        self.rebalance();
    }

    /// Assigns free partitions, or revokes some, like a cooperative rebalance.
    fn rebalance(&mut self) {
        let takers: Vec<u64> = self
            .members
            .iter()
            .filter(|(_, member)| !member.stopping && !member.is_lost && member.revokes.is_empty())
            .map(|(number, _)| *number)
            .collect();
        let free: Vec<TopicPartition> =
            self.logs.keys().filter(|at| !self.owners.contains_key(*at)).cloned().collect();
        if takers.is_empty() {
            return;
        }
        if free.is_empty() && self.rng.u32(0..4) == 0 {
            let number = takers[self.rng.usize(0..takers.len())];
            self.revoke(number);
        }
        for at in free {
            let taker = takers[self.rng.usize(0..takers.len())];
            self.owners.insert(at.clone(), taker);
            self.assign(taker, at);
        }
    }

    fn assign(&mut self, number: u64, at: TopicPartition) {
        let from = self.committed.get(&at).copied().unwrap_or(0);
        let next = self.logs[&at].partition_point(|record| record.offset < from);
        let stored =
            self.logs[&at][next..].iter().filter_map(Logged::points).filter(|id| self.store.has(*id));
        self.coverage.replayed += stored.count();
        let fetched = self.fetched.get(&at).copied().unwrap_or(0).max(next);
        self.store.reread.extend(self.logs[&at][next..fetched].iter().filter_map(Logged::points));
        let member = self.members.get_mut(&number).unwrap();
        let queue = member.dispatcher.assign(at.clone(), Queue::default).unwrap().clone();
        member.assigned.insert(at, (queue, next));
    }

    fn revoke(&mut self, number: u64) {
        let member = self.members.get_mut(&number).unwrap();
        let count = member.assigned.len();
        let some: Vec<_> = member.assigned.keys().take(self.rng.usize(0..=count)).cloned().collect();
        if !some.is_empty() {
            member.revoke(some, self.now, false);
            self.coverage.revokes += 1;
        }
    }

    /// Commits acknowledged revocations, and frees their partitions.
    fn finish_revokes(&mut self) {
        let numbers: Vec<u64> = self.members.keys().copied().collect();
        for number in numbers {
            let member = self.members.get_mut(&number).unwrap();
            let (mut done, mut open) = (Vec::new(), Vec::new());
            for revoke in std::mem::take(&mut member.revokes) {
                let settled = revoke.acknowledged.lock().unwrap().take();
                match settled {
                    Some(settled) => done.push((revoke, settled)),
                    None => open.push(revoke),
                }
            }
            member.revokes = open;
            for (at, (queue, _)) in done.iter().flat_map(|(revoke, _)| &revoke.fetching) {
                queue.forget(at);
            }
            for (revoke, mut settled) in done.into_iter().filter(|(revoke, _)| !revoke.is_lost) {
                settled.retain(|(at, _)| !revoke.recreated.contains(at));
                self.commit_for(number, settled);
                self.owners.retain(|at, owner| *owner != number || !revoke.partitions.contains(at));
            }
        }
    }

    /// Removes a member. Its uncommitted progress is lost, and lines in flight may be stored or not.
    fn crash(&mut self) {
        let Some(number) = self.any_member() else { return };
        let member = self.members.remove(&number).unwrap();
        self.store.is_writer_lost = member.has_lost_partitions();
        for lane in member.lanes.0.borrow_mut().iter_mut() {
            lane.half_write(&mut self.store, &mut self.rng);
        }
        self.owners.retain(|_, owner| *owner != number);
        self.coverage.crashes += 1;
    }

    /// Assigns the partitions of a member to others. The member keeps writing until it notices the lost session.
    fn lose_session(&mut self) {
        let Some(number) = self.any_member() else { return };
        self.owners.retain(|_, owner| *owner != number);
        self.members.get_mut(&number).unwrap().is_lost = true;
        self.rebalance();
        for _ in 0..self.rng.usize(0..10) {
            self.fetch();
            self.turn();
            self.answer();
            self.commit();
        }
        let now = self.now;
        let Some(member) = self.members.get_mut(&number) else { return };
        member.is_lost = false;
        let lost: Vec<_> = member.assigned.keys().cloned().collect();
        if !lost.is_empty() {
            member.revoke(lost, now, true);
            self.coverage.revokes_with_loss += 1;
        }
        self.coverage.sessions_lost += 1;
    }

    fn stop(&mut self) {
        let Some(number) = self.any_member() else { return };
        self.members.get_mut(&number).unwrap().stopping = true;
    }

    /// Lets stopping members without open batches commit and leave.
    fn finish_stops(&mut self) {
        let idle =
            |member: &Member| member.stopping && member.dispatcher.is_idle() && member.revokes.is_empty();
        let leaving = self.members.iter().filter(|(_, member)| idle(member)).map(|(number, _)| *number);
        for number in leaving.collect::<Vec<_>>() {
            let settled = self.members.get_mut(&number).unwrap().dispatcher.take_settled().offsets;
            self.commit_for(number, settled);
            self.members.remove(&number);
            self.owners.retain(|_, owner| *owner != number);
            self.coverage.stops += 1;
        }
    }
}

impl Member {
    /// Whether others may own partitions whose lines this member still writes.
    fn has_lost_partitions(&self) -> bool {
        self.is_lost || self.revokes.iter().any(|revoke| revoke.is_lost)
    }

    fn revoke(&mut self, partitions: Vec<TopicPartition>, now: Instant, is_lost: bool) {
        self.pending_seeks.forget(&partitions);
        self.paused.retain(|at| !partitions.contains(at));
        let fetching = partitions.iter().filter_map(|at| self.assigned.remove_entry(at)).collect();
        let acknowledged = Acknowledged::default();
        let answer = Arc::clone(&acknowledged);
        let acknowledge = Box::new(move |settled| *answer.lock().unwrap() = Some(settled));
        let drain_max = if is_lost { Duration::ZERO } else { Duration::from_secs(5) };
        self.dispatcher.revoke(partitions.clone(), now + drain_max, acknowledge);
        let recreated = BTreeSet::new();
        self.revokes.push(Revoke { partitions, acknowledged, is_lost, fetching, recreated });
    }
}
