//! Reads `[batch]`, `[admin]`, `[log]` and `shutdown_max`.

use super::keys::{self, LEVELS, LOG_FORMATS};
use super::section::Section;
use super::{Admin, Batch, Log, sizes, summary};
use std::net::SocketAddr;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// `[batch]`, and what keys that it leaves out mean.
pub fn batch(top: Section<'_>) -> (Batch, Option<String>, bool) {
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
    (batch, summary::of_batch(section, batch), section.has("memory_max"))
}

pub fn admin(top: Section<'_>) -> Admin {
    let section = top.table_or_empty("admin", &keys::ADMIN);
    Admin { listen: section.or_default("listen", listen), show_records: section.flag("show_records") }
}

/// `Some(None)`: the empty text, which switches the HTTP server off.
#[allow(clippy::option_option)]
fn listen(section: Section<'_>, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Option<SocketAddr>> {
    let text = section.text_of(key, value)?;
    if text.value.is_empty() {
        return Some(None);
    }
    // Other names would need a lookup.
    let address = text.value.replace("localhost:", "127.0.0.1:");
    let listen = address.parse().map_err(|_| {
        let remedy = match address.strip_prefix(':').and_then(|port| port.parse::<u16>().ok()) {
            Some(port) => {
                format!("\"0.0.0.0:{port}\" for all interfaces, \"127.0.0.1:{port}\" for this machine")
            }
            None => "an address and a port, such as \"127.0.0.1:9643\", or \"\" to switch it off".to_owned(),
        };
        section.refuse(&text, format!("`listen` is {:?}: write {remedy}", text.shown()));
    });
    listen.ok().map(Some)
}

pub fn log(top: Section<'_>) -> Log {
    let section = top.table_or_empty("log", &keys::LOG);
    Log {
        level: section.word_or_default("level", &LEVELS),
        format: section.word_or_default("format", &LOG_FORMATS),
    }
}

pub fn shutdown_max(top: Section<'_>) -> Duration {
    top.duration_or_default("shutdown_max")
}
