//! A server with random answers, true or false. Whatever it answers, each line ends in one list, and no line is refused without proof as
//! docs/faults.md defines it. The rules here check the history of all requests without the code under test.

use super::*;
use crate::dialects::LimitScope;
use crate::parsed_answer::{AnswerSubject, BodyForm};
use line_protocol::reader::{Value, read_line};

const ADDRESSES: usize = 2;
/// Bound of requests after the server begins to store everything.
const HONEST_REQUESTS_MAX: usize = 2_000;

/// A request, its answer, and the meaning of the answer.
struct Sent {
    indices: Vec<usize>,
    address: usize,
    answer: Answer,
    kind: Kind,
    is_stored: bool,
}

/// The meaning of an answer's message.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// These lines are quoted.
    Quotes(Vec<usize>),
    /// A field is a string but must not be.
    Conflict {
        field: &'static str,
        dropped: usize,
    },
    Retention {
        dropped: usize,
    },
    /// A line has no fields; without a name, a count or a quote.
    NoFields,
    /// Lines are named by number, each with a reason. A number may be repeated or beyond the request, in any order.
    Numbered(Vec<(usize, Reason)>),
    /// A limit that keeps lines out.
    Limit,
    /// The message is about no line that was sent.
    Other,
}

/// The reason that an answer gives for a line that it names by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    NoFields,
    /// The field `f` is a string.
    Conflict,
    Unknown,
}

impl Reason {
    fn text(self) -> &'static str {
        match self {
            Self::NoFields => "No fields were provided",
            Self::Conflict => {
                "invalid column type for column 'f', expected iox::column_type::field::float, got iox::column_type::field::string"
            }
            Self::Unknown => "words of a later version",
        }
    }

    /// Whether the text of the line shows the reason.
    fn is_shown(self, line: &Line) -> bool {
        match self {
            Self::NoFields => read_line(line.text.as_bytes()).is_err(),
            Self::Conflict => has_string(line, "f"),
            Self::Unknown => false,
        }
    }
}

/// The body of an answer that names lines by number, and its meaning.
fn numbers(count: usize, rng: &mut fastrand::Rng) -> (String, Kind) {
    let reasons = [Reason::NoFields, Reason::Conflict, Reason::Unknown];
    let named: Vec<(usize, Reason)> =
        (0..rng.usize(1..8)).map(|_| (rng.usize(..count + 3), reasons[rng.usize(..3)])).collect();
    let detail = |(number, reason): &(usize, Reason)| serde_json::json!({ "error_message": reason.text(), "line_number": number });
    let data: Vec<_> = named.iter().map(detail).collect();
    let error = ["partial write of line protocol occurred", "line protocol parsing error"][rng.usize(..2)];
    (serde_json::json!({ "error": error, "data": data }).to_string(), Kind::Numbered(named))
}

fn text_of(i: usize, rng: &mut fastrand::Rng) -> String {
    let fields = ["v=1", "f=\"text\",v=1", "g=\"text\",v=1", "f=\"text\",g=\"text\"", "v="][rng.usize(..5)];
    format!("m,s={} {fields} {i}", rng.usize(..5))
}

/// A random status and body, and their meaning.
fn lie(batch: &[Line], indices: &[usize], rng: &mut fastrand::Rng) -> (u16, String, Kind) {
    let status = [400, 400, 400, 422, 422, 500, 413, 503, 301, 204][rng.usize(..10)];
    if rng.u8(..4) == 0 {
        let (body, kind) = numbers(indices.len(), rng);
        return (status, body, kind);
    }
    let dropped = if rng.bool() { indices.len() } else { rng.usize(..indices.len() + 3) };
    let quote = |i: usize| format!("unable to parse '{}': no", batch[i].text);
    let conflict = |field: &str| {
        format!(
            "partial write: field type conflict: input field \"{field}\" on measurement \"m\" is type string, already exists as type float dropped={dropped}"
        )
    };
    let (message, kind) = match rng.u8(..12) {
        0 => ("what".to_owned(), Kind::Other),
        1 | 2 => {
            let quoted: Vec<usize> = indices.iter().copied().filter(|_| rng.bool()).collect();
            let message = quoted.iter().map(|&i| quote(i)).collect::<Vec<_>>().join("\n");
            (message, Kind::Quotes(quoted))
        }
        3 => {
            let any = rng.usize(..batch.len());
            (quote(any), Kind::Quotes(vec![any]))
        }
        4 => (conflict("f"), Kind::Conflict { field: "f", dropped }),
        5 => (conflict("g"), Kind::Conflict { field: "g", dropped }),
        6 => (
            format!("partial write: points beyond retention policy dropped={dropped}"),
            Kind::Retention { dropped },
        ),
        7 => ("line protocol parse failed: No fields were provided".to_owned(), Kind::NoFields),
        8 => (
            format!("partial write: max-series-per-database limit exceeded: (1) dropped={dropped}"),
            Kind::Limit,
        ),
        9 => ("partial write: no space left on device dropped=9".to_owned(), Kind::Other),
        10 => ("unable to parse 'other v=': no".to_owned(), Kind::Other),
        _ => (format!("partial write: No fields were provided dropped={dropped}"), Kind::NoFields),
    };
    (status, serde_json::json!({ "message": message }).to_string(), kind)
}

fn has_string(line: &Line, field: &str) -> bool {
    let point = read_line(line.text.as_bytes());
    point.is_ok_and(|point| {
        point.fields.iter().any(|(name, value)| name == field && matches!(value, Value::String(_)))
    })
}

/// Whether the message of an answer may be about this line.
fn is_about(sent: &Sent, line: usize, batch: &[Line]) -> bool {
    match &sent.kind {
        Kind::Quotes(quoted) => quoted.contains(&line),
        Kind::Conflict { field, .. } => has_string(&batch[line], field),
        Kind::Retention { .. } => true,
        Kind::NoFields => Reason::NoFields.is_shown(&batch[line]),
        // Alone, the line has the number 1, and the first reason counts.
        Kind::Numbered(named) => {
            let (_, first) = named[0];
            named.iter().all(|(number, _)| *number <= 1) && first.is_shown(&batch[line])
        }
        Kind::Limit | Kind::Other => false,
    }
}

/// Whether an answer named the line by number, with a reason that its text shows, or a line before it in the same request that has the
/// same conflict.
fn is_proven_by_number(history: &[Sent], line: usize, batch: &[Line]) -> bool {
    history.iter().filter(|sent| is_refusal(sent) && sent.indices.contains(&line)).any(|sent| {
        let Kind::Numbered(named) = &sent.kind else { return false };
        named.iter().any(|(number, reason)| {
            let at = number.checked_sub(1).and_then(|at| sent.indices.get(at));
            let is_same = |at: usize| at == line || (*reason == Reason::Conflict && at < line);
            at.is_some_and(|&at| is_same(at) && reason.is_shown(&batch[at]) && reason.is_shown(&batch[line]))
        })
    })
}

fn is_refusal(sent: &Sent) -> bool {
    matches!(sent.answer.status, 400 | 422 | 500)
}

/// Whether the line was refused alone, with a message about it.
fn is_proven_alone(history: &[Sent], line: usize, batch: &[Line]) -> bool {
    history.iter().any(|sent| sent.indices == [line] && is_refusal(sent) && is_about(sent, line, batch))
}

/// Whether the line was counted or quoted with others, one of which was refused alone.
fn is_proven_with_others(history: &[Sent], line: usize, batch: &[Line]) -> bool {
    history.iter().filter(|sent| is_refusal(sent) && sent.indices.contains(&line)).any(|sent| {
        let counts_all = match sent.kind {
            Kind::Conflict { dropped, .. } | Kind::Retention { dropped } => dropped == sent.indices.len(),
            Kind::Quotes(_) => true,
            _ => false,
        };
        counts_all
            && is_about(sent, line, batch)
            && (0..batch.len()).any(|other| other != line && is_proven_alone(history, other, batch))
    })
}

/// Whether the line was refused alone 8 times by an address that stored 8 other requests in between.
fn is_confirmed(history: &[Sent], line: usize) -> bool {
    let refusals = |address: usize| {
        history.iter().enumerate().filter(move |(_, sent)| {
            let is_it = matches!(sent.answer.status, 400 | 422 | 413 | 500);
            is_it && sent.address == address && sent.indices == [line]
        })
    };
    (0..ADDRESSES).any(|address| {
        let (first, last) = (refusals(address).next(), refusals(address).last());
        let (Some((first, _)), Some((last, _))) = (first, last) else { return false };
        let controls = history[first..last].iter().filter(|sent| sent.is_stored && sent.address == address);
        refusals(address).count() >= 8 && controls.count() >= 8
    })
}

fn is_proven(history: &[Sent], line: usize, batch: &[Line]) -> bool {
    is_proven_alone(history, line, batch)
        || is_proven_by_number(history, line, batch)
        || is_proven_with_others(history, line, batch)
        || is_confirmed(history, line)
}

/// Runs a plan against random answers. Returns how many lines were stored, refused and kept out.
fn attack(seed: u64, accepts_unproven: bool) -> [usize; 3] {
    let mut rng = fastrand::Rng::with_seed(seed);
    let count = rng.usize(1..40);
    let batch: Vec<Line> =
        (0..count).map(|i| Line { text: text_of(i, &mut rng), ..line(Flaw::None, 0, i as i64) }).collect();
    let lines = lines_of(&batch);
    let size = RequestSize { lines_max: rng.usize(1..50), ..SIZE };
    let mut plan = SalvagePlan::new(&lines, accepts_unproven, seed);
    let mut known = History::default();
    let mut history: Vec<Sent> = Vec::new();
    let (lie_count, stored_share) = (rng.usize(..400), rng.u8(..5));
    let (mut moment, mut ever_stored) = (1, BTreeSet::new());
    while let Some(NextRequest { request, .. }) = plan.next(&lines, size, &known) {
        let is_honest = history.len() >= lie_count;
        assert!(history.len() < lie_count + HONEST_REQUESTS_MAX, "seed {seed}: it does not end");
        let indices: Vec<usize> = request.indices().collect();
        let address = if is_honest { 0 } else { rng.usize(..ADDRESSES) };
        let (status, body, kind) = if is_honest || rng.u8(..10) < stored_share {
            (204, String::new(), Kind::Other)
        } else {
            lie(&batch, &indices, &mut rng)
        };
        if !is_honest && rng.u8(..5) == 0 {
            // Another lane's request.
            let stored = rng.usize(..ADDRESSES);
            moment += 1;
            known.controls[stored] = moment;
            let answer = Answer { status: 204, ..Answer::default() };
            history.push(Sent {
                indices: vec![],
                address: stored,
                answer,
                kind: Kind::Other,
                is_stored: true,
            });
        }
        let answer = Answer { status, body: body.into_bytes(), ..Answer::default() };
        let parsed = ParsedAnswer::of(&answer);
        moment += 2;
        let at = known.refused_at(address, moment);
        let outcome = decide(Api::V2, &answer, &parsed);
        let is_stored = outcome == Outcome::Stored;
        history.push(Sent { indices: indices.clone(), address, answer: answer.clone(), kind, is_stored });
        match outcome {
            Outcome::Stored => {
                known.controls[address] = moment - 1;
                plan.stored(&lines, address);
                ever_stored.extend(indices);
            }
            Outcome::TooLarge { why, .. } => plan.too_large(&lines, &why, at),
            Outcome::Refused { why, .. } => {
                plan.refused(&lines, RefusedRequest { answer: &answer, parsed: &parsed, why: &why, at });
            }
            // The writer sends the same request until it is stored.
            Outcome::Retry { .. } | Outcome::Blocked { .. } | Outcome::Uncompressed { .. } => {
                plan.stored(&lines, address);
                let sent = history.last_mut().unwrap();
                (sent.answer.status, sent.kind, sent.is_stored) = (204, Kind::Other, true);
                known.controls[address] = moment - 1;
                ever_stored.extend(indices);
            }
        }
        known.learn(&mut plan);
        assert_eq!(plan.lines_stored(), ever_stored.len(), "seed {seed}");
        assert!(plan.lines_stored() + plan.lines_refused() <= count, "seed {seed}");
    }
    let stored_count = plan.lines_stored();
    let (refused, kept_out) = plan.into_lists();
    assert_eq!(
        stored_count + refused.len() + kept_out.len(),
        count,
        "seed {seed}: a line is in no list or in two"
    );
    let out: BTreeSet<usize> =
        refused.iter().map(|line| line.line).chain(kept_out.iter().map(|line| line.line)).collect();
    assert_eq!(out.len(), refused.len() + kept_out.len(), "seed {seed}: a line is in two lists");
    for index in (0..count).filter(|index| !out.contains(index)) {
        assert!(ever_stored.contains(&index), "seed {seed}: line {index} was never stored");
    }
    for RefusedLine { line, why } in &refused {
        assert!(!ever_stored.contains(line), "seed {seed}: {line} was stored and refused");
        let is_influx = |sent: &Sent| ParsedAnswer::of(&sent.answer).form == BodyForm::Influx;
        let is_alone =
            history.iter().any(|sent| sent.indices == [*line] && is_refusal(sent) && is_influx(sent));
        let is_allowed = accepts_unproven && is_alone;
        assert!(
            is_allowed || is_proven(&history, *line, &batch),
            "seed {seed}: {line} was refused without proof: {why}"
        );
    }
    for out in &kept_out {
        let is_named = history.iter().any(|sent| {
            let subject = ParsedAnswer::of(&sent.answer).subject;
            sent.indices.contains(&out.line)
                && matches!(subject, AnswerSubject::Limit(limit) if limit.scope == LimitScope::Lines)
        });
        assert!(is_named, "seed {seed}: no limit keeps {} out", out.line);
    }
    [stored_count, refused.len(), kept_out.len()]
}

#[test]
fn random_answers_refuse_no_line_without_proof_and_lose_none() {
    let mut totals = [0; 3];
    let seeds = seeds(500);
    let is_one = seeds.len() == 1;
    for seed in seeds {
        let _repeated = repeated(seed);
        for accepts_unproven in [false, true] {
            let ended = attack(seed, accepts_unproven);
            totals.iter_mut().zip(ended).for_each(|(total, more)| *total += more);
        }
    }
    if !is_one {
        assert!(totals.iter().all(|total| *total > 100), "the adversary meets every list: {totals:?}");
    }
}

/// All lines are dropped by the count, and one of them cannot be refused for the cause.
#[test]
fn a_count_refuses_no_line_that_the_cause_does_not_fit() {
    let conflict = |field: &str, dropped: usize| {
        format!(
            "partial write: field type conflict: input field \"{field}\" on measurement \"m\" is type string, already exists as type float dropped={dropped}"
        )
    };
    let texts = ["m f=\"s\",g=\"s\" 0", "m f=\"s\" 1", "m f=\"s\" 2", "m f=\"s\" 3", "m v=1 4"];
    let refuses = |indices: &[usize]| match indices {
        [0, 1, 2, 3, 4] => Some(conflict("f", 3)),
        // Line 1 has no g.
        [0, 1] => Some(conflict("g", 2)),
        [0] => Some(conflict("g", 1)),
        _ => None,
    };
    assert_eq!(answered(&texts, refuses), (vec![0], 4));
}

/// Runs a plan of one line that is refused with unknown words each time, by the address that `address` gives for the number of the refusal.
/// `controls`: the moments of the latest controls of two addresses after the refusal at a moment. Returns the number of refusals until
/// the line is refused, at most 40.
fn refusals_until_proof(address: impl Fn(usize) -> usize, controls: impl Fn(u64) -> [u64; 2]) -> usize {
    refusals_with(History::default(), address, controls)
}

fn refusals_with(
    mut history: History,
    address: impl Fn(usize) -> usize,
    controls: impl Fn(u64) -> [u64; 2],
) -> usize {
    let lines = lines_of(&[line(Flaw::None, 0, 0)]);
    let mut plan = SalvagePlan::new(&lines, false, 7);
    let answer = Answer { status: 400, ..Answer::default() };
    let parsed = ParsedAnswer::of(&answer);
    for count in 1..=40_usize {
        assert!(plan.next(&lines, SIZE, &history).is_some(), "{count}");
        let at = history.refused_at(address(count), 10 * count as u64);
        plan.refused(&lines, RefusedRequest { answer: &answer, parsed: &parsed, why: "no", at });
        if plan.lines_refused() == 1 {
            assert_eq!(plan.next(&lines, SIZE, &history), None);
            return count;
        }
        history.controls = controls(10 * count as u64);
    }
    40
}

#[test]
fn what_another_address_stores_confirms_no_refusal() {
    assert_eq!(refusals_until_proof(|_| 0, |moment| [0, moment + 1]), 40);
}

#[test]
fn a_request_that_was_sent_before_the_refusal_confirms_nothing() {
    assert_eq!(refusals_until_proof(|_| 0, |moment| [moment - 1, 0]), 40);
}

#[test]
fn nothing_confirms_the_refusals_of_an_address_that_contradicts_itself() {
    let history = History { contradicted: [0].into(), ..History::default() };
    assert_eq!(refusals_with(history, |_| 0, |moment| [moment + 1, 0]), 40);
}

/// Each of two addresses refuses a line several times, and stores other lines.
#[test]
fn a_proof_starts_again_at_another_address() {
    for run in 1..8 {
        assert_eq!(refusals_until_proof(|count| count / run % 2, |moment| [moment + 1; 2]), 40, "{run}");
    }
}

/// A control that another address stores ends the proof, so the plan goes on with attempts there.
#[test]
fn a_control_at_another_address_starts_the_proof_again() {
    let lines = lines_of(&[line(Flaw::None, 0, MONDAY), line(Flaw::None, 1, MONDAY)]);
    let (mut plan, mut history) = (SalvagePlan::new(&lines, false, 7), History::default());
    let answer = Answer { status: 400, ..Answer::default() };
    let parsed = ParsedAnswer::of(&answer);
    // The first address fails after some requests, and the second one takes over.
    for moment in 1..200 {
        let Some(next) = plan.next(&lines, SIZE, &history) else {
            assert_eq!((plan.lines_stored(), plan.lines_refused()), (1, 1));
            return;
        };
        let address = usize::from(moment > 12);
        if next.request.indices().eq([1]) {
            history.controls[address] = moment;
            plan.stored(&lines, address);
        } else {
            let at = history.refused_at(address, moment);
            plan.refused(&lines, RefusedRequest { answer: &answer, parsed: &parsed, why: "no", at });
        }
    }
    panic!("it does not end");
}

/// Other lanes store a request before each attempt.
#[test]
fn controls_of_other_lanes_confirm_24_refusals_of_a_line() {
    assert_eq!(refusals_until_proof(|_| 0, |moment| [moment + 1, 0]), 24);
}

fn numbered(named: &[(usize, Reason)]) -> Answer {
    let detail = |(number, reason): &(usize, Reason)| serde_json::json!({ "error_message": reason.text(), "line_number": number });
    let data: Vec<_> = named.iter().map(detail).collect();
    let body = serde_json::json!({ "error": "partial write of line protocol occurred", "data": data });
    Answer { status: 400, body: body.to_string().into_bytes(), ..Answer::default() }
}

/// Lines of a new reason are stored at the second attempt: there is more than one server behind the address.
#[test]
fn a_numbered_refusal_with_unknown_words_is_contradicted_by_a_stored_request() {
    let lines = lines_of(&[line(Flaw::None, 0, MONDAY), line(Flaw::None, 1, MONDAY)]);
    let (mut plan, history) = (SalvagePlan::new(&lines, false, 7), History::default());
    let answer = numbered(&[(1, Reason::Unknown)]);
    let parsed = ParsedAnswer::of(&answer);
    let next = plan.next(&lines, SIZE, &history).unwrap();
    assert_eq!(next.request.len(), 2);
    plan.refused(
        &lines,
        RefusedRequest { answer: &answer, parsed: &parsed, why: "no", at: history.refused_at(0, 1) },
    );
    while plan.next(&lines, SIZE, &history).is_some() {
        plan.stored(&lines, 0);
    }
    assert_eq!(plan.take_contradicted(), Some(0));
}

/// The first reason is unknown, so the line would be tried alone, and the second one refuses it.
#[test]
fn a_line_that_an_answer_names_twice_is_settled_once() {
    let bad = Line { text: "m v= 1".to_owned(), ..line(Flaw::Unparsable, 0, MONDAY) };
    let lines = lines_of(&[bad, line(Flaw::None, 1, MONDAY)]);
    for named in
        [[(1, Reason::Unknown), (1, Reason::NoFields)], [(1, Reason::NoFields), (1, Reason::Unknown)]]
    {
        let (mut plan, history) = (SalvagePlan::new(&lines, false, 7), History::default());
        let answer = numbered(&named);
        let parsed = ParsedAnswer::of(&answer);
        assert!(plan.next(&lines, SIZE, &history).is_some());
        plan.refused(
            &lines,
            RefusedRequest { answer: &answer, parsed: &parsed, why: "no", at: history.refused_at(0, 1) },
        );
        while plan.next(&lines, SIZE, &history).is_some() {
            plan.stored(&lines, 0);
        }
        assert_eq!((plan.lines_stored(), plan.lines_refused()), (1, 1), "{named:?}");
    }
}

/// A line before the named one has the same conflict, or the answer would name every refused line: only the named line is refused.
#[test]
fn a_numbered_conflict_refuses_no_line_that_the_answer_would_have_named() {
    let string = |i: i64| Line { text: format!("m f=\"s\" {i}"), ..line(Flaw::None, 0, i) };
    let lines = lines_of(&[string(0), string(1), string(2)]);
    let f = |error: &str, number: usize, want: usize| {
        let (mut plan, history) = (SalvagePlan::new(&lines, false, 7), History::default());
        let data = serde_json::json!({ "error_message": Reason::Conflict.text(), "line_number": number });
        let body = serde_json::json!({ "error": error, "data": data }).to_string().into_bytes();
        let answer = Answer { status: 400, body, ..Answer::default() };
        let parsed = ParsedAnswer::of(&answer);
        assert!(plan.next(&lines, SIZE, &history).is_some());
        let at = history.refused_at(0, 1);
        plan.refused(&lines, RefusedRequest { answer: &answer, parsed: &parsed, why: "no", at });
        assert_eq!(plan.lines_refused(), want, "{error}: {number}");
    };
    f("line protocol parsing error", 1, 3);
    f("line protocol parsing error", 2, 1);
    f("partial write of line protocol occurred", 1, 1);
}
