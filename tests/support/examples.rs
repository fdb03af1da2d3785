//! The records of a folder of `examples/`, and the schema registry that they need.

#![allow(dead_code, reason = "no test uses all of this")]

use crate::schema_server::SchemaServer;
use mapping::{Format, Rules, Schemas, messages_of_file};
use schema_registry::{BlockingRegistry, Settings};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Address of the registry in the examples.
pub const REGISTRY: &str = "http://localhost:8081";

pub struct ExampleRecords {
    /// Name of the file.
    pub file: &'static str,
    pub records: Vec<Vec<u8>>,
    /// A registry that answers with the files of the example.
    pub registry: Option<SchemaServer>,
}

impl ExampleRecords {
    pub fn read(folder: &Path) -> Self {
        let names = ["records.jsonl", "records.csv", "records.lp", "records.avro", "records.pb"];
        let file = names.into_iter().find(|name| folder.join(name).exists()).unwrap();
        let bytes = fs::read(folder.join(file)).unwrap();
        let registry = registry(folder);
        let records = match file {
            "records.csv" => split(&bytes, b"\n\n"),
            "records.lp" => line_protocol::reader::split_lines(&bytes)
                .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
                .map(<[u8]>::to_vec)
                .collect(),
            "records.avro" => values(&bytes, &schemas(registry.as_ref().unwrap())),
            "records.pb" => messages_of_file(&bytes).into_iter().map(<[u8]>::to_vec).collect(),
            _ => split(bytes.trim_ascii_end(), b"\n"),
        };
        Self { file, records, registry }
    }

    /// The schemas of the registry.
    pub fn schemas(&self) -> Option<Arc<dyn Schemas>> {
        self.registry.as_ref().map(schemas)
    }

    /// The text of a configuration with the address of this registry.
    pub fn with_registry(&self, config: &str) -> String {
        let address = self.registry.as_ref().map_or(REGISTRY, |registry| &registry.address);
        config.replace(REGISTRY, address)
    }
}

/// A registry with the files under `schemas` and `subjects`; none if there are none.
fn registry(folder: &Path) -> Option<SchemaServer> {
    if !folder.join("schemas").is_dir() {
        return None;
    }
    let (server, mut open) = (SchemaServer::start(), vec!["schemas".to_owned(), "subjects".to_owned()]);
    while let Some(path) = open.pop() {
        let place = folder.join(&path);
        if place.is_file() {
            server.answer(&format!("/{path}"), 200, &fs::read_to_string(&place).unwrap());
            continue;
        }
        for entry in fs::read_dir(&place).into_iter().flatten() {
            open.push(format!("{path}/{}", entry.unwrap().file_name().to_str().unwrap()));
        }
    }
    Some(server)
}

fn schemas(registry: &SchemaServer) -> Arc<dyn Schemas> {
    let settings = Settings::new(registry.address.parse().unwrap());
    Arc::new(BlockingRegistry::new(&settings).unwrap())
}

/// Values with a frame, one directly after another. Bytes that are no value are the last one.
fn values(mut bytes: &[u8], schemas: &Arc<dyn Schemas>) -> Vec<Vec<u8>> {
    let (rules, mut values) = (Rules { format: Format::Avro, ..Rules::default() }, Vec::new());
    while !bytes.is_empty() {
        let end = rules.first_value(Some(schemas), bytes).unwrap_or(bytes.len());
        let (value, rest) = bytes.split_at(end);
        values.push(value.to_vec());
        bytes = rest;
    }
    values
}

fn split(bytes: &[u8], separator: &[u8]) -> Vec<Vec<u8>> {
    let text = std::str::from_utf8(bytes).unwrap();
    let separator = std::str::from_utf8(separator).unwrap();
    text.split(separator).map(|part| part.as_bytes().to_vec()).collect()
}
