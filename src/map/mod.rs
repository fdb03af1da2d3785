//! Tokens to points, points to lines: what `[[mapping]]` says of a record.
//!
//! ```text
//! config -> Rules -> Mapper::map(record) -> Walk (bytes to an element's values) -> LineWriter (values to a line)
//!                                        -> Skeleton (the same line at once, for a shape that came before)
//! ```

mod constants;
mod decimal;
mod distinct;
mod element;
mod finals;
mod globs;
pub mod go_layout;
mod key_tree;
mod line;
mod mapped;
mod mapper;
mod notices;
mod plan;
mod rejection;
mod rename;
mod rules;
mod skeleton;
mod time;
mod value;
mod walk;

pub use element::Drops;
pub use globs::{GlobError, Globs};
pub use go_layout::to_time_format;
pub use mapped::{Mapped, REJECTED_ELEMENTS_MAX};
pub use mapper::{Mapper, RecordLimits};
pub use notices::{NOTICES_MAX, Notice};
pub use rejection::{Drop, Reason, Rejection};
pub use rename::{Rename, RenameError};
pub use rules::{DistinctTimes, Integers, KeySelector, Rules, TagPath, TimeRule};
pub use time::{TimeError, TimeFormat, TimeFormatError, TimeRange, zone_by_name, zone_names};
