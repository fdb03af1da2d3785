//! The words of servers that decide, each with the version that was seen to say them. `(source)` marks words that were read in the
//! server's source or documentation.
//!
//! All are in lower case and are looked for in the server's own words only.

use crate::cause::Cause;

/// One phrase and its meaning.
pub(super) struct Row<T> {
    pub words: &'static str,
    pub means: T,
}

const fn row<T>(words: &'static str, means: T) -> Row<T> {
    Row { words, means }
}

/// The meaning of the first row whose phrase the words hold.
pub(super) fn find<T>(rows: &'static [Row<T>], own: &str) -> Option<&'static T> {
    rows.iter().find(|row| own.contains(row.words)).map(|row| &row.means)
}

/// Errors of the operating system and of a server that is not able to write. They never concern lines.
pub(super) const SERVER_FAILURES: &[Row<Cause>] = &[
    // 1.6.7 (400 and 500), 2.7.12 (500), 3.10 (400 and 500)
    row("no space left on device", Cause::DiskFull),
    // Linux (source)
    row("disk quota exceeded", Cause::DiskFull),
    // Windows (source)
    row("not enough space on the disk", Cause::DiskFull),
    // 2.7.12, 1.6.7
    row("cache-max-memory-size exceeded", Cause::CacheFull),
    row("cache maximum memory size exceeded", Cause::CacheFull),
    // Linux (source)
    row("too many open files", Cause::ServerFailed),
    row("input/output error", Cause::ServerFailed),
    row("permission denied", Cause::ServerFailed),
    row("read-only file system", Cause::ServerFailed),
    row("cannot allocate memory", Cause::ServerFailed),
    // 3.10: every error of the operating system ends so
    row("(os error ", Cause::ServerFailed),
    // 3.10 (400 and 500)
    row("wal is shutdown", Cause::ServerFailed),
    // 1.x and 2.x while a shard or the server closes (source)
    row("engine is closed", Cause::ServerFailed),
    row("engine closed", Cause::ServerFailed),
    row("shard is disabled", Cause::ServerFailed),
    row("shard is deleted", Cause::ServerFailed),
    row("index is closed", Cause::ServerFailed),
    row("series file closed", Cause::ServerFailed),
    row("store is closed", Cause::ServerFailed),
    row("wal closed", Cause::ServerFailed),
    // InfluxDB Enterprise while a node is down (source)
    row("hinted handoff", Cause::ServerFailed),
    row("connection refused", Cause::ServerFailed),
    row("write failed", Cause::ServerFailed),
    // 1.6.7, 2.7.12
    row("timeout", Cause::Unavailable),
];

/// What a limit keeps out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitScope {
    /// Some lines: those of new series, columns and the like. The server takes others.
    Lines,
    /// Every line of the destination.
    Destination,
}

/// A limit of the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Limit {
    pub(super) words: &'static str,
    pub scope: LimitScope,
    /// What is limited, and the setting: a sentence without a full stop.
    pub remedy: &'static str,
}

/// A new phrase for a limit of which nothing else is known stands last.
pub(super) const LIMITS: &[Limit] = &[
    // 1.6.7 (400)
    Limit {
        words: "max-series-per-database limit exceeded",
        scope: LimitScope::Lines,
        remedy: "the database has as many series as max-series-per-database allows: raise it under [data] in influxdb.conf (0 is no limit), or write fewer series",
    },
    // 1.6.7 (400)
    Limit {
        words: "max-values-per-tag limit exceeded",
        scope: LimitScope::Lines,
        remedy: "a tag has as many values as max-values-per-tag allows: raise it under [data] in influxdb.conf (0 is no limit), or make that tag a field",
    },
    // 3.10 (422 from /write, 400 from /api/v2/write)
    Limit {
        words: "adding a new database would exceed limit",
        scope: LimitScope::Destination,
        remedy: "InfluxDB has as many databases as it allows (5 in InfluxDB 3 Core): check influx.database, influx.retention_policy or influx.bucket, or delete a database",
    },
    Limit {
        words: "would exceed number of columns",
        scope: LimitScope::Lines,
        remedy: "a table has as many columns as InfluxDB 3 allows (500 in Core): leave fields out with `exclude` of the mapping, or write to several measurements",
    },
    Limit {
        words: "would exceed number of tables limit",
        scope: LimitScope::Lines,
        remedy: "the database has as many tables as InfluxDB 3 allows (2,000 in Core): write to fewer measurements, or to another database",
    },
    // InfluxDB Cloud (source)
    Limit {
        words: "service limit",
        scope: LimitScope::Destination,
        remedy: "InfluxDB's plan or service limit is reached: raise the plan, or lower batch.points_per_second_max",
    },
    Limit {
        words: "plan limit",
        scope: LimitScope::Destination,
        remedy: "the limit of InfluxDB's plan is reached: raise the plan, or lower batch.points_per_second_max",
    },
    Limit {
        words: "cardinality limit",
        scope: LimitScope::Lines,
        remedy: "the bucket has as many series as its plan allows: raise the plan, or write fewer series",
    },
    Limit {
        words: "limit exceeded",
        scope: LimitScope::Lines,
        remedy: "raise the limit that InfluxDB names",
    },
    Limit { words: "limit reached", scope: LimitScope::Lines, remedy: "raise the limit that InfluxDB names" },
    Limit { words: "would exceed", scope: LimitScope::Lines, remedy: "raise the limit that InfluxDB names" },
    Limit {
        words: "quota exceeded",
        scope: LimitScope::Destination,
        remedy: "raise the quota that InfluxDB names",
    },
];

/// Causes of single lines in the words of InfluxDB 3, Cloud and `QuestDB`. `complaint` reads those of 1.x and 2.x, which name
/// more.
pub(super) const LINE_CAUSES: &[Row<&str>] = &[
    // 3.10
    row("no fields were provided", "no fields"),
    row("invalid column type for column ", "field type conflict"),
    row("unable to parse timestamp value", "timestamp"),
    row("multiple instances of ", "duplicate field"),
    row("string is greater than 1mb", "string too long"),
    row("line protocol parse failed", "unparsable"),
    row("line protocol parsing error", "unparsable"),
    row("partial write of line protocol occurred", "unparsable"),
    // QuestDB 9.3.4
    row("; cast error from protocol type", "field type conflict"),
    // InfluxDB Cloud (source), QuestDB 9.3.4
    row("failed to parse line protocol", "unparsable"),
    // 1.x and 2.x (source)
    row("invalid tag key: input tag ", "reserved tag"),
    row("invalid field name: input field ", "reserved field"),
];

/// 3.10 answers so to an empty body, which it was asked to see whether it takes writes.
pub(super) const EMPTY_WRITE: &[Row<()>] = &[row("incoming write was empty", ())];

/// A body whose compression the server, or a proxy that unpacks or relabels bodies, does not follow.
pub(super) const ENCODING: &[Row<()>] = &[
    // 2.7.12, 1.6.7
    row("gzip: invalid", ()),
    // 3.10
    row("error decoding gzip", ()),
    row("unacceptable content-encoding", ()),
    row("invalid utf-8", ()),
    row("valid utf-8", ()),
];

/// Mistakes of the request, with which the message begins.
pub(super) const REQUEST_MISTAKES: &[Row<Cause>] = &[
    // 2.7.12
    row("please provide either orgid or org", Cause::RequestRefused),
    row("invalid precision", Cause::RequestRefused),
    row("unable to read data", Cause::RequestRefused),
    row("bucket not found", Cause::BucketMissing),
    row("bucket \"\" not found", Cause::BucketMissing),
    row("organization name \"\" not found", Cause::OrgMissing),
    row("organization not found", Cause::OrgMissing),
    row("no dbrp mapping found", Cause::MappingMissing),
    row("unable to find dbrp", Cause::MappingMissing),
    row("dbrp mapping not found", Cause::MappingMissing),
    // 1.6.7
    row("database is required", Cause::RequestRefused),
    row("database not found", Cause::DatabaseMissing),
    // The policy is a parameter of the request, so no line is to blame.
    row("retention policy not found", Cause::PolicyMissing),
    // Go's server and nginx, where TLS is expected
    row("client sent an http request to an https server", Cause::RequestRefused),
    row("<html>\r\n<head><title>400 the plain http request was sent to https port", Cause::RequestRefused),
];
