//! `processors.pivot`, which `zip` replaces: the text of a tag becomes the name of a field.

use super::conf::Options;
use super::names::{Source, is_pattern, is_selector, key_of};
use super::rules::{Rules, is_match};

/// Applies the processor to records of JSON whose mapping names both keys.
pub fn pivot(options: &Options, rules: &mut Rules) {
    let (Some(tag), Some(field)) = (options.text("tag_key"), options.text("value_key")) else { return };
    let (tags, fields) = (rules.tags_named(&tag), rules.fields_named(&field));
    if tags.is_empty() || fields.is_empty() {
        // No point has both, and Telegraf leaves others as they are.
        return;
    }
    let key = |source: &Source| match source {
        Source::Key(entry) if !is_selector(entry) => Some(key_of(entry)),
        _ => None,
    };
    let name = match &tags[..] {
        [tag] => key(&tag.source),
        _ => None,
    };
    match (name, &fields[..]) {
        (Some(name), [value]) if rules.format.is_none() && !are_changed(rules, &name, value) => {
            rules.zip.push((name, value.clone()));
            let why = format!(
                "`zip` gives the value under {field:?} the name that {tag:?} has. A record whose {tag:?} is no text keeps both, and a text or boolean that is not stored leaves no tag"
            );
            rules.note(options, "tag_key", why);
        }
        _ => {
            let why = format!(
                "each point keeps {tag:?} and {field:?}: `zip` of the [[mapping]] makes a field of them in JSON, if `tag_keys` has the one key and no other option the other"
            );
            rules.note(options, "tag_key", why);
        }
    }
}

/// Whether an option for one of the keys, or for patterns of names, would not hold for the field.
fn are_changed(rules: &Rules, name: &str, value: &str) -> bool {
    let is_name_replaced = rules.values.iter().any(|(key, _)| is_match(std::slice::from_ref(key), name));
    let names = |key: &String| is_match(std::slice::from_ref(key), value);
    let lists = rules.string_fields.iter().filter(|key| *key != "*").chain(&rules.number_fields);
    let tables = rules.types.iter().map(|(key, _)| key).chain(rules.values.iter().map(|(key, _)| key));
    let renames_patterns = rules.rename.iter().any(|(from, _)| is_pattern(from));
    is_name_replaced || lists.chain(tables).any(names) || !rules.include.is_empty() || renames_patterns
}
