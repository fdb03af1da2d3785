//! Proposes `time_key`, if almost no record would be rejected for its time.

use super::super::key::Key;
use super::super::names::{self, TimeKind};
use super::super::observe::Observation;
use super::super::text::{duration, shown};
use super::super::time_names;
use super::super::times::{Guess, are_times, guess};
use super::{Candidate, Proposer};
use base::text::grouped;
use mapping::Format;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// With at least this number of objects, 1% may be rejected.
const TIME_OBJECTS_MIN: u64 = 50;

/// A key whose values are times.
struct Read<'p> {
    candidate: Candidate<'p>,
    guess: Guess,
    selector: String,
}

impl Read<'_> {
    /// The name that says that the values are times.
    fn name(&self) -> &str {
        time_names::of_path(&self.candidate.key.segments)
    }

    fn name_rank(&self) -> usize {
        names::time_rank(self.name()).unwrap_or(usize::MAX)
    }

    fn kind(&self) -> TimeKind {
        names::time_kind(self.name())
    }

    fn fits(&self) -> u64 {
        fits(&self.candidate, &self.guess)
    }

    fn is_sure(&self) -> bool {
        is_sure(&self.candidate, &self.guess)
    }
}

impl<'p> Proposer<'p> {
    /// The keys of the time.
    pub(super) fn time(&mut self) -> Vec<&'p Key> {
        if !self.shape.time_keys.is_empty() {
            let is_part = |key: &&Key| self.shape.time_keys.contains(&key.pattern.as_str());
            return self.seen.keys.iter().filter(is_part).collect();
        }
        if let Some((name, outside)) = &self.time_name
            && let Some(guess) = guess(&name.times, self.now_ns)
        {
            let why = format!("The names under which the objects stand are times: {}.", guess.description);
            let selector = outside.selector.clone();
            self.out.set("time_key", selector, vec![why]);
            self.out.set("time_format", guess.format, Vec::new());
            self.zone(&guess);
            return Vec::new();
        }
        if let Some(key) = self.timestamp() {
            return vec![key];
        }
        if self.shape.rules.format == Format::Value {
            self.no_time("a single value has no time beside it");
            return Vec::new();
        }
        let read = |candidate: Candidate<'p>| {
            let guess = guess(&candidate.key.times, self.now_ns)?;
            // A likely name may have other values; an unlikely one is a time by its values alone.
            let name = time_names::of_path(&candidate.key.segments);
            let is_likely = names::is_time(name) || candidate.key.is_time;
            let may_be_chosen = is_likely && names::time_kind(name) != TimeKind::Later;
            let selector = candidate.selector().filter(|_| may_be_chosen)?;
            (!self.still.contains(&selector)).then_some(Read { candidate, guess, selector })
        };
        let mut found: Vec<Read<'p>> = self.candidates().into_iter().filter_map(read).collect();
        if found.is_empty() {
            found.extend(self.time_in_list());
        }
        // The own time of an object comes before that of its record, and the likelier name decides between equal candidates. The time of a
        // measurement comes before that of its receipt, wherever it is.
        let rank = |read: &&Read<'p>| {
            let (candidate, depth) = (&read.candidate, read.candidate.depth());
            let (is_sure, likelier) = (read.is_sure(), usize::MAX - read.name_rank());
            (
                is_sure && read.kind() >= TimeKind::Receipt,
                is_sure && read.kind() == TimeKind::Measurement,
                is_sure,
                !candidate.is_outside(),
                candidate.key.objects,
                usize::MAX - depth,
                likelier,
            )
        };
        let best = found.iter().max_by_key(rank);
        let is_good = |kind: TimeKind| best.is_some_and(|best| best.is_sure() && best.kind() >= kind);
        if !is_good(TimeKind::Measurement)
            && let Some(taken) = self.date_and_clock()
        {
            return taken;
        }
        if !is_good(TimeKind::Receipt)
            && let Some(taken) = self.first_of(&found)
        {
            return taken;
        }
        let Some(best) = best else {
            let why = self.why_no_time();
            self.no_time(&why);
            return Vec::new();
        };
        let why = self.why_time(&best.candidate, &best.guess);
        let (selector, format) = (best.selector.clone(), best.guess.format);
        if best.is_sure() {
            self.out.set("time_key", selector, why);
            self.out.set("time_format", format, Vec::new());
            self.zone(&best.guess);
            if best.name_rank() >= names::TIME_RANK_SURE {
                self.out.doubtful_time = Some(best.selector.clone());
            }
            let part = self.part_of_second(best);
            return std::iter::once(best.candidate.key).chain(part).collect();
        }
        let why_not = self.why_not_sure(&best.candidate, &best.guess);
        self.no_time(&why_not);
        self.out.suggest("time_key", selector, why);
        self.out.suggest("time_format", format, Vec::new());
        vec![best.candidate.key]
    }

    /// Proposes a key whose values are times of the records' format, so that it needs no `time_format`.
    fn timestamp(&mut self) -> Option<&'p Key> {
        let is_time = |candidate: &Candidate<'p>| {
            let key = candidate.key;
            key.timestamps > 0
                && key.timestamps == key.numbers()
                && is_nearly_all(key.timestamps, candidate.all)
                && candidate.selector().is_some()
        };
        let found: Vec<Candidate<'p>> = self.candidates().into_iter().filter(is_time).collect();
        let kind = |candidate: &&Candidate<'p>| names::time_kind(candidate.key.name());
        let named = found
            .iter()
            .filter(|candidate| names::is_time(candidate.key.name()) && kind(candidate) != TimeKind::Later);
        let best =
            named.min_by_key(|candidate| (Reverse(kind(candidate)), names::time_rank(candidate.key.name())));
        // Without a name that says so, one of several times may be another one than that of the measurement.
        let best = best.or_else(|| found.first().filter(|_| found.len() == 1))?;
        let why = format!(
            "{} is a time of the records' format in {}, which needs no `time_format`.",
            best.shown(),
            self.share(best.key.timestamps, best)
        );
        self.out.set("time_key", best.selector().unwrap_or_default(), vec![why]);
        if best.key.local > 0 {
            let why = "The time has no zone and is read as UTC. For another zone:".to_owned();
            self.out.suggest("timezone", "Asia/Seoul", vec![why]);
        }
        Some(best.key)
    }

    /// Adds the part of a second that stands beside a time of whole seconds.
    fn part_of_second(&mut self, time: &Read<'p>) -> Option<&'p Key> {
        if time.guess.format != "unix" || time.candidate.key.fractions > 0 {
            return None;
        }
        let parents =
            |candidate: &Candidate<'p>| candidate.key.segments.split_last().map(|(_, parents)| parents);
        let part = |candidate: Candidate<'p>| {
            let key = candidate.key;
            let (unit, in_second) = names::part_of_second(key.name())?;
            let is_whole = key.whole > 0 && key.whole == key.values_count();
            let is_part = key.range.is_some_and(|(least, most)| least >= 0.0 && most < in_second);
            let is_beside = parents(&candidate) == parents(&time.candidate)
                && candidate.is_outside() == time.candidate.is_outside();
            let selector = candidate.selector().filter(|_| is_whole && is_part && is_beside)?;
            Some((candidate, unit, selector))
        };
        let (candidate, unit, selector) = self.candidates().into_iter().find_map(part)?;
        let why = format!("{} is the part of the second, and is added to the time.", candidate.shown());
        let added: toml::Table = [(selector, unit.into())].into_iter().collect();
        self.out.set("time_add", added, vec![why]);
        Some(candidate.key)
    }

    fn zone(&mut self, guess: &Guess) {
        if guess.needs_zone {
            let why = "The text has no zone and is read as UTC. For another zone:".to_owned();
            self.out.suggest("timezone", "Asia/Seoul", vec![why]);
        }
    }

    /// Several keys of one format, of which each object has one.
    fn first_of(&mut self, found: &[Read<'p>]) -> Option<Vec<&'p Key>> {
        let mut parts: Vec<&Read<'p>> = found
            .iter()
            .filter(|read| read.kind() >= TimeKind::Receipt && read.guess.rival.is_none() && read.fits() > 0)
            .collect();
        parts.sort_by_key(|read| Reverse(read.fits()));
        let first = *parts.first()?;
        parts.retain(|read| {
            read.guess.format == first.guess.format && read.candidate.depth() == first.candidate.depth()
        });
        if parts.len() < 2 || !are_complete(&parts) {
            return None;
        }
        let selectors: Vec<&str> = parts.iter().map(|read| read.selector.as_str()).collect();
        let why =
            "Each object has a time under one of these keys: the first that is there counts.".to_owned();
        self.out.set("time_key", selectors, vec![why]);
        self.out.set("time_format", first.guess.format, Vec::new());
        self.zone(&first.guess);
        Some(parts.iter().map(|read| read.candidate.key).collect())
    }

    /// A date and a time of day under two keys.
    fn date_and_clock(&mut self) -> Option<Vec<&'p Key>> {
        const DATES: [&str; 4] = ["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%Y%m%d"];
        const CLOCKS: [&str; 2] = ["%H:%M:%S%.f", "%H:%M"];
        let candidates = self.candidates();
        let is_whole = |candidate: &&Candidate<'p>| {
            let key = candidate.key;
            !key.times.is_empty() && key.objects == candidate.all && key.nulls + key.empty == 0
        };
        let texts: Vec<&Candidate<'p>> = candidates.iter().filter(is_whole).collect();
        for date in &texts {
            for clock in texts.iter().filter(|clock| clock.key.times.len() == date.key.times.len()) {
                let both = date.key.times.iter().zip(&clock.key.times);
                let both: Vec<(String, Option<i64>)> =
                    both.map(|((date, ms), (clock, _))| (format!("{date} {clock}"), *ms)).collect();
                let formats = DATES.iter().flat_map(|date| CLOCKS.map(|clock| format!("{date} {clock}")));
                let Some(format) = formats.into_iter().find(|format| are_times(&both, format, self.now_ns))
                else {
                    continue;
                };
                let (Some(first), Some(second)) = (date.selector(), clock.selector()) else { continue };
                let why = format!(
                    "{} is a date and {} a time of day, in {}: together they are the time.",
                    date.shown(),
                    clock.shown(),
                    self.share(date.key.objects, date)
                );
                let taken = vec![date.key, clock.key];
                self.out.set("time", format!("{{{first}}} {{{second}}}"), vec![why]);
                self.out.set("time_format", format, Vec::new());
                let why = "The text has no zone and is read as UTC. For another zone:".to_owned();
                self.out.suggest("timezone", "Asia/Seoul", vec![why]);
                return Some(taken);
            }
        }
        None
    }

    fn why_time(&self, best: &Candidate<'_>, guess: &Guess) -> Vec<String> {
        let fits = fits(best, guess);
        let share = self.share(fits, best);
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
            best.shown()
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
        let missing = best.all.saturating_sub(fits);
        if missing > 0 {
            why.push(format!(
                "{} of {} have no such time, and would be rejected.",
                grouped(missing),
                self.counted(best.all, best)
            ));
        }
        why
    }

    /// The time that stands with its value in a short list, as in `"value": [1720474474, "1"]`.
    fn time_in_list(&self) -> Option<Read<'p>> {
        let seen: &'p Observation = self.seen;
        let is_time = |key: &Key| key.is_time && key.objects == seen.objects;
        let is_known = |key: &Key| seen.key(&key.pattern).is_some() || self.still.contains(&key.pattern);
        let key = seen.first_items().find(|key| is_time(key) && !is_known(key))?;
        let candidate = Candidate { key, all: seen.objects, outside: None };
        let guess = guess(&key.times, self.now_ns)?;
        Some(Read { selector: candidate.selector()?, candidate, guess })
    }
}

/// Whether each object that was examined has one of these times, and no other text or number there.
fn are_complete(parts: &[&Read<'_>]) -> bool {
    let keys = || parts.iter().map(|read| read.candidate.key);
    let is_all = parts.iter().all(|read| read.guess.fits == read.candidate.key.times.len());
    let is_whole = keys().all(|key| key.times.len() as u64 == key.objects - key.nulls.min(key.objects));
    let with_time: BTreeSet<u64> = keys().flat_map(|key| key.time_objects.iter().copied()).collect();
    let all = parts.first().map_or(0, |read| read.candidate.all);
    // Later values of a large sample were not kept.
    let examined = if is_whole { all } else { with_time.last().copied().unwrap_or(0) };
    is_all && with_time.len() as u64 >= examined
}

/// Number of objects with a plausible time, extrapolated if only some values were kept.
pub(super) fn fits(candidate: &Candidate<'_>, guess: &Guess) -> u64 {
    let key = candidate.key;
    // Only numbers and texts are examined; null and booleans are no times.
    let (examined, there) = (key.times.len() as u64, key.objects.saturating_sub(key.nulls + key.booleans));
    let fits = guess.fits as u64;
    if fits == examined { there } else { fits * there / examined.max(1) }
}

/// Whether at most 1% of the objects would be rejected for their time.
fn is_sure(candidate: &Candidate<'_>, guess: &Guess) -> bool {
    let (objects, fits) = (candidate.all, fits(candidate, guess));
    guess.rival.is_none() && is_nearly_all(fits, objects)
}

/// Whether at most 1% of the objects have no time.
fn is_nearly_all(times: u64, objects: u64) -> bool {
    times >= objects || (objects >= TIME_OBJECTS_MIN && times * 100 >= objects * 99)
}
