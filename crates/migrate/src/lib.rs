//! Turns configurations of Telegraf, Fluentd and Logstash into drafts of `bridge.toml`.
//!
//! Guarantees:
//! - The new configuration makes the same points from the same records, or a note names the line that has no counterpart.
//! - No file makes it panic, and no secret of a file is printed: credentials become variables.
//!
//! ```text
//! files -> Kind (which tool) -> telegraf/, fluentd/ or logstash/ -> Migration: drafts, notes, steps
//!                                                                      |
//!                                                                   DryRun: the lines of a record
//! ```
//!
//! ```
//! use migrate::{Input, Machine, migrate};
//!
//! let text = "[[inputs.kafka_consumer]]\nbrokers = ['b:9092']\ntopics = ['t']\ndata_format = 'json'\njson_name_key = 'name'\n\
//!             [[outputs.influxdb_v2]]\nurls = ['http://i:8086']\norganization = 'o'\nbucket = 'b'\ntoken = 'secret'";
//! let file = Input { name: "telegraf.conf".to_owned(), text: text.to_owned() };
//! let migration = migrate(&[file], &Machine::default()).unwrap();
//! let draft = migration.bridges[0].draft.to_string();
//! assert!(draft.contains("name_key = \"name\"") && !draft.contains("secret"), "{draft}");
//! ```

mod draft_tables;
mod dry_run;
mod fluentd;
#[cfg(test)]
#[path = "../../../tests/support/folder.rs"]
mod folder;
#[cfg(test)]
mod golden;
mod logstash;
mod note;
mod plugin;
pub mod telegraf;
mod values;

pub use dry_run::{Became, DryRun, DryRunError};
pub use note::{Note, Weight};

use configuration::draft::Draft;
use note::{Notes, base_name};
use thiserror::Error;

/// A file to migrate: its name as the user gave it, and its text.
#[derive(Clone, Debug)]
pub struct Input {
    pub name: String,
    pub text: String,
}

/// Facts about the machine that a migration uses.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// The machine's name, which some tools add to every point.
    pub hostname: Option<String>,
}

/// The result of a migration.
#[derive(Clone, Debug, Default)]
pub struct Migration {
    /// At least one. Each is the bridge.toml of a separate process.
    pub bridges: Vec<Bridge>,
    /// Options that have no counterpart or work differently, in the order of the files.
    pub notes: Vec<Note>,
    /// The steps of the change from the other tool, printed at the end.
    pub cut_over: Vec<String>,
}

/// The configuration of one process.
#[derive(Clone, Debug, Default)]
pub struct Bridge {
    pub draft: Draft,
    /// Values that the user has to fill in or set: `influx.token: set INFLUX_TOKEN`.
    pub fill_in: Vec<String>,
}

/// Why a migration has no result.
#[derive(Debug, Error)]
pub enum MigrateError {
    #[error(
        "{0} is not a configuration that can be migrated: a telegraf.conf has [[inputs.kafka_consumer]], a fluent.conf a <source> of @type kafka_group, a pipeline of Logstash input {{ kafka {{ ... }} }}"
    )]
    Unknown(String),
    #[error("{file}:{line}: this can't be read: {why}")]
    Syntax { file: String, line: usize, why: String },
    #[error("{file}: {why}")]
    Nothing { file: String, why: String, notes: Vec<Note> },
}

/// The tool that a configuration belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Telegraf,
    Fluentd,
    Logstash,
}

impl Kind {
    /// Recognizes the tool by the text, not by the file name.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        // Only Fluentd has lines that begin with "<". TOML headers come last, because a string may have one.
        let kinds = [
            (Self::Fluentd, fluentd::recognizes as fn(&str) -> bool),
            (Self::Logstash, logstash::recognizes),
            (Self::Telegraf, telegraf::recognizes),
        ];
        kinds.into_iter().find(|(_, recognizes)| recognizes(text)).map(|(kind, _)| kind)
    }
}

/// Migrates the files of one tool, which are read as one configuration.
///
/// # Errors
/// The tool is unknown, a file can't be read, or nothing in them can be migrated.
pub fn migrate(files: &[Input], machine: &Machine) -> Result<Migration, MigrateError> {
    let kind = files.iter().find_map(|file| Kind::of(&file.text));
    match kind {
        Some(Kind::Telegraf) => telegraf::migrate(files, machine),
        Some(Kind::Fluentd) => fluentd::migrate(files),
        Some(Kind::Logstash) => logstash::migrate(files),
        None => Err(MigrateError::Unknown(
            files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", "),
        )),
    }
}

#[cfg(test)]
#[path = "../../../tests/support/seed.rs"]
mod seed;
