use super::*;
use crate::answer::Answer;
use crate::lines::{Lines, RequestSize};
use crate::outcome::{Outcome, decide};
use crate::parsed_answer::ParsedAnswer;
use crate::seed;
use base::Api;
use line_protocol::LineBuffer;
use sim::{Dialect, Flaw, Line, Shards, Sim};
use std::collections::{BTreeMap, BTreeSet};

mod adversary;
mod balancer;
mod retention;
mod sim;

/// 2026-01-05, a Monday.
const MONDAY: i64 = 1_767_571_200_000_000_000;
const HOUR: i64 = 3_600_000_000_000;
const WEEKS: Shards = Shards { nanos: 7 * 24 * HOUR, first: MONDAY };
const SIZE: RequestSize = RequestSize { lines_max: usize::MAX, bytes_max: usize::MAX };

/// Requests that the proof of an unknown message takes beyond the first refusal: attempts and controls in a random order. Attempts before
/// the first control count as one.
const PROOF_MAX: usize = 36;

/// The history of two addresses.
#[derive(Default)]
struct History {
    controls: [u64; 2],
    contradicted: BTreeSet<usize>,
}

impl History {
    /// Takes over what the plan found out.
    fn learn(&mut self, plan: &mut SalvagePlan) {
        while let Some(address) = plan.take_contradicted() {
            self.contradicted.insert(address);
        }
    }

    fn refused_at(&self, address: usize, moment: u64) -> RefusedAt {
        let control = self.controls[address];
        RefusedAt { address, moment, control, is_contradicted: self.contradicted.contains(&address) }
    }
}

impl AddressHistory for History {
    fn latest_control(&self, address: usize) -> u64 {
        self.controls[address]
    }

    fn contradicts_itself(&self, address: usize) -> bool {
        self.contradicted.contains(&address)
    }
}

fn lines_of(batch: &[Line]) -> Lines {
    batch.iter().map(|line| &line.text).collect::<LineBuffer>().into()
}

fn line(flaw: Flaw, series: usize, time: i64) -> Line {
    let fields = match &flaw {
        Flaw::Conflict { fields, .. } => strings(fields),
        Flaw::Unparsable => "f0=+1".to_owned(),
        Flaw::Large => format!("g=1,s=\"{}\"", "x".repeat(70_000)),
        Flaw::None | Flaw::Old | Flaw::Terse | Flaw::Limited => "f0=1,f1=2".to_owned(),
    };
    // Lines of a measurement that meets a limit are kept out together, so other lines have another measurement.
    let measurement = if flaw == Flaw::Limited { "limited" } else { "m" };
    Line { text: format!("{measurement},s={series} {fields} {time}"), flaw, series, time }
}

fn strings(fields: &[usize]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| format!("f{field}=\"text\",")).collect();
    fields.concat() + "g=1"
}

/// A line like one in conflict, in a shard without the conflict.
fn innocent(fields: &[usize], series: usize, time: i64) -> Line {
    Line { text: format!("m,s={series} {} {time}", strings(fields)), ..line(Flaw::None, series, time) }
}

struct Salvaged {
    refused: Vec<RefusedLine>,
    requests: usize,
    bytes: usize,
}

/// Runs a plan to its end and checks the result. Whenever the batch is blocked, another lane stores a request.
fn salvage(sim: &mut Sim<'_>, mut size: RequestSize, name: &str) -> Salvaged {
    let lines = lines_of(sim.batch);
    let lines = if sim.is_grouped { lines.grouped() } else { lines };
    let mut plan = SalvagePlan::new(&lines, false, sim.rng.u64(..));
    let mut kept = BTreeSet::new();
    let mut history = History::default();
    let mut refused_alone = BTreeSet::new();
    let api = if sim.dialect == Dialect::V1 { Api::V1 } else { Api::V2 };
    while let Some(NextRequest { request, blocked, .. }) = plan.next(&lines, size, &history) {
        history.controls[0] += u64::from(blocked.is_some());
        let at = history.refused_at(0, history.controls[0]);
        let indices: Vec<usize> = request.indices().collect();
        assert!(!indices.is_empty() && indices.len() <= size.lines_max.max(1), "{name}");
        assert!(indices.is_sorted(), "{name}");
        let places: Vec<usize> = indices.iter().map(|&index| lines.place(index)).collect();
        let answer: Answer = sim.answer(&places, &request.body(&lines).to_bytes());
        let parsed = ParsedAnswer::of(&answer);
        match decide(api, &answer, &parsed) {
            Outcome::Stored => {
                history.controls[0] += 1;
                plan.stored(&lines, 0);
                kept.extend(places);
                assert_eq!(plan.lines_stored(), kept.len(), "{name}");
            }
            Outcome::TooLarge { why, .. } => {
                size.bytes_max = size.bytes_max.min(request.bytes(&lines) / 2).max(1);
                plan.too_large(&lines, &why, at);
            }
            Outcome::Refused { why, .. } => {
                if let [alone] = *places {
                    refused_alone.insert(alone);
                }
                plan.refused(&lines, RefusedRequest { answer: &answer, parsed: &parsed, why: &why, at });
            }
            other => panic!("{name}: {other:?}"),
        }
        assert!(plan.take_contradicted().is_none(), "{name}: this server does not contradict itself");
        assert!(sim.requests < 40 * lines.len() + 40, "{name}: it does not end");
    }
    let count = plan.lines_stored();
    let (refused, kept_out) = plan.into_lists();
    let is_limited = |flaw: &Flaw| *flaw == Flaw::Limited;
    let lines_with = |is_it: &dyn Fn(&Flaw) -> bool| -> Vec<usize> {
        (0..sim.batch.len()).filter(|&i| is_it(&sim.batch[i].flaw)).collect()
    };
    let want = lines_with(&|flaw| *flaw != Flaw::None && !is_limited(flaw));
    let in_batch = |mut got: Vec<usize>| {
        for line in &mut got {
            *line = lines.place(*line);
        }
        got.sort_unstable();
        got
    };
    let got = in_batch(refused.iter().map(|refused| refused.line).collect());
    assert_eq!(got, want, "{name}: the wrong lines were refused");
    let want_out = lines_with(&is_limited);
    let got_out = in_batch(kept_out.iter().map(|kept_out| kept_out.line).collect());
    assert_eq!(got_out, want_out, "{name}: the wrong lines were kept out");
    assert_eq!(count + want.len() + want_out.len(), sim.batch.len(), "{name}");
    let bad = |flaw: &Flaw| *flaw != Flaw::None;
    for index in got {
        let flaw = &sim.batch[index].flaw;
        let one_alone = refused_alone.iter().any(|&alone| are_of_a_kind(flaw, &sim.batch[alone].flaw));
        let is_proven = refused_alone.contains(&index) || *flaw == Flaw::Large || one_alone;
        assert!(is_proven, "{name}: {index} was refused without proof");
    }
    let lost: Vec<usize> =
        (0..sim.batch.len()).filter(|i| !bad(&sim.batch[*i].flaw) && !kept.contains(i)).collect();
    assert!(lost.is_empty(), "{name}: never stored: {lost:?}");
    let mut latest = BTreeMap::new();
    for (i, line) in sim.batch.iter().enumerate().filter(|(_, line)| !bad(&line.flaw)) {
        latest.insert((line.series, line.time), i);
    }
    assert_eq!(sim.stored, latest, "{name}: the later of two lines with one key must win");
    Salvaged { refused, requests: sim.requests, bytes: sim.bytes }
}

/// Whether the refusal of one line alone proves the refusal of the other.
fn are_of_a_kind(flaw: &Flaw, other: &Flaw) -> bool {
    match (flaw, other) {
        (Flaw::Conflict { .. }, Flaw::Conflict { .. }) => true,
        (Flaw::Old | Flaw::Unparsable, other) => flaw == other,
        _ => false,
    }
}

fn sim(batch: &[Line], dialect: Dialect, shards: Shards, seed: u64) -> Sim<'_> {
    Sim {
        dialect,
        shards,
        batch,
        bytes_max: usize::MAX,
        miscounts: false,
        is_grouped: false,
        rng: fastrand::Rng::with_seed(seed),
        stored: BTreeMap::new(),
        requests: 0,
        bytes: 0,
    }
}

/// Largest number of requests for this many causes in this many lines.
fn bound(causes: usize, lines: usize) -> usize {
    if causes == 0 {
        return 1;
    }
    let (k, n) = (causes as f64, lines as f64);
    (2.0 * k * (n / k).max(1.0).log2() + 4.0 * k).floor() as usize
}

/// Random share of lines, in thousandths: none, few, many, or all.
fn random_share(rng: &mut fastrand::Rng) -> u32 {
    match rng.u8(..7) {
        0..3 => 0,
        3 => rng.u32(1..5),
        4 => rng.u32(5..100),
        5 => rng.u32(100..1_000),
        _ => 1_000,
    }
}

/// Shards as servers cut them, and arbitrary ones.
fn random_shards(rng: &mut fastrand::Rng) -> Shards {
    let odd = Shards { nanos: rng.i64(1..400) * HOUR / 7, first: MONDAY + rng.i64(0..HOUR) };
    let [hours, days] = [1, 24].map(|hours| Shards { nanos: hours * HOUR, first: MONDAY });
    [hours, days, WEEKS, odd][rng.usize(..4)]
}

/// Lines with random flaws, of few series and times, so that keys occur twice.
fn random_batch(rng: &mut fastrand::Rng, sizes: Shards) -> Vec<Line> {
    let count = match rng.u8(..4) {
        0 => rng.usize(1..10),
        1 => rng.usize(1..200),
        _ => rng.usize(200..2_000),
    };
    let (shards, fields) = (rng.i64(1..8), rng.usize(1..60));
    let conflicts: Vec<(i64, usize)> =
        (0..rng.usize(1..80)).map(|_| (rng.i64(0..shards), rng.usize(..fields))).collect();
    let [conflicting, innocents, old, unparsable, terse, limited] =
        std::array::from_fn(|_| random_share(rng));
    let terse = if rng.bool() { 0 } else { terse.min(20) };
    let limited = if rng.bool() { 0 } else { limited };
    let within = if rng.bool() { sizes.nanos } else { 50 };
    let any = |rng: &mut fastrand::Rng| {
        let drawn = |rng: &mut fastrand::Rng, share: u32| rng.u32(..1_000) < share;
        let series = rng.usize(..10);
        let time = |rng: &mut fastrand::Rng, shard: i64| sizes.start(shard) + rng.i64(0..within);
        if drawn(rng, conflicting) {
            let (shard, field) = conflicts[rng.usize(..conflicts.len())];
            let (other_shard, other) = conflicts[rng.usize(..conflicts.len())];
            let both = other_shard == shard && other != field && rng.bool();
            let fields = if both { vec![field, other] } else { vec![field] };
            return line(Flaw::Conflict { shard, fields }, series, time(rng, shard));
        }
        let shard = rng.i64(0..shards);
        if drawn(rng, innocents) {
            let (_, field) = conflicts[rng.usize(..conflicts.len())];
            let fields = if conflicts.contains(&(shard, field)) { vec![] } else { vec![field] };
            return innocent(&fields, series, time(rng, shard));
        }
        let flaws = [
            (old, Flaw::Old),
            (unparsable, Flaw::Unparsable),
            (terse, Flaw::Terse),
            (limited, Flaw::Limited),
        ];
        match flaws.into_iter().find(|(share, _)| drawn(rng, *share)) {
            Some((_, Flaw::Old)) => line(Flaw::Old, series, time(rng, -100)),
            Some((_, flaw)) => line(flaw, series, time(rng, shard)),
            None => line(Flaw::None, series, time(rng, shard)),
        }
    };
    (0..count).map(|_| any(rng)).collect()
}

#[test]
fn settles_every_line_within_the_bound_of_requests() {
    for seed in seeds(500) {
        let _repeated = repeated(seed);
        let mut rng = fastrand::Rng::with_seed(seed);
        let shards = random_shards(&mut rng);
        let batch = random_batch(&mut rng, shards);
        let dialect = [Dialect::V1, Dialect::V2, Dialect::OldV2][rng.usize(..3)];
        let mut sim = sim(&batch, dialect, shards, seed);
        sim.is_grouped = rng.bool();
        let causes = sim.cause_count();
        let name = format!("SALVAGE_SEED={seed}: {dialect:?}, {causes} causes in {} lines", batch.len());
        let requests = salvage(&mut sim, SIZE, &name).requests;
        let bound = bound(causes, batch.len()) + PROOF_MAX * sim.terse_count();
        assert!(requests <= bound, "{name}: {requests} requests > {bound}");
    }
}

/// The configuration, a proxy, or both limit requests, and the server's counts may be wrong.
#[test]
fn settles_every_line_in_requests_of_any_size() {
    for seed in seeds(300) {
        let _repeated = repeated(seed);
        let mut rng = fastrand::Rng::with_seed(seed);
        let shards = random_shards(&mut rng);
        let mut batch = random_batch(&mut rng, shards);
        batch.truncate(300);
        let size = RequestSize { lines_max: rng.usize(1..100), bytes_max: rng.usize(1..5_000) };
        let bytes_max = rng.usize(500..3_000);
        for _ in 0..rng.usize(..3) {
            let at = rng.usize(..=batch.len());
            batch.insert(at, line(Flaw::Large, 0, MONDAY + at as i64));
        }
        let mut sim = sim(&batch, Dialect::V2, shards, seed);
        (sim.bytes_max, sim.miscounts, sim.is_grouped) = (bytes_max, rng.bool(), rng.bool());
        salvage(&mut sim, size, &format!("SALVAGE_SEED={seed}"));
    }
}

/// Fixed seeds, and 50 random ones.
fn seeds(count: u64) -> Vec<u64> {
    let mut seeds = fixed_seeds(count);
    if seed::given("SALVAGE_SEED").is_none() {
        seeds.extend((0..50).map(|_| fastrand::u64(..)));
    }
    seeds
}

fn fixed_seeds(count: u64) -> Vec<u64> {
    match seed::given("SALVAGE_SEED") {
        Some(seed) => vec![seed],
        None => (0..seed::given("SALVAGE_SEEDS").unwrap_or(count)).collect(),
    }
}

/// Prints the command that repeats a seed alone when the test fails.
fn repeated(seed: u64) -> seed::Repeated {
    seed::Repeated::by("SALVAGE_SEED", seed, "cargo test --lib salvage")
}

/// Lines of which every `every`th has a flaw.
fn flawed(count: usize, every: usize, flaw: impl Fn(usize) -> Flaw) -> Vec<Line> {
    let flaw = |i: usize| if i.is_multiple_of(every) { flaw(i / every) } else { Flaw::None };
    (0..count).map(|i| line(flaw(i), i % 10, MONDAY + i as i64)).collect()
}

fn conflict(field: usize) -> Flaw {
    Flaw::Conflict { shard: 0, fields: vec![field] }
}

#[test]
fn needs_a_handful_of_requests_for_few_causes() {
    let f = |batch: &[Line], dialect: Dialect, want: usize| {
        let name = format!("{dialect:?} {:?} {}", batch[0].flaw, batch.len());
        assert_eq!(salvage(&mut sim(batch, dialect, WEEKS, 7), SIZE, &name).requests, want, "{name}");
    };
    for dialect in [Dialect::V1, Dialect::V2, Dialect::OldV2] {
        f(&flawed(5_000, 1, |_| Flaw::None), dialect, 1);
        f(&flawed(5_000, 5_000, |_| conflict(0)), dialect, 3);
        f(&flawed(5_000, 100, |_| conflict(0)), dialect, 4);
        f(&flawed(5_000, 1, |_| conflict(0)), dialect, 2);
        f(&flawed(5_000, 5_000, |_| Flaw::Unparsable), dialect, 3);
        f(&flawed(5_000, 2, |_| Flaw::Unparsable), dialect, 3);
        f(&flawed(5_000, 10, |i| if i % 2 == 0 { Flaw::Unparsable } else { conflict(0) }), dialect, 7);
    }
}

#[test]
fn needs_few_requests_if_many_causes_refuse_every_line() {
    let batch = flawed(5_000, 1, |i| conflict(i % 50));
    let requests = salvage(&mut sim(&batch, Dialect::V2, WEEKS, 7), SIZE, "50 causes").requests;
    assert!(requests <= 3 * 50, "{requests}");
}

/// The whole batch is not sent again for each of many causes.
#[test]
fn sends_few_lines_again_for_many_causes() {
    let batch = flawed(5_000, 100, conflict);
    let plain: usize = batch.iter().map(|line| line.text.len() + 1).sum();
    let salvaged = salvage(&mut sim(&batch, Dialect::V2, WEEKS, 7), SIZE, "50 causes");
    assert!(salvaged.requests <= 3 * 50 + 1, "{}", salvaged.requests);
    assert!(salvaged.bytes <= 8 * plain, "{} times", salvaged.bytes / plain);
}

#[test]
fn continues_with_the_quotes_of_a_cut_answer() {
    let batch = flawed(9_000, 1, |_| Flaw::Unparsable);
    let quoted = batch.len() * (batch[0].text.len() + 40);
    assert!(quoted > 2 * crate::answer::BODY_BYTES_MAX);
    let salvaged = salvage(&mut sim(&batch, Dialect::V2, WEEKS, 7), SIZE, "a long list");
    assert!(salvaged.requests <= 8, "{}", salvaged.requests);
    let reasons: BTreeSet<&str> = salvaged.refused.iter().map(|refused| &*refused.why).collect();
    assert_eq!(reasons, ["400: unable to parse: invalid boolean"].into(), "not one for each line");
}

#[test]
fn halves_if_answers_name_no_cause() {
    let f = |count: usize, every: usize, most: usize| {
        let batch = flawed(count, every, |_| Flaw::Terse);
        let requests = salvage(&mut sim(&batch, Dialect::V2, WEEKS, 7), SIZE, "terse").requests;
        assert!(requests <= most, "{count} {every}: {requests}");
    };
    // Each is refused alone 24 times or more, with 8 controls of other lanes.
    f(1_000, 1, 1_000 * 28);
    f(1_000, 1_000, bound(1, 1_000) + PROOF_MAX);
    f(1_000, 100, bound(10, 1_000) + 10 * PROOF_MAX);
    f(1, 1, 34);
}

/// Runs a plan against a server that refuses some lines with a message. Whenever the plan waits, another lane stores a request. Returns the
/// refused lines and the number of requests.
fn answered(texts: &[&str], refuses: impl Fn(&[usize]) -> Option<String>) -> (Vec<usize>, usize) {
    let batch: Vec<Line> =
        texts.iter().map(|text| Line { text: (*text).to_owned(), ..line(Flaw::None, 0, 0) }).collect();
    let lines = lines_of(&batch);
    let (mut plan, mut history) = (SalvagePlan::new(&lines, false, 7), History::default());
    while let Some(NextRequest { request, blocked, .. }) = plan.next(&lines, SIZE, &history) {
        history.controls[0] += u64::from(blocked.is_some());
        let at = history.refused_at(0, history.controls[0]);
        let indices: Vec<usize> = request.indices().collect();
        match refuses(&indices) {
            None => {
                history.controls[0] += 1;
                plan.stored(&lines, 0);
            }
            Some(message) => {
                let body = serde_json::json!({ "message": message }).to_string().into_bytes();
                let answer = Answer { status: 400, body, ..Answer::default() };
                let parsed = ParsedAnswer::of(&answer);
                plan.refused(&lines, RefusedRequest { answer: &answer, parsed: &parsed, why: "why", at });
            }
        }
    }
    let count = plan.lines_stored();
    (plan.into_lists().0.iter().map(|refused| refused.line).collect(), count)
}

/// A line quotes another line as the server does.
#[test]
fn believes_no_quote_within_a_line() {
    let forging =
        "m s=\"': invalid boolean\nunable to parse 'm v=1 1': invalid boolean\nunable to parse 'x\" 2=";
    let texts = ["m v=+1 0", "m v=1 1", forging];
    let refuses = |indices: &[usize]| {
        let bad = indices.iter().filter(|index| **index != 1);
        let quotes: Vec<_> =
            bad.map(|&i| format!("unable to parse '{}': invalid boolean", texts[i])).collect();
        (!quotes.is_empty()).then(|| quotes.join("\n"))
    };
    assert_eq!(answered(&texts, refuses), (vec![0, 2], 1));
}

/// All lines are dropped, then one alone is refused for another cause, and then the others are stored.
#[test]
fn one_line_proves_others_only_for_the_same_cause() {
    let texts = ["m f=\"s\" 0", "m f=\"s\" 1", "m f=\"s\" 2"];
    let refuses = |indices: &[usize]| {
        match indices {
        [0] => Some("a whim".to_owned()),
        [0, 1, 2] => Some("partial write: field type conflict: input field \"f\" on measurement \"m\" is type string, already exists as type float dropped=3".to_owned()),
        _ => None,
    }
    };
    assert_eq!(answered(&texts, refuses), (vec![0], 2));
}

/// Shards with unusual bounds are found by the counts of the answers.
#[test]
fn finds_a_run_by_its_counts() {
    let shards = Shards { nanos: 774, first: MONDAY + 1_237 };
    let conflicting = |i: usize| (1_237..1_237 + 774).contains(&i);
    let batch: Vec<Line> = (0..4_000)
        .map(|i| {
            let time = MONDAY + i as i64;
            if conflicting(i) { line(conflict(0), 0, time) } else { innocent(&[0], 0, time) }
        })
        .collect();
    let requests = salvage(&mut sim(&batch, Dialect::V2, shards, 7), SIZE, "a run").requests;
    assert!(requests <= 10, "{requests}");
}

/// A cause is found once, not again in each request of the batch.
#[test]
fn finds_a_cause_once_for_all_requests_of_a_batch() {
    let batch = flawed(5_000, 10, |_| conflict(0));
    let size = RequestSize { lines_max: 500, ..SIZE };
    let requests = salvage(&mut sim(&batch, Dialect::V2, WEEKS, 7), size, "cut").requests;
    assert!(requests <= 10 + 5, "{requests}");
}

/// The answers name lines that are stored when they are tried.
#[test]
fn ignores_answers_that_lead_to_good_lines() {
    let texts: Vec<String> = (0..100).map(|i| format!("m f=\"s\",v={i} {i}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let f = |dropped: usize| {
        let message = format!(
            "partial write: field type conflict: input field \"f\" on measurement \"m\" is type string, already exists as type float dropped={dropped}"
        );
        let refuses = |indices: &[usize]| indices.contains(&50).then(|| message.clone());
        assert_eq!(answered(&texts, refuses), (vec![50], 99), "{dropped}");
    };
    [0, 1, 2, 50, 101].into_iter().for_each(f);
}

/// Every count is one too many, also for a single line, so no line is refused for a count.
#[test]
fn ignores_counts_of_a_server_that_counts_wrong() {
    let texts: Vec<String> = (0..9).map(|i| format!("m f=\"s\",v={i} {i}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let refuses = |indices: &[usize]| {
        let dropped = indices.iter().filter(|index| **index != 4).count() + 1;
        (dropped > 1).then(|| format!("partial write: field type conflict: input field \"f\" on measurement \"m\" is type string, already exists as type float dropped={dropped}"))
    };
    assert_eq!(answered(&texts, refuses), (vec![0, 1, 2, 3, 5, 6, 7, 8], 1));
}

/// Half of the lines are of new series, which a limit keeps out; the other lines are of known series. Returns the number of requests, and
/// the lines that are kept out, stored and sent.
fn limited(texts: &[String], is_new: impl Fn(&str) -> bool) -> (usize, BTreeSet<usize>, BTreeSet<usize>) {
    let batch: Vec<Line> =
        texts.iter().map(|text| Line { text: text.clone(), ..line(Flaw::None, 0, 0) }).collect();
    let lines = lines_of(&batch);
    let (mut plan, mut history) = (SalvagePlan::new(&lines, false, 7), History::default());
    let (mut requests, mut stored) = (0, BTreeSet::new());
    while let Some(NextRequest { request, blocked, .. }) = plan.next(&lines, SIZE, &history) {
        assert_eq!(blocked, None);
        requests += 1;
        let new = request.indices().filter(|&line| is_new(&texts[line])).count();
        if new == 0 {
            history.controls[0] += 1;
            stored.extend(request.indices());
            plan.stored(&lines, 0);
            continue;
        }
        let message = format!("partial write: max-series-per-database limit exceeded: (10) dropped={new}");
        let body = serde_json::json!({ "error": message }).to_string().into_bytes();
        let answer = Answer { status: 400, body, ..Answer::default() };
        let parsed = ParsedAnswer::of(&answer);
        let at = history.refused_at(0, history.controls[0]);
        plan.refused(&lines, RefusedRequest { answer: &answer, parsed: &parsed, why: "why", at });
    }
    assert_eq!((plan.lines_stored(), plan.lines_refused()), (stored.len(), 0));
    let kept_out = plan.into_lists().1.into_iter().map(|kept_out| kept_out.line).collect();
    (requests, kept_out, stored)
}

/// A limit that keeps out lines throughout a batch costs a bounded number of requests. Lines of series that the batch stored, and lines of
/// other measurements, are stored.
#[test]
fn a_limit_that_half_of_the_lines_meet_takes_few_requests() {
    let count = 3_000;
    // Every line has a series of its own.
    let texts: Vec<String> = (0..count)
        .map(|i| match i % 4 {
            0 | 2 => format!("m,s=new{i} v=1 {i}"),
            1 => format!("m,s=old{i} v=1 {i}"),
            _ => format!("other,s=old{i} v=1 {i}"),
        })
        .collect();
    let (requests, kept_out, stored) = limited(&texts, |text| text.contains("new"));
    assert!(requests < 1_000, "{requests}");
    assert_eq!(kept_out.len() + stored.len(), count);
    for (index, text) in texts.iter().enumerate() {
        assert!(!text.contains("new") || kept_out.contains(&index), "{index}");
        assert!(!text.starts_with("other") || stored.contains(&index), "{index}");
    }

    // The known series occur again and again, so the batch stores each of them once.
    let texts: Vec<String> =
        (0..count)
            .map(|i| {
                if i % 2 == 0 { format!("m,s=new{i} v=1 {i}") } else { format!("m,s=old{} v=1 {i}", i % 50) }
            })
            .collect();
    let (requests, kept_out, stored) = limited(&texts, |text| text.contains("new"));
    assert!(requests < 1_000, "{requests}");
    assert_eq!((kept_out.len(), stored.len()), (count / 2, count / 2));
}
