//! A text kept compressed, from which a body is sent compressed or not, without a copy of the whole.

use super::bits::Bits;
use super::deflate::{self, Deflate, Words, WordsPolicy};
use super::{HEADER, TRAILER};
use crc32fast::Hasher;
use libdeflater::Decompressor;
use std::ops::Range;

/// Least text of a chunk but the last. Repeats do not reach beyond a chunk, so that a smaller one compresses less; a larger one takes more
/// memory while it is unpacked.
const CHUNK_BYTES_MIN: usize = 256 << 10;
/// The empty block at the end of each packed chunk, so that a chunk can be unpacked alone. A body has it only once.
const END: [u8; 2] = [3, 0];

/// Compresses texts, and reuses its memory of about 90 kB.
#[derive(Debug)]
pub struct Packer {
    deflate: Deflate,
    /// The text of the chunk being packed.
    chunk: Vec<u8>,
    output: Vec<u8>,
}

/// A compressed text: chunks of whole lines, each of which can be unpacked alone.
#[derive(Clone, Debug, Default)]
pub struct PackedText {
    deflated: Vec<u8>,
    chunks: Vec<Chunk>,
}

/// A chunk, by its end in the compressed and in the plain text.
#[derive(Clone, Debug)]
struct Chunk {
    deflated_end: u32,
    plain_end: u32,
    /// Checksum of its plain text.
    crc: Hasher,
}

impl Packer {
    pub fn new() -> Self {
        Self { deflate: Deflate::new(), chunk: Vec::new(), output: Vec::new() }
    }

    /// Compresses a text of less than 4 GB that is given in lines.
    pub fn pack<'l>(&mut self, lines: impl Iterator<Item = &'l [u8]>) -> PackedText {
        self.pack_sections(std::iter::once(lines))
    }

    /// The same for a text in sections, each of which begins with a chunk of its own.
    pub fn pack_sections<'l>(
        &mut self,
        sections: impl Iterator<Item = impl Iterator<Item = &'l [u8]>>,
    ) -> PackedText {
        let mut packed = PackedText::default();
        self.chunk.clear();
        for lines in sections {
            for line in lines {
                self.chunk.extend_from_slice(line);
                if self.chunk.len() >= CHUNK_BYTES_MIN {
                    self.end_chunk(&mut packed);
                }
            }
            if !self.chunk.is_empty() {
                self.end_chunk(&mut packed);
            }
        }
        packed.deflated.shrink_to_fit();
        packed
    }

    fn end_chunk(&mut self, packed: &mut PackedText) {
        self.output.resize(deflate::bytes_max(self.chunk.len()) + deflate::BOUNDARY_BYTES_MAX, 0);
        let mut bits = Bits::new(&mut self.output);
        match self.deflate.write(&self.chunk, WordsPolicy::Write, &mut bits) {
            Ok(()) => (),
            #[expect(clippy::unreachable, reason = "`WordsPolicy::Write` refuses no text")]
            Err(Words) => unreachable!("words are written"),
        }
        deflate::align(&mut bits);
        bits.bytes(&END);
        let written = bits.written().and_then(|written| self.output.get(..written));
        assert!(written.is_some(), "the output has room for an incompressible chunk");
        packed.deflated.extend_from_slice(written.unwrap_or_default());
        let mut crc = Hasher::new();
        crc.update(&self.chunk);
        let (deflated_end, plain_end) = (packed.deflated.len(), packed.bytes() + self.chunk.len());
        let (deflated_end, plain_end) = (deflated_end as u32, plain_end as u32);
        packed.chunks.push(Chunk { deflated_end, plain_end, crc });
        self.chunk.clear();
    }
}

impl Default for Packer {
    fn default() -> Self {
        Self::new()
    }
}

impl PackedText {
    /// Length of the plain text.
    pub fn bytes(&self) -> usize {
        self.chunks.last().map_or(0, |chunk| chunk.plain_end as usize)
    }

    /// Allocated memory in bytes.
    pub fn capacity(&self) -> usize {
        self.deflated.capacity() + self.chunks.capacity() * size_of::<Chunk>()
    }

    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// The chunk that has this byte of the plain text.
    pub fn chunk_at(&self, plain: usize) -> usize {
        self.chunks.partition_point(|chunk| chunk.plain_end as usize <= plain)
    }

    /// The place of a chunk in the plain text.
    pub fn chunk_range(&self, chunk: usize) -> Range<usize> {
        self.range_by(chunk, |chunk| chunk.plain_end)
    }

    fn deflated(&self, chunk: usize) -> &[u8] {
        self.deflated.get(self.range_by(chunk, |chunk| chunk.deflated_end)).unwrap_or_default()
    }

    /// The plain text of a chunk. Panics beyond the last one.
    pub fn unpack_chunk(&self, chunk: usize) -> Vec<u8> {
        let mut plain = vec![0; self.chunk_range(chunk).len()];
        let length = Decompressor::new().deflate_decompress(self.deflated(chunk), &mut plain);
        assert_eq!(length, Ok(plain.len()), "a packed chunk unpacks to its length");
        plain
    }

    /// The plain text.
    pub fn unpack(&self) -> Vec<u8> {
        let mut plain = Vec::with_capacity(self.bytes());
        (0..self.chunks()).for_each(|chunk| plain.extend_from_slice(&self.unpack_chunk(chunk)));
        plain
    }

    /// A chunk within a gzip body, see [`GzipFrame`].
    pub fn gzip_chunk(&self, chunk: usize) -> &[u8] {
        self.deflated(chunk).strip_suffix(&END).unwrap_or_default()
    }

    fn range_by(&self, chunk: usize, end_of: impl Fn(&Chunk) -> u32) -> Range<usize> {
        assert!(chunk < self.chunks(), "chunk {chunk} of {} does not exist", self.chunks());
        let end = |chunk: Option<usize>| chunk.and_then(|chunk| self.chunks.get(chunk)).map_or(0, &end_of);
        end(chunk.checked_sub(1)) as usize..end(Some(chunk)) as usize
    }
}

/// Trailer and length of a gzip body (RFC 1952, 2.3), which consists of [`GzipFrame::HEADER`], chunks of texts, and the trailer.
#[derive(Clone, Debug)]
pub struct GzipFrame {
    pub trailer: [u8; END.len() + TRAILER],
    /// Length of the body, with header and trailer.
    pub bytes: usize,
}

impl GzipFrame {
    pub const HEADER: [u8; 10] = HEADER;

    /// The frame of a body with these chunks, in this order. Panics beyond the last chunk of a text.
    pub fn of<'t>(chosen: impl Iterator<Item = (&'t PackedText, usize)>) -> Self {
        let (mut crc, mut plain, mut chunks) = (Hasher::new(), 0_usize, 0);
        for (text, chunk) in chosen {
            if let Some(chunk) = text.chunks.get(chunk) {
                crc.combine(&chunk.crc);
            }
            plain += text.chunk_range(chunk).len();
            chunks += text.gzip_chunk(chunk).len();
        }
        let mut trailer = [0; END.len() + TRAILER];
        // The length is modulo 2^32 (RFC 1952, 2.3.1).
        let parts = END.into_iter().chain(crc.finalize().to_le_bytes()).chain((plain as u32).to_le_bytes());
        trailer.iter_mut().zip(parts).for_each(|(to, byte)| *to = byte);
        Self { bytes: HEADER.len() + chunks + trailer.len(), trailer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A line of the index `n`; each third one is noise, which does not compress.
    fn line(n: usize, rng: &mut fastrand::Rng) -> Vec<u8> {
        match n % 3 {
            0 => (0..rng.usize(0..3_000)).map(|_| rng.u8(..)).collect(),
            1 => format!("m,host=h{} v={n} {n}\n", n % 9).into_bytes(),
            _ => format!("m,host=h{},note=\"some words of a text\" v={},w={n} {n}\n", n % 7, rng.f64())
                .into_bytes(),
        }
    }

    /// The body of these texts, as it is sent.
    fn gzip_body(texts: &[PackedText]) -> Vec<u8> {
        let chunks = texts.iter().flat_map(|text| (0..text.chunks()).map(move |chunk| (text, chunk)));
        let frame = GzipFrame::of(chunks);
        let mut body = GzipFrame::HEADER.to_vec();
        for text in texts {
            (0..text.chunks()).for_each(|chunk| body.extend_from_slice(text.gzip_chunk(chunk)));
        }
        body.extend_from_slice(&frame.trailer);
        assert_eq!(body.len(), frame.bytes);
        body
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn texts_unpack_alone_and_as_one_gzip_body(counts in prop::collection::vec(0_usize..1_500, 0..4), seed: u64) {
            let (mut rng, mut packer) = (fastrand::Rng::with_seed(seed), Packer::new());
            let plain: Vec<Vec<Vec<u8>>> =
                counts.iter().map(|count| (0..*count).map(|n| line(n, &mut rng)).collect()).collect();
            let texts: Vec<PackedText> =
                plain.iter().map(|lines| packer.pack(lines.iter().map(Vec::as_slice))).collect();
            let mut whole = Vec::new();
            for (text, lines) in texts.iter().zip(&plain) {
                let want = lines.concat();
                prop_assert_eq!(text.bytes(), want.len());
                prop_assert!(text.unpack() == want);
                for chunk in 0..text.chunks() {
                    let range = text.chunk_range(chunk);
                    prop_assert_eq!(text.chunk_at(range.start), chunk);
                    prop_assert_eq!(text.chunk_at(range.end - 1), chunk);
                    prop_assert!(text.unpack_chunk(chunk) == want[range]);
                }
                whole.extend_from_slice(&want);
            }
            let mut read = vec![0; whole.len()];
            let length = Decompressor::new().gzip_decompress(&gzip_body(&texts), &mut read);
            prop_assert_eq!(length, Ok(whole.len()));
            prop_assert!(read == whole);
        }
    }

    #[test]
    fn chunks_have_whole_lines_and_a_bounded_size() {
        let lines: Vec<Vec<u8>> =
            (0..20_000).map(|n| format!("m,host=h{} v={n} {n}\n", n % 9).into_bytes()).collect();
        let text = Packer::new().pack(lines.iter().map(Vec::as_slice));
        assert!(
            text.chunks() > 1 && text.capacity() < text.bytes() / 3,
            "{} of {}",
            text.capacity(),
            text.bytes()
        );
        for chunk in 0..text.chunks() {
            let plain = text.unpack_chunk(chunk);
            assert!(plain.ends_with(b"\n") && plain.len() < CHUNK_BYTES_MIN + 100);
        }
    }

    #[test]
    #[should_panic(expected = "chunk 1 of 1 does not exist")]
    fn a_chunk_beyond_the_text_panics() {
        Packer::new().pack([&b"m v=1\n"[..]].into_iter()).unpack_chunk(1);
    }
}
