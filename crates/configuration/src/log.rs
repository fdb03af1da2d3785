//! Reads `[log]`.

use super::Log;
use super::keys::{self, LEVELS, LOG_FORMATS};
use super::section::Section;

pub fn read(top: Section<'_>) -> Log {
    let section = top.table_or_empty("log", &keys::LOG);
    Log {
        level: section.word_or_default("level", &LEVELS),
        format: section.word_or_default("format", &LOG_FORMATS),
    }
}
