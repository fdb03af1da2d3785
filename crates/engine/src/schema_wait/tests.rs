use super::*;
use base::alarm::{Alarm, AlarmListener};
use mapping::{Schema, SchemaFailure, SchemaLanguage, SchemaText};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
struct Registry {
    lookups: Mutex<BTreeMap<SchemaId, Lookup>>,
    /// When the registry last gave each schema.
    answered: Mutex<BTreeMap<SchemaId, Instant>>,
    wanted: Mutex<Vec<SchemaId>>,
}

impl Registry {
    fn set(&self, id: SchemaId, lookup: Lookup) {
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner).insert(id, lookup);
    }

    fn answers(&self, id: SchemaId, now: Instant) {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).insert(id, now);
    }
}

impl Schemas for Registry {
    fn find(&self, id: SchemaId) -> Lookup {
        self.wanted.lock().unwrap().push(id);
        self.lookups.lock().unwrap().get(&id).cloned().unwrap_or(Lookup::Missing(MissingSchema::Awaited))
    }

    fn has_answered(&self, id: SchemaId, since: Instant) -> bool {
        self.answered.lock().unwrap().get(&id).is_some_and(|answered| *answered >= since)
    }
}

#[derive(Default)]
struct Reports(Mutex<Vec<String>>);

impl AlarmListener for Reports {
    fn raised(&self, alarm: &Alarm) {
        self.0.lock().unwrap().push(format!("{}: {}; {}", alarm.cause, alarm.why, alarm.remedy));
    }

    fn resolved(&self, alarm: &Alarm, _: Duration) {
        self.0.lock().unwrap().push(format!("{} resolved", alarm.cause));
    }
}

fn schema() -> Schema {
    SchemaText { language: SchemaLanguage::Avro, text: "\"int\"".to_owned(), references: Vec::new() }
        .compile()
        .unwrap()
}

fn failed() -> MissingSchema {
    let failure = SchemaFailure { why: "it does not answer".to_owned(), remedy: "start it".to_owned() };
    MissingSchema::Failed(Arc::new(failure))
}

const UNKNOWN: Lookup = Lookup::Missing(MissingSchema::Unknown);
const MAX: Duration = Duration::from_mins(10);

fn wait() -> (Arc<Registry>, SchemaWait) {
    let registry = Arc::<Registry>::default();
    let source = SchemaSource::new(registry.clone(), "http://r", MAX);
    (registry, SchemaWait::new(Some(source)))
}

fn begin(
    wait: &mut SchemaWait,
    id: SchemaId,
    why: &MissingSchema,
    known: Option<SchemaId>,
    now: Instant,
) -> bool {
    wait.begin((id, why), (3, 12), known, now)
}

#[test]
fn a_topic_waits_until_its_schema_is_there() {
    let (registry, mut wait) = wait();
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    assert!(begin(&mut wait, 7, &MissingSchema::Awaited, None, start) && wait.is_waiting());
    for why in [MissingSchema::Awaited, failed(), MissingSchema::Unknown] {
        registry.set(7, Lookup::Missing(why));
        assert!(!wait.is_over(at(1)));
    }
    registry.set(7, Lookup::Ready(schema()));
    wait.postpone(at(2));
    assert!(!wait.is_over(at(2)) && wait.is_over(at(3)));
    wait.end(at(3));
    assert!(!wait.is_waiting());
    // A schema that no value can be read with ends the wait too: its records are rejected.
    begin(&mut wait, 8, &MissingSchema::Awaited, None, at(4));
    registry.set(8, Lookup::Unusable("why".into()));
    assert!(wait.is_over(at(4)));
    wait.end(at(4));
    begin(&mut wait, 9, &MissingSchema::Awaited, None, at(5));
    assert!(!wait.is_over(at(5)));
    wait.lift();
    assert!(wait.is_over(at(5)), "a reload without changes reads the topic again");
}

#[test]
fn an_unknown_id_is_given_up_only_if_the_registry_gives_another_schema_of_the_topic() {
    let (registry, mut wait) = wait();
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    registry.set(7, UNKNOWN);
    registry.answers(1, start);
    assert!(begin(&mut wait, 7, &MissingSchema::Unknown, Some(1), at(10)));
    assert!(!wait.is_over(at(10)));
    assert!(
        !wait.is_over(at(100_000)),
        "the other schema was given before the wait: it may be another registry now"
    );
    registry.answers(1, at(100_001));
    // A failure in between says nothing about the id.
    registry.set(7, Lookup::Missing(failed()));
    assert!(!wait.is_over(at(100_002)));
    registry.set(7, UNKNOWN);
    assert!(wait.is_over(at(100_003)));
    wait.end(at(100_003));
    assert!(!begin(&mut wait, 7, &MissingSchema::Unknown, Some(1), at(100_004)), "its records are rejected");
    assert!(
        !begin(&mut wait, 9, &MissingSchema::Unknown, Some(1), at(103_000)),
        "others too, within the hour"
    );
    // An id that was not asked for yet is asked for.
    assert!(begin(&mut wait, 9, &MissingSchema::Awaited, Some(1), at(103_000)));
    registry.set(9, UNKNOWN);
    assert!(wait.is_over(at(103_001)));
    wait.end(at(103_001));
    assert!(begin(&mut wait, 9, &MissingSchema::Unknown, Some(1), at(103_700)), "the hour is over");
}

#[test]
fn an_unknown_id_waits_at_least_as_long_as_configured() {
    let (registry, mut wait) = wait();
    let start = Instant::now();
    registry.set(7, UNKNOWN);
    registry.answers(1, start);
    begin(&mut wait, 7, &MissingSchema::Awaited, Some(1), start);
    assert!(!wait.is_over(start));
    registry.answers(1, start + Duration::from_secs(1));
    assert!(!wait.is_over(start + MAX.saturating_sub(Duration::from_secs(1))));
    assert!(wait.is_over(start + MAX));
}

#[test]
fn schemas_of_the_records_behind_show_that_the_registry_is_right() {
    let (registry, mut wait) = wait();
    let start = Instant::now();
    registry.set(7, UNKNOWN);
    begin(&mut wait, 7, &MissingSchema::Unknown, None, start);
    for id in (0..200_u32).chain([7]) {
        wait.note_unsettled(|| Some(id));
    }
    wait.note_unsettled(|| None);
    let wanted = registry.wanted.lock().unwrap().clone();
    assert_eq!(wanted.len(), OTHERS_MAX, "each costs a request");
    assert!(!wanted.contains(&7));
    assert!(!wait.is_over(start) && !wait.is_over(start + MAX));
    registry.answers(3, start + MAX);
    assert!(wait.is_over(start + MAX));
}

#[test]
fn a_topic_with_an_unknown_id_is_read_ahead() {
    let (registry, mut wait) = wait();
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    assert!(begin(&mut wait, 7, &MissingSchema::Awaited, None, start));
    assert!(wait.is_paused() && !wait.begins_to_read_ahead(at(60)), "the registry has not answered");
    registry.set(7, UNKNOWN);
    assert!(!wait.is_over(at(100)) && wait.is_paused());
    assert!(!wait.begins_to_read_ahead(at(109)));
    assert!(wait.begins_to_read_ahead(at(110)) && !wait.is_paused());
    (0..AHEAD_MAX).for_each(|_| wait.note_unsettled(|| Some(7)));
    assert!(wait.is_paused() && !wait.begins_to_read_ahead(at(119)), "at most so many are read in this time");
    assert!(wait.begins_to_read_ahead(at(120)));
    for id in (0..OTHERS_MAX as u32).map(|id| 100 + id) {
        registry.set(id, UNKNOWN);
        wait.note_unsettled(|| Some(id));
    }
    // Other wrong ids leave room for a right one.
    assert!(wait.begins_to_read_ahead(at(130)));
    wait.note_unsettled(|| Some(1));
    registry.set(1, Lookup::Ready(schema()));
    registry.answers(1, at(131));
    assert!(
        !wait.begins_to_read_ahead(at(140)) && wait.is_paused(),
        "the registry has a schema of the topic"
    );
    registry.answers(1, at(140));
    assert!(wait.is_over(at(100) + MAX));
}

/// The schema stays readable, but shows nothing about an id that the registry does not know.
#[test]
fn a_schema_that_the_registry_forgot_does_not_keep_the_topic_from_being_read_ahead() {
    let (registry, mut wait) = wait();
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    registry.answers(1, start);
    registry.set(1, Lookup::Ready(schema()));
    registry.set(7, UNKNOWN);
    assert!(begin(&mut wait, 7, &MissingSchema::Unknown, Some(1), at(10)));
    assert!(!wait.is_over(at(10)));
    assert!(wait.begins_to_read_ahead(at(20)) && !wait.is_paused(), "no schema was given since");
    // Forgotten schemas leave room for the id of a corrected producer.
    for id in (0..OTHERS_MAX as u32).map(|id| 100 + id) {
        registry.set(id, Lookup::Ready(schema()));
        wait.note_unsettled(|| Some(id));
    }
    assert!(wait.begins_to_read_ahead(at(30)));
    registry.set(2, Lookup::Ready(schema()));
    registry.answers(2, at(31));
    wait.note_unsettled(|| Some(2));
    assert!(!wait.begins_to_read_ahead(at(40)) && wait.is_paused());
    assert!(wait.is_over(at(10) + MAX));
}

#[test]
fn alarms_name_id_topic_partition_and_offset() {
    let (registry, mut wait) = wait();
    let (reports, start) = (Arc::new(Reports::default()), Instant::now());
    let alarms = AlarmRegistry::new(reports.clone());
    let shown = || std::mem::take(&mut *reports.0.lock().unwrap());
    begin(&mut wait, 7, &MissingSchema::Awaited, None, start);
    wait.alarm("metrics", &alarms, start);
    assert_eq!(shown(), [""; 0], "the first request is under way");
    registry.set(7, Lookup::Missing(failed()));
    wait.is_over(start);
    wait.alarm("metrics", &alarms, start);
    let needs = "the record at offset 12 of partition 3 needs schema 7";
    assert_eq!(shown(), [format!("schema_registry: {needs}: it does not answer; {STAYS}: start it")]);
    let current = alarms.current(start);
    assert_eq!(
        current.iter().map(|alarm| &alarm.scope).collect::<Vec<_>>(),
        [&Scope::Topic("metrics".to_owned())]
    );
    assert_eq!(crate::blocked_topic(&current[0]), Some("metrics"));
    registry.set(7, UNKNOWN);
    wait.is_over(start);
    wait.alarm("metrics", &alarms, start);
    let unknown = shown();
    assert!(
        unknown[0].starts_with(&format!("schema_unknown: {needs}: the schema registry does not know it; ")),
        "{unknown:?}"
    );
    wait.end(start);
    assert_eq!(shown(), ["schema_unknown resolved"]);
}

#[test]
fn nothing_waits_without_a_registry() {
    let mut wait = SchemaWait::default();
    assert!(!begin(&mut wait, 7, &MissingSchema::Awaited, None, Instant::now()));
}
