//! Who waits for what: one alarm for each cause, whatever number of lanes it stops.

use super::cause::{Cause, Reach};
use super::connection::{Credential, Destination};
use super::event::{Event, Observer};
use super::remedy::{Place, remedy};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An alarm that lasts is said again after this.
const REPEAT: Duration = Duration::from_mins(1);

/// Something that keeps lines from being stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub cause: Cause,
    /// Slow retries, because someone has to mend it; otherwise it is expected to pass.
    pub holds: bool,
    /// None: every destination.
    pub destination: Option<Destination>,
    pub address: String,
    /// InfluxDB's own words, or the network's, harmless.
    pub why: String,
    pub remedy: String,
    /// Since the first failure.
    pub lasting: Duration,
}

impl Alarm {
    /// What it stops, for people.
    pub fn scope(&self) -> String {
        self.destination.as_ref().map_or_else(|| "all destinations".to_owned(), ToString::to_string)
    }
}

/// One failed attempt.
#[derive(Clone, Copy, Debug)]
pub struct Trouble<'a> {
    pub cause: Cause,
    pub holds: bool,
    pub why: &'a str,
    pub address: &'a str,
    pub destination: &'a Destination,
    pub credential: &'a Credential,
}

/// The destination, or None for what concerns all of them.
type Scope = Option<Destination>;

/// All alarms of one writer. Bounded: one for each destination and one for all, times the causes.
pub struct Alarms {
    observer: Arc<dyn Observer>,
    board: Mutex<Board>,
}

#[derive(Default)]
struct Board {
    open: BTreeMap<Scope, Open>,
    /// When a cause was last said, also after it was mended: one that comes and goes is not said each time.
    said: BTreeMap<(Scope, Cause), Instant>,
    lanes: u64,
}

struct Open {
    alarm: Alarm,
    since: Instant,
    /// Whether people know of it, so that they hear of its end too.
    said: bool,
    lanes: BTreeSet<u64>,
}

impl Alarms {
    pub fn new(observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Self { observer, board: Mutex::default() })
    }

    /// What is going on, for the readiness and status pages.
    pub fn current(&self, now: Instant) -> Vec<Alarm> {
        let lasting = |open: &Open| now.saturating_duration_since(open.since);
        self.board()
            .open
            .values()
            .map(|open| Alarm { lasting: lasting(open), ..open.alarm.clone() })
            .collect()
    }

    /// Whether something that has to be mended stops this destination.
    pub fn holds(&self, destination: &Destination) -> bool {
        let board = self.board();
        let of = |scope: &Scope| board.open.get(scope).is_some_and(|open| open.alarm.holds);
        of(&None) || of(&Some(destination.clone()))
    }

    /// One lane's view.
    pub fn watch(self: &Arc<Self>) -> Watch {
        let mut board = self.board();
        board.lanes += 1;
        Watch { lane: board.lanes, alarms: Arc::clone(self), scope: None }
    }

    pub fn tell(&self, event: &Event) {
        self.observer.observe(event);
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Alarms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alarms").field("open", &self.board().open.len()).finish_non_exhaustive()
    }
}

impl Board {
    /// Enters a failure, and gives the alarm if it is time to say it.
    fn enter(&mut self, lane: u64, scope: &Scope, trouble: Trouble<'_>, now: Instant) -> Option<Alarm> {
        let open = self.open.entry(scope.clone()).or_insert_with(|| Open {
            alarm: alarm(trouble, scope),
            since: now,
            said: false,
            lanes: BTreeSet::new(),
        });
        open.lanes.insert(lane);
        if open.alarm.cause != trouble.cause || open.alarm.why != trouble.why {
            open.alarm = alarm(trouble, scope);
        }
        open.alarm.lasting = now.saturating_duration_since(open.since);
        let key = (scope.clone(), trouble.cause);
        let due = self.said.get(&key).is_none_or(|said| now.saturating_duration_since(*said) >= REPEAT);
        if !due {
            return None;
        }
        self.said.insert(key, now);
        open.said = true;
        Some(open.alarm.clone())
    }

    /// A lane waits no longer. Gives the alarm if that was the last lane and people know of it.
    fn leave(&mut self, lane: u64, scope: &Scope, now: Instant) -> Option<(Alarm, Duration)> {
        let open = self.open.get_mut(scope)?;
        open.lanes.remove(&lane);
        if !open.lanes.is_empty() {
            return None;
        }
        let open = self.open.remove(scope)?;
        open.said.then(|| (open.alarm, now.saturating_duration_since(open.since)))
    }
}

fn alarm(trouble: Trouble<'_>, scope: &Scope) -> Alarm {
    let Trouble { cause, holds, why, address, destination, credential } = trouble;
    Alarm {
        cause,
        holds,
        destination: scope.clone(),
        address: address.to_owned(),
        why: why.to_owned(),
        remedy: remedy(cause, Place { address, destination, credential }),
        lasting: Duration::ZERO,
    }
}

/// What one lane waits for. Dropping it, as when a lane is given up, takes the lane off the board.
#[derive(Debug)]
pub struct Watch {
    alarms: Arc<Alarms>,
    lane: u64,
    scope: Option<Scope>,
}

impl Watch {
    pub fn failed(&mut self, trouble: Trouble<'_>, now: Instant) {
        let scope = match trouble.cause.reach() {
            Reach::Server => None,
            Reach::Destination => Some(trouble.destination.clone()),
        };
        if self.scope.as_ref().is_some_and(|before| *before != scope) {
            self.well(now);
        }
        let due = self.alarms.board().enter(self.lane, &scope, trouble, now);
        self.scope = Some(scope);
        if let Some(alarm) = due {
            self.alarms.tell(&Event::Raised(alarm));
        }
    }

    /// An attempt was answered for what it was. Free of cost while nothing is wrong.
    pub fn well(&mut self, now: Instant) {
        let Some(scope) = self.scope.take() else { return };
        let mended = self.alarms.board().leave(self.lane, &scope, now);
        if let Some((alarm, lasted)) = mended {
            self.alarms.tell(&Event::Mended { alarm, lasted });
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(scope) = self.scope.take() {
            // Nothing was mended: nothing to say.
            let _ = self.alarms.board().leave(self.lane, &scope, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::influx::test_support::Events;

    fn destination(bucket: &str) -> Destination {
        Destination::Bucket { org: "o".into(), bucket: bucket.into() }
    }

    fn fail(watch: &mut Watch, cause: Cause, bucket: &str, now: Instant) {
        let destination = destination(bucket);
        let credential = Credential::None;
        let trouble = Trouble {
            cause,
            holds: true,
            why: "why",
            address: "http://h",
            destination: &destination,
            credential: &credential,
        };
        watch.failed(trouble, now);
    }

    /// The events since the last call, shortened.
    fn said(events: &Events) -> Vec<String> {
        let short = |event: Event| match event {
            Event::Raised(alarm) => format!("{} {}", alarm.cause.name(), alarm.lasting.as_secs()),
            Event::Mended { alarm, lasted } => format!("{} mended {}", alarm.cause.name(), lasted.as_secs()),
            other => format!("{other:?}"),
        };
        events.take().into_iter().map(short).collect()
    }

    #[test]
    fn speaks_at_once_then_once_a_minute_then_of_the_end() {
        let events = Arc::new(Events::default());
        let alarms = Alarms::new(events.clone());
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut lanes: Vec<Watch> = (0..4).map(|_| alarms.watch()).collect();
        for seconds in 0..=130 {
            for lane in &mut lanes {
                fail(lane, Cause::Unauthorized, "b", at(seconds));
            }
        }
        assert_eq!(said(&events), ["unauthorized 0", "unauthorized 60", "unauthorized 120"]);
        assert_eq!(alarms.current(at(130)).len(), 1);
        assert_eq!(alarms.current(at(130))[0].lasting, Duration::from_secs(130));
        for lane in &mut lanes[..3] {
            lane.well(at(131));
        }
        assert_eq!(said(&events), [""; 0], "one lane still waits");
        lanes[3].well(at(140));
        assert_eq!(said(&events), ["unauthorized mended 140"]);
        assert!(alarms.current(at(140)).is_empty());
    }

    #[test]
    fn keeps_destinations_and_causes_apart() {
        let events = Arc::new(Events::default());
        let alarms = Alarms::new(events.clone());
        let now = Instant::now();
        let (mut one, mut two) = (alarms.watch(), alarms.watch());
        fail(&mut one, Cause::BucketMissing, "a", now);
        fail(&mut two, Cause::BucketMissing, "b", now);
        assert_eq!(said(&events), ["bucket_missing 0"; 2]);
        assert!(alarms.holds(&destination("a")) && !alarms.holds(&destination("c")));
        // The bucket is not what keeps this lane any more.
        fail(&mut one, Cause::Unreachable, "a", now);
        assert_eq!(said(&events), ["bucket_missing mended 0", "unreachable 0"]);
        assert!(alarms.holds(&destination("c")), "it concerns all");
        fail(&mut two, Cause::Unreachable, "b", now);
        assert_eq!(said(&events), ["bucket_missing mended 0"]);
        fail(&mut one, Cause::TimedOut, "a", now);
        assert_eq!(said(&events), ["timed_out 0"]);
        assert_eq!(alarms.current(now).len(), 1);
    }

    #[test]
    fn says_once_a_minute_what_comes_and_goes() {
        let events = Arc::new(Events::default());
        let alarms = Alarms::new(events.clone());
        let start = Instant::now();
        let mut lane = alarms.watch();
        for seconds in 0..120 {
            fail(&mut lane, Cause::Busy, "b", start + Duration::from_secs(seconds));
            lane.well(start + Duration::from_secs(seconds));
        }
        assert_eq!(said(&events), ["busy 0", "busy mended 0", "busy 0", "busy mended 0"]);
    }

    #[test]
    fn forgets_a_lane_that_is_given_up() {
        let events = Arc::new(Events::default());
        let alarms = Alarms::new(events.clone());
        let mut lane = alarms.watch();
        fail(&mut lane, Cause::BucketMissing, "b", Instant::now());
        drop(lane);
        assert!(alarms.current(Instant::now()).is_empty());
        assert_eq!(said(&events), ["bucket_missing 0"]);
    }
}
