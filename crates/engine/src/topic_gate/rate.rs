//! The share of rejected records among the newest records of a topic.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Rejected records above the allowed rate that block a topic.
pub const REJECTED_MIN: u64 = 1_000;
/// The same for a topic that was blocked before, because its cause is likely to persist.
pub const REJECTED_AGAIN_MIN: u64 = 100;
/// The window covers this many records or this much time, whichever is shorter.
const WINDOW_RECORDS: u64 = 10_000;
const WINDOW: Duration = Duration::from_mins(1);
/// The window moves in steps of a tenth.
const STEPS: u64 = 10;

/// Decides when too many of the newest records were rejected.
#[derive(Debug)]
pub struct RejectRate {
    rate_max: f64,
    /// Records without a rejection that are not in the window yet.
    passed: u64,
    steps: VecDeque<Step>,
    /// Rejected records since the share was last within `rate_max`.
    rejected: u64,
    rejected_min: u64,
}

/// A part of the window.
#[derive(Debug)]
struct Step {
    since: Instant,
    records: u64,
    rejected: u64,
}

impl RejectRate {
    pub fn new(rate_max: f64, rejected_min: u64) -> Self {
        Self { rate_max, passed: 0, steps: VecDeque::new(), rejected: 0, rejected_min }
    }

    /// Counts a record without a rejection.
    pub fn pass(&mut self) {
        self.passed += 1;
    }

    /// Adds `records` records, and `rejected` rejections, of these or of earlier records. Returns whether too many were rejected.
    pub fn reject(&mut self, records: u64, rejected: u64, now: Instant) -> bool {
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
        let sum = |count: fn(&Step) -> u64| self.steps.iter().map(count).sum::<u64>();
        let (all, bad) = (sum(|step| step.records).max(1), sum(|step| step.rejected));
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

    /// Adds to the newest step as many records as fit. Returns how many.
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

    /// Describes why the topic is blocked.
    pub fn describe(&self) -> String {
        format!(
            "at least {} records were rejected or refused, more than reject.rate_max = {} of the newest",
            self.rejected_min, self.rate_max
        )
    }
}
