//! Finds the elements of JSON text: those that the query selects, after the options that rearrange them.

use super::Mapper;
use super::pass::Pass;
use crate::decode::{Query, Scanner, Source, Syntax, SyntaxError, Token};
use crate::rejection::Rejection;
use crate::reshape::{ReshapedElement, TextRef};
use crate::scalar::Texts;
use std::ops::Range;
use std::sync::Arc;

/// The field of a selected scalar whose path has no name, as in "$[*]"; that of `format = "value"`.
const UNNAMED: &str = "value";

impl Mapper {
    /// Maps the lines of a format with one JSON value a line. A bad line is rejected alone.
    pub(super) fn map_lines(
        &mut self,
        whole: &Scanner<'_>,
        pass: &mut Pass<'_, '_>,
    ) -> Result<(), Rejection> {
        let mut start = whole.position();
        while start < pass.texts.record.len() {
            let rest = pass.texts.record.get(start..).unwrap_or_default();
            let end = start + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let mut line = whole.within(start, end);
            let bad_row = pass.bad_row(start);
            start = end + 1;
            if let Some(rejection) = bad_row {
                pass.reject(rejection);
                continue;
            }
            // The values of a line follow one another with or without white space.
            while !line.is_at_end() {
                let mark = pass.lines.mark();
                let traced = self.trace.as_ref().map_or(0, Vec::len);
                match self.map_document(&mut line, pass) {
                    Ok(()) => {}
                    Err(rejection @ Rejection::LinesTooLarge { .. }) => return Err(rejection),
                    Err(rejection) => {
                        pass.lines.truncate(mark);
                        self.trace.iter_mut().for_each(|trace| trace.truncate(traced));
                        pass.reject_line(rejection, self.rules.format);
                        // Where the next value of this line would begin is unknown.
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Maps the next JSON value: each object that the query selects becomes a point.
    pub(super) fn map_document(
        &mut self,
        scanner: &mut Scanner<'_>,
        pass: &mut Pass<'_, '_>,
    ) -> Result<(), Rejection> {
        if self.maps_whole_objects {
            return self.map_selected(scanner, pass);
        }
        if !self.known.roots.is_empty() {
            scanner.skip_whitespace();
            if scanner.rest().starts_with(b"{") {
                self.outside.begin_document();
                return self.map_selected(scanner, pass);
            }
        }
        let mut spans = std::mem::take(&mut self.work.spans);
        let result = self.locate(scanner, &mut spans).map_err(Rejection::from).and_then(|mut document| {
            self.work.reshaper.begin(&self.rules.reshape, &document, self.outside.tree())?;
            self.replace_outside(pass);
            if self.rules.query == Query::Whole {
                self.map_selected(&mut document, pass)?;
                *scanner = scanner.at(document.position());
                return Ok(());
            }
            if spans.is_empty() {
                pass.mapped.filtered += 1;
                pass.mapped.selected_nothing = true;
            }
            *scanner = scanner.at(document.bytes().len());
            let (index, filtered) = (pass.index, pass.mapped.filtered);
            spans.iter().try_for_each(|span| {
                self.outside.enter_selected(span, &document)?;
                self.replace_outside(pass);
                self.map_selected(&mut document.within(span.start, span.end), pass)
            })?;
            // Selected nulls count as an empty selection, unless the query selects anything else.
            pass.mapped.selected_nothing |= pass.index == index && pass.mapped.filtered > filtered;
            Ok(())
        });
        self.outside.end_document();
        self.work.spans = spans;
        self.work.reshaper.end();
        result
    }

    /// Finds the values that the mapping takes by JSONPaths, and returns the JSON value that has them: the rest of the text, or its
    /// first value where the format allows several in a line.
    pub(super) fn locate<'v>(
        &mut self,
        scanner: &Scanner<'v>,
        spans: &mut Vec<Range<usize>>,
    ) -> Result<Scanner<'v>, SyntaxError> {
        match self.locate_in(scanner, spans) {
            Err(SyntaxError { why: Syntax::Trailing, .. }) if self.rules.format.has_lines() => {
                let mut value = scanner.clone();
                let token = value.value()?;
                value.skip_rest(token, 0)?;
                let first = scanner.within(scanner.position(), value.position());
                self.locate_in(&first, spans)?;
                Ok(first)
            }
            result => result.map(|()| scanner.clone()),
        }
    }

    fn locate_in(
        &mut self,
        document: &Scanner<'_>,
        spans: &mut Vec<Range<usize>>,
    ) -> Result<(), SyntaxError> {
        spans.clear();
        self.outside.find(&self.rules.query, document, spans)
    }

    /// Maps a selected value: an object becomes a point, an array one point per element, and a scalar a field.
    fn map_selected(&mut self, scanner: &mut Scanner<'_>, pass: &mut Pass<'_, '_>) -> Result<(), Rejection> {
        scanner.skip_whitespace();
        let start = scanner.position();
        let token = scanner.value()?;
        if self.rules.reshape.is_element(token, scanner, 0)? {
            return self.map_element(scanner, start, 0, pass);
        }
        match token {
            Token::Array => self.map_items(scanner, pass),
            Token::Null if self.rules.query != Query::Whole => {
                pass.mapped.filtered += 1;
                Ok(())
            }
            scalar => self.map_scalar(scanner, start, scalar, pass),
        }
    }

    /// Maps the items of the array whose opening bracket was just read.
    fn map_items(&mut self, scanner: &mut Scanner<'_>, pass: &mut Pass<'_, '_>) -> Result<(), Rejection> {
        let mut item = 0;
        while scanner.element(item == 0)? {
            if self.outside.enter_item(item) {
                self.replace_outside(pass);
            }
            item += 1;
            scanner.skip_whitespace();
            let start = scanner.position();
            let token = scanner.value()?;
            if self.rules.reshape.is_element(token, scanner, 1)? {
                self.map_element(scanner, start, 1, pass)?;
            } else if token == Token::Array {
                scanner.skip_rest(token, 1)?;
                pass.reject(Rejection::NotAnObject(kind_of(token)));
            } else {
                self.map_scalar(scanner, start, token, pass)?;
            }
        }
        Ok(())
    }

    /// Maps the scalar that was just read from `start` on: where the query selects it, it becomes a field under the last name of its path.
    fn map_scalar(
        &mut self,
        scanner: &Scanner<'_>,
        start: usize,
        scalar: Token<'_>,
        pass: &mut Pass<'_, '_>,
    ) -> Result<(), Rejection> {
        if self.rules.query == Query::Whole {
            pass.reject(Rejection::NotAnObject(kind_of(scalar)));
            return Ok(());
        }
        let text = scanner.within(start, scanner.position());
        let (source, utf8, timestamps) = (text.source(), text.is_utf8(), pass.timestamps);
        let value = TextRef { bytes: text.bytes(), start, timestamps, pieces: &[], utf8, source };
        if scalar == Token::Null || !self.work.reshaper.keeps(&self.rules.reshape, &value)? {
            pass.mapped.filtered += 1;
            pass.mapped.left_out += usize::from(scalar != Token::Null);
            pass.index += 1;
            return Ok(());
        }
        // Moved out of `self`, which is borrowed mutably while the element is mapped.
        let mut named = std::mem::take(&mut self.work.named);
        named.clear();
        named.push(b"{");
        match (&self.rules.query, self.outside.name()) {
            (_, Some(name)) => {
                if let Token::Text(name) = scanner.at(name).value()? {
                    named.copy_key(name);
                }
            }
            (Query::Path(path), None) => named.push_key(path.last_name().unwrap_or(UNNAMED)),
            _ => named.push_key(UNNAMED),
        }
        let repeated = pass.repeat(named.text(utf8).bytes.len(), self.limits.lines_bytes_max);
        let result = repeated.and_then(|()| {
            named.copy(&value, start..scanner.position());
            named.push(b"}");
            self.map_shaped(named.text(utf8), 0, pass)
        });
        self.work.named = named;
        result
    }

    /// Maps the element whose opening bracket at `start` was just read.
    fn map_element(
        &mut self,
        scanner: &mut Scanner<'_>,
        start: usize,
        depth: usize,
        pass: &mut Pass<'_, '_>,
    ) -> Result<(), Rejection> {
        if self.maps_whole_objects || self.rules.reshape.is_empty() {
            return self.map_object(scanner, depth, pass);
        }
        *scanner = scanner.at(start);
        let token = scanner.value()?;
        scanner.skip_rest(token, depth)?;
        let text = scanner.within(start, scanner.position());
        let (source, utf8, timestamps) = (text.source(), text.is_utf8(), pass.timestamps);
        let element = TextRef { bytes: text.bytes(), start, timestamps, pieces: &[], utf8, source };
        // Moved out of `self`, which is borrowed mutably while the elements are mapped.
        let mut reshaper = std::mem::take(&mut self.work.reshaper);
        let mut losses = std::mem::take(&mut self.losses);
        let (rules, bytes_max) = (Arc::clone(&self.rules), self.limits.lines_bytes_max);
        let result = reshaper.shape(&rules.reshape, element, bytes_max, &mut losses, |shaped| {
            match shaped {
                ReshapedElement::Object(text) => return self.map_shaped(text, depth, pass),
                ReshapedElement::Filtered => {
                    pass.mapped.filtered += 1;
                    pass.mapped.left_out += 1;
                    pass.index += 1;
                }
                ReshapedElement::WithoutItems => {
                    pass.mapped.filtered += 1;
                    pass.mapped.without_items += 1;
                    pass.index += 1;
                }
                ReshapedElement::Rejected(rejection) => pass.reject(rejection),
            }
            Ok(())
        });
        self.work.reshaper = reshaper;
        self.losses = losses;
        self.known.counted.clear();
        result
    }

    /// Maps an object that options have rearranged.
    fn map_shaped(
        &mut self,
        text: TextRef<'_>,
        depth: usize,
        pass: &mut Pass<'_, '_>,
    ) -> Result<(), Rejection> {
        let mut scanner = text.scanner();
        match scanner.value()? {
            Token::Object => {}
            other => {
                pass.reject(Rejection::NotAnObject(kind_of(other)));
                return Ok(());
            }
        }
        if text.source == Source::Record {
            return self.map_object(&mut scanner, depth, pass);
        }
        let mut pass_of_element = Pass {
            texts: Texts { element: text.bytes, ..pass.texts },
            element_timestamps: text.timestamps,
            pieces: text.pieces,
            lines: &mut *pass.lines,
            mapped: &mut *pass.mapped,
            ..*pass
        };
        let result = self.map_object(&mut scanner, depth, &mut pass_of_element);
        (pass.index, pass.repeated_bytes) = (pass_of_element.index, pass_of_element.repeated_bytes);
        result
    }

    /// Applies `values` to the values from outside of the element, and counts those that were found since the last call and are not UTF-8.
    pub(super) fn replace_outside(&mut self, pass: &Pass<'_, '_>) {
        self.outside.replace(&self.rules.values, &pass.texts, &mut self.work.scratch);
        self.count_lossy_outside_values();
    }
}

fn kind_of(token: Token<'_>) -> &'static str {
    match token {
        Token::Null => "null",
        Token::NotFinite => "NaN or infinity",
        Token::Binary => "binary data",
        Token::True | Token::False => "a boolean",
        Token::Number(_) => "a number",
        Token::Text(_) => "a string",
        Token::Array => "an array",
        Token::Object => "an object",
    }
}
