//! Exit statuses.

/// Records were rejected by `map`.
pub const REJECTED: u8 = 1;
/// `map` found no record in its files.
pub const NO_RECORDS: u8 = 1;
/// `replay-dead-letters` could not store everything.
pub const NOT_ALL_STORED: u8 = 1;
/// `check --connect` has failed checks; `init` found nothing to sample.
pub const CONNECTION_FAILED: u8 = 1;
/// `health` got no response, or the service is unhealthy.
pub const UNHEALTHY: u8 = 1;
/// The configuration or the command line is wrong.
pub const WRONG: u8 = 2;
/// The service failed.
pub const FAILED: u8 = 3;
