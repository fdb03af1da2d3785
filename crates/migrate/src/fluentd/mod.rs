//! Migrates a fluent.conf: each `<source>` that reads Kafka, with the `<match>` that its records reach.

mod buffer;
mod filter;
mod output;
mod route;
mod server;
mod source;
mod syntax;
#[cfg(test)]
mod tests;
mod text;
mod time;

use self::output::Incoming;
use self::route::Route;
use self::source::{Source, Topic};
use self::syntax::Section;
use super::draft_tables::DraftTables;
use super::{Bridge, Input, MigrateError, Migration, Notes};
use std::rc::Rc;

/// Whether a text looks like a fluent.conf.
#[must_use]
pub fn recognizes(text: &str) -> bool {
    let is_section = |line: &str| {
        let line = line.trim_start();
        ["<source>", "<match ", "<match>", "<label ", "<system>"].iter().any(|start| line.starts_with(start))
    };
    text.lines().any(is_section)
}

/// # Errors
/// A file can't be read, or no source reads Kafka.
pub fn migrate(files: &[Input]) -> Result<Migration, MigrateError> {
    let root = read(files)?;
    let mut notes = Notes::default();
    note_what_is_beside(&root, &mut notes);
    let mut bridges = Vec::new();
    for section in root.sections.iter().filter(|section| source::reads_kafka(section)) {
        note_ruby(section, &mut notes);
        let source = Source::read(section, &mut notes);
        if source.topics.is_empty() {
            notes.add(
                section.place.note("<source>", "it names no topic that the bridge can read: it was left out"),
            );
        } else {
            bridges.extend(bridges_of(&root, &source, &mut notes));
        }
    }
    if bridges.is_empty() {
        let file = files.first().map(|file| file.name.clone()).unwrap_or_default();
        let why = "it has no <source> that reads topics of Kafka (@type kafka_group, kafka or rdkafka_group)"
            .to_owned();
        return Err(MigrateError::Nothing { file, why, notes: notes.sorted() });
    }
    Ok(Migration { bridges, notes: notes.sorted(), cut_over: cut_over() })
}

fn cut_over() -> Vec<String> {
    [
        "1. `kafka-influx-bridge check --connect`, and `map --live 10` to see the points",
        "2. stop Fluentd, or remove these sources from it, and wait until it has flushed; then start the bridge: in Fluentd's group it continues after Fluentd's last commit",
        "   or run both in parallel for a while and compare: give the bridge another `group_id` with `offset_reset` = \"latest\", and another `database`. Then stop Fluentd, and change `group_id` and `database` back",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Reads all files as one, with the content of `<worker>` moved out of it.
fn read(files: &[Input]) -> Result<Section, MigrateError> {
    let mut whole: Option<Section> = None;
    for file in files {
        let name: Rc<str> = file.name.as_str().into();
        let read = syntax::parse(&name, &file.text).map_err(|error| MigrateError::Syntax {
            file: file.name.clone(),
            line: error.line,
            why: error.why,
        })?;
        match &mut whole {
            None => whole = Some(read),
            Some(whole) => {
                whole.options.extend(read.options);
                whole.sections.extend(read.sections);
            }
        }
    }
    let mut whole = whole.ok_or_else(|| MigrateError::Unknown(String::new()))?;
    let (workers, others): (Vec<_>, Vec<_>) =
        whole.sections.into_iter().partition(|section| section.name == "worker");
    whole.sections = workers.into_iter().flat_map(|worker| worker.sections).chain(others).collect();
    Ok(whole)
}

fn note_what_is_beside(root: &Section, notes: &mut Notes) {
    for option in root.options.iter().filter(|option| option.name.starts_with("@include")) {
        let why = format!("add {:?} to the files to migrate if you need its content", option.value.text);
        notes.add(option.place.note("@include", why));
    }
    note_patterns(root, notes);
    for section in &root.sections {
        match section.name.as_str() {
            "system" => {
                let why = "[log] sets the log, and one process with one consumer is faster than an InfluxDB";
                notes.add(section.place.note("<system>", why));
            }
            "source" if !source::reads_kafka(section) => {
                let why = format!("@type {} does not read Kafka: keep it in Fluentd", section.plugin());
                notes.add(section.place.note("<source>", why));
            }
            "source" | "match" | "filter" | "label" => {}
            other => notes.add(section.place.note(&format!("<{other}>"), "it has no counterpart")),
        }
    }
}

/// Notes tag patterns that can't be read, so that their filters and outputs are missing from the result.
fn note_patterns(section: &Section, notes: &mut Notes) {
    for inside in &section.sections {
        if matches!(inside.name.as_str(), "match" | "filter")
            && let Some(pattern) = route::unreadable(&inside.argument)
        {
            let why = format!(
                "{pattern} is not a regular expression that the bridge supports, so it matches no tag: write a plain pattern"
            );
            notes.add(inside.place.note(&format!("<{}>", inside.name), why));
        }
        note_patterns(inside, notes);
    }
}

/// Notes Ruby code that has no counterpart, anywhere in a section that is used.
fn note_ruby(section: &Section, notes: &mut Notes) {
    for option in &section.options {
        if let Some(code) = &option.value.ruby {
            let why = format!("the bridge runs no Ruby: replace ${{FILL_IN}} with the value of {code:?}");
            notes.add(option.place.note(&option.name, why));
        }
    }
    section.sections.iter().for_each(|section| note_ruby(section, notes));
}

/// Topics with the same route.
struct RoutedTopics<'a> {
    topics: Vec<&'a Topic>,
    route: Route<'a>,
}

impl RoutedTopics<'_> {
    fn is_same(&self, route: &Route<'_>) -> bool {
        let is_same = |a: &&Section, b: &&Section| std::ptr::eq::<Section>(*a, *b);
        let are_same = |a: &[&Section], b: &[&Section]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        };
        let outputs = match (&self.route.output, &route.output) {
            (Some(a), Some(b)) => is_same(a, b),
            (None, None) => true,
            _ => false,
        };
        outputs
            && are_same(&self.route.filters, &route.filters)
            && are_same(&self.route.elsewhere, &route.elsewhere)
    }
}

/// A bridge for each InfluxDB that the topics of a source reach; one to fill in if they reach none.
fn bridges_of(root: &Section, source: &Source<'_>, notes: &mut Notes) -> Vec<Bridge> {
    let mut routed: Vec<RoutedTopics<'_>> = Vec::new();
    for topic in &source.topics {
        let route = route::of(root, source.section, &topic.tag);
        match routed.iter_mut().find(|routed| routed.is_same(&route)) {
            Some(routed) => routed.topics.push(topic),
            None => routed.push(RoutedTopics { topics: vec![topic], route }),
        }
    }
    // The first mapping that matches is used, and a pattern may match the topics of other mappings.
    routed.sort_by_key(|routed| routed.topics.iter().any(|topic| topic.is_pattern));
    for topics in &routed {
        note_elsewhere(source, topics, notes);
    }
    let (stored, elsewhere): (Vec<_>, Vec<_>) =
        routed.into_iter().partition(|routed| routed.route.output.is_some());
    if stored.is_empty() {
        return vec![to_fill_in(source, &elsewhere, notes)];
    }
    let mut by_server: Vec<(String, Vec<RoutedTopics<'_>>)> = Vec::new();
    for routed in stored {
        let identity = routed.route.output.map(server::identity).unwrap_or_default();
        match by_server.iter_mut().find(|(known, _)| *known == identity) {
            Some((_, all)) => all.push(routed),
            None => by_server.push((identity, vec![routed])),
        }
    }
    by_server.into_iter().map(|(_, routed)| bridge(source, routed, notes)).collect()
}

fn note_elsewhere(source: &Source<'_>, routed: &RoutedTopics<'_>, notes: &mut Notes) {
    let topics: Vec<&str> = routed.topics.iter().map(|topic| topic.entry.as_str()).collect();
    for output in &routed.route.elsewhere {
        let kind = output.plugin();
        let why = if route::is_influx(output) {
            "a second InfluxDB for the same records: run a second bridge with its own group".to_owned()
        } else {
            format!(
                "the records of {} go to @type {kind}, but the bridge writes to InfluxDB only",
                topics.join(", ")
            )
        };
        notes.add(output.place.note(&format!("<{}>", output.name), why));
    }
    if routed.route.elsewhere.is_empty() && routed.route.output.is_none() {
        let why = format!("no <match> takes {}, so Fluentd dropped it", topics.join(", "));
        notes.add(source.section.place.note("topics", why));
    }
    if routed.topics.iter().any(|topic| topic.is_pattern) && !routed.route.filters.is_empty() {
        let why = "filters and outputs were chosen for one example topic of the pattern";
        notes.add(source.section.place.note("topics", why));
    }
}

fn to_fill_in(source: &Source<'_>, routed: &[RoutedTopics<'_>], notes: &mut Notes) -> Bridge {
    let topics: Vec<&str> =
        routed.iter().flat_map(|routed| &routed.topics).map(|topic| topic.entry.as_str()).collect();
    let (mut draft, _) = source.draft(&topics, notes);
    draft.comments = heading(source);
    let mut mapping = configuration::draft::Table::new("[[mapping]]");
    source.set_format(&mut mapping);
    if source.has_affixes() {
        mapping.set("measurement", source.tag());
    }
    mapping.set("string_fields", vec!["*"]).suggest(
        "tag_keys",
        vec!["KEY"],
        &["Keys that you filter and group by:"],
    );
    draft.mappings.push(mapping);
    draft.influx_to_fill_in();
    draft.bridge()
}

fn heading(source: &Source<'_>) -> Vec<String> {
    vec![format!("Migrated from the <source> of {}.", source.section.place.short())]
}

fn bridge(source: &Source<'_>, routed: Vec<RoutedTopics<'_>>, notes: &mut Notes) -> Bridge {
    let topics: Vec<&str> =
        routed.iter().flat_map(|routed| &routed.topics).map(|topic| topic.entry.as_str()).collect();
    let (mut draft, time): (DraftTables, _) = source.draft(&topics, notes);
    draft.comments = heading(source);
    let is_one_of_several = routed.len() > 1;
    for routed in routed {
        let Some(section) = routed.route.output else { continue };
        routed.route.filters.iter().for_each(|filter| note_ruby(filter, notes));
        note_ruby(section, notes);
        let effects = filter::read(&routed.route.filters, notes);
        let incoming =
            Incoming { source, topics: routed.topics, effects, time: time.clone(), is_one_of_several };
        output::add(section, &incoming, &mut draft, notes);
    }
    draft.bridge()
}
