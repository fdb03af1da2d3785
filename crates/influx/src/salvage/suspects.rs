//! Finds the lines that a cause may be about.

use crate::lines::Lines;
use crate::parsed_answer::{Quote, RefusalCause};
use line_protocol::reader::{Point, Value, read_v2_line};
use memchr::memmem::Finder;
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Quotes that match no line, such as quotes of text that is not UTF-8. Each is compared with all lines, so their number is bounded.
const UNMATCHED_MAX: usize = 16;

const HOUR_NANOS: i64 = 3_600_000_000_000;
const DAY_NANOS: i64 = 24 * HOUR_NANOS;
/// From the first Monday back to 1970: weekly shards begin on Mondays, and 1970 on a Thursday.
const MONDAY_NANOS: i64 = 3 * DAY_NANOS;

/// A line that may be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    pub line: u32,
    /// `None`: InfluxDB uses the time of the request.
    pub time: Option<i64>,
    /// The reason, if the answer gives one for this very line.
    pub why: Option<Arc<str>>,
}

/// The lines that a cause fits, in order of time.
pub fn that_fit(lines: &Lines, indices: impl Iterator<Item = usize>, cause: &RefusalCause) -> Vec<Suspect> {
    let needle = match cause {
        RefusalCause::Unparsable | RefusalCause::Named(_) | RefusalCause::Limit(_) | RefusalCause::Other => {
            return Vec::new();
        }
        RefusalCause::Conflict { field, .. } | RefusalCause::TooLong { field, .. } => field.bytes(),
        RefusalCause::Retention => b"",
    };
    let finder = Finder::new(needle);
    let candidates = indices.filter(|&index| finder.find(text(lines, index)).is_some());
    // A line that cannot be parsed fits no cause, so nothing is proven against it.
    let points = candidates.filter_map(|index| Some((index, read_v2_line(text(lines, index)).ok()?)));
    let fitting = points.filter(|(_, point)| fits(point, cause));
    by_time(fitting.map(|(index, point)| Suspect { line: index as u32, time: point.time, why: None }))
}

/// All lines, in order of time.
pub fn all(lines: &Lines, indices: impl Iterator<Item = usize>) -> Vec<Suspect> {
    let time = |index| read_v2_line(text(lines, index)).ok()?.time;
    by_time(indices.map(|index| Suspect { line: index as u32, time: time(index), why: None }))
}

pub fn by_time(suspects: impl Iterator<Item = Suspect>) -> Vec<Suspect> {
    let mut suspects: Vec<Suspect> = suspects.collect();
    suspects.sort_by_key(|suspect| suspect.time);
    suspects
}

fn fits(point: &Point, cause: &RefusalCause) -> bool {
    match cause {
        RefusalCause::Conflict { field, kind } => {
            let is_it = |name: &str, value: &Value| value.type_name() == kind && field.is(&point.measurement, name);
            point.fields.iter().any(|(name, value)| is_it(name, value))
        }
        RefusalCause::TooLong { field, bytes_max } => point.fields.iter().any(|(name, value)| {
            matches!(value, Value::String(text) if text.len() > *bytes_max && field.is(&point.measurement, name))
        }),
        RefusalCause::Retention => point.time.is_some(),
        RefusalCause::Unparsable | RefusalCause::Named(_) | RefusalCause::Limit(_) | RefusalCause::Other => false,
    }
}

/// Whether a cause that names a field or the retention may be about this line.
pub fn fits_line(line: &[u8], cause: &RefusalCause) -> bool {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    match cause {
        // A line without a time, or one that the reader does not read, shows nothing against it.
        RefusalCause::Retention => !read_v2_line(line).is_ok_and(|point| point.time.is_some_and(is_kept)),
        _ => read_v2_line(line).is_ok_and(|point| fits(&point, cause)),
    }
}

/// Whether every retention keeps a point of this time: InfluxDB 1 and 2 allow none below an hour.
fn is_kept(time: i64) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64);
    time > now - HOUR_NANOS
}

/// The lines that an answer quotes, in the request's order. `reason` makes a reason from the server's text.
pub fn that_are_quoted(
    lines: &Lines,
    indices: &[usize],
    quotes: &[Quote<'_>],
    mut reason: impl FnMut(&str) -> Arc<str>,
) -> Vec<Suspect> {
    let (mut rest, mut unmatched) = (indices, 0);
    let mut suspects = Vec::new();
    for quote in quotes {
        let found = rest.iter().position(|&index| text(lines, index) == quote.line.as_bytes());
        let Some((&index, after)) = found.and_then(|at| rest.get(at..)?.split_first()) else {
            unmatched += 1;
            if unmatched > UNMATCHED_MAX {
                break;
            }
            continue;
        };
        rest = after;
        suspects.push(Suspect { line: index as u32, time: None, why: Some(reason(quote.why)) });
    }
    suspects
}

/// The line without its newline.
fn text(lines: &Lines, index: usize) -> &[u8] {
    let line = lines.line(index);
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// Where to cut two or more suspects, which are in order of time. A server refuses by shard, and no answer says where shards end: mostly
/// with a week, a day or an hour.
pub fn middle(suspects: &[Suspect]) -> usize {
    let week = |time: i64| time.saturating_add(MONDAY_NANOS).div_euclid(7 * DAY_NANOS);
    let day = |time: i64| time.div_euclid(DAY_NANOS);
    let hour = |time: i64| time.div_euclid(HOUR_NANOS);
    let units: [&dyn Fn(i64) -> i64; 3] = [&week, &day, &hour];
    let cut = units.iter().find_map(|unit| {
        let time_unit = |suspect: &Suspect| suspect.time.map(unit);
        let pairs = suspects.windows(2).enumerate();
        let starts: Vec<usize> = pairs
            .filter(|(_, pair)| matches!(pair, [a, b] if time_unit(a) != time_unit(b)))
            .map(|(i, _)| i + 1)
            .collect();
        starts.get(starts.len() / 2).copied()
    });
    cut.unwrap_or_else(|| halves(suspects))
}

/// The change of time that is nearest to the middle: lines with one time are in one shard.
fn halves(suspects: &[Suspect]) -> usize {
    let half = suspects.len().div_ceil(2);
    let time = |i: usize| suspects.get(i).map(|suspect| suspect.time);
    let cuts = (1..suspects.len()).filter(|&i| time(i) != time(i - 1));
    cuts.min_by_key(|&cut| (cut.abs_diff(half), Reverse(cut))).unwrap_or(half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use line_protocol::LineBuffer;

    fn lines(texts: &[&str]) -> Lines {
        LineBuffer::from_iter(texts).into()
    }

    #[test]
    fn finds_the_lines_that_a_complaint_fits() {
        let f = |message: &str, texts: &[&str], want: &[u32]| {
            let cause = RefusalCause::read(&format!("partial write: {message} dropped=1"))
                .unwrap_or(RefusalCause::Other);
            let suspects = that_fit(&lines(texts), 0..texts.len(), &cause);
            let got: Vec<u32> = suspects.iter().map(|suspect| suspect.line).collect();
            assert_eq!(got, want, "{message}");
        };
        let conflict = |names: &str, kind: &str| {
            format!("field type conflict: input field {names} is type {kind}, already exists as type any")
        };
        let texts = ["m f=1i 9", "m f=1 1", "n f=1i 1", "m g=1i 1", "m,f=1i g=1 1", "m g=1,f=1i 2", "m f= 1"];
        f(&conflict(r#""f" on measurement "m""#, "integer"), &texts, &[5, 0]);
        f(&conflict(r#""f" on measurement "m""#, "float"), &texts, &[1]);
        f(&conflict(r#""f" on measurement "m""#, "string"), &texts, &[]);
        f(&conflict(r#""f" on measurement "m""#, "boolean"), &["m f=true 1", "m f=\"true\" 2"], &[0]);
        let escaped = [r#"m\ \,x f\ a\=b\"c=1i 1"#, r"온\도 습\\도=1i 1"];
        // Names as 2.7.12 and 1.6.7 write them.
        f(&conflict(r#""f a=b\"c" on measurement "m ,x""#, "integer"), &escaped, &[0]);
        f(&conflict(r#""f a=b"c" on measurement "m ,x""#, "integer"), &escaped, &[0]);
        f(&conflict(r#""습\\\\도" on measurement "온\\도""#, "integer"), &escaped, &[1]);
        f(&conflict(r#""습\\도" on measurement "온\도""#, "integer"), &escaped, &[1]);
        let texts = ["m s=\"four\" 2", "m s=\"three\" 1", "m t=\"three\" 3", "m s=1 4"];
        f(r#"input field "s" on measurement "m" is too long, 5 > 4"#, &texts, &[1]);
        f("points beyond retention policy", &["m f=1 5", "m f=1 -3", "m f=1", "m f= 1"], &[1, 0]);
        f("what", &texts, &[]);
    }

    #[test]
    fn cuts_where_shards_may_end() {
        let monday = 1_767_571_200_000_000_000;
        let f = |times: &[i64], want: usize| {
            let suspect = |time: &i64| Suspect { line: 0, time: Some(*time), why: None };
            assert_eq!(middle(&times.iter().map(suspect).collect::<Vec<_>>()), want, "{times:?}");
        };
        f(&[monday - 2, monday - 1, monday, monday + 1, monday + 2, monday + 3], 2);
        f(&[monday, monday + DAY_NANOS - 1, monday + DAY_NANOS], 2);
        f(&[monday, monday + HOUR_NANOS, monday + HOUR_NANOS + 1], 1);
        f(&[monday, monday + 1, monday + 1, monday + 1], 1);
        f(&[monday, monday, monday, monday], 2);
        f(&[i64::MIN, i64::MAX], 1);
    }
}
