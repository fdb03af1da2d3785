//! Maps records with the new configuration, without servers.

use crate::Bridge;
use base::record::{Record, RecordTime};
use configuration::draft::Draft;
use configuration::{Config, ConfigErrors};
use line_protocol::LineBuffer;
use line_protocol::reader::split_lines;
use mapping::{Mapper, Rules};
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

/// Maps records as the bridge would. Without a time key, lines have no time.
pub struct DryRun {
    mapper: Mapper,
    rules: Arc<Rules>,
    offset: i64,
}

/// Why the new configuration cannot map records.
#[derive(Debug, Error)]
pub enum DryRunError {
    #[error(
        "the new configuration still has errors:
{0}"
    )]
    Config(#[from] ConfigErrors),
    #[error("no [[mapping]] takes the topic {0:?}, the example for the first input")]
    NoMapping(String),
}

/// The lines of a record, or the reason for its rejection.
pub type Became = Result<Vec<String>, String>;

impl DryRun {
    /// # Errors
    /// The mappings have errors, or none takes the topic.
    pub fn new(bridge: &Bridge, topic: &str) -> Result<Self, DryRunError> {
        let config = mappings_only(bridge)?;
        let mapping = config.mappings.iter().find(|mapping| mapping.is_match(topic));
        let mapping = mapping.ok_or_else(|| DryRunError::NoMapping(topic.to_owned()))?;
        let mapper = Mapper::new(Arc::clone(&mapping.rules), topic, config.record_limits());
        Ok(Self { mapper, rules: Arc::clone(&mapping.rules), offset: 0 })
    }

    /// The rules of the mapping, by which a file has records.
    #[must_use]
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    pub fn map(&mut self, record: &[u8]) -> Became {
        self.map_with_headers(record, &[])
    }

    /// Maps a record that has headers.
    pub fn map_with_headers(&mut self, record: &[u8], headers: &[(&str, &[u8])]) -> Became {
        let (time, value) = (RecordTime::Omitted, Some(record));
        let record = Record { partition: 0, offset: self.offset, time, key: None, value, headers };
        self.offset += 1;
        let mut lines = LineBuffer::default();
        let became = self.mapper.map(&record, &mut lines);
        match became.rejected.first() {
            Some((_, why)) if lines.text().is_empty() => Err(why.to_string()),
            _ => Ok(split_lines(lines.text())
                .filter(|line| !line.is_empty())
                .map(|line| String::from_utf8_lossy(line).into_owned())
                .collect()),
        }
    }
}

/// The mappings, with stand-ins for the servers that they do not need.
fn mappings_only(bridge: &Bridge) -> Result<Config, ConfigErrors> {
    let api = bridge.draft.tables.iter().find_map(|table| table.get("api")?.as_str().map(str::to_owned));
    let mut draft = Draft { comments: Vec::new(), tables: bridge.draft.tables.clone() };
    draft.tables.retain(|table| table.header == "[[mapping]]");
    let servers = match api {
        Some(api) => format!("api = '{api}'\ndatabase = 'x'"),
        None => "org = 'x'\nbucket = 'x'\ntoken = 'x'".to_owned(),
    };
    let text = format!(
        "{draft}\n[kafka]\nbrokers = 'x:1'\ntopics = '^.*'\n[influx]\nurl = 'http://localhost'\n{servers}\n"
    );
    let env = |name: &str| Some(std::env::var(name).unwrap_or_else(|_| stand_in(name)));
    configuration::parse(Path::new("bridge.toml"), &text, &env).map(|loaded| loaded.config)
}

/// The value of every variable, which is the same on every machine.
fn stand_in(variable: &str) -> String {
    match variable {
        _ if variable.contains("FILL_IN_QUERY") => "$".to_owned(),
        _ if variable.contains("TIME_FORMAT") => "unix".to_owned(),
        _ if variable.contains("TIMEZONE") => "UTC".to_owned(),
        _ => variable.to_lowercase(),
    }
}
