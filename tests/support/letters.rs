//! Reads dead letters back.

use engine::dead_letter::{FoundLetter, LetterReader, NextLetter};

/// All letters up to the present end.
pub fn read_all(reader: &mut LetterReader) -> Vec<FoundLetter> {
    let mut found = Vec::new();
    loop {
        match reader.read().unwrap() {
            NextLetter::Entry(item) => found.push(item.found.unwrap()),
            NextLetter::Later => {}
            NextLetter::End => return found,
        }
    }
}
