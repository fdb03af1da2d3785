//! Alarms and remedies for answers, over HTTP.

use super::*;
use base::alarm::Alarm;

/// The first alarm that this answer raises.
async fn alarm(reply: Reply) -> Alarm {
    let setup = Setup::faults(script(vec![reply])).await;
    setup.deliver(&bucket(), &good(1)).await;
    let raised = setup.events.take().into_iter().find_map(|event| match event {
        Event::Raised(alarm) => Some(alarm),
        _ => None,
    });
    raised.unwrap()
}

#[tokio::test]
async fn remedies_name_the_program_that_answered() {
    let f = async |reply: Reply, cause: &str, want: &[&str], unwanted: &[&str]| {
        let shown = format!("{reply:?}");
        let alarm = alarm(reply).await;
        assert_eq!(alarm.cause, cause, "{shown}");
        for text in want {
            assert!(alarm.remedy.contains(text), "{text:?} is missing: {alarm:?}");
        }
        for text in unwanted {
            assert!(!alarm.remedy.contains(text), "{text:?} is no help: {alarm:?}");
        }
    };
    let plan = r#"{"code":"too many requests","message":"org 123 has exceeded limited_write plan limit"}"#;
    f(Reply::status(429).header("Retry-After", "0").body(plan), "busy", &["raise the plan"], &["processor"])
        .await;
    f(Reply::status(429), "busy", &["processor"], &["plan"]).await;
    let page = "<!DOCTYPE html><html><body>Your request was blocked</body></html>";
    f(Reply::status(403).body(page), "forbidden", &["firewall"], &["influx auth create"]).await;
    for body in ["", "Access denied", r#"{"error":{"type":"policy"}}"#] {
        f(Reply::status(403).body(body), "forbidden", &["firewalls", "credential"], &["influx auth create"])
            .await;
    }
    let denied = r#"{"code":"forbidden","message":"insufficient permissions for write"}"#;
    f(Reply::status(403).body(denied), "forbidden", &["influx auth create"], &["firewall"]).await;
    let plan_ended = "plan or trial";
    f(Reply::status(402), "request_refused", &[plan_ended, "billing"], &["influx.api"]).await;
    f(Reply::status(402).body(page), "request_refused", &[plan_ended], &[]).await;
    f(Reply::status(401).body(page), "unauthorized", &["proxy or gateway"], &["check influx.token"]).await;
    let denied = r#"{"code":"unauthorized","message":"unauthorized access"}"#;
    f(Reply::status(401).body(denied), "unauthorized", &["influx.token"], &["gateway"]).await;
    for (status, cause) in
        [(200, "not_influxdb"), (404, "endpoint_missing"), (405, "method_refused"), (409, "request_refused")]
    {
        f(Reply::status(status).body(page), cause, &["web page", "influx.url"], &["influx.api"]).await;
    }
    for status in [500, 503] {
        let cause = if status == 503 { "unavailable" } else { "server_failed" };
        f(Reply::status(status).body(page), cause, &["web page"], &["log of InfluxDB", "processor"]).await;
    }
    let login = Reply::status(302).header("Location", "https://sso.example.com/login?next=x");
    f(login, "redirected", &["login", "InfluxDB itself"], &["that the redirect names"]).await;
    let moved = Reply::status(308).header("Location", "https://h/api/v2/write?org=o&bucket=b&precision=ns");
    f(moved, "redirected", &["that the redirect names"], &["login"]).await;
    for status in [502, 504] {
        f(
            Reply::status(status).body("<html>Bad Gateway</html>"),
            "server_failed",
            &["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"],
            &["log of InfluxDB"],
        )
        .await;
    }
    f(Reply::status(500), "server_failed", &["log of InfluxDB"], &["HTTP_PROXY"]).await;
}

/// InfluxDB 3.10 refuses the empty write of a probe in this way.
#[tokio::test]
async fn an_empty_write_that_influxdb_3_refuses_raises_no_alarm() {
    let setup = Setup::faults(|request| {
        let body = r#"{"code":"invalid","message":"write buffer error: incoming write was empty"}"#;
        request.text.is_empty().then(|| Reply::status(400).body(body))
    })
    .await;
    let preparing = Arc::clone(&setup.writer).prepare(bucket(), 7);
    tokio::time::timeout(PATIENCE, preparing).await.expect("the destination takes writes");
    assert_eq!(setup.receiver.counts().requests.load(Relaxed), 1);
    assert!(setup.writer.alarms().is_empty());
    assert_eq!(causes(&setup.events.take()), [""; 0]);
    setup.deliver(&bucket(), &good(10)).await;
    assert_eq!(setup.receiver.point_count(), 10);
}
