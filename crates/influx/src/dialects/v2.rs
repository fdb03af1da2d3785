//! InfluxDB 2.x and InfluxDB Cloud.

use super::dialect::{Dialect, Target, shell_word as word};
use super::phrase::{LimitScope, Phrase, Phrases, QuotedText, ServerLimit, phrase};
use crate::cause::Cause;
use base::Credential;
use serde_json::Value;
use std::time::Duration;

/// A bucket of an organization.
#[derive(Clone, Copy, Debug)]
pub struct Bucket<'a> {
    pub org: &'a str,
    pub bucket: &'a str,
}

impl Dialect for Bucket<'_> {
    fn write_target(&self) -> Target<'_> {
        let parameters =
            vec![("org", self.org.into()), ("bucket", self.bucket.into()), ("precision", "ns".into())];
        Target { path: &["api", "v2", "write"], parameters }
    }

    fn retention_target(&self) -> Option<Target<'_>> {
        let parameters = vec![("org", self.org.into()), ("name", self.bucket.into())];
        Some(Target { path: &["api", "v2", "buckets"], parameters })
    }

    fn retention(&self, json: &Value) -> Option<Duration> {
        let buckets = json.get("buckets")?.as_array()?;
        let has_name = |bucket: &&Value| bucket.get("name").and_then(Value::as_str) == Some(self.bucket);
        let rules = buckets.iter().find(has_name)?.get("retentionRules")?.as_array()?;
        let seconds = rules.iter().filter_map(|rule| rule.get("everySeconds")?.as_u64());
        // A bucket without a rule, or with one of 0 s, keeps its points for ever.
        Some(Duration::from_secs(seconds.filter(|seconds| *seconds > 0).min().unwrap_or(0)))
    }

    fn permission_remedy(&self, _: &Credential) -> String {
        format!(
            "give influx.token permission to write to bucket {}, or make one that has it: \
             `influx auth create --org {} --write-buckets`",
            word(self.bucket),
            word(self.org)
        )
    }

    fn missing_remedy(&self, cause: Cause, _: &Credential) -> String {
        if cause == Cause::OrgMissing {
            return format!("check influx.org, or create it: `influx org create --name {}`", word(self.org));
        }
        format!(
            "check influx.bucket and influx.org, or create it: \
             `influx bucket create --org {} --name {} --retention 0`",
            word(self.org),
            word(self.bucket)
        )
    }

    fn not_created_remedy(&self, credential: &Credential) -> String {
        self.missing_remedy(Cause::DatabaseMissing, credential)
    }
}

pub const PHRASES: Phrases = Phrases {
    // 1.6.7, 2.7.12
    failures: &[phrase("timeout", Cause::Unavailable)],
    limits: LIMITS,
    // InfluxDB Cloud Serverless and Dedicated (source), QuestDB 9.3.4. The words behind them name the cause: `QuestDB` also begins so if
    // the table does not take writes.
    line_marks: &["failed to parse line protocol"],
    mistakes: MISTAKES,
    quoted_texts: &[
        // 2.7.12: - oldest point m,t=a at 1970-01-01T00:00:00Z dropped because it violates a Retention Policy Lower Bound
        QuotedText {
            begin: " - oldest point ",
            end: " dropped because it violates a retention",
            is_open: true,
        },
    ],
    ..Phrases::NONE
};

/// InfluxDB Cloud (source)
const LIMITS: &[ServerLimit] = &[
    ServerLimit {
        text: "service limit",
        scope: LimitScope::Destination,
        remedy: "InfluxDB's plan or service limit is reached: raise the plan, or set (or lower) batch.points_per_second_max",
    },
    ServerLimit {
        text: "plan limit",
        scope: LimitScope::Destination,
        remedy: "the limit of InfluxDB's plan is reached: raise the plan, or set (or lower) batch.points_per_second_max",
    },
    ServerLimit {
        text: "cardinality limit",
        scope: LimitScope::Lines,
        remedy: "the bucket has as many series as its plan allows: raise the plan, or write fewer series",
    },
];

const MISTAKES: &[Phrase<Cause>] = &[
    // 2.7.12
    phrase("please provide either orgid or org", Cause::RequestRefused),
    phrase("invalid precision", Cause::RequestRefused),
    phrase("unable to read data", Cause::RequestRefused),
    phrase("bucket not found", Cause::BucketMissing),
    phrase("bucket \"\" not found", Cause::BucketMissing),
    phrase("organization name \"\" not found", Cause::OrgMissing),
    phrase("organization not found", Cause::OrgMissing),
    phrase("no dbrp mapping found", Cause::MappingMissing),
    phrase("unable to find dbrp", Cause::MappingMissing),
    phrase("dbrp mapping not found", Cause::MappingMissing),
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_the_retention_of_a_bucket() {
        let bucket = Bucket { org: "o", bucket: "b" };
        let f = |rules: Value, want: Option<u64>| {
            let answer = json!({"buckets": [{"name": "other"}, {"name": "b", "retentionRules": rules}]});
            assert_eq!(bucket.retention(&answer), want.map(Duration::from_secs));
        };
        f(json!([]), Some(0));
        f(json!([{"type": "expire", "everySeconds": 0}]), Some(0));
        f(json!([{"type": "expire", "everySeconds": 3600}]), Some(3_600));
        f(json!(null), None);
        assert_eq!(bucket.retention(&json!({"buckets": []})), None);
        assert_eq!(bucket.retention(&json!({"code": "unauthorized"})), None);
    }
}
