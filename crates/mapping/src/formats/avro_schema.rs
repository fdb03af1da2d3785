//! Avro schemas (<https://avro.apache.org/docs/1.12.0/specification/>), compiled for reading values.
//!
//! The parser accepts more than the specification: names with other characters, defaults of other types and aliases do not matter for
//! reading values, and the producer's library has accepted them. An unknown or misplaced logical type is ignored, as the specification
//! says.

use base::text::printable;
use serde_json::{Map, Value};
use std::collections::HashMap;
use thiserror::Error;

/// Nodes of one schema with its references: far above what people write, and a bound for the time of compiling.
const NODES_MAX: usize = 100_000;
/// Most digits behind the decimal point: a decimal of 16 bytes has 39 digits.
pub(super) const SCALE_MAX: usize = 1_000;
/// Bytes of a name in a message.
const SHOWN_MAX: usize = 100;

/// An Avro schema, compiled for reading values.
#[derive(Debug, PartialEq)]
pub struct AvroSchema {
    nodes: Vec<Node>,
    root: NodeId,
    memory: usize,
}

/// Index of a node in its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(u32);

/// A type of a schema.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    /// A number of this unit since 1970.
    Time {
        unit_ns: i64,
        /// Whether it is a time of day and date without a zone.
        is_local: bool,
        /// Whether the number has 32 bits at most.
        is_int: bool,
    },
    Decimal {
        /// Digits behind the decimal point.
        scale: usize,
        size: DecimalSize,
    },
    /// A decimal that has its scale in each value.
    BigDecimal,
    /// A UUID of 16 bytes; those of text are [`Node::Text`].
    Uuid,
    Fixed(u64),
    /// The symbols as JSON strings.
    Enum(Vec<Box<[u8]>>),
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record(Vec<Field>),
}

/// Where the size of a decimal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecimalSize {
    InValue,
    Fixed(u64),
}

/// A field of a record.
#[derive(Debug, PartialEq)]
pub(super) struct Field {
    /// The name as the key of JSON text, with the character before and the colon behind: `{"name":` or `,"name":`.
    pub key: Box<[u8]>,
    pub node: NodeId,
}

/// Reason why a text is not an Avro schema.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AvroSchemaError {
    #[error("it is not JSON: {0}")]
    Json(String),
    #[error("{0} is no type")]
    NoType(String),
    #[error("the type {} is not defined", printable(.0, SHOWN_MAX))]
    UnknownName(String),
    #[error("the type {} is defined twice", printable(.0, SHOWN_MAX))]
    Repeated(String),
    #[error("a type {kind:?} has no {key:?}")]
    Missing { kind: &'static str, key: &'static str },
    #[error("it has more than {NODES_MAX} types")]
    TooLarge,
}

impl AvroSchema {
    /// Compiles the text of a schema. `references` are the texts of schemas whose types it uses, each after those that it uses itself.
    ///
    /// # Errors
    /// When one of the texts is not a schema, or uses a type that none of them defines.
    pub fn compile<'t>(
        text: &str,
        references: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, AvroSchemaError> {
        let mut compiler = Compiler::default();
        for reference in references {
            compiler.compile(reference)?;
        }
        let root = compiler.compile(text)?;
        let nodes = compiler.nodes;
        let memory = nodes.iter().map(Node::memory).sum();
        Ok(Self { nodes, root, memory })
    }

    /// Allocated memory in bytes, about.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.memory
    }

    pub(super) fn root(&self) -> NodeId {
        self.root
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the nodes of a schema refer to its own list, which never changes"
    )]
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }
}

impl Node {
    fn memory(&self) -> usize {
        let behind = match self {
            Self::Enum(symbols) => symbols.iter().map(|symbol| symbol.len() + size_of::<Box<[u8]>>()).sum(),
            Self::Union(branches) => branches.len() * size_of::<NodeId>(),
            Self::Record(fields) => fields.iter().map(|field| field.key.len() + size_of::<Field>()).sum(),
            _ => 0,
        };
        size_of::<Self>() + behind
    }
}

/// Compiles one schema after another; later ones use the names of earlier ones.
#[derive(Default)]
struct Compiler {
    nodes: Vec<Node>,
    /// Nodes of named types by full name.
    names: HashMap<String, NodeId>,
    /// Namespaces of the records around the type that is compiled. `serde_json` bounds the depth.
    scopes: Vec<String>,
}

impl Compiler {
    fn compile(&mut self, text: &str) -> Result<NodeId, AvroSchemaError> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| AvroSchemaError::Json(error.to_string()))?;
        self.scopes.clear();
        self.schema(&value)
    }

    fn add(&mut self, node: Node) -> Result<NodeId, AvroSchemaError> {
        let index = self.nodes.len();
        if index >= NODES_MAX {
            return Err(AvroSchemaError::TooLarge);
        }
        self.nodes.push(node);
        Ok(NodeId(index as u32))
    }

    fn schema(&mut self, value: &Value) -> Result<NodeId, AvroSchemaError> {
        match value {
            Value::String(name) => self.named(name),
            Value::Array(branches) => {
                let branches: Result<_, _> = branches.iter().map(|branch| self.schema(branch)).collect();
                self.add(Node::Union(branches?))
            }
            Value::Object(object) => self.object(object),
            other => Err(AvroSchemaError::NoType(shown(other))),
        }
    }

    fn object(&mut self, object: &Map<String, Value>) -> Result<NodeId, AvroSchemaError> {
        let kind = object.get("type").ok_or(AvroSchemaError::Missing { kind: "object", key: "type" })?;
        let node = match kind {
            Value::String(word) => match word.as_str() {
                "record" | "error" => return self.record(object),
                "enum" => return self.enumeration(object),
                "fixed" => return self.fixed(object),
                "array" => {
                    let items = self.part(object, "array", "items")?;
                    return self.add(Node::Array(items));
                }
                "map" => {
                    let values = self.part(object, "map", "values")?;
                    return self.add(Node::Map(values));
                }
                name => self.named(name)?,
            },
            nested => self.schema(nested)?,
        };
        match self.logical(object, node) {
            Some(logical) => self.add(logical),
            None => Ok(node),
        }
    }

    /// The type of a name: a primitive type, or a type that is defined before.
    fn named(&mut self, name: &str) -> Result<NodeId, AvroSchemaError> {
        let primitive = match name {
            "null" => Node::Null,
            "boolean" => Node::Boolean,
            "int" => Node::Int,
            "long" => Node::Long,
            "float" => Node::Float,
            "double" => Node::Double,
            "bytes" => Node::Bytes,
            "string" => Node::Text,
            _ => {
                let full = full_name(name, self.namespace());
                // Java's library also finds a name without a namespace.
                let found = self.names.get(&full).or_else(|| self.names.get(name));
                return found.copied().ok_or_else(|| AvroSchemaError::UnknownName(name.to_owned()));
            }
        };
        self.add(primitive)
    }

    fn namespace(&self) -> &str {
        self.scopes.last().map_or("", String::as_str)
    }

    fn part(
        &mut self,
        object: &Map<String, Value>,
        kind: &'static str,
        key: &'static str,
    ) -> Result<NodeId, AvroSchemaError> {
        let part = object.get(key).ok_or(AvroSchemaError::Missing { kind, key })?;
        self.schema(part)
    }

    /// Defines a named type, which its own parts may use. Returns its namespace too.
    fn define(
        &mut self,
        object: &Map<String, Value>,
        kind: &'static str,
        node: Node,
    ) -> Result<(NodeId, String), AvroSchemaError> {
        let name = object.get("name").and_then(Value::as_str);
        let name = name.ok_or(AvroSchemaError::Missing { kind, key: "name" })?;
        let namespace = object.get("namespace").and_then(Value::as_str).unwrap_or(self.namespace());
        let full = full_name(name, namespace);
        let namespace = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        let id = self.add(node)?;
        if self.names.insert(full.clone(), id).is_some() {
            return Err(AvroSchemaError::Repeated(full));
        }
        Ok((id, namespace))
    }

    fn record(&mut self, object: &Map<String, Value>) -> Result<NodeId, AvroSchemaError> {
        const KIND: &str = "record";
        let missing = |key| AvroSchemaError::Missing { kind: KIND, key };
        let (id, namespace) = self.define(object, KIND, Node::Record(Vec::new()))?;
        let fields = object.get("fields").and_then(Value::as_array).ok_or(missing("fields"))?;
        self.scopes.push(namespace);
        let mut compiled = Vec::new();
        for field in fields {
            let name = field.get("name").and_then(Value::as_str).ok_or(missing("name"))?;
            let kind = field.get("type").ok_or(missing("type"))?;
            let node = self.schema(kind)?;
            let before = if compiled.is_empty() { "{" } else { "," };
            let key = format!("{before}{}:", Value::from(name)).into_bytes().into();
            compiled.push(Field { key, node });
        }
        self.scopes.pop();
        self.replace(id, Node::Record(compiled));
        Ok(id)
    }

    fn enumeration(&mut self, object: &Map<String, Value>) -> Result<NodeId, AvroSchemaError> {
        const KIND: &str = "enum";
        let symbols = object.get("symbols").and_then(Value::as_array);
        let symbols = symbols.ok_or(AvroSchemaError::Missing { kind: KIND, key: "symbols" })?;
        let symbols = symbols.iter().map(|symbol| match symbol {
            Value::String(_) => Ok(symbol.to_string().into_bytes().into()),
            other => Err(AvroSchemaError::NoType(shown(other))),
        });
        let symbols = symbols.collect::<Result<_, _>>()?;
        self.define(object, KIND, Node::Enum(symbols)).map(|(id, _)| id)
    }

    fn fixed(&mut self, object: &Map<String, Value>) -> Result<NodeId, AvroSchemaError> {
        const KIND: &str = "fixed";
        let size = object.get("size").and_then(Value::as_u64);
        let size = size.ok_or(AvroSchemaError::Missing { kind: KIND, key: "size" })?;
        let (id, _) = self.define(object, KIND, Node::Fixed(size))?;
        // The name means the logical type too.
        if let Some(logical) = self.logical(object, id) {
            self.replace(id, logical);
        }
        Ok(id)
    }

    fn replace(&mut self, id: NodeId, by: Node) {
        if let Some(node) = self.nodes.get_mut(id.0 as usize) {
            *node = by;
        }
    }

    /// The logical type that an object gives a node; none if it gives none, or one that the type can't have.
    fn logical(&self, object: &Map<String, Value>, node: NodeId) -> Option<Node> {
        const SECOND_NS: i64 = 1_000_000_000;
        let word = object.get("logicalType")?.as_str()?;
        let node = self.nodes.get(node.0 as usize)?;
        let time =
            |unit_ns| Some(Node::Time { unit_ns, is_local: word.starts_with("local-"), is_int: false });
        match (word, node) {
            ("date", Node::Int) => {
                Some(Node::Time { unit_ns: 86_400 * SECOND_NS, is_local: true, is_int: true })
            }
            ("timestamp-millis" | "local-timestamp-millis", Node::Long) => time(1_000_000),
            ("timestamp-micros" | "local-timestamp-micros", Node::Long) => time(1_000),
            ("timestamp-nanos" | "local-timestamp-nanos", Node::Long) => time(1),
            ("decimal", Node::Bytes) => {
                Some(Node::Decimal { scale: scale(object)?, size: DecimalSize::InValue })
            }
            ("decimal", Node::Fixed(size)) => {
                Some(Node::Decimal { scale: scale(object)?, size: DecimalSize::Fixed(*size) })
            }
            ("big-decimal", Node::Bytes) => Some(Node::BigDecimal),
            ("uuid", Node::Fixed(16)) => Some(Node::Uuid),
            _ => None,
        }
    }
}

/// The scale of a decimal; none if it is no usable number.
fn scale(object: &Map<String, Value>) -> Option<usize> {
    let scale = match object.get("scale") {
        None | Some(Value::Null) => 0,
        Some(scale) => usize::try_from(scale.as_u64()?).ok()?,
    };
    (scale <= SCALE_MAX).then_some(scale)
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn shown(value: &Value) -> String {
    printable(&value.to_string(), SHOWN_MAX)
}
