//! Evaluates conditions on an input's `type` and topics, which are known before any event.

use super::names::{self, OfKafka};
use super::syntax::{Condition, Plugin};

/// Fields that are the same in all events of an input.
#[derive(Debug, Default)]
pub struct KnownFields {
    kind: Option<String>,
    topics: Vec<String>,
}

impl KnownFields {
    pub fn of(input: &Plugin) -> Self {
        let setting = |name: &str| input.settings.iter().rev().find(|setting| setting.name == name);
        let has_pattern = setting("topics_pattern").is_some();
        let topics = setting("topics").filter(|_| !has_pattern).map(|setting| setting.value.list());
        Self {
            kind: setting("type").and_then(|setting| setting.value.text()).map(str::to_owned),
            topics: topics.unwrap_or_default().into_iter().map(str::to_owned).collect(),
        }
    }

    /// Whether a plugin applies to the events of the input; None if it depends on the event.
    pub fn reaches(&self, plugin: &Plugin) -> Option<bool> {
        let met = plugin.conditions.iter().map(|condition| self.is_met(condition));
        all(met)
    }

    fn is_met(&self, condition: &Condition) -> Option<bool> {
        let unmet = condition.unmet.iter().map(|text| self.is_true(text).map(|is_true| !is_true));
        let met = condition.met.as_ref().map(|text| self.is_true(text));
        all(unmet.chain(met))
    }

    /// Evaluates comparisons of one field with one string.
    fn is_true(&self, text: &str) -> Option<bool> {
        let (field, wanted, is_equal) = match (text.split_once("=="), text.split_once("!=")) {
            (Some((field, wanted)), None) => (field, wanted, true),
            (None, Some((field, wanted))) => (field, wanted, false),
            _ => return None,
        };
        let wanted = wanted.trim();
        let wanted = wanted
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .or_else(|| wanted.strip_prefix('\'')?.strip_suffix('\''))?;
        if wanted.contains(['"', '\'']) {
            return None;
        }
        let field = field.trim();
        let equals = if field == "[type]" {
            Some(self.kind.as_deref()? == wanted)
        } else if names::of_kafka(field) == Some(OfKafka::Topic) {
            match &self.topics[..] {
                [] => None,
                [topic] => Some(topic == wanted),
                topics if topics.iter().any(|topic| topic == wanted) => None,
                _ => Some(false),
            }
        } else {
            None
        };
        equals.map(|equals| equals == is_equal)
    }
}

/// False if one result is false, true if all are true, else None.
fn all(results: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for result in results {
        match result {
            Some(false) => return Some(false),
            Some(true) => {}
            None => all = None,
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::syntax::parse;
    use super::*;

    #[test]
    fn evaluates_conditions_on_known_fields() {
        let f = |input: &str, filters: &str, want: &str| {
            let plugins =
                parse(&"f".into(), &format!("input {{ kafka {{ {input} }} }} filter {{ {filters} }}"))
                    .unwrap();
            let known = KnownFields::of(&plugins[0]);
            let got: String = plugins[1..]
                .iter()
                .map(|plugin| known.reaches(plugin).map_or('?', |reaches| if reaches { 'y' } else { 'n' }))
                .collect();
            assert_eq!(got, want, "{input} {filters}");
        };
        let chain = "if [type] == \"a\" { x {} } else if [type] == 'b' { y {} } else { z {} } w {}";
        f("type => a", chain, "ynny");
        f("type => b", chain, "nyny");
        f("type => c", chain, "nnyy");
        f("", chain, "???y");
        f("type => a", "if [type] != \"a\" { x {} } if [q] { y {} } else { z {} }", "n??");
        f("type => a", "if [type] == \"b\" { if [q] { x {} } }", "n");
        f("type => a", "if [type] == \"a\" and [q] { x {} }", "?");
        let topic = "if [@metadata][kafka][topic] == \"t\" { x {} } else { y {} }";
        f("topics => [t]", topic, "yn");
        f("topics => [u]", topic, "ny");
        f("topics => [t, u]", topic, "??");
        f("topics => [u, v]", topic, "ny");
        f("topics => [t] topics_pattern => 'x'", topic, "??");
    }
}
