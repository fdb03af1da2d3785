//! Signals that end a command: SIGTERM and Ctrl-C.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Signals that follow within this time count as one, because some senders signal a process and its group at once.
const SIGNALS_APART_MIN: Duration = Duration::from_millis(300);

/// Whether a signal came, and whether it came again.
pub struct Signals {
    pub stop: Arc<AtomicBool>,
    pub again: Arc<AtomicBool>,
    notify: Arc<Notify>,
    /// Runs the thread that handles the signals. None: a runtime of the caller handles them.
    _runtime: Option<Runtime>,
}

impl Signals {
    /// Handles signals from now on, in a thread of its own: also those that come before there is another runtime. A SIGHUP that comes
    /// before the service listens for it has no effect, instead of ending the process.
    pub fn listen_on_own_thread() -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("signals").enable_io().build()?;
        let signals = Self::listen(&runtime)?;
        {
            let _runtime = runtime.enter();
            // The handlers stay when the streams are dropped.
            drop(signal(SignalKind::hangup())?);
            // A write beyond the process's file size limit fails then, instead of ending the process.
            drop(signal(SignalKind::from_raw(libc::SIGXFSZ))?);
        }
        Ok(Self { _runtime: Some(runtime), ..signals })
    }

    /// Handles signals from now on, in a task of `runtime`.
    pub fn listen(runtime: &Runtime) -> io::Result<Self> {
        let signals =
            Self { stop: Arc::default(), again: Arc::default(), notify: Arc::default(), _runtime: None };
        let _runtime = runtime.enter();
        let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (stop, again) = (Arc::clone(&signals.stop), Arc::clone(&signals.again));
        let notify = Arc::clone(&signals.notify);
        runtime.spawn(async move {
            let mut first: Option<Instant> = None;
            loop {
                tokio::select! {
                    _ = term.recv() => {}
                    _ = interrupt.recv() => {}
                }
                stop.store(true, Ordering::Relaxed);
                notify.notify_one();
                let since = first.get_or_insert_with(Instant::now);
                if since.elapsed() >= SIGNALS_APART_MIN {
                    again.store(true, Ordering::Relaxed);
                }
            }
        });
        Ok(signals)
    }

    pub fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Returns with the next signal; at once if one came before.
    pub async fn stopped(&self) {
        self.notify.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// By default SIGXFSZ ends the process.
    #[test]
    fn a_write_beyond_the_file_size_limit_does_not_end_the_process() {
        let _signals = Signals::listen_on_own_thread().unwrap();
        let kill = format!("kill -XFSZ {}", std::process::id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}
