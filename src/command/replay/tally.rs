//! What became of letters, in numbers and in words.

use super::batches::Letters;
use base::text::counted;
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub letters: u64,
    /// Letters whose lines were all written.
    pub replayed: u64,
    /// Of those, by the lines that are left of their record.
    pub of_lines: u64,
    /// Points that InfluxDB stored; in a dry run, lines.
    pub points: u64,
    /// Letters that are still rejected, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Letters with lines that InfluxDB still refuses.
    pub refused: u64,
    /// Letters whose original is not whole.
    pub truncated: u64,
    /// What stands in a letter's place and is none.
    pub unreadable: u64,
    /// Letters that are points no more by the configuration.
    pub filtered: u64,
    pub is_interrupted: bool,
}

impl Tally {
    /// Whether nothing is left to be done.
    pub fn is_clean(&self) -> bool {
        let left = self.refused + self.truncated + self.unreadable;
        self.rejected.is_empty() && left == 0 && !self.is_interrupted
    }

    /// Lines of these letters were written.
    pub fn written(&mut self, letters: &Letters, lines: usize) {
        self.replayed += letters.count();
        self.of_lines += letters.of_lines;
        self.points += lines as u64;
    }

    /// `12 letters, 30 points`, while it goes on.
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
        add(self.of_lines, "of them from their lines, because the record is gone");
        add(self.filtered, "no points any more, by the configuration");
        let reasons: Vec<String> =
            self.rejected.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        add(self.rejected.values().sum(), &format!("still rejected ({})", reasons.join(", ")));
        add(self.refused, "still refused by InfluxDB");
        add(self.truncated, "truncated, so that the record can't be mapped");
        add(self.unreadable, "unreadable");
        if self.is_interrupted {
            text.push_str("; interrupted: begin again, what is stored twice is one point");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_up() {
        let mut tally = Tally { letters: 3, replayed: 3, points: 1, ..Tally::default() };
        assert_eq!(
            tally.summary("topic t", false),
            "3 dead letters of topic t: 3 replayed, stored as 1 point"
        );
        assert_eq!(tally.summary("d.jsonl", true), "3 dead letters of d.jsonl: 3 mapped, as 1 point");
        assert!(tally.is_clean());
        tally.rejected = [("time", 2), ("empty", 1)].into();
        (tally.refused, tally.truncated, tally.unreadable) = (4, 5, 6);
        (tally.filtered, tally.of_lines, tally.is_interrupted) = (7, 8, true);
        let want = "3 dead letters of d: 3 replayed, stored as 1 point; \
            8 of them from their lines, because the record is gone; 7 no points any more, by the configuration; \
            3 still rejected (empty 1, time 2); 4 still refused by InfluxDB; \
            5 truncated, so that the record can't be mapped; 6 unreadable; \
            interrupted: begin again, what is stored twice is one point";
        assert_eq!(tally.summary("d", false), want);
        assert!(!tally.is_clean());
    }
}
