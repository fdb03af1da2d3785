//! Summaries in the log: one line per minute, and one at the end.

use super::{Counters, Lags};
use influx::Writer;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};
use tracing::info;

const EVERY: Duration = Duration::from_mins(1);

/// Logs the counts of each minute.
pub struct Summary {
    counters: Arc<Counters>,
    writer: Arc<Writer>,
    lags: Arc<Lags>,
    last: Instant,
    before: Counts,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    records: u64,
    lines_stored: u64,
    rejected: u64,
    refused: u64,
    filtered: u64,
}

impl Summary {
    pub fn new(counters: Arc<Counters>, writer: Arc<Writer>, lags: Arc<Lags>) -> Self {
        Self { counters, writer, lags, last: Instant::now(), before: Counts::default() }
    }

    pub fn log_if_due(&mut self) {
        if self.last.elapsed() < EVERY {
            return;
        }
        self.last = Instant::now();
        let now = self.counts();
        let before = std::mem::replace(&mut self.before, now);
        info!(
            records = now.records - before.records,
            stored = now.lines_stored - before.lines_stored,
            rejected = now.rejected - before.rejected,
            refused = now.refused - before.refused,
            filtered = now.filtered - before.filtered,
            lag = self.lags.unread(),
            "last minute"
        );
    }

    fn counts(&self) -> Counts {
        Counts::of(&self.counters, &self.writer)
    }
}

impl Counts {
    fn of(counters: &Counters, writer: &Writer) -> Self {
        let get = |counter: &AtomicU64| Counters::get(counter);
        let lines = writer.counters();
        Self {
            records: get(&counters.records),
            lines_stored: get(&lines.lines_stored),
            rejected: counters.rejected().map(|(_, count)| count).sum(),
            refused: get(&lines.lines_refused),
            filtered: get(&counters.filtered),
        }
    }
}

/// Logs the totals since the start. `is_complete`: the pipeline ended by itself, so everything up to the end is settled and committed.
pub fn log_totals(counters: &Counters, writer: &Writer, began: Instant, is_complete: bool) {
    let Counts { records, lines_stored, rejected, refused, filtered } = Counts::of(counters, writer);
    let seconds = began.elapsed().as_secs_f64();
    let message = if is_complete { "everything up to the end is settled and committed" } else { "stopped" };
    info!(
        records,
        stored = lines_stored,
        rejected,
        refused,
        filtered,
        skipped = Counters::get(&counters.skipped),
        seconds = format!("{seconds:.1}"),
        "{message}"
    );
}
