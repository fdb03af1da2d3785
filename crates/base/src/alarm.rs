//! Alarms: everything that keeps records from being settled. There is one alarm for each scope and cause, however many lanes it stops.

use crate::locks::lock;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Time after which a lasting alarm is reported again.
const REPEAT: Duration = Duration::from_mins(1);

/// Most failures that are retried pass within this time. A longer one counts as blocking.
const RETRY_PASSES: Duration = Duration::from_secs(10);

/// Separates an alarm's reason from text that may quote a record.
pub const BEFORE_RECORD_TEXT: &str = "; the last: ";

/// The cause of an alarm about a topic that the bridge may not read. Other alarms about topics concern their records.
pub const TOPIC_DENIED: &str = "topic_denied";

/// The part of the data path that an alarm stops.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Every destination: the cause is the address or its credential.
    Server,
    /// One bucket or database.
    Destination(String),
    /// Records whose dead letters cannot be written.
    DeadLetters,
    /// One topic.
    Topic(String),
    /// All topics: the cause is the brokers, the login or the group.
    Kafka,
    /// The bridge itself is stuck.
    Bridge,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("all destinations"),
            Self::Destination(name) => f.write_str(name),
            Self::DeadLetters => f.write_str("dead letters"),
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Kafka => f.write_str("all topics"),
            Self::Bridge => f.write_str("the bridge"),
        }
    }
}

/// Something that keeps records from being settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Name of the cause in metrics and on the readiness page.
    pub cause: &'static str,
    /// Records are blocked until someone acts. Otherwise the failure may pass.
    pub blocks: bool,
    pub scope: Scope,
    /// Where it happened: an address, a topic or a file.
    pub at: String,
    /// The other side's message, printable and bounded.
    pub why: String,
    pub remedy: String,
    /// Time since the first failure.
    pub lasting: Duration,
}

impl Alarm {
    /// Whether the cause blocks records until someone fixes it, or has lasted too long to pass by itself.
    pub fn is_blocking(&self) -> bool {
        self.blocks || self.lasting >= RETRY_PASSES
    }

    /// The reason. Text that may quote a record is left out unless records may be shown.
    pub fn why(&self, shows_records: bool) -> &str {
        match self.why.split_once(BEFORE_RECORD_TEXT) {
            Some((why, _)) if !shows_records => why,
            _ => &self.why,
        }
    }
}

/// A failure, as a guard reports it.
#[derive(Clone, Copy)]
pub struct FailureReport<'a> {
    pub cause: &'static str,
    pub blocks: bool,
    pub scope: &'a Scope,
    pub at: &'a str,
    pub why: &'a str,
    /// Called only when the reason of the alarm changes.
    pub remedy: &'a dyn Fn() -> String,
}

/// Receives alarms on the thread where they happen. It must not wait.
pub trait AlarmListener: Send + Sync {
    /// Called when an alarm begins, when it becomes blocking, and once a minute while it lasts.
    fn raised(&self, alarm: &Alarm);
    /// Called when a reported alarm ends.
    fn resolved(&self, alarm: &Alarm, lasted: Duration);
}

/// All active alarms.
pub struct AlarmRegistry {
    listener: Arc<dyn AlarmListener>,
    state: Mutex<State>,
}

/// Identity of an alarm. Two guards with failures of different causes have two alarms.
type AlarmKey = (Scope, &'static str);

#[derive(Default)]
struct State {
    /// Bounded: each guard is part of at most one alarm.
    active: BTreeMap<AlarmKey, ActiveAlarm>,
    /// The last report of an alarm, also after its end: an alarm that comes and goes is not reported each time. Reports older than
    /// `REPEAT` are removed.
    reported: BTreeMap<AlarmKey, LastReport>,
    /// Number of the last guard.
    last_guard: u64,
}

struct LastReport {
    at: Instant,
    was_blocking: bool,
}

struct ActiveAlarm {
    alarm: Alarm,
    since: Instant,
    /// Whether the alarm was reported, so that its end is reported too.
    is_reported: bool,
    /// The guards whose work the alarm stops, and whether each is blocked until someone acts.
    guards: BTreeMap<u64, bool>,
}

impl AlarmRegistry {
    pub fn new(listener: Arc<dyn AlarmListener>) -> Arc<Self> {
        Arc::new(Self { listener, state: Mutex::default() })
    }

    /// The active alarms, for the readiness and status pages.
    pub fn current(&self, now: Instant) -> Vec<Alarm> {
        let lasting = |active: &ActiveAlarm| now.saturating_duration_since(active.since);
        lock(&self.state)
            .active
            .values()
            .map(|active| Alarm { lasting: lasting(active), ..active.alarm.clone() })
            .collect()
    }

    /// Whether lines for this destination are blocked until someone acts.
    pub fn is_blocked(&self, destination: &str) -> bool {
        let state = lock(&self.state);
        state.active.values().filter(|active| active.alarm.blocks).any(|active| match &active.alarm.scope {
            Scope::Server => true,
            Scope::Destination(name) => name == destination,
            Scope::DeadLetters | Scope::Topic(_) | Scope::Kafka | Scope::Bridge => false,
        })
    }

    /// Reports every lasting alarm again at its next failure.
    pub fn forget_reports(&self) {
        lock(&self.state).reported.clear();
    }

    /// Reports alarms that have become blocking since their last report. Their next failure may be a request timeout away.
    pub fn report_blocking(&self, now: Instant) {
        let due: Vec<Alarm> = {
            let mut state = lock(&self.state);
            let keys: Vec<AlarmKey> = state.active.keys().cloned().collect();
            let retried =
                |state: &State, key| state.reported.get(key).is_some_and(|report| !report.was_blocking);
            keys.iter()
                .filter_map(|key| retried(&state, key).then(|| state.take_due(key, now)).flatten())
                .collect()
        };
        for alarm in &due {
            self.listener.raised(alarm);
        }
    }

    /// Creates the guard of one lane, topic or other part of the data path.
    pub fn guard(self: &Arc<Self>) -> AlarmGuard {
        let mut state = lock(&self.state);
        state.last_guard += 1;
        AlarmGuard { guard: state.last_guard, alarms: Arc::clone(self), active: None }
    }
}

impl std::fmt::Debug for AlarmRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlarmRegistry")
            .field("active", &lock(&self.state).active.len())
            .finish_non_exhaustive()
    }
}

impl State {
    /// Adds a guard's failure, which began at `since`. Returns the alarm if it is due for a report.
    fn add(&mut self, guard: u64, failure: FailureReport<'_>, since: Instant, now: Instant) -> Option<Alarm> {
        let key = (failure.scope.clone(), failure.cause);
        let active = self.active.entry(key.clone()).or_insert_with(|| ActiveAlarm {
            alarm: alarm(failure),
            since,
            is_reported: false,
            guards: BTreeMap::new(),
        });
        active.since = active.since.min(since);
        if active.alarm.why != failure.why {
            active.alarm = alarm(failure);
        }
        active.guards.insert(guard, failure.blocks);
        active.alarm.blocks = active.guards.values().any(|blocks| *blocks);
        self.take_due(&key, now)
    }

    /// The alarm, if it is due for a report, which counts as made.
    fn take_due(&mut self, key: &AlarmKey, now: Instant) -> Option<Alarm> {
        let active = self.active.get_mut(key)?;
        active.alarm.lasting = now.saturating_duration_since(active.since);
        let is_blocking = active.alarm.is_blocking();
        let is_new = |report: &LastReport| now.saturating_duration_since(report.at) < REPEAT;
        let is_known = |report: &LastReport| is_new(report) && (report.was_blocking || !is_blocking);
        if self.reported.get(key).is_some_and(is_known) {
            return None;
        }
        self.reported.retain(|_, report| is_new(report));
        self.reported.insert(key.clone(), LastReport { at: now, was_blocking: is_blocking });
        active.is_reported = true;
        Some(active.alarm.clone())
    }

    /// Removes a guard from an alarm. Returns the alarm if that was its last guard.
    fn remove(&mut self, guard: u64, key: &AlarmKey) -> Option<ActiveAlarm> {
        let active = self.active.get_mut(key)?;
        active.guards.remove(&guard);
        active.alarm.blocks = active.guards.values().any(|blocks| *blocks);
        if active.guards.is_empty() { self.active.remove(key) } else { None }
    }
}

fn alarm(failure: FailureReport<'_>) -> Alarm {
    let FailureReport { cause, blocks, scope, at, why, remedy } = failure;
    let (scope, at, why) = (scope.clone(), at.to_owned(), why.to_owned());
    Alarm { cause, blocks, scope, at, why, remedy: remedy(), lasting: Duration::ZERO }
}

/// The alarm that stops one lane, topic or other part of the data path, at most one at a time. Dropping the guard removes it from its alarm
/// without a report.
#[derive(Debug)]
pub struct AlarmGuard {
    alarms: Arc<AlarmRegistry>,
    guard: u64,
    active: Option<GuardedAlarm>,
}

#[derive(Debug)]
struct GuardedAlarm {
    key: AlarmKey,
    /// First failure since the part last worked in this scope.
    since: Instant,
}

impl AlarmGuard {
    /// Records a failure, which replaces the one before. Another cause in the same scope does not end the alarm for this guard: no end
    /// is reported, and its duration continues.
    pub fn failed(&mut self, failure: FailureReport<'_>, now: Instant) {
        self.failed_since(failure, now, now);
    }

    /// Like [`AlarmGuard::failed`], for a failure that began at `since` and is noticed now.
    pub fn failed_since(&mut self, failure: FailureReport<'_>, since: Instant, now: Instant) {
        if self.active.as_ref().is_some_and(|active| active.key.0 != *failure.scope) {
            self.recovered(now);
        }
        let key = (failure.scope.clone(), failure.cause);
        let since = self.active.as_ref().map_or(since, |active| active.since);
        let before =
            self.active.replace(GuardedAlarm { key: key.clone(), since }).filter(|active| active.key != key);
        let due = {
            let mut state = lock(&self.alarms.state);
            let ended = before.and_then(|active| state.remove(self.guard, &active.key));
            let due = state.add(self.guard, failure, since, now);
            // If the first cause was reported, the end is reported too, whatever the last cause was.
            if ended.is_some_and(|ended| ended.is_reported)
                && let Some(active) = state.active.get_mut(&key)
            {
                active.is_reported = true;
            }
            due
        };
        if let Some(alarm) = due {
            self.alarms.listener.raised(&alarm);
        }
    }

    /// Records that the part works again. Costs nothing while no alarm is active.
    pub fn recovered(&mut self, now: Instant) {
        let Some(active) = self.active.take() else { return };
        let ended = lock(&self.alarms.state).remove(self.guard, &active.key);
        if let Some(ended) = ended.filter(|ended| ended.is_reported) {
            self.alarms.listener.resolved(&ended.alarm, now.saturating_duration_since(ended.since));
        }
    }
}

impl Drop for AlarmGuard {
    fn drop(&mut self) {
        if let Some(active) = self.active.take() {
            // The alarm did not end, so no end is reported.
            let _ended = lock(&self.alarms.state).remove(self.guard, &active.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records reports in short form.
    #[derive(Default)]
    struct Reports(Mutex<Vec<String>>);

    impl Reports {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    impl AlarmListener for Reports {
        fn raised(&self, alarm: &Alarm) {
            self.0.lock().unwrap().push(format!("{} {}", alarm.cause, alarm.lasting.as_secs()));
        }

        fn resolved(&self, alarm: &Alarm, lasted: Duration) {
            self.0.lock().unwrap().push(format!("{} resolved {}", alarm.cause, lasted.as_secs()));
        }
    }

    fn bucket(bucket: &str) -> Scope {
        Scope::Destination(bucket.to_owned())
    }

    fn fail(guard: &mut AlarmGuard, cause: &'static str, scope: &Scope, now: Instant) {
        let remedy = || "do this".to_owned();
        guard.failed(
            FailureReport { cause, blocks: true, scope, at: "http://h", why: "why", remedy: &remedy },
            now,
        );
    }

    fn retry(guard: &mut AlarmGuard, cause: &'static str, now: Instant) {
        let (scope, remedy) = (&Scope::Server, String::new);
        let failure = FailureReport { cause, blocks: false, scope, at: "", why: "", remedy: &remedy };
        guard.failed(failure, now);
    }

    #[test]
    fn reports_at_once_then_once_a_minute_then_the_end() {
        let reports = Arc::new(Reports::default());
        let alarms = AlarmRegistry::new(reports.clone());
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut lanes: Vec<AlarmGuard> = (0..4).map(|_| alarms.guard()).collect();
        for seconds in 0..=130 {
            for lane in &mut lanes {
                fail(lane, "unauthorized", &Scope::Server, at(seconds));
            }
        }
        assert_eq!(reports.take(), ["unauthorized 0", "unauthorized 60", "unauthorized 120"]);
        assert_eq!(alarms.current(at(130)).len(), 1);
        assert_eq!(alarms.current(at(130))[0].lasting, Duration::from_secs(130));
        for lane in &mut lanes[..3] {
            lane.recovered(at(131));
        }
        assert_eq!(reports.take(), [""; 0], "one lane still waits");
        lanes[3].recovered(at(140));
        assert_eq!(reports.take(), ["unauthorized resolved 140"]);
        assert!(alarms.current(at(140)).is_empty());
    }

    #[test]
    fn a_failure_is_reported_again_when_it_becomes_blocking() {
        let reports = Arc::new(Reports::default());
        let alarms = AlarmRegistry::new(reports.clone());
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut lane = alarms.guard();
        retry(&mut lane, "timed_out", at(0));
        // No request fails in the meantime: the next one waits for its answer.
        for seconds in 0..70 {
            alarms.report_blocking(at(seconds));
        }
        assert_eq!(reports.take(), ["timed_out 0", "timed_out 10"]);
        retry(&mut lane, "timed_out", at(70));
        assert_eq!(reports.take(), ["timed_out 70"]);
        lane.recovered(at(71));
        assert_eq!(reports.take(), ["timed_out resolved 71"]);
        // Soon after that report, only a failure that was never reported as blocking would be reported again.
        retry(&mut lane, "timed_out", at(72));
        alarms.report_blocking(at(90));
        assert_eq!(reports.take(), [""; 0]);
        lane.recovered(at(90));
        // A failure that passes is no error.
        retry(&mut lane, "timed_out", at(200));
        alarms.report_blocking(at(209));
        lane.recovered(at(209));
        assert_eq!(reports.take(), ["timed_out 0", "timed_out resolved 9"]);
    }

    #[test]
    fn separates_scopes_and_causes() {
        let reports = Arc::new(Reports::default());
        let alarms = AlarmRegistry::new(reports.clone());
        let now = Instant::now();
        let (mut one, mut two) = (alarms.guard(), alarms.guard());
        fail(&mut one, "bucket_missing", &bucket("a"), now);
        fail(&mut two, "bucket_missing", &bucket("b"), now);
        assert_eq!(reports.take(), ["bucket_missing 0"; 2]);
        assert!(alarms.is_blocked("a") && !alarms.is_blocked("c"));
        // Another scope ends the alarm of the bucket.
        fail(&mut one, "unreachable", &Scope::Server, now);
        assert_eq!(reports.take(), ["bucket_missing resolved 0", "unreachable 0"]);
        assert!(alarms.is_blocked("c"), "it concerns every destination");
        fail(&mut two, "unreachable", &Scope::Server, now);
        assert_eq!(reports.take(), ["bucket_missing resolved 0"]);
        fail(&mut one, "timed_out", &Scope::Server, now);
        assert_eq!(reports.take(), ["timed_out 0"]);
        assert_eq!(alarms.current(now).len(), 2);
    }

    #[test]
    fn two_lanes_that_fail_differently_are_two_alarms() {
        let alarms = AlarmRegistry::new(Arc::new(Reports::default()));
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let (mut one, mut two) = (alarms.guard(), alarms.guard());
        // Whichever lane failed last, the destination is blocked as long as one lane is.
        for seconds in 0..10 {
            fail(&mut one, "unauthorized", &Scope::Server, at(seconds));
            assert!(alarms.is_blocked("a"), "after {seconds} s");
            retry(&mut two, "timed_out", at(seconds));
            assert!(alarms.is_blocked("a"), "after {seconds} s");
        }
        let causes: Vec<_> = alarms.current(at(9)).iter().map(|alarm| (alarm.cause, alarm.lasting)).collect();
        let nine = Duration::from_secs(9);
        assert_eq!(causes, [("timed_out", nine), ("unauthorized", nine)]);
        one.recovered(at(10));
        assert!(!alarms.is_blocked("a"));
        assert_eq!(alarms.current(at(10)).len(), 1);
    }

    #[test]
    fn a_cause_blocks_as_long_as_one_of_its_lanes_is_blocked() {
        let alarms = AlarmRegistry::new(Arc::new(Reports::default()));
        let now = Instant::now();
        let (mut one, mut two) = (alarms.guard(), alarms.guard());
        fail(&mut one, "busy", &Scope::Server, now);
        retry(&mut two, "busy", now);
        assert!(alarms.is_blocked("a"));
        one.recovered(now);
        assert!(!alarms.is_blocked("a"));
    }

    #[test]
    fn another_cause_in_the_same_scope_continues_the_alarm() {
        let reports = Arc::new(Reports::default());
        let alarms = AlarmRegistry::new(reports.clone());
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut lane = alarms.guard();
        for seconds in 0..30 {
            let cause = if seconds % 2 == 0 { "timed_out" } else { "disconnected" };
            fail(&mut lane, cause, &Scope::Server, at(seconds));
            let current = alarms.current(at(seconds));
            assert_eq!((current.len(), current[0].lasting), (1, Duration::from_secs(seconds)));
        }
        assert_eq!(reports.take(), ["timed_out 0", "disconnected 1"]);
        lane.recovered(at(30));
        assert_eq!(reports.take(), ["disconnected resolved 30"]);
    }

    #[test]
    fn forgets_reports_after_a_minute() {
        let alarms = AlarmRegistry::new(Arc::new(Reports::default()));
        let start = Instant::now();
        for number in 0..1_000 {
            let mut guard = alarms.guard();
            let now = start + Duration::from_secs(number);
            fail(&mut guard, "reject_rate", &Scope::Topic(format!("t{number}")), now);
            guard.recovered(now);
            assert!(lock(&alarms.state).reported.len() <= 60, "topic {number}");
        }
    }

    #[test]
    fn topics_and_dead_letters_block_no_destination() {
        let alarms = AlarmRegistry::new(Arc::new(Reports::default()));
        let (mut one, mut two) = (alarms.guard(), alarms.guard());
        fail(&mut one, "reject_rate", &Scope::Topic("a".to_owned()), Instant::now());
        fail(&mut two, "dead_letters", &Scope::DeadLetters, Instant::now());
        assert!(!alarms.is_blocked("a"));
        assert_eq!(alarms.current(Instant::now()).len(), 2);
    }

    #[test]
    fn reports_an_alarm_that_comes_and_goes_once_a_minute() {
        let reports = Arc::new(Reports::default());
        let alarms = AlarmRegistry::new(reports.clone());
        let start = Instant::now();
        let mut lane = alarms.guard();
        for seconds in 0..120 {
            fail(&mut lane, "busy", &Scope::Server, start + Duration::from_secs(seconds));
            lane.recovered(start + Duration::from_secs(seconds));
        }
        assert_eq!(reports.take(), ["busy 0", "busy resolved 0", "busy 0", "busy resolved 0"]);
    }

    #[test]
    fn dropping_a_guard_ends_its_alarm_without_a_report() {
        let reports = Arc::new(Reports::default());
        let alarms = AlarmRegistry::new(reports.clone());
        let mut lane = alarms.guard();
        fail(&mut lane, "bucket_missing", &bucket("b"), Instant::now());
        drop(lane);
        assert!(alarms.current(Instant::now()).is_empty());
        assert_eq!(reports.take(), ["bucket_missing 0"]);
    }
}
