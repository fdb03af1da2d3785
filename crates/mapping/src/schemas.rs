//! Schemas of records: the seam between mappers, which need them, and the client of a schema registry, which reads them.
//!
//! A mapper never waits: if a schema is not there, it rejects the record with [`Rejection::SchemaMissing`], and the caller decides what that
//! means. `run` blocks the topic and reads the record again; commands that read files ask a source that waits itself.

use super::compression;
use super::formats::{
    Format, FormatReader, Frame, RecordText, Schema, SchemaId, SchemaUse, length_with_schema,
};
use super::rejection::{MissingSchema, Rejection};
use super::rules::Rules;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// The answer of a source of schemas.
#[derive(Clone, Debug)]
pub enum Lookup {
    Ready(Schema),
    /// The registry has it, but no value can be read with it. The text says why.
    Unusable(Arc<str>),
    /// It is not there. A source that reads it from a registry has begun to, and tries again while it is asked for.
    Missing(MissingSchema),
}

/// A source of schemas by id. It answers at once.
pub trait Schemas: fmt::Debug + Send + Sync {
    fn find(&self, id: SchemaId) -> Lookup;

    /// Whether the registry has answered with this schema after `since`. If it has not, it is asked.
    fn has_answered(&self, id: SchemaId, since: Instant) -> bool;
}

impl Rules {
    /// Like [`Rules::to_json`], with the schemas of framed values and the times of the format.
    ///
    /// # Errors
    /// When the value does not have the format of these rules, or its schema is missing.
    pub fn read_text<'v>(
        &self,
        source: Option<&Arc<dyn Schemas>>,
        value: &'v [u8],
    ) -> Result<RecordText<'v>, Rejection> {
        if !self.format.has_schema() {
            return self.text_of(value);
        }
        let value = compression::unpacked_as(self.compression, self.format, value)?;
        let (mut cache, mut reader) = (SchemaCache::new(source.cloned()), FormatReader::default());
        let (schema, content) = cache.of_value(self, &value)?;
        reader.read(self, content, schema, compression::BYTES_MAX)?;
        Ok(reader.json.into())
    }

    /// Whether the values of a file of Avro have the frame of a registry, although the mapping names their schema. The bytes of a frame read
    /// as values of some schemas too, so the frames have to lead further through the file, or to its end. Registries give no id 0.
    #[must_use]
    pub fn has_unexpected_frames(&self, file: &[u8]) -> bool {
        let Some(schema) = self.schema.as_ref().filter(|_| self.format == Format::Avro) else { return false };
        let length = |bytes: &[u8]| length_with_schema(bytes, SchemaUse { id: None, schema });
        let framed = |bytes: &[u8]| {
            let frame = Frame::of(bytes).filter(|frame| frame.schema != 0)?;
            Some(Frame::BYTES + length(frame.content)?)
        };
        let end = |length: &dyn Fn(&[u8]) -> Option<usize>| {
            let mut at = 0;
            while let Some(length) = file.get(at..).and_then(length) {
                at += length;
            }
            at
        };
        let framed_end = end(&framed);
        framed_end > 0 && (framed_end == file.len() || framed_end > end(&length))
    }

    /// The length of the first value of a file that holds values one directly after another, each with its frame if it has one. None: the
    /// format is no binary one, the schema is missing, or there is no complete value.
    #[must_use]
    pub fn first_value(&self, source: Option<&Arc<dyn Schemas>>, bytes: &[u8]) -> Option<usize> {
        if !self.format.has_schema() {
            return self.format.first_value(bytes);
        }
        let mut cache = SchemaCache::new(source.cloned());
        let (schema, content) = cache.of_value(self, bytes).ok()?;
        Some(bytes.len() - content.len() + length_with_schema(content, schema?)?)
    }
}

/// The source of a mapper's schemas, with the last schema: a topic has one most of the time, and asking the source takes a lock.
#[derive(Clone, Debug, Default)]
pub(crate) struct SchemaCache {
    source: Option<Arc<dyn Schemas>>,
    last: Option<(SchemaId, Schema)>,
}

impl SchemaCache {
    pub fn new(source: Option<Arc<dyn Schemas>>) -> Self {
        Self { source, last: None }
    }

    /// The id by which the last schema was found.
    pub fn last(&self) -> Option<SchemaId> {
        self.last.as_ref().map(|(id, _)| *id)
    }

    /// The schema of a value, and the value without its frame. None: the format needs no schema.
    pub fn of_value<'s, 'v>(
        &'s mut self,
        rules: &'s Rules,
        value: &'v [u8],
    ) -> Result<(Option<SchemaUse<'s>>, &'v [u8]), Rejection> {
        match (rules.format, &rules.schema) {
            // The first byte of an unframed value may be that of a frame.
            // A reader of Protobuf recognizes the frame by itself, because no message begins so.
            (Format::Avro | Format::Protobuf, Some(schema)) => {
                Ok((Some(SchemaUse { id: None, schema }), value))
            }
            (Format::Avro, None) => {
                let frame = Frame::of(value).ok_or_else(|| Rejection::unframed(value))?;
                let schema = self.get(frame.schema, Format::Avro)?;
                Ok((Some(SchemaUse { id: Some(frame.schema), schema }), frame.content))
            }
            // The list of indexes in the frame selects the message.
            (Format::Protobuf, None) => {
                let frame = Frame::of(value).ok_or_else(|| Rejection::unframed(value))?;
                let schema = self.get(frame.schema, Format::Protobuf)?;
                Ok((Some(SchemaUse { id: Some(frame.schema), schema }), value))
            }
            _ => Ok((None, value)),
        }
    }

    fn get(&mut self, id: SchemaId, format: Format) -> Result<&Schema, Rejection> {
        // Taken out, because a found schema takes its place. A missing one does not: records of the last schema may follow.
        let (id, schema) = match self.last.take() {
            Some(last) if last.0 == id => last,
            last => match self.find(id, format) {
                Ok(schema) => (id, schema),
                Err(rejection) => {
                    self.last = last;
                    return Err(rejection);
                }
            },
        };
        Ok(&self.last.insert((id, schema)).1)
    }

    fn find(&self, id: SchemaId, format: Format) -> Result<Schema, Rejection> {
        let missing = |why| Rejection::SchemaMissing { id, why };
        let source = self.source.as_ref().ok_or_else(|| missing(MissingSchema::NoRegistry))?;
        match source.find(id) {
            Lookup::Ready(schema) if schema.format() == format => Ok(schema),
            Lookup::Ready(schema) => {
                let why = format!("it is for format = {:?}, not {:?}", schema.format().name(), format.name());
                Err(Rejection::SchemaUnusable { id, why: why.into() })
            }
            Lookup::Unusable(why) => Err(Rejection::SchemaUnusable { id, why }),
            Lookup::Missing(why) => Err(missing(why)),
        }
    }
}
