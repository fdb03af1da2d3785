//! What a client last complained about: time-outs come without the reason why.

use base::text::printable;
use kafka::{Fault, advice};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The last reason.
#[derive(Debug, Default)]
pub struct Complaints(Mutex<Option<Complaint>>);

#[derive(Clone, Debug)]
pub struct Complaint {
    pub why: String,
    /// What is wrong and what to do.
    pub remedy: String,
}

impl Complaint {
    pub fn new(code: RDKafkaErrorCode, why: &str) -> Self {
        let remedy = advice(code, why).unwrap_or_else(|| Fault::NotConnected.remedy().to_owned());
        Self { why: printable(why, 300), remedy }
    }

    pub fn of(error: &KafkaError) -> Self {
        Self::new(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail), &error.to_string())
    }
}

impl Complaints {
    pub fn note(&self, error: &KafkaError, why: &str) {
        use RDKafkaErrorCode as Code;
        let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
        // These only follow from the reason.
        let follows = matches!(code, Code::AllBrokersDown | Code::OperationTimedOut | Code::MessageTimedOut);
        let mut last = self.last_mut();
        if last.is_none() || !follows {
            *last = Some(Complaint::new(code, why));
        }
    }

    pub fn clear(&self) {
        *self.last_mut() = None;
    }

    pub fn last(&self) -> Option<Complaint> {
        self.last_mut().clone()
    }

    fn last_mut(&self) -> MutexGuard<'_, Option<Complaint>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_reason_and_not_what_follows_from_it() {
        let complaints = Complaints::default();
        let f = |code: RDKafkaErrorCode, why: &str, want: &str| {
            complaints.note(&KafkaError::Global(code), why);
            assert_eq!(complaints.last().map(|last| last.why).as_deref(), Some(want));
        };
        f(RDKafkaErrorCode::OperationTimedOut, "timed out", "timed out");
        f(RDKafkaErrorCode::Authentication, "wrong password\n", "wrong password\\n");
        f(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down", "wrong password\\n");
        assert!(complaints.last().unwrap().remedy.contains("kafka.sasl"));
        complaints.clear();
        assert!(complaints.last().is_none());
    }
}
