//! The log: standard error, text for people or JSON for machines. In systemd's journal each line has its priority.

use crate::config::{Log, LogFormat};
use crate::systemd::logs_to_journal;
use crate::text::refuses_colour;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::{MakeWriter, fmt};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

/// Which of [`LEVELS`] is logged, and those before it.
static LEVEL: AtomicUsize = AtomicUsize::new(2);

/// Lets through what `LEVEL` says. What it let through is remembered for each place in the code, so nothing is asked twice.
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
    LEVELS.get(LEVEL.load(Ordering::Relaxed)).copied().unwrap_or(Level::INFO)
}

/// Logs so much from now on.
pub fn set_level(level: Level) {
    LEVEL.store(LEVELS.iter().position(|known| *known == level).unwrap_or(2), Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

/// Starts logging. Further calls change nothing.
pub fn start(log: Log) {
    if logs_to_journal() {
        start_as(log, Journal, false);
    } else {
        start_to(log, io::stderr);
    }
}

/// The same to standard error by way of `writer`, which hears of each line before it is written.
pub fn start_to<W>(log: Log, writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    start_as(log, writer, true);
}

/// `timed`: text has the time, too.
fn start_as<W>(log: Log, writer: W, timed: bool)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Colour only for people, and only for those who want it: https://no-color.org.
    let colour = io::stderr().is_terminal() && !refuses_colour();
    set_level(log.level);
    let builder = fmt().with_max_level(Level::TRACE).with_writer(writer).with_target(false).with_ansi(colour);
    let _already_started = match log.format {
        LogFormat::Text if timed => builder.finish().with(Limit).try_init(),
        LogFormat::Text => builder.without_time().finish().with(Limit).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().with(Limit).try_init(),
    };
}

/// Standard error where the journal reads it, which notes the time by itself.
struct Journal;

/// One entry, with the priority that each of its lines begins with.
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
