//! How the bridge is, in one word.

use super::Watched;
use super::health::holds;
use super::history::Recent;
use base::alarm::{Alarm, Scope};
use std::time::Instant;

/// Fewer unread records than this are on their way.
const BEHIND_MIN: u64 = 1_000;
/// So are those that are read within this time.
const BEHIND_SECONDS: f64 = 3.0;

/// The worst that is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No partition is assigned.
    Waiting,
    /// What comes is stored.
    Well,
    /// Much is unread, or nothing is read of it.
    Behind,
    /// Something fails that is expected to pass.
    Retrying,
    /// Records wait for somebody to mend something.
    Holding,
    /// The bridge itself does not go on.
    Stuck,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Well => "well",
            Self::Behind => "behind",
            Self::Retrying => "retrying",
            Self::Holding => "holding",
            Self::Stuck => "stuck",
        }
    }

    pub fn of(
        watched: &Watched,
        alarms: &[Alarm],
        recent: &Recent,
        unread: Option<u64>,
        now: Instant,
    ) -> Self {
        if !watched.heartbeats.overdue(now).is_empty() {
            return Self::Stuck;
        }
        let partitions = engine::telemetry::Counters::get(&watched.counters.assigned_partitions);
        judge(alarms, partitions, recent, unread)
    }

    /// Of one alarm.
    pub fn of_alarm(alarm: &Alarm) -> Self {
        match alarm.scope {
            Scope::Bridge => Self::Stuck,
            _ if holds(alarm) => Self::Holding,
            _ => Self::Retrying,
        }
    }
}

fn judge(alarms: &[Alarm], partitions: u64, recent: &Recent, unread: Option<u64>) -> State {
    let alarms = || alarms.iter().map(State::of_alarm);
    if let Some(worst) =
        [State::Stuck, State::Holding].into_iter().find(|state| alarms().any(|of| of == *state))
    {
        return worst;
    }
    if alarms().next().is_some() {
        return State::Retrying;
    }
    let much = BEHIND_MIN.max((recent.rates.records * BEHIND_SECONDS) as u64);
    match unread {
        Some(unread) if unread > much || recent.is_still => State::Behind,
        _ if partitions == 0 => State::Waiting,
        _ => State::Well,
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::Rates;
    use super::*;
    use std::time::Duration;

    fn alarm(scope: Scope, blocks: bool, seconds: u64) -> Alarm {
        let (at, why, remedy) = (String::new(), String::new(), String::new());
        Alarm { cause: "c", blocks, scope, at, why, remedy, lasting: Duration::from_secs(seconds) }
    }

    #[test]
    fn is_the_worst_of_the_alarms() {
        let f = |alarms: &[Alarm], want: State| {
            assert_eq!(judge(alarms, 1, &Recent::default(), Some(5_000)), want);
        };
        f(&[], State::Behind);
        f(&[alarm(Scope::Server, false, 1)], State::Retrying);
        f(&[alarm(Scope::Server, false, 10)], State::Holding);
        f(&[alarm(Scope::Server, false, 1), alarm(Scope::DeadLetters, true, 0)], State::Holding);
        f(&[alarm(Scope::Topic("t".into()), true, 1), alarm(Scope::Bridge, true, 1)], State::Stuck);
    }

    #[test]
    fn is_behind_by_what_it_does_not_read_soon() {
        let f = |partitions: u64, records: f64, is_still: bool, unread: Option<u64>, want: State| {
            let rates = Rates { records, ..Rates::default() };
            let recent = Recent { rates, is_still, ..Recent::default() };
            assert_eq!(judge(&[], partitions, &recent, unread), want, "{records} {unread:?}");
        };
        f(0, 0.0, false, None, State::Waiting);
        f(2, 0.0, false, None, State::Well);
        f(2, 0.0, false, Some(1_000), State::Well);
        f(2, 0.0, false, Some(1_001), State::Behind);
        f(2, 10_000.0, false, Some(30_000), State::Well);
        f(2, 10_000.0, false, Some(30_001), State::Behind);
        f(2, 0.0, true, Some(3), State::Behind);
    }
}
