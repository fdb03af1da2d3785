//! Translates `metricpass`, a condition in CEL, into `where`.

use super::names::{Source, is_selector, key_of};
use super::rules::Rules;

/// Most underscores of a key: each may stand between the names of nested objects.
const UNDERSCORES_MAX: usize = 3;

/// The condition as a filter of elements. None if it is more than comparisons of fields and tags with constants.
pub fn to_where(condition: &str, rules: &Rules) -> Option<String> {
    if rules.is_influx() {
        return None;
    }
    let mut filter = String::new();
    let mut rest = condition.trim();
    loop {
        let end = end_of_comparison(rest)?;
        let (comparison, after) = rest.split_at_checked(end)?;
        filter += &compare(comparison.trim(), rules)?;
        if after.is_empty() {
            return Some(filter);
        }
        let (connective, after) = after.split_at_checked(2)?;
        filter.extend([" ", connective, " "]);
        rest = after.trim();
    }
}

/// The place of the first "&&" or "||" outside of a string. Brackets group conditions, which have no simple counterpart.
fn end_of_comparison(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if is_escaped || c == '\\' => is_escaped = !is_escaped,
            Some(open) => quote = Some(open).filter(|open| *open != c),
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if matches!(c, '(' | ')' | '?') => return None,
            None if text.get(at..).is_some_and(|rest| rest.starts_with("&&") || rest.starts_with("||")) => {
                return Some(at);
            }
            None => {}
        }
    }
    quote.is_none().then_some(text.len())
}

fn compare(comparison: &str, rules: &Rules) -> Option<String> {
    // An absent key makes "!=" hold in a filter; in CEL it is an error.
    let operator = ["==", "<=", ">=", "<", ">"].into_iter().find(|operator| comparison.contains(operator))?;
    let (left, right) = comparison.split_once(operator)?;
    let (left, right) = (left.trim(), right.trim());
    let constant: serde_json::Value = serde_json::from_str(right).ok()?;
    let (group, name) = left.split_once('.')?;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_ordering = !matches!(operator, "==");
    let keys = match group {
        "fields" if !rules.is_copied(name) => rules.fields_named(name),
        "tags" => match one(rules.tags_named(name))?.source {
            // A text that reads as a number or boolean may stand in the record as one.
            Source::Key(entry) if is_text(&constant) && !is_selector(&entry) => vec![key_of(&entry)],
            _ => return None,
        },
        _ => return None,
    };
    let is_kept = group == "tags" || keys.iter().any(|key| rules.keeps_texts(key));
    if !is_kept && !constant.is_number() {
        return None;
    }
    // A filter sees the values of the record, not those that a processor made of them.
    let changed =
        rules.values.iter().map(|(changed, _)| changed).chain(rules.types.iter().map(|(changed, _)| changed));
    let is_changed = changed.into_iter().any(|changed| keys.contains(changed) || changed.contains('*'));
    let is_ordered = matches!(constant, serde_json::Value::Number(_)) || constant.is_string() && is_kept;
    if !is_name || keys.is_empty() || is_changed || is_ordering && !is_ordered {
        return None;
    }
    let shown = match constant {
        serde_json::Value::String(text) => format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'")),
        serde_json::Value::Number(_) | serde_json::Value::Bool(_) => constant.to_string(),
        _ => return None,
    };
    let paths = keys.iter().map(|key| paths(key)).collect::<Option<Vec<_>>>()?.concat();
    // An absent or null value is an error in CEL, and so is the order of a text and a number. Telegraf lets the metric pass then.
    let is_any = |negated: &[&str]| {
        let shown = &shown;
        let compared = paths
            .iter()
            .flat_map(|path| negated.iter().map(move |operator| format!("@{path} {operator} {shown}")));
        compared.collect::<Vec<_>>().join(" || ")
    };
    let not = match operator {
        ">" => "<=",
        ">=" => "<",
        "<" => ">=",
        "<=" => ">",
        _ if !is_kept => return Some(format!("!({})", is_any(&["<", ">"]))),
        _ => {
            let absent: Vec<String> =
                paths.iter().map(|path| format!("(!@{path} || @{path} == null)")).collect();
            return Some(format!("({} || {})", absent.join(" && "), is_any(&["=="])));
        }
    };
    Some(format!("!({})", is_any(&[not])))
}

fn one<T>(items: Vec<T>) -> Option<T> {
    let mut items = items.into_iter();
    items.next().filter(|_| items.next().is_none())
}

/// Whether a constant is a text that reads as nothing else.
fn is_text(constant: &serde_json::Value) -> bool {
    constant.as_str().is_some_and(|text| text.parse::<f64>().is_err() && text.parse::<bool>().is_err())
}

/// The paths that a flattened key may come from.
fn paths(key: &str) -> Option<Vec<String>> {
    let parts: Vec<&str> = key.split('_').collect();
    if parts.len() > UNDERSCORES_MAX + 1 {
        return None;
    }
    let (first, rest) = parts.split_first()?;
    let mut paths = vec![vec![(*first).to_owned()]];
    for part in rest {
        let nested: Vec<Vec<String>> =
            paths.iter().map(|path| [path.clone(), vec![(*part).to_owned()]].concat()).collect();
        for path in &mut paths {
            if let Some(last) = path.last_mut() {
                *last = format!("{last}_{part}");
            }
        }
        paths.extend(nested);
    }
    let is_index = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let step = |name: &String| if is_index(name) { format!("[{name}]") } else { format!("['{name}']") };
    let whole = paths.into_iter().filter(|path| path.iter().all(|name| !name.is_empty()));
    Some(whole.map(|path| path.iter().map(step).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapping::decode::Filter;

    #[test]
    fn comparisons_with_constants_become_filters() {
        let rules = Rules {
            tag_keys: vec!["host".to_owned(), "$.site".to_owned()],
            rename: vec![("t".to_owned(), "temp".to_owned())],
            types: vec![("made".to_owned(), "float".to_owned())],
            values: vec![("state".to_owned(), Vec::new())],
            string_fields: vec!["text".to_owned(), "state".to_owned()],
            ..Rules::default()
        };
        let f = |condition: &str, want: Option<&str>| {
            let got = to_where(condition, &rules);
            assert_eq!(got.as_deref(), want, "{condition}");
            if let Some(filter) = got {
                Filter::parse(&filter).unwrap();
            }
        };
        f("fields.v > 5", Some("!(@['v'] <= 5)"));
        f(
            "fields.temp >= 2.5 && tags.host == \"it's\"",
            Some(
                r"!(@['t'] < 2.5 || @['temp'] < 2.5) && ((!@['host'] || @['host'] == null) || @['host'] == 'it\'s')",
            ),
        );
        f("fields.v == 5", Some("!(@['v'] < 5 || @['v'] > 5)"));
        f("fields.a_b < 1", Some("!(@['a_b'] >= 1 || @['a']['b'] >= 1)"));
        f("fields.text > \"a\"", Some("!(@['text'] <= 'a')"));
        f("fields.text == true", Some("((!@['text'] || @['text'] == null) || @['text'] == true)"));
        for condition in [
            "",
            "fields.v != 5",
            "tags.site == \"x\"",
            "tags.host > 5",
            "tags.host == \"5\"",
            "fields.v == \"x\"",
            "fields.v == true",
            "time > timestamp(\"x\")",
            "name == \"m\"",
            "!(fields.v > 5)",
            "fields.v > fields.w",
            "fields.made > 3",
            "fields.state == 1",
            "fields.a_b_c_d_e > 1",
            "tags.host.startsWith(\"x\")",
            "fields.v > 5 &&",
            "\"x",
        ] {
            f(condition, None);
        }
    }
}
