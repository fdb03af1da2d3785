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

/// Logs the totals since the start. `is_complete`: the pipeline ended by itself and without an error, so everything up to the end is
/// settled and committed, except undecided records.
pub fn log_totals(counters: &Counters, writer: &Writer, began: Instant, is_complete: bool) {
    let Counts { records, lines_stored, rejected, refused, filtered } = Counts::of(counters, writer);
    let seconds = began.elapsed().as_secs_f64();
    let message = message(is_complete, Counters::get(&counters.left_undecided));
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

fn message(is_complete: bool, undecided: u64) -> String {
    match (is_complete, undecided) {
        (false, _) => "stopped".to_owned(),
        (true, 0) => "everything up to the end is settled and committed".to_owned(),
        (true, _) => format!(
            "read to the end, but {undecided} rejected records stay uncommitted, with the filtered records behind them: no record of their \
             topics has become a point"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_that_all_is_committed_only_if_no_record_is_undecided() {
        assert_eq!(message(true, 0), "everything up to the end is settled and committed");
        assert!(message(true, 5).contains("5 rejected records stay uncommitted"));
        assert_eq!(message(false, 5), "stopped");
    }
}
