//! Reads the selectors of keys, templates with placeholders and queries of a `[[mapping]]`.

use super::section::{Section, Text};
use mapping::decode::{PathError, Query};
use mapping::{KeySelector, Template, TemplateError};

pub fn selector(section: Section<'_>, key: &str) -> Option<KeySelector> {
    parse_selector(section, &section.text(key)?)
}

pub fn parse_selector(section: Section<'_>, text: &Text) -> Option<KeySelector> {
    match KeySelector::parse(&text.value) {
        Ok(selector) => {
            check_selector(section, text, &selector);
            Some(selector)
        }
        Err(error) => {
            section.refuse(text, path_error(&error));
            None
        }
    }
}

/// Warns of a selector that finds nothing, or not what its form suggests.
fn check_selector(section: Section<'_>, text: &Text, selector: &KeySelector) {
    let warning = match selector {
        KeySelector::Ancestor { .. } | KeySelector::Key { levels: 1.. } | KeySelector::Member { .. }
            if !section.has("query") =>
        {
            format!(
                "{selector} finds nothing without `query`: the whole record is the element, and no object encloses it"
            )
        }
        KeySelector::Flattened(key) if key.starts_with('^') => {
            let name = key.trim_start_matches('^');
            format!(
                "{key:?} is a key of the element itself: for that of the enclosing object write \"^.{name}\", and write \"@['{key}']\" \
                 if the key has this name"
            )
        }
        _ => return,
    };
    section.warn(text, warning);
}

/// Warns of a selector under an option that takes flattened keys, where it would match no key.
pub fn check_flattened(section: Section<'_>, option: &str, text: &Text) {
    let remedy = match KeySelector::parse(&text.value) {
        Ok(KeySelector::Flattened(_)) | Err(_) => return,
        Ok(KeySelector::Element(path)) => format!("write {:?}", path.flattened()),
        Ok(KeySelector::Root(path)) if !section.has("query") => format!("write {:?}", path.flattened()),
        Ok(_) => "write the key of a value within the element".to_owned(),
    };
    let message = format!("`{option}` takes flattened keys, and {:?} is none: {remedy}", text.shown());
    section.warn(text, message);
}

/// Refuses a glob where one value is wanted.
pub fn check_single(section: Section<'_>, text: &Text, selector: &KeySelector) {
    if let KeySelector::Flattened(key) = selector
        && key.contains('*')
    {
        section.refuse(
            text,
            format!("{key:?} is a glob, and one value is wanted here: write a whole key, or \"@['{key}']\" if the key has this name"),
        );
    }
}

/// Parses a text with placeholders.
pub fn template(section: Section<'_>, option: &str, text: &Text) -> Option<Template> {
    let template = parse_template(section, option, text)?;
    for selector in template.selectors() {
        check_selector(section, text, selector);
        check_single(section, text, selector);
    }
    Some(template)
}

/// Parses a text with placeholders, whose selectors the caller checks.
pub fn parse_template(section: Section<'_>, option: &str, text: &Text) -> Option<Template> {
    let error = match Template::parse(&text.value) {
        Ok(template) => return Some(template),
        Err(error) => error,
    };
    let message = match &error {
        TemplateError::Selector { placeholder, error } => {
            format!("{{{placeholder}}} is no placeholder of `{option}`: {}", path_error(error))
        }
        error => format!("`{option}`: {error}"),
    };
    section.refuse(text, message);
    None
}

pub fn query(section: Section<'_>) -> Option<Query> {
    let text = section.text("query")?;
    match Query::parse(&text.value) {
        Ok(query) => Some(query),
        Err(error @ PathError::Function { .. }) => {
            section.refuse(&text, error.to_string());
            None
        }
        Err(error) => {
            // GJSON, the language of Telegraf's json_query, has neither the "$" nor brackets.
            let path = text.value.trim_start_matches('@').replace(".#", "[*]");
            let path = format!("$.{}", path.trim_start_matches(['$', '.']));
            let remedy = match Query::parse(&path) {
                Ok(_) => format!("; did you mean {path:?}?"),
                Err(_) => "; it begins with \"$\", as in \"$.items[*]\"".to_owned(),
            };
            section.refuse(&text, path_error(&error) + &remedy);
            None
        }
    }
}

/// The error on one line; the parser's own message has several.
fn path_error(error: &PathError) -> String {
    match error {
        PathError::NotSingular(_) | PathError::Function { .. } => error.to_string(),
        PathError::Syntax { text, why } => {
            let place = why.split_once("--> 1:").map(|(_, rest)| rest);
            let column: Option<String> =
                place.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect());
            let at = column.map(|column| format!(" (from its character {column} on)")).unwrap_or_default();
            format!("{text:?} is not a JSONPath{at}")
        }
    }
}
