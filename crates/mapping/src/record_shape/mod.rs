//! A shortcut for records whose shape came before: what stands between their scalars is compared, not read.
//!
//! A record_shape gives the line that the parser would give, or none; then the parser decides.

mod bytes;
mod learn;
mod shape;
#[cfg(test)]
mod tests;

pub use shape::{Found, Setting};

use super::constants::Constants;
use super::element_parser::Knowledge;
use super::rules::Rules;
use crate::decode::Scanner;
use shape::RecordShape;

/// Proven record_shape of one mapper: more shapes than the topics of one agent hold.
const PROVEN_MAX: usize = 16;
/// Bytes that the record_shape of one mapper take, so that 200 topics take 25 MB at the very worst.
const BYTES_MAX: usize = 128 << 10;
/// The longest time between two shapes that are learned, in objects that no record_shape knows.
const LEARN_EVERY_MAX: u32 = 1_024;
/// Attempts in vain that one that fits makes up for: it saves about as much as so many cost.
const CREDIT_OF_HIT: u32 = 8;
/// The most attempts in vain before trying becomes rare: enough to learn what a topic has by turns.
const CREDIT_MAX: u32 = 1_024;
/// Of the objects then, one in so many is tried.
const TRY_EVERY: u32 = 64;

/// The shapes of one mapper. One of them at most is not proven: it is given up when another is learned first.
#[derive(Debug)]
pub struct RecordShapes {
    known: Vec<Known>,
    /// Which one fitted last.
    last: usize,
    /// Attempts in vain that may be made; where there are none left, trying is rare.
    credit: u32,
    /// Objects that were not tried since.
    untried: u32,
    learn_in: u32,
    learn_every: u32,
    found: Found,
}

#[derive(Debug)]
struct Known {
    record_shape: RecordShape,
    /// How often it fitted; none so far: it is not proven.
    hits: u32,
    /// Which one fitted after this one the last time.
    next: usize,
}

impl Default for RecordShapes {
    fn default() -> Self {
        let found = Found::default();
        Self {
            known: Vec::new(),
            last: 0,
            credit: CREDIT_MAX,
            untried: 0,
            learn_in: 1,
            learn_every: 1,
            found,
        }
    }
}

impl RecordShapes {
    /// How many are known, and how often they fitted.
    #[cfg(test)]
    pub fn counts(&self) -> (usize, u32) {
        (self.known.len(), self.known.iter().map(|known| known.hits).sum())
    }

    /// Forgets all, when what they point to is forgotten.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// Finds the values of the object whose bracket was just read, if its shape is known. Then `scanner` stands behind the
    /// object; otherwise where it stood.
    pub fn find(&mut self, scanner: &mut Scanner<'_>, known: &Knowledge) -> Option<Match<'_>> {
        if self.known.is_empty() || !scanner.is_utf8() {
            return None;
        }
        if self.credit == 0 && self.untried < TRY_EVERY {
            self.untried += 1;
            return None;
        }
        self.untried = 0;
        let expected = self.known.get(self.last).map_or(0, |last| last.next);
        let others = (0..self.known.len()).filter(|&place| place != expected);
        let fitting = std::iter::once(expected).chain(others).find(|&place| {
            let record_shape = self.known.get(place).map(|known| &known.record_shape);
            record_shape.is_some_and(|record_shape| record_shape.find(scanner, &known.keys, &mut self.found))
        });
        let Some(place) = fitting else {
            self.credit = self.credit.saturating_sub(self.known.len() as u32);
            return None;
        };
        self.note_hit(place);
        let record_shape = &self.known.get(self.last)?.record_shape;
        Some(Match { record_shape, found: &mut self.found })
    }

    fn note_hit(&mut self, place: usize) {
        self.credit = (self.credit + CREDIT_OF_HIT).min(CREDIT_MAX);
        if let Some(last) = self.known.get_mut(self.last) {
            last.next = place;
        }
        self.last = place;
        let Some(known) = self.known.get_mut(place) else { return };
        known.hits = known.hits.saturating_add(1);
        if known.hits == 1 {
            // Shapes do come again: the next may be learned sooner.
            self.learn_every = (self.learn_every / 2).max(1);
            self.keep_within_bounds(place);
        }
    }

    /// A shape was proven: what is too much for its sake goes, the least used first.
    fn keep_within_bounds(&mut self, proven: usize) {
        let bytes = |known: &[Known]| known.iter().map(|known| known.record_shape.bytes()).sum::<usize>();
        let mut keep = proven;
        while self.known.len() > 1 && (self.known.len() > PROVEN_MAX || bytes(&self.known) > BYTES_MAX) {
            let others = self.known.iter().enumerate().filter(|(place, _)| *place != keep);
            let Some((least, _)) = others.min_by_key(|(_, known)| known.hits) else { return };
            self.known.remove(least);
            keep -= usize::from(least < keep);
            self.last = keep;
            for known in &mut self.known {
                // What was used long ago counts less, but it stays proven.
                known.hits = (known.hits / 2).max(1);
                known.next = 0;
            }
        }
    }

    /// The parser made a line of the object that begins at `object`: perhaps its shape is worth learning.
    pub fn learn(
        &mut self,
        object: &Scanner<'_>,
        known: &mut Knowledge,
        rules: &Rules,
        constants: &Constants,
    ) {
        // Tags from the record's root are not the object's.
        if !rules.tag_paths.is_empty() {
            return;
        }
        self.learn_in -= 1;
        if self.learn_in > 0 {
            return;
        }
        self.known.retain(|known| known.hits > 0);
        self.last = self.last.min(self.known.len().saturating_sub(1));
        // Halved when it is proven.
        self.learn_every = (self.learn_every * 2).min(LEARN_EVERY_MAX);
        self.learn_in = self.learn_every;
        if let Some(record_shape) = learn::record_shape(object, known, rules, constants)
            && record_shape.bytes() <= BYTES_MAX
        {
            self.known.push(Known { record_shape, hits: 0, next: 0 });
        }
    }
}

/// An object of a known shape, with its values.
pub struct Match<'s> {
    record_shape: &'s RecordShape,
    pub found: &'s mut Found,
}

impl Match<'_> {
    /// Appends the line without its time. When it returns none, a part of it may stand there.
    pub fn write(&mut self, setting: &Setting<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> Option<()> {
        self.record_shape.write(self.found, setting, scratch, out)
    }
}
