//! Every HTTP status, over HTTP: whatever a server answers for a while, no line is refused without proof, and all are stored when the
//! server recovers.

use super::*;
use std::collections::BTreeMap;
use testkit::receiver::Faults;

/// Requests that get the status under test, for each destination: enough to block a batch.
const FAULTS: u32 = 12;
const LINES: usize = 4;

/// Bodies of proxies, and one of InfluxDB about a line that was not sent.
const BODIES: [&str; 5] = [
    "",
    "<html><body><h1>Error</h1>unable to parse 'm v=1 1': no</body></html>",
    r#"{"error":{"type":"policy"},"request":"m v=1 1"}"#,
    r#"{"code":"invalid","message":"unable to parse 'other v=': missing field value"}"#,
    r#"{"error":"partial write: what dropped=4"}"#,
];

/// Answers the first requests of each destination as its name says.
fn faults() -> Faults {
    let seen: Mutex<BTreeMap<Destination, u32>> = Mutex::default();
    Box::new(move |request| {
        let Destination::Bucket { org: status, bucket: body } = &request.destination else { return None };
        let mut seen = seen.lock().unwrap();
        let count = seen.entry(request.destination.clone()).or_default();
        *count += 1;
        let (status, body): (u16, usize) = (status.parse().unwrap(), body.parse().unwrap());
        (*count <= FAULTS).then(|| Reply::status(status).body(BODIES[body]))
    })
}

#[tokio::test]
async fn no_status_refuses_a_line_without_proof() {
    let setup = Setup::new(Options { faults: Some(faults()), ..Options::default() }).await;
    let cases = (200..600_u16).flat_map(|status| (0..BODIES.len()).map(move |body| (status, body)));
    let cases: Vec<(u16, usize)> = cases.filter(|(status, _)| *status != 204).collect();
    for cases in cases.chunks(100) {
        let deliveries = cases.iter().map(|&(status, body)| {
            let writer = Arc::clone(&setup.writer);
            tokio::spawn(async move {
                let destination = Destination::Bucket { org: status.to_string(), bucket: body.to_string() };
                let mut lane = writer.lane(u64::from(status));
                let delivery = lane.deliver(&destination, &good(LINES)).await;
                (status, body, delivery)
            })
        });
        for delivery in deliveries.collect::<Vec<_>>() {
            let delivery = tokio::time::timeout(Duration::from_mins(5), delivery).await;
            let (status, body, delivered) = delivery.unwrap_or_else(|_| panic!("of {cases:?}")).unwrap();
            let name = format!("{status} {:?}", BODIES[body]);
            assert_eq!(delivered.lines_stored, LINES, "{name}: {:?}", delivered.refused);
            assert!(delivered.requests.total() > FAULTS, "{name}: {:?}", delivered.requests);
        }
    }
    assert!(setup.writer.alarms().is_empty());
}

/// A line is refused if the answer names a cause in it and has one of three statuses.
#[tokio::test]
async fn three_statuses_refuse_a_line_for_a_cause_that_lies_in_it() {
    for status in [400, 422, 500] {
        let reply = Reply::status(status).body(r#"{"message":"partial write: field type conflict: input field \"v\" on measurement \"m\" is type float, already exists as type string dropped=1"}"#);
        let setup = Setup::faults(move |_| Some(reply.clone())).await;
        assert_eq!(refused_lines(&setup.deliver(&bucket(), &good(1)).await), [0], "{status}");
    }
}

/// Lines that are refused without proof block the batch after 8 requests of one line, with an alarm.
#[tokio::test]
async fn unproven_refusals_block() {
    blocks("<html>no</html>", OPTIONS, "a web page instead of InfluxDB").await;
    blocks("no", OPTIONS, "reject.rate_max").await;
}

/// With `reject.rate_max = 1.0`, too, a proxy that answers everything refuses no line.
#[tokio::test]
async fn refusals_of_a_proxy_block_although_no_proof_is_required() {
    let options = WriterOptions { accepts_unproven: true, ..OPTIONS };
    for body in ["<html>no</html>", "no", "", r#"{"blocked":true}"#] {
        blocks(body, options, "").await;
    }
}

/// A server that answers everything with 400 and this body blocks the lane and refuses no line.
async fn blocks(body: &'static str, options: WriterOptions, remedy: &str) {
    let alone = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&alone);
    let faults: testkit::receiver::Faults = Box::new(move |request| {
        count.fetch_add(usize::from(request.line_count() == 1), Relaxed);
        Some(Reply::status(400).body(body))
    });
    let setup = Setup::with(Options { faults: Some(faults), ..Options::default() }, options, |_| ()).await;
    let (mut lane, destination, lines) = (setup.writer.lane(7), bucket(), good(1_000));
    let delivery = lane.deliver(&destination, &lines);
    let blocked = async {
        while setup.writer.alarms().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let alarms = setup.writer.alarms();
        assert_eq!(alarms[0].cause, "refusal_unproven");
        assert!(alarms[0].blocks && alarms[0].remedy.contains(remedy), "{alarms:?}");
        alone.load(Relaxed)
    };
    tokio::select! {
        delivered = delivery => panic!("{delivered:?}"),
        alone = blocked => assert!(alone <= 9, "{alone}"),
    }
}

/// The other lines of the batch are the control.
#[tokio::test]
async fn a_line_that_is_refused_again_after_others_were_stored_is_refused() {
    let setup = Setup::faults(|request| {
        let text = String::from_utf8_lossy(&request.text);
        text.contains("m v=7 7\n").then(|| Reply::status(422).body("no"))
    })
    .await;
    for count in [8, 100] {
        assert_eq!(refused_lines(&setup.deliver(&bucket(), &good(count)).await), [7]);
    }
}

#[tokio::test]
async fn a_limit_keeps_its_lines_out_and_stores_the_others() {
    let setup = Setup::faults(|request| {
        let text = String::from_utf8_lossy(&request.text).into_owned();
        let new = text.matches("s=new").count();
        let body = format!(
            r#"{{"error":"partial write: max-series-per-database limit exceeded: (10) dropped={new}"}}"#
        );
        (new > 0).then(|| Reply::status(400).body(body))
    })
    .await;
    let batch = lines((0..100).map(|i| format!("m,s={} v={i} {i}", if i % 3 == 0 { "new" } else { "old" })));
    let delivered = setup.deliver(&bucket(), &batch).await;
    let kept_out: Vec<usize> = delivered.kept_out.iter().map(|line| line.line).collect();
    assert_eq!(kept_out, (0..100).step_by(3).collect::<Vec<_>>());
    assert!(delivered.refused.is_empty());
    let first = &delivered.kept_out[0];
    assert!(
        first.cause == Cause::ServerLimit && first.remedy.contains("max-series-per-database"),
        "{first:?}"
    );
    let shares = |line: &KeptOutLine| line.remedy.as_ptr() == first.remedy.as_ptr();
    assert!(
        delivered.kept_out.iter().all(shares),
        "a copy of the remedy for each line would need much memory"
    );
}

#[tokio::test]
async fn a_proxy_that_refuses_gzip_gets_uncompressed_bodies() {
    let replies = [
        Reply::status(415),
        Reply::status(400)
            .body("{\"error\":\"unable to parse '\\u001f\u{fffd}\\b\\u0000': missing fields\"}"),
    ];
    for reply in replies {
        let faults: Faults = Box::new(move |request| request.gzipped.then(|| reply.clone()));
        let options = Options { faults: Some(faults), ..Options::default() };
        let setup =
            Setup::with(options, OPTIONS, |connection| connection.compression = Compression::Gzip).await;
        assert_eq!(setup.deliver(&bucket(), &good(100)).await.requests.total(), 2);
        assert_eq!(setup.deliver(&bucket(), &good(100)).await.requests.total(), 1);
        let events = setup.events.take();
        let warnings =
            events.iter().filter(|event| matches!(event, Event::CompressionRefused { .. })).count();
        assert_eq!(warnings, 1, "{events:?}");
    }
}

/// A proxy removes `Content-Encoding`, and the server parses compressed bytes without quoting them, like InfluxDB Cloud and `QuestDB`: its
/// message refuses lines, but is about no line.
#[tokio::test]
async fn a_line_is_refused_only_uncompressed() {
    for message in [
        "failed to parse line protocol: errors encountered on line(s): 1",
        "line protocol parse failed: No fields were provided",
        "unable to parse '\u{fffd}\u{fffd}=': missing fields",
        "whatever",
    ] {
        let body = serde_json::json!({ "code": "invalid", "message": message }).to_string();
        let faults: Faults =
            Box::new(move |request| request.gzipped.then(|| Reply::status(400).body(body.clone())));
        let options = Options { faults: Some(faults), ..Options::default() };
        let setup =
            Setup::with(options, OPTIONS, |connection| connection.compression = Compression::Gzip).await;
        for count in [1, 100] {
            let delivered = setup.deliver(&bucket(), &good(count)).await;
            assert_eq!(delivered.lines_stored, count, "{message}: {:?}", delivered.refused);
        }
        assert_eq!(setup.deliver(&bucket(), &good(100)).await.requests.total(), 1, "{message}");
    }
}

/// A broken proxy before one address refuses a line again and again. Another address that stores other lines proves nothing.
#[tokio::test]
async fn another_address_is_no_control() {
    // The first address refuses every write, and fails every other time, so that the second one takes over.
    let broken: Faults = Box::new(|request| {
        let is_empty = request.text.is_empty();
        Some(if is_empty || request.number.is_multiple_of(2) {
            Reply::status(400)
        } else {
            Reply::status(503)
        })
    });
    let first = Receiver::start(Options { faults: Some(broken), ..Options::default() }).await.unwrap();
    let second = Receiver::start(Options::default()).await.unwrap();
    let mut connection = connection("http://h");
    connection.urls = [&first, &second].map(|receiver| receiver.url().parse().unwrap()).to_vec();
    let soon = Duration::from_micros(100);
    let delays = Delays { address_first: soon, address_max: soon, ..DELAYS };
    let (_events, writer) = start_writer(&connection, WriterOptions { delays, ..OPTIONS });
    let destination = bucket();
    for round in 0..20 {
        let mut lanes = [0, 1, 2, 3].map(|seed| writer.lane(seed + 4 * round));
        let batches = [0, 1, 2, 3].map(|lane| lines([format!("m,lane={lane} v={round} {round}")]));
        let [one, two, three, four] = lanes.each_mut();
        let deliveries = Box::pin(async {
            tokio::join!(
                one.deliver(&destination, &batches[0]),
                two.deliver(&destination, &batches[1]),
                three.deliver(&destination, &batches[2]),
                four.deliver(&destination, &batches[3])
            )
        });
        let delivered = tokio::time::timeout(PATIENCE, deliveries).await.expect("all end");
        for delivered in [delivered.0, delivered.1, delivered.2, delivered.3] {
            assert_eq!(delivered.refused, [], "in round {round}");
        }
    }
    assert_eq!(second.point_count(), 80);
}

#[tokio::test]
async fn a_small_line_that_is_too_large_blocks() {
    let setup = Setup::faults(script(vec![Reply::status(413); 40])).await;
    let delivered = setup.deliver(&bucket(), &good(20)).await;
    assert_eq!(delivered.lines_stored, 20);
    assert!(causes(&setup.events.take()).contains(&"request_too_large"));
}

#[tokio::test]
async fn an_interim_answer_is_a_timeout() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    for status in 100..=103_u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut connection = connection(&format!("http://{}", listener.local_addr().unwrap()));
        connection.timeout = Duration::from_millis(200);
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            stream.write_all(format!("HTTP/1.1 {status} Interim\r\n\r\n").as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        let (events, writer) = start_writer(&connection, OPTIONS);
        let (mut lane, destination, lines) = (writer.lane(7), bucket(), good(1));
        let waiting = tokio::time::timeout(Duration::from_secs(1), lane.deliver(&destination, &lines));
        assert!(waiting.await.is_err(), "{status}");
        assert!(!causes(&events.take()).is_empty(), "{status}");
        server.abort();
    }
}

/// A record may contain the first bytes of gzip, and the server quotes it. Without compression that does not mean a compressed body.
#[tokio::test]
async fn a_record_with_the_bytes_of_gzip_is_refused_like_others() {
    for compression in [Compression::None, Compression::Gzip] {
        let setup =
            Setup::with(Options::default(), OPTIONS, |connection| connection.compression = compression).await;
        let batch = lines([r"m,t=\x1f\x8b\x08 v= 1", r"m,t=\x1f\x8b\x08 v= 2"]);
        let delivered = setup.deliver(&bucket(), &batch).await;
        assert_eq!(refused_lines(&delivered), [0, 1]);
        assert!(setup.writer.alarms().is_empty() && causes(&setup.events.take()).is_empty());
    }
}
