//! Points of one batch that InfluxDB takes for the same one: equal series and equal time, from different records. The later
//! overwrites the fields of the earlier without a word. Lines that are equal altogether lose nothing.

use super::{LineBuffer, Runs};
use crate::decode::runs;

/// Places looked at for each line on an average, until times alone no longer tell enough: twice what random times take.
const PROBES_A_LINE: usize = 3;

/// What was found in a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collisions {
    pub count: u64,
    /// A line whose point an earlier record of the batch has, too.
    pub example: Option<usize>,
}

/// Counts lines whose series and time an earlier line of another record has.
pub fn count(lines: &LineBuffer, runs: &Runs) -> Collisions {
    // Mostly times alone tell points apart; where many points share one, the series has to be read, too.
    count_by(lines, runs, |point| hash(0, point.time), lines.lines() * PROBES_A_LINE)
        .or_else(|| count_by(lines, runs, |point| hash(hash(0, point.time), point.series()), usize::MAX))
        .unwrap_or_default()
}

/// None: more than `probes_max` places of the table had to be looked at.
fn count_by(
    lines: &LineBuffer,
    runs: &Runs,
    hash: impl Fn(&Point<'_>) -> u64,
    probes_max: usize,
) -> Option<Collisions> {
    let mut found = Collisions::default();
    // At most half full, so that looking for a place is short. It lives as long as this call: lanes may be many.
    let mut table = Table { lines, entries: vec![0; (lines.lines() * 2).next_power_of_two()], probes: 0 };
    for line in 0..lines.lines() {
        let Some(point) = lines.line(line).and_then(Point::of) else { continue };
        if let Some(earlier) = table.enter(&point, hash(&point), line)
            && record(runs, earlier) != record(runs, line)
            // A record that is read again within one batch changes nothing.
            && lines.line(earlier) != lines.line(line)
        {
            found.count += 1;
            found.example.get_or_insert(line);
        }
        if table.probes > probes_max {
            return None;
        }
    }
    Some(found)
}

fn record(runs: &Runs, line: usize) -> Option<(crate::commit::Tenure, i64)> {
    runs.origin(line).map(|origin| (origin.tenure, origin.offset))
}

/// The lines so far, by their hashes.
struct Table<'l> {
    lines: &'l LineBuffer,
    /// A line's index and one; 0: free.
    entries: Vec<u32>,
    probes: usize,
}

impl Table<'_> {
    /// Enters a line; returns the line that has its point already.
    fn enter(&mut self, point: &Point<'_>, hash: u64, line: usize) -> Option<usize> {
        let mask = self.entries.len().checked_sub(1)?;
        let mut place = hash as usize & mask;
        loop {
            self.probes += 1;
            let entry = self.entries.get_mut(place)?;
            let Some(earlier) = entry.checked_sub(1) else {
                // Batches hold far fewer than 2^32 lines: `memory_max` bounds them.
                *entry = line as u32 + 1;
                return None;
            };
            let other = self.lines.line(earlier as usize).and_then(Point::of);
            if other.is_some_and(|other| other.time == point.time && other.series() == point.series()) {
                return Some(earlier as usize);
            }
            place = (place + 1) & mask;
        }
    }
}

/// What InfluxDB tells points apart by, in a line that the bridge encoded.
struct Point<'a> {
    line: &'a [u8],
    time: &'a [u8],
}

impl<'a> Point<'a> {
    /// The time stands behind the last space.
    fn of(line: &'a [u8]) -> Option<Self> {
        let time = line.get(memchr::memrchr(b' ', line)?..)?;
        Some(Self { line, time })
    }

    /// The series ends at the first space without a backslash before it.
    fn series(&self) -> &'a [u8] {
        let mut spaces = memchr::memchr_iter(b' ', self.line);
        let is_plain = |at: usize| at.checked_sub(1).and_then(|before| self.line.get(before)) != Some(&b'\\');
        let end = spaces.find(|&at| is_plain(at));
        end.and_then(|end| self.line.get(..end)).unwrap_or_default()
    }
}

/// Eight bytes at a time; equal points are told apart from others by comparing them.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(MULTIPLIER);
    let hash = runs::words(bytes).fold(seed ^ bytes.len() as u64, mix);
    // The high bits depend on all of the input, the low ones choose the place.
    hash ^ (hash >> 32)
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
    fn many_points_may_share_a_time() {
        let line = |n: i64| (n, format!("m,host=h{} v={n} 5", n % 3_000));
        let lines: Vec<_> = (0..3_001).map(line).collect();
        let lines: Vec<_> = lines.iter().map(|(offset, line)| (*offset, line.as_str())).collect();
        assert_eq!(batch(&lines), Collisions { count: 1, example: Some(3_000) });
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
