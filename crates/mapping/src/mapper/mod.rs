//! Maps the bytes of a record to lines.

#[cfg(test)]
mod hostile;
mod influx;
mod pass;
mod point_time;

use super::compression::Unpacked;
use super::drop_reason::{DropReason, Drops};
use super::element::Element;
use super::element_parser::{ElementParser, Knowledge};
use super::first_drops::{FirstDrop, FirstDrops};
use super::formats::{FormatReader, Frame, JsonText, KEPT_BYTES_MAX, SchemaId, without_bom};
use super::interned_keys::{InternedKeys, KeyId};
use super::known_keys::{KnownKeys, KnownKeysReader};
use super::line::{CopiedFieldError, LineContext, LineLayout, LineValues};
use super::mapped::Mapped;
use super::outside_values::OutsideValues;
use super::record_shape::{Facts, RecordShapes};
use super::rejection::Rejection;
use super::reshape::{ElementText, Losses, ParsedJson, Reshaper, Shaped, TextRef};
use super::scalar::Texts;
use super::schemas::{SchemaCache, Schemas};
use super::seen_keys::{NodeId, SeenKeys};
use super::topic_parts::{Sources, TopicParts};
use super::{Compression, Format, KeySelector, Rules, distinct};
use crate::decode::{Query, Scanner, Source, Syntax, SyntaxError, Token};
use base::record::Record;
use influx::InfluxWork;
pub use influx::is_line_protocol;
use line_protocol::LineBuffer;
use pass::{MapCall, Pass};
use std::ops::Range;
use std::sync::Arc;

/// Most bytes of a small record and its lines, whose buffers stay below [`KEPT_BYTES_MAX`].
const SMALL_BYTES: usize = 2 << 10;

/// Maps the records of one topic. A mapper learns the topic's keys, so one mapper serves all records of a topic.
#[derive(Debug)]
pub struct Mapper {
    rules: Arc<Rules>,
    topic: String,
    topic_digits: distinct::TopicDigits,
    limits: RecordLimits,
    topic_parts: TopicParts,
    known: Knowledge,
    element: Element,
    outside: OutsideValues,
    /// The selectors whose values stand outside of elements.
    outside_selectors: Vec<KeySelector>,
    /// Whether elements are objects of the record as they stand there, with all that their points need.
    maps_whole_objects: bool,
    /// Whether a record that begins with a brace is such an object, and nothing unpacks or changes its text.
    maps_plain_objects: bool,
    /// Whether a record that begins with a letter is line protocol: no compressed value and no frame begins so.
    maps_plain_lines: bool,
    shapes: RecordShapes,
    known_keys: KnownKeys,
    schemas: SchemaCache,
    work: Work,
    reported: Reported,
    /// What `parse_json`, `pivot`, `zip` and `explode` dropped.
    losses: Losses,
    /// The index of the element that each line came from; only filled by [`Mapper::map_and_trace`].
    trace: Option<Vec<usize>>,
}

/// Size limits of one record and of its lines.
#[derive(Clone, Copy, Debug)]
pub struct RecordLimits {
    /// Longest value: `kafka.record_bytes_max`.
    pub record_bytes_max: usize,
    /// Longest text of all lines of a record, which has to fit into a batch.
    pub lines_bytes_max: usize,
}

/// Buffers that are reused from record to record.
#[derive(Debug, Default)]
struct Work {
    unpacked: Unpacked,
    /// Made for the first record that is not JSON: in a box it is moved out of the mapper and back without a copy.
    reader: Option<Box<FormatReader>>,
    influx: InfluxWork,
    scratch: Vec<u8>,
    values: LineValues,
    /// Layout of a line whose object has no known shape.
    layout: LineLayout,
    spans: Vec<Range<usize>>,
    /// Tags from outside of the element that the element does not have.
    outside_tags: Vec<(KeyId, usize)>,
    parsed: ParsedJson,
    reshaper: Reshaper,
    /// A selected scalar as an object.
    named: ElementText,
}

/// Drops that were reported: each is reported once for the topic, because a report allocates.
#[derive(Debug, Default)]
struct Reported {
    /// Tags from outside of the element that were duplicates.
    tags: Vec<KeyId>,
    /// Fields of `fields` that were duplicates or dropped.
    fields: Vec<(KeyId, DropReason)>,
    measurement: bool,
}

impl Reported {
    /// Reports a dropped field, unless it was reported before.
    fn field(&mut self, key: KeyId, drop: DropReason, fields: &InternedKeys, first_drops: &mut FirstDrops) {
        if !self.fields.contains(&(key, drop)) {
            self.fields.push((key, drop));
            first_drops.add(&fields.get(key).key, drop);
        }
    }
}

impl Work {
    /// Allocated memory in bytes of the buffers that grow with a record.
    fn bytes(&self) -> usize {
        self.unpacked.bytes()
            + self.influx.bytes()
            + self.scratch.capacity()
            + self.values.bytes()
            + self.spans.capacity() * size_of::<Range<usize>>()
            + self.outside_tags.capacity() * size_of::<(KeyId, usize)>()
            + self.parsed.allocated()
            + self.reshaper.bytes()
            + self.named.allocated()
    }
}

impl Mapper {
    pub fn new(rules: Arc<Rules>, topic: &str, limits: RecordLimits) -> Self {
        let copied = rules.copied_selectors();
        assert!(copied.len() <= Rules::COPIED_MAX, "the configuration refuses more selectors of the element");
        let outside_selectors = rules.outside_selectors();
        let mut known = Knowledge {
            keys: SeenKeys::new(),
            tags: InternedKeys::default(),
            fields: InternedKeys::default(),
            copied,
            roots: Vec::new(),
            has_root_selectors: false,
            has_plans_of_root: false,
            has_trimmed_keys: false,
            first_drops: FirstDrops::default(),
            drops: Drops::default(),
        };
        let sources = Sources { copied: &known.copied, outside: &outside_selectors };
        let topic_parts = TopicParts::new(&rules, topic, &sources, &mut known.tags, &mut known.fields);
        let (element, outside) = (Element::default(), OutsideValues::new(&outside_selectors, &rules));
        let (shapes, work) = (RecordShapes::default(), Work::default());
        let maps_whole_records = rules.query == Query::Whole && rules.reshape.is_empty();
        let maps_whole_objects = maps_whole_records && outside_selectors.is_empty();
        let keeps_text = rules.parse_json.is_empty() && rules.values.is_empty();
        let is_plain = matches!(rules.compression, Compression::None | Compression::Auto);
        let maps_plain_objects = maps_whole_objects && rules.format == Format::Json && keeps_text && is_plain;
        let maps_plain_lines = rules.format == Format::Influx && is_plain;
        let roots = outside.roots_of_objects();
        let may_find_roots = maps_whole_records && known.copied.len() + roots.len() <= Rules::COPIED_MAX;
        known.roots = if may_find_roots { roots.to_vec() } else { Vec::new() };
        let is_root = |selector: &KeySelector| matches!(selector, KeySelector::Root(_));
        known.has_root_selectors = rules.query == Query::Whole
            && !rules.reshape.renames_keys()
            && outside_selectors.iter().any(is_root);
        let (topic, topic_digits) = (topic.to_owned(), distinct::TopicDigits::of(topic));
        Self {
            rules,
            topic,
            topic_digits,
            limits,
            topic_parts,
            known,
            element,
            outside,
            outside_selectors,
            maps_whole_objects,
            maps_plain_objects,
            maps_plain_lines,
            shapes,
            known_keys: KnownKeys::default(),
            schemas: SchemaCache::default(),
            work,
            reported: Reported::default(),
            losses: Losses::default(),
            trace: None,
        }
    }

    /// Reads values by schemas of this source, where the rules have none.
    pub fn with_schemas(self, source: Option<Arc<dyn Schemas>>) -> Self {
        Self { schemas: SchemaCache::new(source), ..self }
    }

    /// The id of the schema that the last value was read with.
    pub fn last_schema(&self) -> Option<SchemaId> {
        self.schemas.last()
    }

    /// The id of the registry's schema in the frame of a value, which is unpacked as [`Mapper::map`] unpacks it. None: the value has no
    /// frame, or the mapping reads none.
    pub fn schema_of(&mut self, value: &[u8]) -> Option<SchemaId> {
        let Rules { compression, format, schema, .. } = &*self.rules;
        let bytes_max = self.limits.record_bytes_max;
        if !format.has_schema() || schema.is_some() || value.len() > bytes_max {
            return None;
        }
        let unpacked = self.work.unpacked.read(*compression, *format, value, bytes_max).ok()?;
        let id = Frame::of(unpacked.unwrap_or(value)).map(|frame| frame.schema);
        if self.work.unpacked.bytes() > KEPT_BYTES_MAX {
            self.work.unpacked = Unpacked::default();
        }
        id
    }

    /// Takes the number of dropped values since the last call, by reason.
    pub fn take_drops(&mut self) -> Drops {
        let mut drops = self.known.drops.take();
        drops.add_all(&self.losses.drops.take());
        drops
    }

    /// Takes the keys whose value was dropped for the first time since the last call.
    pub fn take_first_drops(&mut self) -> Vec<FirstDrop> {
        let mut first = self.known.first_drops.take();
        first.extend(self.losses.first_drops.take());
        first
    }

    /// Appends the lines of a record. A record that is rejected as a whole leaves `lines` as it was.
    pub fn map(&mut self, record: &Record<'_>, lines: &mut LineBuffer) -> Mapped {
        lines.make_room();
        let mark = lines.mark();
        let mut mapped = Mapped::default();
        // A tombstone only marks a key as deleted. It is filtered, not rejected.
        let whole = match record.value {
            Some(value) => self.map_value(value, MapCall { record, lines, mapped: &mut mapped }),
            None => Ok(()),
        };
        let rejected = whole.is_err() || (self.rules.strict && mapped.has_rejected());
        if let Err(rejection) = whole {
            mapped = Mapped::rejected_whole(rejection);
        }
        let rejections: u64 =
            if mapped.has_rejected() { mapped.rejected_by_reason().map(|(_, count)| count).sum() } else { 0 };
        mapped.elements = (lines.lines() - mark.lines + mapped.filtered) as u64 + rejections;
        if rejected {
            lines.truncate(mark);
            (mapped.filtered, mapped.left_out, mapped.without_items) = (0, 0, 0);
        }
        mapped.lines = lines.lines() - mark.lines;
        if mapped.lines == 0 && mapped.filtered == 0 && !mapped.has_rejected() {
            mapped.filtered = 1;
        }
        self.release(record.value.map_or(0, <[u8]>::len) + lines.bytes().saturating_sub(mark.bytes));
        mapped
    }

    /// Appends the lines of a record like [`Mapper::map`], and returns the index of the element that each line came from.
    pub fn map_and_trace(&mut self, record: &Record<'_>, lines: &mut LineBuffer) -> Vec<usize> {
        self.trace = Some(Vec::new());
        self.map(record, lines);
        // Set above; only this function takes the trace.
        self.trace.take().unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn shapes(&self) -> &RecordShapes {
        &self.shapes
    }

    /// Frees the memory of a large record at once: the topic may have no further record that would reuse it. `bytes`: those of the record
    /// and of its lines.
    fn release(&mut self, bytes: usize) {
        if self.known.keys.is_full() {
            self.forget();
        }
        // Buffers grow by at most some tens of bytes for each byte of an element that stands in the record as it is.
        let is_as_it_stands =
            self.maps_whole_objects && (self.rules.format.is_json() || self.rules.format == Format::Influx);
        if bytes <= SMALL_BYTES && is_as_it_stands && self.work.unpacked.bytes() == 0 {
            return;
        }
        let bytes = self.work.bytes() + self.element.bytes() + self.outside.bytes() + self.known_keys.bytes();
        if bytes > KEPT_BYTES_MAX {
            self.work = Work::default();
            self.known_keys = KnownKeys::default();
            self.element.release();
            self.outside.release();
        }
    }

    /// Clears everything learned, because a topic whose keys never repeat would grow it without bound.
    fn forget(&mut self) {
        self.shapes.clear();
        self.known.keys.clear();
        self.reported = Reported::default();
        self.work.influx.forget();
        self.known.tags = InternedKeys::default();
        self.known.fields = InternedKeys::default();
        let Knowledge { tags, fields, copied, .. } = &mut self.known;
        let sources = Sources { copied, outside: &self.outside_selectors };
        self.topic_parts = TopicParts::new(&self.rules, &self.topic, &sources, tags, fields);
    }

    fn map_value(&mut self, value: &[u8], call: MapCall<'_, '_>) -> Result<(), Rejection> {
        let (bytes, bytes_max) = (value.len(), self.limits.record_bytes_max);
        if bytes > bytes_max {
            return Err(Rejection::TooLarge { bytes, bytes_max });
        }
        if self.maps_plain_objects && value.starts_with(b"{") {
            let result = self.map_plain_object(value, call);
            return result.map_err(|rejection| rejection.with_excerpt(value, self.rules.format));
        }
        if self.maps_plain_lines && value.first().is_some_and(u8::is_ascii_alphabetic) {
            return self.map_influx(value, call);
        }
        let Rules { compression, format, .. } = *self.rules;
        if !compression.may_unpack(format, value) {
            return self.map_unpacked(value, call);
        }
        // Moved out of `self`, which is borrowed mutably while the value is read.
        let mut unpacked = std::mem::take(&mut self.work.unpacked);
        let result = unpacked
            .read(compression, format, value, bytes_max)
            .and_then(|unpacked| self.map_unpacked(unpacked.unwrap_or(value), call));
        self.work.unpacked = unpacked;
        result
    }

    /// Maps a record that is one JSON object, without the steps that other records need: those cost as much as several numbers.
    fn map_plain_object(&mut self, value: &[u8], call: MapCall<'_, '_>) -> Result<(), Rejection> {
        let mut scanner = Scanner::new(value);
        let texts = Texts { record: value, element: b"", values: b"", outside: b"" };
        let mut pass = self.pass(call, texts, None, None);
        scanner.value()?;
        self.map_object(&mut scanner, 0, &mut pass)?;
        Ok(scanner.end()?)
    }

    fn map_unpacked(&mut self, value: &[u8], call: MapCall<'_, '_>) -> Result<(), Rejection> {
        let format = self.rules.format;
        if format == Format::Influx {
            if let Some(Frame { schema, .. }) = Frame::of(value) {
                return Err(Rejection::Framed { schema, format: format.name() });
            }
            return self.map_influx(without_bom(value), call);
        }
        if format.is_json() {
            // Serializers of JSON Schema write the frame. The text behind it needs no schema.
            let value = Frame::of(value).map_or(value, |frame| frame.content);
            let result = self.map_json(value, None, call);
            return result.map_err(|rejection| rejection.with_excerpt(value, format));
        }
        // Moved out of `self`, which is borrowed mutably while the text is read.
        let mut reader = self.work.reader.take().unwrap_or_default();
        let read = self
            .schemas
            .of_value(&self.rules, value)
            .and_then(|(schema, value)| reader.read(&self.rules, value, schema, self.limits.lines_bytes_max))
            .map_err(|rejection| rejection.with_excerpt(value, format));
        let result = read.and_then(|()| {
            self.report_dropped(&reader.json);
            self.map_json(&reader.json.bytes, Some(&reader.json), call)
        });
        // The memory is freed now, because the topic may have no further record.
        reader.clear();
        self.work.reader = Some(reader);
        result
    }

    /// Maps JSON text. `json` is the text with its marks, where a format made it.
    fn map_json(
        &mut self,
        value: &[u8],
        json: Option<&JsonText>,
        call: MapCall<'_, '_>,
    ) -> Result<(), Rejection> {
        let value = if self.rules.format == Format::JsonLines { without_nul(value) } else { value };
        let mut scanner = Scanner::new(value);
        if scanner.is_at_end() {
            return Err(Rejection::Empty);
        }
        if self.rules.parse_json.is_empty() {
            return self.map_text(scanner, json, None, call);
        }
        let source = TextRef {
            bytes: value,
            start: scanner.position(),
            timestamps: json.map_or(&[], |json| &json.timestamps),
            utf8: scanner.is_utf8(),
            source: Source::Record,
        };
        // Moved out of `self`, which is borrowed mutably while the text is read.
        let mut parsed = std::mem::take(&mut self.work.parsed);
        let result = if self.rules.format.has_lines() {
            parsed.read_lines(&self.rules.parse_json, source, &mut self.losses)
        } else {
            parsed.read_value(&self.rules.parse_json, source, &mut self.losses)
        };
        let result = result
            .map_err(Rejection::from)
            .and_then(|()| self.map_text(Scanner::new(&parsed.bytes), json, Some(&parsed), call));
        self.work.parsed = parsed;
        result
    }

    /// A pass before the first element of a record. `json` and `parsed`: the record's text with its marks, where it has them.
    #[inline]
    fn pass<'p, 'r>(
        &self,
        call: MapCall<'p, 'r>,
        texts: Texts<'p>,
        json: Option<&'p JsonText>,
        parsed: Option<&'p ParsedJson>,
    ) -> Pass<'p, 'r> {
        let MapCall { record, lines, mapped } = call;
        let bytes_before = lines.bytes();
        let own = json.map(|json| json.timestamps.as_slice());
        Pass {
            record,
            topic: self.topic_digits,
            texts,
            timestamps: parsed.map(|parsed| parsed.timestamps.as_slice()).or(own).unwrap_or_default(),
            element_timestamps: &[],
            json,
            parsed,
            lines,
            mapped,
            index: 0,
            bytes_before,
            kafka_bytes: self.topic_parts.kafka_bytes(record),
            repeated_bytes: 0,
        }
    }

    /// Maps JSON text in which `parse_json` has replaced strings. `parsed`: that text with its marks, where there is such an option.
    fn map_text(
        &mut self,
        mut scanner: Scanner<'_>,
        json: Option<&JsonText>,
        parsed: Option<&ParsedJson>,
        call: MapCall<'_, '_>,
    ) -> Result<(), Rejection> {
        // Held here, since the mapper is borrowed mutably while the text is read.
        let rules = (!self.rules.values.is_empty()).then(|| Arc::clone(&self.rules));
        let values = rules.as_ref().map_or(&b""[..], |rules| rules.values.json());
        let texts = Texts { record: scanner.bytes(), element: b"", values, outside: b"" };
        let mut pass = self.pass(call, texts, json, parsed);
        self.outside.begin_record(pass.record.key);
        self.work.reshaper.begin_record();
        if self.rules.format.has_lines() {
            return self.map_lines(&scanner, &mut pass);
        }
        self.map_document(&mut scanner, &mut pass)?;
        Ok(scanner.end()?)
    }

    /// Counts the values that the record's format could not write as JSON.
    fn report_dropped(&mut self, json: &JsonText) {
        if json.dropped.is_empty() {
            return;
        }
        self.known.drops.add_all(&json.drops);
        for (drop, key) in &json.dropped {
            let key = json.dropped_keys.get(key.clone()).unwrap_or_default();
            self.known.first_drops.add(&String::from_utf8_lossy(key), *drop);
        }
    }

    fn map_lines(&mut self, whole: &Scanner<'_>, pass: &mut Pass<'_, '_>) -> Result<(), Rejection> {
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
    fn map_document(&mut self, scanner: &mut Scanner<'_>, pass: &mut Pass<'_, '_>) -> Result<(), Rejection> {
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
    fn locate<'v>(
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
        let value = TextRef { bytes: text.bytes(), start, timestamps, utf8, source };
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
        let element = TextRef { bytes: text.bytes(), start, timestamps, utf8, source };
        // Moved out of `self`, which is borrowed mutably while the elements are mapped.
        let mut reshaper = std::mem::take(&mut self.work.reshaper);
        let mut losses = std::mem::take(&mut self.losses);
        let (rules, bytes_max) = (Arc::clone(&self.rules), self.limits.lines_bytes_max);
        let result = reshaper.shape(&rules.reshape, element, bytes_max, &mut losses, |shaped| {
            match shaped {
                Shaped::Object(text) => return self.map_shaped(text, depth, pass),
                Shaped::Filtered => {
                    pass.mapped.filtered += 1;
                    pass.mapped.left_out += 1;
                    pass.index += 1;
                }
                Shaped::WithoutItems => {
                    pass.mapped.filtered += 1;
                    pass.mapped.without_items += 1;
                    pass.index += 1;
                }
                Shaped::Rejected(rejection) => pass.reject(rejection),
            }
            Ok(())
        });
        self.work.reshaper = reshaper;
        self.losses = losses;
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
            lines: &mut *pass.lines,
            mapped: &mut *pass.mapped,
            ..*pass
        };
        let result = self.map_object(&mut scanner, depth, &mut pass_of_element);
        (pass.index, pass.repeated_bytes) = (pass_of_element.index, pass_of_element.repeated_bytes);
        result
    }

    /// Maps the object whose opening bracket was just read.
    fn map_object(
        &mut self,
        scanner: &mut Scanner<'_>,
        depth: usize,
        pass: &mut Pass<'_, '_>,
    ) -> Result<(), Rejection> {
        let (index, mark, object) = (pass.index, pass.lines.mark(), scanner.clone());
        pass.repeat(self.outside.value_bytes() + pass.kafka_bytes, self.limits.lines_bytes_max)?;
        if !self.has_other_plans(depth) && self.map_known(scanner, depth, index, pass).is_some() {
            pass.index += 1;
        } else {
            pass.lines.truncate(mark);
            *scanner = object.clone();
            if self.has_roots(depth) {
                self.locate_roots(&object)?;
                self.replace_outside(pass);
            }
            self.parse(scanner, depth)?;
            pass.index += 1;
            match self.write_element(index, pass) {
                Ok(true) => {}
                Ok(false) => {
                    pass.mapped.filtered += 1;
                    return Ok(());
                }
                Err(rejection) => {
                    pass.lines.truncate(mark);
                    pass.mapped.reject(Some(index), rejection);
                    return Ok(());
                }
            }
            if self.has_other_plans(depth) {
                return self.line_is_written(index, pass);
            }
            self.shapes.learn(
                &object,
                scanner.position(),
                &self.element,
                &mut self.known,
                &self.rules,
                &self.topic_parts,
            );
        }
        self.line_is_written(index, pass)
    }

    /// Whether an object at this depth, an item of a list, has other plans than the record's root, for which shapes are learned.
    fn has_other_plans(&self, depth: usize) -> bool {
        depth > 0 && self.known.has_plans_of_root
    }

    /// Whether an object at this depth is the record's root, in which shapes and known keys find the values of `$` selectors.
    fn has_roots(&self, depth: usize) -> bool {
        depth == 0 && !self.known.roots.is_empty()
    }

    /// Finds the values of `$` selectors for the parser, in a record whose root is the object whose opening bracket was just read.
    fn locate_roots(&mut self, object: &Scanner<'_>) -> Result<(), SyntaxError> {
        let mut spans = std::mem::take(&mut self.work.spans);
        let located = self.locate(&object.at(object.position() - 1), &mut spans).map(drop);
        self.work.spans = spans;
        located
    }

    /// Applies `values` to the values from outside of the element.
    fn replace_outside(&mut self, pass: &Pass<'_, '_>) {
        self.outside.replace(&self.rules.values, &pass.texts, &mut self.work.scratch);
    }

    /// Notes the element of a new line, and checks the length of the record's lines.
    fn line_is_written(&mut self, index: usize, pass: &Pass<'_, '_>) -> Result<(), Rejection> {
        self.trace.iter_mut().for_each(|trace| trace.push(index));
        let bytes = pass.lines.bytes() - pass.bytes_before;
        if bytes > self.limits.lines_bytes_max { Err(Rejection::LinesTooLarge { bytes }) } else { Ok(()) }
    }

    /// Writes the line of an object whose shape is known, or at least its keys. Returns none, and counts nothing, where the parser has to
    /// read the object; the buffer may then end in part of a line.
    fn map_known(
        &mut self,
        scanner: &mut Scanner<'_>,
        depth: usize,
        index: usize,
        pass: &mut Pass<'_, '_>,
    ) -> Option<()> {
        let has_roots = self.has_roots(depth);
        let Work { values, scratch, .. } = &mut self.work;
        let texts = Texts { outside: self.outside.text(), ..pass.texts };
        let facts = Facts { keys: &self.known.keys, rules: &self.rules, texts };
        let layout = if let Some(layout) = self.shapes.find(scanner, &facts, values) {
            layout
        } else {
            if self.shapes.learns_next() {
                // The parser lists what a shape is learned from.
                return None;
            }
            let (rules, topic_parts, known) = (&self.rules, &self.topic_parts, &mut self.known);
            let generation = self.element.next_generation();
            let reader = KnownKeysReader { scanner, rules, topic_parts, texts, known, values, generation };
            let layout = self.known_keys.find(reader, depth)?;
            self.shapes.pass_over();
            layout
        };
        if has_roots {
            self.outside.take_roots(values.copies.get(self.known.copied.len()..)?);
            self.outside.replace(&self.rules.values, &pass.texts, scratch);
        }
        let texts = Texts { outside: self.outside.text(), ..pass.texts };
        let (known, topic_parts, outside) = (&self.known, &self.topic_parts, &self.outside);
        let context = LineContext { known, topic_parts, outside, record: pass.record, texts };
        for field in &topic_parts.fields {
            // Values that are dropped or rejected are left to the parser, which reports them.
            values.push_copied_field(field, &self.rules, &context).ok()?;
        }
        layout.write(values, &context, pass.lines.text_mut()).ok()?;
        let time = self.rules.point_time(values, &context, index, pass, scratch).ok()?;
        end_line(time, pass.lines);
        self.known.drops.add_all(&values.drops);
        self.report_measurement();
        Some(())
    }

    /// Reads an object of unknown shape.
    fn parse(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Result<(), SyntaxError> {
        self.element.begin(self.shapes.learns_next(), self.known.copied.len());
        let mut parser = ElementParser {
            scanner,
            rules: &self.rules,
            known: &mut self.known,
            element: &mut self.element,
            scratch: &mut self.work.scratch,
            is_root: depth == 0,
        };
        parser.object(NodeId::ROOT, depth)
    }

    /// Writes the line of an object of unknown shape. Returns whether the object has a field.
    fn write_element(&mut self, index: usize, pass: &mut Pass<'_, '_>) -> Result<bool, Rejection> {
        if self.known.fields.shares_keys() {
            self.drop_fields_of_tags();
        }
        self.work.values.collect(&self.element, &self.known.fields, &pass.texts)?;
        self.push_copied_fields(pass)?;
        if !self.work.values.has_fields() {
            return Ok(false);
        }
        self.choose_outside_tags();
        let Work { values, layout, outside_tags, scratch, .. } = &mut self.work;
        let (element, known, outside) = (&self.element, &mut self.known, &self.outside);
        let (topic_parts, texts) = (&self.topic_parts, Texts { outside: outside.text(), ..pass.texts });
        let context = LineContext { known, topic_parts, outside, record: pass.record, texts };
        let time = self.rules.point_time(values, &context, index, pass, scratch)?;
        let (tags, fields) = (element.tags().map(|(key, _)| key), element.fields().map(|(key, _)| key));
        layout.arrange(tags, outside_tags.iter().copied(), fields, known, topic_parts);
        let context = LineContext { known, topic_parts, outside, record: pass.record, texts };
        layout.write(values, &context, pass.lines.text_mut())?;
        end_line(time, pass.lines);
        known.drops.add_all(&values.drops);
        if self.work.layout.drops_offset()
            && let Some(key) = self.topic_parts.offset_field
        {
            self.report_field(key, DropReason::TagAndField);
        }
        self.report_measurement();
        Ok(true)
    }

    /// Drops the fields of the element whose keys are tags of the element.
    fn drop_fields_of_tags(&mut self) {
        let generation = self.element.generation;
        let Knowledge { tags, fields, drops, first_drops, .. } = &mut self.known;
        let is_tag = |key| {
            let tag = tags.find(fields.get(key).prefix.bytes());
            tag.is_some_and(|tag| tags.is_used_by(tag, generation))
        };
        let reported = &mut self.reported;
        self.element.drop_fields(is_tag, |key| {
            drops.add(DropReason::TagAndField);
            reported.field(key, DropReason::TagAndField, fields, first_drops);
        });
    }

    /// Whether a field has the key of a tag of the element.
    fn is_tag_of_element(&self, field: KeyId) -> bool {
        let Knowledge { tags, fields, .. } = &self.known;
        let tag = || tags.find(fields.get(field).prefix.bytes());
        fields.shares_keys() && tag().is_some_and(|tag| tags.is_used_by(tag, self.element.generation))
    }

    /// Reports once that a field is dropped.
    fn report_field(&mut self, key: KeyId, drop: DropReason) {
        let Knowledge { fields, first_drops, .. } = &mut self.known;
        self.reported.field(key, drop, fields, first_drops);
    }

    /// Appends the fields of `fields`. Where the element itself has such a field, its own is kept.
    fn push_copied_fields(&mut self, pass: &Pass<'_, '_>) -> Result<(), Rejection> {
        for place in 0..self.topic_parts.fields.len() {
            let Some(field) = self.topic_parts.fields.get(place) else { break };
            let (key, outside) = (field.key, &self.outside);
            let reason = if self.element.fields().any(|(own, _)| own == key) {
                Some(DropReason::Duplicate)
            } else {
                self.is_tag_of_element(key).then_some(DropReason::TagAndField)
            };
            let values = &mut self.work.values;
            let result = if let Some(reason) = reason {
                match values.value(field.from, outside) {
                    Some(_) => Err(CopiedFieldError::Dropped(reason)),
                    None => Ok(()),
                }
            } else {
                let texts = Texts { outside: outside.text(), ..pass.texts };
                let (known, topic_parts) = (&self.known, &self.topic_parts);
                let context = LineContext { known, topic_parts, outside, record: pass.record, texts };
                values.push_copied_field(field, &self.rules, &context)
            };
            match result {
                Ok(()) => {}
                Err(CopiedFieldError::Rejected(rejection)) => return Err(rejection),
                Err(CopiedFieldError::Dropped(drop)) => {
                    self.known.drops.add(drop);
                    self.report_field(key, drop);
                }
            }
        }
        Ok(())
    }

    /// Chooses the tags from outside of the element that its line has: the element's own tag comes first, then the last one of those with
    /// one key. The others are counted as duplicates.
    fn choose_outside_tags(&mut self) {
        let Knowledge { tags, drops, first_drops, .. } = &mut self.known;
        let chosen = &mut self.work.outside_tags;
        chosen.clear();
        for &(key, place) in self.topic_parts.outside_tags.iter().rev() {
            if self.outside.get(place).is_none_or(|scalar| scalar.is_empty_text()) {
                continue;
            }
            // The parser has claimed the keys of the element's tags.
            if tags.claim(key, self.element.generation, usize::MAX).is_none() {
                chosen.push((key, place));
                continue;
            }
            drops.add(DropReason::Duplicate);
            if !self.reported.tags.contains(&key) {
                self.reported.tags.push(key);
                first_drops.add(&tags.get(key).key, DropReason::Duplicate);
            }
        }
    }

    /// Reports once that a placeholder of the measurement finds nothing.
    fn report_measurement(&mut self) {
        let is_missing = || self.work.values.drops.has(DropReason::Measurement);
        if !self.reported.measurement && is_missing() {
            self.reported.measurement = true;
            self.known.first_drops.add(self.rules.measurement.text(), DropReason::Measurement);
        }
    }
}

/// The field of a selected scalar whose path has no name, as in "$[*]"; that of `format = "value"`.
const UNNAMED: &str = "value";

/// The text without the NUL with which producers in C may end it.
fn without_nul(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\0").unwrap_or(text)
}

fn end_line(time: Option<i64>, lines: &mut LineBuffer) {
    if let Some(time) = time {
        let out = lines.text_mut();
        out.push(b' ');
        out.extend_from_slice(itoa::Buffer::new().format(time).as_bytes());
    }
    lines.end_line();
}

fn kind_of(token: Token<'_>) -> &'static str {
    match token {
        Token::Null => "null",
        Token::NotFinite => "NaN or infinity",
        Token::True | Token::False => "a boolean",
        Token::Number(_) => "a number",
        Token::Text(_) => "a string",
        Token::Array => "an array",
        Token::Object => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{LIMITS, lines_of, map, mapper, record};

    #[test]
    fn the_text_of_a_large_binary_record_is_freed_after_the_record() {
        let rules = Rules { format: Format::Msgpack, ..Rules::default() };
        let mut mapper = mapper(rules);
        let large = [&[0xDB, 0, 0x0F, 0, 0][..], &b"\x01".repeat(0xF_0000)].concat();
        mapper.map(&record(&large), &mut LineBuffer::default());
        let reader = mapper.work.reader.as_ref().unwrap();
        assert!(reader.json.bytes.capacity() <= KEPT_BYTES_MAX);
    }

    #[test]
    fn the_buffers_of_a_large_record_are_freed_after_the_record() {
        let string_fields = crate::Globs::compile(&["*"]).unwrap();
        let mut mapper = mapper(Rules { string_fields, ..Rules::default() });
        let text = format!(r#"{{"text":"{}","v":1}}"#, "x".repeat(60_000));
        let many = format!("[{}{{\"v\":1}}]", r#"{"a":1,"b":"\n"},"#.repeat(50_000));
        let wide = format!("[{}1]", "1,".repeat(400_000));
        for value in [
            text.clone(),
            format!("[{}{text}]", format!("{text},").repeat(20)),
            many,
            format!(r#"{{"a":{wide}}}"#),
        ] {
            mapper.map(&record(value.as_bytes()), &mut LineBuffer::default());
            let kept = mapper.work.bytes() + mapper.element.bytes();
            assert!(kept <= KEPT_BYTES_MAX, "{kept} bytes after a record of {}", value.len());
            assert!(!mapper.known.keys.is_full());
        }
    }

    #[test]
    fn a_value_of_another_format_is_shown_with_what_it_seems_to_be() {
        let rejection = |format, value: &[u8]| {
            lines_of(&mut mapper(Rules { format, ..Rules::default() }), &record(value)).unwrap_err()
        };
        let gzip = rejection(Format::Msgpack, b"\x1F\x8B\x08\0\0");
        assert!(gzip.starts_with("it is not MessagePack: ") && gzip.contains(", in `"), "{gzip}");
        assert!(
            gzip.ends_with("compressed with gzip: set `value_compression = \"gzip\"` or leave it out"),
            "{gzip}"
        );
        let line = rejection(Format::Cbor, b"cpu,host=a usage=0.5");
        assert!(line.starts_with("it is not CBOR: ") && line.contains("cpu,host=a"), "{line}");
        assert!(line.ends_with("line protocol: set its `format`, or correct the producer"), "{line}");
    }

    #[test]
    fn keys_in_another_order_are_looked_up_and_anything_new_is_parsed() {
        let tag_keys = crate::Globs::compile(&["t", "u"]).unwrap();
        let mut mapper = Mapper::new(Arc::new(Rules { tag_keys, ..Rules::default() }), "m", LIMITS);
        let mut map = |value: &str| {
            mapper.element.key_bytes = 0;
            let (lines, _) = map(&mut mapper, &record(value.as_bytes()));
            // The parser has counted the keys that it read.
            (lines, mapper.element.key_bytes > 0)
        };
        let first = map(r#"{"a":1,"b":{"c":[2,3]},"t":"x","u":"","s":"dropped"}"#);
        assert_eq!(first, ("m,t=x a=1,b_c_0=2,b_c_1=3\n".to_owned(), true));
        // After these, the mapper will not learn from the next 50 records.
        (0..70).for_each(|n| drop(map(&format!(r#"{{"k{n}":1}}"#))));
        let mut f = |value: &str, line: &str, is_parsed: bool| {
            assert_eq!(map(value), (line.to_owned(), is_parsed), "{value}");
        };
        f(r#"{"b":{"c":[3]},"u":7,"a":-1e2}"#, "m,u=7 b_c_0=3,a=-1e2\n", false);
        f(r#"{ "u" : "z" , "s" : "dropped", "t":"y", "a":1 }"#, "m,t=y,u=z a=1\n", false);
        f(r#"{"b":{"c":[]},"a":null}"#, "", true);
        f(r#"{"u":"z","new":2,"a":1}"#, "m,u=z new=2,a=1\n", true);
        f(r#"{"u":"z","a":1,"new":3}"#, "m,u=z a=1,new=3\n", false);
        f(r#"{"u":"z","a":1,"a":3}"#, "m,u=z a=3\n", true);
        f(r#"{"b":{"c":[4]},"b":{"c":[]},"a":1}"#, "m a=1\n", true);
        f(r#"{"b":{"c":[4]},"a":"dropped","new":1}"#, "m b_c_0=4,new=1\n", true);
        f(r#"{"b":{"c":[4]},"new":1,"a":"dropped"}"#, "m b_c_0=4,new=1\n", false);
        f(r#"{"u":"z","a":1,}"#, "", true);
    }

    #[test]
    fn a_long_key_around_many_values_is_refused_before_it_is_copied_for_each() {
        let mut mapper = mapper(Rules::default());
        let value = |length: usize| format!(r#"{{"{}":[{}1]}}"#, "k".repeat(length), "1,".repeat(9_999));
        for (value, want) in [(value(100_000), Err(Rejection::KeysTooLong)), (value(100), Ok(1))] {
            for _ in 0..3 {
                let mut outcome = mapper.map(&record(value.as_bytes()), &mut LineBuffer::default());
                let got = outcome.rejected.pop().map_or(Ok(outcome.lines), |(_, rejection)| Err(rejection));
                assert_eq!(got, want);
            }
        }
    }
}
