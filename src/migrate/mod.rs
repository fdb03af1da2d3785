//! Configurations of other tools become drafts of a bridge.toml.
//!
//! ```text
//! files -> Kind::of (by their content) -> telegraf | fluentd | logstash -> Migration { bridges, notes }
//! ```
//!
//! What has no counterpart is a [`Note`]: said on standard error with its place, and as a comment where it belongs.

pub mod diff;
pub mod fluentd;
#[cfg(test)]
mod golden;
pub mod logstash;
mod note;
mod parts;
mod plugin;
pub mod telegraf;

pub use note::{Note, Notes, base_name};

use crate::draft::Draft;
use thiserror::Error;

/// A file to migrate: its name as the user gave it, and its text.
#[derive(Clone, Debug)]
pub struct Input {
    pub name: String,
    pub text: String,
}

/// What a migration wants to know of the machine.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Its own name, for tools that add it to every point.
    pub hostname: Option<String>,
}

/// What the files became.
#[derive(Clone, Debug, Default)]
pub struct Migration {
    /// At least one; each is the bridge.toml of a process of its own.
    pub bridges: Vec<Bridge>,
    /// What has no counterpart, or is different, in the order of the files.
    pub notes: Vec<Note>,
    /// How to change over, said once at the end.
    pub cut_over: Vec<String>,
}

/// The configuration of one process.
#[derive(Clone, Debug, Default)]
pub struct Bridge {
    pub draft: Draft,
    /// What has to be filled in or set before it works: `influx.token: set INFLUX_TOKEN`.
    pub fill_in: Vec<String>,
}

/// Why nothing can be migrated.
#[derive(Debug, Error)]
pub enum MigrateError {
    #[error(
        "{0} is no configuration that can be migrated: a telegraf.conf has [[inputs.kafka_consumer]], a fluent.conf a <source> of @type kafka_group, a pipeline of Logstash input {{ kafka {{ ... }} }}"
    )]
    Unknown(String),
    #[error("{file}:{line}: this can't be read: {why}")]
    Syntax { file: String, line: usize, why: String },
    #[error("{file}: {why}")]
    Nothing { file: String, why: String, notes: Vec<Note> },
}

/// Whose configuration it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Telegraf,
    Fluentd,
    Logstash,
}

impl Kind {
    /// By what the text has, whatever its name.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        // A section of Fluentd begins its line, which nothing of the others does; a header of TOML may stand in a string.
        let kinds = [
            (Self::Fluentd, fluentd::is_one as fn(&str) -> bool),
            (Self::Logstash, logstash::is_one),
            (Self::Telegraf, telegraf::is_one),
        ];
        kinds.into_iter().find(|(_, is_one)| is_one(text)).map(|(kind, _)| kind)
    }
}

/// Migrates files of one tool, which are read as one configuration.
///
/// # Errors
/// When they are of no known tool, can't be read, or have nothing that the bridge can do.
pub fn migrate(files: &[Input], machine: &Machine) -> Result<Migration, MigrateError> {
    let kind = files.iter().find_map(|file| Kind::of(&file.text));
    match kind {
        Some(Kind::Telegraf) => telegraf::migrate(files, machine),
        Some(Kind::Fluentd) => fluentd::migrate(files, machine),
        Some(Kind::Logstash) => logstash::migrate(files, machine),
        None => Err(MigrateError::Unknown(
            files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", "),
        )),
    }
}
