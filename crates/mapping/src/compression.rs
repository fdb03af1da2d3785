//! Compression inside the values of records. Kafka's own compression of batches is undone by librdkafka.
//!
//! A value that does not unpack is read as it is: text can begin like a compressed value, and its format reports what is wrong.
//! An unpacked value is as long as `kafka.record_bytes_max` at most, so that a few bytes cannot fill the memory.

use super::Format;
use super::lz4_frame::{self, FrameError};
use super::rejection::Rejection;
use std::borrow::Cow;
use std::io::{BufRead, Read};

/// How the values of records are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Recognizes the codec of a value in a text format by its first bytes. Binary values can begin with any bytes, and are read unchanged.
    #[default]
    Auto,
    None,
    Gzip,
    Zlib,
    Zstd,
    /// Framed, in the blocks of Java's library, or one raw block.
    Snappy,
    Lz4,
}

/// The layout of compressed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Gzip,
    Zlib,
    Zstd,
    Lz4,
    SnappyFrames,
    /// Blocks of Java's library, each behind its length.
    SnappyJava,
    SnappyBlock,
}

const SNAPPY_JAVA: &[u8] = b"\x82SNAPPY\0";

/// First bytes that no JSON and hardly any other text begins with.
const BEGINNINGS: [(&[u8], Codec); 5] = [
    (b"\x1F\x8B\x08", Codec::Gzip),
    (b"\x28\xB5\x2F\xFD", Codec::Zstd),
    (b"\x04\x22\x4D\x18", Codec::Lz4),
    (b"\xFF\x06\0\0sNaPpY", Codec::SnappyFrames),
    (SNAPPY_JAVA, Codec::SnappyJava),
];

impl Compression {
    pub const ALL: [Self; 7] =
        [Self::Auto, Self::None, Self::Gzip, Self::Zlib, Self::Zstd, Self::Snappy, Self::Lz4];

    /// The word in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
        }
    }

    /// Whether a whole file is one compressed value. Text begins like zlib or a raw block of Snappy by chance, so that such a file
    /// counts only if it unpacks.
    #[must_use]
    pub fn is_one_value(self, format: Format, file: &[u8]) -> bool {
        match self.codec(format, file) {
            None => false,
            Some(Codec::Zlib | Codec::SnappyBlock) => {
                !matches!(unpacked_as(self, format, file), Ok(Cow::Borrowed(_)))
            }
            Some(_) => true,
        }
    }

    /// The compression of a value in an unknown format, and the unpacked value; none if it unpacks to nothing.
    #[must_use]
    pub fn of_value(value: &[u8]) -> Option<(Self, Vec<u8>)> {
        let named = [Self::Gzip, Self::Zstd, Self::Lz4, Self::Zlib, Self::Snappy];
        named.into_iter().find_map(|compression| match unpacked_as(compression, Format::Json, value) {
            Ok(Cow::Owned(unpacked)) if !unpacked.is_empty() => Some((compression, unpacked)),
            _ => None,
        })
    }

    /// Whether `"auto"` unpacks such a value too.
    #[must_use]
    pub fn is_automatic(format: Format, value: &[u8]) -> bool {
        Self::Auto.may_unpack(format, value)
    }

    /// Whether a value is to be unpacked, as far as its beginning shows.
    pub(crate) fn may_unpack(self, format: Format, value: &[u8]) -> bool {
        self.codec(format, value).is_some()
    }

    /// The codec of a value; none if it is not compressed.
    fn codec(self, format: Format, value: &[u8]) -> Option<Codec> {
        let of = |codec| Some(codec).filter(|codec| by_beginning(value) == Some(*codec));
        match self {
            Self::None => None,
            // Nearly all values are not compressed.
            Self::Auto if format.is_binary() || matches!(value.first(), Some(b'{' | b'[')) => None,
            Self::Auto => {
                by_beginning(value).or_else(|| (format.is_json() && is_zlib(value)).then_some(Codec::Zlib))
            }
            Self::Gzip => of(Codec::Gzip),
            Self::Zlib => is_zlib(value).then_some(Codec::Zlib),
            Self::Zstd => of(Codec::Zstd),
            Self::Lz4 => of(Codec::Lz4),
            Self::Snappy => Some(match by_beginning(value) {
                Some(codec @ (Codec::SnappyFrames | Codec::SnappyJava)) => codec,
                _ => Codec::SnappyBlock,
            }),
        }
    }
}

fn by_beginning(value: &[u8]) -> Option<Codec> {
    BEGINNINGS.iter().find(|(beginning, _)| value.starts_with(beginning)).map(|(_, codec)| *codec)
}

/// Whether a value begins like zlib (RFC 1950): deflate with a window of at most 32 kB, no dictionary, and a check sum of both bytes.
/// Text that is not JSON can begin so too.
fn is_zlib(value: &[u8]) -> bool {
    const DICTIONARY: u8 = 0x20;
    let [first, second, ..] = *value else { return false };
    let is_deflate = first & 0x0F == 8 && first >> 4 <= 7;
    is_deflate && second & DICTIONARY == 0 && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

/// An unpacked value. A mapper reuses its memory from record to record.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    bytes: Vec<u8>,
    snappy: snap::raw::Decoder,
}

enum Failure {
    /// The value is not compressed like this.
    Unreadable,
    TooLarge,
}

impl From<std::io::Error> for Failure {
    fn from(_: std::io::Error) -> Self {
        Self::Unreadable
    }
}

impl From<snap::Error> for Failure {
    fn from(_: snap::Error) -> Self {
        Self::Unreadable
    }
}

impl From<FrameError> for Failure {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Unreadable => Self::Unreadable,
            FrameError::TooLarge => Self::TooLarge,
        }
    }
}

impl Unpacked {
    /// Allocated memory in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// The unpacked value; none for a value that is read as it is.
    pub fn read(
        &mut self,
        compression: Compression,
        format: Format,
        value: &[u8],
        bytes_max: usize,
    ) -> Result<Option<&[u8]>, Rejection> {
        let Some(codec) = compression.codec(format, value) else { return Ok(None) };
        self.bytes.clear();
        match self.unpack(codec, value, bytes_max) {
            Ok(()) => Ok(Some(&self.bytes)),
            Err(Failure::Unreadable) => Ok(None),
            Err(Failure::TooLarge) => Err(Rejection::UnpackedTooLarge { bytes_max }),
        }
    }

    fn unpack(&mut self, codec: Codec, value: &[u8], bytes_max: usize) -> Result<(), Failure> {
        match codec {
            // Takes several members one after another.
            Codec::Gzip => self.take(flate2::bufread::MultiGzDecoder::new(value), bytes_max),
            Codec::Zlib => {
                let mut rest = value;
                self.take(flate2::bufread::ZlibDecoder::new(&mut rest), bytes_max)?;
                ends(rest)
            }
            Codec::Zstd => self.zstd(value, bytes_max),
            Codec::Lz4 => {
                let mut rest = value;
                while !rest.is_empty() {
                    rest = lz4_frame::unpack_first(rest, &mut self.bytes, bytes_max)?;
                }
                Ok(())
            }
            Codec::SnappyFrames => self.take(snap::read::FrameDecoder::new(value), bytes_max),
            Codec::SnappyJava => self.snappy_java(value, bytes_max),
            Codec::SnappyBlock => self.snappy_block(value, bytes_max),
        }
    }

    /// Appends everything that a decoder reads.
    fn take(&mut self, decoder: impl Read, bytes_max: usize) -> Result<(), Failure> {
        let room = bytes_max.saturating_sub(self.bytes.len());
        // One byte more shows that the value is too large.
        let mut decoder = decoder.take((room as u64).saturating_add(1));
        let read = decoder.read_to_end(&mut self.bytes)?;
        if read > room { Err(Failure::TooLarge) } else { Ok(()) }
    }

    fn zstd(&mut self, value: &[u8], bytes_max: usize) -> Result<(), Failure> {
        /// The largest window that every decoder has to support (RFC 8878, section 3.1.1.1.2): 8 MB.
        const WINDOW_LOG_MAX: u32 = 23;
        if let Ok(Some(bytes)) = zstd::zstd_safe::get_frame_content_size(value)
            && bytes > bytes_max as u64
        {
            return Err(Failure::TooLarge);
        }
        let mut decoder = zstd::stream::read::Decoder::with_buffer(value)?;
        decoder.window_log_max(WINDOW_LOG_MAX)?;
        self.take(decoder, bytes_max)
    }

    fn snappy_java(&mut self, value: &[u8], bytes_max: usize) -> Result<(), Failure> {
        /// The beginning, the version and the oldest version that reads it.
        const HEADER_BYTES: usize = 16;
        let mut rest = value.get(HEADER_BYTES..).ok_or(Failure::Unreadable)?;
        while let Some((length, behind)) = rest.split_first_chunk() {
            let length = u32::from_be_bytes(*length) as usize;
            let (block, behind) = behind.split_at_checked(length).ok_or(Failure::Unreadable)?;
            self.snappy_block(block, bytes_max)?;
            rest = behind;
        }
        ends(rest)
    }

    /// Appends a raw block, whose first bytes claim its length.
    fn snappy_block(&mut self, block: &[u8], bytes_max: usize) -> Result<(), Failure> {
        /// The shortest element of three bytes copies 64, so that a longer claim is false.
        const GROWTH_MAX: usize = 22;
        let length = snap::raw::decompress_len(block)?;
        if length > block.len().saturating_mul(GROWTH_MAX) {
            return Err(Failure::Unreadable);
        }
        let start = self.bytes.len();
        if length > bytes_max.saturating_sub(start) {
            return Err(Failure::TooLarge);
        }
        self.bytes.resize(start + length, 0);
        let out = self.bytes.get_mut(start..).unwrap_or_default();
        self.snappy.decompress(block, out)?;
        Ok(())
    }
}

/// Refuses bytes behind a compressed value, which would be lost silently.
fn ends(mut rest: impl BufRead) -> Result<(), Failure> {
    if rest.fill_buf()?.is_empty() { Ok(()) } else { Err(Failure::Unreadable) }
}

/// Upper bound of a value's text without a mapper, whose limits depend on the configuration.
pub(crate) const BYTES_MAX: usize = 64 << 20;

/// A value in a text format, unpacked if it is recognized as compressed. A value that cannot be unpacked stays.
#[must_use]
pub fn unpacked(value: &[u8]) -> Cow<'_, [u8]> {
    unpacked_as(Compression::Auto, Format::Json, value).unwrap_or(Cow::Borrowed(value))
}

pub(crate) fn unpacked_as(
    compression: Compression,
    format: Format,
    value: &[u8],
) -> Result<Cow<'_, [u8]>, Rejection> {
    let mut unpacked = Unpacked::default();
    let is_unpacked = unpacked.read(compression, format, value, BYTES_MAX)?.is_some();
    Ok(if is_unpacked { Cow::Owned(unpacked.bytes) } else { Cow::Borrowed(value) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{LIMITS, lines_of, record};
    use crate::{Mapper, RecordLimits, Rules};
    use std::io::Write as _;
    use std::sync::Arc;

    const JSON: &[u8] = br#"{"a":1,"b":22222222222222222222222222222222}"#;

    fn gzip(value: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(value).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(value: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(value).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(value: &[u8]) -> Vec<u8> {
        zstd::encode_all(value, 3).unwrap()
    }

    fn lz4(value: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(value).unwrap();
        encoder.finish().unwrap()
    }

    fn snappy_frames(value: &[u8]) -> Vec<u8> {
        let mut encoder = snap::write::FrameEncoder::new(Vec::new());
        encoder.write_all(value).unwrap();
        encoder.into_inner().unwrap()
    }

    fn snappy_block(value: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(value).unwrap()
    }

    /// As snappy-java writes it, in blocks of 16 bytes instead of 32 kB.
    fn snappy_java(value: &[u8]) -> Vec<u8> {
        let mut out = [SNAPPY_JAVA, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
        for block in value.chunks(16).map(snappy_block) {
            out.extend_from_slice(&(block.len() as u32).to_be_bytes());
            out.extend_from_slice(&block);
        }
        out
    }

    type Pack = fn(&[u8]) -> Vec<u8>;

    const RECOGNIZED: [(Compression, Pack); 5] = [
        (Compression::Gzip, gzip),
        (Compression::Zstd, zstd),
        (Compression::Lz4, lz4),
        (Compression::Snappy, snappy_frames),
        (Compression::Snappy, snappy_java),
    ];
    const NAMED: [(Compression, Pack); 2] = [(Compression::Zlib, zlib), (Compression::Snappy, snappy_block)];

    fn read(compression: Compression, format: Format, value: &[u8]) -> Option<Vec<u8>> {
        let mut unpacked = Unpacked::default();
        unpacked.read(compression, format, value, 1_000_000).unwrap().map(<[u8]>::to_vec)
    }

    #[test]
    fn unpacks_each_compression() {
        let text = format!("{{\"text\":\"{}\"}}", "온도 ".repeat(20_000));
        let random: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(200_000).collect();
        for (compression, pack) in RECOGNIZED.into_iter().chain(NAMED) {
            for value in [JSON, b"", text.as_bytes(), &random] {
                let packed = pack(value);
                // Snappy writes no frame for an empty value.
                let got =
                    read(compression, Format::Json, &packed).or_else(|| packed.is_empty().then(Vec::new));
                assert_eq!(got.as_deref(), Some(value), "{compression:?}: {}", packed.escape_ascii());
                assert_eq!(read(Compression::None, Format::Json, &packed), None);
            }
        }
        for (_, pack) in RECOGNIZED {
            for format in [Format::Json, Format::JsonLines, Format::Influx, Format::Csv, Format::Value] {
                assert_eq!(read(Compression::Auto, format, &pack(JSON)).as_deref(), Some(JSON));
            }
            for format in [Format::Msgpack, Format::Cbor, Format::Avro, Format::Protobuf] {
                assert_eq!(read(Compression::Auto, format, &pack(JSON)), None);
            }
            assert!(Compression::Auto.is_one_value(Format::Csv, &pack(JSON)));
        }
        assert_eq!(read(Compression::Gzip, Format::Cbor, &gzip(b"\xA0")).as_deref(), Some(&b"\xA0"[..]));
    }

    #[test]
    fn recognizes_zlib_in_json_alone() {
        assert_eq!(read(Compression::Auto, Format::Json, &zlib(JSON)).as_deref(), Some(JSON));
        assert_eq!(read(Compression::Auto, Format::JsonLines, &zlib(JSON)).as_deref(), Some(JSON));
        // "x^" begins text as well as zlib.
        for format in [Format::Influx, Format::Csv, Format::Value] {
            assert_eq!(read(Compression::Auto, format, &zlib(JSON)), None);
        }
    }

    #[test]
    fn a_limit_of_all_memory_unpacks_each_compression() {
        for (compression, pack) in RECOGNIZED.into_iter().chain(NAMED) {
            let (mut unpacked, packed) = (Unpacked::default(), pack(JSON));
            let got = unpacked.read(compression, Format::Json, &packed, usize::MAX).unwrap();
            assert_eq!(got, Some(JSON), "{compression:?}");
        }
    }

    #[test]
    fn a_file_is_one_value_if_it_is_compressed_as_the_mapping_says() {
        for (compression, pack) in RECOGNIZED.into_iter().chain(NAMED) {
            let packed = pack(JSON);
            for format in [Format::Avro, Format::Msgpack, Format::Json, Format::Csv] {
                assert!(compression.is_one_value(format, &packed), "{compression:?} {format:?}");
                assert!(!compression.is_one_value(format, JSON), "{compression:?} {format:?}");
                assert!(!Compression::None.is_one_value(format, &packed));
            }
            assert_eq!(Compression::of_value(&packed), Some((compression, JSON.to_vec())));
            assert!(!Compression::Auto.is_one_value(Format::Avro, &packed), "{compression:?}");
        }
        assert!(Compression::Auto.is_one_value(Format::Json, &zlib(JSON)));
        assert!(!Compression::Auto.is_one_value(Format::Csv, &zlib(JSON)));
        // The beginning of zlib, and text.
        assert!(!Compression::Zlib.is_one_value(Format::Value, b"x^2\n"));
        // A gzip value that is cut off is rejected as one record.
        assert!(Compression::Auto.is_one_value(Format::Json, &gzip(JSON)[..20]));
        for value in [&b""[..], b"0", b"\0", JSON, b"a,b\n1,2\n", b"\x81\xA1v\x01"] {
            assert_eq!(Compression::of_value(value), None, "{value:?}");
        }
    }

    #[test]
    fn concatenated_values_are_one_value() {
        for (compression, pack) in RECOGNIZED.into_iter().take(4) {
            let packed = [pack(b"one "), pack(b"two")].concat();
            assert_eq!(
                read(compression, Format::Value, &packed).as_deref(),
                Some(&b"one two"[..]),
                "{compression:?}"
            );
        }
    }

    #[test]
    fn reads_as_it_is_what_does_not_unpack() {
        for (compression, pack) in RECOGNIZED.into_iter().chain(NAMED) {
            let packed = pack(JSON);
            assert_eq!(
                read(compression, Format::Json, &packed[..packed.len() - 1]),
                None,
                "{compression:?}: cut off"
            );
            assert_eq!(read(compression, Format::Json, JSON), None, "{compression:?}: not compressed");
            let followed = [&packed[..], b"\0more"].concat();
            assert_eq!(read(compression, Format::Json, &followed), None, "{compression:?}: bytes behind");
            for end in 0..packed.len() {
                let got = read(compression, Format::Json, &packed[..end]);
                // Frames and blocks of Snappy have no end mark: without a block nothing is left.
                let is_whole = got.as_ref().is_none_or(|got| got == JSON);
                let is_prefix =
                    compression == Compression::Snappy && got.is_some_and(|got| JSON.starts_with(&got));
                assert!(is_whole || is_prefix, "{compression:?}: a part of the value");
            }
            for at in 0..packed.len() {
                let mut broken = packed.clone();
                broken[at] ^= 0x55;
                let _does_not_panic = Unpacked::default().read(compression, Format::Json, &broken, 1_000);
            }
        }
        assert_eq!(read(Compression::Auto, Format::Json, b"\x1F\x8B\x08"), None);
    }

    #[test]
    fn an_unpacked_value_is_bounded() {
        let bomb = vec![b' '; 3_000_000];
        for (compression, pack) in RECOGNIZED.into_iter().take(4).chain(NAMED) {
            let mut unpacked = Unpacked::default();
            let result = unpacked.read(compression, Format::Json, &pack(&bomb), 100_000);
            assert_eq!(result, Err(Rejection::UnpackedTooLarge { bytes_max: 100_000 }), "{compression:?}");
            assert!(unpacked.bytes.capacity() < 1_000_000, "{compression:?}");
            let exact = unpacked.read(compression, Format::Json, &pack(&bomb[..100_000]), 100_000);
            assert_eq!(exact.unwrap().map(<[u8]>::len), Some(100_000), "{compression:?}");
        }
        // A claim of 4 GB in five bytes.
        assert_eq!(read(Compression::Snappy, Format::Json, &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]), None);
    }

    /// Frames that claim blocks of 4 MB and have none.
    #[test]
    fn the_time_for_frames_of_lz4_grows_with_the_value_and_not_with_what_they_claim() {
        let frames = b"\x04\x22\x4D\x18\x60\x70\x73\x02\0\0\0\x10\x20\0\0\0\0".repeat(50_000);
        let started = std::time::Instant::now();
        let got = read(Compression::Lz4, Format::Influx, &frames);
        assert_eq!(got.map(|got| got.len()), Some(50_000));
        assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
    }

    #[test]
    fn an_empty_block_or_frame_ends_no_value() {
        let frame =
            |blocks: &[&[u8]]| [b"\x04\x22\x4D\x18\x60\x40\x82", &blocks.concat()[..], b"\0\0\0\0"].concat();
        let (first, second) = (b"\x06\0\0\x80m v=1\n", b"\x06\0\0\x80m v=2\n");
        for empty in [&b"\0\0\0\x80"[..], b"\x01\0\0\0\0"] {
            let got = read(Compression::Auto, Format::Influx, &frame(&[first, empty, second]));
            assert_eq!(got.as_deref(), Some(&b"m v=1\nm v=2\n"[..]), "{}", empty.escape_ascii());
        }
        for (compression, pack) in RECOGNIZED.into_iter().take(4) {
            let value = [pack(b"m v=1\n"), pack(b""), pack(b"m v=2\n")].concat();
            let got = read(compression, Format::Influx, &value);
            assert_eq!(got.as_deref(), Some(&b"m v=1\nm v=2\n"[..]), "{compression:?}");
        }
    }

    fn map(compression: Compression, values: &[Vec<u8>]) -> Vec<Result<String, String>> {
        let rules = Arc::new(Rules { compression, ..Rules::default() });
        let mut mapper = Mapper::new(rules, "t", RecordLimits { record_bytes_max: 1_000, ..LIMITS });
        values.iter().map(|value| lines_of(&mut mapper, &record(value))).collect()
    }

    #[test]
    fn compressed_and_other_values_of_a_topic_become_the_same_points() {
        let mut values: Vec<_> = RECOGNIZED.iter().map(|(_, pack)| pack(JSON)).collect();
        values.extend([JSON.to_vec(), zlib(JSON), gzip(b""), gzip(br#"{"a":1,}"#), gzip(&[b' '; 5_000])]);
        let got = map(Compression::Auto, &values);
        assert!(
            got[..7].iter().all(|line| line.as_deref() == Ok("t a=1,b=22222222222222222222222222222222\n")),
            "{got:?}"
        );
        let want = [
            "its value is empty",
            "it is not JSON: no quoted key at byte 7: found \"}\" behind a comma, in `{\"a\":1,}`",
            "its compressed value has more than `record_bytes_max` = 1000 bytes when it is unpacked",
        ];
        assert_eq!(got[7..].iter().map(|line| line.as_deref().unwrap_err()).collect::<Vec<_>>(), want);
        assert!(map(Compression::None, &[gzip(JSON)])[0].is_err());
    }

    #[test]
    fn the_schema_in_a_frame_is_found_behind_the_compression() {
        let framed = |compression, format, value: &[u8]| {
            let rules = Arc::new(Rules { format, compression, ..Rules::default() });
            Mapper::new(rules, "t", RecordLimits { record_bytes_max: 1_000, ..LIMITS }).schema_of(value)
        };
        let value = b"\0\0\0\0\x07\x02\x02\x02";
        for (compression, pack) in RECOGNIZED.into_iter().chain(NAMED) {
            assert_eq!(framed(compression, Format::Avro, &pack(value)), Some(7), "{compression:?}");
            assert_eq!(framed(compression, Format::Protobuf, &pack(value)), Some(7), "{compression:?}");
            assert_eq!(framed(compression, Format::Avro, b"\x1F\x8B\x08"), None, "{compression:?}");
        }
        assert_eq!(framed(Compression::Auto, Format::Avro, value), Some(7));
        assert_eq!(framed(Compression::Auto, Format::Msgpack, value), None, "the format reads no schema");
        assert_eq!(
            framed(Compression::Gzip, Format::Avro, &gzip(&[0; 2_000])),
            None,
            "the value is too large"
        );
    }
}
