//! `run`: the service.

use super::exit::{FAILED, WRONG};
use super::reload::ReloadListener;
use crate::pipeline::{Pipeline, PipelineError, PipelineOptions};
use crate::signals::Signals;
use crate::systemd;
use crate::terminal::report;
use configuration::Config;
use engine::consumer::THREADS_REMEDY;
use engine::telemetry::summary;
use influx::LogObserver;
use kafka::GroupProtocol;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// The refusal of a run until the end with the group protocol of the brokers.
const UNTIL_END_NEEDS_CLASSIC: &str = "--until-end needs group_protocol = \"classic\" in [kafka]: with \"consumer\" a member without partitions is not told \
     that it has none, so the run might never end";

/// Runs until a signal or a failure, or with `until_end` until all records that are in Kafka at the start are settled.
pub fn run(named: Option<&Path>, until_end: bool) -> ExitCode {
    let began = Instant::now();
    let (path, config) = match read(named) {
        Ok(read) => read,
        Err(text) => {
            report!("{text}");
            return ExitCode::from(WRONG);
        }
    };
    if until_end && config.kafka.group_protocol == GroupProtocol::Consumer {
        report!("{UNTIL_END_NEEDS_CLASSIC}");
        return ExitCode::from(WRONG);
    }
    end_process_on_panic();
    // Before the first message, to which someone may react with a signal.
    let signals = match Signals::listen_on_own_thread() {
        Ok(signals) => signals,
        Err(error) => {
            report!("signals can't be handled: {error}; {THREADS_REMEDY}");
            return ExitCode::from(FAILED);
        }
    };
    info!(version = env!("CARGO_PKG_VERSION"), config = %path.display(), "kafka-influx-bridge starts");
    let options = PipelineOptions { until_end, ..PipelineOptions::default() };
    let started = Pipeline::start_with(&config, Arc::new(LogObserver), options);
    let result = started.and_then(|pipeline| serve(pipeline, &signals, path, began));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::from(FAILED)
        }
    }
}

/// Makes each panic end the process, so that the next process reads again from the committed offset. The release profile aborts
/// by itself (`panic = "abort"`). In other builds tokio would catch the panic of a task, and its lane would stop silently.
fn end_process_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

/// Reads the configuration and starts the log.
fn read(named: Option<&Path>) -> Result<(PathBuf, Config), String> {
    let path = configuration::find(named).map_err(|not_found| not_found.to_string())?;
    let loaded = configuration::load_with_warnings(&path).map_err(|errors| errors.to_string())?;
    crate::log::start(loaded.config.log);
    for warning in &loaded.warnings {
        // The lines after the first are an excerpt of the file for terminals.
        warn!("{}", warning.to_string().lines().next().unwrap_or_default());
    }
    if loaded.config.dead_letter.is_none() {
        warn!(
            "[dead_letter] is not set: a record that cannot be stored is counted, logged with topic, partition and offset, and skipped; to keep such records set dead_letter.file or dead_letter.topic"
        );
    }
    Ok((path, loaded.config))
}

/// Serves until a signal, or until the pipeline ends by itself; reloads on SIGHUP.
fn serve(
    mut pipeline: Pipeline,
    signals: &Signals,
    path: PathBuf,
    began: Instant,
) -> Result<(), PipelineError> {
    let mut reloads = ReloadListener::listen(&pipeline, path, &signals.stop)?;
    systemd::notify_ready();
    while !signals.stop_requested() && !pipeline.is_finished() {
        reloads.turn(&mut pipeline);
        std::thread::sleep(Duration::from_millis(20));
    }
    let by_itself = pipeline.is_finished();
    if !by_itself {
        info!("stopping: writing open batches, committing, leaving the group");
        systemd::notify_stopping(pipeline.shutdown_max());
        if !pipeline.stop_and_wait(|| signals.again.load(Ordering::Relaxed)) {
            warn!("stopping at once: uncommitted records are read again at the next start");
            summary::log_totals(pipeline.counters(), pipeline.writer(), began, false);
            // Destroying the client could block on an unreachable broker.
            std::process::exit(0);
        }
    }
    let (counters, writer) = (Arc::clone(pipeline.counters()), Arc::clone(pipeline.writer()));
    pipeline.join()?;
    summary::log_totals(&counters, &writer, began, by_itself);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    const CHILD: &str = "BRIDGE_TEST_PANICS_IN_A_TASK";
    const SIGABRT: i32 = 6;

    /// The test calls itself in another process.
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
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(SIGABRT), "{:?} {stderr}", output.status);
        assert!(stderr.contains("a broken invariant"), "{stderr}");
    }
}
