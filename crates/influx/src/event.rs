//! Events of the writer, for the log and the status page.

use crate::cause::Cause;
use base::Destination;
use base::alarm::{Alarm, AlarmListener, Scope, TOPIC_DENIED};
use std::sync::Arc;
use std::time::Duration;

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

/// Writes events to the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogObserver;

impl Observer for LogObserver {
    fn observe(&self, event: &Event) {
        match event {
            Event::FirstStored { destination, address, lines } => {
                tracing::info!(%destination, address, lines, "first lines stored");
            }
            Event::Raised(alarm) => log_alarm(alarm),
            Event::Resolved { alarm, lasted } => {
                let (scope, cause, lasted) = (&alarm.scope, alarm.cause, rounded(*lasted));
                if is_about_reading(alarm) {
                    tracing::info!(%scope, cause, ?lasted, "reading from Kafka goes on");
                } else {
                    tracing::info!(%scope, cause, ?lasted, "writing goes on");
                }
            }
            Event::AddressChanged { from, to, cause, why } => {
                tracing::warn!(
                    from,
                    to,
                    cause = cause.name(),
                    why,
                    "an address of InfluxDB failed and is skipped until it works again, using the next one of influx.urls"
                );
            }
            Event::AddressRestored { from, to } => {
                tracing::info!(from, to, "an earlier address of InfluxDB works again, using it");
            }
            Event::SizeLowered { destination, bytes_max, why } => {
                tracing::info!(%destination, bytes_max, why, "requests were too large, sending smaller ones");
            }
            Event::CompressionRefused { address, why } => {
                tracing::warn!(
                    address,
                    why,
                    "compressed requests are refused, sending uncompressed ones from now on: set compression = \"none\" under [influx], or let the proxy before InfluxDB forward Content-Encoding"
                );
            }
            Event::Contradicted { address } => {
                tracing::warn!(
                    address,
                    "InfluxDB's address refuses lines and stores the same lines at another time, so servers behind it answer differently, or it was repaired meanwhile: for an hour no line is given up for such refusals, and refused lines are sent again; if this repeats, find the broken server behind the load balancer"
                );
            }
            Event::CredentialReread => {
                tracing::info!("the credential for InfluxDB has changed, using the new one");
            }
            Event::PrecisionDiffers { address, why, remedy } => {
                tracing::warn!(address, remedy, "{why}");
            }
            Event::DatabaseReady { database } => tracing::info!(database, "the database exists"),
            Event::DatabaseNotCreated { database, why } => {
                tracing::warn!(
                    database,
                    why,
                    "influx.create_database could not create the database: if it is missing, records stay uncommitted until it exists. Create it, or allow the user of [influx] to create databases"
                );
            }
        }
    }
}

fn log_alarm(alarm: &Alarm) {
    let Alarm { scope, cause, at, why, remedy, .. } = alarm;
    let lasting = rounded(alarm.lasting);
    if is_about_reading(alarm) {
        tracing::error!(%scope, at, cause, why, remedy, ?lasting, "cannot read from Kafka, records wait there");
    } else if matches!(scope, Scope::Topic(_)) {
        tracing::error!(%scope, at, cause, why, remedy, ?lasting, "topic blocked");
    } else if *scope == Scope::Bridge {
        tracing::error!(why, remedy, ?lasting, "stuck");
    } else if alarm.blocks {
        // The records may be in memory or unread in Kafka.
        tracing::error!(%scope, at, cause, why, remedy, ?lasting, "blocked, records stay uncommitted");
    } else {
        tracing::warn!(%scope, at, cause, why, remedy, ?lasting, "cannot write, retrying");
    }
}

/// Whether the alarm keeps records from being read, not from being written.
fn is_about_reading(alarm: &Alarm) -> bool {
    alarm.scope == Scope::Kafka || alarm.cause == TOPIC_DENIED
}

/// Rounds to milliseconds.
fn rounded(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::CapturedLog;

    fn logged(scope: Scope, cause: &'static str, blocks: bool) -> String {
        let log = CapturedLog::default();
        let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || {
            let (at, why, remedy) = ("at".to_owned(), "why".to_owned(), "remedy".to_owned());
            log_alarm(&Alarm { cause, blocks, scope, at, why, remedy, lasting: Duration::ZERO });
        });
        log.text()
    }

    /// Records that were read are in memory, so only alarms about reading may say that records wait in Kafka.
    #[test]
    fn only_alarms_about_reading_say_that_records_wait_in_kafka() {
        let about_reading =
            [(Scope::Kafka, "kafka_unreachable"), (Scope::Topic("t".to_owned()), TOPIC_DENIED)];
        for (scope, cause) in about_reading {
            let text = logged(scope, cause, true);
            assert!(text.contains("cannot read from Kafka, records wait there"), "{text}");
        }
        let others = [
            Scope::Server,
            Scope::Destination("b".to_owned()),
            Scope::DeadLetters,
            Scope::Topic("t".to_owned()),
            Scope::Bridge,
        ];
        for scope in others {
            for blocks in [true, false] {
                let text = logged(scope.clone(), "any", blocks);
                assert!(!text.contains("wait in Kafka") && !text.contains("wait there"), "{text}");
            }
        }
        for scope in [Scope::Server, Scope::Destination("b".to_owned()), Scope::DeadLetters] {
            assert!(logged(scope, "any", true).contains("blocked, records stay uncommitted"));
        }
    }
}
