//! What systemd offers a service that it runs: it wants to be told how that is, and takes a log whose lines carry their priority.

use std::env;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;
use tracing::warn;

/// What a stop takes beside `shutdown_max`.
const END_MAX: Duration = Duration::from_secs(7);

/// The service runs, and hears signals.
pub fn tell_ready() {
    tell("READY=1");
}

/// It ends, and may take so long: longer than the unit's `TimeoutStopSec`, maybe.
pub fn tell_stopping(shutdown_max: Duration) {
    let patience = shutdown_max.saturating_add(END_MAX);
    tell(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", patience.as_micros()));
}

/// Nothing, where nobody wants to know.
fn tell(state: &str) {
    if let Err(error) = send(state) {
        // The first line names the state; the others are its parameters.
        warn!("systemd can't be told {}: {error}", state.lines().next().unwrap_or_default());
    }
}

fn send(state: &str) -> io::Result<()> {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    UnixDatagram::unbound()?.send_to(state.as_bytes(), socket)?;
    Ok(())
}

/// Whether standard error goes to the journal: systemd names its socket, and somebody may have put another file in its place.
pub fn logs_to_journal() -> bool {
    let Ok(socket) = env::var("JOURNAL_STREAM") else { return false };
    let errors = io::stderr().as_fd().try_clone_to_owned().and_then(|errors| File::from(errors).metadata());
    errors.is_ok_and(|errors| socket == format!("{}:{}", errors.dev(), errors.ino()))
}
