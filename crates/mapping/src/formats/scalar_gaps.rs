//! Notes the bytes between the scalars of a record in a binary format.

use super::input::Input;
use crate::padded_bytes::ExactGap;

/// Most gaps that are noted: an object with as many has no shape.
const GAPS_MAX: usize = 1_025;

/// The bytes between the scalars of a record, from which a shape is learned: those before each scalar, and those behind the last one.
#[derive(Debug, Default)]
pub(crate) struct ScalarGaps {
    /// Whether gaps are noted for the record.
    is_noted: bool,
    gaps: Vec<ExactGap>,
    /// Where the last scalar ended.
    end: usize,
}

impl ScalarGaps {
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Begins to note gaps.
    pub fn begin(&mut self) {
        self.is_noted = true;
    }

    /// Notes the gap before the scalar that was just read from `start`.
    #[inline]
    pub(super) fn note_scalar(&mut self, input: &Input<'_>, start: usize) {
        if self.is_noted {
            self.note(input, start, input.position());
        }
    }

    /// Notes the gap behind the last scalar.
    pub(super) fn finish(&mut self, input: &Input<'_>) {
        if self.is_noted {
            self.note(input, input.position(), input.position());
        }
    }

    #[cold]
    fn note(&mut self, input: &Input<'_>, start: usize, end: usize) {
        if self.gaps.len() < GAPS_MAX {
            self.gaps.push(ExactGap::new(input.between(self.end, start)));
        }
        self.end = end;
    }

    pub fn gaps(&self) -> &[ExactGap] {
        &self.gaps
    }
}
