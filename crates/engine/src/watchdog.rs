//! Tells *stuck* from *holding*: a bridge that holds says so and goes on by itself; one that is stuck has work, no reason to
//! wait, and does not move.

use crate::telemetry::{Counters, Heartbeats, Lags};
use base::alarm::{AlarmGuard, FailureReport, Scope};
use base::stop::Stop;
use influx::Writer;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two looks; a stop is noticed within this time.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Longer than a request may take by default (30 s) and than a group takes to balance: after this long without a step,
/// something is wrong that no alarm names.
const STILL_MAX: Duration = Duration::from_mins(2);

/// What moves, and what explains that nothing does.
#[derive(Clone, Debug)]
pub struct Signals {
    pub counters: Arc<Counters>,
    pub writer: Arc<Writer>,
    pub lags: Arc<Lags>,
    pub heartbeats: Arc<Heartbeats>,
}

/// What is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sample {
    /// Anything that moves: records read, lines settled, requests answered, rebalances.
    steps: u64,
    /// Records in Kafka that are not read.
    unread: i64,
    /// Records that are read and not settled: in an open batch, in flight, or lost from sight.
    unsettled: i64,
    /// Whether an alarm says why nothing moves.
    is_explained: bool,
    /// Threads that have not turned for too long.
    overdue: Vec<(String, Duration)>,
}

/// Remembers when something moved last.
#[derive(Debug)]
struct Judge {
    steps: u64,
    since: Instant,
}

impl Judge {
    fn new(now: Instant) -> Self {
        Self { steps: 0, since: now }
    }

    /// Why the bridge is stuck, if it is.
    fn look(&mut self, sample: &Sample, now: Instant) -> Option<String> {
        if let Some((thread, silence)) = sample.overdue.first() {
            return Some(format!("the thread {thread} has not turned for {} s", silence.as_secs()));
        }
        if sample.steps != self.steps || sample.unread + sample.unsettled == 0 || sample.is_explained {
            (self.steps, self.since) = (sample.steps, now);
            return None;
        }
        let still = now.saturating_duration_since(self.since);
        (still >= STILL_MAX).then(|| {
            let Sample { unread, unsettled, .. } = sample;
            let still = still.as_secs();
            format!(
                "{unread} records wait in Kafka and {unsettled} are read and not stored, nothing has moved for {still} s, and no \
                 hold says why"
            )
        })
    }
}

/// Starts the thread that looks, until a stop is asked for.
pub fn start(signals: Signals, stop: Stop) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        let mut judge = Judge::new(Instant::now());
        let mut watch = signals.writer.alarm_registry().guard();
        while !stop.is_requested() {
            thread::sleep(LOOK_EVERY);
            let now = Instant::now();
            match judge.look(&sample(&signals, now), now) {
                Some(why) => raise(&mut watch, &why, now),
                None => watch.recovered(now),
            }
        }
    })
}

fn raise(watch: &mut AlarmGuard, why: &str, now: Instant) {
    let remedy = || {
        "restart the bridge: nothing is lost, it goes on where it committed; and please report it with the log".to_owned()
    };
    let trouble = FailureReport {
        cause: "stuck",
        blocks: true,
        scope: &Scope::Bridge,
        at: "this process",
        why,
        remedy: &remedy,
    };
    watch.failed(trouble, now);
}

fn sample(signals: &Signals, now: Instant) -> Sample {
    let (counters, writer) = (&signals.counters, signals.writer.counters());
    let moving = [
        &counters.records,
        &counters.rebalances,
        &counters.dead_letters,
        &writer.lines_stored,
        &writer.lines_refused,
        &writer.stored,
        &writer.refused,
        &writer.split,
    ];
    Sample {
        steps: moving.into_iter().map(Counters::get).sum(),
        // Before the first statistics nothing is known to wait. A thread that stops reporting them is found by its silence.
        unread: signals.lags.unread().unwrap_or(0),
        unsettled: signals.lags.unsettled().unwrap_or(0),
        is_explained: signals.writer.alarms().iter().any(|alarm| alarm.scope != Scope::Bridge),
        overdue: signals.heartbeats.overdue(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_stuck_with_work_without_a_step_and_without_a_hold() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let still = Sample { steps: 7, unread: 10, ..Sample::default() };
        let mut judge = Judge::new(start);
        assert_eq!(judge.look(&still, at(0)), None);
        assert_eq!(judge.look(&still, at(119)), None);
        let why = judge.look(&still, at(120)).unwrap();
        assert!(why.contains("10 records") && why.contains("120 s"), "{why}");
        // A step, an explanation or the end of the work begins the time anew.
        for other in [
            Sample { steps: 8, ..still.clone() },
            Sample { is_explained: true, ..still.clone() },
            Sample { unread: 0, ..still.clone() },
        ] {
            assert_eq!(judge.look(&other, at(200)), None, "{other:?}");
            assert_eq!(judge.look(&still, at(319)), None, "{other:?}");
        }
    }

    /// A batch that never comes back, on a topic that gets no further records.
    #[test]
    fn is_stuck_with_records_that_are_read_and_never_settled() {
        let start = Instant::now();
        let read = Sample { steps: 7, unsettled: 3, ..Sample::default() };
        let mut judge = Judge::new(start);
        assert_eq!(judge.look(&read, start), None);
        let why = judge.look(&read, start + STILL_MAX).unwrap();
        assert!(why.contains("0 records wait in Kafka and 3 are read and not stored"), "{why}");
    }

    #[test]
    fn names_a_thread_that_does_not_turn() {
        let overdue = vec![("data-0".to_owned(), Duration::from_secs(31))];
        let why = Judge::new(Instant::now()).look(&Sample { overdue, ..Sample::default() }, Instant::now());
        assert!(why.unwrap().contains("data-0 has not turned for 31 s"));
    }
}
