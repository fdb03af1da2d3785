//! The bridge runs with a configuration written by `init`.

use crate::support::{Bridge, PATIENCE, Produced, Scene, run_command};

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn a_configuration_from_init_runs() {
    let Scene { live: _live, kafka, influx, topic, bucket } = Scene::new("init", 2);
    let begin_ms = 1_767_225_600_000_i64;
    let record = |n: i64| {
        let time_ms = begin_ms + n * 1_000;
        let (host, state) = (n % 5, if n % 2 == 0 { "on" } else { "off" });
        let value = format!(
            r#"{{"name":"box","host":"h{host}","state":"{state}","at":{},"load":{n}.5}}"#,
            time_ms / 1_000
        );
        Produced { partition: (n % 2) as i32, ..Produced::new(value).at(time_ms + 250) }
    };
    let bad = [Produced::new("no JSON"), Produced::default()].map(|bad| bad.at(begin_ms + 500_000));
    kafka.produce(&topic, (0..500).map(record).chain(bad));

    let (url, brokers) = (influx.url().to_owned(), kafka.brokers_toml().replace(['[', ']', '"', ' '], ""));
    let place = ["--influx-url", &url, "--org", "test", "--bucket", &bucket];
    let arguments = ["init", "-o", "-", "--brokers", &brokers, "--topic", &topic, "--records", "600"];
    let (status, text, err) = run_command("", &[&arguments[..], &place].concat());
    assert_eq!(status, Some(0), "{err}");
    for words in [
        "name_key = \"name\"\n",
        "tag_keys = [\"host\"]\n",
        "string_fields = [\"state\"]\n",
        "time_key = \"at\"\ntime_format = \"unix\"\n",
        "is a plausible time in all 500 records: seconds since 1970, between 2000 and now, at most 250 ms from Kafka's",
    ] {
        assert!(text.contains(words) || text.replace("\n# ", " ").contains(words), "{words}: {text}");
    }
    for words in [
        "of 502 sampled records, 500 become 500 points, 1 object without a value to store, 1 rejected",
        "5 series in the sample; about 86,000 points per day",
    ] {
        assert!(err.contains(words), "{words}: {err}");
    }

    let token = crate::support::variable("INFLUX2_TOKEN");
    let bridge = Bridge::start(&text, &[("INFLUX_TOKEN", &token)]);
    influx.wait_for_count(500, PATIENCE, |influx| influx.count(&bucket, "box", "load"));
    assert_eq!(influx.count(&bucket, "box", "state"), 500);
    bridge.stop();
}
