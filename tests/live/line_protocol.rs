//! Points of a real Telegraf that pass through Kafka as line protocol are those that Telegraf writes to InfluxDB itself.

use crate::folder::Folder;
use crate::support::config::v2;
use crate::support::{Bridge, Config, Live, PATIENCE, measured, run_telegraf_once, variable};
use fastrand::Rng;
use std::fmt::Write as _;

const POINTS: usize = 10_000;

/// A point with a field of each type, some of them missing, and a time of its own.
fn line(number: usize, rng: &mut Rng) -> String {
    let name = ["cpu", "disk,io", "net stat", "온도", "a=b"][rng.usize(..5)];
    let mut line = name.replace(',', "\\,").replace(' ', "\\ ");
    for key in ["host", "path", "디스크", "zone name"] {
        if rng.bool() {
            let text: String = (0..rng.usize(1..6))
                .map(|_| *rng.choice(&['a', 'Z', '7', ' ', ',', '=', '"', '/', '서']).unwrap())
                .collect();
            let escaped = |text: &str| text.replace(',', "\\,").replace('=', "\\=").replace(' ', "\\ ");
            // Writing to a string does not fail.
            let _infallible = write!(line, ",{}={}", escaped(key), escaped(&text));
        }
    }
    let mut fields = vec![format!("number={number}i")];
    if rng.bool() {
        fields.push(
            format!("float={:?}", f64::from_bits(rng.u64(..)).clamp(-1e300, 1e300) + 0.0)
                .replace("NaN", "0.5"),
        );
    }
    if rng.bool() {
        fields.push(format!("small={}", f64::from(rng.i32(-1_000..1_000)) / 8.0));
    }
    if rng.bool() {
        fields.push(format!("integer={}i", rng.i64(..)));
    }
    if rng.bool() {
        fields.push(format!("unsigned={}u", rng.u64(..)));
    }
    if rng.bool() {
        fields.push(format!("flag={}", rng.bool()));
    }
    if rng.bool() {
        let letters = ['a', '"', '\\', ' ', ',', '=', '\n', '\t', '😀', '#'];
        let text: String = (0..rng.usize(..9)).map(|_| *rng.choice(&letters).unwrap()).collect();
        fields.push(format!("text=\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
    }
    let time = 1_767_225_600_000_000_000 + number as u64 * 1_000_003;
    format!("{line} {} {time}\n", fields.join(","))
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn telegraf_through_kafka_stores_the_points_of_telegraf_alone() {
    let live = Live::take_turn();
    let (kafka, influx, mut rng) = (live.kafka(), live.influx2(), live.random());
    let topic = kafka.create_topic(live.name("lines"), 3, 1);
    let direct = influx.create_bucket(live.name("direct"));
    let bridged = influx.create_bucket(live.name("bridged"));
    let folder = Folder::new();
    let lines: String = (0..POINTS).map(|number| line(number, &mut rng)).collect();
    folder.write("metrics.lp", lines);
    // Telegraf rounds times to seconds unless it has a `precision`. The Kafka output has no `data_format`: line protocol is its default.
    // Both outputs keep unsigned integers.
    let config = format!(
        "[agent]\nhostname = 'agent'\nprecision = '1ns'\nmetric_batch_size = 1000\nmetric_buffer_limit = {POINTS}\n\
         [[inputs.file]]\nfiles = ['{}/metrics.lp']\ndata_format = 'influx'\n\
         [[outputs.kafka]]\nbrokers = {}\ntopic = '{topic}'\ninflux_uint_support = true\n\
         [[outputs.influxdb_v2]]\nurls = ['{}']\ntoken = '{}'\norganization = '{}'\nbucket = '{direct}'\ninflux_uint_support = true\n",
        folder.path().display(),
        kafka.brokers_toml(),
        influx.url(),
        variable("INFLUX2_TOKEN"),
        variable("INFLUX2_ORG"),
    );
    folder.write("telegraf.conf", config);
    run_telegraf_once(folder.path());

    let config = Config::new(&kafka, &topic, v2(&influx, &bridged)).mapping("format = 'influx'").text();
    let mut bridge = Bridge::start_until_end(&config);
    let (status, took) = bridge.wait_for_end(PATIENCE * 2);
    assert_eq!(status.code(), Some(0));
    measured("10,000 points of Telegraf stored after", format!("{took:?}"));
    let types = |bucket: &str| influx.query(bucket, "SHOW FIELD KEYS");
    assert_eq!(types(&bridged), types(&direct));
    let (want, got) = (influx.points(&direct), influx.points(&bridged));
    assert_eq!((want.len(), got.len()), (POINTS, POINTS));
    for (got, want) in got.iter().zip(&want) {
        assert_eq!(got, want);
    }
}
