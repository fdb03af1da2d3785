//! systemd's interfaces for services: state notifications (`sd_notify`), and the journal with a priority per line.

use std::env;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;
use tracing::warn;

/// Time that a stop may take in addition to `shutdown_max`.
const END_MAX: Duration = Duration::from_secs(7);

/// Notifies systemd that the service is ready and handles signals.
pub fn notify_ready() {
    notify("READY=1");
}

/// Notifies systemd that the service stops, and extends `TimeoutStopSec` to the time that this may take.
pub fn notify_stopping(shutdown_max: Duration) {
    let time_max = shutdown_max.saturating_add(END_MAX);
    notify(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", time_max.as_micros()));
}

fn notify(state: &str) {
    if let Err(error) = send(state) {
        // The first line names the state; the others are its parameters.
        warn!(
            "cannot notify systemd of {}, which may consider the service failed: {error}",
            state.lines().next().unwrap_or_default()
        );
    }
}

fn send(state: &str) -> io::Result<()> {
    // systemd sets the variable only if it expects notifications.
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    UnixDatagram::unbound()?.send_to(state.as_bytes(), socket)?;
    Ok(())
}

/// Whether standard error is the journal. systemd sets the variable to the journal's socket, but standard error may have been redirected
/// since.
pub fn logs_to_journal() -> bool {
    let Ok(socket) = env::var("JOURNAL_STREAM") else { return false };
    let errors = io::stderr().as_fd().try_clone_to_owned().and_then(|errors| File::from(errors).metadata());
    errors.is_ok_and(|errors| socket == format!("{}:{}", errors.dev(), errors.ino()))
}
