//! The reject guard: a topic whose records are rejected one after another holds, so that a mistyped key in a mapping
//! can't skip all of it.

use crate::alarm::{Alarms, OF_A_RECORD, Scope, Trouble, Watch};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many may be rejected before a topic holds.
const REJECTED_MIN: u64 = 1_000;
/// The share is taken over this many records, or over this long, whichever is shorter.
const WINDOW_RECORDS: u64 = 10_000;
const WINDOW: Duration = Duration::from_mins(1);
/// The window moves in steps of a tenth.
const STEPS: u64 = 10;

/// Watches one topic of one consumer.
#[derive(Debug)]
pub struct Guard {
    rate_max: f64,
    /// Records since the last look, of which none was rejected.
    passed: u64,
    steps: VecDeque<Step>,
    /// Since the share was last within bounds.
    rejected: u64,
    hold: Option<Hold>,
}

/// A part of the window.
#[derive(Debug)]
struct Step {
    since: Instant,
    records: u64,
    rejected: u64,
}

#[derive(Debug)]
struct Hold {
    why: String,
    /// None until the alarm was raised.
    watch: Option<Watch>,
}

impl Guard {
    /// 1.0 or more: it never holds.
    pub fn new(rate_max: f64) -> Self {
        Self { rate_max, passed: 0, steps: VecDeque::new(), rejected: 0, hold: None }
    }

    /// A record became points, or was filtered.
    pub fn pass(&mut self) {
        self.passed += 1;
    }

    pub fn holds(&self) -> bool {
        self.hold.is_some()
    }

    /// A record was rejected. Says whether the topic holds from this record on.
    pub fn reject(&mut self, why: impl FnOnce() -> String, now: Instant) -> bool {
        self.look(1, 1, now) && self.hold(why())
    }

    /// Lines of this many records, which had passed, were refused.
    pub fn refuse(&mut self, records: u64, why: impl FnOnce() -> String, now: Instant) -> bool {
        self.look(0, records, now) && self.hold(why())
    }

    fn hold(&mut self, why: String) -> bool {
        self.hold.get_or_insert(Hold { why, watch: None });
        true
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
        }
        self.rejected >= REJECTED_MIN
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

    /// Raises the alarm of a topic that holds, which repeats it while it lasts.
    pub fn alarm(&mut self, topic: &str, alarms: &Arc<Alarms>, now: Instant) {
        let rate_max = self.rate_max;
        let Some(hold) = &mut self.hold else { return };
        let why = format!(
            "at least {REJECTED_MIN} records were rejected or refused, more than reject.rate_max = {rate_max} of the newest{OF_A_RECORD}{}",
            hold.why
        );
        let remedy = || {
            "its records wait in Kafka, other topics flow: correct its [[mapping]] (`map --live 10` shows what records become) or the producer, \
             or let them be skipped or dead-lettered with rate_max = 1.0 under [reject], then reload (SIGHUP) or restart the bridge"
                .to_owned()
        };
        let scope = Scope::Topic(topic.to_owned());
        let trouble = Trouble {
            cause: "reject_rate",
            holds: true,
            scope: &scope,
            at: "kafka",
            why: &why,
            remedy: &remedy,
        };
        hold.watch.get_or_insert_with(|| alarms.watch()).failed(trouble, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `records` records a second of which each `one_in`-th is rejected, until the guard holds; says after how many.
    fn holds_after(rate_max: f64, one_in: u64, records_per_second: u64, records: u64) -> Option<u64> {
        let (mut guard, start) = (Guard::new(rate_max), Instant::now());
        (1..=records).find(|record| {
            let now = start + Duration::from_secs_f64(*record as f64 / records_per_second as f64);
            if record % one_in == 0 {
                return guard.reject(String::new, now);
            }
            guard.pass();
            guard.holds()
        })
    }

    #[test]
    fn holds_once_a_thousand_were_rejected_at_more_than_the_rate() {
        let f = |rate_max, one_in, per_second, want| {
            let holds = holds_after(rate_max, one_in, per_second, 100_000);
            assert_eq!(holds, want, "{rate_max} {one_in} {per_second}");
        };
        // All of them: the thousandth holds. So it does where only few come in a minute.
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
        let (mut guard, now) = (Guard::new(0.1), Instant::now());
        for _ in 0..10 {
            for _ in 0..999 {
                assert!(!guard.reject(String::new, now));
            }
            for _ in 0..20_000 {
                guard.pass();
            }
            // A single one within so many good ones is within the rate.
            assert!(!guard.reject(String::new, now));
        }
    }

    #[test]
    fn counts_refused_records_that_had_passed() {
        let (mut guard, now) = (Guard::new(0.1), Instant::now());
        for _ in 0..5_000 {
            guard.pass();
        }
        assert!(!guard.refuse(600, String::new, now));
        assert!(guard.refuse(600, || "422".to_owned(), now));
        assert!(guard.holds());
    }
}
