//! `/healthz` reports whether the process works, `/readyz` also which causes keep lines from being stored.

use super::PipelineState;
use base::alarm::{Alarm, Scope};
use std::time::{Duration, Instant};

/// The result of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub is_healthy: bool,
    pub text: String,
}

/// Healthy while all threads report heartbeats. A blocked bridge is healthy, because a restart would not fix the cause.
pub fn health(pipeline: &PipelineState, now: Instant) -> Health {
    let overdue = overdue_threads(pipeline, now);
    if overdue.is_empty() {
        return Health { is_healthy: true, text: "ok\n".to_owned() };
    }
    Health { is_healthy: false, text: overdue }
}

/// A line for each thread that does not respond.
pub fn overdue_threads(pipeline: &PipelineState, now: Instant) -> String {
    let overdue = pipeline.heartbeats.overdue(now).into_iter();
    let line = |(thread, silence): (String, Duration)| {
        let seconds = silence.as_secs();
        format!(
            "thread {thread} has not responded for {seconds} s: nothing is lost; restart the bridge, and please report it with the log\n"
        )
    };
    overdue.map(line).collect()
}

/// [`health`] with the active alarms in the text. With `strict`, a blocking alarm makes the result unhealthy. `shows_records`: whether
/// the client may see the contents of records.
pub fn readiness(pipeline: &PipelineState, strict: bool, shows_records: bool, now: Instant) -> Health {
    let health = health(pipeline, now);
    let alarms = pipeline.writer.alarms();
    if !health.is_healthy || alarms.is_empty() {
        return health;
    }
    let is_healthy = !(strict && alarms.iter().any(Alarm::is_blocking));
    Health { is_healthy, text: alarms.iter().map(|alarm| describe(alarm, shows_records)).collect() }
}

/// An alarm with its remedy, in three lines.
pub fn describe(alarm: &Alarm, shows_records: bool) -> String {
    let word = match alarm.scope {
        Scope::Bridge => "stuck",
        _ if alarm.is_blocking() => "blocked",
        _ => "retrying",
    };
    let Alarm { cause, scope, at, remedy, lasting, .. } = alarm;
    let why = alarm.why(shows_records);
    let seconds = lasting.as_secs();
    format!("{word}: {cause}, {scope} at {at}, for {seconds} s\n  why: {why}\n  remedy: {remedy}\n")
}
