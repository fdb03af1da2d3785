//! Compares the times of sampled points with Kafka's timestamps, and finds the `time_format` that would agree.

use super::report::Line;
use mapping::{TimeFormat, TimeRule};

/// Times within this distance agree. A backlog of months is plausible, while a wrong unit is off by a factor of 1,000.
const NEAR_NS: i64 = 366 * 86_400 * 1_000_000_000;

/// Statistics of the values of `time_key` in the sample of one topic.
#[derive(Debug, Default)]
pub struct SampledTimes {
    compared: u64,
    far: u64,
    /// Number of far times that would be near in each format, in the order of [`TimeFormat::NAMES`].
    near_as: [u64; TimeFormat::NAMES.len()],
    /// The first far time.
    example: Option<String>,
}

impl SampledTimes {
    /// Adds a point whose time was read with this rule.
    pub fn add(&mut self, rule: &TimeRule, time_ns: i64, kafka_ns: i64, place: impl Fn() -> String) {
        self.compared += 1;
        if is_near(time_ns, kafka_ns) {
            return;
        }
        let example = || {
            format!("{} becomes {}, but Kafka's timestamp is {}", place(), shown(time_ns), shown(kafka_ns))
        };
        // The number in the record; the digits that make times distinct are below its unit.
        let text = rule.format.unit_ns().map(|unit| (time_ns / unit).to_string());
        self.add_far(rule, text.as_deref(), kafka_ns, example);
    }

    /// Adds a point that was rejected for the text of its time.
    pub fn add_rejected(&mut self, rule: &TimeRule, text: &str, kafka_ns: i64, place: impl Fn() -> String) {
        self.compared += 1;
        self.add_far(rule, Some(text), kafka_ns, || format!("{} is rejected for its time", place()));
    }

    fn add_far(&mut self, rule: &TimeRule, text: Option<&str>, kafka_ns: i64, example: impl Fn() -> String) {
        self.far += 1;
        self.example.get_or_insert_with(example);
        let Some(text) = text else { return };
        for (name, count) in TimeFormat::NAMES.iter().zip(&mut self.near_as) {
            // All names of the list are formats.
            let format = TimeFormat::parse(name).ok().filter(|format| *format != rule.format);
            let time = format.and_then(|format| format.to_ns(text.as_bytes(), &rule.zone).ok());
            *count += u64::from(time.is_some_and(|time| is_near(time, kafka_ns)));
        }
    }

    /// A failure if another format fits most times; a warning if it fits some, or if most times are far without a format that fits.
    pub fn judge(&self, topic: &str) -> Option<Line> {
        let example = self.example.as_ref()?;
        let (count, likely) = self.near_as.iter().zip(TimeFormat::NAMES).max_by_key(|(count, _)| **count)?;
        let what = format!(
            "topic {topic}: {} of {} sampled times are far from Kafka's, such as {example}",
            self.far, self.compared
        );
        if *count * 2 > self.compared {
            let remedy = format!("the values look like {}: set `time_format = \"{likely}\"`", unit(likely));
            return Some(Line::failed(what, remedy));
        }
        if *count > 0 {
            let remedy = format!(
                "{count} of them look like {}: if producers write different units, give each its own topic and [[mapping]]",
                unit(likely)
            );
            return Some(Line::warned(what, remedy));
        }
        (self.far * 2 > self.compared)
            .then(|| Line::warned(what, "correct `time_key` and `time_format`, unless the data is old"))
    }
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
    super::offsets::shown(time_ns.div_euclid(1_000_000))
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
        TimeRule { key: KeySelector::Flattened("t".into()), format, zone: TimeZone::UTC }
    }

    /// The result for ten records with the time `text`, read as `format`.
    fn judged(format: &str, text: &str) -> Option<Line> {
        let (rule, mut times) = (rule(format), SampledTimes::default());
        for offset in 0..10 {
            let place = || format!("t[0]@{offset}");
            match rule.format.to_ns(text.as_bytes(), &rule.zone) {
                Ok(time) => times.add(&rule, time, KAFKA_NS, place),
                Err(_) => times.add_rejected(&rule, text, KAFKA_NS, place),
            }
        }
        times.judge("t")
    }

    #[test]
    fn each_unit_read_as_each_other_fails_and_is_named() {
        let units = [("unix", 1), ("unix_ms", 1_000), ("unix_us", 1_000_000), ("unix_ns", 1_000_000_000_i64)];
        for (written, factor) in units {
            // One hour before Kafka's timestamp.
            let text = ((KAFKA_S - 3_600) * factor).to_string();
            for (read, _) in units {
                let line = judged(read, &text);
                if read == written {
                    assert_eq!(line, None, "{written}");
                    continue;
                }
                let Some(Line::Failed { what, remedy }) = line else {
                    panic!("{written} as {read}: {line:?}")
                };
                assert!(what.starts_with("topic t: 10 of 10 sampled times are far from Kafka's"), "{what}");
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
            let line = judged(read, text).map(|line| line.to_string()).unwrap_or_default();
            assert!(line.starts_with("FAILED") && line.contains(want), "{read} {text}: {line}");
        };
        f("rfc3339", "1767323045000", "set `time_format = \"unix_ms\"`");
        f("unix", "2026-01-02T03:04:05Z", "set `time_format = \"rfc3339\"`");
        f("%Y-%m-%d %H:%M:%S", "1767323045", "set `time_format = \"unix\"`");
    }

    #[test]
    fn old_data_is_only_a_warning() {
        let line = judged("unix", "1262304000").unwrap().to_string();
        assert!(line.starts_with("warn    topic t: 10 of 10 sampled times are far from Kafka's, such as t[0]@0 becomes 2010-01-01T00:00:00Z"), "{line}");
        assert_eq!(judged("unix", "1750000000"), None, "a backlog of months");
        assert!(judged("unix", "yesterday").unwrap().to_string().starts_with("warn "));
    }

    #[test]
    fn a_few_far_times_are_a_warning() {
        let (rule, mut times) = (rule("unix_ms"), SampledTimes::default());
        for _ in 0..9 {
            times.add(&rule, KAFKA_NS, KAFKA_NS, || "t[0]@1".into());
        }
        assert_eq!(times.judge("t"), None);
        times.add(&rule, KAFKA_S * 1_000_000, KAFKA_NS, || "t[0]@2".into());
        let line = times.judge("t").unwrap().to_string();
        assert!(
            line.starts_with("warn    topic t: 1 of 10 sampled times are far")
                && line.contains("1 of them look like seconds"),
            "{line}"
        );
    }
}
