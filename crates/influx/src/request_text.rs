//! The text of a request, in one piece or collected from the lines of a batch while it is sent.

use crate::lines::Lines;
use crate::packed_lines::PackedLines;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use line_protocol::{Gzip, GzipFrame};
use std::convert::Infallible;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Least bytes of a part of a scattered text. A part is in memory while it is compressed or sent.
const PART: usize = 256 << 10;

/// The text of a request.
#[derive(Clone, Debug)]
pub(crate) enum RequestText {
    Whole(Bytes),
    /// Neighbouring lines of a batch whose text has another order. A copy would take the memory of a second batch.
    Scattered {
        lines: Lines,
        run: Range<usize>,
        bytes: usize,
    },
    /// Lines of a large batch. They are unpacked while they are sent.
    Packed(PackedRanges),
    /// The same as a gzip body: its chunks are compressed already.
    Gzipped {
        packed: PackedRanges,
        frame: GzipFrame,
    },
}

/// Ranges of series of all parts of a large batch.
#[derive(Clone, Debug)]
pub(crate) struct PackedRanges {
    pub parts: Vec<Arc<PackedLines>>,
    pub ranges: Range<usize>,
    /// Bytes of the plain text.
    pub bytes: usize,
}

impl From<Bytes> for RequestText {
    fn from(text: Bytes) -> Self {
        Self::Whole(text)
    }
}

impl RequestText {
    /// Neighbouring lines, without a copy.
    pub fn of(lines: &Lines, run: &Range<usize>) -> Self {
        match lines.slice(run) {
            Some(text) => Self::Whole(text),
            None => Self::Scattered { bytes: lines.bytes(run), lines: lines.clone(), run: run.clone() },
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Whole(text) => text.len(),
            Self::Scattered { bytes, .. } | Self::Packed(PackedRanges { bytes, .. }) => *bytes,
            Self::Gzipped { frame, .. } => frame.bytes,
        }
    }

    /// The text as a gzip body. None where it should be sent uncompressed.
    pub fn compress(&self, gzip: &mut Gzip) -> Option<Self> {
        match self {
            Self::Whole(text) => gzip.compress(text).map(Self::Whole),
            Self::Scattered { lines, run, .. } => {
                gzip.compress_parts(Parts { lines: lines.clone(), run: run.clone() }).map(Self::Whole)
            }
            Self::Packed(packed) => {
                let of_part = |part: &'_ Arc<PackedLines>| part.chunks_of(&packed.ranges);
                let chunks =
                    packed.parts.iter().flat_map(|part| of_part(part).map(|chunk| (part.text(), chunk)));
                Some(Self::Gzipped { frame: GzipFrame::of(chunks), packed: packed.clone() })
            }
            Self::Gzipped { .. } => Some(self.clone()),
        }
    }

    /// The body of a request. Its length is known beforehand, so it is not sent chunked.
    pub fn into_body(self) -> reqwest::Body {
        match self {
            Self::Whole(text) => text.into(),
            Self::Scattered { lines, run, bytes } => PartsBody::wrap(Parts { lines, run }, bytes),
            Self::Packed(packed) => {
                let bytes = packed.bytes;
                PartsBody::wrap(unpacked(packed), bytes)
            }
            Self::Gzipped { packed, frame } => {
                let bytes = frame.bytes;
                PartsBody::wrap(gzipped(packed, &frame), bytes)
            }
        }
    }

    /// The text in one piece, for a single line or a test.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Whole(text) => text.clone(),
            Self::Scattered { lines, run, bytes } => {
                let mut text = BytesMut::with_capacity(*bytes);
                for index in run.clone() {
                    text.extend_from_slice(lines.line(index));
                }
                text.freeze()
            }
            Self::Packed(packed) => unpacked(packed.clone()).collect::<Vec<_>>().concat().into(),
            Self::Gzipped { packed, frame } => {
                gzipped(packed.clone(), frame).collect::<Vec<_>>().concat().into()
            }
        }
    }
}

/// The chunks of packed lines: part and number.
fn chunks(packed: PackedRanges) -> impl Iterator<Item = (Arc<PackedLines>, usize)> {
    let PackedRanges { parts, ranges, .. } = packed;
    parts
        .into_iter()
        .flat_map(move |part| part.chunks_of(&ranges).map(move |chunk| (Arc::clone(&part), chunk)))
}

fn unpacked(packed: PackedRanges) -> impl Iterator<Item = Bytes> {
    chunks(packed).map(|(part, chunk)| part.text().unpack_chunk(chunk).into())
}

fn gzipped(packed: PackedRanges, frame: &GzipFrame) -> impl Iterator<Item = Bytes> + use<> {
    let chunks = chunks(packed).map(|(part, chunk)| Bytes::copy_from_slice(part.text().gzip_chunk(chunk)));
    let trailer = Bytes::copy_from_slice(&frame.trailer);
    std::iter::once(Bytes::from_static(&GzipFrame::HEADER)).chain(chunks).chain(std::iter::once(trailer))
}

/// A scattered text in parts of whole lines.
#[derive(Clone)]
struct Parts {
    lines: Lines,
    run: Range<usize>,
}

impl Iterator for Parts {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut part = BytesMut::with_capacity(if self.run.is_empty() { 0 } else { PART + PART / 8 });
        while part.len() < PART
            && let Some(index) = self.run.next()
        {
            part.extend_from_slice(self.lines.line(index));
        }
        (!part.is_empty()).then(|| part.freeze())
    }
}

/// Sends a text in parts.
struct PartsBody<I> {
    parts: I,
    /// Bytes that are not sent yet.
    bytes: u64,
}

impl<I: Iterator<Item = Bytes> + Send + Sync + Unpin + 'static> PartsBody<I> {
    fn wrap(parts: I, bytes: usize) -> reqwest::Body {
        reqwest::Body::wrap(Self { parts, bytes: bytes as u64 })
    }
}

impl<I: Iterator<Item = Bytes> + Unpin> Body for PartsBody<I> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let part = self.parts.next();
        self.bytes -= part.as_ref().map_or(0, |part| part.len() as u64);
        Poll::Ready(part.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use line_protocol::LineBuffer;

    #[test]
    fn a_scattered_text_has_the_lines_of_its_run_in_parts() {
        let texts = (0..20_000).map(|n| format!("m,host=h{} v={n},w=\"{n}\" {n}", n % 9));
        let lines = Lines::from(texts.collect::<LineBuffer>()).grouped();
        for run in [0..20_000, 5..6, 3_000..17_001] {
            let want: Vec<u8> = run.clone().flat_map(|index| lines.line(index)).copied().collect();
            let text = RequestText::of(&lines, &run);
            assert!(matches!(text, RequestText::Scattered { .. }));
            assert_eq!((text.len(), text.to_bytes()), (want.len(), want.clone().into()));
            let parts: Vec<Bytes> = Parts { lines: lines.clone(), run: run.clone() }.collect();
            assert!(parts.iter().all(|part| part.len() < PART + 100));
            assert_eq!(parts.concat(), want);
        }
    }
}
