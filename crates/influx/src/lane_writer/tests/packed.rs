//! Large batches are kept packed, and sent as one request. If that is not stored, their parts are delivered one after another.

use super::*;
use crate::PackedLines;
use bytes::Bytes;
use testkit::receiver::{Influx3, Product, StoredPoint};

const PARTS: usize = 3;
const PART_LINES: usize = 6_000;
const LINES: usize = PARTS * PART_LINES;
/// A writer whose configuration allows requests of all lines.
const LARGE: WriterOptions = WriterOptions { lines_max: 100_000, bytes_max: None, ..OPTIONS };

/// Lines of 500 series in turn. Each series and time comes in each part, and the last value has to win.
fn text(i: usize) -> String {
    format!("m,host=h{} v={i} {}", i % 500, i % PART_LINES)
}

fn packed(line: impl Fn(usize) -> String) -> BatchLines {
    let part = |part: usize| {
        let lines = (part * PART_LINES..(part + 1) * PART_LINES).map(&line);
        Arc::new(PackedLines::pack(lines.collect(), true).0)
    };
    BatchLines::Packed((0..PARTS).map(part).collect())
}

/// The points of the same lines, one request after another.
async fn points_of(line: impl Fn(usize) -> String) -> Vec<StoredPoint> {
    let setup = Setup::new(Options::default()).await;
    for first in (0..LINES).step_by(5_000) {
        setup.deliver(&bucket(), &lines((first..LINES.min(first + 5_000)).map(&line))).await;
    }
    setup.receiver.points(&bucket())
}

/// A receiver that answers requests of more than this many bytes so, and the sizes of all requests.
async fn refusing(reply: Reply, bytes: usize) -> (Setup, Arc<Mutex<Vec<usize>>>) {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let faults: testkit::receiver::Faults = Box::new(move |request| {
        seen.lock().unwrap().push(request.text.len());
        (request.text.len() > bytes).then(|| reply.clone())
    });
    let options = Options { faults: Some(faults), ..Options::default() };
    let setup = Setup::with(options, LARGE, |connection| connection.timeout = Duration::from_secs(3)).await;
    identify(&setup).await;
    sizes.lock().unwrap().clear();
    (setup, sizes)
}

/// Lets an answer show the kind of server. Otherwise parts that are grouped are not sent as a whole.
async fn identify(setup: &Setup) {
    setup.deliver(&bucket(), &lines(["other v=1 0"])).await;
    setup.events.take();
}

/// The points without that of [`identify`].
fn points(setup: &Setup) -> Vec<StoredPoint> {
    let all = setup.receiver.points(&bucket()).into_iter();
    all.filter(|point| point.measurement != "other").collect()
}

#[tokio::test]
async fn a_large_batch_is_one_request_and_the_last_point_wins() {
    let batch = packed(text);
    for compression in [Compression::None, Compression::Gzip] {
        let faults: testkit::receiver::Faults = Box::new(move |request| {
            assert_eq!(request.gzipped, compression == Compression::Gzip);
            None
        });
        let options = Options { faults: Some(faults), ..Options::default() };
        let setup = Setup::with(options, LARGE, |connection| connection.compression = compression).await;
        identify(&setup).await;
        let before = (
            setup.writer.counters().lines_stored.load(Relaxed),
            setup.writer.counters().bytes_plain.load(Relaxed),
        );
        let delivered = setup.deliver(&bucket(), &batch).await;
        assert_eq!(delivered.requests, RequestCounts { stored: 1, ..RequestCounts::default() });
        assert_eq!(delivered.lines_stored, LINES);
        assert!(points(&setup) == points_of(text).await);
        let counters = setup.writer.counters();
        assert_eq!(counters.lines_stored.load(Relaxed) - before.0, LINES as u64);
        assert_eq!(counters.bytes_plain.load(Relaxed) - before.1, batch.bytes() as u64);
        match compression {
            Compression::Gzip => assert!(delivered.bytes_sent < batch.bytes() as u64 / 3),
            _ => assert_eq!(delivered.bytes_sent, batch.bytes() as u64),
        }
        assert!(delivered.is_grouped);
    }
}

#[tokio::test]
async fn a_large_batch_is_sent_again_as_a_whole_after_a_failure_that_may_pass() {
    let setup = Setup::with(
        Options {
            faults: Some(Box::new(|request| match request.number {
                2 => Some(Reply::status(503)),
                3 => Some(Reply::status(401)),
                _ => None,
            })),
            ..Options::default()
        },
        LARGE,
        |connection| connection.compression = Compression::Gzip,
    )
    .await;
    identify(&setup).await;
    let delivered = setup.deliver(&bucket(), &packed(text)).await;
    assert_eq!(
        delivered.requests,
        RequestCounts { retried: 1, blocked: 1, stored: 1, ..RequestCounts::default() }
    );
    assert!(points(&setup) == points_of(text).await);
    assert!(is_repaired(&setup.events.take()));
}

#[tokio::test]
async fn refused_lines_have_their_places_in_the_batch() {
    let setup = Setup::with(Options::default(), LARGE, |_| ()).await;
    setup.deliver(&bucket(), &lines(["m,host=h0 w=1 0"])).await;
    let bad = |i: usize| i % 4_001 == 700 || i == LINES - 1;
    let line = |i: usize| if bad(i) { format!("m,host=h{} w=\"text\" {i}", i % 500) } else { text(i) };
    let batch = packed(line);
    let delivered = setup.deliver(&bucket(), &batch).await;
    let refused = (0..LINES).filter(|&i| bad(i)).collect::<Vec<_>>();
    assert_eq!(refused_lines(&delivered), refused);
    assert_eq!(delivered.lines_stored, LINES - refused.len());
    // One for all, and up to 4 for each part.
    assert!(delivered.requests.total() <= 13, "{:?}", delivered.requests);
    let mut reader = batch.reader();
    for line in refused {
        assert!(reader.line(line).windows(6).any(|word| word == b"\"text\""));
    }
}

#[tokio::test]
async fn parts_are_sent_after_a_413_and_later_batches_are_not_sent_as_a_whole() {
    let batch = packed(text);
    let (setup, sizes) = refusing(Reply::status(413), batch.bytes() / 2).await;
    let delivered = setup.deliver(&bucket(), &batch).await;
    assert_eq!((delivered.requests.split, delivered.requests.stored), (1, PARTS as u32));
    assert!(points(&setup) == points_of(text).await);
    assert_eq!(delivered.request_bytes_max, Some(batch.bytes() / 2));
    sizes.lock().unwrap().clear();
    let again = setup.deliver(&bucket(), &batch).await;
    assert_eq!((again.requests.split, again.requests.stored), (0, PARTS as u32));
}

#[tokio::test]
async fn parts_are_sent_after_a_timeout() {
    let batch = packed(large);
    assert!(batch.bytes() > RESENT_BYTES_MAX);
    let (setup, sizes) = refusing(Reply::status(204).ending(Ending::Hang), RESENT_BYTES_MAX).await;
    let delivered = setup.deliver(&bucket(), &batch).await;
    assert_eq!((delivered.requests.retried, delivered.requests.stored), (1, PARTS as u32));
    assert!(sizes.lock().unwrap()[1..].iter().all(|bytes| *bytes <= RESENT_BYTES_MAX));
    assert_eq!(delivered.lines_stored, LINES);
    assert!(points(&setup) == points_of(large).await);
}

#[tokio::test]
async fn the_configured_bounds_hold_for_large_batches() {
    let batch = packed(text);
    let of_lines = WriterOptions { lines_max: LINES - 1, ..LARGE };
    let of_bytes = WriterOptions { bytes_max: Some(batch.bytes() - 1), ..LARGE };
    for options in [of_lines, of_bytes] {
        let setup = Setup::with(Options::default(), options, |_| ()).await;
        let delivered = setup.deliver(&bucket(), &batch).await;
        assert_eq!(delivered.requests, RequestCounts { stored: PARTS as u32, ..RequestCounts::default() });
    }
}

#[tokio::test]
async fn the_kind_of_server_bounds_large_requests() {
    let products =
        [Product::Influx1And2, Product::Influx3(Influx3::default()), Product::QuestDb, Product::Cloud];
    let (influx2, influx1, other) = (32_000_000, 24_000_000, 9_500_000);
    for (product, wants) in
        products.into_iter().zip([[influx2, influx1], [other; 2], [other; 2], [influx2, influx1]])
    {
        let name = format!("{product:?}");
        let setup = Setup::new(Options { product, ..Options::default() }).await;
        for (destination, want) in [bucket(), database()].into_iter().zip(wants) {
            // The first answer shows the kind of server.
            setup.deliver(&destination, &good(1)).await;
            let delivered = setup.deliver(&destination, &good(1)).await;
            assert_eq!(delivered.request_bytes_max, Some(want), "{name} {destination}");
        }
    }
}

/// The text of [`text`] with 400 more bytes, of which three parts are larger than [`RESENT_BYTES_MAX`].
fn large(i: usize) -> String {
    let text = text(i);
    let (point, time) = text.rsplit_once(' ').unwrap();
    format!("{point},w=\"{}\" {time}", "x".repeat(400))
}

/// A proxy may answer 502 after a server that cannot take a large body, or a status of its own to every large body. A request may be larger
/// than the whole cache of InfluxDB.
#[tokio::test]
async fn parts_are_sent_if_the_whole_fails_again_and_again() {
    let cache_full = r#"{"error":"engine: cache-max-memory-size exceeded: (25/26)"}"#;
    let replies = [
        (Reply::status(502), 3, 0),
        (Reply::status(500).body(cache_full), 3, 0),
        (Reply::status(404).body("<html>404.13</html>"), 0, 3),
        (Reply::status(403).body("<html>forbidden</html>"), 0, 3),
        (Reply::status(204).ending(Ending::Reset), 3, 0),
    ];
    for (reply, retried, blocked) in replies {
        let name = format!("{reply:?}");
        let (setup, sizes) = refusing(reply, RESENT_BYTES_MAX).await;
        let batch = packed(large);
        assert!(batch.bytes() > RESENT_BYTES_MAX);
        let delivered = setup.deliver(&bucket(), &batch).await;
        assert_eq!(
            delivered.requests,
            RequestCounts { retried, blocked, stored: PARTS as u32, ..RequestCounts::default() },
            "{name}"
        );
        assert_eq!(delivered.lines_stored, LINES, "{name}");
        assert!(sizes.lock().unwrap()[3..].iter().all(|bytes| *bytes <= RESENT_BYTES_MAX), "{name}");
        assert!(points(&setup) == points_of(large).await, "{name}");
    }
}

/// A part ends with the record that passes 4 MB.
#[tokio::test]
async fn a_part_is_one_request_after_a_failure() {
    let line = |i: usize| format!("m s=\"{}\" {i}", "x".repeat(40_000));
    let part =
        |part: usize| Arc::new(PackedLines::pack((part * 101..(part + 1) * 101).map(line).collect(), true).0);
    let batch = BatchLines::Packed((0..PARTS).map(part).collect());
    assert!(batch.bytes() / PARTS > 4_000_000);
    let (setup, _) = refusing(Reply::status(503), RESENT_BYTES_MAX).await;
    let delivered = setup.deliver(&bucket(), &batch).await;
    assert_eq!((delivered.requests.retried, delivered.requests.stored), (1, PARTS as u32));
}

/// In InfluxDB 3 a column has the type of its first value, so the order of the lines matters.
#[tokio::test]
async fn parts_have_the_order_of_the_batch_for_a_server_that_is_not_grouped() {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sent);
    let faults: testkit::receiver::Faults = Box::new(move |request| {
        seen.lock().unwrap().extend_from_slice(&request.text);
        None
    });
    let product = Product::Influx3(Influx3::default());
    let setup =
        Setup::with(Options { product, faults: Some(faults), ..Options::default() }, LARGE, |_| ()).await;
    setup.deliver(&bucket(), &good(1)).await;
    sent.lock().unwrap().clear();
    // Grouped by the last server, before another one took over.
    let delivered = setup.deliver(&bucket(), &packed(text)).await;
    assert_eq!(delivered.lines_stored, LINES);
    let want: String = (0..LINES).map(|i| text(i) + "\n").collect();
    assert!(*sent.lock().unwrap() == want.into_bytes());
}

/// Delivers batches by one lane, which knows the times of earlier ones.
async fn deliver_all<const N: usize>(setup: &Setup, batches: [&BatchLines; N]) -> [Delivered; N] {
    let mut lane = setup.writer.lane(7);
    lane.deliver(&bucket(), &lines(["other v=1 0"])).await;
    let mut delivered = Vec::new();
    for batch in batches {
        delivered.push(lane.deliver(&bucket(), batch).await);
        assert_eq!(delivered.last().unwrap().lines_settled(), batch.len());
    }
    delivered.try_into().unwrap()
}

/// A point costs InfluxDB 2 less CPU time in requests with few series and many lines of each.
#[tokio::test]
async fn later_large_batches_are_sent_in_ranges_of_series() {
    for compression in [Compression::None, Compression::Gzip] {
        let texts = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&texts);
        let faults: testkit::receiver::Faults = Box::new(move |request| {
            seen.lock().unwrap().push(request.text.clone());
            None
        });
        let options = Options { faults: Some(faults), ..Options::default() };
        let setup = Setup::with(options, LARGE, |connection| connection.compression = compression).await;
        let batch = packed(large);
        let [whole, in_ranges] = deliver_all(&setup, [&batch, &batch]).await;
        assert_eq!((whole.requests.stored, whole.requests.total()), (1, 1));
        assert_eq!((in_ranges.requests.stored, in_ranges.requests.total()), (7, 7));
        assert_eq!((in_ranges.lines_stored, in_ranges.further_requests), (LINES, 6));
        assert!(in_ranges.time_at_once() > Some(Duration::ZERO));
        assert!(points(&setup) == points_of(large).await);
        let texts = texts.lock().unwrap();
        let series = texts[2..].iter().map(|text| {
            let lines = text.split_inclusive(|byte| *byte == b'\n');
            lines.map(|line| line_protocol::series::of(line).to_vec()).collect::<BTreeSet<_>>()
        });
        let series: Vec<_> = series.collect();
        assert_eq!(series.iter().map(BTreeSet::len).sum::<usize>(), 500, "each series is in one request");
        assert!(series.iter().all(|series| series.len() > 40));
        assert_eq!(texts[2..].iter().map(Bytes::len).sum::<usize>(), batch.bytes());
    }
}

/// A server that is far away, or answers at the flushes of its log.
#[tokio::test]
async fn a_server_that_answers_after_a_fixed_time_gets_large_batches_in_one_request() {
    let faults: testkit::receiver::Faults =
        Box::new(|_| Some(Reply::status(204).after(Duration::from_millis(500))));
    let setup = Setup::with(Options { faults: Some(faults), ..Options::default() }, LARGE, |_| ()).await;
    let batch = packed(large);
    let delivered = deliver_all(&setup, [&batch; 3]).await;
    let [first, tried, later] = delivered.each_ref().map(|delivered| delivered.requests.total());
    assert_eq!((first, later), (1, 1));
    assert!((2..7).contains(&tried), "{tried} requests, as many as ranges");
    assert!(delivered.iter().all(|delivered| delivered.time_at_once().is_some()));
}

#[tokio::test]
async fn refused_lines_of_ranges_have_their_places_in_the_batch() {
    let setup = Setup::with(Options::default(), LARGE, |_| ()).await;
    setup.deliver(&bucket(), &lines(["m,host=h0 bad=1 0"])).await;
    let bad = |i: usize| i % 4_001 == 700 || i == LINES - 1;
    let line = |i: usize| if bad(i) { format!("m,host=h{} bad=\"text\" {i}", i % 500) } else { large(i) };
    let (good, batch) = (packed(large), packed(line));
    let [_, delivered] = deliver_all(&setup, [&good, &batch]).await;
    assert!(delivered.further_requests > 0 && delivered.time_at_once().is_none());
    let refused = (0..LINES).filter(|&i| bad(i)).collect::<Vec<_>>();
    assert_eq!(refused_lines(&delivered), refused);
    assert_eq!(delivered.lines_stored, LINES - refused.len());
    let mut reader = batch.reader();
    for line in refused {
        assert!(reader.line(line).windows(6).any(|word| word == b"\"text\""));
    }
    assert!(points(&setup).len() >= points_of(large).await.len());
}

/// A batch may have fewer series than ranges. No request of a range is larger than a part.
#[tokio::test]
async fn ranges_without_a_series_take_no_request_and_one_with_all_lines_takes_several() {
    let line = |i: usize| format!("m v={i},w=\"{}\" {i}", "x".repeat(400));
    let setup = Setup::with(Options::default(), LARGE, |_| ()).await;
    let batch = packed(line);
    let [_, delivered] = deliver_all(&setup, [&batch, &batch]).await;
    assert_eq!((delivered.requests.total(), delivered.lines_stored), (PARTS as u32, LINES));
    assert!(delivered.time_at_once().is_some());
}

/// The first address fails while a batch is sent in ranges, and the next one is an InfluxDB 3.
#[tokio::test]
async fn the_rest_of_a_batch_in_ranges_has_its_order_for_a_server_that_takes_over() {
    let (second, sent) = influx3_and_its_requests().await;
    let url = second.url();
    // The request of the second range fails.
    let faults: testkit::receiver::Faults =
        Box::new(|request| (request.number > 3).then(|| Reply::status(204).ending(Ending::Reset)));
    let options = Options { faults: Some(faults), ..Options::default() };
    let adjust = |connection: &mut ConnectionSettings| connection.urls.push(url.parse().unwrap());
    let setup = Setup::with(options, LARGE, adjust).await;
    let batch = packed(large);
    let [_, delivered] = deliver_all(&setup, [&batch, &batch]).await;
    assert_eq!(delivered.lines_stored, LINES);
    let sent = sent.lock().unwrap();
    // The request that failed is sent again as it was.
    let sent: Vec<u8> = sent.iter().skip(1).flatten().copied().collect();
    let rest: BTreeSet<&[u8]> = sent.split_inclusive(|byte| *byte == b'\n').collect();
    assert!((LINES / 2..LINES).contains(&rest.len()), "{}", rest.len());
    let parts = (0..LINES).map(|i| large(i) + "\n").filter(|line| rest.contains(line.as_bytes()));
    assert!(sent == parts.collect::<String>().into_bytes());
}
