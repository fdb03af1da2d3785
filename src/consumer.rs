//! One consumer: a control thread that serves the group, and the data thread that it starts and outlives.

use crate::admin::{Counters, LagReporter, Lags, Pulse, Pulses};
use crate::config::{self, OffsetReset};
use crate::feed::{Feed, Shared};
use crate::kafka::{Member, MemberError, Resumed};
use crate::summary::Summary;
use rdkafka::consumer::Consumer as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use thiserror::Error;
use tracing::info;

/// After this long without a record the reason is looked for.
const IDLE_AFTER: Duration = Duration::from_secs(10);
/// A data thread waits for nothing; after this long without a turn it is stuck.
const DATA_SILENCE_MAX: Duration = Duration::from_secs(30);
/// A control thread waits for brokers: for a listing of topics, or for a commit at a revoke, up to a minute each.
const CONTROL_SILENCE_MAX: Duration = Duration::from_mins(3);
/// The part of it that the last commits may take.
const LAST_COMMIT_MAX: Duration = Duration::from_millis(1_500);
/// How long the rest is written after a failure of Kafka's.
const FAILED_DRAIN_MAX: Duration = Duration::from_secs(5);

/// Why a consumer can't start, or ended by itself.
#[derive(Debug, Error)]
pub enum ConsumerError {
    #[error("threads can't be started: {0}")]
    Threads(#[from] io::Error),
    #[error(transparent)]
    Member(#[from] MemberError),
    #[error("a consumer's thread ended unexpectedly: this is a bug, please report it with the log")]
    Thread,
}

/// All consumers of this process.
pub struct Consumers {
    shared: Shared,
    pulses: Arc<Pulses>,
    lags: Arc<Lags>,
    commits: Arc<LastCommits>,
}

impl Consumers {
    pub fn new(all: usize, shared: Shared, pulses: Arc<Pulses>, lags: Arc<Lags>) -> Self {
        let commits = Arc::new(LastCommits { made: AtomicUsize::new(0), all });
        Self { shared, pulses, lags, commits }
    }

    /// Starts one; its thread ends after a stop was asked for, or with the reason why it can't go on.
    pub fn start(
        &self,
        kafka: &config::Kafka,
        number: usize,
    ) -> Result<JoinHandle<Result<(), ConsumerError>>, ConsumerError> {
        let data_pulse = self.pulses.of(format!("data-{number}"), DATA_SILENCE_MAX);
        let from_start = kafka.offset_reset == OffsetReset::Earliest;
        let mut watch = Watch {
            pulse: self.pulses.of(format!("control-{number}"), CONTROL_SILENCE_MAX),
            lags: LagReporter::new(Arc::clone(&self.lags), number, from_start),
            summary: (number == 0).then(|| {
                let shared = &self.shared;
                Summary::new(Arc::clone(&shared.counters), Arc::clone(&shared.writer), Arc::clone(&self.lags))
            }),
            idle: Idle::new(),
        };
        let (mut member, events) = Member::new(kafka, number, self.shared.routing.lanes())?;
        // Members of one process wait apart from each other.
        let shared = Shared { seed: self.shared.seed.wrapping_add(number as u64), ..self.shared.clone() };
        let feed = Feed::new(shared, Arc::clone(member.consumer()), events, data_pulse);
        let data = thread::Builder::new().name(format!("data-{number}")).spawn(move || feed.run())?;
        member.consumer().context().set_data_thread(data.thread().clone());
        member.subscribe()?;
        let (shared, commits) = (self.shared.clone(), Arc::clone(&self.commits));
        let control = move || {
            let result = control(&mut member, &data, &shared, &mut watch);
            // Whatever ended it, the others end too.
            shared.stop.ask(FAILED_DRAIN_MAX);
            data.thread().unpark();
            while !data.is_finished() {
                // Callbacks are served while the rest is written.
                if member.poll().is_err() {
                    thread::sleep(Duration::from_millis(100));
                }
            }
            let data = data.join().map_err(|_| ConsumerError::Thread);
            commit_before_leaving(&member, &commits);
            member.leave();
            result.and(data)
        };
        Ok(thread::Builder::new().name(format!("control-{number}")).spawn(control)?)
    }
}

/// Consumers that have made their last commit, of all.
#[derive(Debug)]
struct LastCommits {
    made: AtomicUsize,
    all: usize,
}

/// Who leaves starts a rebalance, during which the others could not commit: so all commit first.
fn commit_before_leaving(member: &Member, commits: &LastCommits) {
    let until = Instant::now() + LAST_COMMIT_MAX;
    member.commit(until);
    commits.made.fetch_add(1, Ordering::Relaxed);
    while commits.made.load(Ordering::Relaxed) < commits.all && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Serves the group until a stop is asked for.
fn control(
    member: &mut Member,
    data: &JoinHandle<()>,
    shared: &Shared,
    watch: &mut Watch,
) -> Result<(), ConsumerError> {
    while !shared.stop.is_asked() && !data.is_finished() {
        member.poll()?;
        watch.pulse.beat(Instant::now());
        watch.lags.report(member.statistics());
        if let Some(summary) = &mut watch.summary {
            summary.tell_if_due();
        }
        let resumed = member.take_resumed();
        Resumed::tell(&resumed);
        Counters::add(&shared.counters.skipped, resumed.iter().map(Resumed::skipped).sum());
        let why_idle = || member.why_idle(influx_is_waited_for(shared));
        if let Some(why) = watch.idle.look(Instant::now(), Counters::get(&shared.counters.records), why_idle)
        {
            info!("no records for {} s: {why}", IDLE_AFTER.as_secs());
        }
    }
    Ok(())
}

/// Whether lines can't be stored, which an alarm says, or are on their way: then records are left in Kafka.
fn influx_is_waited_for(shared: &Shared) -> bool {
    let (counters, writer) = (&shared.counters, shared.writer.counters());
    let settled = Counters::get(&writer.lines_stored) + Counters::get(&writer.lines_refused);
    !shared.writer.alarms().is_empty() || Counters::get(&counters.lines) > settled
}

/// What a control thread tells of its consumer.
struct Watch {
    pulse: Arc<Pulse>,
    lags: LagReporter,
    /// The first consumer's tells of all.
    summary: Option<Summary>,
    idle: Idle,
}

/// Tells why no records come, once for each reason.
struct Idle {
    records: u64,
    since: Instant,
    looked: bool,
    told: String,
}

impl Idle {
    fn new() -> Self {
        Self { records: 0, since: Instant::now(), looked: false, told: String::new() }
    }

    /// The reason, where it has to be told; `why` has none to give while something else explains it.
    fn look(&mut self, now: Instant, records: u64, why: impl FnOnce() -> Option<String>) -> Option<String> {
        if records != self.records {
            (self.records, self.since, self.looked) = (records, now, false);
        }
        if self.looked || now.saturating_duration_since(self.since) < IDLE_AFTER {
            return None;
        }
        let Some(why) = why() else {
            // Asked again when as much time has gone by.
            self.since = now;
            return None;
        };
        self.looked = true;
        if why == self.told {
            return None;
        }
        self.told.clone_from(&why);
        Some(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_why_no_records_come_once_and_not_while_something_else_explains_it() {
        let (mut idle, begin) = (Idle::new(), Instant::now());
        let mut f = |seconds: u64, records: u64, why: Option<&str>, want: Option<&str>| {
            let told = idle.look(begin + Duration::from_secs(seconds), records, || why.map(str::to_owned));
            assert_eq!(told.as_deref(), want, "after {seconds} s");
        };
        f(9, 0, Some("no topic"), None);
        f(11, 0, Some("no topic"), Some("no topic"));
        f(30, 0, Some("other"), None);
        // Records come, then InfluxDB is away.
        f(31, 5, None, None);
        f(42, 5, None, None);
        // It is back, and the next records need a moment.
        f(43, 5, Some("look at the brokers"), None);
        f(44, 9, Some("look at the brokers"), None);
        f(54, 9, Some("read to their end"), Some("read to their end"));
        f(60, 10, None, None);
        f(75, 10, Some("read to their end"), None);
    }
}
