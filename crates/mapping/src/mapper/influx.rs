//! Maps records of line protocol: copies a line that stays as it is, and takes any other line apart to write it anew.

use super::pass::{MapCall, Pass};
use super::{Mapper, end_line};
use crate::TimeError;
use crate::decode::{is_utf8, push_lossy};
use crate::distinct_times;
use crate::drop_reason::DropReason;
use crate::element::{Place, Positioned};
use crate::formats::without_bom;
use crate::interned_keys::KeyId;
use crate::line::LineContext;
use crate::rejection::Rejection;
use crate::scalar::{Kind, Scalar, Texts};
use crate::seen_keys::NodeId;
use line_protocol::encode::{TIME_MAX, TIME_MIN};
use line_protocol::input::{
    Found, PlainLine, PlainReader, RawLine, RawTag, RawValue, push_portable, push_unescaped,
};
use line_protocol::reader::{LineError, Reason};
use std::collections::HashSet;
use std::ops::Range;

/// Bytes with a backslash before them in each part of a line, as InfluxDB 2 reads them.
const MEASUREMENT_ESCAPES: &[u8] = b", ";
const TAG_ESCAPES: &[u8] = b",= ";
const FIELD_KEY_ESCAPES: &[u8] = b",\"= ";
const STRING_ESCAPES: &[u8] = b"\"\\";

/// Parents of the keys of tags and fields among the known keys.
const TAGS: &[u8] = b"tags";
const FIELDS: &[u8] = b"fields";

/// Whether text has lines of line protocol and no other lines.
#[must_use]
pub fn is_line_protocol(text: &[u8]) -> bool {
    let text = without_bom(text);
    let (mut line, mut at, mut points) = (RawLine::default(), 0, 0_u64);
    while at < text.len() {
        let (found, end) = line.read(text, at);
        at = end;
        match found {
            Found::Point => points += 1,
            Found::Blank | Found::Comment => {}
            Found::Bad(_) => return false,
        }
    }
    points > 0
}

/// Buffers of line protocol. They are made for the first record: only mappers of line protocol have one.
#[derive(Debug, Default)]
pub struct InfluxWork(Option<Box<InfluxBuffers>>);

/// Buffers that are reused from record to record, and what the rules say about every line.
#[derive(Debug)]
struct InfluxBuffers {
    /// Whether the mapping changes nothing but times.
    copies: bool,
    /// Whether times of lines stay as they are.
    keeps_times: bool,
    plain: PlainReader,
    raw: RawLine,
    /// The parts of a line without escapes, to which scalars point.
    text: Vec<u8>,
    scratch: Vec<u8>,
    /// Keys of the line's first tags before any `rename`; only filled for a line in which tags get one key.
    /// Reserved keys, which have no id, differ by their nodes.
    tag_keys: HashSet<Result<KeyId, NodeId>>,
    /// How many tags these are of.
    keyed_tags: usize,
    /// Uses of keys, by the number of the key's node.
    uses: Vec<Option<KeyUse>>,
}

/// What a key of a line becomes.
#[derive(Clone, Copy, Debug)]
enum KeyUse {
    Tag(KeyId),
    Field {
        key: KeyId,
        /// The tag that would have the same key.
        tag: Option<KeyId>,
    },
    /// `include` or `exclude` leaves the field out.
    Excluded,
    /// InfluxDB reserves the final key.
    Reserved,
}

impl InfluxWork {
    /// Allocated memory in bytes of the buffers that grow with a record.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |buffers| buffers.bytes())
    }

    /// Forgets all keys.
    pub fn forget(&mut self) {
        if let Some(buffers) = &mut self.0 {
            buffers.uses = Vec::new();
        }
    }
}

impl InfluxBuffers {
    fn new(copies: bool, keeps_times: bool) -> Self {
        Self {
            copies,
            keeps_times,
            plain: PlainReader::default(),
            raw: RawLine::default(),
            text: Vec::new(),
            scratch: Vec::new(),
            tag_keys: HashSet::new(),
            keyed_tags: 0,
            uses: Vec::new(),
        }
    }

    fn bytes(&self) -> usize {
        let tag_keys = self.tag_keys.capacity() * size_of::<Result<KeyId, NodeId>>();
        self.raw.bytes() + self.text.capacity() + self.scratch.capacity() + tag_keys
    }

    /// Appends a part of a line without its escapes. Returns its place in the text, and whether it was not UTF-8.
    fn push(&mut self, raw: &[u8], escapes: &[u8], is_utf8: bool) -> (Range<usize>, bool) {
        let start = self.text.len();
        if is_utf8 {
            push_unescaped(raw, escapes, &mut self.text);
            return (start..self.text.len(), false);
        }
        self.scratch.clear();
        push_unescaped(raw, escapes, &mut self.scratch);
        push_lossy(&self.scratch, &mut self.text);
        (start..self.text.len(), str::from_utf8(&self.scratch).is_err())
    }

    fn part(&self, place: &Range<usize>) -> &[u8] {
        self.text.get(place.clone()).unwrap_or_default()
    }
}

/// Position in a record of line protocol.
struct Position {
    /// Start of the next line.
    at: usize,
    /// Number of the line that begins at `numbered`, from 1.
    number: usize,
    numbered: usize,
    is_utf8: bool,
}

impl Position {
    /// The number of the line that begins at `start`. Lines are only counted for messages.
    fn number_of(&mut self, start: usize, text: &[u8]) -> usize {
        let between = text.get(self.numbered..start).unwrap_or_default();
        self.number += memchr::memchr_iter(b'\n', between).count();
        self.numbered = start;
        self.number
    }
}

impl Mapper {
    /// Maps a record of line protocol. A bad line is rejected alone.
    pub(super) fn map_influx(&mut self, value: &[u8], call: MapCall<'_, '_>) -> Result<(), Rejection> {
        let texts = Texts { record: value, element: &[], values: &[], outside: &[] };
        let mut pass = self.pass(call, texts, None, None);
        // Moved out of `self`, which is borrowed mutably while the lines are read.
        let work = self.work.influx.0.take();
        let mut work = work.unwrap_or_else(|| {
            Box::new(InfluxBuffers::new(self.copies_influx_lines(), self.rules.keeps_influx_times()))
        });
        let result = self.map_influx_lines(&mut work, &mut pass);
        self.work.influx.0 = Some(work);
        result
    }

    fn map_influx_lines(
        &mut self,
        work: &mut InfluxBuffers,
        pass: &mut Pass<'_, '_>,
    ) -> Result<(), Rejection> {
        let text = pass.texts.record;
        let is_utf8 = is_utf8(text);
        let (copies, keeps_times) = (is_utf8 && work.copies, work.keeps_times);
        let mut position = Position { at: 0, number: 1, numbered: 0, is_utf8 };
        work.raw.begin();
        let mut is_empty = true;
        while position.at < text.len() {
            let start = position.at;
            if let Some(line) = copies.then(|| work.plain.read(text, start)).flatten() {
                position.at = line.end;
                if let Some(time) = line.time.as_ref().filter(|_| keeps_times) {
                    pass.lines.push_line(text.get(start..time.end).unwrap_or_default());
                    self.line_is_written(pass.index, pass)?;
                    pass.index += 1;
                } else {
                    self.copy_influx_line(start, &line, &mut position, pass)?;
                }
            } else {
                let (found, end) = work.raw.read(text, start);
                position.at = end;
                match found {
                    Found::Blank => continue,
                    Found::Comment => {}
                    Found::Point => self.write_influx_line(start, &mut position, work, pass)?,
                    Found::Bad(error) => {
                        let line = position.number_of(start, text);
                        pass.reject(Rejection::BadLine { line, error });
                    }
                }
            }
            is_empty = false;
        }
        if is_empty { Err(Rejection::Empty) } else { Ok(()) }
    }

    /// Whether the mapping changes nothing but times.
    fn copies_influx_lines(&self) -> bool {
        let rules = &self.rules;
        let is_all = matches!(rules.include.patterns(), [pattern] if pattern == "*");
        is_all && rules.exclude.is_empty() && rules.rename.is_empty() && self.topic_parts.are_empty()
    }

    /// Copies a line, and writes its time in nanoseconds.
    #[inline(never)]
    fn copy_influx_line(
        &mut self,
        start: usize,
        line: &PlainLine,
        position: &mut Position,
        pass: &mut Pass<'_, '_>,
    ) -> Result<(), Rejection> {
        let text = pass.texts.record;
        let index = pass.index;
        pass.index += 1;
        // The plain reader checks that the time is an integer of 64 bits.
        let time = line.time.clone().and_then(|time| str::from_utf8(text.get(time)?).ok()?.parse().ok());
        match self.rules.influx_time(time, index, start, position, pass) {
            Ok(time) => {
                let line = text.get(start..line.fields_end).unwrap_or_default();
                pass.lines.text_mut().extend_from_slice(line);
                end_line(time, pass.lines);
                self.line_is_written(index, pass)
            }
            Err(rejection) => {
                pass.mapped.reject(Some(index), rejection);
                Ok(())
            }
        }
    }

    /// Writes the line in `work.raw` by the rules of the mapping.
    #[inline(never)]
    fn write_influx_line(
        &mut self,
        start: usize,
        position: &mut Position,
        work: &mut InfluxBuffers,
        pass: &mut Pass<'_, '_>,
    ) -> Result<(), Rejection> {
        let (index, mark) = (pass.index, pass.lines.mark());
        pass.repeat(pass.kafka_bytes, self.limits.lines_bytes_max)?;
        pass.index += 1;
        let written = self.collect_influx_line(start, position, work, pass).and_then(|has_fields| {
            if !has_fields {
                pass.mapped.filtered += 1;
                return Ok(false);
            }
            let time = self.rules.influx_time(work.raw.time, index, start, position, pass)?;
            self.write_collected(time, &work.text, pass)?;
            Ok(true)
        });
        match written {
            Ok(true) => self.line_is_written(index, pass),
            Ok(false) => Ok(()),
            Err(rejection) => {
                pass.lines.truncate(mark);
                pass.mapped.reject(Some(index), rejection);
                Ok(())
            }
        }
    }

    /// Collects the parts of a line as an element. Returns whether it has a field.
    fn collect_influx_line(
        &mut self,
        start: usize,
        position: &mut Position,
        work: &mut InfluxBuffers,
        pass: &Pass<'_, '_>,
    ) -> Result<bool, Rejection> {
        let text = pass.texts.record;
        work.text.clear();
        work.tag_keys.clear();
        work.keyed_tags = 0;
        self.element.begin(false, self.known.copied.len());
        if self.rules.measurement.text().is_empty() {
            let raw = work.raw.measurement.of(text);
            let (place, is_lossy) = work.push(raw, MEASUREMENT_ESCAPES, position.is_utf8);
            let position = place.end;
            self.element.name = Some(Positioned { scalar: Scalar::at(Kind::Plain, place), position });
            if is_lossy {
                self.known.drops.add(DropReason::NotUtf8);
            }
        }
        let tags = self.collect_tags(start, position, work, text)?;
        self.collect_fields(tags, position.is_utf8, work, text);
        Ok(self.element.fields().next().is_some())
    }

    /// Collects the tags of a line, and returns the parent of their keys.
    fn collect_tags(
        &mut self,
        start: usize,
        position: &mut Position,
        work: &mut InfluxBuffers,
        text: &[u8],
    ) -> Result<NodeId, Rejection> {
        let is_utf8 = position.is_utf8;
        let mut bad = |tag: RawTag, reason: Reason| {
            let column = tag.key.start() - start + 1;
            Rejection::BadLine { line: position.number_of(start, text), error: LineError { column, reason } }
        };
        let parent = self.known.keys.child(NodeId::ROOT.object(), None, TAGS);
        let mut before = None;
        for place in 0..work.raw.tags.len() {
            let Some(&tag) = work.raw.tags.get(place) else { break };
            let (key, is_lossy) = work.push(tag.key.of(text), TAG_ESCAPES, is_utf8);
            let node = self.known.keys.child(parent.object(), before, work.part(&key));
            before = Some(node);
            let (value, is_lossy_value) = work.push(tag.value.of(text), TAG_ESCAPES, is_utf8);
            let KeyUse::Tag(id) = self.influx_tag(node, &key, work) else {
                let key = String::from_utf8_lossy(work.part(&key)).into_owned();
                return Err(bad(tag, Reason::ReservedTag(key)));
            };
            if is_lossy || is_lossy_value {
                self.drop_influx(node, &key, DropReason::NotUtf8, work);
            }
            if self.put(Place::Tag(id), Scalar::at(Kind::Plain, value)) {
                if self.repeats_tag((place, parent), is_utf8, text, work) {
                    return Err(bad(tag, Reason::DuplicateTag));
                }
                self.drop_influx(node, &key, DropReason::Duplicate, work);
            }
        }
        Ok(parent)
    }

    /// Collects the fields of a line. `tags`: the parent of the tags' keys.
    fn collect_fields(&mut self, tags: NodeId, is_utf8: bool, work: &mut InfluxBuffers, text: &[u8]) {
        let parent = self.known.keys.child(NodeId::ROOT.object(), Some(tags), FIELDS);
        let mut before = None;
        for place in 0..work.raw.fields.len() {
            let Some(&field) = work.raw.fields.get(place) else { break };
            let (key, is_lossy) = work.push(field.key.of(text), FIELD_KEY_ESCAPES, is_utf8);
            let node = self.known.keys.child(parent.object(), before, work.part(&key));
            before = Some(node);
            let (id, tag) = match self.influx_field(node, &key, work) {
                KeyUse::Field { key, tag } => (key, tag),
                KeyUse::Reserved => {
                    self.drop_influx(node, &key, DropReason::ReservedKey, work);
                    continue;
                }
                KeyUse::Excluded | KeyUse::Tag(_) => continue,
            };
            let generation = self.element.generation;
            if tag.is_some_and(|tag| {
                self.known.tags.is_used_by(tag, generation) || self.topic_parts.has_tag(tag)
            }) {
                self.drop_influx(node, &key, DropReason::TagAndField, work);
                continue;
            }
            let mut is_lossy = is_lossy;
            let scalar = match field.value {
                RawValue::Boolean(true) => Scalar::at(Kind::True, 0..0),
                RawValue::Boolean(false) => Scalar::at(Kind::False, 0..0),
                RawValue::Number(span) => Scalar::at(Kind::Number, work.push(span.of(text), b"", true).0),
                RawValue::NotPortable(span) => {
                    let start = work.text.len();
                    push_portable(span.of(text), &mut work.text);
                    Scalar::at(Kind::Number, start..work.text.len())
                }
                RawValue::String(span) => {
                    let (place, is_lossy_value) = work.push(span.of(text), STRING_ESCAPES, is_utf8);
                    is_lossy |= is_lossy_value;
                    Scalar::at(Kind::Plain, place)
                }
            };
            if is_lossy {
                self.drop_influx(node, &key, DropReason::NotUtf8, work);
            }
            if self.put(Place::Field(id), scalar) {
                self.drop_influx(node, &key, DropReason::Duplicate, work);
            }
        }
    }

    /// Writes the line of the collected element. `text`: its parts.
    fn write_collected(
        &mut self,
        time: Option<i64>,
        text: &[u8],
        pass: &mut Pass<'_, '_>,
    ) -> Result<(), Rejection> {
        let super::Work { values, layout, .. } = &mut self.work;
        let (element, known) = (&self.element, &mut self.known);
        let texts = Texts { record: text, ..pass.texts };
        values.collect(element, &known.fields, &texts)?;
        let (tags, fields) = (element.tags().map(|(key, _)| key), element.fields().map(|(key, _)| key));
        layout.arrange(tags, std::iter::empty(), fields, known, &self.topic_parts);
        let (topic_parts, outside) = (&self.topic_parts, &self.outside);
        let context = LineContext { known, topic_parts, outside, record: pass.record, texts };
        layout.write(values, &context, pass.lines.text_mut())?;
        end_line(time, pass.lines);
        known.drops.add_all(&values.drops);
        self.report_measurement();
        Ok(())
    }

    /// Adds a tag or field. Returns whether it replaces an earlier one.
    fn put(&mut self, place: Place, scalar: Scalar) -> bool {
        // Only elements of JSON text are asked for positions.
        let value = Positioned { scalar, position: 0 };
        self.element.put(place, value, &mut self.known.tags, &mut self.known.fields).is_some()
    }

    /// What a tag's key becomes; decided when the key is first seen.
    fn influx_tag(&mut self, node: NodeId, key: &Range<usize>, work: &mut InfluxBuffers) -> KeyUse {
        if let Some(Some(known)) = work.uses.get(node.index()) {
            return *known;
        }
        let key = String::from_utf8_lossy(work.part(key));
        let id = self.known.tags.intern(&self.rules.rename.apply(&key));
        work.learn(node, id.map_or(KeyUse::Reserved, KeyUse::Tag))
    }

    /// What a field's key becomes; decided when the key is first seen.
    fn influx_field(&mut self, node: NodeId, key: &Range<usize>, work: &mut InfluxBuffers) -> KeyUse {
        if let Some(Some(known)) = work.uses.get(node.index()) {
            return *known;
        }
        let key = String::from_utf8_lossy(work.part(key));
        let is_left_out = !self.rules.include.is_match(&key) || self.rules.exclude.is_match(&key);
        let last = self.rules.rename.apply(&key);
        let known = match self.known.fields.intern(&last) {
            _ if is_left_out => KeyUse::Excluded,
            Some(key) => KeyUse::Field { key, tag: self.known.tags.intern(&last) },
            None => KeyUse::Reserved,
        };
        work.learn(node, known)
    }

    /// Whether an earlier tag of the line has the same key as this one before any `rename`. `parent`: the parent of the tags' keys.
    #[cold]
    fn repeats_tag(
        &mut self,
        (place, parent): (usize, NodeId),
        is_utf8: bool,
        text: &[u8],
        work: &mut InfluxBuffers,
    ) -> bool {
        let mut repeats = false;
        // Only the tags behind those of the last call: a line may have a hundred thousand tags that get one key.
        for at in work.keyed_tags..=place {
            let Some(&tag) = work.raw.tags.get(at) else { break };
            let (key, _) = work.push(tag.key.of(text), TAG_ESCAPES, is_utf8);
            let key = work.part(&key);
            let id = self.known.tags.intern(&String::from_utf8_lossy(key));
            let key = id.ok_or_else(|| self.known.keys.child(parent.object(), None, key));
            repeats = !work.tag_keys.insert(key);
        }
        work.keyed_tags = place + 1;
        repeats
    }

    /// Counts a dropped or changed value, and reports the first one of its key.
    fn drop_influx(&mut self, node: NodeId, key: &Range<usize>, drop: DropReason, work: &InfluxBuffers) {
        self.known.drops.add(drop);
        if !self.known.keys.has_dropped(node, drop) {
            self.known.keys.set_dropped(node, drop);
            if self.known.first_drops.is_open() {
                self.known.first_drops.add(&String::from_utf8_lossy(work.part(key)), drop);
            }
        }
    }
}

impl InfluxBuffers {
    fn learn(&mut self, node: NodeId, known: KeyUse) -> KeyUse {
        if self.uses.len() <= node.index() {
            self.uses.resize(node.index() + 1, None);
        }
        if let Some(slot) = self.uses.get_mut(node.index()) {
            *slot = Some(known);
        }
        known
    }
}

impl crate::Rules {
    /// Whether times of lines stay as they are.
    fn keeps_influx_times(&self) -> bool {
        self.precision == crate::Precision::Nanoseconds
            && self.time_precision == base::TimePrecision::default()
            && self.times == crate::TimeRange::default()
    }

    /// The time of a line, or Kafka's timestamp.
    fn influx_time(
        &self,
        time: Option<i64>,
        index: usize,
        start: usize,
        position: &mut Position,
        pass: &Pass<'_, '_>,
    ) -> Result<Option<i64>, Rejection> {
        let Some(time) = time else { return self.kafka_time(index, pass) };
        let unit = self.precision.unit_ns();
        let ns = time.checked_mul(unit).filter(|ns| (TIME_MIN..=TIME_MAX).contains(ns));
        let ns = ns.ok_or(TimeError::OutOfPrecision).and_then(|ns| self.times.check(ns).map(|()| ns));
        let ns = ns.map_err(|why| Rejection::LineTime {
            line: position.number_of(start, pass.texts.record),
            time,
            why,
        })?;
        Ok(Some(distinct_times::record_time(
            ns,
            || unit,
            self.distinct_times,
            self.time_precision,
            pass.origin(index),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{self, lines_of, mapper};
    use crate::{DistinctTimes, FirstDrop, Format, Globs, Precision, Rename, Rules, Template, TimeRange};
    use base::record::{Record, RecordTime};
    use line_protocol::LineBuffer;

    const KAFKA_NS: i64 = 1_700_000_000_123_000_000;

    fn rules() -> Rules {
        Rules {
            format: Format::Influx,
            measurement: Template::literal(""),
            strict: false,
            ..Rules::default()
        }
    }

    fn record(value: &[u8]) -> Record<'_> {
        Record { offset: 7, time: RecordTime::At(KAFKA_NS), ..test_support::record(value) }
    }

    /// The lines and the rejections of a record, which is mapped twice.
    fn mapped(rules: &Rules, value: impl AsRef<[u8]>) -> (Vec<String>, Vec<String>) {
        let mut mapper = mapper(rules.clone());
        let record = Record { key: Some(b"k 1"), headers: &[("site", b"s")], ..record(value.as_ref()) };
        let mut map = || {
            let mut lines = LineBuffer::default();
            let became = mapper.map(&record, &mut lines);
            let texts =
                (0..lines.lines()).map(|line| String::from_utf8(lines.line(line).unwrap().to_vec()).unwrap());
            let why = |(element, why): &(Option<usize>, Rejection)| format!("{element:?} {why}");
            (texts.collect(), became.rejected.iter().map(why).collect())
        };
        let first = map();
        assert_eq!(map(), first);
        first
    }

    fn lines(rules: &Rules, value: impl AsRef<[u8]>) -> Vec<String> {
        let (lines, rejected) = mapped(rules, value);
        assert_eq!(rejected, [""; 0]);
        lines
    }

    #[test]
    fn copies_lines_and_rewrites_other_spellings() {
        let f = |line: &str, want: &str| assert_eq!(lines(&rules(), line), [want], "{line:?}");
        let plain = r#"m\ 1,a\ b=c\,d,e=f g=1i,h=2u,i="a\n\"b\"",j=true,k=-1.5e3 1700000000000000001"#;
        f(plain, plain);
        f("m,b=2,a=1 v=1 5", "m,a=1,b=2 v=1 5");
        f("  m   a=.5,b=1.,c=T,d=f,e=-.5e1  5 ", "m a=0.5,b=1.0,c=true,d=false,e=-0.5e1 5");
        f("m v=1 007\r\n", "m v=1 7");
        f(r#"m,t=C:\dir\\sub k\"q=1 5"#, r#"m,t=C:\dir\\sub k"q=1 5"#);
        f(r"m\=x,a\\b=1 v=1 5", r"m=x,a\b=1 v=1 5");
        f("m,a=x\tb\r v=1 5", r"m,a=x\tb\r v=1 5");
        f("m s=\"a\nb\",t=\"\\x\" 5", "m s=\"a\nb\",t=\"\\x\" 5");
        f("m  s=\"a\nb\",t=\"\\x\" 5", "m s=\"a\nb\",t=\"\\\\x\" 5");
    }

    #[test]
    fn a_line_without_a_time_gets_a_distinct_time_of_kafka() {
        let text = "# comment\nm v=1\n\nm v=2 5\nm v=3\n";
        // offset * 1009, the topic's digits 655,985, and the number of the line among the points.
        let digits = |element: i64| {
            let (topic, record) = (distinct_times::TopicDigits::of("t"), record(b""));
            let origin = distinct_times::Origin { topic, record: &record, element: element as usize };
            distinct_times::kafka_time(KAFKA_NS, DistinctTimes::Kafka, base::TimePrecision::default(), origin)
        };
        let want = [format!("m v=1 {}", digits(0)), "m v=2 5".to_owned(), format!("m v=3 {}", digits(2))];
        assert_ne!(digits(0), digits(2));
        assert_eq!(lines(&rules(), text), want);
        let never = Rules { distinct_times: DistinctTimes::Never, ..rules() };
        assert_eq!(lines(&never, "m v=1"), [format!("m v=1 {KAFKA_NS}")]);
    }

    #[test]
    fn times_are_read_in_their_unit_and_range() {
        let of = |precision| Rules { precision, ..rules() };
        assert_eq!(lines(&of(Precision::Microseconds), "m v=1 -5"), ["m v=1 -5000"]);
        assert_eq!(lines(&of(Precision::Milliseconds), " m v=1 5"), ["m v=1 5000000"]);
        assert_eq!(lines(&of(Precision::Seconds), "m v=1 1700000000"), ["m v=1 1700000000000000000"]);
        let always = Rules { distinct_times: DistinctTimes::Always, ..of(Precision::Seconds) };
        let line = lines(&always, "m v=1 1700000000").concat();
        assert!(line.starts_with("m v=1 1700000000000") && !line.ends_with("000000"), "{line}");
        let (lines, rejected) = mapped(&of(Precision::Seconds), "m v=1 1700000000000\nm v=1 1");
        assert_eq!(lines, ["m v=1 1000000000"]);
        assert_eq!(
            rejected,
            [
                "Some(0) the time 1700000000000 in its line 1 can't be used: it lies outside what InfluxDB can store (1677-09-21 to \
              2262-04-11): is `precision` right?"
            ]
        );
        let late = Rules { times: TimeRange { min: 10, max: 20 }, ..rules() };
        let (lines, rejected) = mapped(&late, "m v=1 10\nm v=1 9\nm v=1 21\n m v=2 20");
        assert_eq!((lines.concat(), rejected.len()), ("m v=1 10m v=2 20".to_owned(), 2));
        let (_, rejected) = mapped(&rules(), "m v=1 9223372036854775807\nm v=1 -9223372036854775807");
        assert_eq!(rejected.len(), 2);
    }

    #[test]
    fn a_bad_line_is_rejected_alone_with_its_number() {
        let text = "m v=1 1\n# comment\n\nm,a=1,a=2 v=1 1\nm v=\"two\nlines\" 2\nm v=\"open 3\nm v=4 4\nm,time=5 v=1";
        let (lines, rejected) = mapped(&rules(), text);
        assert_eq!(lines, ["m v=1 1", "m v=\"two\nlines\" 2", "m v=4 4"]);
        let want = [
            (1, 4, "duplicate tags (column 7)"),
            (3, 7, "unbalanced quotes (column 5)"),
            (5, 9, "cannot use reserved tag key \"time\" (column 3)"),
        ];
        assert_eq!(rejected.len(), want.len(), "{rejected:?}");
        for (got, (element, line, why)) in rejected.iter().zip(want) {
            let want = format!("Some({element}) its line {line} is not line protocol: {why}");
            assert!(got.starts_with(&want), "{got}");
        }
        let strict = Rules { strict: true, ..rules() };
        assert_eq!(mapped(&strict, text), (Vec::new(), rejected));
        assert_eq!(mapped(&rules(), "  \n\r\n").1, ["None its value is empty"]);
        assert_eq!(mapped(&rules(), "# a comment alone"), (Vec::new(), Vec::new()));
    }

    #[test]
    fn reserved_keys_that_are_renamed_repeat_only_themselves() {
        let renamed = |renames: &[(&str, &str)], text: &str| {
            let mut rename = Rename::default();
            for (from, to) in renames {
                rename.add(from, to).unwrap();
            }
            mapped(&Rules { rename, ..rules() }, text)
        };
        let one = [("_field", "x"), ("time", "x"), ("c", "x")];
        for (text, want) in
            [("m,_field=a,time=b v=1 1", "m,x=b v=1 1"), ("m,c=a,_field=b,time=c v=1 1", "m,x=c v=1 1")]
        {
            assert_eq!(renamed(&one, text), (vec![want.to_owned()], Vec::new()), "{text}");
        }
        let two = [("_field", "x"), ("time", "y"), ("c", "z"), ("d", "z")];
        let (lines, rejected) = renamed(&two, "m,_field=a,c=1,time=b,d=2 v=1 1");
        assert_eq!((lines.concat().as_str(), rejected.len()), ("m,x=a,y=b,z=2 v=1 1", 0));
        for text in ["m,_field=a,_field=b v=1 1", "m,time=a,_field=b,time=c v=1 1"] {
            let (lines, rejected) = renamed(&one, text);
            assert!(
                lines.is_empty() && rejected.concat().contains("duplicate tags"),
                "{lines:?}, {rejected:?}"
            );
        }
    }

    #[test]
    fn the_keys_of_a_mapping_change_lines() {
        let mut rename = Rename::default();
        rename.add("temp", "temperature").unwrap();
        rename.add("h", "host").unwrap();
        let rules = Rules {
            rename,
            include: Globs::compile(&["temp", "n*"]).unwrap(),
            exclude: Globs::compile(&["n_debug"]).unwrap(),
            measurement: Template::parse("room {topic}").unwrap(),
            topic_tag: Some("topic".to_owned()),
            key_tag: Some("key".to_owned()),
            partition_tag: Some("p".to_owned()),
            header_tags: vec!["site".to_owned()],
            offset_field: Some("o".to_owned()),
            tags: vec![
                ("h2".to_owned(), Template::literal("x")),
                ("host".to_owned(), Template::literal("other")),
            ],
            ..rules()
        };
        assert_eq!(
            lines(&rules, "m,h=a,site=own temp=1.5,n=5u,n_debug=1,x=\"y\" 5"),
            [r"room\ t,h2=x,host=a,key=k\ 1,p=0,site=s,topic=t temperature=1.5,n=5u,o=7i 5"]
        );
        // No field is left: the line is filtered.
        assert_eq!(lines(&rules, "m x=1 5"), [""; 0]);
    }

    /// The lines, and the first drop of each key.
    fn drops(rules: Rules, value: &[u8]) -> (String, Vec<FirstDrop>, Vec<(DropReason, u64)>) {
        let mut mapper = mapper(rules);
        let lines = lines_of(&mut mapper, &record(value)).unwrap();
        let counts = mapper.take_drops().iter().collect();
        (lines, mapper.take_first_drops(), counts)
    }

    #[test]
    fn what_some_server_refuses_is_left_out_and_counted() {
        let f = |value: &[u8], want: &str, key: &str, drop: DropReason| {
            let (line, first, counts) = drops(rules(), value);
            assert_eq!((line, counts), (format!("{want}\n"), vec![(drop, 1)]));
            assert_eq!(first, [FirstDrop { key: key.to_owned(), drop }]);
        };
        f(b"m v=1,w=2,v=3 5", "m w=2,v=3 5", "v", DropReason::Duplicate);
        f(b"m,a=1 a=2,b=3 5", "m,a=1 b=3 5", "a", DropReason::TagAndField);
        // Single spaces and two: both readers refuse the same keys.
        for reserved in ["time", "_field", "_measurement"] {
            for spaces in [" ", "  "] {
                let line = format!("m{spaces}v=1,{reserved}=2 5");
                f(line.as_bytes(), "m v=1 5", reserved, DropReason::ReservedKey);
            }
        }
        f(b"m,t=\xFF s=\"x\" 5", "m,t=\u{FFFD} s=\"x\" 5", "t", DropReason::NotUtf8);
        f(b"m s=\"\xFF\" 5", "m s=\"\u{FFFD}\" 5", "s", DropReason::NotUtf8);
        // Tags that the bridge adds.
        let tagged = Rules { tags: vec![("v".to_owned(), Template::literal("x"))], ..rules() };
        let (line, _, counts) = drops(tagged, b"m v=1,w=2 5");
        assert_eq!((line.as_str(), counts), ("m,v=x w=2 5\n", vec![(DropReason::TagAndField, 1)]));
        let offset = Rules { offset_field: Some("o".to_owned()), ..rules() };
        let (line, _, counts) = drops(offset, b"m,o=1 w=2 5");
        assert_eq!((line.as_str(), counts), ("m,o=1 w=2 5\n", vec![(DropReason::TagAndField, 1)]));
        let (line, ..) = drops(Rules { offset_field: Some("o".to_owned()), ..rules() }, b"m w=2 5");
        assert_eq!(line, "m w=2,o=7i 5\n");
        let mut rename = Rename::default();
        rename.add("b", "a").unwrap();
        let (line, _, counts) = drops(Rules { rename, ..rules() }, b"m,a=1,b=2 v=1 5");
        assert_eq!((line.as_str(), counts), ("m,a=2 v=1 5\n", vec![(DropReason::Duplicate, 1)]));
    }

    #[test]
    fn lines_that_are_too_long_are_rejected() {
        let string = |length: usize| format!("m s=\"{}\" 5\n m v=1 5", "x".repeat(length));
        assert_eq!(mapped(&rules(), string((1 << 20) - 2)).0.len(), 2);
        let (lines, rejected) = mapped(&rules(), string(1 << 20));
        assert_eq!((lines.len(), rejected.len()), (1, 1));
        assert!(rejected[0].contains("more than the 1048576 that InfluxDB stores"), "{rejected:?}");
        let (lines, rejected) = mapped(&rules(), format!("m,t={} v=1 5", "x".repeat(65_535)));
        assert_eq!((lines.len(), rejected.len()), (0, 1));
        assert!(rejected[0].contains("more than the 65535 that InfluxDB stores"), "{rejected:?}");
    }

    #[test]
    fn the_element_of_each_line_is_traced() {
        let mut mapper = mapper(rules());
        let record = record(b"# x\nm v=1 5\nbad\n m v=2 6\nm time=1\nm v=3 7");
        let mut lines = LineBuffer::default();
        assert_eq!(mapper.map_and_trace(&record, &mut lines), [0, 2, 4]);
        let became = mapper.map(&record, &mut lines);
        assert_eq!((became.lines, became.filtered, became.elements), (3, 1, 5));
    }

    #[test]
    fn the_buffers_of_a_large_record_are_freed() {
        let many = format!("m  {}v=1 5", "a=1,".repeat(100_000));
        let mut mapper = mapper(rules());
        mapper.map(&record(many.as_bytes()), &mut LineBuffer::default());
        assert!(mapper.work.bytes() + mapper.element.bytes() <= crate::formats::KEPT_BYTES_MAX);
    }

    #[test]
    fn keys_that_never_repeat_are_forgotten() {
        let mut mapper = mapper(Rules { exclude: Globs::compile(&["none"]).unwrap(), ..rules() });
        for number in 0..40 {
            let fields: Vec<String> = (0..200).map(|field| format!("f{number}_{field}=1")).collect();
            let value = format!("m,t{number}=1 {} 5", fields.join(","));
            assert_eq!(lines_of(&mut mapper, &record(value.as_bytes())), Ok(value + "\n"));
            assert!(!mapper.known.keys.is_full());
        }
    }
}
