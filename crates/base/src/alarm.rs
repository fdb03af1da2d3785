//! AlarmRegistry: what keeps records from being settled. There is one for each cause and scope, whatever number of lanes it stops.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An alarm that lasts is said again after this.
const REPEAT: Duration = Duration::from_mins(1);

/// In an alarm's reason, before words that may quote a record.
pub const OF_A_RECORD: &str = "; the last: ";

/// The cause of an alarm about a topic that may not be read; other alarms about topics are about their records.
pub const TOPIC_DENIED: &str = "topic_denied";

/// What waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Every destination: the address or its credential is to blame.
    Server,
    /// One bucket or database.
    Destination(String),
    /// Records that can't be settled before their dead letters are written.
    DeadLetters,
    /// One topic.
    Topic(String),
    /// All topics: the brokers, the login or the group is to blame.
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
    /// As metrics and the readiness page name it.
    pub cause: &'static str,
    /// Someone has to mend it; otherwise it is expected to pass.
    pub holds: bool,
    pub scope: Scope,
    /// Where it was met: an address, a topic or file.
    pub at: String,
    /// The other side's own words, harmless.
    pub why: String,
    pub remedy: String,
    /// Since the first failure.
    pub lasting: Duration,
}

impl Alarm {
    /// The reason, without words that may quote a record unless those may be shown.
    pub fn why(&self, shows_records: bool) -> &str {
        match self.why.split_once(OF_A_RECORD) {
            Some((why, _)) if !shows_records => why,
            _ => &self.why,
        }
    }
}

/// One failure.
#[derive(Clone, Copy)]
pub struct Trouble<'a> {
    pub cause: &'static str,
    pub holds: bool,
    pub scope: &'a Scope,
    pub at: &'a str,
    pub why: &'a str,
    /// Asked for only when the words of the alarm change.
    pub remedy: &'a dyn Fn() -> String,
}

/// Hears of alarms as they happen, on the thread where they do: it must not wait.
pub trait Listener: Send + Sync {
    /// Said at once, and again once a minute while it lasts.
    fn raised(&self, alarm: &Alarm);
    /// What was raised is over.
    fn mended(&self, alarm: &Alarm, lasted: Duration);
}

/// All alarms: one for each scope and cause, whatever number of lanes it stops.
pub struct AlarmRegistry {
    listener: Arc<dyn Listener>,
    registry: Mutex<Registered>,
}

/// What an alarm is told apart by. Two lanes that fail for different reasons are two alarms.
type Key = (Scope, &'static str);

#[derive(Default)]
struct Registered {
    /// Bounded: each watch is part of at most one.
    open: BTreeMap<Key, Open>,
    /// When an alarm was last said, also after its end: one that comes and goes is not said each time. Entries older than
    /// `REPEAT` are removed.
    said: BTreeMap<Key, Instant>,
    lanes: u64,
}

struct Open {
    alarm: Alarm,
    since: Instant,
    /// Whether people know of it, so that they hear of its end too.
    said: bool,
    /// The lanes that wait, and whether each waits for somebody to mend something.
    lanes: BTreeMap<u64, bool>,
}

impl AlarmRegistry {
    pub fn new(listener: Arc<dyn Listener>) -> Arc<Self> {
        Arc::new(Self { listener, registry: Mutex::default() })
    }

    /// The alarms that last now, for the readiness and status pages.
    pub fn current(&self, now: Instant) -> Vec<Alarm> {
        let lasting = |open: &Open| now.saturating_duration_since(open.since);
        self.registry()
            .open
            .values()
            .map(|open| Alarm { lasting: lasting(open), ..open.alarm.clone() })
            .collect()
    }

    /// Whether an alarm that somebody has to mend stops lines for this destination.
    pub fn holds(&self, destination: &str) -> bool {
        let registry = self.registry();
        registry.open.values().filter(|open| open.alarm.holds).any(|open| match &open.alarm.scope {
            Scope::Server => true,
            Scope::Destination(name) => name == destination,
            Scope::DeadLetters | Scope::Topic(_) | Scope::Kafka | Scope::Bridge => false,
        })
    }

    /// Says what lasts again the next time that it is met.
    pub fn forget_said(&self) {
        self.registry().said.clear();
    }

    /// One lane's view.
    pub fn guard(self: &Arc<Self>) -> AlarmGuard {
        let mut registry = self.registry();
        registry.lanes += 1;
        AlarmGuard { lane: registry.lanes, alarms: Arc::clone(self), waits: None }
    }

    fn registry(&self) -> MutexGuard<'_, Registered> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for AlarmRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlarmRegistry").field("open", &self.registry().open.len()).finish_non_exhaustive()
    }
}

impl Registered {
    /// Enters a lane's failure, which began at `since`. Returns the alarm if it is time to say it.
    fn enter(&mut self, lane: u64, trouble: Trouble<'_>, since: Instant, now: Instant) -> Option<Alarm> {
        let key = (trouble.scope.clone(), trouble.cause);
        let open = self.open.entry(key.clone()).or_insert_with(|| Open {
            alarm: alarm(trouble),
            since,
            said: false,
            lanes: BTreeMap::new(),
        });
        open.since = open.since.min(since);
        if open.alarm.why != trouble.why {
            open.alarm = alarm(trouble);
        }
        open.lanes.insert(lane, trouble.holds);
        open.alarm.holds = open.lanes.values().any(|holds| *holds);
        open.alarm.lasting = now.saturating_duration_since(open.since);
        let is_old = |said: &Instant| now.saturating_duration_since(*said) >= REPEAT;
        if self.said.get(&key).is_some_and(|said| !is_old(said)) {
            return None;
        }
        self.said.retain(|_, said| !is_old(said));
        self.said.insert(key, now);
        open.said = true;
        Some(open.alarm.clone())
    }

    /// A lane waits for this alarm's end no longer. Returns the alarm if that was its last lane.
    fn leave(&mut self, lane: u64, key: &Key) -> Option<Open> {
        let open = self.open.get_mut(key)?;
        open.lanes.remove(&lane);
        open.alarm.holds = open.lanes.values().any(|holds| *holds);
        if open.lanes.is_empty() { self.open.remove(key) } else { None }
    }
}

fn alarm(trouble: Trouble<'_>) -> Alarm {
    let Trouble { cause, holds, scope, at, why, remedy } = trouble;
    let (scope, at, why) = (scope.clone(), at.to_owned(), why.to_owned());
    Alarm { cause, holds, scope, at, why, remedy: remedy(), lasting: Duration::ZERO }
}

/// What one lane waits for: at most one alarm at a time. Dropping a watch, as when a lane is given up, ends its part of the alarm
/// without a message.
#[derive(Debug)]
pub struct AlarmGuard {
    alarms: Arc<AlarmRegistry>,
    lane: u64,
    waits: Option<Waits>,
}

#[derive(Debug)]
struct Waits {
    key: Key,
    /// The first failure since the lane was last well in this scope.
    since: Instant,
}

impl AlarmGuard {
    /// The lane met this trouble, which takes the place of the one before. Another cause in the same scope means that the lane
    /// still waits: then nothing is said to have ended, and the time counts on.
    pub fn failed(&mut self, trouble: Trouble<'_>, now: Instant) {
        if self.waits.as_ref().is_some_and(|waits| waits.key.0 != *trouble.scope) {
            self.well(now);
        }
        let key = (trouble.scope.clone(), trouble.cause);
        let since = self.waits.as_ref().map_or(now, |waits| waits.since);
        let before = self.waits.replace(Waits { key: key.clone(), since }).filter(|waits| waits.key != key);
        let due = {
            let mut registry = self.alarms.registry();
            let left = before.and_then(|waits| registry.leave(self.lane, &waits.key));
            let due = registry.enter(self.lane, trouble, since, now);
            // Who heard of the first cause hears of the end, whatever the last cause was.
            if left.is_some_and(|left| left.said)
                && let Some(open) = registry.open.get_mut(&key)
            {
                open.said = true;
            }
            due
        };
        if let Some(alarm) = due {
            self.alarms.listener.raised(&alarm);
        }
    }

    /// An attempt was answered for what it was. Free of cost while nothing is wrong.
    pub fn well(&mut self, now: Instant) {
        let Some(waits) = self.waits.take() else { return };
        let ended = self.alarms.registry().leave(self.lane, &waits.key);
        if let Some(open) = ended.filter(|open| open.said) {
            self.alarms.listener.mended(&open.alarm, now.saturating_duration_since(open.since));
        }
    }
}

impl Drop for AlarmGuard {
    fn drop(&mut self) {
        if let Some(waits) = self.waits.take() {
            // Nothing was mended: nothing to say.
            let _ended = self.alarms.registry().leave(self.lane, &waits.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was said since the last call, shortened.
    #[derive(Default)]
    struct Said(Mutex<Vec<String>>);

    impl Said {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    impl Listener for Said {
        fn raised(&self, alarm: &Alarm) {
            self.0.lock().unwrap().push(format!("{} {}", alarm.cause, alarm.lasting.as_secs()));
        }

        fn mended(&self, alarm: &Alarm, lasted: Duration) {
            self.0.lock().unwrap().push(format!("{} mended {}", alarm.cause, lasted.as_secs()));
        }
    }

    fn of(bucket: &str) -> Scope {
        Scope::Destination(bucket.to_owned())
    }

    fn fail(watch: &mut AlarmGuard, cause: &'static str, scope: &Scope, now: Instant) {
        let remedy = || "do this".to_owned();
        watch.failed(Trouble { cause, holds: true, scope, at: "http://h", why: "why", remedy: &remedy }, now);
    }

    #[test]
    fn speaks_at_once_then_once_a_minute_then_of_the_end() {
        let said = Arc::new(Said::default());
        let alarms = AlarmRegistry::new(said.clone());
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut lanes: Vec<AlarmGuard> = (0..4).map(|_| alarms.guard()).collect();
        for seconds in 0..=130 {
            for lane in &mut lanes {
                fail(lane, "unauthorized", &Scope::Server, at(seconds));
            }
        }
        assert_eq!(said.take(), ["unauthorized 0", "unauthorized 60", "unauthorized 120"]);
        assert_eq!(alarms.current(at(130)).len(), 1);
        assert_eq!(alarms.current(at(130))[0].lasting, Duration::from_secs(130));
        for lane in &mut lanes[..3] {
            lane.well(at(131));
        }
        assert_eq!(said.take(), [""; 0], "one lane still waits");
        lanes[3].well(at(140));
        assert_eq!(said.take(), ["unauthorized mended 140"]);
        assert!(alarms.current(at(140)).is_empty());
    }

    #[test]
    fn keeps_scopes_and_causes_apart() {
        let said = Arc::new(Said::default());
        let alarms = AlarmRegistry::new(said.clone());
        let now = Instant::now();
        let (mut one, mut two) = (alarms.guard(), alarms.guard());
        fail(&mut one, "bucket_missing", &of("a"), now);
        fail(&mut two, "bucket_missing", &of("b"), now);
        assert_eq!(said.take(), ["bucket_missing 0"; 2]);
        assert!(alarms.holds("a") && !alarms.holds("c"));
        // The bucket is not what keeps this lane any more.
        fail(&mut one, "unreachable", &Scope::Server, now);
        assert_eq!(said.take(), ["bucket_missing mended 0", "unreachable 0"]);
        assert!(alarms.holds("c"), "it concerns all");
        fail(&mut two, "unreachable", &Scope::Server, now);
        assert_eq!(said.take(), ["bucket_missing mended 0"]);
        fail(&mut one, "timed_out", &Scope::Server, now);
        assert_eq!(said.take(), ["timed_out 0"]);
        assert_eq!(alarms.current(now).len(), 2);
    }

    #[test]
    fn two_lanes_that_fail_differently_are_two_alarms() {
        let alarms = AlarmRegistry::new(Arc::new(Said::default()));
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let (mut one, mut two) = (alarms.guard(), alarms.guard());
        let retry = |watch: &mut AlarmGuard, now: Instant| {
            let remedy = String::new;
            let scope = &Scope::Server;
            let trouble =
                Trouble { cause: "timed_out", holds: false, scope, at: "", why: "", remedy: &remedy };
            watch.failed(trouble, now);
        };
        // Whichever failed last, the destination is held as long as one lane is.
        for seconds in 0..10 {
            fail(&mut one, "unauthorized", &Scope::Server, at(seconds));
            assert!(alarms.holds("a"), "after {seconds} s");
            retry(&mut two, at(seconds));
            assert!(alarms.holds("a"), "after {seconds} s");
        }
        let causes: Vec<_> = alarms.current(at(9)).iter().map(|alarm| (alarm.cause, alarm.lasting)).collect();
        let nine = Duration::from_secs(9);
        assert_eq!(causes, [("timed_out", nine), ("unauthorized", nine)]);
        one.well(at(10));
        assert!(!alarms.holds("a"));
        assert_eq!(alarms.current(at(10)).len(), 1);
    }

    #[test]
    fn one_cause_holds_as_long_as_one_of_its_lanes_does() {
        let alarms = AlarmRegistry::new(Arc::new(Said::default()));
        let now = Instant::now();
        let (mut one, mut two) = (alarms.guard(), alarms.guard());
        fail(&mut one, "busy", &Scope::Server, now);
        let (scope, remedy) = (&Scope::Server, String::new);
        let trouble = Trouble { cause: "busy", holds: false, scope, at: "", why: "why", remedy: &remedy };
        two.failed(trouble, now);
        assert!(alarms.holds("a"));
        one.well(now);
        assert!(!alarms.holds("a"));
    }

    #[test]
    fn another_cause_in_the_same_scope_is_no_end_and_the_time_counts_on() {
        let said = Arc::new(Said::default());
        let alarms = AlarmRegistry::new(said.clone());
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut lane = alarms.guard();
        for seconds in 0..30 {
            let cause = if seconds % 2 == 0 { "timed_out" } else { "disconnected" };
            fail(&mut lane, cause, &Scope::Server, at(seconds));
            let current = alarms.current(at(seconds));
            assert_eq!((current.len(), current[0].lasting), (1, Duration::from_secs(seconds)));
        }
        assert_eq!(said.take(), ["timed_out 0", "disconnected 1"]);
        lane.well(at(30));
        assert_eq!(said.take(), ["disconnected mended 30"]);
    }

    #[test]
    fn remembers_what_was_said_for_a_minute_only() {
        let alarms = AlarmRegistry::new(Arc::new(Said::default()));
        let start = Instant::now();
        for number in 0..1_000 {
            let mut watch = alarms.guard();
            let now = start + Duration::from_secs(number);
            fail(&mut watch, "reject_rate", &Scope::Topic(format!("t{number}")), now);
            watch.well(now);
            assert!(alarms.registry().said.len() <= 60, "topic {number}");
        }
    }

    #[test]
    fn a_topic_or_dead_letters_hold_no_destination() {
        let alarms = AlarmRegistry::new(Arc::new(Said::default()));
        let (mut one, mut two) = (alarms.guard(), alarms.guard());
        fail(&mut one, "reject_rate", &Scope::Topic("a".to_owned()), Instant::now());
        fail(&mut two, "dead_letters", &Scope::DeadLetters, Instant::now());
        assert!(!alarms.holds("a"));
        assert_eq!(alarms.current(Instant::now()).len(), 2);
    }

    #[test]
    fn says_once_a_minute_what_comes_and_goes() {
        let said = Arc::new(Said::default());
        let alarms = AlarmRegistry::new(said.clone());
        let start = Instant::now();
        let mut lane = alarms.guard();
        for seconds in 0..120 {
            fail(&mut lane, "busy", &Scope::Server, start + Duration::from_secs(seconds));
            lane.well(start + Duration::from_secs(seconds));
        }
        assert_eq!(said.take(), ["busy 0", "busy mended 0", "busy 0", "busy mended 0"]);
    }

    #[test]
    fn forgets_a_lane_that_is_given_up() {
        let said = Arc::new(Said::default());
        let alarms = AlarmRegistry::new(said.clone());
        let mut lane = alarms.guard();
        fail(&mut lane, "bucket_missing", &of("b"), Instant::now());
        drop(lane);
        assert!(alarms.current(Instant::now()).is_empty());
        assert_eq!(said.take(), ["bucket_missing 0"]);
    }
}
