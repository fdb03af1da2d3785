//! Schemas of any language: their texts, and the form in which a format reads values with them.

use super::Format;
use super::avro_schema::{AvroSchema, AvroSchemaError};
use super::frame::SchemaId;
use super::protobuf::{ProtobufSchema, ProtobufSchemaError};
use super::schema_reference::Reference;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// A schema, compiled for reading values. A clone shares it.
#[derive(Clone, Debug, PartialEq)]
pub enum Schema {
    Avro(Arc<AvroSchema>),
    Protobuf(Arc<ProtobufSchema>),
}

/// A schema as its registry or a file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaText {
    pub language: SchemaLanguage,
    pub text: String,
    /// The schemas that it uses, each after those that it uses itself.
    pub references: Vec<Reference>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaLanguage {
    Avro,
    Json,
    Protobuf,
}

/// Reason why a schema can't be compiled.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SchemaError {
    #[error("it is not an Avro schema: {0}")]
    Avro(#[from] AvroSchemaError),
    #[error("it is not a Protobuf schema: {0}")]
    Protobuf(#[from] ProtobufSchemaError),
    #[error("it is a {0} schema, which no format of the bridge reads")]
    Language(SchemaLanguage),
}

impl fmt::Display for SchemaLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avro => "Avro",
            Self::Json => "JSON",
            Self::Protobuf => "Protobuf",
        })
    }
}

impl SchemaText {
    /// Compiles the schema. The time is proportional to the length of the texts.
    ///
    /// # Errors
    /// When the text is no schema of its language, or no format reads the language.
    pub fn compile(&self) -> Result<Schema, SchemaError> {
        let references = self.references.iter().map(|reference| reference.text.as_str());
        match self.language {
            SchemaLanguage::Avro => Ok(Schema::Avro(Arc::new(AvroSchema::compile(&self.text, references)?))),
            SchemaLanguage::Protobuf => {
                Ok(Schema::Protobuf(Arc::new(ProtobufSchema::of_registry(&self.text, &self.references)?)))
            }
            language @ SchemaLanguage::Json => Err(SchemaError::Language(language)),
        }
    }
}

impl Schema {
    /// The format whose values are read with it.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Self::Avro(_) => Format::Avro,
            Self::Protobuf(_) => Format::Protobuf,
        }
    }

    /// Allocated memory in bytes, about.
    #[must_use]
    pub fn memory(&self) -> usize {
        match self {
            Self::Avro(schema) => schema.memory(),
            Self::Protobuf(schema) => schema.memory(),
        }
    }
}

/// The schema that a value is read with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SchemaUse<'s> {
    /// None: the schema is in a file of the configuration.
    pub id: Option<SchemaId>,
    pub schema: &'s Schema,
}
