//! Connections to Kafka, a schema registry and InfluxDB, from the command line and an existing bridge.toml. The written values contain no secrets.

use super::{InitError, InitOptions};
use configuration::Config;
use configuration::draft::{Draft, Table};
use configuration::managed_kafka::{PASSWORD, Preset, Purpose};
use kafka::Settings;
use mapping::Schemas;
use schema_registry::BlockingRegistry;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Value;

/// Default address of Kafka.
const BROKERS: &str = "localhost:9092";

/// `[kafka]` without its topics, `[schema_registry]` and `[influx]`.
#[derive(Debug)]
pub struct Connection {
    /// File for messages, and for resolving relative file names.
    pub place: PathBuf,
    pub kafka: toml::Table,
    pub schema_registry: Option<toml::Table>,
    pub influx: Option<toml::Table>,
    /// Validated settings with secrets. None if records come from a file, so that Kafka is not needed.
    pub checked: Option<Settings>,
    /// The schemas of the registry, if one is named.
    pub schemas: Option<Arc<dyn Schemas>>,
    /// Whether the user named brokers.
    pub is_named: bool,
    preset: Option<&'static Preset>,
}

impl Connection {
    pub fn new(options: &InitOptions) -> Result<Self, InitError> {
        let mut read = match &options.config {
            Some(path) => read(path)?,
            None => toml::Table::new(),
        };
        let mut take = |name: &str| match read.remove(name) {
            Some(Value::Table(table)) => Some(table),
            _ => None,
        };
        // A file without [kafka] leaves the addresses to --brokers or the default.
        let (mut kafka, influx) = (take("kafka").unwrap_or_default(), take("influx"));
        let mut schema_registry = take("schema_registry");
        if let Some(url) = &options.schema_registry {
            let table = schema_registry.get_or_insert_default();
            table.remove("urls");
            table.insert("url".to_owned(), Value::from(url.as_str()));
        }
        for other in ["topics", "group_id", "instance_id"] {
            kafka.remove(other);
        }
        let is_named = !options.brokers.is_empty() || kafka.contains_key("brokers");
        if !options.brokers.is_empty() {
            kafka.insert("brokers".to_owned(), Value::from(options.brokers.clone()));
        } else if !is_named {
            let broker = match options.preset {
                Some(preset) if !options.is_of_files() => return Err(InitError::NoBrokers(preset)),
                Some(preset) => preset.broker,
                None => BROKERS,
            };
            kafka.insert("brokers".to_owned(), Value::from(vec![broker]));
        }
        kafka.extend(options.preset.map(preset_tables).unwrap_or_default());
        for property in &options.kafka_properties {
            let (name, value) =
                property.split_once('=').ok_or_else(|| InitError::Property(property.clone()))?;
            let entry = kafka.entry("librdkafka").or_insert_with(|| Value::Table(toml::Table::new()));
            if let Value::Table(properties) = entry {
                properties.insert(name.trim().to_owned(), Value::from(value));
            }
        }
        let place = options.config.clone().unwrap_or_else(|| options.output.clone());
        // Records of a file need no Kafka, and no variables of its secrets.
        let no_kafka = toml::Table::from_iter([("brokers".to_owned(), Value::from(BROKERS))]);
        let wanted = if options.is_of_files() { &no_kafka } else { &kafka };
        let Config { kafka: settings, schema_registry: registry, .. } =
            check(wanted, schema_registry.as_ref(), &place)?;
        let checked = (!options.is_of_files()).then_some(settings);
        let registry = registry.map(|settings| BlockingRegistry::new(&settings)).transpose()?;
        let schemas = registry.map(|registry| Arc::new(registry) as Arc<dyn Schemas>);
        Ok(Self { place, kafka, schema_registry, influx, checked, schemas, is_named, preset: options.preset })
    }

    /// The tables of `[kafka]`, with variables for secrets and the reasons of the preset.
    pub fn kafka_tables(&self) -> Vec<Table> {
        let mut tables = tables(KAFKA, &self.kafka, Some("KAFKA_PASSWORD"), self.preset);
        let Some(preset) = self.preset else { return tables };
        if let Some(first) = tables.first_mut() {
            first.comment(format!("{}, as `init --preset {}` knows it.", preset.service, preset.name));
            for note in preset.notes {
                first.comment(*note);
            }
        }
        let optional = preset.properties.iter().filter(|property| property.purpose == Purpose::Optional);
        for property in optional {
            let mut table = Table::new("# [kafka.librdkafka]");
            table.suggest(property.name, property.value, &[property.reason]);
            tables.push(table);
        }
        tables
    }

    /// `[schema_registry]`, if a registry is named.
    pub fn registry_tables(&self) -> Vec<Table> {
        let Some(registry) = &self.schema_registry else { return Vec::new() };
        let is_token = registry.contains_key("token");
        let variable = if is_token { "SCHEMA_REGISTRY_TOKEN" } else { "SCHEMA_REGISTRY_PASSWORD" };
        tables(SCHEMA_REGISTRY, registry, Some(variable), None)
    }

    /// The tables of `[influx]`, if the configuration has it.
    pub fn influx_tables(&self) -> Option<Vec<Table>> {
        self.influx.as_ref().map(|influx| {
            let variable = if influx.contains_key("token") { "INFLUX_TOKEN" } else { "INFLUX_PASSWORD" };
            tables(INFLUX, influx, Some(variable), None)
        })
    }
}

/// The keys that a preset adds to `[kafka]`.
fn preset_tables(preset: &Preset) -> toml::Table {
    let text = |text: &str| Value::from(text);
    let mut kafka = toml::Table::new();
    if let Some(login) = &preset.login {
        let sasl = [("mechanism", login.mechanism), ("username", login.username), ("password", PASSWORD)];
        let sasl = sasl.map(|(key, value)| (key.to_owned(), text(value)));
        kafka.insert("tls".to_owned(), Value::Table(toml::Table::new()));
        kafka.insert("sasl".to_owned(), Value::Table(sasl.into_iter().collect()));
    }
    let written = preset.properties.iter().filter(|property| property.purpose != Purpose::Optional);
    let properties: toml::Table = written
        .map(|property| {
            let number = property.value.parse::<i64>();
            (property.name.to_owned(), number.map_or_else(|_| text(property.value), Value::from))
        })
        .collect();
    if !properties.is_empty() {
        kafka.insert("librdkafka".to_owned(), Value::Table(properties));
    }
    kafka
}

/// Header of a table, and names and headers of its subtables.
type Headers = (&'static str, &'static [(&'static str, &'static str)]);
const KAFKA: Headers =
    ("[kafka]", &[("tls", "[kafka.tls]"), ("sasl", "[kafka.sasl]"), ("librdkafka", "[kafka.librdkafka]")]);
const SCHEMA_REGISTRY: Headers = ("[schema_registry]", &[]);
const INFLUX: Headers = ("[influx]", &[("tls", "[influx.tls]")]);

/// Builds the tables, with `variable` instead of secrets and the reasons of the preset.
fn tables(
    (header, inner): Headers,
    values: &toml::Table,
    variable: Option<&str>,
    preset: Option<&Preset>,
) -> Vec<Table> {
    let mut first = Table::new(header);
    let mut tables = Vec::new();
    for (key, value) in values {
        match (value, inner.iter().find(|(name, _)| name == key)) {
            (Value::Table(values), Some((_, header))) => {
                let mut table = Table::new(header);
                fill(&mut table, "", values, variable, preset);
                tables.push(table);
            }
            _ => set(&mut first, key, value, variable, preset),
        }
    }
    tables.insert(0, first);
    tables
}

/// Adds nested tables as names with dots.
fn fill(
    table: &mut Table,
    parent: &str,
    values: &toml::Table,
    variable: Option<&str>,
    preset: Option<&Preset>,
) {
    for (key, value) in values {
        let name = if parent.is_empty() { key.clone() } else { format!("{parent}.{key}") };
        match value {
            Value::Table(values) => fill(table, &name, values, variable, preset),
            value => set(table, &name, value, variable, preset),
        }
    }
}

fn set(table: &mut Table, name: &str, value: &Value, variable: Option<&str>, preset: Option<&Preset>) {
    let is_open = value.as_str().is_some_and(|text| !text.contains("${"));
    match variable.filter(|_| is_open && configuration::is_secret_name(name)) {
        Some(variable) => {
            let why = "The secret is not copied here: set this environment variable.";
            table.set_because(name, format!("${{{variable}}}"), &[why])
        }
        None => match preset.and_then(|preset| preset.reason_of(name)) {
            Some(why) => table.set_because(name, value.clone(), &[why]),
            None => table.set(name, value.clone()),
        },
    };
}

fn read(path: &Path) -> Result<toml::Table, InitError> {
    let text = fs::read_to_string(path).map_err(|why| InitError::Input { path: path.to_owned(), why })?;
    // The full message of the parser shows the line, which may contain a secret.
    text.parse().map_err(|error: toml::de::Error| InitError::NotToml {
        path: path.to_owned(),
        why: error.message().to_owned(),
    })
}

/// Validates the settings of Kafka and of the schema registry with their secrets, as `run` does. InfluxDB is not needed.
fn check(kafka: &toml::Table, registry: Option<&toml::Table>, place: &Path) -> Result<Config, InitError> {
    let mut own = tables(KAFKA, kafka, None, None);
    if let Some(first) = own.first_mut() {
        first.set("topics", vec!["init"]);
    }
    let mut influx = Table::new("[influx]");
    influx.set("url", "http://localhost").set("api", "v1").set("database", "init");
    own.push(influx);
    own.extend(registry.into_iter().flat_map(|registry| tables(SCHEMA_REGISTRY, registry, None, None)));
    let text = Draft { comments: Vec::new(), tables: own }.to_string();
    let loaded = configuration::parse(place, &text, &|name| std::env::var(name).ok());
    loaded.map(|loaded| loaded.config).map_err(InitError::Connection)
}
