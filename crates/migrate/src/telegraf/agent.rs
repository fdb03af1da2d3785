//! Migrates `[agent]`, and the options of an output that override it, to `[batch]` and `[log]`.

use super::super::Weight;
use super::amounts;
use super::conf::Options;
use super::report::Report;
use super::variables::has_variable;
use configuration::draft::Table;

const NOTES: [(&str, &str); 5] = [
    ("logfile", "the log goes to standard error: systemd and containers keep it, or redirect it"),
    ("logtarget", "the log goes to standard error"),
    ("logfile_rotation_interval", "the log goes to standard error: whatever keeps it rotates it"),
    ("logfile_rotation_max_size", "the log goes to standard error: whatever keeps it rotates it"),
    ("logfile_rotation_max_archives", "the log goes to standard error: whatever keeps it rotates it"),
];

/// Options that the bridge does not need, with the reason.
const NOT_NEEDED: [(&str, &str); 4] = [
    ("metric_buffer_limit", "Kafka is the buffer, and batch.memory_max bounds the memory"),
    ("statefile", "Kafka keeps the offsets: there is no other state"),
    ("buffer_strategy", "Kafka is the buffer, also through restarts"),
    ("buffer_directory", "Kafka is the buffer, also through restarts"),
];

const SILENT: [&str; 20] = [
    "interval",
    "round_interval",
    "collection_jitter",
    "collection_offset",
    "flush_jitter",
    "flush_buffer_when_full",
    "precision",
    "hostname",
    "omit_hostname",
    "metric_batch_size",
    "flush_interval",
    "debug",
    "quiet",
    "logformat",
    "log_with_timezone",
    "structured_log_message_key",
    "snmp_translator",
    "skip_processors_after_aggregators",
    "config_url_retry_attempts",
    "always_include_global_tags",
];

/// Defaults that `telegraf config` writes into every telegraf.conf, so that nobody chose them.
const COMMON_BATCH: &str = "1000";
const COMMON_INTERVAL: &str = "10s";

pub fn tables(agent: &Options, output: Option<&Options>, report: &mut Report) -> Vec<Table> {
    let mut batch = Table::new("[batch]");
    let mut log = Table::new("[log]");
    report.note_all(&mut log, agent, &NOTES, Weight::Differs);
    report.note_all(&mut batch, agent, &NOT_NEEDED, Weight::NoEffect);
    let from = |option: &str| {
        output.filter(|output| output.has(option)).or_else(|| Some(agent).filter(|agent| agent.has(option)))
    };
    if let Some(options) = from("metric_batch_size") {
        lines_max(options, &mut batch, report);
    }
    if let Some(options) = from("flush_interval") {
        age_max(options, &mut batch, report);
    }
    if agent.flag("debug") == Some(true) {
        log.set("level", "debug");
    } else if agent.flag("quiet") == Some(true) {
        log.set("level", "error");
    }
    if matches!(agent.text("logformat").as_deref(), Some("structured" | "json")) {
        log.set("format", "json");
    }
    // A table without keys would only hold remarks, which are in the report.
    [batch, log].into_iter().filter(Table::has_keys).collect()
}

fn lines_max(options: &Options, batch: &mut Table, report: &mut Report) {
    let text = options.text("metric_batch_size").unwrap_or_default();
    match text.parse::<i64>() {
        Ok(_) if text == COMMON_BATCH => {
            batch.comment(format!(
                "metric_batch_size ({}) is Telegraf's default; the bridge writes 5,000 lines, and more with a backlog.",
                options.place("metric_batch_size")
            ));
        }
        Ok(lines @ 1..=1_000_000) => {
            batch.set("lines_max", lines);
        }
        Err(_) if has_variable(&text) => {
            batch.set("lines_max", text);
        }
        _ => report.note(
            batch,
            options,
            "metric_batch_size",
            "lines_max is 1 to 1000000: the bridge chooses the size",
        ),
    }
}

fn age_max(options: &Options, batch: &mut Table, report: &mut Report) {
    let text = options.text("flush_interval").unwrap_or_default();
    if text == COMMON_INTERVAL {
        batch.comment(format!("flush_interval ({}) is Telegraf's default; the bridge's is age_max = \"1s\", so points are there sooner.", options.place("flush_interval")));
        return;
    }
    match amounts::duration(&text) {
        Some(age) if (1..=3_600_000).contains(&age.as_millis()) => {
            batch.set("age_max", amounts::shown(age));
        }
        None if has_variable(&text) => {
            batch.set("age_max", text);
        }
        _ => {
            report.note(
                batch,
                options,
                "flush_interval",
                "age_max is 1ms to 1h: the bridge's default is used",
            );
        }
    }
}

pub fn report_unread(agent: &Options, report: &mut Report) {
    let known: Vec<&str> =
        SILENT.iter().copied().chain(NOTES.iter().chain(&NOT_NEEDED).map(|(name, _)| *name)).collect();
    agent.mark(known.iter().copied());
    report.unread("[agent]", agent, &known);
}
