//! The rules of one `[[mapping]]`, checked and compiled.

use super::formats::Schema;
use super::{
    Compression, FieldType, Format, Globs, KeySelector, KeyTable, Part, Rename, Replacements, Reshape,
    Template, TimeFormat, TimeRange,
};
use crate::decode::Query;
use base::TimePrecision;
use jiff::tz::TimeZone;
use regex::Regex;

/// Rules of one mapping. Fields are named like the keys of `[[mapping]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    pub format: Format,
    pub csv: Csv,
    /// The schema of unframed values. None: values have the frame of a schema registry.
    pub schema: Option<Schema>,
    pub compression: Compression,
    /// Keys of strings that hold JSON, flattened from the record's root.
    pub parse_json: Globs,
    pub query: Query,
    /// `columns`, `explode`, `where`, `pivot` and `zip`.
    pub reshape: Reshape,
    /// With line protocol, empty for the measurement of each line.
    pub measurement: Template,
    pub name_key: Option<KeySelector>,
    pub tag_keys: Globs,
    /// The `tag_keys` that are not flattened keys.
    pub tag_selectors: Vec<KeySelector>,
    /// Fields from anywhere in the record: their final names, and the places of their values.
    pub fields: Vec<(String, KeySelector)>,
    pub string_fields: Globs,
    pub number_fields: Globs,
    pub integers: Integers,
    pub values: Replacements,
    /// Types of fields, which replace what `string_fields`, `number_fields` and `integers` say.
    pub types: KeyTable<FieldType>,
    pub include: Globs,
    pub exclude: Globs,
    pub rename: Rename,
    pub time: Option<TimeRule>,
    /// Unit of the times in line protocol.
    pub precision: Precision,
    /// Records with other times are rejected.
    pub times: TimeRange,
    pub distinct_times: DistinctTimes,
    /// Precision of the points' times: `time_precision` of `[influx]`.
    pub time_precision: TimePrecision,
    pub topic_tag: Option<String>,
    pub key_tag: Option<String>,
    pub partition_tag: Option<String>,
    pub offset_field: Option<String>,
    pub header_tags: Vec<String>,
    /// Tags used where the record gave none of that name.
    pub tags: Vec<(String, Template)>,
    /// The topic patterns whose named groups placeholders use.
    pub topic_patterns: TopicPatterns,
    /// Whether one bad element rejects its whole record.
    pub strict: bool,
}

/// Settings of `[mapping.csv]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csv {
    pub delimiter: u8,
    /// First byte of lines that are no rows.
    pub comment: Option<u8>,
    pub header: Header,
}

/// Where the names of columns stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// In the first row of each record.
    #[default]
    FirstLine,
    /// In the configuration; a column with an empty name is left out.
    Columns(Vec<String>),
}

impl Default for Csv {
    fn default() -> Self {
        Self { delimiter: b',', comment: None, header: Header::FirstLine }
    }
}

/// Topic patterns in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct TopicPatterns(pub Vec<Regex>);

impl TopicPatterns {
    /// The text that a named group has in a topic's name: that of the first pattern that matches the topic.
    #[must_use]
    pub fn group<'t>(&self, name: &str, topic: &'t str) -> Option<&'t str> {
        let groups = self.0.iter().find_map(|pattern| pattern.captures(topic))?;
        groups.name(name).map(|group| group.as_str()).filter(|text| !text.is_empty())
    }
}

/// Patterns are compared by their text.
impl PartialEq for TopicPatterns {
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().map(Regex::as_str).eq(other.0.iter().map(Regex::as_str))
    }
}

/// Form in which JSON numbers without fraction and exponent are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Integers {
    #[default]
    Float,
    Int,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TimeRule {
    pub source: TimeSource,
    /// Numbers that are added to the time; none where the record has no such value.
    pub added: Vec<AddedTime>,
    pub format: TimeFormat,
    /// Zone of times whose text has none.
    pub zone: TimeZone,
}

/// A number that is added to a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedTime {
    /// The option that names the key.
    pub option: &'static str,
    pub key: KeySelector,
    pub unit: Precision,
}

/// What a time is read from.
#[derive(Clone, Debug, PartialEq)]
pub enum TimeSource {
    /// The first value that is there. Of several keys, null and empty text count as missing.
    Keys(Vec<KeySelector>),
    /// A text with placeholders.
    Text(Template),
}

impl TimeRule {
    /// The time under one key.
    #[must_use]
    pub fn new(key: KeySelector, format: TimeFormat, zone: TimeZone) -> Self {
        Self { source: TimeSource::Keys(vec![key]), added: Vec::new(), format, zone }
    }

    /// The selectors of all values that the time is made of, each with the option that has it.
    pub fn selectors(&self) -> impl Iterator<Item = (&'static str, &KeySelector)> {
        let (keys, text) = match &self.source {
            TimeSource::Keys(keys) => (keys.as_slice(), None),
            TimeSource::Text(text) => (&[][..], Some(text)),
        };
        let keys = keys.iter().map(|key| ("time_key", key));
        let text = text.into_iter().flat_map(Template::selectors).map(|key| ("time", key));
        keys.chain(text).chain(self.added.iter().map(|added| (added.option, &added.key)))
    }

    /// The keys as in a configuration.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.source {
            TimeSource::Keys(keys) if keys.len() == 1 => keys.iter().map(ToString::to_string).collect(),
            TimeSource::Keys(keys) => keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            TimeSource::Text(text) => text.to_string(),
        }
    }
}

impl Rules {
    /// The rule for times in records; none if all times are Kafka's. Times of line protocol have no key.
    #[must_use]
    pub fn time_rule(&self) -> Option<TimeRule> {
        let unit_ns = self.precision.unit_ns();
        let of_lines = || {
            TimeRule::new(KeySelector::Flattened(String::new()), TimeFormat::Unix { unit_ns }, TimeZone::UTC)
        };
        if self.format == Format::Influx { Some(of_lines()) } else { self.time.clone() }
    }
}

impl TimeRule {
    /// Whether the times are those of line protocol, whose unit is `precision`.
    #[must_use]
    pub fn is_of_lines(&self) -> bool {
        let TimeSource::Keys(keys) = &self.source else { return false };
        matches!(keys.as_slice(), [KeySelector::Flattened(key)] if key.is_empty())
    }
}

/// Unit of the times in line protocol, and of numbers that are added to a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    #[default]
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
}

impl Precision {
    pub const ALL: [Self; 4] = [Self::Nanoseconds, Self::Microseconds, Self::Milliseconds, Self::Seconds];

    /// The word in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }

    #[must_use]
    pub const fn unit_ns(self) -> i64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
        }
    }
}

/// Times that get digits which make equal times of one series distinct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DistinctTimes {
    Never,
    /// Kafka's timestamps.
    #[default]
    Kafka,
    /// Also times of `time_key`, below their unit.
    Always,
}

impl Default for Rules {
    /// The rules of an empty mapping: every number becomes a field, and the topic is the measurement.
    fn default() -> Self {
        Self {
            format: Format::Json,
            csv: Csv::default(),
            schema: None,
            compression: Compression::Auto,
            parse_json: Globs::default(),
            query: Query::Whole,
            reshape: Reshape::default(),
            measurement: Template::topic(),
            name_key: None,
            tag_keys: Globs::default(),
            tag_selectors: Vec::new(),
            fields: Vec::new(),
            string_fields: Globs::default(),
            number_fields: Globs::default(),
            integers: Integers::Float,
            values: Replacements::default(),
            types: KeyTable::default(),
            include: Globs::compile(&["*"]).unwrap_or_default(),
            exclude: Globs::default(),
            rename: Rename::default(),
            time: None,
            precision: Precision::default(),
            times: TimeRange::default(),
            distinct_times: DistinctTimes::Kafka,
            time_precision: TimePrecision::default(),
            topic_tag: None,
            key_tag: None,
            partition_tag: None,
            offset_field: None,
            header_tags: Vec::new(),
            tags: Vec::new(),
            topic_patterns: TopicPatterns::default(),
            strict: true,
        }
    }
}

impl Rules {
    /// Placeholders and entries of `fields` may take values under this many different selectors of the element.
    pub const COPIED_MAX: usize = 31;

    /// The templates of `measurement` and `tags`.
    fn templates(&self) -> impl Iterator<Item = (&'static str, &Template)> {
        std::iter::once(("measurement", &self.measurement))
            .chain(self.tags.iter().map(|(_, value)| ("tags", value)))
    }

    /// All templates, also that of the time.
    pub fn all_templates(&self) -> impl Iterator<Item = (&'static str, &Template)> {
        let time = self.time.iter().filter_map(|time| match &time.source {
            TimeSource::Text(template) => Some(("time", template)),
            TimeSource::Keys(_) => None,
        });
        self.templates().chain(time)
    }

    /// All selectors but the globs of `tag_keys`, each with the option that has it.
    pub fn selectors(&self) -> impl Iterator<Item = (&'static str, &KeySelector)> {
        let single = self.name_key.as_ref().map(|key| ("name_key", key));
        let tags = self.tag_selectors.iter().map(|selector| ("tag_keys", selector));
        single.into_iter().chain(tags).chain(self.copying_selectors())
    }

    /// The selectors of the time, of `fields` and of placeholders, which copy values.
    fn copying_selectors(&self) -> impl Iterator<Item = (&'static str, &KeySelector)> {
        let time = self.time.iter().flat_map(TimeRule::selectors);
        let fields = time.chain(self.fields.iter().map(|(_, selector)| ("fields", selector)));
        fields.chain(
            self.templates().flat_map(|(option, template)| template.selectors().map(move |s| (option, s))),
        )
    }

    /// The different selectors whose values are copied from the element; at most [`Self::COPIED_MAX`].
    #[must_use]
    pub fn copied_selectors(&self) -> Vec<KeySelector> {
        distinct(
            self.copying_selectors()
                .map(|(_, selector)| selector)
                .filter(|selector| selector.is_in_element()),
        )
    }

    /// The different selectors whose values stand outside of the element.
    pub(crate) fn outside_selectors(&self) -> Vec<KeySelector> {
        distinct(self.selectors().map(|(_, selector)| selector).filter(|selector| !selector.is_in_element()))
    }

    /// Whether the mapping reads record headers.
    #[must_use]
    pub fn wants_headers(&self) -> bool {
        let mut parts = self.all_templates().flat_map(|(_, template)| template.parts());
        !self.header_tags.is_empty() || parts.any(|part| matches!(part, Part::Header(_)))
    }

    /// Whether the mapping reads the records' keys.
    #[must_use]
    pub fn wants_key(&self) -> bool {
        let mut parts = self.all_templates().flat_map(|(_, template)| template.parts());
        let mut selectors = self.selectors();
        self.key_tag.is_some()
            || parts.any(|part| matches!(part, Part::Key))
            || selectors.any(|(_, selector)| matches!(selector, KeySelector::RecordKey(_)))
    }

    /// The names of headers that the mapping reads, each with the option that has it.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let tags = self.header_tags.iter().map(|name| ("header_tags", name.as_str()));
        tags.chain(self.all_templates().flat_map(|(option, template)| {
            template.parts().iter().filter_map(move |part| {
                if let Part::Header(name) = part { Some((option, name.as_str())) } else { None }
            })
        }))
    }
}

fn distinct<'s>(selectors: impl Iterator<Item = &'s KeySelector>) -> Vec<KeySelector> {
    let mut different = Vec::new();
    for selector in selectors {
        if !different.contains(selector) {
            different.push(selector.clone());
        }
    }
    different
}
