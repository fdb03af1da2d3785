//! What stands in the way of lines for one destination.

use super::cause::Cause;
use super::client::Failure;

/// Follows the server's words about a missing database where the bridge could not create it.
pub(super) const NOT_CREATED: &str = "; influx.create_database failed: ";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub cause: Cause,
    /// Somebody has to mend it; otherwise it is expected to pass.
    pub holds: bool,
    pub why: String,
    /// The bridge has just mended it: another attempt is worth making at once.
    pub is_mended: bool,
}

impl Obstacle {
    /// Something that nobody has mended yet.
    pub fn new(cause: Cause, holds: bool, why: String) -> Self {
        Self { cause, holds, why, is_mended: false }
    }

    /// The database is missing because it could not be created. Where the server failed, its failure is the cause to mend.
    pub fn not_created(self, failure: &Failure) -> Self {
        let why = format!("{}{NOT_CREATED}{}", self.why, failure.why);
        match failure.cause {
            Cause::DiskFull | Cause::CacheFull | Cause::ServerFailed | Cause::Unavailable => {
                Self { cause: failure.cause, holds: false, why, is_mended: false }
            }
            _ => Self { why, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_the_server_is_the_cause_of_a_database_that_was_not_created() {
        let f = |cause: Cause, want: (Cause, bool)| {
            let missing = Obstacle::new(Cause::DatabaseMissing, true, "404: database not found".to_owned());
            let got = missing.not_created(&Failure { cause, why: "words".to_owned() });
            assert_eq!((got.cause, got.holds), want);
            assert_eq!(got.why, "404: database not found; influx.create_database failed: words");
        };
        f(Cause::DiskFull, (Cause::DiskFull, false));
        f(Cause::ServerFailed, (Cause::ServerFailed, false));
        f(Cause::Forbidden, (Cause::DatabaseMissing, true));
        f(Cause::RequestRefused, (Cause::DatabaseMissing, true));
    }
}
