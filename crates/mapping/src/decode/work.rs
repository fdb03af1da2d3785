//! The work that queries and filters may take for one record.

use super::{Syntax, SyntaxError};

/// Most steps of evaluation for each byte of a record. A step is a value that is visited, or a byte of a selected value or text. A value
/// takes two bytes at least, so all values may be visited over sixty times. Only queries in which `..` or filters stand within one
/// another take more, and only for records that are nested deeply: their steps grow with a power of the depth, and without a bound 1 MB
/// takes minutes.
const STEPS_PER_BYTE: u64 = 32;

/// Steps that any record may take.
const STEPS_MIN: u64 = 10_000;

/// The work that one record may still take.
#[derive(Debug, Default)]
pub struct Work {
    left: u64,
}

impl Work {
    /// The work for a document of this length.
    pub fn of(bytes: usize) -> Self {
        let mut work = Self { left: STEPS_MIN };
        work.allow(bytes);
        work
    }

    /// Adds the work for further bytes.
    pub fn allow(&mut self, bytes: usize) {
        self.left = self.left.saturating_add(STEPS_PER_BYTE.saturating_mul(bytes as u64));
    }

    #[cfg(test)]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Takes steps. Fails if the record has taken too many.
    pub fn spend(&mut self, steps: usize) -> Result<(), SyntaxError> {
        let left = self.left.checked_sub(steps as u64);
        self.left = left.ok_or(SyntaxError { at: 0, why: Syntax::Work })?;
        Ok(())
    }
}
