//! Shapes of plain lines: the bytes that stand between their values.
//!
//! Most producers write the same keys again and again. A line of a known shape has the same bytes between its values, so its keys are
//! compared, and not checked again.

use super::Span;
use super::tokens::{name_end, value_length};
use crate::runs;

/// Shapes that are known at a time; a power of two. An agent writes about as many measurements.
pub const SHAPES: usize = 32;
/// Most bytes between the values of a line. With it the shapes of a topic take at most 130 kB.
const BYTES_MAX: usize = 2 << 10;
/// Most lines of unknown shape between two learned shapes of one place.
const LEARN_EVERY_MAX: u8 = 64;

#[derive(Debug)]
pub struct LineShapes {
    shapes: Box<[LineShape; SHAPES]>,
}

/// The bytes before the values of a plain line. The first ones begin with the measurement.
#[derive(Debug, Default)]
struct LineShape {
    /// One after the other, then zeros that allow to read beyond the end.
    text: Vec<u8>,
    /// The end in `text` of the bytes before each value; none if no shape was learned.
    ends: Vec<u32>,
    /// Number of values that belong to tags; the others belong to fields.
    tags: usize,
    was_found: bool,
    learn_in: u8,
    learn_every: u8,
}

/// Ends of the parts of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// End of the tags, or the line's start if it has none.
    pub tags: usize,
    pub fields: usize,
}

impl Default for LineShapes {
    fn default() -> Self {
        Self { shapes: Box::new(std::array::from_fn(|_| LineShape::default())) }
    }
}

impl LineShapes {
    /// The ends of the line at `start`, if the shape at `place` is its shape. What follows the fields is not checked.
    #[inline]
    pub fn find(&mut self, place: usize, text: &[u8], start: usize) -> Option<Ends> {
        let shape = self.shapes.get_mut(place)?;
        let ends = shape.find(text, start)?;
        shape.was_found = true;
        Some(ends)
    }

    /// Learns the shape of the plain line at `start` with these keys, of which the first `tags` belong to tags.
    pub fn learn(&mut self, place: usize, text: &[u8], start: usize, keys: &[Span], tags: usize) {
        let Some(shape) = self.shapes.get_mut(place) else { return };
        if shape.learn_in > 0 {
            shape.learn_in -= 1;
            return;
        }
        // Where shapes do not repeat, learning them costs more than it saves.
        let every = if shape.was_found { 0 } else { shape.learn_every * 2 + 1 };
        shape.learn_every = every.min(LEARN_EVERY_MAX / 2 - 1);
        shape.learn_in = shape.learn_every;
        shape.was_found = false;
        shape.learn(text, start, keys, tags);
    }

    /// Allocated memory in bytes.
    pub fn bytes(&self) -> usize {
        let shapes = self.shapes.iter();
        let texts = shapes.map(|shape| shape.text.capacity() + shape.ends.capacity() * size_of::<u32>());
        size_of_val(&*self.shapes) + texts.sum::<usize>()
    }
}

impl LineShape {
    #[inline]
    fn find(&self, text: &[u8], start: usize) -> Option<Ends> {
        let (tags, fields) = self.ends.split_at_checked(self.tags)?;
        let (mut at, mut before) = (start, 0);
        for &end in tags {
            at = self.skip(before, end, text, at)?;
            let value_end = name_end(text, at, true)?;
            if value_end == at {
                return None;
            }
            (at, before) = (value_end, end as usize);
        }
        let tags_end = at;
        for &end in fields {
            at = self.skip(before, end, text, at)?;
            (at, before) = (at + value_length(text.get(at..)?)?, end as usize);
        }
        let is_end = matches!(text.get(at), None | Some(b' ' | b'\n' | b'\r'));
        (is_end && !fields.is_empty()).then_some(Ends { tags: tags_end, fields: at })
    }

    /// Position behind the bytes from `start` to `end` of this shape, if they stand at `at`.
    #[inline]
    fn skip(&self, start: usize, end: u32, text: &[u8], at: usize) -> Option<usize> {
        let length = end as usize - start;
        runs::starts_with(text.get(at..)?, self.text.get(start..)?, length).then_some(at + length)
    }

    #[cold]
    fn learn(&mut self, text: &[u8], start: usize, keys: &[Span], tags: usize) {
        self.text.clear();
        self.ends.clear();
        self.tags = tags;
        let mut from = start;
        for (place, key) in keys.iter().enumerate() {
            // With the byte before the key and the equals sign behind it.
            let before = if place == 0 { from } else { key.start() - 1 };
            from = key.end() + 1;
            let bytes = text.get(before..from).unwrap_or_default();
            if self.text.len() + bytes.len() > BYTES_MAX {
                self.ends.clear();
                break;
            }
            self.text.extend_from_slice(bytes);
            self.ends.push(self.text.len() as u32);
        }
        self.text.resize(self.text.len() + runs::READ_BEYOND, 0);
    }
}
