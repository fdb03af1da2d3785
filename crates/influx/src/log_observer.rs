//! The log's messages for events of the writer, and for all alarms of the bridge.

use crate::event::{Event, Observer};
use base::alarm::{Alarm, Scope, TOPIC_DENIED};
use std::time::Duration;
use tracing::{error, info, warn};

/// Writes events to the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogObserver;

impl Observer for LogObserver {
    fn observe(&self, event: &Event) {
        match event {
            Event::FirstStored { destination, address, lines } => {
                info!(%destination, address, lines, "first lines stored");
            }
            Event::Raised(alarm) => log_alarm(alarm),
            Event::Resolved { alarm, lasted } => {
                let (scope, cause, lasted) = (&alarm.scope, alarm.cause, rounded(*lasted));
                if is_about_reading(alarm) {
                    info!(%scope, cause, ?lasted, "reading from Kafka goes on");
                } else {
                    info!(%scope, cause, ?lasted, "writing goes on");
                }
            }
            Event::AddressChanged { from, to, cause, why } => {
                warn!(
                    from,
                    to,
                    cause = cause.name(),
                    why,
                    "an address of InfluxDB failed and is skipped until it works again, using the next one of influx.urls"
                );
            }
            Event::AddressRestored { from, to } => {
                info!(from, to, "an earlier address of InfluxDB works again, using it");
            }
            Event::SizeLowered { destination, bytes_max, why } => {
                info!(%destination, bytes_max, why, "requests were too large, sending smaller ones");
            }
            Event::CompressionRefused { address, why } => {
                warn!(
                    address,
                    why,
                    "compressed requests are refused, sending uncompressed ones from now on: set compression = \"none\" under [influx], or let the proxy before InfluxDB forward Content-Encoding"
                );
            }
            Event::Contradicted { address } => {
                warn!(
                    address,
                    "InfluxDB's address refuses lines and stores the same lines at another time, so servers behind it answer differently, or it was repaired meanwhile: for an hour no line is given up for such refusals, and refused lines are sent again; if this repeats, find the broken server behind the load balancer"
                );
            }
            Event::CredentialReread => {
                info!("the credential for InfluxDB has changed, using the new one");
            }
            Event::PrecisionDiffers { address, why, remedy } => {
                warn!(address, remedy, "{why}");
            }
            Event::DatabaseReady { database } => info!(database, "the database exists"),
            Event::DatabaseNotCreated { database, why } => {
                warn!(
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
        error!(%scope, at, cause, why, remedy, ?lasting, "cannot read from Kafka, records wait there");
    } else if matches!(scope, Scope::Topic(_)) {
        error!(%scope, at, cause, why, remedy, ?lasting, "topic blocked");
    } else if *scope == Scope::Bridge {
        error!(why, remedy, ?lasting, "stuck");
    } else if alarm.is_blocking() {
        // The records may be in memory or unread in Kafka.
        error!(%scope, at, cause, why, remedy, ?lasting, "blocked, records stay uncommitted");
    } else {
        warn!(%scope, at, cause, why, remedy, ?lasting, "cannot write, retrying");
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
        logged_after(Duration::ZERO, scope, cause, blocks)
    }

    fn logged_after(lasting: Duration, scope: Scope, cause: &'static str, blocks: bool) -> String {
        let log = CapturedLog::default();
        let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || {
            let (at, why, remedy) = ("at".to_owned(), "why".to_owned(), "remedy".to_owned());
            log_alarm(&Alarm { cause, blocks, scope, at, why, remedy, lasting });
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

    #[test]
    fn a_failure_that_does_not_pass_within_ten_seconds_is_an_error() {
        let at = |seconds| logged_after(Duration::from_secs(seconds), Scope::Server, "unreachable", false);
        assert!(at(9).contains("WARN") && at(9).contains("cannot write, retrying"), "{}", at(9));
        assert!(at(10).contains("ERROR") && at(10).contains("blocked, records stay"), "{}", at(10));
    }
}
