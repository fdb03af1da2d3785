//! Watchdog: raises an alarm when the bridge is stuck, and reports alarms that have become blocking. A blocked bridge has an alarm that
//! explains it, and continues by itself. A stuck bridge has work and no alarm, and makes no progress.

use crate::telemetry::{Counters, Heartbeats, Lags};
use base::alarm::{AlarmGuard, FailureReport, Scope};
use base::stop::Stop;
use influx::Writer;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Interval of checks. A stop is noticed within this time.
const CHECK_EVERY: Duration = Duration::from_millis(500);
/// Time without progress after which the bridge counts as stuck: longer than the default request timeout (30 s) and a rebalance.
const STILL_MAX: Duration = Duration::from_mins(2);

/// The counters, alarms and heartbeats that the watchdog checks.
#[derive(Clone, Debug)]
pub struct WatchdogInputs {
    pub counters: Arc<Counters>,
    pub writer: Arc<Writer>,
    pub lags: Arc<Lags>,
    pub heartbeats: Arc<Heartbeats>,
}

/// The signals at one check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sample {
    /// Sum of the counters that show progress: records read, lines settled, requests answered, rebalances.
    progress: u64,
    /// Records in Kafka that were not read.
    unread: i64,
    /// Records that were read and are not settled: in an open batch, in flight, or lost by a bug. Undecided records do not count.
    unsettled: i64,
    /// Whether an alarm, or a batch that waits for its time by `batch.points_per_second_max`, explains a lack of progress.
    is_explained: bool,
    /// Threads without a heartbeat for too long.
    overdue: Vec<(String, Duration)>,
}

/// Keeps the time of the last progress.
#[derive(Debug)]
struct StallDetector {
    progress: u64,
    since: Instant,
}

impl StallDetector {
    fn new(now: Instant) -> Self {
        Self { progress: 0, since: now }
    }

    /// The reason why the bridge is stuck, if it is.
    fn check(&mut self, sample: &Sample, now: Instant) -> Option<String> {
        if let Some((thread, silence)) = sample.overdue.first() {
            return Some(format!("the thread {thread} has not turned for {} s", silence.as_secs()));
        }
        if sample.progress != self.progress || sample.unread + sample.unsettled == 0 || sample.is_explained {
            (self.progress, self.since) = (sample.progress, now);
            return None;
        }
        let still = now.saturating_duration_since(self.since);
        (still >= STILL_MAX).then(|| {
            let Sample { unread, unsettled, .. } = sample;
            let still = still.as_secs();
            format!(
                "{unread} records wait in Kafka and {unsettled} are read and not stored, nothing has moved for {still} s, and no \
                 alarm explains it"
            )
        })
    }
}

/// Starts the watchdog thread, which ends at a stop request.
pub fn start(signals: WatchdogInputs, stop: Stop) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        let mut detector = StallDetector::new(Instant::now());
        let mut watch = signals.writer.alarm_registry().guard();
        while !stop.is_requested() {
            thread::sleep(CHECK_EVERY);
            let now = Instant::now();
            signals.writer.alarm_registry().report_blocking(now);
            match detector.check(&sample(&signals, now), now) {
                Some(why) => raise(&mut watch, &why, now),
                None => watch.recovered(now),
            }
        }
    })
}

fn raise(watch: &mut AlarmGuard, why: &str, now: Instant) {
    let remedy = || {
        "restart the bridge: nothing is lost, it goes on where it committed; and please report it with the log".to_owned()
    };
    let trouble = FailureReport {
        cause: "stuck",
        blocks: true,
        scope: &Scope::Bridge,
        at: "this process",
        why,
        remedy: &remedy,
    };
    watch.failed(trouble, now);
}

fn sample(signals: &WatchdogInputs, now: Instant) -> Sample {
    let (counters, writer) = (&signals.counters, signals.writer.counters());
    let moving = [
        &counters.records,
        &counters.rebalances,
        &counters.dead_letters,
        &writer.lines_stored,
        &writer.lines_refused,
        &writer.stored,
        &writer.refused,
        &writer.split,
    ];
    Sample {
        progress: moving.into_iter().map(Counters::get).sum(),
        // Zero before the first statistics. The heartbeats reveal a thread that stops reporting them.
        unread: signals.lags.unread().unwrap_or(0),
        unsettled: signals.lags.unsettled(&counters.unsettled_timestamps).unwrap_or(0),
        is_explained: writer.rate_waits.get() > 0
            || signals.writer.alarms().iter().any(|alarm| alarm.scope != Scope::Bridge),
        overdue: signals.heartbeats.overdue(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Destination;
    use influx::{BatchLines, Client, ConnectionSettings, Delays, Event, Observer, WriterOptions};
    use line_protocol::LineBuffer;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::Poll;

    /// Sends how long each reported alarm has lasted.
    struct Reports(mpsc::Sender<Duration>);

    impl Observer for Reports {
        fn observe(&self, event: &Event) {
            if let Event::Raised(alarm) = event {
                self.0.send(alarm.lasting).unwrap();
            }
        }
    }

    /// A writer without a server, and its reports.
    fn writer(points_per_second_max: Option<u64>) -> (Arc<Writer>, mpsc::Receiver<Duration>) {
        let delays = Delays::default();
        let options = WriterOptions {
            lines_max: 1,
            bytes_max: Some(1),
            points_per_second_max,
            delays,
            accepts_unproven: false,
        };
        let connection = ConnectionSettings::new("http://127.0.0.1:1".parse().unwrap());
        let (sender, reports) = mpsc::channel();
        let client = Client::new(&connection).unwrap();
        (Writer::new(client, &connection, options, Arc::new(Reports(sender))), reports)
    }

    #[test]
    fn a_low_rate_of_points_explains_a_long_wait() {
        let (writer, _reports) = writer(Some(10));
        let (counters, lags, heartbeats) = Default::default();
        let signals = WatchdogInputs { counters, writer: Arc::clone(&writer), lags, heartbeats };
        let is_explained = || sample(&signals, Instant::now()).is_explained;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // A batch of 5,000 lines at 10 points per second makes the next one wait for 500 s.
        let lines = BatchLines::from((0..5_000).map(|n| format!("m v={n} {n}")).collect::<LineBuffer>());
        let destination = Destination::Database { database: "d".to_owned(), retention_policy: None };
        let mut both = [writer.lane(0), writer.lane(1)];
        runtime.block_on(async {
            let [one, two] = &mut both;
            let mut first = pin!(one.deliver(&destination, &lines));
            let mut second = pin!(two.deliver(&destination, &lines));
            poll_fn(|context| {
                assert!(first.as_mut().poll(context).is_pending());
                assert!(!is_explained());
                assert!(second.as_mut().poll(context).is_pending());
                assert!(is_explained());
                Poll::Ready(())
            })
            .await;
        });
        assert!(!is_explained(), "nothing waits any more");
    }

    /// A request that hangs fails next when it times out, but an operator waits for the error.
    #[test]
    fn reports_an_alarm_that_becomes_blocking_between_two_failures() {
        let (writer, reports) = writer(None);
        let mut lane = writer.alarm_registry().guard();
        let (counters, lags, heartbeats) = Default::default();
        let stop = Stop::default();
        let watchdog = start(WatchdogInputs { counters, writer, lags, heartbeats }, stop.clone()).unwrap();
        let (now, remedy) = (Instant::now(), String::new);
        let failure = FailureReport {
            cause: "timed_out",
            blocks: false,
            scope: &Scope::Server,
            at: "",
            why: "",
            remedy: &remedy,
        };
        let since = now.checked_sub(Duration::from_millis(9_900)).unwrap();
        lane.failed_since(failure, since, now);
        assert!(reports.recv().unwrap() < Duration::from_secs(10));
        assert!(reports.recv_timeout(Duration::from_mins(1)).unwrap() >= Duration::from_secs(10));
        stop.request(Duration::ZERO);
        watchdog.join().unwrap();
    }

    #[test]
    fn is_stuck_with_work_but_no_progress_and_no_alarm() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let still = Sample { progress: 7, unread: 10, ..Sample::default() };
        let mut detector = StallDetector::new(start);
        assert_eq!(detector.check(&still, at(0)), None);
        assert_eq!(detector.check(&still, at(119)), None);
        let why = detector.check(&still, at(120)).unwrap();
        assert!(why.contains("10 records") && why.contains("120 s"), "{why}");
        // Progress, an explanation or the end of the work restarts the time.
        for other in [
            Sample { progress: 8, ..still.clone() },
            Sample { is_explained: true, ..still.clone() },
            Sample { unread: 0, ..still.clone() },
        ] {
            assert_eq!(detector.check(&other, at(200)), None, "{other:?}");
            assert_eq!(detector.check(&still, at(319)), None, "{other:?}");
        }
    }

    /// A batch never comes back, and its topic gets no further records.
    #[test]
    fn is_stuck_with_records_that_are_read_and_never_settled() {
        let start = Instant::now();
        let read = Sample { progress: 7, unsettled: 3, ..Sample::default() };
        let mut detector = StallDetector::new(start);
        assert_eq!(detector.check(&read, start), None);
        let why = detector.check(&read, start + STILL_MAX).unwrap();
        assert!(why.contains("0 records wait in Kafka and 3 are read and not stored"), "{why}");
    }

    #[test]
    fn names_a_thread_without_a_heartbeat() {
        let overdue = vec![("data-0".to_owned(), Duration::from_secs(31))];
        let why = StallDetector::new(Instant::now())
            .check(&Sample { overdue, ..Sample::default() }, Instant::now());
        assert!(why.unwrap().contains("data-0 has not turned for 31 s"));
    }
}
