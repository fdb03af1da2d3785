//! Receivers with temporary faults.

use base::Destination;
use line_protocol::reader;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use testkit::receiver::{Options, Receiver, Reply};
use tokio::runtime::Runtime;

/// Chooses the answer to a request; None for the correct answer.
pub type Draw = fn(&mut fastrand::Rng) -> Option<Reply>;

/// A receiver with a fault that can be ended.
pub struct Faulty {
    pub receiver: Receiver,
    misbehaves: Arc<AtomicBool>,
    faults: Arc<AtomicU64>,
    _runtime: Runtime,
}

impl Faulty {
    pub fn start(draw: Draw, seed: u64) -> Self {
        let (misbehaves, faults) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
        let (is_faulty, count) = (Arc::clone(&misbehaves), Arc::clone(&faults));
        let rng = Mutex::new(fastrand::Rng::with_seed(seed));
        let script = move |_: &_| {
            let reply = is_faulty.load(Relaxed).then(|| draw(&mut rng.lock().unwrap())).flatten();
            count.fetch_add(u64::from(reply.is_some()), Relaxed);
            reply
        };
        let options = Options { faults: Some(Box::new(script)), ..Options::default() };
        let runtime = Runtime::new().unwrap();
        let receiver = runtime.block_on(Receiver::start(options)).unwrap();
        Self { receiver, misbehaves, faults, _runtime: runtime }
    }

    /// Number of requests that got the fault.
    pub fn faults(&self) -> u64 {
        self.faults.load(Relaxed)
    }

    pub fn end_fault(&self) {
        self.misbehaves.store(false, Relaxed);
    }

    /// Answers correctly until `action` returns.
    pub fn without_fault_while(&self, action: impl FnOnce()) {
        self.end_fault();
        action();
        self.misbehaves.store(true, Relaxed);
    }

    /// The stored records, by the field `id`. Fails if a record became two points.
    pub fn stored(&self, destination: &Destination) -> BTreeSet<u64> {
        let points = self.receiver.points(destination);
        let ids = points.iter().map(|point| match &point.fields["id"] {
            reader::Value::Float(id) => *id as u64,
            other => panic!("{other:?} is no id"),
        });
        let ids: BTreeSet<u64> = ids.collect();
        assert_eq!(ids.len(), points.len(), "a record became two points");
        ids
    }
}
