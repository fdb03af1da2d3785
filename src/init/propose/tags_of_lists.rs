//! Proposes `tags` from lists of names and values beside the objects, such as the attributes of a resource: by the place of a name in its
//! list.

use super::super::class::{Class, class};
use super::super::key::{Key, Segment};
use super::super::names;
use super::super::observe::{Observation, pattern};
use super::super::shape::{Outside, path_of, steps_of};
use super::super::text::{joined, shown};
use super::Proposer;
use mapping::decode::Query;
use toml::Value;

/// Places of a list that are examined; each reads the sample once.
const PLACES_MAX: usize = 16;

/// A list of names and values beside the objects.
pub(super) struct NameList<'k> {
    list: &'k [Segment],
    pub(super) outside: Outside,
}

impl<'p> Proposer<'p> {
    /// Returns the patterns of the lists.
    pub(super) fn lists_beside(&mut self) -> Vec<String> {
        let mut lists = Vec::new();
        for (key, NameList { list, outside }) in self.lists_of_names() {
            self.list(list, key.name(), &outside);
            lists.push(pattern(list));
        }
        lists
    }

    /// The lists of names and values beside the objects, each with the key of its names.
    pub(super) fn lists_of_names(&self) -> Vec<(&'p Key, NameList<'p>)> {
        let keys = self.root.into_iter().flat_map(|root| &root.keys);
        keys.filter_map(|key| Some((key, self.list_of(key)?))).collect()
    }

    /// The list of names and values that has its names under this key; none for other keys.
    fn list_of<'k>(&self, key: &'k Key) -> Option<NameList<'k>> {
        let [list @ .., Segment::Index, Segment::Key(name)] = &key.segments[..] else { return None };
        let is_list = names::is_item_name(name)
            && key.texts > 0
            && key.numbers() == 0
            && !self.shape.takes_lists()
            && !self.shape.is_within(&key.segments)
            && !self.is_ignored(key);
        // A list on the way to the objects is none beside them.
        let is_on_the_way = list.len() <= self.shape.steps.len()
            && self.shape.steps.iter().zip(list).all(|(step, segment)| step.leads_to(segment));
        let outside = self.shape.outside(list).filter(|_| is_list && !is_on_the_way)?;
        let has_value = |other: &&Key| {
            let within = other.segments.get(list.len() + 1..).unwrap_or_default();
            other.segments.starts_with(list)
                && !within.is_empty()
                && !within.contains(&Segment::Index)
                && names::is_item_value(other.name())
        };
        self.root?.keys.iter().any(|other| has_value(&other)).then_some(NameList { list, outside })
    }

    /// Proposes the tags of one list; a name without a fixed place is only named.
    fn list(&mut self, list: &[Segment], name: &str, outside: &Outside) {
        let (mut tags, mut left, mut moved) = (toml::Table::new(), Vec::new(), Vec::new());
        // One place more shows whether the list goes on.
        for place in 0..=PLACES_MAX {
            let Some(seen) = self.items_at(list, place) else { return };
            if seen.objects == 0 {
                break;
            }
            if place == PLACES_MAX {
                left.push(format!("all after the first {PLACES_MAX}"));
                break;
            }
            let names: Vec<&str> = seen.key(name).map(Key::values).unwrap_or_default();
            let is_value = |key: &&Key| names::is_item_value(key.name()) && !key.is_indexed();
            let values: Vec<&Key> = seen.keys.iter().filter(is_value).collect();
            let [of_name] = names[..] else {
                moved.extend(names.into_iter().map(shown));
                continue;
            };
            let as_tag = match values[..] {
                [value] => {
                    let attribute = value.within(&[Segment::Key(of_name.to_owned())]);
                    path_of(&value.segments).filter(|_| class(&attribute, seen.objects) == Class::Tag)
                }
                _ => None,
            };
            match as_tag {
                Some(path) => {
                    let placeholder = format!("{{{}[{place}]{path}}}", outside.selector);
                    tags.insert(of_name.to_owned(), Value::from(placeholder));
                }
                None => left.push(shown(of_name)),
            }
        }
        let named = shown(&outside.selector);
        if !tags.is_empty() {
            let why = format!(
                "{named} is a list of names and values beside the objects. In the sample each of these names has always the same place in it; if a producer changes the order, the tags are wrong."
            );
            self.out.add("tags", tags, vec![why]);
        }
        moved.sort();
        moved.dedup();
        if !moved.is_empty() {
            self.out.cautions.push(format!(
                "{named} is a list of names and values that says what the objects are of ({}), and the place of these names differs, so that no tag selects them: the points of different sources have the same series. Let the producer write them into each object, such as with the transform processor of the OpenTelemetry Collector.",
                joined(&moved)
            ));
        }
        left.extend(moved);
        if !left.is_empty() {
            left.sort();
            left.dedup();
            self.out.notes.push(format!(
                "Not stored, from the list {named} beside the objects: {}, because their values are no names, or their place in the list differs.",
                joined(&left)
            ));
        }
    }

    /// The items at one place of the list.
    fn items_at(&self, list: &[Segment], place: usize) -> Option<Observation> {
        let mut shape = self.shape.root()?.with_steps(steps_of(list), String::new())?;
        let query = shape.query()?;
        shape.rules.query = Query::parse(&format!("{query}[{place}]")).ok()?;
        Some(Observation::of(self.records, &shape, self.now_ns))
    }
}
