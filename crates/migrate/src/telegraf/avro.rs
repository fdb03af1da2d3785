//! Migrates `data_format = "avro"`.

use super::conf::Options;
use super::json;
use super::rules::{Registry, Rules};

/// Options of the parser.
pub const OPTIONS: [&str; 13] = [
    "avro_format",
    "avro_measurement",
    "avro_measurement_field",
    "avro_tags",
    "avro_fields",
    "avro_timestamp",
    "avro_timestamp_format",
    "avro_timezone",
    "avro_field_separator",
    "avro_union_mode",
    "avro_schema",
    "avro_schema_registry",
    "avro_schema_registry_cert",
];

pub fn read(input: &Options, rules: &mut Rules) {
    rules.format = Some("avro");
    // Telegraf keeps strings and booleans, and the types of numbers.
    rules.string_fields = vec!["*".to_owned()];
    rules.integers = true;
    rules.tag_keys = input.texts("avro_tags");
    rules.include = input.texts("avro_fields");
    measurement(input, rules);
    rules.time_key = input.text("avro_timestamp");
    if rules.time_key.is_some() && input.text("avro_timestamp_format").is_none() {
        // Telegraf's default. A logical type of the schema takes precedence here.
        rules.time_format = Some("unix".to_owned());
    } else {
        json::time(input, ["avro_timestamp", "avro_timestamp_format", "avro_timezone"], rules);
    }
    if let Some(separator) = input.text("avro_field_separator").filter(|separator| separator != "_") {
        let why = format!(
            "the bridge joins the names of nested fields with \"_\", not {separator:?}: `rename` gives a field its old name"
        );
        rules.note(input, "avro_field_separator", why);
    }
    match input.text("avro_union_mode").as_deref() {
        Some("nullable" | "any") => {}
        _ => rules.note(
            input,
            "avro_union_mode",
            "with \"flatten\", the default, Telegraf adds the type to the name of a union, as in load_double; the bridge does not, so such \
             fields get other names: `rename` gives a field its old name",
        ),
    }
    schemas(input, rules);
}

fn measurement(input: &Options, rules: &mut Rules) {
    rules.name_key = input.text("avro_measurement_field");
    match input.text("avro_measurement") {
        Some(name) => {
            rules.measurement = name;
            rules.name_key = None;
        }
        None if rules.name_key.is_none() => {
            "{topic}".clone_into(&mut rules.measurement);
            rules.is_name_template = true;
            rules.note(
                input,
                "data_format",
                "without `avro_measurement` Telegraf names points after the schema; the bridge names them after the topic: set `measurement` \
                 to the name of the schema with its namespace",
            );
        }
        None => {}
    }
}

fn schemas(input: &Options, rules: &mut Rules) {
    if let Some(certificate) = input.text("avro_schema_registry_cert") {
        let why = format!("write ca_file = {certificate:?} into [schema_registry]");
        rules.note(input, "avro_schema_registry_cert", why);
    }
    if let Some(url) = input.text("avro_schema_registry") {
        rules.registry = Some(registry(&url, rules));
        return;
    }
    let why = match input.text("avro_schema") {
        Some(_) => format!("FILL IN: the schema of {} belongs into a file.", input.place("avro_schema")),
        None => "FILL IN: the file with the schema of the records.".to_owned(),
    };
    rules.fill_in.push(
        "mapping.schema: write the schema into a file, such as metric.avsc, and its name here".to_owned(),
    );
    rules.because.push(("schema", why));
    rules.schema = Some("${FILL_IN_SCHEMA}".to_owned());
}

/// The address, and the login that Telegraf has in it.
fn registry(url: &str, rules: &mut Rules) -> Registry {
    let split = url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?)));
    let Some((scheme, (login, address))) = split else {
        return Registry { url: url.to_owned(), username: None };
    };
    let username = login.split_once(':').map_or(login, |(username, _)| username);
    rules.fill_in.push(
        "schema_registry.password: set REGISTRY_PASSWORD to the password in avro_schema_registry".to_owned(),
    );
    Registry { url: format!("{scheme}://{address}"), username: Some(username.to_owned()) }
}

#[cfg(test)]
mod tests {
    use crate::golden::of_text;

    fn written(options: &str) -> String {
        let text = format!(
            "[[inputs.kafka_consumer]]\nbrokers = ['b:1']\ntopics = ['t']\ndata_format = 'avro'\n{options}\n\
             [[outputs.influxdb_v2]]\nurls = ['http://i:8086']\ntoken = 't'\norganization = 'o'\nbucket = 'b'\n"
        );
        of_text("telegraf.conf", &text).unwrap().bridges[0].draft.to_string()
    }

    #[test]
    fn options_become_keys() {
        let got = written(
            "avro_schema_registry = 'http://u:p@r:8081'\navro_measurement = 'm'\navro_tags = ['host']\navro_fields = ['load']\n\
             avro_timestamp = 'at'\navro_timestamp_format = 'unix_ms'\navro_union_mode = 'any'",
        );
        for want in [
            "format = \"avro\"",
            "measurement = \"m\"",
            "tag_keys = [\"host\"]",
            "include = [\"load\"]",
            "integers = \"int\"",
            "time_key = \"at\"",
            "time_format = \"unix_ms\"",
            "[schema_registry]",
            "url = \"http://r:8081\"",
            "username = \"u\"",
            "password = \"${REGISTRY_PASSWORD}\"",
        ] {
            assert!(got.contains(want), "{want}: {got}");
        }
        assert!(!got.contains("u:p@") && !got.contains("avro_union_mode"), "{got}");
    }

    #[test]
    fn what_differs_is_named() {
        let got = written("avro_schema = '\"int\"'\navro_field_separator = '.'\navro_timestamp = 'at'");
        for want in [
            "avro_union_mode",
            "avro_field_separator",
            "measurement = \"{topic}\"",
            "schema = \"${FILL_IN_SCHEMA}\"",
            "time_format = \"unix\"",
        ] {
            assert!(got.contains(want), "{want}: {got}");
        }
    }
}
