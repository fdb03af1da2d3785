//! A letter as a record of the dead-letter topic: the original's key, value and headers, followed by the bridge's own headers.

use super::letter::{FailedStage, FoundLetter, Letter, RejectedElements, reason_by_name};
use base::record::OwnedHeaders;
use line_protocol::reader::split_lines;
use std::borrow::Cow;

/// Prefix of the names of the bridge's own headers.
pub const PREFIX: &str = "kafka_influx_bridge_";

/// The first of the bridge's own headers; earlier ones belong to the original.
const REASON: &str = "reason";
const STAGE: &str = "stage";
const TOPIC: &str = "topic";
const PARTITION: &str = "partition";
const OFFSET: &str = "offset";
/// Kafka's timestamp of the original, in milliseconds. The letter's own timestamp is the time of its writing, for retention.
const TIMESTAMP: &str = "timestamp";
const ELEMENTS: &str = "elements";
const ELEMENTS_COUNT: &str = "elements_count";
const WHY: &str = "why";
/// The time at which the letter was written.
const TIME: &str = "time";
/// "true" if the topic does not accept the whole original.
const TRUNCATED: &str = "truncated";
/// The size of the original's value, if it is kept.
const VALUE_BYTES: &str = "value_bytes";
/// "gone" if the original could not be read again.
const ORIGINAL: &str = "original";
const LINES: &str = "lines";

/// Sizes to which an original is kept. Kafka's default limit accepts the first; each further size is tried only after the one before was
/// refused.
const KEPT_BYTES: [usize; 5] = [64_000, 16_000, 4_000, 1_000, 0];
/// Bytes of the reason in a letter that is kept.
const WHY_BYTES: usize = 200;

/// How much of the original goes into a letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truncation(usize);

impl Truncation {
    pub const WHOLE: Self = Self(0);

    /// The next smaller kept. None: this is the smallest.
    pub fn smaller(self) -> Option<Self> {
        (self.0 < KEPT_BYTES.len()).then_some(Self(self.0 + 1))
    }

    /// Bound for each of key, value, headers and lines. None: unlimited.
    fn bytes_max(self) -> Option<usize> {
        self.0.checked_sub(1).and_then(|index| KEPT_BYTES.get(index).copied())
    }
}

type PackedHeader<'a> = (Cow<'a, str>, Option<Cow<'a, [u8]>>);

/// A record to produce.
#[derive(Debug, PartialEq, Eq)]
pub struct LetterRecord<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Vec<PackedHeader<'a>>,
}

/// Encodes a letter. `time` is the time of writing, in RFC 3339.
pub fn pack<'a>(letter: &'a Letter, kept: Truncation, time: &'a str) -> LetterRecord<'a> {
    let bytes_max = kept.bytes_max();
    let kept = |bytes: &'a Option<Vec<u8>>| bytes.as_deref().map(|bytes| first(bytes, bytes_max));
    let (key, value) = (kept(&letter.key), kept(&letter.value));
    let mut headers: Vec<_> = originals_headers(letter, bytes_max)
        .iter()
        .map(|(name, value)| (Cow::Borrowed(name.as_str()), value.as_deref().map(Cow::Borrowed)))
        .collect();
    let mut own = |name: &str, value: Cow<'a, [u8]>| {
        headers.push((Cow::Owned(format!("{PREFIX}{name}")), Some(value)));
    };
    let text = |text: String| Cow::Owned(text.into_bytes());
    let why = if bytes_max.is_some() { first_text(&letter.why, WHY_BYTES) } else { &letter.why };
    own(REASON, Cow::Borrowed(letter.reason.as_bytes()));
    own(STAGE, Cow::Borrowed(letter.stage.name().as_bytes()));
    own(TOPIC, Cow::Borrowed(letter.topic.as_bytes()));
    own(PARTITION, text(letter.partition.to_string()));
    own(OFFSET, text(letter.offset.to_string()));
    if let Some(timestamp) = letter.timestamp_ms {
        own(TIMESTAMP, text(timestamp.to_string()));
    }
    own(ELEMENTS, text(letter.elements.list()));
    own(ELEMENTS_COUNT, text(letter.elements.count.to_string()));
    own(WHY, Cow::Borrowed(why.as_bytes()));
    own(TIME, Cow::Borrowed(time.as_bytes()));
    if bytes_max.is_some() {
        own(TRUNCATED, Cow::Borrowed(b"true"));
        if let Some(value) = &letter.value {
            own(VALUE_BYTES, text(value.len().to_string()));
        }
    }
    if let Some(lines) = &letter.lines {
        own(ORIGINAL, Cow::Borrowed(b"gone"));
        own(LINES, Cow::Borrowed(first_lines(lines, bytes_max)));
    }
    LetterRecord { key, value, headers }
}

/// The original's first headers that fit.
fn originals_headers(letter: &Letter, bytes_max: Option<usize>) -> &[(String, Option<Vec<u8>>)] {
    let Some(bytes_max) = bytes_max else { return &letter.headers };
    let size = |(name, value): &(String, Option<Vec<u8>>)| name.len() + value.as_ref().map_or(0, Vec::len);
    let fitting = letter
        .headers
        .iter()
        .scan(0, |bytes, header| {
            *bytes += size(header);
            (*bytes <= bytes_max).then_some(())
        })
        .count();
    letter.headers.get(..fitting).unwrap_or_default()
}

fn first(bytes: &[u8], bytes_max: Option<usize>) -> &[u8] {
    bytes_max.and_then(|bytes_max| bytes.get(..bytes_max)).unwrap_or(bytes)
}

fn first_text(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

/// The first whole lines that fit. A part of a line might be a valid line too.
fn first_lines(lines: &[u8], bytes_max: Option<usize>) -> &[u8] {
    let bytes_max = bytes_max.unwrap_or(usize::MAX);
    let end = split_lines(lines).scan(0, |end, line| {
        *end = (*end + line.len() + 1).min(lines.len());
        (*end <= bytes_max).then_some(*end)
    });
    lines.get(..end.last().unwrap_or(0)).unwrap_or_default()
}

/// Decodes a record of a dead-letter topic, or explains why it is not a letter.
pub fn unpack(
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    mut headers: OwnedHeaders,
) -> Result<FoundLetter, String> {
    // The original may be a dead letter itself: the last set of own headers is this letter's.
    let first_own = headers.iter().rposition(|(name, _)| is_own(name, REASON));
    let own = headers.split_off(first_own.ok_or_else(|| missing(REASON))?);
    let find = |wanted: &str| {
        own.iter().find(|(name, _)| is_own(name, wanted)).and_then(|(_, value)| value.as_deref())
    };
    let text = |wanted: &str| find(wanted).and_then(|value| std::str::from_utf8(value).ok());
    let required = |wanted: &str| text(wanted).ok_or_else(|| missing(wanted));
    let elements = RejectedElements {
        listed: text(ELEMENTS).and_then(RejectedElements::listed_in).unwrap_or_default(),
        count: text(ELEMENTS_COUNT).and_then(|count| count.parse().ok()).unwrap_or_default(),
    };
    let is_gone = find(ORIGINAL).is_some();
    let letter = Letter {
        topic: required(TOPIC)?.into(),
        partition: required(PARTITION)?.parse().map_err(|_| missing(PARTITION))?,
        offset: required(OFFSET)?.parse().map_err(|_| missing(OFFSET))?,
        timestamp_ms: text(TIMESTAMP).and_then(|ms| ms.parse().ok()),
        key,
        value,
        stage: text(STAGE).and_then(FailedStage::by_name).ok_or_else(|| missing(STAGE))?,
        reason: reason_by_name(required(REASON)?),
        why: text(WHY).unwrap_or_default().to_owned(),
        elements,
        lines: is_gone.then(|| find(LINES).unwrap_or_default().to_vec()),
        headers,
    };
    let truncated = find(TRUNCATED).is_some();
    Ok(FoundLetter { letter, truncated })
}

fn is_own(name: &str, wanted: &str) -> bool {
    name.strip_prefix(PREFIX) == Some(wanted)
}

fn missing(name: &str) -> String {
    format!("this is no dead letter of the bridge: it has no valid header {PREFIX}{name}")
}

#[cfg(test)]
mod tests {
    use super::super::letter::test_support::any_letter;
    use super::*;
    use proptest::prelude::*;

    fn owned(packed: LetterRecord<'_>) -> (Option<Vec<u8>>, Option<Vec<u8>>, OwnedHeaders) {
        let headers = packed.headers.into_iter();
        let headers = headers.map(|(name, value)| (name.into_owned(), value.map(Cow::into_owned))).collect();
        (packed.key.map(<[u8]>::to_vec), packed.value.map(<[u8]>::to_vec), headers)
    }

    fn packed_bytes(packed: &LetterRecord<'_>) -> usize {
        let headers = packed.headers.iter();
        let headers: usize =
            headers.map(|(name, value)| name.len() + value.as_ref().map_or(0, |value| value.len())).sum();
        packed.key.map_or(0, <[u8]>::len) + packed.value.map_or(0, <[u8]>::len) + headers
    }

    fn letter() -> Letter {
        Letter {
            topic: "t".into(),
            partition: 3,
            offset: 17,
            timestamp_ms: Some(1_767_225_600_123),
            key: Some(b"key".to_vec()),
            value: Some(b"value".to_vec()),
            headers: vec![("site".to_owned(), Some(b"seoul".to_vec())), ("none".to_owned(), None)],
            stage: FailedStage::Map,
            reason: "time",
            why: "it has no time".to_owned(),
            elements: RejectedElements { listed: vec![0, 2], count: 2 },
            lines: None,
        }
    }

    #[test]
    fn keeps_the_original_and_adds_headers() {
        let letter = letter();
        let packed = pack(&letter, Truncation::WHOLE, "2026-01-01T00:00:00Z");
        assert_eq!((packed.key, packed.value), (Some(&b"key"[..]), Some(&b"value"[..])));
        let shown: Vec<String> = packed
            .headers
            .iter()
            .map(|(name, value)| match value {
                Some(value) => format!("{name}={}", String::from_utf8_lossy(value)),
                None => format!("{name} is null"),
            })
            .collect();
        let want = [
            "site=seoul",
            "none is null",
            "kafka_influx_bridge_reason=time",
            "kafka_influx_bridge_stage=map",
            "kafka_influx_bridge_topic=t",
            "kafka_influx_bridge_partition=3",
            "kafka_influx_bridge_offset=17",
            "kafka_influx_bridge_timestamp=1767225600123",
            "kafka_influx_bridge_elements=[0,2]",
            "kafka_influx_bridge_elements_count=2",
            "kafka_influx_bridge_why=it has no time",
            "kafka_influx_bridge_time=2026-01-01T00:00:00Z",
        ];
        assert_eq!(shown, want);
    }

    #[test]
    fn unpacking_a_letter_of_a_letter_gives_the_outer_letter() {
        let mut inner = letter();
        let (_, _, headers) = owned(pack(&inner, Truncation::WHOLE, "then"));
        inner.headers = headers;
        (inner.reason, inner.offset) = ("empty", 99);
        let (key, value, headers) = owned(pack(&inner, Truncation::WHOLE, "now"));
        assert_eq!(unpack(key, value, headers).unwrap().letter, inner);
    }

    #[test]
    fn records_that_are_no_letters_are_reported() {
        let f = |headers: &[(&str, &str)], want: &str| {
            let headers = headers
                .iter()
                .map(|(name, value)| (format!("{PREFIX}{name}"), Some(value.as_bytes().to_vec())));
            let error = unpack(None, None, headers.collect()).unwrap_err();
            assert!(error.ends_with(want), "{error}");
        };
        f(&[], "kafka_influx_bridge_reason");
        f(&[("reason", "time")], "kafka_influx_bridge_topic");
        f(&[("reason", "time"), ("topic", "t"), ("partition", "x")], "kafka_influx_bridge_partition");
        f(
            &[("reason", "r"), ("topic", "t"), ("partition", "0"), ("offset", "5")],
            "kafka_influx_bridge_stage",
        );
    }

    #[test]
    fn cuts_between_lines_only() {
        let f = |lines: &str, bytes_max: Option<usize>, want: &str| {
            assert_eq!(first_lines(lines.as_bytes(), bytes_max), want.as_bytes(), "{lines:?} {bytes_max:?}");
        };
        f("a v=1\nb v=2\n", None, "a v=1\nb v=2\n");
        f("a v=1\nb v=2\n", Some(12), "a v=1\nb v=2\n");
        f("a v=1\nb v=2\n", Some(11), "a v=1\n");
        f("a v=1\nb v=2\n", Some(6), "a v=1\n");
        f("a v=1\nb v=2\n", Some(5), "");
        f("a v=\"1\n2\n\"\nb v=2\n", Some(8), "");
        f("a v=\"1\n2\n\"\nb v=2\n", Some(12), "a v=\"1\n2\n\"\n");
        assert_eq!(first_text("온도", 4), "온");
    }

    proptest! {
        #[test]
        fn a_whole_letter_reads_back(letter in any_letter()) {
            let (key, value, headers) = owned(pack(&letter, Truncation::WHOLE, "now"));
            prop_assert_eq!(unpack(key, value, headers), Ok(FoundLetter { letter, truncated: false }));
        }

        #[test]
        fn the_smallest_cut_leaves_little_more_than_the_coordinates(mut letter in any_letter(), bytes in 0_usize..2_000_000) {
            letter.value = letter.value.map(|_| vec![b'x'; bytes]);
            letter.key = letter.key.map(|_| vec![b'k'; bytes / 2]);
            letter.headers.push(("long".repeat(100), Some(vec![b'h'; bytes / 3])));
            let mut kept = Truncation::WHOLE;
            let mut before = usize::MAX;
            while let Some(smaller) = kept.smaller() {
                kept = smaller;
                let packed = pack(&letter, kept, "now");
                let now = packed_bytes(&packed);
                prop_assert!(now <= before, "{kept:?} made it larger");
                before = now;
                let (key, value, headers) = owned(packed);
                let found = unpack(key, value, headers).unwrap();
                prop_assert!(found.truncated);
                prop_assert_eq!(found.letter.lines.is_some(), letter.lines.is_some());
                prop_assert_eq!((found.letter.topic, found.letter.offset), (letter.topic.clone(), letter.offset));
            }
            prop_assert!(before < 4_000, "{before} bytes are left");
        }
    }
}
