//! Configurations that members run by and reload.

use crate::admin::Counters;
use crate::alarm::{Alarm, Alarms, Listener};
use crate::batch::{Budget, Limits};
use crate::config;
use crate::feed::desk::Setting;
use crate::feed::guard::ProbeDelays;
use crate::feed::routes::Routing;
use crate::map::RecordLimits;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How many there are.
pub const COUNT: usize = 3;

/// What they store is told apart by the tag `g`, and some differ in their lanes.
const MAPPINGS: [&str; COUNT] = [
    "[[mapping]]\ntopics = ['a']\nbucket = 'a'\nKEYS\n[[mapping]]\nKEYS\n",
    "[[mapping]]\ntopics = ['a']\nbucket = 'c'\nKEYS\n[[mapping]]\ntopics = ['b']\nbucket = 'a'\nKEYS\n",
    "[[mapping]]\nKEYS\n",
];
const KEYS: &str =
    "name_key = 'name'\ntopic_tag = 't'\npartition_tag = 'p'\nstrict = false\ntags = { g = 'NUMBER' }";
const CONFIG: &str = r#"
[kafka]
brokers = ["b:1"]
topics = ["a", "b"]
[influx]
url = "http://h"
org = "o"
bucket = "b"
token = "t"
[reject]
rate_max = 1.0
"#;

/// What a desk is made of by one of them.
pub fn setting(configuration: usize) -> Setting {
    let keys = KEYS.replace("NUMBER", &configuration.to_string());
    let text = format!("{CONFIG}{}", MAPPINGS[configuration].replace("KEYS", &keys));
    let loaded = config::parse(Path::new("bridge.toml"), &text, &|_| None).unwrap();
    Setting {
        routing: Arc::new(Routing::new(&loaded.config)),
        limits: Limits { lines_max: 7, bytes_max: 400, age_max: Duration::from_secs(1) },
        budget: Budget::new(1_500),
        record_limits: RecordLimits { record_bytes_max: 1_000, lines_bytes_max: 1_000 },
        counters: Arc::<Counters>::default(),
        alarms: Alarms::new(Arc::new(Nobody)),
        writes_letters: true,
        probes: ProbeDelays { first: Duration::from_millis(500), max: Duration::from_secs(3) },
    }
}

struct Nobody;

impl Listener for Nobody {
    fn raised(&self, _: &Alarm) {}
    fn mended(&self, _: &Alarm, _: Duration) {}
}
