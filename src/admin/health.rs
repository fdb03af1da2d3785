//! `/healthz` reports whether the process works, `/readyz` also which causes keep lines from being stored.

use super::PipelineState;
use base::alarm::{Alarm, Scope};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Most causes that are retried pass within this time. A longer one counts as blocking.
const RETRY_PASSES: Duration = Duration::from_secs(10);

/// The result of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub is_healthy: bool,
    pub text: String,
}

/// Healthy while all threads report heartbeats. A blocked bridge is healthy, because a restart would not fix the cause.
pub fn health(pipeline: &PipelineState, now: Instant) -> Health {
    let overdue = pipeline.heartbeats.overdue(now);
    if overdue.is_empty() {
        return Health { is_healthy: true, text: "ok\n".to_owned() };
    }
    let mut text = String::new();
    for (thread, silence) in overdue {
        let seconds = silence.as_secs();
        let _infallible = writeln!(
            text,
            "thread {thread} has not responded for {seconds} s: nothing is lost; restart the bridge, and please report it with the log"
        );
    }
    Health { is_healthy: false, text }
}

/// [`health`] with the active alarms in the text. With `strict`, a blocking alarm makes the result unhealthy. `shows_records`: whether
/// the client may see the contents of records.
pub fn readiness(pipeline: &PipelineState, strict: bool, shows_records: bool, now: Instant) -> Health {
    let health = health(pipeline, now);
    let alarms = pipeline.writer.alarms();
    if !health.is_healthy || alarms.is_empty() {
        return health;
    }
    let is_healthy = !(strict && alarms.iter().any(is_blocking));
    Health { is_healthy, text: alarms.iter().map(|alarm| describe(alarm, shows_records)).collect() }
}

/// Whether the cause blocks records until someone fixes it, or has lasted too long to pass by itself.
pub fn is_blocking(alarm: &Alarm) -> bool {
    alarm.blocks || alarm.lasting >= RETRY_PASSES
}

fn describe(alarm: &Alarm, shows_records: bool) -> String {
    let word = match alarm.scope {
        Scope::Bridge => "stuck",
        _ if is_blocking(alarm) => "blocked",
        _ => "retrying",
    };
    let Alarm { cause, scope, at, remedy, lasting, .. } = alarm;
    let why = alarm.why(shows_records);
    let seconds = lasting.as_secs();
    format!("{word}: {cause}, {scope} at {at}, for {seconds} s\n  why: {why}\n  remedy: {remedy}\n")
}
