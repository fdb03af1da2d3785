//! A body as blocks of DEFLATE (RFC 1951, 3.2.3).
//!
//! A block's codes are made for its first segment. The segments behind it are written with the same codes as they are
//! read; one that comes out longer than expected is taken back, and begins the next block.

use super::bits::Bits;
use super::codes::{Codes, Frequencies};
use super::matches::{Matches, REPEAT_MIN, Sink};

/// A repeat may end behind it.
const SEGMENT: usize = 32 << 10;
/// A block is half a megabyte: making codes then takes a hundredth of the time.
const SEGMENTS_MAX: usize = 16;
/// A segment may take an eighth more or less bits than a block's first one did, and as many as a header takes: beyond,
/// the next block has better codes.
const EXCESS: usize = 8;
const HEADER_BITS: usize = 1_000;
/// Type, padding and length of a segment that is stored.
const STORED_EXTRA: usize = 5;

/// The most bytes that so many become, and the room that writing them needs. A block has a whole segment, but for the
/// last one; it is stored where that would take longer, and what follows in it takes no more than its bytes.
pub(super) fn bytes_max(plain: usize) -> usize {
    plain + (plain / SEGMENT + 2) * (STORED_EXTRA + 3) + Bits::SLACK
}

/// The text is more words than numbers: its repeats begin elsewhere.
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
    /// Since the last repeat.
    literals: u16,
    frequencies: Frequencies,
    /// Among the literals.
    letters: usize,
}

/// A repeat, and how many literals stand before it.
#[derive(Clone, Copy, Debug)]
struct Token {
    literals: u16,
    length: u16,
    distance: u32,
}

/// Holds the bits while it writes, so that the next ones stay in registers.
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

    /// Writes a body, and nothing that counts where its first segment is words.
    pub fn write(&mut self, text: &[u8], bits: &mut Bits<'_>) -> Result<(), Words> {
        self.matches.clear();
        let mut at = 0;
        while at < text.len() {
            at = self.write_block(text, at, bits)?;
        }
        // An empty block of the fixed codes ends the body: no other knows that it is the last.
        bits.add(0b011, 3);
        bits.add(0, 7);
        bits.align();
        Ok(())
    }

    /// Returns where the block ends.
    fn write_block(&mut self, text: &[u8], start: usize, bits: &mut Bits<'_>) -> Result<usize, Words> {
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
        if start == 0 && self.first.is_words(first.len(), written) {
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

    /// Writes further segments of a block whose first one took so many bits a byte. Returns where they end.
    fn write_more(&mut self, text: &[u8], mut end: usize, rate: f64, bits: &mut Bits<'_>) -> usize {
        for _ in 1..SEGMENTS_MAX {
            if end == text.len() {
                break;
            }
            let begin = bits.place();
            let next = self.write_segment(text, end, bits);
            let (plain, taken) = (next - end, bits.place().bits_since(begin));
            let likely = (plain as f64 * rate) as usize;
            // More than the bytes themselves would be more than a block that is stored.
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

impl First {
    /// Returns where the segment ends.
    fn read(&mut self, matches: &mut Matches, text: &[u8], start: usize) -> usize {
        self.tokens.clear();
        self.frequencies.clear();
        let end = matches.scan(text, start, text.len().min(start + SEGMENT), self);
        self.letters = self.frequencies.letters() as usize;
        self.frequencies.end();
        end
    }

    /// Passes the text on as it was read. The tokens cover the text; text that was left out would not fit the checksum of the
    /// whole, so that InfluxDB would refuse the body and nothing would count as stored.
    fn replay(&self, mut text: &[u8], sink: &mut impl Sink) {
        for token in &self.tokens {
            let (run, rest) = text.split_at_checked(usize::from(token.literals)).unwrap_or_default();
            sink.literals(run);
            sink.repeat(usize::from(token.length), token.distance);
            text = rest.get(usize::from(token.length)..).unwrap_or_default();
        }
        sink.literals(text);
    }

    /// A tenth of the segment are letters that no repeat holds, and there is something to gain: at 5 bits a byte, they
    /// look random.
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
        // Below a segment's length.
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

/// A block as it is (RFC 1951, 3.2.4). A segment with the repeat at its end is below the 64 kB that one may have.
fn store(text: &[u8], bits: &mut Bits<'_>) {
    let length = text.len() as u16;
    bits.add(0, 3);
    bits.align();
    bits.bytes(&length.to_le_bytes());
    bits.bytes(&(!length).to_le_bytes());
    bits.bytes(text);
}
