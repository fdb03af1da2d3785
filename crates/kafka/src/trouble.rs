//! Which Kafka errors were logged when, so that each kind is logged at most once a minute.

use super::diagnosis::{Advice, Fault, diagnose};
use base::text::printable;
use rdkafka::error::RDKafkaErrorCode;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// An error of the same kind is logged again after this time at the earliest.
const AGAIN: Duration = Duration::from_mins(1);

/// An error not reported again within this time counts as resolved.
const STANDS: Duration = Duration::from_mins(2);

/// Which errors were logged when.
#[derive(Debug, Default)]
pub struct Trouble {
    /// One for each kind; kinds are few.
    told: Vec<(Option<RDKafkaErrorCode>, Instant)>,
    /// The same by fault: librdkafka reports one fault with several codes.
    said: Vec<(Fault, Instant)>,
    /// The last handshake that asked why a certificate is not trusted.
    asked_why: Option<Instant>,
}

impl Trouble {
    /// Whether trouble of this kind is to be told now. Then it counts as told.
    pub fn is_due(&mut self, code: Option<RDKafkaErrorCode>) -> bool {
        is_due(&mut self.told, code)
    }

    /// Logs an error for which no alarm stands. `is_throttled`: the brokers make this client wait.
    pub fn report(&mut self, code: Option<RDKafkaErrorCode>, text: &str, is_throttled: bool) {
        let reason = printable(text, 300);
        match code.and_then(|code| diagnose(code, text, is_throttled)) {
            // "All brokers down" only follows from another error: a refused login does not mean that Kafka is down.
            Some(_) if code == Some(RDKafkaErrorCode::AllBrokersDown) && self.standing().is_some() => {}
            Some(Advice { fault, .. }) if fault.passes() && self.is_due(code) => info!(reason, "{fault}"),
            Some(Advice { fault, .. }) if fault.passes() => {}
            // Each error comes twice, the second time without its reason.
            Some(Advice { fault, .. }) if self.is_due(code) && is_due(&mut self.said, fault) => {
                error!(reason, "{fault}");
            }
            None if self.is_due(code) => warn!(reason, "trouble with kafka"),
            _ => {}
        }
    }

    /// Whether a second handshake is due that finds out why a broker's certificate is not trusted. Then it counts as done.
    pub fn asks_why(&mut self, code: Option<RDKafkaErrorCode>, text: &str) -> bool {
        let is_wanted = code == Some(RDKafkaErrorCode::SSL)
            && text.contains("certificate verify failed")
            && self.asked_why.is_none_or(|asked| asked.elapsed() >= AGAIN);
        if is_wanted {
            self.asked_why = Some(Instant::now());
        }
        is_wanted
    }

    /// The fault that was logged last and is not resolved.
    pub fn standing(&self) -> Option<Fault> {
        self.said.iter().rfind(|(_, said)| said.elapsed() < STANDS).map(|(fault, _)| *fault)
    }
}

fn is_due<T: PartialEq>(told: &mut Vec<(T, Instant)>, kind: T) -> bool {
    let is_due = !told.iter().any(|(before, told)| *before == kind && told.elapsed() < AGAIN);
    told.retain(|(before, told)| told.elapsed() < STANDS && !(is_due && *before == kind));
    if is_due {
        told.push((kind, Instant::now()));
    }
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_is_not_followed_by_brokers_that_are_down() {
        use RDKafkaErrorCode as Code;
        let mut trouble = Trouble::default();
        assert_eq!(trouble.standing(), None);
        trouble.report(Some(Code::Authentication), "SASL authentication error: no", false);
        let login = trouble.standing().unwrap();
        assert_eq!(login, Fault::LoginRefused);
        trouble.report(Some(Code::AllBrokersDown), "1/1 brokers are down", false);
        assert_eq!((trouble.standing(), trouble.said.len()), (Some(login), 1));
        // The same again, with another code.
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
        assert_eq!(trouble.said.len(), 2);
    }
}
