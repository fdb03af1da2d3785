//! `map`: shows the lines that records become, from files or from a topic, without writing anything.

mod dry_run;
mod field_types;
mod live;

use super::config_file::ConfigFile;
use super::exit::{REJECTED, WRONG};
use crate::terminal::report;
use dry_run::{DryRun, MapError};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Arguments of the command.
#[derive(Debug, Default, clap::Args)]
pub struct MapOptions {
    #[command(flatten)]
    config: ConfigFile,
    /// Topic of the records, which selects the mapping [default: the first of `kafka.topics`]
    #[arg(long)]
    topic: Option<String>,
    /// Kafka timestamp of all records, in nanoseconds since 1970 [default: lines have no timestamp]
    #[arg(long, value_name = "NS", allow_hyphen_values = true)]
    timestamp: Option<i64>,
    /// Read the topic for this number of seconds, from its last records on, without joining the group or committing
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["files", "timestamp"])]
    live: Option<u64>,
    /// Files of records, one per line or pretty-printed [default: standard input]
    files: Vec<PathBuf>,
}

/// Maps records and prints their lines. Rejections go to standard error as `FILE:LINE: reason`.
pub fn map(options: &MapOptions) -> ExitCode {
    match dry_run(options) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(REJECTED),
        // The reader of the lines has closed the output.
        Err(MapError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            report!("{error}");
            ExitCode::from(WRONG)
        }
    }
}

fn dry_run(options: &MapOptions) -> Result<usize, MapError> {
    let path = configuration::find(options.config.named()).map_err(|e| MapError::Config(e.to_string()))?;
    // Nothing is written, so no token is needed.
    let config = configuration::load_without_secrets(&path).map_err(|e| MapError::Config(e.to_string()))?;
    let topic =
        options.topic.clone().or_else(|| config.topic_names().next().cloned()).ok_or(MapError::NoTopic)?;
    let run = DryRun::new(&config, &topic, options.timestamp)?;
    match options.live {
        Some(seconds) => live::read(run, &config.kafka, &topic, Duration::from_secs(seconds)),
        None => run.files(&options.files),
    }
}
