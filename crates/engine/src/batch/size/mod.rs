//! Chooses the size of a lane's batches from the time that answers take.
//!
//! While a lane has a backlog, larger requests cost the server less. One that acknowledges writes once per flush needs the same time for
//! every request. InfluxDB 2 needs nearly twice the time, but handles each series once per request, so a point takes less CPU time.
//! [`SizeController`] tries another size with one batch, and compares bytes per second. It keeps the larger size unless the server stores
//! clearly less with it, or takes seconds to answer. It has no clock and no I/O.
//!
//! ```text
//! smallest size --backlog, slow answer--> next size --stores less, or answers too late?--> no: go on; yes: go back, and try again later
//!      ^                                     |
//!      +------ no backlog, or fast answers --+
//! ```

use std::time::Duration;

/// Lines and bytes of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchSize {
    pub lines: usize,
    pub bytes: usize,
}

/// The sizes that a controller may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeRange {
    /// The size without a backlog.
    pub min: BatchSize,
    /// The largest size: a limit of the configuration, of memory or of servers.
    pub max: BatchSize,
    /// No batch is enlarged whose answer would take longer than this if the time were proportional to the size.
    pub answer_max: Duration,
}

/// A batch that came back from its writer.
#[derive(Clone, Copy, Debug)]
pub struct AnsweredBatch {
    pub size: BatchSize,
    /// Time from sending the request to its answer. None: the batch took several requests, because of a failure or a refused line.
    pub answer_time: Option<Duration>,
    /// Whether the lane stopped reading records to wait for this answer.
    pub has_backlog: bool,
    /// The largest request that should be sent to the server, as far as it is known.
    pub request_bytes_max: usize,
}

/// Chooses the size of the next batch of one lane.
#[derive(Debug)]
pub struct SizeController {
    range: SizeRange,
    /// The best size so far.
    size: BatchSize,
    /// A size that the next batch tries.
    trial: Option<BatchSize>,
    /// The last answers at `size`.
    reference: Reference,
    /// Bound of the bytes that the server takes.
    request_bytes_max: usize,
    /// How the time to an answer grew with the size in the last comparison: 0 if it stayed, 1 if it was proportional.
    growth: f64,
    until_larger: u32,
    until_smaller: u32,
    /// Answers between two trials of a larger size. Doubled by each trial that fails.
    pause: u32,
    /// Answers between two trials of a smaller size. Doubled by each trial that fails.
    recheck: u32,
}

/// The last answers at one size. Their shortest time shows a flush interval: a busy machine makes single answers later, and none earlier.
/// Their average shows what the server stores per second.
#[derive(Clone, Copy, Debug, Default)]
struct Reference {
    bytes: f64,
    seconds: [Option<f64>; ANSWERS_COMPARED],
    /// Whether an answer came since the last pause. The first one may come at any moment of the server's flush interval.
    is_begun: bool,
}

/// Number of answers at the chosen size whose shortest time is compared.
const ANSWERS_COMPARED: usize = 4;
/// Answers below this time need no larger size: a lane writes 200,000 lines per second with them.
const WORTH_GROWING_FROM: f64 = 0.025;
/// Factor between two sizes.
const STEP: f64 = 4.0;
/// Answers of this time double the factor between a size and the next larger one, and the first of them counts: the slower they are, the
/// more a larger size is worth.
const SLOW_STEP_AFTER: f64 = 0.5;
/// A larger size whose answers take longer than this is kept only if it stores clearly more per second, and is compared with a smaller one
/// often. A revocation waits 5 s for the batches of its partitions, and a topic without a backlog waits for the request in its lane.
const ENLARGED_ANSWER_MAX: f64 = 4.0;
/// The time to the answer to a larger request that is aimed at, where the time is proportional to the size.
const ENLARGED_ANSWER_LIKELY: f64 = 0.9 * ENLARGED_ANSWER_MAX;
/// Batches of up to this size are tried without regard to the time that they would take.
const CHECKED_FROM_BYTES: f64 = 9_500_000.0;
/// Growth of the time to an answer from which the time counts as proportional to the size.
const PROPORTIONAL_FROM: f64 = 0.5;
/// Factor up to which answers take equally long per byte, because single answers vary by a third on a busy machine.
const EQUAL: f64 = 1.3;
/// Smallest factor between two sizes whose answers are compared: smaller differences drown in noise.
const STEP_MIN: f64 = 1.25;
/// A size this close to the largest one is enlarged to it at once.
const LAST_STEP: f64 = 1.5;
/// Answers until a smaller size is tried, after a smaller size was better.
const RECHECK_SOON: u32 = 4;
/// Answers until a smaller size is tried, after a larger size was better in a comparison, which noise may decide. Doubled by each trial
/// that confirms the size.
const RECHECK_FIRST: u32 = 16;
/// The same after a comparison that noise does not decide: answers were slow, and that to the larger size took hardly longer.
const RECHECK_CLEAR: u32 = 32;
/// Factor up to which an answer takes hardly longer than another one.
const CLEAR: f64 = 1.25;
/// Bound of the answers between two trials: the server may change.
const PAUSE_MAX: u32 = 64;

impl BatchSize {
    /// The smallest automatic size. More lines make a refused line costlier: all lines of its request are sent again.
    pub const AUTOMATIC_MIN: Self = Self { lines: 5_000, bytes: 4_000_000 };
    /// The largest automatic size. With 32 MB, InfluxDB 2 needs three quarters of the CPU time for a point that it needs with 4 MB; the
    /// writer reports a smaller bound for other servers. 100,000 lines bound the lists of refused lines.
    pub const AUTOMATIC_MAX: Self = Self { lines: 100_000, bytes: 32_000_000 };

    fn scaled(self, factor: f64) -> Self {
        // Sizes are far below 2^52.
        let scale = |amount: usize| (amount as f64 * factor) as usize;
        Self { lines: scale(self.lines), bytes: scale(self.bytes) }
    }

    fn clamp(self, min: Self, max: Self) -> Self {
        Self {
            lines: self.lines.max(min.lines).min(max.lines),
            bytes: self.bytes.max(min.bytes).min(max.bytes),
        }
    }
}

impl SizeRange {
    /// A single size, which answers do not change.
    pub fn fixed(size: BatchSize) -> Self {
        Self { min: size, max: size, answer_max: Duration::ZERO }
    }
}

impl SizeController {
    pub fn new(range: SizeRange) -> Self {
        Self {
            range,
            size: range.min,
            trial: None,
            reference: Reference::default(),
            request_bytes_max: usize::MAX,
            growth: 1.0,
            until_larger: 0,
            until_smaller: RECHECK_FIRST,
            pause: 1,
            recheck: RECHECK_FIRST,
        }
    }

    /// The size at which the open batch is closed.
    pub fn size(&self) -> BatchSize {
        let BatchSize { lines, bytes } = self.trial.unwrap_or(self.size);
        BatchSize { lines, bytes: bytes.min(self.max().bytes) }
    }

    /// The largest size, with the limit that the server has shown. Below the smallest size, the writer cuts batches into requests.
    fn max(&self) -> BatchSize {
        let SizeRange { min, max, .. } = self.range;
        BatchSize { bytes: max.bytes.min(self.request_bytes_max.max(min.bytes)), ..max }
    }

    /// Takes the answer of a batch into account.
    pub fn answered(&mut self, batch: AnsweredBatch) {
        self.request_bytes_max = batch.request_bytes_max;
        let trial = self.trial.take();
        let Some(time) = batch.answer_time.filter(|_| batch.has_backlog) else {
            // A request that failed may have been too large, so the next larger one comes later each time.
            let is_failure = batch.answer_time.is_none();
            if is_failure && trial.is_some_and(|trial| self.is_larger(trial)) {
                return self.pause_longer();
            }
            let (is_enlarged, pause) = (self.size != self.range.min, self.pause);
            self.shrink();
            if is_failure && is_enlarged {
                self.pause = pause;
                self.pause_longer();
            }
            return;
        };
        let answer = (batch.size.bytes as f64, time.as_secs_f64());
        match (trial, self.reference.seconds()) {
            (Some(trial), Some(seconds)) => self.compare(trial, answer, seconds),
            _ => self.reference.add(answer),
        }
        let known = self.reference.seconds();
        if known.unwrap_or(answer.1) < WORTH_GROWING_FROM {
            if self.size != self.range.min {
                self.shrink();
            }
            // Fast answers stay in the reference: a trial needs slow answers in a row.
            return;
        }
        let Some(seconds) = known else { return };
        self.until_larger = self.until_larger.saturating_sub(1);
        self.until_smaller = self.until_smaller.saturating_sub(1);
        if self.reference.mean() > ENLARGED_ANSWER_MAX {
            // The server has become slow since the size was chosen.
            self.until_smaller = self.until_smaller.min(RECHECK_SOON);
        }
        self.trial = self.next_trial(batch, seconds);
    }

    /// Returns towards the smallest size. Earlier answers say nothing about later ones.
    fn shrink(&mut self) {
        self.reference = Reference::default();
        if self.size != self.range.min {
            self.size = self.smaller();
            (self.until_larger, self.pause) = (0, 1);
            self.recheck_after(RECHECK_FIRST);
        }
    }

    /// Keeps the better one of two sizes. The trial has bytes and seconds; `shortest` is the shortest answer at the present size.
    fn compare(&mut self, trial: BatchSize, answer: (f64, f64), shortest: f64) {
        let is_larger = self.is_larger(trial);
        let pair = |reference, answer| if is_larger { (reference, answer) } else { (answer, reference) };
        let (small_bytes, large_bytes) = pair(self.reference.bytes, answer.0);
        let factor = large_bytes / small_bytes.max(1.0);
        if factor < STEP_MIN {
            // Memory closes both batches, so their sizes are the same, and the smaller one is as good.
            self.reference.add(answer);
            if is_larger {
                self.pause_longer();
            } else {
                self.size = trial;
                self.recheck_after(RECHECK_SOON);
            }
            return;
        }
        let (small, large) = pair(shortest, answer.1);
        self.growth = (large / small).ln() / factor.ln();
        // The middle between a time that does not change with the size and a proportional one, logarithmically.
        let is_clearly_better = large / small <= factor.sqrt();
        let (small_mean, large_mean) = pair(self.reference.mean(), answer.1);
        let is_equal = large_mean / small_mean <= factor * EQUAL && large_mean <= ENLARGED_ANSWER_MAX;
        match (is_larger, is_clearly_better || is_equal) {
            (true, true) => {
                self.take(trial, answer);
                self.pause = 1;
                let is_clear = small >= SLOW_STEP_AFTER && large <= small * CLEAR;
                self.recheck_after(if is_clear { RECHECK_CLEAR } else { RECHECK_FIRST });
            }
            (true, false) => self.pause_longer(),
            (false, true) => self.recheck_after(self.recheck * 2),
            (false, false) => {
                self.take(trial, answer);
                self.pause_longer();
                self.recheck_after(RECHECK_SOON);
            }
        }
    }

    fn is_larger(&self, trial: BatchSize) -> bool {
        trial.lines > self.size.lines || trial.bytes > self.size.bytes
    }

    fn take(&mut self, size: BatchSize, answer: (f64, f64)) {
        self.size = size;
        self.reference = Reference { is_begun: true, ..Reference::default() };
        self.reference.add(answer);
    }

    fn pause_longer(&mut self) {
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.until_larger = self.pause;
    }

    fn recheck_after(&mut self, answers: u32) {
        self.recheck = answers.min(PAUSE_MAX);
        self.until_smaller = self.recheck;
    }

    /// The size that the next batch tries, if a trial is due.
    fn next_trial(&self, batch: AnsweredBatch, seconds: f64) -> Option<BatchSize> {
        if self.until_larger == 0
            && self.reference.is_certain()
            && let Some(larger) = self.larger(batch, seconds)
        {
            return Some(larger);
        }
        let smaller = self.smaller();
        (self.until_smaller == 0 && smaller != self.size).then_some(smaller)
    }

    /// The largest factor after which the answer is likely not too late.
    fn factor_max(&self, seconds: f64) -> f64 {
        if self.growth < PROPORTIONAL_FROM {
            return f64::INFINITY;
        }
        ENLARGED_ANSWER_LIKELY / seconds
    }

    fn smaller(&self) -> BatchSize {
        self.size.scaled(1.0 / STEP).clamp(self.range.min, self.range.max)
    }

    /// The next larger size, if the time to the answer and the bounds leave room for it. Memory closes a batch earlier: one that did not
    /// reach its size is not enlarged.
    fn larger(&self, batch: AnsweredBatch, seconds: f64) -> Option<BatchSize> {
        let wanted = if seconds < SLOW_STEP_AFTER { STEP } else { 2.0 * STEP };
        let wanted =
            wanted.min(self.factor_max(seconds).max(CHECKED_FROM_BYTES / self.reference.bytes.max(1.0)));
        // After a trial that failed, the time may be proportional to the size: this factor leads to an answer that is not too late.
        let likely = ENLARGED_ANSWER_MAX / 2.0 / seconds;
        let wanted = if self.pause > 1 && likely >= STEP_MIN { wanted.min(likely) } else { wanted };
        let factor = (self.range.answer_max.as_secs_f64() / seconds).min(wanted);
        // Lines or bytes close a batch, whichever comes first.
        let bytes_a_line = batch.size.bytes as f64 / batch.size.lines.max(1) as f64;
        let bytes_of = |size: BatchSize| (size.lines as f64 * bytes_a_line).min(size.bytes as f64);
        let (bytes, max) = (self.reference.bytes, self.max());
        let is_last_step = factor >= wanted && bytes * factor * LAST_STEP >= bytes_of(max);
        let larger = if is_last_step { max } else { self.size.scaled(factor).clamp(self.range.min, max) };
        let is_reached = bytes * STEP_MIN >= bytes_of(self.size);
        let is_worthwhile = bytes_of(larger) >= bytes * STEP_MIN;
        (is_reached && is_worthwhile).then_some(larger)
    }
}

impl Reference {
    /// Adds the bytes and seconds of an answer.
    fn add(&mut self, (bytes, seconds): (f64, f64)) {
        self.bytes = bytes;
        // The flush interval is at least as long as the first answer took, so a slow one is a bound.
        if std::mem::replace(&mut self.is_begun, true) || seconds >= SLOW_STEP_AFTER {
            self.seconds.rotate_right(1);
            self.seconds[0] = Some(seconds);
        }
    }

    /// The shortest time. None: there is no answer to compare with.
    fn seconds(&self) -> Option<f64> {
        self.times().reduce(f64::min)
    }

    /// Whether the answers show that the server is slow: all of the last ones were, or one was very slow.
    fn is_certain(&self) -> bool {
        self.times().count() == ANSWERS_COMPARED || self.times().any(|seconds| seconds >= SLOW_STEP_AFTER)
    }

    /// The average time.
    fn mean(&self) -> f64 {
        self.times().sum::<f64>() / self.times().count() as f64
    }

    fn times(&self) -> impl Iterator<Item = f64> + '_ {
        self.seconds.iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests;
