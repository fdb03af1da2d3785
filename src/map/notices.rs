//! The first time that a key's value is dropped, once for each key and reason.

use super::rejection::Drop;
use std::collections::HashSet;

/// Keys that are told of; further ones are only counted, so that topics whose keys never repeat can't fill the log.
pub const NOTICES_MAX: usize = 100;

/// A flattened key whose value was dropped for the first time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Notice {
    pub key: String,
    pub drop: Drop,
}

#[derive(Debug, Default)]
pub struct Notices {
    told: HashSet<Notice>,
    new: Vec<Notice>,
}

impl Notices {
    /// Whether further keys would be told of.
    pub fn is_open(&self) -> bool {
        self.told.len() < NOTICES_MAX
    }

    pub fn add(&mut self, key: String, drop: Drop) {
        let notice = Notice { key, drop };
        if self.is_open() && self.told.insert(notice.clone()) {
            self.new.push(notice);
        }
    }

    /// Those that came since the last time.
    pub fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.new)
    }
}
