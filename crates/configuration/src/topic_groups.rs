//! Named groups of topic patterns, as the placeholder `{topic:NAME}` uses them.

use super::section::Section;
use super::topics::TopicList;
use base::suggest::nearest;
use engine::MappingDestination;
use mapping::{Rules, Template, TopicPatterns};
use regex::Regex;

/// Gives the rules the patterns whose groups their placeholders name, and refuses names that no pattern has.
pub fn resolve(section: Section<'_>, rules: &mut Rules, patterns: &[Regex]) {
    let mut is_used = false;
    for (option, template) in rules.all_templates() {
        is_used |= check(section, option, template, patterns);
    }
    if is_used {
        rules.topic_patterns = TopicPatterns(patterns.to_vec());
    }
}

/// Returns whether the template names a group.
fn check(section: Section<'_>, option: &str, template: &Template, patterns: &[Regex]) -> bool {
    let mut is_used = false;
    for name in template.topic_groups() {
        is_used = true;
        let known: Vec<&str> =
            patterns.iter().flat_map(|pattern| pattern.capture_names().flatten()).collect();
        if known.contains(&name) {
            continue;
        }
        let remedy = remedy(name, &known);
        let message =
            format!("{{topic:{name}}} of `{option}` is no named group of a pattern in `topics`: {remedy}");
        section.error(option, message);
    }
    is_used
}

fn remedy(name: &str, known: &[&str]) -> String {
    match (nearest(name, known.iter().copied()), known.is_empty()) {
        (_, true) => "none has a named group; write one as in \"^site\\.(?<site>[^.]+)$\"".to_owned(),
        (Some(near), _) => format!("did you mean {{topic:{near}}}?"),
        (None, _) => format!("the groups are {}", known.join(", ")),
    }
}

/// Gives a destination of topics the patterns whose groups its placeholders name. Each topic needs a destination, so a name that an entry
/// of `topics` does not have is refused.
pub fn resolve_destination(destination: &mut MappingDestination, topics: &TopicList, error: impl Fn(String)) {
    let MappingDestination::OfTopic(destination) = destination else { return };
    let patterns = &topics.topics.patterns;
    let templates = [Some(&destination.name), destination.retention_policy.as_ref()];
    for name in templates.into_iter().flatten().flat_map(Template::topic_groups) {
        if let Some(plain) = topics.topics.names.first() {
            error(format!(
                "{{topic:{name}}} finds nothing in the topic {plain:?}, which has no pattern: give the topic a [[mapping]] with a \
                 destination of its own, or use {{topic}}"
            ));
            continue;
        }
        for pattern in patterns {
            let known: Vec<&str> = pattern.capture_names().flatten().collect();
            if !known.contains(&name) {
                let remedy = remedy(name, &known);
                error(format!(
                    "the topic pattern {:?} has no group for {{topic:{name}}}: {remedy}",
                    pattern.as_str()
                ));
            }
        }
    }
    destination.patterns = TopicPatterns(patterns.clone());
}
