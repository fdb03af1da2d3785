//! Answers of InfluxDB 3 Core 3.10.

use super::*;
use std::time::{Duration, Instant};

fn own() -> Destination {
    Destination::Database3 { database: "d".into() }
}

fn v1() -> Destination {
    Destination::Database { database: "d".into(), retention_policy: None }
}

fn v2() -> Destination {
    Destination::Bucket { org: String::new(), bucket: "d".into() }
}

fn options(server: Influx3) -> Options {
    Options { product: Product::Influx3(server), ..Options::default() }
}

async fn start(server: Influx3) -> Receiver {
    Receiver::start(options(server)).await.unwrap()
}

fn json(body: &str) -> serde_json::Value {
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{body}"))
}

#[tokio::test]
async fn all_endpoints_write_to_one_database() {
    let receiver = start(Influx3::default()).await;
    let connection = connection(&receiver);
    for (destination, time) in [(own(), 1), (v1(), 2), (v2(), 3)] {
        assert_eq!(write(&connection, &destination, &format!("m v=1 {time}\n")).await.0, 204);
    }
    assert_eq!(receiver.points(&own()).len(), 3);
    let week = Destination::Database { database: "d".into(), retention_policy: Some("week".into()) };
    assert_eq!(write(&connection, &week, "m v=1 1\n").await.0, 204);
    assert_eq!(receiver.points(&Destination::Database3 { database: "d/week".into() }).len(), 1);
}

#[tokio::test]
async fn unsigned_integers_are_a_type_of_their_own() {
    let receiver = start(Influx3::default()).await;
    let connection = connection(&receiver);
    assert_eq!(write(&connection, &own(), "m v=18446744073709551615u 1\n").await.0, 204);
    let (status, body) = write(&connection, &own(), "m v=1i 2\n").await;
    assert_eq!(status, 400);
    let want = "expected iox::column_type::field::uinteger, got iox::column_type::field::integer";
    assert!(body.contains(want), "{body}");
}

#[tokio::test]
async fn names_the_first_bad_line_and_stores_nothing() {
    let receiver = start(Influx3::default()).await;
    let connection = connection(&receiver);
    let text = "# comment\n\nm v=1 1\nm v=\"a\nb\",w=1 2\nm v= 3\nm 4\n";
    for destination in [own(), v1()] {
        let (status, body) = write(&connection, &destination, "m v=1 1\nm v= 2\nm 3\n").await;
        assert_eq!(status, 400);
        let want = serde_json::json!({
            "error": "line protocol parsing error",
            "data": { "error_message": "No fields were provided", "line_number": 2, "original_line": "m v= 2" },
        });
        assert_eq!(json(&body), want);
    }
    let (status, body) = write(&connection, &v2(), "m v=1 1\nm v= 2\nm 3\n").await;
    let message = "write buffer error: line protocol parse failed: No fields were provided";
    assert_eq!((status, json(&body)), (400, serde_json::json!({ "code": "invalid", "message": message })));
    // Comments and blank lines have no number, and the quote is of another line.
    let (_, body) = write(&connection, &own(), text).await;
    let data = &json(&body)["data"];
    assert_eq!((data["line_number"].as_u64(), data["original_line"].as_str()), (Some(2), Some("")));
    assert_eq!(receiver.point_count(), 0);
}

#[tokio::test]
async fn a_newer_version_lists_all_bad_lines_and_stores_the_others() {
    let server = Influx3 { version: "3.11.2".to_owned(), ..Influx3::default() };
    let receiver = start(server).await;
    let connection = connection(&receiver);
    let client = Client::new(&connection).unwrap();
    let address = client.addresses().current();
    // The client learns the version by its first question.
    assert_eq!(client.probe(address, &own()).await, Ok(ProbeResult::Answers));
    let text: String = (0..5_000)
        .map(|i| if i == 7 { "m v=1 1\n".to_owned() } else { format!("m v=\"{i}\" {i}\n") })
        .collect();
    assert_eq!(client.write(address, &own(), "m v=1 0\n".into(), false).await.unwrap().status, 204);
    let answer = client.write(address, &own(), text.into(), false).await.unwrap();
    assert_eq!((answer.status, answer.is_cut), (400, true), "the list is longer than what is read");
    assert!(
        answer.body.starts_with(br#"{"data":[{"#) || answer.body.starts_with(br#"{"error":"partial write"#)
    );
    assert_eq!(receiver.points(&own()).len(), 2, "the good line is stored");
}

#[tokio::test]
async fn a_type_conflict_names_column_and_types() {
    let receiver = start(Influx3::default()).await;
    let connection = connection(&receiver);
    assert_eq!(write(&connection, &own(), "m,t=a v=1 1\n").await.0, 204);
    let f = |body: &str| json(body)["data"]["error_message"].as_str().unwrap().to_owned();
    let (_, body) = write(&connection, &own(), "m v=\"s\" 2\n").await;
    assert_eq!(
        f(&body),
        "invalid column type for column 'v', expected iox::column_type::field::float, got iox::column_type::field::string"
    );
    let (_, body) = write(&connection, &v1(), "m t=1i 2\n").await;
    assert_eq!(
        f(&body),
        "invalid column type for column 't', expected iox::column_type::tag, got iox::column_type::field::integer"
    );
    let (_, body) = write(&connection, &v1(), "m v=1,v=2 2\n").await;
    assert_eq!(f(&body), "multiple instances of 'v' field found");
    let (_, body) = write(&connection, &v1(), "m v=1 9223372036854775808\n").await;
    assert_eq!(f(&body), "Unable to parse timestamp value `9223372036854775808`");
}

#[tokio::test]
async fn refusals_are_fast_and_successes_wait_for_the_flush() {
    let flush = Duration::from_millis(200);
    let receiver = start(Influx3 { flush, ..Influx3::default() }).await;
    let connection = connection(&receiver);
    // The second success of a connection waits for a whole flush; a refusal waits for none, however slow the machine is.
    assert_eq!(write(&connection, &own(), "m v=1 1\n").await.0, 204);
    let start = Instant::now();
    assert_eq!(write(&connection, &own(), "m v=1 1\n").await.0, 204);
    assert_eq!(write(&connection, &own(), "m v=1 1\n").await.0, 204);
    assert!(start.elapsed() >= flush, "{:?}", start.elapsed());
}

#[tokio::test]
async fn limits_have_the_status_of_their_endpoint() {
    let server = Influx3 { databases_max: 1, tables_max: 2, columns_max: 4, ..Influx3::default() };
    let receiver = start(server).await;
    let connection = connection(&receiver);
    assert_eq!(write(&connection, &own(), "m v=1,w=1 1\n").await.0, 204);
    let other = |destination: Destination| match destination {
        Destination::Bucket { org, .. } => Destination::Bucket { org, bucket: "e".into() },
        Destination::Database { retention_policy, .. } => {
            Destination::Database { database: "e".into(), retention_policy }
        }
        Destination::Database3 { .. } => Destination::Database3 { database: "e".into() },
    };
    for (destination, status) in [(own(), 422), (v1(), 422), (v2(), 400)] {
        let (got, body) = write(&connection, &other(destination), "m v=1 1\n").await;
        assert_eq!(got, status, "{body}");
        assert!(body.contains("Adding a new database would exceed limit of 1 databases"), "{body}");
    }
    let (status, body) = write(&connection, &own(), "m a=1,b=1 1\n").await;
    assert_eq!(status, 400);
    assert!(body.contains("would exceed number of columns per table limit of 4 columns"), "{body}");
    assert_eq!(write(&connection, &own(), "n v=1 1\n").await.0, 204);
    let (status, body) = write(&connection, &own(), "o v=1 1\n").await;
    assert_eq!(status, 400);
    assert!(body.contains("would exceed number of tables limit: 2"), "{body}");
}

#[tokio::test]
async fn an_empty_write_is_refused_and_creates_the_database() {
    let receiver = start(Influx3::default()).await;
    let connection = connection(&receiver);
    let client = Client::new(&connection).unwrap();
    let address = client.addresses().current();
    assert_eq!(client.databases(address, &own()).await, Some(("d".to_owned(), vec![])));
    for (destination, text) in [(v1(), ""), (v2(), "\n"), (own(), "# comment\n")] {
        let (status, body) = write(&connection, &destination, text).await;
        assert!(status == 400 && body.contains("incoming write was empty"), "{status} {body}");
    }
    assert_eq!(client.databases(address, &own()).await, Some(("d".to_owned(), vec!["d".to_owned()])));
}

#[tokio::test]
async fn refuses_bodies_of_more_than_10_mib_packed_or_not() {
    let receiver = start(Influx3 { body_bytes_max: 1_000, ..Influx3::default() }).await;
    let plain = connection(&receiver);
    let gzip = ConnectionSettings { compression: Compression::Gzip, ..plain.clone() };
    let text = "m v=1 1\n".repeat(1_000);
    for connection in [plain, gzip] {
        for destination in [own(), v1(), v2()] {
            assert_eq!(write(&connection, &destination, &text).await.0, 413);
        }
    }
    assert_eq!(Influx3::default().body_bytes_max, 10_485_760);
}

#[tokio::test]
async fn an_error_of_the_log_is_invalid_only_at_the_endpoint_of_2() {
    let receiver = start(Influx3::default()).await;
    let connection = connection(&receiver);
    receiver.fail_writes(Some("wal is shutdown and not accepting writes"));
    for (destination, status) in [(own(), 500), (v1(), 500), (v2(), 400)] {
        assert_eq!(write(&connection, &destination, "m v=1 1\n").await.0, status);
    }
    receiver.fail_writes(None);
    assert_eq!(write(&connection, &v2(), "m v=1 1\n").await.0, 204);
}

#[tokio::test]
async fn names_itself_only_with_a_valid_token() {
    let credential = Credential::Token(Secret::new("t0ken"));
    let receiver = Receiver::start(Options { credential: credential.clone(), ..options(Influx3::default()) });
    let receiver = receiver.await.unwrap();
    let anonymous = connection(&receiver);
    let (status, body) = write(&anonymous, &v2(), "m v=1 1\n").await;
    assert_eq!((status, body.as_str()), (401, r#"{"error": "the request was not authenticated"}"#));
    let client = Client::new(&anonymous).unwrap();
    let info = client.ping(client.addresses().current()).await.unwrap();
    assert_eq!((info.status, info.version), (401, None));
    let allowed = Client::new(&ConnectionSettings { credential, ..anonymous }).unwrap();
    let info = allowed.ping(allowed.addresses().current()).await.unwrap();
    assert_eq!((info.version.as_deref(), info.build.as_deref()), (Some("3.10.0"), Some("Core")));
}
