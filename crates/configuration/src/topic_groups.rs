//! Named groups of topic patterns, as the placeholder `{topic:NAME}` uses them.

use super::section::Section;
use base::suggest::nearest;
use mapping::{Rules, Template, TopicPatterns};
use regex::Regex;

/// Gives the rules the patterns whose groups their placeholders name, and refuses names that no pattern has.
pub fn resolve(section: Section<'_>, rules: &mut Rules, patterns: &[Regex]) {
    let of_tags = rules.tags.iter().map(|(_, value)| ("tags", value));
    let templates: Vec<_> = std::iter::once(("measurement", &rules.measurement)).chain(of_tags).collect();
    let mut is_used = false;
    for (option, template) in templates {
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
        let remedy = match (nearest(name, known.iter().copied()), known.is_empty()) {
            (_, true) => "none has a named group; write one as in \"^site\\.(?<site>[^.]+)$\"".to_owned(),
            (Some(near), _) => format!("did you mean {{topic:{near}}}?"),
            (None, _) => format!("the groups are {}", known.join(", ")),
        };
        let message =
            format!("{{topic:{name}}} of `{option}` is no named group of a pattern in `topics`: {remedy}");
        section.error(option, message);
    }
    is_used
}
