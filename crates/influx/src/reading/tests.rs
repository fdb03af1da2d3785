use super::*;
use std::collections::BTreeSet;

fn of(status: u16, body: &str) -> About {
    Reading::of(&Answer { status, body: body.as_bytes().to_vec(), ..Answer::default() }).about
}

/// As 1.x says it, as 2.x does, and as a proxy might.
fn json(message: &str) -> [String; 2] {
    [serde_json::json!({ "error": message }), serde_json::json!({ "code": "any", "message": message })]
        .map(|json| json.to_string())
}

#[test]
fn reads_failures_limits_and_causes() {
    let f = |message: &str, want: &dyn Fn(&About) -> bool| {
        for body in json(message) {
            let about = of(400, &body);
            assert!(want(&about), "{message}: {about:?}");
        }
    };
    let server = |cause: Cause| move |about: &About| *about == About::Server(cause);
    let scope =
        |scope: LimitScope| move |about: &About| matches!(about, About::Limit(limit) if limit.scope == scope);
    let named = |name: &'static str| move |about: &About| *about == About::Line(Complaint::Named(name));
    // 1.6.7
    f(
        "partial write: write /d/data/db/_series/07/0000: no space left on device dropped=3000",
        &server(Cause::DiskFull),
    );
    f("partial write: max-series-per-database limit exceeded: (10) dropped=250", &scope(LimitScope::Lines));
    f(
        r#"partial write: max-values-per-tag limit exceeded (100000/100000): measurement="m" tag="t" value="v" dropped=7"#,
        &scope(LimitScope::Lines),
    );
    f("engine: cache-max-memory-size exceeded: (200123/200000)", &server(Cause::CacheFull));
    f("partial write: open /d/x: too many open files dropped=1", &server(Cause::ServerFailed));
    f("partial write: read /d/x: input/output error dropped=1", &server(Cause::ServerFailed));
    f("partial write: open /d/x: permission denied dropped=1", &server(Cause::ServerFailed));
    f("partial write: engine is closed dropped=1", &server(Cause::ServerFailed));
    f("partial write: points beyond retention policy dropped=1", &|about| {
        *about == About::Line(Complaint::Retention)
    });
    // 2.7.12
    f("unable to parse 'm f=': missing field value", &|about| *about == About::Line(Complaint::Unparsable));
    f("Please provide either orgID or org", &|about| *about == About::Request(Cause::RequestRefused));
    f("unable to read data: gzip: invalid header", &|about| *about == About::Encoding);
    f("bucket \"ec2\" not found", &|about| *about == About::Request(Cause::BucketMissing));
    // 3.10
    f(
        "write buffer error: error from wal: Generic LocalFileSystem error: No space left on device (os error 28)",
        &server(Cause::DiskFull),
    );
    f("write buffer error: wal is shutdown and not accepting writes", &server(Cause::ServerFailed));
    f("write buffer error: x (os error 5)", &server(Cause::ServerFailed));
    f(
        "write buffer error: catalog update error: Adding a new database would exceed limit of 5 databases",
        &scope(LimitScope::Destination),
    );
    f("Update to schema would exceed number of tables limit: 2000", &scope(LimitScope::Lines));
    f(
        "Update to schema would exceed number of columns per table limit of 500 columns",
        &scope(LimitScope::Lines),
    );
    f("write buffer error: incoming write was empty", &|about| *about == About::EmptyWrite);
    f("write buffer error: line protocol parse failed: No fields were provided", &named("no fields"));
    f(
        "write buffer error: line protocol parse failed: invalid column type for column 'v', expected iox::column_type::field::float, got iox::column_type::field::string",
        &named("field type conflict"),
    );
    f(
        "write buffer error: line protocol parse failed: multiple instances of 'v' field found",
        &named("duplicate field"),
    );
    f(
        "write buffer error: line protocol parse failed: String is greater than 1MB",
        &named("string too long"),
    );
    // QuestDB 9.3.4
    f(
        "failed to parse line protocol:errors encountered on line(s):\nerror in line 2: table: cpu, column: v; cast error from protocol type: STRING to column type: DOUBLE",
        &named("field type conflict"),
    );
    // InfluxDB Cloud
    f("service limit reached", &scope(LimitScope::Destination));
    f("org has exceeded plan limit", &scope(LimitScope::Destination));
    f("some other limit exceeded", &scope(LimitScope::Lines));
    f("", &|about| *about == About::Unknown);
    f("whatever", &|about| *about == About::Unknown);
    f("partial write: what dropped=5", &|about| *about == About::Unknown);
    f("[field type conflict]", &|about| *about == About::Unknown);
}

#[test]
fn reads_the_line_that_influxdb_3_names() {
    let f = |body: serde_json::Value, want: &[(usize, Option<&str>)], message: &str| {
        let body = body.to_string().into_bytes();
        let reading = Reading::of(&Answer { status: 400, body, ..Answer::default() });
        let got: Vec<_> =
            reading.numbered.iter().map(|named| (named.number, named.begins.as_deref())).collect();
        assert_eq!((got.as_slice(), reading.message.as_str()), (want, message));
        assert!(matches!(reading.about, About::Line(Complaint::Named(_))), "{:?}", reading.about);
    };
    let detail = |number: usize| serde_json::json!({"error_message": "No fields were provided", "line_number": number, "original_line": "m v=no space left"});
    f(
        serde_json::json!({"error": "line protocol parsing error", "data": detail(3)}),
        &[(3, Some("m v=no space left"))],
        "line protocol parsing error: No fields were provided",
    );
    f(
        serde_json::json!({"error": "partial write of line protocol occurred", "data": [detail(1), detail(7)]}),
        &[(1, Some("m v=no space left")), (7, Some("m v=no space left"))],
        "partial write of line protocol occurred: No fields were provided",
    );
    f(
        serde_json::json!({"code": "invalid", "line": 2, "message": "failed to parse line protocol:errors encountered on line(s):\nerror in line 2: x"}),
        &[(2, None)],
        "failed to parse line protocol:errors encountered on line(s):\nerror in line 2: x",
    );
}

/// Every phrase that decides, as the name of a measurement and a field, as a tag and as a string.
fn phrases() -> BTreeSet<&'static str> {
    let server = SERVER_FAILURES.iter().map(|row| row.words);
    let limits = LIMITS.iter().map(|limit| limit.words);
    let lines = LINE_CAUSES.iter().map(|row| row.words);
    let empty = EMPTY_WRITE.iter().chain(ENCODING).map(|row| row.words);
    let requests = REQUEST_MISTAKES.iter().map(|row| row.words);
    let others = [
        "partial write: ",
        "field type conflict: input field ",
        "points beyond retention policy",
        " dropped=7",
    ];
    server.chain(limits).chain(lines).chain(empty).chain(requests).chain(others).collect()
}

type Check<'a> = &'a dyn Fn(&About) -> bool;

#[test]
fn words_of_records_never_decide() {
    for phrase in phrases() {
        // Also with the marks that end a quote.
        for name in [
            phrase.to_owned(),
            format!("a\"{phrase}"),
            format!("it's {phrase}'"),
            format!("x': {phrase}"),
            format!("`{phrase}`; "),
        ] {
            let conflict = |name: &str| {
                format!(
                    r#"partial write: field type conflict: input field "{name}" on measurement "{name}" is type string, already exists as type float dropped=1"#
                )
            };
            let escaped = name.replace('"', "\\\"");
            let line = format!("m,t={name} s=\"{name}\",v=+1 1");
            let is_conflict = |about: &About| matches!(about, About::Line(Complaint::Conflict { .. }));
            let is_series =
                |about: &About| matches!(about, About::Limit(limit) if limit.words.starts_with("max-"));
            let cases: [(String, Check<'_>); 7] = [
                (conflict(&name), &is_conflict),
                (format!("failure writing points to database: {}", conflict(&escaped)), &is_conflict),
                (format!("unable to parse '{line}': invalid number"), &|about| {
                    *about == About::Line(Complaint::Unparsable)
                }),
                (
                    format!(
                        "partial write: unable to parse '{line}': invalid number\nunable to parse '{line}': invalid number dropped=0"
                    ),
                    &|about| *about == About::Line(Complaint::Unparsable),
                ),
                (
                    format!(
                        "failure writing points to database: partial write: dropped 1 points outside retention policy of duration 1h0m0s - oldest point m,t={name} at 1970-01-01T00:00:00Z dropped because it violates a Retention Policy Lower Bound at 2026-11-21T15:41:47Z, newest point m,t={name} at 1970-01-01T00:00:00Z dropped because it violates a Retention Policy Lower Bound at 2026-11-21T15:41:47Z dropped=1"
                    ),
                    &|about| *about == About::Line(Complaint::Retention),
                ),
                (
                    format!(
                        "write buffer error: line protocol parse failed: invalid column type for column '{name}', expected iox::column_type::field::float, got iox::column_type::field::string"
                    ),
                    &|about| *about == About::Line(Complaint::Named("field type conflict")),
                ),
                (
                    format!(
                        r#"partial write: max-values-per-tag limit exceeded (1/1): measurement="{name}" tag="{name}" value="{name}" dropped=1"#
                    ),
                    &is_series,
                ),
            ];
            for (message, want) in cases {
                for body in json(&message) {
                    let about = of(400, &body);
                    assert!(want(&about), "{message}: {about:?}");
                }
            }
            // InfluxDB 3 repeats the line apart from its words.
            let data = serde_json::json!({"error_message": "No fields were provided", "line_number": 1, "original_line": line});
            let body = serde_json::json!({"error": "line protocol parsing error", "data": data}).to_string();
            assert_eq!(of(400, &body), About::Line(Complaint::Named("no fields")), "{body}");
            // The page of a firewall that shows what it refused.
            assert_eq!(of(400, &format!("<html><p>Refused: {line}</p></html>")), About::Unknown, "{line}");
        }
    }
}

/// A list of quoted lines that was read to a cap ends within a quote.
#[test]
fn words_within_a_quote_that_was_cut_do_not_decide() {
    let body = br#"{"code":"invalid","message":"unable to parse 'm,t=no space left on device v=+1': bad\nunable to parse 'm,t=no space left on devi"#;
    let answer = Answer { status: 400, body: body.to_vec(), is_cut: true, ..Answer::default() };
    assert_eq!(Reading::of(&answer).about, About::Line(Complaint::Unparsable));
}

#[test]
fn knows_compressed_bytes_that_are_quoted() {
    let body = b"{\"error\":\"unable to parse '\x1f\x8b\x08\x00\x00': missing fields\"}";
    let lossy = String::from_utf8_lossy(body)
        .replace('\u{1f}', "\\u001f")
        .replace('\u{8}', "\\b")
        .replace('\0', "\\u0000");
    assert_eq!(of(400, &lossy), About::Encoding);
    assert_eq!(
        of(400, &json("unable to parse 'm v=': missing field value")[0]),
        About::Line(Complaint::Unparsable)
    );
}

#[test]
fn every_phrase_is_in_lower_case() {
    for phrase in phrases() {
        assert_eq!(phrase, phrase.to_ascii_lowercase());
    }
}
