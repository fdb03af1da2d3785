//! Logs Kafka's errors, each kind at most once a minute.

use super::diagnosis::{Advice, Fault, diagnose};
use base::text::printable;
use rdkafka::error::RDKafkaErrorCode;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// An error of the same kind is logged again after this time at the earliest.
const AGAIN: Duration = Duration::from_mins(1);

/// An error not reported again within this time counts as resolved.
const RESOLVED_AFTER: Duration = Duration::from_mins(2);

/// The times at which errors were logged.
#[derive(Debug, Default)]
pub struct LoggedErrors {
    /// Last time by error code. There are few codes.
    codes: Vec<(Option<RDKafkaErrorCode>, Instant)>,
    /// Last time by fault: librdkafka reports one fault with several codes.
    faults: Vec<(Fault, Instant)>,
    /// Last second handshake about an untrusted certificate.
    handshake: Option<Instant>,
}

impl LoggedErrors {
    /// Whether an error of this kind is to be logged now. If so, it counts as logged.
    pub fn take_due(&mut self, code: Option<RDKafkaErrorCode>) -> bool {
        take_due(&mut self.codes, code)
    }

    /// Logs an error without an active alarm. `is_throttled`: a quota delays this client.
    pub fn report(&mut self, code: Option<RDKafkaErrorCode>, text: &str, is_throttled: bool) {
        let reason = printable(text, 300);
        match code.and_then(|code| diagnose(code, text, is_throttled)) {
            // "All brokers down" only follows from another error: a refused login does not mean that Kafka is down.
            Some(_) if code == Some(RDKafkaErrorCode::AllBrokersDown) && self.unresolved().is_some() => {}
            Some(Advice { fault, .. }) if fault.passes() && self.take_due(code) => info!(reason, "{fault}"),
            Some(Advice { fault, .. }) if fault.passes() => {}
            // librdkafka reports each error twice, the second time without its reason.
            Some(Advice { fault, .. }) if self.take_due(code) && take_due(&mut self.faults, fault) => {
                error!(reason, "{fault}");
            }
            None if self.take_due(code) => {
                warn!(reason, "kafka reports an error; records stay in kafka until it is resolved");
            }
            _ => {}
        }
    }

    /// Whether a second handshake about an untrusted certificate is due. If so, it counts as done.
    pub fn take_handshake_due(&mut self, code: Option<RDKafkaErrorCode>, text: &str) -> bool {
        let is_wanted = code == Some(RDKafkaErrorCode::SSL)
            && text.contains("certificate verify failed")
            && self.handshake.is_none_or(|last| last.elapsed() >= AGAIN);
        if is_wanted {
            self.handshake = Some(Instant::now());
        }
        is_wanted
    }

    /// The fault that was logged last and is not resolved.
    pub fn unresolved(&self) -> Option<Fault> {
        self.faults.iter().rfind(|(_, logged)| logged.elapsed() < RESOLVED_AFTER).map(|(fault, _)| *fault)
    }
}

fn take_due<T: PartialEq>(logged: &mut Vec<(T, Instant)>, kind: T) -> bool {
    let is_due = !logged.iter().any(|(known, at)| *known == kind && at.elapsed() < AGAIN);
    logged.retain(|(known, at)| at.elapsed() < RESOLVED_AFTER && !(is_due && *known == kind));
    if is_due {
        logged.push((kind, Instant::now()));
    }
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_suppresses_the_consequence_all_brokers_down() {
        use RDKafkaErrorCode as Code;
        let mut trouble = LoggedErrors::default();
        assert_eq!(trouble.unresolved(), None);
        trouble.report(Some(Code::Authentication), "SASL authentication error: no", false);
        let login = trouble.unresolved().unwrap();
        assert_eq!(login, Fault::LoginRefused);
        trouble.report(Some(Code::AllBrokersDown), "1/1 brokers are down", false);
        assert_eq!((trouble.unresolved(), trouble.faults.len()), (Some(login), 1));
        // The same fault with two codes.
        trouble.report(
            Some(Code::SSL),
            "error:0A000086:SSL routines::certificate verify failed: more",
            false,
        );
        trouble.report(
            Some(Code::BrokerTransportFailure),
            "error:0A000086:SSL routines::certificate verify failed",
            false,
        );
        let bare = "Message consumption error: BrokerTransportFailure";
        trouble.report(Some(Code::BrokerTransportFailure), bare, false);
        assert_eq!(trouble.faults.len(), 2);
    }
}
