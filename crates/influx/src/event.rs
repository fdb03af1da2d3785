//! What the writer tells the rest of the program, for the log and the status page.

use super::cause::Cause;
use base::Destination;
use base::alarm::{Alarm, Listener, Scope, TOPIC_DENIED};
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
    /// Writing does not go on, and why; said again once a minute while it lasts.
    Raised(Alarm),
    /// What was raised is over.
    Mended {
        alarm: Alarm,
        lasted: Duration,
    },
    /// The next one of `urls` is used.
    AddressChanged {
        from: String,
        to: String,
        cause: Cause,
    },
    /// An earlier one of `urls` works again, and is used.
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
    /// A server or proxy takes only bodies that are not compressed.
    CompressionRefused {
        address: String,
        why: String,
    },
    CredentialReread,
    /// It was created, or was there already.
    DatabaseReady {
        database: String,
    },
    DatabaseNotCreated {
        database: String,
        why: String,
    },
}

/// Hears of events as they happen, on the thread where they do: it must not wait.
pub trait Observer: Send + Sync {
    fn observe(&self, event: &Event);
}

impl std::fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observer")
    }
}

/// Makes alarms events.
pub(super) struct Alarming(pub Arc<dyn Observer>);

impl Listener for Alarming {
    fn raised(&self, alarm: &Alarm) {
        self.0.observe(&Event::Raised(alarm.clone()));
    }

    fn mended(&self, alarm: &Alarm, lasted: Duration) {
        self.0.observe(&Event::Mended { alarm: alarm.clone(), lasted });
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
            Event::Mended { alarm, lasted } => {
                let (scope, cause, lasted) = (&alarm.scope, alarm.cause, rounded(*lasted));
                if is_of_kafka(alarm) {
                    tracing::info!(%scope, cause, ?lasted, "reading from Kafka goes on");
                } else {
                    tracing::info!(%scope, cause, ?lasted, "writing goes on");
                }
            }
            Event::AddressChanged { from, to, cause } => {
                tracing::info!(from, to, cause = cause.name(), "taking the next address");
            }
            Event::AddressRestored { from, to } => {
                tracing::info!(from, to, "the earlier address works again, going back to it");
            }
            Event::SizeLowered { destination, bytes_max, why } => {
                tracing::info!(%destination, bytes_max, why, "requests were too large, sending smaller ones");
            }
            Event::CompressionRefused { address, why } => {
                tracing::warn!(
                    address,
                    why,
                    "compressed requests are refused, sending uncompressed ones from now on: set compression = \"none\" under [influx], or correct the proxy before InfluxDB, which has to pass Content-Encoding on"
                );
            }
            Event::CredentialReread => {
                tracing::info!("the credential of InfluxDB has changed, using the new one");
            }
            Event::DatabaseReady { database } => tracing::info!(database, "the database is there"),
            Event::DatabaseNotCreated { database, why } => {
                tracing::warn!(
                    database,
                    why,
                    "cannot create the database that influx.create_database asks for"
                );
            }
        }
    }
}

fn log_alarm(alarm: &Alarm) {
    let Alarm { scope, cause, at, why, remedy, .. } = alarm;
    let lasting = rounded(alarm.lasting);
    if is_of_kafka(alarm) {
        tracing::error!(%scope, at, cause, why, remedy, ?lasting, "cannot read from Kafka, records wait there");
    } else if matches!(scope, Scope::Topic(_)) {
        tracing::error!(%scope, at, cause, why, remedy, ?lasting, "topic blocked");
    } else if *scope == Scope::Bridge {
        tracing::error!(why, remedy, ?lasting, "stuck");
    } else if alarm.holds {
        // Whether a record was read before or is still unread in Kafka is not known here.
        tracing::error!(%scope, at, cause, why, remedy, ?lasting, "holding, records stay uncommitted");
    } else {
        tracing::warn!(%scope, at, cause, why, remedy, ?lasting, "cannot write, retrying");
    }
}

/// Whether it keeps records from being read, not from being written.
fn is_of_kafka(alarm: &Alarm) -> bool {
    alarm.scope == Scope::Kafka || alarm.cause == TOPIC_DENIED
}

/// To what a person wants to read.
fn rounded(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::CapturedLog;

    fn logged(scope: Scope, cause: &'static str, holds: bool) -> String {
        let log = CapturedLog::default();
        let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || {
            let (at, why, remedy) = ("at".to_owned(), "why".to_owned(), "remedy".to_owned());
            log_alarm(&Alarm { cause, holds, scope, at, why, remedy, lasting: Duration::ZERO });
        });
        log.text()
    }

    /// Records that were read already are in memory, so only alarms about reading may say that they wait in Kafka.
    #[test]
    fn only_alarms_about_reading_say_that_records_wait_in_kafka() {
        let of_kafka = [(Scope::Kafka, "kafka_unreachable"), (Scope::Topic("t".to_owned()), TOPIC_DENIED)];
        for (scope, cause) in of_kafka {
            let said = logged(scope, cause, true);
            assert!(said.contains("cannot read from Kafka, records wait there"), "{said}");
        }
        let others = [
            Scope::Server,
            Scope::Destination("b".to_owned()),
            Scope::DeadLetters,
            Scope::Topic("t".to_owned()),
            Scope::Bridge,
        ];
        for scope in others {
            for holds in [true, false] {
                let said = logged(scope.clone(), "any", holds);
                assert!(!said.contains("wait in Kafka") && !said.contains("wait there"), "{said}");
            }
        }
        for scope in [Scope::Server, Scope::Destination("b".to_owned()), Scope::DeadLetters] {
            assert!(logged(scope, "any", true).contains("holding, records stay uncommitted"));
        }
    }
}
