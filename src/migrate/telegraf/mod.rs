//! A telegraf.conf, and the files of telegraf.d.

use super::{Input, Machine, MigrateError, Migration};

/// Whether a text looks like one.
#[must_use]
pub fn is_one(text: &str) -> bool {
    let is_header = |line: &str| {
        let name = line.trim_start().trim_start_matches('[').trim_start();
        line.trim_start().starts_with('[')
            && ["inputs.", "outputs.", "agent]", "global_tags]", "processors.", "aggregators."]
                .iter()
                .any(|start| name.starts_with(start))
    };
    text.lines().any(is_header)
}

/// # Errors
/// When the files can't be read, or no input of theirs is one that the bridge can do.
pub fn migrate(files: &[Input], _machine: &Machine) -> Result<Migration, MigrateError> {
    let file = files.first().map(|file| file.name.clone()).unwrap_or_default();
    Err(MigrateError::Nothing {
        file,
        why: "it has no [[inputs.kafka_consumer]]".to_owned(),
        notes: Vec::new(),
    })
}
