//! Records in a file, for the commands that read them from files.

use line_protocol::input::{Found, RawLine};
use mapping::decode::Scanner;
use mapping::{Compression, Csv, Format, Frame, Rules, Schemas, messages_of_file};
use std::sync::Arc;

/// The records of a file. JSON: one a line, or a value that spans lines; a line that is not JSON is a record. A value with the frame of a
/// schema registry ends before the next one, with or without a line break between them.
/// A binary format: one value after another, each with the frame of a schema registry if it has one; bytes that are no value are one
/// record to the end of the file. Protobuf: messages behind their lengths, or one message.
/// CSV: an empty line outside of quotes ends a record. A single value: one a line. Line protocol: one a line, except comments. A compressed
/// file is one record.
pub struct Records<'a> {
    format: Format,
    first_value: FirstValue<'a>,
    scanner: Scanner<'a>,
    bytes: &'a [u8],
    /// Whether the file is one compressed value.
    is_one: bool,
    quotes: Quotes,
    at: usize,
    line: usize,
    /// The parts of a line of line protocol, which nobody reads.
    parts: RawLine,
    /// Messages of a file of Protobuf.
    messages: Vec<&'a [u8]>,
}

/// The length of the first value of a binary format; none if there is no complete value.
type FirstValue<'a> = Box<dyn Fn(&[u8]) -> Option<usize> + 'a>;

/// How cells of CSV are quoted.
struct Quotes {
    /// Bytes between cells.
    delimiters: Vec<u8>,
    comment: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputRecord<'a> {
    pub bytes: &'a [u8],
    /// Its first line, or its number in a file of a binary format, from 1.
    pub line: usize,
}

impl<'a> Records<'a> {
    /// The records of a file whose mapping is not known yet.
    pub fn new(bytes: &'a [u8], format: Format) -> Self {
        let is_one = Compression::Auto.is_one_value(format, bytes);
        let quotes = Quotes { delimiters: Csv::DELIMITERS.to_vec(), comment: None };
        Self::with(bytes, format, Box::new(move |bytes| format.first_value(bytes)), is_one, quotes)
    }

    /// A file that is one record.
    pub fn one(bytes: &'a [u8]) -> Self {
        Self { is_one: true, ..Self::new(bytes, Format::Json) }
    }

    /// The records of a file in the format of these rules. `schemas`: the schemas of framed values.
    pub fn by_rules(bytes: &'a [u8], rules: &'a Rules, schemas: Option<&'a Arc<dyn Schemas>>) -> Self {
        let has_frames = rules.has_unexpected_frames(bytes);
        let first_value = move |bytes: &[u8]| {
            // The mapper rejects such a value with a hint at the frame.
            let frame = if has_frames { Frame::BYTES } else { 0 };
            Some(frame + rules.first_value(schemas, bytes.get(frame..)?)?)
        };
        let is_one = rules.compression.is_one_value(rules.format, bytes);
        let quotes = Quotes { delimiters: vec![rules.csv.delimiter], comment: rules.csv.comment };
        Self::with(bytes, rules.format, Box::new(first_value), is_one, quotes)
    }

    fn with(
        bytes: &'a [u8],
        format: Format,
        first_value: FirstValue<'a>,
        is_one: bool,
        quotes: Quotes,
    ) -> Self {
        let is_protobuf = format == Format::Protobuf && !bytes.is_empty() && !is_one;
        let messages = if is_protobuf { messages_of_file(bytes) } else { Vec::new() };
        let is_text = !format.is_json() && !format.is_binary();
        let at = if is_text { bytes.len() - mapping::without_bom(bytes).len() } else { 0 };
        Self {
            format,
            first_value,
            scanner: Scanner::new(bytes),
            bytes,
            is_one,
            quotes,
            at,
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
        let (at, line) = (self.at, self.line);
        let (record, is_open) = self.next_block(self.format == Format::Csv);
        if !is_open {
            return record;
        }
        // A quote that is never closed hides no later record.
        self.quotes.delimiters.clear();
        (self.at, self.line) = (at, line);
        self.next_block(false).0
    }

    /// The next block, and whether a quote is open at its end.
    fn next_block(&mut self, has_quotes: bool) -> (Option<InputRecord<'a>>, bool) {
        let (mut start, mut first, mut record, mut is_open) = (self.at, self.line, None, false);
        while self.at < self.bytes.len() {
            let end = self.line_end(self.at);
            let text = self.bytes.get(self.at..end).unwrap_or_default();
            let is_blank = text.trim_ascii().is_empty();
            if is_blank && record.is_some() && !is_open {
                break;
            }
            if record.is_none() {
                (start, first) = (self.at, self.line);
            }
            is_open = has_quotes && self.quotes.is_open_behind(text, is_open);
            self.at = end + 1;
            self.line += 1;
            if !is_blank {
                record = self.bytes.get(start..end);
                if self.format == Format::Value {
                    break;
                }
            }
        }
        (record.map(|bytes| InputRecord { bytes, line: first }), is_open)
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

    /// Length of the frame of a schema registry at `at`, if an object or array of JSON follows it; otherwise 0.
    fn frame_at(&self, at: usize) -> usize {
        let frame = self.bytes.get(at..).and_then(Frame::of);
        if frame.is_some_and(|frame| frame.is_json()) { Frame::BYTES } else { 0 }
    }

    /// The next line of JSON, or the value that begins there; none for an empty line.
    fn next_json(&mut self) -> Option<InputRecord<'a>> {
        let (start, line) = (self.at, self.line);
        // The id in a frame may have the byte of a line break.
        let value = start + self.frame_at(start);
        let first_end = self.line_end(value);
        let is_blank = value == start && self.bytes.get(start..first_end)?.trim_ascii().is_empty();
        let value_end = if is_blank { None } else { self.value_end(value) };
        let mut end = self.line_end(value_end.unwrap_or(first_end));
        self.at = end + 1;
        if let Some(value_end) = value_end {
            let behind = self.bytes.get(value_end..).unwrap_or_default();
            let next = self.bytes.len() - behind.trim_ascii_start().len();
            if self.frame_at(next) > 0 {
                (end, self.at) = (value_end, next);
            }
        }
        let read = self.bytes.get(value..self.at.min(self.bytes.len())).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', read).count();
        let bytes = self.bytes.get(start..end)?;
        (!is_blank).then_some(InputRecord { bytes, line })
    }
}

impl Quotes {
    /// Whether a quote is open behind a line of CSV (RFC 4180). `is_open`: whether one is open before it.
    fn is_open_behind(&self, line: &[u8], mut is_open: bool) -> bool {
        if self.delimiters.is_empty()
            || (!is_open && self.comment.is_some() && line.first() == self.comment.as_ref())
        {
            return false;
        }
        let mut begins_cell = !is_open;
        let mut bytes = line.iter().peekable();
        while let Some(byte) = bytes.next() {
            if is_open {
                // A doubled quote is a quote within the cell.
                is_open = *byte != b'"' || bytes.next_if(|next| **next == b'"').is_some();
                begins_cell = false;
            } else {
                is_open = begins_cell && *byte == b'"';
                begins_cell = self.delimiters.contains(byte);
            }
        }
        is_open
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = InputRecord<'a>;

    fn next(&mut self) -> Option<InputRecord<'a>> {
        if std::mem::take(&mut self.is_one) {
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
        while self.at < self.bytes.len() {
            if let Some(record) = self.next_json() {
                return Some(record);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::{gzip, zlib};
    use mapping::{SchemaLanguage, SchemaText};

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
        f(
            Format::Csv,
            "a,b\n1,\"x\n\ny\"\"\n\n\"\n2,5\"\n\na,b\n3,4",
            &[("a,b\n1,\"x\n\ny\"\"\n\n\"\n2,5\"", 1), ("a,b\n3,4", 9)],
        );
        f(Format::Csv, "a,b\n1,\"x\n\na,b\n3,4", &[("a,b\n1,\"x", 1), ("a,b\n3,4", 4)]);
        f(Format::Csv, "\u{FEFF}\"a\n\n\",b\n1,2", &[("\"a\n\n\",b\n1,2", 1)]);
        f(Format::Value, "\u{FEFF}5\n6", &[("5", 1), ("6", 2)]);
        f(Format::Influx, "\u{FEFF}# c\nm v=1\n", &[("m v=1", 2)]);
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
    fn splits_a_file_of_csv_by_the_delimiter_and_comment_of_its_mapping() {
        let csv = Csv { delimiter: b';', comment: Some(b'#'), ..Csv::default() };
        let rules = Rules { format: Format::Csv, csv, ..Rules::default() };
        let f = |input: &str, want: usize| {
            assert_eq!(Records::by_rules(input.as_bytes(), &rules, None).count(), want, "{input:?}");
        };
        f("a;b\n1;\"x\n\ny\"", 1);
        f("a;b\n1,\"x;2\n\na;b\n1;\"2\"", 2);
        f("#;\"\na;b\n1;2\n\na;b\n1;\"2\"", 2);
    }

    #[test]
    fn a_compressed_file_is_one_record() {
        let count = |rules: &Rules, file: &[u8]| Records::by_rules(file, rules, None).count();
        let avro = |compression| Rules { compression, ..of_two_longs() };
        let packed = gzip(b"\x02\x04");
        assert_eq!(count(&avro(Compression::Gzip), &packed), 1);
        assert_eq!(count(&avro(Compression::Gzip), b"\x02\x04\x06\x08"), 2);
        // The check sums of some texts have the byte of a line break.
        for number in 0..2_000 {
            let text = format!("{{\"v\":{number}}}");
            let file = zlib(text.as_bytes());
            assert_eq!(count(&Rules::default(), &file), 1, "{number}");
            assert_eq!(Records::new(&file, Format::Json).count(), 1, "{number}");
        }
    }

    fn of_two_longs() -> Rules {
        let text = r#"{"type":"record","name":"R","fields":[{"name":"v","type":"long"},{"name":"w","type":"long"}]}"#;
        let (language, text) = (SchemaLanguage::Avro, text.to_owned());
        let schema = SchemaText { language, text, references: Vec::new() }.compile().unwrap();
        Rules { format: Format::Avro, schema: Some(schema), ..Rules::default() }
    }

    #[test]
    fn the_frame_of_a_registry_is_no_value_of_a_schema_from_a_file() {
        let f = |file: &[u8], want: &[&[u8]]| {
            let rules = of_two_longs();
            let got: Vec<_> = Records::by_rules(file, &rules, None).map(|record| record.bytes).collect();
            assert_eq!(got, want);
        };
        let (first, second) = (b"\0\0\0\0\x07\x02\x04", b"\0\0\0\0\x07\x06\x08");
        f(first, &[first]);
        f(&[&first[..], second].concat(), &[first, second]);
        f(b"\0\0\x02\x04", &[b"\0\0", b"\x02\x04"]);
        // Registries give no id 0.
        f(&[0; 14], &[&b"\0\0"[..]; 7]);
    }

    #[test]
    fn splits_framed_json_with_and_without_line_breaks() {
        let framed = |id: u32, text: &str| [&[0][..], &id.to_be_bytes(), text.as_bytes()].concat();
        let f = |input: &[&[u8]], want: &[(&[u8], usize)]| {
            let input = input.concat();
            for format in [Format::Json, Format::JsonLines] {
                let got: Vec<_> = Records::new(&input, format).map(|r| (r.bytes, r.line)).collect();
                assert_eq!(got, want, "{}", input.escape_ascii());
            }
        };
        let (a, b) = (framed(10, r#"{"a":1}"#), framed(0x0A0A_0A0A, "{\n\"b\":2\n}"));
        f(&[&a], &[(&a, 1)]);
        f(&[&a, &b, &a], &[(&a, 1), (&b, 1), (&a, 3)]);
        f(&[&b, b"\r\n\n", &a, b"\n"], &[(&b, 1), (&a, 5)]);
        f(&[b"{\"c\":3}", &a, b" x\n{}"], &[(b"{\"c\":3}", 1), (&[&a[..], b" x"].concat(), 1), (b"{}", 2)]);
        let bad = framed(10, r#"{"a":}"#);
        f(&[&bad, b"\n", &a], &[(&bad, 1), (&a, 2)]);
        f(&[b"\0\0\0\0\x07"], &[(b"\0\0\0\0\x07", 1)]);
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
