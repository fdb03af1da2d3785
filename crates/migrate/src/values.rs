//! Values of bridge.toml, from those of other tools: strings, globs, durations, patterns of topics.

/// A string value of bridge.toml that means `text`, with each "$" escaped.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '$'
            && chars.peek().is_some_and(|&next| next == '{' || next == '_' || next.is_ascii_alphabetic())
        {
            out.push('$');
        }
    }
    out
}

/// Whether `name` is a valid name of a variable.
pub fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A glob that matches only this key.
pub fn exact_glob(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for c in key.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A duration in the notation of bridge.toml.
pub fn duration(seconds: f64) -> Option<String> {
    let ms = (seconds * 1000.0).round();
    let is_valid = (1.0..=3_600_000.0).contains(&ms);
    let ms = if is_valid { ms as u64 } else { return None };
    Some(if ms.is_multiple_of(1000) { format!("{}s", ms / 1000) } else { format!("{ms}ms") })
}

/// The part of a topic name that a tool's regular expression must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchedPart {
    /// Any part (Ruby).
    Anywhere,
    /// The beginning (librdkafka).
    Beginning,
    /// The whole name (Java's consumer).
    Whole,
}

/// Turns a tool's regular expression of topics into an entry of `topics`, which begins with "^".
pub fn topic_pattern(regex: &str, extent: MatchedPart) -> Result<String, String> {
    let body = regex.strip_prefix("\\A").unwrap_or(regex);
    let is_anchored = body.len() < regex.len() || regex.starts_with('^');
    let body = body.strip_prefix('^').unwrap_or(body);
    let body = body.strip_suffix("\\Z").map_or_else(|| body.to_owned(), |body| format!("{body}$"));
    let has_choice = body.contains('|');
    let pattern = match extent {
        MatchedPart::Whole if has_choice => format!("^(?:{body})$"),
        MatchedPart::Whole if body.ends_with('$') => format!("^{body}"),
        MatchedPart::Whole => format!("^{body}$"),
        _ if is_anchored => format!("^{body}"),
        MatchedPart::Beginning if has_choice => format!("^(?:{body})"),
        MatchedPart::Beginning => format!("^{body}"),
        MatchedPart::Anywhere if has_choice => format!("^.*(?:{body})"),
        MatchedPart::Anywhere if body.starts_with(".*") => format!("^{body}"),
        MatchedPart::Anywhere => format!("^.*{body}"),
    };
    match regex::Regex::new(&pattern) {
        Ok(_) => Ok(literal(&pattern)),
        Err(_) => Err(format!(
            "the bridge can't read the regular expression {regex:?}: it has neither look-around nor back references"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_stand_for_themselves() {
        let f = |text: &str, want: &str| assert_eq!(literal(text), want);
        f("a$b", "a$$b");
        f("${tag}", "$${tag}");
        f("pa$5$", "pa$5$");
        f("^a.*$", "^a.*$");
    }

    #[test]
    fn durations_are_those_of_bridge_toml() {
        let f = |seconds: f64, want: Option<&str>| assert_eq!(duration(seconds).as_deref(), want);
        f(60.0, Some("60s"));
        f(0.25, Some("250ms"));
        f(0.0, None);
        f(-1.0, None);
        f(1e300, None);
        f(f64::NAN, None);
    }

    #[test]
    fn patterns_keep_what_they_match() {
        let f =
            |regex: &str, extent, want: &str| assert_eq!(topic_pattern(regex, extent).as_deref(), Ok(want));
        f("^metrics\\..*", MatchedPart::Anywhere, "^metrics\\..*");
        f("metrics", MatchedPart::Anywhere, "^.*metrics");
        f(".*", MatchedPart::Anywhere, "^.*");
        f("a|b", MatchedPart::Anywhere, "^.*(?:a|b)");
        f("metrics", MatchedPart::Beginning, "^metrics");
        f("a|b", MatchedPart::Beginning, "^(?:a|b)");
        f("metrics\\..*", MatchedPart::Whole, "^metrics\\..*$");
        f("a|b$", MatchedPart::Whole, "^(?:a|b$)$");
        f("^a$", MatchedPart::Whole, "^a$");
        f("\\Aa\\Z", MatchedPart::Anywhere, "^a$");
        f("\\Aa\\z", MatchedPart::Anywhere, "^a\\z");
        assert!(topic_pattern("(?!x)a", MatchedPart::Whole).is_err());
    }

    #[test]
    fn globs_match_one_key() {
        let globs = mapping::Globs::compile(&[exact_glob("a[0]*{b}\\")]).unwrap();
        assert!(globs.is_match("a[0]*{b}\\") && !globs.is_match("a0b") && !globs.is_match("a[0]xx{b}\\"));
    }
}
