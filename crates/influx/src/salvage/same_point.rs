//! Lines of a batch that are the same point: InfluxDB keeps the last one that it stored.

use crate::lines::Lines;
use line_protocol::reader::{Point, read_v2_line};

/// Later lines with the series and time of this line.
pub fn later(lines: &Lines, line: usize) -> Vec<usize> {
    let Some(key) = PointKey::of(lines, line) else { return Vec::new() };
    (line + 1..lines.len()).filter(|&other| PointKey::of(lines, other).as_ref() == Some(&key)).collect()
}

/// Whether an earlier line has the series and time of this line.
pub fn has_earlier(lines: &Lines, line: usize) -> bool {
    let Some(key) = PointKey::of(lines, line) else { return false };
    (0..line).any(|other| PointKey::of(lines, other).as_ref() == Some(&key))
}

/// Series and time of a line.
#[derive(PartialEq, Eq)]
struct PointKey {
    measurement: String,
    /// In the order of their keys, which topics may write in different orders.
    tags: Vec<(String, String)>,
    time: i64,
}

impl PointKey {
    /// `None` for a line without a time: the server gives it one, so no other line is the same point. A line that the reader
    /// refuses is none that the bridge writes.
    fn of(lines: &Lines, line: usize) -> Option<Self> {
        let text = lines.line(line);
        let Point { measurement, mut tags, time, .. } =
            read_v2_line(text.strip_suffix(b"\n").unwrap_or(text)).ok()?;
        tags.sort();
        Some(Self { measurement, tags, time: time? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use line_protocol::LineBuffer;

    #[test]
    fn compares_series_and_time() {
        let texts =
            ["m,a=1,b=2 f=1 7", "m,b=2,a=1 g=2 7", "m,a=1,b=2 f=1 8", "m f=1", "m f=2", "m,a=1,b=2 f=3 7"];
        let lines = Lines::from(LineBuffer::from_iter(texts));
        assert_eq!(later(&lines, 0), [1, 5]);
        assert_eq!(later(&lines, 1), [5]);
        assert_eq!(later(&lines, 2), [0; 0]);
        assert_eq!(later(&lines, 3), [0; 0]);
        let earlier: Vec<bool> = (0..lines.len()).map(|line| has_earlier(&lines, line)).collect();
        assert_eq!(earlier, [false, true, false, false, false, true]);
    }
}
