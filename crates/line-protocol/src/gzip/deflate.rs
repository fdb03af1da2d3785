//! Writes a body as blocks of DEFLATE (RFC 1951, 3.2.3).
//!
//! A block's codes are made for its first segment. The following segments are written with the same codes while they are read. A
//! segment that becomes longer than expected is taken back, and begins the next block.

use super::bits::Bits;
use super::codes::{Codes, Frequencies};
use super::matches::{Matches, REPEAT_MIN, Sink};

/// Plain bytes of a segment; a repeat may extend beyond.
const SEGMENT: usize = 32 << 10;
/// Most segments of a block. Blocks of half a megabyte spend a hundredth of the time on making codes.
const SEGMENTS_MAX: usize = 16;
/// A segment may deviate from the first segment's rate by an eighth and the size of a header. Beyond, a new block with new codes
/// is shorter.
const EXCESS: usize = 8;
const HEADER_BITS: usize = 1_000;
/// Bytes of type, padding and length of a stored segment.
const STORED_EXTRA: usize = 5;

/// Largest output for `plain` bytes, including the slack for writing. Each block but the last has a complete segment. The segment
/// is stored where compression would make it longer, and later segments of a block never take more than their plain bytes.
pub(super) fn bytes_max(plain: usize) -> usize {
    plain + (plain / SEGMENT + 2) * (STORED_EXTRA + 3) + Bits::SLACK
}

/// Further output of a body for each of its parts: the last segment of a part is incomplete.
pub(super) const PART_EXTRA: usize = STORED_EXTRA + 3;

/// Treatment of a text that is more words than numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WordsPolicy {
    /// It is written, although a library would make it shorter.
    Write,
    Refuse,
}

/// Error: the text is more words than numbers, so that its repeats do not begin at delimiters.
#[derive(Debug)]
pub(super) struct Words;

#[derive(Debug)]
pub(super) struct Deflate {
    matches: Matches,
    first: First,
    codes: Codes,
}

/// The first segment of a block: at most 64 kB of tokens.
#[derive(Debug)]
struct First {
    tokens: Vec<Token>,
    /// Literals since the last repeat.
    literals: u16,
    frequencies: Frequencies,
    /// Letters among the literals.
    letters: usize,
}

/// A repeat, and the number of literals before it.
#[derive(Clone, Copy, Debug)]
struct Token {
    literals: u16,
    length: u16,
    distance: u32,
}

/// Owns the bits while writing, so that pending bits stay in registers.
struct Writer<'w, 'o> {
    codes: &'w Codes,
    bits: Bits<'o>,
}

impl Deflate {
    pub fn new() -> Self {
        let tokens = Vec::with_capacity(SEGMENT / REPEAT_MIN);
        let first = First { tokens, literals: 0, frequencies: Frequencies::new(), letters: 0 };
        Self { matches: Matches::new(), first, codes: Codes::new() }
    }

    /// Writes a body, or a part of it. The output is unusable where the first segment turns out to be words and they are refused.
    pub fn write(&mut self, text: &[u8], words: WordsPolicy, bits: &mut Bits<'_>) -> Result<(), Words> {
        self.matches.clear();
        let mut at = 0;
        while at < text.len() {
            at = self.write_block(text, at, words, bits)?;
        }
        Ok(())
    }

    /// Writes a block and returns its end.
    fn write_block(
        &mut self,
        text: &[u8],
        start: usize,
        words: WordsPolicy,
        bits: &mut Bits<'_>,
    ) -> Result<usize, Words> {
        let begin = bits.place();
        let end = self.first.read(&mut self.matches, text, start);
        let first = text.get(start..end).unwrap_or_default();
        if end < text.len() {
            self.first.frequencies.allow_all();
        }
        self.codes.make(&self.first.frequencies);
        bits.add(0, 1);
        self.codes.write_header(bits);
        let header_end = bits.place();
        let mut writer = Writer { codes: &self.codes, bits: std::mem::take(bits) };
        self.first.replay(first, &mut writer);
        *bits = writer.bits;
        let written = bits.place().bits_since(begin);
        if start == 0 && words == WordsPolicy::Refuse && self.first.is_words(first.len(), written) {
            return Err(Words);
        }
        if written > (first.len() + STORED_EXTRA) * 8 {
            bits.go_back(begin);
            store(first, bits);
            return Ok(end);
        }
        let rate = bits.place().bits_since(header_end) as f64 / first.len() as f64;
        let end = self.write_more(text, end, rate, bits);
        self.codes.write_end(bits);
        Ok(end)
    }

    /// Writes further segments of a block whose first segment took `rate` bits per byte. Returns their end.
    fn write_more(&mut self, text: &[u8], mut end: usize, rate: f64, bits: &mut Bits<'_>) -> usize {
        for _ in 1..SEGMENTS_MAX {
            if end == text.len() {
                break;
            }
            let begin = bits.place();
            let next = self.write_segment(text, end, bits);
            let (plain, taken) = (next - end, bits.place().bits_since(begin));
            let likely = (plain as f64 * rate) as usize;
            // A segment must not take more than its plain bytes, which a stored block would take.
            if taken > (plain * 8).min(likely + likely / EXCESS + HEADER_BITS) {
                bits.go_back(begin);
                break;
            }
            end = next;
            if taken + taken / EXCESS + HEADER_BITS < likely {
                break;
            }
        }
        end
    }

    fn write_segment(&mut self, text: &[u8], start: usize, bits: &mut Bits<'_>) -> usize {
        let stop = text.len().min(start + SEGMENT);
        let mut writer = Writer { codes: &self.codes, bits: std::mem::take(bits) };
        let end = self.matches.scan(text, start, stop, &mut writer);
        *bits = writer.bits;
        end
    }
}

/// Largest output of [`align`], and of an end.
pub(super) const BOUNDARY_BYTES_MAX: usize = 16;

/// Ends a part of a body at a whole byte with an empty stored block (RFC 1951, 3.2.4), so that any part may follow.
pub(super) fn align(bits: &mut Bits<'_>) {
    store(&[], bits);
}

/// Ends the body with an empty block of fixed codes, because no earlier block is marked as the last.
pub(super) fn end(bits: &mut Bits<'_>) {
    bits.add(0b011, 3);
    bits.add(0, 7);
    bits.align();
}

impl First {
    /// Reads a segment and returns its end.
    fn read(&mut self, matches: &mut Matches, text: &[u8], start: usize) -> usize {
        self.tokens.clear();
        self.frequencies.clear();
        let end = matches.scan(text, start, text.len().min(start + SEGMENT), self);
        self.letters = self.frequencies.letters() as usize;
        self.frequencies.end();
        end
    }

    /// Passes the segment on to another sink. The tokens cover the whole text: missing text would break the checksum, and InfluxDB
    /// would refuse the body.
    fn replay(&self, mut text: &[u8], sink: &mut impl Sink) {
        for token in &self.tokens {
            let (run, rest) = text.split_at_checked(usize::from(token.literals)).unwrap_or_default();
            sink.literals(run);
            sink.repeat(usize::from(token.length), token.distance);
            text = rest.get(usize::from(token.length)..).unwrap_or_default();
        }
        sink.literals(text);
    }

    /// Whether letters outside repeats are a tenth of the segment, and compression still helps: at 5 bits per byte, text looks
    /// random.
    fn is_words(&self, plain: usize, bits: usize) -> bool {
        self.letters > plain / 10 && bits < plain * 5
    }
}

impl Sink for First {
    #[inline]
    fn literals(&mut self, run: &[u8]) {
        for byte in run {
            self.frequencies.literal(*byte);
        }
        // A run is shorter than a segment.
        self.literals = run.len() as u16;
    }

    #[inline]
    fn repeat(&mut self, length: usize, distance: u32) {
        self.frequencies.repeat(length, distance);
        self.tokens.push(Token { literals: self.literals, length: length as u16, distance });
    }
}

impl Sink for Writer<'_, '_> {
    #[inline]
    fn literals(&mut self, run: &[u8]) {
        let (fours, rest) = run.as_chunks::<4>();
        for four in fours {
            for byte in four {
                self.bits.code(self.codes.literal(*byte));
            }
            self.bits.flush();
        }
        for byte in rest {
            self.bits.code(self.codes.literal(*byte));
        }
        self.bits.flush();
    }

    #[inline]
    fn repeat(&mut self, length: usize, distance: u32) {
        self.bits.code(self.codes.length(length));
        self.codes.write_distance(distance, &mut self.bits);
        self.bits.flush();
    }
}

/// Writes a stored block (RFC 1951, 3.2.4). A segment with the repeat at its end is below the limit of 64 kB.
fn store(text: &[u8], bits: &mut Bits<'_>) {
    let length = text.len() as u16;
    bits.add(0, 3);
    bits.align();
    bits.bytes(&length.to_le_bytes());
    bits.bytes(&(!length).to_le_bytes());
    bits.bytes(text);
}
