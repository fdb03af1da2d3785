//! Readings of simulated seconds.

use super::*;

/// A history with one reading per second; `totals` computes the counters of a second.
fn ticked(seconds: u64, totals: impl Fn(u64) -> CounterTotals) -> History {
    let (history, start) = (History::default(), Instant::now());
    for second in 0..seconds {
        history.tick(totals(second), || second % 2 == 1, start + Duration::from_secs(second));
    }
    history
}

fn recent(history: &History) -> Recent {
    let latency = LatencyHistogram::default();
    latency.add(Duration::from_secs(40));
    history.recent(&latency)
}

#[test]
fn rates_are_averages_of_the_last_seconds() {
    let totals = |second: u64| CounterTotals {
        records: second.saturating_sub(10) * 100,
        lines_stored: second * 7,
        ..CounterTotals::default()
    };
    assert_eq!(recent(&ticked(0, totals)), Recent::default());
    assert_eq!(recent(&ticked(1, totals)), Recent::default());
    assert_eq!(recent(&ticked(3, totals)).rates, Rates { lines: 7.0, ..Rates::default() });
    assert_eq!(recent(&ticked(30, totals)).rates, Rates { records: 100.0, lines: 7.0, ..Rates::default() });
}

#[test]
fn counts_the_overwritten_points_of_the_last_minute() {
    let f = |seconds: u64| {
        let history = ticked(seconds, |second| CounterTotals {
            collisions: second.min(50) * 2,
            ..CounterTotals::default()
        });
        recent(&history).overwritten
    };
    assert_eq!((f(0), f(1), f(31), f(61), f(91), f(200)), (0, 0, 60, 100, 40, 0));
}

#[test]
fn computes_how_fast_the_backlog_shrinks() {
    let f = |unread: fn(u64) -> Option<u64>, want: Option<f64>| {
        let history =
            ticked(40, |second| CounterTotals { unread: unread(second), ..CounterTotals::default() });
        assert_eq!(recent(&history).catching_up, want);
    };
    f(|_| None, None);
    f(|second| Some(1_000 - second * 10), Some(10.0));
    f(|second| Some(second * 3), Some(-3.0));
    f(|second| (second > 30).then_some(1), None);
    // The backlog has just appeared, so its trend is unknown.
    f(|second| Some(if second > 30 { 5_000 } else { 0 }), None);
    // Statistics arrived at 31 and 36.
    f(
        |second| {
            Some(if second > 35 {
                4_500
            } else if second > 30 {
                5_000
            } else {
                0
            })
        },
        Some(500.0 / 8.0),
    );
    f(|_| Some(7), Some(0.0));
}

#[test]
fn is_still_if_unread_records_are_not_read() {
    let f = |seconds: u64, totals: fn(u64) -> (u64, u64), want: bool| {
        let history = ticked(seconds, |second| {
            let (records, unread) = totals(second);
            CounterTotals { records, unread: Some(unread), ..CounterTotals::default() }
        });
        assert_eq!(recent(&history).is_still, want);
    };
    f(40, |_| (5, 1), true);
    f(10, |_| (5, 1), false);
    f(40, |_| (5, 0), false);
    f(40, |second| (second, 1), false);
    f(40, |second| (5, u64::from(second > 35)), false);
}

#[test]
fn quantiles_are_interpolated_within_their_bucket() {
    let f = |filled: &[(usize, u64)], share: f64, max_ms: u64, want_ms: Option<f64>| {
        let mut counts = [0; BUCKETS];
        for (bucket, count) in filled {
            counts[*bucket] = *count;
        }
        let found = quantile(&counts, share, Duration::from_millis(max_ms)).map(|s| (s * 1e6).round() / 1e3);
        assert_eq!(found, want_ms, "{filled:?} {share}");
    };
    f(&[], 0.5, 0, None);
    f(&[(2, 10)], 0.5, 100, Some(3.5));
    f(&[(2, 10)], 0.99, 3, Some(2.99));
    f(&[(0, 99), (9, 1)], 0.99, 700, Some(1.0));
    f(&[(0, 98), (9, 2)], 0.99, 700, Some(600.0));
    f(&[(12, 1)], 0.5, 50_000, Some(40_000.0));
    // The maximum may be read before or after the buckets.
    f(&[(12, 1)], 0.5, 10_000, Some(10_000.0));
}

#[test]
fn latency_covers_the_last_minute() {
    let history = ticked(100, |second| {
        let mut latency = [0; BUCKETS];
        latency[9] = second.min(30);
        latency[1] = second;
        CounterTotals { latency, ..CounterTotals::default() }
    });
    let (p50, p99) = recent(&history).latency_s.unwrap();
    assert!(p50 < 0.002 && p99 < 0.002, "{p50} {p99}");
}

#[test]
fn keeps_an_hour_of_samples_and_returns_the_new_ones() {
    let history = ticked(12, |second| CounterTotals {
        records: second,
        unread: Some(second),
        ..CounterTotals::default()
    });
    let (next, samples) = history.since(0);
    assert_eq!((next, samples.len()), (2, 2));
    assert_eq!((samples[0].records, samples[0].unread, samples[0].is_blocked), (1.0, Some(4), false));
    assert!(samples[1].is_blocked);
    assert_eq!(history.since(1).1.len(), 1);
    assert_eq!(history.since(2), (2, vec![]));
    assert_eq!(history.since(3).1.len(), 2, "samples of an earlier process");
    let history =
        ticked(5 * 1_000, |second| CounterTotals { unread: Some(second), ..CounterTotals::default() });
    let (next, samples) = history.since(0);
    assert_eq!((next, samples.len(), samples[0].unread), (1_000, 720, Some(280 * 5 + 4)));
    assert_eq!(history.since(999).1.len(), 1);
    assert_eq!(history.since(281).1.len(), 719);
    assert!(size_of::<Sample>() <= 40);
}
