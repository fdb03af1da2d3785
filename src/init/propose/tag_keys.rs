//! Proposes `tag_keys`, `string_fields` and `number_fields`.

use super::super::class::{Class, class, glob};
use super::super::key::{DISTINCT_MAX, INDEX, Key, Segment};
use super::super::names;
use super::super::proposal::NO_TAGS;
use super::super::shape::Outside;
use super::super::text::{NAMED_MAX, few, joined, limited, shown, values};
use super::{Candidate, Proposer};
use base::text::grouped;
use mapping::Globs;
use std::collections::BTreeSet;
use toml::Value;

impl<'p> Proposer<'p> {
    pub(super) fn strings(&mut self, taken: &[&Key]) {
        let is_taken = |key: &Key| taken.iter().any(|taken| std::ptr::eq(*taken, key));
        let of_class = |wanted: &[Class], of: &Self| -> Vec<Candidate<'p>> {
            let candidates = of.candidates().into_iter().filter(|c| !is_taken(c.key));
            candidates.filter(|c| wanted.contains(&of.class(c))).collect()
        };
        let (tags, others): (Vec<_>, Vec<_>) =
            of_class(&[Class::Tag], self).into_iter().partition(|tag| self.may_be_tag(tag));
        let tags = self.with_numbers_of_sources(tags, taken);
        self.tags(&tags);
        let within = |candidates: Vec<Candidate<'p>>| -> Vec<&'p Key> {
            candidates.into_iter().filter(|c| !c.is_outside()).map(|c| c.key).collect()
        };
        let fields = within(of_class(&[Class::Field], self));
        self.fields(&fields);
        let mut many = within(of_class(&[Class::Many, Class::Identifier], self));
        many.extend(within(others));
        self.many(&fields, &many);
        self.numbers(&within(of_class(&[Class::Number], self)));
        self.numbers_or_nothing(&within(of_class(&[Class::NumberOrNothing], self)));
        self.numbers_or_texts(&within(of_class(&[Class::NumberOrText], self)));
        let mixed = within(of_class(&[Class::Mixed], self));
        if !mixed.is_empty() {
            self.one_type(&mixed);
        }
        self.telegraf();
        self.warn_of_sources(&tags, taken);
    }

    /// The class of a key. All keys of an envelope that are not its own are attributes.
    pub(super) fn class(&self, candidate: &Candidate<'_>) -> Class {
        let key = candidate.key;
        let is_attribute = !self.shape.own.is_empty()
            && !candidate.is_outside()
            && !key.is_indexed()
            && !self.own.is_match(&key.pattern);
        let is_label = self.shape.labels.contains(&key.pattern);
        if key.values_count() > 0 && (is_attribute || is_label || self.known_tags.is_match(&key.pattern)) {
            return Class::Tag;
        }
        match candidate.outside.as_ref().and_then(|outside| key.segments.len().checked_sub(outside.depth)) {
            // What counts is the path from the selected parent.
            Some(start) => class(&key.within(key.segments.get(start..).unwrap_or_default()), candidate.all),
            None => class(key, candidate.all),
        }
    }

    /// Whether the key can be a tag. The glob for an array's elements must not match other keys.
    fn may_be_tag(&self, tag: &Candidate<'_>) -> bool {
        if tag.is_outside() {
            return true;
        }
        let Ok(globs) = Globs::compile(&[glob(&tag.key.pattern)]) else { return false };
        let is_other =
            |key: &&Key| key.pattern != tag.key.pattern && globs.is_match(&flattened(&key.pattern));
        !self.seen.keys.iter().any(|key| is_other(&key))
    }

    fn tags(&mut self, tags: &[Candidate<'p>]) {
        if tags.is_empty() && self.names.is_empty() {
            self.out.warn(format!("{NO_TAGS}, because no key has strings with few values."));
            return;
        }
        let of_names = self.names.iter().map(|(key, outside)| {
            format!("- {:?}, the name under which the object stands{}", outside.selector, values(key))
        });
        let of_keys = tags.iter().map(|tag| {
            let strings = tag.key.strings();
            let count = if strings > 0 { strings } else { tag.key.values_count() };
            let there = self.share(count.min(tag.key.objects), tag);
            let what = if tag.key.strings() > 0 {
                values(tag.key)
            } else {
                ", a number that identifies the source".to_owned()
            };
            format!("- {}: in {there}{what}", tag.shown())
        });
        let named: Vec<String> = of_names.chain(of_keys).collect();
        let mut why = vec![
            "Strings with few values, for filtering and grouping. Each combination of values is a series."
                .to_owned(),
        ];
        why.extend(limited(&named));
        self.count_combinations(tags);
        self.note_sources(tags);
        self.set_tags(tags, why);
    }

    /// Names the number of sources where it is large.
    fn note_sources(&mut self, tags: &[Candidate<'p>]) {
        /// With fewer series nobody has to plan.
        const MANY: u64 = 100;
        for tag in tags {
            let count = tag.key.different().max(tag.key.distinct_numbers().unwrap_or(DISTINCT_MAX) as u64);
            if count > MANY {
                self.out.notes.push(format!(
                    "{} has {} values in the sample, and each source is a series: plan InfluxDB's memory for the number of all sources.",
                    tag.shown(),
                    grouped(count)
                ));
            }
        }
    }

    /// Counts the combinations of values, and lists the tags that still got new values at the end of the sample.
    fn count_combinations(&mut self, tags: &[Candidate<'p>]) {
        let keys = self.names.iter().map(|(key, _)| (key, self.seen.objects));
        for (key, all) in keys.chain(tags.iter().map(|tag| (tag.key, tag.all))) {
            let numbers = key.distinct_numbers().unwrap_or(DISTINCT_MAX);
            let (late, distinct) = (key.late(all), key.distinct().unwrap_or(DISTINCT_MAX).max(numbers));
            self.out.combinations *= distinct.max(1) as f64;
            if distinct > 20 && late * 5 > distinct {
                self.out.growing.push(shown(&key.pattern));
            }
        }
    }

    /// Sets `tag_keys`, and `tags` for those that need another name than that of their key.
    fn set_tags(&mut self, tags: &[Candidate<'p>], why: Vec<String>) {
        let (mut keys, mut named_tags) = (Vec::new(), toml::Table::new());
        let mut named_tag = |outside: &Outside| {
            let placeholder = format!("{{{}}}", outside.selector);
            named_tags.insert(outside.name.clone(), Value::from(placeholder));
        };
        for (number, (_, outside)) in self.names.iter().enumerate() {
            if number == 0 {
                keys.push(outside.selector.clone());
            } else {
                // The tags of all names would be called "key".
                named_tag(outside);
            }
        }
        for tag in tags {
            match &tag.outside {
                // The path of a list's first item would make the name "0_bn".
                Some(outside) if self.shape.takes_lists() || outside.is_renamed => named_tag(outside),
                Some(outside) => keys.push(outside.selector.clone()),
                None => keys.push(self.tags_object(tag.key, tags).unwrap_or_else(|| glob(&tag.key.pattern))),
            }
        }
        let mut named = BTreeSet::new();
        keys.retain(|key| named.insert(key.clone()));
        if !keys.is_empty() {
            self.out.set("tag_keys", keys, why);
        }
        if !named_tags.is_empty() {
            let why = if self.shape.takes_lists() {
                "The first item of each list has these values for all items."
            } else {
                "The names under which parents of an object stand, and values of parents under a key that something else has, too."
            };
            self.out.set("tags", named_tags, vec![why.to_owned()]);
        }
    }

    /// The glob for all keys of an object such as "tags", if all of them are tags. It includes tags that the sample lacks.
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
        let mut why = vec!["States, messages and booleans are stored as fields. As tags, each change would start a new series.".to_owned()];
        if fields.len() > NAMED_MAX {
            why.push(format!(
                "{} further keys are left out: add the ones that you need.",
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
            "Not stored: {} with many values or with a value per record ({}). As fields they need only disk space; as tags each value would be a series. To store them as fields:",
            if many.len() == 1 { "a string" } else { "strings" },
            joined(&named)
        )];
        let keys = globs_of(fields.iter().chain(many).take(NAMED_MAX));
        self.out.warnings.push(format!("Not stored: texts with many values: {}.", few(&named)));
        self.out.suggest("string_fields", keys, why);
    }

    fn numbers(&mut self, numbers: &[&Key]) {
        if !numbers.is_empty() {
            let why = "Numbers in quotes, in all or some objects, are stored as numbers.".to_owned();
            self.out.set("number_fields", globs_of(numbers.iter()), vec![why]);
        }
    }

    fn numbers_or_nothing(&mut self, numbers: &[&Key]) {
        if numbers.is_empty() {
            return;
        }
        let text = |text: &String| (text.clone(), Value::from(""));
        let absent = |key: &Key| Value::Table(key.no_value_texts.iter().map(text).collect());
        let values: toml::Table = numbers.iter().map(|key| (glob(&key.pattern), absent(key))).collect();
        let types: toml::Table =
            numbers.iter().map(|key| (glob(&key.pattern), Value::from("float"))).collect();
        let why =
            "Numbers, except for texts that say that there is none: these leave the field out.".to_owned();
        self.out.add("values", values, vec![why]);
        let why =
            "All other texts of these fields are dropped and counted, so that the field is always a number.";
        self.out.add("types", types, vec![why.to_owned()]);
    }

    fn numbers_or_texts(&mut self, keys: &[&Key]) {
        if keys.is_empty() {
            return;
        }
        let types: toml::Table = keys.iter().map(|key| (glob(&key.pattern), Value::from("float"))).collect();
        let named: Vec<String> =
            keys.iter().map(|key| format!("{}{}", shown(&key.pattern), values(key))).collect();
        let why = format!(
            "Numbers in quotes and texts under one name: {}. InfluxDB gives each field one type, so only the numbers are stored, and the texts are dropped and counted.",
            joined(&named)
        );
        self.out.add("types", types, vec![why]);
    }

    /// Proposes `rename` for Telegraf's JSON, whose objects `fields` and `tags` have the wanted names.
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
            let why = "The records are Telegraf's JSON: the prefixes of names are removed.".to_owned();
            self.out.set("rename", rename, vec![why]);
        }
    }
}

fn globs_of<'k>(keys: impl Iterator<Item = &'k &'k Key>) -> Vec<String> {
    keys.map(|key| glob(&key.pattern)).collect()
}

/// The key that the mapper gives to the first element of an array.
fn flattened(pattern: &str) -> String {
    pattern.replace(INDEX, "0")
}
