//! Schema of Protobuf records: a `.proto` file with its imports, or a descriptor set.

use super::super::schema_reference::Reference;
use super::plan::{Builder, Plan};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prost_reflect::{DescriptorPool, FileDescriptor, MessageDescriptor};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use std::collections::HashMap;
use std::io;
use thiserror::Error;

/// The schema of Protobuf records, compiled for decoding.
#[derive(Clone, Debug, PartialEq)]
pub struct ProtobufSchema {
    pub(super) plan: Plan,
    /// The message of values without a frame; none for a schema of a registry, whose values all have one.
    pub(super) message: Option<usize>,
    /// The top-level messages of the file, in its order, which the index list of a frame counts.
    pub(super) top: Vec<usize>,
    name: String,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum ProtobufSchemaError {
    /// The text begins with the file and, where it is known, the line.
    #[error("{0}")]
    Source(String),
    #[error(
        "it is no set of descriptors ({0}): write one with `protoc --include_imports --descriptor_set_out`"
    )]
    DescriptorSet(String),
    #[error("it declares no message")]
    NoMessage,
    #[error("it declares several messages ({}): name the one of the records with `message`", .0.join(", "))]
    Ambiguous(Vec<String>),
    #[error(
        "`message`: the schema has no message {name:?}{}",
        .nearest.as_ref().map(|near| format!("; did you mean {near:?}?")).unwrap_or_default()
    )]
    UnknownMessage { name: String, nearest: Option<String> },
}

/// Reads the text of a file by the name that an `import` has. The error [`io::ErrorKind::NotFound`] means that there is no such file.
pub type ReadFile = Box<dyn Fn(&str) -> io::Result<String>>;

pub(super) struct Resolver(pub ReadFile);

impl FileResolver for Resolver {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match (self.0)(name) {
            Ok(text) => File::from_source(name, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(protox::Error::file_not_found(name)),
            Err(error) => Err(protox::Error::new(io::Error::new(error.kind(), format!("{name}: {error}")))),
        }
    }
}

/// The schemas of a registry by the names that imports have.
struct Registered(HashMap<String, String>);

impl FileResolver for Registered {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let text = self.0.get(name).ok_or_else(|| protox::Error::file_not_found(name))?;
        described_by(name, text).map_or_else(|| File::from_source(name, text), Ok)
    }
}

/// The file of a descriptor in Base64; none if the text is something else. Confluent's serializer for Python registers descriptors, and
/// some registries give them back as they are.
fn described_by(name: &str, text: &str) -> Option<File> {
    let bytes = BASE64_STANDARD.decode(text.trim_ascii()).ok()?;
    let file = File::decode_file_descriptor_proto(&bytes[..]).ok()?;
    let mut descriptor = file.file_descriptor_proto().clone();
    // An import names it by the name in the registry.
    descriptor.name = Some(name.to_owned());
    Some(File::from_file_descriptor_proto(descriptor))
}

impl ProtobufSchema {
    /// Compiles the `.proto` file `file` with its imports. `message` is the full name of the records' message; it can be left out if
    /// the file declares one message.
    ///
    /// # Errors
    /// When a file is missing or wrong, or the message cannot be determined.
    pub fn compile(file: &str, read: ReadFile, message: Option<&str>) -> Result<Self, ProtobufSchemaError> {
        let pool = pool(file, Resolver(read))?;
        let main = pool.get_file_by_name(file).ok_or(ProtobufSchemaError::NoMessage)?;
        Self::of_file(&pool, &main, message)
    }

    /// Reads a descriptor set, in which each file stands behind its imports.
    ///
    /// # Errors
    /// When the bytes are no complete descriptor set, or the message cannot be determined.
    pub fn from_descriptor_set(bytes: &[u8], message: Option<&str>) -> Result<Self, ProtobufSchemaError> {
        let pool = DescriptorPool::decode(bytes)
            .map_err(|error| ProtobufSchemaError::DescriptorSet(error.to_string()))?;
        let named = message.and_then(|name| pool.get_message_by_name(name.trim_start_matches('.')));
        let main = named.map(|message| message.parent_file()).or_else(|| pool.files().last());
        Self::of_file(&pool, &main.ok_or(ProtobufSchemaError::NoMessage)?, message)
    }

    /// Compiles a schema of a registry with the schemas that it imports. Each value then says which message it is.
    ///
    /// # Errors
    /// When a text is neither a `.proto` file nor a descriptor in Base64, or an import is missing.
    pub fn of_registry(text: &str, references: &[Reference]) -> Result<Self, ProtobufSchemaError> {
        /// The name of the file, which no import has.
        const MAIN: &str = "(the schema).proto";
        let files = references.iter().map(|reference| (reference.name.clone(), reference.text.clone()));
        let files = files.chain([(MAIN.to_owned(), text.to_owned())]).collect();
        let pool = pool(MAIN, Registered(files))?;
        let file = pool.get_file_by_name(MAIN).ok_or(ProtobufSchemaError::NoMessage)?;
        let mut builder = Builder::default();
        let top = file.messages().map(|message| builder.place(&message)).collect();
        Ok(Self { plan: builder.build(), message: None, top, name: String::new() })
    }

    fn of_file(
        pool: &DescriptorPool,
        file: &FileDescriptor,
        message: Option<&str>,
    ) -> Result<Self, ProtobufSchemaError> {
        let message = match message {
            Some(name) => by_name(pool, name)?,
            None => only(file)?,
        };
        let mut builder = Builder::default();
        let top = file.messages().map(|message| builder.place(&message)).collect();
        let place = builder.place(&message);
        Ok(Self { plan: builder.build(), message: Some(place), top, name: message.full_name().to_owned() })
    }

    /// Allocated memory in bytes, about.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.plan.memory() + self.top.capacity() * size_of::<usize>()
    }

    /// Full name of the message of values without a frame.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.name
    }
}

/// The descriptors of a `.proto` file and of its imports.
pub(super) fn pool(
    file: &str,
    files: impl FileResolver + 'static,
) -> Result<DescriptorPool, ProtobufSchemaError> {
    let mut resolver = ChainFileResolver::new();
    // The well-known types need no files.
    resolver.add(GoogleFileResolver::new());
    resolver.add(files);
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.open_file(file).map_err(|error| ProtobufSchemaError::Source(described(&error)))?;
    Ok(compiler.descriptor_pool())
}

fn by_name(pool: &DescriptorPool, name: &str) -> Result<MessageDescriptor, ProtobufSchemaError> {
    let found = pool.get_message_by_name(name.trim_start_matches('.')).filter(|found| !found.is_map_entry());
    found.ok_or_else(|| {
        let is_own = |message: &MessageDescriptor| {
            !message.is_map_entry() && message.package_name() != "google.protobuf"
        };
        let names: Vec<String> =
            pool.all_messages().filter(is_own).map(|message| message.full_name().to_owned()).collect();
        // The package may be missing.
        let behind_package = names.iter().find(|full| full.ends_with(&format!(".{name}")));
        let nearest = behind_package.map(String::as_str);
        let nearest = nearest.or_else(|| base::suggest::nearest(name, names.iter().map(String::as_str)));
        ProtobufSchemaError::UnknownMessage { name: name.to_owned(), nearest: nearest.map(str::to_owned) }
    })
}

fn only(file: &FileDescriptor) -> Result<MessageDescriptor, ProtobufSchemaError> {
    /// Names that an error shows.
    const SHOWN_MAX: usize = 10;
    let mut messages = file.messages();
    match (messages.next(), messages.next()) {
        (None, _) => Err(ProtobufSchemaError::NoMessage),
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => {
            let names = file.messages().map(|message| message.full_name().to_owned());
            Err(ProtobufSchemaError::Ambiguous(names.take(SHOWN_MAX).collect()))
        }
    }
}

/// The error on one line, behind the file and the line.
fn described(error: &protox::Error) -> String {
    // The debug form of these errors is "file:line:column: error".
    let text = format!("{error:?}").replace("::", ":");
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // An error at the end of a file has no place.
    if let Some(file) = error.file().filter(|file| !text.contains(file)) {
        text = format!("{file}: {text}");
    }
    if error.is_file_not_found() {
        return format!(
            "{text}: imports are looked up beside the schema and in the folders above, up to that of the configuration"
        );
    }
    text
}
