//! Records in a file, for the commands that read them from files.

use mapping::Format;
use mapping::decode::Scanner;

/// The records of a file. JSON: one a line, or a value that spans lines; a line that is not JSON is a record.
/// A binary format: one value after another; bytes that are no value are one record to the end of the file.
pub struct Records<'a> {
    format: Format,
    scanner: Scanner<'a>,
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputRecord<'a> {
    pub bytes: &'a [u8],
    /// Its first line, or its number in a file of a binary format, from 1.
    pub line: usize,
}

impl<'a> Records<'a> {
    pub fn new(bytes: &'a [u8], format: Format) -> Self {
        Self { format, scanner: Scanner::new(bytes), bytes, at: 0, line: 1 }
    }

    /// End of the line at `at`, before its newline.
    fn line_end(&self, at: usize) -> usize {
        // Empty at the end of the file.
        let rest = self.bytes.get(at..).unwrap_or_default();
        at + memchr::memchr(b'\n', rest).unwrap_or(rest.len())
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
        if self.format.is_binary() {
            let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
            let bytes = rest.get(..self.format.first_value(rest).unwrap_or(rest.len()))?;
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
