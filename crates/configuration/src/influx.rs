//! Reads `[influx]`: the server, its login, and the default destination.

use super::certificates::{certificate_files, verifies};
use super::destination_names;
use super::http_credential::http_credential;
use super::keys::{self, APIS, COMPRESSIONS, TIME_PRECISIONS};
use super::section::Section;
use super::source::Span;
use super::urls;
use base::{Api, TimePrecision};
use influx::{ConnectionSettings, Tls};
use mapping::Template;

/// Keys that an API does not have: the APIs that have the key, and the reason.
type MissingKeys = &'static [(&'static str, &'static str, &'static str)];

const NOT_IN_V2: MissingKeys = &[
    ("database", "\"v1\" or \"v3\"", "v2 writes into a `bucket`"),
    ("retention_policy", "\"v1\"", "v2 writes into a `bucket`, which has its own"),
    ("username", "\"v1\"", "v2 logs in with a `token`"),
    ("password", "\"v1\"", "v2 logs in with a `token`"),
    ("create_database", "\"v1\"", "buckets are made with `influx bucket create`"),
    ("no_sync", "\"v3\"", "v2 answers when lines are on the server's disk"),
];
const NOT_IN_V1: MissingKeys = &[
    ("org", "\"v2\"", "v1 has no organizations"),
    ("bucket", "\"v2\"", "v1 writes into a `database`; that of an InfluxDB 2 is the one of its DBRP mapping"),
    ("no_sync", "\"v3\"", "v1 answers when lines are on the server's disk"),
];
const NOT_IN_V3: MissingKeys = &[
    ("org", "\"v2\"", "v3 has no organizations"),
    ("bucket", "\"v2\"", "v3 writes into a `database`"),
    ("retention_policy", "\"v1\"", "a database of InfluxDB 3 has one retention period"),
    ("username", "\"v1\"", "v3 logs in with a `token`"),
    ("password", "\"v1\"", "v3 logs in with a `token`"),
    ("create_database", "\"v1\"", "InfluxDB 3 creates a missing database at the first write"),
];

/// The checked table. Either part may have errors.
pub struct InfluxRead {
    pub connection: Option<ConnectionSettings>,
    pub defaults: Defaults,
    /// Most destinations, where some belong to topics.
    pub destinations_max: usize,
}

/// The destination of mappings that have none of their own.
pub struct Defaults {
    /// None if the value was refused.
    pub api: Option<Api>,
    pub api_is_written: bool,
    pub header: Span,
    pub org: Option<String>,
    pub bucket: Option<Template>,
    pub database: Option<Template>,
    pub retention_policy: Option<Template>,
    pub time_precision: TimePrecision,
}

pub fn read(top: Section<'_>) -> Option<InfluxRead> {
    if !top.has("influx") {
        top.missing("influx", "it has the server to write to");
    }
    let section = top.table("influx", &keys::INFLUX)?;
    let api = match section.word("api", &APIS) {
        None if section.has("api") => None,
        _ => Some(section.word_or_default("api", &APIS)),
    };
    for key in ["bucket", "database"].into_iter().filter(|key| section.has(key)) {
        // A key with a wrong value is not also reported as missing.
        section.context.meant("influx", key);
    }
    let value = |key: &str| section.text(key).map(|text| text.value);
    let defaults = Defaults {
        api,
        api_is_written: section.has("api"),
        header: section.header_span(),
        org: value("org"),
        bucket: destination_names::name(section, "bucket"),
        database: destination_names::name(section, "database"),
        retention_policy: destination_names::policy(section),
        time_precision: section.word_or_default("time_precision", &TIME_PRECISIONS),
    };
    if let Some(api) = api {
        refuse_other_api(section, api, section.has("api"));
        check_required(section, api);
    }
    let destinations_max = section.number_or_default("destinations_max") as usize;
    let connection = connection(section, api, defaults.time_precision);
    Some(InfluxRead { connection, defaults, destinations_max })
}

fn connection(
    section: Section<'_>,
    api: Option<Api>,
    time_precision: TimePrecision,
) -> Option<ConnectionSettings> {
    let urls = urls::read(section);
    let credential = http_credential(section, api == Some(Api::V1));
    let create_database = section.flag_or_default("create_database");
    let no_sync = section.flag_or_default("no_sync");
    if no_sync && api == Some(Api::V3) {
        let risk = "`no_sync` is true: a crash of the server loses lines that it has answered with 204, and their \
                    offsets are committed, so they are not written again";
        section.context.warning(&section.header_span(), risk);
    }
    let compression = section.word_or_default("compression", &COMPRESSIONS);
    let timeout = section.duration_or_default("timeout");
    let tls = section.table("tls", &keys::INFLUX_TLS);
    let certificates =
        tls.map(|tls| Tls { files: certificate_files(tls), verify: verifies(tls) }).unwrap_or_default();
    let urls = urls?;
    if let Some(tls) = tls.filter(|_| urls.iter().all(|url| url.scheme() == "http")) {
        section
            .context
            .warning(&tls.header_span(), "no `url` begins with https://, so nothing of this is used");
    }
    Some(ConnectionSettings {
        urls,
        api: api?,
        credential: credential?,
        create_database,
        no_sync,
        time_precision,
        compression,
        timeout,
        tls: certificates,
    })
}

/// Reports keys of `[influx]` or `[[mapping]]` that only other APIs have.
pub fn refuse_other_api(section: Section<'_>, api: Api, api_is_written: bool) {
    let others = match api {
        Api::V2 => NOT_IN_V2,
        Api::V1 => NOT_IN_V1,
        Api::V3 => NOT_IN_V3,
    };
    for (key, other, why) in others {
        if section.schema.has(key) && section.has(key) {
            let remedy = if api_is_written {
                String::new()
            } else {
                format!("; if that is what you want, add api = {other} to [influx]")
            };
            section.error(key, format!("`{key}` belongs to api = {other}: {why}{remedy}"));
        }
    }
    // A file with a database and no token lacks `api`, not org, token and bucket.
    let is_influx = section.schema.name == keys::INFLUX.name;
    let forgot_api = is_influx && api == Api::V2 && !api_is_written && section.has("database");
    if forgot_api && !section.has("token") {
        for key in ["org", "token", "bucket"] {
            section.context.meant("influx", key);
        }
    }
}

fn check_required(section: Section<'_>, api: Api) {
    let required: &[(&str, &str)] = match api {
        Api::V2 => &[
            ("org", "the organization that owns the bucket"),
            ("token", "an API token with write access, such as token = \"${INFLUX_TOKEN}\""),
        ],
        // InfluxDB 1 and 3 can run without a login.
        Api::V1 | Api::V3 => &[],
    };
    for (key, why) in required {
        if !section.has(key) {
            section.missing(key, why);
        }
    }
}
