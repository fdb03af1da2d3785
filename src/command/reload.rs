//! SIGHUP: `run` reads its configuration again.

use crate::pipeline::{Pipeline, ReloadOutcome};
use engine::telemetry::Counters;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

/// Reloads when it is asked to, one after another.
pub struct Reloads {
    path: PathBuf,
    asked: Arc<AtomicBool>,
}

impl Reloads {
    /// Listens for SIGHUP from now on. One that comes with the end of its terminal asks to stop, as everywhere.
    pub fn listen(pipeline: &Pipeline, path: PathBuf, stop: &Arc<AtomicBool>) -> io::Result<Self> {
        let is_terminal = || io::stderr().is_terminal();
        let had_terminal = is_terminal();
        let asked = Arc::<AtomicBool>::default();
        let _runtime = pipeline.runtime().enter();
        let mut hangup = signal(SignalKind::hangup())?;
        let (ask, stop) = (Arc::clone(&asked), Arc::clone(stop));
        pipeline.runtime().spawn(async move {
            while hangup.recv().await.is_some() {
                let wish = if had_terminal && !is_terminal() { &stop } else { &ask };
                wish.store(true, Ordering::Relaxed);
            }
        });
        Ok(Self { path, asked })
    }

    /// Begins a reload that was asked for, and tells of one that is done.
    pub fn turn(&mut self, pipeline: &mut Pipeline) {
        let counters = Arc::clone(&pipeline.counters);
        if let Some(reloaded) = pipeline.take_reloaded() {
            info!(
                took = ?reloaded.took,
                read_again = reloaded.read_again,
                "configuration reloaded: {}",
                reloaded.changes
            );
            count(&counters, &counters.reloads.applied, false);
        }
        if pipeline.is_reloading() || !self.asked.swap(false, Ordering::Relaxed) {
            return;
        }
        info!(config = %self.path.display(), "reading the configuration again");
        match self.reload(pipeline) {
            Ok(ReloadOutcome::Begun) => {}
            Ok(ReloadOutcome::NothingChanged) => {
                info!("nothing changed in the configuration");
                count(&counters, &counters.reloads.unchanged, false);
            }
            Ok(ReloadOutcome::BlocksLifted { topics }) => {
                let topics = topics.into_iter().collect::<Vec<_>>().join(" ");
                info!(
                    topics,
                    "nothing changed in the configuration; blocked topics are read again from their committed offsets"
                );
                count(&counters, &counters.reloads.unchanged, false);
            }
            Err(Refused) => count(&counters, &counters.reloads.refused, true),
        }
    }

    /// Everything that is wrong is told.
    fn reload(&self, pipeline: &mut Pipeline) -> Result<ReloadOutcome, Refused> {
        let loaded = configuration::read(&self.path).map_err(|errors| {
            for problem in &errors.errors {
                error!("{problem}");
            }
            error!(
                errors = errors.errors.len(),
                "the configuration is wrong and is not reloaded: the old one stays"
            );
            Refused
        })?;
        for warning in &loaded.warnings {
            // The excerpt below the first line is for terminals.
            warn!("{}", warning.to_string().lines().next().unwrap_or_default());
        }
        pipeline.reload(&loaded.config).map_err(|why| {
            error!("the configuration is not reloaded, the old one stays: {why}");
            Refused
        })
    }
}

fn count(counters: &Counters, outcome: &AtomicU64, is_refused: bool) {
    Counters::add(outcome, 1);
    counters.reloads.last_refused.store(is_refused, Ordering::Relaxed);
}

/// The old configuration stays; the reason is told.
struct Refused;
