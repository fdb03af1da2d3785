//! What went through in the last hour, in memory: the status page draws it, also when it is opened late.

use super::Watched;
use engine::telemetry::Counters;
use engine::telemetry::rejections::since_1970_ms;
use influx::{LATENCY_BUCKETS, LatencyHistogram};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Between two looks at the counters.
pub const TICK: Duration = Duration::from_secs(1);
/// One of so many looks stays for an hour.
const TICKS_PER_SAMPLE: u64 = 5;
/// An hour of them: 40 bytes each.
const SAMPLES_MAX: usize = 720;
/// A minute, for latencies.
const TICKS_MAX: usize = 61;
/// Rates are taken over so many looks.
const RATE_TICKS: usize = 5;
/// Statistics of what is unread come every 5 s.
const UNREAD_TICKS: usize = 15;

const BUCKETS: usize = LATENCY_BUCKETS.len() + 1;

/// The counters at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub records: u64,
    pub record_bytes: u64,
    pub lines_stored: u64,
    pub bytes_sent: u64,
    pub requests: u64,
    /// Requests that have to be sent again.
    pub requests_failed: u64,
    pub unread: Option<u64>,
    pub latency: [u64; BUCKETS],
}

type Tick = (Instant, Totals);

/// One point of the plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub time_ms: u64,
    /// Of one second.
    pub records: f32,
    pub lines: f32,
    pub unread: Option<u64>,
    pub holds: bool,
}

/// Of one second, over the last few.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    pub records: f64,
    pub record_bytes: f64,
    pub lines: f64,
    pub bytes_sent: f64,
    pub requests: f64,
    pub requests_failed: f64,
}

/// What the last seconds say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recent {
    pub rates: Rates,
    /// By how many unread records there are fewer, a second; less than none where they are more and more.
    pub catching_up: Option<f64>,
    /// Nothing was read for a while although there was something.
    pub is_still: bool,
    /// Half of the last minute's write requests took less, and all but one in a hundred.
    pub latency_s: Option<(f64, f64)>,
}

/// Bounded by time and number.
#[derive(Debug, Default)]
pub struct History(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    ticks: VecDeque<Tick>,
    ticked: u64,
    samples: VecDeque<Sample>,
    /// How many samples there were ever.
    sampled: u64,
}

impl Totals {
    pub fn of(watched: &Watched) -> Self {
        let (counters, writer) = (&watched.counters, watched.writer.counters());
        let failed = Counters::get(&writer.retried) + Counters::get(&writer.blocked);
        let answered = [&writer.stored, &writer.split, &writer.refused].into_iter().map(Counters::get);
        let mut latency = [0; BUCKETS];
        for (count, bucket) in latency.iter_mut().zip(&writer.latency.buckets) {
            *count = Counters::get(bucket);
        }
        Self {
            records: Counters::get(&counters.records),
            record_bytes: Counters::get(&counters.record_bytes),
            lines_stored: Counters::get(&writer.lines_stored),
            bytes_sent: Counters::get(&writer.bytes_sent),
            requests: answered.sum::<u64>() + failed,
            requests_failed: failed,
            unread: watched.lags.unread().and_then(|unread| u64::try_from(unread).ok()),
            latency,
        }
    }
}

impl History {
    /// Looks at the counters; asked `holds` only when a sample is due.
    pub fn tick(&self, totals: Totals, holds: impl FnOnce() -> bool, now: Instant) {
        let is_due = {
            let mut kept = self.kept();
            kept.ticks.push_back((now, totals));
            if kept.ticks.len() > TICKS_MAX {
                kept.ticks.pop_front();
            }
            kept.ticked += 1;
            kept.ticked.is_multiple_of(TICKS_PER_SAMPLE)
        };
        if is_due {
            let (holds, time_ms) = (holds(), since_1970_ms(SystemTime::now()));
            self.kept().sample(holds, time_ms);
        }
    }

    pub fn recent(&self, max: &LatencyHistogram) -> Recent {
        let kept = self.kept();
        let latency_s = kept.latency(Duration::from_micros(Counters::get(&max.max_micros)));
        Recent { rates: kept.rates(), catching_up: kept.catching_up(), is_still: kept.is_still(), latency_s }
    }

    /// The samples behind the first `known`, and how many there were ever.
    pub fn since(&self, known: u64) -> (u64, Vec<Sample>) {
        let kept = self.kept();
        let dropped = kept.sampled - kept.samples.len() as u64;
        // Who knows more than there was has talked to another process.
        let known = if known > kept.sampled { 0 } else { known };
        let skipped = known.saturating_sub(dropped) as usize;
        (kept.sampled, kept.samples.iter().skip(skipped).copied().collect())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The newest look and the one `ticks` before, or the oldest.
    fn span(&self, ticks: usize) -> Option<(&Tick, &Tick)> {
        let before = self.ticks.len().saturating_sub(1 + ticks);
        Some((self.ticks.get(before)?, self.ticks.back()?)).filter(|(before, after)| before.0 < after.0)
    }

    fn rates(&self) -> Rates {
        let Some(((from, before), (to, after))) = self.span(RATE_TICKS) else { return Rates::default() };
        let seconds = to.saturating_duration_since(*from).as_secs_f64();
        let of = |count: fn(&Totals) -> u64| count(after).saturating_sub(count(before)) as f64 / seconds;
        Rates {
            records: of(|totals| totals.records),
            record_bytes: of(|totals| totals.record_bytes),
            lines: of(|totals| totals.lines_stored),
            bytes_sent: of(|totals| totals.bytes_sent),
            requests: of(|totals| totals.requests),
            requests_failed: of(|totals| totals.requests_failed),
        }
    }

    /// From the peak of the last seconds to now. Before there is a peak they may be the first that there are.
    fn catching_up(&self) -> Option<f64> {
        let ((begin, first), (end, last)) = self.span(UNREAD_TICKS)?;
        let now = last.unread?;
        let known = self.ticks.iter().rev().take(UNREAD_TICKS + 1).rev();
        let known = known.filter_map(|(at, totals)| Some((*at, totals.unread?)));
        let peak = known.reduce(|peak, next| if next.1 > peak.1 { next } else { peak })?;
        let before = first.unread.filter(|unread| *unread > 0).map(|unread| (*begin, unread));
        let (from, unread) = Some(peak).filter(|(_, unread)| *unread > now).or(before)?;
        let seconds = end.saturating_duration_since(from).as_secs_f64();
        Some((unread as f64 - now as f64) / seconds).filter(|fewer| fewer.is_finite())
    }

    fn is_still(&self) -> bool {
        let newest = self.ticks.iter().rev().take(UNREAD_TICKS);
        let is_waiting = |(_, totals): &Tick| totals.unread.is_some_and(|unread| unread > 0);
        let is_read = |before: &Totals, after: &Totals| before.records != after.records;
        self.ticks.len() >= UNREAD_TICKS
            && newest.clone().all(is_waiting)
            && newest
                .zip(self.ticks.iter().rev().skip(1))
                .all(|(after, before)| !is_read(&before.1, &after.1))
    }

    fn latency(&self, max: Duration) -> Option<(f64, f64)> {
        let ((_, before), (_, after)) = self.span(TICKS_MAX)?;
        let mut counts = after.latency;
        for (count, before) in counts.iter_mut().zip(before.latency) {
            *count = count.saturating_sub(before);
        }
        Some((quantile(&counts, 0.5, max)?, quantile(&counts, 0.99, max)?))
    }

    fn sample(&mut self, holds: bool, time_ms: u64) {
        let rates = self.rates();
        let unread = self.ticks.back().and_then(|(_, totals)| totals.unread);
        let (records, lines) = (rates.records as f32, rates.lines as f32);
        self.samples.push_back(Sample { time_ms, records, lines, unread, holds });
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.sampled += 1;
    }
}

/// Below which so many of the durations were, as if they were spread evenly over their bucket.
fn quantile(counts: &[u64; BUCKETS], share: f64, max: Duration) -> Option<f64> {
    let all: u64 = counts.iter().sum();
    let wanted = all as f64 * share;
    let (mut below, mut from) = (0, Duration::ZERO);
    for (count, end) in counts.iter().zip(LATENCY_BUCKETS.into_iter().chain([max])) {
        if *count > 0 && (below + count) as f64 >= wanted {
            let (from, to) = (from.as_secs_f64(), end.min(max).as_secs_f64());
            let within = (wanted - below as f64) / *count as f64;
            return Some((from + (to - from).max(0.0) * within).min(max.as_secs_f64()));
        }
        (below, from) = (below + count, end);
    }
    None
}

#[cfg(test)]
mod tests;
