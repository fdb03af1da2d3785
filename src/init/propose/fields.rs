//! Proposes `fields`: values that stand beside the objects that become points. Names what is not stored.

use super::super::class::Class;
use super::super::key::{INDEX, Key};
use super::super::names;
use super::super::shape::Outside;
use super::super::text::{few, joined, shown};
use super::{Candidate, Proposer};
use toml::Value;

impl<'p> Proposer<'p> {
    /// `taken`: the keys of the name and the time.
    pub(super) fn beside(&mut self, taken: &[&Key]) {
        let Some(root) = self.root else { return };
        let (mut stored, mut left, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for candidate in self.candidates() {
            let Some(outside) = candidate.outside.clone() else { continue };
            let is_taken = taken.iter().any(|taken| std::ptr::eq(*taken, candidate.key));
            if is_taken
                || self.out.names(&outside.selector)
                || candidate.key.values_count() == candidate.key.empty
            {
                continue;
            }
            let class = self.class(&candidate);
            if !self.is_measured(&candidate, class) {
                left.push(outside);
                continue;
            }
            if matches!(class, Class::Number | Class::NumberOrNothing | Class::NumberOrText | Class::Mixed) {
                numbers.push(outside.name.clone());
            }
            stored.push(outside);
        }
        let lists = self.lists_beside();
        self.store(&stored, &numbers);
        self.leave(&stored, &left);
        let is_unreachable = |key: &&Key| {
            key.values_count() > 0
                && !self.is_ignored(key)
                && !self.excluded.is_match(&key.pattern)
                && !self.shape.is_within(&key.segments)
                && self.shape.outside(&key.segments).is_none()
                && !lists.iter().any(|list| key.pattern.starts_with(&format!("{list}_{INDEX}_")))
        };
        let unreachable: Vec<String> =
            root.keys.iter().filter(is_unreachable).map(|key| shown(&key.pattern)).collect();
        if !self.shape.takes_lists() && !unreachable.is_empty() {
            self.out.warnings.push(format!("Not stored: what stands in other lists: {}.", few(&unreachable)));
            self.out.notes.push(format!(
                "Not stored, because they stand in other lists: {}. Each topic has one mapping; another bridge, with its own `group_id`, can store them with another `query`.",
                joined(&unreachable)
            ));
        }
        let is_of_message = |key: &&Key| {
            let is_excluded =
                self.excluded.is_match(&key.pattern) && self.shape.outside(&key.segments).is_none();
            key.values_count() > 0
                && !self.shape.is_within(&key.segments)
                && (self.is_ignored(key) || is_excluded)
        };
        let of_message: Vec<String> =
            root.keys.iter().filter(is_of_message).map(|key| shown(&key.pattern)).collect();
        if !of_message.is_empty() {
            let named = joined(&of_message);
            self.out.notes.push(format!("Not stored, because they describe the message: {named}."));
        }
    }

    /// Whether a value is measured or a state, instead of a time or a number about the message.
    fn is_measured(&self, candidate: &Candidate<'p>, class: Class) -> bool {
        let key = candidate.key;
        match class {
            Class::Field => !names::is_record_identifier(key.name()) && !self.excluded.is_match(&key.pattern),
            Class::Nothing | Class::Number | Class::NumberOrNothing | Class::NumberOrText | Class::Mixed => {
                let is_about_message = key.is_time || names::is_bookkeeping(key.name());
                !is_about_message && !self.excluded.is_match(&key.pattern)
            }
            Class::Tag | Class::Many | Class::Identifier => false,
        }
    }

    fn store(&mut self, stored: &[Outside], numbers: &[String]) {
        if stored.is_empty() {
            return;
        }
        let why = "Values beside the objects: each point of a record has them. Remove the ones that you do not need.";
        self.out.add("fields", table(stored), vec![why.to_owned()]);
        if !numbers.is_empty() {
            let types = numbers.iter().map(|name| (name.clone(), Value::from("float"))).collect();
            let why = "Numbers in quotes are stored as numbers; other texts of these fields are dropped and counted.";
            self.out.add("types", types, vec![why.to_owned()]);
        }
    }

    fn leave(&mut self, stored: &[Outside], left: &[Outside]) {
        if left.is_empty() {
            return;
        }
        let named: Vec<String> = left.iter().map(|outside| shown(&outside.selector)).collect();
        let why = format!(
            "Not stored: values beside the objects that are about the message, or differ for each record ({}). To store them as fields, or as tags where they identify the source:",
            joined(&named)
        );
        let of_objects = few(&named);
        self.out.warnings.push(format!("Not stored: values beside the objects: {of_objects}."));
        let all: Vec<Outside> = stored.iter().chain(left).cloned().collect();
        self.out.suggest("fields", table(&all), vec![why]);
    }
}

fn table(values: &[Outside]) -> toml::Table {
    values.iter().map(|value| (value.name.clone(), Value::from(value.selector.clone()))).collect()
}
