//! The log: standard error, text for people or JSON for machines.

use crate::config::{Log, LogFormat};
use std::io::{self, IsTerminal};
use tracing_subscriber::fmt::{MakeWriter, fmt};

/// Starts logging. Further calls change nothing.
pub fn start(log: Log) {
    start_to(log, io::stderr);
}

/// The same to standard error by way of `writer`, which hears of each line before it is written.
pub fn start_to<W>(log: Log, writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Colour only for people, and only for those who want it: https://no-color.org.
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = fmt().with_max_level(log.level).with_writer(writer).with_target(false).with_ansi(colour);
    let _already_started = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
