//! Large batches are kept packed, and sent as one request. If that is not stored, their parts are delivered one after another.

use super::*;
use crate::PackedLines;
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
    (Setup::with(options, LARGE, |connection| connection.timeout = Duration::from_secs(3)).await, sizes)
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
        let delivered = setup.deliver(&bucket(), &batch).await;
        assert_eq!(delivered.requests, RequestCounts { stored: 1, ..RequestCounts::default() });
        assert_eq!(delivered.lines_stored, LINES);
        assert!(setup.receiver.points(&bucket()) == points_of(text).await);
        let counters = setup.writer.counters();
        assert_eq!(counters.lines_stored.load(Relaxed), LINES as u64);
        assert_eq!(counters.bytes_plain.load(Relaxed), batch.bytes() as u64);
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
            faults: Some(Box::new(script(vec![Reply::status(503), Reply::status(401)]))),
            ..Options::default()
        },
        LARGE,
        |connection| connection.compression = Compression::Gzip,
    )
    .await;
    let delivered = setup.deliver(&bucket(), &packed(text)).await;
    assert_eq!(
        delivered.requests,
        RequestCounts { retried: 1, blocked: 1, stored: 1, ..RequestCounts::default() }
    );
    assert!(setup.receiver.points(&bucket()) == points_of(text).await);
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
    assert!(setup.receiver.points(&bucket()) == points_of(text).await);
    assert_eq!(delivered.request_bytes_max, Some(batch.bytes() / 2));
    sizes.lock().unwrap().clear();
    let again = setup.deliver(&bucket(), &batch).await;
    assert_eq!((again.requests.split, again.requests.stored), (0, PARTS as u32));
}

#[tokio::test]
async fn parts_are_sent_after_a_timeout() {
    let large = |i: usize| {
        format!("{},w=\"{}\" {}", &text(i)[..text(i).rfind(' ').unwrap()], "x".repeat(400), i % PART_LINES)
    };
    let batch = packed(large);
    assert!(batch.bytes() > RESENT_BYTES_MAX);
    let (setup, sizes) = refusing(Reply::status(204).ending(Ending::Hang), RESENT_BYTES_MAX).await;
    let delivered = setup.deliver(&bucket(), &batch).await;
    assert_eq!((delivered.requests.retried, delivered.requests.stored), (1, PARTS as u32));
    assert!(sizes.lock().unwrap()[1..].iter().all(|bytes| *bytes <= RESENT_BYTES_MAX));
    assert_eq!(delivered.lines_stored, LINES);
    assert!(setup.receiver.points(&bucket()) == points_of(large).await);
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
