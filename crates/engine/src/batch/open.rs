//! The batch that a lane is filling.

use super::{Budget, Collisions, Origin, Reserved, Runs, collisions};
use crate::commit::{AssignmentId, BatchId};
use crate::dead_letter::Letter;
use base::TopicPartition;
use influx::BlockedLine;
use line_protocol::LineBuffer;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Lines of one destination, with what is needed to settle them and to trace them to their records.
#[derive(Debug)]
pub struct Batch {
    pub batch_id: BatchId,
    pub lines: LineBuffer,
    pub runs: Runs,
    /// Whose records it settles; also those of records without lines that stand between others.
    pub assignments: Vec<AssignmentId>,
    /// Where the assignments are, in the same order; known once the batch is closed. None: given up before.
    pub places: Vec<Option<Arc<TopicPartition>>>,
    /// Dead letters of rejected records, which settle with the batch, and the assignments that the records belong to.
    pub letters: Vec<(AssignmentId, Letter)>,
    letter_bytes: usize,
    opened: Option<Instant>,
    reserved: Reserved,
}

/// When an open batch is closed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub lines_max: usize,
    pub bytes_max: usize,
    pub age_max: Duration,
}

impl Batch {
    pub fn new(batch_id: BatchId, budget: &Budget) -> Self {
        Self {
            batch_id,
            lines: LineBuffer::default(),
            runs: Runs::default(),
            assignments: Vec::new(),
            places: Vec::new(),
            letters: Vec::new(),
            letter_bytes: 0,
            opened: None,
            reserved: budget.reserve(),
        }
    }

    /// Notes that a record's lines, from `first_line` on, were appended.
    pub fn push(&mut self, assignment: AssignmentId, offset: i64, first_line: usize, now: Instant) {
        let lines = self.lines.lines() - first_line;
        if lines == 0 {
            return;
        }
        self.runs.push(assignment, offset, first_line, lines);
        self.carry(assignment, now);
    }

    /// Notes that a record, or elements of it, were rejected.
    pub fn push_letter(&mut self, assignment: AssignmentId, letter: Letter, now: Instant) {
        self.letter_bytes += letter.bytes();
        self.letters.push((assignment, letter));
        self.carry(assignment, now);
    }

    fn carry(&mut self, assignment: AssignmentId, now: Instant) {
        if self.assignments.last() != Some(&assignment) && !self.assignments.contains(&assignment) {
            self.assignments.push(assignment);
        }
        self.opened.get_or_insert(now);
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.letters.is_empty()
    }

    /// Points that overwrite earlier points of this batch.
    pub fn collisions(&self) -> Collisions {
        collisions::count(&self.lines, &self.runs)
    }

    pub fn is_full(&self, limits: &Limits) -> bool {
        self.lines.lines() + self.letters.len() >= limits.lines_max
            || self.lines.bytes() + self.letter_bytes >= limits.bytes_max
    }

    /// The record that a line of this batch came from. No line may be settled without its record: it would be lost silently.
    pub fn origin(&self, line: usize) -> Origin {
        match self.runs.origin(line) {
            Some(origin) => origin,
            #[expect(
                clippy::panic,
                reason = "a fact of this module: each line's record is noted when the line is appended"
            )]
            None => panic!("line {line} of a batch has no record"),
        }
    }

    /// Whose records this batch must not settle: a limit of the server keeps lines of them out. Each once.
    pub fn blocked_assignments(&self, blocked: &[BlockedLine]) -> Vec<AssignmentId> {
        let mut assignments: Vec<AssignmentId> =
            blocked.iter().map(|blocked| self.origin(blocked.line).assignment).collect();
        assignments.sort_unstable();
        assignments.dedup();
        assignments
    }

    /// The topic and partition of a assignment, of a closed batch. None: the partition was given up before the batch was closed.
    pub fn place_of(&self, assignment: AssignmentId) -> Option<&Arc<TopicPartition>> {
        let number = self.assignments.iter().position(|carried| *carried == assignment);
        let place = number.and_then(|number| self.places.get(number));
        assert!(place.is_some(), "a closed batch knows the partition of each of its assignments");
        place.and_then(Option::as_ref)
    }

    /// When it is to be closed; none while it is empty.
    pub fn due(&self, limits: &Limits) -> Option<Instant> {
        self.opened.map(|opened| opened + limits.age_max)
    }

    /// Counts the memory that it holds now.
    pub fn account(&mut self) {
        let bytes = self.lines.capacity()
            + self.runs.capacity_bytes()
            + self.assignments.capacity() * size_of::<AssignmentId>()
            + self.letter_bytes;
        self.reserved.set(bytes);
    }

    /// Empties it for another use; its memory is kept up to `bytes_kept`, so that one large batch does not hold it for ever.
    pub fn reset(&mut self, batch_id: BatchId, bytes_kept: usize) {
        self.batch_id = batch_id;
        let (text, ends) = std::mem::take(&mut self.lines).into_parts();
        self.lines =
            if text.capacity() <= bytes_kept { LineBuffer::reuse(text, ends) } else { LineBuffer::default() };
        self.runs.clear();
        self.assignments.clear();
        self.places.clear();
        self.letters = Vec::new();
        self.letter_bytes = 0;
        self.opened = None;
        self.account();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { lines_max: 2, bytes_max: 100, age_max: Duration::from_secs(1) };

    fn push(batch: &mut Batch, text: &str, now: Instant) {
        let first = batch.lines.lines();
        batch.lines.text_mut().extend_from_slice(text.as_bytes());
        batch.lines.end_line();
        batch.push(AssignmentId::for_test(1), first as i64, first, now);
    }

    #[test]
    fn is_full_by_lines_or_bytes_and_due_by_the_first_line() {
        let (now, mut batch) = (Instant::now(), Batch::new(BatchId::first(), &Budget::new(1_000)));
        assert_eq!(batch.due(&LIMITS), None);
        push(&mut batch, "a v=1", now);
        push(&mut batch, "a v=2", now + Duration::from_millis(10));
        assert_eq!(batch.due(&LIMITS), Some(now + LIMITS.age_max));
        assert!(batch.is_full(&LIMITS));
        batch.reset(BatchId::first().next(), 1_000);
        assert_eq!((batch.due(&LIMITS), batch.is_full(&LIMITS)), (None, false));
        push(&mut batch, &"x".repeat(100), now);
        assert!(batch.is_full(&LIMITS));
    }
}
