//! Finds the objects in records that become points.

use super::key::Segment;
use super::{Sample, framed_format};
use mapping::decode::{Query, Scanner, SyntaxError, Token, select};
use mapping::{Csv, Format, Frame, Rules, Schemas, TimeMark};
use std::ops::Range;
use std::sync::Arc;

/// The objects of records that become points.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    pub format: Format,
    /// The schemas that the records are read with, if a registry has them.
    pub schemas: Option<Arc<dyn Schemas>>,
    pub csv: Csv,
    /// Path to the objects; none for whole records.
    pub query: Option<(String, Query)>,
}

impl Shape {
    /// Whole records, in the format that fits more of them.
    pub fn whole(sample: &Sample) -> Self {
        let of = |format| Self { format, ..Self::default() };
        if let Some(format) = framed_format(sample) {
            return Self { schemas: sample.schemas.clone(), ..of(format) };
        }
        let values = || sample.records.iter().filter_map(|record| record.value.as_deref());
        let binary: Vec<Format> = values().filter_map(Format::of_binary).collect();
        if let Some(format) = binary.first().filter(|_| binary.len() * 2 > values().count()) {
            return of(*format);
        }
        // `value_compression` recognises the compression of text by itself.
        let text: Vec<_> = values().map(mapping::unpacked).collect();
        // Serializers of JSON Schema write a registry's frame, which the mapping skips.
        let values = || text.iter().map(|value| Frame::of(value).map_or(&**value, |frame| frame.content));
        if values().filter(|value| mapping::is_line_protocol(value)).count() * 2 > values().count() {
            return of(Format::Influx);
        }
        let tables: Vec<Csv> = values().filter_map(Csv::with_first_line).collect();
        if let Some(csv) = tables.first().filter(|_| tables.len() * 2 > values().count()) {
            return Self { csv: csv.clone(), ..of(Format::Csv) };
        }
        let (mut as_json, mut as_lines) = (0_u64, 0_u64);
        for value in values() {
            let is_json = is_whole(Scanner::new(value));
            let is_lines = lines(value).filter(|line| !line.trim_ascii().is_empty()).count() > 1
                && lines(value).all(|line| line.trim_ascii().is_empty() || is_whole(Scanner::new(line)));
            as_json += u64::from(is_json && !is_lines);
            as_lines += u64::from(is_lines && !is_json);
            // Lines of a pretty-printed record are not values, and several values are not one record.
        }
        let is_single = |value: &[u8]| is_whole(Scanner::new(value)) && value.trim_ascii().contains(&b'\n');
        let pretty = values().filter(|value| is_single(value));
        let is_lines = as_lines > 0 && (as_lines > pretty.count() as u64) && as_lines * 10 >= as_json;
        of(if is_lines { Format::JsonLines } else { Format::Json })
    }

    /// Calls `take` for each value that should be an object, with a scanner before the value, and the times of the record's format.
    pub fn each(
        &self,
        value: &[u8],
        take: &mut impl FnMut(&mut Scanner<'_>, &[TimeMark]) -> Result<(), SyntaxError>,
    ) -> Result<(), SyntaxError> {
        // A record of another format is empty here; the trial counts its rejection.
        let rules = Rules { format: self.format, csv: self.csv.clone(), ..Rules::default() };
        let text = rules.read_text(self.schemas.as_ref(), value).unwrap_or_default();
        let (json, whole) = (&text.json, Scanner::new(&text.json));
        let take = &mut |scanner: &mut Scanner<'_>| take(scanner, &text.times);
        if whole.clone().is_at_end() {
            return Ok(());
        }
        if !self.format.has_lines() {
            return self.document(&whole, take);
        }
        let mut start = whole.position();
        while start < json.len() {
            let rest = json.get(start..).unwrap_or_default();
            let end = start + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let mut line = whole.within(start, end);
            start = end + 1;
            if !line.is_at_end() {
                // One bad line is rejected alone.
                let _rejected = self.document(&line, take);
            }
        }
        Ok(())
    }

    fn document(
        &self,
        scanner: &Scanner<'_>,
        take: &mut impl FnMut(&mut Scanner<'_>) -> Result<(), SyntaxError>,
    ) -> Result<(), SyntaxError> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        let query = self.query.as_ref().map_or(&Query::Whole, |(_, query)| query);
        select(query, scanner, &mut spans)?;
        for span in spans {
            let mut value = scanner.within(span.start, span.end);
            value.skip_whitespace();
            if value.rest().first() != Some(&b'[') {
                take(&mut value)?;
                continue;
            }
            value.value()?;
            let mut first = true;
            while value.element(first)? {
                first = false;
                take(&mut value)?;
            }
        }
        Ok(())
    }
}

fn lines(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b'\n')
}

fn is_whole(mut scanner: Scanner<'_>) -> bool {
    let mut read = || {
        let token = scanner.value()?;
        scanner.skip_rest(token, 0)?;
        scanner.end()?;
        Ok::<_, SyntaxError>(matches!(token, Token::Object | Token::Array))
    };
    read().unwrap_or(false)
}

/// The JSONPath from the root of the record; none through an array, or for a key that cannot be quoted simply.
pub fn path_of(segments: &[Segment]) -> Option<String> {
    let mut path = "$".to_owned();
    for segment in segments {
        let Segment::Key(key) = segment else { return None };
        let is_plain = key.chars().all(|c| c.is_alphanumeric() || c == '_')
            && key.chars().next().is_some_and(|c| !c.is_numeric());
        if is_plain {
            path = format!("{path}.{key}");
        } else if key.contains(['\'', '\\', '"']) || key.contains(char::is_control) {
            return None;
        } else {
            path = format!("{path}['{key}']");
        }
    }
    Some(path)
}
