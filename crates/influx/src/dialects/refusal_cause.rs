//! Parses the messages of InfluxDB 1.x and 2.x about single lines. They name the field, which helps to find the lines.

use super::ServerLimit;

/// Beginning of a parser's message, before each line that it quotes.
const UNPARSABLE: &str = "unable to parse '";
/// Between two lines that are quoted.
const NEXT_UNPARSABLE: &str = "\nunable to parse '";
const PARTIAL: &str = "partial write: ";
/// Prefixes that 2.x adds.
const PREFIXES: [&str; 2] =
    ["failure writing points to database: ", "unexpected error writing points to database: "];

/// Why a server refuses lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusalCause {
    /// The parser cannot read the lines; it quotes them.
    Unparsable,
    /// The field has another type already, in the shard of the line's time.
    Conflict { field: Field, kind: String },
    /// A string of the field is longer than this.
    TooLong { field: Field, bytes_max: usize },
    /// The lines are older than the retention of the destination.
    Retention,
    /// A known cause whose message names neither field nor lines.
    Named(&'static str),
    /// A limit keeps the lines out.
    Limit(&'static ServerLimit),
    /// None of the known causes.
    Other,
}

/// A field that an answer names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Possible (measurement, field) pairs: 1.x writes names unescaped, 2.x as Go quotes them, and an answer does not name the version.
    readings: Vec<(String, String)>,
}

impl Field {
    pub fn new(measurement: &str, field: &str) -> Self {
        Self { readings: vec![(measurement.to_owned(), field.to_owned())] }
    }

    pub fn is(&self, measurement: &str, field: &str) -> bool {
        self.readings.iter().any(|(m, f)| m == measurement && f == field)
    }

    /// Bytes that every line with this field contains, to skip other lines quickly; empty if the line may escape the name.
    pub fn bytes(&self) -> &[u8] {
        match &*self.readings {
            [(_, field)] if !field.contains([',', '=', ' ', '"', '\\']) => field.as_bytes(),
            _ => b"",
        }
    }
}

impl RefusalCause {
    /// Parses a message; `None` if it names no known cause in full.
    pub fn read(message: &str) -> Option<Self> {
        let message = without_prefix(message);
        if quotes_begin(message) {
            return Some(Self::Unparsable);
        }
        let reason = partial(message).map_or(message, |(reason, _)| reason);
        let is_retention = || {
            reason.starts_with("points beyond retention policy")
                || (reason.starts_with("dropped ") && reason.contains("points outside retention policy"))
        };
        conflict(reason).or_else(|| too_long(reason)).or_else(|| is_retention().then_some(Self::Retention))
    }

    /// Whether one line may have both causes, so that a server names either.
    pub fn is_kin(&self, other: &Self) -> bool {
        let of_field = |cause: &Self| matches!(cause, Self::Conflict { .. } | Self::TooLong { .. });
        of_field(self) && of_field(other) || std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// The server's message without the prefix of 2.x.
fn without_prefix(message: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| message.strip_prefix(prefix)).unwrap_or(message)
}

/// A reason and the count of dropped lines behind it. The last ` dropped=` counts, because a name may contain the same text.
fn partial(message: &str) -> Option<(&str, Option<usize>)> {
    let (reason, rest) = without_prefix(message).strip_prefix(PARTIAL)?.rsplit_once(" dropped=")?;
    // A count that is no number is no count.
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    Some((reason, digits.parse().ok()))
}

/// Lower bound of the lines that were dropped.
pub fn dropped(message: &str) -> Option<usize> {
    if quotes_begin(without_prefix(message)) {
        // 1.6.7 writes `dropped=0` after lines that it does not count.
        return None;
    }
    partial(message)?.1
}

/// Parses `field type conflict: input field "f" on measurement "m" is type integer, already exists as type float`
fn conflict(reason: &str) -> Option<RefusalCause> {
    let message = reason.strip_prefix("field type conflict: input field \"")?;
    let (names, types) = message.rsplit_once("\" is type ")?;
    let (kind, _) = types.split_once(", already exists as type ")?;
    Some(RefusalCause::Conflict { field: field(names)?, kind: kind.to_owned() })
}

/// Parses `input field "f" on measurement "m" is too long, 1048577 > 1048576`
fn too_long(reason: &str) -> Option<RefusalCause> {
    let message = reason.strip_prefix("input field \"")?;
    let (names, lengths) = message.rsplit_once("\" is too long, ")?;
    let bytes_max = lengths.split_once(" > ")?.1.parse().ok()?;
    Some(RefusalCause::TooLong { field: field(names)?, bytes_max })
}

/// Parses `f" on measurement "m`
fn field(names: &str) -> Option<Field> {
    let (field, measurement) = names.split_once("\" on measurement \"")?;
    let mut readings = vec![(measurement.to_owned(), field.to_owned())];
    if names.contains('\\') {
        readings.push((unquote(measurement), unquote(field)));
    }
    Some(Field { readings })
}

/// Reverses Go's `%q`, without the quotation marks.
fn unquote(quoted: &str) -> String {
    let mut bytes = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let Some(letter) = escaped.chars().next() else { break };
        let after = escaped.get(letter.len_utf8()..).unwrap_or_default();
        rest = match letter {
            'x' => push_code(after, 2, &mut bytes),
            'u' => push_code(after, 4, &mut bytes),
            'U' => push_code(after, 8, &mut bytes),
            letter => {
                let meant = match letter {
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'v' => '\u{b}',
                    other => other,
                };
                bytes.extend_from_slice(meant.encode_utf8(&mut [0; 4]).as_bytes());
                after
            }
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Decodes an escape: two digits are a byte, more are a character. Returns the text after it.
fn push_code<'a>(text: &'a str, digits: usize, bytes: &mut Vec<u8>) -> &'a str {
    let code = text.get(..digits).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let Some(code) = code else { return text };
    match char::from_u32(code) {
        Some(c) if digits > 2 => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        // Two digits are at most 255.
        _ => bytes.push(code as u8),
    }
    text.get(digits..).unwrap_or_default()
}

fn quotes_begin(message: &str) -> bool {
    message.strip_prefix(PARTIAL).unwrap_or(message).starts_with(UNPARSABLE)
}

/// Whether a list of quotes is ambiguous if it quotes this text.
pub fn may_forge_quotes(text: &[u8]) -> bool {
    memchr::memmem::find(text, UNPARSABLE.as_bytes()).is_some()
}

/// A line that an answer quotes, and the reason for its refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote<'a> {
    pub line: &'a str,
    pub why: &'a str,
}

/// The lines that an answer quotes, in the request's order. If one of the lines that were sent `may_forge_quotes`, a record may have
/// written the text between two quotes. In an answer that was cut, the last quote is left out.
pub fn quotes(message: &str, is_cut: bool) -> Vec<Quote<'_>> {
    let partial = message.strip_prefix(PARTIAL);
    let Some(list) = partial.unwrap_or(message).strip_prefix(UNPARSABLE) else { return Vec::new() };
    let list = match partial {
        Some(_) if !is_cut => list.rsplit_once(" dropped=").map_or(list, |(list, _)| list),
        _ => list,
    };
    let mut entries: Vec<&str> = list.split(NEXT_UNPARSABLE).collect();
    if is_cut {
        entries.pop();
    }
    // A line may contain the separator; the server's words never do.
    let parts = entries.into_iter().filter_map(|entry| entry.rsplit_once("': "));
    parts.map(|(line, why)| Quote { line, why }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(measurement: &str, field: &str) -> Field {
        Field { readings: vec![(measurement.to_owned(), field.to_owned())] }
    }

    /// Messages of 2.7.12 and 1.6.7.
    #[test]
    fn reads_messages_of_1_x_and_2_x() {
        let f = |message: &str, cause: RefusalCause, dropped: Option<usize>| {
            assert_eq!(RefusalCause::read(message).unwrap_or(RefusalCause::Other), cause, "{message}");
            assert_eq!(super::dropped(message), dropped, "{message}");
        };
        let conflict = || RefusalCause::Conflict { field: field("m", "f"), kind: "integer".to_owned() };
        f(
            r#"failure writing points to database: partial write: field type conflict: input field "f" on measurement "m" is type integer, already exists as type float dropped=3"#,
            conflict(),
            Some(3),
        );
        f(
            r#"partial write: field type conflict: input field "f" on measurement "m" is type integer, already exists as type float dropped=1"#,
            conflict(),
            Some(1),
        );
        // An older 2.x, with 500.
        f(
            r#"unexpected error writing points to database: partial write: field type conflict: input field "f" on measurement "m" is type integer, already exists as type float dropped=12"#,
            conflict(),
            Some(12),
        );
        f("unexpected error writing points to database: [field type conflict]", RefusalCause::Other, None);
        f(
            r#"partial write: field type conflict: input field "timeout" on measurement "m""#,
            RefusalCause::Other,
            None,
        );
        f("partial write: points beyond retention policy dropped=2", RefusalCause::Retention, Some(2));
        f(
            r"failure writing points to database: partial write: dropped 2 points outside retention policy of duration 1h0m0s - oldest point m,t=a\ b at 1970-01-01T00:00:00.000000001Z dropped because it violates a Retention Policy Lower Bound at 2026-11-21T15:41:47.677225055Z, newest point m at 1970-01-01T00:00:00.000001Z dropped because it violates a Retention Policy Lower Bound at 2026-11-21T15:41:47.677225055Z dropped=2 for database: 97b6a855214e5dd7 for retention policy: autogen",
            RefusalCause::Retention,
            Some(2),
        );
        f(
            r#"failure writing points to database: partial write: input field "s" on measurement "m" is too long, 1048577 > 1048576 dropped=1"#,
            RefusalCause::TooLong { field: field("m", "s"), bytes_max: 1_048_576 },
            Some(1),
        );
        f(
            r#"partial write: max-values-per-tag limit exceeded (100000/100000): measurement="m" tag="t" value="v" dropped=7"#,
            RefusalCause::Other,
            Some(7),
        );
        f("unable to parse 'm f= 2': missing field value", RefusalCause::Unparsable, None);
        f(
            "partial write: unable to parse 'm f= 2': missing field value dropped=0",
            RefusalCause::Unparsable,
            None,
        );
        f("failed to parse line protocol: errors encountered on line(s): 2", RefusalCause::Other, None);
        f("<html>no dropped=5 here</html>", RefusalCause::Other, None);
        f("", RefusalCause::Other, None);
    }

    /// A name may contain the server's own words.
    #[test]
    fn reads_the_last_count_of_a_message() {
        let message = r#"partial write: field type conflict: input field "f dropped=99 is" on measurement "m" is type string, already exists as type float dropped=1"#;
        assert_eq!(dropped(message), Some(1));
        assert!(
            matches!(RefusalCause::read(message), Some(RefusalCause::Conflict { field, .. }) if field.is("m", "f dropped=99 is"))
        );
    }

    #[test]
    fn reads_unescaped_and_go_quoted_names() {
        let f = |names: &str, measurement: &str, name: &str| {
            let message = format!(
                "partial write: field type conflict: input field {names} is type integer, already exists as type float dropped=1"
            );
            let Some(RefusalCause::Conflict { field, .. }) = RefusalCause::read(&message) else {
                panic!("{message}")
            };
            assert!(field.is(measurement, name), "{message}");
        };
        // 2.7.12
        f(r#""f a=b\"c" on measurement "m ,x""#, "m ,x", "f a=b\"c");
        f(r#""습\\\\도" on measurement "온도\x01\x7f""#, "온도\u{1}\u{7f}", r"습\\도");
        f(
            r#""\a\b\f\n\r\t\v" on measurement "\u200b\U0001f600\xea\xb0\x80""#,
            "\u{200b}😀가",
            "\u{7}\u{8}\u{c}\n\r\t\u{b}",
        );
        // 1.6.7
        f(r#""f a=b"c" on measurement "m ,x""#, "m ,x", "f a=b\"c");
        f(r#""습\\도" on measurement "온도""#, "온도", r"습\\도");
        f(r#""a\xzz\x1" on measurement "m\""#, "m\\", r"a\xzz\x1");
    }

    #[test]
    fn reads_quoted_lines() {
        let f = |message: &str, is_cut: bool, want: &[(&str, &str)]| {
            let got: Vec<_> = quotes(message, is_cut).iter().map(|quote| (quote.line, quote.why)).collect();
            assert_eq!(got, want, "{message}");
        };
        let two = "unable to parse 'm f= 2': missing field value\nunable to parse 'm f=\"a\nb 2\nm f=1': unbalanced quotes";
        let want = [("m f= 2", "missing field value"), ("m f=\"a\nb 2\nm f=1", "unbalanced quotes")];
        f(two, false, &want);
        f(&format!("partial write: {two} dropped=0"), false, &want);
        f(two, true, &want[..1]);
        f("unable to parse 'm f= 2': missing fie", true, &[]);
        f("unable to parse 'm f=': ', 2': invalid number", false, &[("m f=': ', 2", "invalid number")]);
        f("unable to read data", false, &[]);
        f("", false, &[]);
    }
}
