//! Traces lines to their records, without an entry for each record.

use crate::offset_tracker::AssignmentId;
use std::ops::Range;

/// The record of each line of a batch: runs of consecutive records of one partition that became the same number of lines each.
#[derive(Debug, Default)]
pub struct LineOrigins(Vec<Run>);

#[derive(Clone, Copy, Debug)]
struct Run {
    assignment: AssignmentId,
    first_offset: i64,
    records: u32,
    first_line: u32,
    lines_each: u32,
}

/// The record that a line came from: an offset within an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineOrigin {
    pub assignment: AssignmentId,
    pub offset: i64,
    /// Index among the lines of the record.
    pub line: u32,
}

impl LineOrigins {
    /// Records that `lines` lines from `first_line` on came from this record. A record without lines has no entry.
    pub fn push(&mut self, assignment: AssignmentId, offset: i64, first_line: usize, lines: usize) {
        if lines == 0 {
            return;
        }
        // Batches have far fewer than 2^32 lines: `memory_max` bounds them.
        let (first_line, lines_each) = (first_line as u32, lines as u32);
        if let Some(run) = self.0.last_mut()
            && run.goes_on_with(assignment, offset, lines_each)
        {
            run.records += 1;
            return;
        }
        self.0.push(Run { assignment, first_offset: offset, records: 1, first_line, lines_each });
    }

    /// The record that the line with this index came from.
    pub fn origin(&self, line: usize) -> Option<LineOrigin> {
        let line = u32::try_from(line).ok()?;
        let after = self.0.partition_point(|run| run.first_line <= line);
        let run = self.0.get(after.checked_sub(1)?)?;
        let within = line - run.first_line;
        let record = within / run.lines_each;
        (record < run.records).then(|| LineOrigin {
            assignment: run.assignment,
            offset: run.first_offset + i64::from(record),
            line: within % run.lines_each,
        })
    }

    /// The records of all lines, in the order of the lines: assignment, offset and lines.
    pub fn records(&self) -> impl Iterator<Item = (AssignmentId, i64, Range<usize>)> + '_ {
        self.0.iter().flat_map(|run| {
            (0..run.records).map(|record| {
                let first = (run.first_line + record * run.lines_each) as usize;
                let lines = first..first + run.lines_each as usize;
                (run.assignment, run.first_offset + i64::from(record), lines)
            })
        })
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn capacity_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Run>()
    }
}

impl Run {
    fn goes_on_with(&self, assignment: AssignmentId, offset: i64, lines: u32) -> bool {
        self.assignment == assignment
            && self.lines_each == lines
            && self.first_offset + i64::from(self.records) == offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keeps_one_run_for_a_regular_partition() {
        let mut runs = LineOrigins::default();
        for record in 0..1_000 {
            runs.push(AssignmentId::for_test(1), 50 + record as i64, record * 3, 3);
        }
        assert_eq!(runs.0.len(), 1);
        assert_eq!(
            runs.origin(2_999),
            Some(LineOrigin { assignment: AssignmentId::for_test(1), offset: 1_049, line: 2 })
        );
        assert_eq!(runs.origin(3_000), None);
    }

    proptest! {
        #[test]
        fn traces_every_line(records in prop::collection::vec((0_u64..3, 1_i64..3, 0_usize..4), 0..200)) {
            let (mut runs, mut want, mut offsets) = (LineOrigins::default(), Vec::new(), [0_i64; 3]);
            for (partition, step, lines) in records {
                let (assignment, offset) = (AssignmentId::for_test(partition), offsets[partition as usize]);
                offsets[partition as usize] += step;
                runs.push(assignment, offset, want.len(), lines);
                want.extend((0..lines as u32).map(|line| LineOrigin { assignment, offset, line }));
            }
            for (line, want) in want.iter().enumerate() {
                prop_assert_eq!(runs.origin(line), Some(*want));
            }
            prop_assert_eq!(runs.origin(want.len()), None);
        }
    }
}
