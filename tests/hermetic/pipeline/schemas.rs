//! Records with the frame of a schema registry: blocked topics, evolution, unknown ids.

use super::reload::reload;
use crate::compress::gzip;
use crate::folder::Folder;
use crate::program::assert_contains;
use crate::schema_server::SchemaServer;
use crate::support::{Bridge, Cluster, Setup, Sink, wait_until};
use base::alarm::{Alarm, Scope};
use mapping::Reason;
use testkit::receiver::Reply;

const ONE: &str =
    r#"{"type":"record","name":"R","fields":[{"name":"id","type":"string"},{"name":"v","type":"int"}]}"#;
const TWO: &str =
    r#"{"type":"record","name":"R","fields":[{"name":"v","type":"double"},{"name":"id","type":"string"}]}"#;

/// A record of the schema [`ONE`], with an id of one digit.
fn one(schema: u32, id: usize) -> Vec<u8> {
    let text = format!("{id:04}");
    [&[0][..], &schema.to_be_bytes(), &[8], text.as_bytes(), &[2]].concat()
}

/// A record of the schema [`TWO`].
fn two(schema: u32, id: usize) -> Vec<u8> {
    let text = format!("{id:04}");
    [&[0][..], &schema.to_be_bytes(), &0.5_f64.to_le_bytes(), &[8], text.as_bytes()].concat()
}

fn setup(cluster: &Cluster, sink: &Sink, server: &SchemaServer, topics: &str, keys: &str) -> Setup {
    Setup::new(cluster, sink, topics)
        .mapping("topics = ['t']\nformat = 'avro'\ntag_keys = ['id']\nmeasurement = 'm'")
        .mapping("tag_keys = ['id']\nmeasurement = 'm'")
        .top(&format!("[schema_registry]\nurl = '{}'\n{keys}", server.address))
}

fn alarm(bridge: &Bridge, cause: &str) -> Option<Alarm> {
    let is_topic = |alarm: &Alarm| alarm.scope == Scope::Topic("t".to_owned()) && alarm.cause == cause;
    bridge.0.writer().alarms().into_iter().find(is_topic)
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|id| format!("{id:04}")).collect()
}

#[test]
fn a_new_version_of_a_schema_needs_nothing() {
    let (cluster, sink, server) = (Cluster::with_topic("t", 2), Sink::start(), SchemaServer::start());
    server.schema("/schemas/ids/1", ONE, "[]");
    server.schema("/schemas/ids/2", TWO, "[]");
    cluster.produce("t", 0, (0..500).map(|id| one(1, id)));
    cluster.produce("t", 1, (500..1_000).map(|id| if id % 2 == 0 { one(1, id) } else { two(2, id) }));
    setup(&cluster, &sink, &server, "'t'", "").start_until_end().wait_for_end();
    assert_eq!(sink.ids("main"), ids(1_000));
    assert_eq!(cluster.committed("t", 2), [Some(500), Some(500)]);
    assert_eq!(server.requests.try_iter().count(), 2, "each schema is read once");
}

#[test]
fn a_topic_waits_while_the_registry_is_down_and_others_flow() {
    let (cluster, sink, server) = (Cluster::with_topic("t", 1), Sink::start(), SchemaServer::start());
    cluster.create_topic("json", 1);
    server.schema("/schemas/ids/1", ONE, "[]");
    server.is_down(true);
    cluster.produce("t", 0, (0..300).map(|id| one(1, id)));
    let bridge = setup(&cluster, &sink, &server, "['t', 'json']", "").start();
    wait_until("the alarm is raised", || alarm(&bridge, "schema_registry").is_some());
    let raised = alarm(&bridge, "schema_registry").unwrap();
    let needs = "the record at offset 0 of partition 0 needs schema 1: the schema registry at";
    assert!(
        raised.blocks && raised.why.starts_with(needs) && raised.why.contains("does not answer"),
        "{raised:?}"
    );
    cluster.produce("json", 0, (300..400).map(|id| format!("{{\"id\":\"{id:04}\",\"v\":1}}")));
    wait_until("the other topic is stored", || sink.points("main").len() == 100);
    assert_eq!(cluster.committed("t", 1), [None]);
    server.is_down(false);
    wait_until("the topic flows", || sink.points("main").len() == 400);
    assert_eq!(sink.ids("main"), ids(400));
    wait_until("the alarm ends", || alarm(&bridge, "schema_registry").is_none());
    wait_until("all is committed", || cluster.committed("t", 1) == [Some(300)]);
    bridge.stop();
    assert_eq!(sink.ids("main"), ids(400));
}

#[test]
fn an_id_that_is_registered_later_loses_nothing() {
    let (cluster, sink, server) = (Cluster::with_topic("t", 1), Sink::start(), SchemaServer::start());
    server.schema("/schemas/ids/1", ONE, "[]");
    cluster.produce("t", 0, (0..10).map(|id| one(1, id)).chain((10..20).map(|id| two(2, id))));
    cluster.produce("t", 0, (20..30).map(|id| one(1, id)));
    let bridge = setup(&cluster, &sink, &server, "'t'", "").start();
    wait_until("the alarm is raised", || alarm(&bridge, "schema_unknown").is_some());
    let raised = alarm(&bridge, "schema_unknown").unwrap();
    assert!(raised.why.starts_with("the record at offset 10 of partition 0 needs schema 2"), "{raised:?}");
    wait_until("what came before is committed", || cluster.committed("t", 1) == [Some(10)]);
    server.schema("/schemas/ids/2", TWO, "[]");
    wait_until("all is committed", || cluster.committed("t", 1) == [Some(30)]);
    bridge.stop();
    assert_eq!(sink.ids("main"), ids(30));
}

#[test]
fn an_unknown_id_is_rejected_after_its_time_and_the_rest_is_stored() {
    let (cluster, sink, server) = (Cluster::with_topic("t", 1), Sink::start(), SchemaServer::start());
    server.schema("/schemas/ids/1", ONE, "[]");
    let records = (0..200).map(|id| if id == 50 || id == 60 { two(id as u32, id) } else { one(1, id) });
    cluster.produce("t", 0, records);
    let bridge = setup(&cluster, &sink, &server, "'t'", "unknown_id_max = '1s'").start();
    wait_until("all is committed", || cluster.committed("t", 1) == [Some(200)]);
    assert_eq!(bridge.rejected(Reason::Schema), 2);
    bridge.stop();
    let stored: Vec<String> = ids(200).into_iter().filter(|id| id != "0050" && id != "0060").collect();
    assert_eq!(sink.ids("main"), stored);
}

/// The first record has the unknown id, so that only the records behind it show another schema of the topic.
#[test]
fn an_unknown_id_of_compressed_values_is_rejected_after_its_time() {
    let (cluster, sink, server) = (Cluster::with_topic("t", 1), Sink::start(), SchemaServer::start());
    server.schema("/schemas/ids/1", ONE, "[]");
    cluster.produce("t", 0, (0..50).map(|id| gzip(&if id == 0 { two(9, id) } else { one(1, id) })));
    let setup = Setup::new(&cluster, &sink, "'t'")
        .mapping("format = 'avro'\nvalue_compression = 'gzip'\ntag_keys = ['id']")
        .top(&format!("[schema_registry]\nurl = '{}'\nunknown_id_max = '1s'", server.address));
    let checked = Folder::with_config(&setup.text()).run(&["check", "--connect"]).out;
    assert_contains(&checked, &["schema 9 of a sampled record", "it has a schema of the sampled records"]);
    let bridge = setup.start();
    wait_until("all is committed", || cluster.committed("t", 1) == [Some(50)]);
    assert_eq!(bridge.rejected(Reason::Schema), 1);
    bridge.stop();
    assert_eq!(sink.ids("main"), ids(50)[1..]);
}

#[test]
fn without_another_schema_of_the_topic_an_unknown_id_is_never_rejected() {
    let (cluster, sink, server) = (Cluster::with_topic("t", 1), Sink::start(), SchemaServer::start());
    cluster.produce("t", 0, (0..200).map(|id| one(1, id)));
    let setup = setup(&cluster, &sink, &server, "'t'", "unknown_id_max = '1s'");
    let bridge = setup.start();
    wait_until("the alarm is raised", || alarm(&bridge, "schema_unknown").is_some());
    // Longer than the time after which the id would be rejected.
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!((bridge.rejected(Reason::Schema), cluster.committed("t", 1)), (0, vec![None]));
    bridge.stop();
    // The right registry.
    let right = SchemaServer::start();
    right.schema("/schemas/ids/1", ONE, "[]");
    let bridge = Setup::start_text(&setup.text().replace(&server.address, &right.address));
    wait_until("all is stored", || sink.points("main").len() == 200);
    bridge.stop();
    assert_eq!(sink.ids("main"), ids(200));
}

#[test]
fn a_corrected_producer_ends_the_wait_for_an_id_that_never_comes() {
    let (cluster, sink, server) = (Cluster::with_topic("t", 1), Sink::start(), SchemaServer::start());
    server.schema("/schemas/ids/1", ONE, "[]");
    cluster.produce("t", 0, [one(9, 0)]);
    let bridge = setup(&cluster, &sink, &server, "'t'", "unknown_id_max = '1s'").start();
    wait_until("the alarm is raised", || alarm(&bridge, "schema_unknown").is_some());
    // The topic is paused by then, so that no later record is fetched by chance.
    std::thread::sleep(std::time::Duration::from_secs(3));
    cluster.produce("t", 0, (1..50).map(|id| one(1, id)));
    wait_until("all is committed", || cluster.committed("t", 1) == [Some(50)]);
    assert_eq!(bridge.rejected(Reason::Schema), 1);
    bridge.stop();
    assert_eq!(sink.ids("main"), ids(50)[1..]);
}

/// The last records are fetched, and wait behind full batches, while the end is seen. Their schema is registered only then: the wait for the
/// first schema asks for the ids of all fetched records.
#[test]
fn a_new_schema_in_the_last_records_is_awaited_by_a_run_until_the_end() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::down(Reply::status(503)));
    let server = SchemaServer::start();
    server.schema("/schemas/ids/1", ONE, "[]");
    cluster.produce("t", 0, (0..199).map(|id| one(1, id)).chain([two(2, 199)]));
    let setup = setup(&cluster, &sink, &server, "'t'", "").batch("lines_max = 10");
    let bridge = setup.start_until_end();
    wait_until("the end is seen", || bridge.0.is_finishing());
    sink.answer(None);
    wait_until("the topic waits for the last schema", || alarm(&bridge, "schema_unknown").is_some());
    server.schema("/schemas/ids/2", TWO, "[]");
    bridge.wait_for_end();
    assert_eq!(sink.ids("main"), ids(200));
    assert_eq!(cluster.committed("t", 1), [Some(200)]);
}

#[test]
fn a_reload_with_the_address_of_the_right_registry_ends_the_wait() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    let (wrong, right) = (SchemaServer::start(), SchemaServer::start());
    wrong.is_down(true);
    right.schema("/schemas/ids/1", ONE, "[]");
    cluster.produce("t", 0, (0..100).map(|id| one(1, id)));
    let mut bridge = setup(&cluster, &sink, &wrong, "'t'", "").start();
    wait_until("the alarm is raised", || alarm(&bridge, "schema_registry").is_some());
    assert_eq!(cluster.committed("t", 1), [None]);
    reload(&mut bridge, &setup(&cluster, &sink, &right, "'t'", ""));
    wait_until("all is committed", || cluster.committed("t", 1) == [Some(100)]);
    wait_until("the alarm ends", || alarm(&bridge, "schema_registry").is_none());
    bridge.stop();
    assert_eq!(sink.ids("main"), ids(100));
}

#[test]
fn a_reload_reads_the_file_of_an_avro_schema_again() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    let folder = Folder::new();
    let path = folder.write("s.avsc", ONE);
    let keys = format!("format = 'avro'\nschema = '{}'\ntag_keys = ['id']", path.display());
    let setup = Setup::new(&cluster, &sink, "'t'").mapping(&keys);
    let mut bridge = setup.clone().start();
    // Without the frame, whose five bytes name the schema.
    cluster.produce("t", 0, [&one(1, 0)[5..]]);
    sink.wait_for_points("main", 1);
    folder.write("s.avsc", TWO);
    reload(&mut bridge, &setup);
    cluster.produce("t", 0, [&two(2, 1)[5..]]);
    sink.wait_for_points("main", 2);
    bridge.stop();
    assert_eq!(sink.ids("main"), ids(2));
}
