//! `QuestDB` at both endpoints, read back with SQL.

use crate::support::config::v2_with;
use crate::support::{Bridge, Config, Http, Live, PATIENCE, Produced, run_command, wait_for};
use serde_json::Value;
use std::time::Duration;

/// 2023-11-14T22:13:20Z.
const TIME_MS: i64 = 1_700_000_000_000;

/// Rows of a query.
fn query(questdb: &Http, sql: &str) -> Result<Vec<Vec<Value>>, String> {
    let text = questdb.get(&format!("/exec?query={}", crate::support::encode(sql)))?;
    let json: Value = serde_json::from_str(&text).unwrap();
    let rows = json["dataset"].as_array().cloned().unwrap_or_default();
    Ok(rows.into_iter().map(|row| row.as_array().unwrap().clone()).collect())
}

/// Waits until the table has this many rows. `QuestDB` shows rows shortly after its 204.
fn wait_for_rows(questdb: &Http, table: &str, count: i64) {
    wait_for(&format!("{count} rows in {table}"), PATIENCE, || {
        let rows = query(questdb, &format!("SELECT count() FROM '{table}'")).ok()?;
        (rows[0][0].as_i64() == Some(count)).then_some(())
    });
}

fn apis(questdb: &Http) -> [(&'static str, String); 2] {
    [
        ("v1", format!("url = '{}'\napi = 'v1'\ndatabase = 'any'", questdb.url())),
        ("v2", v2_with(questdb.url(), "any", "any")),
    ]
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn refused_lines_are_found_by_number_and_the_others_are_stored() {
    let live = Live::take_turn();
    let (kafka, questdb) = (live.kafka(), live.questdb());
    let topic = kafka.create_topic(live.name("questdb"), 1, 1);
    // Record 0 fixes the type; of each 100 records, one has a string and one a time before 1970.
    let value = |i: i64| match i % 100 {
        7 => format!(r#"{{"id":"{i}","v":"text","t":{}}}"#, TIME_MS + i),
        9 => format!(r#"{{"id":"{i}","v":1.5,"t":-5}}"#),
        _ => format!(r#"{{"id":"{i}","v":{i}.5,"t":{}}}"#, TIME_MS + i),
    };
    kafka.produce(&topic, (0..1_000).map(|i| Produced::new(value(i))));
    for (api, influx) in apis(&questdb) {
        let (table, letters) = (live.name(api), live.path(api));
        let mapping = format!(
            "measurement = '{table}'\ntag_keys = ['id']\nstring_fields = ['v']\ntime_key = 't'\ntime_format = 'unix_ms'\n\
             time_min = '1960-01-01T00:00:00Z'"
        );
        let top = format!("[dead_letter]\nfile = '{}'", letters.display());
        let config = Config::new(&kafka, &topic, influx).mapping(&mapping).group(&table).top(&top);
        let (status, shown, _) = run_command(&config.text(), &["check", "--connect"]);
        assert!(status == Some(0) && shown.contains(": QuestDB"), "{shown}");
        let bridge = Bridge::start(&config.text(), &[]);
        kafka.group(&table).wait_until_settled(&topic, 1, PATIENCE);
        wait_for_rows(&questdb, &table, 980);
        bridge.stop();
        let rows =
            query(&questdb, &format!("SELECT id, v, timestamp FROM '{table}' ORDER BY timestamp")).unwrap();
        let want: Vec<i64> = (0..1_000).filter(|i| !matches!(i % 100, 7 | 9)).collect();
        for (row, i) in rows.iter().zip(&want) {
            assert_eq!((row[0].as_str(), row[1].as_f64()), (Some(&*i.to_string()), Some(*i as f64 + 0.5)));
            let (seconds, millis) = (20 + i / 1000, i % 1000);
            let time = format!("2023-11-14T22:13:{seconds}.{millis:03}000Z");
            assert_eq!(row[2].as_str(), Some(&*time));
        }
        let text = std::fs::read_to_string(&letters).unwrap();
        std::fs::remove_file(&letters).unwrap();
        let reasons: Vec<&str> = text.lines().collect();
        assert_eq!(reasons.len(), 20);
        let with = |words: &str| reasons.iter().filter(|reason| reason.contains(words)).count();
        assert_eq!(with("column: v; cast error from protocol type: STRING to column type: DOUBLE"), 10);
        assert_eq!(with("designated timestamp before 1970-01-01 is not allowed"), 10);
    }
}

/// Records of one series and one millisecond, more than a table without distinct times could keep apart.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn times_are_distinct_in_the_precision_of_the_server() {
    let live = Live::take_turn();
    let (kafka, questdb) = (live.kafka(), live.questdb());
    let topic = kafka.create_topic(live.name("questdb_times"), 1, 1);
    kafka
        .produce(&topic, (0..1_000).map(|i| Produced::new(format!(r#"{{"id":"a","v":{i},"t":{TIME_MS}}}"#))));
    let (_, influx) = &apis(&questdb)[0];
    let table = live.name("times");
    let create = format!(
        "CREATE TABLE '{table}' (id SYMBOL, v DOUBLE, timestamp TIMESTAMP) TIMESTAMP(timestamp) PARTITION BY DAY WAL \
         DEDUP UPSERT KEYS(timestamp, id)"
    );
    query(&questdb, &create).unwrap();
    let mapping = format!(
        "measurement = '{table}'\ntag_keys = ['id']\ntime_key = 't'\ntime_format = 'unix_ms'\ndistinct_times = 'always'"
    );
    let coarse = Config::new(&kafka, &topic, influx.clone()).mapping(&mapping).group(&table);
    let (_, shown, _) = run_command(&coarse.text(), &["check", "--connect"]);
    assert!(shown.contains("set time_precision = \"us\""), "{shown}");
    // A second reading of all records gives the same times.
    for round in [1, 2] {
        let influx = format!("{influx}\ntime_precision = 'us'");
        let group = format!("{table}_{round}");
        let config = Config::new(&kafka, &topic, influx).mapping(&mapping).group(&group);
        let (_, shown, _) = run_command(&config.text(), &["check", "--connect"]);
        assert!(!shown.contains("time_precision"), "{shown}");
        let bridge = Bridge::start(&config.text(), &[]);
        kafka.group(&group).wait_until_settled(&topic, 1, PATIENCE);
        bridge.stop();
        wait_for_rows(&questdb, &table, 1_000);
    }
}

/// A table without a write-ahead log takes no lines over HTTP. Its topic waits, and the other one is stored.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_table_without_a_log_blocks_its_topic_only() {
    let live = Live::take_turn();
    let (kafka, questdb) = (live.kafka(), live.questdb());
    let topics = ["plain", "other"].map(|name| kafka.create_topic(live.name(name), 1, 1));
    for topic in &topics {
        kafka.produce(topic, (0..10).map(|i| Produced::new(format!(r#"{{"v":{i}}}"#))));
    }
    let create = format!(
        "CREATE TABLE '{}' (v DOUBLE, timestamp TIMESTAMP) TIMESTAMP(timestamp) PARTITION BY DAY BYPASS WAL",
        topics[0]
    );
    query(&questdb, &create).unwrap();
    let (_, influx) = &apis(&questdb)[0];
    let group = live.name("bypass");
    let both = topics.join("', '");
    let config = Config::new(&kafka, &both, influx.clone()).group(&group);
    let bridge = Bridge::start(&config.text(), &[]);
    bridge.wait_for_log(&["topic blocked", "SET TYPE WAL"], PATIENCE);
    kafka.group(&group).wait_until_settled(&topics[1], 1, PATIENCE);
    wait_for_rows(&questdb, &topics[1], 10);
    assert_eq!(kafka.group(&group).committed(&topics[0], 1)[0].max(0), 0, "nothing is settled");
    bridge.stop();
}

/// A replay gives second rows, unless the table deduplicates.
#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_replay_doubles_rows_only_in_tables_without_deduplication() {
    let live = Live::take_turn();
    let (kafka, questdb) = (live.kafka(), live.questdb());
    let topic = kafka.create_topic(live.name("questdb_replay"), 1, 1);
    let value = |i: i64| format!(r#"{{"id":"{}","v":{i},"t":{}}}"#, i % 10, TIME_MS + i);
    kafka.produce(&topic, (0..100).map(|i| Produced::new(value(i))));
    let (_, influx) = &apis(&questdb)[0];
    for (name, is_deduplicating) in [("plain", false), ("dedup", true)] {
        let table = live.name(name);
        if is_deduplicating {
            let create = format!(
                "CREATE TABLE '{table}' (id SYMBOL, v DOUBLE, timestamp TIMESTAMP) TIMESTAMP(timestamp) PARTITION BY DAY WAL \
                 DEDUP UPSERT KEYS(timestamp, id)"
            );
            query(&questdb, &create).unwrap();
        }
        let mapping =
            format!("measurement = '{table}'\ntag_keys = ['id']\ntime_key = 't'\ntime_format = 'unix_ms'");
        for round in [1, 2] {
            // Another group reads all records again.
            let group = format!("{table}_{round}");
            let config = Config::new(&kafka, &topic, influx.clone()).mapping(&mapping).group(&group);
            let bridge = Bridge::start(&config.text(), &[]);
            kafka.group(&group).wait_until_settled(&topic, 1, PATIENCE);
            bridge.stop();
            wait_for_rows(&questdb, &table, if is_deduplicating { 100 } else { round * 100 });
        }
        // No second row comes late.
        std::thread::sleep(Duration::from_secs(2));
        wait_for_rows(&questdb, &table, if is_deduplicating { 100 } else { 200 });
    }
}
