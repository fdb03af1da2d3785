//! Says why the points have the Kafka timestamp of their record.

use super::super::names::{self, TimeKind};
use super::super::text::shown;
use super::super::time_names;
use super::super::times::{Guess, guess};
use super::time::fits;
use super::{Candidate, Proposer};
use base::text::{grouped, printable};

impl Proposer<'_> {
    pub(super) fn no_time(&mut self, why: &str) {
        self.out.warn(format!("Points have the Kafka timestamp of their record ({why})."));
    }

    /// Names the key that is most like a time, and what is wrong with it.
    pub(super) fn why_no_time(&self) -> String {
        let candidates = self.candidates();
        let is_still =
            |candidate: &&Candidate<'_>| candidate.selector().is_some_and(|one| self.still.contains(&one));
        let still = candidates.iter().find(is_still);
        let still = still.map(|candidate| {
            format!("{} is a time that stays the same while the values change", candidate.shown())
        });
        let why = still
            .or_else(|| self.in_list())
            .or_else(|| of_unknown_format(&candidates, self.now_ns))
            .or_else(|| later(&candidates));
        why.unwrap_or_else(|| "no key that looks like a time has plausible values".to_owned())
    }

    /// A time of which each object has several.
    fn in_list(&self) -> Option<String> {
        let key = self.seen.keys.iter().find(|key| key.is_indexed() && key.is_time)?;
        Some(format!(
            "{} is a time, but it stands in a list, of which each object can have several items: select the items with `query`, or make a point of each with `explode`",
            shown(&key.pattern)
        ))
    }

    /// Why a key that looks like a time cannot be proposed.
    pub(super) fn why_not_sure(&self, best: &Candidate<'_>, guess: &Guess) -> String {
        let example = best.key.times.first().map(|(text, _)| format!(" \"{}\"", printable(text, 40)));
        let example = example.unwrap_or_default();
        match guess.rival {
            Some(rival) if !rival.starts_with('%') => format!(
                "the values of {} fit {} as well as {}, each with other times",
                best.shown(),
                shown(guess.format),
                shown(rival)
            ),
            Some(rival) => format!(
                "the order of day and month in {}, such as{example}, is unknown: {} and {} fit, so choose the `time_format`",
                best.shown(),
                shown(guess.format),
                shown(rival)
            ),
            None => format!(
                "{} is a time in only {} of {}",
                best.shown(),
                grouped(fits(best, guess)),
                self.counted(best.all, best)
            ),
        }
    }
}

/// A key with the name of a time, whose values have no known format.
fn of_unknown_format(candidates: &[Candidate<'_>], now_ns: i64) -> Option<String> {
    let rank = |candidate: &&Candidate<'_>| names::time_rank(time_names::of_path(&candidate.key.segments));
    let is_unread = |candidate: &&Candidate<'_>| {
        let key = candidate.key;
        // A number under a less certain name is mostly a duration.
        let is_written = key.texts > 0 || rank(candidate).is_some_and(|rank| rank < names::TIME_RANK_SURE);
        rank(candidate).is_some() && is_written && guess(&key.times, now_ns).is_none()
    };
    let has_digit = |text: &str| text.contains(|c: char| c.is_ascii_digit());
    let example = |candidate: &&Candidate<'_>| {
        candidate.key.times.iter().map(|(text, _)| text.clone()).find(|text| has_digit(text))
    };
    let unread = candidates.iter().filter(is_unread).min_by_key(rank)?;
    Some(format!(
        "{} has the name of a time, but the format of its values, such as \"{}\", is unknown: if they are times, describe them with `time_format`",
        unread.shown(),
        printable(&example(&unread)?, 40)
    ))
}

/// A time after that of the record.
fn later(candidates: &[Candidate<'_>]) -> Option<String> {
    let is_later = |candidate: &&Candidate<'_>| {
        candidate.key.is_time
            && names::time_kind(time_names::of_path(&candidate.key.segments)) == TimeKind::Later
    };
    let later = candidates.iter().find(is_later)?;
    Some(format!("the name of {} says that it is not the time of the measurement", later.shown()))
}
