//! `time_key`: where hardly a record would be rejected for it.

use super::super::key::Key;
use super::super::names;
use super::super::times::{Guess, guess};
use super::super::words::{duration, shown};
use super::{Candidate, Proposer};
use base::text::grouped;

/// Where so many objects have a good time, the few others may be rejected.
const TIME_OBJECTS_MIN: u64 = 50;

impl<'p> Proposer<'p> {
    pub(super) fn time(&mut self) -> Option<&'p Key> {
        let read = |candidate: Candidate<'p>| {
            let guess = guess(&candidate.key.times, self.now_ns)?;
            candidate.selector()?;
            Some((candidate, guess))
        };
        let rank = |(candidate, guess): &(Candidate<'p>, Guess)| {
            let depth = candidate.key.segments.len();
            (is_sure(*candidate, guess), candidate.key.objects, usize::MAX - depth)
        };
        let found = self.candidates().into_iter().filter_map(read);
        // Of equals the likelier name.
        let best = found.max_by_key(|found| {
            (rank(found), usize::MAX - names::time_rank(found.0.key.name()).unwrap_or(usize::MAX))
        });
        let Some((best, guess)) = best else {
            self.no_time("no key that looks like a time has a plausible one");
            return None;
        };
        let why = self.why_time(best, &guess);
        let selector = best.selector().unwrap_or_default();
        if is_sure(best, &guess) {
            self.out.set("time_key", selector, why);
            self.out.set("time_format", guess.format, Vec::new());
            if guess.wants_zone {
                let why = "Its text names no zone, and is read as UTC. If it is another:".to_owned();
                self.out.suggest("timezone", "Asia/Seoul", vec![why]);
            }
            return Some(best.key);
        }
        self.no_time("see below");
        self.out.suggest("time_key", selector, why);
        self.out.suggest("time_format", guess.format, Vec::new());
        Some(best.key)
    }

    fn why_time(&self, best: Candidate<'_>, guess: &Guess) -> Vec<String> {
        let fits = fits(best, guess);
        let share = self.share(fits, best.of.objects, best.is_root);
        let near = match guess.distance_ms {
            None => String::new(),
            Some((most, _)) if most <= 60_000 => format!(", at most {} from Kafka's", duration(most)),
            Some((most, middle)) => {
                format!(", {} from Kafka's in the middle and {} at most", duration(middle), duration(most))
            }
        };
        let range =
            if guess.words == "text" { format!("text ({})", guess.format) } else { guess.words.to_owned() };
        let mut why = vec![format!(
            "{} is a plausible time in {share}: {range}, between 2000 and now{near}.",
            shown(&best.key.pattern)
        )];
        if guess.distance_ms.is_some_and(|(_, middle)| middle > 86_400_000) {
            why.push(
                "That is far: is it the time of the measurement, or were the records sent late?".to_owned(),
            );
        }
        if let Some(rival) = guess.rival {
            why.push(format!(
                "{} fits as well and means other times: whoever writes the records knows which it is.",
                shown(rival)
            ));
        }
        let missing = best.of.objects.saturating_sub(fits);
        if missing > 0 {
            why.push(format!(
                "{} of {} have none or another, and would be rejected.",
                grouped(missing),
                self.counted(best.of.objects, best.is_root)
            ));
        }
        why
    }

    fn no_time(&mut self, why: &str) {
        self.out.notes.push(format!("Points have the time that Kafka holds for their record ({why})."));
    }
}

/// Objects with a good time; of many only some values were looked at.
fn fits(candidate: Candidate<'_>, guess: &Guess) -> u64 {
    let (looked, there) = (candidate.key.times.len() as u64, candidate.key.objects);
    let fits = guess.fits as u64;
    if fits == looked { there - candidate.key.nulls.min(there) } else { fits * there / looked.max(1) }
}

/// Whether hardly an object would be rejected for its time.
fn is_sure(candidate: Candidate<'_>, guess: &Guess) -> bool {
    let (objects, fits) = (candidate.of.objects, fits(candidate, guess));
    let is_nearly_all = objects >= TIME_OBJECTS_MIN && fits * 100 >= objects * 99;
    guess.rival.is_none() && (fits >= objects || is_nearly_all)
}
