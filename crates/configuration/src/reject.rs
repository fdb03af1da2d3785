//! Reads `[reject]`.

use super::section::Section;
use super::{Reject, keys};

pub fn read(top: Section<'_>) -> Reject {
    let section = top.table_or_empty("reject", &keys::REJECT);
    Reject { rate_max: section.share_or_default("rate_max") }
}
