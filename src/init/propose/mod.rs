//! Proposes the mapping of a topic's records.

mod influx;
mod strings;
mod time;

use super::key::{INDEX, Key};
use super::observe::{ArrayKey, KEYS_MAX, Observation};
use super::proposal::Proposal;
use super::shape::path_of;
use super::text::{joined, shown, values};
use super::{Sample, Shape, names};
use base::text::grouped;
use mapping::{Csv, Format};

/// None if the sample has no objects.
pub fn propose(sample: &Sample, now_ns: i64) -> Option<Proposal> {
    let whole = Shape::whole(sample);
    if whole.format == Format::Influx {
        return Some(influx::propose(sample, now_ns));
    }
    let root = Observation::of(&sample.records, &whole);
    let array = root.points_array(&whole);
    let shape = array.as_ref().map_or(&whole, |(shape, _)| shape);
    let within = array.as_ref().map(|_| Observation::of(&sample.records, shape));
    let seen = within.as_ref().unwrap_or(&root);
    if seen.objects == 0 {
        return None;
    }
    let unit = if within.is_none() && seen.objects == seen.records { "record" } else { "object" };
    let mut proposal = Proposal::new(unit);
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
    /// With a query, the records that contain the objects.
    root: Option<&'p Observation>,
    array: Option<&'p ArrayKey>,
    now_ns: i64,
    out: &'p mut Proposal,
}

/// A key that a mapping can name.
#[derive(Clone, Copy)]
struct Candidate<'p> {
    key: &'p Key,
    of: &'p Observation,
    /// Whether the key is in the record, outside of the objects.
    is_root: bool,
}

impl Candidate<'_> {
    /// The value for `name_key` or `time_key`.
    fn selector(&self) -> Option<String> {
        if self.is_root {
            return path_of(&self.key.segments);
        }
        let pattern = &self.key.pattern;
        (!pattern.starts_with('$') && !pattern.contains(INDEX)).then(|| pattern.clone())
    }
}

impl<'p> Proposer<'p> {
    /// Keys of the objects, then keys of the records that contain them.
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
        if shape.format != Format::default() {
            let why = if shape.format.is_json() {
                "Records hold several JSON values, one a line.".to_owned()
            } else if shape.schemas.is_some() {
                format!("Records are {}, with the frame of a schema registry.", shape.format.title())
            } else {
                format!("Records are {}.", shape.format.title())
            };
            self.out.set("format", shape.format.name(), vec![why]);
        }
        let text = |byte: u8| toml::Value::from(char::from(byte).to_string());
        let comment = shape.csv.comment.map(|byte| ("comment".to_owned(), text(byte)));
        let delimiter = Some(shape.csv.delimiter).filter(|byte| *byte != Csv::default().delimiter);
        let delimiter = delimiter.map(|byte| ("delimiter".to_owned(), text(byte)));
        let csv: toml::Table = comment.into_iter().chain(delimiter).collect();
        if !csv.is_empty() {
            self.out.set("csv", csv, vec![]);
        }
        if let (Some((query, _)), Some(array)) = (&shape.query, self.array) {
            let why = format!(
                "All numbers of a record are in the array {}: each of its objects becomes a point, {} in {} records. Keys that begin with \"$\" are paths from the root of the record.",
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
                "{} is an array of up to {} objects, which become fields with an index in their names ({}). With this line each object becomes a point, and keys outside of the array only tags.",
                shown(&array.pattern),
                array.longest,
                shown(&format!("{}_0_...", array.pattern))
            );
            self.out.suggest("query", format!("{path}[*]"), vec![why]);
        }
        if self.seen.others > 0 && shape.format.is_strict() {
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
            let why = "The measurement is the name of the topic, because no key that looks like a name has strings with few values in all objects.";
            self.out.suggest("measurement", "{topic}", vec![why.to_owned()]);
            return None;
        };
        let missing = best.of.objects.saturating_sub(best.key.texts);
        let without = match missing {
            0 => String::new(),
            count => format!("; the {} without it use the name of the topic", grouped(count)),
        };
        let why = format!(
            "{} is a string in {}{}: its value is the measurement{without}.",
            shown(&best.key.pattern),
            self.share(best.key.texts, best.of.objects, best.is_root),
            values(best.key)
        );
        self.out.set("name_key", best.selector().unwrap_or_default(), vec![why]);
        Some(best.key)
    }

    fn integers(&mut self) {
        let numbers = || self.seen.keys.iter().filter(|key| key.whole > 0);
        let is_mixed = |key: &Key| key.whole > 0 && key.fractions > 0;
        let rounded: Vec<String> = numbers()
            .filter(|key| key.is_rounded && key.timestamps == 0)
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
                "The records have more than {} different keys, and only these were examined. Values may be used as keys. Each key becomes a field; select the wanted ones with `include`.",
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

impl Key {
    /// Whether values are too long for names.
    fn has_long_names(&self) -> bool {
        self.values().iter().any(|value| value.chars().count() > 64 || value.starts_with('#'))
    }
}
