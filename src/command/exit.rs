//! Exit statuses.

/// Exit status: records were rejected by `map`.
pub const REJECTED: u8 = 1;
/// Exit status: `replay-dead-letters` could not store everything.
pub const NOT_ALL_STORED: u8 = 1;
/// Exit status: `check --connect` has failed checks; `init` found nothing to sample.
pub const CONNECTION_FAILED: u8 = 1;
/// Exit status: `health` got no response, or the service is unhealthy.
pub const UNHEALTHY: u8 = 1;
/// Exit status: the configuration or the command line is wrong.
pub const WRONG: u8 = 2;
/// Exit status: the service failed.
pub const FAILED: u8 = 3;
