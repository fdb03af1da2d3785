//! The whole path to an InfluxDB 3.

use crate::folder::Folder;
use crate::support::{BY_ID, Cluster, Setup, Sink, record, wait_until};
use base::Destination;
use std::time::Duration;
use testkit::receiver::{Influx3, Options, Product};

fn sink(server: Influx3) -> Sink {
    Sink::with_options(Options { product: Product::Influx3(server), ..Options::default() })
}

fn points(sink: &Sink) -> usize {
    sink.receiver.points(&Destination::Database3 { database: "main".to_owned() }).len()
}

/// Every endpoint stores the good records, and letters give the server's reason for each bad one.
#[test]
fn bad_records_are_dead_lettered_with_their_own_reason() {
    for version in ["3.11.2", "3.10.0"] {
        for api in ["v3", "v1"] {
            let sink = sink(Influx3 {
                version: version.to_owned(),
                flush: Duration::from_millis(20),
                ..Influx3::default()
            });
            let (cluster, folder) = (Cluster::with_topic("t", 1), Folder::new());
            let value = |n: usize| match n % 100 {
                7 => format!(r#"{{"id":"{n}","v":"text"}}"#),
                _ => record(&n.to_string()),
            };
            cluster.produce("t", 0, (0..1_000).map(value));
            let mapping = format!("{BY_ID}\nmeasurement = 'm'\nstring_fields = ['v']");
            let setup = Setup::new(&cluster, &sink, "'t'").database(api).mapping(&mapping);
            let bridge = setup.top(&folder.table()).start();
            wait_until("all are committed", || cluster.committed("t", 1) == [Some(1_000)]);
            assert!(bridge.0.writer().alarms().is_empty());
            bridge.stop();
            assert_eq!(points(&sink), 990);
            let letters = folder.letters();
            assert_eq!(letters.len(), 10);
            for letter in letters {
                let why = letter["why"].as_str().unwrap();
                assert!(why.contains("invalid column type for column 'v', expected iox::column_type::field::float, got iox::column_type::field::string"), "{why}");
            }
        }
    }
}

/// The limit of tables keeps one topic out; its records are neither lost nor dead-lettered.
#[test]
fn a_limit_of_tables_blocks_only_the_topic_that_exceeds_it() {
    for api in ["v3", "v1"] {
        let sink = sink(Influx3 { version: "3.11.2".to_owned(), tables_max: 1, ..Influx3::default() });
        let (cluster, folder) = (Cluster::with_topic("a", 1), Folder::new());
        cluster.produce("a", 0, ["1", "2"].map(record));
        let setup = Setup::new(&cluster, &sink, "['a', 'b']").database(api).mapping(BY_ID);
        let bridge = setup.top(&folder.table()).start();
        wait_until("the first topic is committed", || cluster.committed("a", 1) == [Some(2)]);
        cluster.create_topic("b", 1);
        cluster.produce("b", 0, ["3"].map(record));
        wait_until("the topic is blocked", || {
            bridge.0.writer().alarms().iter().any(|alarm| alarm.cause == "server_limit")
        });
        cluster.produce("a", 0, ["4"].map(record));
        wait_until("the other topic flows", || cluster.committed("a", 1) == [Some(3)]);
        assert_eq!(cluster.committed("b", 1), [None]);
        bridge.stop();
        assert_eq!((points(&sink), folder.letters().len()), (3, 0));
    }
}
