//! Reload of a running pipeline: the group members stay, and everything after them is replaced.

use super::lane_limits::lane_limits;
use super::{
    DestinationChecks, Pipeline, client, dead_letter_context, delays_of, lanes_of_all_consumers, registry,
    writer_options,
};
use crate::admin::ShownConfig;
use crate::routing;
use base::Destination;
use configuration::{Config, LiveChanges, NeedsRestart};
use engine::dead_letter::DeadLetterError;
use engine::{
    DESTINATIONS_WITH_LANES, DataThreadRequest, DeadLetterContext, EngineContext, Reload, ReloadApplied,
    Routing, blocked_topic,
};
use influx::{ClientError, Writer};
use schema_registry::{Registry, RegistryError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};
use thiserror::Error;

/// The reason why a reload is refused and the old configuration stays.
#[derive(Debug, Error)]
pub enum ReloadError {
    #[error(transparent)]
    NeedsRestart(#[from] NeedsRestart),
    #[error("a run until the end keeps the configuration that it began with: stop it, and start it again")]
    UntilEnd,
    #[error("another reload is under way: request it again when that one is done")]
    UnderWay,
    #[error(
        "the buckets or databases of [[mapping]] and [influx] are {wanted} destinations, and the bridge reserved memory for {max} at its start: \
         the old configuration stays; restart the bridge to apply the new one"
    )]
    Destinations { wanted: usize, max: usize },
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    DeadLetter(#[from] DeadLetterError),
}

/// The outcome of a reload request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    NothingChanged,
    /// The configuration is unchanged. These topics were blocked, and are read again from their first unsettled record.
    BlocksLifted {
        topics: BTreeSet<String>,
    },
    /// The data threads apply the new configuration; [`Pipeline::take_reloaded`] reports the end.
    Begun,
}

/// A reload that all data threads have applied.
#[derive(Clone, Debug)]
pub struct Reloaded {
    pub changes: LiveChanges,
    pub took: Duration,
    /// Number of offsets that were fetched and not settled under the old configuration, and are read again.
    pub reread: u64,
}

/// A reload that not all data threads have applied yet.
pub(super) struct Reloading {
    changes: LiveChanges,
    began: Instant,
    applied: Receiver<ReloadApplied>,
    reread: u64,
    writer: Arc<Writer>,
    destinations: Vec<Destination>,
}

impl Pipeline {
    /// Applies a configuration once the fetched records are settled. On an error the old configuration stays.
    ///
    /// # Errors
    /// A changed key needs a restart, or the client or the dead letters can't be opened.
    pub fn reload(&mut self, config: &Config) -> Result<ReloadOutcome, ReloadError> {
        if self.is_reloading() {
            return Err(ReloadError::UnderWay);
        }
        let changes = self.config.changes_to(config)?;
        if changes.is_empty() {
            return Ok(self.lift_blocks());
        }
        if self.options.until_end {
            return Err(ReloadError::UntilEnd);
        }
        let context = self.context_for(config)?;
        crate::log::set_level(config.log.level);
        self.config = config.clone();
        let (done, applied) = channel();
        self.reloading = Some(Reloading {
            changes,
            began: Instant::now(),
            applied,
            reread: 0,
            writer: Arc::clone(&context.writer),
            destinations: context.routing.destinations(),
        });
        self.state.set_shown_config(ShownConfig::new(config, Arc::clone(&context.routing)));
        self.context = context;
        for (number, requests) in self.requests.iter().enumerate() {
            let context =
                EngineContext { seed: self.context.seed.wrapping_add(number as u64), ..self.context.clone() };
            // A data thread that has ended needs no reload.
            let _ended =
                requests.send(DataThreadRequest::Reload(Box::new(Reload { context, done: done.clone() })));
        }
        Ok(ReloadOutcome::Begun)
    }

    /// Lets blocked topics be read again from their first unsettled record: a SIGHUP may mean that the cause was fixed elsewhere.
    fn lift_blocks(&self) -> ReloadOutcome {
        let alarms = self.writer().alarms();
        let topics: BTreeSet<String> = alarms.iter().filter_map(blocked_topic).map(str::to_owned).collect();
        for requests in &self.requests {
            // A data thread that has ended has no blocked topics.
            let _ended = requests.send(DataThreadRequest::LiftBlocks);
        }
        if topics.is_empty() { ReloadOutcome::NothingChanged } else { ReloadOutcome::BlocksLifted { topics } }
    }

    pub fn is_reloading(&self) -> bool {
        self.reloading.is_some()
    }

    /// Returns the reload once all data threads have applied it, or have ended.
    pub fn take_reloaded(&mut self) -> Option<Reloaded> {
        let reloading = self.reloading.as_mut()?;
        loop {
            match reloading.applied.try_recv() {
                Ok(applied) => reloading.reread += applied.reread,
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => break,
            }
        }
        let Reloading { changes, began, reread, writer, destinations, .. } = self.reloading.take()?;
        // Lasting alarms are logged again at once, so that the effect of the new configuration is visible.
        writer.alarm_registry().forget_reports();
        self.destination_checks =
            DestinationChecks::start(&writer, destinations, &self.context.runtime, self.context.seed);
        Some(Reloaded { changes, took: began.elapsed(), reread })
    }

    /// The context of the data threads under a new configuration. Changes nothing if it fails.
    fn context_for(&self, config: &Config) -> Result<EngineContext, ReloadError> {
        let lanes_per_consumer_max = self.lanes_per_consumer_max.max(DESTINATIONS_WITH_LANES);
        let registry = self.registry_for(config)?;
        let routing = Arc::new(routing::of_service(config, registry.as_ref()).within(lanes_per_consumer_max));
        if routing.lanes_per_consumer() > lanes_per_consumer_max {
            let wanted = routing.destinations().len();
            return Err(ReloadError::Destinations { wanted, max: lanes_per_consumer_max });
        }
        let (client, dead_letters) =
            (client(config, self.options.connect_options)?, self.dead_letters_for(config, &routing)?);
        let lanes = lanes_of_all_consumers(config, &routing);
        let options = writer_options(config, delays_of(self.options.delays, lanes));
        self.context.budget.set_max(config.batch.memory_max);
        self.state.set_registry(registry);
        Ok(EngineContext {
            dead_letters,
            routing,
            limits: lane_limits(config, lanes),
            record_limits: config.record_limits(),
            writer: self.context.writer.replace_with(client, &config.influx, options),
            seed: self.context.seed.wrapping_mul(31),
            ..self.context.clone()
        })
    }

    /// The schema registry under a new configuration. An unchanged one stays, with the schemas that it has read.
    fn registry_for(&self, config: &Config) -> Result<Option<Registry>, RegistryError> {
        if self.config.schema_registry_stays(config) {
            return Ok(self.state.registry());
        }
        registry(config, &self.context.runtime)
    }

    /// Dead letters under a new configuration. An unchanged topic or file stays open, because only one writer may have it open.
    fn dead_letters_for(
        &self,
        config: &Config,
        routing: &Arc<Routing>,
    ) -> Result<Option<Arc<DeadLetterContext>>, DeadLetterError> {
        let open =
            self.context.dead_letters.as_ref().filter(|_| self.config.dead_letter == config.dead_letter);
        let open = open.map(|context| Arc::clone(&context.dead_letters));
        dead_letter_context(config, open, routing, &self.context.counters, &self.context.writer)
    }
}
