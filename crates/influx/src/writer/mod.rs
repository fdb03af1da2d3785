//! State that all lanes share while they write: client, counters, alarms, learned sizes.

use crate::address::Address;
use crate::backoff::{Backoff, Delays, now, pause};
use crate::breaker::AddressChange;
use crate::cause::{Cause, CauseScope};
use crate::client::{Client, ProbeResult};
use crate::counters::{WriteCounters, count};
use crate::error::RequestFailure;
use crate::event::{AlarmEvents, Event, Observer};
use crate::failed_attempt::FailedAttempt;
use crate::learned_state::LearnedState;
use crate::lines::RequestSize;
use crate::rate_limiter::RateLimiter;
use crate::remedy::{RemedyContext, advice, is_page};
use crate::settings::ConnectionSettings;
use base::alarm::{Alarm, AlarmGuard, AlarmRegistry, FailureReport, Scope};
use base::locks::{self, lock};
use base::{Destination, TimePrecision};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, RwLock, Weak};
use std::time::Duration;

/// Longest time between two probes of a destination.
const PROBE_DELAY_MAX: Duration = Duration::from_secs(5);

/// The last record of a batch may exceed the bound of its size by about this much: the batch is one request nevertheless.
pub(crate) const RECORD_BYTES: usize = 500_000;

/// Limits of requests, and delays between attempts.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Lines of one request.
    pub lines_max: usize,
    /// Bytes of one request before compression; a single line may be larger. None: a bound for the kind of server.
    pub bytes_max: Option<usize>,
    /// Rate of all lanes together; retries are not counted.
    pub points_per_second_max: Option<u64>,
    pub delays: Delays,
    /// `reject.rate_max = 1.0`: lines that are refused alone with 400, 422 or 500, in InfluxDB's form, count as refused without proof.
    pub accepts_unproven: bool,
}

/// Writes lines to one database, on any number of lanes.
#[derive(Debug)]
pub struct Writer {
    pub(crate) client: Arc<Client>,
    pub(crate) options: WriterOptions,
    creates_databases: bool,
    time_precision: TimePrecision,
    /// Whether a difference between the configured precision and that of the server was reported.
    is_precision_reported: AtomicBool,
    rate_limiter: Option<Mutex<RateLimiter>>,
    learned: Mutex<LearnedState>,
    /// Numbers requests and answers of all lanes in their order.
    moments: AtomicU64,
    shared: SharedState,
}

/// State that a writer passes on to the writer that replaces it after a reload.
#[derive(Clone, Debug)]
struct SharedState {
    counters: Arc<WriteCounters>,
    alarms: Arc<AlarmRegistry>,
    observer: Arc<dyn Observer>,
    /// The client of the current writer.
    client: Arc<RwLock<Arc<Client>>>,
}

impl Writer {
    pub fn new(
        client: Client,
        connection: &ConnectionSettings,
        options: WriterOptions,
        observer: Arc<dyn Observer>,
    ) -> Arc<Self> {
        let client = Arc::new(client);
        let shared = SharedState {
            counters: Arc::default(),
            alarms: AlarmRegistry::new(Arc::new(AlarmEvents(Arc::clone(&observer)))),
            observer,
            client: Arc::new(RwLock::new(Arc::clone(&client))),
        };
        Self::with(shared, client, connection, options)
    }

    /// Replaces this writer after a reload, and returns the new one; counters and active alarms carry over.
    pub fn replace_with(
        &self,
        client: Client,
        connection: &ConnectionSettings,
        options: WriterOptions,
    ) -> Arc<Self> {
        let client = Arc::new(client);
        *locks::write(&self.shared.client) = Arc::clone(&client);
        Self::with(self.shared.clone(), client, connection, options)
    }

    fn with(
        shared: SharedState,
        client: Arc<Client>,
        connection: &ConnectionSettings,
        options: WriterOptions,
    ) -> Arc<Self> {
        Arc::new(Self {
            client,
            options,
            creates_databases: connection.create_database,
            time_precision: connection.time_precision,
            is_precision_reported: AtomicBool::new(false),
            rate_limiter: options.points_per_second_max.map(|max| Mutex::new(RateLimiter::new(max))),
            learned: Mutex::default(),
            // 0 is before every request.
            moments: AtomicU64::new(1),
            shared,
        })
    }

    /// The client of the current writer, which may have replaced this one.
    pub fn current_client(&self) -> Arc<Client> {
        Arc::clone(&locks::read(&self.shared.client))
    }

    pub fn counters(&self) -> &WriteCounters {
        &self.shared.counters
    }

    /// The registry of everything that keeps records from being settled.
    pub fn alarm_registry(&self) -> &Arc<AlarmRegistry> {
        &self.shared.alarms
    }

    /// The active alarms.
    pub fn alarms(&self) -> Vec<Alarm> {
        self.shared.alarms.current(now())
    }

    /// Whether lines for this destination are blocked until someone acts.
    pub fn is_blocked(&self, destination: &Destination) -> bool {
        self.shared.alarms.is_blocked(&destination.to_string())
    }

    /// Creates the database if `create_database` is set, and probes the destination until it takes writes, so that problems show before the
    /// first lines.
    pub async fn prepare(self: Arc<Self>, destination: Destination, seed: u64) {
        // If this fails, the probe finds the database missing.
        let _created = self.create_database(&destination).await;
        let (mut alarm, mut rng) = (self.shared.alarms.guard(), fastrand::Rng::with_seed(seed));
        let mut backoff = Backoff::new(self.options.delays);
        loop {
            let address = self.client.addresses().current();
            let Err(mut failed) = self.client.probe(address, &destination).await else { break };
            // What stores lines takes writes, and a firewall may refuse any write without lines.
            if failed.may_be_about_empty_write() || lock(&self.learned).has_stored(&destination) {
                break;
            }
            let destination = &destination;
            // The lanes read a credential again, and then send at once.
            if failed.cause == Cause::DatabaseMissing {
                failed = self.repair(failed, destination).await;
            }
            let FailedAttempt { cause, blocks, why, is_of_address, .. } = failed;
            if is_of_address {
                self.mark_down(address, destination, cause, &why);
                let next = self.client.addresses().current();
                if next.index() != address.index() && !self.client.addresses().is_down(next) {
                    continue;
                }
            }
            self.raise_alarm(&mut alarm, blocks, (address, destination), (cause, &why));
            // No line waits for this, but the alarm should end soon after its cause.
            pause(backoff.retry(None, &mut rng).min(PROBE_DELAY_MAX)).await;
        }
        alarm.recovered(now());
        self.report_precision();
    }

    /// Warns once if the server does not have the precision of the configuration.
    fn report_precision(&self) {
        let address = self.client.addresses().current();
        if let Some((why, remedy)) = address.server().judge_precision(self.time_precision)
            && !self.is_precision_reported.swap(true, Relaxed)
        {
            self.emit(&Event::PrecisionDiffers { address: address.as_str().to_owned(), why, remedy });
        }
    }

    /// Creates the database, or finds that it exists. `None` if the configuration does not set `create_database`.
    async fn create_database(&self, destination: &Destination) -> Option<Result<(), RequestFailure>> {
        let Destination::Database { database, .. } = destination else { return None };
        if !self.creates_databases {
            return None;
        }
        let address = self.client.addresses().current();
        let result = self.client.create_database(address, destination).await?;
        let ready = result.is_ok();
        if lock(&self.learned).database_event_is_due(destination, ready, now()) {
            let database = database.clone();
            self.emit(&match &result {
                Ok(()) => Event::DatabaseReady { database },
                Err(failure) => Event::DatabaseNotCreated { database, why: failure.why.clone() },
            });
        }
        Some(result)
    }

    pub(crate) fn emit(&self, event: &Event) {
        self.shared.observer.observe(event);
    }

    /// Whether large batches are grouped by series.
    pub(crate) fn groups_lines(&self, destination: &Destination) -> bool {
        self.client.addresses().current().groups_lines(destination)
    }

    /// Raises an alarm for a failed attempt.
    pub(crate) fn raise_alarm(
        &self,
        alarm: &mut AlarmGuard,
        blocks: bool,
        (address, destination): (&Address, &Destination),
        (cause, why): (Cause, &str),
    ) {
        let scope = match cause.scope() {
            CauseScope::Server => Scope::Server,
            CauseScope::Destination => Scope::Destination(destination.to_string()),
        };
        let (at, credential) = (address.as_str(), self.client.credential());
        let server = address.server();
        let remedy = || {
            advice(cause, why, RemedyContext { address: at, server, destination, credential: &credential })
        };
        alarm.failed(
            FailureReport { cause: cause.name(), blocks, scope: &scope, at, why, remedy: &remedy },
            now(),
        );
    }

    /// Removes a cause that the bridge itself can remove. Returns the failure that remains.
    pub(crate) async fn repair(&self, failed: FailedAttempt, destination: &Destination) -> FailedAttempt {
        match failed.cause {
            Cause::DatabaseMissing => match self.create_database(destination).await {
                None => failed,
                Some(Ok(())) => FailedAttempt { is_repaired: true, ..failed },
                Some(Err(failure)) => failed.not_created(&failure),
            },
            Cause::Unauthorized => {
                let is_repaired = self.client.reread_credential();
                if is_repaired {
                    self.emit(&Event::CredentialReread);
                }
                FailedAttempt { is_repaired, ..failed }
            }
            _ => failed,
        }
    }

    /// Waits until `batch.points_per_second_max` allows a new batch.
    pub(crate) async fn wait_for_rate(&self, lines: usize) {
        let Some(limiter) = &self.rate_limiter else { return };
        let wait = lock(limiter).take(lines, now());
        if !wait.is_zero() {
            tracing::debug!(?wait, lines, "waiting, batch.points_per_second_max is reached");
            let _waits = self.counters().rate_waits.begin();
            tokio::time::sleep(wait).await;
        }
    }

    /// Current bounds of a request to this destination.
    pub(crate) fn size(&self, destination: &Destination) -> RequestSize {
        let WriterOptions { lines_max, bytes_max, .. } = self.options;
        let learned = lock(&self.learned).bytes_max(destination, now());
        let of_server = || self.client.addresses().current().request_bytes_max(destination) + RECORD_BYTES;
        RequestSize { lines_max, bytes_max: bytes_max.unwrap_or_else(of_server) }.within(learned)
    }

    /// The largest request that should be sent to the destination, whatever the configuration allows.
    pub(crate) fn request_bytes_max(&self, destination: &Destination) -> usize {
        let of_server = self.client.addresses().current().request_bytes_max(destination);
        of_server.min(lock(&self.learned).bytes_max(destination, now()))
    }

    /// Halves the size of requests after a 413 for this many bytes, unless another lane learned a smaller size.
    pub(crate) fn lower_size(&self, destination: &Destination, refused_bytes: usize, why: String) {
        let bytes_max = lock(&self.learned).lower(destination, refused_bytes, now());
        self.emit(&Event::SizeLowered { destination: destination.clone(), bytes_max, why });
    }

    /// Returns to the configured size of requests.
    pub(crate) fn forget_size(&self, destination: &Destination) {
        lock(&self.learned).forget_size(destination);
    }

    /// A number that is greater than all numbers before it.
    pub(crate) fn next_moment(&self) -> u64 {
        self.moments.fetch_add(1, SeqCst)
    }

    /// Moment at which the latest request that this address stored for the destination was sent, by any lane; 0 if it stored none.
    pub(crate) fn latest_stored_moment(&self, destination: &Destination, address: usize) -> u64 {
        lock(&self.learned).latest_stored_moment(destination, address)
    }

    /// Whether unknown words of the address with this index prove nothing.
    pub(crate) fn contradicts_itself(&self, address: usize) -> bool {
        lock(&self.learned).contradicts_itself(address, now())
    }

    /// Records that the address with this index refused lines with unknown words which were stored before or afterwards.
    pub(crate) fn record_contradiction(&self, address: usize) {
        if lock(&self.learned).record_contradiction(address, now()) {
            let address = self.client.addresses().at(address).as_str().to_owned();
            self.emit(&Event::Contradicted { address });
        }
    }

    /// Stops compressing, because a request was stored only without compression.
    pub(crate) fn stop_compressing(&self, address: &Address, why: String) {
        if address.stop_compressing() {
            self.emit(&Event::CompressionRefused { address: address.as_str().to_owned(), why });
        }
    }

    /// Records that an address stored a request that was sent at this moment.
    pub(crate) fn record_stored(
        &self,
        destination: &Destination,
        address: &Address,
        sent: u64,
        lines: usize,
    ) {
        if lock(&self.learned).record_store(destination, address.index(), sent) {
            let (destination, address) = (destination.clone(), address.as_str().to_owned());
            self.emit(&Event::FirstStored { destination, address, lines });
        }
    }

    /// Records that an address answered, so it works.
    pub(crate) fn record_answer(&self, address: &Address, stores: bool) {
        self.emit_address_change(self.client.addresses().answered(address, stores), "");
    }

    /// Records that an address failed. If there are others, it is not used until it works again.
    pub(crate) fn mark_down(
        self: &Arc<Self>,
        address: &Address,
        destination: &Destination,
        cause: Cause,
        why: &str,
    ) {
        address.expect_another_server();
        let effect = self.client.addresses().fail(address, cause);
        self.emit_address_change(effect.change, why);
        if effect.needs_watcher {
            tokio::spawn(watch_address(Arc::downgrade(self), address.index(), destination.clone()));
        }
    }

    /// Skips addresses that refused lines in the words of another program, because InfluxDB has answered the same request elsewhere.
    pub(crate) fn skip_refusing(
        self: &Arc<Self>,
        refusing: &mut Vec<(usize, String)>,
        destination: &Destination,
    ) {
        for (address, why) in std::mem::take(refusing) {
            self.mark_down(self.client.addresses().at(address), destination, Cause::RequestRefused, &why);
        }
    }

    /// Checks whether an address works again.
    async fn recheck(&self, address: &Address, destination: &Destination) {
        // A firewall that refuses any write without lines may have forwarded others. If it does no more, the address is down for longer
        // each time.
        let has_stored = self.latest_stored_moment(destination, address.index()) > 0;
        let fails = match self.client.probe(address, destination).await {
            // InfluxDB may refuse an empty write, but never with a page.
            Ok(ProbeResult::RefusesEmpty { why, .. }) => is_page(&why) && !has_stored,
            Ok(
                ProbeResult::Writable
                | ProbeResult::Answers
                | ProbeResult::FoundEmpty
                | ProbeResult::TooLarge { .. },
            ) => false,
            Err(failed) => failed.is_of_address && !(failed.may_be_about_empty_write() && has_stored),
        };
        if fails {
            self.client.addresses().fail_again(address);
        } else {
            self.record_answer(address, false);
        }
    }

    /// `why`: the message of the address that failed.
    fn emit_address_change(&self, change: Option<AddressChange>, why: &str) {
        let shown = |index: usize| self.client.addresses().at(index).as_str().to_owned();
        let event = match change {
            Some(AddressChange::Failover { from, to, cause }) => {
                Event::AddressChanged { from: shown(from), to: shown(to), cause, why: why.to_owned() }
            }
            Some(AddressChange::Failback { from, to }) => {
                Event::AddressRestored { from: shown(from), to: shown(to) }
            }
            None => return,
        };
        count(&self.shared.counters.address_changes, 1);
        self.emit(&event);
    }
}

/// Checks an address that is down, less and less often, until it works. The lanes do not try it meanwhile, which may cost each of them a
/// timeout.
async fn watch_address(writer: Weak<Writer>, index: usize, destination: Destination) {
    let mut rng = fastrand::Rng::new();
    loop {
        // The writer is gone, so the address is not needed.
        let Some(this) = writer.upgrade() else { return };
        let address = this.client.addresses().at(index);
        let Some(failures) = this.client.addresses().failures(address) else { return };
        let delay = this.options.delays.down_delay(failures, &mut rng);
        drop(this);
        pause(delay).await;
        let Some(this) = writer.upgrade() else { return };
        this.recheck(this.client.addresses().at(index), &destination).await;
    }
}

#[cfg(test)]
mod tests;
