//! What all lanes share while they write: client, counters, alarms, learned sizes.

use super::alarm::{Alarm, Alarms};
use super::backoff::Delays;
use super::cause::Cause;
use super::client::Client;
use super::connection::{Connection, Destination};
use super::counters::{Counters, count};
use super::delivery::Lane;
use super::event::{Event, Observer};
use super::lines::Size;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After this, a size that a 413 taught is forgotten: proxies are reconfigured, and one odd answer must not
/// keep requests small for ever. It costs one refused request.
const LEARNED_SIZE_AGE_MAX: Duration = Duration::from_mins(10);

/// How a writer cuts and repeats.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Of one request.
    pub lines_max: usize,
    /// Of one request before compression; a line alone may be larger.
    pub bytes_max: usize,
    pub delays: Delays,
}

/// Writes lines to one database, on as many lanes as there are.
#[derive(Debug)]
pub struct Writer {
    pub(super) client: Client,
    pub(super) counters: Counters,
    pub(super) alarms: Arc<Alarms>,
    pub(super) options: WriterOptions,
    creates_databases: bool,
    learned: Mutex<Learned>,
}

/// What answers taught. Bounded by the number of destinations.
#[derive(Debug, Default)]
struct Learned {
    bytes_max: BTreeMap<Destination, (usize, Instant)>,
    /// Destinations that stored lines.
    stored: BTreeSet<Destination>,
}

impl Writer {
    pub fn new(
        client: Client,
        connection: &Connection,
        options: WriterOptions,
        observer: Arc<dyn Observer>,
    ) -> Arc<Self> {
        Arc::new(Self {
            client,
            counters: Counters::default(),
            alarms: Alarms::new(observer),
            options,
            creates_databases: connection.create_database,
            learned: Mutex::default(),
        })
    }

    /// The writing end of one lane. The seed is for its jitter.
    pub fn lane(self: &Arc<Self>, seed: u64) -> Lane {
        Lane::new(Arc::clone(self), seed)
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What keeps lines from being stored now.
    pub fn alarms(&self) -> Vec<Alarm> {
        self.alarms.current(now())
    }

    /// Creates the databases of 1.x, where `create_database` asks for it. What fails is said; writing finds
    /// out whether it matters.
    pub async fn prepare(&self, destinations: &[Destination]) {
        for destination in destinations {
            self.create_database(destination).await;
        }
    }

    /// Says whether the destination is a database that was created or existed.
    async fn create_database(&self, destination: &Destination) -> bool {
        let Destination::Database { database, .. } = destination else { return false };
        if !self.creates_databases {
            return false;
        }
        let database = database.clone();
        match self.client.create_database(self.client.addresses().current(), &database).await {
            Ok(()) => {
                count(&self.counters.databases_created, 1);
                self.alarms.tell(&Event::DatabaseCreated { database });
                true
            }
            Err(failure) => {
                self.alarms.tell(&Event::DatabaseNotCreated { database, why: failure.why });
                false
            }
        }
    }

    /// Tries to mend what the bridge itself can mend. Says whether another attempt is worth making at once.
    pub(super) async fn mend(&self, cause: Cause, destination: &Destination) -> bool {
        match cause {
            Cause::DatabaseMissing => self.create_database(destination).await,
            Cause::Unauthorized => {
                let changed = self.client.reread_credential();
                if changed {
                    self.alarms.tell(&Event::CredentialReread);
                }
                changed
            }
            _ => false,
        }
    }

    /// What one request to this destination may hold now.
    pub(super) fn size(&self, destination: &Destination) -> Size {
        let WriterOptions { lines_max, bytes_max, .. } = self.options;
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        match learned.bytes_max.get(destination) {
            Some((_, since)) if now().saturating_duration_since(*since) >= LEARNED_SIZE_AGE_MAX => {
                learned.bytes_max.remove(destination);
                Size { lines_max, bytes_max }
            }
            Some((smaller, _)) => Size { lines_max, bytes_max: bytes_max.min(*smaller) },
            None => Size { lines_max, bytes_max },
        }
    }

    /// After a 413 for this many bytes: half of it from now on, unless another lane learned less.
    pub(super) fn lower_size(&self, destination: &Destination, refused_bytes: usize, why: String) {
        let bytes_max = (refused_bytes / 2).max(1).min(self.size(destination).bytes_max);
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.bytes_max.insert(destination.clone(), (bytes_max, now()));
        drop(learned);
        self.alarms.tell(&Event::SizeLowered { destination: destination.clone(), bytes_max, why });
    }

    pub(super) fn note_stored(&self, destination: &Destination, address: &str, lines: usize) {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if learned.stored.contains(destination) {
            return;
        }
        learned.stored.insert(destination.clone());
        drop(learned);
        let (destination, address) = (destination.clone(), address.to_owned());
        self.alarms.tell(&Event::FirstStored { destination, address, lines });
    }
}

/// By the clock of the runtime, which tests may stop.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
