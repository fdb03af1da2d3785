//! The log on standard error, as text or JSON. In systemd's journal each line has its priority.

use crate::systemd::logs_to_journal;
use crate::terminal::Style;
use configuration::{Log, LogFormat};
use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{FormatFields, Writer};
use tracing_subscriber::fmt::{MakeWriter, fmt as log_to};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

/// Index into [`LEVELS`]: this level and those before it are logged.
static LEVEL: AtomicUsize = AtomicUsize::new(2);

/// Filters events by `LEVEL`. tracing caches the result for each call site.
struct Limit;

impl<S: Subscriber> Layer<S> for Limit {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= level()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(level().into())
    }
}

fn level() -> Level {
    // The index is always valid.
    LEVELS.get(LEVEL.load(Ordering::Relaxed)).copied().unwrap_or(Level::INFO)
}

/// Changes the level of the running log.
pub fn set_level(level: Level) {
    // The list has all levels.
    LEVEL.store(LEVELS.iter().position(|known| *known == level).unwrap_or(2), Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

/// Starts the log. Further calls have no effect.
pub fn start(log: Log) {
    if logs_to_journal() {
        start_as(log, Journal, false);
    } else {
        start_to(log, io::stderr);
    }
}

/// Starts the log with `writer`, which is called before each line.
pub fn start_to<W>(log: Log, writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    start_as(log, writer, true);
}

/// `timed`: whether text has the time.
fn start_as<W>(log: Log, writer: W, timed: bool)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let colour = Style::of(&io::stderr()).is_coloured();
    set_level(log.level);
    let builder =
        log_to().with_max_level(Level::TRACE).with_writer(writer).with_target(false).with_ansi(colour);
    let _already_started = match log.format {
        LogFormat::Text if timed => builder.fmt_fields(Logfmt).finish().with(Limit).try_init(),
        LogFormat::Text => builder.fmt_fields(Logfmt).without_time().finish().with(Limit).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().with(Limit).try_init(),
    };
}

/// Formats the fields of text logs: the message, then `key=value` as in logfmt. Text and values with spaces are quoted.
struct Logfmt;

impl<'writer> FormatFields<'writer> for Logfmt {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut pairs = Pairs { writer, is_first: true, result: Ok(()) };
        fields.record(&mut pairs);
        pairs.result
    }
}

/// Fields that are left out if they have this value: no suppressed lines, and an alarm that has just begun.
const NOISE: [(&str, &str); 2] = [("more", "0"), ("lasting", "0ns")];

struct Pairs<'writer> {
    writer: Writer<'writer>,
    is_first: bool,
    result: fmt::Result,
}

impl Pairs<'_> {
    fn write(&mut self, key: &str, value: fmt::Arguments<'_>) {
        if self.result.is_ok() {
            let space = if std::mem::replace(&mut self.is_first, false) { "" } else { " " };
            self.result = match key {
                "message" => write!(self.writer, "{space}{value}"),
                _ => write!(self.writer, "{space}{key}={value}"),
            };
        }
    }
}

impl Visit for Pairs<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field.name(), format_args!("{value:?}"));
    }

    /// Numbers, and values recorded with `%` or `?`.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        let key = field.name();
        if NOISE.contains(&(key, text.as_str())) {
            return;
        }
        // `Debug` has quoted a string already.
        let is_quoted = text.len() > 1 && text.starts_with('"') && text.ends_with('"');
        if key != "message" && !is_quoted && needs_quotes(&text) {
            self.write(key, format_args!("{text:?}"));
        } else {
            self.write(key, format_args!("{text}"));
        }
    }
}

fn needs_quotes(value: &str) -> bool {
    value.is_empty() || value.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '"' | '='))
}

/// Writer for the journal, which adds the time by itself.
struct Journal;

/// An entry, with the priority prefix of its lines.
struct Entry(&'static str);

impl MakeWriter<'_> for Journal {
    type Writer = Entry;

    fn make_writer(&self) -> Entry {
        Entry("<6>")
    }

    fn make_writer_for(&self, metadata: &Metadata<'_>) -> Entry {
        Entry(match *metadata.level() {
            Level::ERROR => "<3>",
            Level::WARN => "<4>",
            Level::INFO => "<6>",
            Level::DEBUG | Level::TRACE => "<7>",
        })
    }
}

impl Write for Entry {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let mut lines = Vec::with_capacity(entry.len() + 16);
        for line in entry.trim_ascii_start().split_inclusive(|byte| *byte == b'\n') {
            lines.extend_from_slice(self.0.as_bytes());
            lines.extend_from_slice(line);
        }
        io::stderr().write_all(&lines)?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use testkit::CapturedLog;

    #[test]
    fn text_is_logfmt_without_noise() {
        let log = CapturedLog::default();
        let builder = log_to().with_writer(log.clone()).with_target(false).with_ansi(false);
        let subscriber = builder.without_time().fmt_fields(Logfmt).finish();
        tracing::subscriber::with_default(subscriber, || {
            let scope = "all destinations";
            let (none, begun, lasting) = (0_u64, Duration::ZERO, Duration::from_millis(1_500));
            tracing::info!(%scope, at = "http://h", more = none, lasting = ?begun, "blocked");
            tracing::info!(quote = %"a=\"b\"", empty = %"", name = %"t", more = 3_u64, ?lasting, is = true, "two words");
        });
        let text = log.text();
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        let want = [
            r#"INFO blocked scope="all destinations" at="http://h""#,
            r#"INFO two words quote="a=\"b\"" empty="" name=t more=3 lasting=1.5s is=true"#,
        ];
        assert_eq!(lines, want);
    }
}
