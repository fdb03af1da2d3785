//! Translates GJSON paths of `json_query` and `json_v2` into JSONPath.

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    /// All elements of an array.
    All,
    /// All elements that match: the inside of a JSONPath filter.
    Where(String),
    /// The first element that matches.
    First(String),
}

/// The reason why a path has no counterpart in JSONPath.
pub type Problem = &'static str;

/// The steps of a path; empty for the whole record.
pub fn steps(path: &str) -> Result<Vec<Step>, Problem> {
    let mut steps = Vec::new();
    let mut rest = path;
    if matches!(path, "" | "@this") {
        return Ok(steps);
    }
    loop {
        let (part, after) = split_part(rest)?;
        if part != "@this" {
            steps.push(step(part)?);
        }
        match after {
            None => break,
            Some(after) => rest = after,
        }
    }
    // At the end of a path "#" is the number of elements in GJSON, but users of Telegraf write it for the elements.
    Ok(steps)
}

/// The first part of a path, and the rest after its dot.
fn split_part(text: &str) -> Result<(&str, Option<&str>), Problem> {
    let (mut depth, mut in_string, mut is_escaped) = (0_i32, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' if depth > 0 => in_string = !in_string,
            _ if in_string => {}
            '(' => depth += 1,
            ')' => depth -= 1,
            '|' if depth == 0 => return Err("a pipe has no counterpart in JSONPath"),
            '.' if depth == 0 => {
                let (part, after) = text.split_at_checked(at).ok_or("it is no path")?;
                return Ok((part, after.get(1..)));
            }
            _ => {}
        }
    }
    if depth != 0 { Err("its brackets do not match") } else { Ok((text, None)) }
}

fn step(part: &str) -> Result<Step, Problem> {
    if part.is_empty() {
        return Err("it has an empty part");
    }
    if part == "#" {
        return Ok(Step::All);
    }
    if let Some(query) = part.strip_prefix("#(") {
        return match (query.strip_suffix(")#"), query.strip_suffix(')')) {
            (Some(inside), _) => filter(inside).map(Step::Where),
            (None, Some(inside)) => filter(inside).map(Step::First),
            _ => Err("its query is not understood"),
        };
    }
    if part.starts_with(['@', '!']) {
        return Err("modifiers have no counterpart in JSONPath");
    }
    if part.starts_with(['{', '[']) {
        return Err("selections of several paths have no counterpart: they make new objects");
    }
    let mut key = String::new();
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => key.extend(chars.next()),
            '*' | '?' => return Err("wildcards in keys have no counterpart in JSONPath"),
            c => key.push(c),
        }
    }
    Ok(Step::Key(key))
}

/// Translates a query such as `kind=="a"` or `age>45`. Without a key it compares the element itself.
fn filter(query: &str) -> Result<String, Problem> {
    const UNKNOWN: Problem = "only simple queries such as #(kind==\"x\")# have a counterpart";
    let at = query.find(['=', '!', '<', '>', '%']).ok_or(UNKNOWN)?;
    let (key, rest) = query.split_at_checked(at).ok_or(UNKNOWN)?;
    let operator =
        ["==", "!=", "<=", ">=", "<", ">", "="].into_iter().find(|o| rest.starts_with(o)).ok_or(UNKNOWN)?;
    let value = rest.get(operator.len()..).unwrap_or_default().trim();
    let is_json =
        serde_json::from_str::<serde_json::Value>(value).is_ok_and(|v| !v.is_array() && !v.is_object());
    if !is_json || key.contains(['(', '#', '@', '|', '*', '?']) {
        return Err(UNKNOWN);
    }
    let steps = if key.trim().is_empty() { Vec::new() } else { steps(key.trim())? };
    let value = match serde_json::from_str(value) {
        Ok(serde_json::Value::String(text)) => quoted(&text),
        _ => value.to_owned(),
    };
    let operator = if operator == "=" { "==" } else { operator };
    Ok(format!("@{} {operator} {value}", tail(&steps)))
}

/// The steps as a JSONPath.
pub fn to_jsonpath(steps: &[Step]) -> String {
    format!("${}", tail(steps))
}

/// The steps as a selector from the element.
pub fn to_element(steps: &[Step]) -> String {
    format!("@{}", tail(steps))
}

fn tail(steps: &[Step]) -> String {
    steps
        .iter()
        .map(|step| match step {
            Step::Key(key) if is_index(key) => format!("[{key}]"),
            Step::Key(key) if is_plain(key) => format!(".{key}"),
            Step::Key(key) => format!("[{}]", quoted(key)),
            Step::All => "[*]".to_owned(),
            Step::Where(filter) | Step::First(filter) => format!("[?{filter}]"),
        })
        .collect()
}

/// The steps as a flattened key; None if they select several values.
pub fn flattened(steps: &[Step]) -> Option<String> {
    let key = |step: &Step| if let Step::Key(key) = step { Some(key.clone()) } else { None };
    steps.iter().map(key).collect::<Option<Vec<_>>>().map(|keys| keys.join("_"))
}

fn is_index(key: &str) -> bool {
    !key.is_empty()
        && key.len() < 10
        && key.bytes().all(|b| b.is_ascii_digit())
        && (key == "0" || !key.starts_with('0'))
}

fn is_plain(key: &str) -> bool {
    let is_first = |c: char| c.is_alphabetic() || c == '_';
    key.starts_with(is_first) && key.chars().all(|c| is_first(c) || c.is_ascii_digit())
}

fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out + "'"
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapping::decode::Query;

    #[test]
    fn becomes_jsonpath() {
        let f = |path: &str, want: &str| {
            let got = steps(path).map(|steps| to_jsonpath(&steps));
            assert_eq!(got.as_deref(), Ok(want), "{path}");
            Query::parse(want).unwrap();
        };
        f("", "$");
        f("@this", "$");
        f("a", "$.a");
        f("a.b", "$.a.b");
        f("@this.a", "$.a");
        f("a.#", "$.a[*]");
        f("a.#.b", "$.a[*].b");
        f("a.0.b", "$.a[0].b");
        f(r"a\.b.c", "$['a.b'].c");
        f("a b.온도", "$['a b'].온도");
        f("a-b", "$['a-b']");
        f("it's", r"$['it\'s']");
        f(r#"a.#(kind=="x")#"#, "$.a[?@.kind == 'x']");
        f(r#"a.#(kind=="x.y)").b"#, "$.a[?@.kind == 'x.y)'].b");
        f("a.#(b.c>=45)#.d", "$.a[?@.b.c >= 45].d");
        f(r#"a.#(=="x")#"#, "$.a[?@ == 'x']");
    }

    #[test]
    fn paths_without_a_counterpart_have_a_reason() {
        for path in [
            "a|b",
            "a.@reverse",
            "@pretty",
            "{a,b}",
            "a.[b,c]",
            "a*.b",
            "a..b",
            "a.#(b%\"x*\")#",
            "a.#(b",
            "a.",
            "!\"x\"",
            "a.#(b.#(c>1)#)#",
        ] {
            assert!(steps(path).is_err(), "{path}");
        }
    }

    #[test]
    fn becomes_a_flattened_key() {
        assert_eq!(flattened(&steps("a.0.b").unwrap()).as_deref(), Some("a_0_b"));
        assert_eq!(flattened(&steps("a.#").unwrap()), None);
    }
}
