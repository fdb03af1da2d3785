//! Texts with placeholders, as in `measurement` and `tags`: `{topic}`, `{topic:NAME}`, `{partition}`, `{key}`, `{header:NAME}` and
//! selectors. `{{` and `}}` are braces.

use super::selector::KeySelector;
use crate::decode::PathError;
use std::fmt;
use thiserror::Error;

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The text in the configuration.
    text: String,
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Text(String),
    Topic,
    /// A named group of the topic pattern.
    TopicGroup(String),
    Partition,
    /// The Kafka record's key.
    Key,
    Header(String),
    Selector(KeySelector),
}

#[derive(Debug, Error)]
pub enum TemplateError {
    #[error(
        "the \"{{\" at character {0} is never closed: close the placeholder with \"}}\", or write \"{{{{\" for a brace"
    )]
    Unclosed(usize),
    #[error("the \"}}\" at character {0} closes no placeholder: write \"}}}}\" for a brace")]
    Unopened(usize),
    #[error(
        "{{{0}}} names nothing: write {{topic}}, {{topic:NAME}}, {{partition}}, {{key}}, {{header:NAME}} or a key of the record"
    )]
    Empty(String),
    #[error("{{{placeholder}}} is no placeholder: {error}")]
    Selector { placeholder: String, error: PathError },
}

impl Template {
    /// # Errors
    /// Reports a brace without its partner, and a placeholder that names nothing.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            literal.push_str(before);
            let place = || text.get(..text.len() - brace.len()).unwrap_or_default().chars().count() + 1;
            if brace.starts_with("{{") || brace.starts_with("}}") {
                let (kept, after) = brace.split_at(1);
                literal.push_str(kept);
                rest = after.get(1..).unwrap_or_default();
                continue;
            }
            let Some(placeholder) = brace.strip_prefix('{') else {
                return Err(TemplateError::Unopened(place()));
            };
            let end = end_of_placeholder(placeholder).ok_or_else(|| TemplateError::Unclosed(place()))?;
            let (placeholder, after) = placeholder.split_at(end);
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::parse(placeholder)?);
            rest = after.get(1..).unwrap_or_default();
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// A text without placeholders.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        let parts = if text.is_empty() { Vec::new() } else { vec![Part::Text(text.to_owned())] };
        Self { text: text.replace('{', "{{").replace('}', "}}"), parts }
    }

    /// The topic's name.
    #[must_use]
    pub fn topic() -> Self {
        Self { text: "{topic}".to_owned(), parts: vec![Part::Topic] }
    }

    /// The text in the configuration.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    #[must_use]
    pub fn has_placeholders(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part, Part::Text(_)))
    }

    /// The selectors among the placeholders.
    pub fn selectors(&self) -> impl Iterator<Item = &KeySelector> {
        self.parts
            .iter()
            .filter_map(|part| if let Part::Selector(selector) = part { Some(selector) } else { None })
    }

    /// The named groups of the topic pattern among the placeholders.
    pub fn topic_groups(&self) -> impl Iterator<Item = &str> {
        self.parts
            .iter()
            .filter_map(|part| if let Part::TopicGroup(name) = part { Some(name.as_str()) } else { None })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Part {
    /// Parses the text between two braces. Words come before flattened keys of the same name.
    fn parse(placeholder: &str) -> Result<Self, TemplateError> {
        let named = |prefix: &str| placeholder.strip_prefix(prefix).map(str::to_owned);
        let part = match placeholder {
            "topic" => Self::Topic,
            "partition" => Self::Partition,
            "key" => Self::Key,
            "" | "topic:" | "header:" => return Err(TemplateError::Empty(placeholder.to_owned())),
            _ => {
                let named =
                    (named("topic:").map(Self::TopicGroup)).or_else(|| named("header:").map(Self::Header));
                let selector = || {
                    KeySelector::parse(placeholder).map(Self::Selector).map_err(|error| {
                        TemplateError::Selector { placeholder: placeholder.to_owned(), error }
                    })
                };
                named.map_or_else(selector, Ok)?
            }
        };
        Ok(part)
    }
}

/// The first "}" outside of `['…']`.
fn end_of_placeholder(text: &str) -> Option<usize> {
    let mut quote: Option<u8> = None;
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (None, b'}') => return Some(at),
            (None, b'\'' | b'"') if at.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b'[') => {
                quote = Some(byte);
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<Part> {
        Template::parse(text).unwrap().parts
    }

    fn selector(text: &str) -> Part {
        Part::Selector(KeySelector::parse(text).unwrap())
    }

    #[test]
    fn reads_placeholders() {
        let text = |text: &str| Part::Text(text.to_owned());
        assert_eq!(parts(""), []);
        assert_eq!(parts("cpu"), [text("cpu")]);
        assert_eq!(parts("{topic}"), [Part::Topic]);
        let all = parts("a{topic:site}-{partition}{key}{header:h d}");
        let site = Part::TopicGroup("site".to_owned());
        assert_eq!(
            all,
            [text("a"), site, text("-"), Part::Partition, Part::Key, Part::Header("h d".to_owned())]
        );
        assert_eq!(parts("{@key}{^.serial}{a_b}"), [selector("@key"), selector("^.serial"), selector("a_b")]);
        assert_eq!(parts("{{{topic}}}"), [text("{"), Part::Topic, text("}")]);
        assert_eq!(parts("{{topic}}"), [text("{topic}")]);
        // Words come before keys; `@.` names the key.
        assert_eq!(parts("{@.topic}{key:$.code}"), [selector("@.topic"), selector("key:$.code")]);
        assert_eq!(parts("{Topic}"), [selector("Topic")]);
    }

    #[test]
    fn a_placeholder_ends_at_the_first_brace_outside_of_quotes() {
        assert_eq!(parts("{@['a}b']}}}"), [selector("@['a}b']"), Part::Text("}".to_owned())]);
        assert_eq!(parts(r"{@['a\'}b']}"), [selector(r"@['a\'}b']")]);
        assert_eq!(parts("{it's}"), [selector("it's")]);
        assert_eq!(parts("{온도}x"), [selector("온도"), Part::Text("x".to_owned())]);
    }

    #[test]
    fn reports_braces_without_a_partner_and_broken_selectors() {
        let f = |text: &str, want: &str| {
            let error = Template::parse(text).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        };
        f("온{a", "\"{\" at character 2 is never closed");
        f("a}b", "\"}\" at character 2 closes no placeholder");
        f("{a}}", "\"}\" at character 4");
        f("{}", "{} names nothing");
        f("{topic:}", "{topic:} names nothing");
        f("{$..a}", "may select several values");
        f("{@['a]}", "never closed");
    }

    #[test]
    fn literal_text_has_no_placeholders() {
        let template = Template::literal("a{b}");
        assert!(!template.has_placeholders());
        assert_eq!(Template::parse(template.text()).unwrap(), template);
    }
}
