//! A server whose clock jumped refuses every line as older than its retention. No retention is shorter than an hour, so lines of the last
//! hour are not to blame.

use super::*;
use std::time::SystemTime;

/// A message of InfluxDB 1 that every line of a request is beyond the retention.
fn all_dropped(count: usize) -> Answer {
    let message = format!("partial write: points beyond retention policy dropped={count}");
    let body = serde_json::json!({ "error": message }).to_string().into_bytes();
    Answer { status: 400, body, ..Answer::default() }
}

fn now() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as i64
}

/// Refuses everything until the plan waits for the third time. Returns the refused lines.
fn refused_until_blocked(texts: &[String]) -> Vec<usize> {
    let lines: Lines = texts.iter().collect::<LineBuffer>().into();
    let (mut plan, mut history) = (SalvagePlan::new(&lines, false, 7), History::default());
    let mut waits = 0;
    for moment in 1..200 {
        let next = plan.next(&lines, SIZE, &history).expect("lines of the last hour stay open");
        waits += usize::from(next.blocked.is_some());
        if waits == 3 {
            return plan.into_lists().0.into_iter().map(|refused| refused.line).collect();
        }
        let answer = all_dropped(next.request.len());
        let parsed = ParsedAnswer::of(&answer);
        let at = history.refused_at(0, moment);
        plan.refused(&lines, RefusedRequest { answer: &answer, parsed: &parsed, why: "old", at });
        history.learn(&mut plan);
    }
    panic!("the batch is not blocked");
}

/// The oldest line is sent alone first, and its refusal proves the cause for lines of its kind.
#[test]
fn one_old_line_proves_nothing_about_lines_of_the_last_hour() {
    let line = |age: i64, i: i64| format!("m v={i} {}", now() - age + i);
    for old in [1, 3] {
        let ages = (0..500).map(|i| if i % 100 == 7 && i / 100 < old { 2 * HOUR } else { 0 });
        let texts: Vec<String> = ages.enumerate().map(|(i, age)| line(age, i as i64)).collect();
        let want: Vec<usize> = (0..old as usize).map(|i| 100 * i + 7).collect();
        assert_eq!(refused_until_blocked(&texts), want, "{old} old lines");
    }
}

/// The cause is proven by the first request of a batch, and the next request has only lines of the last hour.
#[test]
fn an_earlier_proof_refuses_no_line_of_the_last_hour() {
    let now = now();
    let texts: Vec<String> =
        (0..50).map(|i| format!("m v={i} {}", if i < 10 { now - 3 * HOUR + i } else { now + i })).collect();
    let lines: Lines = texts.iter().collect::<LineBuffer>().into();
    let (mut plan, history) = (SalvagePlan::new(&lines, false, 7), History::default());
    let size = RequestSize { lines_max: 10, ..SIZE };
    for moment in 1..100 {
        let Some(next) = plan.next(&lines, size, &history).filter(|next| next.blocked.is_none()) else {
            break;
        };
        let answer = all_dropped(next.request.len());
        let parsed = ParsedAnswer::of(&answer);
        let at = history.refused_at(0, moment);
        plan.refused(&lines, RefusedRequest { answer: &answer, parsed: &parsed, why: "old", at });
    }
    assert!(plan.is_blocked());
    let refused: Vec<usize> = plan.into_lists().0.into_iter().map(|refused| refused.line).collect();
    assert_eq!(refused, (0..10).collect::<Vec<usize>>());
}
