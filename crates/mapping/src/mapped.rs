//! What became of a record.

use super::rejection::{Reason, Rejection};

/// Elements that a dead letter or a log names; further ones are only counted.
pub const REJECTED_ELEMENTS_MAX: usize = 100;

/// What became of a record. Its lines, if any, were appended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    pub lines: usize,
    /// Elements without a field; one for a record that has no elements, as a tombstone and a record in which the query selects
    /// nothing.
    pub filtered: usize,
    /// The query selected nothing, in the record or in one of its lines.
    pub selected_nothing: bool,
    /// Elements that can't become points, with their index; index none: the record as a whole.
    pub rejected: Vec<(Option<usize>, Rejection)>,
    rejected_by_reason: [u64; Reason::ALL.len()],
}

impl Mapped {
    /// How many elements were rejected (one for a record as a whole), by reason.
    pub fn rejected_by_reason(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.rejected_by_reason).filter(|&(_, count)| count > 0)
    }

    pub fn has_rejected(&self) -> bool {
        !self.rejected.is_empty()
    }

    /// Of a record that can't even be mapped.
    pub fn rejected_whole(rejection: Rejection) -> Self {
        let mut mapped = Self::default();
        mapped.reject(None, rejection);
        mapped
    }

    pub(super) fn reject(&mut self, element: Option<usize>, rejection: Rejection) {
        if let Some(count) = self.rejected_by_reason.get_mut(rejection.reason() as usize) {
            *count += 1;
        }
        if self.rejected.len() < REJECTED_ELEMENTS_MAX {
            self.rejected.push((element, rejection));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_also_what_it_does_not_list() {
        let mut mapped = Mapped::default();
        for element in 0..150 {
            mapped.reject(Some(element), Rejection::NotAnObject("null"));
        }
        mapped.reject(None, Rejection::Empty);
        assert_eq!(mapped.rejected.len(), REJECTED_ELEMENTS_MAX);
        let counts: Vec<_> = mapped.rejected_by_reason().collect();
        assert_eq!(counts, [(Reason::Empty, 1), (Reason::NotAnObject, 150)]);
    }

    /// A compacted topic is full of them, and rejections would block it.
    #[test]
    fn a_tombstone_is_filtered_and_not_rejected() {
        use crate::{Mapper, RecordLimits, Rules};
        use base::record::{Record, RecordTime};
        use line_protocol::LineBuffer;
        let limits = RecordLimits { record_bytes_max: 1_000, lines_bytes_max: 8_000 };
        let mut mapper = Mapper::new(std::sync::Arc::new(Rules::default()), "t", limits);
        let (time, headers) = (RecordTime::Missing, [].as_slice());
        let tombstone = Record { partition: 0, offset: 0, time, key: Some(b"k"), value: None, headers };
        let became = mapper.map(&tombstone, &mut LineBuffer::default());
        assert_eq!(became, Mapped { filtered: 1, ..Mapped::default() });
    }
}
