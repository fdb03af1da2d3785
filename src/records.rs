//! Records in a file, for the commands that read them from files.

use line_protocol::input::{Found, RawLine};
use mapping::decode::Scanner;
use mapping::{Compression, Format, Rules, Schemas, messages_of_file};
use std::sync::Arc;

/// The records of a file. JSON: one a line, or a value that spans lines; a line that is not JSON is a record.
/// A binary format: one value after another, each with the frame of a schema registry if it has one; bytes that are no value are one
/// record to the end of the file. Protobuf: messages behind their lengths, or one message.
/// CSV: an empty line ends a record. A single value: one a line. Line protocol: one a line, except comments. A file that begins like a compressed value is one record.
pub struct Records<'a> {
    format: Format,
    first_value: FirstValue<'a>,
    scanner: Scanner<'a>,
    bytes: &'a [u8],
    at: usize,
    line: usize,
    /// The parts of a line of line protocol, which nobody reads.
    parts: RawLine,
    /// Messages of a file of Protobuf.
    messages: Vec<&'a [u8]>,
}

/// The length of the first value of a binary format; none if there is no complete value.
type FirstValue<'a> = Box<dyn Fn(&[u8]) -> Option<usize> + 'a>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputRecord<'a> {
    pub bytes: &'a [u8],
    /// Its first line, or its number in a file of a binary format, from 1.
    pub line: usize,
}

impl<'a> Records<'a> {
    pub fn new(bytes: &'a [u8], format: Format) -> Self {
        Self::with(bytes, format, Box::new(move |bytes| format.first_value(bytes)))
    }

    /// The records of a file in the format of these rules. `schemas`: the schemas of framed values.
    pub fn by_rules(bytes: &'a [u8], rules: &'a Rules, schemas: Option<&'a Arc<dyn Schemas>>) -> Self {
        Self::with(bytes, rules.format, Box::new(move |bytes| rules.first_value(schemas, bytes)))
    }

    fn with(bytes: &'a [u8], format: Format, first_value: FirstValue<'a>) -> Self {
        let is_protobuf = format == Format::Protobuf && !bytes.is_empty();
        let messages = if is_protobuf { messages_of_file(bytes) } else { Vec::new() };
        Self {
            format,
            first_value,
            scanner: Scanner::new(bytes),
            bytes,
            at: 0,
            line: 1,
            parts: RawLine::default(),
            messages,
        }
    }

    /// End of the line at `at`, before its newline.
    fn line_end(&self, at: usize) -> usize {
        // Empty at the end of the file.
        let rest = self.bytes.get(at..).unwrap_or_default();
        at + memchr::memchr(b'\n', rest).unwrap_or(rest.len())
    }

    /// The next block of lines, or the next line, that is not empty.
    fn next_text(&mut self) -> Option<InputRecord<'a>> {
        let (mut start, mut record) = (self.at, None);
        let mut first = self.line;
        while self.at < self.bytes.len() {
            let end = self.line_end(self.at);
            let is_blank = self.bytes.get(self.at..end)?.trim_ascii().is_empty();
            if is_blank && record.is_some() {
                break;
            }
            if record.is_none() {
                (start, first) = (self.at, self.line);
            }
            self.at = end + 1;
            self.line += 1;
            if !is_blank {
                record = self.bytes.get(start..end);
                if self.format == Format::Value {
                    break;
                }
            }
        }
        record.map(|bytes| InputRecord { bytes, line: first })
    }

    /// The next line of line protocol. A string may have line breaks.
    fn next_point(&mut self) -> Option<InputRecord<'a>> {
        while self.at < self.bytes.len() {
            let (start, line) = (self.at, self.line);
            let (found, end) = self.parts.read(self.bytes, start);
            self.at = end;
            let bytes = self.bytes.get(start..end)?;
            self.line += memchr::memchr_iter(b'\n', bytes).count();
            if !matches!(found, Found::Blank | Found::Comment) {
                return Some(InputRecord { bytes: bytes.strip_suffix(b"\n").unwrap_or(bytes), line });
            }
        }
        None
    }

    /// End of the JSON value that begins at `start`, if it is one.
    fn value_end(&self, start: usize) -> Option<usize> {
        // The scanner analyses the whole input once, not once per record.
        let mut scanner = self.scanner.within(start.max(self.scanner.position()), self.bytes.len());
        // Text that is not JSON is a record of one line, and its mapping reports the error.
        let token = scanner.value().ok()?;
        scanner.skip_rest(token, 0).ok()?;
        Some(scanner.position())
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = InputRecord<'a>;

    fn next(&mut self) -> Option<InputRecord<'a>> {
        if self.at == 0 && !self.format.is_binary() && Compression::is_recognized(self.bytes) {
            self.at = self.bytes.len();
            return Some(InputRecord { bytes: self.bytes, line: 1 });
        }
        if self.format == Format::Influx {
            return self.next_point();
        }
        if matches!(self.format, Format::Csv | Format::Value) {
            return self.next_text();
        }
        if self.format == Format::Protobuf {
            let line = self.line;
            let bytes = *self.messages.get(line - 1)?;
            self.line += 1;
            return Some(InputRecord { bytes, line });
        }
        if self.format.is_binary() {
            let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
            let bytes = rest.get(..(self.first_value)(rest).unwrap_or(rest.len()))?;
            let line = self.line;
            self.at += bytes.len();
            self.line += 1;
            return Some(InputRecord { bytes, line });
        }
        loop {
            if self.at >= self.bytes.len() {
                return None;
            }
            let (start, line) = (self.at, self.line);
            let first_end = self.line_end(start);
            let is_blank = self.bytes.get(start..first_end)?.trim_ascii().is_empty();
            let end =
                if is_blank { first_end } else { self.line_end(self.value_end(start).unwrap_or(first_end)) };
            let bytes = self.bytes.get(start..end)?;
            self.at = end + 1;
            self.line += 1 + memchr::memchr_iter(b'\n', bytes).count();
            if !is_blank {
                return Some(InputRecord { bytes, line });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_file_of_text_into_records() {
        let f = |format: Format, input: &str, want: &[(&str, usize)]| {
            let got: Vec<_> = Records::new(input.as_bytes(), format)
                .map(|r| (std::str::from_utf8(r.bytes).unwrap(), r.line))
                .collect();
            assert_eq!(got, want, "{input:?}");
        };
        f(Format::Csv, "", &[]);
        f(Format::Csv, "\na,b\n1,2\n \r\n\na,b\n3,4", &[("a,b\n1,2", 2), ("a,b\n3,4", 6)]);
        let lines = "# m v=1\n\nm v=\"a\nb\" 1\r\nbad\nm v=2\n";
        f(Format::Influx, lines, &[("m v=\"a\nb\" 1\r", 3), ("bad", 5), ("m v=2", 6)]);
        f(Format::Value, "1\n\n\"on\r\n{\n", &[("1", 1), ("\"on\r", 3), ("{", 4)]);
    }

    #[test]
    fn splits_a_file_of_protobuf_into_messages() {
        let f = |input: &[u8], want: &[(&[u8], usize)]| {
            let got: Vec<_> = Records::new(input, Format::Protobuf).map(|r| (r.bytes, r.line)).collect();
            assert_eq!(got, want, "{input:x?}");
        };
        f(b"", &[]);
        f(b"\x02\x08\x05\x00\x02\x08\x06", &[(b"\x08\x05", 1), (b"", 2), (b"\x08\x06", 3)]);
        f(b"\x08\x05", &[(b"\x08\x05", 1)]);
    }

    #[test]
    fn splits_a_file_into_records() {
        let f = |input: &str, want: &[(&str, usize)]| {
            let got: Vec<_> = Records::new(input.as_bytes(), Format::Json)
                .map(|r| (std::str::from_utf8(r.bytes).unwrap().trim(), r.line))
                .collect();
            assert_eq!(got, want, "{input:?}");
        };
        f("", &[]);
        f("{\"a\":1}\n\n{\"b\":2}", &[("{\"a\":1}", 1), ("{\"b\":2}", 3)]);
        f("{\r\n\"a\":1\r\n}\r\n{}\r\n", &[("{\r\n\"a\":1\r\n}", 1), ("{}", 4)]);
        f("{\"a\":\nbad\n{\"b\":2}\n", &[("{\"a\":", 1), ("bad", 2), ("{\"b\":2}", 3)]);
        f("{\"a\":1} x\n2\n", &[("{\"a\":1} x", 1), ("2", 2)]);
    }
}
