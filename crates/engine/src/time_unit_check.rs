//! Compares the times of sampled points with Kafka's timestamps, and finds the `time_format`, or the `precision` of line protocol, that
//! would agree.

use base::record::Record;
use base::text::counted;
use line_protocol::LineBuffer;
use mapping::{Mapped, Rejection, TimeFormat, TimeRule};
use std::ops::Range;

/// Times within this distance agree. A backlog of months is plausible, while a wrong unit is off by a factor of 1,000.
const NEAR_NS: i64 = 366 * 86_400 * 1_000_000_000;

/// The name of the present time as a reference, whose value the reader knows.
const NOW: &str = "now";

/// Statistics of the values of `time_key` in the sample of one topic.
#[derive(Debug)]
pub struct TimeUnitCheck {
    /// The name of the times that the points' times are compared with.
    reference: &'static str,
    compared: u64,
    far: u64,
    /// Number of far times that would be near in each format, in the order of [`TimeFormat::NAMES`].
    near_as: [u64; TimeFormat::NAMES.len()],
    /// The first far time.
    example: Option<String>,
    /// Whether the times are those of line protocol, whose unit is `precision`.
    is_of_lines: bool,
}

impl Default for TimeUnitCheck {
    fn default() -> Self {
        Self::beside("Kafka's timestamp")
    }
}

impl TimeUnitCheck {
    /// Compares with the times of the added records, which have this name in messages.
    #[must_use]
    pub fn beside(reference: &'static str) -> Self {
        Self {
            reference,
            compared: 0,
            far: 0,
            near_as: Default::default(),
            example: None,
            is_of_lines: false,
        }
    }

    /// Adds a point whose time was read with this rule.
    fn add(&mut self, rule: &TimeRule, time_ns: i64, kafka_ns: i64, place: impl Fn() -> String) {
        self.compared += 1;
        if is_near(time_ns, kafka_ns) {
            return;
        }
        let example = || {
            let reference = match self.reference {
                NOW => String::new(),
                reference => format!(", and {reference} is {}", shown(kafka_ns)),
            };
            format!("{} -> {}{reference}", place(), shown(time_ns))
        };
        // The number in the record; the digits that make times distinct are below its unit.
        let text = rule.format.unit_ns().map(|unit| (time_ns / unit).to_string());
        let example = self.example.is_none().then(example);
        self.add_far(rule, text.as_deref(), kafka_ns, example);
    }

    /// Adds a point that was rejected for the text of its time.
    fn add_rejected(&mut self, rule: &TimeRule, text: &str, kafka_ns: i64, place: impl Fn() -> String) {
        self.compared += 1;
        let example = self.example.is_none().then(|| format!("{} is rejected for its time", place()));
        self.add_far(rule, Some(text), kafka_ns, example);
    }

    fn add_far(&mut self, rule: &TimeRule, text: Option<&str>, kafka_ns: i64, example: Option<String>) {
        self.far += 1;
        self.is_of_lines = rule.is_of_lines();
        self.example = self.example.take().or(example);
        let Some(text) = text else { return };
        for (name, count) in TimeFormat::NAMES.iter().zip(&mut self.near_as) {
            // All names of the list are formats.
            let format = TimeFormat::parse(name).ok().filter(|format| *format != rule.format);
            let time = format.and_then(|format| format.to_ns(text.as_bytes(), &rule.zone).ok());
            *count += u64::from(time.is_some_and(|time| is_near(time, kafka_ns)));
        }
    }

    /// Adds the points of a record, and its rejections for the text of a time. `points`: the record's lines.
    pub fn add_record(
        &mut self,
        rule: &TimeRule,
        record: &Record<'_>,
        (lines, points): (&LineBuffer, Range<usize>),
        mapped: &Mapped,
        place: impl Fn() -> String,
    ) {
        let Some(kafka_ns) = record.time.kafka_ns() else { return };
        for time_ns in points.filter_map(|line| lines.line(line)).filter_map(time_of) {
            self.add(rule, time_ns, kafka_ns, &place);
        }
        for (_, rejection) in &mapped.rejected {
            match rejection {
                Rejection::Time { text, .. } => self.add_rejected(rule, text, kafka_ns, &place),
                Rejection::LineTime { time, .. } => {
                    self.add_rejected(rule, &time.to_string(), kafka_ns, &place);
                }
                _ => {}
            }
        }
    }

    /// The doubt that the far times give reason for.
    pub fn doubt(&self) -> Option<TimeDoubt> {
        let example = self.example.as_ref()?;
        let (count, likely) = self.near_as.iter().zip(TimeFormat::NAMES).max_by_key(|(count, _)| **count)?;
        let count = *count;
        let are = if self.far == 1 { "is" } else { "are" };
        let what = format!(
            "{} of {} {are} far from {} ({example})",
            self.far,
            counted(self.compared, "sampled time"),
            self.reference
        );
        let (kind, remedy) = if count * 2 > self.compared {
            let setting = match likely {
                "unix" if self.is_of_lines => "precision = \"s\"".to_owned(),
                "unix_ms" | "unix_us" | "unix_ns" if self.is_of_lines => {
                    likely.replace("unix_", "precision = \"") + "\""
                }
                _ => format!("time_format = \"{likely}\""),
            };
            let remedy = format!("the values look like {}: set `{setting}`", unit(likely));
            (DoubtKind::WrongFormat, remedy)
        } else if count > 0 {
            let look = if count == 1 { "looks" } else { "look" };
            let remedy = format!(
                "{count} {look} like {}; if producers write different units, give each its own topic and [[mapping]]",
                unit(likely)
            );
            (DoubtKind::MixedFormats, remedy)
        } else if self.far * 2 > self.compared {
            let remedy = if self.is_of_lines { "`precision`" } else { "`time_key` and `time_format`" };
            (DoubtKind::Old, format!("correct {remedy}, unless the data is old"))
        } else {
            return None;
        };
        Some(TimeDoubt { kind, points: count, what, remedy })
    }
}

/// A doubt about the times of a topic, with its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeDoubt {
    pub kind: DoubtKind,
    /// Number of sampled points whose time would be near Kafka's in the likely format.
    pub points: u64,
    /// The far times, with an example.
    pub what: String,
    pub remedy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoubtKind {
    /// Another format fits most times.
    WrongFormat,
    /// Another format fits some times.
    MixedFormats,
    /// Most times are far, and no format fits.
    Old,
}

/// The time at the end of a line. None: the line has no time.
pub fn time_of(line: &[u8]) -> Option<i64> {
    let start = memchr::memrchr(b' ', line)? + 1;
    std::str::from_utf8(line.get(start..)?).ok()?.trim_end().parse().ok()
}

fn is_near(time_ns: i64, kafka_ns: i64) -> bool {
    time_ns.abs_diff(kafka_ns) <= NEAR_NS.unsigned_abs()
}

fn unit(format: &str) -> &'static str {
    match format {
        "unix" => "seconds since 1970",
        "unix_ms" => "milliseconds since 1970",
        "unix_us" => "microseconds since 1970",
        "unix_ns" => "nanoseconds since 1970",
        _ => "RFC 3339",
    }
}

fn shown(time_ns: i64) -> String {
    let time = jiff::Timestamp::from_second(time_ns.div_euclid(1_000_000_000));
    time.map_or_else(|_| format!("{time_ns} ns"), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use mapping::KeySelector;

    /// 2026-01-02T03:04:05Z.
    const KAFKA_S: i64 = 1_767_323_045;
    const KAFKA_NS: i64 = KAFKA_S * 1_000_000_000;

    fn rule(format: &str) -> TimeRule {
        let format = TimeFormat::parse(format).unwrap();
        TimeRule::new(KeySelector::Flattened("t".into()), format, TimeZone::UTC)
    }

    /// The result for ten records with the time `text`, read as `format`.
    fn judged(format: &str, text: &str) -> Option<TimeDoubt> {
        let (rule, mut times) = (rule(format), TimeUnitCheck::default());
        for offset in 0..10 {
            let place = || format!("t[0]@{offset}");
            match rule.format.to_ns(text.as_bytes(), &rule.zone) {
                Ok(time) => times.add(&rule, time, KAFKA_NS, place),
                Err(_) => times.add_rejected(&rule, text, KAFKA_NS, place),
            }
        }
        times.doubt()
    }

    #[test]
    fn each_unit_read_as_each_other_fails_and_is_named() {
        let units = [("unix", 1), ("unix_ms", 1_000), ("unix_us", 1_000_000), ("unix_ns", 1_000_000_000_i64)];
        for (written, factor) in units {
            // One hour before Kafka's timestamp.
            let text = ((KAFKA_S - 3_600) * factor).to_string();
            for (read, _) in units {
                let doubt = judged(read, &text);
                if read == written {
                    assert_eq!(doubt, None, "{written}");
                    continue;
                }
                let Some(TimeDoubt { kind: DoubtKind::WrongFormat, points: 10, what, remedy }) = doubt else {
                    panic!("{written} as {read}: {doubt:?}")
                };
                assert!(what.starts_with("10 of 10 sampled times are far from Kafka's timestamp"), "{what}");
                assert!(
                    remedy.ends_with(&format!("set `time_format = \"{written}\"`")),
                    "{written} as {read}: {remedy}"
                );
            }
        }
    }

    #[test]
    fn proposes_the_format_for_numbers_and_text() {
        let f = |read: &str, text: &str, want: &str| {
            let doubt = judged(read, text).unwrap();
            assert_eq!(doubt.kind, DoubtKind::WrongFormat, "{read} {text}: {doubt:?}");
            assert!(doubt.remedy.contains(want), "{read} {text}: {doubt:?}");
        };
        f("rfc3339", "1767323045000", "set `time_format = \"unix_ms\"`");
        f("unix", "2026-01-02T03:04:05Z", "set `time_format = \"rfc3339\"`");
        f("%Y-%m-%d %H:%M:%S", "1767323045", "set `time_format = \"unix\"`");
    }

    #[test]
    fn old_data_is_not_a_wrong_format() {
        let doubt = judged("unix", "1262304000").unwrap();
        assert_eq!(doubt.kind, DoubtKind::Old);
        let want = "10 of 10 sampled times are far from Kafka's timestamp (t[0]@0 -> 2010-01-01T00:00:00Z, and Kafka's timestamp is 2026-01-02T03:04:05Z)";
        assert!(doubt.what.starts_with(want), "{doubt:?}");
        assert_eq!(judged("unix", "1750000000"), None, "a backlog of months");
        assert_eq!(judged("unix", "yesterday").unwrap().kind, DoubtKind::Old);
    }

    #[test]
    fn a_few_far_times_are_mixed_formats() {
        let (rule, mut times) = (rule("unix_ms"), TimeUnitCheck::default());
        for _ in 0..9 {
            times.add(&rule, KAFKA_NS, KAFKA_NS, || "t[0]@1".into());
        }
        assert_eq!(times.doubt(), None);
        times.add(&rule, KAFKA_S * 1_000_000, KAFKA_NS, || "t[0]@2".into());
        let doubt = times.doubt().unwrap();
        assert_eq!((doubt.kind, doubt.points), (DoubtKind::MixedFormats, 1));
        assert!(doubt.what.starts_with("1 of 10 sampled times is far"), "{doubt:?}");
        assert!(doubt.remedy.starts_with("1 looks like seconds"), "{doubt:?}");
    }

    #[test]
    fn the_present_time_is_not_repeated() {
        let mut times = TimeUnitCheck::beside("now");
        times.add(&rule("unix"), 1_262_304_000_000_000_000, KAFKA_NS, || "r.jsonl:1".into());
        let what = times.doubt().unwrap().what;
        assert_eq!(what, "1 of 1 sampled time is far from now (r.jsonl:1 -> 2010-01-01T00:00:00Z)");
    }

    #[test]
    fn reads_the_time_of_a_line() {
        assert_eq!(time_of(b"a v=1 5"), Some(5));
        assert_eq!(time_of(b"a,b=x\\ y v=\"1 2\" -3\n"), Some(-3));
        assert_eq!(time_of(b"a v=1"), None);
    }
}
