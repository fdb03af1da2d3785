//! One pass over JSON text (RFC 8259), without a tree and without copying.
//!
//! The scanner is as lenient as Telegraf: it accepts a leading BOM, and within strings lone surrogates and bytes that are not
//! UTF-8, which become U+FFFD where the text is used. Control characters in strings are refused. `NaN`, `Infinity` and `-Infinity`
//! are read as [`Token::NotFinite`].

#![expect(clippy::inline_always, reason = "passing tokens through memory costs more than reading them")]

use super::{Number, Text, is_utf8};
use line_protocol::runs;
use std::fmt;
use thiserror::Error;

/// Most objects and arrays that may be nested; bounds the stack of recursive readers.
pub const DEPTH_MAX: usize = 64;

/// Reads values one after another; the caller descends into objects and arrays.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    utf8: bool,
    /// Whether the text may have [`BINARY_MARK`] and [`NOT_FINITE_MARK`].
    reads_marks: bool,
    source: Source,
}

/// Stands for a value that JSON has none like, in text that a format made: as long as null, and no JSON.
pub const BINARY_MARK: &[u8; 4] = b"\x1Abin";
/// Stands for NaN or infinity in such text.
pub const NOT_FINITE_MARK: &[u8; 4] = b"\x1Anan";

/// The text that positions refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Source {
    /// The record's JSON text.
    Record,
    /// The JSON text of an element that options have rearranged.
    Element,
    /// The JSON text of the values in the option `values`.
    Values,
    /// Text that does not stand in the record's value: the Kafka record's key, member names and array indices.
    Outside,
}

/// A scalar, or the opening bracket of an object or array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Token<'a> {
    Null,
    /// NaN or infinity, which are no JSON. Python's `json` writes them nevertheless.
    NotFinite,
    /// A value of another format that JSON has none like.
    Binary,
    True,
    False,
    Number(Number<'a>),
    Text(Text<'a>),
    /// Continue with [`Scanner::key`].
    Object,
    /// Continue with [`Scanner::element`].
    Array,
}

/// Position and reason of a syntax error.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{why} at byte {at}")]
pub struct SyntaxError {
    pub at: usize,
    pub why: Syntax,
}

/// As wide as a pointer, for the reason given at [`Text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Syntax {
    End,
    Value,
    Text,
    Escape,
    Control,
    Number,
    NumberRange,
    Key,
    Colon,
    Comma,
    Trailing,
    Depth,
    /// Not of JSON: the keys of an object take too much memory.
    Keys,
    /// Not of JSON: a query or filter takes too many steps.
    Work,
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::End => "the value is cut off",
            Self::Value => "no JSON value",
            Self::Text => "a string without its closing quote",
            Self::Escape => "an unknown escape in a string",
            Self::Control => "a control character in a string",
            Self::Number => "a malformed number",
            Self::NumberRange => "a number out of the range of 64-bit floating point",
            Self::Key => "no quoted key",
            Self::Colon => "no colon after a key",
            Self::Comma => "neither a comma nor a closing bracket",
            Self::Trailing => "text after the end of the value",
            Self::Depth => "more than 64 nested objects and arrays",
            Self::Keys => "flattened keys of more than 8 MB in one object",
            Self::Work => "values that a query visits over and over",
        })
    }
}

/// Whether JSON allows the byte between tokens.
#[inline(always)]
pub fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\t' | b'\r')
}

impl<'a> Scanner<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        let at = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        Self { bytes, at, utf8: is_utf8(bytes), reads_marks: false, source: Source::Record }
    }

    /// A scanner of bytes that the program wrote. They are UTF-8 if `utf8` says so.
    pub fn of_source(bytes: &'a [u8], utf8: bool, source: Source) -> Self {
        Self { bytes, at: 0, utf8, reads_marks: false, source }
    }

    /// A scanner of text that a format made, which marks the values that JSON has none like.
    pub fn with_marks(self) -> Self {
        Self { reads_marks: true, ..self }
    }

    /// A scanner of `bytes[start..end]`, without another check for UTF-8. Both ends must be positions of a scanner of the same
    /// bytes; reading nothing instead would filter a record that has points.
    #[expect(clippy::indexing_slicing, reason = "a broken invariant must not pass silently")]
    pub fn within(&self, start: usize, end: usize) -> Self {
        Self { bytes: &self.bytes[..end], at: start, ..*self }
    }

    /// A scanner of the same bytes at another position.
    pub fn at(&self, position: usize) -> Self {
        Self { at: position, ..self.clone() }
    }

    /// Whether the whole record is UTF-8.
    pub fn is_utf8(&self) -> bool {
        self.utf8
    }

    /// The text that positions refer to.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Position of the next byte.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The bytes that positions refer to.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes read since `start`, an earlier position of this scanner.
    #[expect(clippy::indexing_slicing, reason = "a broken invariant must not turn a value into an empty one")]
    pub fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    /// Reads a string of UTF-8 without escapes. Returns none, and reads nothing, where another value begins.
    #[inline(always)]
    pub fn plain_text(&mut self) -> Option<Text<'a>> {
        let text = self.rest().strip_prefix(b"\"").filter(|_| self.utf8)?;
        let length = runs::plain(text);
        let (raw, rest) = text.split_at_checked(length)?;
        rest.starts_with(b"\"").then(|| {
            self.at += length + 2;
            Text::new(raw, true)
        })
    }

    /// Reads the next scalar or opening bracket.
    #[inline(always)]
    pub fn value(&mut self) -> Result<Token<'a>, SyntaxError> {
        self.skip_whitespace();
        match self.peek() {
            Some(b'"') => self.text().map(Token::Text),
            Some(b'{') => Ok(self.open(Token::Object)),
            Some(b'[') => Ok(self.open(Token::Array)),
            Some(b'-' | b'0'..=b'9') => {
                self.number().map(Token::Number).or_else(|error| self.negative_infinity(error))
            }
            Some(b't') => self.word(b"true", Token::True),
            Some(b'f') => self.word(b"false", Token::False),
            Some(b'n') => self.word(b"null", Token::Null),
            Some(b'N') => self.word(b"NaN", Token::NotFinite),
            Some(b'I') => self.word(b"Infinity", Token::NotFinite),
            Some(_) => self.mark(),
            None => self.fail(Syntax::End),
        }
    }

    #[cold]
    fn mark(&mut self) -> Result<Token<'a>, SyntaxError> {
        let mark = self.rest().first_chunk().filter(|_| self.reads_marks);
        let token = match mark {
            Some(BINARY_MARK) => Token::Binary,
            Some(NOT_FINITE_MARK) => Token::NotFinite,
            _ => return self.fail(Syntax::Value),
        };
        self.at += BINARY_MARK.len();
        Ok(token)
    }

    #[cold]
    fn negative_infinity(&mut self, error: SyntaxError) -> Result<Token<'a>, SyntaxError> {
        if self.rest().starts_with(b"-Infinity") {
            self.word(b"-Infinity", Token::NotFinite)
        } else {
            Err(error)
        }
    }

    /// Reads the next key of an object and its colon; none at the object's end.
    #[inline(always)]
    pub fn key(&mut self, first: bool) -> Result<Option<Text<'a>>, SyntaxError> {
        if !self.more(b'}', first)? {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return self.fail(Syntax::Key);
        }
        let key = self.text()?;
        self.skip_whitespace();
        if self.peek() != Some(b':') {
            return self.fail(Syntax::Colon);
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// Whether an array has another element.
    #[inline]
    pub fn element(&mut self, first: bool) -> Result<bool, SyntaxError> {
        self.more(b']', first)
    }

    /// Checks that only whitespace follows.
    pub fn end(&mut self) -> Result<(), SyntaxError> {
        self.skip_whitespace();
        if self.at == self.bytes.len() { Ok(()) } else { self.fail(Syntax::Trailing) }
    }

    /// Whether only whitespace is left.
    pub fn is_at_end(&mut self) -> bool {
        self.skip_whitespace();
        self.at == self.bytes.len()
    }

    /// Skips the rest of a value whose first token was `token`.
    pub fn skip_rest(&mut self, token: Token<'a>, depth: usize) -> Result<(), SyntaxError> {
        self.check_depth(token, depth)?;
        match token {
            Token::Object => {
                let mut first = true;
                while self.key(first)?.is_some() {
                    first = false;
                    let token = self.value()?;
                    self.skip_rest(token, depth + 1)?;
                }
            }
            Token::Array => {
                let mut first = true;
                while self.element(first)? {
                    first = false;
                    let token = self.value()?;
                    self.skip_rest(token, depth + 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Refuses an object or array at a `depth` of [`DEPTH_MAX`] (the record itself has depth 0).
    #[inline]
    pub fn check_depth(&self, token: Token<'a>, depth: usize) -> Result<(), SyntaxError> {
        if depth >= DEPTH_MAX && matches!(token, Token::Object | Token::Array) {
            return self.fail(Syntax::Depth);
        }
        Ok(())
    }

    #[inline(always)]
    fn more(&mut self, close: u8, first: bool) -> Result<bool, SyntaxError> {
        self.skip_whitespace();
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                self.skip_whitespace();
                Ok(true)
            }
            Some(_) if first => Ok(true),
            Some(_) => self.fail(Syntax::Comma),
            None => self.fail(Syntax::End),
        }
    }

    #[inline]
    fn open(&mut self, token: Token<'a>) -> Token<'a> {
        self.at += 1;
        token
    }

    fn word(&mut self, word: &[u8], token: Token<'a>) -> Result<Token<'a>, SyntaxError> {
        if self.rest().starts_with(word) {
            self.at += word.len();
            return Ok(token);
        }
        self.fail(Syntax::Value)
    }

    /// Reads a string, whose opening quote is the next byte.
    #[inline(always)]
    fn text(&mut self) -> Result<Text<'a>, SyntaxError> {
        if let Some(text) = self.plain_text() {
            return Ok(text);
        }
        self.any_text()
    }

    #[cold]
    fn any_text(&mut self) -> Result<Text<'a>, SyntaxError> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += runs::plain(self.rest());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return self.fail(Syntax::Control),
                None => return self.fail(Syntax::Text),
            }
        }
        let raw = self.since(start);
        self.at += 1;
        Ok(Text::new(raw, !escaped && self.utf8))
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)) {
                    return self.fail(Syntax::Escape);
                }
                self.at += 6;
            }
            Some(_) => return self.fail(Syntax::Escape),
            None => return self.fail(Syntax::Text),
        }
        Ok(())
    }

    #[inline(always)]
    fn number(&mut self) -> Result<Number<'a>, SyntaxError> {
        let Some(number) = Number::prefix_of(self.rest()) else { return self.fail(Syntax::Number) };
        if !number.is_finite() {
            return self.fail(Syntax::NumberRange);
        }
        self.at += number.text().len();
        Ok(number)
    }

    /// The bytes not read yet.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline(always)]
    pub fn skip_whitespace(&mut self) {
        while self.peek().is_some_and(is_whitespace) {
            self.at += 1;
        }
    }

    #[cold]
    fn fail<T>(&self, why: Syntax) -> Result<T, SyntaxError> {
        Err(SyntaxError { at: self.at, why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Result<(), SyntaxError> {
        let mut scanner = Scanner::new(bytes);
        let token = scanner.value()?;
        scanner.skip_rest(token, 0)?;
        scanner.end()
    }

    #[test]
    fn accepts_json() {
        let f = |text: &[u8]| assert_eq!(whole(text), Ok(()), "{}", text.escape_ascii());
        f(b"{}");
        f(b" [1, 2.5, -0, 1e5, 1E+5, 1.0e-7] ");
        f(b"\xEF\xBB\xBF{\"a\":null}");
        f(b"{\"a\":{\"b\":[true,false,{\"c\":\"\\u00e9\\n\"}]},\"d\":\"\"}");
        f("{\"온도\":\"🌡\"}".as_bytes());
        f(b"{\"a\":\"\xB0\xA1\"}");
        f(b"{\"a\":\"\\ud800\"}");
        f(b"[NaN, Infinity,-Infinity]");
        f(b"{\r\n\t\"a\" : 1\r\n}\r\n");
        f(&[b"[".repeat(64), b"]".repeat(64)].concat());
    }

    #[test]
    fn refuses_other_text() {
        let f = |text: &[u8], at: usize, why: Syntax| {
            assert_eq!(whole(text), Err(SyntaxError { at, why }), "{}", text.escape_ascii());
        };
        f(b"", 0, Syntax::End);
        f(b"{", 1, Syntax::End);
        f(b"{\"a\"", 4, Syntax::Colon);
        f(b"{\"a\":}", 5, Syntax::Value);
        f(b"{\"a\":1,}", 7, Syntax::Key);
        f(b"[1,]", 3, Syntax::Value);
        f(b"[1 2]", 3, Syntax::Comma);
        f(b"{a:1}", 1, Syntax::Key);
        f(b"{,}", 1, Syntax::Key);
        f(b"\"a", 2, Syntax::Text);
        f(b"\"a\\", 2, Syntax::Text);
        f(b"\"\\x\"", 1, Syntax::Escape);
        f(b"\"\\u12g4\"", 1, Syntax::Escape);
        f(b"\"a\nb\"", 2, Syntax::Control);
        f(b"01", 1, Syntax::Trailing);
        f(b"-", 0, Syntax::Number);
        f(b"1.", 0, Syntax::Number);
        f(b"1e", 0, Syntax::Number);
        f(b".5", 0, Syntax::Value);
        f(b"+1", 0, Syntax::Value);
        f(b"nan", 0, Syntax::Value);
        f(b"[+Infinity]", 1, Syntax::Value);
        f(b"[-Infinit]", 1, Syntax::Number);
        f(b"[Inf]", 1, Syntax::Value);
        f(b"[NaN1]", 4, Syntax::Comma);
        f(b"nul", 0, Syntax::Value);
        f(b"1e400", 0, Syntax::NumberRange);
        f(b"{\"a\":1}\n{\"b\":2}", 8, Syntax::Trailing);
        f(&[b"[".repeat(65), b"]".repeat(65)].concat(), 65, Syntax::Depth);
        f(&b"[".repeat(1_000_000), 65, Syntax::Depth);
        f(b"\xFF", 0, Syntax::Value);
        f(BINARY_MARK, 0, Syntax::Value);
        f(NOT_FINITE_MARK, 0, Syntax::Value);
    }

    #[test]
    fn reads_marks_in_text_that_a_format_made() {
        let read = |text: &'static [u8]| Scanner::new(text).with_marks().value().map_err(|error| error.why);
        assert_eq!(read(BINARY_MARK), Ok(Token::Binary));
        assert_eq!(read(NOT_FINITE_MARK), Ok(Token::NotFinite));
        assert_eq!(read(b"\x1A"), Err(Syntax::Value));
        assert_eq!(read(b"\x1Anul"), Err(Syntax::Value));
    }
}
