//! Proposes the mapping of a topic's records.

mod absent_time;
mod distinguishing_tags;
mod excluded;
mod field_types;
mod fields;
mod influx;
mod numbers_of_sources;
mod tag_keys;
mod tags_of_lists;
mod time;

use super::class::glob;
use super::key::{INDEX, Key, Segment};
use super::observe::{ArrayKey, KEYS_MAX, Observation};
use super::proposal::{NewTag, Proposal};
use super::recognize::{self, shape_of};
use super::shape::{Outside, Shape, Step, steps_of};
use super::text::{joined, shown, values};
use super::times::guess;
use super::{Sample, SampledRecord, Trial, names};
use base::text::{counted, grouped};
use distinguishing_tags::{Lists, Tag};
use mapping::{Csv, Format, Globs, PivotList};
use std::collections::HashSet;

/// Times that are rejected because they stand still.
const STILL_MAX: usize = 4;

/// None if the sample has no objects.
pub fn propose(sample: &Sample, now_ns: i64) -> Option<Proposal> {
    let (mut proposal, mut still) = (propose_without(&[], sample, now_ns)?, Vec::new());
    while still.len() < STILL_MAX
        && let Some((time, mistaken)) = standing_time(&proposal, sample)
    {
        still.push(time);
        let other = propose_without(&still, sample, now_ns)?;
        if Trial::of_proposal(&other, sample).is_none_or(|trial| trial.mistaken() >= mistaken) {
            break;
        }
        proposal = other;
    }
    Some(proposal)
}

/// The key of the time, if its name leaves doubt and nearly all points of a series have one time: the start of a device, for example.
/// With the number of points that overwrite another one, or cannot be distinguished from it.
fn standing_time(proposal: &Proposal, sample: &Sample) -> Option<(String, u64)> {
    /// With fewer points at the time of another one, the time may move later.
    const SHARED_MIN: u64 = 3;
    let time = proposal.doubtful_time.clone()?;
    let trial = Trial::of_proposal(proposal, sample)?;
    let later = trial.points.saturating_sub(trial.series());
    let moved = later.saturating_sub(trial.shared);
    (trial.shared >= SHARED_MIN && moved * 20 <= later).then(|| (time, trial.mistaken()))
}

/// `still`: selectors of times that stay the same while values change.
fn propose_without(still: &[String], sample: &Sample, now_ns: i64) -> Option<Proposal> {
    let whole = Shape::whole(sample);
    if whole.rules.format == Format::Influx {
        return Some(influx::propose(sample, whole.rules.compression, now_ns));
    }
    let (shape, seen) = shape_of(&sample.records, whole, now_ns);
    let root = shape.root().map(|root| Observation::of(&sample.records, &root, now_ns));
    if seen.objects == 0 {
        return None;
    }
    let names = root.as_ref().map_or(Vec::new(), |root| member_names(&shape, root, now_ns));
    let (times, names): (Vec<_>, Vec<_>) = names.into_iter().partition(|(key, _)| key.is_time);
    let unit = if shape.steps.is_empty() && seen.objects == seen.records { "record" } else { "object" };
    let of = || Proposer {
        seen: &seen,
        root: root.as_ref(),
        shape: &shape,
        records: &sample.records,
        ignored: Globs::compile(&shape.ignored).unwrap_or_default(),
        excluded: Globs::compile(&shape.excluded).unwrap_or_default(),
        own: Globs::compile(shape.own).unwrap_or_default(),
        known_tags: Globs::compile(shape.known_tags).unwrap_or_default(),
        names: names.clone(),
        time_name: times.first().cloned(),
        still: still.to_vec(),
        now_ns,
        out: Proposal::new(unit),
    };
    let proposal = of().mapping(&[]);
    let lists = Lists {
        shape: &shape,
        whole: root.as_ref().unwrap_or(&seen),
        named: of().lists_of_names().into_iter().map(|(_, list)| list.outside.selector).collect(),
    };
    let tags = distinguishing_tags::tags(&proposal, &of().candidates(), &lists, sample);
    if tags.is_empty() {
        return Some(proposal);
    }
    // What became a tag is not mentioned as anything else.
    let mut proposal = of().mapping(&tags.iter().filter_map(|tag| tag.key).collect::<Vec<_>>());
    for Tag { source, why, .. } in tags {
        proposal.add_tag(&source, why);
    }
    Some(proposal)
}

/// The names under which objects and their parents stand, as keys: each with its selector. The closest is the first.
fn member_names(shape: &Shape, root: &Observation, now_ns: i64) -> Vec<(Key, Outside)> {
    let key = |(number, (place, selector)): (usize, (usize, String))| {
        let mut names: Vec<(&str, u64)> = Vec::new();
        for key in &root.keys {
            let is_within = shape.steps.len() < key.segments.len()
                && shape.steps.iter().zip(&key.segments).all(|(step, segment)| step.leads_to(segment));
            let Some(Segment::Key(name)) = key.segments.get(place).filter(|_| is_within) else { continue };
            match names.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count = (*count).max(key.objects),
                None => names.push((name, key.objects)),
            }
        }
        let name = match number {
            0 if selector.ends_with("@member") => "member".to_owned(),
            0 => "key".to_owned(),
            1 => "parent".to_owned(),
            number => format!("parent_{number}"),
        };
        let (is_renamed, owner) = (number > 0, String::new());
        let mut key = Key::of_names(&name, names);
        key.is_time = guess(&key.times, now_ns).is_some_and(|guess| guess.fits == key.times.len());
        (key, Outside { selector, name, is_renamed, owner, depth: 1 })
    };
    shape.names().into_iter().rev().enumerate().map(key).collect()
}

struct Proposer<'p> {
    seen: &'p Observation,
    /// The records that contain the objects, if these are not the records.
    root: Option<&'p Observation>,
    shape: &'p Shape,
    records: &'p [SampledRecord],
    /// Strings that describe the message.
    ignored: Globs,
    /// Numbers and booleans that describe the message.
    excluded: Globs,
    /// Keys of the objects that are no attributes.
    own: Globs,
    /// Keys that are always tags in a known envelope.
    known_tags: Globs,
    /// The names under which the objects stand.
    names: Vec<(Key, Outside)>,
    /// Such names that are times.
    time_name: Option<(Key, Outside)>,
    /// Selectors of times that stay the same while values change.
    still: Vec<String>,
    now_ns: i64,
    out: Proposal,
}

/// A key that a mapping can name.
#[derive(Clone)]
struct Candidate<'p> {
    key: &'p Key,
    /// Objects or records that may have the key.
    all: u64,
    /// How a key outside of the objects is selected.
    outside: Option<Outside>,
}

impl Candidate<'_> {
    /// The value for `name_key` or `time_key`.
    fn selector(&self) -> Option<String> {
        if let Some(outside) = &self.outside {
            return Some(outside.selector.clone());
        }
        let pattern = &self.key.pattern;
        (!pattern.starts_with('$') && !pattern.contains(INDEX)).then(|| pattern.clone())
    }

    /// Number of keys of the path.
    fn depth(&self) -> usize {
        self.outside.as_ref().map_or(self.key.segments.len(), |outside| outside.depth)
    }

    /// The key in quotes: as selected, if it stands outside.
    fn shown(&self) -> String {
        shown(self.outside.as_ref().map_or(&self.key.pattern, |outside| &outside.selector))
    }

    fn is_outside(&self) -> bool {
        self.outside.is_some()
    }

    /// The tag of the value.
    fn tag(&self) -> NewTag {
        match &self.outside {
            Some(outside) if outside.is_renamed => {
                NewTag::Named(outside.name.clone(), outside.selector.clone())
            }
            Some(outside) => NewTag::Key(outside.selector.clone()),
            None => NewTag::Key(glob(&self.key.pattern)),
        }
    }
}

impl<'p> Proposer<'p> {
    /// `taken`: keys that become tags later.
    fn mapping(mut self, taken: &[&Key]) -> Proposal {
        self.format();
        self.shape();
        let name = self.name();
        let time = self.time();
        let taken: Vec<&Key> =
            name.into_iter().chain(time.iter().copied()).chain(taken.iter().copied()).collect();
        self.strings(&taken);
        self.beside(&taken);
        self.integers();
        self.excluded(&time);
        self.absent();
        self.out.cautions.extend(recognize::caution(self.seen, self.shape));
        self.out
    }

    /// Keys of the objects, then keys of the records that contain them.
    fn candidates(&self) -> Vec<Candidate<'p>> {
        let within = self.seen.keys.iter().filter(|key| {
            // The globs of an envelope are paths from the root.
            let is_ignored = self.shape.steps.is_empty() && self.is_ignored(key);
            !key.pattern.is_empty() && !is_ignored
        });
        let within = within.map(|key| Candidate { key, all: self.seen.objects, outside: None });
        let around = self.root.into_iter().flat_map(|root| root.keys.iter().map(move |key| (root, key)));
        let reserved = configuration::RESERVED.map(str::to_owned);
        let mut taken: HashSet<String> =
            self.names.iter().map(|(_, outside)| outside.name.clone()).chain(reserved).collect();
        let mut selectors = HashSet::new();
        let around = around.filter_map(|(root, key)| {
            let of_lists = self.shape.takes_lists();
            // The base values of a list stand in its first item.
            let is_of_items = of_lists && (key.values_count() > root.records || self.shape.is_pivoted(key));
            if self.is_ignored(key) || is_of_items {
                return None;
            }
            let mut outside = self.shape.outside(&key.segments)?;
            // Members under different names have one selector.
            if !selectors.insert(outside.selector.clone()) {
                return None;
            }
            // The objects' own keys come before those of the record.
            let is_taken = |name: &String| self.seen.key(name).is_some() || taken.contains(name);
            if is_taken(&outside.name) {
                let renamed = format!("{}_{}", outside.owner, outside.name);
                let numbered = |number: u32| {
                    if number == 1 { renamed.clone() } else { format!("{renamed}_{number}") }
                };
                // The keys cannot have all of these names.
                let keys_max = 2 * KEYS_MAX as u32;
                outside.name = (1..=keys_max).map(numbered).find(|name| !is_taken(name))?;
                outside.is_renamed = true;
            }
            taken.insert(outside.name.clone());
            let all = if self.shape.is_list && !of_lists { root.objects } else { root.records };
            Some(Candidate { key, all, outside: Some(outside) })
        });
        within.chain(around).collect()
    }

    fn is_ignored(&self, key: &Key) -> bool {
        self.ignored.is_match(&key.pattern)
    }

    fn format(&mut self) {
        let (format, csv) = (self.shape.rules.format, &self.shape.rules.csv);
        if format != Format::default() {
            let why = if format.is_json() {
                "Records hold several JSON values, one a line.".to_owned()
            } else if self.shape.schemas.is_some() {
                format!("Records are {}, with the frame of a schema registry.", format.title())
            } else {
                format!("Records are {}.", format.title())
            };
            self.out.set("format", format.name(), vec![why]);
        }
        self.out.set_compression(self.shape.rules.compression);
        if format == Format::Value {
            let source = toml::Table::from_iter([("source".to_owned(), toml::Value::from("{key}"))]);
            let why = "The field is called \"value\". If the keys of the records name the sources, this line makes them a tag:";
            self.out.suggest("tags", source, vec![why.to_owned()]);
        }
        let text = |byte: u8| toml::Value::from(char::from(byte).to_string());
        let comment = csv.comment.map(|byte| ("comment".to_owned(), text(byte)));
        let delimiter = Some(csv.delimiter).filter(|byte| *byte != Csv::default().delimiter);
        let delimiter = delimiter.map(|byte| ("delimiter".to_owned(), text(byte)));
        let csv: toml::Table = comment.into_iter().chain(delimiter).collect();
        if !csv.is_empty() {
            self.out.set("csv", csv, vec![]);
        }
    }

    /// The options that select and rearrange the objects.
    fn shape(&mut self) {
        for line in &self.shape.lines {
            let mut why: Vec<String> =
                Some(line.why.clone()).filter(|why| !why.is_empty()).into_iter().collect();
            if line.key == "query" {
                why.push(
                    "Keys that begin with \"$\" are paths from the root of the record, and those with \"^\" from the object around.".to_owned(),
                );
            }
            self.out.set(line.key, line.value.clone(), why);
        }
        if self.shape.lines.is_empty() {
            self.queries();
        }
        if self.seen.others > 0 && self.shape.rules.format.is_strict() {
            let why = format!(
                "Values that are not objects {}, and their whole record is rejected. With this line only these values are rejected:",
                if self.seen.others == 1 {
                    "occur once".to_owned()
                } else {
                    format!("occur {} times", grouped(self.seen.others))
                }
            );
            self.out.suggest("strict", false, vec![why]);
        }
    }

    /// Suggests a query for each array of objects, if no array has most numbers of the record.
    fn queries(&mut self) {
        let is_list = |array: &&ArrayKey| array.objects > 0 && array.others == 0;
        let mut arrays: Vec<&ArrayKey> = self.seen.arrays.iter().filter(is_list).collect();
        if arrays.iter().all(|array| array.longest < 2) {
            arrays.clear();
        }
        for (number, array) in arrays.iter().enumerate() {
            let query = self.shape.with_steps(steps_of(&array.segments).chain([Step::Items]), String::new());
            let Some(line) = query.as_ref().and_then(|query| query.lines.first()) else { continue };
            let mut why = vec![format!(
                "{} is an array of up to {}, which become fields with an index in their names ({}). With this line each object becomes a point, and nothing outside of the array is a field.",
                shown(&array.pattern),
                if array.longest == 1 { "1 object".to_owned() } else { format!("{} objects", array.longest) },
                shown(&format!("{}_0_...", array.pattern))
            )];
            if number == 0 && arrays.len() > 1 {
                why.push(format!(
                    "There are {} such arrays, and each topic has one mapping: points of several arrays need a bridge for each, with its own `group_id` and one of these lines.",
                    arrays.len()
                ));
            }
            self.out.suggest("query", line.value.clone(), why);
        }
    }

    fn name(&mut self) -> Option<&'p Key> {
        const NAMES_MAX: usize = 50;
        let is_name = |candidate: &Candidate<'_>| {
            let (key, objects) = (candidate.key, candidate.all);
            let (there, distinct) = (key.texts, key.distinct().unwrap_or(usize::MAX));
            let missing = objects.saturating_sub(there);
            candidate.depth() == 1
                && there > 0
                && (missing <= 1 || missing * 10 <= objects)
                && distinct <= NAMES_MAX
                && (distinct as u64 * 5 <= there || distinct <= 10)
                && !key.has_long_names()
        };
        let rank = |candidate: &Candidate<'_>| names::measurement_rank(candidate.key.name());
        let is_known = |c: &Candidate<'_>| self.shape.name == Some(c.key.pattern.as_str());
        let named =
            self.candidates().into_iter().filter(|c| is_known(c) || (rank(c).is_some() && is_name(c)));
        let best =
            named.filter(|c| c.selector().is_some()).min_by_key(|c| (!is_known(c), rank(c), c.is_outside()));
        let Some(best) = best else {
            let why = "The measurement is the name of the topic, because no key that looks like a name has strings with few values in all objects.";
            self.out.suggest("measurement", "{topic}", vec![why.to_owned()]);
            return None;
        };
        let missing = best.all.saturating_sub(best.key.texts);
        let without = match missing {
            0 => String::new(),
            count => format!("; the {} without it use the name of the topic", grouped(count)),
        };
        let why = format!(
            "{} is a string in {}{}: its value is the measurement{without}.",
            best.shown(),
            self.share(best.key.texts, &best),
            values(best.key)
        );
        self.out.set("name_key", best.selector().unwrap_or_default(), vec![why]);
        Some(best.key)
    }

    fn integers(&mut self) {
        let numbers = || self.seen.keys.iter().filter(|key| key.whole > 0);
        let is_mixed = |key: &Key| key.whole > 0 && key.fractions > 0;
        let rounded: Vec<String> = numbers()
            .filter(|key| key.rounded > 0 && key.timestamps == 0)
            .map(|key| shown(&key.pattern))
            .collect();
        if numbers().next().is_none() || self.seen.keys.iter().any(is_mixed) {
            if !rounded.is_empty() {
                self.out.notes.push(format!(
                    "{} has integers that a float rounds. `integers = \"int\"` is no solution, because other keys have integers and fractions.",
                    joined(&rounded)
                ));
            }
            return;
        }
        let mut why = vec!["No key has both integers and fractions. With this line integers stay exact. Use it only if these fields never have a fraction, because InfluxDB gives each field one permanent type.".to_owned()];
        if !rounded.is_empty() {
            why.push(format!("As floats, the values of {} are rounded.", joined(&rounded)));
        }
        self.out.suggest("integers", "int", why);
    }

    fn absent(&mut self) {
        let has_value = |key: &Key| key.numbers() + key.strings() + key.booleans + key.empty > 0;
        let reshape = &self.shape.rules.reshape;
        let is_list =
            |key: &Key| reshape.pivot.iter().any(|pivot| pivot.list == PivotList::Key(key.pattern.clone()));
        let is_never = |key: &&Key| !has_value(key) && !is_list(key);
        let never: Vec<String> =
            self.seen.keys.iter().filter(is_never).map(|key| shown(&key.pattern)).collect();
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
                "The records have more than {} different keys, and only these were examined. Values may be used as keys. Each key becomes a field; select the wanted ones with `include`.",
                grouped(KEYS_MAX as u64)
            ));
        }
    }

    fn counted(&self, count: u64, candidate: &Candidate<'_>) -> String {
        let unit = if candidate.is_outside() { "record" } else { self.out.unit };
        counted(count, unit)
    }

    fn share(&self, there: u64, candidate: &Candidate<'_>) -> String {
        let all = self.counted(candidate.all, candidate);
        if there >= candidate.all { format!("all {all}") } else { format!("{} of {all}", grouped(there)) }
    }
}

impl Key {
    /// Whether values are too long for names.
    fn has_long_names(&self) -> bool {
        self.values().iter().any(|value| value.chars().count() > 64 || value.starts_with('#'))
    }
}
