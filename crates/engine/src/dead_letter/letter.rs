//! A dead letter: a record that could not be stored, with the reason.

use base::record::OwnedHeaders;
use mapping::{REJECTED_ELEMENTS_MAX, Reason};
use std::sync::Arc;

/// The reason of letters for refused lines; rejections have [`mapping::Reason::name`].
pub const REFUSED: &str = "refused";

/// Bytes of all reasons in one letter; further reasons are only counted.
const WHY_BYTES_MAX: usize = 4_000;

/// One record with the reason for its rejection or refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// Kafka's timestamp.
    pub timestamp_ms: Option<i64>,
    pub key: Option<Vec<u8>>,
    /// None: a tombstone, or the original is gone and there are `lines`.
    pub value: Option<Vec<u8>>,
    pub headers: OwnedHeaders,
    pub stage: FailedStage,
    /// [`mapping::Reason::name`], or [`REFUSED`].
    pub reason: &'static str,
    /// Printable text of the rejection or of InfluxDB.
    pub why: String,
    pub elements: RejectedElements,
    /// The refused lines, only if the original is gone.
    pub lines: Option<Vec<u8>>,
}

/// A letter that was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLetter {
    pub letter: Letter,
    /// Whether a part of the original was cut off, because the dead-letter topic limits the size.
    pub truncated: bool,
}

/// The stage that the record failed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedStage {
    /// The mapping rejected it.
    Map,
    /// InfluxDB refused one of its lines.
    Write,
    /// Some of its elements were rejected, lines of others refused.
    Both,
}

/// Which of a record's elements are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectedElements {
    /// Ascending, at most [`REJECTED_ELEMENTS_MAX`]. Empty: the record as a whole.
    pub listed: Vec<usize>,
    pub count: u64,
}

impl FailedStage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Write => "write",
            Self::Both => "both",
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        [Self::Map, Self::Write, Self::Both].into_iter().find(|stage| stage.name() == name)
    }
}

/// The reason of this name; "unknown" for a name of another version.
pub(super) fn reason_by_name(name: &str) -> &'static str {
    let known = Reason::ALL.into_iter().map(Reason::name).chain([REFUSED]);
    known.into_iter().find(|known| *known == name).unwrap_or("unknown")
}

impl Letter {
    /// Allocated memory.
    pub fn bytes(&self) -> usize {
        let size = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::capacity);
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.capacity() + size(value) + size_of::<(String, Option<Vec<u8>>)>())
            .sum();
        size_of::<Self>()
            + size(&self.key)
            + size(&self.value)
            + size(&self.lines)
            + headers
            + self.why.capacity()
            + self.elements.listed.capacity() * size_of::<usize>()
    }

    /// Merges a second letter about the same record.
    pub fn merge(&mut self, other: Self) {
        if self.stage != other.stage {
            self.stage = FailedStage::Both;
        }
        if self.why != other.why && self.why.len() + other.why.len() < WHY_BYTES_MAX {
            self.why = format!("{}; {}", self.why, other.why);
        }
        self.elements.merge(other.elements);
        match (self.lines.is_some(), other.lines) {
            // The original is present, so lines are not needed.
            (false, _) => {}
            (true, None) => {
                (self.key, self.value, self.headers) = (other.key, other.value, other.headers);
                self.timestamp_ms = other.timestamp_ms;
                self.lines = None;
            }
            (true, Some(more)) => {
                if let Some(lines) = &mut self.lines {
                    if lines.last().is_some_and(|byte| *byte != b'\n') {
                        lines.push(b'\n');
                    }
                    lines.extend_from_slice(&more);
                }
            }
        }
    }
}

impl RejectedElements {
    fn merge(&mut self, other: Self) {
        self.listed.extend(other.listed);
        self.listed.sort_unstable();
        self.listed.dedup();
        self.listed.truncate(REJECTED_ELEMENTS_MAX);
        self.count += other.count;
    }

    /// The listed elements as JSON.
    pub(super) fn list(&self) -> String {
        let listed: Vec<String> =
            self.listed.iter().take(REJECTED_ELEMENTS_MAX).map(usize::to_string).collect();
        format!("[{}]", listed.join(","))
    }

    pub(super) fn listed_in(json: &str) -> Option<Vec<usize>> {
        serde_json::from_str(json).ok()
    }
}

#[cfg(test)]
pub(super) mod test_support {
    use super::*;
    use proptest::prelude::*;

    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![prop::collection::vec(any::<u8>(), 0..40), any::<String>().prop_map(String::into_bytes)]
    }

    prop_compose! {
        fn any_original()(
            key in prop::option::of(any_bytes()),
            value in prop::option::of(any_bytes()),
            headers in prop::collection::vec((any::<String>(), prop::option::of(any_bytes())), 0..4),
            lines in prop::option::weighted(0.2, any_bytes()),
        ) -> (Option<Vec<u8>>, Option<Vec<u8>>, OwnedHeaders, Option<Vec<u8>>) {
            if lines.is_some() { (None, None, Vec::new(), lines) } else { (key, value, headers, None) }
        }
    }

    prop_compose! {
        /// Any valid letter.
        pub fn any_letter()(
            (key, value, headers, lines) in any_original(),
            topic in "[a-zA-Z0-9._-]{1,30}",
            partition in 0..i32::MAX,
            offset in 0..i64::MAX,
            timestamp_ms in prop::option::of(0..i64::MAX),
            stage in prop::sample::select(vec![FailedStage::Map, FailedStage::Write, FailedStage::Both]),
            reason in prop::sample::select(Reason::ALL.map(Reason::name).into_iter().chain([REFUSED]).collect::<Vec<_>>()),
            why in any::<String>(),
            listed in prop::collection::btree_set(any::<usize>(), 0..REJECTED_ELEMENTS_MAX),
            more in 0_u64..1_000,
        ) -> Letter {
            let elements = RejectedElements { count: listed.len() as u64 + more, listed: listed.into_iter().collect() };
            let topic = topic.into();
            Letter { topic, partition, offset, timestamp_ms, key, value, headers, stage, reason, why, elements, lines }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(stage: FailedStage, why: &str, listed: &[usize], original: Result<&str, &str>) -> Letter {
        Letter {
            topic: "t".into(),
            partition: 0,
            offset: 5,
            timestamp_ms: original.is_ok().then_some(7),
            key: None,
            value: original.ok().map(|value| value.as_bytes().to_vec()),
            headers: Vec::new(),
            stage,
            reason: if stage == FailedStage::Map { "time" } else { REFUSED },
            why: why.to_owned(),
            elements: RejectedElements { listed: listed.to_vec(), count: listed.len() as u64 },
            lines: original.err().map(|lines| lines.as_bytes().to_vec()),
        }
    }

    #[test]
    fn merges_two_letters_about_one_record() {
        let f = |mut one: Letter, other: Letter, want: &str| {
            one.merge(other);
            let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8(bytes).unwrap());
            let Letter { stage, reason, why, elements, value, lines, timestamp_ms, .. } = one;
            let (value, lines) = (text(value), text(lines));
            let got = format!(
                "{} {reason} {why:?} {:?} of {} {timestamp_ms:?} {value:?} {lines:?}",
                stage.name(),
                elements.listed,
                elements.count
            );
            assert_eq!(got, want);
        };
        let (map, write) = (FailedStage::Map, FailedStage::Write);
        f(
            letter(map, "no time", &[4, 9], Ok("v")),
            letter(write, "conflict", &[1], Ok("v")),
            r#"both time "no time; conflict" [1, 4, 9] of 3 Some(7) Some("v") None"#,
        );
        f(
            letter(write, "conflict", &[1], Err("a\n")),
            letter(write, "conflict", &[2], Err("b\n")),
            r#"write refused "conflict" [1, 2] of 2 None None Some("a\nb\n")"#,
        );
        f(
            letter(write, "conflict", &[1], Err("a\n")),
            letter(map, "no time", &[2], Ok("v")),
            r#"both refused "conflict; no time" [1, 2] of 2 Some(7) Some("v") None"#,
        );
        f(
            letter(map, "no time", &[2], Ok("v")),
            letter(write, "conflict", &[1], Err("a\n")),
            r#"both time "no time; conflict" [1, 2] of 2 Some(7) Some("v") None"#,
        );
    }

    #[test]
    fn a_letter_stays_bounded_after_many_merges() {
        let mut letter_of_many = letter(FailedStage::Write, "first", &[], Ok("v"));
        for element in 0..1_000 {
            letter_of_many.merge(letter(
                FailedStage::Write,
                &format!("reason {element}"),
                &[element],
                Ok("v"),
            ));
        }
        assert_eq!(letter_of_many.elements.count, 1_000);
        assert_eq!(letter_of_many.elements.listed, (0..REJECTED_ELEMENTS_MAX).collect::<Vec<_>>());
        assert!(letter_of_many.why.len() <= WHY_BYTES_MAX && letter_of_many.bytes() < 3 * WHY_BYTES_MAX);
    }
}
