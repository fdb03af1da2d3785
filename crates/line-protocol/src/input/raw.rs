//! Takes lines apart.

use super::Span;
use super::tokens::closing_quote;
use crate::reader::value::{self, Spelling};
use crate::reader::{LineError, Reason, Value};
use crate::runs;
use std::collections::HashSet;

/// The parts of one line, with their escapes. The memory is reused from line to line.
#[derive(Debug, Default)]
pub struct RawLine {
    pub measurement: Span,
    /// Tags in the order of the line. Keys may repeat.
    pub tags: Vec<RawTag>,
    /// Fields in the order of the line. Keys may repeat.
    pub fields: Vec<RawField>,
    /// The time in the unit of its program.
    pub time: Option<i64>,
    /// Quotes of bad lines that begin strings without an end, or strings before one without an end.
    unclosed: HashSet<usize>,
}

#[derive(Clone, Copy, Debug)]
pub struct RawTag {
    pub key: Span,
    pub value: Span,
}

#[derive(Clone, Copy, Debug)]
pub struct RawField {
    pub key: Span,
    pub value: RawValue,
}

/// The type of a field's value, and its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawValue {
    /// A float, or an integer with its suffix, as every server reads it.
    Number(Span),
    /// A float that not every server reads: [`push_portable`] writes it.
    NotPortable(Span),
    Boolean(bool),
    /// The text between the quotes.
    String(Span),
}

/// The content of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Point,
    Blank,
    Comment,
    /// InfluxDB stores no point of the line.
    Bad(LineError),
}

impl RawLine {
    /// Reads the line that begins at `start`. Returns its content and the start of the next line.
    pub fn read(&mut self, text: &[u8], start: usize) -> (Found, usize) {
        self.tags.clear();
        self.fields.clear();
        self.time = None;
        let mut cursor = Cursor { text, start, at: start };
        match cursor.line(self) {
            Ok(found) => (found, cursor.next_line()),
            Err(error) => {
                let end = self.bad_line_end(text, start, &error.reason);
                (Found::Bad(error), end)
            }
        }
    }

    /// Allocated memory in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.tags.capacity() * size_of::<RawTag>()
            + self.fields.capacity() * size_of::<RawField>()
            + self.unclosed.capacity() * size_of::<usize>()
    }

    /// Begins a text, whose lines are read in their order.
    pub fn begin(&mut self) {
        self.unclosed.clear();
    }

    /// Start of the line behind a bad one. A string of the bad line that has line breaks is skipped as a whole, so that its text never
    /// becomes a line. If the quotes themselves are wrong, the line ends at its first line break: a quote too many must not hide the lines
    /// behind it.
    fn bad_line_end(&mut self, text: &[u8], start: usize, reason: &Reason) -> usize {
        let rest = text.get(start..).unwrap_or_default();
        let first = memchr::memchr(b'\n', rest).map_or(text.len(), |length| start + length + 1);
        let are_quotes_wrong = matches!(reason, Reason::UnbalancedQuotes | Reason::AfterString);
        if are_quotes_wrong { first } else { self.end_behind_strings(text, start).unwrap_or(first) }
    }

    /// Start of the next line, where a quote behind an equals sign begins a string. None if a string has no end. That a string is followed
    /// by others of which one has no end is found once, not again for each of them.
    fn end_behind_strings(&mut self, text: &[u8], start: usize) -> Option<usize> {
        let (mut at, mut in_fields, mut before) = (start, false, 0);
        let mut opened = Vec::new();
        while let Some(&byte) = text.get(at) {
            match byte {
                b'\n' => return Some(at + 1),
                b'\\' if text.get(at + 1) != Some(&b'\n') => {
                    at += 2;
                    before = b'\\';
                    continue;
                }
                b' ' => in_fields = true,
                b'"' if in_fields && before == b'=' => {
                    opened.push(at);
                    let end = if self.unclosed.contains(&at) { None } else { closing_quote(text, at + 1) };
                    // A quote before other text begins the string of another line.
                    let is_end =
                        |end: &usize| matches!(text.get(end + 1), None | Some(b',' | b' ' | b'\n' | b'\r'));
                    let Some(end) = end.filter(is_end) else {
                        self.unclosed.extend(opened);
                        return None;
                    };
                    at = end;
                }
                _ => {}
            }
            before = byte;
            at += 1;
        }
        Some(text.len())
    }
}

/// Reads a line from left to right.
struct Cursor<'t> {
    text: &'t [u8],
    start: usize,
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn fail<T>(&self, reason: Reason) -> Result<T, LineError> {
        Err(LineError { column: self.at - self.start + 1, reason })
    }

    /// Whether the line ends here: at a line feed, with or without a carriage return before it, or at the end of the record.
    fn is_at_end(&self) -> bool {
        matches!(self.text.get(self.at..), None | Some([] | [b'\n', ..] | [b'\r'] | [b'\r', b'\n', ..]))
    }

    fn next_line(&self) -> usize {
        let rest = self.text.get(self.at..).unwrap_or_default();
        memchr::memchr(b'\n', rest).map_or(self.text.len(), |length| self.at + length + 1)
    }

    /// Skips bytes that have no meaning in a name, and returns their number.
    fn skip_plain(&mut self) -> usize {
        let plain = runs::name(self.text.get(self.at..).unwrap_or_default());
        self.at += plain;
        plain
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | 0)) {
            self.at += 1;
        }
    }

    fn line(&mut self, out: &mut RawLine) -> Result<Found, LineError> {
        self.skip_whitespace();
        if self.is_at_end() {
            return Ok(Found::Blank);
        }
        match self.peek() {
            Some(b'#') => return Ok(Found::Comment),
            Some(b',') => return self.fail(Reason::MissingMeasurement),
            _ => {}
        }
        out.measurement = self.name(b", ");
        while self.peek() == Some(b',') {
            self.at += 1;
            out.tags.push(self.tag()?);
        }
        self.skip_whitespace();
        if self.is_at_end() {
            return self.fail(Reason::MissingFields);
        }
        loop {
            out.fields.push(self.field()?);
            if self.peek() != Some(b',') {
                break;
            }
            self.at += 1;
        }
        out.time = self.time()?;
        Ok(Found::Point)
    }

    /// A measurement, or a part of a tag, up to a stop byte without a backslash before it. Another backslash before that one changes
    /// nothing.
    fn name(&mut self, stops: &[u8]) -> Span {
        let start = self.at;
        let mut is_escaped = false;
        loop {
            let plain = self.skip_plain();
            is_escaped &= plain == 0;
            if self.is_at_end() {
                break;
            }
            let byte = self.peek().unwrap_or_default();
            if stops.contains(&byte) && !is_escaped {
                break;
            }
            is_escaped = byte == b'\\';
            self.at += 1;
        }
        Span::new(start, self.at)
    }

    fn tag(&mut self) -> Result<RawTag, LineError> {
        let key = self.name(b"=, ");
        if key.is_empty() {
            return self.fail(Reason::MissingTagKey);
        }
        if self.peek() != Some(b'=') {
            return self.fail(Reason::MissingTagValue);
        }
        self.at += 1;
        let value = self.name(b"=, ");
        if self.peek() == Some(b'=') {
            return self.fail(Reason::InvalidTag);
        }
        if value.is_empty() {
            return self.fail(Reason::MissingTagValue);
        }
        Ok(RawTag { key, value })
    }

    fn field(&mut self) -> Result<RawField, LineError> {
        let key = self.field_key()?;
        if self.peek() != Some(b'=') {
            return self.fail(Reason::InvalidField);
        }
        if key.is_empty() {
            return self.fail(Reason::MissingFieldKey);
        }
        self.at += 1;
        let value = if self.peek() == Some(b'"') { self.string()? } else { self.plain_value()? };
        if matches!(self.peek(), Some(b',' | b' ')) || self.is_at_end() {
            Ok(RawField { key, value })
        } else {
            self.fail(Reason::AfterString)
        }
    }

    /// InfluxDB 2 scans field keys twice, once pairing backslashes and once not; both must agree.
    fn field_key(&mut self) -> Result<Span, LineError> {
        let start = self.at;
        let mut backslashes = 0_usize;
        loop {
            if self.skip_plain() > 0 {
                backslashes = 0;
            }
            if self.is_at_end() {
                break;
            }
            let byte = self.peek().unwrap_or_default();
            if matches!(byte, b'=' | b',' | b' ') {
                if backslashes == 0 {
                    break;
                }
                if backslashes.is_multiple_of(2) {
                    return self.fail(Reason::Backslashes);
                }
            }
            backslashes = if byte == b'\\' { backslashes + 1 } else { 0 };
            self.at += 1;
        }
        Ok(Span::new(start, self.at))
    }

    fn string(&mut self) -> Result<RawValue, LineError> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            let Some(length) = memchr::memchr2(b'"', b'\\', rest) else {
                return self.fail(Reason::UnbalancedQuotes);
            };
            at += length;
            if self.text.get(at) == Some(&b'"') {
                break;
            }
            at += 2;
        }
        self.at = at + 1;
        Ok(RawValue::String(Span::new(start, at)))
    }

    fn plain_value(&mut self) -> Result<RawValue, LineError> {
        let (start, mut end) = (self.at, Cursor { at: self.at, ..*self });
        end.skip_plain();
        while !end.is_at_end() && !matches!(end.peek(), Some(b',' | b' ')) {
            end.at += 1;
        }
        let span = Span::new(start, end.at);
        if span.is_empty() {
            return self.fail(Reason::MissingFieldValue);
        }
        let Ok(raw) = str::from_utf8(span.of(self.text)) else { return self.fail(Reason::InvalidNumber) };
        let value = match value::plain(raw) {
            Ok((Value::Boolean(flag), _)) => RawValue::Boolean(flag),
            Ok((_, Spelling::Portable)) => RawValue::Number(span),
            Ok((_, Spelling::NotPortable)) => RawValue::NotPortable(span),
            Err(reason) => return self.fail(reason),
        };
        self.at = end.at;
        Ok(value)
    }

    /// Reads the time, if there is one, and the white space up to the end of the line.
    fn time(&mut self) -> Result<Option<i64>, LineError> {
        self.skip_whitespace();
        if self.is_at_end() {
            return Ok(None);
        }
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let digits = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        let text = str::from_utf8(Span::new(start, self.at).of(self.text)).unwrap_or_default();
        if self.at == digits {
            return self.fail(Reason::BadTimestamp);
        }
        let Ok(time) = text.parse() else {
            self.at = start;
            return self.fail(Reason::TimeRange);
        };
        self.skip_whitespace();
        if self.is_at_end() { Ok(Some(time)) } else { self.fail(Reason::BadTimestamp) }
    }
}

/// Appends a name or the text of a string without the backslash before each special byte.
pub fn push_unescaped(raw: &[u8], specials: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, behind) = rest.split_at(at);
        out.extend_from_slice(before);
        let is_escape = behind.get(1).is_some_and(|next| specials.contains(next));
        let (escaped, after) = behind.split_at(if is_escape { 2 } else { 1 });
        out.extend_from_slice(escaped.get(usize::from(is_escape)..).unwrap_or_default());
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// Appends a float with digits on both sides of its point.
pub fn push_portable(raw: &[u8], out: &mut Vec<u8>) {
    for (index, &byte) in raw.iter().enumerate() {
        let is_digit = |at: Option<usize>| at.and_then(|at| raw.get(at)).is_some_and(u8::is_ascii_digit);
        if byte == b'.' && !is_digit(index.checked_sub(1)) {
            out.push(b'0');
        }
        out.push(byte);
        if byte == b'.' && !is_digit(Some(index + 1)) {
            out.push(b'0');
        }
    }
}
