//! Record bytes to tokens.

mod path;

pub use path::{Path, PathError, Query, Step};

/// How a record's value is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object, or an array of objects.
    #[default]
    Json,
    /// Several JSON values, one a line.
    JsonLines,
}
