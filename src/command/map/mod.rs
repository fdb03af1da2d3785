//! `map`: shows the lines that records become, from files or from a topic, without writing anything.

mod dry_run;
mod field_types;
mod live;

use super::config_file::ConfigFile;
use super::exit::{NO_RECORDS, REJECTED, WRONG};
use crate::terminal::report;
use base::suggest::nearest;
use dry_run::{DryRun, MapError};
use kafka::Topics;
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
    #[arg(long, value_name = "NS", allow_hyphen_values = true, value_parser = nanoseconds)]
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
            ExitCode::from(if matches!(error, MapError::NoRecords { .. }) { NO_RECORDS } else { WRONG })
        }
    }
}

fn nanoseconds(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| {
        format!("write the time in nanoseconds since 1970 as a whole number, such as {EXAMPLE_NS}")
    })
}

const EXAMPLE_NS: &str = "1767225600123000000";

/// A warning for a number that is a time near the present in a larger unit than nanoseconds.
fn wrong_unit(timestamp: i64) -> Option<String> {
    let (unit, zeros) = match timestamp.unsigned_abs() {
        // From 1973 to 5138 in each unit.
        100_000_000..100_000_000_000 => ("seconds", "000000000"),
        100_000_000_000..100_000_000_000_000 => ("milliseconds", "000000"),
        100_000_000_000_000..100_000_000_000_000_000 => ("microseconds", "000"),
        _ => return None,
    };
    Some(format!(
        "--timestamp {timestamp} looks like {unit}, and the lines get a time in 1970: write nanoseconds, which are {timestamp}{zeros}"
    ))
}

/// A warning for a topic that `run` does not read.
fn not_read(topics: &Topics, topic: &str) -> Option<String> {
    if topics.is_match(topic) {
        return None;
    }
    let near = nearest(topic, topics.names.iter().map(String::as_str));
    let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
    Some(format!(
        "the topic {topic:?} is not in `kafka.topics`, and `run` would not read it: correct --topic, or add the topic{near}"
    ))
}

fn dry_run(options: &MapOptions) -> Result<usize, MapError> {
    dry_run::refuse_configuration(&options.files)?;
    let path = configuration::find(options.config.named()).map_err(|e| MapError::Config(e.to_string()))?;
    // Nothing is written, so no token is needed.
    let config = configuration::load_without_secrets(&path).map_err(|e| MapError::Config(e.to_string()))?;
    let topic =
        options.topic.clone().or_else(|| config.topic_names().next().cloned()).ok_or(MapError::NoTopic)?;
    let run = DryRun::new(&config, &topic, options.timestamp)?;
    if let Some(seconds) = options.live {
        return live::read(run, &config.kafka, &topic, Duration::from_secs(seconds));
    }
    let topic = not_read(&config.kafka.topics, &topic);
    for warning in topic.into_iter().chain(options.timestamp.and_then(wrong_unit)) {
        report!("{warning}");
    }
    run.files(&options.files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_a_number_of_nanoseconds() {
        assert_eq!(nanoseconds("-5"), Ok(-5));
        let why = nanoseconds("5s").unwrap_err();
        assert!(why.ends_with("such as 1767225600123000000"), "{why}");
        let f = |timestamp: i64, want: Option<&str>| {
            let got = wrong_unit(timestamp);
            assert_eq!(got.is_some(), want.is_some(), "{got:?}");
            assert!(got.unwrap_or_default().contains(want.unwrap_or_default()));
        };
        f(0, None);
        f(5, None);
        f(1_767_225_600, Some("1767225600 looks like seconds, and the lines get a time in 1970"));
        f(1_767_225_600, Some("which are 1767225600000000000"));
        f(1_767_225_600_123, Some("milliseconds"));
        f(1_767_225_600_123_456, Some("microseconds"));
        f(1_767_225_600_123_456_789, None);
    }

    #[test]
    fn a_topic_that_is_not_read_is_named_with_the_nearest() {
        let topics = Topics { names: vec!["testtopic".to_owned()], ..Topics::default() };
        assert_eq!(not_read(&topics, "testtopic"), None);
        let warning = not_read(&topics, "testtopc").unwrap();
        assert!(warning.contains("\"testtopc\" is not in `kafka.topics`"), "{warning}");
        assert!(warning.ends_with("did you mean \"testtopic\"?"), "{warning}");
        assert!(!not_read(&topics, "other").unwrap().contains("did you mean"));
    }
}
