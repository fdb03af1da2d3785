//! Lines that probably meet a limit, once many lines were refused alone for it. To find each of them alone would take a request or more
//! for each, and a line that is kept out is not lost: its topic is blocked, and its record is read again.

use super::evidence::Evidence;
use crate::dialects::ServerLimit;
use crate::lines::Lines;
use std::collections::HashSet;

/// Lines that a limit keeps out, each found alone, before others are kept out with them.
const FOUND_ALONE: usize = 32;

/// Lines of a refused request that are kept out together. Neighbours mostly belong to one topic.
const TOGETHER_MAX: usize = 32;

/// The lines of a request that a limit refused which are kept out without a request for each: those of a measurement that met the limit
/// before, unless the batch has stored another line of their series.
pub fn likely(lines: &Lines, request: &[usize], limit: &ServerLimit, evidence: &Evidence) -> Vec<usize> {
    if request.len() > TOGETHER_MAX || evidence.kept_out().len() < FOUND_ALONE {
        return Vec::new();
    }
    let is_same = |kept_out: &&super::KeptOut| kept_out.limit.text == limit.text;
    let kept_out = evidence.kept_out().iter().filter(is_same).map(|kept_out| kept_out.line);
    let measurements: HashSet<&[u8]> = kept_out.map(|line| measurement(lines.line(line))).collect();
    let stored: HashSet<&[u8]> = evidence.stored_lines().map(|line| series(lines.line(line))).collect();
    let is_likely = |line: &usize| {
        let text = lines.line(*line);
        measurements.contains(measurement(text)) && !stored.contains(series(text))
    };
    request.iter().copied().filter(is_likely).collect()
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
