//! Counts of replayed letters, and the summary.

use super::batches::Letters;
use base::text::counted;
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub letters: u64,
    /// Letters whose lines were all written.
    pub replayed: u64,
    /// Replayed letters without their record, which were replayed from the lines in the letter.
    pub from_lines: u64,
    /// Points that InfluxDB stored; in a dry run, lines.
    pub points: u64,
    /// Letters that are still rejected, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Letters with lines that InfluxDB still refuses.
    pub refused: u64,
    /// Letters with lines that a limit of InfluxDB keeps out.
    pub limited: u64,
    /// Letters with a truncated record.
    pub truncated: u64,
    /// Entries that are not letters.
    pub unreadable: u64,
    /// Dead letters whose records no longer produce a point.
    pub filtered: u64,
    pub is_interrupted: bool,
}

impl Tally {
    /// Whether all letters are replayed.
    pub fn is_clean(&self) -> bool {
        let left = self.refused + self.limited + self.truncated + self.unreadable;
        self.rejected.is_empty() && left == 0 && !self.is_interrupted
    }

    /// Counts letters whose lines were written.
    pub fn written(&mut self, letters: &Letters, lines: usize) {
        self.replayed += letters.count();
        self.from_lines += letters.from_lines;
        self.points += lines as u64;
    }

    /// `12 letters, 30 points`, for the progress bar.
    pub fn so_far(&self) -> String {
        format!("{}, {}", counted(self.letters, "letter"), counted(self.points, "point"))
    }

    pub fn summary(&self, source: &str, dry_run: bool) -> String {
        let (done, stored) = if dry_run { ("mapped", "as") } else { ("replayed", "stored as") };
        let mut text = format!(
            "{} of {source}: {} {done}, {stored} {}",
            counted(self.letters, "dead letter"),
            self.replayed,
            counted(self.points, "point")
        );
        let mut add = |count: u64, what: &str| {
            if count > 0 {
                // Writing to a String can't fail.
                let _infallible = write!(text, "; {count} {what}");
            }
        };
        add(
            self.from_lines,
            "of them from the lines in the letter, because the record is no longer in Kafka",
        );
        add(self.filtered, "excluded by the present configuration");
        let reasons: Vec<String> =
            self.rejected.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        add(self.rejected.values().sum(), &format!("still rejected ({})", reasons.join(", ")));
        add(self.refused, "still refused by InfluxDB");
        add(self.limited, "kept out by a limit of InfluxDB");
        add(self.truncated, "truncated, so that the record cannot be mapped");
        add(self.unreadable, "unreadable");
        if self.is_interrupted {
            text.push_str("; interrupted: run the command again, a point stored twice stays one point");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summarizes_all_results() {
        let mut tally = Tally { letters: 3, replayed: 3, points: 1, ..Tally::default() };
        assert_eq!(
            tally.summary("topic t", false),
            "3 dead letters of topic t: 3 replayed, stored as 1 point"
        );
        assert_eq!(tally.summary("d.jsonl", true), "3 dead letters of d.jsonl: 3 mapped, as 1 point");
        assert!(tally.is_clean());
        tally.rejected = [("time", 2), ("empty", 1)].into();
        (tally.refused, tally.truncated, tally.unreadable) = (4, 5, 6);
        (tally.filtered, tally.from_lines, tally.is_interrupted) = (7, 8, true);
        let want = "3 dead letters of d: 3 replayed, stored as 1 point; \
            8 of them from the lines in the letter, because the record is no longer in Kafka; 7 excluded by the present configuration; \
            3 still rejected (empty 1, time 2); 4 still refused by InfluxDB; \
            5 truncated, so that the record cannot be mapped; 6 unreadable; \
            interrupted: run the command again, a point stored twice stays one point";
        assert_eq!(tally.summary("d", false), want);
        assert!(!tally.is_clean());
    }
}
