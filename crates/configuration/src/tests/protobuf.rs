//! Schemas of Protobuf in files.

use super::*;
use ::mapping::{Format, Schema};
use std::fs;
use std::path::PathBuf;

/// A folder with files, which is removed with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let name = format!("protobuf-{}-{:x}", std::process::id(), fastrand::u64(..));
        let folder = Self(std::env::temp_dir().join(name));
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn load(&self, lines: &str) -> Result<Loaded, String> {
        let text = with("mapping", &format!("format = 'protobuf'\n{lines}"));
        parse(&self.0.join("bridge.toml"), &text, &env).map_err(|errors| errors.to_string())
    }

    /// Name of the records' message.
    fn message(&self, lines: &str) -> String {
        let rules = self
            .load(lines)
            .unwrap_or_else(|errors| panic!("{lines}: {errors}"))
            .config
            .mappings
            .remove(0)
            .rules;
        assert_eq!(rules.format, Format::Protobuf);
        match &rules.schema {
            Some(Schema::Protobuf(schema)) => schema.message().to_owned(),
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _already_removed = fs::remove_dir_all(&self.0);
    }
}

const METRIC: &str =
    "syntax = 'proto3'; package acme; import 'acme/part.proto'; message Metric { Part part = 1; }";
const PART: &str = "syntax = 'proto3'; package acme; message Part { double v = 1; }";

#[test]
fn imports_are_beside_the_schema_or_above_up_to_the_configuration() {
    let folder = Folder::new(&[("schemas/acme/metric.proto", METRIC), ("schemas/acme/part.proto", PART)]);
    assert_eq!(folder.message("schema = 'schemas/acme/metric.proto'"), "acme.Metric");
    let beside = METRIC.replace("acme/part", "part");
    let folder = Folder::new(&[("metric.proto", &beside), ("part.proto", PART)]);
    assert_eq!(folder.message("schema = 'metric.proto'"), "acme.Metric");
    assert_eq!(folder.message("schema = 'metric.proto'\nmessage = 'acme.Part'"), "acme.Part");
    // The folder above that of the configuration is not searched.
    let folder = Folder::new(&[("inner/metric.proto", METRIC), ("acme/part.proto", PART)]);
    let inner = Folder(folder.0.join("inner"));
    let errors = inner.load("schema = 'metric.proto'").unwrap_err();
    assert!(errors.contains("metric.proto:1:34: import 'acme/part.proto' not found"), "{errors}");
}

#[test]
fn errors_name_the_file_the_line_and_the_remedy() {
    let two = "syntax = 'proto3';\nmessage One {}\nmessage Two {}";
    let folder = Folder::new(&[
        ("one.proto", "syntax = 'proto3';\nmessage One { int64 v = 1; }"),
        ("two.proto", two),
        ("wrong.proto", "syntax = 'proto3';\nmessage One { int64 v; }"),
        ("none.pb", "no descriptors"),
    ]);
    let f = |lines: &str, want: &str| {
        let errors = folder.load(lines).unwrap_err();
        assert!(errors.contains(want), "{lines}: {errors}");
    };
    f("message = 'One'", "`message` selects a message of the file of `schema`");
    f("schema = 'missing.proto'", "missing.proto can't be read");
    f("schema = 'wrong.proto'", "`schema`: wrong.proto:2:22: expected");
    f(
        "schema = 'two.proto'",
        "two.proto: it declares several messages (One, Two): name the one of the records with `message`",
    );
    f(
        "schema = 'two.proto'\nmessage = 'Tow'",
        "`message`: the schema has no message \"Tow\"; did you mean \"Two\"?",
    );
    f("schema = 'none.pb'", "--include_imports");
    f("schema = 'one.proto'\nmessage = ''", "`message` is empty");
    f("schema = 'one.proto'\nmessage = 5", "`message` must be a string");
    let errors = run(&with("mapping", "message = 'One'")).unwrap_err().to_string();
    assert!(
        errors.contains("`message` belongs to format = \"protobuf\", not \"json\": leave it out"),
        "{errors}"
    );
}

#[test]
fn without_a_schema_a_registry_has_it() {
    let folder = Folder::new(&[]);
    assert!(folder.load("").is_err());
    let text = with("mapping", "format = 'protobuf'") + "[schema_registry]\nurl = 'http://localhost:8081'\n";
    assert!(config(&text).mappings[0].rules.schema.is_none());
}

#[test]
fn a_reload_notices_a_changed_schema() {
    let folder = Folder::new(&[("m.proto", "syntax = 'proto3'; message M { int64 v = 1; }")]);
    let load = || folder.load("schema = 'm.proto'").unwrap().config;
    let old = load();
    assert!(old.changes_to(&load()).unwrap().is_empty());
    folder.write("m.proto", "syntax = 'proto3'; message M { int64 v = 1; int64 w = 2; }");
    assert!(!old.changes_to(&load()).unwrap().is_empty());
}

#[test]
fn a_timestamp_needs_no_time_format() {
    let folder = Folder::new(&[("m.proto", "syntax = 'proto3'; message M { int64 v = 1; }")]);
    let loaded = folder.load("schema = 'm.proto'\ntime_key = 'at'").unwrap();
    assert!(loaded.summaries[0].contains("a point for each M, "), "{:?}", loaded.summaries);
}
