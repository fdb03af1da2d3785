//! Elements of a record without points: for `init`, which examines records before it knows their tags and fields.

use super::decode::{Scanner, Source, SyntaxError, Token, select};
use super::formats::TimeMark;
use super::rejection::Rejection;
use super::reshape::{ParsedJson, ReshapeDrops, ReshapedElement, Reshaper, TextRef};
use super::{Rules, Schemas};
use std::sync::Arc;

impl Rules {
    /// Calls `take` with each element of a record's value, with a scanner before the element: the objects that `parse_json`, `query`,
    /// `columns`, `explode`, `where`, `pivot` and `zip` make, and the values that are no objects; and with the times of the record's
    /// format. A bad line is left out alone. `schemas`: the schemas of framed values.
    ///
    /// # Errors
    /// When the value does not have the format of these rules, or is not JSON.
    pub fn each_element(
        &self,
        schemas: Option<&Arc<dyn Schemas>>,
        value: &[u8],
        take: &mut impl FnMut(&mut Scanner<'_>, &[TimeMark]) -> Result<(), SyntaxError>,
    ) -> Result<(), Rejection> {
        let text = self.read_text(schemas, value)?;
        let (json, mut times) = (&text.json, &text.times);
        let (mut scanner, mut parsed, mut losses) =
            (Scanner::new(json), ParsedJson::default(), ReshapeDrops::default());
        if scanner.is_at_end() {
            return Ok(());
        }
        if !self.parse_json.is_empty() {
            let (start, utf8) = (scanner.position(), scanner.is_utf8());
            let source = Source::Record;
            let text = TextRef { bytes: json, start, timestamps: times, pieces: &[], utf8, source };
            if self.format.has_lines() {
                parsed.read_lines(&self.parse_json, text, &mut losses)?;
            } else {
                parsed.read_value(&self.parse_json, text, &mut losses)?;
            }
            (scanner, times) = (Scanner::new(&parsed.bytes), &parsed.timestamps);
        }
        let mut elements = Elements { rules: self, times, reshaper: Reshaper::default(), losses };
        if !self.format.has_lines() {
            return Ok(elements.document(&scanner, take)?);
        }
        let (mut start, bytes) = (scanner.position(), scanner.bytes());
        while start < bytes.len() {
            let rest = bytes.get(start..).unwrap_or_default();
            let end = start + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let mut line = scanner.within(start, end);
            start = end + 1;
            if !line.is_at_end() {
                // One bad line is rejected alone.
                let _rejected = elements.document(&line, take);
            }
        }
        Ok(())
    }
}

struct Elements<'r> {
    rules: &'r Rules,
    times: &'r [TimeMark],
    reshaper: Reshaper,
    losses: ReshapeDrops,
}

impl Elements<'_> {
    fn document(
        &mut self,
        document: &Scanner<'_>,
        take: &mut impl FnMut(&mut Scanner<'_>, &[TimeMark]) -> Result<(), SyntaxError>,
    ) -> Result<(), SyntaxError> {
        let mut spans = Vec::new();
        select(&self.rules.query, document, &mut spans)?;
        self.reshaper.begin(&self.rules.reshape, document, None)?;
        for span in spans {
            let mut value = document.within(span.start, span.end);
            value.skip_whitespace();
            let mut items = value.clone();
            let token = items.value()?;
            if token != Token::Array || self.rules.reshape.is_element(token, &items, 0)? {
                self.element(&mut value, take)?;
                continue;
            }
            let mut is_first = true;
            while items.element(is_first)? {
                is_first = false;
                self.element(&mut items, take)?;
            }
        }
        Ok(())
    }

    fn element(
        &mut self,
        scanner: &mut Scanner<'_>,
        take: &mut impl FnMut(&mut Scanner<'_>, &[TimeMark]) -> Result<(), SyntaxError>,
    ) -> Result<(), SyntaxError> {
        if self.rules.reshape.is_empty() {
            return take(scanner, self.times);
        }
        scanner.skip_whitespace();
        let start = scanner.position();
        let token = scanner.value()?;
        scanner.skip_rest(token, 0)?;
        let text = scanner.within(start, scanner.position());
        let (bytes, utf8, source) = (text.bytes(), text.is_utf8(), text.source());
        let element = TextRef { bytes, start, timestamps: self.times, pieces: &[], utf8, source };
        let Self { rules, reshaper, losses, .. } = self;
        reshaper.shape(&rules.reshape, element, usize::MAX, losses, |shaped| match shaped {
            ReshapedElement::Object(text) => take(&mut text.scanner(), text.timestamps),
            ReshapedElement::Filtered | ReshapedElement::WithoutItems | ReshapedElement::Rejected(_) => {
                Ok(())
            }
        })
    }
}
