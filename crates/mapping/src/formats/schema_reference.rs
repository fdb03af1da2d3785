//! Schemas that other schemas use.

/// A schema that another one uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The name by which it is used: a full name in Avro, the path of an import in Protobuf.
    pub name: String,
    pub text: String,
}
