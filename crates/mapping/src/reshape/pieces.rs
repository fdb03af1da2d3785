//! Where a text that options have written stood before. A value that `explode` repeats in several elements is counted once.

use crate::drop_reason::DropReason;
use std::collections::HashSet;
use std::ops::Range;

/// Number of values whose memory is kept.
const KEPT_MAX: usize = 1_024;

/// A piece of a text: from `at` on, it stood at `from` in the element that `explode` took apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub at: u32,
    pub from: u32,
}

/// The values of one record or element that were counted, by position.
#[derive(Debug, Default)]
pub(crate) struct CountedValues(HashSet<(u32, DropReason)>);

impl CountedValues {
    /// Counts the value whose last byte is before `end` in a text with these pieces. Returns false if it was counted for another element.
    /// A text without pieces is that of one element.
    pub fn add_in(&mut self, pieces: &[Piece], end: usize, drop: DropReason) -> bool {
        let last = end.saturating_sub(1);
        let before = pieces.partition_point(|piece| piece.at as usize <= last);
        let piece = before.checked_sub(1).and_then(|place| pieces.get(place));
        piece.is_none_or(|piece| self.add(last - piece.at as usize + piece.from as usize, drop))
    }

    /// Counts the value at a position. Returns false if it was counted before.
    pub fn add(&mut self, position: usize, drop: DropReason) -> bool {
        // Records and their JSON text are smaller than 4 GB.
        self.0.insert((position as u32, drop))
    }

    /// Allocated memory in bytes.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(u32, DropReason)>()
    }

    /// Forgets all values, and frees the memory of many.
    pub fn clear(&mut self) {
        if !self.0.is_empty() {
            self.0.clear();
            self.0.shrink_to(KEPT_MAX);
        }
    }
}

/// Appends the pieces of a range of a text that is copied to the position `to`.
pub(super) fn copy(from: &[Piece], range: &Range<usize>, to: usize, out: &mut Vec<Piece>) {
    // The piece in which the range begins, and those that begin within.
    let first = from.partition_point(|piece| piece.at as usize <= range.start).saturating_sub(1);
    let pieces = from.get(first..).unwrap_or_default().iter();
    for piece in pieces.take_while(|piece| (piece.at as usize) < range.end) {
        let (skipped, before) =
            ((range.start as u32).saturating_sub(piece.at), piece.at.saturating_sub(range.start as u32));
        out.push(Piece { at: to as u32 + before, from: piece.from + skipped });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_range_has_the_pieces_that_it_overlaps() {
        let all = [Piece { at: 0, from: 100 }, Piece { at: 10, from: 40 }, Piece { at: 20, from: 110 }];
        let f = |range: Range<usize>, want: &[(u32, u32)]| {
            let mut out = Vec::new();
            copy(&all, &range, 7, &mut out);
            let got: Vec<_> = out.iter().map(|piece| (piece.at, piece.from)).collect();
            assert_eq!(got, want, "{range:?}");
        };
        f(0..5, &[(7, 100)]);
        f(3..10, &[(7, 103)]);
        f(12..25, &[(7, 42), (15, 110)]);
        f(20..21, &[(7, 110)]);
        f(5..30, &[(7, 105), (12, 40), (22, 110)]);
        copy(&[], &(0..5), 7, &mut Vec::new());
    }

    #[test]
    fn a_value_counts_once_for_each_reason() {
        let (mut counted, pieces) = (CountedValues::default(), [Piece { at: 0, from: 100 }]);
        assert!(counted.add_in(&pieces, 5, DropReason::Duplicate));
        assert!(!counted.add_in(&[Piece { at: 2, from: 102 }], 5, DropReason::Duplicate));
        assert!(counted.add_in(&pieces, 5, DropReason::NotUtf8));
        assert!(counted.add_in(&pieces, 6, DropReason::Duplicate));
        for _ in 0..2 {
            assert!(counted.add_in(&[], 5, DropReason::Duplicate));
        }
        counted.clear();
        assert!(counted.add_in(&pieces, 5, DropReason::Duplicate));
    }
}
