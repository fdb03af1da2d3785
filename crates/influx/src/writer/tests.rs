//! A writer to servers that answer probes, pings and cut answers in unusual ways.

use super::*;
use crate::packed_lines::BatchLines;
use crate::settings::Compression;
use crate::test_support::{Events, connection};
use line_protocol::LineBuffer;
use reqwest::Url;
use testkit::receiver::{Ending, Options, Receiver, Reply, WriteRequest};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// Longest wait for what has to happen. A busy machine takes long, which is no fault.
const PATIENCE: Duration = Duration::from_mins(1);

const DELAYS: Delays = Delays {
    retry_first: Duration::from_millis(1),
    retry_max: Duration::from_millis(5),
    blocked_first: Duration::from_millis(2),
    blocked_max: Duration::from_millis(10),
    address_first: Duration::from_millis(2),
    address_max: Duration::from_millis(10),
};

fn bucket() -> Destination {
    Destination::Bucket { org: "o".into(), bucket: "b".into() }
}

fn lines(count: usize) -> BatchLines {
    (0..count).map(|i| format!("m v={i} {i}")).collect::<LineBuffer>().into()
}

async fn receiver(faults: impl Fn(&WriteRequest) -> Option<Reply> + Send + Sync + 'static) -> Receiver {
    Receiver::start(Options { faults: Some(Box::new(faults)), ..Options::default() }).await.unwrap()
}

fn writer_to(receivers: &[&Receiver]) -> (Arc<Events>, Arc<Writer>) {
    writer_to_urls(receivers.iter().map(|receiver| receiver.url().parse().unwrap()).collect())
}

fn writer_to_urls(urls: Vec<Url>) -> (Arc<Events>, Arc<Writer>) {
    writer_with(urls, |_| ())
}

fn writer_with(urls: Vec<Url>, adjust: impl FnOnce(&mut ConnectionSettings)) -> (Arc<Events>, Arc<Writer>) {
    let mut connection = connection("http://h");
    connection.urls = urls;
    adjust(&mut connection);
    let events = Arc::new(Events::default());
    let options = WriterOptions {
        lines_max: 5000,
        bytes_max: Some(4_000_000),
        points_per_second_max: None,
        delays: DELAYS,
        accepts_unproven: false,
    };
    let client = Client::new(&connection).unwrap();
    let writer = Writer::new(client, &connection, options, Arc::clone(&events) as Arc<dyn Observer>);
    (events, writer)
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it ends")
}

/// Answers every write with this status and half of a body, then closes the connection. Writes of up to `lines_max` lines are stored.
async fn cutting_proxy(status: u16, lines_max: usize) -> Url {
    raw_server(move |head, lines| match (head.starts_with("GET"), lines <= lines_max) {
        (true, _) => "404 Any\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
        (false, true) => "204 Any\r\nConnection: close\r\n\r\n".to_owned(),
        (false, false) => format!("{status} Any\r\nContent-Length: 1000\r\n\r\n<html>Request Ent"),
    })
    .await
}

/// Answers one request of each connection. `answers` gets the request's head and its number of lines.
async fn raw_server(mut answers: impl FnMut(&str, usize) -> String + Send + 'static) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            while stream.read_line(&mut head).await.is_ok_and(|bytes| bytes > 2) {
                let header = head.lines().last().unwrap_or_default().to_ascii_lowercase();
                length = header.strip_prefix("content-length: ").map_or(length, |text| text.parse().unwrap());
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            let lines = String::from_utf8_lossy(&body).lines().count();
            let answer = format!("HTTP/1.1 {}", answers(&head, lines));
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}

/// A proxy refuses a request early with 413, and its page ends with the connection.
#[tokio::test]
async fn a_413_whose_body_is_cut_off_splits_the_batch() {
    let (_, writer) = writer_to_urls(vec![cutting_proxy(413, 10).await]);
    let delivered = in_time(writer.lane(7).deliver(&bucket(), &lines(40))).await;
    assert_eq!((delivered.lines_stored, delivered.requests.retried), (40, 0));
    assert!(delivered.requests.split > 0);
}

/// Half an answer whose text would decide is no answer.
#[tokio::test]
async fn an_answer_that_is_cut_off_decides_only_by_its_status() {
    let by_status = [401, 403, 405, 413, 415, 429].map(|status| (status, true));
    let by_text = [200, 400, 404, 410, 421, 422, 500, 503].map(|status| (status, false));
    for (status, is_kept) in by_status.into_iter().chain(by_text) {
        let (_, writer) = writer_to_urls(vec![cutting_proxy(status, 0).await]);
        let client = writer.current_client();
        let address = client.addresses().current();
        match in_time(client.write(address, &bucket(), "m v=1 1\n".into(), false)).await {
            Ok(answer) => {
                assert!(is_kept && answer.is_cut && answer.status == status, "{status}: {answer:?}");
                assert_eq!(answer.body, b"<html>Request Ent", "{status}");
            }
            Err(failure) => {
                assert!(!is_kept && failure.cause == Cause::Disconnected, "{status}: {failure:?}");
            }
        }
    }
}

fn raised(events: &Events) -> Vec<&'static str> {
    let cause = |event: Event| match event {
        Event::Raised(alarm) => Some(alarm.cause),
        _ => None,
    };
    events.take().into_iter().filter_map(cause).collect()
}

/// A firewall refuses requests without a body, and forwards all others.
#[tokio::test]
async fn a_firewall_that_refuses_writes_without_lines_raises_no_alarm() {
    for status in [403, 405, 411, 418] {
        let server = receiver(move |request| {
            request.text.is_empty().then(|| Reply::status(status).body("<html>request blocked</html>"))
        })
        .await;
        let (events, writer) = writer_to(&[&server]);
        in_time(Arc::clone(&writer).prepare(bucket(), 7)).await;
        assert_eq!(raised(&events), [""; 0], "{status}");
        assert_eq!(in_time(writer.lane(7).deliver(&bucket(), &lines(5))).await.requests.total(), 1);
    }
}

/// The alarm of a probe ends with the first stored lines, whatever the server answers to further probes.
#[tokio::test]
async fn a_probe_that_always_fails_ends_once_lines_are_stored() {
    let server = receiver(|request| request.text.is_empty().then(|| Reply::status(401).body("no"))).await;
    let (_, writer) = writer_to(&[&server]);
    let prepared = tokio::spawn(Arc::clone(&writer).prepare(bucket(), 7));
    in_time(async {
        while !writer.is_blocked(&bucket()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    in_time(writer.lane(7).deliver(&bucket(), &lines(5))).await;
    in_time(prepared).await.unwrap();
    assert!(!writer.is_blocked(&bucket()) && writer.alarms().is_empty());
}

/// The first address fails once. Afterwards it stores lines, but refuses the probes, as it did before.
#[tokio::test]
async fn an_address_that_stores_lines_and_refuses_probes_is_used_again_after_a_failure() {
    for (status, body) in [(403, ""), (405, "<html>no</html>"), (400, "<html>no</html>")] {
        let fails = Arc::new(AtomicBool::new(false));
        let failing = Arc::clone(&fails);
        let first = receiver(move |request| {
            let probe = request.text.is_empty().then(|| Reply::status(status).body(body));
            probe.or_else(|| failing.swap(false, SeqCst).then(|| Reply::status(503)))
        })
        .await;
        let second = receiver(|_| None).await;
        let (_, writer) = writer_to(&[&first, &second]);
        let mut lane = writer.lane(7);
        in_time(Arc::clone(&writer).prepare(bucket(), 7)).await;
        in_time(lane.deliver(&bucket(), &lines(5))).await;
        assert_eq!((first.point_count(), second.point_count()), (5, 0), "{status}");
        fails.store(true, SeqCst);
        in_time(lane.deliver(&bucket(), &lines(5))).await;
        assert_eq!(second.point_count(), 5, "{status}");
        in_time(async {
            while writer.current_client().addresses().current().index() != 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// A gateway answers 401 to everything but writes.
#[tokio::test]
async fn a_server_that_does_not_name_itself_is_not_asked_before_each_write() {
    let asked = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&asked);
    let gateway = raw_server(move |head, _| {
        let is_write = head.starts_with("POST");
        counted.fetch_add(u64::from(!is_write), SeqCst);
        let status = if is_write { "204 Any" } else { "401 Any\r\nContent-Length: 0" };
        format!("{status}\r\nConnection: close\r\n\r\n")
    })
    .await;
    let (_, writer) = writer_to_urls(vec![gateway]);
    let mut lane = writer.lane(7);
    for _ in 0..20 {
        assert_eq!(in_time(lane.deliver(&bucket(), &lines(5))).await.requests.total(), 1);
    }
    // `/ping` and `/health`, once or again after a minute.
    assert!(asked.load(SeqCst) < 20, "{asked:?}");
}

/// A proxy before the first address takes up to 64 kB, and the second address is the server itself.
#[tokio::test]
async fn a_line_that_is_too_large_for_the_proxy_of_one_address_is_stored_at_another() {
    let first = receiver(|request| {
        (request.text.len() > 64_000)
            .then(|| Reply::status(413).body("<html>Request Entity Too Large</html>"))
    })
    .await;
    let second = receiver(|_| None).await;
    let (_, writer) = writer_to(&[&first, &second]);
    let large = format!("m s=\"{}\" 7", "x".repeat(80_000));
    let batch: LineBuffer =
        (0..20).map(|i| if i == 7 { large.clone() } else { format!("m v={i} {i}") }).collect();
    let delivered = in_time(writer.lane(7).deliver(&bucket(), &batch.into())).await;
    assert_eq!((delivered.lines_stored, delivered.refused), (20, vec![]));
    assert_eq!((first.point_count(), second.point_count()), (19, 1));
    assert_eq!(writer.current_client().addresses().current().index(), 0, "it takes all other lines");
}

/// The first address understands no gzip and then fails. The second one gets the lines compressed.
#[tokio::test]
async fn compression_stays_on_at_an_address_that_was_not_asked_without_it() {
    let first = receiver(|request| Some(Reply::status(if request.gzipped { 415 } else { 503 }))).await;
    let second = receiver(|request| {
        assert!(request.gzipped || request.text.is_empty());
        None
    })
    .await;
    let urls = [&first, &second].map(|receiver| receiver.url().parse().unwrap());
    let (events, writer) =
        writer_with(urls.to_vec(), |connection| connection.compression = Compression::Gzip);
    in_time(writer.lane(7).deliver(&bucket(), &lines(500))).await;
    assert_eq!(second.point_count(), 500);
    assert!(writer.current_client().addresses().all().all(Address::wants_gzip));
    assert!(!events.take().iter().any(|event| matches!(event, Event::CompressionRefused { .. })));
}

/// Some proxies reset each connection whose request is too large for them.
#[tokio::test]
async fn a_batch_whose_connections_are_reset_again_and_again_is_sent_in_smaller_requests() {
    let proxy =
        receiver(|request| (request.text.len() > 100_000).then(|| Reply::status(204).ending(Ending::Reset)))
            .await;
    let (_, writer) = writer_to(&[&proxy]);
    let batch: LineBuffer = (0..4_000).map(|i| format!("m s=\"{}\" {i}", "x".repeat(80))).collect();
    let delivered = in_time(writer.lane(7).deliver(&bucket(), &batch.into())).await;
    assert_eq!((delivered.lines_stored, proxy.point_count()), (4_000, 4_000));
    assert!(delivered.requests.stored <= 8, "{:?}", delivered.requests);
}

/// A server that is down for a while gets the batch in requests that are not too small.
#[tokio::test]
async fn a_small_request_without_an_answer_stays_whole() {
    let server =
        receiver(|request| (request.number <= 20).then(|| Reply::status(204).ending(Ending::Reset))).await;
    let (_, writer) = writer_to(&[&server]);
    let delivered = in_time(writer.lane(7).deliver(&bucket(), &lines(1_000))).await;
    assert_eq!((delivered.requests.retried, delivered.requests.stored), (20, 1));
}
