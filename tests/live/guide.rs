//! Follows the guide: writes its files and runs its commands in order, on real servers.
//!
//! A line "`NAME`:" names the file that the block below it becomes. Blocks marked `sh` are run. The test replaces addresses and names
//! by its own, and adds `--until-end` to `run`.

use crate::support::pages::{Block, blocks};
use crate::support::{
    Example, Influx, Live, PATIENCE, Produced, bridge_binary, measured, telegraf_binary, wait_for,
};
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A page, and the test's own names for the page's names.
struct Guide<'a> {
    page: &'a str,
    replaced: Vec<(&'a str, String)>,
    folder: PathBuf,
}

impl Guide<'_> {
    fn own(&self, text: &str) -> String {
        self.replaced.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    /// Executes every step. Returns the time that this takes.
    fn follow(&self) -> Duration {
        let begin = Instant::now();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(self.page);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        fs::create_dir_all(&self.folder).unwrap();
        let blocks = blocks(&text);
        assert!(blocks.iter().any(|block| block.language == "sh"), "{} has no commands", self.page);
        for Block { name, language, text } in blocks {
            match (name, language.as_str()) {
                (Some(name), _) => fs::write(self.folder.join(name), self.own(&text)).unwrap(),
                (None, "sh") => self.run(&text),
                (None, _) => {}
            }
        }
        fs::remove_dir_all(&self.folder).unwrap();
        begin.elapsed()
    }

    fn run(&self, commands: &str) {
        let commands =
            self.own(commands).replace("kafka-influx-bridge run", "kafka-influx-bridge run --until-end");
        let programs = bridge_binary().parent().unwrap().display().to_string();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
        let begin = Instant::now();
        let mut bash = Command::new("bash");
        if commands.contains("--diff") {
            bash.env("TELEGRAF", telegraf_binary());
        }
        let output = bash
            .args([
                "-euo",
                "pipefail",
                "-c",
                &format!("timeout 60 bash -euo pipefail <<'COMMANDS'\n{commands}COMMANDS\n"),
            ])
            .current_dir(&self.folder)
            .env("PATH", path)
            .env("INFLUX_TOKEN", std::env::var("BRIDGE_LIVE_INFLUX2_TOKEN").unwrap())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(
            output.status.success(),
            "{} failed:\n{commands}\n{}\n{out}\n{err}",
            self.page,
            output.status
        );
        measured(commands.lines().next().unwrap_or_default(), format!("{:?}", begin.elapsed()));
    }
}

fn assert_stored(influx: &Influx, database: &str) {
    wait_for("points", PATIENCE, || influx.try_points(database).ok().filter(|points| !points.is_empty()));
}

/// Pages whose commands read `testtopic` and write into the bucket `ec2` of an InfluxDB 2.
fn follow_ec2(page: &str) -> Duration {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx2());
    let topic = kafka.create_topic(live.name("testtopic"), 3, 1);
    let bucket = influx.create_bucket(live.name("ec2"));
    // The topic of a first run has no bad records.
    let records = Example::read("ec2-telegraf").records.into_iter();
    let objects = records.filter(|record| serde_json::from_str::<Map<String, Value>>(record).is_ok());
    kafka.produce(&topic, objects.map(Produced::new));
    let replaced = vec![
        ("localhost:9092", kafka.brokers().to_owned()),
        ("http://localhost:8086", influx.url().to_owned()),
        ("testtopic", topic.clone()),
        ("telegraf_metrics_consumers", topic),
        ("--bucket ec2", format!("--bucket {bucket}")),
        ("\"ec2\"", format!("\"{bucket}\"")),
    ];
    let time = Guide { page, replaced, folder: live.path("guide") }.follow();
    assert_stored(&influx, &bucket);
    time
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn the_tutorial_takes_less_than_ten_minutes() {
    let time = follow_ec2("tutorial.md");
    assert!(time < Duration::from_mins(10), "{time:?}");
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn the_korean_guide_can_be_followed() {
    follow_ec2("README.ko.md");
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn the_telegraf_guide_can_be_followed() {
    follow_ec2("telegraf.md");
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn the_guides_for_other_programs_can_be_followed() {
    let live = Live::take_turn();
    let (kafka, influx) = (live.kafka(), live.influx1());
    let topic = kafka.create_topic(live.name("kmetrics"), 3, 1);
    let tweets = kafka.create_topic(live.name("tweets"), 3, 1);
    let database = live.name("kmetrics");
    kafka.produce(&topic, Example::read("broker-metrics").records.into_iter().map(Produced::new));
    kafka.produce(&tweets, Example::read("json-lines").records.into_iter().map(Produced::new));
    influx.query("", &format!("CREATE DATABASE \"{database}\""));
    let (host, port) = influx.url().trim_start_matches("http://").rsplit_once(':').unwrap();
    let replaced = vec![
        ("localhost:9092", kafka.brokers().to_owned()),
        ("http://localhost:8086", influx.url().to_owned()),
        ("host localhost", format!("host {host}")),
        ("port 8086", format!("port {port}")),
        ("kafka-fluentd-influxdb", topic.clone()),
        ("kafka.metrics.processed", topic),
        ("dbname kmetrics", format!("dbname {database}")),
        ("--database kmetrics", format!("--database {database}")),
        ("[\"tweets\"]", format!("[\"{tweets}\"]")),
    ];
    for page in ["fluentd.md", "logstash.md", "script.md"] {
        Guide { page, replaced: replaced.clone(), folder: live.path("guide") }.follow();
    }
    assert_stored(&influx, &database);
}
