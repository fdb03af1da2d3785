//! The lines of one batch.

use bytes::Bytes;
use line_protocol::LineBuffer;
use std::ops::Range;

/// Lines of one closed batch. Requests share its text, so nothing is copied unless it is compressed.
#[derive(Clone, Debug)]
pub struct Lines {
    text: Bytes,
    ends: Vec<u32>,
}

impl From<LineBuffer> for Lines {
    /// Panics if the buffer ends in part of a line: its bytes would be lost.
    fn from(lines: LineBuffer) -> Self {
        let (text, ends) = lines.into_parts();
        let rising = ends.is_sorted_by(|a, b| a < b) && ends.first() != Some(&0);
        let complete = ends.last().map_or(0, |end| *end as usize) == text.len();
        assert!(rising && complete, "line ends rise to the end of the text");
        Self { text: text.into(), ends }
    }
}

impl Lines {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// One line with its newline. Panics beyond the last line: it would be sent as an empty request, which a server answers as if it were
    /// stored.
    #[expect(clippy::indexing_slicing, reason = "ends rise to the end of the text, see `from`")]
    pub fn line(&self, index: usize) -> &[u8] {
        assert!(index < self.len(), "line {index} of {} does not exist", self.len());
        &self.text[self.start(index)..self.start(index + 1)]
    }

    /// The emptied buffer, for the next batch. Its text is new if a request still uses the old one, because it was answered before all
    /// of it was read.
    pub fn into_buffer(self) -> LineBuffer {
        LineBuffer::reuse(self.text.try_into_mut().unwrap_or_default().into(), self.ends)
    }

    /// Start of a line, which is the end of the line before.
    fn start(&self, index: usize) -> usize {
        assert!(index <= self.len(), "line {index} of {} has no start", self.len());
        index.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize)
    }

    /// Neighbouring lines, without a copy.
    pub(crate) fn slice(&self, lines: &Range<usize>) -> Bytes {
        self.text.slice(self.start(lines.start)..self.start(lines.end))
    }

    pub(crate) fn bytes(&self, lines: &Range<usize>) -> usize {
        self.start(lines.end).saturating_sub(self.start(lines.start))
    }

    /// Number of lines from `first` on that fit into a request; at least one.
    pub(crate) fn fitting(&self, first: usize, size: RequestSize) -> usize {
        let end = self.start(first).saturating_add(size.bytes_max);
        // `start` has checked the index.
        let rest = self.ends.get(first..).unwrap_or_default();
        rest.partition_point(|line| *line as usize <= end).clamp(1, size.lines_max.max(1))
    }
}

/// Bounds of one request; a single line may be larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestSize {
    pub lines_max: usize,
    pub bytes_max: usize,
}

impl RequestSize {
    /// This size with another bound of its bytes.
    pub fn within(self, bytes_max: usize) -> Self {
        Self { bytes_max: self.bytes_max.min(bytes_max), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lengths: &[usize]) -> Lines {
        lengths.iter().map(|length| "x".repeat(length - 1)).collect::<LineBuffer>().into()
    }

    #[test]
    #[should_panic(expected = "line ends rise to the end of the text")]
    fn part_of_a_line_panics() {
        let mut lines = LineBuffer::from_iter(["a"]);
        lines.text_mut().push(b'b');
        let _panics = Lines::from(lines);
    }

    #[test]
    #[should_panic(expected = "line ends rise to the end of the text")]
    fn a_line_beyond_the_text_panics() {
        let mut lines = LineBuffer::from_iter(["a", "b"]);
        lines.text_mut().truncate(2);
        let _panics = Lines::from(lines);
    }

    #[test]
    fn counts_the_lines_that_fit_into_a_request() {
        let f = |lengths: &[usize], lines_max: usize, bytes_max: usize, want: &[usize]| {
            let lines = lines(lengths);
            let size = RequestSize { lines_max, bytes_max };
            let fitting: Vec<_> = (0..lengths.len()).map(|first| lines.fitting(first, size)).collect();
            assert_eq!(fitting, want, "{lengths:?} {lines_max} {bytes_max}");
        };
        f(&[5, 5, 5], 10, 100, &[3, 2, 1]);
        f(&[5, 5, 5], 2, 100, &[2, 2, 1]);
        f(&[5, 5, 5], 10, 10, &[2, 2, 1]);
        f(&[5, 5, 5], 10, 9, &[1, 1, 1]);
        f(&[5, 50, 5, 5], 10, 10, &[1, 1, 2, 1]);
        f(&[5, 5], 0, 0, &[1, 1]);
    }

    #[test]
    fn reuses_buffers_that_no_request_uses() {
        let lines = lines(&[3, 4]);
        let place = lines.text().as_ptr();
        assert_eq!(lines.line(1), b"xxx\n");
        assert_eq!((lines.bytes(&(0..2)), lines.bytes(&(1..2))), (7, 4));
        assert_eq!(lines.slice(&(0..1)), "xx\n");
        let mut buffer = lines.clone().into_buffer();
        assert!(buffer.is_empty());
        buffer.push_line(b"y");
        assert_ne!(buffer.text().as_ptr(), place, "the text is in use elsewhere");
        let mut buffer = lines.into_buffer();
        assert!(buffer.is_empty() && buffer.bytes() == 0);
        buffer.push_line(b"y");
        assert_eq!(buffer.text().as_ptr(), place);
    }

    #[test]
    #[should_panic(expected = "line 3 of 2 has no start")]
    fn a_range_beyond_the_lines_panics() {
        lines(&[3, 4]).slice(&(0..3));
    }
}
