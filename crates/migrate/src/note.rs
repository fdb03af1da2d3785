//! Remarks on options that have no counterpart or work differently.

use base::text::printable;
use configuration::draft::Table;
use std::fmt;

/// What a remark means for the points, the most serious first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Some points are other ones, or are missing.
    PointsDiffer,
    /// The bridge works differently, or a setting is to be written by hand.
    #[default]
    Differs,
    /// The option is not needed.
    NoEffect,
}

impl Weight {
    /// The weight by the reason of a note.
    #[must_use]
    pub fn of(why: &str) -> Self {
        if why.starts_with("it is not needed") { Self::NoEffect } else { Self::default() }
    }

    fn name(self) -> &'static str {
        match self {
            Self::PointsDiffer => "points differ",
            Self::Differs => "differs",
            Self::NoEffect => "no effect",
        }
    }
}

/// A remark on an option. The order is that of the report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    pub weight: Weight,
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
    /// The note with another weight.
    #[must_use]
    pub fn weighing(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }

    /// The line of the report, with the weight.
    #[must_use]
    pub fn labelled(&self) -> String {
        format!("{}: {self}", self.weight.name())
    }

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
        let is_same = |known: &Note| known.clone().weighing(note.weight) == note;
        if !self.0.iter().any(is_same) {
            self.0.push(note);
        }
    }

    /// Adds a note, and the same text as a comment above a table's header. What stands at a mapping changes its points.
    pub fn add_to(&mut self, table: &mut Table, note: Note) {
        table.comment(note.comment());
        let is_of_points = table.header == "[[mapping]]" && note.weight == Weight::Differs;
        self.add(if is_of_points { note.weighing(Weight::PointsDiffer) } else { note });
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Gives the notes after the first `before` ones the weight of notes on points: they are about filters.
    pub fn concern_points_after(&mut self, before: usize) {
        for note in self.0.iter_mut().skip(before).filter(|note| note.weight == Weight::Differs) {
            note.weight = Weight::PointsDiffer;
        }
    }

    /// The notes by weight, and those of one weight in the order of the files.
    #[must_use]
    pub fn sorted(mut self) -> Vec<Note> {
        self.0.sort();
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serious_notes_come_first() {
        let note = |line: usize, weight: Weight| Note {
            weight,
            file: "a.conf".to_owned(),
            line,
            what: "x".to_owned(),
            why: "y".to_owned(),
        };
        let mut notes = Notes::default();
        notes.add(note(1, Weight::NoEffect));
        notes.add(note(2, Weight::Differs));
        notes.add_to(&mut Table::new("[[mapping]]"), note(3, Weight::Differs));
        notes.add_to(&mut Table::new("[kafka]"), note(4, Weight::Differs));
        let got: Vec<String> = notes.sorted().iter().map(Note::labelled).collect();
        let want = [
            "points differ: a.conf:3: x: y",
            "differs: a.conf:2: x: y",
            "differs: a.conf:4: x: y",
            "no effect: a.conf:1: x: y",
        ];
        assert_eq!(got, want);
    }
}
