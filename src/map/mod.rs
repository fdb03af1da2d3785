//! Tokens to points: what `[[mapping]]` says of a record.
//!
//! ```text
//! config -> Rules -> Mapper -> influx::encode
//! ```

mod globs;
mod rename;
mod rules;
mod time;

pub use globs::{GlobError, Globs};
pub use rename::{Rename, RenameError};
pub use rules::{DistinctTimes, Integers, KeySelector, Rules, TagPath, TimeRule};
pub use time::{TimeError, TimeFormat, TimeFormatError, zone_by_name};
