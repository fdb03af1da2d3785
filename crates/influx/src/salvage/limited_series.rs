//! Lines that probably meet a limit, once many lines were refused alone for it. To find each of them alone would take a request or more
//! for each, and a line that is kept out is not lost: its topic is blocked, and its record is read again.

use super::evidence::Evidence;
use super::line_set::LineSet;
use crate::dialects::ServerLimit;
use crate::lines::Lines;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

/// After this many lines were found one by one, their neighbours are kept out without a request for each.
const FOUND_ALONE: usize = 32;

/// Lines of a refused request that are kept out together. Neighbours mostly belong to one topic.
const TOGETHER_MAX: usize = 32;

/// Measurements and series of a batch, as far as they are known. Each line is read once.
#[derive(Debug, Default)]
pub struct LimitedSeries {
    /// Limits and the measurements that met them.
    limited: HashSet<(&'static str, Box<[u8]>)>,
    /// Lines in `Evidence::kept_out` that were read.
    kept_out_read: usize,
    /// Hashes of the series that were stored. If two series have one hash, a line takes a request of its own.
    stored: HashSet<u64>,
    /// Stored lines that were read.
    stored_read: LineSet,
    hasher: RandomState,
}

impl LimitedSeries {
    /// The lines of a request that a limit refused which are kept out without a request for each: those of a measurement that met the limit
    /// before, unless the batch has stored another line of their series.
    pub fn likely(
        &mut self,
        lines: &Lines,
        request: &[usize],
        limit: &ServerLimit,
        evidence: &Evidence,
    ) -> Vec<usize> {
        if request.len() > TOGETHER_MAX || evidence.kept_out().len() < FOUND_ALONE {
            return Vec::new();
        }
        self.read(lines, evidence);
        let is_likely = |line: &usize| {
            let text = lines.line(*line);
            self.limited.contains(&(limit.text, measurement(text).into()))
                && !self.stored.contains(&self.hasher.hash_one(series(text)))
        };
        request.iter().copied().filter(is_likely).collect()
    }

    /// Reads the lines that were stored or kept out since the last time.
    fn read(&mut self, lines: &Lines, evidence: &Evidence) {
        for kept_out in evidence.kept_out().iter().skip(self.kept_out_read) {
            self.limited.insert((kept_out.limit.text, measurement(lines.line(kept_out.line)).into()));
        }
        self.kept_out_read = evidence.kept_out().len();
        for line in evidence.stored_lines() {
            if self.stored_read.insert(line) {
                self.stored.insert(self.hasher.hash_one(series(lines.line(line))));
            }
        }
    }
}

/// Measurement and tags as they stand in the line.
fn series(line: &[u8]) -> &[u8] {
    until_unescaped(line, b" ")
}

fn measurement(line: &[u8]) -> &[u8] {
    until_unescaped(line, b", ")
}

/// The text before the first of these bytes that no backslash escapes.
fn until_unescaped<'a>(line: &'a [u8], ends: &[u8]) -> &'a [u8] {
    let mut is_escaped = false;
    let end = line.iter().position(|byte| {
        let is_end = !is_escaped && ends.contains(byte);
        is_escaped = *byte == b'\\';
        is_end
    });
    end.and_then(|end| line.get(..end)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_series_and_measurement() {
        let f = |line: &str, want: (&str, &str)| {
            assert_eq!(series(line.as_bytes()), want.0.as_bytes(), "{line}");
            assert_eq!(measurement(line.as_bytes()), want.1.as_bytes(), "{line}");
        };
        f("m,a=b v=1 1", ("m,a=b", "m"));
        f("m v=1 1", ("m", "m"));
        f(r"m\ \,x,a=b\ c v=1 1", (r"m\ \,x,a=b\ c", r"m\ \,x"));
        f("", ("", ""));
    }
}
