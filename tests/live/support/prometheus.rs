//! Metrics as a Prometheus would have scraped them, in VictoriaMetrics, which answers `PromQL`.

use super::http::encode;
use super::{Http, Live, PATIENCE, wait_for};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

/// VictoriaMetrics ignores the newest samples, because some may be missing.
const LATENCY: i64 = 60;

/// The samples of one bridge, with their own `instance` label.
pub struct Prometheus {
    http: Http,
    pub instance: String,
    /// The time of queries, in seconds since 1970.
    now: i64,
}

impl Prometheus {
    pub fn new(live: &Live, what: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self { http: live.victoria(), instance: live.name(what), now: now.as_secs() as i64 - LATENCY }
    }

    /// Stores a page as scraped this many seconds ago.
    pub fn scrape(&self, page: &str, seconds_before: i64) {
        let (at, instance) = ((self.now - seconds_before) * 1_000, encode(&self.instance));
        let labels = format!("extra_label=job=kafka-influx-bridge&extra_label=instance={instance}");
        let path = format!("/api/v1/import/prometheus?timestamp={at}&{labels}");
        self.http.post(&path, "text/plain", page).unwrap();
    }

    /// Waits until the scraped samples can be queried.
    pub fn settle(&self) {
        self.http.get("/internal/force_flush").unwrap();
        wait_for("scraped samples", PATIENCE, || (!self.query("up").is_empty()).then_some(()));
    }

    /// The samples of an expression: `metric` and `value`. Selectors see this bridge only.
    pub fn query(&self, expression: &str) -> Vec<Value> {
        let selection = format!("extra_label=instance={}", encode(&self.instance));
        let path =
            format!("/api/v1/query?nocache=1&time={}&{selection}&query={}", self.now, encode(expression));
        let text = self.http.get(&path).unwrap_or_else(|error| panic!("{expression}: {error}"));
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["data"]["result"].as_array().unwrap().clone()
    }
}
