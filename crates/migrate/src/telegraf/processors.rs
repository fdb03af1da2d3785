//! Applies processors that a mapping replaces, in their order. Each point of every input passes them.
//!
//! What has no counterpart is noted with its line: a processor that silently did nothing would change points.

use super::conf::{Conf, Data, Options, Plugin};
use super::json;
use super::rules::Rules;
use regex::Regex;

/// Whether a mapping replaces processors of this kind, as far as it can.
pub fn is_replaced(kind: &str) -> bool {
    const REPLACED: [&str; 5] = ["rename", "converter", "enum", "strings", "regex"];
    kind.strip_prefix("processors.").is_some_and(|name| REPLACED.contains(&name))
}

/// Applies the processors to the rules of an input.
pub fn apply(conf: &Conf, rules: &mut Rules) {
    let mut processors: Vec<&Plugin> =
        conf.plugins.iter().filter(|plugin| is_replaced(&plugin.kind)).collect();
    processors.sort_by_key(|plugin| {
        plugin.options.text("order").and_then(|order| order.parse::<i64>().ok()).unwrap_or_default()
    });
    for Plugin { kind, options } in processors {
        options.mark(["order", "alias", "log_level"]);
        let filters = ["namepass", "namedrop", "tagpass", "tagdrop", "metricpass"];
        if let Some(filter) = filters.into_iter().find(|filter| options.has(filter)) {
            let why = format!(
                "{kind} with a filter was left out: write what it does into the mappings that need it"
            );
            rules.note(options, filter, why);
            continue;
        }
        match kind.as_str() {
            "processors.rename" => {
                for replace in options.tables("replace") {
                    replace_one(replace, rules);
                }
            }
            "processors.converter" => convert(options, rules),
            "processors.enum" => {
                for map in options.tables("mapping") {
                    enumerate(map, rules);
                }
            }
            "processors.strings" => change_texts(options, rules),
            _ => change_by_pattern(options, rules),
        }
        for option in options.unread() {
            rules.note(options, option, format!("this part of {kind} has no counterpart: change the producer, or keep Telegraf for points that need it"));
        }
    }
}

fn replace_one(replace: &Options, rules: &mut Rules) {
    let Some(dest) = replace.text("dest") else { return };
    for option in ["tag", "field"] {
        let Some(name) = replace.text(option) else { continue };
        if rules.rename_fixed(option, &name, &dest) || rules.rename_selected(&name, &dest) {
            continue;
        }
        let key = rules.original(&name);
        rules.rename.retain(|(from, _)| *from != key);
        rules.rename.push((key, dest.clone()));
    }
    let Some(name) = replace.text("measurement") else { return };
    if rules.measurement == name {
        rules.measurement.clone_from(&dest);
    }
    if rules.fixed_name().is_none() {
        rules.note(replace, "measurement", NAME_OF_RECORD);
    }
}

const NAME_OF_RECORD: &str = "a name that the record has is not changed";

/// The types of `processors.converter`, each with that of `types`.
const TYPES: [(&str, &str); 5] =
    [("string", "string"), ("integer", "int"), ("unsigned", "uint"), ("boolean", "bool"), ("float", "float")];

/// Applies `processors.converter`.
fn convert(options: &Options, rules: &mut Rules) {
    for tags in options.tables("tags") {
        for (option, to) in TYPES {
            for name in tags.texts(option) {
                tag_to_field(tags, option, &name, to, rules);
            }
        }
        for name in tags.texts("measurement") {
            match rules.take_tag(&name) {
                Some(key) => name_measurement(key, rules),
                None => rules.note(tags, "measurement", not_one_tag(&name)),
            }
        }
        report_time(tags, rules);
    }
    for fields in options.tables("fields") {
        for (option, to) in TYPES {
            for name in fields.texts(option) {
                rules.set_type(&name, to);
                if to == "int" || to == "uint" {
                    rules.note_fractions(fields, option);
                }
            }
        }
        for name in fields.texts("tag") {
            let key = rules.original(&name);
            rules.tag_keys.push(key);
        }
        for name in fields.texts("measurement") {
            let key = rules.original(&name);
            name_measurement(key, rules);
        }
        report_time(fields, rules);
    }
}

fn report_time(table: &Options, rules: &mut Rules) {
    for name in table.texts("timestamp") {
        if rules.time_key.is_some() {
            rules.note(table, "timestamp", "the mapping already has a time: correct `time_key`");
            continue;
        }
        rules.time_key = Some(rules.original(&name));
        json::time(table, ["timestamp", "timestamp_format", "timestamp_timezone"], rules);
    }
    table.mark(["timestamp_format", "timestamp_timezone"]);
    for option in table.unread() {
        rules.note(table, option, "this option of processors.converter is unknown");
    }
}

/// The value of a key names the measurement, and is nothing else.
fn name_measurement(key: String, rules: &mut Rules) {
    rules.exclude.push(key.clone());
    rules.name_key = Some(key);
}

fn tag_to_field(tags: &Options, option: &str, name: &str, to: &str, rules: &mut Rules) {
    let Some(key) = rules.take_tag(name) else { return rules.note(tags, option, not_one_tag(name)) };
    if key.starts_with(['$', '^']) {
        rules.types.push((name.to_owned(), to.to_owned()));
        rules.fields.push((name.to_owned(), key));
        return;
    }
    rules.types.push((key.clone(), to.to_owned()));
    if !rules.include.is_empty() {
        rules.include.push(key);
    }
    if to == "int" || to == "uint" {
        rules.note_fractions(tags, option);
    }
}

fn not_one_tag(name: &str) -> String {
    format!("{name:?} is not the name of one tag in `tag_keys`: write what becomes of it by hand")
}

/// Applies one mapping of `processors.enum`.
fn enumerate(map: &Options, rules: &mut Rules) {
    let names = |options: [&str; 2]| options.iter().flat_map(|option| map.texts(option)).collect::<Vec<_>>();
    let (fields, tags) = (names(["fields", "field"]), names(["tags", "tag"]));
    let values: Vec<(String, toml::Value)> = map
        .tables("value_mappings")
        .into_iter()
        .flat_map(Options::all)
        .filter_map(|(from, to)| Some((from.to_owned(), plain(&to.data)?)))
        .collect();
    if map.has("default") {
        rules.note(map, "default", "other texts do not become the default: name each of them in `values`");
    }
    let dest = map.text("dest");
    for name in &tags {
        match &dest {
            None => {
                let key = rules.original(name);
                rules.values.push((key, values.clone()));
            }
            Some(dest) => rules.note(
                map,
                "dest",
                format!(
                    "the texts under {name:?} can't be replaced in a second tag {dest:?}: leave out `dest`"
                ),
            ),
        }
    }
    let is_integer = values.iter().all(|(_, to)| to.is_integer());
    for name in &fields {
        let key = rules.original(name);
        let is_known = rules.string_fields.iter().any(|known| known == &key || known == "*");
        let key = match &dest {
            None => key,
            Some(dest) => {
                rules.fields.push((dest.clone(), key));
                dest.clone()
            }
        };
        if is_integer {
            // Telegraf writes the integers of the file as integers.
            rules.types.push((key.clone(), "int".to_owned()));
            if is_known && !map.has("default") {
                rules.note(map, "value_mappings", format!("other texts under {name:?} are dropped and counted, because the field is an integer; Telegraf writes them as text"));
            }
        }
        rules.values.push((key, values.clone()));
    }
}

fn plain(data: &Data) -> Option<toml::Value> {
    match data {
        Data::Text(text) => Some(text.clone().into()),
        Data::Flag(flag) => Some((*flag).into()),
        Data::Number(number) => match number.parse::<i64>() {
            Ok(whole) => Some(whole.into()),
            Err(_) => number.parse::<f64>().ok().map(toml::Value::from),
        },
        Data::List(_) | Data::Table(_) => None,
    }
}

/// Applies `processors.strings` to names. Values stay.
fn change_texts(options: &Options, rules: &mut Rules) {
    const CHANGES: [&str; 9] = [
        "lowercase",
        "uppercase",
        "titlecase",
        "trim",
        "trim_left",
        "trim_right",
        "trim_prefix",
        "trim_suffix",
        "replace",
    ];
    for change in CHANGES {
        for table in options.tables(change) {
            let text = |option: &str| table.text(option).map(|text| unescaped(&text));
            let (prefix, suffix) = (text("prefix"), text("suffix"));
            let (old, new) = (text("old"), text("new").unwrap_or_default());
            if let Some(wanted) = table.text("measurement") {
                let changed = |name: &str| match change {
                    "lowercase" => Some(name.to_lowercase()),
                    "uppercase" => Some(name.to_uppercase()),
                    "trim_prefix" => name.strip_prefix(prefix.as_deref()?).map(str::to_owned),
                    "trim_suffix" => name.strip_suffix(suffix.as_deref()?).map(str::to_owned),
                    "replace" => Some(name.replace(old.as_deref()?, &new)),
                    _ => None,
                };
                match rules.fixed_name().filter(|name| wanted == "*" || wanted == *name) {
                    Some(name) => {
                        rules.measurement =
                            changed(name).filter(|name| !name.is_empty()).unwrap_or(name.to_owned());
                    }
                    None if rules.fixed_name().is_none() => rules.note(table, "measurement", NAME_OF_RECORD),
                    None => {}
                }
            }
            for option in ["field_key", "tag_key"] {
                let Some(wanted) = table.text(option) else { continue };
                let pattern = match (change, &prefix, &suffix) {
                    ("trim_prefix", Some(prefix), _) => Some((format!("{prefix}*"), "*".to_owned())),
                    ("trim_suffix", _, Some(suffix)) => Some((format!("*{suffix}"), "*".to_owned())),
                    _ => None,
                };
                match pattern {
                    Some((from, to)) if wanted == "*" => rename_all(option == "tag_key", &from, &to, rules),
                    _ => rules.note(
                        table,
                        option,
                        format!(
                            "{change} of {wanted:?} has no counterpart: write the new name into `rename`"
                        ),
                    ),
                }
            }
            for option in table.unread() {
                rules.note(table, option, format!("{change} of values has no counterpart: `values` replaces single texts, or let the producer change them"));
            }
        }
    }
}

/// Applies `processors.regex` to names. Values stay.
fn change_by_pattern(options: &Options, rules: &mut Rules) {
    for (group, is_tag) in [("field_rename", false), ("tag_rename", true)] {
        for table in options.tables(group) {
            let (pattern, replacement) = texts_of(table);
            match pattern_of(&pattern, &replacement) {
                Some((from, to)) => rename_all(is_tag, &from, &to, rules),
                None => rules.note(table, "pattern", format!("{pattern:?} has no counterpart: write the new names into `rename`, whose \"*\" stands for any text")),
            }
        }
    }
    for table in options.tables("metric_rename") {
        let (pattern, replacement) = texts_of(table);
        match (rules.fixed_name(), Regex::new(&pattern)) {
            (Some(name), Ok(pattern)) => {
                rules.measurement = pattern.replace_all(name, replacement.as_str()).into_owned();
            }
            (None, Ok(_)) => rules.note(table, "pattern", NAME_OF_RECORD),
            (_, Err(_)) => rules.note(
                table,
                "pattern",
                format!("{pattern:?} is no regular expression that the bridge reads"),
            ),
        }
    }
    for group in ["tags", "fields"] {
        for table in options.tables(group) {
            table.mark(table.all().map(|(name, _)| name));
            rules.note(table, "pattern", "values are not changed by patterns: `values` replaces single texts, or let the producer change them");
        }
    }
}

fn texts_of(table: &Options) -> (String, String) {
    table.mark(["result_key", "append"]);
    let text = |option: &str| unescaped(&table.text(option).unwrap_or_default());
    (text("pattern"), text("replacement"))
}

/// The text that Telegraf reads: "$" is escaped in bridge.toml.
fn unescaped(text: &str) -> String {
    text.replace("$$", "$")
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

/// Renames all tags or all fields by a pattern with a star.
fn rename_all(is_tag: bool, from: &str, to: &str, rules: &mut Rules) {
    let (before, after) = from.split_once('*').unwrap_or((from, ""));
    let renamed = |name: &str| {
        let kept = name.strip_prefix(before)?.strip_suffix(after)?;
        Some(to.replacen('*', kept, 1)).filter(|name| !name.is_empty())
    };
    if is_tag {
        let fixed = rules.tags.iter_mut().map(|(key, _)| key).chain(&mut rules.topic_tag);
        for key in fixed.chain(&mut rules.header_tags) {
            if let Some(new) = renamed(key) {
                *key = new;
            }
        }
    } else {
        for (name, _) in &mut rules.fields {
            if let Some(new) = renamed(name) {
                *name = new;
            }
        }
    }
    // The star renames tags and fields: names that the other kind has, or that an exact rule gave, have rules of their own.
    for key in rules.tag_keys.clone() {
        let name = rules.final_name(&key);
        let Some(new) = renamed(&name).filter(|_| !key.contains('*')) else { continue };
        let flattened = Rules::flattened(&key);
        rules.rename.retain(|(from, _)| *from != flattened);
        rules.rename.push((flattened, if is_tag { new } else { name }));
    }
    if !is_tag {
        let exact: Vec<String> = rules.tag_keys.iter().map(|key| Rules::flattened(key)).collect();
        for (from, to) in &mut rules.rename {
            if !from.contains('*')
                && !exact.contains(from)
                && let Some(new) = renamed(to)
            {
                *to = new;
            }
        }
        rules.rename.push((from.to_owned(), to.to_owned()));
    }
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
