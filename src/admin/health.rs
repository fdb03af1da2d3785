//! `/healthz`: does the process work? `/readyz`: does it also get rid of what it reads?

use super::Watched;
use base::alarm::{Alarm, Scope};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// What is retried passes by itself, mostly; after this long it counts as a hold.
const RETRY_PASSES: Duration = Duration::from_secs(10);

/// What a probe is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub is_well: bool,
    pub text: String,
}

/// Well while all threads turn. A hold is no illness: a restart would not mend it.
pub fn health(watched: &Watched, now: Instant) -> Health {
    let overdue = watched.heartbeats.overdue(now);
    if overdue.is_empty() {
        return Health { is_well: true, text: "ok\n".to_owned() };
    }
    let mut text = String::new();
    for (thread, silence) in overdue {
        let seconds = silence.as_secs();
        let _infallible = writeln!(
            text,
            "thread {thread} has not turned for {seconds} s: restart the bridge, nothing is lost, and please report it with the log"
        );
    }
    Health { is_well: false, text }
}

/// As [`health`], and with the causes that keep lines from being stored. `strict`: those make it unwell. `shows_records`:
/// whether whoever asks may see what records hold.
pub fn readiness(watched: &Watched, strict: bool, shows_records: bool, now: Instant) -> Health {
    let health = health(watched, now);
    let alarms = watched.writer.alarms();
    if !health.is_well || alarms.is_empty() {
        return health;
    }
    let is_well = !(strict && alarms.iter().any(holds));
    Health { is_well, text: alarms.iter().map(|alarm| describe(alarm, shows_records)).collect() }
}

/// Whether records wait for something that does not pass soon.
pub fn holds(alarm: &Alarm) -> bool {
    alarm.blocks || alarm.lasting >= RETRY_PASSES
}

fn describe(alarm: &Alarm, shows_records: bool) -> String {
    let word = match alarm.scope {
        Scope::Bridge => "stuck",
        _ if holds(alarm) => "holding",
        _ => "retrying",
    };
    let Alarm { cause, scope, at, remedy, lasting, .. } = alarm;
    let why = alarm.why(shows_records);
    let seconds = lasting.as_secs();
    format!("{word}: {cause}, {scope} at {at}, for {seconds} s\n  why: {why}\n  remedy: {remedy}\n")
}
