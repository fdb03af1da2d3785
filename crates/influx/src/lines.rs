//! The lines of one batch, or of a part of a large one.

use bytes::Bytes;
use line_protocol::{LineBuffer, series};
use std::ops::Range;
use std::sync::Arc;

/// Batches of more lines are grouped by series: InfluxDB 2 then needs a tenth less CPU time for a point. Smaller ones have few lines of a
/// series, or come from a lane without a backlog, whose data should not wait.
const GROUPED_FROM: usize = 5_001;

/// Lines of one closed batch, in the order of the batch or grouped by series. Requests share its text, so nothing is copied unless it is
/// compressed.
#[derive(Clone, Debug)]
pub struct Lines {
    text: Bytes,
    /// End of each line in `text`.
    ends: Arc<Vec<u32>>,
    /// The place in the batch of each line. None: lines have the order of the batch.
    order: Option<Arc<Vec<u32>>>,
}

impl From<LineBuffer> for Lines {
    /// Panics if the buffer ends in part of a line: its bytes would be lost.
    fn from(lines: LineBuffer) -> Self {
        let (text, ends) = lines.into_parts();
        let rising = ends.is_sorted_by(|a, b| a < b) && ends.first() != Some(&0);
        let complete = ends.last().map_or(0, |end| *end as usize) == text.len();
        assert!(rising && complete, "line ends rise to the end of the text");
        Self { text: text.into(), ends: Arc::new(ends), order: None }
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
        let place = self.place(index);
        &self.text[self.start(place)..self.start(place + 1)]
    }

    /// The same lines for writing: a large batch is grouped by series. Lines of one series keep their order, so the later one of two lines
    /// with one series and time still wins.
    pub(crate) fn for_writing(&self) -> Self {
        if self.len() < GROUPED_FROM { self.clone() } else { self.grouped() }
    }

    /// The same lines, grouped by series.
    pub(crate) fn grouped(&self) -> Self {
        self.grouped_in_ranges(0).0
    }

    /// The same lines in ranges of series, and the end of each range.
    pub(crate) fn grouped_in_ranges(&self, ranges_log2: u32) -> (Self, Vec<u32>) {
        let lines = (0..self.len()).map(|index| self.line(index));
        let (order, ends) = series::group(lines, ranges_log2);
        (Self { order: Some(Arc::new(order)), ..self.clone() }, ends)
    }

    /// Whether the order is another one than that of the batch.
    pub(crate) fn is_grouped(&self) -> bool {
        self.order.is_some()
    }

    /// The place of a line in the batch.
    pub(crate) fn place(&self, index: usize) -> usize {
        let place = |order: &Arc<Vec<u32>>| order.get(index).map(|&place| place as usize);
        self.order.as_ref().and_then(place).unwrap_or(index)
    }

    /// The emptied buffer, for the next batch. Its text is new if a request still uses the old one, because it was answered before all
    /// of it was read.
    pub fn into_buffer(self) -> LineBuffer {
        let ends = Arc::try_unwrap(self.ends).unwrap_or_default();
        LineBuffer::reuse(self.text.try_into_mut().unwrap_or_default().into(), ends)
    }

    /// A copy in the order of the batch.
    pub fn copy(&self) -> LineBuffer {
        LineBuffer::from_parts(self.text.to_vec(), self.ends.to_vec())
    }

    /// Start in the text of the line at a place in the batch, which is the end of the line before.
    fn start(&self, place: usize) -> usize {
        assert!(place <= self.len(), "line {place} of {} has no start", self.len());
        place.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize)
    }

    /// Neighbouring lines as a part of the text, unless its order is another.
    pub(crate) fn slice(&self, lines: &Range<usize>) -> Option<Bytes> {
        assert!(lines.end <= self.len(), "line {} of {} does not exist", lines.end, self.len());
        self.order.is_none().then(|| self.text.slice(self.start(lines.start)..self.start(lines.end)))
    }

    pub(crate) fn bytes(&self, lines: &Range<usize>) -> usize {
        match self.order {
            None => self.start(lines.end).saturating_sub(self.start(lines.start)),
            Some(_) => lines.clone().map(|index| self.line(index).len()).sum(),
        }
    }

    /// Number of lines from `first` on that fit into a request; at least one.
    pub(crate) fn fitting(&self, first: usize, size: RequestSize) -> usize {
        if self.order.is_some() {
            let mut bytes = 0;
            let fits = |index: &usize| {
                bytes += self.line(*index).len();
                bytes <= size.bytes_max
            };
            let lines = (first..self.len()).take(size.lines_max.max(1));
            return lines.take_while(fits).count().max(1);
        }
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
    use crate::request_text::RequestText;

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
        assert_eq!(RequestText::of(&lines, &(0..1)).to_bytes(), "xx\n");
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
    #[should_panic(expected = "line 3 of 2 does not exist")]
    fn a_range_beyond_the_lines_panics() {
        lines(&[3, 4]).slice(&(0..3));
    }

    #[test]
    fn grouped_lines_are_the_same_lines() {
        let texts: Vec<String> = (0..700).map(|n| format!("m,host=h{} v={n} 5", n % 9)).collect();
        let lines = Lines::from(texts.iter().collect::<LineBuffer>());
        let grouped = lines.grouped();
        for size in [(usize::MAX, usize::MAX), (100, usize::MAX), (usize::MAX, 3_000), (7, 90)] {
            let size = RequestSize { lines_max: size.0, bytes_max: size.1 };
            let mut first = 0;
            while first < lines.len() {
                let run = first..first + grouped.fitting(first, size);
                let want: Vec<u8> =
                    run.clone().flat_map(|index| lines.line(grouped.place(index))).copied().collect();
                assert_eq!(
                    (RequestText::of(&grouped, &run).to_bytes(), grouped.bytes(&run)),
                    (want.clone().into(), want.len())
                );
                assert!(
                    run.len() == 1 || (want.len() <= size.bytes_max && run.len() <= size.lines_max),
                    "{size:?}"
                );
                first = run.end;
            }
        }
        let mut places: Vec<usize> = (0..lines.len()).map(|index| grouped.place(index)).collect();
        places.sort_unstable();
        assert!(places.into_iter().eq(0..lines.len()));
        assert!(lines.for_writing().order.is_none(), "small batches are not grouped");
        drop(grouped);
        let place = lines.text().as_ptr();
        let mut buffer = lines.into_buffer();
        buffer.push_line(b"y");
        assert_eq!(buffer.text().as_ptr(), place, "the text is used again");
    }
}
