//! The limiter of one topic: blocks the topic where going on would skip its records one after another, and decides when a blocked
//! topic is tried again.
//!
//! ```text
//!            too many rejected or refused, or a limit of the server
//!   Open ────────────────────────────────────────────────────────────> Blocked ──> (SIGHUP) ──> Open
//!     ^                                                                  │  ^
//!     │ a few records are stored       the probe is due (server only)    v  │ those few are refused or blocked too
//!     └──────────────────────────────────────────────────────────── Probing
//! ```
//!
//! While a topic is blocked its records are fetched from librdkafka and left unsettled. So each way out of `Blocked` and `Probing`
//! reads again from the first unsettled record: see [`crate::data_thread::resume`].

use base::alarm::{Alarm, AlarmGuard, AlarmRegistry, BEFORE_RECORD_TEXT, FailureReport, Scope};
use influx::Cause;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many may be rejected before a topic is blocked.
const REJECTED_MIN: u64 = 1_000;
/// The same for a topic that was blocked before: the reason is likely to be there still.
const REJECTED_AGAIN_MIN: u64 = 100;
/// A topic that yields no point in its first records was never mapped rightly.
const FIRST_RECORDS: u64 = 100;
/// The share is fetched over this many records, or over this long, whichever is shorter.
const WINDOW_RECORDS: u64 = 10_000;
const WINDOW: Duration = Duration::from_mins(1);
/// The window moves in steps of a tenth.
const STEPS: u64 = 10;
/// What a probe sends: each of them may be refused, and is dead-lettered then.
const PROBE_RECORDS: u64 = 10;
/// A probe that gets no record for this long is over: what waited for it is in Kafka no more.
const PROBE_QUIET_MAX: Duration = Duration::from_mins(1);

/// The cause of a block by too many rejected or refused records, as metrics and the readiness page name it.
const REJECT_RATE: &str = "reject_rate";

/// The topic that this alarm says is blocked.
pub fn blocked_topic(alarm: &Alarm) -> Option<&str> {
    match &alarm.scope {
        Scope::Topic(topic) if [REJECT_RATE, Cause::ServerLimit.name()].contains(&alarm.cause) => Some(topic),
        _ => None,
    }
}

/// When a topic that the server blocks is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeDelays {
    pub first: Duration,
    /// The delay doubles up to this.
    pub max: Duration,
}

impl Default for ProbeDelays {
    /// A raised limit is noticed within a minute; a limit that stays costs a few records a minute.
    fn default() -> Self {
        Self { first: Duration::from_secs(5), max: Duration::from_mins(1) }
    }
}

/// Watches one topic of one consumer.
#[derive(Debug)]
pub struct RejectLimiter {
    rate_max: f64,
    delays: ProbeDelays,
    state: State,
    /// Records since the last look, of which none was rejected.
    passed: u64,
    steps: VecDeque<Step>,
    /// Since the share was last within bounds.
    rejected: u64,
    rejected_min: u64,
    /// None once a record became a point.
    first: Option<First>,
    /// Probes in a row that failed.
    failures: u32,
    /// When the topic was last opened again.
    opened: Option<Instant>,
}

/// A part of the window.
#[derive(Debug)]
struct Step {
    since: Instant,
    records: u64,
    rejected: u64,
}

/// The records before the first point.
#[derive(Clone, Copy, Debug, Default)]
struct First {
    rejected: u64,
    filtered: u64,
}

#[derive(Debug)]
enum State {
    Open,
    Blocked { block: Block, until: Until },
    Probing { block: Block, probe: Probe },
}

/// What ends a block.
#[derive(Clone, Copy, Debug)]
enum Until {
    /// A reload alone: the mapping rejects the records, and would reject them again.
    Reload,
    Probe(Instant),
    /// The topic is to be opened without a probe.
    Lifted,
}

/// Why a topic is blocked, as its alarm says.
#[derive(Debug)]
struct Block {
    cause: &'static str,
    at: String,
    why: String,
    remedy: String,
    /// None until the alarm was raised.
    watch: Option<AlarmGuard>,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    since: Instant,
    /// Records that were let through, and those of them that were rejected or refused.
    sent: u64,
    failed: u64,
}

/// What becomes of a topic's next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Admitted,
    /// It stays unsettled, and is read again when the topic is opened.
    Unsettled,
}

/// How a blocked topic goes on, once its records are read again from the first unsettled one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    Probe,
    Open,
}

/// A limit of the server keeps lines of the topic out.
pub struct ServerBlock<'a> {
    pub cause: &'static str,
    pub at: &'a str,
    pub why: &'a str,
    pub remedy: &'a str,
}

impl RejectLimiter {
    /// With `rate_max` of 1.0 or more, rejected and refused records never block the topic.
    pub fn new(rate_max: f64, delays: ProbeDelays) -> Self {
        Self {
            rate_max,
            delays,
            state: State::Open,
            passed: 0,
            steps: VecDeque::new(),
            rejected: 0,
            rejected_min: REJECTED_MIN,
            first: Some(First::default()),
            failures: 0,
            opened: None,
        }
    }

    /// The limiter of a topic that another configuration blocked.
    #[must_use]
    pub fn after_block(self) -> Self {
        Self { rejected_min: REJECTED_AGAIN_MIN, ..self }
    }

    /// Asked for each record, before it is mapped.
    pub fn admit(&mut self) -> Admission {
        match &mut self.state {
            State::Open => Admission::Admitted,
            State::Probing { probe, .. } if probe.sent < PROBE_RECORDS => {
                probe.sent += 1;
                Admission::Admitted
            }
            State::Blocked { .. } | State::Probing { .. } => Admission::Unsettled,
        }
    }

    /// Whether the topic's records are left unsettled now, so that fetching them is of no use.
    pub fn is_blocked(&self) -> bool {
        match &self.state {
            State::Open => false,
            State::Blocked { .. } => true,
            State::Probing { probe, .. } => probe.sent >= PROBE_RECORDS,
        }
    }

    /// Whether the topic flows: neither blocked nor probed.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// A record became points.
    pub fn pass(&mut self) {
        self.passed += 1;
        self.first = None;
    }

    /// A record was filtered, as tombstones are. Returns whether to warn that the first records all were.
    pub fn filter(&mut self) -> bool {
        self.passed += 1;
        let Some(first) = &mut self.first else { return false };
        first.filtered += 1;
        first.filtered == FIRST_RECORDS && first.rejected == 0
    }

    /// A record was rejected; `points`: other elements of it became points. Returns whether the topic is blocked from this record
    /// on, which then must stay unsettled.
    pub fn reject(&mut self, points: bool, why: impl FnOnce() -> String, now: Instant) -> bool {
        if let State::Probing { probe, .. } = &mut self.state {
            probe.failed += 1;
            return false;
        }
        if points {
            self.first = None;
        }
        let none_mapped = self.first.as_mut().is_some_and(|first| {
            first.rejected += 1;
            first.rejected >= FIRST_RECORDS && self.rate_max < 1.0
        });
        let too_many = self.look(1, 1, now);
        if !too_many && !none_mapped {
            return false;
        }
        let what = if too_many { self.many_were_rejected() } else { first_were_rejected() };
        let block = Block {
            cause: REJECT_RATE,
            at: "kafka".to_owned(),
            why: format!("{what}{BEFORE_RECORD_TEXT}{}", why()),
            remedy: format!(
                "{STAY_IN_KAFKA}: {CORRECT}, or {LET_PASS}, then reload (SIGHUP) or restart the bridge"
            ),
            watch: None,
        };
        self.state = State::Blocked { block, until: Until::Reload };
        true
    }

    /// Lines of this many records, which had passed, were refused. Returns whether the topic is blocked from now on.
    pub fn refuse(&mut self, records: u64, why: impl FnOnce() -> String, now: Instant) -> bool {
        if let State::Probing { probe, .. } = &mut self.state {
            probe.failed += records;
            return false;
        }
        if !self.is_open() || !self.look(0, records, now) {
            return false;
        }
        let block = Block {
            cause: REJECT_RATE,
            at: "influxdb".to_owned(),
            why: format!("{}{BEFORE_RECORD_TEXT}{}", self.many_were_rejected(), why()),
            remedy: format!(
                "{STAY_IN_KAFKA}. A few records are tried again, at least once a minute, and the topic resumes once they are stored: \
                 mend what InfluxDB refuses, or {CORRECT}, or {LET_PASS}, and reload (SIGHUP)"
            ),
            watch: None,
        };
        self.block_for_a_while(block, now);
        true
    }

    /// A limit of the server keeps lines of the topic out. Returns whether the topic was not blocked before.
    pub fn block(&mut self, by: &ServerBlock<'_>, now: Instant) -> bool {
        let watch = match &mut self.state {
            // The mapping's block lasts longer.
            State::Blocked { .. } => return false,
            State::Probing { block, .. } => block.watch.take(),
            State::Open => None,
        };
        let block = Block {
            cause: by.cause,
            at: by.at.to_owned(),
            why: by.why.to_owned(),
            remedy: format!(
                "{}. {STAY_IN_KAFKA}. A few records are tried again, at least once a minute, and the topic resumes once they are stored",
                by.remedy.trim_end_matches('.')
            ),
            watch,
        };
        self.block_for_a_while(block, now);
        true
    }

    fn block_for_a_while(&mut self, block: Block, now: Instant) {
        // A topic that flowed for as long as the longest delay begins anew.
        let flowed = |opened: Instant| now.saturating_duration_since(opened) >= self.delays.max;
        if self.is_open() && self.opened.is_none_or(flowed) {
            self.failures = 0;
        }
        let until = Until::Probe(now + self.delay());
        self.state = State::Blocked { block, until };
    }

    /// How long to wait after so many failed probes.
    fn delay(&mut self) -> Duration {
        let doublings = self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        self.delays.first.saturating_mul(1 << doublings).min(self.delays.max)
    }

    /// Opens the topic without a probe, as soon as its records can be read again.
    pub fn lift(&mut self) {
        let open = std::mem::replace(&mut self.state, State::Open);
        self.state = match open {
            State::Open => State::Open,
            State::Blocked { block, .. } | State::Probing { block, .. } => {
                State::Blocked { block, until: Until::Lifted }
            }
        };
    }

    /// How the topic is to go on now. It is asked when nothing of the topic is open or in flight.
    pub fn resumption(&self, now: Instant) -> Option<Resumption> {
        match &self.state {
            State::Open => None,
            State::Blocked { until, .. } => match until {
                Until::Reload => None,
                Until::Lifted => Some(Resumption::Open),
                Until::Probe(due) => (now >= *due).then_some(Resumption::Probe),
            },
            State::Probing { probe, .. } => self.is_passed(*probe, now).then_some(Resumption::Open),
        }
    }

    fn is_passed(&self, probe: Probe, now: Instant) -> bool {
        if probe.sent == 0 {
            return now.saturating_duration_since(probe.since) >= PROBE_QUIET_MAX;
        }
        self.is_within_rate(probe)
    }

    fn is_within_rate(&self, probe: Probe) -> bool {
        self.rate_max >= 1.0 || probe.failed as f64 <= self.rate_max * probe.sent as f64
    }

    /// A probe of which nothing is open or in flight has failed: the topic stays blocked, for longer.
    pub fn judge(&mut self, now: Instant) {
        let State::Probing { probe, .. } = &self.state else { return };
        if probe.sent > 0 && !self.is_within_rate(*probe) {
            self.postpone(now);
        }
    }

    /// The topic could not go on: it is tried again later.
    pub fn postpone(&mut self, now: Instant) {
        let until = Until::Probe(now + self.delay());
        if let State::Blocked { block, .. } | State::Probing { block, .. } =
            std::mem::replace(&mut self.state, State::Open)
        {
            self.state = State::Blocked { block, until };
        }
    }

    /// The topic's records are read again from the first unsettled one.
    pub fn resume(&mut self, how: Resumption, now: Instant) {
        let before = std::mem::replace(&mut self.state, State::Open);
        let (State::Blocked { mut block, .. } | State::Probing { mut block, .. }) = before else { return };
        match how {
            Resumption::Probe => {
                let probe = Probe { since: now, sent: 0, failed: 0 };
                self.state = State::Probing { block, probe };
            }
            Resumption::Open => {
                if let Some(watch) = &mut block.watch {
                    watch.recovered(now);
                }
                self.steps.clear();
                (self.passed, self.rejected, self.rejected_min) = (0, 0, REJECTED_AGAIN_MIN);
                self.first = Some(First::default());
                self.opened = Some(now);
            }
        }
    }

    fn many_were_rejected(&self) -> String {
        let (rejected, rate_max) = (self.rejected_min, self.rate_max);
        format!(
            "at least {rejected} records were rejected or refused, more than reject.rate_max = {rate_max} of the newest"
        )
    }

    /// Whether too many of the last records were rejected, with these.
    fn look(&mut self, records: u64, rejected: u64, now: Instant) -> bool {
        let mut passed = std::mem::take(&mut self.passed);
        if passed >= WINDOW_RECORDS {
            self.steps.clear();
            passed = WINDOW_RECORDS - 1;
        }
        while passed > 0 {
            passed -= self.add(passed, 0, now);
        }
        self.add(records, rejected, now);
        self.steps.retain(|step| now.saturating_duration_since(step.since) < WINDOW);
        let of = |count: fn(&Step) -> u64| self.steps.iter().map(count).sum::<u64>();
        let (all, bad) = (of(|step| step.records).max(1), of(|step| step.rejected));
        if bad as f64 / all as f64 > self.rate_max && self.rate_max < 1.0 {
            self.rejected += rejected;
        } else {
            self.rejected = 0;
            if all >= REJECTED_MIN {
                self.rejected_min = REJECTED_MIN;
            }
        }
        self.rejected >= self.rejected_min
    }

    /// Adds to the newest step as many records as it has room for; returns how many.
    fn add(&mut self, records: u64, rejected: u64, now: Instant) -> u64 {
        let is_over = |step: &Step| {
            step.records >= WINDOW_RECORDS / STEPS
                || now.saturating_duration_since(step.since) >= WINDOW / STEPS as u32
        };
        if self.steps.back().is_none_or(is_over) {
            self.steps.push_back(Step { since: now, records: 0, rejected: 0 });
            if self.steps.len() as u64 > STEPS {
                self.steps.pop_front();
            }
        }
        let Some(step) = self.steps.back_mut() else { return records };
        let added = records.min(WINDOW_RECORDS / STEPS - step.records);
        step.records += added;
        step.rejected += rejected;
        added
    }

    /// Raises the alarm of a blocked topic, which repeats it while it lasts.
    pub fn alarm(&mut self, topic: &str, alarms: &Arc<AlarmRegistry>, now: Instant) {
        let (State::Blocked { block, .. } | State::Probing { block, .. }) = &mut self.state else { return };
        let Block { cause, at, why, remedy, watch } = block;
        let (scope, remedy) = (Scope::Topic(topic.to_owned()), || remedy.clone());
        let trouble = FailureReport { cause, blocks: true, scope: &scope, at, why, remedy: &remedy };
        watch.get_or_insert_with(|| alarms.guard()).failed(trouble, now);
    }

    /// Ends the alarm without a message: no partition of the topic is assigned to this consumer any more.
    pub fn forget_alarm(&mut self) {
        if let State::Blocked { block, .. } | State::Probing { block, .. } = &mut self.state {
            block.watch = None;
        }
    }
}

const STAY_IN_KAFKA: &str = "From the committed offset on the topic's records stay in Kafka, where its retention still deletes them; other topics flow";
const CORRECT: &str = "correct its [[mapping]] (`map --live 10` shows what records become) or the producer";
const LET_PASS: &str = "let such records be skipped or dead-lettered with rate_max = 1.0 under [reject]";

fn first_were_rejected() -> String {
    format!(
        "all of the first {FIRST_RECORDS} records since the start or the last reload were rejected, so the mapping is likely to be wrong"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAYS: ProbeDelays = ProbeDelays { first: Duration::from_secs(5), max: Duration::from_mins(1) };

    fn limiter(rate_max: f64) -> RejectLimiter {
        RejectLimiter::new(rate_max, DELAYS)
    }

    /// Feeds `records` records a second of which each `one_in`-th is rejected, until the topic is blocked; returns after how many.
    fn blocked_after(rate_max: f64, one_in: u64, records_per_second: u64, records: u64) -> Option<u64> {
        let (mut limiter, start) = (limiter(rate_max), Instant::now());
        limiter.pass();
        (1..=records).find(|record| {
            let now = start + Duration::from_secs_f64(*record as f64 / records_per_second as f64);
            if record % one_in == 0 {
                return limiter.reject(false, String::new, now);
            }
            limiter.pass();
            !limiter.is_open()
        })
    }

    #[test]
    fn blocks_once_a_thousand_were_rejected_at_more_than_the_rate() {
        let f = |rate_max, one_in, per_second, want| {
            let blocked = blocked_after(rate_max, one_in, per_second, 100_000);
            assert_eq!(blocked, want, "{rate_max} {one_in} {per_second}");
        };
        // All of them: the thousandth blocks. So it does where only few come in a minute.
        f(0.1, 1, 100_000, Some(1_000));
        f(0.1, 1, 5, Some(1_000));
        f(0.1, 5, 100_000, Some(5_000));
        f(0.1, 5, 10, Some(5_000));
        f(0.1, 11, 100_000, None);
        f(0.05, 11, 100_000, Some(11_000));
        f(1.0, 1, 100_000, None);
        f(0.0, 1_000, 100_000, None);
        f(0.0, 50, 100_000, Some(50_000));
    }

    #[test]
    fn forgets_a_burst_that_is_over() {
        let (mut limiter, now) = (limiter(0.1), Instant::now());
        limiter.pass();
        for _ in 0..10 {
            for _ in 0..999 {
                assert!(!limiter.reject(false, String::new, now));
            }
            for _ in 0..20_000 {
                limiter.pass();
            }
            // A single one within so many good ones is within the rate.
            assert!(!limiter.reject(false, String::new, now));
        }
    }

    #[test]
    fn counts_refused_records_that_had_passed() {
        let (mut limiter, now) = (limiter(0.1), Instant::now());
        for _ in 0..5_000 {
            limiter.pass();
        }
        assert!(!limiter.refuse(600, String::new, now));
        assert!(limiter.refuse(600, || "422".to_owned(), now));
        assert!(limiter.is_blocked());
    }

    #[test]
    fn blocks_when_the_first_hundred_records_are_all_rejected() {
        // What came before the rejected records: a point, a filtered record, a record with good elements and bad ones.
        let f = |rate_max: f64, before: &dyn Fn(&mut RejectLimiter), want: Option<u64>| {
            let (mut limiter, now) = (limiter(rate_max), Instant::now());
            before(&mut limiter);
            let blocked = (1..=2_000).find(|_| limiter.reject(false, String::new, now));
            assert_eq!(blocked, want, "{rate_max}");
        };
        f(0.1, &|_| {}, Some(100));
        f(0.99, &|_| {}, Some(100));
        f(1.0, &|_| {}, None);
        f(0.1, &|limiter| limiter.pass(), Some(1_000));
        f(0.1, &|limiter| assert!(!limiter.reject(true, String::new, Instant::now())), Some(999));
        // Tombstones and filtered records do not count.
        f(0.1, &|limiter| assert!((0..500).any(|_| limiter.filter())), Some(100));
    }

    #[test]
    fn warns_once_when_the_first_hundred_records_are_all_filtered() {
        let mut limiter = limiter(0.1);
        let warned: Vec<u64> = (1..=1_000).filter(|_| limiter.filter()).collect();
        assert_eq!(warned, [100]);
        let mut one_rejected = RejectLimiter::new(0.1, DELAYS);
        one_rejected.reject(false, String::new, Instant::now());
        assert!((0..1_000).all(|_| !one_rejected.filter()));
        let mut one_stored = RejectLimiter::new(0.1, DELAYS);
        one_stored.pass();
        assert!((0..1_000).all(|_| !one_stored.filter()));
    }

    /// The server blocks the topic; then time passes by seconds, and each probe that is due sends `records`, of which `refused` are
    /// refused. Returns when probes began.
    fn probes(seconds: u64, sent: u64, refused: u64) -> (Vec<u64>, RejectLimiter) {
        let (mut limiter, start) = (limiter(0.1), Instant::now());
        (0..9_000).for_each(|_| limiter.pass());
        assert!(limiter.refuse(1_001, || "422".to_owned(), start));
        let mut began = Vec::new();
        for second in 1..=seconds {
            let now = start + Duration::from_secs(second);
            limiter.judge(now);
            let Some(how) = limiter.resumption(now) else { continue };
            limiter.resume(how, now);
            if how == Resumption::Probe {
                began.push(second);
                let admitted = (0..sent).filter(|_| limiter.admit() == Admission::Admitted).count();
                assert_eq!(admitted as u64, sent.min(PROBE_RECORDS));
                (0..refused).for_each(|_| assert!(!limiter.refuse(1, String::new, now)));
            }
        }
        (began, limiter)
    }

    #[test]
    fn probes_less_and_less_often_while_records_are_refused() {
        let (began, limiter) = probes(300, 1_000, PROBE_RECORDS);
        assert_eq!(began, [5, 16, 37, 78, 139, 200, 261]);
        assert!(!limiter.is_open());
    }

    #[test]
    fn opens_once_a_probe_is_stored() {
        for (sent, refused, opens) in [(1_000, 0, true), (3, 0, true), (1_000, 1, true), (1_000, 2, false)] {
            let (began, limiter) = probes(10, sent, refused);
            assert_eq!((began.len(), limiter.is_open()), (1, opens), "{sent} {refused}");
        }
    }

    #[test]
    fn a_probe_without_records_ends() {
        let (began, limiter) = probes(5 + 59, 0, 0);
        assert_eq!((began.as_slice(), limiter.is_open()), ([5].as_slice(), false));
        assert!(probes(5 + 60, 0, 0).1.is_open());
    }

    #[test]
    fn blocks_again_after_a_hundred_once_it_was_opened() {
        let (_, mut limiter) = probes(10, 1_000, 0);
        let now = Instant::now() + Duration::from_mins(1);
        assert_eq!((1..=2_000).find(|_| limiter.refuse(1, String::new, now)), Some(100));
        // Until many have passed.
        let (_, mut limiter) = probes(10, 1_000, 0);
        (0..5_000).for_each(|_| limiter.pass());
        assert!(!limiter.refuse(1, String::new, now));
        let again = (1..=9_000).find(|_| limiter.refuse(1, String::new, now)).unwrap();
        assert!(again >= 1_000, "{again}");
    }

    #[test]
    fn a_reload_lifts_every_block_and_a_probe_lifts_none_of_the_mapping() {
        let (mut limiter, now) = (limiter(0.1), Instant::now());
        assert!((0..100).any(|_| limiter.reject(false, String::new, now)));
        let later = now + Duration::from_hours(1);
        assert_eq!(limiter.resumption(later), None);
        assert_eq!(limiter.admit(), Admission::Unsettled);
        limiter.lift();
        assert_eq!(limiter.admit(), Admission::Unsettled, "not before its records are read again");
        assert_eq!(limiter.resumption(now), Some(Resumption::Open));
        limiter.resume(Resumption::Open, now);
        assert_eq!(limiter.admit(), Admission::Admitted);
        assert_eq!((1..=2_000).find(|_| limiter.reject(false, String::new, now)), Some(100));
    }

    #[test]
    fn a_limit_blocks_at_once_whatever_the_rate_and_says_what_to_do() {
        let limit = ServerBlock { cause: "server_limit", at: "db", why: "max-series", remedy: "raise it." };
        let (mut limiter, start) = (limiter(1.0), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert!(limiter.block(&limit, start));
        assert!(!limiter.block(&limit, start), "it is blocked already");
        assert_eq!((limiter.resumption(at(4)), limiter.resumption(at(5))), (None, Some(Resumption::Probe)));
        limiter.resume(Resumption::Probe, at(5));
        assert_eq!(limiter.admit(), Admission::Admitted);
        assert!(limiter.block(&limit, at(6)), "the probe met it too");
        assert_eq!((limiter.resumption(at(15)), limiter.resumption(at(16))), (None, Some(Resumption::Probe)));
        let State::Blocked { block, .. } = &limiter.state else { panic!("{limiter:?}") };
        assert!(block.remedy.starts_with("raise it. From the committed offset"), "{}", block.remedy);
    }
}
