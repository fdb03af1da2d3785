//! Maps the bytes of a record to lines. This file has the entry, [`Mapper::map`], and what a mapper keeps between records.
//!
//! The files of the way, in this order: `value.rs` unpacks a value and makes JSON text of it, `elements.rs` finds the elements of that text,
//! `object.rs` writes the line of one object. Line protocol needs no JSON text: `influx.rs`.

#[cfg(test)]
mod binary_objects;
mod elements;
mod influx;
mod object;
mod pass;
mod point_time;
mod reported_drops;
#[cfg(test)]
mod tests;
mod value;

use super::compression::Unpacked;
use super::drop_reason::Drops;
use super::element::Element;
use super::element_parser::TopicKeys;
use super::first_drops::{FirstDrop, FirstDrops};
use super::formats::{FormatReader, Frame, KEPT_BYTES_MAX, SchemaId};
use super::interned_keys::{InternedKeys, KeyId};
use super::known_keys::KnownKeys;
use super::line::{LineLayout, LineValues};
use super::mapped::Mapped;
use super::outside_values::OutsideValues;
use super::record_shape::RecordShapes;
use super::reshape::{CountedValues, ElementText, ParsedJson, ReshapeDrops, Reshaper};
use super::schemas::{SchemaCache, Schemas};
use super::seen_keys::SeenKeys;
use super::topic_parts::{Sources, TopicParts};
use super::{Compression, Format, KeySelector, Rules, distinct_times};
use crate::decode::Query;
use base::record::Record;
use influx::InfluxWork;
pub use influx::is_line_protocol;
use line_protocol::LineBuffer;
use object::end_line;
use pass::MapCall;
use reported_drops::ReportedDrops;
use std::ops::Range;
use std::sync::Arc;

/// Most bytes of a small record and its lines, whose buffers stay below [`KEPT_BYTES_MAX`].
const SMALL_BYTES: usize = 2 << 10;

/// Maps the records of one topic. A mapper learns the topic's keys, so one mapper serves all records of a topic.
#[derive(Debug)]
pub struct Mapper {
    rules: Arc<Rules>,
    topic: String,
    topic_digits: distinct_times::TopicDigits,
    limits: RecordLimits,
    topic_parts: TopicParts,
    known: TopicKeys,
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
    reported: ReportedDrops,
    /// What `parse_json`, `pivot`, `zip` and `explode` dropped.
    losses: ReshapeDrops,
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
        let mut known = TopicKeys {
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
            counted: CountedValues::default(),
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
        let roots = outside.roots();
        let may_find_roots = maps_whole_records && known.copied.len() + roots.len() <= Rules::COPIED_MAX;
        known.roots = if may_find_roots { roots.to_vec() } else { Vec::new() };
        let is_root = |selector: &KeySelector| matches!(selector, KeySelector::Root(_));
        known.has_root_selectors = rules.query == Query::Whole
            && !rules.reshape.renames_keys()
            && outside_selectors.iter().any(is_root);
        let (topic, topic_digits) = (topic.to_owned(), distinct_times::TopicDigits::of(topic));
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
            reported: ReportedDrops::default(),
            losses: ReshapeDrops::default(),
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
        if mapped.lines > 0 {
            self.count_lossy_kafka_texts(record);
        }
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
        self.reported = ReportedDrops::default();
        self.work.influx.forget();
        self.known.tags = InternedKeys::default();
        self.known.fields = InternedKeys::default();
        let TopicKeys { tags, fields, copied, .. } = &mut self.known;
        let sources = Sources { copied, outside: &self.outside_selectors };
        self.topic_parts = TopicParts::new(&self.rules, &self.topic, &sources, tags, fields);
    }
}
