//! Frames of LZ4 (<https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>).
//!
//! Time and memory grow with the frame and its content. The reader of `lz4_flex` allocates the block size that a header claims: 4 MB for
//! a frame of 17 bytes. It also takes an empty block for the end of the frame.

use lz4_flex::block::{DecompressError, decompress_into, decompress_into_with_dict};
use twox_hash::XxHash32;

#[derive(Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The bytes are no frame, or a frame that is broken or cut off.
    Unreadable,
    TooLarge,
}

const MAGIC: &[u8] = b"\x04\x22\x4D\x18";

// Bits of the first byte behind `MAGIC`.
const IS_INDEPENDENT: u8 = 0x20;
const HAS_BLOCK_SUMS: u8 = 0x10;
const HAS_CONTENT_SIZE: u8 = 0x08;
const HAS_CONTENT_SUM: u8 = 0x04;
/// The reserved bit, and that of a dictionary.
const REFUSED: u8 = 0x03;

/// The bit of a block's size that says that its bytes are the content itself.
const IS_STORED: u32 = 1 << 31;
/// Bytes before a block to which the block may refer.
const WINDOW: usize = 64 << 10;
/// Most bytes that a byte of a block becomes.
const GROWTH_MAX: usize = 255;
/// Bytes for which room is made at first, for each byte of a block: most text becomes fewer.
const GROWTH_USUAL: usize = 8;

struct Header {
    /// Most bytes of a block and of its content.
    block_max: usize,
    is_independent: bool,
    has_block_sums: bool,
    content_bytes: Option<u64>,
    has_content_sum: bool,
}

/// Appends the content of the first frame of `value` to `out`, which gets `bytes_max` bytes at most. Returns the bytes behind the frame.
pub fn unpack_first<'v>(
    value: &'v [u8],
    out: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<&'v [u8], FrameError> {
    let (mut rest, start) = (value, out.len());
    let header = Header::read(&mut rest).ok_or(FrameError::Unreadable)?;
    loop {
        let size = number(&mut rest)?;
        if size == 0 {
            break;
        }
        let block = rest.split_off(..(size & !IS_STORED) as usize).ok_or(FrameError::Unreadable)?;
        if block.len() > header.block_max || header.has_block_sums && number(&mut rest)? != sum(block) {
            return Err(FrameError::Unreadable);
        }
        let room = bytes_max.saturating_sub(out.len());
        if size & IS_STORED == 0 {
            header.unpack_block(block, start, out, room)?;
        } else if block.len() > room {
            return Err(FrameError::TooLarge);
        } else {
            out.extend_from_slice(block);
        }
    }
    let content = out.get(start..).unwrap_or_default();
    let is_whole = header.content_bytes.is_none_or(|bytes| bytes == content.len() as u64);
    if !is_whole || header.has_content_sum && number(&mut rest)? != sum(content) {
        return Err(FrameError::Unreadable);
    }
    Ok(rest)
}

impl Header {
    fn read(rest: &mut &[u8]) -> Option<Self> {
        let after_magic = rest.strip_prefix(MAGIC)?;
        *rest = after_magic;
        let &[flags, block_size] = rest.split_off(..2)?.first_chunk()?;
        let block_max = match block_size {
            0x40 => 64 << 10,
            0x50 => 256 << 10,
            0x60 => 1 << 20,
            0x70 => 4 << 20,
            _ => return None,
        };
        let version = flags >> 6;
        if version != 1 || flags & REFUSED != 0 {
            return None;
        }
        let has = |flag| flags & flag != 0;
        let content_bytes = if has(HAS_CONTENT_SIZE) {
            Some(u64::from_le_bytes(*rest.split_off(..8)?.first_chunk()?))
        } else {
            None
        };
        let described = after_magic.get(..after_magic.len() - rest.len())?;
        let header_sum = *rest.split_off_first()?;
        (sum(described).to_le_bytes().get(1) == Some(&header_sum)).then_some(Self {
            block_max,
            is_independent: has(IS_INDEPENDENT),
            has_block_sums: has(HAS_BLOCK_SUMS),
            content_bytes,
            has_content_sum: has(HAS_CONTENT_SUM),
        })
    }

    /// Appends the content of a compressed block of the frame whose content begins at `start`.
    fn unpack_block(
        &self,
        block: &[u8],
        start: usize,
        out: &mut Vec<u8>,
        room_max: usize,
    ) -> Result<(), FrameError> {
        let at = out.len();
        let most = self.block_max.min(block.len().saturating_mul(GROWTH_MAX)).min(room_max);
        let mut room = block.len().saturating_mul(GROWTH_USUAL).min(most);
        loop {
            out.resize(at + room, 0);
            let (before, into) = out.split_at_mut(at);
            let unpacked = if self.is_independent {
                decompress_into(block, into)
            } else {
                let window = before.get(start.max(at.saturating_sub(WINDOW))..).unwrap_or_default();
                decompress_into_with_dict(block, into, window)
            };
            match unpacked {
                Ok(bytes) => {
                    out.truncate(at + bytes);
                    return Ok(());
                }
                Err(DecompressError::OutputTooSmall { .. }) if room < most => {
                    room = room.saturating_mul(GROWTH_USUAL).min(most);
                }
                Err(DecompressError::OutputTooSmall { .. }) if most == room_max => {
                    return Err(FrameError::TooLarge);
                }
                Err(_) => return Err(FrameError::Unreadable),
            }
        }
    }
}

/// The next number.
fn number(rest: &mut &[u8]) -> Result<u32, FrameError> {
    let bytes = rest.split_off(..4).and_then(<[u8]>::first_chunk).ok_or(FrameError::Unreadable)?;
    Ok(u32::from_le_bytes(*bytes))
}

fn sum(bytes: &[u8]) -> u32 {
    XxHash32::oneshot(0, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
    use std::io::{Read as _, Write as _};

    fn unpack(value: &[u8], bytes_max: usize) -> Result<Vec<u8>, FrameError> {
        let (mut out, mut rest) = (Vec::new(), value);
        while !rest.is_empty() {
            rest = unpack_first(rest, &mut out, bytes_max)?;
        }
        Ok(out)
    }

    fn pack(info: FrameInfo, content: &[u8]) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        // Several blocks.
        for part in content.chunks(content.len() / 3 + 1) {
            encoder.write_all(part).unwrap();
            encoder.flush().unwrap();
        }
        encoder.finish().unwrap()
    }

    /// A frame with this second byte behind the magic number, and blocks with their sizes.
    fn frame(block_size: u8, blocks: &[u8]) -> Vec<u8> {
        let described = [0x60, block_size];
        [MAGIC, &described, &sum(&described).to_le_bytes()[1..2], blocks, &[0; 4]].concat()
    }

    fn infos() -> Vec<FrameInfo> {
        let mut all = Vec::new();
        for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB] {
            for mode in [BlockMode::Independent, BlockMode::Linked] {
                for sums in [false, true] {
                    let info = FrameInfo::new().block_size(size).block_mode(mode);
                    all.push(info.block_checksums(sums).content_checksum(sums));
                }
            }
        }
        all
    }

    #[test]
    fn unpacks_what_the_encoder_packs() {
        let text: Vec<u8> =
            (0..30_000_u32).flat_map(|n| format!("{{\"a\":{}}}\n", n % 1_000).into_bytes()).collect();
        let random: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(300_000).collect();
        let spaces = vec![b' '; 700_000];
        for info in infos() {
            for content in [b"", &b"x"[..], &text, &random, &spaces] {
                let sized = info.clone().content_size(Some(content.len() as u64));
                for info in [info.clone(), sized] {
                    let packed = pack(info.clone(), content);
                    assert!(unpack(&packed, content.len()).as_deref() == Ok(content), "{info:?}");
                    let twice = unpack(&packed.repeat(2), usize::MAX).unwrap();
                    assert!(twice == content.repeat(2), "{info:?}");
                    if let Some(less) = content.len().checked_sub(1) {
                        assert_eq!(unpack(&packed, less), Err(FrameError::TooLarge), "{info:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_broken_frame_is_unreadable_where_it_has_check_sums() {
        for info in infos().into_iter().filter(|info| info.content_checksum) {
            let packed = pack(info.content_size(Some(4_000)), &b"abcdefgh".repeat(500));
            for end in 0..packed.len() {
                assert_eq!(unpack(&packed[..end], 5_000).err(), (end > 0).then_some(FrameError::Unreadable));
            }
            for at in 0..packed.len() {
                let mut broken = packed.clone();
                broken[at] ^= 1 << (at % 8);
                assert!(unpack(&broken, 5_000).is_err(), "{at}");
            }
        }
        let unsized_frame = frame(0x40, b"");
        assert_eq!(unpack(&unsized_frame, 0), Ok(Vec::new()));
        assert!(unpack(&[&unsized_frame[..], b"\0"].concat(), 0).is_err(), "a byte behind the frame");
        for wrong in [frame(0x30, b""), frame(0x41, b""), frame(0xC0, b"")] {
            assert_eq!(unpack(&wrong, 0), Err(FrameError::Unreadable));
        }
    }

    /// Random blocks, which mostly are no valid ones: nothing panics, and the content is that of another reader. A block of one byte may have
    /// no content, where the other reader ends.
    #[test]
    fn random_blocks_are_read_like_another_reader_reads_them() {
        for _ in 0..20_000 {
            let mut blocks = Vec::new();
            for _ in 0..fastrand::usize(1..4) {
                let block: Vec<u8> =
                    (0..fastrand::usize(2..40)).map(|_| fastrand::u8(..) & fastrand::u8(..)).collect();
                blocks.extend_from_slice(&(block.len() as u32).to_le_bytes());
                blocks.extend_from_slice(&block);
            }
            let described = [if fastrand::bool() { 0x60 } else { 0x40 }, 0x40];
            let value = [MAGIC, &described, &sum(&described).to_le_bytes()[1..2], &blocks, &[0; 4]].concat();
            let mut want = Vec::new();
            let read = FrameDecoder::new(&value[..]).read_to_end(&mut want);
            assert_eq!(unpack(&value, usize::MAX).ok(), read.ok().map(|_| want), "{value:x?}");
        }
    }

    #[test]
    fn an_empty_block_is_not_the_end_of_the_frame() {
        let (first, second) = (b"\x06\0\0\x80m v=1\n", b"\x06\0\0\x80m v=2\n");
        for empty in [&b"\0\0\0\x80"[..], b"\x01\0\0\0\0"] {
            let value = frame(0x40, &[&first[..], empty, second].concat());
            assert_eq!(unpack(&value, 12).as_deref(), Ok(&b"m v=1\nm v=2\n"[..]), "{}", empty.escape_ascii());
        }
    }

    #[test]
    fn memory_is_that_of_the_content() {
        let block = lz4_flex::block::compress(&b"{\"a\":1}\n".repeat(10));
        let sized = [&(block.len() as u32).to_le_bytes()[..], &block].concat();
        let mut out = Vec::new();
        // 4 MB are claimed for each block.
        unpack_first(&frame(0x70, &sized), &mut out, usize::MAX).unwrap();
        assert!(out.capacity() < 10_000, "{}", out.capacity());
    }
}
