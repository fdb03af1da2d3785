//! The overall state of the bridge, such as healthy or blocked.

use super::PipelineState;
use super::history::Recent;
use base::alarm::{Alarm, Scope};
use std::time::Instant;

/// A smaller backlog is normal.
const BEHIND_MIN: u64 = 1_000;
/// A backlog that clears within this time is normal, too.
const BEHIND_SECONDS: f64 = 3.0;

/// The states from best to worst; the worst that applies is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverallState {
    /// No partition is assigned.
    Waiting,
    /// Records are read and stored as they arrive.
    Healthy,
    /// The backlog is large, or is not being read.
    Behind,
    /// A failure that is expected to pass.
    Retrying,
    /// Records wait until someone fixes the cause.
    Blocked,
    /// A thread of the bridge does not respond.
    Stuck,
}

impl OverallState {
    /// The value of `state` in `status.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Healthy => "healthy",
            Self::Behind => "behind",
            Self::Retrying => "retrying",
            Self::Blocked => "blocked",
            Self::Stuck => "stuck",
        }
    }

    pub fn of(
        pipeline: &PipelineState,
        alarms: &[Alarm],
        recent: &Recent,
        unread: Option<u64>,
        now: Instant,
    ) -> Self {
        if !pipeline.heartbeats.overdue(now).is_empty() {
            return Self::Stuck;
        }
        let partitions = engine::telemetry::Counters::get(&pipeline.counters.assigned_partitions);
        judge(alarms, partitions, recent, unread)
    }

    /// The state that an alarm causes.
    pub fn of_alarm(alarm: &Alarm) -> Self {
        match alarm.scope {
            Scope::Bridge => Self::Stuck,
            _ if alarm.is_blocking() => Self::Blocked,
            _ => Self::Retrying,
        }
    }
}

fn judge(alarms: &[Alarm], partitions: u64, recent: &Recent, unread: Option<u64>) -> OverallState {
    let alarms = || alarms.iter().map(OverallState::of_alarm);
    if let Some(worst) = [OverallState::Stuck, OverallState::Blocked]
        .into_iter()
        .find(|state| alarms().any(|one| one == *state))
    {
        return worst;
    }
    if alarms().next().is_some() {
        return OverallState::Retrying;
    }
    let normal_max = BEHIND_MIN.max((recent.rates.records * BEHIND_SECONDS) as u64);
    match unread {
        Some(unread) if unread > normal_max || recent.is_still => OverallState::Behind,
        _ if partitions == 0 => OverallState::Waiting,
        _ => OverallState::Healthy,
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
    fn the_worst_alarm_decides() {
        let f = |alarms: &[Alarm], want: OverallState| {
            assert_eq!(judge(alarms, 1, &Recent::default(), Some(5_000)), want);
        };
        f(&[], OverallState::Behind);
        f(&[alarm(Scope::Server, false, 1)], OverallState::Retrying);
        f(&[alarm(Scope::Server, false, 10)], OverallState::Blocked);
        f(&[alarm(Scope::Server, false, 1), alarm(Scope::DeadLetters, true, 0)], OverallState::Blocked);
        f(&[alarm(Scope::Topic("t".into()), true, 1), alarm(Scope::Bridge, true, 1)], OverallState::Stuck);
    }

    #[test]
    fn is_behind_if_the_backlog_is_large_or_not_read() {
        let f = |partitions: u64, records: f64, is_still: bool, unread: Option<u64>, want: OverallState| {
            let rates = Rates { records, ..Rates::default() };
            let recent = Recent { rates, is_still, ..Recent::default() };
            assert_eq!(judge(&[], partitions, &recent, unread), want, "{records} {unread:?}");
        };
        f(0, 0.0, false, None, OverallState::Waiting);
        f(2, 0.0, false, None, OverallState::Healthy);
        f(2, 0.0, false, Some(1_000), OverallState::Healthy);
        f(2, 0.0, false, Some(1_001), OverallState::Behind);
        f(2, 10_000.0, false, Some(30_000), OverallState::Healthy);
        f(2, 10_000.0, false, Some(30_001), OverallState::Behind);
        f(2, 0.0, true, Some(3), OverallState::Behind);
    }
}
