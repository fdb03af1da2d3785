//! The lines of one batch, and which of them are still to be sent.

use bytes::Bytes;

/// The text and the ends don't fit each other: a bug in whoever made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line ends do not rise to the end of the text")]
pub struct LinesError;

/// Lines of one closed batch. Requests share its text, so nothing is copied unless it is compressed.
#[derive(Clone, Debug)]
pub struct Lines {
    text: Bytes,
    ends: Vec<u32>,
}

impl Lines {
    /// `ends[i]` is where line i ends in `text`, after its newline.
    pub fn new(text: Vec<u8>, ends: Vec<u32>) -> Result<Self, LinesError> {
        let rising = ends.is_sorted_by(|a, b| a < b) && ends.first() != Some(&0);
        if rising && ends.last().map_or(0, |end| *end as usize) == text.len() {
            Ok(Self { text: text.into(), ends })
        } else {
            Err(LinesError)
        }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// One line with its newline.
    pub fn line(&self, index: usize) -> &[u8] {
        self.text.get(self.start(index)..self.start(index + 1)).unwrap_or_default()
    }

    /// The buffers, emptied, for the next batch. A request that was answered before all of it was read may
    /// hold the text a moment longer; then the next batch gets a new buffer.
    pub fn into_buffers(self) -> (Vec<u8>, Vec<u32>) {
        let Self { text, mut ends } = self;
        ends.clear();
        let mut text = text.try_into_mut().unwrap_or_default();
        text.clear();
        (text.into(), ends)
    }

    /// Where a line starts, which is where the one before ends.
    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize)
    }

    pub(super) fn slice(&self, piece: Piece) -> Bytes {
        self.text.slice(self.start(piece.first)..self.start(piece.end))
    }

    pub(super) fn bytes(&self, piece: Piece) -> usize {
        self.start(piece.end) - self.start(piece.first)
    }

    /// How many lines from `first` on fit into a request; one always does.
    fn fitting(&self, first: usize, size: Size) -> usize {
        let end = self.start(first).saturating_add(size.bytes_max);
        let rest = self.ends.get(first..).unwrap_or_default();
        rest.partition_point(|line| *line as usize <= end).clamp(1, size.lines_max.max(1))
    }
}

/// What one request may hold; a line alone may be larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub lines_max: usize,
    pub bytes_max: usize,
}

/// Neighbouring lines, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub first: usize,
    pub end: usize,
}

impl Piece {
    pub fn len(self) -> usize {
        self.end - self.first
    }
}

/// The lines that are not settled yet, as pieces in their order. A piece taken out is stored or refused, or
/// put back whole or in halves, so there are never more pieces than halvings of the batch, and one.
#[derive(Debug)]
pub(super) struct Pieces {
    /// The next one is the last.
    stack: Vec<Piece>,
}

impl Pieces {
    pub fn all(lines: &Lines) -> Self {
        let whole = Piece { first: 0, end: lines.len() };
        Self { stack: if lines.is_empty() { Vec::new() } else { vec![whole] } }
    }

    /// The next piece, cut to a size that one request may have.
    pub fn next(&mut self, lines: &Lines, size: Size) -> Option<Piece> {
        let piece = self.stack.pop()?;
        let cut = piece.first + lines.fitting(piece.first, size).min(piece.len());
        if cut < piece.end {
            self.stack.push(Piece { first: cut, ..piece });
        }
        Some(Piece { end: cut, ..piece })
    }

    pub fn put_back(&mut self, piece: Piece) {
        match self.stack.last_mut() {
            // Rejoin what `next` cut off.
            Some(rest) if rest.first == piece.end => rest.first = piece.first,
            _ => self.stack.push(piece),
        }
    }

    /// Of at least two lines.
    pub fn put_back_halved(&mut self, piece: Piece) {
        let middle = piece.first + piece.len().div_ceil(2);
        self.stack.push(Piece { first: middle, ..piece });
        self.stack.push(Piece { end: middle, ..piece });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lengths: &[usize]) -> Lines {
        let text: String = lengths.iter().map(|length| "x".repeat(length - 1) + "\n").collect();
        let ends = lengths.iter().scan(0, |end, length| {
            *end += *length as u32;
            Some(*end)
        });
        Lines::new(text.into_bytes(), ends.collect()).unwrap()
    }

    #[test]
    fn refuses_ends_that_do_not_fit() {
        let f = |text: &str, ends: &[u32], fits: bool| {
            assert_eq!(
                Lines::new(text.as_bytes().to_vec(), ends.to_vec()).is_ok(),
                fits,
                "{text:?} {ends:?}"
            );
        };
        f("", &[], true);
        f("ab\n", &[3], true);
        f("a\nb\n", &[2, 4], true);
        f("a\n", &[], false);
        f("a\n", &[1], false);
        f("a\n", &[3], false);
        f("a\nb\n", &[2, 2, 4], false);
        f("a\nb\n", &[3, 2, 4], false);
        f("a\n", &[0, 2], false);
    }

    #[test]
    fn cuts_pieces_to_size() {
        let f = |lengths: &[usize], lines_max: usize, bytes_max: usize, want: &[(usize, usize)]| {
            let lines = lines(lengths);
            let mut pieces = Pieces::all(&lines);
            let size = Size { lines_max, bytes_max };
            let cut: Vec<_> =
                std::iter::from_fn(|| pieces.next(&lines, size)).map(|p| (p.first, p.end)).collect();
            assert_eq!(cut, want, "{lengths:?} {lines_max} {bytes_max}");
        };
        f(&[], 10, 100, &[]);
        f(&[5, 5, 5], 10, 100, &[(0, 3)]);
        f(&[5, 5, 5], 2, 100, &[(0, 2), (2, 3)]);
        f(&[5, 5, 5], 10, 10, &[(0, 2), (2, 3)]);
        f(&[5, 5, 5], 10, 9, &[(0, 1), (1, 2), (2, 3)]);
        f(&[5, 50, 5, 5], 10, 10, &[(0, 1), (1, 2), (2, 4)]);
        f(&[50], 10, 10, &[(0, 1)]);
        f(&[5, 5], 0, 0, &[(0, 1), (1, 2)]);
    }

    #[test]
    fn halves_in_order_with_few_pieces() {
        let lines = lines(&[2; 1000]);
        let mut pieces = Pieces::all(&lines);
        let size = Size { lines_max: usize::MAX, bytes_max: usize::MAX };
        let mut settled = 0;
        while let Some(piece) = pieces.next(&lines, size) {
            assert_eq!(piece.first, settled);
            if piece.len() == 1 {
                settled += 1;
            } else {
                pieces.put_back_halved(piece);
            }
            assert!(pieces.stack.len() <= 11);
        }
        assert_eq!(settled, 1000);
    }

    #[test]
    fn rejoins_what_it_cut() {
        let lines = lines(&[2; 10]);
        let mut pieces = Pieces::all(&lines);
        let piece = pieces.next(&lines, Size { lines_max: 8, bytes_max: 100 }).unwrap();
        pieces.put_back(piece);
        assert_eq!(pieces.stack, [Piece { first: 0, end: 10 }]);
    }

    #[test]
    fn gives_buffers_back() {
        let lines = lines(&[3, 4]);
        let place = lines.text().as_ptr();
        assert_eq!(lines.line(1), b"xxx\n");
        assert_eq!(lines.line(2), b"");
        let (text, ends) = lines.clone().into_buffers();
        assert!(text.is_empty() && ends.is_empty(), "held elsewhere: a new buffer");
        let (mut text, ends) = lines.into_buffers();
        assert!(text.is_empty() && ends.is_empty());
        assert!(text.capacity() >= 7 && ends.capacity() >= 2);
        text.extend_from_slice(b"y");
        assert_eq!(text.as_ptr(), place);
    }
}
