//! The tables of a new bridge.toml while plugins fill them.

use super::Bridge;
use super::plugin::SourceLine;
use configuration::draft::{Draft, Table};

#[derive(Clone, Debug)]
pub struct DraftTables {
    pub comments: Vec<String>,
    pub kafka: Table,
    pub tls: Option<Table>,
    pub sasl: Option<Table>,
    pub librdkafka: Option<Table>,
    pub mappings: Vec<Table>,
    pub influx: Table,
    pub influx_tls: Option<Table>,
    pub batch: Option<Table>,
    pub fill_in: Vec<String>,
}

impl Default for DraftTables {
    fn default() -> Self {
        Self {
            comments: Vec::new(),
            kafka: Table::new("[kafka]"),
            tls: None,
            sasl: None,
            librdkafka: None,
            mappings: Vec::new(),
            influx: Table::new("[influx]"),
            influx_tls: None,
            batch: None,
            fill_in: Vec::new(),
        }
    }
}

impl DraftTables {
    pub fn tls(&mut self) -> &mut Table {
        self.tls.get_or_insert_with(|| Table::new("[kafka.tls]"))
    }

    pub fn sasl(&mut self) -> &mut Table {
        self.sasl.get_or_insert_with(|| Table::new("[kafka.sasl]"))
    }

    pub fn librdkafka(&mut self) -> &mut Table {
        self.librdkafka.get_or_insert_with(|| Table::new("[kafka.librdkafka]"))
    }

    pub fn influx_tls(&mut self) -> &mut Table {
        self.influx_tls.get_or_insert_with(|| Table::new("[influx.tls]"))
    }

    /// A secret for the new file. A reference stays a reference, without its default. A plain secret becomes a variable
    /// to set, because terminals show the new file.
    pub fn secret(&mut self, key: &str, variable: &str, text: &str, place: &SourceLine) -> String {
        let inside = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        match inside.filter(|inside| !inside.contains("${")).map(|inside| inside.split_once(":-")) {
            Some(None) => return text.to_owned(),
            Some(Some((name, _))) => {
                self.fill_in.push(format!("{key}: set {name}; its default stays in {}", place.shown()));
                return format!("${{{name}}}");
            }
            None => {}
        }
        self.fill_in.push(format!("{key}: set {variable} to the value in {}", place.shown()));
        format!("${{{variable}}}")
    }

    /// Adds an `[influx]` to fill in, because the old file does not write to InfluxDB.
    pub fn influx_to_fill_in(&mut self) {
        self.influx
            .comment("To fill in: the migrated file does not write to InfluxDB.")
            .set("url", "http://localhost:8086")
            .set("org", "${INFLUX_ORG}")
            .set("bucket", "${INFLUX_BUCKET}")
            .set("token", "${INFLUX_TOKEN}");
        self.fill_in.push("influx: write url, org, bucket and token of your InfluxDB, or set INFLUX_ORG, INFLUX_BUCKET and INFLUX_TOKEN".to_owned());
    }

    pub fn bridge(self) -> Bridge {
        let mut tables = vec![self.kafka];
        tables.extend(self.tls.into_iter().chain(self.sasl).chain(self.librdkafka));
        tables.extend(self.mappings);
        tables.push(self.influx);
        tables.extend(self.influx_tls.into_iter().chain(self.batch));
        Bridge { draft: Draft { comments: self.comments, tables }, fill_in: self.fill_in }
    }
}

/// Sets a key that is not set yet: two options of a plugin may have the same counterpart.
pub fn set_once(table: &mut Table, key: &str, value: impl Into<toml::Value>) {
    if table.get(key).is_none() {
        table.set(key, value);
    }
}
