//! Translates `metricpass`, a condition in CEL, into `where`.

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
    let key = match (group, &constant) {
        (
            "fields",
            serde_json::Value::Number(_) | serde_json::Value::Bool(_) | serde_json::Value::String(_),
        ) => {
            let is_outer = rules.fields.iter().any(|(known, _)| known == name);
            Some(rules.original(name)).filter(|_| !is_outer)?
        }
        ("tags", serde_json::Value::String(_)) => rules
            .tag_keys
            .iter()
            .find(|key| rules.final_name(key) == name && !key.starts_with(['$', '^']))?
            .clone(),
        _ => return None,
    };
    // A filter sees the values of the record, not those that a processor made of them.
    let changed =
        rules.values.iter().map(|(changed, _)| changed).chain(rules.types.iter().map(|(changed, _)| changed));
    let is_changed = changed.into_iter().any(|changed| *changed == key || changed.contains('*'));
    if !is_name || key.is_empty() || key.contains('*') || is_changed {
        return None;
    }
    let constant = match constant {
        serde_json::Value::String(text) => format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'")),
        other => other.to_string(),
    };
    let paths = paths(&key)?;
    let absent: Vec<String> = paths.iter().map(|path| format!("!@{path}")).collect();
    let compared: Vec<String> = paths.iter().map(|path| format!("@{path} {operator} {constant}")).collect();
    // An absent key is an error in CEL, and Telegraf lets the metric pass then.
    Some(match absent.as_slice() {
        [one] => format!("({one} || {})", compared.concat()),
        several => format!("({} || {})", several.join(" && "), compared.join(" || ")),
    })
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
            ..Rules::default()
        };
        let f = |condition: &str, want: Option<&str>| {
            let got = to_where(condition, &rules);
            assert_eq!(got.as_deref(), want, "{condition}");
            if let Some(filter) = got {
                Filter::parse(&filter).unwrap();
            }
        };
        f("fields.v > 5", Some("(!@['v'] || @['v'] > 5)"));
        f(
            "fields.temp >= 2.5 && tags.host == \"it's\"",
            Some(r"(!@['t'] || @['t'] >= 2.5) && (!@['host'] || @['host'] == 'it\'s')"),
        );
        f("fields.a_b == 1", Some("(!@['a_b'] && !@['a']['b'] || @['a_b'] == 1 || @['a']['b'] == 1)"));
        f("fields.a_0 == true", Some("(!@['a_0'] && !@['a'][0] || @['a_0'] == true || @['a'][0] == true)"));
        for condition in [
            "",
            "fields.v != 5",
            "tags.site == \"x\"",
            "tags.host > 5",
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
