use super::*;
use base::secret::Secret;
use bytes::Bytes;
use influx::{Client, Compression, ConnectionSettings, Outcome, ProbeResult, classify};
use line_protocol::reader::Value;

mod influx3;

fn bucket() -> Destination {
    Destination::Bucket { org: "o".into(), bucket: "b".into() }
}

fn database() -> Destination {
    Destination::Database { database: "d".into(), retention_policy: None }
}

fn connection(receiver: &Receiver) -> ConnectionSettings {
    ConnectionSettings::new(receiver.url().parse().unwrap())
}

/// Writes once, and gives the answer's status and body.
async fn write(connection: &ConnectionSettings, destination: &Destination, text: &str) -> (u16, String) {
    let client = Client::new(connection).unwrap();
    let address = client.addresses().current();
    let text = Bytes::from(text.to_owned());
    let gzipped = address.wants_gzip();
    let body = if gzipped { line_protocol::Gzip::new().compress(&text).unwrap() } else { text };
    let answer = client.write(address, destination, body, gzipped).await.unwrap();
    (answer.status, String::from_utf8(answer.body).unwrap())
}

#[tokio::test]
async fn keeps_points_as_influxdb_does() {
    let receiver = Receiver::start(Options::default()).await.unwrap();
    let gzip = ConnectionSettings { compression: Compression::Gzip, ..connection(&receiver) };
    let mut feed = receiver.subscribe();
    assert_eq!(
        write(&gzip, &bucket(), "m,b=2,a=1 v=1,w=2 5\nm,a=1,b=2 w=3,x=\"y\" 5\nm v=1 6\n").await.0,
        204
    );

    let points = receiver.points(&bucket());
    assert_eq!(points.len(), 2);
    let merged = points.iter().find(|point| point.time == 5).unwrap();
    assert_eq!(merged.tags, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
    let fields: Vec<_> = merged.fields.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    assert_eq!(
        fields,
        [("v", Value::Float(1.0)), ("w", Value::Float(3.0)), ("x", Value::String("y".into()))]
    );
    assert!(receiver.points(&database()).is_empty());
    assert_eq!(receiver.counts().lines_stored.load(Relaxed), 3);
    assert_eq!(&*feed.recv().await.unwrap().text, "m,b=2,a=1 v=1,w=2 5");
}

#[tokio::test]
async fn refuses_a_whole_v2_request_for_one_unparsable_line() {
    let receiver = Receiver::start(Options::default()).await.unwrap();
    let answer = write(&connection(&receiver), &bucket(), "m v=1 1\nm v= 2\nm 3\n").await;
    assert_eq!(answer.0, 400);
    assert!(
        answer.1.contains(r"unable to parse 'm v= 2': missing field value (column 5)\nunable"),
        "{}",
        answer.1
    );
    assert_eq!(receiver.point_count(), 0);
}

#[tokio::test]
async fn stores_the_other_lines_of_a_v1_request() {
    let receiver = Receiver::start(Options::default()).await.unwrap();
    let connection = connection(&receiver);
    let answer = write(&connection, &database(), "m v=1 1\nm v= 2\n").await;
    assert_eq!(answer.0, 400);
    assert!(answer.1.contains("partial write: unable to parse 'm v= 2'"), "{}", answer.1);
    assert_eq!(receiver.point_count(), 1);
    let answer = write(&connection, &database(), "m v= 2\n").await;
    assert!(answer.1.contains(r#"{"error":"unable to parse 'm v= 2'"#), "{}", answer.1);
}

#[tokio::test]
async fn answers_a_type_conflict_and_may_lose_other_shards() {
    let receiver = Receiver::start(Options::default()).await.unwrap();
    let connection = connection(&receiver);
    let other_shard = 1_000_000_000_000_000_000_i64;
    assert_eq!(write(&connection, &bucket(), "m v=1 1\n").await.0, 204);
    // The type is that of a shard.
    assert_eq!(write(&connection, &bucket(), &format!("m v=\"s\" {other_shard}\n")).await.0, 204);
    let mixed = format!("m v=\"s\" 2\nm v=3 3\nn v=4 {other_shard}\n");
    let mut lost = 0;
    for _ in 0..2 {
        let answer = write(&connection, &bucket(), &mixed).await;
        assert_eq!(answer.0, 422);
        assert!(answer.1.contains(r#"input field \"v\" on measurement \"m\" is type string, already exists as type float dropped=1"#), "{}", answer.1);
        lost += usize::from(receiver.points(&bucket()).iter().all(|point| point.measurement != "n"));
    }
    assert_eq!(lost, 1);
    assert_eq!(receiver.point_count(), 4);
    assert_eq!(write(&connection, &database(), "m v=1 1\nm v=\"s\" 2\n").await.0, 400);
}

#[tokio::test]
async fn checks_login_and_destination() {
    let token = Credential::Token(Secret::new("t0ken"));
    let basic = Credential::Basic { username: "tower".into(), password: Secret::new("pass:word") };
    for credential in [token, basic] {
        let options = Options {
            credential: credential.clone(),
            destinations: Some([database()].into()),
            ..Options::default()
        };
        let receiver = Receiver::start(options).await.unwrap();
        let anonymous = connection(&receiver);
        let allowed = ConnectionSettings { credential, ..anonymous.clone() };
        let wrong =
            ConnectionSettings { credential: Credential::Token(Secret::new("wrong")), ..anonymous.clone() };
        assert_eq!(write(&anonymous, &database(), "m v=1 1").await.0, 401);
        assert_eq!(write(&wrong, &bucket(), "m v=1 1").await.0, 401);
        assert_eq!(write(&allowed, &bucket(), "m v=1 1").await.0, 404);
        assert_eq!(write(&allowed, &database(), "m v=1 1").await.0, 204);
        assert_eq!(receiver.point_count(), 1);
    }
}

#[tokio::test]
async fn creates_databases_with_any_name() {
    let options = Options { destinations: Some(BTreeSet::new()), ..Options::default() };
    let receiver = Receiver::start(options).await.unwrap();
    let connection = connection(&receiver);
    let client = Client::new(&connection).unwrap();
    for name in ["d", r#"with "quotes" and \ "#, "한글; DROP DATABASE x"] {
        let destination = Destination::Database { database: name.to_owned(), retention_policy: None };
        assert_eq!(write(&connection, &destination, "m v=1 1").await.0, 404);
        client.create_database(client.addresses().current(), &destination).await.unwrap().unwrap();
        assert_eq!(write(&connection, &destination, "m v=1 1").await.0, 204);
    }
}

#[tokio::test]
async fn answers_probes_and_pings() {
    let receiver = Receiver::start(Options::default()).await.unwrap();
    let client = Client::new(&connection(&receiver)).unwrap();
    let address = client.addresses().current();
    assert_eq!(client.ping(address).await.unwrap().version.as_deref(), Some("receiver"));
    assert_eq!(client.probe(address, &bucket()).await, Ok(ProbeResult::Writable));
    let answer = client.write(address, &bucket(), Bytes::from_static(b"m v=1 1"), true).await.unwrap();
    assert!(
        matches!(classify(bucket().api(), &answer), Outcome::Uncompressed { .. }),
        "not gzip: {answer:?}"
    );
}

#[tokio::test]
async fn counts_without_keeping_points() {
    let receiver = Receiver::start(Options { keep_points: false, ..Options::default() }).await.unwrap();
    let connection = connection(&receiver);
    assert_eq!(write(&connection, &bucket(), "m v=1 1\nm v=2 2\n").await.0, 204);
    assert_eq!(write(&connection, &bucket(), "m v=\"s\" 1\n").await.0, 422);
    assert_eq!(receiver.counts().lines_stored.load(Relaxed), 2);
    assert_eq!(receiver.point_count(), 0);
}
