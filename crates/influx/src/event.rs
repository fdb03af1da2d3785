//! Events of the writer, and alarms of the whole bridge, for their observer.

use crate::cause::Cause;
use base::Destination;
use base::alarm::{Alarm, AlarmListener};
use std::sync::Arc;
use std::time::Duration;

/// Something that the observer of a writer may report.
#[derive(Clone, Debug)]
pub enum Event {
    /// A destination stored lines for the first time since the start.
    FirstStored {
        destination: Destination,
        address: String,
        lines: usize,
    },
    /// An alarm was raised. Repeated once a minute while it lasts.
    Raised(Alarm),
    /// An alarm ended.
    Resolved {
        alarm: Alarm,
        lasted: Duration,
    },
    /// An address is skipped, and the next one of `urls` is used.
    AddressChanged {
        from: String,
        to: String,
        cause: Cause,
        /// The message of the address that failed.
        why: String,
    },
    /// An earlier address of `urls` works again and is used.
    AddressRestored {
        from: String,
        to: String,
    },
    /// After a 413, requests are kept below this many bytes for a while.
    SizeLowered {
        destination: Destination,
        bytes_max: usize,
        why: String,
    },
    /// A server or proxy takes only uncompressed bodies.
    CompressionRefused {
        address: String,
        why: String,
    },
    /// An address refused lines that it stored at another time.
    Contradicted {
        address: String,
    },
    CredentialReread,
    /// `influx.time_precision` is not the precision of the server.
    PrecisionDiffers {
        address: String,
        why: String,
        remedy: String,
    },
    /// The database was created, or existed already.
    DatabaseReady {
        database: String,
    },
    DatabaseNotCreated {
        database: String,
        why: String,
    },
}

/// Receives events on the thread where they happen. It must not wait.
pub trait Observer: Send + Sync {
    fn observe(&self, event: &Event);
}

impl std::fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observer")
    }
}

/// Turns alarms into events.
pub(super) struct AlarmEvents(pub Arc<dyn Observer>);

impl AlarmListener for AlarmEvents {
    fn raised(&self, alarm: &Alarm) {
        self.0.observe(&Event::Raised(alarm.clone()));
    }

    fn resolved(&self, alarm: &Alarm, lasted: Duration) {
        self.0.observe(&Event::Resolved { alarm: alarm.clone(), lasted });
    }
}
