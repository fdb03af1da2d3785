//! Lines, one behind the other, and where each ends.

/// Room that the lines of most records fit into.
const ROOM: usize = 64 << 10;

/// Lines that are appended record by record; a record that turns out to be rejected is taken back.
#[derive(Debug, Default)]
pub struct LineBuffer {
    text: Vec<u8>,
    /// Where each line ends in `text`, behind its newline.
    ends: Vec<u32>,
}

/// A state of a [`LineBuffer`] to return to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub bytes: usize,
    pub lines: usize,
}

impl LineBuffer {
    /// From buffers of an earlier use, which are cleared.
    pub fn reuse(mut text: Vec<u8>, mut ends: Vec<u32>) -> Self {
        text.clear();
        ends.clear();
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

    /// Makes room for a record's lines: by a sixteenth, where a vector doubles, so that what is held is hardly more than what is
    /// used.
    pub fn make_room(&mut self) {
        if self.text.capacity() - self.text.len() < ROOM {
            self.text.reserve_exact(ROOM + self.text.len() / 16);
        }
    }

    /// The line being written stands at the end of this.
    pub fn text_mut(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Ends the line being written.
    pub fn end_line(&mut self) {
        self.text.push(b'\n');
        // Batches are far smaller than 4 GB: `memory_max` bounds them.
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

    /// Memory held, used or not.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_back_to_a_mark() {
        let mut lines = LineBuffer::default();
        for text in ["a v=1", "b v=\"x\ny\""] {
            lines.text_mut().extend_from_slice(text.as_bytes());
            lines.end_line();
        }
        let mark = lines.mark();
        lines.text_mut().extend_from_slice(b"half");
        lines.truncate(mark);
        assert_eq!(lines.line(0), Some(&b"a v=1"[..]));
        assert_eq!(lines.line(1), Some(&b"b v=\"x\ny\""[..]));
        assert_eq!(lines.line(2), None);
        assert_eq!((lines.lines(), lines.bytes()), (2, 16));
    }
}
