//! A small InfluxDB in this process: it reads strictly what it is sent, keeps points as InfluxDB does,
//! and answers in InfluxDB's words. Tests of writing run against it, and the demo shows what arrives.
//!
//! `/api/v2/write` behaves as on 2.7 (one unparsable line refuses all of its request), `/write` as on 1.6
//! (the other lines are stored). The feature `faults` adds `Product::Influx3`, which answers like InfluxDB 3 Core,
//! `Product::Cloud`, `Product::QuestDb`, and a script that answers in the receiver's place.

#[cfg(feature = "faults")]
mod cloud;
#[cfg(feature = "faults")]
mod ending;
#[cfg(feature = "faults")]
mod faults;
#[cfg(feature = "faults")]
mod imitations;
#[cfg(feature = "faults")]
mod influx3;
#[cfg(feature = "faults")]
mod questdb;
mod reply;
mod request;
mod server;
mod store;

#[cfg(feature = "faults")]
pub use ending::Ending;
#[cfg(feature = "faults")]
pub use faults::Faults;
#[cfg(feature = "faults")]
pub use influx3::Influx3;
pub use reply::Reply;
pub use request::WriteRequest;
pub use store::StoredPoint;

use base::locks::lock;
use base::{Credential, Destination};
#[cfg(feature = "faults")]
use imitations::ImitationState;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

/// Lines that wait for a slow subscriber. Beyond this the subscriber misses some, and learns how many.
const FEED_LINES_MAX: usize = 1024;

/// Takes each write request instead of storing it. The receiver answers 204.
pub type Observer = Box<dyn Fn(&WriteRequest) + Send + Sync>;

/// The server that a receiver imitates.
#[derive(Clone, Debug, Default)]
pub enum Product {
    /// 2.x at `/api/v2/write`, 1.x at `/write`.
    #[default]
    Influx1And2,
    /// All points are kept under [`Destination::Database3`].
    #[cfg(feature = "faults")]
    Influx3(Influx3),
    /// InfluxDB Cloud Serverless and Dedicated.
    #[cfg(feature = "faults")]
    Cloud,
    #[cfg(feature = "faults")]
    QuestDb,
}

/// Settings of a receiver: expected login and destinations, and whether it keeps points.
pub struct Options {
    pub product: Product,
    pub credential: Credential,
    /// The buckets and databases that exist; None: every one. InfluxDB 3 begins with these databases, or without any.
    pub destinations: Option<BTreeSet<Destination>>,
    /// Whether points are kept, to be asked for; without, only counts and types of fields are.
    pub keep_points: bool,
    pub observer: Option<Observer>,
    #[cfg(feature = "faults")]
    pub faults: Option<Faults>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            product: Product::default(),
            credential: Credential::None,
            destinations: None,
            keep_points: true,
            observer: None,
            #[cfg(feature = "faults")]
            faults: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("product", &self.product)
            .field("destinations", &self.destinations)
            .field("keep_points", &self.keep_points)
            .finish_non_exhaustive()
    }
}

/// A line that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub destination: Arc<Destination>,
    pub text: Arc<str>,
}

/// Totals since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Write requests, whatever they were answered.
    pub requests: AtomicU64,
    /// Those answered 204.
    pub requests_stored: AtomicU64,
    /// Lines of requests answered 204; a line that is sent twice counts twice.
    pub lines_stored: AtomicU64,
    /// Bytes of bodies as sent.
    pub bytes_received: AtomicU64,
}

/// A receiver that runs until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// State that the connections share.
struct Shared {
    options: Options,
    destinations: Mutex<Option<BTreeSet<Destination>>>,
    store: Mutex<Store>,
    feed: broadcast::Sender<Line>,
    counts: Counts,
    #[cfg(feature = "faults")]
    imitations: ImitationState,
}

impl Receiver {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0)), options).await
    }

    pub async fn listen(address: SocketAddr, options: Options) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            destinations: Mutex::new(options.destinations.clone()),
            store: Mutex::new(Store::new(options.keep_points)),
            feed: broadcast::channel(FEED_LINES_MAX).0,
            counts: Counts::default(),
            #[cfg(feature = "faults")]
            imitations: ImitationState::new(&options),
            options,
        });
        let server = tokio::spawn(server::serve(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, server })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Points that replaced one of the last 100,000 written, because they have its destination, series and time.
    pub fn overwrites(&self) -> u64 {
        lock(&self.shared.store).overwrites()
    }

    /// Points of a destination, by series and time; none are kept without `keep_points`.
    pub fn points(&self, destination: &Destination) -> Vec<StoredPoint> {
        lock(&self.shared.store).points(destination)
    }

    pub fn point_count(&self) -> usize {
        lock(&self.shared.store).point_count()
    }

    /// Lines as they are stored, from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Line> {
        self.shared.feed.subscribe()
    }

    /// Forgets all points and the types of their fields, as if everything were deleted.
    pub fn clear(&self) {
        *lock(&self.shared.store) = Store::new(self.shared.options.keep_points);
    }

    /// Makes a bucket or database exist, where only some do.
    pub fn create(&self, destination: Destination) {
        self.shared.create(destination);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    /// Hands stored lines to the subscribers.
    fn publish(&self, request: &WriteRequest, lines: &[&[u8]]) {
        if self.feed.receiver_count() == 0 {
            return;
        }
        let destination = Arc::new(request.destination.clone());
        for line in lines {
            let text = String::from_utf8_lossy(line).into();
            // The last subscriber may have gone meanwhile.
            let _ = self.feed.send(Line { destination: Arc::clone(&destination), text });
        }
    }

    fn exists(&self, destination: &Destination) -> bool {
        let destinations = lock(&self.destinations);
        destinations.as_ref().is_none_or(|some| some.contains(destination))
    }

    fn create(&self, destination: Destination) {
        let mut destinations = lock(&self.destinations);
        if let Some(some) = destinations.as_mut() {
            some.insert(destination);
        }
    }

    fn count_stored(&self, lines: usize) {
        self.counts.requests_stored.fetch_add(1, Relaxed);
        self.counts.lines_stored.fetch_add(lines as u64, Relaxed);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
