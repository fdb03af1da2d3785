//! Migrates `<buffer>`, and the options of old files that it replaced, to `[batch]`.

use super::source::IGNORED;
use super::syntax::Section;
use super::text::Text;
use crate::Notes;
use crate::draft_tables::DraftTables;
use crate::plugin::{Options, Setting};
use crate::values::duration;
use configuration::draft::Table;

const KAFKA_IS_THE_BUFFER: &str =
    "it is not needed: Kafka is the buffer, and batch.memory_max bounds the memory";
const RETRIES: &str = "it is not needed: the bridge retries forever and loses nothing";
const LINES: &str = "a write has up to 5,000 lines and 4 MB, and more with a backlog; lines_max and bytes_max of [batch] bound it";
const THREADS: &str = "it is not needed: one write at a time per destination is faster than an InfluxDB";

pub fn add(options: &mut Options<'_, Text>, output: &Section, draft: &mut DraftTables, notes: &mut Notes) {
    let intervals = options.take("flush_interval").into_iter();
    let mut intervals: Vec<&Setting<Text>> = intervals.collect();
    for (name, why) in KNOWN {
        if let Some(setting) = options.take(name) {
            notes.add(setting.place.note(name, *why));
        }
    }
    for buffer in output.children("buffer") {
        let mut options = Options::new("<buffer>", &buffer.options);
        intervals.extend(options.take("flush_interval"));
        options.take("@type");
        options.finish(KNOWN, IGNORED, notes);
        if options_are_none(buffer) {
            notes.add(buffer.place.note("<buffer>", KAFKA_IS_THE_BUFFER));
        }
    }
    for setting in intervals {
        age_max(setting, draft, notes);
    }
}

/// Whether the buffer sets nothing but its type.
fn options_are_none(buffer: &Section) -> bool {
    buffer.options.iter().all(|option| option.name == "@type")
}

fn age_max(setting: &Setting<Text>, draft: &mut DraftTables, notes: &mut Notes) {
    let batch = draft.batch.get_or_insert_with(|| Table::new("[batch]"));
    match setting.value.seconds().and_then(duration) {
        Some(age) if batch.get("age_max").is_none() => {
            batch.set_because(
                "age_max",
                age,
                &["Fluentd's flush_interval. The default, 1s, is fresher and cheap enough."],
            );
        }
        Some(age) if batch.get("age_max").and_then(toml::Value::as_str) != Some(&age) => {
            let why = "a bridge has one age_max in [batch]: the first value is used";
            notes.add(setting.place.note("flush_interval", why));
        }
        Some(_) => {}
        None => {
            let why = "age_max of [batch] goes from 1ms to 1h";
            notes.add(setting.place.note("flush_interval", why));
        }
    }
}

const KNOWN: &[(&str, &str)] = &[
    ("@id", ""),
    ("@log_level", ""),
    ("path", KAFKA_IS_THE_BUFFER),
    ("chunk_limit_size", LINES),
    ("chunk_limit_records", LINES),
    ("chunk_full_threshold", LINES),
    ("total_limit_size", KAFKA_IS_THE_BUFFER),
    ("queue_limit_length", KAFKA_IS_THE_BUFFER),
    ("queued_chunks_limit_size", KAFKA_IS_THE_BUFFER),
    ("overflow_action", KAFKA_IS_THE_BUFFER),
    ("compress", "the bridge compresses writes: see `compression` of [influx]"),
    ("flush_mode", "the bridge writes when a batch is full, or reaches age_max of [batch]"),
    ("flush_at_shutdown", "a stop writes open batches; records that are not stored stay in Kafka"),
    ("flush_thread_count", THREADS),
    ("flush_thread_interval", THREADS),
    ("flush_thread_burst_interval", THREADS),
    ("delayed_commit_timeout", RETRIES),
    ("timekey", KAFKA_IS_THE_BUFFER),
    ("timekey_wait", KAFKA_IS_THE_BUFFER),
    ("timekey_use_utc", ""),
    ("timekey_zone", ""),
    ("retry_timeout", RETRIES),
    ("retry_forever", RETRIES),
    ("retry_max_times", RETRIES),
    ("retry_secondary_threshold", RETRIES),
    ("retry_type", RETRIES),
    ("retry_wait", RETRIES),
    ("retry_exponential_backoff_base", RETRIES),
    ("retry_max_interval", RETRIES),
    ("retry_randomize", RETRIES),
    ("disable_chunk_backup", RETRIES),
    ("buffer_type", KAFKA_IS_THE_BUFFER),
    ("buffer_path", KAFKA_IS_THE_BUFFER),
    ("buffer_chunk_limit", LINES),
    ("buffer_queue_limit", KAFKA_IS_THE_BUFFER),
    ("buffer_queue_full_action", KAFKA_IS_THE_BUFFER),
    ("num_threads", THREADS),
];
