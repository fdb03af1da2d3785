//! Applies `processors.strings` and `processors.regex` to names and to fixed tags. The values of records stay, with a note.

use super::conf::Options;
use super::names::{At, Source, Tag, is_pattern};
use super::rules::Rules;
use super::text_change::{TextChange, unescaped};
use regex::Regex;

pub const NAME_OF_RECORD: &str = "a name that the record has is not changed";

/// Applies `processors.strings` to names and fixed tags. Values of records stay.
pub fn change_texts(options: &Options, rules: &mut Rules) {
    for kind in TextChange::KINDS {
        for table in options.tables(kind) {
            let change = TextChange::read(kind, table);
            table.mark(["cutset", "prefix", "suffix", "old", "new", "width", "replacement"]);
            let dest = table.text("dest");
            if let Some(name) = table.text("field") {
                note_field_values(&name, (table, "field"), rules);
            }
            if let Some(name) = table.text("field_key") {
                change_field_names(&name, &change, (table, "field_key"), rules);
            }
            if let Some(name) = table.text("tag") {
                for tag in rules.tags_named(&name) {
                    let dest = dest.as_ref().filter(|_| name != "*").unwrap_or(&tag.name);
                    change_tag(&tag, dest, |value| change.apply(value), (table, "tag"), rules);
                }
            }
            if let Some(name) = table.text("tag_key") {
                for tag in rules.tags_named(&name) {
                    let new = change.apply(&tag.name).filter(|_| !matches!(tag.source, Source::Glob(_)));
                    match new {
                        Some(new) if new.is_empty() => {}
                        Some(new) => rules.rename_tag(&tag.name, &new, (table, "tag_key")),
                        None => rules.note(table, "tag_key", no_name_change(kind, &tag.name)),
                    }
                }
            }
            if let Some(wanted) = table.text("measurement") {
                let is_wanted = |name: &&str| wanted == "*" || wanted == **name;
                match rules.fixed_name() {
                    None => rules.note(table, "measurement", NAME_OF_RECORD),
                    Some(name) => {
                        let name = Some(name).filter(is_wanted).map(|name| change.apply(name));
                        match name {
                            None => {}
                            Some(Some(new)) if !new.is_empty() => rules.measurement = new,
                            Some(_) => rules.note(table, "measurement", no_name_change(kind, &wanted)),
                        }
                    }
                }
            }
        }
    }
}

fn no_name_change(kind: &str, name: &str) -> String {
    format!("{kind} of {name:?} has no counterpart: write the new name into `rename`, or into `measurement`")
}

/// Notes that values of fields stay, if they can be texts.
fn note_field_values(name: &str, at: At<'_>, rules: &mut Rules) {
    let is_text = |rules: &Rules, name: &str| {
        let keys = rules.fields_named(name);
        rules.is_copied(name)
            || keys.iter().any(|key| {
                rules.keeps_texts(key) || rules.types.iter().any(|(known, to)| known == key && to == "string")
            })
    };
    let can_be = if is_pattern(name) {
        rules.is_influx()
            || !rules.string_fields.is_empty()
            || !rules.fields.is_empty()
            || rules.types.iter().any(|(_, to)| to == "string")
    } else {
        is_text(rules, name)
    };
    if can_be {
        let why = format!(
            "the values of {name:?} stay: `values` replaces single texts, or let the producer change them"
        );
        rules.note(at.0, at.1, why);
    }
}

/// Changes the value of a fixed tag. Others stay, with a note.
fn change_tag(tag: &Tag, dest: &str, change: impl Fn(&str) -> Option<String>, at: At<'_>, rules: &mut Rules) {
    let new = match &tag.source {
        Source::Fixed(value) => change(value),
        _ => None,
    };
    if let Some(new) = new {
        let is_taken = dest != tag.name
            && rules.tags_named(dest).iter().any(|other| !matches!(other.source, Source::Fixed(_)));
        if is_taken {
            rules.note(
                at.0,
                at.1,
                format!("a tag {dest:?} of the record, a header or the topic comes before this one"),
            );
        }
        rules.tags.retain(|(known, _)| known != dest);
        if !new.is_empty() {
            rules.tags.push((dest.to_owned(), new));
        }
    } else {
        let why = format!(
            "the values of {:?} stay: `values` replaces single texts, or let the producer change them",
            tag.name
        );
        rules.note(at.0, at.1, why);
    }
}

/// Changes the names of fields.
fn change_field_names(wanted: &str, change: &TextChange, at: At<'_>, rules: &mut Rules) {
    if wanted == "*" {
        match change.pattern() {
            Some((from, to)) => rules.rename_fields_by(&from, &to, |name| change.apply(name), at),
            None => rules.rename_known_fields(|name| change.apply(name), at),
        }
        return;
    }
    match change.apply(wanted) {
        Some(new) if new.is_empty() => {}
        Some(new) => rules.rename_field(wanted, &new, at),
        None => rules.note(at.0, at.1, no_name_change(change.kind(), wanted)),
    }
}

/// Applies `processors.regex` to names and fixed tags, in Telegraf's order. Values of records stay.
pub fn change_by_pattern(options: &Options, rules: &mut Rules) {
    for group in ["tags", "fields", "tag_rename", "field_rename", "metric_rename"] {
        for table in options.tables(group) {
            let (text, replacement) = texts_of(table);
            let Ok(pattern) = Regex::new(&text) else {
                rules.note(
                    table,
                    "pattern",
                    format!("{text:?} is no regular expression that the bridge reads"),
                );
                table.mark_all();
                continue;
            };
            let renamed = |name: &str| {
                let is_match = pattern.is_match(name);
                is_match.then(|| pattern.replace_all(name, replacement.as_str()).into_owned())
            };
            let is_kept = table.text("result_key").as_deref() != Some("overwrite");
            match group {
                "tags" => change_tag_values(table, renamed, rules),
                "fields" => {
                    table.mark(["append"]);
                    note_field_values(&table.text("key").unwrap_or_default(), (table, "key"), rules);
                }
                "tag_rename" => rename_tags(table, is_kept, renamed, rules),
                "field_rename" => match pattern_of(&text, &replacement) {
                    Some((from, to)) => {
                        rules.rename_fields_by(&from, &to, renamed, (table, "pattern"));
                    }
                    None => rules.rename_known_fields(
                        |name| Some(renamed(name).unwrap_or_else(|| name.to_owned())),
                        (table, "pattern"),
                    ),
                },
                _ => match rules.fixed_name() {
                    None => rules.note(table, "pattern", NAME_OF_RECORD),
                    Some(name) => match renamed(name) {
                        Some(new) if new.is_empty() => {
                            rules.note(table, "pattern", no_name_change("metric_rename", &text));
                        }
                        Some(new) => rules.measurement = new,
                        None => {}
                    },
                },
            }
        }
    }
}

fn change_tag_values(table: &Options, renamed: impl Fn(&str) -> Option<String>, rules: &mut Rules) {
    let dest = table.text("result_key");
    let is_plain = table.flag("append") != Some(true) && (dest.is_some() || table.has("replacement"));
    for tag in rules.tags_named(&table.text("key").unwrap_or_default()) {
        match &tag.source {
            Source::Fixed(value) if renamed(value).is_none() => {}
            _ => {
                let dest = dest.as_ref().unwrap_or(&tag.name);
                change_tag(&tag, dest, |value| renamed(value).filter(|_| is_plain), (table, "key"), rules);
            }
        }
    }
}

fn rename_tags(table: &Options, is_kept: bool, renamed: impl Fn(&str) -> Option<String>, rules: &mut Rules) {
    let at = (table, "pattern");
    let mut tags = rules.all_tags();
    tags.sort_by(|a, b| a.name.cmp(&b.name));
    tags.dedup_by(|a, b| a.name == b.name);
    let mut given: Vec<String> = Vec::new();
    for tag in tags {
        if matches!(tag.source, Source::Glob(_)) {
            let why = format!("tags of {:?} keep their names: write the new names into `rename`", tag.name);
            rules.note(table, "pattern", why);
            continue;
        }
        let Some(new) = renamed(&tag.name).filter(|new| *new != tag.name) else { continue };
        if given.contains(&new) {
            rules.note(
                table,
                "pattern",
                format!("several tags become {new:?}: write the new names into `rename`"),
            );
        }
        let others = rules.tags_named(&new);
        let is_taken = others.iter().any(|tag| matches!(tag.source, Source::Fixed(_) | Source::Topic));
        if !(is_kept && is_taken) {
            rules.rename_tag(&tag.name, &new, at);
            given.push(new);
        }
    }
}

fn texts_of(table: &Options) -> (String, String) {
    table.mark(["result_key", "append"]);
    let text = |option: &str| unescaped(&table.text(option).unwrap_or_default());
    (text("pattern"), text("replacement"))
}

/// A pattern and its replacement as the two sides of `rename`. None if they are more than a prefix or a suffix.
fn pattern_of(pattern: &str, replacement: &str) -> Option<(String, String)> {
    let is_plain = |text: &str| !text.is_empty() && text == regex::escape(text) && !text.contains('*');
    let (anchored, rest) = match pattern.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let first_group = replacement.replace("${1}", "*").replace("$1", "*");
    let is_one_star = first_group.matches('*').count() == 1 && !first_group.contains('$');
    for group in ["(.*)", "(.+)"] {
        if let Some(before) = rest.strip_suffix('$').unwrap_or(rest).strip_suffix(group)
            && anchored
            && is_plain(before)
            && is_one_star
        {
            return Some((format!("{before}*"), first_group));
        }
        if let Some(after) = rest.strip_suffix('$').and_then(|rest| rest.strip_prefix(group))
            && is_plain(after)
            && is_one_star
        {
            return Some((format!("*{after}"), first_group));
        }
    }
    let is_text = !replacement.contains(['$', '*']);
    if anchored && is_plain(rest) && is_text {
        return Some((format!("{rest}*"), format!("{replacement}*")));
    }
    let suffix = rest.strip_suffix('$').filter(|suffix| !anchored && is_plain(suffix) && is_text)?;
    Some((format!("*{suffix}"), format!("*{replacement}")))
}

#[cfg(test)]
mod tests {
    use super::pattern_of;

    #[test]
    fn prefixes_and_suffixes_are_the_sides_of_a_rule() {
        let f = |pattern: &str, replacement: &str, want: Option<(&str, &str)>| {
            let got = pattern_of(pattern, replacement);
            let got = got.as_ref().map(|(from, to)| (from.as_str(), to.as_str()));
            assert_eq!(got, want, "{pattern} {replacement}");
        };
        f("^fld_(.*)$", "${1}", Some(("fld_*", "*")));
        f("^fld_(.+)", "$1", Some(("fld_*", "*")));
        f("^fld_(.*)$", "x_${1}_y", Some(("fld_*", "x_*_y")));
        f("^fld_", "", Some(("fld_*", "*")));
        f("^fld_", "x_", Some(("fld_*", "x_*")));
        f("_total$", "", Some(("*_total", "*")));
        f("(.*)_total$", "${1}_sum", Some(("*_total", "*_sum")));
        f("^a.b_", "", None);
        f("fld_", "", None);
        f("^fld_(.*)$", "x", None);
        f("^fld_(.*)$", "${1}_${2}", None);
        f("^fld_(\\w+)_(.*)$", "${2}", None);
        f("", "", None);
    }
}
