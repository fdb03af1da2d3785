//! `run`: the service.

use super::reload::Reloads;
use super::{FAILED, WRONG};
use crate::pipeline::{Pipeline, PipelineError, PipelineOptions};
use crate::systemd;
use configuration::Config;
use engine::telemetry::summary;
use influx::LogObserver;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

/// Runs until a signal or a failure, or with `until_end` until everything that is there is settled.
pub fn run(named: Option<&Path>, until_end: bool) -> ExitCode {
    let began = Instant::now();
    let (path, config) = match read(named) {
        Ok(read) => read,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(WRONG);
        }
    };
    end_process_on_panic();
    info!(version = env!("CARGO_PKG_VERSION"), config = %path.display(), "kafka-influx-bridge starts");
    let options = PipelineOptions { until_end, ..PipelineOptions::default() };
    let started = Pipeline::start_with(&config, Arc::new(LogObserver), options);
    let result = started.and_then(|pipeline| serve(pipeline, path, began));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::from(FAILED)
        }
    }
}

/// Makes a panic end the process also where it would unwind. The release build aborts by its profile (`panic = "abort"`); in other
/// builds tokio would catch the panic of a task and go on without it, and a lane would stop without a word. The next process
/// reads again from the committed offset.
fn end_process_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

/// Reads the configuration and starts the log as it says.
fn read(named: Option<&Path>) -> Result<(PathBuf, Config), String> {
    let path = configuration::find(named).map_err(|not_found| not_found.to_string())?;
    let loaded = configuration::read(&path).map_err(|errors| errors.to_string())?;
    crate::log::start(loaded.config.log);
    for warning in &loaded.warnings {
        // The excerpt below the first line is for terminals.
        warn!("{}", warning.to_string().lines().next().unwrap_or_default());
    }
    if loaded.config.dead_letter.is_none() {
        warn!(
            "no dead letter is configured: a rejected record is counted, logged with its coordinates and skipped"
        );
    }
    Ok((path, loaded.config))
}

/// Waits for a signal or for the pipeline to end by itself, then for the end; meanwhile reloads when it is asked to.
fn serve(mut pipeline: Pipeline, path: PathBuf, began: Instant) -> Result<(), PipelineError> {
    let signals = Signals::listen(&pipeline)?;
    let mut reloads = Reloads::listen(&pipeline, path, &signals.stop)?;
    systemd::tell_ready();
    while !signals.stop.load(Ordering::Relaxed) && !pipeline.is_finished() {
        reloads.turn(&mut pipeline);
        std::thread::sleep(Duration::from_millis(20));
    }
    let by_itself = pipeline.is_finished();
    if !by_itself {
        info!("stopping: writing what is open, committing, leaving the group");
        systemd::tell_stopping(pipeline.shutdown_max());
        if !pipeline.stop_and_wait(|| signals.again.load(Ordering::Relaxed)) {
            warn!("leaving at once: what was not committed is read again at the next start");
            // Destroying the client could wait for a broker that is gone; the system takes everything back.
            std::process::exit(0);
        }
    }
    let (counters, writer) = (Arc::clone(&pipeline.counters), Arc::clone(&pipeline.writer));
    pipeline.join()?;
    if by_itself {
        summary::log_totals(&counters, &writer, began);
    } else {
        info!("stopped");
    }
    Ok(())
}

/// Signals closer together are one wish: some senders signal a process and its group at once.
const SIGNALS_APART_MIN: Duration = Duration::from_millis(300);

/// SIGTERM and Ctrl-C, and whether one came again.
pub struct Signals {
    pub stop: Arc<AtomicBool>,
    pub again: Arc<AtomicBool>,
}

impl Signals {
    pub fn listen(pipeline: &Pipeline) -> Result<Self, PipelineError> {
        let (stop, again) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let _runtime = pipeline.runtime().enter();
        let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let signals = Self { stop: Arc::clone(&stop), again: Arc::clone(&again) };
        pipeline.runtime().spawn(async move {
            let mut first: Option<Instant> = None;
            loop {
                tokio::select! {
                    _ = term.recv() => {}
                    _ = interrupt.recv() => {}
                }
                stop.store(true, Ordering::Relaxed);
                let since = first.get_or_insert_with(Instant::now);
                if since.elapsed() >= SIGNALS_APART_MIN {
                    again.store(true, Ordering::Relaxed);
                }
            }
        });
        Ok(signals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    const CHILD: &str = "BRIDGE_TEST_PANICS_IN_A_TASK";
    const SIGABRT: i32 = 6;

    /// In a process of its own: this test calls itself there.
    #[test]
    fn a_panic_in_a_task_ends_the_process() {
        let name = "command::run::tests::a_panic_in_a_task_ends_the_process";
        if std::env::var_os(CHILD).is_some() {
            end_process_on_panic();
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
            let task = runtime.spawn(async { panic!("a broken invariant") });
            let _caught = runtime.block_on(task);
            // Reached only if the runtime caught the panic.
            std::process::exit(0);
        }
        let mut child = Command::new(std::env::current_exe().unwrap());
        let output = child.args([name, "--exact", "--nocapture"]).env(CHILD, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(SIGABRT), "{:?} {said}", output.status);
        assert!(said.contains("a broken invariant"), "{said}");
    }
}
