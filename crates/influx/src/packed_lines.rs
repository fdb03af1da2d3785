//! The lines of a large batch, which are kept compressed.

use crate::lines::Lines;
use line_protocol::{LineBuffer, PackedText, Packer};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Ranges of series of a grouped part, by logarithm. A request with one range of a large batch has many lines of each of its series, and few
/// series, so that InfluxDB 1 and 2 need less CPU time for a point than with all series in one request.
const RANGES_LOG2: u32 = 4;
pub(crate) const RANGES: usize = 1 << RANGES_LOG2;

/// A part of a large batch. Its text is compressed, in the order in which it is written.
#[derive(Clone, Debug)]
pub struct PackedLines {
    text: PackedText,
    /// End of each line in the plain text.
    ends: Vec<u32>,
    /// None: the text has the order of the part.
    grouping: Option<Grouping>,
}

/// The order of a part's text: by range of series, then by series.
#[derive(Clone, Debug)]
struct Grouping {
    /// For each line of the part, its index in the text.
    order: Vec<u32>,
    /// The end of each range, as an index of lines in the text.
    range_ends: Vec<u32>,
}

impl PackedLines {
    /// Compresses lines, and returns the emptied buffer. `is_grouped`: lines of one series are written together, in their order.
    pub fn pack(lines: LineBuffer, is_grouped: bool) -> (Self, LineBuffer) {
        let lines = Lines::from(lines);
        let (written, range_ends) =
            if is_grouped { lines.grouped_in_ranges(RANGES_LOG2) } else { (lines.clone(), Vec::new()) };
        let mut start = 0;
        let sections = range_ends.iter().copied().chain((!is_grouped).then_some(written.len() as u32));
        let sections = sections.map(|end| {
            let lines = std::mem::replace(&mut start, end as usize)..end as usize;
            lines.map(|index| written.line(index))
        });
        let text = Packer::new().pack_sections(sections);
        let mut end = 0;
        let ends = (0..written.len()).map(|index| {
            end += written.line(index).len() as u32;
            end
        });
        let ends = ends.collect();
        let grouping = is_grouped.then(|| {
            let mut order = vec![0; written.len()];
            for index in 0..written.len() {
                if let Some(of_place) = order.get_mut(written.place(index)) {
                    *of_place = index as u32;
                }
            }
            Grouping { order, range_ends }
        });
        drop(written);
        (Self { text, ends, grouping }, lines.into_buffer())
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
        let numbers =
            self.ends.capacity() + self.grouping.as_ref().map_or(0, |grouping| grouping.order.capacity());
        self.text.capacity() + numbers * size_of::<u32>()
    }

    pub(crate) fn text(&self) -> &PackedText {
        &self.text
    }

    /// Whether the text has another order than the part.
    pub(crate) fn is_grouped(&self) -> bool {
        self.grouping.is_some()
    }

    /// The lines of these ranges of series, as indexes in the text. A part that is not grouped has one range, the first.
    fn written(&self, ranges: &Range<usize>) -> Range<usize> {
        let end_of = |ranges: usize| match &self.grouping {
            _ if ranges == 0 => 0,
            None => self.len(),
            Some(Grouping { range_ends, .. }) => {
                range_ends.get(ranges - 1).map_or(self.len(), |&end| end as usize)
            }
        };
        end_of(ranges.start)..end_of(ranges.end)
    }

    /// The chunks of the text with these ranges of series.
    pub(crate) fn chunks_of(&self, ranges: &Range<usize>) -> Range<usize> {
        let written = self.written(ranges);
        self.text.chunk_at(self.start(written.start))..self.text.chunk_at(self.start(written.end))
    }

    /// Lines and bytes of these ranges of series.
    pub(crate) fn size_of(&self, ranges: &Range<usize>) -> (usize, usize) {
        let written = self.written(ranges);
        (written.len(), self.start(written.end) - self.start(written.start))
    }

    /// The lines in the order of the part.
    pub fn unpack(&self) -> LineBuffer {
        self.unpack_ranges(&(0..RANGES), 0).0
    }

    /// The lines of these ranges of series in the order of the part, and their places in a batch that has `before` lines before the part.
    /// Takes the memory of their text once.
    pub(crate) fn unpack_ranges(&self, ranges: &Range<usize>, before: u32) -> (LineBuffer, Vec<u32>) {
        let written = self.written(ranges);
        // The lines of the ranges, and for each of them in the text its place among these.
        let lines: Vec<u32> = (0..self.len())
            .filter(|&line| written.contains(&self.index_of(line)))
            .map(|line| line as u32)
            .collect();
        let (mut place_at, mut ends, mut end) = (vec![0; lines.len()], Vec::with_capacity(lines.len()), 0);
        for (place, &line) in lines.iter().enumerate() {
            if let Some(at) = place_at.get_mut(self.index_of(line as usize) - written.start) {
                *at = place;
            }
            end += self.range(line as usize).len();
            ends.push(end as u32);
        }
        let mut text = vec![0; end];
        let mut indexes = written.clone().zip(place_at).peekable();
        for chunk in self.chunks_of(ranges) {
            let (plain, of_chunk) = (self.text.unpack_chunk(chunk), self.text.chunk_range(chunk));
            while let Some((index, place)) = indexes.next_if(|(index, _)| self.start(*index) < of_chunk.end) {
                let from = self.start(index) - of_chunk.start..self.start(index + 1) - of_chunk.start;
                let to = ends.get(place).map_or(0, |&end| end as usize);
                let to = text.get_mut(to - from.len()..to);
                if let (Some(from), Some(to)) = (plain.get(from), to) {
                    to.copy_from_slice(from);
                }
            }
        }
        let places = lines.into_iter().map(|line| before + line).collect();
        (LineBuffer::from_parts(text, ends), places)
    }

    /// The start in the plain text of the line with this index in it, which is the end of the line before.
    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&end| end as usize)
    }

    /// The place of a line in the plain text, with its newline.
    fn range(&self, line: usize) -> Range<usize> {
        assert!(line < self.len(), "line {line} of {} does not exist", self.len());
        let index = self.index_of(line);
        self.start(index)..self.start(index + 1)
    }

    /// The index in the text of a line of the part.
    fn index_of(&self, line: usize) -> usize {
        match &self.grouping {
            Some(Grouping { order, .. }) => order.get(line).map_or(line, |&index| index as usize),
            None => line,
        }
    }
}

/// Lines and bytes of these ranges of series in all `parts`.
pub(crate) fn size_together(parts: &[Arc<PackedLines>], ranges: &Range<usize>) -> (usize, usize) {
    let sizes = parts.iter().map(|part| part.size_of(ranges));
    sizes.fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1))
}

/// The lines of these ranges of series in all `parts`, and their places in a batch that has `before` lines before these parts.
pub(crate) fn unpack_together(
    parts: &[Arc<PackedLines>],
    ranges: &Range<usize>,
    mut before: u32,
) -> (LineBuffer, Vec<u32>) {
    let (count, bytes) = size_together(parts, ranges);
    // A buffer that grows by itself would take up to twice the memory.
    let mut lines = LineBuffer::from_parts(Vec::with_capacity(bytes), Vec::with_capacity(count));
    let mut places = Vec::with_capacity(count);
    for part in parts {
        let (of_part, of_places) = part.unpack_ranges(ranges, before);
        (0..of_part.lines()).filter_map(|line| of_part.line(line)).for_each(|line| lines.push_line(line));
        places.extend(of_places);
        before += part.len() as u32;
    }
    (lines, places)
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
        LineReader { lines: self, unpacked: UnpackedPart::default() }
    }
}

impl From<LineBuffer> for BatchLines {
    fn from(lines: LineBuffer) -> Self {
        Self::Plain(lines.into())
    }
}

/// Reads single lines of a batch. It keeps the chunks of the part that it read last, up to 4 MB, because neighbouring lines of a grouped part
/// lie in different chunks.
#[derive(Debug)]
pub struct LineReader<'l> {
    lines: &'l BatchLines,
    unpacked: UnpackedPart,
}

/// Chunks of a part's text, as far as they were read.
#[derive(Debug, Default)]
struct UnpackedPart {
    number: usize,
    chunks: BTreeMap<usize, Vec<u8>>,
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
        let unpacked = &mut self.unpacked;
        if std::mem::replace(&mut unpacked.number, number) != number {
            unpacked.chunks.clear();
        }
        let plain = unpacked.chunks.entry(chunk).or_insert_with(|| text.unpack_chunk(chunk));
        let line = plain.get(range.start - start..range.end - start);
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
        for (count, is_grouped) in [(0, true), (1, true), (5_000, true), (20_000, true), (20_000, false)] {
            let plain = buffer(count);
            let (text, ends) = (plain.text().to_vec(), plain.ends().to_vec());
            let (packed, emptied) = PackedLines::pack(plain, is_grouped);
            assert!(emptied.is_empty() && emptied.capacity() >= text.len());
            assert_eq!(packed.is_grouped(), is_grouped);
            assert_eq!((packed.len(), packed.bytes()), (count, text.len()));
            let unpacked = packed.unpack();
            assert!(unpacked.text() == text && unpacked.ends() == ends, "{count} {is_grouped}");
        }
    }

    #[test]
    fn ranges_of_series_unpack_alone() {
        let plain: Lines = buffer(20_000).into();
        for (is_grouped, ranges) in [(true, RANGES), (true, 3), (true, 1), (false, 1)] {
            let (packed, _) = PackedLines::pack(buffer(20_000), is_grouped);
            let (mut found, mut series, mut bytes) = (vec![0; plain.len()], BTreeMap::new(), 0);
            for range in 0..ranges {
                let chosen = range * RANGES / ranges..(range + 1) * RANGES / ranges;
                let (lines, indexes) = packed.unpack_ranges(&chosen, 0);
                assert_eq!(packed.size_of(&chosen), (lines.lines(), lines.bytes()));
                assert!(lines.lines() == indexes.len() && indexes.is_sorted());
                for (line, &index) in indexes.iter().enumerate() {
                    let line = [lines.line(line).unwrap(), b"\n"].concat();
                    assert_eq!(line, plain.line(index as usize));
                    found[index as usize] += 1;
                    let of_series = line_protocol::series::of(&line).to_vec();
                    assert_eq!(*series.entry(of_series).or_insert(range), range);
                }
                let chunks = packed.chunks_of(&chosen).map(|chunk| packed.text.chunk_range(chunk).len());
                assert_eq!(chunks.sum::<usize>(), lines.bytes());
                bytes += lines.bytes();
            }
            assert!(found.iter().all(|times| *times == 1) && bytes == packed.bytes());
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

    /// The data thread and the writers read many refused lines, which are scattered over the chunks of a grouped part.
    #[test]
    fn each_chunk_of_a_part_is_unpacked_once() {
        let part = Arc::new(PackedLines::pack(buffer(20_000), true).0);
        let packed = BatchLines::Packed(vec![part]);
        let mut reader = packed.reader();
        let places: Vec<_> = (0..20_000).map(|line| reader.line(line).as_ptr()).collect();
        assert!(reader.unpacked.chunks.len() > 1);
        assert!((0..20_000).all(|line| reader.line(line).as_ptr() == places[line]));
    }

    #[test]
    #[should_panic(expected = "line 3 of 3 does not exist")]
    fn a_line_beyond_the_parts_panics() {
        let part = Arc::new(PackedLines::pack(buffer(3), true).0);
        BatchLines::Packed(vec![part]).reader().line(3);
    }
}
