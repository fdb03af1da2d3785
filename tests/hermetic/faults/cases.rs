//! One test for each fault.

use super::model::{Blame, Model};
use super::script::Draw;
use crate::seed;
use std::time::Duration;
use testkit::receiver::{Ending, Reply};

fn run(draw: Draw, blame: Blame) {
    let seeds = match seed::given("BRIDGE_FAULTS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..seed::given("BRIDGE_FAULTS_SEEDS").unwrap_or(1),
    };
    for seed in seeds {
        let mut rng = fastrand::Rng::with_seed(seed);
        let _repeated = seed::Repeated::by("BRIDGE_FAULTS_SEED", seed, "cargo test --test hermetic faults");
        Model::new(draw, blame, seed).run(&mut rng);
    }
}

/// Two of three requests get the fault.
fn often(rng: &mut fastrand::Rng, reply: impl FnOnce(&mut fastrand::Rng) -> Reply) -> Option<Reply> {
    (rng.u32(0..3) > 0).then(|| reply(rng))
}

fn one_of(rng: &mut fastrand::Rng, statuses: &[u16]) -> Reply {
    Reply::status(statuses[rng.usize(0..statuses.len())]).body("says nothing of use")
}

#[test]
fn loses_nothing_with_retryable_statuses() {
    run(|rng| often(rng, |rng| one_of(rng, &[408, 429, 499, 500, 502, 503, 504, 507, 599])), Blame::Nobody);
}

#[test]
fn loses_nothing_with_statuses_that_need_an_operator() {
    let draw: Draw = |rng| often(rng, |rng| one_of(rng, &[200, 301, 302, 400, 401, 403, 404, 405, 407]));
    run(draw, Blame::Nobody);
}

#[test]
fn loses_nothing_with_statuses_that_blame_the_lines() {
    run(|rng| often(rng, |rng| one_of(rng, &[402, 409, 413, 418, 422, 451])), Blame::Lines);
}

#[test]
fn loses_nothing_with_answers_that_blame_missing_lines() {
    let draw: Draw = |rng| {
        often(rng, |rng| {
            let lies = [
                r#"{"code":"invalid","message":"unable to parse 'nobody sent=this 1': why not"}"#,
                r#"{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \"type\" on measurement \"other\" is type float, already exists as type string dropped=1"}"#,
                r#"{"code":"invalid","message":"partial write: points beyond retention policy dropped=99999"}"#,
            ];
            Reply::status([400, 422][rng.usize(0..2)]).body(lies[rng.usize(0..lies.len())])
        })
    };
    run(draw, Blame::Lines);
}

#[test]
fn loses_nothing_with_broken_connections() {
    let draw: Draw = |rng| {
        often(rng, |rng| {
            let reply = Reply::status(503).body("x".repeat(1000));
            let reply = reply.ending(if rng.bool() { Ending::Reset } else { Ending::Half });
            // The lines may or may not be stored; the client cannot tell.
            if rng.bool() { reply.storing() } else { reply }
        })
    };
    run(draw, Blame::Nobody);
}

#[test]
fn loses_nothing_with_hanging_requests() {
    let draw: Draw = |rng| {
        (rng.u32(0..4) == 0).then(|| {
            let reply = Reply::status(204).ending(Ending::Hang);
            if rng.bool() { reply.storing() } else { reply }
        })
    };
    run(draw, Blame::Nobody);
}

#[test]
fn loses_nothing_with_late_answers() {
    let draw: Draw = |rng| {
        often(rng, |rng| {
            // Some answers come after the timeout of one second.
            let late = Duration::from_millis(rng.u64(0..1_200));
            Reply::status(if rng.bool() { 204 } else { 500 }).after(late).storing()
        })
    };
    // The client ignores a 204 after the timeout; a 204 before it is true.
    run(draw, Blame::Nobody);
}

#[test]
fn loses_nothing_with_answers_of_ten_megabytes() {
    let draw: Draw = |rng| (rng.u32(0..4) == 0).then(|| Reply::status(503).body(vec![b'x'; 10_000_000]));
    run(draw, Blame::Nobody);
}

#[test]
fn loses_nothing_with_wrong_encodings() {
    let draw: Draw = |rng| {
        often(rng, |rng| {
            let status = [401, 429, 500, 503][rng.usize(0..4)];
            Reply::status(status).header("Content-Encoding", "gzip").body(b"\x1f\x8bno gzip at all".to_vec())
        })
    };
    run(draw, Blame::Nobody);
}
