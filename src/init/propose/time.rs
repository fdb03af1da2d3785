//! Proposes `time_key`, if almost no record would be rejected for its time.

use super::super::key::Key;
use super::super::names;
use super::super::text::{duration, shown};
use super::super::times::{Guess, guess};
use super::{Candidate, Proposer};
use base::text::grouped;

/// With at least this number of objects, 1% may be rejected.
const TIME_OBJECTS_MIN: u64 = 50;

impl<'p> Proposer<'p> {
    pub(super) fn time(&mut self) -> Option<&'p Key> {
        if let Some(key) = self.timestamp() {
            return Some(key);
        }
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
        // The likelier name decides between equal candidates.
        let best = found.max_by_key(|found| {
            (rank(found), usize::MAX - names::time_rank(found.0.key.name()).unwrap_or(usize::MAX))
        });
        let Some((best, guess)) = best else {
            self.no_time("no key that looks like a time has plausible values");
            return None;
        };
        let why = self.why_time(best, &guess);
        let selector = best.selector().unwrap_or_default();
        if is_sure(best, &guess) {
            self.out.set("time_key", selector, why);
            self.out.set("time_format", guess.format, Vec::new());
            if guess.needs_zone {
                let why = "The text has no zone and is read as UTC. For another zone:".to_owned();
                self.out.suggest("timezone", "Asia/Seoul", vec![why]);
            }
            return Some(best.key);
        }
        self.no_time("see below");
        self.out.suggest("time_key", selector, why);
        self.out.suggest("time_format", guess.format, Vec::new());
        Some(best.key)
    }

    /// Proposes a key whose values are times of the records' format, so that it needs no `time_format`.
    fn timestamp(&mut self) -> Option<&'p Key> {
        let is_time = |candidate: &Candidate<'p>| {
            let (key, objects) = (candidate.key, candidate.of.objects);
            key.timestamps > 0
                && key.timestamps == key.numbers()
                && is_nearly_all(key.timestamps, objects)
                && candidate.selector().is_some()
        };
        let found: Vec<Candidate<'p>> = self.candidates().into_iter().filter(is_time).collect();
        let named = found.iter().filter(|candidate| names::is_time(candidate.key.name()));
        let best = named.min_by_key(|candidate| names::time_rank(candidate.key.name()));
        // Without a name that says so, one of several times may be another one than that of the measurement.
        let best = best.or_else(|| found.first().filter(|_| found.len() == 1)).copied()?;
        let why = format!(
            "{} is a time of the records' format in {}, which needs no `time_format`.",
            shown(&best.key.pattern),
            self.share(best.key.timestamps, best.of.objects, best.is_root)
        );
        self.out.set("time_key", best.selector().unwrap_or_default(), vec![why]);
        if best.key.is_local {
            let why = "The time has no zone and is read as UTC. For another zone:".to_owned();
            self.out.suggest("timezone", "Asia/Seoul", vec![why]);
        }
        Some(best.key)
    }

    fn why_time(&self, best: Candidate<'_>, guess: &Guess) -> Vec<String> {
        let fits = fits(best, guess);
        let share = self.share(fits, best.of.objects, best.is_root);
        let near = match guess.distance_ms {
            None => String::new(),
            Some((most, _)) if most <= 60_000 => {
                format!(", at most {} from Kafka's timestamp", duration(most))
            }
            Some((most, middle)) => {
                format!(
                    ", {} (median) and at most {} from Kafka's timestamp",
                    duration(middle),
                    duration(most)
                )
            }
        };
        let range = if guess.description == "text" {
            format!("text ({})", guess.format)
        } else {
            guess.description.to_owned()
        };
        let mut why = vec![format!(
            "{} is a plausible time in {share}: {range}, between 2000 and now{near}.",
            shown(&best.key.pattern)
        )];
        if guess.distance_ms.is_some_and(|(_, middle)| middle > 86_400_000) {
            why.push(
                "This is far: check that it is the time of the measurement, unless the records were sent late.".to_owned(),
            );
        }
        if let Some(rival) = guess.rival {
            why.push(format!(
                "{} also fits, with other times: check which format the producer uses.",
                shown(rival)
            ));
        }
        let missing = best.of.objects.saturating_sub(fits);
        if missing > 0 {
            why.push(format!(
                "{} of {} have no such time, and would be rejected.",
                grouped(missing),
                self.counted(best.of.objects, best.is_root)
            ));
        }
        why
    }

    fn no_time(&mut self, why: &str) {
        self.out.notes.push(format!("Points have the Kafka timestamp of their record ({why})."));
    }
}

/// Number of objects with a plausible time, extrapolated if only some values were kept.
fn fits(candidate: Candidate<'_>, guess: &Guess) -> u64 {
    let (examined, there) = (candidate.key.times.len() as u64, candidate.key.objects);
    let fits = guess.fits as u64;
    if fits == examined { there - candidate.key.nulls.min(there) } else { fits * there / examined.max(1) }
}

/// Whether at most 1% of the objects would be rejected for their time.
fn is_sure(candidate: Candidate<'_>, guess: &Guess) -> bool {
    let (objects, fits) = (candidate.of.objects, fits(candidate, guess));
    guess.rival.is_none() && is_nearly_all(fits, objects)
}

/// Whether at most 1% of the objects have no time.
fn is_nearly_all(times: u64, objects: u64) -> bool {
    times >= objects || (objects >= TIME_OBJECTS_MIN && times * 100 >= objects * 99)
}
