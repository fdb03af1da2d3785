//! Writes the line of one object: by its known shape, by its known keys, or by what the parser reads.

use super::pass::{MapCall, Pass};
use super::{Mapper, Work};
use crate::decode::{Scanner, SyntaxError};
use crate::drop_reason::DropReason;
use crate::element_parser::{ElementParser, TopicKeys};
use crate::formats::{BinaryObject, FormatReader};
use crate::interned_keys::KeyId;
use crate::known_keys::KnownKeysReader;
use crate::line::{CopiedFieldError, LineContext};
use crate::record_shape::{Facts, ParsedObject};
use crate::rejection::Rejection;
use crate::reshape::Piece;
use crate::scalar::Texts;
use crate::seen_keys::NodeId;
use line_protocol::LineBuffer;

impl Mapper {
    /// Maps the object whose opening bracket was just read.
    pub(super) fn map_object(
        &mut self,
        scanner: &mut Scanner<'_>,
        depth: usize,
        pass: &mut Pass<'_, '_>,
    ) -> Result<(), Rejection> {
        let (index, mark, object) = (pass.index, pass.lines.mark(), scanner.clone());
        pass.repeat(self.outside.value_bytes() + pass.kafka_bytes, self.limits.lines_bytes_max)?;
        let found =
            if self.has_other_plans(depth) { None } else { self.map_known(scanner, depth, index, pass) };
        if let Some(found) = found {
            pass.index += 1;
            if let Some(json) = pass.json
                && matches!(found, Found::Shape)
                && self.maps_binary_objects()
                && is_alone(&object, scanner, pass)
            {
                self.shapes.learn_binary_gaps(json.gaps.gaps());
            }
        } else {
            pass.lines.truncate(mark);
            *scanner = object.clone();
            if self.has_roots(depth) {
                self.locate_roots(&object)?;
                self.replace_outside(pass);
            }
            self.parse(scanner, depth, pass.pieces)?;
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
            let is_alone = is_alone(&object, scanner, pass);
            let parsed = ParsedObject {
                object: &object,
                end: scanner.position(),
                element: &self.element,
                binary_gaps: pass.json.filter(|_| is_alone).map_or(&[], |json| json.gaps.gaps()),
            };
            self.shapes.learn(parsed, &mut self.known, &self.rules, &self.topic_parts);
        }
        self.line_is_written(index, pass)
    }

    /// Maps a record that is one object of known shape in a binary format, without JSON text of its keys. Returns none, and leaves no
    /// line, where the record needs its JSON text.
    pub(super) fn map_binary_object(
        &mut self,
        value: &[u8],
        reader: &mut FormatReader,
        call: &mut MapCall<'_, '_>,
    ) -> Option<Result<(), Rejection>> {
        let mut object = BinaryObject::new(self.rules.format, value, reader)?;
        if !self.shapes.find_binary(&mut object, &self.known.keys, &self.rules, &mut self.work.values) {
            return None;
        }
        let MapCall { record, lines, mapped } = call;
        let (mark, call) = (lines.mark(), MapCall { record, lines, mapped });
        let texts = Texts { record: &reader.json.bytes, element: b"", values: b"", outside: b"" };
        let mut pass = self.pass(call, texts, Some(&reader.json), None);
        pass.repeat(pass.kafka_bytes, self.limits.lines_bytes_max).ok()?;
        if self.write_known(Found::Shape, 0, &mut pass).is_none() {
            pass.lines.truncate(mark);
            return None;
        }
        Some(self.line_is_written(0, &pass))
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

    /// Notes the element of a new line, and checks the length of the record's lines.
    pub(super) fn line_is_written(&mut self, index: usize, pass: &Pass<'_, '_>) -> Result<(), Rejection> {
        self.trace.iter_mut().for_each(|trace| trace.push(index));
        let bytes = pass.lines.bytes() - pass.bytes_before;
        if bytes > self.limits.lines_bytes_max { Err(Rejection::LinesTooLarge { bytes }) } else { Ok(()) }
    }

    /// Writes the line of an object whose shape is known, or at least its keys, and returns which. Returns none, and counts nothing, where
    /// the parser has to read the object; the buffer may then end in part of a line.
    fn map_known(
        &mut self,
        scanner: &mut Scanner<'_>,
        depth: usize,
        index: usize,
        pass: &mut Pass<'_, '_>,
    ) -> Option<Found> {
        let has_roots = self.has_roots(depth);
        let Work { values, scratch, .. } = &mut self.work;
        let texts = Texts { outside: self.outside.text(), ..pass.texts };
        let facts = Facts { keys: &self.known.keys, rules: &self.rules, texts };
        let found = if self.shapes.find(scanner, &facts, values) {
            Found::Shape
        } else {
            if self.shapes.learns_next() {
                // The parser lists what a shape is learned from.
                return None;
            }
            let (rules, topic_parts, known) = (&self.rules, &self.topic_parts, &mut self.known);
            let generation = self.element.next_generation();
            let reader = KnownKeysReader { scanner, rules, topic_parts, texts, known, values, generation };
            self.known_keys.find(reader, depth)?;
            self.shapes.pass_over();
            Found::Keys
        };
        if has_roots {
            self.outside.take_roots(values.copies.get(self.known.copied.len()..)?);
            self.outside.replace(&self.rules.values, &pass.texts, scratch);
        }
        self.write_known(found, index, pass).map(|()| found)
    }

    /// Writes the line of the object whose values were just found. Returns none, and counts nothing, where the parser has to read the object;
    /// the buffer may then end in part of a line.
    fn write_known(&mut self, found: Found, index: usize, pass: &mut Pass<'_, '_>) -> Option<()> {
        let Work { values, scratch, .. } = &mut self.work;
        let layout = match found {
            Found::Shape => self.shapes.layout()?,
            Found::Keys => self.known_keys.layout(),
        };
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
    fn parse(
        &mut self,
        scanner: &mut Scanner<'_>,
        depth: usize,
        pieces: &[Piece],
    ) -> Result<(), SyntaxError> {
        self.element.begin(self.shapes.learns_next(), self.known.copied.len());
        let mut parser = ElementParser {
            scanner,
            rules: &self.rules,
            known: &mut self.known,
            element: &mut self.element,
            scratch: &mut self.work.scratch,
            pieces,
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
        let TopicKeys { tags, fields, drops, first_drops, .. } = &mut self.known;
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
        let TopicKeys { tags, fields, .. } = &self.known;
        let tag = || tags.find(fields.get(field).prefix.bytes());
        fields.shares_keys() && tag().is_some_and(|tag| tags.is_used_by(tag, self.element.generation))
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
        let TopicKeys { tags, drops, first_drops, .. } = &mut self.known;
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
}

/// Whether an object, whose first member began at `object` and which ended where `end` is, is the only value of the record's JSON text that
/// a format made. Such text ends with a line break.
fn is_alone(object: &Scanner<'_>, end: &Scanner<'_>, pass: &Pass<'_, '_>) -> bool {
    object.position() == 1 && end.position() + 1 == pass.texts.record.len()
}

/// How the values of an object were found.
#[derive(Clone, Copy)]
enum Found {
    Shape,
    Keys,
}

/// Ends a line, after its time if it has one.
pub(super) fn end_line(time: Option<i64>, lines: &mut LineBuffer) {
    if let Some(time) = time {
        let out = lines.text_mut();
        out.push(b' ');
        out.extend_from_slice(itoa::Buffer::new().format(time).as_bytes());
    }
    lines.end_line();
}
