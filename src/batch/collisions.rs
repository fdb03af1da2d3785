//! Points of one batch that InfluxDB takes for the same one: equal series and equal time, from different records. The later
//! overwrites the fields of the earlier without a word. Lines that are equal altogether lose nothing.

use super::{LineBuffer, Runs};

/// What was found in a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collisions {
    pub count: u64,
    /// A line whose point an earlier record of the batch has, too.
    pub example: Option<usize>,
}

/// Counts lines whose series and time an earlier line of another record has.
pub fn count(lines: &LineBuffer, runs: &Runs) -> Collisions {
    let mut found = Collisions::default();
    // At most half full, so that looking for a place is short. It lives as long as this call: lanes may be many.
    let mut table = vec![0_u32; (lines.lines() * 2).next_power_of_two()];
    for line in 0..lines.lines() {
        let Some(point) = lines.line(line).and_then(Point::of) else { continue };
        if let Some(earlier) = enter(&mut table, &point, line, lines)
            && record(runs, earlier) != record(runs, line)
            // A record that is read again within one batch changes nothing.
            && lines.line(earlier) != lines.line(line)
        {
            found.count += 1;
            found.example.get_or_insert(line);
        }
    }
    found
}

fn record(runs: &Runs, line: usize) -> Option<(crate::commit::Tenure, i64)> {
    runs.origin(line).map(|origin| (origin.tenure, origin.offset))
}

/// Enters a line; returns the line that has its point already.
fn enter(table: &mut [u32], point: &Point<'_>, line: usize, lines: &LineBuffer) -> Option<usize> {
    let mask = table.len().checked_sub(1)?;
    let mut place = point.hash() as usize & mask;
    loop {
        let entry = table.get_mut(place)?;
        match entry.checked_sub(1) {
            None => {
                // Batches hold far fewer than 2^32 lines: `memory_max` bounds them.
                *entry = line as u32 + 1;
                return None;
            }
            Some(earlier) if lines.line(earlier as usize).and_then(Point::of).as_ref() == Some(point) => {
                return Some(earlier as usize);
            }
            Some(_) => place = (place + 1) & mask,
        }
    }
}

/// What InfluxDB tells points apart by.
#[derive(PartialEq, Eq)]
struct Point<'a> {
    series: &'a [u8],
    time: &'a [u8],
}

impl<'a> Point<'a> {
    /// Of a line that the bridge encoded: the series ends at the first space without a backslash before it, and the time
    /// stands behind the last space.
    fn of(line: &'a [u8]) -> Option<Self> {
        let mut spaces = memchr::memchr_iter(b' ', line);
        let end = spaces.find(|at| at.checked_sub(1).and_then(|before| line.get(before)) != Some(&b'\\'))?;
        let time = memchr::memrchr(b' ', line)?;
        Some(Self { series: line.get(..end)?, time: line.get(time..)? })
    }

    /// Eight bytes at a time; equal points are told apart from others by comparing them.
    fn hash(&self) -> u64 {
        const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut hash = self.series.len() as u64;
        for part in [self.time, self.series] {
            for chunk in part.chunks(8) {
                let mut word = [0; 8];
                word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
                hash = (hash.rotate_left(23) ^ u64::from_le_bytes(word)).wrapping_mul(MULTIPLIER);
            }
        }
        // The high bits depend on all of the input, the low ones choose the place.
        hash ^ (hash >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::Tenure;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn batch(lines: &[(i64, &str)]) -> Collisions {
        let (mut buffer, mut runs) = (LineBuffer::default(), Runs::default());
        for (number, (offset, line)) in lines.iter().enumerate() {
            buffer.text_mut().extend_from_slice(line.as_bytes());
            buffer.end_line();
            runs.push(Tenure::for_test(1), *offset, number, 1);
        }
        count(&buffer, &runs)
    }

    #[test]
    fn counts_points_of_other_records_with_the_same_series_and_time() {
        let f = |lines: &[(i64, &str)], want: u64| assert_eq!(batch(lines).count, want, "{lines:?}");
        f(&[], 0);
        f(&[(1, "m,t=a v=1 5"), (2, "m,t=a w=2 5")], 1);
        f(&[(1, "m,t=a v=1 5"), (2, "m,t=b v=1 5"), (3, "m,t=a v=1 6")], 0);
        f(&[(1, "m v=1 5"), (2, "m v=2 5"), (3, "m v=3 5")], 2);
        f(&[(1, "m v=1 5"), (2, "m v=1 5")], 0);
        f(&[(1, r"m,t=a\ b v=1 5"), (2, r"m,t=a\ c v=1 5")], 0);
        f(&[(1, "m s=\"a b\" 5"), (2, "m s=\"a c\" 5")], 1);
        assert_eq!(batch(&[(1, "m v=1 5"), (2, "n v=1 5"), (3, "m v=2 5")]).example, Some(2));
    }

    #[test]
    fn a_record_may_write_a_point_in_parts() {
        let (mut buffer, mut runs) = (LineBuffer::default(), Runs::default());
        for line in ["m v=1 5", "m w=2 5"] {
            buffer.text_mut().extend_from_slice(line.as_bytes());
            buffer.end_line();
        }
        runs.push(Tenure::for_test(1), 7, 0, 2);
        assert_eq!(count(&buffer, &runs).count, 0);
    }

    proptest! {
        #[test]
        fn counts_as_a_map_would(points in prop::collection::vec((0_u8..40, 0_u8..40), 0..200)) {
            let lines: Vec<(i64, String)> = points
                .iter()
                .enumerate()
                .map(|(n, (series, time))| (n as i64, format!("measurement,host=h{series} v={n} 17000000000000{time}")))
                .collect();
            let borrowed: Vec<(i64, &str)> = lines.iter().map(|(offset, line)| (*offset, line.as_str())).collect();
            let mut seen = HashSet::new();
            let want = points.iter().filter(|point| !seen.insert(*point)).count();
            prop_assert_eq!(batch(&borrowed).count, want as u64);
        }
    }
}
