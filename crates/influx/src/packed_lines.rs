//! The lines of a large batch, which are kept compressed.

use crate::lines::{GROUPED_FROM, Lines};
use line_protocol::{LineBuffer, PackedText, Packer};
use std::ops::Range;
use std::sync::Arc;

/// A part of a large batch. Its text is compressed, in the order in which it is written.
#[derive(Clone, Debug)]
pub struct PackedLines {
    text: PackedText,
    /// End of each line in the plain text.
    ends: Vec<u32>,
    /// For each line of the part, its index in the text. None: the text has the order of the part.
    order: Option<Vec<u32>>,
}

impl PackedLines {
    /// Compresses lines, and returns the emptied buffer. `is_grouped`: lines of one series are written together, in their order.
    pub fn pack(lines: LineBuffer, is_grouped: bool) -> (Self, LineBuffer) {
        let lines = Lines::from(lines);
        let is_grouped = is_grouped && lines.len() >= GROUPED_FROM;
        let written = if is_grouped { lines.grouped() } else { lines.clone() };
        let text = Packer::new().pack((0..written.len()).map(|index| written.line(index)));
        let mut end = 0;
        let ends = (0..written.len()).map(|index| {
            end += written.line(index).len() as u32;
            end
        });
        let ends = ends.collect();
        let order = is_grouped.then(|| {
            let mut order = vec![0; written.len()];
            for index in 0..written.len() {
                if let Some(of_place) = order.get_mut(written.place(index)) {
                    *of_place = index as u32;
                }
            }
            order
        });
        drop(written);
        (Self { text, ends, order }, lines.into_buffer())
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of the plain text.
    pub fn bytes(&self) -> usize {
        self.text.bytes()
    }

    /// Allocated memory in bytes.
    pub fn capacity(&self) -> usize {
        let numbers = self.ends.capacity() + self.order.as_ref().map_or(0, Vec::capacity);
        self.text.capacity() + numbers * size_of::<u32>()
    }

    pub(crate) fn text(&self) -> &PackedText {
        &self.text
    }

    /// The lines in the order of the part.
    pub fn unpack(&self) -> LineBuffer {
        let plain = self.text.unpack();
        if self.order.is_none() {
            return LineBuffer::from_parts(plain, self.ends.clone());
        }
        let mut lines =
            LineBuffer::from_parts(Vec::with_capacity(plain.len()), Vec::with_capacity(self.len()));
        for line in 0..self.len() {
            let line = plain.get(self.range(line)).and_then(|line| line.strip_suffix(b"\n"));
            lines.push_line(line.unwrap_or_default());
        }
        lines
    }

    /// The place of a line in the plain text, with its newline.
    fn range(&self, line: usize) -> Range<usize> {
        let index = match &self.order {
            Some(order) => order.get(line).map(|&index| index as usize),
            None => Some(line),
        };
        let end = index.and_then(|index| self.ends.get(index));
        assert!(end.is_some(), "line {line} of {} does not exist", self.len());
        let start = index.and_then(|index| index.checked_sub(1)).and_then(|before| self.ends.get(before));
        start.map_or(0, |&start| start as usize)..end.map_or(0, |&end| end as usize)
    }
}

/// Lines of one closed batch.
#[derive(Clone, Debug)]
pub enum BatchLines {
    Plain(Lines),
    /// A large batch, in parts that are kept compressed. Each has as many bytes as a request without a backlog.
    Packed(Vec<Arc<PackedLines>>),
}

impl BatchLines {
    pub fn len(&self) -> usize {
        match self {
            Self::Plain(lines) => lines.len(),
            Self::Packed(parts) => parts.iter().map(|part| part.len()).sum(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the plain text.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Plain(lines) => lines.text().len(),
            Self::Packed(parts) => parts.iter().map(|part| part.bytes()).sum(),
        }
    }

    /// The emptied buffer, for the next batch. Packed lines have none.
    pub fn into_buffer(self) -> LineBuffer {
        match self {
            Self::Plain(lines) => lines.into_buffer(),
            Self::Packed(_) => LineBuffer::default(),
        }
    }

    /// Reads single lines.
    pub fn reader(&self) -> LineReader<'_> {
        LineReader { lines: self, unpacked: None }
    }
}

impl From<LineBuffer> for BatchLines {
    fn from(lines: LineBuffer) -> Self {
        Self::Plain(lines.into())
    }
}

/// Reads single lines of a batch. It keeps the part of the text that it unpacked last: a few hundred kB.
#[derive(Debug)]
pub struct LineReader<'l> {
    lines: &'l BatchLines,
    unpacked: Option<UnpackedChunk>,
}

/// A chunk of a part's text.
#[derive(Debug)]
struct UnpackedChunk {
    part: usize,
    chunk: usize,
    text: Vec<u8>,
}

impl LineReader<'_> {
    /// The line with this index in the batch, with its newline. Panics beyond the last line.
    pub fn line(&mut self, index: usize) -> &[u8] {
        let parts = match self.lines {
            BatchLines::Plain(lines) => return lines.line(index),
            BatchLines::Packed(parts) => parts,
        };
        let mut line = index;
        let found = parts.iter().enumerate().find(|(_, part)| {
            let is_here = line < part.len();
            line -= if is_here { 0 } else { part.len() };
            is_here
        });
        assert!(found.is_some(), "line {index} of {} does not exist", self.lines.len());
        let Some((number, part)) = found else { return &[] };
        let (range, text) = (part.range(line), part.text());
        // A chunk has whole lines.
        let chunk = text.chunk_at(range.start);
        let start = text.chunk_range(chunk).start;
        let is_kept = |kept: &UnpackedChunk| kept.part == number && kept.chunk == chunk;
        let kept = self.unpacked.take().filter(is_kept);
        let kept = self.unpacked.insert(kept.unwrap_or_else(|| UnpackedChunk {
            part: number,
            chunk,
            text: text.unpack_chunk(chunk),
        }));
        let line = kept.text.get(range.start - start..range.end - start);
        assert!(line.is_some(), "line {index} lies in one chunk");
        line.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of some series, several chunks.
    fn buffer(count: usize) -> LineBuffer {
        (0..count).map(|n| format!("m,host=h{} v={n},w=\"{}\" {n}", n % 9, "x".repeat(n % 60))).collect()
    }

    #[test]
    fn packed_lines_are_the_same_lines() {
        for (count, is_grouped) in [(1, true), (5_000, true), (20_000, true), (20_000, false)] {
            let plain = buffer(count);
            let (text, ends) = (plain.text().to_vec(), plain.ends().to_vec());
            let (packed, emptied) = PackedLines::pack(plain, is_grouped);
            assert!(emptied.is_empty() && emptied.capacity() >= text.len());
            assert_eq!(packed.order.is_some(), is_grouped && count > 5_000);
            assert_eq!((packed.len(), packed.bytes()), (count, text.len()));
            let unpacked = packed.unpack();
            assert!(unpacked.text() == text && unpacked.ends() == ends, "{count} {is_grouped}");
        }
    }

    #[test]
    fn lines_of_one_series_stand_together_in_their_order() {
        let text = PackedLines::pack(buffer(20_000), true).0.text.unpack();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap()).collect();
        let series: Vec<_> = lines.chunk_by(|one, other| one.0 == other.0).collect();
        assert_eq!(series.len(), 9);
        let time = |line: &(&str, &str)| line.1.rsplit_once(' ').unwrap().1.parse::<u32>().unwrap();
        assert!(series.iter().all(|lines| lines.iter().map(time).is_sorted()));
    }

    #[test]
    fn reads_each_line_of_plain_and_of_packed_batches() {
        let (first, second) = (buffer(12_000), buffer(7_000));
        let want: Vec<Vec<u8>> = [&first, &second]
            .into_iter()
            .flat_map(|lines| (0..lines.lines()).map(|line| [lines.line(line).unwrap(), b"\n"].concat()))
            .collect();
        let parts = [(first, true), (second, false)];
        let parts = parts.map(|(lines, is_grouped)| Arc::new(PackedLines::pack(lines, is_grouped).0));
        let packed = BatchLines::Packed(parts.into());
        assert_eq!((packed.len(), packed.bytes()), (want.len(), want.concat().len()));
        let plain: LineBuffer = want.iter().map(|line| line.strip_suffix(b"\n").unwrap()).collect();
        for lines in [packed, plain.into()] {
            let mut reader = lines.reader();
            // In and out of order.
            for index in (0..want.len()).chain((0..want.len()).rev().step_by(500)) {
                assert_eq!(reader.line(index), want[index]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "line 3 of 3 does not exist")]
    fn a_line_beyond_the_parts_panics() {
        let part = Arc::new(PackedLines::pack(buffer(3), true).0);
        BatchLines::Packed(vec![part]).reader().line(3);
    }
}
