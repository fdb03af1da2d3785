//! What a mapping should say of a topic's records, and why.

use super::key::{DISTINCT_MAX, INDEX, Key, Segment};
use super::observe::{ArrayKey, KEYS_MAX, Observation};
use super::shape::path_of;
use super::strings::{Class, class, glob};
use super::times::{Guess, guess};
use super::{Sample, Shape, names};
use crate::decode::Format;
use crate::draft::Table;
use crate::map::Globs;
use crate::text::{grouped, printable};
use std::collections::BTreeSet;
use toml::Value;

/// Keys that a list or a comment names; of the others it says how many they are.
const NAMED_MAX: usize = 30;
/// Where so many objects have a good time, the few others may be rejected.
const TIME_OBJECTS_MIN: u64 = 50;
/// Characters of a comment's line.
const WIDTH: usize = 112;

/// A `[[mapping]]` in the making.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    lines: Vec<Line>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// What a point's object is called in comments.
    unit: &'static str,
    /// Tags of which new values came to the end.
    pub growing: Vec<String>,
    /// If every tag were combined with every other.
    pub combinations: f64,
}

#[derive(Clone, Debug)]
struct Line {
    key: &'static str,
    value: Value,
    why: Vec<String>,
    is_off: bool,
}

impl Proposal {
    /// Whether both say the same, for whatever reasons.
    pub fn is_same(&self, other: &Self) -> bool {
        let said = |of: &Self| -> Vec<(&'static str, Value)> {
            of.lines.iter().filter(|line| !line.is_off).map(|line| (line.key, line.value.clone())).collect()
        };
        said(self) == said(other)
    }

    /// The table, for these topics (none: all), with these comments above it.
    pub fn table(&self, topics: Option<&[String]>, comments: &[String]) -> Table {
        let mut table = Table::new("[[mapping]]");
        for comment in comments.iter().chain(&self.notes) {
            table.comment(wrapped(comment));
        }
        if let Some(topics) = topics {
            table.set("topics", topics.to_vec());
        }
        for line in &self.lines {
            let why: Vec<String> = line.why.iter().map(|why| wrapped(why)).collect();
            let why: Vec<&str> = why.iter().map(String::as_str).collect();
            if line.is_off {
                table.suggest(line.key, line.value.clone(), &why);
            } else {
                table.set_because(line.key, line.value.clone(), &why);
            }
        }
        table
    }

    fn set(&mut self, key: &'static str, value: impl Into<Value>, why: Vec<String>) {
        self.lines.push(Line { key, value: without_variables(value.into()), why, is_off: false });
    }

    fn suggest(&mut self, key: &'static str, value: impl Into<Value>, why: Vec<String>) {
        self.lines.push(Line { key, value: without_variables(value.into()), why, is_off: true });
    }
}

/// None: the sample holds no objects.
pub fn propose(sample: &Sample, now_ns: i64) -> Option<Proposal> {
    let whole = Shape::whole(&sample.records);
    let root = Observation::of(&sample.records, &whole);
    let array = whole.of_array(&root);
    let shape = array.as_ref().map_or(&whole, |(shape, _)| shape);
    let within = array.as_ref().map(|_| Observation::of(&sample.records, shape));
    let seen = within.as_ref().unwrap_or(&root);
    if seen.objects == 0 {
        return None;
    }
    let unit = if within.is_none() && seen.objects == seen.records { "record" } else { "object" };
    let mut proposal = Proposal { unit, combinations: 1.0, ..Proposal::default() };
    let mut of = Proposer {
        seen,
        root: within.as_ref().map(|_| &root),
        array: array.as_ref().map(|(_, array)| array),
        now_ns,
        out: &mut proposal,
    };
    of.format(shape);
    let name = of.name();
    let time = of.time();
    of.strings(&[name, time]);
    of.integers();
    of.absent();
    Some(proposal)
}

struct Proposer<'p> {
    seen: &'p Observation,
    /// With a query: the records that the objects stand in.
    root: Option<&'p Observation>,
    array: Option<&'p ArrayKey>,
    now_ns: i64,
    out: &'p mut Proposal,
}

/// A key, and how a mapping names it.
#[derive(Clone, Copy)]
struct Candidate<'p> {
    key: &'p Key,
    of: &'p Observation,
    /// It stands in the record, outside of the objects.
    is_root: bool,
}

impl Candidate<'_> {
    /// For `name_key` and `time_key`.
    fn selector(&self) -> Option<String> {
        if self.is_root {
            return path_of(&self.key.segments);
        }
        let pattern = &self.key.pattern;
        (!pattern.starts_with('$') && !pattern.contains(INDEX)).then(|| pattern.clone())
    }
}

impl<'p> Proposer<'p> {
    /// Keys of the objects, then those of the records around them.
    fn candidates(&self) -> Vec<Candidate<'p>> {
        let of = |of: &'p Observation, is_root| of.keys.iter().map(move |key| Candidate { key, of, is_root });
        let within = self.array.map(|array| format!("{}_{INDEX}", array.pattern));
        let is_beside = |candidate: &Candidate<'_>| {
            let pattern = &candidate.key.pattern;
            let is_outside = within.as_ref().is_some_and(|within| !pattern.starts_with(within));
            !pattern.is_empty() && (!candidate.is_root || is_outside)
        };
        let root = self.root.into_iter().flat_map(|root| of(root, true));
        of(self.seen, false).chain(root).filter(is_beside).collect()
    }

    fn format(&mut self, shape: &Shape) {
        if shape.format == Format::JsonLines {
            let why = "Records hold several JSON values, one a line.".to_owned();
            self.out.set("format", "json_lines", vec![why]);
        }
        if let (Some((query, _)), Some(array)) = (&shape.query, self.array) {
            let why = format!(
                "All numbers of a record stand in the array {}: each of its objects becomes a point, {} of {} records. Keys that begin with \"$\" are looked for from the record's root.",
                shown(&array.pattern),
                grouped(array.objects),
                grouped(array.count)
            );
            self.out.set("query", query.as_str(), vec![why]);
        } else if let Some(array) =
            self.seen.arrays.iter().find(|array| array.objects > 0 && array.others == 0 && array.longest > 1)
            && let Some(path) = path_of(&array.segments)
        {
            let why = format!(
                "{} is an array of up to {} objects, which become fields with an index in their name ({}). With this each of its objects would become a point, and what stands outside of it only tags.",
                shown(&array.pattern),
                array.longest,
                shown(&format!("{}_0_...", array.pattern))
            );
            self.out.suggest("query", format!("{path}[*]"), vec![why]);
        }
        if self.seen.others > 0 {
            let why = format!(
                "Where objects belong there {} something else, and the whole record is rejected; with this that alone is:",
                if self.seen.others == 1 {
                    "is once".to_owned()
                } else {
                    format!("is {} times", grouped(self.seen.others))
                }
            );
            self.out.suggest("strict", false, vec![why]);
        }
    }

    fn name(&mut self) -> Option<&'p Key> {
        const NAMES_MAX: usize = 50;
        let is_name = |candidate: &Candidate<'_>| {
            let (key, objects) = (candidate.key, candidate.of.objects);
            let (there, distinct) = (key.texts, key.distinct().unwrap_or(usize::MAX));
            let missing = objects.saturating_sub(there);
            key.segments.len() == 1
                && there > 0
                && (missing <= 1 || missing * 10 <= objects)
                && distinct <= NAMES_MAX
                && (distinct as u64 * 5 <= there || distinct <= 10)
                && !key.has_long_names()
        };
        let rank = |candidate: &Candidate<'_>| names::measurement_rank(candidate.key.name());
        let named = self.candidates().into_iter().filter(|c| rank(c).is_some() && is_name(c));
        let best = named.filter(|c| c.selector().is_some()).min_by_key(|c| (rank(c), c.is_root));
        let Some(best) = best else {
            let why = "The measurement is the topic's name: no key that looks like a name has a string of few values in all objects.";
            self.out.suggest("measurement", "{topic}", vec![why.to_owned()]);
            return None;
        };
        let missing = best.of.objects.saturating_sub(best.key.texts);
        let without = match missing {
            0 => String::new(),
            count => format!("; the {} without it take the topic's name", grouped(count)),
        };
        let why = format!(
            "{} is a string in {}{}: it names the measurement{without}.",
            shown(&best.key.pattern),
            self.share(best.key.texts, best.of.objects, best.is_root),
            values(best.key)
        );
        self.out.set("name_key", best.selector().unwrap_or_default(), vec![why]);
        Some(best.key)
    }

    fn time(&mut self) -> Option<&'p Key> {
        let read = |candidate: Candidate<'p>| {
            let guess = guess(&candidate.key.times, self.now_ns)?;
            candidate.selector()?;
            Some((candidate, guess))
        };
        let rank = |(candidate, guess): &(Candidate<'p>, Guess)| {
            let depth = candidate.key.segments.len();
            (self.is_sure(*candidate, guess), candidate.key.objects, usize::MAX - depth)
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
        if self.is_sure(best, &guess) {
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

    /// Whether hardly an object would be rejected for its time.
    fn is_sure(&self, candidate: Candidate<'_>, guess: &Guess) -> bool {
        let (objects, fits) = (candidate.of.objects, self.fits(candidate, guess));
        let is_nearly_all = objects >= TIME_OBJECTS_MIN && fits * 100 >= objects * 99;
        guess.rival.is_none() && (fits >= objects || is_nearly_all)
    }

    /// Objects with a good time; of many only some values were looked at.
    fn fits(&self, candidate: Candidate<'_>, guess: &Guess) -> u64 {
        let (looked, there) = (candidate.key.times.len() as u64, candidate.key.objects);
        let fits = guess.fits as u64;
        if fits == looked { there - candidate.key.nulls.min(there) } else { fits * there / looked.max(1) }
    }

    fn why_time(&self, best: Candidate<'_>, guess: &Guess) -> Vec<String> {
        let fits = self.fits(best, guess);
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

    fn strings(&mut self, taken: &[Option<&Key>]) {
        let is_taken = |key: &Key| taken.iter().flatten().any(|taken| std::ptr::eq(*taken, key));
        let of_class = |wanted: &[Class], of: &Self| -> Vec<Candidate<'p>> {
            let candidates = of.candidates().into_iter().filter(|c| !is_taken(c.key));
            candidates.filter(|c| wanted.contains(&class(c.key, c.of.objects))).collect()
        };
        let (tags, others): (Vec<_>, Vec<_>) =
            of_class(&[Class::Tag], self).into_iter().partition(|tag| self.may_be_tag(*tag));
        self.tags(&tags);
        let within = |candidates: Vec<Candidate<'p>>| -> Vec<&'p Key> {
            candidates.into_iter().filter(|c| !c.is_root).map(|c| c.key).collect()
        };
        let fields = within(of_class(&[Class::Field], self));
        self.fields(&fields);
        let mut many = within(of_class(&[Class::Many, Class::Identifier], self));
        many.extend(within(others));
        self.many(&fields, &many);
        self.numbers(&within(of_class(&[Class::Number], self)));
        self.mixed(&within(of_class(&[Class::Mixed], self)));
        self.telegraf();
    }

    /// A glob, of an array's elements, must not make tags of other keys; a record's tag must not hide an object's key.
    fn may_be_tag(&self, tag: Candidate<'_>) -> bool {
        if tag.is_root {
            return path_of(&tag.key.segments).is_some() && self.seen.key(&tag.key.pattern).is_none();
        }
        let Ok(globs) = Globs::compile(&[glob(&tag.key.pattern)]) else { return false };
        let is_other =
            |key: &&Key| key.pattern != tag.key.pattern && globs.is_match(&flattened(&key.pattern));
        !self.seen.keys.iter().any(|key| is_other(&key))
    }

    fn tags(&mut self, tags: &[Candidate<'p>]) {
        if tags.is_empty() {
            self.out.notes.push("No tags: no key has strings of few values.".to_owned());
            return;
        }
        let named: Vec<String> = tags
            .iter()
            .map(|tag| {
                let there = self.share(tag.key.strings().min(tag.key.objects), tag.of.objects, tag.is_root);
                format!("- {}: in {there}{}", shown(&tag.key.pattern), values(tag.key))
            })
            .collect();
        let mut why = vec![
            "What to filter and group by: strings of few values. Each combination of them is a series."
                .to_owned(),
        ];
        why.extend(limited(&named));
        for tag in tags {
            self.out.combinations *= tag.key.distinct().unwrap_or(DISTINCT_MAX).max(1) as f64;
            let (late, distinct) = (tag.key.late(tag.of.objects), tag.key.distinct().unwrap_or(DISTINCT_MAX));
            if distinct > 20 && late * 5 > distinct {
                self.out.growing.push(shown(&tag.key.pattern));
            }
        }
        let mut keys: Vec<String> = tags
            .iter()
            .map(|tag| {
                let path = if tag.is_root { path_of(&tag.key.segments) } else { None };
                path.unwrap_or_else(|| {
                    self.tags_object(tag.key, tags).unwrap_or_else(|| glob(&tag.key.pattern))
                })
            })
            .collect();
        let mut named = BTreeSet::new();
        keys.retain(|key| named.insert(key.clone()));
        self.out.set("tag_keys", keys, why);
    }

    /// The glob of all that is in an object called "tags", if all of it are tags: also those that the sample lacks.
    fn tags_object(&self, key: &Key, tags: &[Candidate<'_>]) -> Option<String> {
        let [Segment::Key(name), _, ..] = &key.segments[..] else { return None };
        let is_within = |key: &&Key| {
            key.segments.len() > 1
                && matches!(key.segments.first(), Some(Segment::Key(first)) if first == name)
        };
        let is_tag = |key: &Key| tags.iter().any(|tag| std::ptr::eq(tag.key, key));
        let mut within = self.seen.keys.iter().filter(is_within);
        let prefix = format!("{name}_");
        let is_alone = self.seen.keys.iter().all(|key| is_within(&key) || !key.pattern.starts_with(&prefix));
        (names::is_tags(name) && is_alone && within.all(is_tag)).then(|| glob(&prefix) + "*")
    }

    fn fields(&mut self, fields: &[&Key]) {
        if fields.is_empty() {
            return;
        }
        let mut why = vec!["States, messages and booleans are kept as fields: as tags, each change would begin another series.".to_owned()];
        if fields.len() > NAMED_MAX {
            why.push(format!(
                "{} further keys are left out: add those that you want.",
                fields.len() - NAMED_MAX
            ));
        }
        self.out.set("string_fields", globs_of(fields.iter().take(NAMED_MAX)), why);
    }

    fn many(&mut self, fields: &[&Key], many: &[&Key]) {
        if many.is_empty() {
            return;
        }
        let named: Vec<String> = many.iter().map(|key| shown(&key.pattern)).collect();
        let why = vec![format!(
            "Not kept: {} of many values or for a single record ({}). As fields they cost room and nothing else; as tags each value would be a series of its own. To keep them as fields:",
            if many.len() == 1 { "a string" } else { "strings" },
            joined(&named)
        )];
        let keys = globs_of(fields.iter().chain(many).take(NAMED_MAX));
        self.out.suggest("string_fields", keys, why);
    }

    fn numbers(&mut self, numbers: &[&Key]) {
        if !numbers.is_empty() {
            let why = "Numbers in quotes, in all or some of the objects: stored as numbers.".to_owned();
            self.out.set("number_fields", globs_of(numbers.iter()), vec![why]);
        }
    }

    fn mixed(&mut self, mixed: &[&Key]) {
        if !mixed.is_empty() {
            let named: Vec<String> = mixed.iter().map(|key| shown(&key.pattern)).collect();
            self.out.notes.push(format!(
                "Strings, booleans and numbers are mixed under {}: InfluxDB gives a field one type, so only the numbers are kept.",
                joined(&named)
            ));
        }
    }

    /// Telegraf's own JSON has `fields` and `tags`, and the names in them are those that are wanted.
    fn telegraf(&mut self) {
        let of = |container: &'static str| {
            let prefix = format!("{container}_");
            self.seen.keys.iter().filter_map(move |key| key.pattern.strip_prefix(&prefix).map(str::to_owned))
        };
        let top = |pattern: &str| self.seen.key(pattern).is_some();
        let (mut fields, tags): (Vec<String>, Vec<String>) = (of("fields").collect(), of("tags").collect());
        let is_telegraf = !fields.is_empty() && !tags.is_empty() && top("name") && top("timestamp");
        fields.extend(tags);
        let count = fields.len();
        fields.sort();
        fields.dedup();
        if is_telegraf && fields.len() == count {
            let rename: toml::Table =
                ["fields_*", "tags_*"].map(|from| (from.to_owned(), Value::from("*"))).into_iter().collect();
            let why = "The records are Telegraf's own JSON: names as they were in the agent.".to_owned();
            self.out.set("rename", rename, vec![why]);
        }
    }

    fn integers(&mut self) {
        let numbers = || self.seen.keys.iter().filter(|key| key.whole > 0);
        let is_mixed = |key: &Key| key.whole > 0 && key.fractions > 0;
        let rounded: Vec<String> =
            numbers().filter(|key| key.is_rounded).map(|key| shown(&key.pattern)).collect();
        if numbers().next().is_none() || self.seen.keys.iter().any(is_mixed) {
            if !rounded.is_empty() {
                self.out.notes.push(format!(
                    "{} has whole numbers that a float rounds, and integers = \"int\" is no way out: other keys have whole numbers and fractions.",
                    joined(&rounded)
                ));
            }
            return;
        }
        let mut why = vec!["No key has both whole numbers and fractions: with this, whole numbers stay exact integers. Only where a field never has a fraction: InfluxDB gives a field one type for good.".to_owned()];
        if !rounded.is_empty() {
            why.push(format!("As floats, InfluxDB rounds those of {}.", joined(&rounded)));
        }
        self.out.suggest("integers", "int", why);
    }

    fn absent(&mut self) {
        let has_value = |key: &Key| key.numbers() + key.strings() + key.booleans + key.empty > 0;
        let never: Vec<String> =
            self.seen.keys.iter().filter(|key| !has_value(key)).map(|key| shown(&key.pattern)).collect();
        if !never.is_empty() {
            self.out.notes.push(format!("Always null: {}.", joined(&never)));
        }
        let objects = self.seen.objects;
        let rarely: Vec<String> = self
            .seen
            .keys
            .iter()
            .filter(|key| {
                has_value(key)
                    && !key.is_indexed()
                    && (key.objects - key.nulls.min(key.objects)) * 2 < objects
            })
            .map(|key| shown(&key.pattern))
            .collect();
        if !rarely.is_empty() {
            self.out.notes.push(format!(
                "In fewer than half of the {}s: {}.",
                self.out.unit,
                joined(&rarely)
            ));
        }
        if self.seen.has_more_keys {
            self.out.notes.push(format!(
                "The records have more than {} different keys, of which only these were looked at: are values used as keys? Each key is a field; `include` takes those that are wanted.",
                grouped(KEYS_MAX as u64)
            ));
        }
    }

    fn counted(&self, count: u64, is_root: bool) -> String {
        let unit = if is_root { "record" } else { self.out.unit };
        format!("{} {unit}{}", grouped(count), if count == 1 { "" } else { "s" })
    }

    fn share(&self, there: u64, of: u64, is_root: bool) -> String {
        if there >= of {
            format!("all {}", self.counted(of, is_root))
        } else {
            format!("{} of {}", grouped(there), self.counted(of, is_root))
        }
    }
}

/// A "$" of a record's key is no variable.
fn without_variables(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let mut out = String::with_capacity(text.len());
            let mut chars = text.chars().peekable();
            while let Some(c) = chars.next() {
                let is_variable = |next: &char| next.is_ascii_alphabetic() || matches!(next, '_' | '{');
                out.push_str(if c == '$' && chars.peek().is_some_and(is_variable) { "$" } else { "" });
                out.push(c);
            }
            Value::String(out)
        }
        Value::Array(values) => Value::Array(values.into_iter().map(without_variables).collect()),
        other => other,
    }
}

impl Key {
    /// Names are short.
    fn has_long_names(&self) -> bool {
        self.values().iter().any(|value| value.chars().count() > 64 || value.starts_with('#'))
    }
}

/// `, 3 values such as "a", "b"`.
fn values(key: &Key) -> String {
    const SHOWN_MAX: usize = 3;
    let Some(distinct) = key.distinct() else { return format!(", more than {DISTINCT_MAX} values") };
    let some: Vec<String> =
        key.values().iter().take(SHOWN_MAX).map(|value| format!("\"{}\"", printable(value, 30))).collect();
    let such = if distinct > SHOWN_MAX { " such as" } else { ":" };
    format!(", {distinct} value{}{such} {}", if distinct == 1 { "" } else { "s" }, some.join(", "))
}

fn globs_of<'k>(keys: impl Iterator<Item = &'k &'k Key>) -> Vec<String> {
    keys.map(|key| glob(&key.pattern)).collect()
}

/// As the mapper would call the first of an array's.
fn flattened(pattern: &str) -> String {
    pattern.replace(INDEX, "0")
}

/// A key for people.
fn shown(pattern: &str) -> String {
    format!("\"{}\"", printable(&pattern.replace(INDEX, "*"), 80))
}

fn joined(names: &[String]) -> String {
    limited(names).join(", ")
}

fn limited(names: &[String]) -> Vec<String> {
    let mut limited: Vec<String> = names.iter().take(NAMED_MAX).cloned().collect();
    if names.len() > NAMED_MAX {
        limited.push(format!("and {} more", names.len() - NAMED_MAX));
    }
    limited
}

pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} minutes", ms / 60_000),
        7_200_000..172_800_000 => format!("{} hours", ms / 3_600_000),
        _ => format!("{} days", grouped(ms / 86_400_000)),
    }
}

/// In lines that a screen holds.
pub fn wrapped(text: &str) -> String {
    let (mut out, mut width) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    out
}
