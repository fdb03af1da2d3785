//! What all lanes share while they write: client, counters, alarms, learned sizes.

use super::address::Address;
use super::answer::Outcome;
use super::backoff::{Backoff, Delays};
use super::breaker::News;
use super::cause::{Cause, Reach};
use super::client::{Client, Failure};
use super::connection::Connection;
use super::counters::{Counters, count};
use super::delivery::LaneWriter;
use super::event::{Alarming, Event, Observer};
use super::lines::Size;
use super::obstacle::Obstacle;
use super::pace::Pace;
use super::remedy::{self, advice};
use base::Destination;
use base::alarm::{Alarm, AlarmGuard, AlarmRegistry, Scope, Trouble};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

/// After this, a size that a 413 taught is forgotten: proxies are reconfigured, and one odd answer must not
/// keep requests small for ever. It costs one refused request.
const LEARNED_SIZE_AGE_MAX: Duration = Duration::from_mins(10);

/// The same news of a database is not given again before this: every lane tries to create it, again and again.
const NEWS_REPEAT: Duration = Duration::from_mins(1);

/// Between two questions whether a destination may be written.
const PROBE_DELAY_MAX: Duration = Duration::from_secs(5);

/// How a writer cuts and repeats.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Of one request.
    pub lines_max: usize,
    /// Of one request before compression; a line alone may be larger.
    pub bytes_max: usize,
    /// Of all lanes together; what is sent again is not counted.
    pub points_per_second_max: Option<u64>,
    pub delays: Delays,
    /// `reject.rate_max = 1.0`: lines that are refused alone with 400, 422 or 500 are refused also where nothing proves that they
    /// are to blame.
    pub accepts_unproven: bool,
}

/// Writes lines to one database, on as many lanes as there are.
#[derive(Debug)]
pub struct Writer {
    pub(super) client: Arc<Client>,
    pub(super) options: WriterOptions,
    creates_databases: bool,
    pace: Option<Mutex<Pace>>,
    learned: Mutex<Learned>,
    /// Counts requests and answers of all lanes, so that the order of two of them can be told.
    moments: AtomicU64,
    common: Common,
}

/// What a writer has in common with those that take its place.
#[derive(Clone, Debug)]
struct Common {
    counters: Arc<Counters>,
    alarms: Arc<AlarmRegistry>,
    observer: Arc<dyn Observer>,
    /// Of the last that took a place.
    client: Arc<RwLock<Arc<Client>>>,
}

/// What answers taught. Bounded by the number of destinations.
#[derive(Debug, Default)]
struct Learned {
    bytes_max: BTreeMap<Destination, (usize, Instant)>,
    /// For each destination and address, when the latest stored request was sent.
    controls: BTreeMap<Destination, BTreeMap<usize, u64>>,
    /// Whether a database was ready when that was last said, and when that was.
    databases: BTreeMap<Destination, (bool, Instant)>,
}

impl Writer {
    pub fn new(
        client: Client,
        connection: &Connection,
        options: WriterOptions,
        observer: Arc<dyn Observer>,
    ) -> Arc<Self> {
        let client = Arc::new(client);
        let common = Common {
            counters: Arc::default(),
            alarms: AlarmRegistry::new(Arc::new(Alarming(Arc::clone(&observer)))),
            observer,
            client: Arc::new(RwLock::new(Arc::clone(&client))),
        };
        Self::with(common, client, connection, options)
    }

    /// The one that takes its place: it counts on, and its alarms stand on the same board.
    pub fn replace_client(
        &self,
        client: Client,
        connection: &Connection,
        options: WriterOptions,
    ) -> Arc<Self> {
        let client = Arc::new(client);
        *self.common.client.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&client);
        Self::with(self.common.clone(), client, connection, options)
    }

    fn with(
        common: Common,
        client: Arc<Client>,
        connection: &Connection,
        options: WriterOptions,
    ) -> Arc<Self> {
        Arc::new(Self {
            client,
            options,
            creates_databases: connection.create_database,
            pace: options.points_per_second_max.map(|max| Mutex::new(Pace::new(max))),
            learned: Mutex::default(),
            // 0 is before every request.
            moments: AtomicU64::new(1),
            common,
        })
    }

    /// The writing end of one lane. The seed is for its jitter.
    pub fn lane(self: &Arc<Self>, seed: u64) -> LaneWriter {
        LaneWriter::new(Arc::clone(self), seed)
    }

    /// The client that writes now: also that of the one which took this one's place.
    pub fn client(&self) -> Arc<Client> {
        Arc::clone(&self.common.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn counters(&self) -> &Counters {
        &self.common.counters
    }

    /// Where everything that keeps records from being settled is entered.
    pub fn alarm_registry(&self) -> &Arc<AlarmRegistry> {
        &self.common.alarms
    }

    /// What keeps records from being settled now.
    pub fn alarms(&self) -> Vec<Alarm> {
        self.common.alarms.current(now())
    }

    /// Whether lines for this destination wait until someone mends something.
    pub fn holds(&self, destination: &Destination) -> bool {
        self.common.alarms.holds(&destination.to_string())
    }

    /// Creates the databases of 1.x, where `create_database` asks for it, and asks whether the destination may be written,
    /// so that what is wrong is named before there are lines. Returns when it may.
    pub async fn prepare(self: Arc<Self>, destination: Destination, seed: u64) {
        // Where this fails, the probe finds the database missing.
        let _created = self.create_database(&destination).await;
        let (mut watch, mut rng) = (self.common.alarms.guard(), fastrand::Rng::with_seed(seed));
        let mut backoff = Backoff::new(self.options.delays);
        loop {
            let address = self.client.addresses().current();
            let Err((cause, holds, why)) = self.probe(address, &destination).await else { break };
            let destination = &destination;
            let mut obstacle = Obstacle::new(cause, holds, why);
            // A credential is read again by the lanes, which then send at once.
            if cause == Cause::DatabaseMissing {
                obstacle = self.mend(obstacle, destination).await;
            }
            let Obstacle { cause, holds, why, .. } = obstacle;
            self.raise(&mut watch, holds, (address, destination), (cause, &why));
            if cause.is_of_address() {
                self.leave(address, destination, cause);
                let next = self.client.addresses().current();
                if next.index() != address.index() && !self.client.addresses().is_left_alone(next) {
                    continue;
                }
            }
            // Nothing waits for this, but the alarm should end soon after its cause.
            tokio::time::sleep(backoff.retry(None, &mut rng).min(PROBE_DELAY_MAX)).await;
        }
        watch.well(now());
    }

    async fn probe(&self, address: &Address, destination: &Destination) -> Result<(), (Cause, bool, String)> {
        match self.client.probe(address, destination).await {
            Ok(Outcome::Hold { cause, why }) => Err((cause, true, why)),
            Ok(Outcome::Retry { cause, why, .. }) => Err((cause, false, why)),
            // A server may take lines and no empty write.
            Ok(
                Outcome::Stored
                | Outcome::Split { .. }
                | Outcome::Refused { .. }
                | Outcome::Uncompressed { .. },
            ) => Ok(()),
            Err(failure) => Err((failure.cause, false, failure.why)),
        }
    }

    /// Creates the database, or finds that it exists. None: the configuration asks for no database to be created.
    async fn create_database(&self, destination: &Destination) -> Option<Result<(), Failure>> {
        let Destination::Database { database, .. } = destination else { return None };
        if !self.creates_databases {
            return None;
        }
        let address = self.client.addresses().current();
        let result = self.client.create_database(address, database).await;
        let ready = result.is_ok();
        if self.learned().is_news(destination, ready, now()) {
            let database = database.clone();
            self.tell(&match &result {
                Ok(()) => Event::DatabaseReady { database },
                Err(failure) => Event::DatabaseNotCreated { database, why: failure.why.clone() },
            });
        }
        Some(result)
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, event: &Event) {
        self.common.observer.observe(event);
    }

    /// Enters what keeps lines from being stored.
    pub(super) fn raise(
        &self,
        watch: &mut AlarmGuard,
        holds: bool,
        (address, destination): (&Address, &Destination),
        (cause, why): (Cause, &str),
    ) {
        let scope = match cause.reach() {
            Reach::Server => Scope::Server,
            Reach::Destination => Scope::Destination(destination.to_string()),
        };
        let (at, credential) = (address.as_str(), self.client.credential());
        let remedy =
            || advice(cause, why, remedy::Place { address: at, destination, credential: &credential });
        watch.failed(Trouble { cause: cause.name(), holds, scope: &scope, at, why, remedy: &remedy }, now());
    }

    /// Tries to mend what the bridge itself can mend. Returns what stands in the way of lines afterwards.
    pub(super) async fn mend(&self, obstacle: Obstacle, destination: &Destination) -> Obstacle {
        match obstacle.cause {
            Cause::DatabaseMissing => match self.create_database(destination).await {
                None => obstacle,
                Some(Ok(())) => Obstacle { is_mended: true, ..obstacle },
                Some(Err(failure)) => obstacle.not_created(&failure),
            },
            Cause::Unauthorized => {
                let is_mended = self.client.reread_credential();
                if is_mended {
                    self.tell(&Event::CredentialReread);
                }
                Obstacle { is_mended, ..obstacle }
            }
            _ => obstacle,
        }
    }

    /// Waits until a new batch may be written, where the configuration says how fast.
    pub(super) async fn keep_pace(&self, lines: usize) {
        let Some(pace) = &self.pace else { return };
        let wait = pace.lock().unwrap_or_else(PoisonError::into_inner).take(lines, now());
        if !wait.is_zero() {
            tracing::debug!(?wait, lines, "waiting, batch.points_per_second_max is reached");
            tokio::time::sleep(wait).await;
        }
    }

    /// What one request to this destination may hold now.
    pub(super) fn size(&self, destination: &Destination) -> Size {
        let WriterOptions { lines_max, bytes_max, .. } = self.options;
        let learned = self.learned().bytes_max(destination, now());
        Size { lines_max, bytes_max: bytes_max.min(learned) }
    }

    /// After a 413 for this many bytes: half of it from now on, unless another lane learned less.
    pub(super) fn lower_size(&self, destination: &Destination, refused_bytes: usize, why: String) {
        let bytes_max = self.learned().lower(destination, refused_bytes, now());
        self.tell(&Event::SizeLowered { destination: destination.clone(), bytes_max, why });
    }

    /// Requests may be as large as the configuration says again.
    pub(super) fn forget_size(&self, destination: &Destination) {
        self.learned().bytes_max.remove(destination);
    }

    /// A number that is greater than all before it.
    pub(super) fn moment(&self) -> u64 {
        self.moments.fetch_add(1, SeqCst)
    }

    /// When the latest request was sent that this address stored for the destination, by any lane; 0 where it stored none.
    pub(super) fn control(&self, destination: &Destination, address: usize) -> u64 {
        let learned = self.learned();
        let control = learned.controls.get(destination).and_then(|controls| controls.get(&address));
        control.copied().unwrap_or(0)
    }

    /// A request was stored only without compression: the next ones are sent so from now on.
    pub(super) fn keep_uncompressed(&self, address: &Address, why: String) {
        if address.keep_uncompressed() {
            self.tell(&Event::CompressionRefused { address: address.as_str().to_owned(), why });
        }
    }

    /// An address stored a request that was sent at this moment.
    pub(super) fn note_stored(&self, destination: &Destination, address: &Address, sent: u64, lines: usize) {
        if self.learned().is_first_store(destination, address.index(), sent) {
            let (destination, address) = (destination.clone(), address.as_str().to_owned());
            self.tell(&Event::FirstStored { destination, address, lines });
        }
    }

    /// An address gave an answer, whatever it is: it works.
    pub(super) fn note_answer(&self, address: &Address, stores: bool) {
        self.tell_address(self.client.addresses().work(address, stores));
    }

    /// An address failed: it is left alone, if there are others, until it works again.
    pub(super) fn leave(self: &Arc<Self>, address: &Address, destination: &Destination, cause: Cause) {
        let failed = self.client.addresses().fail(address, cause);
        self.tell_address(failed.news);
        if failed.wants_watch {
            tokio::spawn(watch_address(Arc::downgrade(self), address.index(), destination.clone()));
        }
    }

    /// Asks whether an address works again.
    async fn ask_for(&self, address: &Address, destination: &Destination) {
        match self.probe(address, destination).await {
            Err((cause, ..)) if cause.is_of_address() => self.client.addresses().fail_again(address),
            Ok(()) | Err(_) => self.note_answer(address, false),
        }
    }

    fn tell_address(&self, news: Option<News>) {
        let shown = |index: usize| self.client.addresses().at(index).as_str().to_owned();
        let event = match news {
            Some(News::Next { from, to, cause }) => {
                Event::AddressChanged { from: shown(from), to: shown(to), cause }
            }
            Some(News::Restored { from, to }) => Event::AddressRestored { from: shown(from), to: shown(to) },
            None => return,
        };
        count(&self.common.counters.address_changes, 1);
        self.tell(&event);
    }
}

impl Learned {
    fn bytes_max(&mut self, destination: &Destination, now: Instant) -> usize {
        match self.bytes_max.get(destination) {
            Some((_, since)) if now.saturating_duration_since(*since) >= LEARNED_SIZE_AGE_MAX => {
                self.bytes_max.remove(destination);
                usize::MAX
            }
            Some((bytes_max, _)) => *bytes_max,
            None => usize::MAX,
        }
    }

    fn lower(&mut self, destination: &Destination, refused_bytes: usize, now: Instant) -> usize {
        let bytes_max = (refused_bytes / 2).max(1).min(self.bytes_max(destination, now));
        self.bytes_max.insert(destination.clone(), (bytes_max, now));
        bytes_max
    }

    fn is_first_store(&mut self, destination: &Destination, address: usize, sent: u64) -> bool {
        if let Some(controls) = self.controls.get_mut(destination) {
            let control = controls.entry(address).or_default();
            *control = sent.max(*control);
            return false;
        }
        self.controls.insert(destination.clone(), BTreeMap::from([(address, sent)]));
        true
    }

    fn is_news(&mut self, destination: &Destination, ready: bool, now: Instant) -> bool {
        let same = |(before, said): &(bool, Instant)| {
            *before == ready && now.saturating_duration_since(*said) < NEWS_REPEAT
        };
        if self.databases.get(destination).is_some_and(same) {
            return false;
        }
        self.databases.insert(destination.clone(), (ready, now));
        true
    }
}

/// Asks for an address that is left alone, less and less often, until it works. Lanes need not try it meanwhile, which may
/// take each of them a time-out.
async fn watch_address(writer: Weak<Writer>, index: usize, destination: Destination) {
    let mut rng = fastrand::Rng::new();
    loop {
        // Without writer nobody needs the address.
        let Some(this) = writer.upgrade() else { return };
        let address = this.client.addresses().at(index);
        let Some(failures) = this.client.addresses().failures(address) else { return };
        let delay = this.options.delays.leave_alone(failures, &mut rng);
        drop(this);
        tokio::time::sleep(delay).await;
        let Some(this) = writer.upgrade() else { return };
        this.ask_for(this.client.addresses().at(index), &destination).await;
    }
}

/// By the clock of the runtime, which tests may stop.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(database: &str) -> Destination {
        Destination::Database { database: database.into(), retention_policy: None }
    }

    #[test]
    fn remembers_the_smallest_size_for_a_while() {
        let (a, b) = (destination("a"), destination("b"));
        let start = Instant::now();
        let mut learned = Learned::default();
        assert_eq!(learned.bytes_max(&a, start), usize::MAX);
        assert_eq!(learned.lower(&a, 1000, start), 500);
        assert_eq!(learned.lower(&a, 4000, start), 500, "of a request that was under way");
        assert_eq!(learned.lower(&a, 500, start), 250);
        assert_eq!(learned.bytes_max(&b, start), usize::MAX);
        let before = start + LEARNED_SIZE_AGE_MAX.saturating_sub(Duration::from_secs(1));
        assert_eq!(learned.bytes_max(&a, before), 250);
        assert_eq!(learned.bytes_max(&a, start + LEARNED_SIZE_AGE_MAX), usize::MAX);
        assert_eq!(learned.lower(&a, 1, start), 1);
    }

    #[test]
    fn says_news_of_a_database_once_a_minute() {
        let start = Instant::now();
        let mut learned = Learned::default();
        let mut f = |database: &str, ready: bool, seconds: u64| {
            learned.is_news(&destination(database), ready, start + Duration::from_secs(seconds))
        };
        assert!(f("a", false, 0));
        assert!(!f("a", false, 59));
        assert!(f("b", false, 59));
        assert!(f("a", false, 60));
        assert!(f("a", true, 61));
        assert!(!f("a", true, 62));
    }
}
