//! Answers that no InfluxDB sends: too large, too slow, broken, or forged.

use super::*;
use crate::answer::BODY_BYTES_MAX;
use bytes::Bytes;

/// The reason that is made of this refusal of one line, without proof: the lane is blocked until the server stores the line.
async fn why(reply: Reply) -> String {
    let setup = Setup::faults(move |request| (request.number <= 9).then(|| reply.clone())).await;
    let delivered = setup.deliver(&bucket(), &good(1)).await;
    assert_eq!((delivered.lines_stored, delivered.refused.len()), (1, 0));
    let raised = setup.events.take().into_iter().find_map(|event| match event {
        Event::Raised(alarm) => Some((alarm.cause, alarm.why)),
        _ => None,
    });
    let (cause, why) = raised.expect("the lane is blocked");
    assert_eq!(cause, "refusal_unproven");
    why
}

fn is_harmless(text: &str) -> bool {
    text.len() < 2_000 && !text.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c))
}

#[tokio::test]
async fn reads_no_more_than_it_needs() {
    let f = async |reply: Reply| {
        let receiver =
            Receiver::start(Options { faults: Some(Box::new(script(vec![reply]))), ..Options::default() });
        let receiver = receiver.await.unwrap();
        let client = Client::new(&connection(&receiver.url())).unwrap();
        let lines = Bytes::from_static(b"m v=1 1\n");
        let answer = client.write(client.addresses().current(), &bucket(), lines, false).await.unwrap();
        assert_eq!(answer.status, 422);
        (answer.body.len(), answer.is_cut)
    };
    let body = |bytes: usize| Reply::status(422).body(vec![b'x'; bytes]);
    assert_eq!(f(body(10_000_000)).await, (BODY_BYTES_MAX, true));
    assert_eq!(f(body(1_000).ending(Ending::Endless)).await, (BODY_BYTES_MAX, true));
    assert_eq!(f(body(BODY_BYTES_MAX)).await, (BODY_BYTES_MAX, false));
    assert_eq!(f(body(BODY_BYTES_MAX + 1)).await, (BODY_BYTES_MAX, true));
    assert_eq!(f(body(7)).await, (7, false));
    assert_eq!(f(body(0)).await, (0, false));
}

#[tokio::test]
async fn blocks_for_any_body_without_proof() {
    let body = |bytes: Vec<u8>| Reply::status(422).body(bytes);
    let noise: Vec<u8> = (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let packed = Gzip::new().compress(b"unable to parse").unwrap().to_vec();
    let escapes = "\u{1b}]0;title\u{7}\u{1b}[2J\r\nERROR forged\u{202e}\u{85}\u{0}";
    let json = serde_json::json!({ "message": escapes, "code": escapes }).to_string();
    let replies = [
        body(vec![b'x'; 10_000_000]),
        body(b"<html>".to_vec()).ending(Ending::Endless),
        body(noise),
        body(packed.clone()).header("Content-Encoding", "gzip"),
        body(b"plain".to_vec()).header("Content-Encoding", "gzip"),
        body(b"plain".to_vec()).header("Content-Encoding", "\u{e9}, br, gzip"),
        body(packed),
        body(escapes.as_bytes().to_vec()),
        body(json.into_bytes()),
        body("[".repeat(200_000).into_bytes()),
        body(format!("{{\"a\":{}", "[".repeat(200_000)).into_bytes()),
        body(format!("{{\"message\":\"{}", "\\u00".repeat(60_000)).into_bytes()),
        body(b"unable to parse '".repeat(20_000)),
        body(b"unable to parse 'a': b\n".repeat(20_000)),
        body(b"partial write: field type conflict: input field \"\" on measurement \"".repeat(9_000)),
        body(b"partial write: dropped=99999999999999999999 dropped=18446744073709551615".to_vec()),
    ];
    for reply in replies {
        let shown = String::from_utf8_lossy(&reply.body[..reply.body.len().min(60)]).into_owned();
        let why = why(reply).await;
        assert!(why.starts_with("422: ") && is_harmless(&why), "{shown}: {why}");
    }
}

/// The refused lines among many are found for any body, with no more requests than halving.
#[tokio::test]
async fn finds_refused_lines_for_any_body() {
    let bodies = [
        b"unable to parse 'm v=1 1': \n".repeat(20_000),
        b"unable to parse 'm v=5 5': x\nunable to parse 'm v=6 6': x".to_vec(),
        b"partial write: points beyond retention policy dropped=3".to_vec(),
        b"partial write: points beyond retention policy dropped=100".to_vec(),
        b"partial write: what dropped=100".to_vec(),
        b"partial write: what dropped=50".to_vec(),
        br#"partial write: field type conflict: input field "v" on measurement "m" is type float, already exists as type string dropped=7"#.to_vec(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let setup = Setup::faults(move |request| {
            let text = String::from_utf8_lossy(&request.text);
            text.contains("m v=77 77\n").then(|| Reply::status(400).body(body.clone()))
        })
        .await;
        let delivered = setup.deliver(&bucket(), &good(100)).await;
        assert_eq!(refused_lines(&delivered), [77], "{shown}");
        assert!(delivered.requests.total() <= 40, "{shown}: {:?}", delivered.requests);
        assert_eq!(setup.receiver.point_count(), 99, "{shown}");
    }
}

#[tokio::test]
async fn retries_after_an_incomplete_answer() {
    let refusal = || Reply::status(422).body("refused");
    let drip = Ending::Drip(Duration::from_millis(100));
    let mut bomb = Reply::status(422);
    for i in 0..300 {
        bomb = bomb.header(&format!("x-{i}"), &"y".repeat(3_000));
    }
    let replies =
        vec![refusal().ending(drip), refusal().ending(Ending::Half), bomb, refusal().ending(Ending::Hang)];
    let options = Options { faults: Some(Box::new(script(replies))), ..Options::default() };
    let setup = Setup::with(options, OPTIONS, |c| c.timeout = Duration::from_millis(300)).await;
    let delivered = setup.deliver(&bucket(), &good(3)).await;
    assert_eq!(delivered.requests, RequestCounts { stored: 1, retried: 4, ..RequestCounts::default() });
    for event in setup.events.take() {
        if let Event::Raised(alarm) = event {
            assert!(is_harmless(&alarm.why), "{}", alarm.why);
        }
    }
}

/// A body that arrives slowly but in time is read to its end.
#[tokio::test]
async fn waits_for_a_slow_answer() {
    let drip = Ending::Drip(Duration::from_millis(5));
    assert_eq!(why(Reply::status(422).body("drop by drop").ending(drip)).await, "422: drop by drop");
}
