//! Shortcut for objects of a known shape: the bytes between their scalars are compared, not parsed. White space between tokens may
//! differ, which costs more than equal bytes.
//!
//! A record in a binary format may be one such object. Then the format's own bytes between the scalars are compared, and only the scalars
//! become JSON text. Usual numbers go straight into the line.
//!
//! A record shape gives exactly the line that the parser would give, or none. Then the parser reads the object.

mod attempts;
mod learn;
mod shape;
#[cfg(test)]
mod tests;

use super::element_parser::TopicKeys;
use super::line::{LineLayout, LineValues};
use super::padded_bytes::ExactGap;
use super::rules::Rules;
use super::seen_keys::SeenKeys;
use super::topic_parts::TopicParts;
use crate::decode::Scanner;
use crate::formats::BinaryObject;
pub use attempts::Attempts;
pub use learn::ParsedObject;
use shape::RecordShape;
pub use shape::{Facts, PlannedScalar};

/// Most proven shapes of one mapper; the topic of one agent has fewer.
const PROVEN_MAX: usize = 16;
/// Most memory for the shapes of one mapper, so that 200 topics take at most 25 MB.
const BYTES_MAX: usize = 128 << 10;
/// Most objects of unknown shape between two learned shapes.
const LEARN_EVERY_MAX: u32 = 1_024;
/// Failed attempts that one match pays for: a match saves about as much as they cost.
const CREDIT_OF_HIT: u32 = 8;
/// After an object with other white space, the expected shape is tried with any white space for this many objects before bytes are
/// compared again. White space that always changes fits no shape exactly, but comparing bytes finds that out late.
const SPACED_FIRST: u32 = 16;

/// The shapes of one mapper. At most one shape is unproven; the next learned shape replaces an unproven one.
#[derive(Debug)]
pub struct RecordShapes {
    known: Vec<LearnedShape>,
    /// Index of the shape that matched last.
    last: usize,
    attempts: Attempts,
    /// Attempts to find the shape of an object in a binary format.
    binary_attempts: Attempts,
    /// Objects for which the expected shape is still tried with any white space first.
    spaced_first: u32,
    learn_in: u32,
    learn_every: u32,
}

#[derive(Debug)]
struct LearnedShape {
    record_shape: RecordShape,
    /// Number of matches; an unproven shape has none.
    hits: u32,
    /// Index of the shape that matched after this one last time.
    next: usize,
}

impl Default for RecordShapes {
    fn default() -> Self {
        Self {
            known: Vec::new(),
            last: 0,
            attempts: Attempts::default(),
            binary_attempts: Attempts::default(),
            spaced_first: 0,
            learn_in: 1,
            learn_every: 1,
        }
    }
}

impl RecordShapes {
    /// Number of shapes, and of matches.
    #[cfg(test)]
    pub fn counts(&self) -> (usize, u32) {
        (self.known.len(), self.known.iter().map(|known| known.hits).sum())
    }

    /// Removes all shapes, because the keys that they refer to are cleared.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// The layout of the line of the object that was found last.
    pub fn layout(&self) -> Option<&LineLayout> {
        Some(&self.known.get(self.last)?.record_shape.layout)
    }

    /// Finds the values of the object whose opening bracket was just read, if its shape is known, and returns whether it is.
    /// On a match, `scanner` moves behind the object; otherwise it stays.
    pub fn find(&mut self, scanner: &mut Scanner<'_>, facts: &Facts<'_>, values: &mut LineValues) -> bool {
        if self.known.is_empty() || !scanner.is_utf8() || !self.attempts.tries_next() {
            return false;
        }
        // An object whose shape is learned next is left to the parser, so that white space that repeats is learned, too.
        let (count, may_be_spaced) = (self.known.len(), !self.learns_next());
        let mut spaced = None;
        if may_be_spaced && self.spaced_first > 0 {
            self.spaced_first -= 1;
            spaced = self.place(1, |record_shape| record_shape.find_spaced(scanner, facts, values));
        }
        let mut found = spaced;
        if found.is_none() {
            found = self.place(count, |record_shape| record_shape.find(scanner, facts, values));
        }
        if found.is_none() && may_be_spaced {
            spaced = self.place(count, |record_shape| record_shape.find_spaced(scanner, facts, values));
            self.spaced_first = if spaced.is_some() { SPACED_FIRST } else { 0 };
            found = spaced;
        }
        let Some(place) = found else {
            self.attempts.failed(count as u32);
            return false;
        };
        if spaced.is_some() {
            self.pass_over();
        }
        self.attempts.succeeded(CREDIT_OF_HIT);
        self.record_hit(place);
        true
    }

    /// Finds the values of a record that is one object in a binary format, if its shape is known, and returns whether it is.
    pub fn find_binary(
        &mut self,
        object: &mut BinaryObject<'_, '_>,
        keys: &SeenKeys,
        rules: &Rules,
        values: &mut LineValues,
    ) -> bool {
        if self.known.is_empty() || !self.binary_attempts.tries_next() {
            return false;
        }
        let count = self.known.len();
        let found = self.place(count, |record_shape| record_shape.find_binary(object, keys, rules, values));
        let Some(place) = found else {
            self.binary_attempts.failed(count as u32);
            return false;
        };
        self.binary_attempts.succeeded(CREDIT_OF_HIT);
        self.record_hit(place);
        true
    }

    /// The index of the first shape that fits, among so many of which the expected one comes first.
    fn place(&self, count: usize, mut fits: impl FnMut(&RecordShape) -> bool) -> Option<usize> {
        let expected = self.known.get(self.last).map_or(0, |last| last.next);
        let mut fits_at = |place: usize| self.known.get(place).is_some_and(|known| fits(&known.record_shape));
        if fits_at(expected) {
            return Some(expected);
        }
        let others = (0..self.known.len()).filter(|&place| place != expected);
        others.take(count - 1).find(|&place| fits_at(place))
    }

    fn record_hit(&mut self, place: usize) {
        if let Some(last) = self.known.get_mut(self.last) {
            last.next = place;
        }
        self.last = place;
        let Some(known) = self.known.get_mut(place) else { return };
        known.hits = known.hits.saturating_add(1);
        if known.hits == 1 {
            // Shapes repeat in this topic, so the next one may be learned sooner.
            self.learn_every = (self.learn_every / 2).max(1);
            self.keep_within_bounds(place);
        }
    }

    /// Removes the least used shapes, where a newly proven one exceeds the limits.
    fn keep_within_bounds(&mut self, proven: usize) {
        let bytes =
            |known: &[LearnedShape]| known.iter().map(|known| known.record_shape.bytes()).sum::<usize>();
        let mut keep = proven;
        while self.known.len() > 1 && (self.known.len() > PROVEN_MAX || bytes(&self.known) > BYTES_MAX) {
            let others = self.known.iter().enumerate().filter(|(place, _)| *place != keep);
            let Some((least, _)) = others.min_by_key(|(_, known)| known.hits) else { return };
            self.known.remove(least);
            keep -= usize::from(least < keep);
            self.last = keep;
            for known in &mut self.known {
                // Matches from long ago count less, but the shape stays proven.
                known.hits = (known.hits / 2).max(1);
                known.next = 0;
            }
        }
    }

    /// Whether the shape of the next object is learned if a line is written.
    pub fn learns_next(&self) -> bool {
        self.learn_in == 1
    }

    /// Counts an object whose shape is not learned, although its bytes do not fit any shape.
    pub fn pass_over(&mut self) {
        self.learn_in = self.learn_in.saturating_sub(1).max(1);
    }

    /// Learns the bytes between the scalars of a record that is the object which was found last, where the shape comes from another
    /// record, such as one with a list of objects. `gaps` is empty unless the bytes were noted for this record.
    pub fn learn_binary_gaps(&mut self, gaps: &[ExactGap]) {
        let place = self.last;
        let Some(record_shape) = self.known.get_mut(place).map(|known| &mut known.record_shape) else {
            return;
        };
        if !record_shape.binary_gaps.is_empty() {
            return;
        }
        if gaps.is_empty() {
            self.pass_over();
            return;
        }
        if gaps.len() == record_shape.slots.len() + 1 {
            record_shape.binary_gaps = gaps.into();
        }
        if record_shape.bytes() > BYTES_MAX {
            record_shape.binary_gaps = Box::default();
        }
        if record_shape.binary_gaps.is_empty() {
            // The bytes were noted in vain, which allocates.
            self.learn_every = (self.learn_every * 2).min(LEARN_EVERY_MAX);
        } else {
            self.keep_within_bounds(place);
        }
        self.learn_in = self.learn_every;
    }

    /// Learns the shape of an object for which a line was written, unless shapes hardly repeat.
    pub fn learn(
        &mut self,
        parsed: ParsedObject<'_>,
        known: &mut TopicKeys,
        rules: &Rules,
        topic_parts: &TopicParts,
    ) {
        self.learn_in -= 1;
        if self.learn_in > 0 {
            return;
        }
        self.known.retain(|known| known.hits > 0);
        self.last = self.last.min(self.known.len().saturating_sub(1));
        // Halved when the shape is proven.
        self.learn_every = (self.learn_every * 2).min(LEARN_EVERY_MAX);
        self.learn_in = self.learn_every;
        let Some(mut record_shape) = learn::record_shape(parsed, known, rules, topic_parts) else { return };
        if record_shape.bytes() > BYTES_MAX {
            // The JSON text of such a record is still compared.
            record_shape.binary_gaps = Box::default();
        }
        if record_shape.bytes() <= BYTES_MAX {
            self.known.push(LearnedShape { record_shape, hits: 0, next: 0 });
        }
    }
}
