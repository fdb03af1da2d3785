//! Finds the parts of a configuration file that messages must not show.

use super::source::Span;
use base::suggest::distance;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key whose name has one of these parts is secret.
const SECRET_PARTS: [&str; 9] =
    ["token", "password", "passwd", "passphrase", "pwd", "secret", "pem", "jaas", "credentials"];

/// Whether no message may show the value of this key. Misspelt names and names of other tools count too.
pub fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let near = |part: &str| {
        SECRET_PARTS.iter().any(|secret| distance(part, secret) <= if secret.len() < 6 { 1 } else { 2 })
    };
    SECRET_PARTS.iter().any(|secret| lower.contains(secret))
        || lower.split(['.', '_', '-']).any(|part| part.len() > 2 && near(part))
        || lower == "sasl.oauthbearer.config"
}

/// The places of secret values and of addresses that contain a login.
pub fn secret_values(text: &str, table: &DeTable<'_>) -> Vec<Span> {
    let mut spans = Vec::new();
    walk(text, "", table, &mut spans);
    spans
}

fn walk(text: &str, parent: &str, table: &DeTable<'_>, spans: &mut Vec<Span>) {
    for (key, value) in table {
        let name =
            if parent.is_empty() { key.get_ref().to_string() } else { format!("{parent}.{}", key.get_ref()) };
        walk_value(text, &name, is_secret_name(key.get_ref()) || is_secret_name(&name), value, spans);
    }
}

fn walk_value(text: &str, name: &str, secret: bool, value: &Spanned<DeValue<'_>>, spans: &mut Vec<Span>) {
    match value.get_ref() {
        DeValue::Table(table) => walk(text, name, table, spans),
        DeValue::Array(values) => {
            for value in values {
                walk_value(text, name, secret, value, spans);
            }
        }
        DeValue::String(string) => {
            let written = text.get(value.span()).unwrap_or_default();
            if (secret && !is_reference(written)) || has_login(string) {
                spans.push(value.span());
            }
        }
        _ if secret => spans.push(value.span()),
        _ => {}
    }
}

/// Whether a value is `"${NAME}"` or `"${file:PATH}"`, which messages may show.
fn is_reference(written: &str) -> bool {
    let inside = written.trim_matches(['"', '\'']).strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    inside.is_some_and(|inside| {
        is_name(inside) || inside.starts_with("file:") && !inside.contains(['$', '{', '}'])
    })
}

/// Whether an address is like `http://user:password@host`. The `@` of a JSONPath comes after a bracket.
pub fn has_login(address: &str) -> bool {
    address.split_once('@').is_some_and(|(before, _)| before.contains(':') && !before.contains('['))
}

/// The places of secret values in a file with broken TOML: from the "=" of a secret key to the end of the line, or of a string with
/// several lines.
pub fn secret_lines(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut offset = 0;
    let mut open: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        let end = offset + line.trim_end().len();
        if let Some(quotes) = open {
            spans.push(offset..end);
            open = if line.contains(quotes) { None } else { open };
        } else if let Some(at) = secret_assignment(line) {
            let value = line.get(at..).unwrap_or_default();
            if !is_reference(value.trim()) {
                spans.push(offset + at..end);
            }
            let once = |quotes: &&str| value.matches(*quotes).count() == 1;
            open = ["\"\"\"", "'''"].into_iter().find(once);
        } else if let Some(login) = line.find(':').filter(|_| has_login(line)) {
            spans.push(offset + login..end);
        }
        offset += line.len();
    }
    spans
}

/// The start of the value of a secret key. ":" counts as "=", for files written as YAML or JSON.
fn secret_assignment(line: &str) -> Option<usize> {
    let mut from = 0;
    for (at, _) in line.match_indices(['=', ':']) {
        let before = line.get(from..at).unwrap_or_default();
        let is_name_char = |c: char| c.is_alphanumeric() || "._-\"' ".contains(c);
        let key = before.rsplit(|c| !is_name_char(c)).next().unwrap_or(before);
        if is_secret_name(key.trim_matches([' ', '"', '\''])) {
            let spaces = line.len() - line.get(at + 1..).unwrap_or_default().trim_start().len();
            return Some(spaces.min(line.trim_end().len()));
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_secret_names() {
        let f = |name: &str, want: bool| assert_eq!(is_secret_name(name), want, "{name}");
        for name in [
            "token",
            "TOKEN",
            "tokn",
            "toekn",
            "password",
            "pasword",
            "key_password",
            "influx_token",
            "sasl.password",
            "ssl.key.pem",
            "sasl.oauthbearer.client.secret",
            "sasl.jaas.config",
            "tls_key_pwd",
        ] {
            f(name, true);
        }
        for name in
            ["username", "topics", "org", "key_file", "tags", "time_key", "fetch.min.bytes", "passive"]
        {
            f(name, false);
        }
    }

    #[test]
    fn masks_values() {
        let f = |text: &str, want: &[&str]| {
            let (table, _) = DeTable::parse_recoverable(text);
            let mut spans = secret_values(text, table.get_ref());
            spans.sort_by_key(|span| span.start);
            let got: Vec<&str> = spans.iter().map(|span| &text[span.clone()]).collect();
            assert_eq!(got, want, "{text}");
        };
        f("token = 'hush'", &["'hush'"]);
        f("[influx]\ntoken = \"hush\"\norg = 'x'", &["\"hush\""]);
        f("i = { token = 'a', x = 'b', password = 5 }", &["'a'", "5"]);
        f("token = ['a', 'b']", &["'a'", "'b'"]);
        f("sasl.password = 'a'", &["'a'"]);
        f("token = '${INFLUX_TOKEN}'", &[]);
        f("token = '${file:/run/token}'", &[]);
        f("token = '${INFLUX_TOKEN:-hush}'", &["'${INFLUX_TOKEN:-hush}'"]);
        f("token = 'a${B}'", &["'a${B}'"]);
        f("url = 'http://u:p@h'", &["'http://u:p@h'"]);
        f("url = 'http://h/a'", &[]);
        f("token = '${hush-hush}'", &["'${hush-hush}'"]);
        f("query = '$.a[?@.b > 1][1:2]'", &[]);
    }

    #[test]
    fn masks_broken_lines() {
        let f = |text: &str, want: &[&str]| {
            let got: Vec<&str> = secret_lines(text).iter().map(|span| &text[span.clone()]).collect();
            assert_eq!(got, want, "{text}");
        };
        f("token = hush\norg = 'x'\n", &["hush"]);
        f("i = { org = 'x', token = \"hush }\r\n", &["\"hush }"]);
        f("\"sasl.password\" = 'hush", &["'hush"]);
        f("token = '''hush\nhash\n''' # x\norg = 'y'", &["'''hush", "hash", "''' # x"]);
        f("url = http://u:p@h", &["://u:p@h"]);
        f("org = 'x'", &[]);
        f("token = '${INFLUX_TOKEN}'\n", &[]);
        f("token =\n", &[""]);
        f("  password: hush\n", &["hush"]);
        f("{\"kafka\": {\"brokers\": \"x\", \"password\": \"hush\"}}", &["\"hush\"}}"]);
    }
}
