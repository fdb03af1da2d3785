//! Reads the schema of a `[[mapping]]` with `format = "protobuf"`.

use super::section::Section;
use mapping::{ProtobufSchema, ProtobufSchemaError, ReadFile, Schema};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The schema of values without a frame; none without `schema`, because a registry's frame selects the message.
pub fn schema(section: Section<'_>) -> Option<Schema> {
    let message = section.text("message");
    if !section.has("schema") && message.is_some() {
        let why = "`message` selects a message of the file of `schema`, and the frame of a registry selects its own: leave it out";
        section.error("message", why);
    }
    if section.has("message") && message.is_none() {
        return None;
    }
    let path = section.file("schema")?;
    let name = message.as_ref().map(|message| message.value.as_str());
    let folder = section.context.around.folder;
    match (read(&path, folder, name), message) {
        (Ok(schema), _) => Some(Schema::Protobuf(Arc::new(schema))),
        (Err(error @ ProtobufSchemaError::UnknownMessage { .. }), Some(message)) => {
            section.refuse(&message, error.to_string());
            None
        }
        (Err(error @ ProtobufSchemaError::Source(_)), _) => {
            section.error("schema", format!("`schema`: {error}"));
            None
        }
        (Err(error), _) => {
            section.error("schema", format!("`schema`: {}: {error}", path.display()));
            None
        }
    }
}

fn read(path: &Path, folder: &Path, message: Option<&str>) -> Result<ProtobufSchema, ProtobufSchemaError> {
    let is_source = path.extension().is_some_and(|extension| extension == "proto");
    let name = path.file_name().and_then(|name| name.to_str());
    if let Some(name) = name.filter(|_| is_source) {
        return ProtobufSchema::compile(name, files(path, folder), message);
    }
    let unreadable = |why: io::Error| ProtobufSchemaError::Source(format!("{}: {why}", path.display()));
    ProtobufSchema::from_descriptor_set(&std::fs::read(path).map_err(unreadable)?, message)
}

/// Reads a file by the name that an import has: from the folder of the schema, or from one of the folders above, up to that of the
/// configuration file.
fn files(path: &Path, folder: &Path) -> ReadFile {
    let mut folders: Vec<PathBuf> = Vec::new();
    for above in path.ancestors().skip(1) {
        folders.push(above.to_owned());
        if above == folder || !above.starts_with(folder) {
            break;
        }
    }
    Box::new(move |name| {
        for folder in &folders {
            match std::fs::read_to_string(folder.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
        }
        Err(io::ErrorKind::NotFound.into())
    })
}
