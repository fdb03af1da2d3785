//! Another configuration for a pipeline that runs: the group goes on as it is, what comes after it is made anew.

use super::{Pipeline, Preparing, client, delays_of, letter_context, limits, writer_options};
use crate::admin::About;
use base::Destination;
use configuration::{Changes, Config, NeedsRestart};
use engine::dead_letter::DeadLetterError;
use engine::{
    DESTINATIONS_WITH_LANES, LetterContext, Reload, Request, Routing, Shared, Switched, blocked_topic,
};
use influx::{ClientError, Writer};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Why the configuration that runs stays.
#[derive(Debug, Error)]
pub enum ReloadError {
    #[error(transparent)]
    NeedsRestart(#[from] NeedsRestart),
    #[error("a run until the end keeps the configuration that it began with: stop it, and start it again")]
    UntilEnd,
    #[error("another reload is under way: ask again when it is done")]
    UnderWay,
    #[error(
        "{wanted} destinations want more memory than was shared out at the start, which is enough for {max}: restart the bridge to apply it"
    )]
    Destinations { wanted: usize, max: usize },
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    DeadLetter(#[from] DeadLetterError),
}

/// What came of asking for a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    NothingChanged,
    /// The configuration is the same; these topics were blocked, and are read again from their committed offsets.
    BlocksLifted {
        topics: BTreeSet<String>,
    },
    /// It is handed to the data threads; [`Pipeline::take_reloaded`] says when they use it.
    Begun,
}

/// Another configuration is used from now on.
#[derive(Clone, Debug)]
pub struct Reloaded {
    pub changes: Changes,
    pub took: Duration,
    /// Records, by their offsets, that were taken and not settled under the old one.
    pub read_again: u64,
}

/// A reload that data threads have not all taken up yet.
pub(super) struct Reloading {
    changes: Changes,
    began: Instant,
    switched: Receiver<Switched>,
    read_again: u64,
    writer: Arc<Writer>,
    destinations: Vec<Destination>,
}

impl Pipeline {
    /// Goes on by this configuration once what was taken before is settled. Where that can't be, the old one stays as it is.
    ///
    /// # Errors
    /// It says something that wants a restart, or its server or dead letters can't be opened.
    pub fn reload(&mut self, config: &Config) -> Result<Asked, ReloadError> {
        if self.is_reloading() {
            return Err(ReloadError::UnderWay);
        }
        let changes = self.config.changes_to(config)?;
        if changes.is_empty() {
            return Ok(self.lift_blocks());
        }
        if self.until_end {
            return Err(ReloadError::UntilEnd);
        }
        let shared = self.shared_by(config)?;
        crate::log::set_level(config.log.level);
        self.shutdown_max = config.shutdown_max;
        self.config = config.clone();
        let (done, switched) = channel();
        self.reloading = Some(Reloading {
            changes,
            began: Instant::now(),
            switched,
            read_again: 0,
            writer: Arc::clone(&shared.writer),
            destinations: shared.routing.destinations(),
        });
        self.watched.set_about(About::new(config, shared.routing.destinations()));
        self.shared = shared;
        for (number, requests) in self.requests.iter().enumerate() {
            let shared = Shared { seed: self.shared.seed.wrapping_add(number as u64), ..self.shared.clone() };
            // A data thread that has ended takes up nothing any more.
            let _ended = requests.send(Request::Reload(Reload { shared, done: done.clone() }));
        }
        Ok(Asked::Begun)
    }

    /// Has blocked topics read again from their committed offsets: whoever asks for a reload may have mended the cause elsewhere.
    fn lift_blocks(&self) -> Asked {
        let alarms = self.writer.alarms();
        let topics: BTreeSet<String> = alarms.iter().filter_map(blocked_topic).map(str::to_owned).collect();
        for requests in &self.requests {
            // A data thread that has ended has no blocked topics any more.
            let _ended = requests.send(Request::LiftBlocks);
        }
        if topics.is_empty() { Asked::NothingChanged } else { Asked::BlocksLifted { topics } }
    }

    pub fn is_reloading(&self) -> bool {
        self.reloading.is_some()
    }

    /// The reload that was asked for, once all data threads have taken it up, or have ended.
    pub fn take_reloaded(&mut self) -> Option<Reloaded> {
        let reloading = self.reloading.as_mut()?;
        loop {
            match reloading.switched.try_recv() {
                Ok(switched) => reloading.read_again += switched.read_again,
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => break,
            }
        }
        let Reloading { changes, began, read_again, writer, destinations, .. } = self.reloading.take()?;
        // What lasts is said again, at once: somebody waits to see whether the new configuration mends it.
        writer.alarm_registry().forget_reports();
        self.preparing = Preparing::start(&writer, destinations, &self.shared.runtime, self.shared.seed);
        Some(Reloaded { changes, took: began.elapsed(), read_again })
    }

    /// What data threads share by another configuration. Nothing has changed if it fails.
    fn shared_by(&self, config: &Config) -> Result<Shared, ReloadError> {
        let lanes_max = self.lanes_max.max(DESTINATIONS_WITH_LANES);
        let routing = Arc::new(config.routing().within(lanes_max));
        if routing.lanes() > lanes_max {
            let wanted = routing.destinations().len();
            return Err(ReloadError::Destinations { wanted, max: lanes_max });
        }
        let (client, letters) = (client(config, self.dialing)?, self.letters_by(config, &routing)?);
        let lanes = routing.lanes() * config.kafka.consumers;
        let options = writer_options(config, delays_of(self.delays, lanes));
        self.shared.budget.set_max(config.batch.memory_max);
        Ok(Shared {
            letters,
            routing,
            limits: limits(config, lanes),
            record_limits: config.record_limits(),
            writer: self.shared.writer.replace_client(client, &config.influx, options),
            seed: self.shared.seed.wrapping_mul(31),
            ..self.shared.clone()
        })
    }

    /// The same topic or file stays open: it is this process's alone.
    fn letters_by(
        &self,
        config: &Config,
        routing: &Arc<Routing>,
    ) -> Result<Option<Arc<LetterContext>>, DeadLetterError> {
        let open = self.shared.letters.as_ref().filter(|_| self.config.dead_letter == config.dead_letter);
        let open = open.map(|dispatcher| Arc::clone(&dispatcher.letters));
        letter_context(config, open, routing, &self.shared.counters, &self.shared.writer)
    }
}
