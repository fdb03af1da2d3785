//! Proposes the mapping of line protocol, whose lines are points already.

use super::super::times::is_plausible;
use super::{Proposal, Sample};
use base::text::grouped;
use line_protocol::input::{Found, RawLine};
use mapping::{Compression, Format, Precision};

/// Times of the lines of a sample.
#[derive(Default)]
struct Times {
    lines: u64,
    /// Number of lines with a time.
    timed: u64,
    /// Number of lines whose time is plausible, in the order of [`Precision::ALL`].
    plausible: [u64; Precision::ALL.len()],
}

pub fn propose(sample: &Sample, compression: Compression, now_ns: i64) -> Proposal {
    let mut proposal = Proposal::new("line");
    let why =
        "Records are line protocol: each line is a point with its own measurement, tags, fields and time."
            .to_owned();
    proposal.set("format", Format::Influx.name(), vec![why]);
    proposal.set_compression(compression);
    let times = Times::of(sample, now_ns);
    let best = Precision::ALL.into_iter().zip(times.plausible).rev().max_by_key(|(_, count)| *count);
    if let Some((precision, count)) = best
        && precision != Precision::default()
        && count * 2 > times.timed
    {
        let why = format!(
            "{} of {} times are between 2000 and now if their unit is {}.",
            grouped(count),
            grouped(times.timed),
            match precision {
                Precision::Nanoseconds => "nanoseconds",
                Precision::Microseconds => "microseconds",
                Precision::Milliseconds => "milliseconds",
                Precision::Seconds => "seconds",
            }
        );
        proposal.set("precision", precision.name(), vec![why]);
    }
    if times.timed < times.lines {
        proposal.warn(format!(
            "{} of {} lines have no time: they get that of their Kafka record.",
            grouped(times.lines - times.timed),
            grouped(times.lines)
        ));
    }
    proposal
}

impl Times {
    fn of(sample: &Sample, now_ns: i64) -> Self {
        let (mut times, mut line) = (Self::default(), RawLine::default());
        for value in sample.records.iter().filter_map(|record| record.value.as_deref()) {
            let unpacked = Compression::of_value(value).map(|(_, unpacked)| unpacked);
            let text = unpacked.as_deref().unwrap_or(value);
            let mut at = 0;
            while at < text.len() {
                let (found, end) = line.read(text, at);
                at = end;
                if found == Found::Point {
                    times.lines += 1;
                    times.timed += u64::from(line.time.is_some());
                    line.time.iter().for_each(|time| times.add(*time, now_ns));
                }
            }
        }
        times
    }

    fn add(&mut self, time: i64, now_ns: i64) {
        for (precision, count) in Precision::ALL.into_iter().zip(&mut self.plausible) {
            let ns = time.checked_mul(precision.unit_ns());
            *count += u64::from(ns.is_some_and(|ns| is_plausible(ns, now_ns)));
        }
    }
}
