//! CSV (RFC 4180) as JSON text: each row becomes an object on a line of its own.
//!
//! - Cells of tags, names, placeholders and times are text, whose digits and zeros stay; other cells are read by their content ([`cell`]).
//! - An empty cell is null, which is no value. Empty lines and comments are no rows.
//! - A row of another length than the header, or with a quote that is not closed, is rejected alone.

use super::cell;
use super::json_text::{BadRow, JsonText};
use super::{Format, without_bom};
use crate::field_type::FieldType;
use crate::rejection::Rejection;
use crate::rules::{Csv, Header, Rules};
use crate::selector::KeySelector;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::collections::HashSet;
use std::num::NonZeroU32;

/// Most columns that the first line of a record may name: each costs memory beside its text, and a mapper learns no more keys.
const COLUMNS_MAX: usize = 4_096;

impl Csv {
    /// The delimiters that [`Csv::with_first_line`] tries.
    pub const DELIMITERS: &[u8] = b",;\t|";

    /// The settings with which a record is a table with a header in its first line; none if it does not look like one.
    #[must_use]
    pub fn with_first_line(record: &[u8]) -> Option<Self> {
        if matches!(record.trim_ascii_start().first(), None | Some(b'{' | b'['))
            || std::str::from_utf8(record).is_err()
        {
            return None;
        }
        let comment = record.trim_ascii_start().first().copied().filter(|byte| *byte == b'#');
        let csv = |delimiter| Self { delimiter, comment, ..Self::default() };
        Self::DELIMITERS.iter().map(|delimiter| csv(*delimiter)).find(|csv| csv.is_table(record))
    }

    fn is_table(&self, record: &[u8]) -> bool {
        /// Rows that are looked at, so that a large file costs little.
        const BYTES_MAX: usize = 1 << 20;
        let rules = Rules { format: Format::Csv, csv: self.clone(), ..Rules::default() };
        let (mut table, mut text) = (Table::default(), JsonText::default());
        let is_read = match table.read(record, &rules, &mut text, BYTES_MAX) {
            Ok(()) => true,
            Err(why) => matches!(why, Rejection::RowsTooLarge { .. }),
        };
        let names: Vec<&[u8]> = table.header.cells().collect();
        let is_name = |name: &&[u8]| !name.trim_ascii().is_empty() && !cell::is_number(name);
        let is_unique = names.iter().collect::<HashSet<_>>().len() == names.len();
        let has_rows = text.bytes.starts_with(b"{");
        is_read
            && text.bad_rows.is_empty()
            && has_rows
            && is_unique
            && names.len() > 1
            && names.iter().all(is_name)
    }
}

/// Parser and columns of a record, reused from record to record.
#[derive(Debug, Default)]
pub(super) struct Table {
    reader: Option<Box<Reader>>,
    row: Row,
    /// The row that named the columns.
    header: Row,
    columns: Vec<Column>,
    /// JSON text of the columns' keys, one directly after another.
    keys: Vec<u8>,
}

impl Table {
    /// Allocated memory in bytes.
    pub fn memory(&self) -> usize {
        let columns = self.columns.capacity() * size_of::<Column>();
        self.row.memory() + self.header.memory() + self.keys.capacity() + columns
    }
}

/// The cells of a row, one directly after another.
#[derive(Debug, Default)]
struct Row {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    cells: usize,
}

#[derive(Debug)]
struct Column {
    /// End of its key in [`Table::keys`].
    key_end: usize,
    kind: ColumnKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnKind {
    /// A tag, name or time.
    Text,
    /// A field, read by its content.
    Field,
    /// Without a name.
    LeftOut,
}

impl Table {
    /// Appends the rows of a record's value.
    pub fn read(
        &mut self,
        value: &[u8],
        rules: &Rules,
        text: &mut JsonText,
        bytes_max: usize,
    ) -> Result<(), Rejection> {
        let value = without_bom(value);
        if value.trim_ascii().is_empty() {
            return Ok(());
        }
        let mut reader = self.reader.take().unwrap_or_else(|| Box::new(parser(&rules.csv)));
        reader.reset();
        let mut rows = Rows { reader: &mut reader, value, at: 0, lines: 1, counted: 0 };
        let result = self.rows(&mut rows, rules, text, bytes_max);
        self.reader = Some(reader);
        if text.bytes.is_empty() {
            // A header without rows is a record without points, and no empty record.
            text.push(b"[]\n");
        }
        result
    }

    fn rows(
        &mut self,
        rows: &mut Rows<'_>,
        rules: &Rules,
        text: &mut JsonText,
        bytes_max: usize,
    ) -> Result<(), Rejection> {
        match &rules.csv.header {
            Header::FirstLine => {
                if rows.next(&mut self.row) == Next::OpenQuote {
                    return Err(Rejection::OpenQuote { line: rows.line() });
                }
                if self.row.cells > COLUMNS_MAX {
                    return Err(Rejection::Unreadable {
                        format: "CSV",
                        why: "a header of too many columns",
                        at: 0,
                        context: None,
                    });
                }
                if !self.header.is_equal(&self.row) {
                    std::mem::swap(&mut self.header, &mut self.row);
                    self.columns.clear();
                    self.keys.clear();
                    let Self { header, columns, keys, .. } = self;
                    columns.extend(header.cells().map(|name| Column::of(name, rules, keys)));
                }
            }
            Header::Columns(names) if self.columns.is_empty() => {
                let Self { columns, keys, .. } = self;
                columns.extend(names.iter().map(|name| Column::of(name.as_bytes(), rules, keys)));
            }
            Header::Columns(_) => {}
        }
        text.columns = self.columns.len();
        loop {
            let next = rows.next(&mut self.row);
            match next {
                Next::End => return Ok(()),
                Next::Row if self.row.cells == self.columns.len() => self.push_row(text),
                Next::Row | Next::OpenQuote => {
                    let cells = NonZeroU32::new(self.row.cells as u32).filter(|_| next == Next::Row);
                    let position = text.bytes.len() as u32;
                    text.bad_rows.push(BadRow { position, line: rows.line(), cells });
                    text.push(b"null");
                }
            }
            text.push(b"\n");
            if text.bytes.len() > bytes_max {
                return Err(Rejection::RowsTooLarge { bytes_max });
            }
        }
    }

    fn push_row(&self, text: &mut JsonText) {
        text.push(b"{");
        let mut key_start = 0;
        let mut is_first = true;
        for (column, cell) in self.columns.iter().zip(self.row.cells()) {
            let key = self.keys.get(key_start..column.key_end).unwrap_or_default();
            key_start = column.key_end;
            if column.kind == ColumnKind::LeftOut {
                continue;
            }
            text.push(if std::mem::take(&mut is_first) { b"" } else { b"," });
            text.push(key);
            match column.kind {
                _ if cell.is_empty() => text.push(b"null"),
                ColumnKind::Text => cell::push_text(cell, text),
                _ => cell::push(cell, text),
            }
        }
        text.push(b"}");
    }
}

impl Column {
    /// The column of a name, whose key is appended to `keys`.
    fn of(name: &[u8], rules: &Rules, keys: &mut Vec<u8>) -> Self {
        let mut key = JsonText::default();
        cell::push_text(name, &mut key);
        keys.extend_from_slice(&key.bytes);
        keys.push(b':');
        let shown = String::from_utf8_lossy(name);
        let kind = match name {
            b"" => ColumnKind::LeftOut,
            _ if is_text(&shown, rules) => ColumnKind::Text,
            _ => ColumnKind::Field,
        };
        Self { key_end: keys.len(), kind }
    }
}

/// Whether the mapping takes a tag, the name, a placeholder, the time, a string field or names of fields from a column.
fn is_text(name: &str, rules: &Rules) -> bool {
    let is = |selector: &KeySelector| match selector {
        KeySelector::Flattened(_) | KeySelector::Element(_) | KeySelector::Root(_) => {
            selector.flattened() == name
        }
        KeySelector::Ancestor { .. }
        | KeySelector::Key { .. }
        | KeySelector::Member { .. }
        | KeySelector::RecordKey(_) => false,
    };
    let is_string = |field: &str| rules.types.get(field) == Some(&FieldType::String);
    let mut in_placeholders = rules.all_templates().flat_map(|(_, template)| template.selectors());
    rules.tag_keys.is_match(name)
        || is_string(name)
        || rules.fields.iter().any(|(field, from)| is(from) && is_string(field))
        || rules.reshape.zip.iter().any(|zip| zip.names == name)
        || rules.tag_selectors.iter().any(is)
        || rules.name_key.as_ref().is_some_and(is)
        || rules.time.as_ref().is_some_and(|time| time.selectors().any(|(_, key)| is(key)))
        || in_placeholders.any(is)
}

fn parser(csv: &Csv) -> Reader {
    ReaderBuilder::new().delimiter(csv.delimiter).comment(csv.comment).build()
}

/// The rows of a value.
struct Rows<'a> {
    reader: &'a mut Reader,
    value: &'a [u8],
    at: usize,
    /// Number of the line at `counted`, from 1.
    lines: u32,
    counted: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Row,
    /// The value ends in a cell whose quote is not closed, which may contain further rows.
    OpenQuote,
    End,
}

impl Rows<'_> {
    fn next(&mut self, row: &mut Row) -> Next {
        row.cells = 0;
        let mut length = 0;
        // A line break behind the value ends its last row, except in quotes. The empty input behind it ends even those.
        let mut is_broken = false;
        loop {
            let rest = self.value.get(self.at..).filter(|rest| !rest.is_empty());
            let input = rest.unwrap_or(if is_broken { b"" } else { b"\n" });
            let bytes = row.bytes.get_mut(length..).unwrap_or_default();
            let ends = row.ends.get_mut(row.cells..).unwrap_or_default();
            let (result, read, written, cells) = self.reader.read_record(input, bytes, ends);
            length += written;
            row.cells += cells;
            match rest {
                Some(_) => self.at += read,
                None if read > 0 => is_broken = true,
                None => {}
            }
            match result {
                ReadRecordResult::Record if rest.is_none() && input.is_empty() => return Next::OpenQuote,
                ReadRecordResult::Record => return Next::Row,
                ReadRecordResult::End => return Next::End,
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => row.bytes.resize(row.bytes.len().max(64) * 2, 0),
                ReadRecordResult::OutputEndsFull => row.ends.resize(row.ends.len().max(8) * 2, 0),
            }
        }
    }

    /// Last line of the row that was read.
    fn line(&mut self) -> u32 {
        let read = self.value.get(self.counted..self.at).unwrap_or_default();
        let within = read.strip_suffix(b"\n").unwrap_or(read);
        let line = self.lines + memchr::memchr_iter(b'\n', within).count() as u32;
        self.lines = line + u32::from(within.len() < read.len());
        self.counted = self.at;
        line
    }
}

impl Row {
    fn memory(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }

    fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().take(self.cells).map(move |end| {
            let cell = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            cell
        })
    }

    fn is_equal(&self, other: &Self) -> bool {
        self.cells > 0 && self.cells == other.cells && self.cells().eq(other.cells())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drop_reason::DropReason;
    use crate::test_support::{self, LIMITS, mapper, record};
    use crate::{Format, Globs, Mapped, Template, TimeFormat, TimeRule};

    fn rules(csv: Csv) -> Rules {
        Rules { format: Format::Csv, csv, strict: false, ..Rules::default() }
    }

    fn json(csv: &Csv, value: &[u8]) -> String {
        String::from_utf8(rules(csv.clone()).to_json(value).unwrap().into_owned()).unwrap()
    }

    fn columns(names: &[&str]) -> Csv {
        Csv { header: Header::Columns(names.iter().map(ToString::to_string).collect()), ..Csv::default() }
    }

    #[test]
    fn each_row_is_an_object() {
        let f = |value: &str, want: &str| {
            assert_eq!(json(&Csv::default(), value.as_bytes()), want, "{value:?}");
        };
        f("a,b\n1,x\n2.5,\n", "{\"a\":1,\"b\":\"x\"}\n{\"a\":2.5,\"b\":null}\n");
        f("a,b\r\n1,2\r\n\r\n3,4", "{\"a\":1,\"b\":2}\n{\"a\":3,\"b\":4}\n");
        f("a\r1\r2", "{\"a\":1}\n{\"a\":2}\n");
        f("\u{feff}a,b\n1,2\n", "{\"a\":1,\"b\":2}\n");
        f("\"a,\"\"x\",b\n\"1\",\"line\nbreak\"\n", "{\"a,\\\"x\":1,\"b\":\"line\\u000abreak\"}\n");
        f("a,,b\n1,2,3\n", "{\"a\":1,\"b\":3}\n");
        f("a,b\n", "[]\n");
        f(" \n", "");
        f("온도,장소\n21,서울\n", "{\"온도\":21,\"장소\":\"서울\"}\n");
    }

    #[test]
    fn follows_its_settings() {
        let csv = Csv { delimiter: b';', comment: Some(b'#'), ..columns(&["a", "", "b"]) };
        assert_eq!(json(&csv, b"# a;b;c\n1;2;3,5\n#\n4;5;6"), "{\"a\":1,\"b\":\"3,5\"}\n{\"a\":4,\"b\":6}\n");
        let tabs = Csv { delimiter: b'\t', ..Csv::default() };
        assert_eq!(json(&tabs, b"a\tb\n1\t 2\n"), "{\"a\":1,\"b\":2}\n");
    }

    #[test]
    fn recognizes_tables_with_a_header() {
        let f = |record: &str| Csv::with_first_line(record.as_bytes()).map(|csv| char::from(csv.delimiter));
        assert_eq!(f("time,host\n1,a\n2,b\n"), Some(','));
        assert_eq!(f("time;host\r\n1;\"a,b\"\r\n"), Some(';'));
        assert_eq!(f("time\thost\n1\ta b, c\n"), Some('\t'));
        assert_eq!(f("a|b\n1|2"), Some('|'));
        let commented = Csv::with_first_line(b"# a, b, c\na,b\n1,2\n").unwrap();
        assert_eq!(commented, Csv { comment: Some(b'#'), ..Csv::default() });
        for other in
            ["", "a,b\n", "1,2\n3,4\n", "a,b\n1\n", "a,a\n1,2\n", "a,\n1,2\n", "a\n1\n", "a,b\n1,\"2\n"]
        {
            assert_eq!(f(other), None, "{other:?}");
        }
        assert_eq!(f("{\"a\":1,\"b\":2}\n{\"a\":1,\"b\":2}\n"), None);
        assert_eq!(f(&format!("a,b\n{}", "1,2\n".repeat(200_000))), Some(','));
    }

    /// Lines, result and drops of a record.
    type Outcome = (String, Mapped, Vec<(DropReason, u64)>);

    fn map(rules: Rules, values: &[&str]) -> Vec<Outcome> {
        let mut mapper = mapper(rules);
        let mut outcome = |value: &&str| {
            let (lines, became) = test_support::map(&mut mapper, &record(value.as_bytes()));
            (lines, became, mapper.take_drops().iter().collect())
        };
        values.iter().map(&mut outcome).collect()
    }

    #[test]
    fn tags_names_and_times_keep_their_text() {
        let key = KeySelector::Flattened("t".to_owned());
        let format = TimeFormat::parse("%Y%m%d %H%M").unwrap();
        let time = TimeRule::new(key, format, jiff::tz::TimeZone::UTC);
        let rules = Rules {
            tag_keys: Globs::compile(&["version", "zip"]).unwrap(),
            name_key: Some(KeySelector::Flattened("name".to_owned())),
            time: Some(time),
            ..rules(Csv::default())
        };
        let value = "name,version,zip,v,t\n7.0,1.10,007,007,20240102 0304\n";
        let (lines, mapped, _) = map(rules, &[value]).remove(0);
        assert_eq!(lines, "7.0,version=1.10,zip=007 v=7 1704164640000000000\n");
        assert_eq!(mapped.rejected, []);
    }

    #[test]
    fn columns_in_placeholders_keep_their_text() {
        let template = |text: &str| Template::parse(text).unwrap();
        let rules = Rules {
            measurement: template("m{line}"),
            tags: vec![("serial".to_owned(), template("{plant}-{@.id}"))],
            number_fields: Globs::compile(&["id"]).unwrap(),
            ..rules(Csv::default())
        };
        let (lines, _, drops) = map(rules, &["line,plant,id,v\n01,007,1.10,007\n"]).remove(0);
        assert_eq!((lines.as_str(), drops), ("m01,serial=007-1.10 id=1.10,v=7\n", vec![]));
    }

    #[test]
    fn columns_of_strings_keep_their_text() {
        let types = crate::KeyTable::compile(vec![("id".to_owned(), FieldType::String)]).unwrap();
        let rules = Rules { types, ..rules(Csv::default()) };
        let (lines, _, drops) = map(rules, &["id,v\n007,1\n1.10,2\n"]).remove(0);
        assert_eq!((lines.as_str(), drops), ("t id=\"007\",v=1\nt id=\"1.10\",v=2\n", vec![]));
    }

    #[test]
    fn a_column_that_becomes_a_string_under_another_name_keeps_its_text() {
        let types = crate::KeyTable::compile(vec![("s".to_owned(), FieldType::String)]).unwrap();
        let fields = vec![("s".to_owned(), KeySelector::Flattened("serial".to_owned()))];
        let exclude = Globs::compile(&["serial"]).unwrap();
        let rules = Rules { fields, types, exclude, ..rules(Csv::default()) };
        let (lines, _, _) = map(rules, &["serial,v\n007,1\n"]).remove(0);
        assert_eq!(lines, "t v=1,s=\"007\"\n");
    }

    #[test]
    fn names_of_zip_are_text_also_where_they_look_like_numbers() {
        let zip = vec![crate::Zip { names: "metric".to_owned(), values: "value".to_owned() }];
        let reshape = crate::Reshape { zip, ..crate::Reshape::default() };
        let rules = Rules { reshape, ..rules(Csv::default()) };
        let (lines, _, drops) = map(rules, &["metric,value\n05,1\na,2\n"]).remove(0);
        assert_eq!((lines.as_str(), drops), ("t 05=1\nt a=2\n", vec![]));
    }

    #[test]
    fn rows_of_another_length_are_rejected_alone() {
        let value = "a,b\n1,2\n3\n\"x\ny\",4,5\n\n5,6\n";
        let (lines, mapped, _) = map(rules(Csv::default()), &[value]).remove(0);
        assert_eq!(lines, "t a=1,b=2\nt a=5,b=6\n");
        let want = |line, cells| Rejection::Row { line, cells, columns: 2 };
        assert_eq!(mapped.rejected, [(Some(1), want(3, 1)), (Some(2), want(5, 3))]);
        let text = mapped.rejected[0].1.to_string();
        assert_eq!(text, "its line 3 has 1 cell, and its header has 2: is `delimiter` right?");
        let strict = Rules { strict: true, ..rules(Csv::default()) };
        assert_eq!(map(strict, &[value]).remove(0).1.lines, 0);
    }

    /// The parser takes the rest of the value for one cell, so that rows in it would be lost silently.
    #[test]
    fn a_quote_that_is_not_closed_is_rejected() {
        let (lines, mapped, _) = map(rules(Csv::default()), &["a,b\n1,2\n3,\"x\n4,5\n"]).remove(0);
        assert_eq!(lines, "t a=1,b=2\n");
        assert_eq!(mapped.rejected, [(Some(1), Rejection::OpenQuote { line: 4 })]);
        let (_, mapped, _) = map(rules(Csv::default()), &["a,\"b\n1,2\n"]).remove(0);
        assert_eq!(mapped.rejected, [(None, Rejection::OpenQuote { line: 2 })]);
        let (_, mapped, _) = map(rules(Csv::default()), &["a,b\n1,\"2\""]).remove(0);
        assert_eq!((mapped.lines, mapped.rejected), (1, vec![]));
    }

    #[test]
    fn a_header_without_rows_is_filtered_and_an_empty_value_rejected() {
        let f = |value: &str| map(rules(Csv::default()), &[value]).remove(0).1;
        assert_eq!((f("a,b\n").filtered, f("a,b\n").rejected), (1, vec![]));
        assert_eq!(f("\r\n").rejected, [(None, Rejection::Empty)]);
    }

    #[test]
    fn each_record_has_its_own_first_line() {
        let values = ["a,b\n1,2\n", "b,a\n1,2\n", "a\n1\n", "a,b\n1,NaN\n", "", "a,b\n3,4\n"];
        let mapped = map(rules(Csv::default()), &values);
        let lines: Vec<_> = mapped.iter().map(|(lines, ..)| lines.as_str()).collect();
        assert_eq!(lines, ["t a=1,b=2\n", "t b=1,a=2\n", "t a=1\n", "t a=1\n", "", "t a=3,b=4\n"]);
        assert_eq!(mapped[3].2, [(DropReason::NotFinite, 1)]);
    }

    /// Each row repeats the names of all columns, so that the text could be a thousand times the record.
    #[test]
    fn the_text_is_bounded() {
        let value = format!("{}\n{}", "k".repeat(10_000), "1\n".repeat(10_000));
        let (lines, mapped, _) = map(rules(Csv::default()), &[&value]).remove(0);
        assert_eq!(lines, "");
        assert_eq!(mapped.rejected, [(None, Rejection::RowsTooLarge { bytes_max: LIMITS.lines_bytes_max })]);
        let rows = "1,2\n".repeat(20_000);
        let (_, mapped, _) = map(rules(columns(&["a"])), &[&rows]).remove(0);
        assert_eq!(mapped.rejected_by_reason().map(|(_, count)| count).sum::<u64>(), 20_000);
    }
}
