//! Large batches are written grouped by series. Results refer to the order of the batch.

use super::*;
use crate::Compression;

/// Lines of 500 series in turn; each series and time comes twice, and the later value has to win.
fn text(i: usize) -> String {
    let (series, value) = (i % 500, i);
    format!("m,host=h{series} v={value} {}", i / 1_000)
}

const LINES: usize = 8_000;

#[tokio::test]
async fn a_large_batch_is_sent_grouped_by_series_and_the_later_point_wins() {
    for compression in [Compression::None, Compression::Gzip] {
        let changes = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&changes);
        let faults: testkit::receiver::Faults = Box::new(move |request| {
            let text = std::str::from_utf8(&request.text).unwrap();
            let series: Vec<&str> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
            let count = series.windows(2).filter(|pair| pair[0] != pair[1]).count();
            seen.fetch_add(count, Relaxed);
            None
        });
        let options = Options { faults: Some(faults), ..Options::default() };
        let writer = WriterOptions { lines_max: LINES, ..OPTIONS };
        let setup = Setup::with(options, writer, |connection| connection.compression = compression).await;
        // The order of lines is changed only for a server that has named itself.
        setup.deliver(&bucket(), &lines(["m,host=h0 v=0 0"])).await;
        let batch = lines((0..LINES).map(text));
        let delivered = setup.deliver(&bucket(), &batch).await;
        assert_eq!(delivered.requests, RequestCounts { stored: 1, ..RequestCounts::default() });
        // Two series may share a group, whose lines then alternate.
        assert!(changes.load(Relaxed) < 1_500, "{} changes of series", changes.load(Relaxed));
        let want = lines((0..LINES).filter(|i| i % 1_000 >= 500).map(text));
        let other = Setup::new(Options::default()).await;
        other.deliver(&bucket(), &want).await;
        assert_eq!(setup.receiver.points(&bucket()), other.receiver.points(&bucket()));
        // The text and the ends of the lines are free again.
        let place = text_of(&batch);
        let mut buffer = batch.into_buffer();
        buffer.push_line(b"m v=1 1");
        assert_eq!(buffer.text().as_ptr(), place);
    }
}

#[tokio::test]
async fn refused_lines_of_a_grouped_batch_are_those_of_the_batch() {
    let setup = Setup::with(Options::default(), WriterOptions { lines_max: LINES, ..OPTIONS }, |_| ()).await;
    setup.deliver(&bucket(), &lines(["m,host=h0 w=1 0"])).await;
    let bad = |i: usize| i % 2_011 == 700;
    let batch = lines(
        (0..LINES).map(|i| if bad(i) { format!("m,host=h{} w=\"text\" {i}", i % 500) } else { text(i) }),
    );
    let delivered = setup.deliver(&bucket(), &batch).await;
    assert_eq!(refused_lines(&delivered), (0..LINES).filter(|&i| bad(i)).collect::<Vec<_>>());
    assert!(delivered.requests.total() <= 5, "{:?}", delivered.requests);
}

/// In InfluxDB 3 a column has the type of its first value, so the order of the lines matters.
#[tokio::test]
async fn a_grouped_batch_has_its_order_for_a_server_that_takes_over_during_its_request() {
    let (second, sent) = influx3_and_its_requests().await;
    let url = second.url();
    let faults: testkit::receiver::Faults =
        Box::new(|request| (request.number > 1).then(|| Reply::status(204).ending(Ending::Reset)));
    let options = Options { faults: Some(faults), ..Options::default() };
    let writer = WriterOptions { lines_max: LINES, ..OPTIONS };
    let setup = Setup::with(options, writer, |connection| connection.urls.push(url.parse().unwrap())).await;
    setup.deliver(&bucket(), &lines(["m,host=h0 v=0 0"])).await;
    let delivered = setup.deliver(&bucket(), &lines((0..LINES).map(text))).await;
    assert_eq!((delivered.lines_stored, delivered.lines_settled()), (LINES, LINES));
    assert_eq!(delivered.requests, RequestCounts { stored: 1, retried: 1, ..RequestCounts::default() });
    let want: String = (0..LINES).map(|i| text(i) + "\n").collect();
    assert!(sent.lock().unwrap().concat() == want.into_bytes());
}
