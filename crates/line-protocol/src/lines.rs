//! A buffer of lines.

/// Free space that the lines of most records fit into.
const ROOM: usize = 64 << 10;

/// Lines in one text, with the end of each line. The lines of a rejected record are removed with [`LineBuffer::truncate`].
#[derive(Debug, Default)]
pub struct LineBuffer {
    text: Vec<u8>,
    /// End of each line in `text`, after its newline.
    ends: Vec<u32>,
}

/// A length of a [`LineBuffer`] to truncate it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub bytes: usize,
    pub lines: usize,
}

impl LineBuffer {
    /// An empty buffer that reuses the memory of an earlier one.
    pub fn reuse(text: Vec<u8>, ends: Vec<u32>) -> Self {
        let mut lines = Self { text, ends };
        lines.clear();
        lines
    }

    /// Lines in a text, by the end of each.
    pub fn from_parts(text: Vec<u8>, ends: Vec<u32>) -> Self {
        Self { text, ends }
    }

    pub fn into_parts(self) -> (Vec<u8>, Vec<u32>) {
        (self.text, self.ends)
    }

    pub fn text(&self) -> &[u8] {
        &self.text
    }

    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Reserves space for a record's lines. The buffer grows by a sixteenth instead of doubling, so that little memory is unused.
    pub fn make_room(&mut self) {
        if self.text.capacity() - self.text.len() < ROOM {
            self.text.reserve_exact(ROOM + self.text.len() / 16);
        }
    }

    /// The text, whose end is the line being written.
    pub fn text_mut(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Appends a line, given without its newline.
    pub fn push_line(&mut self, line: &[u8]) {
        self.text.extend_from_slice(line);
        self.end_line();
    }

    /// Ends the line being written.
    pub fn end_line(&mut self) {
        self.text.push(b'\n');
        // `batch.memory_max` keeps batches far smaller than 4 GB.
        self.ends.push(self.text.len() as u32);
    }

    pub fn lines(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Allocated memory in bytes.
    pub fn capacity(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<u32>()
    }

    /// The line with the index `line`, without its newline.
    pub fn line(&self, line: usize) -> Option<&[u8]> {
        let end = *self.ends.get(line)? as usize;
        let start =
            line.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&end| end as usize);
        self.text.get(start..end.saturating_sub(1))
    }

    pub fn mark(&self) -> Mark {
        Mark { bytes: self.text.len(), lines: self.ends.len() }
    }

    pub fn truncate(&mut self, mark: Mark) {
        self.text.truncate(mark.bytes);
        self.ends.truncate(mark.lines);
    }

    /// Removes all lines, and keeps the memory.
    pub fn clear(&mut self) {
        self.truncate(Mark { bytes: 0, lines: 0 });
    }
}

/// Collects lines, given without their newlines.
impl<L: AsRef<[u8]>> FromIterator<L> for LineBuffer {
    fn from_iter<I: IntoIterator<Item = L>>(lines: I) -> Self {
        let mut buffer = Self::default();
        lines.into_iter().for_each(|line| buffer.push_line(line.as_ref()));
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncates_to_a_mark() {
        let mut lines = LineBuffer::from_iter(["a v=1", "b v=\"x\ny\""]);
        let mark = lines.mark();
        lines.text_mut().extend_from_slice(b"half");
        lines.truncate(mark);
        assert_eq!(lines.line(0), Some(&b"a v=1"[..]));
        assert_eq!(lines.line(1), Some(&b"b v=\"x\ny\""[..]));
        assert_eq!(lines.line(2), None);
        assert_eq!((lines.lines(), lines.bytes()), (2, 16));
    }
}
