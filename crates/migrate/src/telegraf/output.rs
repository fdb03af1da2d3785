//! Migrates `outputs.influxdb_v2`, `outputs.influxdb_v3` and `outputs.influxdb` to `[influx]`.

use super::super::Weight;
use super::amounts;
use super::conf::{Options, Plugin};
use super::filters::Subject;
use super::kafka::files;
use super::report::Report;
use super::rules::{NAMES_AND_FILTERS, Rules, is_match};
use super::variables::has_variable;
use configuration::draft::Table;

pub const V2: &str = "outputs.influxdb_v2";
pub const V1: &str = "outputs.influxdb";
pub const V3: &str = "outputs.influxdb_v3";

/// Whether the bridge replaces outputs of this kind.
pub fn is_replaced(kind: &str) -> bool {
    matches!(kind, V1 | V2 | V3)
}

/// One bridge can replace two outputs only if these options are the same.
const SERVER: [&str; 15] = [
    "urls",
    "url",
    "token",
    "organization",
    "username",
    "password",
    "timeout",
    "content_encoding",
    "skip_database_creation",
    "sync",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "insecure_skip_verify",
    "flush_interval",
];

const NOTES: [(&str, &str); 13] = [
    ("http_headers", "the bridge adds no headers: use a proxy in front of InfluxDB"),
    ("http_proxy", "the variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY say it"),
    (
        "influx_omit_timestamp",
        "every point has a time, so that records that are read again overwrite the same points",
    ),
    ("rate_limit", "the bridge limits points, not bytes: set batch.points_per_second_max"),
    ("rate_limit_period", "the bridge limits points, not bytes: set batch.points_per_second_max"),
    ("local_address", "the system chooses the address"),
    ("write_consistency", "it is for InfluxDB Enterprise, whose default is used"),
    ("udp_payload", "the bridge writes by HTTP only"),
    ("tls_key_pwd", "the key of [influx.tls] must have no password"),
    ("tls_server_name", "the certificate must have the name in the address"),
    ("tls_min_version", "the bridge uses TLS 1.2 and later"),
    ("tls_cipher_suites", "the bridge uses those of rustls"),
    ("exclude_retention_policy_tag", "remove the tag from `tags` if it is there"),
];

/// Options that the bridge does not need, with the reason.
const NOT_NEEDED: [(&str, &str); 5] = [
    ("metric_buffer_limit", "Kafka is the buffer, and batch.memory_max bounds the memory"),
    ("user_agent", "the bridge sends its own"),
    (
        "concurrent_writes",
        "the bridge writes with several requests by itself, in the order of each partition",
    ),
    ("tls_renegotiation_method", "the bridge does not renegotiate"),
    ("startup_error_behavior", "the bridge starts without InfluxDB and waits for it"),
];

const SILENT: [&str; 16] = [
    "alias",
    "log_level",
    "flush_jitter",
    "flush_interval",
    "metric_batch_size",
    "influx_uint_support",
    "ping_timeout",
    "read_idle_timeout",
    "use_dynamic_secret",
    "buffer_strategy",
    "buffer_directory",
    "tls_enable",
    "labels",
    "precision",
    "bucket",
    "database",
];

const READ: [&str; 10] = [
    "bucket_tag",
    "exclude_bucket_tag",
    "database_tag",
    "exclude_database_tag",
    "retention_policy",
    "retention_policy_tag",
    "metricpass",
    "ssl_ca",
    "ssl_cert",
    "ssl_key",
];

/// A text that is equal for outputs to the same server.
pub fn identity(output: &Plugin) -> String {
    format!("{}\0{}", output.kind, output.options.identity(&SERVER))
}

/// The destination of one input's points at an output: its bucket, or its database and retention policy.
pub fn destination(output: &Plugin, rules: &mut Rules, topics: &[String]) -> Vec<(&'static str, String)> {
    let options = &output.options;
    if output.kind == V2 {
        let bucket = by_tag(options, "bucket_tag", "exclude_bucket_tag", "bucket", rules, topics)
            .or_else(|| options.text("bucket"));
        return bucket.map(|bucket| ("bucket", bucket)).into_iter().collect();
    }
    let database = by_tag(options, "database_tag", "exclude_database_tag", "database", rules, topics)
        .or_else(|| options.text("database"));
    if output.kind == V3 {
        return database.map(|database| ("database", database)).into_iter().collect();
    }
    let database = database.unwrap_or_else(|| "telegraf".to_owned());
    let policy = by_tag(
        options,
        "retention_policy_tag",
        "exclude_retention_policy_tag",
        "retention_policy",
        rules,
        topics,
    )
    .or_else(|| options.text("retention_policy"));
    let policy = policy.map(|policy| ("retention_policy", policy));
    std::iter::once(("database", database)).chain(policy).collect()
}

/// Resolves `bucket_tag` and similar options, which is possible only for a fixed tag.
fn by_tag(
    options: &Options,
    option: &str,
    exclude: &str,
    key: &str,
    rules: &mut Rules,
    topics: &[String],
) -> Option<String> {
    let tag = options.text(option)?;
    let is_excluded = options.flag(exclude) == Some(true);
    let tags = rules.tags_named(&tag);
    let subject = Subject::of(rules, Some(topics));
    let is_open = is_match(&subject.open_tags, &tag);
    let value = subject.tags.iter().find(|(name, _)| *name == tag).map(|(_, value)| value.clone());
    if is_excluded {
        for tag in &tags {
            rules.drop_tag(tag, (options, option));
        }
    }
    if is_open {
        let why = format!(
            "a record can't choose its destination: give each topic a [[mapping]] with its own `{key}`"
        );
        rules.note(options, option, why);
    }
    value
}

/// The tables of an output, with the destination that all mappings share.
pub fn tables(output: &Plugin, destination: &[(&'static str, String)], report: &mut Report) -> Vec<Table> {
    let options = &output.options;
    let mut influx = Table::new("[influx]");
    report.note_all(&mut influx, options, &NOTES, Weight::Differs);
    report.note_all(&mut influx, options, &NOT_NEEDED, Weight::NoEffect);
    let login = urls(options, &mut influx, report);
    if output.kind == V2 {
        report.require(&mut influx, options, "organization", "org");
    } else {
        influx.set("api", if output.kind == V3 { "v3" } else { "v1" });
    }
    for (key, value) in destination {
        report.set(&mut influx, options, key, key, value);
    }
    let key = if output.kind == V2 { "bucket" } else { "database" };
    if output.kind != V1 && options.text(key).is_none() && destination.is_empty() {
        report.require(&mut influx, options, key, key);
    }
    if output.kind == V1 {
        login_v1(options, login, &mut influx, report);
        if options.flag("skip_database_creation") != Some(true) {
            influx.set_because(
                "create_database",
                true,
                &["Telegraf does so without skip_database_creation."],
            );
        }
    } else {
        report.set_secret(&mut influx, options, "token", "token", "INFLUX_TOKEN");
    }
    if output.kind == V3 && options.flag("sync") == Some(false) {
        let why = "From sync = false: a crash of the server loses lines that it has already confirmed.";
        influx.set_because("no_sync", true, &[why]);
    }
    let encoding = options.text("content_encoding");
    match encoding.as_deref() {
        Some("identity" | "none") => {
            influx.set("compression", "none");
        }
        Some("gzip") | None => {}
        Some(other) => report.note(
            &mut influx,
            options,
            "content_encoding",
            format!("{other:?} is neither gzip, identity nor none"),
        ),
    }
    timeout(options, &mut influx, report);
    let mut tables = vec![influx];
    tables.extend(tls(options));
    tables
}

/// Sets the addresses, and returns the user of a login in one of them.
fn urls(options: &Options, influx: &mut Table, report: &mut Report) -> Option<String> {
    let mut written = options.texts("urls");
    if written.is_empty() {
        written = options.texts("url");
    }
    if written.is_empty() {
        written.push("http://localhost:8086".to_owned());
    }
    let (mut urls, mut comments, mut login) = (Vec::new(), Vec::new(), None);
    for url in written {
        let (url, user) = without_login(&url);
        if url.starts_with("udp://") || url.starts_with("unix://") {
            report.note(influx, options, "urls", format!("{url}: the bridge writes by HTTP only, because InfluxDB then confirms what it stored: write its http:// address"));
            let (url, why) = report.missing(options, "urls", "influx.url", &format!("has {url}"));
            urls.push(url);
            comments.extend(why);
            continue;
        }
        login = login.or(user);
        let (url, why) = report.value(options, "urls", "influx.url", &url);
        comments.extend(why);
        urls.push(url);
    }
    let comments: Vec<&str> = comments.iter().map(String::as_str).collect();
    match urls.as_slice() {
        [url] => influx.set_because("url", url.clone(), &comments),
        _ => influx.set_because("urls", urls, &comments),
    };
    login
}

/// Splits `http://user:password@host` into the address without a login, and the user.
fn without_login(url: &str) -> (String, Option<String>) {
    let parts = url.split_once("://").and_then(|(scheme, rest)| {
        let authority_len = rest.find('/').unwrap_or(rest.len());
        let at = rest.get(..authority_len)?.rfind('@')?;
        Some((scheme, rest.get(..at)?, rest.get(at + 1..)?))
    });
    match parts {
        Some((scheme, login, rest)) => {
            let user = login.split_once(':').map_or(login, |(user, _)| user);
            (format!("{scheme}://{rest}"), Some(user.to_owned()))
        }
        None => (url.to_owned(), None),
    }
}

fn login_v1(options: &Options, in_url: Option<String>, influx: &mut Table, report: &mut Report) {
    if let Some(user) = options.text("username") {
        report.set(influx, options, "username", "username", &user);
        report.set_secret(influx, options, "password", "password", "INFLUX_PASSWORD");
    } else if let Some(user) = in_url {
        influx.set("username", user);
        let place = options.place("urls");
        report
            .fill_in
            .push(format!("influx.password: set INFLUX_PASSWORD to the password in the address of {place}"));
        influx.set_because("password", "${INFLUX_PASSWORD}", &[&format!("The address in {place} has it")]);
    }
}

fn timeout(options: &Options, influx: &mut Table, report: &mut Report) {
    let Some(text) = options.text("timeout") else { return };
    match amounts::duration(&text) {
        Some(timeout) if (1..=3_600_000).contains(&timeout.as_millis()) => {
            influx.set("timeout", amounts::shown(timeout));
        }
        None if has_variable(&text) => {
            influx.set("timeout", text);
        }
        _ => report.note(influx, options, "timeout", "the bridge uses 30 s; the range is 1 ms to 1 h"),
    }
}

fn tls(options: &Options) -> Option<Table> {
    let mut table = Table::new("[influx.tls]");
    let has_files = files(options, &mut table);
    let is_unverified = options.flag("insecure_skip_verify") == Some(true);
    if is_unverified {
        table.set_because(
            "verify",
            false,
            &["From insecure_skip_verify: anybody on the network path can read and change everything."],
        );
    }
    (has_files || is_unverified).then_some(table)
}

pub fn report_unread(output: &Plugin, report: &mut Report) {
    let known: Vec<&str> = READ
        .iter()
        .chain(&SERVER)
        .chain(&SILENT)
        .chain(&NAMES_AND_FILTERS)
        .copied()
        .chain(NOTES.iter().chain(&NOT_NEEDED).map(|(name, _)| *name))
        .collect();
    output.options.mark(known.iter().copied());
    report.unread(&output.kind, &output.options, &known);
}
