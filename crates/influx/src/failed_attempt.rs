//! One failed attempt to write, before an alarm is raised.

use crate::cause::Cause;
use crate::error::RequestFailure;

/// Separates the server's message about a missing database from the reason why the bridge could not create it.
pub const NOT_CREATED: &str = "; influx.create_database failed: ";

/// Follows the message with which an address refused a line, if the address contradicts itself.
pub const CONTRADICTED: &str =
    "; the same address stored lines that it had refused, or refused lines that it had stored";

/// A failed attempt to write to one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAttempt {
    pub cause: Cause,
    /// Lines are blocked until someone acts. Otherwise the failure may pass.
    pub blocks: bool,
    pub why: String,
    /// Another address of the same database may work.
    pub is_of_address: bool,
    /// The bridge has just removed the cause, so the next attempt follows at once.
    pub is_repaired: bool,
}

impl FailedAttempt {
    pub fn new(cause: Cause, blocks: bool, why: String) -> Self {
        Self { cause, blocks, why, is_of_address: cause.is_of_address(), is_repaired: false }
    }

    /// Whether the failure of a write without lines may say nothing about other writes: another program refused it, and named neither the
    /// endpoint nor the credential.
    pub fn may_be_about_empty_write(&self) -> bool {
        let is_refusal =
            matches!(self.cause, Cause::Forbidden | Cause::MethodRefused | Cause::RequestRefused);
        self.blocks && self.is_of_address && is_refusal
    }

    /// The database is missing because it could not be created. If the server failed, its failure is the cause.
    pub fn not_created(self, failure: &RequestFailure) -> Self {
        let why = format!("{}{NOT_CREATED}{}", self.why, failure.why);
        match failure.cause {
            Cause::DiskFull | Cause::CacheFull | Cause::ServerFailed | Cause::Unavailable => {
                Self::new(failure.cause, false, why)
            }
            _ => Self { why, ..self },
        }
    }
}

impl From<RequestFailure> for FailedAttempt {
    fn from(failure: RequestFailure) -> Self {
        Self::new(failure.cause, false, failure.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_failure_is_the_cause_of_a_database_that_was_not_created() {
        let f = |cause: Cause, want: (Cause, bool)| {
            let missing =
                FailedAttempt::new(Cause::DatabaseMissing, true, "404: database not found".to_owned());
            let got = missing.not_created(&RequestFailure { cause, why: "words".to_owned() });
            assert_eq!((got.cause, got.blocks), want);
            assert_eq!(got.why, "404: database not found; influx.create_database failed: words");
        };
        f(Cause::DiskFull, (Cause::DiskFull, false));
        f(Cause::ServerFailed, (Cause::ServerFailed, false));
        f(Cause::Forbidden, (Cause::DatabaseMissing, true));
        f(Cause::RequestRefused, (Cause::DatabaseMissing, true));
    }
}
