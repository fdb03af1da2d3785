//! Writes the bits of a compressed body, lowest first (RFC 1951, 3.1.1).

/// A Huffman code, perhaps with extra bits, and its number of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Code(u32);

impl Code {
    /// A code has at most 15 bits, a length at most 5 more.
    pub const fn new(bits: u32, count: u32) -> Self {
        debug_assert!(count <= 20 && bits >> count == 0);
        Self(bits << 5 | count)
    }

    #[inline]
    pub const fn bits(self) -> u32 {
        self.0 >> 5
    }

    #[inline]
    pub const fn count(self) -> u32 {
        self.0 & 31
    }
}

/// Writes bits to a buffer. Bits beyond the buffer's end are only counted, because they may still be taken back.
#[derive(Debug, Default)]
pub(super) struct Bits<'o> {
    out: &'o mut [u8],
    place: BitPosition,
}

/// Position of the next bit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BitPosition {
    at: usize,
    /// Bits that are not written yet, and their number: at most 7 after a flush.
    pending: u64,
    count: u32,
}

impl BitPosition {
    pub fn bits_since(self, earlier: Self) -> usize {
        (self.at - earlier.at) * 8 + self.count as usize - earlier.count as usize
    }
}

impl<'o> Bits<'o> {
    /// Extra space that a buffer needs, because a flush always writes 8 bytes.
    pub const SLACK: usize = 8;

    pub fn new(out: &'o mut [u8]) -> Self {
        Self { out, place: BitPosition::default() }
    }

    pub fn place(&self) -> BitPosition {
        self.place
    }

    /// Takes back everything written since `place`.
    pub fn go_back(&mut self, place: BitPosition) {
        self.place = place;
    }

    /// Adds bits, at most 56 between two flushes.
    #[inline]
    pub fn add(&mut self, bits: u32, count: u32) {
        debug_assert!(self.place.count + count < u64::BITS && bits >> count == 0);
        self.place.pending |= u64::from(bits) << (self.place.count & 63);
        self.place.count += count;
    }

    #[inline]
    pub fn code(&mut self, code: Code) {
        self.add(code.bits(), code.count());
    }

    #[inline]
    pub fn flush(&mut self) {
        let BitPosition { at, pending, count } = self.place;
        if let Some(room) = self.out.get_mut(at..).and_then(|out| out.first_chunk_mut()) {
            *room = pending.to_le_bytes();
        }
        let whole = count / 8;
        let pending = pending >> ((whole * 8) & 63);
        self.place = BitPosition { at: at + whole as usize, pending, count: count % 8 };
    }

    /// Pads with zeros to a whole byte.
    pub fn align(&mut self) {
        self.place.count = self.place.count.next_multiple_of(8);
        self.flush();
    }

    /// Writes whole bytes, at the start or after [`Bits::align`].
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.place.at + bytes.len();
        if let Some(room) = self.out.get_mut(self.place.at..end) {
            room.copy_from_slice(bytes);
        }
        self.place.at = end;
    }

    /// Number of bytes written; none where the buffer was too small.
    pub fn written(self) -> Option<usize> {
        (self.place.at + Self::SLACK <= self.out.len()).then_some(self.place.at)
    }
}
