//! Tests with whole files: their meaning, and the messages about their mistakes.

use super::*;
use crate::folder::Folder;
use std::path::Path;

mod clients;
mod errors;
mod generated;
mod managed_kafka;
mod masking;
mod protobuf;
mod reference;
mod values;
mod wrong_values;

/// The shortest valid file.
const SMALL: &str = "
[kafka]
brokers = \"localhost:9092\"
topics = \"metrics\"
[influx]
url = \"http://localhost:8086\"
org = \"test\"
bucket = \"ec2\"
token = \"${INFLUX_TOKEN}\"
";

fn env(name: &str) -> Option<String> {
    match name {
        "INFLUX_TOKEN" => Some("hush-hush".to_owned()),
        "LINES" => Some("77".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn run(text: &str) -> Result<Loaded, ConfigErrors> {
    parse(Path::new("bridge.toml"), text, &env)
}

fn config(text: &str) -> Config {
    run(text).unwrap_or_else(|errors| panic!("{text}\n{errors}")).config
}

/// `SMALL` with lines added to one of its tables, or a table at its end.
fn with(table: &str, lines: &str) -> String {
    with_lines(SMALL, table, lines)
}

fn with_lines(file: &str, table: &str, lines: &str) -> String {
    let header = format!("[{table}]\n");
    match table {
        "" => format!("{lines}\n{file}"),
        _ if file.contains(&header) => file.replace(&header, &format!("{header}{lines}\n")),
        "mapping" => format!("{file}\n[[mapping]]\n{lines}\n"),
        _ if table.starts_with("mapping.") => format!("{file}\n[[mapping]]\n{header}{lines}\n"),
        _ => format!("{file}\n{header}{lines}\n"),
    }
}
