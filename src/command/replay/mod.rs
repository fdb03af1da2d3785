//! `replay-dead-letters`: maps dead letters with the current configuration, and writes the lines to InfluxDB or, in a dry run, to
//! standard output. Letters are only read, and replaying a letter twice gives the same points.

mod batches;
mod tally;

use super::config_file::ConfigFile;
use super::exit::{FAILED, NOT_ALL_STORED, WRONG};
use crate::pipeline;
use crate::routing;
use crate::signals::Signals;
use crate::terminal::{ProgressBar, report};
use base::text::printable;
use batches::{Batches, Closed, Letters};
use configuration::Config;
use engine::consumer::THREADS_REMEDY;
use engine::dead_letter::{
    DeadLetterStore, FoundLetter, LetterEntry, LetterReader, NextLetter, ReadingError, with_full_files,
};
use influx::{BatchLines, ClientError, Delivered, LaneWriter, LogObserver};
use schema_registry::RegistryError;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tally::Tally;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub struct ReplayOptions {
    #[command(flatten)]
    config: ConfigFile,
    /// Read a dead-letter topic up to its present end [default: the topic of `[dead_letter]`]
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with = "files")]
    topic: Option<String>,
    /// Show the lines instead of writing them
    #[arg(long)]
    dry_run: bool,
    /// Files of dead letters [default: the file or topic of `[dead_letter]`, and the file's full predecessors]
    files: Vec<PathBuf>,
}

#[derive(Debug, Error)]
enum ReplayError {
    #[error("{0}")]
    Config(String),
    #[error("no topic to read: [dead_letter] names no topic; name one with --topic NAME")]
    NoTopic,
    #[error(
        "no dead letters to read: the configuration has no [dead_letter]; name a file, or a topic with --topic NAME"
    )]
    NoStore,
    #[error(transparent)]
    LetterReader(#[from] ReadingError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("threads can't be started: {0}; {remedy}", remedy = THREADS_REMEDY)]
    Threads(#[source] io::Error),
    #[error("the lines can't be shown: {0}")]
    Output(#[source] io::Error),
}

/// Exit status 0 if all letters are stored, 1 if a letter is still rejected or refused, truncated or unreadable.
pub fn replay(options: &ReplayOptions) -> ExitCode {
    match run(options) {
        Ok(tally) if tally.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(NOT_ALL_STORED),
        // The reader of the lines has closed the output.
        Err(ReplayError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            report!("{error}");
            let is_wrong = matches!(
                error,
                ReplayError::Config(_)
                    | ReplayError::NoTopic
                    | ReplayError::NoStore
                    | ReplayError::Client(_)
                    | ReplayError::LetterReader(ReadingError::NoTopic(_) | ReadingError::File { .. })
            );
            ExitCode::from(if is_wrong { WRONG } else { FAILED })
        }
    }
}

fn run(options: &ReplayOptions) -> Result<Tally, ReplayError> {
    let wrong = |error: &dyn std::error::Error| ReplayError::Config(error.to_string());
    let path = configuration::find(options.config.named()).map_err(|error| wrong(&error))?;
    let load = if options.dry_run { configuration::load_without_secrets } else { configuration::load };
    let config = load(&path).map_err(|error| wrong(&error))?;
    let (mut reading, source) = open(options, &config)?;
    let bar = ProgressBar::new();
    let log = bar.clone();
    crate::log::start_to(config.log, move || {
        log.erase();
        io::stderr()
    });
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(ReplayError::Threads)?;
    let signals = Signals::listen(&runtime).map_err(ReplayError::Threads)?;
    let outlet = if options.dry_run {
        Outlet::Output
    } else {
        let writer = pipeline::writer(&config, Arc::new(LogObserver))?;
        Outlet::Influx(Box::new(writer.lane(fastrand::u64(..))))
    };
    let batches = Batches::new(&config, routing::waiting_for_schemas(&config)?);
    let mut replay = Replay { batches, outlet, runtime, signals, bar, tally: Tally::default() };
    let result = replay.all(&mut reading);
    let tally = replay.finish(&source, options.dry_run);
    result.map(|()| tally)
}

/// Opens the source of letters, and returns its name for messages.
fn open(options: &ReplayOptions, config: &Config) -> Result<(LetterReader, String), ReplayError> {
    let is_default = options.topic.is_none() && options.files.is_empty();
    if let Some(store) = config.dead_letter.as_ref().filter(|_| is_default) {
        report!("no argument: reading the dead letters of the {store}, from [dead_letter]");
    }
    let files = |files: &[PathBuf]| {
        let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
        Ok((LetterReader::files(files)?, names.join(", ")))
    };
    let topic = match (options.topic.as_deref(), &config.dead_letter) {
        (None, _) if !is_default => return files(&options.files),
        (None, Some(DeadLetterStore::File { path, .. })) => return files(&with_full_files(path)),
        (None, None) => return Err(ReplayError::NoStore),
        (None | Some(""), Some(DeadLetterStore::Topic(topic))) => topic,
        (Some(""), _) => return Err(ReplayError::NoTopic),
        (Some(topic), _) => topic,
    };
    Ok((LetterReader::topic(&config.kafka, topic)?, format!("topic {topic}")))
}

/// Destination of the lines.
enum Outlet {
    Influx(Box<LaneWriter>),
    Output,
}

struct Replay {
    batches: Batches,
    outlet: Outlet,
    runtime: Runtime,
    signals: Signals,
    bar: ProgressBar,
    tally: Tally,
}

impl Replay {
    /// Replays all letters, unless interrupted.
    fn all(&mut self, reading: &mut LetterReader) -> Result<(), ReplayError> {
        while !self.signals.stop_requested() {
            match reading.read()? {
                NextLetter::Entry(item) => self.take(&item),
                NextLetter::Later => {}
                NextLetter::End => return self.flush(),
            }
            if self.batches.is_full() {
                self.flush()?;
            }
            let tally = &self.tally;
            self.bar.show(reading.progress(), || tally.so_far());
        }
        self.tally.is_interrupted = true;
        Ok(())
    }

    fn take(&mut self, item: &LetterEntry) {
        self.tally.letters += 1;
        let place = &item.place;
        let FoundLetter { letter, truncated } = match &item.found {
            Ok(found) => found,
            Err(why) => {
                self.tally.unreadable += 1;
                return self.bar.print(&format!("{place}: {}", printable(why, 500)));
            }
        };
        let name =
            || format!("{place}: {}[{}]@{}", printable(&letter.topic, 300), letter.partition, letter.offset);
        if *truncated {
            self.tally.truncated += 1;
            self.bar.print(&format!("{}: its record is truncated", name()));
            // Lines in the letter are complete.
            if letter.lines.is_none() {
                return;
            }
        }
        let mapped = self.batches.take(letter, name);
        match mapped.rejected {
            Some((reason, descriptions)) => {
                *self.tally.rejected.entry(reason).or_default() += 1;
                for why in descriptions {
                    self.bar.print(&format!("{}: {why}", name()));
                }
            }
            None => self.tally.filtered += u64::from(mapped.lines == 0),
        }
    }

    /// Writes all open batches; waits while InfluxDB does not accept them.
    fn flush(&mut self) -> Result<(), ReplayError> {
        for batch in self.batches.close() {
            let Outlet::Influx(lane) = &mut self.outlet else {
                self.bar.erase();
                io::stdout().lock().write_all(batch.lines.text()).map_err(ReplayError::Output)?;
                self.tally.written(&batch.letters, batch.lines.len());
                continue;
            };
            let Closed { destination, lines, letters } = batch;
            let lines = BatchLines::Plain(lines);
            let delivered = self.runtime.block_on(async {
                tokio::select! {
                    delivered = lane.deliver(&destination, &lines) => Some(delivered),
                    () = self.signals.stopped() => None,
                }
            });
            let Some(delivered) = delivered else {
                self.tally.is_interrupted = true;
                return Ok(());
            };
            self.count(&letters, delivered);
        }
        Ok(())
    }

    /// Counts the letters of a batch by what became of their lines; one with refused lines and lines that a limit keeps out is refused.
    fn count(&mut self, letters: &Letters, delivered: Delivered) {
        // A new kind of lines that are not stored has to be counted here.
        let Delivered {
            lines_stored,
            refused,
            kept_out,
            requests: _,
            bytes_sent: _,
            answer_time: _,
            request_bytes_max: _,
            is_grouped: _,
            further_requests: _,
        } = delivered;
        self.tally.written(letters, lines_stored);
        let mut refused_letters = BTreeSet::new();
        for line in refused {
            let letter = letters.of_line(line.line);
            self.bar.print(&format!("{letter}: InfluxDB refuses a line: {}", line.why));
            refused_letters.insert(letter);
        }
        let mut limited_letters = BTreeSet::new();
        for line in kept_out {
            let letter = letters.of_line(line.line);
            self.bar.print(&format!(
                "{letter}: a limit of InfluxDB keeps a line out: {}: {}",
                line.why, line.remedy
            ));
            limited_letters.insert(letter);
        }
        let limited = limited_letters.difference(&refused_letters).count() as u64;
        let refused = refused_letters.len() as u64;
        self.tally.refused += refused;
        self.tally.limited += limited;
        self.tally.replayed -= refused + limited;
    }

    fn finish(self, source: &str, dry_run: bool) -> Tally {
        self.bar.print(&self.tally.summary(source, dry_run));
        // A pending request must not delay the end.
        self.runtime.shutdown_background();
        self.tally
    }
}
