//! Reads `[batch]`.

use super::section::Section;
use super::{Batch, keys, sizes, summary};
use base::Api;

/// `[batch]`, and what keys that it leaves out mean with this `influx.api`. None: its value was refused.
pub fn read(top: Section<'_>, api: Option<Api>) -> (Batch, Option<String>, bool) {
    let section = top.table_or_empty("batch", &keys::BATCH);
    let batch = Batch {
        lines_max: section.number("lines_max").map(|lines| lines as usize),
        bytes_max: section.size("bytes_max").map(|bytes| bytes as usize),
        age_max: section.duration_or_default("age_max"),
        memory_max: section.size_or_default("memory_max") as usize,
        points_per_second_max: section.number("points_per_second_max"),
    };
    if let Some(bytes_max) = batch.bytes_max.filter(|bytes_max| *bytes_max > batch.memory_max) {
        let key = if section.has("memory_max") { "memory_max" } else { "bytes_max" };
        let one = sizes::show_size(bytes_max as u64);
        let all = sizes::show_size(batch.memory_max as u64);
        section.error(
            key,
            format!(
                "`memory_max` ({all}) is for all batches, so it can't be less than `bytes_max` ({one}) of one batch"
            ),
        );
    }
    let summary = api.and_then(|api| summary::of_batch(section, batch, api));
    (batch, summary, section.has("memory_max"))
}
