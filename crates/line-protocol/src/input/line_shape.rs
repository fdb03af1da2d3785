//! Shapes of plain lines: the bytes that stand between their values.
//!
//! Most producers write the same keys again and again. A line of a known shape has the same bytes between its values, so its keys are
//! compared, and not checked again. The measurement is not part of a shape: many measurements may share one.

use super::Span;
use super::tokens::{name_length, value_length};
use crate::runs;

/// Places of measurements; a power of two. Two measurements that share a place and have different shapes are slow.
pub const PLACES: usize = 1 << 10;
/// Shapes that are known at a time. An agent writes about as many measurements.
const SHAPES: usize = 32;
/// Index of no shape.
const NO_SHAPE: u8 = u8::MAX;
/// Most bytes between the values of a line. With it the shapes of a topic take at most 130 kB.
const BYTES_MAX: usize = 2 << 10;
/// Most lines of unknown shape between two learned shapes of one place.
const LEARN_EVERY_MAX: u8 = 64;

#[derive(Debug)]
pub struct LineShapes {
    /// For each place of a measurement, the index of the shape that its lines have.
    places: Box<[u8; PLACES]>,
    shapes: Box<[LineShape; SHAPES]>,
    /// The shape of the line that is learned. Its memory is reused.
    candidate: LineShape,
}

/// The bytes before the values of a plain line. The first ones begin behind the measurement.
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
    /// End of the measurement and the tags.
    pub tags: usize,
    pub fields: usize,
}

impl Default for LineShapes {
    fn default() -> Self {
        Self {
            places: Box::new([NO_SHAPE; PLACES]),
            shapes: Box::new(std::array::from_fn(|_| LineShape::default())),
            candidate: LineShape::default(),
        }
    }
}

impl LineShapes {
    /// The ends of the line whose measurement ends at `name_end`, if the line has the shape of the measurement at `place`. What follows
    /// the fields is not checked.
    #[inline]
    pub fn find(&mut self, place: usize, text: &[u8], name_end: usize) -> Option<Ends> {
        let shape = self.shapes.get_mut(usize::from(*self.places.get(place)?))?;
        let ends = shape.find(text, name_end)?;
        shape.was_found = true;
        Some(ends)
    }

    /// Learns the shape of a plain line with these keys, of which the first `tags` belong to tags.
    pub fn learn(&mut self, place: usize, text: &[u8], name_end: usize, keys: &[Span], tags: usize) {
        let home = place % SHAPES;
        let Some(shape) = self.shapes.get_mut(home) else { return };
        if shape.learn_in > 0 {
            shape.learn_in -= 1;
            return;
        }
        self.candidate.learn(text, name_end, keys, tags);
        // Where shapes do not repeat, learning them costs more than it saves.
        let is_useful = self.keep_candidate(place, home);
        let Some(shape) = self.shapes.get_mut(home) else { return };
        let every = if is_useful { 0 } else { shape.learn_every * 2 + 1 };
        shape.learn_every = every.min(LEARN_EVERY_MAX / 2 - 1);
        shape.learn_in = shape.learn_every;
    }

    /// Gives the measurement at `place` the learned shape. Returns whether the measurement had none before, or one that repeated.
    fn keep_candidate(&mut self, place: usize, home: usize) -> bool {
        let (candidate, shapes) = (&mut self.candidate, &mut self.shapes);
        let Some(place) = self.places.get_mut(place).filter(|_| !candidate.ends.is_empty()) else {
            return false;
        };
        let known = shapes.iter().position(|shape| shape.is_same(candidate));
        let free = || shapes.iter().position(|shape| shape.ends.is_empty());
        let index = known.or_else(free).unwrap_or(home);
        let before = shapes.get_mut(usize::from(std::mem::replace(place, index as u8)));
        let is_useful = before.is_none_or(|before| std::mem::take(&mut before.was_found));
        if let Some(shape) = shapes.get_mut(index).filter(|_| known.is_none()) {
            std::mem::swap(&mut shape.text, &mut candidate.text);
            std::mem::swap(&mut shape.ends, &mut candidate.ends);
            (shape.tags, shape.was_found) = (candidate.tags, false);
        }
        is_useful
    }

    /// Allocated memory in bytes.
    pub fn bytes(&self) -> usize {
        let shapes = self.shapes.iter().chain([&self.candidate]);
        let texts = shapes.map(|shape| shape.text.capacity() + shape.ends.capacity() * size_of::<u32>());
        size_of_val(&*self.places) + size_of_val(&*self.shapes) + texts.sum::<usize>()
    }
}

impl LineShape {
    #[inline(never)]
    fn find(&self, text: &[u8], name_end: usize) -> Option<Ends> {
        let (tags, fields) = self.ends.split_at_checked(self.tags)?;
        let (mut rest, mut gaps, mut before) = (text.get(name_end..)?, self.text.as_slice(), 0);
        for &end in tags {
            (rest, gaps) = skip(rest, gaps, (end - before) as usize)?;
            let length = name_length(rest, true).filter(|length| *length > 0)?;
            (rest, before) = (rest.get(length..)?, end);
        }
        let tags_end = text.len() - rest.len();
        for &end in fields {
            (rest, gaps) = skip(rest, gaps, (end - before) as usize)?;
            (rest, before) = (rest.get(value_length(rest)?..)?, end);
        }
        let is_end = matches!(rest.first(), None | Some(b' ' | b'\n' | b'\r'));
        (is_end && !fields.is_empty()).then_some(Ends { tags: tags_end, fields: text.len() - rest.len() })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.tags == other.tags && self.ends == other.ends && self.text == other.text
    }

    #[cold]
    fn learn(&mut self, text: &[u8], name_end: usize, keys: &[Span], tags: usize) {
        self.text.clear();
        self.ends.clear();
        self.tags = tags;
        let mut from = name_end;
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

/// Skips the bytes between two values, if they are the first `length` bytes of `gaps`.
#[expect(clippy::inline_always, reason = "called for each value; a call would cost more than the work")]
#[inline(always)]
fn skip<'t, 'g>(rest: &'t [u8], gaps: &'g [u8], length: usize) -> Option<(&'t [u8], &'g [u8])> {
    if !runs::starts_with(rest, gaps, length) {
        return None;
    }
    Some((rest.get(length..)?, gaps.get(length..)?))
}
