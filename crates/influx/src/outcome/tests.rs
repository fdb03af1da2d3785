use super::*;
use Api::{V1, V2};
use reqwest::header::HeaderValue;

fn outcome(api: Api, status: u16, body: &str) -> Outcome {
    classify(api, &Answer { status, body: body.as_bytes().to_vec(), ..Answer::default() })
}

/// The kind of an outcome and its cause.
fn kind(outcome: &Outcome) -> (&'static str, Option<Cause>) {
    match outcome {
        Outcome::Stored => ("stored", None),
        Outcome::Retry { cause, .. } => ("retry", Some(*cause)),
        Outcome::Uncompressed { .. } => ("uncompressed", None),
        Outcome::TooLarge { .. } => ("split", None),
        Outcome::Refused { .. } => ("refused", None),
        Outcome::Blocked { cause, .. } => ("blocked", Some(*cause)),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn decides_by_status_and_message() {
    let f = |api: Api, status: u16, body: &str, want: &str, cause: Option<Cause>| {
        assert_eq!(kind(&outcome(api, status, body)), (want, cause), "{status} {body}");
    };
    f(V2, 204, "", "stored", None);
    f(V1, 204, "", "stored", None);
    f(V2, 200, "<html>welcome</html>", "blocked", Some(Cause::NotInflux));
    f(V2, 202, "", "blocked", Some(Cause::NotInflux));

    // 2.7.12 and 1.6.7, and equivalent messages of newer servers.
    f(
        V2,
        400,
        r#"{"code":"invalid","message":"unable to parse 'm v=': missing field value"}"#,
        "refused",
        None,
    );
    f(V1, 400, r#"{"error":"unable to parse 'm v=': missing field value"}"#, "refused", None);
    f(
        V1,
        400,
        r#"{"error":"partial write: unable to parse 'm v=': missing field value dropped=0"}"#,
        "refused",
        None,
    );
    f(
        V1,
        400,
        r#"{"error":"partial write: field type conflict: input field \"v\" on measurement \"m\" is type string, already exists as type float dropped=1"}"#,
        "refused",
        None,
    );
    f(V1, 400, r#"{"error":"partial write: points beyond retention policy dropped=1"}"#, "refused", None);
    f(
        V2,
        400,
        r#"{"code":"invalid","message":"failed to parse line protocol: errors encountered on line(s): 2"}"#,
        "refused",
        None,
    );
    f(V2, 400, r#"{"error":"partial write of line protocol occurred","data":[]}"#, "refused", None);
    f(
        V2,
        400,
        r#"{"code":"invalid","message":"Please provide either orgID or org"}"#,
        "blocked",
        Some(Cause::RequestRefused),
    );
    f(
        V2,
        400,
        r#"{"code":"invalid","message":"invalid precision; valid precision units are ns, us, ms, and s"}"#,
        "blocked",
        Some(Cause::RequestRefused),
    );
    f(
        V2,
        400,
        r#"{"code":"invalid","message":"unable to read data: gzip: invalid header"}"#,
        "uncompressed",
        None,
    );
    f(V1, 400, r#"{"error":"database is required"}"#, "blocked", Some(Cause::RequestRefused));
    // Unknown messages: the line has to be refused alone, and again after others were stored.
    for status in [400, 422] {
        for body in [
            "",
            "<html>bad request</html>",
            r#"{"error":"what"}"#,
            r#"{"message":"partial write: what dropped=1"}"#,
        ] {
            f(V2, status, body, "refused", None);
        }
    }
    // InfluxDB 1.6.7 with a full disk, 3.10 with one, and 3.10 at its limit of databases.
    f(
        V1,
        400,
        r#"{"error":"partial write: write /d/data/db/_series/07/0000: no space left on device dropped=3000"}"#,
        "retry",
        Some(Cause::DiskFull),
    );
    f(
        V2,
        400,
        r#"{"code":"invalid","message":"write buffer error: error from wal: x: No space left on device (os error 28)"}"#,
        "retry",
        Some(Cause::DiskFull),
    );
    f(
        V1,
        422,
        r#"{"error":"Adding a new database would exceed limit of 5 databases"}"#,
        "blocked",
        Some(Cause::ServerLimit),
    );
    f(V2, 422, r#"{"message":"service limit reached"}"#, "blocked", Some(Cause::ServerLimit));
    // A limit for some lines: the others are stored.
    f(
        V1,
        400,
        r#"{"error":"partial write: max-series-per-database limit exceeded: (10) dropped=250"}"#,
        "refused",
        None,
    );
    f(
        V2,
        400,
        r#"{"message":"write buffer error: incoming write was empty"}"#,
        "blocked",
        Some(Cause::RequestRefused),
    );
    f(
        V2,
        422,
        r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \"v\" on measurement \"m\" is type string, already exists as type float dropped=1"}"#,
        "refused",
        None,
    );
    f(
        V2,
        422,
        r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: dropped 1 points outside retention policy of duration 1h0m0s"}"#,
        "refused",
        None,
    );

    f(
        V2,
        401,
        r#"{"code":"unauthorized","message":"unauthorized access"}"#,
        "blocked",
        Some(Cause::Unauthorized),
    );
    f(V1, 401, r#"{"error":"authorization failed"}"#, "blocked", Some(Cause::Unauthorized));
    f(
        V2,
        403,
        r#"{"code":"forbidden","message":"insufficient permissions for write"}"#,
        "blocked",
        Some(Cause::Forbidden),
    );
    f(
        V1,
        403,
        r#"{"error":"\"u\" user is not authorized to write to database \"x\""}"#,
        "blocked",
        Some(Cause::Forbidden),
    );
    f(
        V2,
        404,
        r#"{"code":"not found","message":"bucket \"ec2\" not found"}"#,
        "blocked",
        Some(Cause::BucketMissing),
    );
    f(
        V2,
        404,
        r#"{"code":"not found","message":"organization name \"test\" not found"}"#,
        "blocked",
        Some(Cause::OrgMissing),
    );
    f(V1, 404, r#"{"error":"database not found: \"x\""}"#, "blocked", Some(Cause::DatabaseMissing));
    f(
        V1,
        404,
        r#"{"code":"not found","message":"no dbrp mapping found"}"#,
        "blocked",
        Some(Cause::MappingMissing),
    );
    f(V2, 404, "404 page not found\n", "blocked", Some(Cause::EndpointMissing));
    f(V2, 405, "", "blocked", Some(Cause::MethodRefused));
    f(V2, 407, "", "blocked", Some(Cause::ProxyLogin));
    f(V2, 301, "", "blocked", Some(Cause::Redirected));
    f(V2, 308, "", "blocked", Some(Cause::Redirected));
    f(V2, 304, "", "blocked", Some(Cause::Redirected));

    f(
        V2,
        413,
        r#"{"code":"request too large","message":"unable to read data: points batch is too large"}"#,
        "split",
        None,
    );
    f(V1, 413, r#"{"error":"Request Entity Too Large"}"#, "split", None);
    f(V2, 415, "", "uncompressed", None);
    for status in [410, 421] {
        f(V2, status, "", "blocked", Some(Cause::EndpointMissing));
    }
    for status in [402, 406, 409, 411, 412, 414, 416, 417, 418, 423, 425, 426, 428, 431, 451, 498] {
        for body in ["", r#"{"message":"unable to parse 'm v=': missing field value"}"#] {
            f(V2, status, body, "blocked", Some(Cause::RequestRefused));
        }
    }

    f(V2, 503, "", "retry", Some(Cause::Unavailable));
    for status in [408, 429, 499] {
        f(V2, status, "", "retry", Some(Cause::Busy));
    }
    for status in [501, 502, 504, 505, 520, 599] {
        f(V2, status, "", "retry", Some(Cause::ServerFailed));
    }
    f(V1, 500, r#"{"error":"timeout"}"#, "retry", Some(Cause::Unavailable));
    f(
        V2,
        500,
        r#"{"code":"internal error","message":"unexpected error writing points to database: timeout"}"#,
        "retry",
        Some(Cause::Unavailable),
    );
    f(
        V2,
        500,
        r#"{"code":"internal error","message":"unexpected error writing points to database: engine: cache-max-memory-size exceeded: (200123/200000)"}"#,
        "retry",
        Some(Cause::CacheFull),
    );
    f(V1, 500, r#"{"error":"write /d/wal/1.wal: no space left on device"}"#, "retry", Some(Cause::DiskFull));
    f(V2, 500, "<html>oops</html>", "retry", Some(Cause::ServerFailed));
    // QuestDB 9.3.4
    f(
        V1,
        500,
        r#"{"code":"internal error","message":"failed to parse line protocol:errors encountered on line(s):write error: cpu, error: java.lang.UnsupportedOperationException","line":1}"#,
        "retry",
        Some(Cause::ServerFailed),
    );
    f(
        V2,
        500,
        r#"{"code":"internal error","message":"unexpected error writing points to database: [field type conflict]"}"#,
        "retry",
        Some(Cause::ServerFailed),
    );
    f(
        V2,
        500,
        r#"{"message":"partial write: field type conflict: input field \"v\" on measurement \"m\" is type string, already exists as type float dropped=1"}"#,
        "refused",
        None,
    );
    f(V1, 500, r#"{"error":"partial write: a node is down dropped=5"}"#, "retry", Some(Cause::ServerFailed));
    f(
        V2,
        500,
        r#"{"code":"internal error","message":"partial write: field type conflict: input field \"timeout\" on measurement \"m\""}"#,
        "retry",
        Some(Cause::ServerFailed),
    );
    f(V1, 500, r#"{"error":"retention policy not found: nope"}"#, "blocked", Some(Cause::PolicyMissing));
    f(V2, 100, "", "retry", Some(Cause::ServerFailed));
    f(V2, 999, "", "retry", Some(Cause::ServerFailed));
}

#[test]
fn makes_the_servers_message_printable() {
    let f = |body: &str, want: &str| {
        let Outcome::Refused { why, .. } = outcome(V2, 422, body) else { panic!("{body}") };
        assert_eq!(why, want, "{body}");
    };
    f("", "422");
    f("  plain \n", "422: plain");
    f(r#"{"message":"2.x"}"#, "422: 2.x");
    f(r#"{"error":"1.x"}"#, "422: 1.x");
    f(r#"{"code":"no words"}"#, r#"422: {"code":"no words"}"#);
    f(r#"{"message":5}"#, r#"422: {"message":5}"#);
    f(r#"{"message":"cut sho"#, "422: cut sho");
    f(r#"{"code":"x","message":"cut in an escape \ud83d\ude"#, "422: cut in an escape");
    f(r#"{"error":"\"quoted\" \"#, r#"422: "quoted""#);
    f(r#"{"message":"whole","code":"cu"#, "422: whole");
    f("{\"message\":\"a\\nWARN forged\\u001b[2J\"}", r"422: a\nWARN forged\u{1b}[2J");
    f(&"x".repeat(500), &format!("422: {}…", "x".repeat(400)));
    let invalid = classify(V2, &Answer { status: 422, body: b"\xff\x1b".to_vec(), ..Answer::default() });
    assert_eq!(invalid, Outcome::Refused { why: "422: \u{fffd}\\u{1b}".to_owned(), is_foreign: true });
}

#[test]
fn names_the_target_of_a_redirect() {
    let answer = Answer { status: 301, location: Some("https://influx/".to_owned()), ..Answer::default() };
    let why = "301: to https://influx/".to_owned();
    let want = Outcome::Blocked { cause: Cause::Redirected, why, is_foreign: true };
    assert_eq!(classify(V2, &answer), want);
}

#[test]
fn reads_retry_after() {
    let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
    let f = |header: &str, want: Option<f64>| {
        assert_eq!(retry_after(header, now), want.map(Duration::from_secs_f64), "{header}");
    };
    f("0", Some(0.0));
    f(" 7 ", Some(7.0));
    f("1.5", Some(1.5));
    f("301", Some(300.0));
    f("99999999999999999999999", Some(300.0));
    f("-1", None);
    f("NaN", None);
    f("inf", None);
    f("soon", None);
    f("", None);
    f("Wed, 21 Oct 2015 07:28:30 GMT", Some(30.0));
    f("Wed, 21 Oct 2015 08:28:30 GMT", Some(300.0));
    f("Wed, 21 Oct 2015 07:27:00 GMT", Some(0.0));
    let answer = Answer { status: 429, retry_after: Some(Duration::from_secs(7)), ..Answer::default() };
    assert!(
        matches!(classify(V2, &answer), Outcome::Retry { after: Some(after), .. } if after.as_secs() == 7)
    );
}

#[test]
fn masks_the_credential_in_an_answer() {
    let f = |message: &str, header: &str, want: &str| {
        let credential = Some(HeaderValue::from_str(header).unwrap());
        assert_eq!(Answer { credential, ..Answer::default() }.shown(message), want);
    };
    f("you sent: Token t0ken, t0ken", "Token t0ken", "you sent: Token (secret), (secret)");
    f("you sent nothing", "Token t0ken", "you sent nothing");
    f("Basic dTpw", "Basic dTpw", "Basic (secret)");
    f("", "Token ", "");
    // A short credential is masked as a word, not as a part of words.
    f("unable to parse, you sent: Token t", "Token t", "unable to parse, you sent: Token (secret)");
    f("t: not t but \"t\", t", "Token t", "(secret): not (secret) but \"(secret)\", (secret)");
    f("Token ab=", "Token ab=", "Token (secret)");
    f("abc cab ab", "Token ab", "abc cab (secret)");
    f("xt0kenx", "Token t0ken", "x(secret)x");
}

/// The server's own words contain the token `parse`. They decide before it is masked.
#[test]
fn masks_the_credential_after_the_decision() {
    let answer = Answer {
        status: 400,
        body: br#"{"message":"unable to parse 'm v=': missing field value"}"#.to_vec(),
        credential: Some(HeaderValue::from_static("Token parse")),
        ..Answer::default()
    };
    let Outcome::Refused { why, .. } = classify(V2, &answer) else { panic!("{answer:?}") };
    assert!(why.starts_with("400: unable to (secret)"), "{why}");
}

#[test]
fn a_request_without_an_answer_is_sent_again_and_a_missing_login_to_a_proxy_blocks() {
    let of = |cause| Outcome::from(RequestFailure { cause, why: String::new() });
    assert!(matches!(of(Cause::TimedOut), Outcome::Retry { cause: Cause::TimedOut, after: None, .. }));
    let proxy = of(Cause::ProxyLogin);
    assert!(matches!(proxy, Outcome::Blocked { cause: Cause::ProxyLogin, .. }));
    assert!(!proxy.is_failure_of_address(), "the proxy is the same for all addresses");
}
