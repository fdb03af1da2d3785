//! Schemas of a registry: answers at once from what was read, and reads what is missing.

use crate::cache::Cache;
use crate::client::{Answer, Client};
use crate::settings::{RegistryError, Settings};
use base::locks::lock;
use mapping::{Lookup, MissingSchema, SchemaId, Schemas};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tracing::debug;

/// Delays between requests for one missing schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delays {
    pub first: Duration,
    /// The delay doubles up to this.
    pub max: Duration,
}

impl Default for Delays {
    /// A registry that is back, or an id that is registered, is noticed within five seconds.
    fn default() -> Self {
        Self { first: Duration::from_millis(250), max: Duration::from_secs(5) }
    }
}

/// The schemas of one registry. A clone shares them.
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
    runtime: Handle,
}

struct Shared {
    client: Client,
    cache: Mutex<Cache>,
    delays: Delays,
    requests: Requests,
    /// Bounds the requests in flight. Tasks get their turn in order, so that none waits for ever.
    turns: Semaphore,
}

/// Most requests in flight.
const REQUESTS_MAX: usize = 32;

/// Requests by result.
#[derive(Debug, Default)]
struct Requests {
    ok: AtomicU64,
    unknown: AtomicU64,
    failed: AtomicU64,
}

/// Numbers for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lookups of ids that the registry answered with a schema, that it did not know, and that failed.
    pub ok: u64,
    pub unknown: u64,
    pub failed: u64,
    /// Schemas that are kept.
    pub schemas: usize,
    /// Their memory in bytes, about.
    pub memory: usize,
}

impl Registry {
    /// A client of the registry, which connects to nothing yet. Its tasks run on `runtime`.
    pub fn new(settings: &Settings, runtime: Handle) -> Result<Self, RegistryError> {
        Self::with_delays(settings, runtime, Delays::default())
    }

    /// Like [`Registry::new`], with other delays.
    pub fn with_delays(settings: &Settings, runtime: Handle, delays: Delays) -> Result<Self, RegistryError> {
        let client = Client::new(settings)?;
        let turns = Semaphore::new(REQUESTS_MAX);
        let shared = Shared { client, cache: Mutex::default(), delays, requests: Requests::default(), turns };
        Ok(Self { shared: Arc::new(shared), runtime })
    }

    #[must_use]
    pub fn counts(&self) -> Counts {
        let Requests { ok, unknown, failed } = &self.shared.requests;
        let [ok, unknown, failed] = [ok, unknown, failed].map(|count| count.load(Ordering::Relaxed));
        let (schemas, memory) = lock(&self.shared.cache).kept();
        Counts { ok, unknown, failed, schemas, memory }
    }

    fn begin(&self, id: SchemaId) {
        let shared = Arc::clone(&self.shared);
        self.runtime.spawn(async move { shared.ask_until_answered(id).await });
    }
}

impl Schemas for Registry {
    fn find(&self, id: SchemaId) -> Lookup {
        let (lookup, begins) = lock(&self.shared.cache).find(id, Instant::now());
        if begins {
            self.begin(id);
        }
        lookup
    }

    fn has_answered(&self, id: SchemaId, since: Instant) -> bool {
        let (has_answered, begins) = lock(&self.shared.cache).has_answered(id, since, Instant::now());
        if begins {
            self.begin(id);
        }
        has_answered
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("client", &self.shared.client).finish_non_exhaustive()
    }
}

impl Shared {
    /// Asks for a schema until it is there, or nobody wants it any more.
    async fn ask_until_answered(&self, id: SchemaId) {
        let mut delay = self.delays.first;
        loop {
            // The semaphore is never closed.
            let turn = self.turns.acquire().await;
            let lookup = self.ask(id).await;
            drop(turn);
            if !lock(&self.cache).answer(id, lookup, Instant::now()) {
                return;
            }
            // At least half of it, so that several ids spread out.
            tokio::time::sleep(delay.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            if !lock(&self.cache).keep_asking(id, Instant::now()) {
                return;
            }
            delay = (delay * 2).min(self.delays.max);
        }
    }

    async fn ask(&self, id: SchemaId) -> Lookup {
        let (counter, lookup) = match self.client.schema(id).await {
            Ok(Answer::Schema(text)) => match text.compile() {
                Ok(schema) => (&self.requests.ok, Lookup::Ready(schema)),
                Err(error) => (&self.requests.ok, Lookup::Unusable(error.to_string().into())),
            },
            Ok(Answer::Unknown) => (&self.requests.unknown, Lookup::Missing(MissingSchema::Unknown)),
            Err((_, failure)) => {
                debug!(id, why = failure.why, "a schema was not read");
                (&self.requests.failed, Lookup::Missing(MissingSchema::Failed(Arc::new(failure))))
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        lookup
    }
}

#[cfg(test)]
mod tests;
