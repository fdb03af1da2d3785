//! Records of Protobuf: points, dead letters with the original bytes, a schema that a reload reads again, and schemas of a registry.

use super::letters::original;
use super::reload::reload;
use crate::folder::Folder;
use crate::schema_server::SchemaServer;
use crate::support::{Cluster, Setup, Sink, tag, wait_until};

fn write_schema(folder: &Folder, fields: &str) {
    folder.write("s.proto", format!("syntax = 'proto3'; message Metric {{ string id = 1; {fields} }}"));
}

fn setup(cluster: &Cluster, sink: &Sink, folder: &Folder) -> Setup {
    let schema = folder.file("s.proto");
    let keys = format!("format = 'protobuf'\nschema = '{}'\ntag_keys = ['id']", schema.display());
    Setup::new(cluster, sink, "'t'").mapping(&keys)
}

#[test]
fn records_become_points_and_bad_ones_letters_with_their_bytes() {
    let (cluster, sink, folder) = (Cluster::with_topic("t", 1), Sink::start(), Folder::new());
    write_schema(&folder, "int64 v = 2;");
    let bridge = setup(&cluster, &sink, &folder).top(&folder.table()).start();
    let records: [&[u8]; 4] =
        [b"\x0A\x01a\x10\x05", b"\x0A\x01b\x10", b"\0\0\0\0\x07\0\x0A\x01c", b"\x0A\x01d\x15\0\0\0\0"];
    cluster.produce("t", 0, records);
    wait_until("all are committed", || cluster.committed("t", 1) == [Some(4)]);
    bridge.stop();
    assert_eq!(sink.ids("main"), ["a", "c"]);
    let mut letters = folder.letters();
    letters.sort_by_key(|letter| letter["offset"].as_i64());
    let originals: Vec<Vec<u8>> = letters.iter().map(original).collect();
    assert_eq!(originals, [records[1], records[3]]);
    assert!(letters.iter().all(|letter| letter["reason"] == "undecodable"), "{letters:?}");
}

#[test]
fn a_reload_reads_the_schema_again() {
    let (cluster, sink, folder) = (Cluster::with_topic("t", 1), Sink::start(), Folder::new());
    write_schema(&folder, "int64 v = 2;");
    let setup = setup(&cluster, &sink, &folder);
    let mut bridge = setup.clone().start();
    cluster.produce("t", 0, [b"\x0A\x01a\x10\x05\x18\x06"]);
    sink.wait_for_points("main", 1);
    write_schema(&folder, "int64 v = 2; int64 w = 3;");
    reload(&mut bridge, &setup);
    cluster.produce("t", 0, [b"\x0A\x01b\x10\x05\x18\x06"]);
    sink.wait_for_points("main", 2);
    bridge.stop();
    let fields = |id: &str| {
        let points = sink.points("main");
        let point = points.iter().find(|point| tag(point, "id").as_deref() == Some(id)).unwrap();
        point.fields.len()
    };
    assert_eq!((fields("a"), fields("b")), (1, 2));
}

#[test]
fn a_registry_has_the_schema_and_its_imports() {
    let (cluster, sink, server) = (Cluster::with_topic("t", 1), Sink::start(), SchemaServer::start());
    let answer = |path: &str, schema: &str, references: &str| {
        let schema = serde_json::Value::from(schema);
        let body = format!(r#"{{"schemaType":"PROTOBUF","schema":{schema},"references":{references}}}"#);
        server.answer(path, 200, &body);
    };
    let metric = "syntax = 'proto3'; import 'acme/part.proto'; message Other {} message Metric { string id = 1; acme.Part part = 2; }";
    let part = "syntax = 'proto3'; package acme; message Part { int64 v = 1; }";
    answer("/schemas/ids/7", metric, r#"[{"name":"acme/part.proto","subject":"part","version":3}]"#);
    answer("/subjects/part/versions/3", part, "[]");
    // The index list [1], then {id: "a", part: {v: 5}}.
    cluster.produce("t", 0, [b"\0\0\0\0\x07\x02\x02\x0A\x01a\x12\x02\x08\x05"]);
    Setup::new(&cluster, &sink, "'t'")
        .mapping("format = 'protobuf'\ntag_keys = ['id']")
        .top(&format!("[schema_registry]\nurl = '{}'", server.address))
        .start_until_end()
        .wait_for_end();
    assert_eq!(sink.ids("main"), ["a"]);
    assert_eq!(sink.points("main")[0].fields.keys().collect::<Vec<_>>(), ["part_v"]);
    assert_eq!(cluster.committed("t", 1), [Some(1)]);
}
