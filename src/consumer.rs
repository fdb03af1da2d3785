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
        // While there is an alarm, it is the reason.
        if shared.writer.alarms().is_empty() {
            watch.idle.look(Counters::get(&shared.counters.records), || member.why_idle());
        }
    }
    Ok(())
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

    fn look(&mut self, records: u64, why: impl FnOnce() -> String) {
        if records != self.records {
            (self.records, self.since, self.looked) = (records, Instant::now(), false);
        }
        if self.looked || self.since.elapsed() < IDLE_AFTER {
            return;
        }
        self.looked = true;
        let why = why();
        if why != self.told {
            info!("no records for {} s: {why}", IDLE_AFTER.as_secs());
            self.told = why;
        }
    }
}
