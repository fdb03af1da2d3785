//! A client of InfluxDB: `InfluxQL` on 1.x and 2.x (2.x maps a bucket to a database of its name), and Flux on 2.x.

use super::http::{Http, basic, encode};
use super::live::variable;
use super::points::Stored;
use super::wait_for;
use serde_json::{Value, json};
use std::time::Duration;

pub struct Influx {
    http: Http,
}

impl Influx {
    pub fn new(url: &str, authorization: Option<String>) -> Self {
        Self { http: Http::new(url, authorization) }
    }

    /// The same server with another user.
    pub fn login(url: &str, user: &str, password: &str) -> Self {
        Self::new(url, Some(basic(user, password)))
    }

    pub fn url(&self) -> &str {
        self.http.url()
    }

    /// 2.x: creates a bucket without retention; returns its name.
    pub fn create_bucket(&self, name: String) -> String {
        self.create_bucket_with(&name, &json!([]));
        name
    }

    /// 2.x: creates a bucket with this retention; returns its name.
    pub fn create_bucket_keeping(&self, name: String, kept: Duration) -> String {
        self.create_bucket_with(&name, &json!([{"type": "expire", "everySeconds": kept.as_secs()}]));
        name
    }

    fn create_bucket_with(&self, name: &str, rules: &Value) {
        let bucket = json!({"orgID": self.org_id(), "name": name, "retentionRules": rules});
        self.post("/api/v2/buckets", &bucket);
    }

    /// 2.x: deletes a bucket with its points.
    pub fn delete_bucket(&self, name: &str) {
        self.http.delete(&format!("/api/v2/buckets/{}", self.bucket_id(name))).unwrap();
    }

    /// 2.x: creates a token that may write to this bucket; returns its id and the token.
    pub fn create_token(&self, bucket: &str) -> (String, String) {
        let org_id = self.org_id();
        let resource = json!({"type": "buckets", "id": self.bucket_id(bucket), "orgID": org_id});
        let permissions = json!([{"action": "write", "resource": resource}]);
        let made = self.post("/api/v2/authorizations", &json!({"orgID": org_id, "permissions": permissions}));
        let text = |key: &str| made[key].as_str().unwrap().to_owned();
        (text("id"), text("token"))
    }

    /// 2.x: revokes a token.
    pub fn revoke_token(&self, id: &str) {
        self.http.delete(&format!("/api/v2/authorizations/{id}")).unwrap();
    }

    /// 2.x: writes lines.
    pub fn write(&self, bucket: &str, lines: &str) {
        let org = encode(&variable("INFLUX2_ORG"));
        self.http.post(&format!("/api/v2/write?org={org}&bucket={bucket}"), "text/plain", lines).unwrap();
    }

    /// Whether the server is healthy.
    pub fn is_healthy(&self) -> bool {
        self.http.get("/health").is_ok()
    }

    /// Posts JSON.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.json(&self.http.post(path, "application/json", &body.to_string()))
    }

    fn org_id(&self) -> String {
        let path = format!("/api/v2/orgs?org={}", encode(&variable("INFLUX2_ORG")));
        let found = self.json(&self.http.get(&path));
        found["orgs"][0]["id"].as_str().expect("the organization is there").to_owned()
    }

    fn bucket_id(&self, name: &str) -> String {
        let found = self.json(&self.http.get(&format!("/api/v2/buckets?name={}", encode(name))));
        found["buckets"][0]["id"].as_str().expect("the bucket is there").to_owned()
    }

    /// 2.x: queries with Flux; returns CSV.
    pub fn flux(&self, query: &str) -> String {
        let path = format!("/api/v2/query?org={}", encode(&variable("INFLUX2_ORG")));
        self.http.post(&path, "application/vnd.flux", query).unwrap()
    }

    /// The `series` of one statement; empty if there are none.
    pub fn query(&self, database: &str, influxql: &str) -> Vec<Value> {
        self.try_query(database, influxql).unwrap()
    }

    pub fn try_query(&self, database: &str, influxql: &str) -> Result<Vec<Value>, String> {
        let path = format!("/query?epoch=ns&db={}&q={}", encode(database), encode(influxql));
        let text = self.http.post(&path, "application/x-www-form-urlencoded", "")?;
        let answer: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        let result = &answer["results"][0];
        match result.get("error") {
            Some(error) => Err(error.to_string()),
            None => Ok(result["series"].as_array().cloned().unwrap_or_default()),
        }
    }

    /// All points of a database, by measurement, tags and time.
    pub fn points(&self, database: &str) -> Vec<Stored> {
        self.try_points(database).unwrap()
    }

    /// Like [`Influx::points`], but fails if the database does not exist, which 1.x requires.
    pub fn try_points(&self, database: &str) -> Result<Vec<Stored>, String> {
        Ok(Stored::of_all(&self.try_query(database, "SELECT * FROM /.*/ GROUP BY *")?))
    }

    /// Number of points that have the field.
    pub fn count(&self, database: &str, measurement: &str, field: &str) -> u64 {
        let query = format!("SELECT count(\"{field}\") FROM \"{measurement}\"");
        // A starting server answers with errors, and a database may not exist yet.
        let series = self.try_query(database, &query).unwrap_or_default();
        series.first().and_then(|series| series["values"][0][1].as_u64()).unwrap_or(0)
    }

    /// Waits for at least this many points, then returns their number.
    pub fn wait_for_count(&self, at_least: u64, within: Duration, count: impl Fn(&Self) -> u64) -> u64 {
        let mut last = 0;
        let what = format!("{at_least} points in {}", self.url());
        wait_for(&what, within, || {
            last = count(self);
            (last >= at_least).then_some(last)
        })
        .0
    }

    fn json(&self, answer: &Result<String, String>) -> Value {
        let text = answer.as_ref().unwrap_or_else(|error| panic!("{}: {error}", self.url()));
        serde_json::from_str(text).unwrap()
    }
}
