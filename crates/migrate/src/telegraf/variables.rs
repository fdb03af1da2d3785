//! Translates Telegraf's variables.
//!
//! Telegraf replaces `$NAME`, `${NAME}` and `${NAME:-default}` in the whole text before it reads the TOML; the bridge
//! does so in strings only, after it. Telegraf does not replace a variable that is not set; the bridge refuses to start.

/// Texts that look like variables: the login and the default consumer group of Azure Event Hubs.
const FIXED: [&str; 2] = ["ConnectionString", "Default"];

/// Quotes variables outside of strings, so that the text is TOML. Lines keep their numbers.
/// Lines that are only a variable are commented out and returned.
pub fn quote_bare(text: &str) -> (String, Vec<usize>) {
    let mut out = String::with_capacity(text.len());
    let mut lost = Vec::new();
    let mut rest = text;
    let mut line_start = 0;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => string_len(rest, first),
            '$' | '@' if reference_len(rest) > 0 => {
                let len = reference_len(rest);
                let (before, reference) = (out.get(line_start..).unwrap_or_default(), rest.get(..len));
                if before.trim().is_empty() {
                    lost.push(out.matches('\n').count() + 1);
                    let end = rest.find('\n').unwrap_or(rest.len());
                    out.push_str("# ");
                    out.push_str(rest.get(..end).unwrap_or_default());
                    rest = rest.get(end..).unwrap_or_default();
                    continue;
                }
                let quoted = reference.unwrap_or_default().replace('\\', "\\\\").replace('"', "\\\"");
                out.push('"');
                out.push_str(&quoted);
                out.push('"');
                rest = rest.get(len..).unwrap_or_default();
                continue;
            }
            c => c.len_utf8(),
        };
        let (part, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
        out.push_str(part);
        rest = after;
        if first == '\n' {
            line_start = out.len();
        }
    }
    (out, lost)
}

/// Length of the string at the start with its quotes, or up to the end of the line or text.
fn string_len(text: &str, quote: char) -> usize {
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let is_long = text.starts_with(&triple);
    let end = if is_long { triple.as_str() } else { triple.get(..1).unwrap_or_default() };
    let mut at = end.len();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(end) {
            return at + end.len();
        }
        if rest.starts_with('\n') && !is_long {
            return at;
        }
        let escape = usize::from(quote == '"' && rest.starts_with('\\'));
        at += escape + rest.chars().nth(escape).map_or(0, char::len_utf8);
    }
    text.len()
}

/// Length of the variable or secret at the start; 0 if there is none.
fn reference_len(text: &str) -> usize {
    if text.starts_with("${") || text.starts_with("@{") {
        return text.find('}').map_or(0, |end| end + 1);
    }
    match text.strip_prefix('$').filter(|rest| starts_name(rest)) {
        Some(rest) => 1 + name_len(rest),
        None => 0,
    }
}

/// The content of a string in the notation of bridge.toml.
pub fn to_bridge(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['$', '@']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = from.strip_prefix("$$") {
            // Telegraf reads one "$". It stays escaped if the bridge would take it for a variable.
            out.push_str(if after.starts_with('{') || starts_name(after) { "$$" } else { "$" });
            // The rest is text.
            let plain = if after.starts_with('{') { 1 } else { name_len(after) };
            let (plain, after) = after.split_at_checked(plain).unwrap_or((after, ""));
            out.push_str(plain);
            rest = after;
            continue;
        }
        let len = reference_len(from);
        let (reference, after) = from.split_at_checked(len.max(1)).unwrap_or((from, ""));
        match name_and_default(reference).filter(|_| len > 0) {
            Some((name, None)) if is_bare(reference) && FIXED.contains(&name.as_str()) => {
                out.extend(["$$", &name]);
            }
            // Names of variables are upper-case by convention. Another name may be text, so it keeps Telegraf's meaning: it is
            // replaced only if it is set.
            Some((name, None)) if is_bare(reference) && name.contains(|c: char| c.is_ascii_lowercase()) => {
                out.extend(["${", &name, ":-$", &name, "}"]);
            }
            Some((name, None)) => out.extend(["${", &name, "}"]),
            Some((name, Some(default))) => out.extend(["${", &name, ":-", default, "}"]),
            None if reference.starts_with("${") => {
                out.push('$');
                out.push_str(reference);
            }
            None => out.push_str(reference),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Whether a reference is `$NAME`, without braces.
fn is_bare(reference: &str) -> bool {
    reference.strip_prefix('$').is_some_and(starts_name)
}

fn name_and_default(reference: &str) -> Option<(String, Option<&str>)> {
    if let Some(secret) = reference.strip_prefix("@{") {
        // A secret of a store: "store:key".
        let key = secret.trim_end_matches('}').rsplit(':').next()?;
        let name: String = key
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
            .collect();
        return Some((name, None)).filter(|(name, _)| starts_name(name));
    }
    let inside = reference.strip_prefix('$')?;
    let inside = inside.strip_prefix('{').and_then(|inside| inside.strip_suffix('}')).unwrap_or(inside);
    if !starts_name(inside) {
        return None;
    }
    let (name, after) = inside.split_at_checked(name_len(inside))?;
    let default = after.strip_prefix(":-").or_else(|| after.strip_prefix('-'));
    let is_known = after.is_empty() || default.is_some() || after.starts_with('?') || after.starts_with(":?");
    is_known.then(|| (name.to_owned(), default))
}

/// Whether a text in the notation of bridge.toml is only a variable, which could then have several values.
pub fn is_whole_variable(text: &str) -> bool {
    text.starts_with("${") && text.ends_with('}') && text.matches("${").count() == 1
}

/// Whether a text has a variable.
pub fn has_variable(text: &str) -> bool {
    text.replace("$${", "").contains("${")
}

fn starts_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn name_len(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn puts_bare_variables_into_strings() {
        let f = |text: &str, want: &str| assert_eq!(quote_bare(text), (want.to_owned(), vec![]), "{text}");
        f("a = 1 # $A", "a = 1 # $A");
        f("a = $A\nb = [${B}, $C]", "a = \"$A\"\nb = [\"${B}\", \"$C\"]");
        f("a = ${A:-\"x\"}", "a = \"${A:-\\\"x\\\"}\"");
        f("a = \"$A # \\\" $B\" # $C", "a = \"$A # \\\" $B\" # $C");
        f("a = '$A\\' # \"$B", "a = '$A\\' # \"$B");
        f("a = \"\"\"\n\"$A\" # no\n\"\"\"", "a = \"\"\"\n\"$A\" # no\n\"\"\"");
        f("a = '''\n' $A'''", "a = '''\n' $A'''");
        f("a = \"온도\" # '", "a = \"온도\" # '");
        f("a = \"never ended\nb = $B", "a = \"never ended\nb = \"$B\"");
        assert_eq!(quote_bare("a = 1\n  $MORE x\nb = 2"), ("a = 1\n  # $MORE x\nb = 2".to_owned(), vec![2]));
    }

    #[test]
    fn writes_variables_as_the_bridge_does() {
        let f = |text: &str, want: &str| assert_eq!(to_bridge(text), want, "{text}");
        f("plain", "plain");
        f("$A", "${A}");
        f("http://$HOST:8086", "http://${HOST}:8086");
        f("${A}-${B:-b}-${C-c}", "${A}-${B:-b}-${C:-c}");
        f("${A:?must be set}", "${A}");
        f("$$A and $${A} and 5$$", "$$A and $${A} and 5$");
        f("^a.*$", "^a.*$");
        f("^(a|b)$|x$.", "^(a|b)$|x$.");
        f("${}", "$${}");
        f("${A:+x}", "$${A:+x}");
        f("@{store:influx-token}", "${INFLUX_TOKEN}");
        f("a@b", "a@b");
        f("$", "$");
        f("$ConnectionString", "$$ConnectionString");
        f("$Default", "$$Default");
        f("${Default}", "${Default}");
        f("$Defaults", "${Defaults:-$Defaults}");
        f("a-$b_1-$C", "a-${b_1:-$b_1}-${C}");
    }

    /// The value that the bridge reads for `text` of a telegraf.conf.
    fn read(text: &str, env: &dyn Fn(&str) -> Option<String>) -> String {
        let text = format!(
            "kafka = {{ brokers = 'b:1', topics = 't', client_id = '{}' }}\ninflux = {{ url = 'http://i', api = 'v1', database = 'd' }}",
            to_bridge(text)
        );
        configuration::parse(Path::new("bridge.toml"), &text, env).unwrap().config.kafka.client_id
    }

    /// Text that Telegraf does not replace reads back unchanged in the bridge.
    #[test]
    fn an_unset_variable_of_telegraf_is_text() {
        for text in ["$ConnectionString", "$Default", "^$Default$", "a$b", "$$ConnectionString"] {
            assert_eq!(read(text, &|_| None), text.replace("$$", "$"), "{text}");
        }
        assert_eq!(read("a$b", &|name| (name == "b").then(|| "x".to_owned())), "ax");
    }
}
