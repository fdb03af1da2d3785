use super::*;
use crate::dialects::LimitScope;
use std::collections::BTreeSet;

fn of(status: u16, body: &str) -> AnswerSubject {
    ParsedAnswer::of(&Answer { status, body: body.as_bytes().to_vec(), ..Answer::default() }).subject
}

/// Bodies with a message in the forms of 1.x and 2.x.
fn json(message: &str) -> [String; 2] {
    [serde_json::json!({ "error": message }), serde_json::json!({ "code": "any", "message": message })]
        .map(|json| json.to_string())
}

#[test]
fn reads_failures_limits_and_causes() {
    let f = |message: &str, want: &dyn Fn(&AnswerSubject) -> bool| {
        for body in json(message) {
            let subject = of(400, &body);
            assert!(want(&subject), "{message}: {subject:?}");
        }
    };
    let server = |cause: Cause| move |subject: &AnswerSubject| *subject == AnswerSubject::Server(cause);
    let scope = |scope: LimitScope| move |subject: &AnswerSubject| matches!(subject, AnswerSubject::Limit(limit) if limit.scope == scope);
    let named = |name: &'static str| {
        move |subject: &AnswerSubject| *subject == AnswerSubject::Line(RefusalCause::Named(name))
    };
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
    f("partial write: points beyond retention policy dropped=1", &|subject| {
        *subject == AnswerSubject::Line(RefusalCause::Retention)
    });
    // 2.7.12
    f("unable to parse 'm f=': missing field value", &|subject| {
        *subject == AnswerSubject::Line(RefusalCause::Unparsable)
    });
    f("Please provide either orgID or org", &|subject| {
        *subject == AnswerSubject::Request(Cause::RequestRefused)
    });
    f("unable to read data: gzip: invalid header", &|subject| *subject == AnswerSubject::Encoding);
    f("bucket \"ec2\" not found", &|subject| *subject == AnswerSubject::Request(Cause::BucketMissing));
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
    f("write buffer error: incoming write was empty", &|subject| *subject == AnswerSubject::EmptyWrite);
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
    let questdb = |why: &str| {
        format!("failed to parse line protocol:errors encountered on line(s):\nerror in line 1: {why}")
    };
    f(
        &questdb(
            "Could not parse entire line, field value is invalid. Field: s; value: no space left on device",
        ),
        &named("unparsable"),
    );
    f(&questdb("Could not parse entire line. Field value is missing: limit exceeded"), &named("unparsable"));
    f(&questdb("Could not parse timestamp: 99999999999999999999"), &named("timestamp"));
    f(
        &questdb("table: cpu, timestamp: -5; designated timestamp before 1970-01-01 is not allowed"),
        &named("timestamp"),
    );
    f(&questdb("table: a?b; invalid table name"), &named("invalid name"));
    f(&questdb("table: cpu; invalid column name: a/"), &named("invalid name"));
    // InfluxDB Cloud
    f("service limit reached", &scope(LimitScope::Destination));
    f("org has exceeded plan limit", &scope(LimitScope::Destination));
    f("some other limit exceeded", &scope(LimitScope::Lines));
    f("", &|subject| *subject == AnswerSubject::Unknown);
    f("whatever", &|subject| *subject == AnswerSubject::Unknown);
    f("partial write: what dropped=5", &|subject| *subject == AnswerSubject::Unknown);
    f("[field type conflict]", &|subject| *subject == AnswerSubject::Unknown);
}

#[test]
fn reads_the_lines_that_an_answer_names() {
    let f = |body: serde_json::Value, want: &[(usize, Option<&str>)], message: &str| {
        let body = body.to_string().into_bytes();
        let parsed = ParsedAnswer::of(&Answer { status: 400, body, ..Answer::default() });
        let got: Vec<_> = parsed.numbered.iter().map(|named| (named.number, named.why.as_deref())).collect();
        assert_eq!((got.as_slice(), parsed.message.as_str()), (want, message));
        assert!(matches!(parsed.subject, AnswerSubject::Line(_)), "{:?}", parsed.subject);
    };
    let detail = |number: usize| serde_json::json!({"error_message": "No fields were provided", "line_number": number, "original_line": "m v=no space left"});
    f(
        serde_json::json!({"error": "line protocol parsing error", "data": detail(3)}),
        &[(3, Some("line protocol parsing error: No fields were provided"))],
        "line protocol parsing error: No fields were provided",
    );
    f(
        serde_json::json!({"error": "partial write of line protocol occurred", "data": [detail(1), detail(7)]}),
        &[
            (1, Some("partial write of line protocol occurred: No fields were provided")),
            (7, Some("partial write of line protocol occurred: No fields were provided")),
        ],
        "partial write of line protocol occurred: No fields were provided",
    );
    f(
        serde_json::json!({"code": "invalid", "line": 2, "message": "failed to parse line protocol:errors encountered on line(s):\nerror in line 2: x"}),
        &[(2, None)],
        "failed to parse line protocol:errors encountered on line(s):\nerror in line 2: x",
    );
    // InfluxDB Cloud, as its documentation and its source show a list.
    for space in ["", "\n "] {
        let message = format!(
            "failed to parse line protocol: {space}errors encountered on line(s):\n error parsing line 2 (1-based): Invalid measurement was provided\n error parsing line 4 (1-based): Unable to parse timestamp value '123461000000000000000000000000'"
        );
        f(
            serde_json::json!({"code": "invalid", "line": 2, "message": message}),
            &[
                (2, Some("failed to parse line protocol: Invalid measurement was provided")),
                (
                    4,
                    Some(
                        "failed to parse line protocol: Unable to parse timestamp value '123461000000000000000000000000'",
                    ),
                ),
            ],
            &message,
        );
    }
}

/// 5,000 bad lines make 500 to 950 kB.
#[test]
fn reads_a_list_as_far_as_it_was_read() {
    let detail = |number: usize| {
        serde_json::json!({"error_message": format!("why {}", number % 2), "line_number": number, "original_line": "m \"data\":[{"})
            .to_string()
    };
    let all: Vec<String> = (1..=9).map(detail).collect();
    let body = format!(r#"{{"error":"partial write of line protocol occurred","data":[{}]}}"#, all.join(","));
    for end in 0..body.len() {
        let answer =
            Answer { status: 400, body: body.as_bytes()[..end].to_vec(), is_cut: true, ..Answer::default() };
        let parsed = ParsedAnswer::of(&answer);
        let whole = (1..=9).filter(|number| {
            let upto = body.find(&detail(*number)).unwrap() + detail(*number).len();
            upto <= end
        });
        let got: Vec<usize> = parsed.numbered.iter().map(|named| named.number).collect();
        assert_eq!(got, whole.collect::<Vec<_>>(), "{end}");
        for named in &parsed.numbered {
            let why = format!("partial write of line protocol occurred: why {}", named.number % 2);
            assert_eq!(named.why.as_deref(), Some(&*why));
        }
    }
}

/// Every phrase that decides.
fn phrases() -> BTreeSet<&'static str> {
    let mut phrases = BTreeSet::new();
    for family in FAMILIES {
        phrases.extend(family.failures.iter().chain(family.mistakes).map(|phrase| phrase.text));
        phrases.extend(family.limits.iter().map(|limit| limit.text));
        phrases.extend(family.line_causes.iter().map(|cause| cause.text));
        phrases.extend(family.empty_write.iter().chain(family.encoding));
    }
    let others = [
        "partial write: ",
        "field type conflict: input field ",
        "points beyond retention policy",
        " dropped=7",
    ];
    phrases.extend(others);
    phrases
}

type Check<'a> = &'a dyn Fn(&AnswerSubject) -> bool;

#[test]
fn text_of_records_never_decides() {
    for phrase in phrases() {
        // As a name, and with the characters that end a quote.
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
            let is_conflict = |subject: &AnswerSubject| {
                matches!(subject, AnswerSubject::Line(RefusalCause::Conflict { .. }))
            };
            let is_series = |subject: &AnswerSubject| matches!(subject, AnswerSubject::Limit(limit) if limit.text.starts_with("max-"));
            let cases: [(String, Check<'_>); 7] = [
                (conflict(&name), &is_conflict),
                (format!("failure writing points to database: {}", conflict(&escaped)), &is_conflict),
                (format!("unable to parse '{line}': invalid number"), &|subject| {
                    *subject == AnswerSubject::Line(RefusalCause::Unparsable)
                }),
                (
                    format!(
                        "partial write: unable to parse '{line}': invalid number\nunable to parse '{line}': invalid number dropped=0"
                    ),
                    &|subject| *subject == AnswerSubject::Line(RefusalCause::Unparsable),
                ),
                (
                    format!(
                        "failure writing points to database: partial write: dropped 1 points outside retention policy of duration 1h0m0s - oldest point m,t={name} at 1970-01-01T00:00:00Z dropped because it violates a Retention Policy Lower Bound at 2026-11-21T15:41:47Z, newest point m,t={name} at 1970-01-01T00:00:00Z dropped because it violates a Retention Policy Lower Bound at 2026-11-21T15:41:47Z dropped=1"
                    ),
                    &|subject| *subject == AnswerSubject::Line(RefusalCause::Retention),
                ),
                (
                    format!(
                        "write buffer error: line protocol parse failed: invalid column type for column '{name}', expected iox::column_type::field::float, got iox::column_type::field::string"
                    ),
                    &|subject| *subject == AnswerSubject::Line(RefusalCause::Named("field type conflict")),
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
                    let subject = of(400, &body);
                    assert!(want(&subject), "{message}: {subject:?}");
                }
            }
            // InfluxDB 3 repeats the line in a field of its own.
            let data = serde_json::json!({"error_message": "No fields were provided", "line_number": 1, "original_line": line});
            let body = serde_json::json!({"error": "line protocol parsing error", "data": data}).to_string();
            assert_eq!(of(400, &body), AnswerSubject::Line(RefusalCause::Named("no fields")), "{body}");
            // A firewall's page that repeats the line.
            assert_eq!(
                of(400, &format!("<html><p>Refused: {line}</p></html>")),
                AnswerSubject::Unknown,
                "{line}"
            );
        }
    }
}

/// A list of quoted lines that was cut ends within a quote.
#[test]
fn text_within_a_cut_quote_never_decides() {
    let body = br#"{"code":"invalid","message":"unable to parse 'm,t=no space left on device v=+1': bad\nunable to parse 'm,t=no space left on devi"#;
    let answer = Answer { status: 400, body: body.to_vec(), is_cut: true, ..Answer::default() };
    assert_eq!(ParsedAnswer::of(&answer).subject, AnswerSubject::Line(RefusalCause::Unparsable));
}

#[test]
fn recognizes_quoted_gzip() {
    let body = b"{\"error\":\"unable to parse '\x1f\x8b\x08\x00\x00': missing fields\"}";
    let lossy = String::from_utf8_lossy(body)
        .replace('\u{1f}', "\\u001f")
        .replace('\u{8}', "\\b")
        .replace('\0', "\\u0000");
    assert_eq!(of(400, &lossy), AnswerSubject::Encoding);
    assert_eq!(
        of(400, &json("unable to parse 'm v=': missing field value")[0]),
        AnswerSubject::Line(RefusalCause::Unparsable)
    );
}

#[test]
fn every_phrase_is_in_lower_case() {
    for phrase in phrases() {
        assert_eq!(phrase, phrase.to_ascii_lowercase());
    }
}

/// A server may put a long text before the reasons of thousands of lines.
#[test]
fn reasons_of_lines_do_not_repeat_a_long_summary() {
    let reason = |number: usize| format!(r#"{{"error_message":"reason {number}","line_number":{number}}}"#);
    let data = (1..=3_000).map(reason).collect::<Vec<_>>().join(",");
    let body = format!(r#"{{"error":"{}","data":[{data}]}}"#, "\u{e9}".repeat(60_000));
    let answer = Answer { status: 400, body: body.into_bytes(), ..Answer::default() };
    let parsed = ParsedAnswer::of(&answer);
    assert_eq!(parsed.numbered.len(), 3_000);
    let reasons = parsed.numbered.iter().filter_map(|named| named.why.as_deref());
    let bytes: usize = reasons.map(str::len).sum();
    assert!(bytes < 2_000_000, "{bytes}");
}
