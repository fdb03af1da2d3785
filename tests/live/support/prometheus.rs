//! Pages of metrics as a Prometheus would have scraped them: VictoriaMetrics, which answers `PromQL`.

use super::http::encode;
use super::{Http, Live, PATIENCE, wait_for};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

/// It leaves out the newest samples, of which some may be missing.
const LATENCY: i64 = 60;

/// The samples of one bridge that is nobody else's.
pub struct Prometheus {
    http: Http,
    pub instance: String,
    /// When questions are asked, since 1970.
    now: i64,
}

impl Prometheus {
    pub fn new(live: &Live, what: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self { http: live.victoria(), instance: live.name(what), now: now.as_secs() as i64 - LATENCY }
    }

    /// Takes a page so many seconds before now.
    pub fn scrape(&self, page: &str, seconds_before: i64) {
        let (at, instance) = ((self.now - seconds_before) * 1_000, encode(&self.instance));
        let labels = format!("extra_label=job=kafka-influx-bridge&extra_label=instance={instance}");
        let path = format!("/api/v1/import/prometheus?timestamp={at}&{labels}");
        self.http.post(&path, "text/plain", page).unwrap();
    }

    /// Waits until what was scraped can be asked for.
    pub fn settle(&self) {
        self.http.get("/internal/force_flush").unwrap();
        wait_for("scraped samples", PATIENCE, || (!self.ask("up").is_empty()).then_some(()));
    }

    /// The samples of an expression: `metric` and `value`. Selectors see this bridge only.
    pub fn ask(&self, expression: &str) -> Vec<Value> {
        let of = format!("extra_label=instance={}", encode(&self.instance));
        let path = format!("/api/v1/query?nocache=1&time={}&{of}&query={}", self.now, encode(expression));
        let text = self.http.get(&path).unwrap_or_else(|error| panic!("{expression}: {error}"));
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["data"]["result"].as_array().unwrap().clone()
    }
}
