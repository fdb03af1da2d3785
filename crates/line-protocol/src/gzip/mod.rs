//! gzip of request bodies (RFC 1952).
//!
//! With a library, compression is half of the bridge's CPU time for a line that goes over a network, because libraries search for
//! repeats at every byte. In line protocol, repeats begin at delimiters. This encoder searches only there ([`mod@matches`]), and
//! makes its codes from the first part of a block, so that the rest is written in one pass ([`deflate`]). Time and size relative
//! to libdeflate's level 1, the fastest library (`cargo bench --bench micro -- gzip`; level 6 takes three times as long for a
//! tenth less):
//!
//! | lines                         | time | bytes |
//! |-------------------------------|------|-------|
//! | ec2: 6 numbers                | 37 % | 92 %  |
//! | wide: 44 numbers              | 30 % | 81 %  |
//! | labs: 11 numbers              | 39 % | 93 %  |
//! | agent: Telegraf's own plugins | 28 % | 84 %  |
//!
//! Natural text repeats elsewhere. Bodies full of it go to libdeflate, and so do short bodies.

mod alphabet;
mod bits;
mod codes;
mod deflate;
mod huffman;
mod matches;
mod packed;

pub use packed::{GzipFrame, PackedText, Packer};

use bits::Bits;
use bytes::{Bytes, BytesMut};
use deflate::{Deflate, Words, WordsPolicy};
use libdeflater::{CompressionLvl, Compressor, Crc};

const LIBRARY_LEVEL: i32 = 1;
/// Shortest body for the own encoder; below, the Huffman tables of a block cost more than they save.
const OWN_BYTES_MIN: usize = 4 << 10;
/// No name, no time, the fastest algorithm, an unknown system (RFC 1952, 2.3.1).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
const TRAILER: usize = 8;
/// Step of buffer sizes; bodies usually differ by less.
const BUFFER_STEP: usize = 64 << 10;

/// A compressor and its output buffer, both reused from request to request. It takes about 90 kB beside the output, and the
/// memory of libdeflate once a body went there.
pub struct Gzip {
    deflate: Deflate,
    library: Option<Compressor>,
    /// The last output buffer, which a request may still use.
    whole: Bytes,
}

impl Gzip {
    pub fn new() -> Self {
        Self { deflate: Deflate::new(), library: None, whole: Bytes::new() }
    }

    /// Compresses a body; none where the body should be sent uncompressed.
    pub fn compress(&mut self, plain: &[u8]) -> Option<Bytes> {
        let own = if plain.len() < OWN_BYTES_MIN { None } else { self.own(plain) };
        own.or_else(|| self.by_library(plain))
    }

    /// Compresses a body that is given in parts, as one member (RFC 1952, 2.2). Repeats do not reach beyond a part, so parts should have
    /// hundreds of kB. None where the body should be sent uncompressed.
    pub fn compress_parts<P: AsRef<[u8]>>(
        &mut self,
        parts: impl Iterator<Item = P> + Clone,
    ) -> Option<Bytes> {
        let (bytes, count) =
            parts.clone().fold((0, 0), |(bytes, count), part| (bytes + part.as_ref().len(), count + 1));
        // Words go to the library only as a whole, which would have to be copied.
        self.own_parts(deflate::bytes_max(bytes) + count * deflate::PART_EXTRA, parts, WordsPolicy::Write)
    }

    fn own(&mut self, plain: &[u8]) -> Option<Bytes> {
        self.own_parts(deflate::bytes_max(plain.len()), std::iter::once(plain), WordsPolicy::Refuse)
    }

    fn own_parts<P: AsRef<[u8]>>(
        &mut self,
        deflated_max: usize,
        parts: impl Iterator<Item = P> + Clone,
        words: WordsPolicy,
    ) -> Option<Bytes> {
        let bytes_max = HEADER.len() + deflated_max + TRAILER;
        // Lines shrink to a third or less. A body that needs more space is compressed again.
        self.own_within(bytes_max / 2, parts.clone(), words)
            .or_else(|| self.own_within(bytes_max, parts, words))
    }

    fn own_within<P: AsRef<[u8]>>(
        &mut self,
        room: usize,
        parts: impl Iterator<Item = P>,
        words: WordsPolicy,
    ) -> Option<Bytes> {
        let mut output = self.buffer(room);
        let written = self.write(parts, words, &mut output);
        self.whole = output.freeze();
        Some(self.whole.slice(..written?))
    }

    fn write<P: AsRef<[u8]>>(
        &mut self,
        parts: impl Iterator<Item = P>,
        words: WordsPolicy,
        output: &mut [u8],
    ) -> Option<usize> {
        let mut bits = Bits::new(output);
        bits.bytes(&HEADER);
        let (mut crc, mut bytes) = (Crc::new(), 0);
        for part in parts {
            let plain = part.as_ref();
            self.deflate.write(plain, words, &mut bits).map_err(|Words| ()).ok()?;
            crc.update(plain);
            bytes += plain.len();
        }
        deflate::end(&mut bits);
        bits.bytes(&crc.sum().to_le_bytes());
        // Modulo 2^32 (RFC 1952, 2.3.1).
        bits.bytes(&(bytes as u32).to_le_bytes());
        bits.written()
    }

    fn by_library(&mut self, plain: &[u8]) -> Option<Bytes> {
        // The library accepts this level.
        let level = || CompressionLvl::new(LIBRARY_LEVEL).unwrap_or_default();
        let mut library = self.library.take().unwrap_or_else(|| Compressor::new(level()));
        let mut output = self.buffer(library.gzip_compress_bound(plain.len()));
        let length = library.gzip_compress(plain, &mut output).ok();
        self.library = Some(library);
        self.whole = output.freeze();
        Some(self.whole.slice(..length?))
    }

    /// Reuses the last buffer if it is free and large enough. A new buffer is a little larger, for the next body. The allocator
    /// zeroes it lazily, so that the unused part takes no memory.
    fn buffer(&mut self, bound: usize) -> BytesMut {
        match std::mem::take(&mut self.whole).try_into_mut() {
            Ok(buffer) if buffer.len() >= bound => buffer,
            _ => BytesMut::zeroed(bound.next_multiple_of(BUFFER_STEP)),
        }
    }
}

impl Default for Gzip {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Gzip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gzip").field("buffer_bytes", &self.whole.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
