//! Writes lines, for objects of known and of unknown shape: decides which tags a line has, their order, and what limits it.

use super::drop_reason::{DropReason, Drops};
use super::element::Element;
use super::element_parser::TopicKeys;
use super::interned_keys::{InternedKeys, KeyId};
use super::outside_values::OutsideValues;
use super::padded_bytes::PaddedBuffer;
use super::plan::Copies;
use super::rejection::Rejection;
use super::replacements::Replaced;
use super::rules::Rules;
use super::scalar::{Kind, Scalar, Texts};
use super::topic_parts::{
    CopiedField, FallbackTag, KafkaTag, Measurement, RecordPart, RecordTemplate, TopicParts, ValueSource,
};
use base::record::Record;
use line_protocol::encode;

/// The values of one line. The buffers are reused from line to line.
#[derive(Debug, Default)]
pub struct LineValues {
    pub name: Option<Scalar>,
    /// Values that placeholders and `fields` copy from the element, by selector.
    pub copies: Vec<Option<Scalar>>,
    /// The element's tags, in the order of the keys given to [`LineLayout::arrange`].
    pub tags: Vec<Option<Scalar>>,
    /// The fields as they stand in the line, each with a comma before it.
    pub fields: PaddedBuffer,
    pub drops: Drops,
    /// Buffer for one field's value.
    text: Vec<u8>,
    /// Buffer for a text with placeholders.
    rendered: Vec<u8>,
    pub scratch: Vec<u8>,
}

/// The keys of a line.
#[derive(Debug, Default)]
pub struct LineLayout {
    /// In the order of the line. Of tags with one key, the first one with a value is written.
    tags: Vec<Tag>,
    /// The text of [`TagSource::Fixed`].
    fixed: Vec<u8>,
    longest_field: Option<KeyId>,
    offset: OffsetField,
}

/// The field of the record's offset.
#[derive(Clone, Copy, Debug, Default)]
enum OffsetField {
    /// There is none, or a field of the record has its key.
    #[default]
    None,
    Written(KeyId),
    /// Its key is a tag of the line, which stays.
    BesideTag,
}

#[derive(Clone, Copy, Debug)]
struct Tag {
    /// Place in the line: the rank of the key, then the precedence of the source.
    order: u64,
    key: KeyId,
    source: TagSource,
}

/// Source of a tag's value.
#[derive(Clone, Copy, Debug)]
enum TagSource {
    /// Index in [`TopicParts::from_kafka`].
    Kafka(usize),
    /// Index in [`LineValues::tags`].
    Record(usize),
    /// Index in the outside values.
    Outside(usize),
    /// Index in [`TopicParts::fallback`].
    Fallback(usize),
    /// Range of [`LineLayout::fixed`]: tags that are equal in all lines of the topic. The key is that of the last one.
    Fixed { start: usize, end: usize },
}

/// Input of a line beside its values.
#[derive(Debug)]
pub struct LineContext<'s> {
    pub known: &'s TopicKeys,
    pub topic_parts: &'s TopicParts,
    pub outside: &'s OutsideValues,
    pub record: &'s Record<'s>,
    pub texts: Texts<'s>,
}

impl LineValues {
    /// Forgets the values of the line before. `tags` is the number of the element's tags, `copies` that of the copied values.
    pub fn clear(&mut self, tags: usize, copies: usize) {
        self.name = None;
        self.drops = Drops::default();
        self.copies.clear();
        self.copies.resize(copies, None);
        self.tags.clear();
        self.tags.resize(tags, None);
        self.fields.clear();
    }

    /// Takes over name, tags and fields of an element.
    pub fn collect(
        &mut self,
        element: &Element,
        fields: &InternedKeys,
        texts: &Texts<'_>,
    ) -> Result<(), Rejection> {
        self.clear(0, 0);
        self.name = element.name.map(|name| name.scalar);
        self.copies.extend(element.copies.iter().map(|copy| copy.map(|copy| copy.scalar)));
        self.tags.extend(element.tags().map(|(_, scalar)| Some(scalar)));
        for (key, scalar) in element.fields() {
            let field = fields.get(key);
            self.push_field(field.prefix.bytes(), scalar, texts)
                .map_err(|bytes| Rejection::StringTooLong { key: excerpt(&field.key), bytes })?;
        }
        Ok(())
    }

    /// Sets a tag by its index in `tags`.
    #[expect(clippy::indexing_slicing, reason = "the layout was arranged for these values")]
    pub fn set_tag(&mut self, place: usize, scalar: Scalar) {
        self.tags[place] = Some(scalar);
    }

    /// Notes a value that has further uses.
    #[inline(never)]
    pub fn copy(&mut self, copies: Copies, scalar: Scalar) {
        copies.copy(Some(scalar), &mut self.copies);
        if copies.is_name(scalar) {
            self.name = Some(scalar);
        }
    }

    /// The value from a source; none where the record lacks it.
    #[expect(clippy::indexing_slicing, reason = "the sources are those of the selectors that were copied")]
    pub fn value(&self, from: ValueSource, outside: &OutsideValues) -> Option<Scalar> {
        match from {
            ValueSource::Copied(place) => self.copies[place],
            ValueSource::Outside(place) => outside.get(place),
        }
    }

    /// Appends a field of `fields`, if the record has its value.
    pub fn push_copied_field(
        &mut self,
        field: &CopiedField,
        rules: &Rules,
        context: &LineContext<'_>,
    ) -> Result<(), CopiedFieldError> {
        let LineContext { known, outside, texts, .. } = context;
        let found = self.value(field.from, outside).and_then(|scalar| Some((scalar.token(texts)?, scalar)));
        let Some((token, scalar)) = found else { return Ok(()) };
        let replaced = match field.values {
            None => Replaced::Unchanged,
            Some(table) => rules.values.replace(table, token, &mut self.scratch),
        };
        let (token, scalar) = match replaced {
            Replaced::Unchanged => (token, scalar),
            Replaced::By(token, scalar) => (token, scalar),
            Replaced::LeftOut => return Ok(()),
        };
        let scalar = field.conversion.apply(token, scalar).map_err(CopiedFieldError::Dropped)?;
        let field = known.fields.get(field.key);
        self.push_field(field.prefix.bytes(), scalar, texts).map_err(|bytes| {
            CopiedFieldError::Rejected(Rejection::StringTooLong { key: excerpt(&field.key), bytes })
        })
    }

    /// Appends a field whose text is written unchanged, with its quotes.
    pub fn push_text_field(&mut self, prefix: &[u8], quoted: &[u8]) {
        self.fields.push(prefix);
        self.fields.push(quoted);
    }

    /// Appends a field. Fails with its length for a string that is too long.
    pub fn push_field(&mut self, prefix: &[u8], scalar: Scalar, texts: &Texts<'_>) -> Result<(), usize> {
        self.fields.push(prefix);
        if scalar.kind == Kind::Number {
            self.fields.push(scalar.raw(texts));
            return Ok(());
        }
        self.text.clear();
        scalar.push_field(texts, &mut self.scratch, &mut self.text);
        self.fields.push(&self.text);
        let bytes = self.text.len();
        if scalar.is_text() && bytes > encode::STRING_BYTES_MAX { Err(bytes) } else { Ok(()) }
    }

    /// Allocated memory in bytes.
    pub fn bytes(&self) -> usize {
        self.tags.capacity() * size_of::<Option<Scalar>>()
            + self.fields.bytes()
            + self.text.capacity()
            + self.rendered.capacity()
            + self.scratch.capacity()
    }

    pub fn has_fields(&self) -> bool {
        self.fields.len() > 0
    }

    /// The fields without the first comma.
    #[expect(clippy::indexing_slicing, reason = "only an element with fields becomes a line")]
    fn fields_written(&self) -> &[u8] {
        &self.fields.written()[1..]
    }

    /// Appends the measurement: the record's name, or the configured one.
    fn write_measurement(&mut self, context: &LineContext<'_>, out: &mut Vec<u8>) -> Result<(), Rejection> {
        let (start, LineContext { topic_parts, outside, .. }) = (out.len(), context);
        let named = self.name.or_else(|| outside.get(topic_parts.name?).filter(Scalar::is_text));
        if let Some(name) = named {
            let name = name.decode(&context.texts, &mut self.scratch);
            let trimmed = encode::push_measurement(name, out);
            self.count_trimmed(trimmed);
        }
        if out.len() == start {
            self.write_configured_measurement(context, out);
        }
        match out.get(start) {
            Some(b'#') => {
                let name = String::from_utf8_lossy(out.get(start..).unwrap_or_default());
                Err(Rejection::Comment(excerpt(&name)))
            }
            Some(_) => Ok(()),
            None => Err(Rejection::MeasurementMissing),
        }
    }

    fn write_configured_measurement(&mut self, context: &LineContext<'_>, out: &mut Vec<u8>) {
        let (start, topic_parts) = (out.len(), context.topic_parts);
        match &topic_parts.measurement {
            Measurement::Fixed(written) => return out.extend_from_slice(written),
            Measurement::Template(template) => {
                let mut rendered = std::mem::take(&mut self.rendered);
                if self.render(template, context, &mut rendered) {
                    let trimmed = encode::push_measurement(&rendered, out);
                    self.count_trimmed(trimmed);
                }
                self.rendered = rendered;
            }
            Measurement::Missing => {}
        }
        if out.len() == start {
            out.extend_from_slice(&topic_parts.topic);
            self.drops.add(DropReason::Measurement);
        }
    }

    /// Fills in the placeholders of a template. Returns false if one finds nothing.
    pub fn render(
        &mut self,
        template: &RecordTemplate,
        context: &LineContext<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        out.clear();
        template.0.iter().all(|part| {
            let start = out.len();
            match part {
                RecordPart::Text(text) => out.extend_from_slice(text),
                RecordPart::Kafka(text) => text.push(context.record, out),
                RecordPart::Value(from) => {
                    if let Some(scalar) = self.value(*from, context.outside) {
                        scalar.push_text(&context.texts, &mut self.scratch, out);
                    }
                }
                RecordPart::OfTime(from) => {
                    if let Some(scalar) = self.value(*from, context.outside) {
                        scalar.push_exact(&context.texts, &mut self.scratch, out);
                    }
                }
            }
            out.len() > start
        })
    }

    /// Appends a tag, or nothing where it has no value that can be written.
    #[expect(clippy::indexing_slicing, reason = "the layout was arranged for these values")]
    fn write_tag(&mut self, tag: Tag, context: &LineContext<'_>, out: &mut Vec<u8>) {
        let LineContext { known, topic_parts, outside, record, texts } = context;
        let prefix = known.tags.get(tag.key).prefix.bytes();
        match tag.source {
            TagSource::Kafka(place) => {
                let (_, tag) = &topic_parts.from_kafka[place];
                self.push_tag(prefix, out, |scratch, out| tag.push(record, scratch, out));
            }
            TagSource::Record(place) => {
                let Some(scalar) = self.tags[place] else { return };
                self.push_tag(prefix, out, |scratch, out| scalar.push_tag(texts, scratch, out));
            }
            TagSource::Outside(place) => {
                let Some(scalar) = outside.get(place) else { return };
                self.push_tag(prefix, out, |scratch, out| scalar.push_tag(texts, scratch, out));
            }
            TagSource::Fallback(place) => match &topic_parts.fallback[place].1 {
                FallbackTag::Fixed(written) => out.extend_from_slice(written),
                FallbackTag::Template(template) => {
                    let mut rendered = std::mem::take(&mut self.rendered);
                    if self.render(template, context, &mut rendered) {
                        self.push_tag(prefix, out, |_, out| encode::push_key(&rendered, out));
                    }
                    self.rendered = rendered;
                }
            },
            // Written by the layout, which has the text.
            TagSource::Fixed { .. } => {}
        }
    }

    /// Appends a tag unless nothing of its value can be written: InfluxDB refuses empty tags. `push` appends the value, and returns
    /// whether something was left out.
    fn push_tag(
        &mut self,
        prefix: &[u8],
        out: &mut Vec<u8>,
        push: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>) -> bool,
    ) {
        let start = out.len();
        out.extend_from_slice(prefix);
        let value_start = out.len();
        let trimmed = push(&mut self.scratch, out);
        self.count_trimmed(trimmed);
        if out.len() == value_start {
            out.truncate(start);
        }
    }

    fn count_trimmed(&mut self, trimmed: bool) {
        if trimmed {
            self.drops.add(DropReason::Backslash);
        }
    }
}

impl LineLayout {
    /// Arranges a line for the keys of the element's tags, which are distinct, for tags from outside of the element, of which the last
    /// one with a key comes first, and for the element's fields.
    pub fn arrange(
        &mut self,
        record_tags: impl Iterator<Item = KeyId>,
        outside_tags: impl DoubleEndedIterator<Item = (KeyId, usize)>,
        record_fields: impl Iterator<Item = KeyId>,
        known: &mut TopicKeys,
        topic_parts: &TopicParts,
    ) {
        let is_ranked = known.tags.rank();
        self.tags.clear();
        self.fixed.clear();
        // In the order of precedence.
        for (place, (key, _)) in topic_parts.from_kafka.iter().enumerate() {
            self.push_tag(*key, TagSource::Kafka(place), known);
        }
        for (place, key) in record_tags.enumerate() {
            self.push_tag(key, TagSource::Record(place), known);
        }
        for (key, place) in outside_tags.rev() {
            self.push_tag(key, TagSource::Outside(place), known);
        }
        for (place, (key, _)) in topic_parts.fallback.iter().enumerate() {
            self.push_tag(*key, TagSource::Fallback(place), known);
        }
        if is_ranked {
            self.tags.sort_unstable_by_key(|tag| tag.order);
        } else {
            let written = |tag: &Tag| known.tags.get(tag.key).written();
            let precedence = |tag: &Tag| tag.order as u32;
            self.tags.sort_unstable_by(|a, b| {
                written(a).cmp(written(b)).then_with(|| precedence(a).cmp(&precedence(b)))
            });
        }

        let mut offset = topic_parts.offset_field;
        let fields = record_fields.inspect(|key| offset = offset.filter(|offset| offset != key));
        let length = |key: &KeyId| known.fields.get(*key).prefix.bytes().len();
        let configured = topic_parts.fields.iter().map(|field| field.key).chain(topic_parts.offset_field);
        self.longest_field = fields.chain(configured).max_by_key(length);
        let prefix = |key: KeyId| known.fields.get(key).prefix.bytes();
        let is_tag = |key| {
            let is_key = |tag: &Tag| known.tags.get(tag.key).prefix.bytes() == prefix(key);
            topic_parts.offset_is_tag || self.tags.iter().any(is_key)
        };
        self.offset = match offset {
            None => OffsetField::None,
            Some(key) if is_tag(key) => OffsetField::BesideTag,
            Some(key) => OffsetField::Written(key),
        };
    }

    fn push_tag(&mut self, key: KeyId, source: TagSource, known: &TopicKeys) {
        let order = u64::from(known.tags.get(key).rank) << 32 | self.tags.len() as u64;
        self.tags.push(Tag { order, key, source });
    }

    /// Joins neighbouring tags that are equal in all lines of the topic, so that each line copies their text at once.
    pub fn join_fixed_tags(&mut self, known: &TopicKeys, topic_parts: &TopicParts) {
        let mut joined: Vec<Tag> = Vec::with_capacity(self.tags.len());
        for tag in self.tags.drain(..) {
            // A tag is only written where one with the same key before it has no value.
            let is_alone = joined.last().is_none_or(|before| before.key != tag.key);
            let Some(written) = tag.source.fixed(tag.key, known, topic_parts).filter(|_| is_alone) else {
                joined.push(tag);
                continue;
            };
            let start = self.fixed.len();
            self.fixed.extend_from_slice(&written);
            let all = self.fixed.len();
            match joined.last_mut() {
                Some(Tag { key, source: TagSource::Fixed { end, .. }, .. }) => (*key, *end) = (tag.key, all),
                _ => joined.push(Tag { source: TagSource::Fixed { start, end: all }, ..tag }),
            }
        }
        self.tags = joined;
    }

    /// Whether the record's offset is dropped, because its key is a tag of the line.
    pub fn drops_offset(&self) -> bool {
        matches!(self.offset, OffsetField::BesideTag)
    }

    /// Allocated memory in bytes.
    pub fn bytes(&self) -> usize {
        self.tags.capacity() * size_of::<Tag>() + self.fixed.capacity()
    }

    /// Appends a line without its time. On an error, `out` ends in part of a line, which the caller removes.
    pub fn write(
        &self,
        values: &mut LineValues,
        context: &LineContext<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Rejection> {
        let start = out.len();
        values.write_measurement(context, out)?;
        self.write_tags(values, context, out);
        self.check_length(out.len() - start, context)?;
        out.push(b' ');
        out.extend_from_slice(values.fields_written());
        match self.offset {
            OffsetField::None => {}
            OffsetField::Written(key) => {
                out.extend_from_slice(context.known.fields.get(key).prefix.bytes());
                out.extend_from_slice(itoa::Buffer::new().format(context.record.offset).as_bytes());
                out.push(b'i');
            }
            OffsetField::BesideTag => values.drops.add(DropReason::TagAndField),
        }
        Ok(())
    }

    fn write_tags(&self, values: &mut LineValues, context: &LineContext<'_>, out: &mut Vec<u8>) {
        let mut written = None;
        for tag in &self.tags {
            // InfluxDB 3 stores a line with a repeated tag key, and can't read its table any more.
            if written == Some(tag.key) {
                continue;
            }
            if let TagSource::Fixed { start, end } = tag.source {
                out.extend_from_slice(self.fixed.get(start..end).unwrap_or_default());
                written = Some(tag.key);
                continue;
            }
            let start = out.len();
            values.write_tag(*tag, context, out);
            if out.len() > start {
                written = Some(tag.key);
            }
        }
    }

    /// Checks the length of the line's series key with its longest field key.
    fn check_length(&self, series_bytes: usize, context: &LineContext<'_>) -> Result<(), Rejection> {
        let Some(field) = self.longest_field.map(|key| context.known.fields.get(key)) else { return Ok(()) };
        // Without comma and equals sign.
        let bytes = series_bytes + encode::KEY_SEPARATOR_BYTES + field.prefix.bytes().len() - 2;
        if bytes > encode::KEY_BYTES_MAX {
            return Err(Rejection::KeyTooLong { key: excerpt(&field.key), bytes });
        }
        Ok(())
    }
}

impl TagSource {
    /// The tag as it is written in all lines of the topic, if it has the same value in all of them.
    fn fixed(self, key: KeyId, known: &TopicKeys, topic_parts: &TopicParts) -> Option<Vec<u8>> {
        match self {
            Self::Kafka(place) => match topic_parts.from_kafka.get(place)? {
                (_, KafkaTag::Topic(topic)) if !topic.is_empty() => {
                    Some([known.tags.get(key).prefix.bytes(), topic].concat())
                }
                _ => None,
            },
            Self::Fallback(place) => match topic_parts.fallback.get(place)? {
                (_, FallbackTag::Fixed(written)) => Some(written.clone()),
                (_, FallbackTag::Template(_)) => None,
            },
            Self::Record(_) | Self::Outside(_) | Self::Fixed { .. } => None,
        }
    }
}

/// Reason why a field of `fields` is not written.
#[derive(Debug)]
pub enum CopiedFieldError {
    Dropped(DropReason),
    Rejected(Rejection),
}

fn excerpt(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use crate::test_support::{mapper, record};
    use crate::{Globs, Rules, Template};
    use line_protocol::LineBuffer;
    use line_protocol::reader::read_line;

    /// The lines of a record that is mapped three times, so that its shape is known.
    fn lines(rules: &Rules, value: &str) -> LineBuffer {
        let mut mapper = mapper(rules.clone());
        let mut lines = LineBuffer::default();
        (0..3).for_each(|_| drop(mapper.map(&record(value.as_bytes()), &mut lines)));
        lines
    }

    #[test]
    fn rejects_keys_that_are_longer_than_servers_store() {
        let f = |rules: &Rules, keys: &str, longest: usize| {
            for length in [1, longest - 1, longest, longest + 1, longest + 10] {
                let record = format!(r#"{{"t":"{}","v":1,{keys}}}"#, "x".repeat(length));
                let lines = lines(rules, &record);
                assert_eq!(lines.lines(), if length <= longest { 3 } else { 0 }, "{length} {keys}");
                for line in 0..lines.lines() {
                    read_line(lines.line(line).unwrap()).unwrap();
                }
            }
        };
        let mut rules = Rules { tag_keys: Globs::compile(&["t"]).unwrap(), ..Rules::default() };
        f(&rules, r#""w":1"#, 65_535 - "t,t=".len() - 4 - "v".len());
        f(&rules, r#""longer":1,"w":1"#, 65_535 - "t,t=".len() - 4 - "longer".len());
        rules.offset_field = Some("off set".to_owned());
        f(&rules, r#""w":1"#, 65_535 - "t,t=".len() - 4 - r"off\ set".len());
    }

    #[test]
    fn a_tag_value_of_which_nothing_can_be_written_replaces_none() {
        let rules = Rules {
            tag_keys: Globs::compile(&["t"]).unwrap(),
            tags: vec![("t".to_owned(), Template::literal("static"))],
            ..Rules::default()
        };
        for (value, want) in
            [("x", "x"), ("", "static"), (r"\\", "static"), (r"\u0000", "static"), (r"x\\", "x")]
        {
            let lines = lines(&rules, &format!(r#"{{"t":"{value}","v":1}}"#));
            for line in 0..3 {
                let line = String::from_utf8_lossy(lines.line(line).unwrap());
                assert!(line == format!("t,t={want} v=1"), "{line}");
            }
        }
    }
}
