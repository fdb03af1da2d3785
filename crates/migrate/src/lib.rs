//! Configurations of other tools (Telegraf, Fluentd, Logstash) to a draft of `bridge.toml`.
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

mod dry_run;
pub mod fluentd;
#[cfg(test)]
mod golden;
pub mod logstash;
pub mod note;
mod parts;
mod plugin;
pub mod telegraf;

pub use dry_run::{Became, DryRun, DryRunError};
pub use note::{Note, Notes, base_name};

use configuration::draft::Draft;
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

#[cfg(test)]
#[path = "../../../tests/support/seed.rs"]
mod seed;
