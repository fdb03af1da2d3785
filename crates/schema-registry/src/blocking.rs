//! Schemas of a registry for commands that have nothing else to do than to wait for them.

use crate::registry::Registry;
use crate::settings::{RegistryError, Settings};
use base::locks::lock;
use mapping::{Lookup, MissingSchema, SchemaId, Schemas};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Interval of looking for an answer.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A registry that waits for the first answer about each schema.
#[derive(Debug)]
pub struct BlockingRegistry {
    registry: Registry,
    /// The longest wait: more than a request to each address and to a few references takes.
    wait_max: Duration,
    /// The failure of the last request. Further ids do not wait: a registry that does not answer would cost its timeout each time.
    failed: Mutex<Option<Lookup>>,
    /// Keeps the tasks of the registry running.
    _runtime: Mutex<Runtime>,
}

impl BlockingRegistry {
    /// # Errors
    /// When the settings give no client, or no thread can be started.
    pub fn new(settings: &Settings) -> Result<Self, RegistryError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| RegistryError::Build(error.to_string()))?;
        let registry = Registry::new(settings, runtime.handle().clone())?;
        let wait_max = settings.timeout.saturating_mul(settings.urls.len() as u32 + 2);
        Ok(Self { registry, wait_max, failed: Mutex::default(), _runtime: Mutex::new(runtime) })
    }
}

impl Schemas for BlockingRegistry {
    fn find(&self, id: SchemaId) -> Lookup {
        let mut failed = lock(&self.failed);
        let until = Instant::now() + self.wait_max;
        loop {
            let lookup = self.registry.find(id);
            let is_awaited = matches!(lookup, Lookup::Missing(MissingSchema::Awaited));
            if is_awaited && let Some(failure) = &*failed {
                return failure.clone();
            }
            if !is_awaited || Instant::now() >= until {
                let is_failure = matches!(lookup, Lookup::Missing(MissingSchema::Failed(_)));
                *failed = is_failure.then(|| lookup.clone());
                return lookup;
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    fn has_answered(&self, id: SchemaId, since: Instant) -> bool {
        self.registry.has_answered(id, since)
    }
}
