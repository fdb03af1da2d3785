//! Turns values of Fluentd into values of bridge.toml: quotes, and Ruby code that reads variables and files.

use crate::values::{is_variable, literal};
use serde_json::Value;

/// A value in the notation of bridge.toml: `${NAME}` is a variable, every other "$" is escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pub text: String,
    /// Ruby code without a counterpart; the text has `${FILL_IN}` instead.
    pub ruby: Option<String>,
}

impl Text {
    fn push_ruby(&mut self, code: &str) {
        if let Some(value) = evaluated(code) {
            self.text.push_str(&value);
        } else {
            self.text.push_str("${FILL_IN}");
            self.ruby.get_or_insert_with(|| code.trim().to_owned());
        }
    }

    pub fn flag(&self) -> Option<bool> {
        match self.text.as_str() {
            // An option without a value means true.
            "true" | "yes" | "" => Some(true),
            "false" | "no" => Some(false),
            _ => None,
        }
    }

    /// The list `a,b` or `["a","b"]`.
    pub fn list(&self) -> Vec<String> {
        let plain = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if let Ok(Value::Array(values)) = serde_json::from_str(&self.text) {
            return values.iter().map(plain).collect();
        }
        let parts = self.text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    }

    /// The pairs `{"a":"b"}` or `a:b,c:d`.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match serde_json::from_str(&self.text) {
            Ok(Value::Object(values)) => {
                values.iter().map(|(key, value)| (key.clone(), plain(value))).collect()
            }
            // This is damaged, or of another kind.
            _ if self.text.starts_with('{') => Vec::new(),
            _ => {
                let pairs = self.text.split(',').filter_map(|pair| pair.split_once(':'));
                pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
            }
        }
    }

    /// The duration `10`, `10s`, `1m` or `0.5h`, in seconds.
    pub fn seconds(&self) -> Option<f64> {
        let (number, unit) = match self.text.chars().last()? {
            's' => (self.text.strip_suffix('s')?, 1.0),
            'm' => (self.text.strip_suffix('m')?, 60.0),
            'h' => (self.text.strip_suffix('h')?, 3600.0),
            'd' => (self.text.strip_suffix('d')?, 86_400.0),
            _ => (self.text.as_str(), 1.0),
        };
        number.trim().parse::<f64>().ok().map(|number| number * unit)
    }
}

/// Reads from after the opening quote to the closing one, and returns the rest too.
pub fn double_quoted(text: &str) -> Option<(Text, &str)> {
    let mut out = Text::default();
    let mut plain = String::new();
    let mut rest = text;
    loop {
        let mut chars = rest.chars();
        let c = chars.next()?;
        rest = chars.as_str();
        match c {
            '"' => {
                out.text.push_str(&literal(&plain));
                return Some((out, rest));
            }
            '\\' => {
                let escaped = chars.next()?;
                rest = chars.as_str();
                plain.extend(unescaped(escaped));
            }
            '#' if rest.starts_with('{') => {
                let (code, after) = ruby(rest)?;
                out.text.push_str(&literal(&plain));
                plain.clear();
                out.push_ruby(code);
                rest = after;
            }
            c => plain.push(c),
        }
    }
}

/// The character of an escape. A backslash before a line break joins the lines.
fn unescaped(c: char) -> Option<char> {
    match c {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'f' => Some('\u{c}'),
        'b' => Some('\u{8}'),
        '0' => Some('\0'),
        '\n' => None,
        other => Some(other),
    }
}

/// Like [`double_quoted`], but only the quote and the backslash are escaped.
pub fn single_quoted(text: &str) -> Option<(Text, &str)> {
    let mut plain = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '\'' => return Some((Text { text: literal(&plain), ruby: None }, chars.as_str())),
            '\\' => match chars.next()? {
                c @ ('\'' | '\\') => plain.push(c),
                c => plain.extend(['\\', c]),
            },
            c => plain.push(c),
        }
    }
}

/// Reads up to the end of the line or a comment.
pub fn unquoted(line: &str) -> Text {
    let mut out = Text::default();
    let mut rest = line.trim_end();
    while let Some(at) = rest.find('#') {
        let (before, after) = rest.split_at(at);
        let after = after.get(1..).unwrap_or_default();
        if let Some((code, behind)) = ruby(after) {
            out.text.push_str(&literal(before));
            out.push_ruby(code);
            rest = behind;
        } else if before.ends_with([' ', '\t']) || before.is_empty() && out.text.is_empty() {
            out.text.push_str(&literal(before.trim_end()));
            return out;
        } else {
            out.text.push_str(&literal(before));
            out.text.push('#');
            rest = after;
        }
    }
    out.text.push_str(&literal(rest));
    out
}

/// Reads a JSON array or object whose lines may end in a comment, and returns compact JSON.
pub fn json(text: &str) -> Option<(Text, &str)> {
    let mut out = Text::default();
    let mut depth = 0_usize;
    let mut rest = text;
    loop {
        let mut chars = rest.chars();
        let c = chars.next()?;
        rest = chars.as_str();
        match c {
            '"' => {
                let (string, after) = double_quoted(rest)?;
                out.text.push_str(&Value::from(string.text).to_string());
                out.ruby = out.ruby.or(string.ruby);
                rest = after;
            }
            '#' => rest = rest.get(rest.find('\n')?..)?,
            '[' | '{' => {
                depth += 1;
                out.text.push(c);
            }
            ']' | '}' => {
                depth = depth.saturating_sub(1);
                out.text.push(c);
            }
            c if c.is_whitespace() => {}
            c => out.text.push(c),
        }
        if depth == 0 {
            return Some((out, rest));
        }
    }
}

/// Reads Ruby code up to its closing brace, and returns the rest too. Quotes in it may contain braces.
fn ruby(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('{')?;
    let mut depth = 1_usize;
    let mut quote = None;
    for (at, c) in inside.char_indices() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            ('{', None) => depth += 1,
            ('}', None) => depth -= 1,
            // The code has one line only.
            ('\n', None) => return None,
            _ => {}
        }
        if depth == 0 {
            return Some((inside.get(..at)?, inside.get(at + 1..)?));
        }
    }
    None
}

/// Translates common Ruby expressions into the notation of bridge.toml.
fn evaluated(code: &str) -> Option<String> {
    let code = code.trim();
    match code {
        "Socket.gethostname" | "hostname" | "`hostname`" | "`hostname`.chomp" | "`hostname`.strip" => {
            return Some("${HOSTNAME}".to_owned());
        }
        "OpenSSL::SSL::VERIFY_NONE" => return Some("VERIFY_NONE".to_owned()),
        "OpenSSL::SSL::VERIFY_PEER" => return Some("VERIFY_PEER".to_owned()),
        _ => {}
    }
    let path = code.strip_prefix("File.read(").or_else(|| code.strip_prefix("IO.read("));
    if let Some((path, rest)) = path.and_then(|path| path.split_once(')')) {
        let is_plain = matches!(rest, "" | ".strip" | ".chomp");
        return string(path).filter(|_| is_plain).map(|path| format!("${{file:{path}}}"));
    }
    let (name, default) = if let Some(arguments) = code.strip_prefix("ENV.fetch(") {
        let arguments = arguments.strip_suffix(')')?;
        let (name, default) = arguments.split_once(',').map_or((arguments, None), |(n, d)| (n, Some(d)));
        (string(name)?, default)
    } else {
        let (name, rest) = code.strip_prefix("ENV[")?.split_once(']')?;
        let default = match rest.trim() {
            "" => None,
            rest => Some(rest.strip_prefix("||")?),
        };
        (string(name)?, default)
    };
    let name = Some(name).filter(|name| is_variable(name))?;
    match default.map(str::trim) {
        None | Some("use_default" | "use_nil" | "nil") => Some(format!("${{{name}}}")),
        Some(default) => {
            let number = default.parse::<f64>().is_ok().then_some(default);
            let default = number.or_else(|| string(default)).filter(|text| !text.contains(['}', '$']))?;
            Some(format!("${{{name}:-{default}}}"))
        }
    }
}

/// The content of a quoted Ruby string without escapes.
fn string(text: &str) -> Option<&str> {
    let text = text.trim();
    let inside = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    let inside = inside('\'').or_else(|| inside('"'))?;
    (!inside.contains(['\'', '"', '\\', '#'])).then_some(inside)
}
