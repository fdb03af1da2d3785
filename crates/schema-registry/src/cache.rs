//! Schemas that were read, and the state of those that are missing.

use mapping::{Lookup, MissingSchema, SchemaId};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Most ids that are kept.
const ENTRIES_MAX: usize = 1_000;
/// Most memory of the kept schemas.
const MEMORY_MAX: usize = 64 << 20;
/// Most ids that are asked for at a time. Records can claim any number of ids.
const ASKED_MAX: usize = 512;
/// Time for which a missing schema is asked for, although nobody wanted it any more.
const WANTED_FOR: Duration = Duration::from_secs(5);

/// Age from which the answer that an id is unknown, or that its schema is unusable, counts no more: the schema may have been registered
/// since, and a proxy may have garbled the answer.
const UNKNOWN_FOR: Duration = Duration::from_mins(1);

/// Interval of asking again for a schema that is there, because somebody wants to know whether the registry still has it.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Schemas by id.
#[derive(Debug, Default)]
pub struct Cache {
    entries: HashMap<SchemaId, Entry>,
    /// Memory of all schemas.
    memory: usize,
    /// Number of tasks that ask the registry.
    asking: usize,
}

#[derive(Debug)]
struct Entry {
    lookup: Lookup,
    wanted: Instant,
    /// When the registry last gave the schema.
    answered: Option<Instant>,
    /// Whether a task asks the registry for it.
    is_asking: bool,
    /// When a task last began to ask.
    asked_at: Option<Instant>,
    /// When the registry last answered, whatever the answer.
    checked: Option<Instant>,
}

impl Entry {
    fn memory(&self) -> usize {
        let of_lookup = match &self.lookup {
            Lookup::Ready(schema) => schema.memory(),
            Lookup::Unusable(why) => why.len(),
            Lookup::Missing(_) => 0,
        };
        of_lookup + size_of::<Self>()
    }

    fn is_wanted(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.wanted) < WANTED_FOR
    }
}

impl Cache {
    /// The state of an id, and whether a task has to begin to ask for it.
    pub fn find(&mut self, id: SchemaId, now: Instant) -> (Lookup, bool) {
        if !self.entries.contains_key(&id) {
            if self.asking >= ASKED_MAX {
                return (Lookup::Missing(MissingSchema::Awaited), false);
            }
            let lookup = Lookup::Missing(MissingSchema::Awaited);
            let entry = Entry {
                lookup,
                wanted: now,
                answered: None,
                is_asking: false,
                asked_at: None,
                checked: None,
            };
            self.insert(id, entry, now);
        }
        let Some(entry) = self.entries.get_mut(&id) else {
            return (Lookup::Missing(MissingSchema::Awaited), false);
        };
        entry.wanted = now;
        let is_old =
            entry.checked.is_some_and(|checked| now.saturating_duration_since(checked) >= UNKNOWN_FOR);
        let is_open = match entry.lookup {
            Lookup::Missing(_) => true,
            Lookup::Unusable(_) => is_old,
            Lookup::Ready(_) => false,
        };
        let begins = is_open && !entry.is_asking && self.asking < ASKED_MAX;
        if begins {
            if is_old {
                self.memory -= entry.memory();
                entry.lookup = Lookup::Missing(MissingSchema::Awaited);
                self.memory += entry.memory();
            }
            (entry.is_asking, entry.asked_at) = (true, Some(now));
            self.asking += 1;
        }
        (entry.lookup.clone(), begins)
    }

    /// Whether the registry has given a schema after `since`; and whether a task has to begin to ask for it.
    pub fn has_answered(&mut self, id: SchemaId, since: Instant, now: Instant) -> (bool, bool) {
        let (_, begins) = self.find(id, now);
        let Some(entry) = self.entries.get_mut(&id) else { return (false, begins) };
        if entry.answered.is_some_and(|answered| answered >= since) {
            return (true, begins);
        }
        let is_due = entry.asked_at.is_none_or(|at| now.saturating_duration_since(at) >= ASK_EVERY);
        let asks_again = is_due && !begins && !entry.is_asking && self.asking < ASKED_MAX;
        if asks_again {
            (entry.is_asking, entry.asked_at) = (true, Some(now));
            self.asking += 1;
        }
        (false, begins || asks_again)
    }

    /// Notes an answer. Returns whether the task goes on asking.
    pub fn answer(&mut self, id: SchemaId, lookup: Lookup, now: Instant) -> bool {
        let Some(mut entry) = self.entries.remove(&id) else { return false };
        self.memory -= entry.memory();
        entry.checked = Some(now);
        let is_there = !matches!(lookup, Lookup::Missing(_));
        if is_there {
            entry.answered = Some(now);
        }
        // A schema that was read stays usable, whatever the registry has forgotten, or a proxy has garbled, since.
        if matches!((&entry.lookup, &lookup), (Lookup::Missing(_), _) | (_, Lookup::Ready(_))) {
            entry.lookup = lookup;
        }
        let is_wanted = entry.is_wanted(now);
        let goes_on = matches!(entry.lookup, Lookup::Missing(_)) && is_wanted;
        if !goes_on {
            entry.is_asking = false;
            self.asking -= 1;
        }
        self.insert(id, entry, now);
        goes_on
    }

    /// Whether the task of a missing schema goes on asking. It ends if nobody wants the schema any more.
    pub fn keep_asking(&mut self, id: SchemaId, now: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        let is_wanted = entry.is_wanted(now);
        if !is_wanted {
            entry.is_asking = false;
            self.asking -= 1;
        }
        is_wanted
    }

    /// Number and memory of the schemas that are there.
    pub fn kept(&self) -> (usize, usize) {
        let is_there = |entry: &&Entry| !matches!(entry.lookup, Lookup::Missing(_));
        (self.entries.values().filter(is_there).count(), self.memory)
    }

    fn insert(&mut self, id: SchemaId, entry: Entry, now: Instant) {
        self.memory += entry.memory();
        self.entries.insert(id, entry);
        while self.entries.len() > ENTRIES_MAX || self.memory > MEMORY_MAX {
            // Entries with a task stay, so that each task ends in its entry. The new entry stays too: otherwise a schema larger than the
            // bound would never be there.
            let others = self.entries.iter().filter(|(other, entry)| **other != id && !entry.is_asking);
            // Missing ones first: they cost a request, and a schema in use costs the original of a dead letter.
            let age = |entry: &Entry| now.saturating_duration_since(entry.wanted);
            let oldest =
                others.max_by_key(|(_, entry)| (matches!(entry.lookup, Lookup::Missing(_)), age(entry)));
            let Some(oldest) = oldest.map(|(id, _)| *id) else { break };
            if let Some(removed) = self.entries.remove(&oldest) {
                self.memory -= removed.memory();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapping::{Schema, SchemaLanguage, SchemaText};

    fn schema(bytes: usize) -> Schema {
        let text = format!(r#"{{"type":"enum","name":"E","symbols":["{}"]}}"#, "x".repeat(bytes));
        SchemaText { language: SchemaLanguage::Avro, text, references: Vec::new() }.compile().unwrap()
    }

    fn has(cache: &Cache, id: SchemaId) -> bool {
        cache.entries.get(&id).is_some_and(|entry| matches!(entry.lookup, Lookup::Ready(_)))
    }

    #[test]
    fn the_schemas_that_were_wanted_longest_ago_make_room() {
        let (mut cache, start) = (Cache::default(), Instant::now());
        let at = |ms: u32| start + Duration::from_millis(ms.into());
        for id in 0..2_000 {
            assert!(cache.find(id, at(id)).1);
            assert!(!cache.answer(id, Lookup::Ready(schema(1)), at(id)));
            // One is used all the time.
            assert!(matches!(cache.find(0, at(id)).0, Lookup::Ready(_)));
        }
        assert_eq!(cache.kept().0, ENTRIES_MAX);
        assert!(has(&cache, 0) && has(&cache, 1_999) && has(&cache, 1_001) && !has(&cache, 1_000));
        for id in 3_000..3_010 {
            cache.find(id, at(id));
            cache.answer(id, Lookup::Ready(schema(10 << 20)), at(id));
        }
        let (_, memory) = cache.kept();
        assert!(
            memory <= MEMORY_MAX && has(&cache, 3_009) && has(&cache, 3_004) && !has(&cache, 3_003),
            "{memory}"
        );
        cache.find(1, at(4_000));
        cache.answer(1, Lookup::Ready(schema(MEMORY_MAX)), at(4_000));
        assert!(has(&cache, 1), "a schema larger than all memory is used once");
    }

    #[test]
    fn few_ids_are_asked_for_at_a_time() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let begun = (0..1_000_000_u32).step_by(1_000).filter(|id| cache.find(*id, now).1).count();
        assert_eq!((begun, cache.entries.len()), (ASKED_MAX, ASKED_MAX));
        assert!(!cache.find(0, now).1, "one task for each id");
        assert!(cache.answer(0, Lookup::Missing(MissingSchema::Unknown), now), "it is still wanted");
        let later = now + WANTED_FOR;
        assert!(!cache.keep_asking(0, later));
        let (lookup, begins) = cache.find(0, later);
        assert!(matches!(lookup, Lookup::Missing(MissingSchema::Unknown)) && begins, "{lookup:?}");
    }

    #[test]
    fn an_old_answer_that_an_id_is_unknown_counts_no_more() {
        let (mut cache, start) = (Cache::default(), Instant::now());
        let is_unknown = |lookup: &Lookup| matches!(lookup, Lookup::Missing(MissingSchema::Unknown));
        cache.find(1, start);
        cache.answer(1, Lookup::Missing(MissingSchema::Unknown), start);
        assert!(!cache.keep_asking(1, start + WANTED_FOR));
        let (soon, begins) = cache.find(1, start + WANTED_FOR);
        assert!(is_unknown(&soon) && begins);
        cache.answer(1, Lookup::Missing(MissingSchema::Unknown), start + WANTED_FOR);
        assert!(!cache.keep_asking(1, start + WANTED_FOR * 2));
        let (late, begins) = cache.find(1, start + WANTED_FOR + UNKNOWN_FOR);
        assert!(matches!(late, Lookup::Missing(MissingSchema::Awaited)) && begins, "{late:?}");
    }

    #[test]
    fn an_old_answer_without_a_usable_schema_counts_no_more() {
        let (mut cache, start) = (Cache::default(), Instant::now());
        let unusable = || Lookup::Unusable("a page".into());
        cache.find(1, start);
        assert!(!cache.answer(1, unusable(), start));
        let memory = cache.memory;
        let (soon, begins) = cache.find(1, start + UNKNOWN_FOR / 2);
        assert!(matches!(soon, Lookup::Unusable(_)) && !begins, "{soon:?}");
        let (late, begins) = cache.find(1, start + UNKNOWN_FOR);
        assert!(matches!(late, Lookup::Missing(MissingSchema::Awaited)) && begins, "{late:?}");
        assert!(!cache.answer(1, unusable(), start + UNKNOWN_FOR));
        assert_eq!(cache.memory, memory);
        cache.find(1, start + UNKNOWN_FOR * 2);
        cache.answer(1, Lookup::Ready(schema(1)), start + UNKNOWN_FOR * 2);
        assert!(has(&cache, 1));
    }

    #[test]
    fn a_schema_stays_whatever_the_registry_answers_later() {
        let (mut cache, start) = (Cache::default(), Instant::now());
        cache.find(1, start);
        cache.answer(1, Lookup::Ready(schema(1)), start);
        assert_eq!(cache.has_answered(1, start + ASK_EVERY, start + ASK_EVERY), (false, true));
        cache.answer(1, Lookup::Unusable("a page".into()), start + ASK_EVERY);
        assert!(has(&cache, 1));
    }

    #[test]
    fn a_schema_stays_when_the_registry_forgets_it_and_does_not_count_as_answered() {
        let (mut cache, start) = (Cache::default(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        cache.find(1, start);
        cache.answer(1, Lookup::Ready(schema(1)), start);
        assert_eq!(cache.has_answered(1, start, at(1)), (true, false));
        assert_eq!(cache.has_answered(1, at(1), at(4)), (false, false), "it was asked just now");
        assert_eq!(cache.has_answered(1, at(1), at(5)), (false, true), "it is asked again");
        assert_eq!(cache.has_answered(1, at(1), at(20)), (false, false), "it is being asked");
        assert!(!cache.answer(1, Lookup::Missing(MissingSchema::Unknown), at(21)));
        assert!(matches!(cache.find(1, at(21)), (Lookup::Ready(_), false)));
        assert_eq!(cache.has_answered(1, at(1), at(22)), (false, true));
        cache.answer(1, Lookup::Ready(schema(1)), at(23));
        assert_eq!(cache.has_answered(1, at(1), at(24)), (true, false));
    }
}
