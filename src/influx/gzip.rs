//! gzip of request bodies.

use bytes::{Bytes, BytesMut};
use libdeflater::{CompressionLvl, Compressor};

/// Level 6 takes three times as long for a tenth less.
const LEVEL: i32 = 1;

/// A compressor and its output buffer, both kept from request to request.
pub struct Gzip {
    compressor: Compressor,
    /// The whole of the last output buffer, which a request may still hold.
    whole: Bytes,
}

impl Gzip {
    pub fn new() -> Self {
        let level = CompressionLvl::new(LEVEL).unwrap_or_default();
        Self { compressor: Compressor::new(level), whole: Bytes::new() }
    }

    /// None: it could not be compressed, and goes as it is.
    pub fn compress(&mut self, plain: &[u8]) -> Option<Bytes> {
        let bound = self.compressor.gzip_compress_bound(plain.len());
        let mut output = self.buffer(bound);
        let length = self.compressor.gzip_compress(plain, &mut output).ok();
        self.whole = output.freeze();
        Some(self.whole.slice(..length?))
    }

    /// The last buffer again if it is free and large enough. A new one is zeroed lazily by the allocator,
    /// so that the part that compression leaves unused takes no memory.
    fn buffer(&mut self, bound: usize) -> BytesMut {
        match std::mem::take(&mut self.whole).try_into_mut() {
            Ok(buffer) if buffer.len() >= bound => buffer,
            _ => BytesMut::zeroed(bound),
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
mod tests {
    use super::*;
    use libdeflater::Decompressor;

    fn gunzip(gzip: &[u8], length: usize) -> Vec<u8> {
        let mut plain = vec![0; length];
        let read = Decompressor::new().gzip_decompress(gzip, &mut plain).unwrap();
        assert_eq!(read, length);
        plain
    }

    #[test]
    fn reads_back_equal_whatever_came_before() {
        let mut gzip = Gzip::new();
        let mut rng = fastrand::Rng::with_seed(7);
        for length in [0, 1, 100, 70_000, 10, 300_000, 5] {
            let noise: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(length).collect();
            for plain in [noise, b"cpu,host=a v=1 1\n".repeat(length / 17)] {
                let packed = gzip.compress(&plain).unwrap();
                assert_eq!(gunzip(&packed, plain.len()), plain);
            }
        }
    }

    #[test]
    fn reuses_its_buffer_unless_a_request_still_holds_it() {
        let mut gzip = Gzip::new();
        let first = gzip.compress(&[7; 1000]).unwrap();
        let place = first.as_ptr();
        drop(first);
        let second = gzip.compress(&[8; 900]).unwrap();
        assert_eq!(second.as_ptr(), place);
        let third = gzip.compress(&[9; 800]).unwrap();
        assert_ne!(third.as_ptr(), place);
        assert_eq!(gunzip(&second, 900), [8; 900]);
    }
}
