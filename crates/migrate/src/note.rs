//! Remarks on options that have no counterpart or work differently.

use base::text::printable;
use configuration::draft::Table;
use std::fmt;

/// A remark on an option.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    pub file: String,
    /// Counts from 1.
    pub line: usize,
    /// The option as written in the file.
    pub what: String,
    /// The reason or the remedy.
    pub why: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |text: &str| printable(text, 500);
        write!(f, "{}:{}: {}: {}", plain(&self.file), self.line, plain(&self.what), plain(&self.why))
    }
}

impl Note {
    /// The text of a comment in the new file.
    #[must_use]
    pub fn comment(&self) -> String {
        format!("{} ({}:{}): {}", self.what, base_name(&self.file), self.line, self.why)
    }
}

/// The file name without folders, for comments: the new file may be kept elsewhere.
#[must_use]
pub fn base_name(file: &str) -> &str {
    file.rsplit(['/', '\\']).next().unwrap_or(file)
}

/// The notes of one migration.
#[derive(Debug, Default)]
pub struct Notes(Vec<Note>);

impl Notes {
    pub fn add(&mut self, note: Note) {
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    /// Adds a note, and the same text as a comment above a table's header.
    pub fn add_to(&mut self, table: &mut Table, note: Note) {
        table.comment(note.comment());
        self.add(note);
    }

    /// The notes in the order of the files.
    #[must_use]
    pub fn sorted(mut self) -> Vec<Note> {
        self.0.sort();
        self.0
    }
}
