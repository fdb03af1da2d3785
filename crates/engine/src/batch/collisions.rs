//! Counts points of one batch with the series and time of an earlier point. InfluxDB takes them for one point: the later one
//! replaces fields of the earlier one without an error.
//!
//! Equal lines lose nothing and do not count. Neither do lines of one record whose field names differ: a record may write one point
//! in several lines.

use super::LineOrigins;
use base::text::{grouped, printable};
use line_protocol::LineBuffer;
use line_protocol::series::{self, hash};
use std::hash::{BuildHasher, RandomState};

/// Table entries probed per line on average before another hash is used: twice the number that random hashes need.
const PROBES_A_LINE: usize = 3;
/// Lines that a [`CollisionSample`] compares at a time: the size of a batch without a backlog.
const SAMPLE_LINES_MAX: usize = 5_000;
/// Bytes that a [`CollisionSample`] collects before it counts: a record may have long lines.
const SAMPLE_BYTES_MAX: usize = 8 << 20;

/// The remedy that keeps both points.
pub const REMEDY: &str =
    "name the key that tells them apart in `tag_keys`, or set `distinct_times = \"always\"`";

/// Collisions of one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collisions {
    /// Points with the series and time of an earlier point of the batch.
    pub count: u64,
    /// The part of `count` whose earlier point comes from the same record.
    pub within_records: u64,
    /// Index of the first such line.
    pub example: Option<usize>,
}

impl Collisions {
    /// Adds those among the next lines of the batch.
    pub fn add(&mut self, next: Self) {
        self.count += next.count;
        self.within_records += next.within_records;
        self.example = self.example.or(next.example);
    }
}

/// Counts lines with the series and time of an earlier one of these lines. `first`: index of the first one in its batch.
pub fn count(lines: &LineBuffer, origins: &LineOrigins, first: usize) -> Collisions {
    let record = |line| origins.origin(first + line).map(|origin| (origin.assignment, origin.offset));
    let found = count_lines(lines, |earlier, later| record(earlier) == record(later));
    Collisions { example: found.example.map(|line| first + line), ..found }
}

fn count_lines(lines: &LineBuffer, is_same_record: impl Fn(usize, usize) -> bool) -> Collisions {
    let probes_max = lines.lines() * PROBES_A_LINE;
    // Usually the times differ. Only where many points share a time is the series hashed too.
    count_by(lines, &is_same_record, |point| hash(0, point.time), probes_max)
        .or_else(|| count_by(lines, &is_same_record, hash_of_point, probes_max))
        .or_else(|| {
            // A producer may choose series with equal hashes, but not for a hash with a random key.
            let keyed = RandomState::new();
            let hash = |point: &Point<'_>| keyed.hash_one((point.time, point.series()));
            count_by(lines, &is_same_record, hash, usize::MAX)
        })
        .unwrap_or_default()
}

fn hash_of_point(point: &Point<'_>) -> u64 {
    hash(hash(0, point.time), point.series())
}

/// Collisions among the lines of sampled records, for commands that write no batch. Compares [`SAMPLE_LINES_MAX`] lines at a time,
/// like batches of the default size.
#[derive(Debug, Default)]
pub struct CollisionSample {
    lines: LineBuffer,
    /// The record of each line: its index among the added records.
    records: Vec<u64>,
    added: u64,
    count: u64,
    within_records: u64,
    example: Option<String>,
}

impl CollisionSample {
    /// Adds the lines of one record.
    pub fn add(&mut self, record: &LineBuffer) {
        for line in (0..record.lines()).filter_map(|line| record.line(line)) {
            self.lines.push_line(line);
            self.records.push(self.added);
        }
        self.added += 1;
        if self.lines.lines() >= SAMPLE_LINES_MAX || self.lines.bytes() >= SAMPLE_BYTES_MAX {
            self.count_lines();
        }
    }

    /// Describes the collisions and their remedy. None: no point overwrites another.
    pub fn warning(mut self) -> Option<String> {
        self.count_lines();
        let example = self.example?;
        let points = if self.count == 1 { "1 point has" } else { "points have" };
        let number = if self.count == 1 { String::new() } else { format!("{} ", grouped(self.count)) };
        let within = match self.within_records {
            0 => String::new(),
            count => format!(" ({} of them within one record)", grouped(count)),
        };
        Some(format!(
            "{number}{points} the series and time of an earlier point{within}, and InfluxDB would overwrite that point: \
             {REMEDY}; for example {}",
            printable(&example, 200)
        ))
    }

    fn count_lines(&mut self) {
        let found =
            count_lines(&self.lines, |earlier, later| self.records.get(earlier) == self.records.get(later));
        self.count += found.count;
        self.within_records += found.within_records;
        if let (None, Some(line)) = (&self.example, found.example.and_then(|line| self.lines.line(line))) {
            self.example = Some(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
        }
        self.lines.clear();
        self.records.clear();
    }
}

/// Counts collisions with this hash. None: more than `probes_max` table entries had to be probed.
fn count_by(
    lines: &LineBuffer,
    is_same_record: &impl Fn(usize, usize) -> bool,
    hash: impl Fn(&Point<'_>) -> u64,
    probes_max: usize,
) -> Option<Collisions> {
    let mut found = Collisions::default();
    let mut table = Table::new(lines);
    for line in 0..lines.lines() {
        let Some(point) = lines.line(line).and_then(Point::of) else { continue };
        if let Some(earlier) = table.enter(&point, hash(&point), line)
            // Equal lines, such as those of a record that is read again within one batch, change nothing.
            && lines.line(earlier) != lines.line(line)
        {
            let is_within_record = is_same_record(earlier, line);
            let keeps_earlier = || {
                lines
                    .line(earlier)
                    .and_then(Point::of)
                    .is_some_and(|earlier| !point.replaces_fields_of(&earlier))
            };
            if !(is_within_record && keeps_earlier()) {
                found.count += 1;
                found.within_records += u64::from(is_within_record);
                found.example.get_or_insert(line);
            }
        }
        if table.probes > probes_max {
            return None;
        }
    }
    Some(found)
}

/// Hash table of the lines so far, with open addressing.
struct Table<'l> {
    lines: &'l LineBuffer,
    /// Seven bits of the hash of the line in each place, and a bit that is set; 0: free. Most other lines differ in them, so that their
    /// text, which is mostly not in the processor's cache, is not compared.
    marks: Vec<u8>,
    /// The index of the line in each place.
    places: Vec<u32>,
    probes: usize,
}

impl<'l> Table<'l> {
    fn new(lines: &'l LineBuffer) -> Self {
        // At most half full, so that probing is short. Freed after the count, because there may be many lanes.
        let places = (lines.lines() * 2).next_power_of_two();
        Self { lines, marks: vec![0; places], places: vec![0; places], probes: 0 }
    }

    /// Enters a line. Returns the earlier line with the same series and time, if there is one.
    fn enter(&mut self, point: &Point<'_>, hash: u64, line: usize) -> Option<usize> {
        let last = self.marks.len().checked_sub(1)?;
        let (mark, mut place) = ((hash >> 57) as u8 | 0x80, hash as usize & last);
        loop {
            self.probes += 1;
            let (entered, earlier) = (self.marks.get_mut(place)?, self.places.get_mut(place)?);
            if *entered == 0 {
                // Batches have far fewer than 2^32 lines: `memory_max` bounds them.
                (*entered, *earlier) = (mark, line as u32);
                return None;
            }
            if *entered == mark {
                let earlier = *earlier as usize;
                let other = self.lines.line(earlier).and_then(Point::of);
                if other.is_some_and(|other| other.time == point.time && other.series() == point.series()) {
                    return Some(earlier);
                }
            }
            place = (place + 1) & last;
        }
    }
}

/// Series, fields and time of a line that the bridge encoded.
struct Point<'a> {
    line: &'a [u8],
    time: &'a [u8],
}

impl<'a> Point<'a> {
    /// Splits a line. The time follows the last space.
    fn of(line: &'a [u8]) -> Option<Self> {
        let time = line.get(memchr::memrchr(b' ', line)?..)?;
        Some(Self { line, time })
    }

    fn series(&self) -> &'a [u8] {
        series::of(self.line)
    }

    /// Name and value of each field.
    fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let end = self.line.len() - self.time.len();
        let mut rest = self.line.get(self.series().len() + 1..end).unwrap_or_default();
        std::iter::from_fn(move || {
            let (name, after) = rest.split_at_checked(unescaped(rest, b'=')?)?;
            let after = after.get(1..)?;
            let length = match after {
                // The closing quote belongs to the value.
                [b'"', text @ ..] => unescaped(text, b'"')? + 2,
                _ => memchr::memchr(b',', after).unwrap_or(after.len()),
            };
            let (value, after) = after.split_at_checked(length)?;
            rest = after.get(1..).unwrap_or_default();
            Some((name, value))
        })
    }

    /// Whether this point changes the value of a field of `earlier`.
    fn replaces_fields_of(&self, earlier: &Self) -> bool {
        // A small Bloom filter excludes most pairs without a common field, because both points may have hundreds of fields.
        const WORDS: usize = 16;
        let bit = |name: &[u8]| {
            let hash = hash(0, name) as usize;
            (hash / 64 % WORDS, 1_u64 << (hash % 64))
        };
        let mut names = [0_u64; WORDS];
        for (word, bit) in earlier.fields().map(|(name, _)| bit(name)) {
            if let Some(word) = names.get_mut(word) {
                *word |= bit;
            }
        }
        self.fields().any(|(name, value)| {
            let (word, bit) = bit(name);
            names.get(word).is_some_and(|word| word & bit != 0)
                && earlier.fields().any(|(other, before)| other == name && before != value)
        })
    }
}

/// Position of the first `end` that no backslash escapes.
fn unescaped(text: &[u8], end: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'\\', end, text.get(at..)?)?;
        if text.get(at) == Some(&end) {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offset_tracker::AssignmentId;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn batch(lines: &[(i64, &str)]) -> Collisions {
        let (mut buffer, mut origins) = (LineBuffer::default(), LineOrigins::default());
        for (number, (offset, line)) in lines.iter().enumerate() {
            buffer.text_mut().extend_from_slice(line.as_bytes());
            buffer.end_line();
            origins.push(AssignmentId::for_test(1), *offset, number, 1);
        }
        count(&buffer, &origins, 0)
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

    /// These series have one place in the table.
    #[test]
    fn chosen_series_take_no_quadratic_time() {
        let place = |line: &str| Point::of(line.as_bytes()).map(|point| hash_of_point(&point) % 1_024);
        let chosen = (0..).map(|n| format!("m,t={n} v=1 5")).filter(|line| place(line) == Some(7)).take(500);
        let chosen: Vec<String> = chosen.collect();
        let mut lines: Vec<(i64, &str)> = (0..).zip(chosen.iter().map(String::as_str)).collect();
        let again = lines[100].1.replace("v=1", "v=2");
        lines.push((500, &again));
        let buffer: LineBuffer = lines.iter().map(|(_, line)| *line).collect();
        let probes_max = lines.len() * PROBES_A_LINE;
        assert!(count_by(&buffer, &|_, _| false, hash_of_point, probes_max).is_none());
        assert_eq!(batch(&lines).count, 1);
    }

    #[test]
    fn many_points_may_share_a_time() {
        let line = |n: i64| (n, format!("m,host=h{} v={n} 5", n % 3_000));
        let lines: Vec<_> = (0..3_001).map(line).collect();
        let lines: Vec<_> = lines.iter().map(|(offset, line)| (*offset, line.as_str())).collect();
        assert_eq!(batch(&lines), Collisions { count: 1, within_records: 0, example: Some(3_000) });
    }

    /// Collisions among lines of one record.
    fn record(lines: &[&str]) -> Collisions {
        let (mut buffer, mut origins) = (LineBuffer::default(), LineOrigins::default());
        for line in lines {
            buffer.text_mut().extend_from_slice(line.as_bytes());
            buffer.end_line();
        }
        origins.push(AssignmentId::for_test(1), 7, 0, lines.len());
        count(&buffer, &origins, 0)
    }

    #[test]
    fn counts_lines_of_one_record_that_replace_fields() {
        let f = |lines: &[&str], want: u64| {
            let found = record(lines);
            assert_eq!((found.count, found.within_records), (want, want), "{lines:?}");
        };
        f(&["m v=1 5", "m v=2 5", "m v=3 5"], 2);
        f(&["m v=1 5", "m v=1 5"], 0);
        f(&["m v=1 5", "n v=2 5", "m v=2 6"], 0);
        // One point in several lines: other fields, or the same value again.
        f(&["m v=1 5", "m w=2 5"], 0);
        f(&["m v=1,s=\"a\" 5", "m w=2,v=1 5"], 0);
        // Names within strings and escaped names are not fields.
        f(&[r#"m s="a,v=1",t="\"" 5"#, "m v=2 5"], 0);
        f(&[r"m a\=v=1i 5", "m v=2 5"], 0);
        f(&[r#"m s="\\",a\ b\,c=1 5"#, r"m x=1,a\ b\,c=2 5"], 1);
        f(&[r#"m,t=a\ b s="x y" 5"#, r#"m,t=a\ b s="x z" 5"#], 1);
    }

    #[test]
    fn a_sample_warns_of_points_that_overwrite_each_other() {
        let buffer = |lines: &[&str]| {
            let mut buffer = LineBuffer::default();
            for line in lines {
                buffer.text_mut().extend_from_slice(line.as_bytes());
                buffer.end_line();
            }
            buffer
        };
        let mut sample = CollisionSample::default();
        sample.add(&buffer(&["m,t=a v=1 5", "m,t=b v=1 5"]));
        sample.add(&buffer(&["m,t=a v=1 6"]));
        assert_eq!(sample.warning(), None);
        let mut sample = CollisionSample::default();
        sample.add(&buffer(&["m v=1 5", "m v=2 5"]));
        sample.add(&buffer(&["m v=3 5"]));
        let warning = sample.warning().unwrap();
        assert!(warning.starts_with("2 points have the series and time"), "{warning}");
        assert!(
            warning.contains("1 of them within one record") && warning.ends_with("for example m v=2 5"),
            "{warning}"
        );
        // More lines than one batch has.
        let mut sample = CollisionSample::default();
        for n in 0..3 * SAMPLE_LINES_MAX {
            sample.add(&buffer(&[&format!("m v=1 {n}"), &format!("m v=2 {n}")]));
        }
        assert!(sample.warning().unwrap().starts_with("15,000 points"));
    }

    proptest! {
        #[test]
        fn counts_like_a_hash_set(points in prop::collection::vec((0_u8..40, 0_u8..40), 0..200)) {
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
