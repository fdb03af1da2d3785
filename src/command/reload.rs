//! Reloads of the configuration on SIGHUP.

use crate::pipeline::{Pipeline, ReloadOutcome};
use engine::telemetry::Counters;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

/// Runs requested reloads one after another.
pub struct ReloadListener {
    path: PathBuf,
    requested: Arc<AtomicBool>,
}

impl ReloadListener {
    /// Handles SIGHUP from now on. A SIGHUP sent because the terminal was closed stops the process, as is usual.
    pub fn listen(pipeline: &Pipeline, path: PathBuf, stop: &Arc<AtomicBool>) -> io::Result<Self> {
        let is_terminal = || io::stderr().is_terminal();
        let had_terminal = is_terminal();
        let requested = Arc::<AtomicBool>::default();
        let _runtime = pipeline.runtime().enter();
        let mut hangup = signal(SignalKind::hangup())?;
        let (reload, stop) = (Arc::clone(&requested), Arc::clone(stop));
        pipeline.runtime().spawn(async move {
            while hangup.recv().await.is_some() {
                let request = if had_terminal && !is_terminal() { &stop } else { &reload };
                request.store(true, Ordering::Relaxed);
            }
        });
        Ok(Self { path, requested })
    }

    /// Starts a requested reload, and logs a finished one.
    pub fn turn(&mut self, pipeline: &mut Pipeline) {
        let counters = Arc::clone(pipeline.counters());
        if let Some(reloaded) = pipeline.take_reloaded() {
            info!(
                took = ?reloaded.took,
                read_again = reloaded.reread,
                "configuration reloaded: {}",
                reloaded.changes
            );
            count(&counters, &counters.reloads.applied, false);
        }
        if pipeline.is_reloading() || !self.requested.swap(false, Ordering::Relaxed) {
            return;
        }
        info!(config = %self.path.display(), "reading the configuration again");
        match self.reload(pipeline) {
            Ok(ReloadOutcome::Begun) => {}
            Ok(ReloadOutcome::NothingChanged) => {
                info!("the configuration is unchanged");
                count(&counters, &counters.reloads.unchanged, false);
            }
            Ok(ReloadOutcome::BlocksLifted { topics }) => {
                let topics = topics.into_iter().collect::<Vec<_>>().join(" ");
                info!(
                    topics,
                    "the configuration is unchanged; blocked topics are read again from their first unsettled record"
                );
                count(&counters, &counters.reloads.unchanged, false);
            }
            Err(Refused) => count(&counters, &counters.reloads.refused, true),
        }
    }

    /// Logs all errors of a refused configuration.
    fn reload(&self, pipeline: &mut Pipeline) -> Result<ReloadOutcome, Refused> {
        let loaded = configuration::load_with_warnings(&self.path).map_err(|errors| {
            for problem in &errors.errors {
                error!("{problem}");
            }
            error!(
                errors = errors.errors.len(),
                "the configuration has errors and is not reloaded: the bridge keeps the old one"
            );
            Refused
        })?;
        for warning in &loaded.warnings {
            // The lines after the first are an excerpt of the file for terminals.
            warn!("{}", warning.to_string().lines().next().unwrap_or_default());
        }
        pipeline.reload(&loaded.config).map_err(|why| {
            error!("the configuration is not reloaded, the bridge keeps the old one: {why}");
            Refused
        })
    }
}

fn count(counters: &Counters, outcome: &AtomicU64, is_refused: bool) {
    Counters::add(outcome, 1);
    counters.reloads.last_refused.store(is_refused, Ordering::Relaxed);
}

/// The reload was refused, and the reason is logged.
struct Refused;
