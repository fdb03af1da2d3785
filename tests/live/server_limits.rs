//! Limits of InfluxDB 1.6.7 that exclude some lines. The topic of these lines is blocked, every other line is stored, and all lines are
//! stored once the limit is raised.

use crate::support::config::v1;
use crate::support::ids::MAPPING;
use crate::support::{Bridge, Config, Ids, Live, OwnInflux1, PATIENCE, Produced, measured, wait_for};
use std::path::Path;
use std::time::Instant;

const LIMIT: &str = "1000";
/// Number of series of the limited topic.
const RECORDS: u64 = 3_000;
/// Number of records of each of the other two topics, with one series each.
const OTHERS: u64 = 2_000;

/// A limit: its environment variable, and its name in influxdb.conf.
struct Limit {
    variable: &'static str,
    setting: &'static str,
    /// Number of the topic's first records that InfluxDB stores before it reaches the limit.
    room: u64,
}

fn others(from: u64, to: u64) -> impl Iterator<Item = Produced> {
    (from..to).map(|n| Produced::new(format!(r#"{{"id":"known","n":{n}}}"#)))
}

fn blocks_the_topics_of_its_lines(limit: &Limit) {
    let live = Live::take_turn();
    let mut own = OwnInflux1::start(&live, &[(limit.variable, Path::new(LIMIT))]);
    let kafka = live.kafka();
    let [limited, known, elsewhere, dead] = ["limited", "known", "elsewhere", "limited_dead"]
        .map(|name| kafka.create_topic(live.name(name), 1, 1));
    let (database, other_database) = (live.name("limited"), live.name("unlimited"));
    let ids = Ids { topic: &limited, partitions: 1 };
    let influx =
        format!("{}\n[dead_letter]\ntopic = '{dead}'", v1(&own.influx, &database, "create_database = true"));
    // The known series has another measurement, which keeps counting the limited topic's points simple.
    let mapping = format!(
        "topics = ['{limited}']\n{MAPPING}\n[[mapping]]\ntopics = ['{known}']\nmeasurement = 'known'\ntag_keys = ['id']\n\
         [[mapping]]\ntopics = ['{elsewhere}']\nmeasurement = 'known'\ntag_keys = ['id']\ndatabase = '{other_database}'"
    );
    let topics = [&*limited, &known, &elsewhere].join("', '");
    let group = live.name("limits");
    let config = Config::new(&kafka, &topics, influx).group(&group).mapping(&mapping).text();
    let bridge = Bridge::start_watched(&config, &[]);
    kafka.produce(&known, others(0, 1));
    kafka.group(&group).wait_until_settled(&known, 1, PATIENCE);

    ids.produce(&kafka, 0..limit.room);
    kafka.group(&group).wait_until_settled(&limited, 1, PATIENCE);
    ids.produce(&kafka, limit.room..RECORDS);
    let topic_blocked = ["topic blocked", "cause=\"server_limit\"", &limited, limit.setting, "[data]"];
    let (alarm, _) = bridge.wait_for_log(&topic_blocked, PATIENCE);
    measured("alarm", alarm.split_once("why=").map_or(&*alarm, |(_, why)| why));
    assert!(
        bridge.page().number("kafka_influx_bridge_topic_blocked_seconds", &[("topic", &limited)]).is_some()
    );
    // New records of the known series and of the other database flow.
    for topic in [&known, &elsewhere] {
        kafka.produce(topic, others(1, OTHERS));
        kafka.group(&group).wait_until_settled(topic, 1, PATIENCE);
    }
    let counted = |database: &str| own.influx.count(database, "known", "n");
    assert_eq!((counted(&database), counted(&other_database)), (OTHERS, OTHERS - 1));
    assert_eq!(bridge.log_with(&["topic blocked", &known]), [""; 0]);
    let (committed, stored) = ids.assert_committed_are_stored(&kafka, &group, &own.influx, &database);
    measured("at the limit", format!("{committed} committed, {stored} stored of {RECORDS}"));
    assert_eq!((committed, stored), (limit.room, limit.room), "the limit keeps every other record out");

    own.set(limit.variable, "0");
    own.restart("TERM");
    let raised = Instant::now();
    // A probe follows within a minute.
    kafka.group(&group).wait_until_settled(&limited, 1, PATIENCE * 2);
    measured("all settled after the limit was raised", format!("{:?}", raised.elapsed()));
    Ids::assert_stored(&own.influx, &database, 0..RECORDS);
    wait_for("the end of all alarms", PATIENCE, || bridge.samples("blocked").is_empty().then_some(()));
    assert_eq!(bridge.metric("lines_refused_total"), 0);
    assert_eq!(bridge.metric("dead_letters_total"), 0);
    assert_eq!(kafka.count(&dead), 0);
    measured("requests", bridge.metric("requests_total"));
    bridge.stop();
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_limit_of_series_blocks_the_topic_of_new_series_until_it_is_raised() {
    blocks_the_topics_of_its_lines(&Limit {
        variable: "INFLUXDB_DATA_MAX_SERIES_PER_DATABASE",
        setting: "max-series-per-database",
        // The known series counts, too.
        room: 999,
    });
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_limit_of_tag_values_blocks_the_topic_of_new_values_until_it_is_raised() {
    blocks_the_topics_of_its_lines(&Limit {
        variable: "INFLUXDB_DATA_MAX_VALUES_PER_TAG",
        setting: "max-values-per-tag",
        // 1.6.7 compares the values before a request with the limit, so the request that reaches the limit is stored whole.
        room: 1_000,
    });
}
