//! How long a bucket or database keeps points, where the credential may ask.

use super::address::Address;
use super::client::{Client, answer, identifier};
use base::Destination;
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    Forever,
    For(Duration),
    /// The credential may not ask, or the server knows no such question.
    Unknown,
}

impl Client {
    /// Asks; an answer that is none is as good as no answer.
    pub async fn kept(&self, address: &Address, destination: &Destination) -> Retention {
        let url = match destination {
            Destination::Bucket { org, bucket } => {
                address.url(&["api", "v2", "buckets"], &[("org", org), ("name", bucket)])
            }
            Destination::Database { database, .. } => {
                let statement = format!("SHOW RETENTION POLICIES ON {}", identifier(database));
                address.url(&["query"], &[("db", database), ("q", &statement)])
            }
        };
        let Ok(answer) = answer(self.request(address, Method::GET, url)).await else {
            return Retention::Unknown;
        };
        let Ok(json) = serde_json::from_slice::<Value>(&answer.body) else { return Retention::Unknown };
        let kept = match destination {
            Destination::Bucket { bucket, .. } => of_bucket(&json, bucket),
            Destination::Database { retention_policy, .. } => of_database(&json, retention_policy.as_deref()),
        };
        kept.map_or(Retention::Unknown, |kept| {
            if kept.is_zero() { Retention::Forever } else { Retention::For(kept) }
        })
    }
}

/// Zero stands for ever.
fn of_bucket(json: &Value, bucket: &str) -> Option<Duration> {
    let buckets = json.get("buckets")?.as_array()?;
    let found = buckets.iter().find(|one| one.get("name").and_then(Value::as_str) == Some(bucket))?;
    let rules = found.get("retentionRules")?.as_array()?;
    let seconds = rules.iter().filter_map(|rule| rule.get("everySeconds")?.as_u64());
    // A bucket without a rule, or with one of 0 s, keeps its points for ever.
    Some(Duration::from_secs(seconds.filter(|seconds| *seconds > 0).min().unwrap_or(0)))
}

/// Of the policy, or of the default one.
fn of_database(json: &Value, policy: Option<&str>) -> Option<Duration> {
    let series = json.get("results")?.get(0)?.get("series")?.get(0)?;
    let columns = series.get("columns")?.as_array()?;
    let column = |name: &str| columns.iter().position(|column| column.as_str() == Some(name));
    let (name, duration, default) = (column("name")?, column("duration")?, column("default")?);
    let rows = series.get("values")?.as_array()?;
    let row = rows.iter().find(|row| match policy {
        Some(policy) => row.get(name).and_then(Value::as_str) == Some(policy),
        None => row.get(default).and_then(Value::as_bool) == Some(true),
    })?;
    go_duration(row.get(duration)?.as_str()?)
}

/// `168h0m0s`
fn go_duration(text: &str) -> Option<Duration> {
    let mut all = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, behind) =
            behind.split_at(behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len()));
        let seconds = match unit {
            "h" => 3_600,
            "m" => 60,
            "s" => 1,
            _ => return None,
        };
        all = all.checked_add(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))?;
        rest = behind;
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_2_x_says_of_a_bucket() {
        let f = |rules: Value, want: Option<u64>| {
            let answer = json!({"buckets": [{"name": "other"}, {"name": "b", "retentionRules": rules}]});
            assert_eq!(of_bucket(&answer, "b"), want.map(Duration::from_secs));
        };
        f(json!([]), Some(0));
        f(json!([{"type": "expire", "everySeconds": 0}]), Some(0));
        f(json!([{"type": "expire", "everySeconds": 3600}]), Some(3_600));
        f(json!(null), None);
        assert_eq!(of_bucket(&json!({"buckets": []}), "b"), None);
        assert_eq!(of_bucket(&json!({"code": "unauthorized"}), "b"), None);
    }

    #[test]
    fn reads_what_1_x_says_of_a_database() {
        let series = json!({"columns": ["name", "duration", "shardGroupDuration", "replicaN", "default"],
            "values": [["autogen", "0s", "168h0m0s", 1, false], ["week", "168h0m0s", "24h0m0s", 1, true]]});
        let answer = json!({"results": [{"statement_id": 0, "series": [series]}]});
        let f = |policy: Option<&str>, want: Option<u64>| {
            assert_eq!(of_database(&answer, policy), want.map(Duration::from_secs));
        };
        f(None, Some(604_800));
        f(Some("autogen"), Some(0));
        f(Some("none"), None);
        let refused = json!({"results": [{"error": "database not found"}]});
        assert_eq!(of_database(&refused, None), None);
    }

    #[test]
    fn reads_durations() {
        let f = |text: &str, want: Option<u64>| {
            assert_eq!(go_duration(text), want.map(Duration::from_secs), "{text}");
        };
        f("0s", Some(0));
        f("1h1m1s", Some(3_661));
        f("", Some(0));
        f("5", None);
        f("h", None);
        f("1d", None);
    }
}
