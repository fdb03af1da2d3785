//! Throughput of the last hour, kept in memory for the plot of the status page.

use base::locks::lock;
use engine::telemetry::Counters;
use engine::telemetry::newest_rejections::since_1970_ms;
use influx::{LATENCY_BUCKETS, LatencyHistogram};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

/// Interval at which the counters are read.
pub const TICK: Duration = Duration::from_secs(1);
/// Every fifth reading becomes a sample of the plot.
const TICKS_PER_SAMPLE: u64 = 5;
/// One hour of samples, of 40 bytes each.
const SAMPLES_MAX: usize = 720;
/// One minute of readings, for latencies.
const TICKS_MAX: usize = 61;
/// Rates are averages over this number of readings.
const RATE_TICKS: usize = 5;
/// Readings from which the trend of the backlog is computed. Lag statistics arrive every 5 s.
const UNREAD_TICKS: usize = 15;

pub const BUCKETS: usize = LATENCY_BUCKETS.len() + 1;

/// Values of the counters at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterTotals {
    pub records: u64,
    pub record_bytes: u64,
    pub lines_stored: u64,
    pub bytes_sent: u64,
    pub requests: u64,
    /// Requests that must be sent again.
    pub requests_failed: u64,
    pub collisions: u64,
    pub unread: Option<u64>,
    pub latency: [u64; BUCKETS],
}

type Tick = (Instant, CounterTotals);

/// One point of the plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub time_ms: u64,
    /// Records per second.
    pub records: f32,
    /// Lines per second.
    pub lines: f32,
    pub unread: Option<u64>,
    /// Whether an alarm blocked records.
    pub is_blocked: bool,
}

/// Averages over the last 5 s, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    pub records: f64,
    pub record_bytes: f64,
    pub lines: f64,
    pub bytes_sent: f64,
    pub requests: f64,
    pub requests_failed: f64,
}

/// Figures from the last readings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recent {
    pub rates: Rates,
    /// Backlog shrink rate in records/s; negative while the backlog grows.
    pub catching_up: Option<f64>,
    /// No record was read during the last readings, although some were unread.
    pub is_still: bool,
    /// p50 and p99 of the write requests of the last minute.
    pub latency_s: Option<(f64, f64)>,
    /// Points of the last minute that overwrote an earlier point.
    pub overwritten: u64,
}

/// Readings of the last minute and samples of the last hour.
#[derive(Debug, Default)]
pub struct History(Mutex<Readings>);

#[derive(Debug, Default)]
struct Readings {
    ticks: VecDeque<Tick>,
    ticked: u64,
    samples: VecDeque<Sample>,
    /// Number of samples since the start.
    sampled: u64,
}

impl History {
    /// Adds a reading. `is_blocked` is called only when a sample is due.
    pub fn tick(&self, totals: CounterTotals, is_blocked: impl FnOnce() -> bool, now: Instant) {
        let is_due = {
            let mut readings = lock(&self.0);
            readings.ticks.push_back((now, totals));
            if readings.ticks.len() > TICKS_MAX {
                readings.ticks.pop_front();
            }
            readings.ticked += 1;
            readings.ticked.is_multiple_of(TICKS_PER_SAMPLE)
        };
        if is_due {
            let (is_blocked, time_ms) = (is_blocked(), since_1970_ms(SystemTime::now()));
            lock(&self.0).sample(is_blocked, time_ms);
        }
    }

    pub fn recent(&self, max: &LatencyHistogram) -> Recent {
        let readings = lock(&self.0);
        let latency_s = readings.latency(Duration::from_micros(Counters::get(&max.max_micros)));
        Recent {
            rates: readings.rates(),
            catching_up: readings.catching_up(),
            is_still: readings.is_still(),
            latency_s,
            overwritten: readings.overwritten(),
        }
    }

    /// The samples after the first `known`, and their number since the start.
    pub fn since(&self, known: u64) -> (u64, Vec<Sample>) {
        let readings = lock(&self.0);
        let dropped = readings.sampled - readings.samples.len() as u64;
        // A client with more samples got them from an earlier process.
        let known = if known > readings.sampled { 0 } else { known };
        let skipped = known.saturating_sub(dropped) as usize;
        (readings.sampled, readings.samples.iter().skip(skipped).copied().collect())
    }
}

impl Readings {
    /// The newest reading and the one `ticks` before it, or the oldest.
    fn span(&self, ticks: usize) -> Option<(&Tick, &Tick)> {
        let before = self.ticks.len().saturating_sub(1 + ticks);
        Some((self.ticks.get(before)?, self.ticks.back()?)).filter(|(before, after)| before.0 < after.0)
    }

    fn rates(&self) -> Rates {
        let Some(((from, before), (to, after))) = self.span(RATE_TICKS) else { return Rates::default() };
        let seconds = to.saturating_duration_since(*from).as_secs_f64();
        let per_second =
            |count: fn(&CounterTotals) -> u64| count(after).saturating_sub(count(before)) as f64 / seconds;
        Rates {
            records: per_second(|totals| totals.records),
            record_bytes: per_second(|totals| totals.record_bytes),
            lines: per_second(|totals| totals.lines_stored),
            bytes_sent: per_second(|totals| totals.bytes_sent),
            requests: per_second(|totals| totals.requests),
            requests_failed: per_second(|totals| totals.requests_failed),
        }
    }

    /// Computed from the peak of the last readings to now, or from the oldest reading if there is no peak.
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
        let is_read = |before: &CounterTotals, after: &CounterTotals| before.records != after.records;
        self.ticks.len() >= UNREAD_TICKS
            && newest.clone().all(is_waiting)
            && newest
                .zip(self.ticks.iter().rev().skip(1))
                .all(|(after, before)| !is_read(&before.1, &after.1))
    }

    fn overwritten(&self) -> u64 {
        self.span(TICKS_MAX).map_or(0, |((_, before), (_, after))| after.collisions - before.collisions)
    }

    fn latency(&self, max: Duration) -> Option<(f64, f64)> {
        let ((_, before), (_, after)) = self.span(TICKS_MAX)?;
        let mut counts = after.latency;
        for (count, before) in counts.iter_mut().zip(before.latency) {
            *count = count.saturating_sub(before);
        }
        Some((quantile(&counts, 0.5, max)?, quantile(&counts, 0.99, max)?))
    }

    fn sample(&mut self, is_blocked: bool, time_ms: u64) {
        let rates = self.rates();
        let unread = self.ticks.back().and_then(|(_, totals)| totals.unread);
        let (records, lines) = (rates.records as f32, rates.lines as f32);
        self.samples.push_back(Sample { time_ms, records, lines, unread, is_blocked });
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.sampled += 1;
    }
}

/// Quantile of the durations, interpolated linearly within a bucket.
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
