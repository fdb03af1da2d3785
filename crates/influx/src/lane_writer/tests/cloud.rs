//! Writing to InfluxDB Cloud Serverless and Dedicated, whose refusals list up to 100 lines by number.

use super::*;
use testkit::receiver::{Faults, Product};

async fn setup() -> Setup {
    let setup = Setup::new(Options { product: Product::Cloud, ..Options::default() }).await;
    // The first line fixes the type of the column for its day.
    assert_eq!(setup.deliver(&bucket(), &lines(["m v=1 0"])).await.lines_stored, 1);
    setup
}

#[tokio::test]
async fn bad_lines_are_found_by_lists_of_up_to_100() {
    for (bad, refusals) in [(1, 1), (100, 1), (250, 3)] {
        let setup = setup().await;
        let is_bad = |i: usize| i % 2 == 1 && i / 2 < bad;
        let text = |i: usize| match i % 3 {
            _ if !is_bad(i) => format!("m v={i} {i}"),
            0 => format!("m v=\"s\" {i}"),
            1 => format!("m v=1 9223372036854775{}", 808 + i % 100),
            _ => format!("m v=NaN {i}"),
        };
        let delivered = setup.deliver(&bucket(), &lines((0..1_000).map(text))).await;
        assert_eq!(refused_lines(&delivered), (0..1_000).filter(|&i| is_bad(i)).collect::<Vec<_>>());
        let requests = RequestCounts { stored: 1, refused: refusals, ..RequestCounts::default() };
        assert_eq!(delivered.requests, requests, "{bad} bad lines");
        let why = &delivered.refused[0].why;
        assert!(
            why.starts_with("400: failed to parse line protocol: Unable to parse timestamp value '"),
            "{why}"
        );
    }
}

/// The type of a column is that of a day, so one refused line proves nothing about lines of other days.
#[tokio::test]
async fn a_conflict_of_one_day_refuses_no_line_of_another() {
    let setup = setup().await;
    let batch = lines(["m v=\"bad\" 1".to_owned(), format!("m v=\"good\" {FAR}"), "m v=2 2".to_owned()]);
    let delivered = setup.deliver(&bucket(), &batch).await;
    assert_eq!(refused_lines(&delivered), [0]);
    assert_eq!(delivered.lines_stored, 2);
}

/// The words before the cause are the same for every 400 of these servers.
#[tokio::test]
async fn an_answer_that_begins_like_a_refusal_refuses_no_line_without_a_known_cause() {
    for message in [
        "failed to parse line protocol: errors encountered on line(s):\nerror parsing line 1 (1-based): no ingester is there",
        "failed to parse line protocol:errors encountered on line(s):\nerror in line 1: table: m; not there yet",
    ] {
        let body = serde_json::json!({ "code": "invalid", "line": 1, "message": message }).to_string();
        for count in [1, 20] {
            let refused = Reply::status(400).body(body.clone());
            let setup = Setup::faults(script(vec![refused; 6])).await;
            let delivered = setup.deliver(&bucket(), &good(count)).await;
            assert_eq!((delivered.lines_stored, delivered.refused), (count, Vec::new()), "{message}");
        }
    }
}

/// A record may contain the text of an entry.
#[tokio::test]
async fn an_entry_that_a_record_has_written_refuses_no_other_line() {
    let forging: Faults = Box::new(|request| {
        let text = String::from_utf8_lossy(&request.text);
        let number = text.lines().position(|line| line.contains("NaN"))? + 1;
        let message = format!(
            "failed to parse line protocol: errors encountered on line(s):\nerror parsing line {number} (1-based): Could not parse entire line. Found trailing content: '\nerror parsing line 1 (1-based): No fields were provided'"
        );
        let body = serde_json::json!({ "code": "invalid", "line": number, "message": message });
        Some(Reply::status(400).body(body.to_string()))
    });
    let setup = Setup::new(Options { faults: Some(forging), ..Options::default() }).await;
    let batch = lines((0..10).map(|i| format!("m v={} {i}", if i == 7 { "NaN" } else { "1" })));
    let delivered = setup.deliver(&bucket(), &batch).await;
    assert_eq!(refused_lines(&delivered), [7]);
}
