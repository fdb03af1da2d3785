//! The result of mapping a record.

use super::formats::SchemaId;
use super::rejection::{MissingSchema, Reason, Rejection};

/// Most rejected elements that a dead letter or a log names; further ones are only counted.
pub const REJECTED_ELEMENTS_MAX: usize = 100;

/// The result of mapping a record, beside the appended lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    pub lines: usize,
    /// Number of elements without a field. A record without elements counts as one: a tombstone, or a record in which the query
    /// selects nothing.
    pub filtered: usize,
    /// The part of `filtered` for which `where` does not hold.
    pub left_out: usize,
    /// The part of `filtered` whose arrays under `explode` have no items.
    pub without_items: usize,
    /// Whether the query selected nothing, in the record or in one of its lines.
    pub selected_nothing: bool,
    /// Number of elements, whatever became of them.
    pub elements: u64,
    /// Rejected elements with their index; no index means the record as a whole.
    pub rejected: Vec<(Option<usize>, Rejection)>,
    rejected_by_reason: [u64; Reason::ALL.len()],
}

impl Mapped {
    /// Number of rejected elements by reason; a record rejected as a whole counts as one.
    pub fn rejected_by_reason(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.rejected_by_reason).filter(|&(_, count)| count > 0)
    }

    /// The index of an element, as messages name it. None: the record as a whole, or its only element.
    pub fn named_element(&self, index: Option<usize>) -> Option<usize> {
        index.filter(|index| *index > 0 || self.elements > 1)
    }

    pub fn has_rejected(&self) -> bool {
        !self.rejected.is_empty()
    }

    /// The schema that the record lacks, and why, if it can become points once the schema is there.
    pub fn missing_schema(&self) -> Option<(SchemaId, &MissingSchema)> {
        match self.rejected.first() {
            Some((None, Rejection::SchemaMissing { id, why })) if *why != MissingSchema::NoRegistry => {
                Some((*id, why))
            }
            _ => None,
        }
    }

    /// The result of a record that is rejected as a whole.
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
    use crate::Rules;
    use crate::test_support::{map, mapper, record};
    use base::record::{Record, RecordTime};

    #[test]
    fn counts_rejections_beyond_the_list() {
        let mut mapped = Mapped::default();
        for element in 0..150 {
            mapped.reject(Some(element), Rejection::NotAnObject("null"));
        }
        mapped.reject(None, Rejection::Empty);
        assert_eq!(mapped.rejected.len(), REJECTED_ELEMENTS_MAX);
        let counts: Vec<_> = mapped.rejected_by_reason().collect();
        assert_eq!(counts, [(Reason::Empty, 1), (Reason::NotAnObject, 150)]);
    }

    /// Compacted topics are full of tombstones; rejecting them would block such a topic.
    #[test]
    fn a_tombstone_is_filtered_and_not_rejected() {
        let tombstone = Record { time: RecordTime::Missing, key: Some(b"k"), value: None, ..record(b"") };
        let (_, became) = map(&mut mapper(Rules::default()), &tombstone);
        assert_eq!(became, Mapped { filtered: 1, ..Mapped::default() });
    }
}
