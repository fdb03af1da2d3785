//! Reads tables of strings, such as `tags` and `types` of a `[[mapping]]`.

use super::section::{Section, Text, unknown_word};
use toml::de::DeValue;

/// Describes, with an example, the table of strings that a key takes.
fn table_example(key: &str) -> &'static str {
    match key {
        "tags" => "a table such as { region = \"seoul\" } (keys of the record belong in `tag_keys`)",
        "fields" => "a table of fields and where they come from, such as { total = \"$.sum\" }",
        "types" => "a table of keys and types, such as { \"count_*\" = \"int\" }",
        "time_add" => "a table of keys and units, such as { offset = \"ms\" }",
        _ => "a table of strings, such as { from = \"to\" }",
    }
}

/// The entries of a table of strings, with the places of names and values.
pub fn pairs(section: Section<'_>, key: &str) -> Vec<(Text, Text)> {
    let Some(value) = section.value(key) else {
        return Vec::new();
    };
    let DeValue::Table(table) = value.get_ref() else {
        section.wrong_kind(value, key, table_example(key));
        return Vec::new();
    };
    let pair = |(name, value): (&toml::Spanned<_>, _)| {
        let name = Text::plain(name);
        let full = format!("{key}.{}", name.value);
        Some((name, section.text_of(&full, value)?))
    };
    table.iter().filter_map(pair).collect()
}

/// The entries of a table of words, with the meaning of each word in `known`.
pub fn pairs_of_words<T: Copy>(
    section: Section<'_>,
    key: &str,
    known: &[(&'static str, T)],
) -> Vec<(Text, T)> {
    let meant = |(name, word): (Text, Text)| {
        if let Some((_, meant)) = known.iter().find(|(known, _)| *known == word.value) {
            return Some((name, *meant));
        }
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        let message = unknown_word(key, word.shown(), &words);
        section.refuse(&word, message.replacen(&format!("`{key}`"), &format!("`{key}.{}`", name.shown()), 1));
        None
    };
    pairs(section, key).into_iter().filter_map(meant).collect()
}
